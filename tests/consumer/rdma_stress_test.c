// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA with somebody who means no good, with everybody at once, and at the end.
 *
 * What has been deregistered or invalidated must be out of the peer's reach, what
 * a peer forges must cost it its own connection and nothing else, every transfer
 * ends exactly once, and whoever waits is let go in time. A second connection
 * that nobody attacks runs beside each of the attacks and has to live.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include "rdma_lib.h"

#define STRESS_SOON	10000	/* ms: nothing may take longer */

/**
 * struct stress - a connection to be hurt, and one that must not be
 * @p: the former: the client end owns memory, the server end attacks
 * @q: the latter
 * @mem: memory of the owner, never to be touched
 * @local: memory of the attacker
 */
struct stress {
	struct st_pair p;
	struct st_pair q;
	struct st_mem mem;
	struct st_mem local;
};

static int stress_open(struct stress *s)
{
	int ret;

	memset(s, 0, sizeof(*s));
	ret = st_pair_open(&s->p, NULL, NULL);
	if (!ret)
		ret = st_pair_open(&s->q, NULL, NULL);
	if (!ret)
		ret = st_mem_alloc(&s->mem, ST_MEM_VMALLOC, 100, 8192);
	if (!ret)
		ret = st_mem_alloc(&s->local, ST_MEM_VMALLOC, 0, 4096);
	return ret;
}

static void stress_close(struct stress *s)
{
	st_pair_close(&s->p);
	st_pair_close(&s->q);
	st_mem_free(&s->mem);
	st_mem_free(&s->local);
}

static bool stress_ended(struct socket *sock)
{
	return !st_wait_poll(sock, EPOLLHUP | EPOLLRDHUP | EPOLLERR, STRESS_SOON);
}

/* The key is dead: who uses it is refused and loses the connection; nothing is touched. */
static void stress_refused(struct kunit *test, struct stress *s, enum smbdr_kern_dir dir,
			   const struct smbdr_kern_desc *desc, const char *what)
{
	int ret = st_rdma(s->p.s, &s->local, dir, desc, 1, 0);

	/* iWARP: a write is done when it is on its way. */
	if (dir == SMBDR_KERN_RDMA_READ)
		KUNIT_EXPECT_TRUE_MSG(test, ret == -EREMOTEIO || ret == -ECONNRESET ||
				      ret == -EPIPE, "%s: %d", what, ret);
	KUNIT_EXPECT_TRUE_MSG(test, stress_ended(s->p.s), "%s", what);
	KUNIT_EXPECT_TRUE_MSG(test, stress_ended(s->p.c), "%s", what);
	KUNIT_EXPECT_TRUE_MSG(test, st_mem_untouched(&s->mem), "%s", what);
	KUNIT_EXPECT_TRUE_MSG(test, st_mem_untouched(&s->local), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, st_ping(s->q.c, s->q.s, 1000), 0, "%s", what);
}

/* What ends a connection, as calls and callbacks may give it. Not: a timeout. */
static bool stress_end_errno(int err)
{
	return err == -EPIPE || err == -ECONNRESET || err == -ECONNABORTED;
}

/*
 * Callbacks are missing and may still come: their memory stays, and so does this code.
 */
static void stress_lost(void)
{
	__module_get(THIS_MODULE);
}

static struct smbdr_kern_mr *stress_register(struct kunit *test, struct stress *s,
					     enum smbdr_kern_dir dir, struct smbdr_kern_desc *desc)
{
	struct smbdr_kern_mr *mr;
	u32 nr;

	mr = st_register(s->p.c, &s->mem, dir == SMBDR_KERN_RDMA_READ ? SMBDR_KERN_REMOTE_READ :
			 SMBDR_KERN_REMOTE_WRITE);
	KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(mr), "%pe", mr);
	if (IS_ERR(mr))
		return NULL;
	*desc = *smbdr_kern_mr_descs(mr, &nr);
	KUNIT_EXPECT_EQ(test, nr, 1);
	KUNIT_EXPECT_EQ(test, st_tell(s->p.c, s->p.s), 0);
	return mr;
}

static const enum smbdr_kern_dir stress_dirs[] = { SMBDR_KERN_RDMA_READ, SMBDR_KERN_RDMA_WRITE };

