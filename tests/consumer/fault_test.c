// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The n-th call fails: each thing that a user does, with each call that the module
 * makes meanwhile failing once.
 *
 * A case is an operation. It is done over and over: in run n the n-th call that comes by
 * a fault point of the module (smbdirect/fault.h) fails, at whichever of the two
 * ends that is, as both live here. The run in which nothing failed is the last one. After
 * each run
 *
 * - the operation has returned in time, with success or an error that the documentation
 *   knows, and one that is about memory or the device only if that was what failed;
 * - both ends work as before, or both have ended, likewise; and the latter only if what failed
 *   cannot be done again (fault_may_end());
 * - what failed can be done again, if there is still something to do it with;
 * - a connection beside it never noticed;
 * - when all is closed the device holds no more objects than before.
 *
 * Memory that was lost is found by kmemleak, in the kernel that has it. Which
 * points were never hit by anything is the group script's business.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/delay.h>
#include <linux/inetdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <rdma/ib_verbs.h>
#include <rdma/restrack.h>
#include "../../smbdirect/fault.h"
#include "rdma_lib.h"

#define FAULT_END_MS	10000	/* nothing may take longer */
#define FAULT_MAX_BAD	3	/* wrong runs after which a case is given up */
#define FAULT_RW_LEN	10000
/* So large that it takes several regions at either end. */
#define FAULT_RW_LARGE	2200000
#define FAULT_OTHER	0x5a	/* content of memory whose transfer is over */

struct fault_op;

/**
 * struct fault_run - one run of an operation
 * @test: for its verdicts
 * @op: the operation
 * @nth: which call fails
 * @bad: something was wrong
 * @p: the connection, or as much of it as there is
 * @port: of a listener
 * @bound: the socket is bound
 * @err: what the operation said
 * @up: the connection was there before anything failed
 * @told: a call of the user's was told of the failure, so nothing else may come of it
 * @seen: what failed
 * @owner: memory for the peer
 * @local: memory to transfer from or to
 * @mr: @owner, registered
 */
struct fault_run {
	struct kunit *test;
	const struct fault_op *op;
	u32 nth;
	bool bad;
	struct st_pair p;
	u16 port;
	bool bound;
	int err;
	bool up;
	bool told;
	struct smbdr_fault_seen seen;
	struct st_mem owner;
	struct st_mem local;
	struct smbdr_kern_mr *mr;
};

/**
 * struct fault_op - an operation
 * @name: for who reads the results
 * @len: how much of it
 * @times: calls that fail in a row
 * @dir: way of a transfer
 * @opts: options of both ends
 * @prepare: what has to be there, without failures
 * @armed: the operation: 0 or an errno; without failures it has to be 0
 * @after: look at the result and undo, without failures
 */
struct fault_op {
	const char *name;
	u32 len;
	u32 times;
	enum smbdr_kern_dir dir;
	struct st_opts opts;
	int (*prepare)(struct fault_run *r);
	int (*armed)(struct fault_run *r);
	void (*after)(struct fault_run *r);
};

static struct ib_device *fault_dev;
static struct st_pair fault_other;

#define FAULT_BAD(r, fmt, ...) do {						\
	(r)->bad = true;							\
	KUNIT_FAIL((r)->test, "call %u, %s: " fmt, (r)->nth,			\
		   (r)->seen.point ?: "nothing failed", ##__VA_ARGS__);		\
} while (0)

/* ----- what is right ----- */

/* Is this an answer that a user can expect after such a failure? */
static bool fault_errno_ok(const struct fault_run *r, int err)
{
	switch (err) {
	case 0:
		return true;
	case -EIO:
		/* What a driver says that cannot map is not passed on. */
		if (r->seen.fired && !strcmp(r->seen.point, "mr_map"))
			return true;
		fallthrough;
	case -ENOMEM:
	case -EFAULT:
	case -ETIMEDOUT:
		return r->seen.fired > 1 || (r->seen.fired && r->seen.err == err);
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EPIPE:
		return r->seen.fired;
	default:
		return false;
	}
}

