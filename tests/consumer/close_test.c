// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Closing: in every state, from either side, with data on the way.
 *
 * Two promises are tested. Whoever closes is not held up: release returns
 * soon, whatever the peer does. And nothing that was accepted is lost or
 * invented: the other side reads everything that was queued, then the end; of
 * a frame that was never completed it reads nothing (TCP: a beginning or nothing).
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include "smbdr_test.h"

#define CLOSE_SOON	5000	/* ms: how soon the other side, or another thread, sees it */

static void close_soon(struct kunit *test, struct socket **sock, const char *what)
{
	unsigned long start = jiffies;

	st_release(sock);
	KUNIT_EXPECT_LT_MSG(test, jiffies_to_msecs(jiffies - start), st_soon(), "%s", what);
}

/* What recv says when the other side is gone: the end or a reset. */
static bool close_is_end(int ret)
{
	return ret == 0 || ret == -ECONNRESET || ret == -EPIPE;
}

/* Wait for the end; bytes before it are counted and thrown away. */
static int close_read_to_end(struct socket *sock, u64 *bytes)
{
	u8 *buf = kmalloc(4096, GFP_KERNEL);
	int ret;

	*bytes = 0;
	if (!buf)
		return -ENOMEM;
	do {
		ret = st_recv(sock, buf, 4096, 0);
		if (ret > 0)
			*bytes += ret;
	} while (ret > 0);
	kfree(buf);
	return ret;
}

/* Connect without waiting and close at once, then later and later. */
static void close_connecting(struct kunit *test)
{
	unsigned int i, n = st_scaled(100, 20);
	u16 port = st_port();
	struct socket *ls, *c, *child;
	int ret;

	KUNIT_ASSERT_EQ(test, st_listen(port, NULL, &ls), 0);
	for (i = 0; i < n; i++) {
		KUNIT_ASSERT_EQ(test, st_socket(&c), 0);
		ret = st_connect(c, port, O_NONBLOCK);
		KUNIT_EXPECT_TRUE_MSG(test, !ret || ret == -EINPROGRESS, "connect: %d", ret);
		usleep_range(i * 200, i * 200 + 50);
		close_soon(test, &c, "client while connecting");
		/* Children that got as far as that read the end at once. */
		while (!st_accept(ls, &child, O_NONBLOCK)) {
			u64 bytes;

			KUNIT_EXPECT_TRUE(test, close_is_end(close_read_to_end(child, &bytes)));
			KUNIT_EXPECT_EQ(test, bytes, 0);
			close_soon(test, &child, "child");
		}
	}
	/* The listener is as good as before. */
	KUNIT_EXPECT_EQ(test, st_dial(port, NULL, &c), 0);
	if (c) {
		do {
			KUNIT_EXPECT_EQ(test, st_accept(ls, &child, 0), 0);
			if (!child)
				break;
			if (!st_ping(c, child, 1000))
				break;
			st_release(&child);
		} while (--n);
		KUNIT_EXPECT_TRUE(test, child);
		st_release(&child);
	}
	st_release(&c);
	close_soon(test, &ls, "listener");
}

/*
 * The listener goes while connections are being set up. A request that has
 * reached the iWARP connection manager but not us by then is dropped there, and
 * nobody answers it: the client is left to its own timer, so that is short here
 * (the one of siw takes ten seconds).
 */
