// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA with everybody at once: many threads on few connections register, transfer and
 * send, to the end of the work or to an end of the connections in the middle of it.
 *
 * All data is right, and every transfer that was taken ends exactly once.
 */
#include <linux/delay.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include "rdma_stress.h"

#define STRESS_THREADS	32
#define STRESS_PAIRS	4
#define STRESS_LEN	50000

/**
 * struct stress_stream - frames in one direction, from many threads to one receiver
 * @from: who sends
 * @to: who receives
 * @lock: sending
 * @sent: frames so far; number, content and length of a frame are one; under @lock
 * @got: frames that arrived and were right
 * @err: why the receiver has stopped
 * @wait: @got or @err has changed
 * @thread: the receiver
 */
struct stress_stream {
	struct socket *from;
	struct socket *to;
	struct mutex lock;	/* sending */
	u32 sent;
	u32 got;
	int err;
	wait_queue_head_t wait;
	struct st_thread *thread;
};

struct stress_all {
	struct st_pair pairs[STRESS_PAIRS];
	struct stress_stream streams[STRESS_PAIRS][2];	/* from c to s, and back */
	unsigned int rounds;
	bool may_fail;
	bool ended;	/* a connection has, whether it may or not */
	atomic_t ok;
};

struct stress_one {
	struct stress_all *all;
	u32 n;
};

static u32 stress_frame_len(u32 nr)
{
	return nr % 8 == 7 ? SZ_256K : 1 + nr * 377 % 5000;
}

static int stress_receiver(struct st_thread *t)
{
	struct stress_stream *st = t->arg;
	u8 *buf = kvmalloc(SZ_256K + ST_HDR, GFP_KERNEL);
	int ret = buf ? 0 : -ENOMEM;

	while (!ret) {
		st_where(t, "frame %u", st->got);
		ret = st_recv_frame(st->to, st->got, stress_frame_len(st->got), 0, buf);
		if (!ret)
			WRITE_ONCE(st->got, st->got + 1);
		else
			WRITE_ONCE(st->err, ret);
		wake_up_all(&st->wait);
	}
	WRITE_ONCE(st->err, ret);
	wake_up_all(&st->wait);
	kvfree(buf);
	return stress_end_errno(ret) ? 0 : ret;
}

/* Send a frame and wait until it has arrived: what was done before is effective there. */
static int stress_say(struct stress_stream *st)
{
	u32 nr;
	int ret;

	mutex_lock(&st->lock);
	nr = st->sent++;
	ret = st_send_frame(st->from, nr, stress_frame_len(nr));
	mutex_unlock(&st->lock);
	if (ret)
		return ret;
	if (!wait_event_timeout(st->wait, READ_ONCE(st->got) > nr || READ_ONCE(st->err),
				msecs_to_jiffies(ST_SOON)))
		return -ETIME;
	return READ_ONCE(st->got) > nr ? 0 : READ_ONCE(st->err);
}

/* One round: register at one end, transfer from the other, deregister, compare. */
static int stress_round(struct stress_all *all, u32 n, u32 round, struct st_mem *owner,
			struct st_mem *local)
{
	struct st_pair *p = &all->pairs[n % STRESS_PAIRS];
	struct stress_stream *streams = all->streams[n % STRESS_PAIRS];
	bool read = (n ^ round) & 1, swap = n & 4;
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	u32 nr;
	int ret;

	memset(owner->base + owner->off, 0, owner->len);
	memset(local->base + local->off, 0, local->len);
	st_mem_fill(read ? owner : local, n * 100 + round);
	mr = st_register(swap ? p->s : p->c, owner,
			 read ? SMBDR_KERN_REMOTE_READ : SMBDR_KERN_REMOTE_WRITE);
	if (IS_ERR(mr))
		return PTR_ERR(mr);
	descs = smbdr_kern_mr_descs(mr, &nr);
	ret = stress_say(&streams[swap]);
	if (!ret)
		ret = st_rdma(swap ? p->c : p->s, local,
			      read ? SMBDR_KERN_RDMA_READ : SMBDR_KERN_RDMA_WRITE, descs, nr, 0);
	if (!ret && !read)
		ret = stress_say(&streams[!swap]);
	smbdr_kern_mr_deregister(mr);
	if (!ret && !st_mem_same(read ? local : owner, n * 100 + round))
		ret = -EILSEQ;
	if (!st_mem_intact(owner) || !st_mem_intact(local))
		ret = -EILSEQ;
	return ret;
}

