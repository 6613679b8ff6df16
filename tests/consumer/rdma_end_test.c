// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA at the end of a connection, whoever ends it and however.
 *
 * Deregistering works after each kind of end and keeps the peer out from the moment
 * it returns, every transfer ends exactly once, and whoever waits is let go in time.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/inetdevice.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <rdma/ib_verbs.h>
#include "../../smbdirect/fault.h"
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

#define STRESS_SIW_SEG	SZ_64K	/* its segments have a length of 16 bits */
#define STRESS_RACE_LEN	SZ_256K	/* far more than may be late */

/**
 * struct stress_race - somebody writes to memory that is deregistered meanwhile
 * @s: the connections
 * @mr: the memory, in pieces
 * @desc: the piece that is written
 * @start: where that begins
 * @mtu: of rxe, bytes; 0 with siw
 * @writes: that are done
 * @took: deregistering, ms
 */
struct stress_race {
	struct stress s;
	struct smbdr_kern_mr *mr;
	struct smbdr_kern_desc desc;
	u8 *start;
	u32 mtu;
	int writes;
	unsigned int took;
};

static int stress_race_writer(struct st_thread *t)
{
	struct stress_race *r = t->arg;
	int ret;

	do {
		st_where(t, "write %d", r->writes);
		ret = st_rdma(r->s.p.s, &r->s.local, SMBDR_KERN_RDMA_WRITE, &r->desc, 1, 0);
		if (!ret)
			WRITE_ONCE(r->writes, r->writes + 1);
	} while (!ret);
	return ret == -EREMOTEIO || stress_end_errno(ret) ? 0 : ret;
}

/* Has anything but one piece, as the driver moves it, come since all was set to 0x5a? */
static bool stress_race_late(const struct stress_race *r)
{
	size_t len = (size_t)r->s.mem.nr * PAGE_SIZE;
	u8 *first = memchr_inv(r->s.mem.base, 0x5a, len), *last = r->s.mem.base + len - 1;

	if (!first)
		return false;
	while (*last == 0x5a)
		last--;
	if (r->mtu)
		return (first - r->start) / r->mtu != (last - r->start) / r->mtu;
	return last - first >= STRESS_SIW_SEG;
}

/*
 * Once deregistering has returned, not a byte changes any more. But rxe and siw
 * look at the state of a region before they copy what has arrived, and do not
 * hold it while they do. So the one piece that was being copied may still land, a
 * packet of rxe's or a segment of siw's; more than one may not, and none that
 * comes later.
 */
static int stress_race_dereg(struct st_thread *t)
{
	struct stress_race *r = t->arg;
	size_t len = (size_t)r->s.mem.nr * PAGE_SIZE;
	unsigned long start = jiffies;

	st_where(t, "deregister");
	smbdr_kern_mr_deregister(r->mr);
	r->took = jiffies_to_msecs(jiffies - start);
	memset(r->s.mem.base, 0x5a, len);
	msleep(20);
	if (stress_race_late(r))
		return -EILSEQ;
	memset(r->s.mem.base, 0x5a, len);
	msleep(20);
	return memchr_inv(r->s.mem.base, 0x5a, len) ? -EBADMSG : 0;
}

/* Bytes of a packet of rxe's. */
static u32 stress_rxe_mtu(void)
{
	struct ib_device *dev = NULL;
	struct ib_port_attr attr;
	struct net_device *ndev;
	int ret = -ENODEV;

	rcu_read_lock();
	ndev = __ip_dev_find(&init_net, ((struct sockaddr_in *)&st_cfg.addr)->sin_addr.s_addr,
			     false);
	if (ndev)
		dev = ib_device_get_by_netdev(ndev, RDMA_DRIVER_RXE);
	rcu_read_unlock();
	if (dev) {
		ret = ib_query_port(dev, 1, &attr);
		ib_device_put(dev);
	}
	return ret ? 0 : ib_mtu_enum_to_int(attr.active_mtu);
}

/* Memory of a new connection, and a thread at the other end that writes to piece @piece of it. */
static struct st_thread *stress_race_start(struct kunit *test, struct stress_race *r,
					   const struct st_opts *o, u32 piece)
{
	unsigned long end = jiffies + 5 * HZ;
	struct stress *s = &r->s;
	struct st_thread *writer;
	u32 nr;

	memset(r, 0, sizeof(*r));
	KUNIT_ASSERT_EQ(test, stress_open(s), 0);
	st_pair_close(&s->p);
	st_mem_free(&s->mem);
	st_mem_free(&s->local);
	KUNIT_ASSERT_EQ(test, st_pair_open(&s->p, o, o), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&s->mem, ST_MEM_VMALLOC, 100,
					   STRESS_PIECES * (STRESS_RACE_LEN + PAGE_SIZE)), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&s->local, ST_MEM_VMALLOC, 0, STRESS_RACE_LEN), 0);
	r->mr = stress_register_pieces(s->p.c, &s->mem, SMBDR_KERN_REMOTE_WRITE, STRESS_RACE_LEN,
				       STRESS_PIECES);
	KUNIT_ASSERT_FALSE(test, IS_ERR(r->mr));
	r->desc = smbdr_kern_mr_descs(r->mr, &nr)[piece];
	KUNIT_EXPECT_EQ(test, nr, STRESS_PIECES);
	r->start = s->mem.base + 100 + piece * (STRESS_RACE_LEN + PAGE_SIZE);
	r->mtu = stress_on_rxe(s->p.c) ? stress_rxe_mtu() : 0;
	KUNIT_EXPECT_TRUE(test, r->mtu || !stress_on_rxe(s->p.c));
	KUNIT_EXPECT_EQ(test, st_tell(s->p.c, s->p.s), 0);
	writer = st_run("writer", stress_race_writer, r);
	while (!READ_ONCE(r->writes) && time_before(jiffies, end))
		usleep_range(50, 100);
	KUNIT_EXPECT_GT(test, READ_ONCE(r->writes), 0);
	return writer;
}