static void close_listener_first(struct kunit *test)
{
	const struct st_opts o = { .connect_timeout = 1000 };
	unsigned int i, k, n = st_scaled(20, 5);
	struct socket *ls, *c[4];

	for (i = 0; i < n; i++) {
		u16 port = st_port();

		KUNIT_ASSERT_EQ(test, st_listen(port, NULL, &ls), 0);
		for (k = 0; k < ARRAY_SIZE(c); k++) {
			c[k] = NULL;
			if (!st_socket(&c[k]) && !st_apply(c[k], &o))
				st_connect(c[k], port, O_NONBLOCK);
		}
		usleep_range(i * 1000, i * 1000 + 100);
		close_soon(test, &ls, "listener with connections on their way");
		/* They fail or end, soon: nothing hangs half open. */
		for (k = 0; k < ARRAY_SIZE(c); k++) {
			if (!c[k])
				continue;
			KUNIT_EXPECT_EQ_MSG(test, st_wait_poll(c[k], EPOLLIN | EPOLLERR | EPOLLHUP,
							       st_cfg.timeout),
					    0, "round %u client %u mask 0x%x", i, k,
					    (__force u32)st_poll(c[k]));
			close_soon(test, &c[k], "client");
		}
	}
}

/* Connected but never accepted: closing the listener ends them. */
static void close_unaccepted(struct kunit *test)
{
	struct socket *ls, *c[8] = {};
	u16 port = st_port();
	u64 bytes;
	int i;

	KUNIT_ASSERT_EQ(test, st_listen(port, NULL, &ls), 0);
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		KUNIT_EXPECT_EQ(test, st_dial(port, NULL, &c[i]), 0);
		/* Some have data that nobody will ever read. */
		if (c[i] && i % 2)
			KUNIT_EXPECT_EQ(test, st_send_frame(c[i], i, 1000), 0);
	}
	close_soon(test, &ls, "listener with children");
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		if (!c[i])
			continue;
		KUNIT_EXPECT_TRUE(test, close_is_end(close_read_to_end(c[i], &bytes)));
		KUNIT_EXPECT_EQ(test, bytes, 0);
		close_soon(test, &c[i], "client");
	}
}

/* The client came, spoke and went before anybody accepted it. */
static void close_before_accept(struct kunit *test)
{
	struct socket *ls, *c, *child;
	u16 port = st_port();
	u8 buf[ST_HDR + 100];

	KUNIT_ASSERT_EQ(test, st_listen(port, NULL, &ls), 0);
	KUNIT_EXPECT_EQ(test, st_dial(port, NULL, &c), 0);
	if (c)
		KUNIT_EXPECT_EQ(test, st_send_frame(c, 3, 100), 0);
	close_soon(test, &c, "client");
	msleep(200);
	KUNIT_EXPECT_EQ(test, st_accept(ls, &child, 0), 0);
	if (child) {
		KUNIT_EXPECT_EQ(test, st_recv_frame(child, 3, 100, 0, buf), 0);
		KUNIT_EXPECT_EQ(test, st_recv(child, buf, 1, 0), 0);
	}
	st_release(&child);
	close_soon(test, &ls, "listener");
}

/*
 * The same without a word: there is nothing to read, so nobody is told of it, and its place is
 * free. The backlog has one place only.
 */
static void close_before_accept_silent(struct kunit *test)
{
	struct socket *ls, *c, *child;
	u16 port = st_port();
	int i, ret;

	KUNIT_ASSERT_EQ(test, st_socket(&ls), 0);
	KUNIT_EXPECT_EQ(test, st_bind(ls, port), 0);
	KUNIT_EXPECT_EQ(test, kernel_listen(ls, 1), 0);
	for (i = 0; i < 5; i++) {
		ret = st_dial(port, NULL, &c);
		KUNIT_EXPECT_EQ_MSG(test, ret, 0, "connection %d", i);
		if (ret)
			break;
		KUNIT_EXPECT_EQ(test, st_wait_poll(ls, EPOLLIN, st_cfg.timeout), 0);
		close_soon(test, &c, "client");
		KUNIT_EXPECT_EQ_MSG(test, st_wait_no_poll(ls, EPOLLIN, CLOSE_SOON), 0,
				    "connection %d is still there", i);
		KUNIT_EXPECT_EQ(test, st_accept(ls, &child, O_NONBLOCK), -EAGAIN);
		st_release(&child);
	}
	KUNIT_EXPECT_EQ(test, st_dial(port, NULL, &c), 0);
	KUNIT_EXPECT_EQ(test, st_accept(ls, &child, 0), 0);
	if (c && child)
		KUNIT_EXPECT_EQ(test, st_ping(c, child, 1000), 0);
	st_release(&c);
	st_release(&child);
	close_soon(test, &ls, "listener");
}