static int stress_thread(struct st_thread *t)
{
	struct stress_one *one = t->arg;
	struct stress_all *all = one->all;
	struct st_mem owner = {}, local = {};
	u32 i;
	int ret;

	ret = st_mem_alloc(&owner, one->n % ST_MEM_KINDS, one->n * 77 % PAGE_SIZE, STRESS_LEN);
	if (!ret)
		ret = st_mem_alloc(&local, (one->n + 2) % ST_MEM_KINDS, one->n * 33 % PAGE_SIZE,
				   STRESS_LEN);
	for (i = 0; !ret && i < all->rounds; i++) {
		st_where(t, "thread %u round %u", one->n, i);
		ret = stress_round(all, one->n, i, &owner, &local);
		if (!ret)
			atomic_inc(&all->ok);
	}
	if (owner.base)
		st_mem_free(&owner);
	if (local.base)
		st_mem_free(&local);
	/* Wrong data and timeouts are never right; an end is if there was one. */
	return all->may_fail && stress_end_errno(ret) ? 0 : ret;
}

static void stress_streams_open(struct kunit *test, struct stress_all *all)
{
	u32 i, j;

	for (i = 0; i < STRESS_PAIRS; i++) {
		struct st_pair *p = &all->pairs[i];

		KUNIT_ASSERT_EQ(test, st_pair_open(p, NULL, NULL), 0);
		for (j = 0; j < 2; j++) {
			struct stress_stream *st = &all->streams[i][j];

			st->from = j ? p->s : p->c;
			st->to = j ? p->c : p->s;
			mutex_init(&st->lock);
			init_waitqueue_head(&st->wait);
			st->thread = st_run("receiver", stress_receiver, st);
		}
	}
}

static void stress_streams_close(struct kunit *test, struct stress_all *all)
{
	u32 i, j;

	for (i = 0; i < STRESS_PAIRS; i++) {
		kernel_sock_shutdown(all->pairs[i].c, SHUT_RDWR);
		for (j = 0; j < 2; j++) {
			struct stress_stream *st = &all->streams[i][j];

			KUNIT_EXPECT_EQ_MSG(test, st_join(st->thread, ST_SOON), 0,
					    "pair %u, stream %u", i, j);
			if (!all->may_fail && !all->ended)
				KUNIT_EXPECT_EQ(test, st->got, st->sent);
		}
		st_pair_close(&all->pairs[i]);
	}
}

/* Sockets are not released here: their users are inside. See stress_async_end(). */
static void stress_all_run(struct kunit *test, struct stress_all *all, bool end)
{
	struct st_thread *threads[STRESS_THREADS];
	struct stress_one *one = kunit_kcalloc(test, STRESS_THREADS, sizeof(*one), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, one);
	stress_streams_open(test, all);
	for (i = 0; i < STRESS_THREADS; i++) {
		one[i] = (struct stress_one){ all, i };
		threads[i] = st_run("rdma", stress_thread, &one[i]);
	}
	if (end) {
		unsigned long until = jiffies + msecs_to_jiffies(ST_SOON);

		/* However slow the kernel is: something has to be going on. */
		while (!atomic_read(&all->ok) && time_before(jiffies, until))
			msleep(20);
		for (i = 0; i < STRESS_PAIRS; i++) {
			msleep(20 + get_random_u32_below(50));
			kernel_sock_shutdown(i & 1 ? all->pairs[i].c : all->pairs[i].s, SHUT_RDWR);
		}
	}
	/* After an end it is to be soon; without one it takes as long as the work. */
	for (i = 0; i < STRESS_THREADS; i++) {
		int ret = st_join(threads[i], end ? ST_SOON : 4 * st_cfg.timeout);

		KUNIT_EXPECT_EQ_MSG(test, ret, 0, "thread %u", i);
		all->ended |= stress_end_errno(ret);
	}
	KUNIT_EXPECT_GT(test, atomic_read(&all->ok), 0);
	stress_streams_close(test, all);
}

/* 32 threads on four connections register, read, write and send, and all data is right. */
static void stress_mixed(struct kunit *test)
{
	struct stress_all *all = kunit_kzalloc(test, sizeof(*all), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, all);
	all->rounds = st_scaled(60, 4);
	stress_all_run(test, all, false);
	/* What follows from an end is not counted beside it. */
	if (!all->ended)
		KUNIT_EXPECT_EQ(test, atomic_read(&all->ok), all->rounds * STRESS_THREADS);
}

/* The same while the connections are ended: errors, but no hang and no wrong data. */
static void stress_mixed_end(struct kunit *test)
{
	int i;

	for (i = 0; i < 3; i++) {
		struct stress_all *all = kunit_kzalloc(test, sizeof(*all), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, all);
		all->rounds = 100000;
		all->may_fail = true;
		stress_all_run(test, all, true);
	}
}

#define STRESS_ASYNC_THREADS	8
#define STRESS_ASYNC		200	/* for each thread */

struct stress_async {
	struct socket *sock;
	struct st_mem *local;
	const struct smbdr_kern_desc *desc[2];	/* to read, to write */
	atomic_t accepted;
	atomic_t called;
	struct stress_slot {
		struct stress_async *all;
		atomic_t calls;
		bool accepted;
		int err;
	} slots[STRESS_ASYNC_THREADS][STRESS_ASYNC];
};