static void fault_expect(struct fault_run *r, const char *what, int err)
{
	if (!fault_errno_ok(r, err))
		FAULT_BAD(r, "%s: %d", what, err);
}

/*
 * Calls that nobody can make again, so one failure may end a connection: the device does not take
 * or does not do a piece of work, or a message that came cannot be kept.
 */
static const char * const fault_ends[] = {
	"nego_send_done", "post_recv", "recv_done", "post_send", "send_done", "chunk_map",
	"post_reg", "post_reg_half", "post_inv", "post_inv_half", "inv_done", "inv_lost",
	"post_rw", "post_rw_half", "rw_done", "rw_lost", "post_rw_inv", "rw_inv_done",
	"msg", "chunk_small", "chunk_large", "chunk_pages",
};

/* May a connection that was there end by this? */
static bool fault_may_end(const struct fault_run *r)
{
	if (!r->up || r->seen.fired > 1)
		return true;
	/* The region of an iWARP read is mapped when the pump comes to it. */
	if (r->seen.fired && !strcmp(r->seen.point, "mr_map"))
		return r->op->len || r->op->dir == SMBDR_KERN_RDMA_READ;
	return r->seen.fired && !r->told &&
	       match_string(fault_ends, ARRAY_SIZE(fault_ends), r->seen.point) >= 0;
}

/* The connection is over: wait until this end knows, and see what it says. */
static void fault_see_end(struct fault_run *r, struct socket *sock, const char *who)
{
	u8 buf[256];
	int ret;

	if (!sock)
		return;
	if (st_wait_poll(sock, EPOLLHUP, FAULT_END_MS)) {
		FAULT_BAD(r, "%s has not ended, mask 0x%x", who, (__force u32)st_poll(sock));
		return;
	}
	do {
		ret = st_recv(sock, buf, sizeof(buf), 0);
	} while (ret > 0);
	fault_expect(r, who, ret);
}

/* Both ends work: true; or both have ended. */
static bool fault_check_pair(struct fault_run *r)
{
	int ret;

	if (!r->p.c || !r->p.s)
		return false;
	ret = st_ping(r->p.c, r->p.s, 100);
	if (!ret)
		return true;
	fault_expect(r, "an exchange afterwards", ret);
	if (!fault_may_end(r))
		FAULT_BAD(r, "the connection has ended: %d", ret);
	fault_see_end(r, r->p.c, "the end that connected");
	fault_see_end(r, r->p.s, "the end that accepted");
	return false;
}

/* Once more, with nothing failing. */
static void fault_again(struct fault_run *r)
{
	int ret;

	/* TCP below siw may still be closing the first connection between the same two ports. */
	st_until((ret = r->op->armed(r)) != -EADDRNOTAVAIL, FAULT_END_MS);
	if (ret)
		FAULT_BAD(r, "once more: %d", ret);
}

/* ----- bind, listen, connect, accept ----- */

static int fault_class(struct socket *sock)
{
	bool iwarp = rdma_protocol_iwarp(fault_dev, 1);

	return st_setopt(sock, SOL_SMBDIRECT, SMBDIRECT_DEVICE_CLASS,
			 iwarp ? SMBDIRECT_DEVICE_IWARP : SMBDIRECT_DEVICE_IB);
}

static int fault_socket(struct fault_run *r, struct socket **sock)
{
	int ret = st_socket(sock);

	if (!ret)
		ret = st_apply(*sock, &r->op->opts);
	return ret ?: fault_class(*sock);
}

static int fault_listen_prepare(struct fault_run *r)
{
	r->port = st_port();
	return fault_socket(r, &r->p.ls);
}