/* A connection does not need its listener. */
static void close_listener_under(struct kunit *test)
{
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	close_soon(test, &p.ls, "listener with a connection");
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 10000), 0);
	KUNIT_EXPECT_EQ(test, st_ping(p.s, p.c, 10000), 0);
	st_pair_close(&p);
}

/* A frame and a half were written: one arrives, and nothing of the other one. */
static void close_mid_frame(struct kunit *test)
{
	static const u32 lens[] = { 2, 10, 5000, 100000, 1000000 };
	u8 buf[ST_HDR + 100];
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		u32 half = lens[i] / 2;
		struct st_pair p;
		u8 hdr[ST_HDR];
		u64 bytes;

		KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
		KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 2, 100), 0);
		st_put_hdr(hdr, lens[i]);
		KUNIT_EXPECT_EQ(test, st_send_all(p.c, hdr, ST_HDR, 0), 0);
		ret = st_send(p.c, st_pattern(1), half, MSG_DONTWAIT);
		KUNIT_EXPECT_GT(test, ret, 0);
		if (i % 2)
			KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(p.c, SHUT_WR), 0);
		close_soon(test, &p.c, "writer in the middle of a frame");
		KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, 2, 100, 0, buf), 0);
		ret = close_read_to_end(p.s, &bytes);
		if (st_ours()) {
			KUNIT_EXPECT_EQ_MSG(test, ret, 0, "of %u", lens[i]);
			KUNIT_EXPECT_EQ_MSG(test, bytes, 0, "of %u", lens[i]);
		} else {
			KUNIT_EXPECT_TRUE(test, close_is_end(ret));
			KUNIT_EXPECT_LE(test, bytes, (u64)ST_HDR + half);
		}
		st_pair_close(&p);
	}
}

struct close_writer {
	struct socket *sock;
	u64 sent;
};

static int close_write(struct st_thread *t)
{
	struct close_writer *w = t->arg;
	int ret = 0;

	while (!ret) {
		st_where(t, "send frame %llu", w->sent);
		ret = st_send_frame(w->sock, w->sent, 1000000);
		w->sent++;
	}
	return ret;
}

/* The reader goes while a long message is on its way; the writer is told. */
static void close_mid_message(struct kunit *test)
{
	static const u32 reads[] = { 0, 1, 1000, 500000 };
	u8 *buf = kunit_kmalloc(test, 500000, GFP_KERNEL);
	int i, ret;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (i = 0; i < ARRAY_SIZE(reads); i++) {
		struct close_writer *w = kzalloc(sizeof(*w), GFP_KERNEL);
		struct st_thread *t;
		struct st_pair p;

		KUNIT_ASSERT_NOT_NULL(test, w);
		KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
		if (p.s) {
			w->sock = p.c;
			t = st_run("writer", close_write, w);
			if (reads[i])
				KUNIT_EXPECT_EQ(test, st_recv_all(p.s, buf, reads[i], 0), 0);
			else
				msleep(50);
			close_soon(test, &p.s, "reader in the middle of a message");
			ret = st_join(t, st_cfg.timeout / 2);
			KUNIT_EXPECT_TRUE_MSG(test, ret == -EPIPE || ret == -ECONNRESET,
					      "writer got %d", ret);
		}
		st_pair_close(&p);
		if (st_stuck())
			return;
		kfree(w);
	}
}

static int close_spin(struct st_thread *t)
{
	u8 byte;
	int ret;

	st_where(t, "read without waiting");
	do {
		ret = st_recv(t->arg, &byte, 1, MSG_DONTWAIT);
		cond_resched();
	} while (ret == -EAGAIN && !signal_pending(current));
	return ret;
}

