// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What smbdirect-kernel.rst says about waiting and about contexts: how long a task waits
 * for regions, the order of transfers, callbacks that submit, and calls in reclaim.
 *
 * None of it depends on the device, so the group runs it on one.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "rdma_stress.h"

/* ----- regions ----- */

#define WAIT_MS		10000	/* as the documentation has it */
#define WAIT_SLACK	2000

/*
 * All regions but one are taken. The first in line needs two, and gets -ETIMEDOUT after ten
 * seconds. The second came a second later and needs one: it does not overtake, and gets the
 * region when the first is gone.
 */
static void wait_regions(struct kunit *test)
{
	struct smbdr_kern_mr *mr[ST_MRS - 1];
	struct stress_waiter w[2] = {};
	struct st_thread *t[2];
	unsigned long start;
	unsigned int took;
	struct stress s;
	int i;

	KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
	for (i = 0; i < ARRAY_SIZE(mr); i++) {
		mr[i] = st_register(s.p.c, &s.mem, SMBDR_KERN_REMOTE_READ);
		KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(mr[i]), "%d: %pe", i, mr[i]);
	}
	for (i = 0; i < 2; i++) {
		w[i].sock = s.p.c;
		w[i].pieces = 2 - i;
		KUNIT_ASSERT_EQ(test, st_mem_alloc(&w[i].mem, ST_MEM_VMALLOC, 100, 4 * PAGE_SIZE),
				0);
	}
	start = jiffies;
	t[0] = stress_wait(test, &w[0]);
	msleep(1000);
	t[1] = stress_wait(test, &w[1]);
	/* What needs no region goes on. */
	KUNIT_EXPECT_EQ(test, st_ping(s.p.c, s.p.s, 10000), 0);
	msleep(WAIT_MS / 2);
	KUNIT_EXPECT_FALSE(test, completion_done(&t[0]->done));
	KUNIT_EXPECT_FALSE(test, completion_done(&t[1]->done));

	KUNIT_EXPECT_EQ(test, st_join(t[0], WAIT_MS), -ETIMEDOUT);
	took = jiffies_to_msecs(jiffies - start);
	KUNIT_EXPECT_GE(test, took, WAIT_MS);
	KUNIT_EXPECT_LT(test, took, WAIT_MS + WAIT_SLACK);
	KUNIT_EXPECT_EQ(test, st_join(t[1], WAIT_SLACK), 0);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), WAIT_MS + 1000);

	for (i = 0; i < ARRAY_SIZE(mr); i++)
		smbdr_kern_mr_deregister(mr[i]);
	if (!IS_ERR_OR_NULL(w[1].mr))
		smbdr_kern_mr_deregister(w[1].mr);
	for (i = 0; i < 2; i++)
		st_mem_free(&w[i].mem);
	stress_close(&s);
}

/* ----- order, callbacks ----- */

#define WAIT_WRITES	48
#define WAIT_LEN	SZ_64K

/**
 * struct wait_order - writes to the same place
 * @sock: who writes
 * @owner: the memory that is written
 * @local: what each of them writes
 * @descs: the owner's
 * @nr: number of @descs
 * @left: those that are not done
 * @queued: those that were not done when the last had been submitted
 * @err: what the last callback or call with an error said
 * @all: none is left
 */
struct wait_order {
	struct socket *sock;
	struct st_mem owner;
	struct st_mem local[WAIT_WRITES];
	const struct smbdr_kern_desc *descs;
	u32 nr;
	atomic_t left;
	int queued;
	int err;
	struct completion all;
};

static void wait_order_done(void *arg, int err)
{
	struct wait_order *o = arg;

	if (err)
		o->err = err;
	if (atomic_dec_and_test(&o->left))
		complete(&o->all);
}

static int wait_order_submit(struct wait_order *o, u32 i, void (*done)(void *arg, int err))
{
	return st_submit(o->sock, &o->local[i], SMBDR_KERN_RDMA_WRITE, o->descs, o->nr, 0, done, o);
}

/* Callbacks come one at a time, so none of these is done before this one returns. */
static void wait_order_first(void *arg, int err)
{
	struct wait_order *o = arg;
	u32 i;

	for (i = 1; i < WAIT_WRITES && !err; i++)
		err = wait_order_submit(o, i, wait_order_done);
	o->queued = atomic_read(&o->left) - 1;
	if (err) {
		o->err = err;
		complete(&o->all);
		return;
	}
	wait_order_done(o, 0);
}