static int fault_listen(struct fault_run *r)
{
	int ret = 0;

	if (!r->bound)
		ret = st_bind(r->p.ls, r->port);
	if (ret)
		return ret;
	r->bound = true;
	return kernel_listen(r->p.ls, ST_BACKLOG);
}

static void fault_listen_after(struct fault_run *r)
{
	int ret;

	if (r->err)
		fault_again(r);
	ret = st_dial(r->port, NULL, &r->p.c);
	if (!ret)
		ret = st_accept(r->p.ls, &r->p.s, 0);
	if (!ret)
		ret = st_ping(r->p.c, r->p.s, 100);
	if (ret)
		FAULT_BAD(r, "a connection to it: %d", ret);
}

static int fault_connect_prepare(struct fault_run *r)
{
	int ret;

	r->port = st_port();
	ret = st_listen(r->port, &r->op->opts, &r->p.ls);
	return ret ?: fault_socket(r, &r->p.c);
}

static int fault_bound_prepare(struct fault_run *r)
{
	int ret = fault_connect_prepare(r);

	return ret ?: st_bind(r->p.c, st_port());
}

static int fault_connect(struct fault_run *r)
{
	return st_connect(r->p.c, r->port, 0);
}

/* Find the other end of p.c among those who wait; earlier attempts may have left some. */
static int fault_find_child(struct fault_run *r)
{
	u8 buf[ST_HDR + 100];
	int ret;

	ret = st_send_frame(r->p.c, 5, 100);
	while (!ret) {
		ret = st_accept(r->p.ls, &r->p.s, 0);
		if (ret)
			break;
		ret = st_recv_frame(r->p.s, 5, 100, 0, buf);
		if (!ret)
			return 0;
		fault_expect(r, "a child of an attempt that failed", ret);
		st_release(&r->p.s);
		ret = 0;
	}
	return ret;
}

/* The other end of p.c, unless it ends before that waits to be accepted. */
static void fault_accept_or_end(struct fault_run *r)
{
	st_until(!st_accept(r->p.ls, &r->p.s, O_NONBLOCK) || st_poll(r->p.c) & EPOLLHUP,
		 FAULT_END_MS);
}

static void fault_connect_after(struct fault_run *r)
{
	int ret;

	if (!r->err) {
		fault_accept_or_end(r);
		if (fault_check_pair(r))
			return;
		fault_see_end(r, r->p.c, "the end that connected");
		st_release(&r->p.s);
		st_release(&r->p.c);
		ret = fault_socket(r, &r->p.c);
		if (ret) {
			FAULT_BAD(r, "socket: %d", ret);
			return;
		}
	}
	/* The same socket connects after all, and the listener accepts it. */
	fault_again(r);
	ret = fault_find_child(r);
	if (ret)
		FAULT_BAD(r, "accept afterwards: %d", ret);
	else if (!fault_check_pair(r))
		FAULT_BAD(r, "the second connection does not work");
}

static int fault_accept_prepare(struct fault_run *r)
{
	int ret;

	r->port = st_port();
	ret = st_listen(r->port, &r->op->opts, &r->p.ls);
	return ret ?: st_dial(r->port, &r->op->opts, &r->p.c);
}

static int fault_accept(struct fault_run *r)
{
	return st_accept(r->p.ls, &r->p.s, 0);
}

static void fault_accept_after(struct fault_run *r)
{
	int ret;

	if (!r->err) {
		fault_check_pair(r);
		return;
	}
	fault_see_end(r, r->p.c, "the end that connected");
	st_release(&r->p.c);
	ret = st_dial(r->port, NULL, &r->p.c);
	if (ret)
		FAULT_BAD(r, "the next one connects: %d", ret);
	else
		fault_again(r);
	if (!ret && !fault_check_pair(r))
		FAULT_BAD(r, "the next one does not work");
}

/* ----- data ----- */

static int fault_pair_prepare(struct fault_run *r)
{
	int ret = st_pair_open(&r->p, &r->op->opts, &r->op->opts);

	/* The first grants are through with this. */
	ret = ret ?: st_ping(r->p.c, r->p.s, 100);
	r->up = !ret;
	return ret;
}