static void stress_async_done(void *arg, int err)
{
	struct stress_slot *slot = arg;

	slot->err = err;
	atomic_inc(&slot->calls);
	atomic_inc(&slot->all->called);
}

static int stress_async_thread(struct st_thread *t)
{
	struct stress_slot *slots = t->arg;
	struct stress_async *all = slots->all;
	int i, ret = 0;

	for (i = 0; !ret && i < STRESS_ASYNC; i++) {
		/* Each thread has a struct of its own: the kvec of an iterator is in it. */
		struct st_mem local = *all->local;

		st_where(t, "submit %d", i);
		slots[i].all = all;
		ret = st_submit(all->sock, &local, stress_dirs[i & 1], all->desc[i & 1], 1, 0,
				stress_async_done, &slots[i]);
		if (!ret) {
			slots[i].accepted = true;
			atomic_inc(&all->accepted);
		}
	}
	return stress_end_errno(ret) ? 0 : ret;
}

static bool stress_async_all(struct stress_async *all)
{
	unsigned long end = jiffies + msecs_to_jiffies(ST_SOON);

	while (atomic_read(&all->called) < atomic_read(&all->accepted)) {
		if (time_after(jiffies, end))
			return false;
		usleep_range(5000, 10000);
	}
	msleep(20);	/* for one too many */
	return true;
}

/* One connection, ended in a way at a random moment. False if callbacks are missing. */
static bool stress_async_one(struct kunit *test, struct stress_async *all, int how)
{
	struct st_thread *threads[STRESS_ASYNC_THREADS];
	struct smbdr_kern_desc desc[2];
	struct smbdr_kern_mr *mr[2];
	struct stress s;
	bool complete;
	int i, j;

	KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
	for (i = 0; i < 2; i++) {
		mr[i] = stress_register(test, &s, stress_dirs[i], &desc[i]);
		KUNIT_ASSERT_NOT_NULL(test, mr[i]);
		all->desc[i] = &desc[i];
	}
	all->sock = s.p.s;
	for (i = 0; i < STRESS_ASYNC_THREADS; i++) {
		all->slots[i][0].all = all;
		threads[i] = st_run("async", stress_async_thread, all->slots[i]);
	}
	usleep_range(1, 1 + get_random_u32_below(20000));
	switch (how) {
	case 0:
		kernel_sock_shutdown(s.p.s, SHUT_RDWR);
		break;
	case 1:
		kernel_sock_shutdown(s.p.c, SHUT_RDWR);
		break;
	case 2:
		st_release(&s.p.c);	/* nobody is inside; the buffers may stay */
		break;
	}
	for (i = 0; i < STRESS_ASYNC_THREADS; i++)
		KUNIT_EXPECT_EQ_MSG(test, st_join(threads[i], ST_SOON), 0, "%d", how);
	complete = stress_async_all(all);
	KUNIT_EXPECT_TRUE_MSG(test, complete, "%d: %d of %d", how, atomic_read(&all->called),
			      atomic_read(&all->accepted));
	for (i = 0; i < STRESS_ASYNC_THREADS; i++)
		for (j = 0; j < STRESS_ASYNC; j++) {
			struct stress_slot *slot = &all->slots[i][j];

			KUNIT_EXPECT_EQ_MSG(test, atomic_read(&slot->calls), slot->accepted,
					    "%d: %d %d", how, i, j);
			KUNIT_EXPECT_TRUE_MSG(test, !slot->err || stress_end_errno(slot->err),
					      "%d: %d", how, slot->err);
		}
	for (i = 0; i < 2; i++)
		smbdr_kern_mr_deregister(mr[i]);
	KUNIT_EXPECT_EQ(test, st_ping(s.q.c, s.q.s, 100), 0);
	stress_close(&s);
	return complete;
}

/* Transfers are being submitted by many when the end comes: what was taken is ended, once. */
static void stress_async_end(struct kunit *test)
{
	struct st_mem *local = kzalloc(sizeof(*local), GFP_KERNEL);
	bool complete = true;
	int how;

	KUNIT_ASSERT_NOT_NULL(test, local);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(local, ST_MEM_VMALLOC, 5, 4096), 0);
	for (how = 0; complete && how < 9; how++) {
		struct stress_async *all = kvzalloc(sizeof(*all), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, all);
		all->local = local;
		complete = stress_async_one(test, all, how % 3);
		if (complete)
			kvfree(all);
	}
	if (complete) {
		KUNIT_EXPECT_TRUE(test, st_mem_intact(local));
		st_mem_free(local);
		kfree(local);
	} else {
		st_calls_lost();
	}
}

static struct kunit_case rdma_stress_cases[] = {
	KUNIT_CASE(stress_mixed),
	KUNIT_CASE(stress_mixed_end),
	KUNIT_CASE(stress_async_end),
	{}
};

static struct kunit_suite rdma_stress_suite = {
	.name = "smbdr_rdma_stress",
	.init = st_suite_init,
	.test_cases = rdma_stress_cases,
};

kunit_test_suite(rdma_stress_suite);
