/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_FAULT_H
#define SMBDR_FAULT_H

/*
 * Fault points: calls of ours that may fail on real machines and hardly ever do in
 * tests. Each is written with the call that it stands for:
 *
 *	ret = smbdr_fault(post_recv) ?: ib_post_recv(qp, &wr, NULL);
 *	buf = smbdr_fault(nego_buf) ? NULL : kzalloc(size, GFP_KERNEL);
 *	pd = ERR_PTR(smbdr_fault(pd)) ?: ib_alloc_pd(dev, 0);
 *	ret = smbdr_fault_half(post_rw_half, qp, wr) ?: ib_post_send(qp, wr, NULL);
 *
 * Without CONFIG_NET_SMBDIRECT_FAULTS, which only test builds have, smbdr_fault() is
 * the constant 0 and nothing is left of it. With it, somebody can ask that the n-th
 * of these calls fails from now on, whichever it is: see fault.c.
 */

#include <linux/types.h>

#ifdef CONFIG_NET_SMBDIRECT_FAULTS

struct ib_qp;
struct ib_send_wr;

#define SMBDR_FAULT_POINT(name, ...)	SMBDR_FAULT_##name,
enum smbdr_fault_point {
#include "fault_points.h"
	SMBDR_FAULT_NR
};

#undef SMBDR_FAULT_POINT

/**
 * struct smbdr_fault_seen - what happened since smbdr_fault_arm()
 * @hits: calls that came by a point
 * @fired: those of them that failed
 * @point: the first of them, if any; its name
 * @err: its error, negative
 */
struct smbdr_fault_seen {
	u32 hits;
	u32 fired;
	const char *point;
	int err;
};

int smbdr_fault_hit(enum smbdr_fault_point point);
int smbdr_fault_wc_status(enum smbdr_fault_point point, int status);
int smbdr_fault_post_half(enum smbdr_fault_point point, struct ib_qp *qp,
			  struct ib_send_wr *first);
void smbdr_fault_arm(u32 nth, u32 times);
void smbdr_fault_arm_at(enum smbdr_fault_point point, u32 nth, u32 times);
bool smbdr_fault_armed(void);
void smbdr_fault_disarm(struct smbdr_fault_seen *seen);
void smbdr_fault_init(void);
void smbdr_fault_exit(void);

/* 0, or the error with which the call has to fail. */
#define smbdr_fault(point)	smbdr_fault_hit(SMBDR_FAULT_##point)
/* A work request came back: maybe it failed. */
#define smbdr_fault_wc(point, wc) \
	((wc)->status = smbdr_fault_wc_status(SMBDR_FAULT_##point, (wc)->status))
/* 0, or the error with which the second half of a chain has to fail: the first is posted. */
#define smbdr_fault_half(point, qp, first) \
	smbdr_fault_post_half(SMBDR_FAULT_##point, qp, first)

#else

#define smbdr_fault(...)	0
#define smbdr_fault_wc(...)	do { } while (0)
#define smbdr_fault_half(...)	0
static inline bool smbdr_fault_armed(void)
{
	return false;
}

static inline void smbdr_fault_init(void) { }
static inline void smbdr_fault_exit(void) { }

#endif

#endif /* SMBDR_FAULT_H */