/* Abort the writer inside a frame. 1: it is, 0: the reader had it all, -1: failed. */
static int close_abort_inside(struct kunit *test, const u8 *frame, u32 len)
{
	const struct st_opts o = { .max_recv = 512, .max_frag = len };
	unsigned long end = jiffies + msecs_to_jiffies(st_cfg.timeout);
	u64 before = st_counter("MsgRcvd");
	struct st_thread *t;
	struct st_pair p;
	int ret;

	KUNIT_EXPECT_EQ(test, st_pair_open(&p, &o, &o), 0);
	if (!p.s)
		return -1;
	t = st_run("reader", close_spin, p.s);
	KUNIT_EXPECT_EQ(test, st_send_all(p.c, frame, len, 0), 0);
	while (st_counter("MsgRcvd") - before < 100 && time_before(jiffies, end))
		cond_resched();
	sock_no_linger(p.c->sk);
	close_soon(test, &p.c, "writer inside a message");
	ret = st_join(t, st_cfg.timeout);
	if (st_stuck())
		return -1;
	st_pair_close(&p);
	if (ret == 1)
		return 0;
	KUNIT_EXPECT_EQ(test, ret, -ECONNRESET);
	return ret == -ECONNRESET ? 1 : -1;
}

/*
 * A part of a frame has come when the connection ends. A reader who looks all the
 * time, and may be the first to see the end, finds the reason, not the end of file.
 */
static void close_reason_first(struct kunit *test)
{
	const u32 len = SZ_8M;
	unsigned int i, inside = 0, n = st_scaled(60, 20);
	u8 *frame;
	int ret = 0;

	if (st_counter("MsgRcvd") == U64_MAX)
		kunit_skip(test, "no counters");
	frame = kvzalloc(len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, frame);
	st_put_hdr(frame, len - ST_HDR);
	for (i = 0; ret >= 0 && i < n; i++) {
		ret = close_abort_inside(test, frame, len);
		inside += ret > 0;
	}
	KUNIT_EXPECT_GT(test, inside, n / 4);
	kvfree(frame);
}

/* Everything that was queued when the writer closed arrives, then the end. */
static void close_queued_run(struct kunit *test, u32 len, unsigned int max, unsigned int lag)
{
	u8 *frame = kvmalloc(len + ST_HDR, GFP_KERNEL);
	unsigned int n = 0, i;
	struct st_pair p;
	size_t done = 0;
	int ret = 0;

	KUNIT_ASSERT_NOT_NULL(test, frame);
	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	if (!p.s)
		goto out;
	/* As many whole frames as are taken without waiting. */
	while (n < max) {
		st_put_hdr(frame, len);
		memcpy(frame + ST_HDR, st_pattern(n), len);
		ret = st_send(p.c, frame + done, len + ST_HDR - done, MSG_DONTWAIT);
		if (ret < 0)
			break;
		done += ret;
		if (done < len + ST_HDR)
			continue;
		done = 0;
		n++;
	}
	KUNIT_EXPECT_GT(test, n, 0);
	close_soon(test, &p.c, "writer with queued data");
	msleep(lag);
	for (i = 0, ret = 0; !ret && i < n; i++)
		ret = st_recv_frame(p.s, i, len, 0, frame);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "frame %u of %u, each of %u bytes", i, n, len);
	if (!ret && !done)
		KUNIT_EXPECT_EQ(test, st_recv(p.s, frame, 1, 0), 0);
out:
	st_pair_close(&p);
	kvfree(frame);
}

static void close_queued(struct kunit *test)
{
	close_queued_run(test, 1, 1000, 0);
	close_queued_run(test, 1000, 10, 0);
	close_queued_run(test, 8112, 1000, 0);
	close_queued_run(test, 100000, 1000, 0);
	close_queued_run(test, 8112, 1000, 1000);
	close_queued_run(test, 1000000, 1, 1000);
}

struct close_both {
	struct completion go;
	struct socket *sock[2];
	atomic_t next;
};

