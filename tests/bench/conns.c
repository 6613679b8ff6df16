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

	ret = ops->map ? ops->map(c, buf, size) : 0;
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
		ret = r->who->t->connect(r->who, &r->at, r->size, &c);
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
	struct bench_thread *t;
	struct bench_dial *d;
	int ret, i;
	u64 ns;

	d = kzalloc(sizeof(*d), GFP_KERNEL);
	t = kcalloc(2, sizeof(*t), GFP_KERNEL);
	for (i = 0; d && i < 2; i++)
		d->buf[i] = bench_frame_alloc(r->size);
	if (!d || !t || !d->buf[0] || !d->buf[1])
		ret = bench_fail(r, "memory", -ENOMEM);
	else
		ret = bench_fail(r, "listen", r->who->t->listen(r->who, &r->at, r->size, &r->l));
	if (!ret) {
		bench_thread_set(&t[0], "server", bench_dial_server, d);
		bench_thread_set(&t[1], "client", bench_dial_client, d);
		ns = ktime_get_ns();
		r->end = ns + (u64)r->ms * NSEC_PER_MSEC;
		ret = bench_threads(r, t, 2, r->ms);
		seq_buf_printf(r->report, "connects %llu\nns %llu\n", d->made, d->ended - ns);
	}
	if (bench_stuck())
		return ret;
	bench_close(r);
	for (i = 0; d && i < 2; i++)
		bench_frame_free(d->buf[i], r->size);
	kfree(d);
	kfree(t);
	return ret;
}

/* ----- memory ----- */

struct bench_many {
	struct bench_conn **ends;	/* client, server, client, ... */
	void *frame;
	void *buf;
	struct bench_conn *from;
	struct bench_conn *to;
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

static int bench_many_send(struct bench_thread *t)
{
	struct bench_many *m = t->arg;
	const struct bench_transport *ops = m->from->who->t;
	int ret;

	ret = ops->map ? ops->map(m->from, m->frame, BENCH_FRAME_MAX) : 0;
	return ret ?: ops->send(m->from, m->frame, BENCH_FRAME_MAX);
}

static int bench_many_recv(struct bench_thread *t)
{
	struct bench_many *m = t->arg;

	return m->to->who->t->recv(m->to, m->buf, BENCH_FRAME_MAX);
}

static int bench_many_burst(struct bench_run *r, struct bench_many *m, u32 i)
{
	struct bench_thread *t = kcalloc(2, sizeof(*t), GFP_KERNEL);
	int ret;

	if (!t)
		return bench_fail(r, "memory", -ENOMEM);
	m->from = m->ends[i];
	m->to = m->ends[i ^ 1];
	bench_thread_set(&t[0], "burst send", bench_many_send, m);
	bench_thread_set(&t[1], "burst receive", bench_many_recv, m);
	ret = bench_threads(r, t, 2, 0);
	if (!bench_stuck())
		kfree(t);
	return ret;
}

int bench_memory(struct bench_run *r)
{
	u32 i, nr = r->depth;
	struct bench_many *m;
	u64 before, now;
	int ret = 0;

	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (m) {
		m->ends = kvcalloc(2 * nr, sizeof(*m->ends), GFP_KERNEL);
		m->frame = bench_frame_alloc(BENCH_FRAME_MAX);
		m->buf = kvmalloc(BENCH_FRAME_MAX, GFP_KERNEL);
	}
	if (!m || !m->ends || !m->frame || !m->buf)
		ret = bench_fail(r, "memory", -ENOMEM);
	if (!ret)
		ret = bench_fail(r, "listen", r->who->t->listen(r->who, &r->at, BENCH_FRAME_MAX,
								&r->l));
	before = bench_free();
	for (i = 0; !ret && i < nr; i++)
		ret = bench_pair_open(r, BENCH_FRAME_MAX, &m->ends[2 * i], &m->ends[2 * i + 1]);
	if (!ret) {
		now = bench_free();
		seq_buf_printf(r->report, "connections %u\nidle_bytes %lld\n", nr,
			       ((s64)before - (s64)now) / nr);
	}
	/* With frames of no size only idle connections are wanted. */
	for (i = 0; !ret && r->size && i < 2 * nr; i++)
		ret = bench_many_burst(r, m, i);
	if (!ret && r->size) {
		now = bench_free();
		seq_buf_printf(r->report, "burst_bytes %lld\n", ((s64)before - (s64)now) / nr);
	}
	if (bench_stuck())
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
