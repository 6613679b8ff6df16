// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Options: what is taken, refused, read again and inherited.
 *
 * First those of SOL_SMBDIRECT, with their ranges and defaults, and what two ends make of them when
 * they negotiate; TCP has none of that, so with proto=6 these cases are left out. Then options of
 * other levels and ioctls, which users of TCP sockets use without asking what the socket is.
 */
#include <linux/delay.h>
#include <linux/in6.h>
#include <linux/poll.h>
#include <linux/sizes.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <asm/ioctls.h>
#include "smbdr_test.h"

/* As Documentation/networking/smbdirect.rst has them. */
static const struct option_own {
	const char *name;
	int opt, min, max, def;
} option_own_cases[] = {
	{ "MAX_SEND_SIZE", SMBDIRECT_MAX_SEND_SIZE, 128, 8136, 8136 },
	{ "MAX_RECV_SIZE", SMBDIRECT_MAX_RECV_SIZE, 128, 8192, 8192 },
	{ "MAX_FRAGMENTED_SIZE", SMBDIRECT_MAX_FRAGMENTED_SIZE, 131072, 16777215, 1048576 },
	{ "MAX_READ_WRITE_SIZE", SMBDIRECT_MAX_READ_WRITE_SIZE, 65536, 16777216, 8388608 },
	{ "SEND_CREDITS", SMBDIRECT_SEND_CREDITS, 1, 255, 255 },
	{ "RECV_CREDITS", SMBDIRECT_RECV_CREDITS, 1, 255, 255 },
	{ "KEEPALIVE_INTERVAL", SMBDIRECT_KEEPALIVE_INTERVAL, 10, 3600000, 120000 },
	{ "KEEPALIVE_TIMEOUT", SMBDIRECT_KEEPALIVE_TIMEOUT, 10, 3600000, 5000 },
	{ "CONNECT_TIMEOUT", SMBDIRECT_CONNECT_TIMEOUT, 10, 3600000, 120000 },
	{ "NEGOTIATE_TIMEOUT", SMBDIRECT_NEGOTIATE_TIMEOUT, 10, 3600000, 5000 },
	{ "DEVICE_CLASS", SMBDIRECT_DEVICE_CLASS, 0, 2, 0 },
	{ "INITIATOR_DEPTH", SMBDIRECT_INITIATOR_DEPTH, 1, 255, 8 },
	{ "RESPONDER_RESOURCES", SMBDIRECT_RESPONDER_RESOURCES, 1, 255, 32 },
};

KUNIT_ARRAY_PARAM_DESC(option_own, option_own_cases, name);

/* The class of the device of this bed. */
static int option_device(void)
{
	struct smbdirect_info info = {};
	struct st_pair p;

	if (st_pair_open(&p, NULL, NULL))
		return -1;
	st_info(p.c, &info);
	st_pair_close(&p);
	return info.device_class;
}

static void option_own(struct kunit *test)
{
	const struct option_own *o = test->param_value;
	struct socket *sock, *child = NULL, *c = NULL;
	u16 port = st_port();
	int val = -1, use = o->max;

	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	KUNIT_EXPECT_EQ(test, st_getopt(sock, SOL_SMBDIRECT, o->opt, &val), 0);
	KUNIT_EXPECT_EQ(test, val, o->def);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT, o->opt, o->min), 0);
	KUNIT_EXPECT_EQ(test, st_getopt(sock, SOL_SMBDIRECT, o->opt, &val), 0);
	KUNIT_EXPECT_EQ(test, val, o->min);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT, o->opt, o->max), 0);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT, o->opt, o->max + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT, o->opt, o->min - 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT, o->opt, INT_MIN), -EINVAL);
	KUNIT_EXPECT_EQ(test, st_getopt(sock, SOL_SMBDIRECT, o->opt, &val), 0);
	KUNIT_EXPECT_EQ(test, val, o->max);
	/* A length of two bytes is no int. */
	KUNIT_EXPECT_EQ(test, do_sock_setsockopt(sock, false, SOL_SMBDIRECT, o->opt,
						 KERNEL_SOCKPTR(&val), 2), -EINVAL);
	/* A child has what its listener had; that has to suit the device. */
	if (o->opt == SMBDIRECT_DEVICE_CLASS) {
		use = option_device();
		KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT, o->opt, use), 0);
	}
	KUNIT_EXPECT_EQ(test, st_bind(sock, port), 0);
	KUNIT_EXPECT_EQ(test, kernel_listen(sock, 2), 0);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT, o->opt, o->max), -EISCONN);
	KUNIT_EXPECT_EQ(test, st_dial(port, NULL, &c), 0);
	if (c)
		KUNIT_EXPECT_EQ(test, st_accept(sock, &child, 0), 0);
	if (child) {
		KUNIT_EXPECT_EQ(test, st_getopt(child, SOL_SMBDIRECT, o->opt, &val), 0);
		KUNIT_EXPECT_EQ(test, val, use);
	}
	st_release(&c);
	st_release(&child);
	st_release(&sock);
}

