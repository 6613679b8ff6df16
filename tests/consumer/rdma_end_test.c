// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA at the end of a connection, whoever ends it and however.
 *
 * Deregistering works after each kind of end and keeps the peer out from the moment
 * it returns, every transfer ends exactly once, and whoever waits is let go in time.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "rdma_stress.h"

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
		KUNIT_EXPECT_EQ_MSG(test, st_join(t, ST_SOON), 0, "%s",
				    stress_end_names[how % STRESS_ENDS]);
		KUNIT_EXPECT_EQ_MSG(test, st_ping(s.q.c, s.q.s, 100), 0, "%s",
				    stress_end_names[how % STRESS_ENDS]);
		KUNIT_EXPECT_TRUE(test, st_mem_untouched(&s.mem));
		stress_close(&s);
	}
}

#define STRESS_RXE_MTU	1024	/* bytes: on a network device with 1500, as in the bed */
#define STRESS_SIW_SEG	SZ_64K	/* its segments have a length of 16 bits */
#define STRESS_RACE_LEN	SZ_256K

struct stress_race {
	struct stress *s;
	struct smbdr_kern_mr *mr;
	struct smbdr_kern_desc desc;
	u32 late;
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
 * Once deregistering has returned, not a byte changes any more. But rxe and siw
 * look at the state of a region before they copy what has arrived, and do not
 * hold it while they do. So the one piece that was being copied may still land, a
 * packet of rxe's or a segment of siw's; more than one may not.
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
	return end - first <= r->late ? 0 : -EILSEQ;
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
		/* Far more than may be late. */
		st_mem_free(&s.mem);
		st_mem_free(&s.local);
		KUNIT_ASSERT_EQ(test, st_mem_alloc(&s.mem, ST_MEM_VMALLOC, 100, STRESS_RACE_LEN),
				0);
		KUNIT_ASSERT_EQ(test, st_mem_alloc(&s.local, ST_MEM_VMALLOC, 0, STRESS_RACE_LEN),
				0);
		r = (struct stress_race){ .s = &s };
		r.mr = stress_register(test, &s, SMBDR_KERN_RDMA_WRITE, &r.desc);
		KUNIT_ASSERT_NOT_NULL(test, r.mr);
		r.late = stress_on_rxe(s.p.c) ? STRESS_RXE_MTU : STRESS_SIW_SEG;
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
		KUNIT_EXPECT_EQ_MSG(test, st_join(dereg, ST_SOON), 0, "%d", how);
		KUNIT_EXPECT_EQ_MSG(test, st_join(writer, ST_SOON), 0, "%d", how);
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

/* Until it waits, which it does in one place only. */
static void stress_asleep(struct kunit *test, struct task_struct *task)
{
	unsigned long end = jiffies + msecs_to_jiffies(st_cfg.timeout);

	while (!(READ_ONCE(task->__state) & TASK_INTERRUPTIBLE) && time_before(jiffies, end))
		usleep_range(100, 200);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(task->__state) & TASK_INTERRUPTIBLE);
}

/* All regions are taken: the next ones wait in line, a signal or the end lets go. */
static void stress_regions(struct kunit *test)
{
	struct smbdr_kern_mr *mr[ST_MRS];
	struct stress_waiter w[3] = {};
	struct st_thread *t[3];
	struct stress s;
	int i;

	KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
	for (i = 0; i < ST_MRS; i++) {
		mr[i] = st_register(s.p.c, &s.mem, SMBDR_KERN_REMOTE_READ);
		KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(mr[i]), "%d: %pe", i, mr[i]);
	}
	for (i = 0; i < 3; i++) {
		w[i].sock = s.p.c;
		KUNIT_ASSERT_EQ(test, st_mem_alloc(&w[i].mem, ST_MEM_VMALLOC, 0, 100), 0);
		t[i] = st_run("wait", stress_wait_thread, &w[i]);
		KUNIT_ASSERT_NOT_NULL(test, t[i]);
		stress_asleep(test, t[i]->task);
	}
	KUNIT_EXPECT_FALSE(test, completion_done(&t[0]->done));

	/* First come, first served. */
	smbdr_kern_mr_deregister(mr[0]);
	if (wait_for_completion_timeout(&t[0]->done, 5 * HZ))
		complete(&t[0]->done);
	else
		KUNIT_FAIL(test, "the first is not served");
	KUNIT_EXPECT_FALSE(test, completion_done(&t[1]->done));
	KUNIT_EXPECT_EQ(test, st_join(t[0], ST_SOON), 0);

	send_sig(SIGINT, t[1]->task, 1);
	KUNIT_EXPECT_EQ(test, st_join(t[1], ST_SOON), -ERESTARTSYS);

	kernel_sock_shutdown(s.p.c, SHUT_RDWR);
	KUNIT_EXPECT_EQ(test, st_join(t[2], ST_SOON), -EPIPE);

	for (i = 1; i < ST_MRS; i++)
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
		subs->one[i].all = subs;
		ret = st_submit(sock, local, SMBDR_KERN_RDMA_READ, descs, nr, 0,
				stress_submit_done, &subs->one[i]);
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
	complete = wait_for_completion_timeout(&subs->all, msecs_to_jiffies(ST_SOON));
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
		st_calls_lost();
		return;
	}
	KUNIT_EXPECT_TRUE(test, st_mem_intact(local));
	st_mem_free(owner);
	st_mem_free(local);
	kfree(owner);
	kfree(local);
}

static struct kunit_case rdma_end_cases[] = {
	KUNIT_CASE(stress_dereg_after),
	KUNIT_CASE(stress_dereg_race),
	KUNIT_CASE(stress_regions),
	KUNIT_CASE(stress_submit_close),
	{}
};

static struct kunit_suite rdma_end_suite = {
	.name = "smbdr_rdma_end",
	.init = st_suite_init,
	.test_cases = rdma_end_cases,
};

kunit_test_suite(rdma_end_suite);