static int close_both_thread(struct st_thread *t)
{
	struct close_both *b = t->arg;

	wait_for_completion(&b->go);
	st_release(&b->sock[atomic_inc_return(&b->next) - 1]);
	return 0;
}

/* Both ends at the same moment, idle and with data both ways. */
static void close_at_once(struct kunit *test)
{
	unsigned int i, n = st_scaled(100, 20);

	for (i = 0; i < n; i++) {
		struct close_both *b = kzalloc(sizeof(*b), GFP_KERNEL);
		struct st_thread *t[2];
		struct st_pair p;

		KUNIT_ASSERT_NOT_NULL(test, b);
		init_completion(&b->go);
		if (st_pair_open(&p, NULL, NULL)) {
			KUNIT_FAIL(test, "no connection in round %u", i);
			kfree(b);
			return;
		}
		if (i % 2) {
			st_send_frame(p.c, i, 3000);
			st_send_frame(p.s, i, 3000);
		}
		b->sock[0] = p.c;
		b->sock[1] = p.s;
		p.c = NULL;
		p.s = NULL;
		t[0] = st_run("close0", close_both_thread, b);
		t[1] = st_run("close1", close_both_thread, b);
		complete_all(&b->go);
		KUNIT_EXPECT_EQ(test, st_join(t[0], CLOSE_SOON), 0);
		KUNIT_EXPECT_EQ(test, st_join(t[1], CLOSE_SOON), 0);
		st_pair_close(&p);
		if (st_stuck())
			return;
		kfree(b);
	}
}

/* No more from here: what was sent before arrives, then the end. */
static void close_shutdown_write(struct kunit *test)
{
	u8 *buf = kunit_kmalloc(test, 50000 + ST_HDR, GFP_KERNEL);
	struct st_pair p;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 1, 50000), 0);
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(p.c, SHUT_WR), 0);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 1, 10), -EPIPE);
	KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, 1, 50000, 0, buf), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 1, 0), 0);
	st_pair_close(&p);
}

/* Also while so much is unread that the peer has hardly a credit left: the end is orderly. */
static void close_shutdown_unread(struct kunit *test)
{
	u8 *buf = kunit_kzalloc(test, 8000 + ST_HDR, GFP_KERNEL);
	unsigned long start;
	struct st_pair p;
	u64 bytes;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	sock_set_rcvbuf(p.s->sk, SZ_32K);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 1, MSG_DONTWAIT), -EAGAIN);
	st_put_hdr(buf, 8000);
	KUNIT_EXPECT_GT(test, st_fill(p.c, buf, 8000 + ST_HDR), 0);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLIN, st_cfg.timeout), 0);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(p.s, SHUT_WR), 0);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLHUP, CLOSE_SOON), 0);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), CLOSE_SOON / 2);
	KUNIT_EXPECT_EQ(test, close_read_to_end(p.s, &bytes), 0);
	KUNIT_EXPECT_GT(test, bytes, 0);
	st_pair_close(&p);
}

static int close_now_and_then(struct st_thread *t)
{
	u32 i;

	msleep(20);
	for (i = 0; !signal_pending(current) && !st_send_frame(t->arg, i, 100); i++)
		msleep(100);
	return 0;
}

/* A peer that has many credits and says something now and then does not hold up the end. */
static void close_talking(struct kunit *test)
{
	/* The end asks for as long as an answer may take: that is not to be what ends it. */
	const struct st_opts o = { .ka_timeout = 4 * CLOSE_SOON };
	u8 *buf = kvmalloc(SZ_256K + ST_HDR, GFP_KERNEL);
	struct st_thread *t;
	unsigned long start;
	struct st_pair p;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_EXPECT_EQ(test, st_pair_open(&p, &o, &o), 0);
	for (i = 0; p.s && i < 16; i++) {
		KUNIT_EXPECT_EQ(test, st_send_frame(p.s, i, SZ_256K), 0);
		KUNIT_EXPECT_EQ(test, st_recv_frame(p.c, i, SZ_256K, 0, buf), 0);
	}
	kvfree(buf);
	if (!p.s)
		return;
	close_soon(test, &p.c, "whose peer talks");
	start = jiffies;
	t = st_run("now and then", close_now_and_then, p.s);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLHUP | EPOLLERR, 2 * CLOSE_SOON), 0);
	kunit_info(test, "the end came after %u ms", jiffies_to_msecs(jiffies - start));
	KUNIT_EXPECT_EQ(test, st_join(t, CLOSE_SOON), 0);
	st_pair_close(&p);
}