static void option_unknown(struct kunit *test)
{
	struct socket *sock;
	int val = 0;

	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT, 0, 1), -ENOPROTOOPT);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT, 4711, 1), -ENOPROTOOPT);
	KUNIT_EXPECT_EQ(test, st_getopt(sock, SOL_SMBDIRECT, 4711, &val), -ENOPROTOOPT);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT, SMBDIRECT_INFO, 1), -ENOPROTOOPT);
	/* Who speaks SMB over TCP sets this one; it means nothing here. */
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_TCP, TCP_NODELAY, 1), 0);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_TCP, TCP_MAXSEG, 1000), -ENOPROTOOPT);
	st_release(&sock);
}

/* What was agreed on is the minimum of both sides, and both say the same. */
static void option_negotiated(struct kunit *test)
{
	const struct st_opts server = { .max_send = 1364, .max_recv = 4096, .max_frag = 200000 };
	const struct st_opts client = { .max_send = 2048, .max_recv = 1000, .max_frag = 300000 };
	struct smbdirect_info c, s;
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &server, &client), 0);
	KUNIT_EXPECT_EQ(test, st_info(p.c, &c), 0);
	KUNIT_EXPECT_EQ(test, st_info(p.s, &s), 0);
	KUNIT_EXPECT_EQ(test, c.max_send_size, 2048);
	KUNIT_EXPECT_EQ(test, c.max_recv_size, 1000);
	KUNIT_EXPECT_EQ(test, s.max_send_size, 1000);
	KUNIT_EXPECT_EQ(test, s.max_recv_size, 2048);
	KUNIT_EXPECT_EQ(test, c.max_fragmented_send_size, 200000);
	KUNIT_EXPECT_EQ(test, c.max_fragmented_recv_size, 300000);
	KUNIT_EXPECT_EQ(test, s.max_fragmented_send_size, 300000);
	KUNIT_EXPECT_EQ(test, s.max_fragmented_recv_size, 200000);
	KUNIT_EXPECT_NE(test, c.device_class, 0);
	KUNIT_EXPECT_EQ(test, c.device_class, s.device_class);
	st_pair_close(&p);
}

/* Nobody has set anything: what both ends go by is what the documentation says. */
static void option_negotiated_default(struct kunit *test)
{
	struct smbdirect_info info;
	struct st_pair p;
	int i;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, st_info(i ? p.s : p.c, &info), 0);
		KUNIT_EXPECT_EQ(test, info.max_send_size, 8136);
		/* What we take is 8192, but nobody sends that much. */
		KUNIT_EXPECT_EQ(test, info.max_recv_size, 8136);
		KUNIT_EXPECT_EQ(test, info.max_fragmented_send_size, 1048576);
		KUNIT_EXPECT_EQ(test, info.max_fragmented_recv_size, 1048576);
		KUNIT_EXPECT_EQ(test, info.max_read_write_size, 8388608);
		KUNIT_EXPECT_EQ(test, info.keepalive_interval, 120000);
	}
	st_pair_close(&p);
}

/* How much of SMBDIRECT_INFO is filled, by the length that the caller gives. */
static const struct option_len {
	const char *name;
	int len, ret, filled;
} option_lens[] = {
	{ "negative", -1, -EINVAL, 0 },
	{ "none", 0, 0, 0 },
	{ "one byte", 1, 0, 1 },
	{ "a part", 21, 0, 21 },
	{ "all", sizeof(struct smbdirect_info), 0, sizeof(struct smbdirect_info) },
	{ "more", 256, 0, sizeof(struct smbdirect_info) },
};

