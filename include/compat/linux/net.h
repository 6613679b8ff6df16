/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_COMPAT_LINUX_NET_H
#define SMBDR_COMPAT_LINUX_NET_H

#include_next <linux/net.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "net_smbdirect needs Linux 6.12 or later"
#endif

#ifdef IPPROTO_SMBDIRECT
#error "This kernel has SMB Direct sockets of its own"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
/* Socket addresses of any length got a type of their own. */
#define sockaddr_unsized sockaddr
/* proto_ops.getsockopt_iter came instead of getsockopt. */
#define SMBDR_COMPAT_GETSOCKOPT
#endif

#endif /* SMBDR_COMPAT_LINUX_NET_H */
