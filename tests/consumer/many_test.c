// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many connections: one after the other, and all at the same time; and two
 * network namespaces.
 *
 * What they leave behind is judged by the group scripts, which compare RDMA
 * resources and slab objects before and after.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include "smbdr_test.h"

static int netns_pid;
module_param(netns_pid, int, 0444);
MODULE_PARM_DESC(netns_pid, "a process in the other namespace");
static char *netns_addr = "";
module_param(netns_addr, charp, 0444);
MODULE_PARM_DESC(netns_addr, "address of the other namespace, on the same network as addr");

struct many_server {
	struct socket *ls;
	unsigned int count;
};

/* Take them as they come; one frame in, one frame out, gone. */
static int many_serve(struct st_thread *t)
{
	struct many_server *s = t->arg;
	u8 buf[ST_HDR + 100];
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < s->count; i++) {
		struct socket *child;

		st_where(t, "accept %u", i);
		ret = st_accept(s->ls, &child, 0);
		if (ret)
			break;
		st_where(t, "exchange %u", i);
		ret = st_recv_frame(child, i, 100, 0, buf);
		if (!ret)
			ret = st_send_frame(child, i + 1, 100);
		st_release(&child);
	}
	return ret;
}

static void many_in_a_row(struct kunit *test)
{
	struct many_server *s = kzalloc(sizeof(*s), GFP_KERNEL);
	u16 port = st_port();
	struct st_thread *t;
	u8 buf[ST_HDR + 100];
	unsigned int i;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->count = st_scaled(2000, 50);
	ret = st_listen(port, NULL, &s->ls);
	KUNIT_EXPECT_EQ(test, ret, 0);
	if (ret)
		goto out;
	t = st_run("server", many_serve, s);
	for (i = 0; !ret && i < s->count; i++) {
		struct socket *c;

		ret = st_dial(port, NULL, &c);
		if (!ret)
			ret = st_send_frame(c, i, 100);
		if (!ret)
			ret = st_recv_frame(c, i + 1, 100, 0, buf);
		st_release(&c);
	}
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "connection %u of %u", i, s->count);
	KUNIT_EXPECT_EQ(test, st_join(t, 2 * st_cfg.timeout), 0);
	if (st_stuck())
		return;
	st_release(&s->ls);
out:
	kfree(s);
}

static void many_close_all(struct socket **socks, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		st_release(&socks[i]);
}

/* All connects are started before the first accept: as many as the backlog, a burst. */
static void many_at_once(struct kunit *test)
{
	/* The server's clock runs for all of them from the start. */
	static const struct st_opts patient = { .negotiate_timeout = 20000 };
	unsigned int i, n = st_scaled(ST_BACKLOG, 40);
	u8 buf[ST_HDR + 1000];
	struct socket **c, **s;
	u16 port = st_port();
	struct socket *ls;
	int ret = 0;

	c = kunit_kcalloc(test, n, sizeof(*c), GFP_KERNEL);
	s = kunit_kcalloc(test, n, sizeof(*s), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, c && s);
	KUNIT_ASSERT_EQ(test, st_listen(port, &patient, &ls), 0);
	for (i = 0; !ret && i < n; i++) {
		ret = st_socket(&c[i]);
		if (!ret)
			ret = st_connect(c[i], port, O_NONBLOCK);
		if (ret == -EINPROGRESS)
			ret = 0;
	}
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "connect %u", i);
	for (i = 0; !ret && i < n; i++)
		ret = st_accept(ls, &s[i], 0);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "accept %u", i);
	for (i = 0; !ret && i < n; i++)
		ret = st_wait_poll(c[i], EPOLLOUT, st_cfg.timeout);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "connected %u", i);
	/* Everybody speaks before anybody is answered; who is who does not matter. */
	for (i = 0; !ret && i < n; i++)
		ret = st_send_frame(c[i], 5, 1000);
	for (i = 0; !ret && i < n; i++)
		ret = st_recv_frame(s[i], 5, 1000, 0, buf);
	for (i = 0; !ret && i < n; i++)
		ret = st_send_frame(s[i], 6, 1000);
	for (i = 0; !ret && i < n; i++)
		ret = st_recv_frame(c[i], 6, 1000, 0, buf);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "exchange %u", i);
	many_close_all(s, n);
	many_close_all(c, n);
	st_release(&ls);
}

