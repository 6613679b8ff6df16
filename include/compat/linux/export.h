/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_COMPAT_LINUX_EXPORT_H
#define SMBDR_COMPAT_LINUX_EXPORT_H

#include_next <linux/export.h>
#include <linux/version.h>

/* Namespaces are strings since 6.13. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#undef EXPORT_SYMBOL_NS_GPL
#define EXPORT_SYMBOL_NS_GPL(sym, ns)	__EXPORT_SYMBOL(sym, "GPL", ns)
#endif

#endif /* SMBDR_COMPAT_LINUX_EXPORT_H */