static void stress_dir_desc(const enum smbdr_kern_dir *dir, char *desc)
{
	strscpy(desc, *dir == SMBDR_KERN_RDMA_READ ? "read" : "write", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(stress_dir, stress_dirs, stress_dir_desc);

/* ----- dead keys ----- */

/* What we deregistered. */
static void stress_dead_local(struct kunit *test)
{
	const enum smbdr_kern_dir *dir = test->param_value;
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	int i;

	for (i = 0; i < 5; i++) {
		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		mr = stress_register(test, &s, *dir, &desc);
		if (mr) {
			smbdr_kern_mr_deregister(mr);
			stress_refused(test, &s, *dir, &desc, "deregistered");
		}
		stress_close(&s);
	}
}

/* What the peer itself has invalidated, with a frame in one message and in many. */
static void stress_dead_remote(struct kunit *test)
{
	const enum smbdr_kern_dir *dir = test->param_value;
	u32 len = SZ_64K + SZ_32K;
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	u8 *buf;
	int i;

	buf = kvmalloc(len + ST_HDR, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (i = 0; i < 6; i++) {
		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		mr = stress_register(test, &s, *dir, &desc);
		if (mr) {
			KUNIT_EXPECT_EQ(test, st_send_inv(s.p.s, 3, i & 1 ? len : 10, desc.token),
					0);
			KUNIT_EXPECT_EQ(test, st_recv_frame(s.p.c, 3, i & 1 ? len : 10, 0, buf),
					0);
			if (i & 2)
				smbdr_kern_mr_deregister(mr);
			/* The device alone keeps it safe, even before we deregister. */
			stress_refused(test, &s, *dir, &desc, "invalidated");
			if (!(i & 2))
				smbdr_kern_mr_deregister(mr);
		}
		stress_close(&s);
	}
	kvfree(buf);
}

#define STRESS_COUNTED	10

/*
 * STRESS_COUNTED regions that the peer invalidates, half of them with a frame of many
 * messages, and one that we do. The group script looks at the counters: none
 * of the former may be invalidated again, and none may be missed.
 */
static void stress_counts(struct kunit *test)
{
	u32 len = 100 * SZ_1K;
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	u8 *buf;
	int i;

	buf = kvmalloc(len + ST_HDR, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
	for (i = 0; i <= STRESS_COUNTED; i++) {
		u32 size = i & 1 ? len : 10;

		mr = stress_register(test, &s, SMBDR_KERN_RDMA_READ, &desc);
		if (!mr)
			break;
		/* It is known to be registered when something sent later has completed. */
		msleep(20);
		if (i < STRESS_COUNTED) {
			KUNIT_EXPECT_EQ(test, st_send_inv(s.p.s, i, size, desc.token), 0);
			KUNIT_EXPECT_EQ(test, st_recv_frame(s.p.c, i, size, 0, buf), 0);
		}
		smbdr_kern_mr_deregister(mr);
	}
	KUNIT_EXPECT_EQ(test, st_ping(s.p.c, s.p.s, 1000), 0);
	stress_close(&s);
	kvfree(buf);
}

static bool stress_on_rxe(struct socket *sock)
{
	struct smbdirect_info info;

	return !smbdr_kern_info(sock, &info) && info.device_class == SMBDIRECT_DEVICE_IB;
}

/*
 * A key that its owner knows nothing of, and one that is another connection's: the
 * receiver ends the connection, and the other connection's memory stays in use.
 */
static void stress_foreign_key(struct kunit *test)
{
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct stress s;
	u32 i, nr;
	int err;

	for (i = 0; i < 2; i++) {
		__le32 token = cpu_to_le32(0x12345678);

		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		st_mem_fill(&s.mem, 4);
		mr = st_register(s.q.c, &s.mem, SMBDR_KERN_REMOTE_READ);
		KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
		descs = smbdr_kern_mr_descs(mr, &nr);
		if (i)
			token = descs[0].token;
		KUNIT_EXPECT_EQ(test, st_send_inv(s.p.s, 3, 10, token), 0);
		KUNIT_EXPECT_TRUE(test, stress_ended(s.p.c));
		KUNIT_EXPECT_TRUE(test, stress_ended(s.p.s));
		KUNIT_EXPECT_EQ(test, st_getopt(s.p.c, SOL_SOCKET, SO_ERROR, &err), 0);
		KUNIT_EXPECT_EQ_MSG(test, err, ECONNABORTED, "key %u", i);
		KUNIT_EXPECT_EQ(test, st_tell(s.q.c, s.q.s), 0);
		/* rxe does not ask whose the key is: there it is invalid now. */
		if (!i || !stress_on_rxe(s.q.c)) {
			KUNIT_EXPECT_EQ(test, st_rdma(s.q.s, &s.local, SMBDR_KERN_RDMA_READ,
						      descs, nr, 0), 0);
			KUNIT_EXPECT_EQ(test, memcmp(s.local.base, s.mem.base + s.mem.off, 4096),
					0);
		}
		smbdr_kern_mr_deregister(mr);
		stress_close(&s);
	}
}

/*
 * A key that is guessed and invalidated too early, while its owner is about to
 * register it: must not be taken for the end of the registration.
 */
static void stress_early_inv(struct kunit *test)
{
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	u32 nr;
	int i;

	for (i = 0; i < 10; i++) {
		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		mr = st_register(s.p.c, &s.mem, SMBDR_KERN_REMOTE_READ);
		KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
		descs = smbdr_kern_mr_descs(mr, &nr);
		desc = descs[0];
		/* No message before it: this may overtake the registration. */
		KUNIT_EXPECT_EQ(test, st_send_inv(s.p.s, 3, 10, desc.token), 0);
		if (i & 1)
			usleep_range(100, 1000);
		smbdr_kern_mr_deregister(mr);
		stress_refused(test, &s, SMBDR_KERN_RDMA_READ, &desc, "invalidated early");
		stress_close(&s);
	}
}

/* ----- forged descriptors ----- */

/* The peer's descriptors say what is not so; its own device or ours finds out. */
static void stress_forged(struct kunit *test)
{
	static const struct {
		const char *what;
		s64 offset;	/* added to the true one */
		u32 length;
		u32 token;	/* xored */
	} forged[] = {
		{ "wrong key", 0, 4096, 1 },
		{ "wrong index", 0, 4096, 0x10000 },
		{ "before the start", -1, 4096, 0 },
		{ "beyond the end", 8192 - 4095, 4096, 0 },
		{ "4 GiB from beyond the end", 8192, U32_MAX, 0 },
		{ "far away", 1LL << 40, 4096, 0 },
	};
	const enum smbdr_kern_dir *dir = test->param_value;
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(forged); i++) {
		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		mr = stress_register(test, &s, *dir, &desc);
		if (mr) {
			desc.offset = cpu_to_le64(le64_to_cpu(desc.offset) + forged[i].offset);
			desc.length = cpu_to_le32(forged[i].length);
			desc.token = cpu_to_le32(le32_to_cpu(desc.token) ^ forged[i].token);
			stress_refused(test, &s, *dir, &desc, forged[i].what);
			smbdr_kern_mr_deregister(mr);
		}
		stress_close(&s);
	}
}

/* Writing what may only be read, and the other way round. */
static void stress_wrong_way(struct kunit *test)
{
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	int i;

	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		/* siw never asks whether memory may be read. */
		if (i && !stress_on_rxe(s.p.c)) {
			stress_close(&s);
			break;
		}
		mr = stress_register(test, &s, stress_dirs[i], &desc);
		if (mr) {
			stress_refused(test, &s, stress_dirs[!i], &desc,
				       i ? "read of write only" : "write to read only");
			smbdr_kern_mr_deregister(mr);
		}
		stress_close(&s);
	}
}

/* Odd, but right: a length that is too large but not used, ranges that overlap. */
static void stress_odd(struct kunit *test)
{
	struct smbdr_kern_desc desc, descs[3];
	struct smbdr_kern_mr *mr;
	struct stress s;

	KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
	st_mem_fill(&s.mem, 1);
	mr = stress_register(test, &s, SMBDR_KERN_RDMA_READ, &desc);
	if (mr) {
		descs[0] = desc;
		descs[0].length = cpu_to_le32(U32_MAX);
		KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &s.local, SMBDR_KERN_RDMA_READ, descs, 1, 0),
				0);
		KUNIT_EXPECT_EQ(test, memcmp(s.local.base, s.mem.base + 100, 4096), 0);
		descs[0].length = cpu_to_le32(1000);
		descs[1] = descs[0];
		descs[2] = desc;
		KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &s.local, SMBDR_KERN_RDMA_READ, descs, 3, 0),
				0);
		KUNIT_EXPECT_EQ(test, memcmp(s.local.base + 1000, s.mem.base + 100, 1000), 0);
		KUNIT_EXPECT_EQ(test, memcmp(s.local.base + 2000, s.mem.base + 100, 2096), 0);
		smbdr_kern_mr_deregister(mr);
	}
	mr = stress_register(test, &s, SMBDR_KERN_RDMA_WRITE, &desc);
	if (mr) {
		st_mem_fill(&s.local, 2);
		descs[0] = desc;
		descs[0].length = cpu_to_le32(1000);
		descs[1] = descs[0];
		descs[2] = desc;
		KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &s.local, SMBDR_KERN_RDMA_WRITE, descs, 3, 0),
				0);
		KUNIT_EXPECT_EQ(test, st_tell(s.p.s, s.p.c), 0);
		smbdr_kern_mr_deregister(mr);
		/* The last one was written last. */
		KUNIT_EXPECT_EQ(test, memcmp(s.mem.base + 100, s.local.base + 2000, 2096), 0);
		KUNIT_EXPECT_TRUE(test, st_mem_intact(&s.mem));
	}
	stress_close(&s);
}