KUNIT_ARRAY_PARAM_DESC(option_len, option_lens, name);

/* In kernel memory, where the kernel can, and in a program's. Credits change any time. */
static void option_info_len(struct kunit *test)
{
	const struct option_len *o = test->param_value;
	struct smbdirect_info info;
	struct st_pair p;
	u8 buf[256];
	int i;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_info(p.c, &info), 0);
	for (i = 0; i < 2; i++) {
		int len = o->len;

		memset(buf, 0xa5, sizeof(buf));
		KUNIT_EXPECT_EQ(test, (i ? st_read_opt_user : st_read_opt)
				(p.c, SOL_SMBDIRECT, SMBDIRECT_INFO, buf, &len), o->ret);
		if (!o->ret)
			KUNIT_EXPECT_EQ(test, len, o->filled);
		KUNIT_EXPECT_MEMEQ(test, buf, &info,
				   min_t(size_t, o->filled, offsetof(struct smbdirect_info,
								     send_credits)));
		KUNIT_EXPECT_NULL(test, memchr_inv(buf + o->filled, 0xa5,
						   sizeof(buf) - o->filled));
	}
	st_pair_close(&p);
}

/* Listen with devices of @class at @at, and connect to it at the address of the device. */
static int option_class_listen(const struct sockaddr_storage *at, int class)
{
	struct socket *ls, *c = NULL;
	u16 port = st_port();
	int ret = st_socket(&ls);

	if (!ret)
		ret = st_setopt(ls, SOL_SMBDIRECT, SMBDIRECT_DEVICE_CLASS, class);
	if (!ret)
		ret = st_bind_addr(ls, at, port);
	if (!ret)
		ret = kernel_listen(ls, 2);
	if (!ret)
		ret = st_dial(port, NULL, &c);
	st_release(&c);
	st_release(&ls);
	return ret;
}

/* A socket that may only use the other kind of device finds nobody, and nobody finds it. */
static void option_device_class(struct kunit *test)
{
	struct sockaddr_storage any = { .ss_family = st_cfg.addr.ss_family };
	struct socket *ls, *sock = NULL;
	int class, own = option_device();

	for (class = SMBDIRECT_DEVICE_IB; class <= SMBDIRECT_DEVICE_IWARP; class++) {
		u16 port = st_port();

		KUNIT_EXPECT_EQ(test, option_class_listen(&st_cfg.addr, class),
				class == own ? 0 : -EADDRNOTAVAIL);
		KUNIT_EXPECT_EQ(test, option_class_listen(&any, class),
				class == own ? 0 : -ECONNREFUSED);
		KUNIT_ASSERT_EQ(test, st_listen(port, NULL, &ls), 0);
		KUNIT_EXPECT_EQ(test, st_socket(&sock), 0);
		if (sock) {
			KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_SMBDIRECT,
							SMBDIRECT_DEVICE_CLASS, class), 0);
			KUNIT_EXPECT_EQ(test, st_connect(sock, port, 0),
					class == own ? 0 : -ENETUNREACH);
		}
		st_release(&sock);
		st_release(&ls);
	}
}

