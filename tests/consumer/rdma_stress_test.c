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

/* Writing what may only be read. (siw does not look at the other way round.) */
static void stress_wrong_way(struct kunit *test)
{
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;

	KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
	mr = stress_register(test, &s, SMBDR_KERN_RDMA_READ, &desc);
	if (mr) {
		stress_refused(test, &s, SMBDR_KERN_RDMA_WRITE, &desc, "write to read only");
		smbdr_kern_mr_deregister(mr);
	}
	stress_close(&s);
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
	stress_close(&s);
}

/* ----- everybody at once ----- */

#define STRESS_THREADS	32
#define STRESS_PAIRS	4
#define STRESS_LEN	50000

struct stress_all {
	struct st_pair pairs[STRESS_PAIRS];
	struct mutex tell[STRESS_PAIRS];	/* who uses the stream of the pair */
	unsigned int rounds;
	bool may_fail;
	atomic_t bad;
	atomic_t ok;
};

struct stress_one {
	struct stress_all *all;
	u32 n;
};

/* One round: register at one end, transfer from the other, deregister, compare. */
static int stress_round(struct stress_all *all, u32 n, u32 round, struct st_mem *owner,
			struct st_mem *local)
{
	struct st_pair *p = &all->pairs[n % STRESS_PAIRS];
	struct mutex *tell = &all->tell[n % STRESS_PAIRS];
	bool read = (n ^ round) & 1, swap = n & 4;
	struct socket *from = swap ? p->s : p->c, *to = swap ? p->c : p->s;
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	u32 nr;
	int ret;

	memset(owner->base + owner->off, 0, owner->len);
	memset(local->base + local->off, 0, local->len);
	st_mem_fill(read ? owner : local, n * 100 + round);
	mr = st_register(from, owner, read ? SMBDR_KERN_REMOTE_READ : SMBDR_KERN_REMOTE_WRITE);
	if (IS_ERR(mr))
		return PTR_ERR(mr);
	descs = smbdr_kern_mr_descs(mr, &nr);
	mutex_lock(tell);
	/* A large frame now and then, so that sends and transfers compete. */
	ret = st_ping(from, to, round % 4 ? 100 : SZ_256K);
	mutex_unlock(tell);
	if (!ret)
		ret = st_rdma(to, local, read ? SMBDR_KERN_RDMA_READ : SMBDR_KERN_RDMA_WRITE,
			      descs, nr, 0);
	if (!ret && !read) {
		mutex_lock(tell);
		ret = st_tell(to, from);
		mutex_unlock(tell);
	}
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
	/* Wrong data is never right; anything else is if the connection was ended. */
	if (ret && (ret == -EILSEQ || !all->may_fail))
		atomic_inc(&all->bad);
	return ret == -EILSEQ || !all->may_fail ? ret : 0;
}

static void stress_all_run(struct kunit *test, struct stress_all *all, bool end)
{
	struct st_thread *threads[STRESS_THREADS];
	struct stress_one one[STRESS_THREADS];
	u32 i;

	for (i = 0; i < STRESS_PAIRS; i++) {
		mutex_init(&all->tell[i]);
		KUNIT_ASSERT_EQ(test, st_pair_open(&all->pairs[i], NULL, NULL), 0);
	}
	for (i = 0; i < STRESS_THREADS; i++) {
		one[i] = (struct stress_one){ all, i };
		threads[i] = st_run("rdma", stress_thread, &one[i]);
	}
	if (end) {
		for (i = 0; i < STRESS_PAIRS; i++) {
			msleep(20 + get_random_u32_below(50));
			kernel_sock_shutdown(i & 1 ? all->pairs[i].c : all->pairs[i].s, SHUT_RDWR);
		}
	}
	for (i = 0; i < STRESS_THREADS; i++)
		KUNIT_EXPECT_EQ_MSG(test, st_join(threads[i], 4 * st_cfg.timeout), 0, "thread %u",
				    i);
	KUNIT_EXPECT_EQ(test, atomic_read(&all->bad), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&all->ok), 0);
	for (i = 0; i < STRESS_PAIRS; i++) {
		if (!end)
			KUNIT_EXPECT_EQ(test, st_ping(all->pairs[i].c, all->pairs[i].s, 100), 0);
		st_pair_close(&all->pairs[i]);
	}
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

