// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Workloads of connections: how many can be made in a second, and what one costs in memory.
 *
 * A connection counts once a frame has gone each way; then both ends close it. One is made
 * after the other. What closing leaves to do in the background competes with the next ones.
 *
 * Memory is what the kernel has less of with all connections open, divided by their number: both
 * ends, the driver's part included. First they have carried nothing, then each has carried 1 MiB
 * each way and some time has passed.
 */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include "bench.h"

#define BENCH_ACCEPT_MS	50
#define BENCH_SETTLE_MS	2000

/**
 * struct bench_dial - connections one after the other
 * @buf: a frame for each of the threads; that of the client may be mapped
 * @made: by the client
 * @ended: when, ktime ns
 * @stop: no more will come
 */
struct bench_dial {
	void *buf[2];
	u64 made;
	u64 ended;
	bool stop;
};

static int bench_dial_frame(struct bench_dial *d, struct bench_conn *c, u32 size, bool client)
{
	const struct bench_transport *ops = c->who->t;
	void *buf = d->buf[client];
	int ret;

	ret = bench_map(c, buf, size);
	if (!ret && client)
		ret = ops->send(c, buf, size);
	if (!ret)
		ret = ops->recv(c, buf, size);
	if (!ret && !client)
		ret = ops->send(c, buf, size);
	return ret;
}

static int bench_dial_client(struct bench_thread *t)
{
	struct bench_dial *d = t->arg;
	struct bench_run *r = t->run;
	struct bench_conn *c;
	int ret;

	do {
		ret = r->who->t->connect(r, &c);
		if (ret)
			break;
		ret = bench_dial_frame(d, c, r->size, true);
		r->who->t->close(c);
		d->made += !ret;
	} while (!ret && ktime_get_ns() < r->end);
	d->ended = ktime_get_ns();
	WRITE_ONCE(d->stop, true);
	return ret;
}

static int bench_dial_server(struct bench_thread *t)
{
	struct bench_dial *d = t->arg;
	struct bench_run *r = t->run;
	struct bench_conn *c;
	int ret;

	for (;;) {
		ret = r->who->t->accept(r->l, &c, BENCH_ACCEPT_MS);
		if (ret == -EAGAIN) {
			if (READ_ONCE(d->stop))
				return 0;
			continue;
		}
		if (ret)
			return ret;
		/*
		 * The client hangs up when it has the answer, which may be before the send has
		 * returned; if it does not get one, it says so. Until then nothing is closed.
		 */
		if (!bench_dial_frame(d, c, r->size, false))
			r->who->t->recv(c, d->buf[0], r->size);
		r->who->t->close(c);
	}
}

int bench_connects(struct bench_run *r)
{
	struct bench_clock clock;
	struct bench_dial *d;
	int ret, i;

	d = kzalloc(sizeof(*d), GFP_KERNEL);
	for (i = 0; d && i < 2; i++)
		d->buf[i] = bench_frame_alloc(r->size);
	if (!d || !d->buf[0] || !d->buf[1])
		ret = bench_fail(r, "memory", -ENOMEM);
	else
		ret = bench_listen(r);
	if (!ret) {
		bench_add(r, "server", bench_dial_server, d);
		bench_add(r, "client", bench_dial_client, d);
		bench_clock_start(r, &clock);
		ret = bench_threads(r, r->ms);
		seq_buf_printf(r->report, "connects %llu\nns %llu\n", d->made,
			       d->ended - clock.ns);
	}
	if (st_stuck())
		return ret;
	bench_close(r);
	for (i = 0; d && i < 2; i++)
		bench_frame_free(d->buf[i], r->size);
	kfree(d);
	return ret;
}

/* ----- memory ----- */

struct bench_many {
	struct bench_conn **ends;	/* client, server, client, ... */
	void *frame;
	void *buf;
};

/* Free memory, once what is freed later has been freed. */
static u64 bench_free(void)
{
	struct sysinfo info;

	msleep(BENCH_SETTLE_MS);
	rcu_barrier();
	si_meminfo(&info);
	return (u64)info.freeram << PAGE_SHIFT;
}

int bench_memory(struct bench_run *r)
{
	u32 i, nr = r->depth;
	struct bench_many *m;
	u64 before, now;
	int ret = 0;

	r->frame = BENCH_FRAME_MAX;
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (m) {
		m->ends = kvcalloc(2 * nr, sizeof(*m->ends), GFP_KERNEL);
		m->frame = bench_frame_alloc(BENCH_FRAME_MAX);
		m->buf = kvmalloc(BENCH_FRAME_MAX, GFP_KERNEL);
	}
	if (!m || !m->ends || !m->frame || !m->buf)
		ret = bench_fail(r, "memory", -ENOMEM);
	if (!ret)
		ret = bench_listen(r);
	before = bench_free();
	for (i = 0; !ret && i < nr; i++)
		ret = bench_pair_open(r, &m->ends[2 * i], &m->ends[2 * i + 1]);
	if (!ret) {
		now = bench_free();
		seq_buf_printf(r->report, "connections %u\nidle_bytes %lld\n", nr,
			       ((s64)before - (s64)now) / nr);
	}
	/* With frames of no size only idle connections are wanted. */
	for (i = 0; !ret && r->size && i < 2 * nr; i++)
		ret = bench_one_frame(r, m->ends[i], m->ends[i ^ 1], m->frame, m->buf);
	if (!ret && r->size) {
		now = bench_free();
		seq_buf_printf(r->report, "burst_bytes %lld\n", ((s64)before - (s64)now) / nr);
	}
	if (st_stuck())
		return ret;
	for (i = 0; m && m->ends && i < nr; i++)
		bench_pair_close(m->ends[2 * i], m->ends[2 * i + 1]);
	bench_close(r);
	if (m) {
		kvfree(m->ends);
		bench_frame_free(m->frame, BENCH_FRAME_MAX);
		kvfree(m->buf);
	}
	kfree(m);
	return ret;
}