/* One value: what setting it returns, and what is read afterwards if that was 0. */
static const struct option_case {
	const char *name;
	int level, opt, val, ret, read;
} option_cases[] = {
	{ "TCP_NODELAY on", SOL_TCP, TCP_NODELAY, 7, 0, 1 },
	{ "TCP_NODELAY off", SOL_TCP, TCP_NODELAY, 0, 0, 0 },
	{ "TCP_CORK", SOL_TCP, TCP_CORK, 1, 0, 1 },
	{ "TCP_QUICKACK", SOL_TCP, TCP_QUICKACK, 1, 0, 1 },
	{ "TCP_DEFER_ACCEPT", SOL_TCP, TCP_DEFER_ACCEPT, 1, 0, 1 },
	{ "TCP_KEEPIDLE", SOL_TCP, TCP_KEEPIDLE, 30, 0, 30 },
	{ "TCP_KEEPIDLE too long for us", SOL_TCP, TCP_KEEPIDLE, 32767, 0, 3600 },
	{ "TCP_KEEPIDLE 0", SOL_TCP, TCP_KEEPIDLE, 0, -EINVAL, 120 },
	{ "TCP_KEEPIDLE 32768", SOL_TCP, TCP_KEEPIDLE, 32768, -EINVAL, 120 },
	{ "TCP_KEEPINTVL", SOL_TCP, TCP_KEEPINTVL, 7, 0, 7 },
	{ "TCP_KEEPINTVL -1", SOL_TCP, TCP_KEEPINTVL, -1, -EINVAL, 5 },
	{ "TCP_KEEPCNT", SOL_TCP, TCP_KEEPCNT, 127, 0, 127 },
	{ "TCP_KEEPCNT 128", SOL_TCP, TCP_KEEPCNT, 128, -EINVAL, 1 },
	{ "TCP_MAXSEG", SOL_TCP, TCP_MAXSEG, 1000, -ENOPROTOOPT, 8112 },
	{ "TCP_ULP", SOL_TCP, TCP_ULP, 1, -ENOPROTOOPT, -ENOPROTOOPT },
	{ "IP_TOS", SOL_IP, IP_TOS, 0x28, 0, 0x28 },
	{ "IP_TOS 256", SOL_IP, IP_TOS, 256, -EINVAL, 0 },
	{ "IP_TTL", SOL_IP, IP_TTL, 1, -ENOPROTOOPT, -ENOPROTOOPT },
	{ "IPV6_V6ONLY", SOL_IPV6, IPV6_V6ONLY, 5, 0, 1 },
	{ "IPV6_TCLASS", SOL_IPV6, IPV6_TCLASS, 255, 0, 255 },
	{ "IPV6_TCLASS -1", SOL_IPV6, IPV6_TCLASS, -1, 0, 0 },
	{ "IPV6_TCLASS 256", SOL_IPV6, IPV6_TCLASS, 256, -EINVAL, 0 },
	{ "IPV6_UNICAST_HOPS", SOL_IPV6, IPV6_UNICAST_HOPS, 1, -ENOPROTOOPT, -ENOPROTOOPT },
	{ "unknown level", 4711, 1, 1, -ENOPROTOOPT, -ENOPROTOOPT },
};

KUNIT_ARRAY_PARAM_DESC(option, option_cases, name);

/* A negative value to be read is the error of reading. */
static void option_foreign(struct kunit *test)
{
	const struct option_case *o = test->param_value;
	bool other_family = o->level == SOL_IPV6 && st_cfg.addr.ss_family != AF_INET6;
	int val = 4711, ret, read;
	struct socket *sock;

	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	ret = st_setopt(sock, o->level, o->opt, o->val);
	KUNIT_EXPECT_EQ(test, ret, other_family ? -ENOPROTOOPT : o->ret);
	read = st_getopt(sock, o->level, o->opt, &val) ?: val;
	KUNIT_EXPECT_EQ(test, read, other_family ? -ENOPROTOOPT : o->read);
	st_release(&sock);
}

/* What can only be decided before there is an address. */
static void option_v6only_late(struct kunit *test)
{
	struct socket *sock;

	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	KUNIT_EXPECT_EQ(test, st_bind(sock, st_port()), 0);
	KUNIT_EXPECT_EQ(test, st_setopt(sock, SOL_IPV6, IPV6_V6ONLY, 1), -EINVAL);
	st_release(&sock);
}

/* What a listener was told its children know. */
static void option_inherited(struct kunit *test)
{
	struct socket *ls, *c = NULL, *s = NULL;
	u16 port = st_port();

	KUNIT_ASSERT_EQ(test, st_socket(&ls), 0);
	sock_set_reuseaddr(ls->sk);
	sock_set_keepalive(ls->sk);
	sock_set_flag(ls->sk, SOCK_LINGER);
	ls->sk->sk_lingertime = 3 * HZ;
	KUNIT_EXPECT_EQ(test, st_bind(ls, port), 0);
	KUNIT_EXPECT_EQ(test, kernel_listen(ls, 2), 0);
	KUNIT_EXPECT_EQ(test, st_dial(port, NULL, &c), 0);
	if (c)
		KUNIT_EXPECT_EQ(test, st_accept(ls, &s, 0), 0);
	if (s) {
		KUNIT_EXPECT_TRUE(test, sock_flag(s->sk, SOCK_KEEPOPEN));
		KUNIT_EXPECT_TRUE(test, sock_flag(s->sk, SOCK_LINGER));
		KUNIT_EXPECT_EQ(test, s->sk->sk_lingertime, 3 * HZ);
		KUNIT_EXPECT_TRUE(test, s->sk->sk_reuse);
	}
	st_release(&s);
	st_release(&c);
	st_release(&ls);
}

