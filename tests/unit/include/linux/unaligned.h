/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_LINUX_UNALIGNED_H
#define UNIT_LINUX_UNALIGNED_H

#include <linux/types.h>

/* A byte at a time: right on any machine, whatever its order. */
#define UNIT_UNALIGNED(bits)							\
static inline u##bits get_unaligned_le##bits(const void *p)			\
{										\
	const u8 *b = p;							\
	u64 v = 0;								\
	int i;									\
										\
	for (i = bits / 8 - 1; i >= 0; i--)					\
		v = v << 8 | b[i];						\
	return v;								\
}										\
static inline u##bits get_unaligned_be##bits(const void *p)			\
{										\
	const u8 *b = p;							\
	u64 v = 0;								\
	int i;									\
										\
	for (i = 0; i < bits / 8; i++)						\
		v = v << 8 | b[i];						\
	return v;								\
}										\
static inline void put_unaligned_le##bits(u##bits v, void *p)			\
{										\
	u8 *b = p;								\
	int i;									\
										\
	for (i = 0; i < bits / 8; i++)						\
		b[i] = (u64)v >> 8 * i;						\
}										\
static inline void put_unaligned_be##bits(u##bits v, void *p)			\
{										\
	u8 *b = p;								\
	int i;									\
										\
	for (i = 0; i < bits / 8; i++)						\
		b[i] = (u64)v >> (bits - 8 - 8 * i);				\
}

UNIT_UNALIGNED(16)
UNIT_UNALIGNED(32)
UNIT_UNALIGNED(64)

#endif
