// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the workloads share: threads, connections, the clock of the CPU.
 *
 * A run must end whatever a contender does. Threads get the time of the measurement and
 * some patience; then both ends are aborted, so that every call fails; a thread that
 * still does not come back is given up with all that it may touch, see
 * tests/lib/lib.c. The first error of a run counts and carries the name of the thread or
 * step that met it.
 */
#include <linux/gfp.h>
#include <linux/kernel_stat.h>
#include <linux/mm.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include "bench.h"

int bench_fail(struct bench_run *r, const char *where, int err)
{
	if (err && !cmpxchg(&r->err, 0, err))
		WRITE_ONCE(r->where, where);
	return err;
}

/*
 * CPU time that this kernel has used so far.
 *
 * A User Mode Linux kernel is a process of the host, with a thread for each CPU, and all that
 * is measured here runs in it. The host knows its CPU time exactly, so ask: a system call made
 * here is the host's. Time in which the host ran somebody else does not count. Elsewhere it is
 * what the CPUs count at each tick.
 */
static u64 bench_cpu_ns(void)
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

void bench_clock_start(struct bench_run *r, struct bench_clock *clock)
{
	clock->cpu = bench_cpu_ns();
	clock->ns = ktime_get_ns();
	r->end = clock->ns + (u64)r->ms * NSEC_PER_MSEC;
}

void bench_clock_stop(struct bench_run *r, struct bench_clock *clock, const char *what,
		      u64 nr, u64 bytes)
{
	u64 ns = max_t(u64, ktime_get_ns() - clock->ns, 1);
	u64 cpu = bench_cpu_ns() - clock->cpu;

	seq_buf_printf(r->report, "%s %llu\nns %llu\ncpu_ns %llu\nbytes %llu\n", what, nr, ns, cpu,
		       bytes);
}

/* ----- threads ----- */

static void bench_abort(struct bench_run *r)
{
	if (r->c)
		r->who->t->abort(r->c);
	if (r->s)
		r->who->t->abort(r->s);
}

static int bench_thread_fn(struct st_thread *st)
{
	struct bench_thread *t = st->arg;
	int ret;

	st_where(st, "%s", t->name);
	ret = bench_fail(t->run, t->name, t->fn(t));
	/* The other threads would wait for what does not come. */
	if (ret)
		bench_abort(t->run);
	return ret;
}

/* One more thread for bench_threads(). */
void bench_add(struct bench_run *r, const char *name, int (*fn)(struct bench_thread *t), void *arg)
{
	r->threads[r->nr++] = (struct bench_thread){
		.name = name, .fn = fn, .run = r, .arg = arg,
	};
}

/* Until it is done. If another one fails, interrupt this one: it may be in accept(). */
static bool bench_wait(struct bench_thread *t, unsigned long end)
{
	bool told = false;

	while (!st_wait(t->t, 50)) {
		if (time_after(jiffies, end))
			return false;
		if (!READ_ONCE(t->run->err) || told)
			continue;
		send_sig(SIGINT, t->t->task, 1);
		told = true;
	}
	return true;
}

/* Run them all at once, for at most @ms and what patience there is. Return: 0 or r->err. */
int bench_threads(struct bench_run *r, u32 ms)
{
	unsigned long end = jiffies + msecs_to_jiffies(ms + BENCH_PATIENCE);
	struct bench_thread *t;
	bool all = true;

	for (t = r->threads; t < r->threads + r->nr; t++) {
		t->t = st_run("bench", bench_thread_fn, t);
		all = all && t->t;
	}
	if (!all) {
		bench_fail(r, "start of threads", -ENOMEM);
		bench_abort(r);
	}
	for (t = r->threads; all && t < r->threads + r->nr; t++) {
		all = bench_wait(t, end);
		if (!all) {
			bench_fail(r, t->name, -ETIME);
			bench_abort(r);
		}
	}
	while (r->nr) {
		t = &r->threads[--r->nr];
		if (t->t)
			st_join(t->t, BENCH_PATIENCE);
	}
	return r->err;
}

/* ----- connections ----- */

static int bench_accept_fn(struct bench_thread *t)
{
	struct bench_run *r = t->run;

	return r->who->t->accept(r->l, &r->made[1], BENCH_PATIENCE);
}

static int bench_connect_fn(struct bench_thread *t)
{
	return t->run->who->t->connect(t->run, &t->run->made[0]);
}

