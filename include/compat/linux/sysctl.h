/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_COMPAT_LINUX_SYSCTL_H
#define SMBDR_COMPAT_LINUX_SYSCTL_H

#include_next <linux/sysctl.h>
#include <linux/version.h>

/* Tables are constant since 6.13; 6.12 does not write to them, but says so nowhere. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#undef register_sysctl
#define register_sysctl(path, table)	\
	register_sysctl_sz(path, (struct ctl_table *)(table), ARRAY_SIZE(table))
#endif

#endif /* SMBDR_COMPAT_LINUX_SYSCTL_H */