/* Read a frame as a user does that gets EFAULT and tries again. */
static int fault_read(struct fault_run *r, struct socket *sock, u32 seed, u32 len)
{
	u8 *buf = kvmalloc(len + ST_HDR, GFP_KERNEL);
	int ret = 0, faults = 0;
	u32 got = 0;

	while (buf && got < len + ST_HDR) {
		ret = st_recv(sock, buf + got, len + ST_HDR - got, 0);
		if (ret == -EFAULT && !faults++)
			continue;
		if (ret <= 0)
			break;
		got += ret;
	}
	if (!buf)
		ret = -ENOMEM;
	else if (got < len + ST_HDR)
		ret = ret ?: -EPIPE;
	else if (st_get_hdr(buf) != len || memcmp(buf + ST_HDR, st_pattern(seed), len))
		ret = -EILSEQ;
	else
		ret = 0;
	kvfree(buf);
	return ret;
}

static int fault_exchange(struct fault_run *r)
{
	int ret = st_send_frame(r->p.c, 1, r->op->len);

	r->told = ret == -ENOMEM || ret == -EFAULT;
	if (!ret)
		ret = fault_read(r, r->p.s, 1, r->op->len);
	if (!ret) {
		ret = st_send_frame(r->p.s, 2, 50);
		r->told = ret == -ENOMEM || ret == -EFAULT;
	}
	if (!ret)
		ret = fault_read(r, r->p.c, 2, 50);
	/* The last completions belong to it as well. */
	msleep(20);
	return ret;
}

static int fault_idle(struct fault_run *r)
{
	msleep(5 * r->op->opts.ka_interval);
	return 0;
}

static int fault_option(struct fault_run *r)
{
	int val, ret;

	ret = st_setopt(r->p.c, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!ret)
		ret = st_getopt(r->p.c, IPPROTO_TCP, TCP_NODELAY, &val);
	return ret ?: val == 1 ? 0 : -EILSEQ;
}

static void fault_pair_after(struct fault_run *r)
{
	if (fault_check_pair(r) && r->err)
		fault_again(r);
}

/* ----- RDMA ----- */

static u32 fault_rw_len(const struct fault_run *r)
{
	return r->op->len ?: FAULT_RW_LEN;
}

/* Where the second half of the owner's memory is, from the start. */
static u32 fault_rw_second(const struct fault_run *r)
{
	return round_up(100 + fault_rw_len(r) / 2, PAGE_SIZE) + 100;
}

/* Two pieces that do not share a region. */
static struct smbdr_kern_mr *fault_register_owner(struct fault_run *r)
{
	bool read = r->op->dir == SMBDR_KERN_RDMA_READ;
	u32 len = fault_rw_len(r);
	struct kvec kv[2] = {
		{ r->owner.base + 100, len / 2 },
		{ r->owner.base + fault_rw_second(r), len / 2 },
	};
	struct iov_iter iter;

	iov_iter_kvec(&iter, read ? ITER_SOURCE : ITER_DEST, kv, 2, len);
	return smbdr_kern_mr_register(r->p.c, &iter, read ? SMBDR_KERN_REMOTE_READ :
				      SMBDR_KERN_REMOTE_WRITE);
}

static int fault_register(struct fault_run *r)
{
	struct smbdr_kern_mr *mr = fault_register_owner(r);

	if (IS_ERR(mr))
		return PTR_ERR(mr);
	r->mr = mr;
	return 0;
}

static int fault_deregister(struct fault_run *r)
{
	if (r->mr)
		smbdr_kern_mr_deregister(r->mr);
	r->mr = NULL;
	return 0;
}