/* ----- everybody at once ----- */

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
				msecs_to_jiffies(STRESS_SOON)))
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

			KUNIT_EXPECT_EQ_MSG(test, st_join(st->thread, STRESS_SOON), 0,
					    "pair %u, stream %u", i, j);
			if (!all->may_fail)
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
		unsigned long until = jiffies + msecs_to_jiffies(STRESS_SOON);

		/* However slow the kernel is: something has to be going on. */
		while (!atomic_read(&all->ok) && time_before(jiffies, until))
			msleep(20);
		for (i = 0; i < STRESS_PAIRS; i++) {
			msleep(20 + get_random_u32_below(50));
			kernel_sock_shutdown(i & 1 ? all->pairs[i].c : all->pairs[i].s, SHUT_RDWR);
		}
	}
	/* After an end it is to be soon; without one it takes as long as the work. */
	for (i = 0; i < STRESS_THREADS; i++)
		KUNIT_EXPECT_EQ_MSG(test, st_join(threads[i], end ? STRESS_SOON :
						  4 * st_cfg.timeout), 0, "thread %u", i);
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
		struct iov_iter iter;
		struct smbdr_kern_rdma rdma = {
			.dir = stress_dirs[i & 1],
			.iter = &iter,
			.descs = all->desc[i & 1],
			.nr_descs = 1,
			.done = stress_async_done,
			.arg = &slots[i],
		};
		/* Each thread has a struct of its own: the kvec of an iterator is in it. */
		struct st_mem local = *all->local;

		st_where(t, "submit %d", i);
		st_mem_iter(&local, &iter, i & 1 ? ITER_SOURCE : ITER_DEST, 0, local.len);
		slots[i].all = all;
		ret = smbdr_kern_rdma_submit(all->sock, &rdma);
		if (!ret) {
			slots[i].accepted = true;
			atomic_inc(&all->accepted);
		}
	}
	return stress_end_errno(ret) ? 0 : ret;
}