/* Transfers to the same place that wait for each other: the last one stays. */
static void wait_order(struct kunit *test)
{
	struct wait_order *o = kvzalloc(sizeof(*o), GFP_KERNEL);
	struct smbdr_kern_mr *mr;
	struct st_pair p;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, o);
	KUNIT_ASSERT_EQ(test, st_pair_and_mem(&p, &o->owner, WAIT_LEN), 0);
	init_completion(&o->all);
	atomic_set(&o->left, WAIT_WRITES);
	for (i = 0; i < WAIT_WRITES; i++) {
		KUNIT_ASSERT_EQ(test, st_mem_alloc(&o->local[i], ST_MEM_VMALLOC, 0, WAIT_LEN), 0);
		st_mem_fill(&o->local[i], i);
	}
	mr = st_register(p.c, &o->owner, SMBDR_KERN_REMOTE_WRITE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
	o->sock = p.s;
	o->descs = smbdr_kern_mr_descs(mr, &o->nr);
	KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
	KUNIT_ASSERT_EQ(test, wait_order_submit(o, 0, wait_order_first), 0);
	if (!wait_for_completion_timeout(&o->all, msecs_to_jiffies(st_cfg.timeout)) || o->err) {
		KUNIT_FAIL(test, "%d are missing, error %d", atomic_read(&o->left), o->err);
		st_calls_lost();
		return;
	}
	KUNIT_EXPECT_EQ(test, o->queued, WAIT_WRITES - 1);
	KUNIT_EXPECT_EQ(test, st_tell(p.s, p.c), 0);
	smbdr_kern_mr_deregister(mr);
	KUNIT_EXPECT_TRUE(test, st_mem_same(&o->owner, WAIT_WRITES - 1));
	for (i = 0; i < WAIT_WRITES; i++)
		st_mem_free(&o->local[i]);
	st_mem_free(&o->owner);
	st_pair_close(&p);
	kvfree(o);
}

/**
 * struct wait_chain - transfers of which each is submitted by the callback of the one before
 * @sock: the socket
 * @local: its memory
 * @descs: the peer's
 * @nr: number of @descs
 * @calls: callbacks
 * @max: callbacks after which it ends
 * @err: what the last callback or call said
 * @over: it has ended
 */
struct wait_chain {
	struct socket *sock;
	struct st_mem local;
	const struct smbdr_kern_desc *descs;
	u32 nr;
	u32 calls;
	u32 max;
	int err;
	struct completion over;
};

static void wait_chain_done(void *arg, int err)
{
	struct wait_chain *c = arg;

	WRITE_ONCE(c->calls, c->calls + 1);
	if (!err && c->calls < c->max) {
		err = st_submit(c->sock, &c->local, SMBDR_KERN_RDMA_READ, c->descs, c->nr, 0,
				wait_chain_done, c);
		if (!err)
			return;
	}
	c->err = err;
	complete(&c->over);
}

/* A callback submits, and its socket may be shut down meanwhile: then it is refused. */
static void wait_callback(struct kunit *test)
{
	struct wait_chain *c = kzalloc(sizeof(*c), GFP_KERNEL);
	struct smbdr_kern_mr *mr;
	struct st_mem owner;
	struct st_pair p;
	int how;

	KUNIT_ASSERT_NOT_NULL(test, c);
	KUNIT_ASSERT_EQ(test, st_pair_and_mem(&p, &owner, 10000), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&c->local, ST_MEM_VMALLOC, 3, 10000), 0);
	st_mem_fill(&owner, 7);
	mr = st_register(p.c, &owner, SMBDR_KERN_REMOTE_READ);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
	c->sock = p.s;
	c->descs = smbdr_kern_mr_descs(mr, &c->nr);
	KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
	for (how = 0; how < 2; how++) {
		init_completion(&c->over);
		c->calls = 0;
		c->max = how ? U32_MAX : 200;
		c->err = 1;
		KUNIT_ASSERT_EQ(test, st_submit(p.s, &c->local, SMBDR_KERN_RDMA_READ, c->descs,
						c->nr, 0, wait_chain_done, c), 0);
		if (how) {
			msleep(50);
			kernel_sock_shutdown(p.s, SHUT_RDWR);
		}
		if (!wait_for_completion_timeout(&c->over, msecs_to_jiffies(st_cfg.timeout))) {
			KUNIT_FAIL(test, "%d: over after %u", how, READ_ONCE(c->calls));
			st_calls_lost();
			return;
		}
		KUNIT_EXPECT_EQ(test, c->err, how ? -EPIPE : 0);
		KUNIT_EXPECT_GT(test, c->calls, how ? 1 : 199);
		KUNIT_EXPECT_TRUE(test, st_mem_same(&c->local, 7));
	}
	smbdr_kern_mr_deregister(mr);
	st_mem_free(&c->local);
	st_mem_free(&owner);
	st_pair_close(&p);
	kfree(c);
}

