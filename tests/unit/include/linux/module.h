/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_LINUX_MODULE_H
#define UNIT_LINUX_MODULE_H

#define UNIT_MODULE_INFO(x)	_Static_assert(sizeof(x) > 1, "empty")
#define MODULE_LICENSE(x)	UNIT_MODULE_INFO(x)
#define MODULE_DESCRIPTION(x)	UNIT_MODULE_INFO(x)
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

#endif
