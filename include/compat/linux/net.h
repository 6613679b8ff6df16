/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_COMPAT_LINUX_NET_H
#define SMBDR_COMPAT_LINUX_NET_H

#include_next <linux/net.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "net_smbdirect needs Linux 6.12 or later"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
/* Socket addresses of any length got a type of their own. */
#define sockaddr_unsized sockaddr
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
/*
 * proto_ops.getsockopt_iter came beside getsockopt. Some stable releases of older series
 * have it too, but getsockopt works in all of them.
 */
#define SMBDR_COMPAT_GETSOCKOPT
#endif

#endif /* SMBDR_COMPAT_LINUX_NET_H */