/* ----- reclaim ----- */

/**
 * struct wait_scope - what a task that frees memory is marked with
 * @lockdep: the mark by which lockdep finds a memory request or a lock that waits for reclaim
 * @noio: what was saved
 * @noreclaim: likewise
 */
struct wait_scope {
	bool lockdep;
	unsigned int noio;
	unsigned int noreclaim;
};

static void wait_enter(struct wait_scope *s)
{
	if (s->lockdep) {
		fs_reclaim_acquire(GFP_KERNEL);
		return;
	}
	s->noio = memalloc_noio_save();
	s->noreclaim = memalloc_noreclaim_save();
}

static void wait_leave(struct wait_scope *s)
{
	if (s->lockdep) {
		fs_reclaim_release(GFP_KERNEL);
		return;
	}
	memalloc_noreclaim_restore(s->noreclaim);
	memalloc_noio_restore(s->noio);
}

/* On a connection that has done none of it before, with what is made for the first transfer. */
static int wait_reclaim_one(struct st_pair *p, struct st_mem *owner, struct st_mem *local,
			    enum smbdr_kern_dir dir, struct wait_scope *s)
{
	bool read = dir == SMBDR_KERN_RDMA_READ;
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	int ret;
	u32 nr;

	wait_enter(s);
	mr = st_register(p->c, owner, read ? SMBDR_KERN_REMOTE_READ : SMBDR_KERN_REMOTE_WRITE);
	wait_leave(s);
	if (IS_ERR(mr))
		return PTR_ERR(mr);
	descs = smbdr_kern_mr_descs(mr, &nr);
	ret = st_tell(p->c, p->s);
	wait_enter(s);
	ret = ret ?: st_rdma(p->s, local, dir, descs, nr, 0);
	wait_leave(s);
	ret = ret ?: st_tell(p->s, p->c);
	wait_enter(s);
	smbdr_kern_mr_deregister(mr);
	wait_leave(s);
	return ret;
}

static void wait_reclaim(struct kunit *test)
{
	int i;

	for (i = 0; i < 4; i++) {
		bool read = stress_dirs[i & 1] == SMBDR_KERN_RDMA_READ;
		struct wait_scope s = { .lockdep = i & 2 };
		struct st_mem owner, local;
		struct st_pair p;

		/* In many pieces, so that regions are made for the transfer as well. */
		KUNIT_ASSERT_EQ(test, st_pair_and_mem(&p, &owner, SZ_1M), 0);
		KUNIT_ASSERT_EQ(test, st_mem_alloc(&local, ST_MEM_VMALLOC, 0, SZ_1M), 0);
		st_mem_fill(read ? &owner : &local, i);
		KUNIT_EXPECT_EQ_MSG(test, wait_reclaim_one(&p, &owner, &local, stress_dirs[i & 1],
							   &s), 0, "%d", i);
		KUNIT_EXPECT_TRUE_MSG(test, st_mem_same(read ? &local : &owner, i), "%d", i);
		st_mem_free(&local);
		st_mem_free(&owner);
		st_pair_close(&p);
	}
}

static struct kunit_case rdma_wait_cases[] = {
	KUNIT_CASE(wait_regions),
	KUNIT_CASE(wait_order),
	KUNIT_CASE(wait_callback),
	KUNIT_CASE(wait_reclaim),
	{}
};

static struct kunit_suite rdma_wait_suite = {
	.name = "smbdr_rdma_wait",
	.init = st_suite_init,
	.test_cases = rdma_wait_cases,
};

kunit_test_suite(rdma_wait_suite);
