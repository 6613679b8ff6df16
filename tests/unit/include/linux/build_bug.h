/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_LINUX_BUILD_BUG_H
#define UNIT_LINUX_BUILD_BUG_H

/* The message is optional in the kernel. */
#define static_assert(expr)	_Static_assert(expr, #expr)

#endif