/* Both at once: with some transports one does not return before the other was called. */
int bench_pair_open(struct bench_run *r, struct bench_conn **c, struct bench_conn **s)
{
	int ret;

	r->made[0] = NULL;
	r->made[1] = NULL;
	bench_add(r, "accept", bench_accept_fn, NULL);
	bench_add(r, "connect", bench_connect_fn, NULL);
	ret = bench_threads(r, BENCH_PATIENCE);
	if (st_stuck())
		return ret;
	*c = r->made[0];
	*s = r->made[1];
	if (!ret) {
		(*c)->peer = *s;
		(*s)->peer = *c;
	}
	return ret;
}

void bench_pair_close(struct bench_conn *c, struct bench_conn *s)
{
	if (st_stuck())
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

int bench_listen(struct bench_run *r)
{
	if (r->frame > BENCH_FRAME_MAX)
		return bench_fail(r, "longest frame", -EMSGSIZE);
	return bench_fail(r, "listen", r->who->t->listen(r));
}

int bench_map(struct bench_conn *c, void *buf, u32 len)
{
	return c->who->t->map ? c->who->t->map(c, buf, len) : 0;
}

struct bench_one {
	struct bench_conn *from;
	struct bench_conn *to;
	void *frame;
	void *buf;
};

static int bench_one_send(struct bench_thread *t)
{
	struct bench_one *one = t->arg;

	return bench_map(one->from, one->frame, t->run->frame) ?:
		t->run->who->t->send(one->from, one->frame, t->run->frame);
}

static int bench_one_recv(struct bench_thread *t)
{
	struct bench_one *one = t->arg;

	return t->run->who->t->recv(one->to, one->buf, t->run->frame);
}

/* One of r->frame bytes; @frame stays mapped, so it has to stay until @from is closed. */
int bench_one_frame(struct bench_run *r, struct bench_conn *from, struct bench_conn *to,
		    void *frame, void *buf)
{
	struct bench_one *one = kmalloc(sizeof(*one), GFP_KERNEL);
	int ret;

	if (!one)
		return bench_fail(r, "memory", -ENOMEM);
	*one = (struct bench_one){ .from = from, .to = to, .frame = frame, .buf = buf };
	bench_add(r, "one frame sent", bench_one_send, one);
	bench_add(r, "one frame received", bench_one_recv, one);
	ret = bench_threads(r, 0);
	if (!st_stuck())
		kfree(one);
	return ret;
}

/* A frame each way, every byte of it looked at. */
static int bench_check(struct bench_run *r)
{
	void *frame = bench_frame_alloc(r->frame), *buf = kvmalloc(r->frame, GFP_KERNEL);
	int ret, i;

	ret = frame && buf ? bench_pair_open(r, &r->c, &r->s) : bench_fail(r, "memory", -ENOMEM);
	for (i = 0; !ret && i < 2; i++) {
		memcpy(frame, st_pattern(r->frame + i), r->frame);
		memset(buf, 0, r->frame);
		r->c->verify = true;
		r->s->verify = true;
		ret = bench_one_frame(r, i ? r->s : r->c, i ? r->c : r->s, frame, buf);
		if (!ret && memcmp(frame, buf, r->frame))
			ret = bench_fail(r, "content", -EILSEQ);
	}
	if (st_stuck())
		return ret;
	bench_pair_close(r->c, r->s);
	r->c = NULL;
	r->s = NULL;
	bench_frame_free(frame, r->frame);
	kvfree(buf);
	return ret;
}

/* A listener; frames that were looked at; and a fresh connection to measure on. */
int bench_open(struct bench_run *r)
{
	int ret = bench_listen(r);

	if (!ret && r->frame)
		ret = bench_check(r);
	return ret ?: bench_pair_open(r, &r->c, &r->s);
}

void bench_close(struct bench_run *r)
{
	if (st_stuck())
		return;
	bench_pair_close(r->c, r->s);
	r->c = NULL;
	r->s = NULL;
	if (r->l)
		r->who->t->unlisten(r->l);
	r->l = NULL;
}

int bench_hashes(struct bench_run *r, u32 sent, u32 received)
{
	seq_buf_printf(r->report, "hash_sent %08x\nhash_received %08x\n", sent, received);
	return sent == received ? 0 : bench_fail(r, "hash", -EILSEQ);
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
