/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_COMPAT_LINUX_IN_H
#define SMBDR_COMPAT_LINUX_IN_H

#include_next <linux/in.h>

/* Ours is defined in our own header, which may have been first. */
#if defined(IPPROTO_SMBDIRECT) && !defined(_UAPI_LINUX_SMBDIRECT_H)
#error "This kernel has SMB Direct sockets of its own"
#endif

#endif /* SMBDR_COMPAT_LINUX_IN_H */