static bool stress_async_all(struct stress_async *all)
{
	unsigned long end = jiffies + msecs_to_jiffies(STRESS_SOON);

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
		KUNIT_EXPECT_EQ_MSG(test, st_join(threads[i], STRESS_SOON), 0, "%d", how);
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
		stress_lost();
	}
}

/* ----- the end ----- */

enum stress_end {
	STRESS_PEER_CLOSES,
	STRESS_WE_SHUT_DOWN,
	STRESS_WE_RELEASE,
	STRESS_PEER_VANISHES,
	STRESS_ENDS
};

static const char * const stress_end_names[] = {
	"peer closed", "shut down", "socket released", "connection aborted",
};

static int stress_dereg_thread(struct st_thread *t)
{
	smbdr_kern_mr_deregister(t->arg);
	return 0;
}

/* Deregistering after each kind of end, at once and later, here and in a thread. */
static void stress_dereg_after(struct kunit *test)
{
	struct smbdr_kern_desc desc;
	struct st_thread *t;
	struct stress s;
	int how, i;

	for (how = 0; how < STRESS_ENDS * 4; how++) {
		struct smbdr_kern_mr *mr[3];

		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		for (i = 0; i < 3; i++)
			mr[i] = stress_register(test, &s, SMBDR_KERN_RDMA_WRITE, &desc);
		switch (how % STRESS_ENDS) {
		case STRESS_PEER_CLOSES:
			st_release(&s.p.s);
			break;
		case STRESS_WE_SHUT_DOWN:
			kernel_sock_shutdown(s.p.c, SHUT_RDWR);
			break;
		case STRESS_WE_RELEASE:
			st_release(&s.p.c);
			break;
		case STRESS_PEER_VANISHES:
			/* An access by a wrong key ends both. */
			desc.token ^= cpu_to_le32(1);
			st_rdma(s.p.s, &s.local, SMBDR_KERN_RDMA_WRITE, &desc, 1, 0);
			break;
		}
		if (how >= 2 * STRESS_ENDS)
			msleep(50);
		t = mr[0] ? st_run("dereg", stress_dereg_thread, mr[0]) : NULL;
		for (i = 1; i < 3; i++)
			if (mr[i])
				smbdr_kern_mr_deregister(mr[i]);
		KUNIT_EXPECT_EQ_MSG(test, st_join(t, STRESS_SOON), 0, "%s",
				    stress_end_names[how % STRESS_ENDS]);
		KUNIT_EXPECT_EQ_MSG(test, st_ping(s.q.c, s.q.s, 100), 0, "%s",
				    stress_end_names[how % STRESS_ENDS]);
		KUNIT_EXPECT_TRUE(test, st_mem_untouched(&s.mem));
		stress_close(&s);
	}
}