static int fault_memory_prepare(struct fault_run *r)
{
	int ret = st_mem_alloc(&r->owner, ST_MEM_KMALLOC, 0, 2 * fault_rw_second(r));

	if (!ret)
		ret = st_mem_alloc(&r->local, ST_MEM_VMALLOC, 7, fault_rw_len(r));
	return ret ?: fault_pair_prepare(r);
}

static int fault_registered_prepare(struct fault_run *r)
{
	bool read = r->op->dir == SMBDR_KERN_RDMA_READ;
	u32 half = fault_rw_len(r) / 2;
	int ret = fault_memory_prepare(r);

	if (ret)
		return ret;
	if (read) {
		memcpy(r->owner.base + 100, st_pattern(3), half);
		memcpy(r->owner.base + fault_rw_second(r), st_pattern(4), half);
	}
	ret = fault_register(r);
	return ret ?: st_tell(r->p.c, r->p.s);
}

static bool fault_rw_same(struct fault_run *r)
{
	bool read = r->op->dir == SMBDR_KERN_RDMA_READ;
	u8 *a = read ? r->local.base + 7 : r->owner.base + 100;
	u32 half = fault_rw_len(r) / 2;
	u8 *b = read ? a + half : r->owner.base + fault_rw_second(r);

	return !memcmp(a, st_pattern(3), half) && !memcmp(b, st_pattern(4), half);
}

/* What a transfer writes, or nothing if it reads. */
static void fault_fill_local(struct fault_run *r)
{
	u32 half = fault_rw_len(r) / 2;

	if (r->op->dir == SMBDR_KERN_RDMA_READ)
		return;
	memcpy(r->local.base + 7, st_pattern(3), half);
	memcpy(r->local.base + 7 + half, st_pattern(4), half);
}

/* Afterwards the memory is for other things, whatever became of it. */
static int fault_transfer(struct fault_run *r)
{
	const struct smbdr_kern_desc *descs;
	u32 nr;
	int ret;

	fault_fill_local(r);
	descs = smbdr_kern_mr_descs(r->mr, &nr);
	ret = st_rdma(r->p.s, &r->local, r->op->dir, descs, nr, 0);
	if (ret)
		memset(r->local.base + 7, FAULT_OTHER, fault_rw_len(r));
	return ret;
}

/* A transfer that has ended with an error has not touched the memory since, nor moved any of it. */
static bool fault_rw_quiet(struct fault_run *r)
{
	u32 i, size = r->owner.nr * PAGE_SIZE, run = 0;

	if (r->op->dir == SMBDR_KERN_RDMA_READ)
		return !memchr_inv(r->local.base + 7, FAULT_OTHER, fault_rw_len(r));
	/* What was written before has single bytes like that. */
	for (i = 0; i < size && run < 16; i++)
		run = r->owner.base[i] == FAULT_OTHER ? run + 1 : 0;
	return run < 16;
}

static void fault_rdma_after(struct fault_run *r)
{
	bool alive = fault_check_pair(r);

	if (r->err && r->op->armed == fault_transfer && !fault_rw_quiet(r))
		FAULT_BAD(r, "it went on after its end");
	if (alive && r->err) {
		fault_again(r);
		alive = fault_check_pair(r);
	}
	/* The exchange was behind the data. */
	if (alive && r->op->armed == fault_transfer && !fault_rw_same(r))
		FAULT_BAD(r, "content");
	fault_deregister(r);
}

/* ----- the end ----- */

static const enum rdma_restrack_type fault_kinds[] = {
	RDMA_RESTRACK_PD, RDMA_RESTRACK_CQ, RDMA_RESTRACK_QP, RDMA_RESTRACK_CM_ID,
	RDMA_RESTRACK_MR,
};

struct fault_counts {
	u32 nr[ARRAY_SIZE(fault_kinds)];
};

static struct fault_counts fault_none;	/* before anything */
static struct fault_counts fault_base;	/* with the other connection */

static void fault_count(struct fault_counts *c)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(fault_kinds); i++)
		c->nr[i] = rdma_restrack_count(fault_dev, fault_kinds[i], true);
}

