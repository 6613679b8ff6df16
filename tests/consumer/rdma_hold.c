// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Registered memory and a transfer that goes on, held while a script takes the device
 * away.
 *
 * start makes a connection, registers buffers at one end and lets a thread write
 * into the first one from the other end until that fails. stop waits for the
 * thread, deregisters all buffers and closes; everything about it has to be quick,
 * whatever has become of the device. It tells whether the transfers had ended by
 * themselves, and only if they had not ends the connection. One holder at a time; the
 * caller serialises.
 */
#include <linux/jiffies.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include "rdma_lib.h"

#define ST_HOLD_MRS	6
#define ST_HOLD_ALONE_MS	3000

struct st_hold {
	struct st_pair p;
	struct st_mem owner[ST_HOLD_MRS];
	struct st_mem local;
	struct smbdr_kern_mr *mr[ST_HOLD_MRS];
	struct st_thread *thread;
	u64 transfers;
	int err;
};

static struct st_hold *st_hold;

static int st_hold_thread(struct st_thread *t)
{
	struct st_hold *h = t->arg;
	const struct smbdr_kern_desc *descs;
	u32 nr;

	descs = smbdr_kern_mr_descs(h->mr[0], &nr);
	while (!h->err) {
		st_where(t, "transfer %llu", h->transfers);
		WRITE_ONCE(h->err, st_rdma(h->p.s, &h->local, SMBDR_KERN_RDMA_WRITE, descs, nr, 0));
		if (!h->err)
			WRITE_ONCE(h->transfers, h->transfers + 1);
	}
	return 0;
}

static void st_hold_free(struct st_hold *h)
{
	int i;

	for (i = 0; i < ST_HOLD_MRS; i++)
		if (!IS_ERR_OR_NULL(h->mr[i]))
			smbdr_kern_mr_deregister(h->mr[i]);
	st_pair_close(&h->p);
	for (i = 0; i < ST_HOLD_MRS; i++)
		st_mem_free(&h->owner[i]);
	st_mem_free(&h->local);
	kfree(h);
}

/**
 * st_hold_start() - register memory and start to write into it
 *
 * Return: 0 when the first transfer is over or should be, or what went wrong before.
 */
int st_hold_start(void)
{
	unsigned long end = jiffies + msecs_to_jiffies(st_cfg.timeout);
	struct st_hold *h;
	int i, ret;

	if (st_hold || st_stuck())
		return -EBUSY;
	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h)
		return -ENOMEM;
	ret = st_mem_alloc(&h->local, ST_MEM_VMALLOC, 0, SZ_256K);
	for (i = 0; !ret && i < ST_HOLD_MRS; i++)
		ret = st_mem_alloc(&h->owner[i], i % ST_MEM_KINDS, 10, SZ_256K);
	if (!ret)
		ret = st_pair_open(&h->p, NULL, NULL);
	for (i = 0; !ret && i < ST_HOLD_MRS; i++) {
		h->mr[i] = st_register(h->p.c, &h->owner[i], SMBDR_KERN_REMOTE_WRITE);
		ret = PTR_ERR_OR_ZERO(h->mr[i]);
	}
	if (!ret)
		ret = st_tell(h->p.c, h->p.s);
	if (!ret) {
		h->thread = st_run("hold", st_hold_thread, h);
		ret = h->thread ? 0 : -ENOMEM;
	}
	if (ret)
		st_hold_free(h);
	else
		st_hold = h;
	while (!ret && !READ_ONCE(h->transfers) && !READ_ONCE(h->err) && time_before(jiffies, end))
		usleep_range(100, 200);
	return ret;
}

/**
 * st_hold_stop() - give everything back
 * @report: gets "key value" lines
 *
 * Return: 0; -ETIME if it took longer than it may.
 */
int st_hold_stop(struct seq_buf *report)
{
	unsigned long start = jiffies;
	struct st_hold *h = st_hold;
	bool alone;
	int ret;

	if (!h)
		return 0;
	st_hold = NULL;
	alone = wait_for_completion_timeout(&h->thread->done,
					    msecs_to_jiffies(ST_HOLD_ALONE_MS));
	if (alone)
		complete(&h->thread->done);	/* for st_join() */
	else
		kernel_sock_shutdown(h->p.c, SHUT_RDWR);
	ret = st_join(h->thread, 10000);
	seq_buf_printf(report, "transfers %llu\nerror %d\nalone %d\n", h->transfers, h->err,
		       alone);
	if (st_stuck())
		return ret;
	st_hold_free(h);
	seq_buf_printf(report, "stop_ms %u\n", jiffies_to_msecs(jiffies - start));
	return ret ?: time_after(jiffies, start + 10 * HZ) ? -ETIME : 0;
}