#define STRESS_RXE_MTU	1024	/* bytes: on a network device with 1500, as in the bed */

struct stress_race {
	struct stress *s;
	struct smbdr_kern_mr *mr;
	struct smbdr_kern_desc desc;
	bool rxe;
	int writes;
};

static int stress_race_writer(struct st_thread *t)
{
	struct stress_race *r = t->arg;
	int ret;

	do {
		st_where(t, "write %d", r->writes);
		ret = st_rdma(r->s->p.s, &r->s->local, SMBDR_KERN_RDMA_WRITE, &r->desc, 1, 0);
		if (!ret)
			WRITE_ONCE(r->writes, r->writes + 1);
	} while (!ret);
	return ret == -EREMOTEIO || stress_end_errno(ret) ? 0 : ret;
}

/*
 * Once deregistering has returned, not a byte changes any more. The responder
 * of rxe looks at the state of a region before it copies a packet and does not
 * hold it while it does, so there the one packet that was being copied may
 * still land; more than one may not.
 */
static int stress_race_dereg(struct st_thread *t)
{
	struct stress_race *r = t->arg;
	struct st_mem *mem = &r->s->mem;
	size_t len = (size_t)mem->nr * PAGE_SIZE;
	u8 *first, *end = mem->base + len;

	st_where(t, "deregister");
	smbdr_kern_mr_deregister(r->mr);
	memset(mem->base, 0x5a, len);
	msleep(20);
	first = memchr_inv(mem->base, 0x5a, len);
	if (!first)
		return 0;
	while (end[-1] == 0x5a)
		end--;
	return r->rxe && end - first <= STRESS_RXE_MTU ? 0 : -EILSEQ;
}

/* The peer writes and writes, one thread deregisters, another one ends the connection. */
static void stress_dereg_race(struct kunit *test)
{
	struct st_thread *writer, *dereg;
	struct stress_race r;
	struct stress s;
	int how;

	for (how = 0; how < 20; how++) {
		unsigned long end = jiffies + 5 * HZ;

		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		r = (struct stress_race){ .s = &s };
		r.mr = stress_register(test, &s, SMBDR_KERN_RDMA_WRITE, &r.desc);
		KUNIT_ASSERT_NOT_NULL(test, r.mr);
		r.rxe = stress_on_rxe(s.p.c);
		writer = st_run("writer", stress_race_writer, &r);
		while (!READ_ONCE(r.writes) && time_before(jiffies, end))
			usleep_range(50, 100);
		KUNIT_EXPECT_GT(test, READ_ONCE(r.writes), 0);
		usleep_range(1, 1 + get_random_u32_below(2000));
		dereg = st_run("dereg", stress_race_dereg, &r);
		usleep_range(1, 1 + get_random_u32_below(200));
		switch (how % 4) {
		case 1:
			kernel_sock_shutdown(s.p.s, SHUT_RDWR);
			break;
		case 2:
			kernel_sock_shutdown(s.p.c, SHUT_RDWR);
			break;
		case 3:
			st_release(&s.p.c);
			break;
		}
		KUNIT_EXPECT_EQ_MSG(test, st_join(dereg, STRESS_SOON), 0, "%d", how);
		KUNIT_EXPECT_EQ_MSG(test, st_join(writer, STRESS_SOON), 0, "%d", how);
		if (st_stuck())
			return;
		KUNIT_EXPECT_EQ_MSG(test, st_ping(s.q.c, s.q.s, 100), 0, "%d", how);
		stress_close(&s);
	}
}