static int option_ioctl(struct socket *sock, int cmd, int *val)
{
	return sock->sk->sk_prot->ioctl(sock->sk, cmd, val);
}

/* How much can be read, and how much has not left yet. */
static void option_queues(struct kunit *test)
{
	u8 buf[ST_HDR + 100];
	struct st_pair p;
	int val = -1;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, option_ioctl(p.s, SIOCINQ, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 1, 100), 0);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLIN, st_cfg.timeout), 0);
	KUNIT_EXPECT_EQ(test, option_ioctl(p.s, SIOCINQ, &val), 0);
	KUNIT_EXPECT_EQ(test, val, ST_HDR + 100);
	KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, 1, 100, 0, buf), 0);
	KUNIT_EXPECT_EQ(test, option_ioctl(p.s, SIOCINQ, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
	KUNIT_EXPECT_EQ(test, st_wait_sent(p.c), 0);
	val = -1;
	KUNIT_EXPECT_EQ(test, option_ioctl(p.c, SIOCOUTQNSD, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
	/* The first part of a frame waits for the rest. */
	if (st_ours()) {
		st_put_hdr(buf, 100);
		KUNIT_EXPECT_EQ(test, st_send(p.c, buf, ST_HDR + 70, 0), ST_HDR + 70);
		KUNIT_EXPECT_EQ(test, option_ioctl(p.c, SIOCOUTQNSD, &val), 0);
		KUNIT_EXPECT_EQ(test, val, 70);
		KUNIT_EXPECT_EQ(test, option_ioctl(p.c, SIOCOUTQ, &val), 0);
		KUNIT_EXPECT_EQ(test, val, 70);
		KUNIT_EXPECT_EQ(test, st_send(p.c, buf, 30, 0), 30);
		KUNIT_EXPECT_EQ(test, st_wait_sent(p.c), 0);
	}
	KUNIT_EXPECT_EQ(test, option_ioctl(p.ls, SIOCINQ, &val), -EINVAL);
	KUNIT_EXPECT_EQ(test, option_ioctl(p.c, SIOCATMARK + 0x100, &val), -ENOIOCTLCMD);
	st_pair_close(&p);
}

struct option_waiter {
	wait_queue_entry_t entry;
	atomic_t woken;
};

static int option_wake(wait_queue_entry_t *entry, unsigned int mode, int sync, void *key)
{
	atomic_inc(&container_of(entry, struct option_waiter, entry)->woken);
	return 0;
}

/* Less than that is nothing to read; what is enough changes under who waits. */
static void option_rcvlowat(struct kunit *test)
{
	struct option_waiter *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	u8 *buf = kunit_kzalloc(test, ST_HDR + 1000, GFP_KERNEL);
	struct st_pair p;
	const u32 most = st_scaled(5000, 100);
	unsigned long end;
	int inq = 0;
	u32 n, i;

	KUNIT_ASSERT_TRUE(test, w && buf);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_setopt(p.s, SOL_SOCKET, SO_RCVLOWAT, 3000), 0);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 1, 1000), 0);
	end = jiffies + msecs_to_jiffies(st_cfg.timeout);
	while (!option_ioctl(p.s, SIOCINQ, &inq) && inq < ST_HDR + 1000 &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, inq, ST_HDR + 1000);
	KUNIT_EXPECT_FALSE(test, st_poll(p.s) & EPOLLIN);
	init_waitqueue_func_entry(&w->entry, option_wake);
	add_wait_queue(sk_sleep(p.s->sk), &w->entry);
	KUNIT_EXPECT_EQ(test, st_setopt(p.s, SOL_SOCKET, SO_RCVLOWAT, 1000), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&w->woken), 0);
	remove_wait_queue(sk_sleep(p.s->sk), &w->entry);
	KUNIT_EXPECT_TRUE(test, st_poll(p.s) & EPOLLIN);
	KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, 1, 1000, 0, buf), 0);

	/*
	 * As much as can be asked for, and then room for less, most of it taken by what a
	 * small frame costs. TCP has other ways out of that.
	 */
	if (!st_ours())
		goto out;
	KUNIT_EXPECT_EQ(test, st_setopt(p.s, SOL_SOCKET, SO_RCVLOWAT, SZ_1M), 0);
	sock_set_rcvbuf(p.s->sk, SZ_2K);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 1, MSG_DONTWAIT), -EAGAIN);
	st_put_hdr(buf, 100);
	for (n = 0; n < most; n++)
		if (st_send(p.c, buf, ST_HDR + 100, MSG_DONTWAIT) != ST_HDR + 100)
			break;
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLIN, st_cfg.timeout), 0);
	for (i = 0; i < n; i++)
		if (st_recv_all(p.s, buf, ST_HDR + 100, 0))
			break;
	KUNIT_EXPECT_EQ(test, i, n);