static void close_shutdown_read(struct kunit *test)
{
	struct st_pair p;
	u8 buf[8];

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(p.c, SHUT_RD), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), 0), 0);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 1, 10), 0);
	st_pair_close(&p);
}

static int close_recv_thread(struct st_thread *t)
{
	u8 buf[8];

	return st_recv(t->arg, buf, sizeof(buf), 0);
}

/* shutdown() wakes whoever waits, on either side. */
static void close_shutdown_wakes(struct kunit *test)
{
	struct st_thread *t[2];
	struct st_pair p;
	int ret;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	t[0] = st_run("recv_c", close_recv_thread, p.c);
	t[1] = st_run("recv_s", close_recv_thread, p.s);
	msleep(200);
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(p.c, SHUT_RDWR), 0);
	KUNIT_EXPECT_EQ(test, st_join(t[0], CLOSE_SOON), 0);
	ret = st_join(t[1], CLOSE_SOON);
	KUNIT_EXPECT_TRUE_MSG(test, close_is_end(ret), "peer got %d", ret);
	st_pair_close(&p);
}

static int close_accept_thread(struct st_thread *t)
{
	struct socket *child;
	int ret = st_accept(t->arg, &child, 0);

	st_release(&child);
	return ret;
}

static void close_shutdown_listener(struct kunit *test)
{
	struct st_thread *t;
	struct socket *ls;
	int ret;

	KUNIT_ASSERT_EQ(test, st_listen(st_port(), NULL, &ls), 0);
	t = st_run("accept", close_accept_thread, ls);
	msleep(200);
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(ls, SHUT_RDWR), 0);
	ret = st_join(t, CLOSE_SOON);
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	if (!st_stuck())
		close_soon(test, &ls, "listener after shutdown");
}

/* A pair whose client has a queue that the peer does not take. */
static int close_pair_full(struct st_pair *p, u8 *frame, u32 size)
{
	int ret = st_pair_open(p, NULL, NULL);

	if (ret)
		return ret;
	sock_set_rcvbuf(p->s->sk, SZ_64K);
	st_recv(p->s, frame, 1, MSG_DONTWAIT);
	st_setopt(p->c, SOL_SOCKET, SO_SNDBUF, SZ_64K);
	ret = st_fill(p->c, frame, size);
	return ret > 0 ? 0 : ret ?: -ENODATA;
}

static const struct close_wait {
	const char *name;
	bool full, half;
} close_waits[] = {
	{ "idle" }, { "in the middle of a frame", false, true }, { "with a full queue", true },
};

KUNIT_ARRAY_PARAM_DESC(close_wait, close_waits, name);

#define CLOSE_ROUNDS	9

/*
 * close() takes less than a connection does, which is a few times to the peer and back: it
 * waits for nobody.
 */
static void close_waits_not(struct kunit *test)
{
	const struct close_wait *w = test->param_value;
	const u32 size = ST_HDR + 8000;
	u8 *buf = kunit_kzalloc(test, size, GFP_KERNEL);
	u64 open[CLOSE_ROUNDS], close[CLOSE_ROUNDS], start;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	st_put_hdr(buf, size - ST_HDR);
	for (i = 0; i < CLOSE_ROUNDS; i++) {
		struct st_pair p;

		start = ktime_get_ns();
		KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
		open[i] = ktime_get_ns() - start;
		if (w->full) {
			st_pair_close(&p);
			KUNIT_ASSERT_EQ(test, close_pair_full(&p, buf, size), 0);
		}
		if (w->half)
			KUNIT_EXPECT_EQ(test, st_send(p.c, buf, size / 2, 0), size / 2);
		start = ktime_get_ns();
		st_release(&p.c);
		close[i] = ktime_get_ns() - start;
		st_pair_close(&p);
	}
	KUNIT_EXPECT_LT(test, st_median(close, CLOSE_ROUNDS), st_median(open, CLOSE_ROUNDS));
	kunit_info(test, "open %llu us, close %llu us", open[i / 2] / 1000, close[i / 2] / 1000);
}