struct stress_waiter {
	struct socket *sock;
	struct st_mem mem;
	struct smbdr_kern_mr *mr;
};

static int stress_wait_thread(struct st_thread *t)
{
	struct stress_waiter *w = t->arg;

	st_where(t, "register");
	w->mr = st_register(w->sock, &w->mem, SMBDR_KERN_REMOTE_READ);
	return PTR_ERR_OR_ZERO(w->mr);
}

#define STRESS_MRS	48

/* All regions are taken: the next ones wait in line, a signal or the end lets go. */
static void stress_regions(struct kunit *test)
{
	struct smbdr_kern_mr *mr[STRESS_MRS];
	struct stress_waiter w[3] = {};
	struct st_thread *t[3];
	struct stress s;
	int i;

	KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
	for (i = 0; i < STRESS_MRS; i++) {
		mr[i] = st_register(s.p.c, &s.mem, SMBDR_KERN_REMOTE_READ);
		KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(mr[i]), "%d: %pe", i, mr[i]);
	}
	for (i = 0; i < 3; i++) {
		w[i].sock = s.p.c;
		KUNIT_ASSERT_EQ(test, st_mem_alloc(&w[i].mem, ST_MEM_VMALLOC, 0, 100), 0);
		t[i] = st_run("wait", stress_wait_thread, &w[i]);
		msleep(100);
	}
	KUNIT_EXPECT_FALSE(test, completion_done(&t[0]->done));

	/* First come, first served. */
	smbdr_kern_mr_deregister(mr[0]);
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&t[0]->done, 5 * HZ), 0);
	complete(&t[0]->done);
	KUNIT_EXPECT_FALSE(test, completion_done(&t[1]->done));
	KUNIT_EXPECT_EQ(test, st_join(t[0], STRESS_SOON), 0);

	send_sig(SIGINT, t[1]->task, 1);
	KUNIT_EXPECT_EQ(test, st_join(t[1], 5000), -ERESTARTSYS);

	kernel_sock_shutdown(s.p.c, SHUT_RDWR);
	KUNIT_EXPECT_EQ(test, st_join(t[2], 5000), -EPIPE);

	for (i = 1; i < STRESS_MRS; i++)
		smbdr_kern_mr_deregister(mr[i]);
	if (!IS_ERR_OR_NULL(w[0].mr))
		smbdr_kern_mr_deregister(w[0].mr);
	for (i = 0; i < 3; i++)
		st_mem_free(&w[i].mem);
	stress_close(&s);
}

#define STRESS_SUBMITS	200

struct stress_submits {
	atomic_t left;
	struct completion all;
	struct stress_submit {
		struct stress_submits *all;
		atomic_t calls;
		int err;
	} one[STRESS_SUBMITS];
};

static void stress_submit_done(void *arg, int err)
{
	struct stress_submit *sub = arg;

	sub->err = err;
	atomic_inc(&sub->calls);
	if (atomic_dec_and_test(&sub->all->left))
		complete(&sub->all->all);
}

static void stress_submit_all(struct kunit *test, struct socket *sock, struct st_mem *local,
			      struct stress_submits *subs, const struct smbdr_kern_desc *descs,
			      u32 nr)
{
	int i, ret;

	init_completion(&subs->all);
	atomic_set(&subs->left, STRESS_SUBMITS);
	for (i = 0; i < STRESS_SUBMITS; i++) {
		struct iov_iter iter;
		struct smbdr_kern_rdma rdma = {
			.dir = SMBDR_KERN_RDMA_READ,
			.iter = &iter,
			.descs = descs,
			.nr_descs = nr,
			.done = stress_submit_done,
			.arg = &subs->one[i],
		};

		subs->one[i].all = subs;
		st_mem_iter(local, &iter, ITER_DEST, 0, local->len);
		ret = smbdr_kern_rdma_submit(sock, &rdma);
		KUNIT_EXPECT_EQ_MSG(test, ret, 0, "%d", i);
		if (ret)
			stress_submit_done(&subs->one[i], ret);
	}
}