/* Sockets that never come to anything are cheap, and all go. */
static void many_unused(struct kunit *test)
{
	unsigned int i, n = st_scaled(1000, 100);
	struct socket *sock;
	int ret = 0;

	for (i = 0; !ret && i < n; i++) {
		ret = st_socket(&sock);
		if (!ret && i % 3)
			ret = st_bind(sock, st_port());
		if (!ret && i % 3 == 2)
			ret = kernel_listen(sock, 5);
		st_release(&sock);
	}
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "socket %u", i);
}

static struct kunit_case many_cases[] = {
	KUNIT_CASE(many_in_a_row),
	KUNIT_CASE(many_at_once),
	KUNIT_CASE(many_unused),
	{}
};

static struct kunit_suite many_suite = {
	.name = "smbdr_many",
	.init = st_suite_init,
	.test_cases = many_cases,
};

/* The other namespace, for the length of a case. */
static int netns_init(struct kunit *test)
{
	struct net *net;
	int ret = st_suite_init(test);

	if (ret)
		return ret;
	if (!netns_pid)
		kunit_skip(test, "no netns_pid");
	net = get_net_ns_by_pid(netns_pid);
	if (IS_ERR(net))
		return PTR_ERR(net);
	test->priv = net;
	return 0;
}

static void netns_exit(struct kunit *test)
{
	if (test->priv)
		put_net(test->priv);
}

static int netns_listen(struct net *net, const struct sockaddr_storage *at, u16 port,
			struct socket **ls)
{
	int ret = st_socket_at(net, at->ss_family, st_cfg.proto, ls);

	if (!ret)
		ret = st_bind_addr(*ls, at, port);
	if (!ret)
		ret = kernel_listen(*ls, 5);
	if (ret)
		st_release(ls);
	return ret;
}

/* From @a's namespace to a listener in @b's. */
static void netns_connect(struct kunit *test, struct net *a, struct net *b,
			  const struct sockaddr_storage *at)
{
	struct st_pair p = {};
	u16 port = st_port();

	KUNIT_EXPECT_EQ(test, netns_listen(b, at, port, &p.ls), 0);
	KUNIT_EXPECT_EQ(test, st_socket_at(a, at->ss_family, st_cfg.proto, &p.c), 0);
	if (p.ls && p.c)
		KUNIT_EXPECT_EQ(test, st_connect_addr(p.c, at, port, 0), 0);
	if (p.ls)
		KUNIT_EXPECT_EQ(test, st_accept(p.ls, &p.s, 0), 0);
	if (p.s) {
		KUNIT_EXPECT_PTR_EQ(test, sock_net(p.s->sk), b);
		KUNIT_EXPECT_PTR_EQ(test, sock_net(p.c->sk), a);
		KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 100000), 0);
	}
	st_pair_close(&p);
}

static void netns_out(struct kunit *test)
{
	struct sockaddr_storage there;

	KUNIT_ASSERT_EQ(test, st_parse_addr(netns_addr, &there), 0);
	netns_connect(test, &init_net, test->priv, &there);
}

static void netns_in(struct kunit *test)
{
	netns_connect(test, test->priv, &init_net, &st_cfg.addr);
}

/* Each has its own ports and its own addresses. */
static void netns_apart(struct kunit *test)
{
	struct socket *a, *b, *c;
	struct sockaddr_storage there;
	u16 port = st_port();

	KUNIT_ASSERT_EQ(test, st_parse_addr(netns_addr, &there), 0);
	KUNIT_EXPECT_EQ(test, netns_listen(&init_net, &st_cfg.addr, port, &a), 0);
	KUNIT_EXPECT_EQ(test, netns_listen(test->priv, &there, port, &b), 0);
	KUNIT_EXPECT_EQ(test, netns_listen(test->priv, &st_cfg.addr, port, &c), -EADDRNOTAVAIL);
	st_release(&c);
	KUNIT_EXPECT_EQ(test, netns_listen(&init_net, &there, port, &c), -EADDRNOTAVAIL);
	st_release(&c);
	st_release(&b);
	st_release(&a);
}

static struct kunit_case netns_cases[] = {
	KUNIT_CASE(netns_out),
	KUNIT_CASE(netns_in),
	KUNIT_CASE(netns_apart),
	{}
};

static struct kunit_suite netns_suite = {
	.name = "smbdr_netns",
	.init = netns_init,
	.exit = netns_exit,
	.test_cases = netns_cases,
};

kunit_test_suites(&many_suite, &netns_suite);
