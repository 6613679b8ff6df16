// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the workloads share: threads, connections, content, the clock of the CPU.
 *
 * A run must end whatever a contender does. Threads get the time of the measurement and
 * some patience; then both ends are aborted, which lets whoever waits fail; who
 * still does not come back is given up with all that he may touch, the
 * module stays loaded and refuses further runs. The first error of a run counts
 * and carries the name of the thread or step that met it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/gfp.h>
#include <linux/kernel_stat.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "bench.h"

#define BENCH_PERIOD	65521U

static bool bench_is_stuck;

bool bench_stuck(void)
{
	return READ_ONCE(bench_is_stuck);
}

int bench_fail(struct bench_run *r, const char *where, int err)
{
	if (err && !cmpxchg(&r->err, 0, err))
		WRITE_ONCE(r->where, where);
	return err;
}

/**
 * bench_cpu_ns() - CPU time that this kernel has used so far
 *
 * A User Mode Linux kernel is a process of the host, with a thread for each CPU, and all that
 * is measured here runs in it. The host knows its CPU time exactly, so ask: a system call made
 * here is the host's. Time in which the host ran somebody else does not count. Elsewhere it is
 * what the CPUs count at each tick.
 */
u64 bench_cpu_ns(void)
{
#ifdef CONFIG_UML
	struct { s64 sec, nsec; } now = {};
	long ret = 228;	/* clock_gettime on x86_64 */

	asm volatile("syscall" : "+a" (ret) : "D" (2L /* CLOCK_PROCESS_CPUTIME_ID */), "S" (&now)
		     : "rcx", "r11", "memory");
	return ret ? 0 : now.sec * NSEC_PER_SEC + now.nsec;
#else
	u64 busy = 0;
	int cpu;

	for_each_online_cpu(cpu) {
		const u64 *stat = kcpustat_cpu(cpu).cpustat;

		busy += stat[CPUTIME_SYSTEM] + stat[CPUTIME_SOFTIRQ] + stat[CPUTIME_IRQ];
	}
	return busy;
#endif
}

static void bench_abort(struct bench_run *r)
{
	if (r->c)
		r->who->t->abort(r->c);
	if (r->s)
		r->who->t->abort(r->s);
}

static int bench_thread_fn(void *arg)
{
	struct bench_thread *t = arg;

	/* Who fails takes the others along: they would wait for what does not come. */
	if (bench_fail(t->run, t->name, t->fn(t)))
		bench_abort(t->run);
	complete(&t->done);
	return 0;
}

static bool bench_all_done(struct bench_thread *t, u32 nr, u32 ms)
{
	unsigned long end = jiffies + msecs_to_jiffies(ms);
	u32 i;

	for (i = 0; i < nr; i++) {
		long left = max_t(long, end - jiffies, 1);

		if (t[i].task && !wait_for_completion_timeout(&t[i].done, left))
			return false;
		t[i].task = NULL;
	}
	return true;
}

/* What @t is to do when bench_threads() runs it. */
void bench_thread_set(struct bench_thread *t, const char *name,
		      int (*fn)(struct bench_thread *t), void *arg)
{
	*t = (struct bench_thread){ .name = name, .fn = fn, .arg = arg };
}

/* Run them all at once, for at most @ms and what patience there is. Return: 0 or r->err. */
int bench_threads(struct bench_run *r, struct bench_thread *t, u32 nr, u32 ms)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		t[i].run = r;
		init_completion(&t[i].done);
		t[i].task = kthread_create(bench_thread_fn, &t[i], "bench/%s", t[i].name);
		if (IS_ERR(t[i].task)) {
			bench_fail(r, "start of threads", PTR_ERR(t[i].task));
			t[i].task = NULL;
			while (i--)
				kthread_stop(t[i].task);
			return r->err;
		}
	}
	for (i = 0; i < nr; i++)
		wake_up_process(t[i].task);
	if (bench_all_done(t, nr, ms + BENCH_PATIENCE))
		return r->err;
	for (i = 0; i < nr; i++)
		if (t[i].task && !completion_done(&t[i].done))
			break;
	bench_fail(r, i < nr ? t[i].name : "the end", -ETIME);
	bench_abort(r);
	if (!bench_all_done(t, nr, BENCH_PATIENCE)) {
		pr_err("%s: a thread hangs, this module stays loaded\n", r->who->name);
		WRITE_ONCE(bench_is_stuck, true);
		__module_get(THIS_MODULE);
	}
	return r->err;
}

/* ----- connections ----- */

struct bench_opening {
	struct bench_conn *c;
	struct bench_conn *s;
	u32 frame;
};

static int bench_accept_fn(struct bench_thread *t)
{
	struct bench_opening *o = t->arg;
	struct bench_run *r = t->run;

	return r->who->t->accept(r->l, &o->s, BENCH_PATIENCE);
}

static int bench_connect_fn(struct bench_thread *t)
{
	struct bench_opening *o = t->arg;
	struct bench_run *r = t->run;

	return r->who->t->connect(r->who, &r->at, o->frame, &o->c);
}