/* What nobody takes after close() is thrown away after as long as SO_LINGER says. */
static void close_linger(struct kunit *test)
{
	const u32 size = ST_HDR + 8000;
	u8 *buf = kunit_kzalloc(test, size, GFP_KERNEL);
	unsigned int seconds, ms;
	unsigned long start;
	struct st_pair p;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (seconds = 0; seconds < 2; seconds++) {
		st_put_hdr(buf, size - ST_HDR);
		KUNIT_ASSERT_EQ(test, close_pair_full(&p, buf, size), 0);
		sock_set_flag(p.c->sk, SOCK_LINGER);
		p.c->sk->sk_lingertime = seconds * HZ;
		start = jiffies;
		close_soon(test, &p.c, "writer with SO_LINGER");
		KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLHUP, st_cfg.timeout), 0);
		ms = jiffies_to_msecs(jiffies - start);
		KUNIT_EXPECT_GE(test, ms, 1000 * seconds);
		KUNIT_EXPECT_LT(test, ms, 1000 * seconds + st_soon());
		st_pair_close(&p);
	}
}

/*
 * Without SO_LINGER that is 30 seconds, after close() and after shutdown(). And while it
 * goes on, what is taken arrives.
 */
static void close_thirty(struct kunit *test)
{
	const u32 size = ST_HDR + 8000;
	u8 *buf = kunit_kzalloc(test, size, GFP_KERNEL);
	struct st_pair closed, shut, late;
	unsigned int ms;
	unsigned long start;
	int n;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	st_put_hdr(buf, size - ST_HDR);
	KUNIT_ASSERT_EQ(test, close_pair_full(&closed, buf, size), 0);
	KUNIT_ASSERT_EQ(test, close_pair_full(&shut, buf, size), 0);
	KUNIT_ASSERT_EQ(test, st_pair_open(&late, NULL, NULL), 0);
	sock_set_rcvbuf(late.s->sk, SZ_64K);
	KUNIT_EXPECT_EQ(test, st_recv(late.s, buf, 1, MSG_DONTWAIT), -EAGAIN);
	st_put_hdr(buf, size - ST_HDR);
	n = st_fill(late.c, buf, size);
	start = jiffies;
	close_soon(test, &closed.c, "writer");
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(shut.c, SHUT_WR), 0);
	close_soon(test, &late.c, "writer whose reader is late");
	msleep(25000);
	KUNIT_EXPECT_FALSE(test, (st_poll(closed.s) | st_poll(shut.s) | st_poll(shut.c)) &
				 EPOLLHUP);
	for (; n > 0; n--)
		KUNIT_EXPECT_EQ(test, st_recv_all(late.s, buf, size, 0), 0);
	KUNIT_EXPECT_EQ(test, st_recv(late.s, buf, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, st_wait_poll(closed.s, EPOLLHUP, st_cfg.timeout), 0);
	KUNIT_EXPECT_EQ(test, st_wait_poll(shut.c, EPOLLERR, st_cfg.timeout), 0);
	ms = jiffies_to_msecs(jiffies - start);
	KUNIT_EXPECT_GE(test, ms, 30000);
	/* The kernel's timers may come late by an eighth of their time. */
	KUNIT_EXPECT_LT(test, ms, 30000 + 30000 / 8 + st_soon());
	KUNIT_EXPECT_EQ(test, st_recv(shut.c, buf, 1, 0), -ETIMEDOUT);
	st_pair_close(&closed);
	st_pair_close(&shut);
	st_pair_close(&late);
}