/* Does the device hold what it did then, and nothing else? */
static int fault_wait_counts(const struct fault_counts *want, struct fault_counts *now)
{
	return st_until((fault_count(now), !memcmp(now, want, sizeof(*now))), FAULT_END_MS);
}

static int fault_close_prepare(struct fault_run *r)
{
	int ret = fault_pair_prepare(r);

	st_release(&r->p.ls);
	return ret;
}

static int fault_close(struct fault_run *r)
{
	struct fault_counts now;

	/* A frame is on its way, nobody reads it. */
	if (r->p.c)
		st_send_frame(r->p.c, 1, r->op->len);
	st_release(&r->p.c);
	st_release(&r->p.s);
	return fault_wait_counts(&fault_base, &now);
}

static void fault_close_after(struct fault_run *r)
{
}

static int fault_shutdown(struct fault_run *r)
{
	int ret = st_send_frame(r->p.c, 1, r->op->len), err;
	u8 byte;

	err = kernel_sock_shutdown(r->p.c, SHUT_WR);
	/* It may be over, but a call that comes too late is no error. */
	if (err)
		return err;
	if (!ret)
		ret = fault_read(r, r->p.s, 1, r->op->len);
	if (!ret)
		ret = st_recv(r->p.s, &byte, 1, 0);
	return ret;
}

static void fault_shutdown_after(struct fault_run *r)
{
	fault_see_end(r, r->p.c, "the end that closes");
	fault_see_end(r, r->p.s, "the end that is told");
}

/* ----- the loop ----- */

/* An operation on a connection; the same with registered memory. */
#define FAULT_PAIR	.prepare = fault_pair_prepare, .after = fault_pair_after
#define FAULT_RDMA	.prepare = fault_registered_prepare, .armed = fault_transfer,	\
			.after = fault_rdma_after
/* Few credits: each receive that is posted is a call that can fail. */
#define FAULT_FEW	{ .send_credits = 2, .recv_credits = 2 }
#define FAULT_ONE	{ .send_credits = 1, .recv_credits = 1, .max_send = 1364, .max_recv = 1364 }
#define FAULT_PLENTY	{ .send_credits = 16, .recv_credits = 16 }
/* An invalidation that is lost is waited for. */
#define FAULT_HASTY	{ .send_credits = 16, .recv_credits = 16, .ka_timeout = 1000 }
/* Both go on talking while a transfer stands still. */
#define FAULT_TALK	{ .send_credits = 16, .recv_credits = 16, .ka_interval = 1000,	\
			  .ka_timeout = 4000 }
/* The same, for as much as takes an emulated machine seconds. */
#define FAULT_TALK_LARGE { .send_credits = 16, .recv_credits = 16, .ka_interval = 1000,	\
			  .ka_timeout = 7000 }

