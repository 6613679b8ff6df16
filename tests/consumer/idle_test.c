// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nobody says a word for many keepalive intervals.
 *
 * The connection has to stay, whoever has the shorter interval, and so does
 * one whose reader is asleep over unread data. Meanwhile each end sends one
 * keepalive in its interval at most. How the connections end is not measured
 * here: the group script compares the counters before and after the suite.
 */
#include <linux/delay.h>
#include <linux/poll.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include "smbdr_test.h"

/**
 * struct idle_mark - where the counters stood
 * @asked: KeepaliveSent
 * @sent: MsgSent
 * @at: jiffies
 */
struct idle_mark {
	u64 asked, sent;
	unsigned long at;
};

/* Ends of the last case may still be closing, and over iWARP these ask in quick succession. */
static void idle_mark(struct kunit *test, struct idle_mark *m)
{
	KUNIT_EXPECT_EQ(test, st_until(st_counter("ConnActive") + st_counter("ConnPassive") ==
				       st_counter("ConnClosed") + 2, st_cfg.timeout), 0);
	/* The time first: it must cover all that is counted. */
	m->at = jiffies;
	m->asked = st_counter("KeepaliveSent");
	m->sent = st_counter("MsgSent");
}

/*
 * Most keepalives since then of two ends that are both open. Two of one end are a whole interval
 * apart, so there is room for one more than there are whole intervals.
 */
static u64 idle_most(const struct idle_mark *m, unsigned int server, unsigned int client)
{
	unsigned int ms = jiffies_to_msecs(jiffies - m->at);

	return ms / server + 1 + ms / client + 1;
}

static void idle_asked(struct kunit *test, const struct idle_mark *m, const struct st_opts *server,
		       const struct st_opts *client)
{
	u64 asked = st_counter("KeepaliveSent") - m->asked;

	KUNIT_EXPECT_LE(test, asked, idle_most(m, server->ka_interval, client->ka_interval));
}

static const struct idle_case {
	const char *name;
	struct st_opts server, client;
} idle_cases_param[] = {
#define K(ms) .ka_interval = ms, .ka_timeout = 10000
#define C(n) .send_credits = n, .recv_credits = n
	{ "both", { K(100) }, { K(100) } },
	{ "server only", { K(100) }, { K(60000) } },
	{ "client only", { K(60000) }, { K(100) } },
	{ "both with 1 credit", { K(100), C(1) }, { K(100), C(1) } },
	{ "both with 2 credits", { K(100), C(2) }, { K(100), C(2) } },
	{ "server with 1, client with 255", { K(100), C(1) }, { K(100), C(255) } },
};

KUNIT_ARRAY_PARAM_DESC(idle, idle_cases_param, name);

/* Also before anybody has sent a thing: the accepted side has no credits yet. */
static void idle_stays(struct kunit *test)
{
	const struct idle_case *i = test->param_value;
	struct smbdirect_info info;
	struct idle_mark mark;
	struct st_pair p;
	u8 byte;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &i->server, &i->client), 0);
	idle_mark(test, &mark);
	if (st_ours()) {
		KUNIT_EXPECT_EQ(test, st_info(p.c, &info), 0);
		KUNIT_EXPECT_EQ(test, info.keepalive_interval, i->client.ka_interval);
	}
	msleep(1000);
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 1000), 0);
	msleep(1500);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, &byte, 1, MSG_DONTWAIT), -EAGAIN);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, &byte, 1, MSG_DONTWAIT), -EAGAIN);
	KUNIT_EXPECT_EQ(test, st_ping(p.s, p.c, 1000), 0);
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 100000), 0);
	idle_asked(test, &mark, &i->server, &i->client);
	st_pair_close(&p);
}

static const struct idle_unread_case {
	const char *name;
	int rcvbuf;
	bool both;
} idle_unread_param[] = {
	/* Above it, and at once above twice that, where there are no credits any more. */
	{ "a little behind" }, { "far behind", SZ_32K }, { "both far behind", SZ_32K, true },
};

KUNIT_ARRAY_PARAM_DESC(idle_unread, idle_unread_param, name);

static void idle_read(struct kunit *test, struct socket *sock, u8 *buf, int n)
{
	int i, ret = 0;

	for (i = 0; !ret && i < n; i++)
		ret = st_recv_all(sock, buf, 8000 + ST_HDR, 0);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "frame %d of %d", i, n);
}

/* A reader that sleeps takes the credits away, but not the last breath. */
static void idle_unread(struct kunit *test)
{
	const struct idle_unread_case *u = test->param_value;
	const unsigned int timeout = st_cfg.timeout / 10, interval = timeout / 5;
	const struct st_opts o = { .ka_interval = interval, .ka_timeout = timeout };
	u8 *buf = kunit_kzalloc(test, 8000 + ST_HDR, GFP_KERNEL);
	struct idle_mark mark;
	struct st_pair p;
	int n, m = 0;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &o, &o), 0);
	if (u->rcvbuf) {
		sock_set_rcvbuf(p.s->sk, u->rcvbuf);
		sock_set_rcvbuf(p.c->sk, u->rcvbuf);
	}
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 1, MSG_DONTWAIT), -EAGAIN);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, 1, MSG_DONTWAIT), -EAGAIN);
	st_put_hdr(buf, 8000);
	n = st_fill(p.c, buf, 8000 + ST_HDR);
	KUNIT_EXPECT_GT(test, n, 0);
	if (u->both)
		m = st_fill(p.s, buf, 8000 + ST_HDR);
	msleep(interval);
	idle_mark(test, &mark);
	msleep(2 * timeout);
	idle_asked(test, &mark, &o, &o);
	/* Twice in an interval an end sends a sign of life, with a credit for a message of data. */
	KUNIT_EXPECT_LE(test, st_counter("MsgSent") - mark.sent,
			4 * idle_most(&mark, interval, interval));
	KUNIT_EXPECT_FALSE(test, (st_poll(p.s) | st_poll(p.c)) & (EPOLLHUP | EPOLLERR));
	idle_read(test, p.s, buf, n);
	idle_read(test, p.c, buf, m);
	st_pair_close(&p);
}

/* A child that nobody accepts is kept alive too. */
static void idle_unaccepted(struct kunit *test)
{
	const struct st_opts o = { K(100) };
	u16 port = st_port();
	struct st_pair p = {};

	KUNIT_ASSERT_EQ(test, st_listen(port, &o, &p.ls), 0);
	KUNIT_EXPECT_EQ(test, st_dial(port, &o, &p.c), 0);
	msleep(2000);
	if (p.c)
		KUNIT_EXPECT_EQ(test, st_accept(p.ls, &p.s, 0), 0);
	if (p.s)
		KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 1000), 0);
	st_pair_close(&p);
}

static struct kunit_case idle_cases[] = {
	KUNIT_CASE_PARAM(idle_stays, idle_gen_params),
	KUNIT_CASE_PARAM(idle_unread, idle_unread_gen_params),
	KUNIT_CASE(idle_unaccepted),
	{}
};

static struct kunit_suite idle_suite = {
	.name = "smbdr_keepalive",
	.init = st_suite_init,
	.test_cases = idle_cases,
};

kunit_test_suite(idle_suite);