/* Both at once: with some transports one does not return before the other was called. */
int bench_pair_open(struct bench_run *r, u32 frame, struct bench_conn **c, struct bench_conn **s)
{
	struct bench_opening *o;
	struct bench_thread *t;
	int ret;

	*c = NULL;
	*s = NULL;
	o = kzalloc(sizeof(*o), GFP_KERNEL);
	t = kcalloc(2, sizeof(*t), GFP_KERNEL);
	if (!o || !t) {
		kfree(o);
		kfree(t);
		return bench_fail(r, "memory", -ENOMEM);
	}
	o->frame = frame;
	bench_thread_set(&t[0], "accept", bench_accept_fn, o);
	bench_thread_set(&t[1], "connect", bench_connect_fn, o);
	ret = bench_threads(r, t, 2, BENCH_PATIENCE);
	if (bench_stuck())
		return ret;
	*c = o->c;
	*s = o->s;
	if (!ret) {
		(*c)->peer = *s;
		(*s)->peer = *c;
	}
	kfree(o);
	kfree(t);
	return ret;
}

void bench_pair_close(struct bench_conn *c, struct bench_conn *s)
{
	if (bench_stuck())
		return;
	/* A transport may look at its peer until the peer is gone, but not longer. */
	if (c)
		c->who->t->abort(c);
	if (s)
		s->who->t->abort(s);
	if (c)
		c->peer = NULL;
	if (s)
		s->peer = NULL;
	if (c)
		c->who->t->close(c);
	if (s)
		s->who->t->close(s);
}

/* A frame each way, every byte of it looked at. */
static int bench_check_fn(struct bench_thread *t)
{
	struct bench_conn **ends = t->arg;
	const struct bench_transport *ops = ends[0]->who->t;
	u32 len = t->run->size;
	void *buf;
	int ret;

	if (!strcmp(t->name, "verify send")) {
		buf = bench_frame_alloc(len);
		if (!buf)
			return -ENOMEM;
		bench_fill(buf, len, len);
		ret = ops->map ? ops->map(ends[0], buf, len) : 0;
		if (!ret)
			ret = ops->send(ends[0], buf, len);
		/* It stays mapped, so it stays: the other thread frees it with the connection. */
		ends[2] = buf;
		return ret;
	}
	buf = kvmalloc(len, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = ops->recv(ends[1], buf, len);
	if (!ret && !bench_same(buf, len, len))
		ret = -EILSEQ;
	kvfree(buf);
	return ret;
}

static int bench_check(struct bench_run *r)
{
	struct {
		struct bench_conn *ends[3];
	} *way;
	struct bench_thread *t;
	struct bench_conn *c, *s;
	int ret, i;

	ret = bench_pair_open(r, r->size, &c, &s);
	if (bench_stuck())
		return ret;
	way = kcalloc(2, sizeof(*way), GFP_KERNEL);
	t = kcalloc(2, sizeof(*t), GFP_KERNEL);
	if (!ret && (!way || !t))
		ret = bench_fail(r, "memory", -ENOMEM);
	if (!ret) {
		c->verify = true;
		s->verify = true;
		r->c = c;
		r->s = s;
		for (i = 0; i < 2 && !ret; i++) {
			way[i].ends[0] = i ? s : c;
			way[i].ends[1] = i ? c : s;
			bench_thread_set(&t[0], "verify send", bench_check_fn, &way[i]);
			bench_thread_set(&t[1], "verify receive", bench_check_fn, &way[i]);
			ret = bench_threads(r, t, 2, BENCH_PATIENCE);
		}
		r->c = NULL;
		r->s = NULL;
	}
	if (bench_stuck())
		return ret;
	bench_pair_close(c, s);
	for (i = 0; way && i < 2; i++)
		bench_frame_free(way[i].ends[2], r->size);
	kfree(way);
	kfree(t);
	return ret;
}

/* A listener; frames that were looked at; and a fresh connection to measure on. */
int bench_open(struct bench_run *r, u32 frame)
{
	int ret;

	ret = bench_fail(r, "listen", r->who->t->listen(r->who, &r->at, frame, &r->l));
	if (ret)
		r->l = NULL;
	if (!ret && frame)
		ret = bench_check(r);
	if (!ret)
		ret = bench_pair_open(r, frame, &r->c, &r->s);
	return ret;
}

void bench_close(struct bench_run *r)
{
	if (bench_stuck())
		return;
	bench_pair_close(r->c, r->s);
	r->c = NULL;
	r->s = NULL;
	if (r->l)
		r->who->t->unlisten(r->l);
	r->l = NULL;
}

/* ----- content ----- */

/* The period is a prime, so a byte at the wrong place is a wrong byte. It is never 0 or 1. */
static u8 bench_byte(u32 *x)
{
	if (++*x >= BENCH_PERIOD)
		*x = 0;
	return (u8)(*x * 2654435761U >> 24) | 2;
}

void bench_fill(void *buf, u32 len, u32 seed)
{
	u32 i, x = seed * 7919ULL % BENCH_PERIOD;
	u8 *p = buf;

	for (i = 0; i < len; i++)
		p[i] = bench_byte(&x);
}

bool bench_same(const void *buf, u32 len, u32 seed)
{
	u32 i, x = seed * 7919ULL % BENCH_PERIOD;
	const u8 *p = buf;

	for (i = 0; i < len; i++)
		if (p[i] != bench_byte(&x))
			return false;
	return true;
}

/* Pages in a row, as a device without a page table wants them. */
void *bench_frame_alloc(u32 len)
{
	return alloc_pages_exact(len, GFP_KERNEL | __GFP_ZERO);
}

void bench_frame_free(void *buf, u32 len)
{
	if (buf)
		free_pages_exact(buf, len);
}
