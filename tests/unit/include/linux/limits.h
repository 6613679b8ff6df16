/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_LINUX_LIMITS_H
#define UNIT_LINUX_LIMITS_H

#include_next <linux/limits.h>

#define U8_MAX	((__u8)~0U)
#define U16_MAX	((__u16)~0U)
#define U32_MAX	((__u32)~0U)

#endif