struct stress_submit {
	atomic_t calls;
	atomic_t *left;
	struct completion *all;
	int err;
};

static void stress_submit_done(void *arg, int err)
{
	struct stress_submit *sub = arg;

	sub->err = err;
	atomic_inc(&sub->calls);
	if (atomic_dec_and_test(sub->left))
		complete(sub->all);
}

/* 200 transfers are begun and the socket is closed at once: all of them end, once each. */
static void stress_submit_close(struct kunit *test)
{
	struct stress_submit *sub = kunit_kcalloc(test, STRESS_SUBMITS, sizeof(*sub), GFP_KERNEL);
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct st_mem owner, local;
	struct st_pair p;
	int how, i, ret;
	u32 nr;

	KUNIT_ASSERT_NOT_NULL(test, sub);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&owner, ST_MEM_VMALLOC, 0, SZ_256K), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&local, ST_MEM_VMALLOC, 0, SZ_256K), 0);
	st_mem_fill(&owner, 1);
	for (how = 0; how < 4; how++) {
		DECLARE_COMPLETION_ONSTACK(all);
		atomic_t left = ATOMIC_INIT(STRESS_SUBMITS);

		memset(sub, 0, STRESS_SUBMITS * sizeof(*sub));
		KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
		mr = st_register(p.c, &owner, SMBDR_KERN_REMOTE_READ);
		KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
		descs = smbdr_kern_mr_descs(mr, &nr);
		KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
		for (i = 0; i < STRESS_SUBMITS; i++) {
			struct iov_iter iter;
			struct smbdr_kern_rdma rdma = { SMBDR_KERN_RDMA_READ, &iter, descs, nr, 0,
							stress_submit_done, &sub[i] };

			sub[i].left = &left;
			sub[i].all = &all;
			st_mem_iter(&local, &iter, ITER_DEST, 0, SZ_256K);
			ret = smbdr_kern_rdma_submit(p.s, &rdma);
			KUNIT_EXPECT_EQ_MSG(test, ret, 0, "%d", i);
			if (ret)
				stress_submit_done(&sub[i], ret);
		}
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
		KUNIT_EXPECT_NE_MSG(test, wait_for_completion_timeout(&all, 30 * HZ), 0,
				    "%d: %d left", how, atomic_read(&left));
		for (i = 0; i < STRESS_SUBMITS; i++) {
			KUNIT_EXPECT_EQ_MSG(test, atomic_read(&sub[i].calls), 1, "%d: %d", how, i);
			/* Who closes waits for what he has begun. */
			if (how == 0 || how == 2)
				KUNIT_EXPECT_EQ_MSG(test, sub[i].err, 0, "%d: %d", how, i);
		}
		if (how != 3)
			smbdr_kern_mr_deregister(mr);
		st_pair_close(&p);
	}
	KUNIT_EXPECT_TRUE(test, st_mem_intact(&local));
	st_mem_free(&owner);
	st_mem_free(&local);
}

static struct kunit_case stress_cases[] = {
	KUNIT_CASE_PARAM(stress_dead_local, stress_dir_gen_params),
	KUNIT_CASE_PARAM(stress_dead_remote, stress_dir_gen_params),
	KUNIT_CASE(stress_foreign_key),
	KUNIT_CASE(stress_early_inv),
	KUNIT_CASE_PARAM(stress_forged, stress_dir_gen_params),
	KUNIT_CASE(stress_wrong_way),
	KUNIT_CASE(stress_odd),
	KUNIT_CASE(stress_mixed),
	KUNIT_CASE(stress_mixed_end),
	KUNIT_CASE(stress_dereg_after),
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