#define CLOSE_FAR_FRAMES	8

static int close_far_writer(struct st_thread *t)
{
	int ret = 0;
	u32 i;

	/* Until the peer, who does not read, has closed. */
	for (i = 0; !ret && !signal_pending(current); i++)
		ret = st_send_frame(t->arg, i, 1000);
	return 0;
}

/*
 * What was sent before close() arrives when it has far to go and the peer sends all the
 * time: what comes from there is no sign that it has arrived.
 */
static int close_far_run(struct kunit *test, u8 *buf, u32 len)
{
	struct st_thread *t;
	struct st_pair p;
	int ret;
	u32 i;

	ret = st_pair_open(&p, NULL, NULL);
	KUNIT_EXPECT_EQ(test, ret, 0);
	if (ret)
		return 0;
	t = st_run("far", close_far_writer, p.s);
	msleep(100);
	for (i = 0; !ret && i < CLOSE_FAR_FRAMES; i++)
		ret = st_send_frame(p.c, i, len);
	KUNIT_EXPECT_EQ(test, ret, 0);
	close_soon(test, &p.c, "writer whose data has far to go");
	for (i = 0; !ret && i < CLOSE_FAR_FRAMES; i++)
		ret = st_recv_frame(p.s, i, len, 0, buf);
	if (ret)
		kunit_info(test, "%d, frame %u of %u", ret, i, CLOSE_FAR_FRAMES);
	KUNIT_EXPECT_EQ(test, st_join(t, CLOSE_SOON), 0);
	st_pair_close(&p);
	return ret;
}

static void close_far(struct kunit *test)
{
	const u32 len = SZ_256K;
	u8 *buf = kvmalloc(len + ST_HDR, GFP_KERNEL);
	int ret = 0;
	u32 round;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (round = 0; !ret && !st_stuck() && round < 3; round++)
		ret = close_far_run(test, buf, len);
	KUNIT_EXPECT_EQ(test, ret, 0);
	kvfree(buf);
}

static struct kunit_case close_cases[] = {
	KUNIT_CASE(close_connecting),
	KUNIT_CASE(close_listener_first),
	KUNIT_CASE(close_unaccepted),
	KUNIT_CASE(close_before_accept),
	KUNIT_CASE(close_listener_under),
	KUNIT_CASE(close_mid_frame),
	KUNIT_CASE(close_mid_message),
	KUNIT_CASE(close_queued),
	KUNIT_CASE(close_at_once),
	KUNIT_CASE(close_shutdown_write),
	KUNIT_CASE(close_talking),
	KUNIT_CASE(close_shutdown_read),
	KUNIT_CASE(close_shutdown_wakes),
	KUNIT_CASE(close_shutdown_listener),
	ST_ONLY(ours),
	KUNIT_CASE(close_before_accept_silent),
	KUNIT_CASE(close_reason_first),
	KUNIT_CASE(close_shutdown_unread),
	KUNIT_CASE_PARAM(close_waits_not, close_wait_gen_params),
	KUNIT_CASE(close_linger),
	{}
};

static struct kunit_suite close_suite = {
	.name = "smbdr_close",
	.init = st_suite_init,
	.test_cases = close_cases,
};

static struct kunit_case close_far_cases[] = {
	KUNIT_CASE(close_far),
	{}
};

static struct kunit_suite close_far_suite = {
	.name = "smbdr_close_far",
	.init = st_suite_init,
	.test_cases = close_far_cases,
};

static struct kunit_case close_long_cases[] = {
	KUNIT_CASE(close_thirty),
	{}
};

static struct kunit_suite close_long_suite = {
	.name = "smbdr_close_long",
	.init = st_suite_init,
	.test_cases = close_long_cases,
};

kunit_test_suites(&close_suite, &close_far_suite, &close_long_suite);
