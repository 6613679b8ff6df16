/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_COMPAT_LINUX_MODULE_H
#define SMBDR_COMPAT_LINUX_MODULE_H

#include_next <linux/module.h>
#include <linux/version.h>

/* Namespaces are strings since 6.13. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns)	MODULE_INFO(import_ns, ns)
#endif

#endif /* SMBDR_COMPAT_LINUX_MODULE_H */