static const struct fault_op fault_ops[] = {
	{ .name = "listen", .prepare = fault_listen_prepare, .armed = fault_listen,
	  .after = fault_listen_after },
	{ .name = "connect", .opts = FAULT_FEW, .prepare = fault_connect_prepare,
	  .armed = fault_connect, .after = fault_connect_after },
	{ .name = "connect when bound", .opts = FAULT_FEW, .prepare = fault_bound_prepare,
	  .armed = fault_connect, .after = fault_connect_after },
	{ .name = "connect, all fail", .opts = FAULT_FEW, .times = U32_MAX,
	  .prepare = fault_connect_prepare, .armed = fault_connect,
	  .after = fault_connect_after },
	{ .name = "accept", .opts = FAULT_FEW, .prepare = fault_accept_prepare,
	  .armed = fault_accept, .after = fault_accept_after },
	{ .name = "options", .opts = FAULT_FEW, FAULT_PAIR, .armed = fault_option },
	{ .name = "frame of 100 bytes", .len = 100, .opts = FAULT_PLENTY, FAULT_PAIR,
	  .armed = fault_exchange },
	{ .name = "frame of 3000 bytes", .len = 3000, .opts = FAULT_PLENTY, FAULT_PAIR,
	  .armed = fault_exchange },
	{ .name = "frame of 40000 bytes", .len = 40000, .opts = FAULT_PLENTY, FAULT_PAIR,
	  .armed = fault_exchange },
	{ .name = "frame with one credit", .len = 3000, .opts = FAULT_ONE, FAULT_PAIR,
	  .armed = fault_exchange },
	{ .name = "keepalive", .opts = { .ka_interval = 50, .ka_timeout = 2000 }, FAULT_PAIR,
	  .armed = fault_idle },
	{ .name = "register", .dir = SMBDR_KERN_RDMA_WRITE, .opts = FAULT_PLENTY,
	  .prepare = fault_memory_prepare, .armed = fault_register,
	  .after = fault_rdma_after },
	{ .name = "deregister", .dir = SMBDR_KERN_RDMA_READ, .opts = FAULT_HASTY,
	  .prepare = fault_registered_prepare, .armed = fault_deregister,
	  .after = fault_rdma_after },
	{ .name = "RDMA write", .dir = SMBDR_KERN_RDMA_WRITE, .opts = FAULT_TALK, FAULT_RDMA },
	{ .name = "RDMA read", .dir = SMBDR_KERN_RDMA_READ, .opts = FAULT_TALK, FAULT_RDMA },
	{ .name = "RDMA write, regions", .dir = SMBDR_KERN_RDMA_WRITE, .opts = FAULT_TALK_LARGE,
	  .len = FAULT_RW_LARGE, FAULT_RDMA },
	{ .name = "RDMA read, regions", .dir = SMBDR_KERN_RDMA_READ, .opts = FAULT_TALK_LARGE,
	  .len = FAULT_RW_LARGE, FAULT_RDMA },
	{ .name = "shutdown", .len = 3000, .opts = FAULT_PLENTY, .prepare = fault_pair_prepare,
	  .armed = fault_shutdown, .after = fault_shutdown_after },
	{ .name = "close", .len = 3000, .opts = FAULT_PLENTY, .prepare = fault_close_prepare,
	  .armed = fault_close, .after = fault_close_after },
	{ .name = "close, all fail", .len = 3000, .times = U32_MAX, .opts = FAULT_PLENTY,
	  .prepare = fault_close_prepare, .armed = fault_close,
	  .after = fault_close_after },
};

static void fault_op_desc(const struct fault_op *op, char *desc)
{
	strscpy(desc, op->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fault_op, fault_ops, fault_op_desc);

static int fault_thread(struct st_thread *t)
{
	struct fault_run *r = t->arg;

	st_where(t, "%s, call %u", r->op->name, r->nth);
	r->err = r->op->armed(r);
	return 0;
}

/* What went before is through: no call comes by any point. */
static void fault_settle(struct fault_run *r)
{
	struct smbdr_fault_seen seen;
	int i;

	for (i = 0; i < 200; i++) {
		smbdr_fault_arm(U32_MAX, 0);
		msleep(20);
		smbdr_fault_disarm(&seen);
		if (!seen.hits)
			return;
	}
	FAULT_BAD(r, "no rest before it");
}

/* One run. False if the thread of it is lost, with all that it uses. */
static bool fault_run(struct fault_run *r)
{
	unsigned long start = jiffies;
	struct fault_counts now;
	int ret;

	ret = r->op->prepare(r);
	if (ret) {
		FAULT_BAD(r, "prepare: %d", ret);
		goto out;
	}
	fault_settle(r);
	smbdr_fault_arm(r->nth, r->op->times ?: 1);
	ret = st_join(st_run("fault", fault_thread, r), FAULT_END_MS);
	smbdr_fault_disarm(&r->seen);
	if (ret)
		FAULT_BAD(r, "hangs");
	if (st_stuck())
		return false;
	fault_expect(r, "the operation", r->err);
	r->op->after(r);
	ret = st_ping(fault_other.c, fault_other.s, 100);
	if (ret)
		FAULT_BAD(r, "the other connection: %d", ret);
out:
	fault_deregister(r);
	st_pair_close(&r->p);
	st_mem_free(&r->owner);
	st_mem_free(&r->local);
	if (fault_wait_counts(&fault_base, &now))
		FAULT_BAD(r, "objects left: PD %u CQ %u QP %u id %u MR %u, were %u %u %u %u %u",
			  now.nr[0], now.nr[1], now.nr[2], now.nr[3], now.nr[4],
			  fault_base.nr[0], fault_base.nr[1], fault_base.nr[2],
			  fault_base.nr[3], fault_base.nr[4]);
	pr_debug("%s, call %u, %s: %d, %u ms\n", r->op->name, r->nth, r->seen.point ?: "-",
		 r->err, jiffies_to_msecs(jiffies - start));
	return true;
}

/* Which points failed: names are unique, so are their addresses. */
static u32 fault_note(const char **points, u32 nr, const char *point)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (points[i] == point)
			return nr;
	points[nr] = point;
	return nr + 1;
}