out:
	st_pair_close(&p);
}

/* SO_SNDBUF and SO_RCVBUF as they are when nobody has set them, and at a child. */
static void option_buffers(struct kunit *test)
{
	struct st_pair p;
	int i, val;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	for (i = 0; i < 2; i++) {
		struct socket *sock = i ? p.s : p.c;

		KUNIT_EXPECT_EQ(test, st_getopt(sock, SOL_SOCKET, SO_SNDBUF, &val), 0);
		KUNIT_EXPECT_EQ(test, val, SZ_4M);
		KUNIT_EXPECT_EQ(test, st_getopt(sock, SOL_SOCKET, SO_RCVBUF, &val), 0);
		KUNIT_EXPECT_EQ(test, val, SZ_4M);
	}
	st_pair_close(&p);
}

/* What is no int: of a listener, which has negotiated nothing, and in the words of TCP. */
static void option_structs(struct kunit *test)
{
	struct smbdirect_info info;
	struct tcp_info ti = {};
	struct st_pair p;
	int len;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_info(p.ls, &info), 0);
	KUNIT_EXPECT_TRUE(test, !memchr_inv(&info, 0, sizeof(info)));
	KUNIT_EXPECT_EQ(test, st_info(p.c, &info), 0);
	len = sizeof(ti);
	KUNIT_EXPECT_EQ(test, st_read_opt(p.c, SOL_TCP, TCP_INFO, &ti, &len), 0);
	KUNIT_EXPECT_EQ(test, len, (int)sizeof(ti));
	KUNIT_EXPECT_EQ(test, ti.tcpi_state, TCP_ESTABLISHED);
	KUNIT_EXPECT_EQ(test, ti.tcpi_snd_mss, info.max_send_size - 24);
	KUNIT_EXPECT_EQ(test, ti.tcpi_rcv_mss, info.max_recv_size - 24);
	KUNIT_EXPECT_GT(test, ti.tcpi_rto, 0);
	memset(&ti, 0xee, sizeof(ti));
	len = 1;
	KUNIT_EXPECT_EQ(test, st_read_opt(p.ls, SOL_TCP, TCP_INFO, &ti, &len), 0);
	KUNIT_EXPECT_EQ(test, len, 1);
	KUNIT_EXPECT_EQ(test, ti.tcpi_state, TCP_LISTEN);
	KUNIT_EXPECT_TRUE(test, !memchr_inv((u8 *)&ti + 1, 0xee, sizeof(ti) - 1));
	st_pair_close(&p);
}

static struct kunit_case option_test_cases[] = {
	KUNIT_CASE(option_inherited),
	KUNIT_CASE(option_queues),
	KUNIT_CASE(option_rcvlowat),
	ST_ONLY(ours),
	KUNIT_CASE_PARAM(option_own, option_own_gen_params),
	KUNIT_CASE(option_unknown),
	KUNIT_CASE(option_negotiated),
	KUNIT_CASE(option_negotiated_default),
	KUNIT_CASE_PARAM(option_info_len, option_len_gen_params),
	KUNIT_CASE(option_device_class),
	KUNIT_CASE_PARAM(option_foreign, option_gen_params),
	KUNIT_CASE(option_buffers),
	KUNIT_CASE(option_structs),
	ST_ONLY(v6_ours),
	KUNIT_CASE(option_v6only_late),
	{}
};

static struct kunit_suite option_suite = {
	.name = "smbdr_option",
	.init = st_suite_init,
	.test_cases = option_test_cases,
};

kunit_test_suite(option_suite);