/* False if callbacks are missing. */
static bool stress_submit_one(struct kunit *test, struct st_mem *owner, struct st_mem *local,
			      struct stress_submits *subs, int how)
{
	const struct smbdr_kern_desc *descs;
	unsigned long start = jiffies;
	struct smbdr_kern_mr *mr;
	struct st_pair p;
	bool complete;
	u32 nr;
	int i;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	mr = st_register(p.c, owner, SMBDR_KERN_REMOTE_READ);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
	descs = smbdr_kern_mr_descs(mr, &nr);
	KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
	stress_submit_all(test, p.s, local, subs, descs, nr);
	switch (how) {
	case 0:
		st_release(&p.s);
		break;
	case 1:
		st_release(&p.c);
		break;
	case 2:
		kernel_sock_shutdown(p.s, SHUT_RDWR);
		break;
	case 3:
		/* The memory goes away under them, and the connection with it. */
		smbdr_kern_mr_deregister(mr);
		break;
	}
	complete = wait_for_completion_timeout(&subs->all, msecs_to_jiffies(STRESS_SOON));
	KUNIT_EXPECT_TRUE_MSG(test, complete, "%d: %d left", how, atomic_read(&subs->left));
	kunit_info(test, "%d: %u ms\n", how, jiffies_to_msecs(jiffies - start));
	msleep(20);	/* for one too many */
	for (i = 0; i < STRESS_SUBMITS; i++) {
		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&subs->one[i].calls), 1, "%d: %d", how, i);
		/* Who closes waits for what he has begun. */
		if (how == 0 || how == 2)
			KUNIT_EXPECT_EQ_MSG(test, subs->one[i].err, 0, "%d: %d", how, i);
	}
	if (how != 3)
		smbdr_kern_mr_deregister(mr);
	st_pair_close(&p);
	return complete;
}

/* 200 transfers are begun and the socket is closed at once: all of them end, once each. */
static void stress_submit_close(struct kunit *test)
{
	struct st_mem *owner = kzalloc(sizeof(*owner), GFP_KERNEL);
	struct st_mem *local = kzalloc(sizeof(*local), GFP_KERNEL);
	/* All of it has to go through within the time, in a slow kernel as well. */
	u32 len = st_scaled(SZ_64K, SZ_4K);
	bool complete = true;
	int how;

	KUNIT_ASSERT_NOT_NULL(test, owner);
	KUNIT_ASSERT_NOT_NULL(test, local);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(owner, ST_MEM_VMALLOC, 0, len), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(local, ST_MEM_VMALLOC, 0, len), 0);
	st_mem_fill(owner, 1);
	for (how = 0; complete && how < 4; how++) {
		struct stress_submits *subs = kvzalloc(sizeof(*subs), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, subs);
		complete = stress_submit_one(test, owner, local, subs, how);
		if (complete)
			kvfree(subs);
	}
	if (!complete) {
		stress_lost();
		return;
	}
	KUNIT_EXPECT_TRUE(test, st_mem_intact(local));
	st_mem_free(owner);
	st_mem_free(local);
	kfree(owner);
	kfree(local);
}

static struct kunit_case stress_cases[] = {
	KUNIT_CASE_PARAM(stress_dead_local, stress_dir_gen_params),
	KUNIT_CASE_PARAM(stress_dead_remote, stress_dir_gen_params),
	KUNIT_CASE(stress_counts),
	KUNIT_CASE(stress_foreign_key),
	KUNIT_CASE(stress_early_inv),
	KUNIT_CASE_PARAM(stress_forged, stress_dir_gen_params),
	KUNIT_CASE(stress_wrong_way),
	KUNIT_CASE(stress_odd),
	KUNIT_CASE(stress_mixed),
	KUNIT_CASE(stress_mixed_end),
	KUNIT_CASE(stress_async_end),
	KUNIT_CASE(stress_dereg_after),
	KUNIT_CASE(stress_dereg_race),
	KUNIT_CASE(stress_regions),
	KUNIT_CASE(stress_submit_close),
	{}
};

static struct kunit_suite stress_suite = {
	.name = "smbdr_rdma_stress",
	.init = st_suite_init,
	.test_cases = stress_cases,
};

kunit_test_suite(stress_suite);