static void fault_sweep(struct kunit *test)
{
	const struct fault_op *op = test->param_value;
	const char *points[SMBDR_FAULT_NR];
	unsigned long start = jiffies;
	u32 nth, nr = 0, bad = 0;
	struct fault_run *r;

	r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r);
	for (nth = 1; bad < FAULT_MAX_BAD; nth++) {
		memset(r, 0, sizeof(*r));
		r->test = test;
		r->op = op;
		r->nth = nth;
		if (!fault_run(r))
			return;
		bad += r->bad;
		if (!r->seen.fired)
			break;
		nr = fault_note(points, nr, r->seen.point);
	}
	if (!r->seen.fired && !r->bad && r->err)
		KUNIT_FAIL(test, "nothing failed, but: %d", r->err);
	KUNIT_EXPECT_GT(test, nr, 0);
	pr_info("fault: %-24s%4u calls%4u points%5u s\n", op->name, nth - 1, nr,
		jiffies_to_msecs(jiffies - start) / 1000);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE_PARAM(fault_sweep, fault_op_gen_params),
	{}
};

static int fault_init(struct kunit *test)
{
	struct fault_counts now;
	int ret;

	ret = st_suite_init(test);
	if (!ret && !fault_dev)
		ret = -ENODEV;
	if (!ret)
		ret = fault_wait_counts(&fault_none, &now);
	if (!ret)
		ret = st_pair_open(&fault_other, NULL, NULL);
	if (!ret)
		ret = st_ping(fault_other.c, fault_other.s, 100);
	fault_count(&fault_base);
	return ret;
}

static void fault_exit(struct kunit *test)
{
	st_pair_close(&fault_other);
}

static int fault_suite_init(struct kunit_suite *suite)
{
	struct net_device *ndev;

	rcu_read_lock();
	ndev = __ip_dev_find(&init_net, ((struct sockaddr_in *)&st_cfg.addr)->sin_addr.s_addr,
			     false);
	fault_dev = ndev ? ib_device_get_by_netdev(ndev, RDMA_DRIVER_UNKNOWN) : NULL;
	rcu_read_unlock();
	if (fault_dev)
		fault_count(&fault_none);
	return fault_dev ? 0 : -ENODEV;
}

static void fault_suite_exit(struct kunit_suite *suite)
{
	if (fault_dev)
		ib_device_put(fault_dev);
	fault_dev = NULL;
}

static struct kunit_suite fault_suite = {
	.name = "smbdr_fault",
	.suite_init = fault_suite_init,
	.suite_exit = fault_suite_exit,
	.init = fault_init,
	.exit = fault_exit,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