/* The peer writes and writes, one thread deregisters, another one ends the connection. */
static void stress_dereg_race(struct kunit *test)
{
	struct st_thread *writer, *dereg;
	struct stress_race r;
	int how;

	for (how = 0; how < 20; how++) {
		writer = stress_race_start(test, &r, NULL, how % STRESS_PIECES);
		usleep_range(1, 1 + get_random_u32_below(2000));
		dereg = st_run("dereg", stress_race_dereg, &r);
		usleep_range(1, 1 + get_random_u32_below(200));
		switch (how % 4) {
		case 1:
			kernel_sock_shutdown(r.s.p.s, SHUT_RDWR);
			break;
		case 2:
			kernel_sock_shutdown(r.s.p.c, SHUT_RDWR);
			break;
		case 3:
			st_release(&r.s.p.c);
			break;
		}
		KUNIT_EXPECT_EQ_MSG(test, st_join(dereg, ST_SOON), 0, "%d", how);
		KUNIT_EXPECT_EQ_MSG(test, st_join(writer, ST_SOON), 0, "%d", how);
		if (st_stuck())
			return;
		KUNIT_EXPECT_EQ_MSG(test, st_ping(r.s.q.c, r.s.q.s, 100), 0, "%d", how);
		stress_close(&r.s);
	}
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
		t[i] = stress_wait(test, &w[i]);
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

#ifdef CONFIG_NET_SMBDIRECT_FAULTS

#define STRESS_LOST_MS	1000

static int stress_recv_thread(struct st_thread *t)
{
	u8 byte;

	st_where(t, "receive");
	return st_recv(t->arg, &byte, 1, 0);
}

/*
 * The device does not answer an invalidation. Deregistering waits for as long as it
 * says, ends the connection, and returns when the peer, which writes all the time,
 * can do so no more. Nobody waits with it, and all others of the connection are told.
 */
static void stress_dereg_lost(struct kunit *test)
{
	static const struct st_opts o = { .ka_timeout = STRESS_LOST_MS };
	struct smbdr_kern_mr *rest[ST_MRS - STRESS_PIECES];
	struct st_thread *writer, *reader, *waiter[2], *dereg;
	u64 timeouts = st_counter("Timeouts");
	struct smbdr_fault_seen seen;
	struct stress_waiter w[2] = {};
	struct stress_race r;
	int i, before;

	writer = stress_race_start(test, &r, &o, STRESS_PIECES - 1);
	for (i = 0; i < 2; i++) {
		w[i].sock = r.s.p.c;
		KUNIT_ASSERT_EQ(test, st_mem_alloc(&w[i].mem, ST_MEM_VMALLOC, 0, 100), 0);
	}
	for (i = 0; i < ARRAY_SIZE(rest); i++) {
		rest[i] = st_register(r.s.p.c, &w[0].mem, SMBDR_KERN_REMOTE_READ);
		KUNIT_ASSERT_FALSE(test, IS_ERR(rest[i]));
	}
	for (i = 0; i < 2; i++)
		waiter[i] = stress_wait(test, &w[i]);
	reader = st_run("reader", stress_recv_thread, r.s.p.c);

	smbdr_fault_arm_at(SMBDR_FAULT_inv_lost, 1, 1);
	before = READ_ONCE(r.writes);
	dereg = st_run("dereg", stress_race_dereg, &r);
	msleep(STRESS_LOST_MS / 4);
	smbdr_kern_mr_deregister(rest[0]);
	KUNIT_EXPECT_EQ(test, st_join(waiter[0], STRESS_LOST_MS / 4), 0);
	KUNIT_EXPECT_FALSE(test, completion_done(&dereg->done));
	/* It is still possible. */
	KUNIT_EXPECT_GT(test, READ_ONCE(r.writes), before);
	KUNIT_EXPECT_EQ(test, st_join(dereg, ST_SOON), 0);
	smbdr_fault_disarm(&seen);
	KUNIT_EXPECT_EQ(test, seen.fired, 1);
	KUNIT_EXPECT_GE(test, r.took, STRESS_LOST_MS);
	KUNIT_EXPECT_LT(test, r.took, 3 * STRESS_LOST_MS);
	KUNIT_EXPECT_EQ(test, st_counter("Timeouts") - timeouts, 1);

	KUNIT_EXPECT_EQ(test, st_join(writer, ST_SOON), 0);
	KUNIT_EXPECT_EQ(test, st_join(reader, ST_SOON), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, st_join(waiter[1], ST_SOON), -EPIPE);
	if (st_stuck())
		return;
	for (i = 1; i < ARRAY_SIZE(rest); i++)
		smbdr_kern_mr_deregister(rest[i]);
	if (!IS_ERR_OR_NULL(w[0].mr))
		smbdr_kern_mr_deregister(w[0].mr);
	KUNIT_EXPECT_EQ(test, st_ping(r.s.q.c, r.s.q.s, 100), 0);
	for (i = 0; i < 2; i++)
		st_mem_free(&w[i].mem);
	stress_close(&r.s);
}

#endif /* CONFIG_NET_SMBDIRECT_FAULTS */

static struct kunit_case rdma_end_cases[] = {
	KUNIT_CASE(stress_dereg_after),
	KUNIT_CASE(stress_dereg_race),
#ifdef CONFIG_NET_SMBDIRECT_FAULTS
	KUNIT_CASE(stress_dereg_lost),
#endif
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
