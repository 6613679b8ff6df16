// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every socket call in every state.
 *
 * The table below is the contract: one line for each call, one column for each
 * state that a socket can be in, and in it what the call returns there. Calls
 * that give a positive number count as 0. Where TCP answers differently, the
 * second table says so; with proto=6 it is the one that counts. Each cell is a
 * case of its own, named "call, state", on a fresh socket. What does not fit
 * into a table has its own case behind it.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include "smbdr_test.h"

enum api_state {
	S_FRESH, S_BOUND, S_LISTEN, S_CONNECTING, S_CONNECTED, S_PEERGONE, S_SHUTWR, S_SHUT,
	S_REFUSED, S_COUNT
};

static const char * const api_state_names[S_COUNT] = {
	"fresh", "bound", "listening", "connecting", "connected", "closed by peer",
	"shut for writing", "shut down", "refused",
};

struct api_ctx {
	struct st_pair pair;	/* connected states; .ls lives in all of them */
	struct socket *mute;	/* where a connect gets stuck, see api_connecting() */
	struct socket *sock;	/* the socket that is called */
	u16 port;		/* of .pair.ls */
};

static int api_bind(struct api_ctx *a)
{
	return st_bind(a->sock, st_port());
}

static int api_listen(struct api_ctx *a)
{
	return kernel_listen(a->sock, 1);
}

static int api_accept(struct api_ctx *a)
{
	struct socket *child;
	int ret = st_accept(a->sock, &child, O_NONBLOCK);

	st_release(&child);
	return ret;
}

/* On a busy machine it may be through before the call returns. */
static int api_connect(struct api_ctx *a)
{
	int ret = st_connect(a->sock, a->port, O_NONBLOCK);

	return ret ?: -EINPROGRESS;
}

static int api_getsockname(struct api_ctx *a)
{
	struct sockaddr_storage ss;

	return kernel_getsockname(a->sock, (struct sockaddr *)&ss);
}

static int api_getpeername(struct api_ctx *a)
{
	struct sockaddr_storage ss;

	return kernel_getpeername(a->sock, (struct sockaddr *)&ss);
}

static int api_send(struct api_ctx *a)
{
	static const u8 frame[] = { 0, 0, 0, 2, 'h', 'i' };
	/* Not on the stack, and not shared: the transport may map it. */
	void *buf = kmemdup(frame, sizeof(frame), GFP_KERNEL);
	int ret = buf ? st_send(a->sock, buf, sizeof(frame), MSG_DONTWAIT) : -ENOMEM;

	kfree(buf);
	return ret;
}

static int api_recv(struct api_ctx *a)
{
	u8 buf[16];

	return st_recv(a->sock, buf, sizeof(buf), MSG_DONTWAIT);
}

static int api_shutdown(struct api_ctx *a)
{
	return kernel_sock_shutdown(a->sock, SHUT_RDWR);
}

static int api_shutdown_bad(struct api_ctx *a)
{
	return kernel_sock_shutdown(a->sock, 3);
}

static int api_setopt(struct api_ctx *a)
{
	return st_setopt(a->sock, SOL_SMBDIRECT, SMBDIRECT_SEND_CREDITS, 10);
}

static int api_getopt(struct api_ctx *a)
{
	int val;

	return st_getopt(a->sock, SOL_SMBDIRECT, SMBDIRECT_SEND_CREDITS, &val);
}

static int api_getinfo(struct api_ctx *a)
{
	struct smbdirect_info info;

	return st_info(a->sock, &info);
}

static int api_so_keepalive(struct api_ctx *a)
{
	return st_setopt(a->sock, SOL_SOCKET, SO_KEEPALIVE, 1);
}

static int api_so_type(struct api_ctx *a)
{
	int val, ret = st_getopt(a->sock, SOL_SOCKET, SO_TYPE, &val);

	return ret ?: val == SOCK_STREAM ? 0 : -EBADMSG;
}

static int api_ioctl(struct api_ctx *a)
{
	return READ_ONCE(a->sock->ops)->ioctl(a->sock, 0x12345678, 0);
}

/* Closing takes no time, whatever goes on behind it. */
static int api_release(struct api_ctx *a)
{
	unsigned long end = jiffies + msecs_to_jiffies(5000);

	if (a->sock == a->pair.c)
		a->pair.c = NULL;
	st_release(&a->sock);
	return time_after(jiffies, end) ? -ETIME : 0;
}

#define E(x) (-E##x)

/*
 * The contract. Calls are nonblocking.
 */
static const struct api_call {
	const char *name;
	int (*call)(struct api_ctx *a);
	bool ours;	/* no such call on TCP */
	int want[S_COUNT];
} api_calls[] = {
	/*  fresh           bound        listening    connecting
	 *  connected       closed by    shut for     shut down    refused
	 *                  peer         writing
	 */
	{ "bind", api_bind, false, {
	    0,              E(INVAL),    E(INVAL),    E(INVAL),
	    E(INVAL),       E(INVAL),    E(INVAL),    E(INVAL),    0 } },
	{ "listen", api_listen, false, {
	    0,              0,           0,           E(INVAL),
	    E(INVAL),       E(INVAL),    E(INVAL),    E(INVAL),    0 } },
	{ "accept", api_accept, false, {
	    E(INVAL),       E(INVAL),    E(AGAIN),    E(INVAL),
	    E(INVAL),       E(INVAL),    E(INVAL),    E(INVAL),    E(INVAL) } },
	{ "connect", api_connect, false, {
	    E(INPROGRESS),  E(INPROGRESS), E(ISCONN), E(ALREADY),
	    E(ISCONN),      E(ISCONN),   E(ISCONN),   E(ISCONN),   E(INPROGRESS) } },
	{ "getsockname", api_getsockname, false, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
	{ "getpeername", api_getpeername, false, {
	    E(NOTCONN),     E(NOTCONN),  E(NOTCONN),  E(NOTCONN),
	    0,              0,           0,           0,           E(NOTCONN) } },
	{ "sendmsg", api_send, false, {
	    E(NOTCONN),     E(NOTCONN),  E(NOTCONN),  E(AGAIN),
	    0,              E(PIPE),     E(PIPE),     E(PIPE),     E(NOTCONN) } },
	{ "recvmsg", api_recv, false, {
	    E(NOTCONN),     E(NOTCONN),  E(NOTCONN),  E(AGAIN),
	    E(AGAIN),       0,           0,           0,           E(NOTCONN) } },
	{ "shutdown", api_shutdown, false, {
	    E(NOTCONN),     E(NOTCONN),  0,           0,
	    0,              0,           0,           0,           E(NOTCONN) } },
	{ "shutdown with a bad argument", api_shutdown_bad, false, {
	    E(INVAL),       E(INVAL),    E(INVAL),    E(INVAL),
	    E(INVAL),       E(INVAL),    E(INVAL),    E(INVAL),    E(INVAL) } },
	{ "setsockopt", api_setopt, false, {
	    0,              0,           E(ISCONN),   E(ISCONN),
	    E(ISCONN),      E(ISCONN),   E(ISCONN),   E(ISCONN),   0 } },
	{ "getsockopt", api_getopt, true, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
	{ "getsockopt of the info", api_getinfo, true, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
	{ "setsockopt SO_KEEPALIVE", api_so_keepalive, false, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
	{ "getsockopt SO_TYPE", api_so_type, false, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
	{ "unknown ioctl", api_ioctl, false, {
	    E(NOIOCTLCMD),  E(NOIOCTLCMD), E(NOIOCTLCMD), E(NOIOCTLCMD),
	    E(NOIOCTLCMD),  E(NOIOCTLCMD), E(NOIOCTLCMD), E(NOIOCTLCMD), E(NOIOCTLCMD) } },
	{ "release", api_release, false, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
};

/* Where TCP differs. */
static const struct api_tcp {
	int (*call)(struct api_ctx *a);
	enum api_state state;
	int want;
} api_tcp[] = {
	/* It takes "not yet" for "no more". */
	{ api_send, S_FRESH, E(PIPE) },
	{ api_send, S_BOUND, E(PIPE) },
	{ api_send, S_LISTEN, E(PIPE) },
	{ api_send, S_REFUSED, E(PIPE) },
	/* Half a connection can stay open; RDMA has no such thing. */
	{ api_send, S_PEERGONE, 0 },
	{ api_recv, S_SHUTWR, E(AGAIN) },
	{ api_setopt, S_COUNT, E(NOPROTOOPT) },
};

static int api_want(const struct api_call *c, enum api_state state)
{
	int i;

	for (i = 0; !st_ours() && i < ARRAY_SIZE(api_tcp); i++)
		if (api_tcp[i].call == c->call &&
		    (api_tcp[i].state == state || api_tcp[i].state == S_COUNT))
			return api_tcp[i].want;
	return c->want[state];
}

/*
 * A connect that does not end soon. Packets to an address where nobody lives
 * get lost; but siw waits for its TCP handshake inside of the connect call, so
 * there a TCP listener of the same port takes the bytes and never answers.
 */
static int api_connecting(struct api_ctx *a, struct socket *sock, int flags)
{
	u16 port = st_port();
	int ret;

	if (st_cfg.silent.ss_family)
		return st_connect_addr(sock, &st_cfg.silent, port, flags);
	ret = st_socket_at(&init_net, st_cfg.addr.ss_family, IPPROTO_TCP, &a->mute);
	if (!ret)
		ret = st_bind(a->mute, port);
	if (!ret)
		ret = kernel_listen(a->mute, 5);
	return ret ?: st_connect(sock, port, flags);
}

static int api_enter_connected(struct api_ctx *a, enum api_state state)
{
	int ret = st_dial(a->port, NULL, &a->pair.c);

	if (!ret)
		ret = st_accept(a->pair.ls, &a->pair.s, 0);
	a->sock = a->pair.c;
	if (ret)
		return ret;
	switch (state) {
	case S_PEERGONE:
		st_release(&a->pair.s);
		return st_wait_poll(a->sock, EPOLLIN, st_cfg.timeout);
	case S_SHUTWR:
		ret = kernel_sock_shutdown(a->sock, SHUT_WR);
		/* Which takes the whole connection with it, a little later. */
		if (!ret && st_ours())
			ret = st_wait_poll(a->sock, EPOLLIN, st_cfg.timeout);
		return ret;
	case S_SHUT:
		return kernel_sock_shutdown(a->sock, SHUT_RDWR);
	default:
		return 0;
	}
}

static int api_enter(struct api_ctx *a, enum api_state state)
{
	int ret;

	a->port = st_port();
	ret = st_listen(a->port, NULL, &a->pair.ls);
	if (ret)
		return ret;
	if (state >= S_CONNECTED && state <= S_SHUT)
		return api_enter_connected(a, state);
	ret = st_socket(&a->sock);
	if (ret)
		return ret;
	switch (state) {
	case S_LISTEN:
		ret = st_bind(a->sock, st_port());
		return ret ?: kernel_listen(a->sock, 5);
	case S_BOUND:
		return st_bind(a->sock, st_port());
	case S_CONNECTING:
		ret = api_connecting(a, a->sock, O_NONBLOCK);
		return ret == -EINPROGRESS ? 0 : ret ?: -EISCONN;
	case S_REFUSED:
		ret = st_connect(a->sock, st_port(), 0);
		return ret == -ECONNREFUSED ? 0 : ret ?: -EISCONN;
	default:
		return 0;
	}
}

static void api_leave(struct api_ctx *a)
{
	if (a->sock != a->pair.c)
		st_release(&a->sock);
	st_pair_close(&a->pair);
	st_release(&a->mute);
}

/* Only its address counts: element n is call n / S_COUNT in state n % S_COUNT. */
static const u8 api_cells[ARRAY_SIZE(api_calls) * S_COUNT];

static void api_cell_desc(const u8 *cell, char *desc)
{
	unsigned int n = cell - api_cells;

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %s", api_calls[n / S_COUNT].name,
		 api_state_names[n % S_COUNT]);
}

KUNIT_ARRAY_PARAM(api_cell, api_cells, api_cell_desc);

static void api_table(struct kunit *test)
{
	unsigned int n = (const u8 *)test->param_value - api_cells;
	const struct api_call *call = &api_calls[n / S_COUNT];
	enum api_state state = n % S_COUNT;
	struct api_ctx a = {};
	int ret;

	if (call->ours && !st_ours())
		kunit_skip(test, "no such call");
	ret = api_enter(&a, state);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "getting into the state");
	if (!ret) {
		ret = call->call(&a);
		if (ret > 0)
			ret = 0;
		KUNIT_EXPECT_EQ(test, ret, api_want(call, state));
	}
	api_leave(&a);
}

/* poll: bits that have to be there, bits that must not */
static const struct api_poll {
	enum api_state state;
	__poll_t yes, no;
} api_polls[] = {
	{ S_FRESH, 0, EPOLLIN },
	{ S_BOUND, 0, EPOLLIN },
	{ S_LISTEN, 0, EPOLLIN | EPOLLERR },
	{ S_CONNECTING, 0, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR },
	{ S_CONNECTED, EPOLLOUT, EPOLLIN | EPOLLHUP | EPOLLRDHUP | EPOLLERR },
	{ S_PEERGONE, EPOLLIN | EPOLLRDHUP, EPOLLERR },
	{ S_SHUT, EPOLLIN | EPOLLRDHUP, EPOLLERR },
};

static void api_poll_desc(const struct api_poll *p, char *desc)
{
	strscpy(desc, api_state_names[p->state], KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(api_poll, api_polls, api_poll_desc);

static void api_poll(struct kunit *test)
{
	const struct api_poll *p = test->param_value;
	struct api_ctx a = {};
	__poll_t mask;
	int ret;

	ret = api_enter(&a, p->state);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "getting into the state");
	if (!ret) {
		mask = st_poll(a.sock);
		KUNIT_EXPECT_TRUE_MSG(test, (mask & p->yes) == p->yes, "mask 0x%x", (__force u32)mask);
		KUNIT_EXPECT_TRUE_MSG(test, !(mask & p->no), "mask 0x%x", (__force u32)mask);
	}
	api_leave(&a);
}

/* connect() that does not wait: in progress, then writable, then connected. */
static void api_connect_nonblocking(struct kunit *test)
{
	u16 port = st_port();
	struct st_pair p = {};
	int first = 0;

	KUNIT_EXPECT_EQ(test, st_listen(port, NULL, &p.ls), 0);
	KUNIT_EXPECT_EQ(test, st_socket(&p.c), 0);
	if (p.ls && p.c) {
		first = st_connect(p.c, port, O_NONBLOCK);
		KUNIT_EXPECT_TRUE_MSG(test, !first || first == -EINPROGRESS, "connect: %d", first);
		KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLOUT, st_cfg.timeout), 0);
		KUNIT_EXPECT_FALSE(test, st_poll(p.c) & (EPOLLERR | EPOLLHUP));
		KUNIT_EXPECT_EQ(test, st_wait_poll(p.ls, EPOLLIN, st_cfg.timeout), 0);
		KUNIT_EXPECT_EQ(test, st_accept(p.ls, &p.s, O_NONBLOCK), 0);
	}
	if (p.s) {
		/* The first call after it reports success, the next one EISCONN. */
		if (first)
			KUNIT_EXPECT_EQ(test, st_connect(p.c, port, O_NONBLOCK), 0);
		KUNIT_EXPECT_EQ(test, st_connect(p.c, port, O_NONBLOCK), -EISCONN);
		KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 100), 0);
	}
	st_pair_close(&p);
}

/* Refused without waiting: SO_ERROR has it, unless the call was slow enough to see it. */
static void api_connect_refused(struct kunit *test)
{
	struct socket *sock;
	int err = 0, ret;

	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	KUNIT_EXPECT_EQ(test, st_connect(sock, st_port(), 0), -ECONNREFUSED);
	st_release(&sock);

	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	ret = st_connect(sock, st_port(), O_NONBLOCK);
	if (ret == -EINPROGRESS) {
		KUNIT_EXPECT_EQ(test, st_wait_poll(sock, EPOLLERR | EPOLLHUP, st_cfg.timeout), 0);
		KUNIT_EXPECT_EQ(test, st_getopt(sock, SOL_SOCKET, SO_ERROR, &err), 0);
		KUNIT_EXPECT_EQ(test, err, ECONNREFUSED);
	} else {
		KUNIT_EXPECT_EQ(test, ret, -ECONNREFUSED);
	}
	KUNIT_EXPECT_EQ(test, st_getopt(sock, SOL_SOCKET, SO_ERROR, &err), 0);
	KUNIT_EXPECT_EQ(test, err, 0);
	st_release(&sock);
}

static void api_bind_errors(struct kunit *test)
{
	struct sockaddr_storage nowhere;
	struct socket *a, *b;
	u16 port = st_port();

	KUNIT_ASSERT_EQ(test, st_listen(port, NULL, &a), 0);
	KUNIT_EXPECT_EQ(test, st_socket(&b), 0);
	if (b) {
		int ret = st_bind(b, port);

		/* At the latest when it matters. */
		KUNIT_EXPECT_EQ(test, ret ?: kernel_listen(b, 1), -EADDRINUSE);
	}
	st_release(&b);
	st_release(&a);

	KUNIT_ASSERT_EQ(test, st_socket(&a), 0);
	st_parse_addr(st_cfg.addr.ss_family == AF_INET ? "192.0.2.1" : "2001:db8::1", &nowhere);
	KUNIT_EXPECT_EQ(test, st_bind_addr(a, &nowhere, port), -EADDRNOTAVAIL);
	/* Too short, and of the wrong family. */
	KUNIT_EXPECT_EQ(test, kernel_bind(a, (void *)&nowhere, 4), -EINVAL);
	nowhere.ss_family = AF_UNIX;
	KUNIT_EXPECT_EQ(test, kernel_bind(a, (void *)&nowhere, sizeof(struct sockaddr_in6)),
			-EAFNOSUPPORT);
	KUNIT_EXPECT_EQ(test, st_bind(a, port), 0);
	st_release(&a);
}

static void api_connect_timeout(struct kunit *test)
{
	const struct st_opts o = { .connect_timeout = 500 };
	unsigned long start = jiffies;
	struct api_ctx a = {};

	if (!st_ours())
		kunit_skip(test, "no such option");
	KUNIT_ASSERT_EQ(test, st_socket(&a.sock), 0);
	KUNIT_EXPECT_EQ(test, st_apply(a.sock, &o), 0);
	KUNIT_EXPECT_EQ(test, api_connecting(&a, a.sock, 0), -ETIMEDOUT);
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - start), 400);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), 4000);
	api_leave(&a);
}

/* The send timeout ends the wait, not the attempt. */
static void api_connect_sndtimeo(struct kunit *test)
{
	struct api_ctx a = {};

	KUNIT_ASSERT_EQ(test, st_socket(&a.sock), 0);
	st_set_timeout(a.sock, 300);
	KUNIT_EXPECT_EQ(test, api_connecting(&a, a.sock, 0), -EINPROGRESS);
	KUNIT_EXPECT_EQ(test, api_connect(&a), -EALREADY);
	api_leave(&a);
}

static void api_recv_timeout(struct kunit *test)
{
	unsigned long start;
	struct socket *child;
	struct st_pair p;
	u8 buf[8];

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	st_set_timeout(p.c, 300);
	st_set_timeout(p.ls, 300);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), 0), -EAGAIN);
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - start), 250);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, st_accept(p.ls, &child, 0), -EAGAIN);
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - start), 250);
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 10), 0);
	st_release(&child);
	st_pair_close(&p);
}

/*
 * Asking for more than is there. Nothing else comes, so a call that waits for all of it
 * comes back when its time is over, and one that must not wait for it does so before.
 */
static void api_recv_short(struct kunit *test)
{
	unsigned int want = ST_HDR + 100, half;
	unsigned long start;
	struct st_pair p;
	u8 buf[1000];

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), MSG_DONTWAIT), -EAGAIN);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), MSG_DONTWAIT | MSG_WAITALL), -EAGAIN);

	start = jiffies;
	KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 1, 100), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), 0), want);
	KUNIT_EXPECT_MEMEQ(test, buf + ST_HDR, st_pattern(1), 100);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 2, 100), 0);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLIN, st_cfg.timeout), 0);
	/* From the middle of the header on, and of the body. */
	for (half = 0; half < want; half += 2) {
		int ret = st_recv(p.c, buf, sizeof(buf), MSG_PEEK);

		KUNIT_EXPECT_EQ_MSG(test, ret, want - half, "%u bytes taken", half);
		KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, 2, 0), 2);
	}
	KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 3, 100), 0);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLIN, st_cfg.timeout), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), MSG_DONTWAIT | MSG_WAITALL), want);
	/* TCP would wait. */
	if (st_ours()) {
		KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 4, 100), 0);
		KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLIN, st_cfg.timeout), 0);
		KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), MSG_PEEK | MSG_WAITALL),
				want);
		KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), 0), want);
	}
	KUNIT_EXPECT_LT_MSG(test, jiffies_to_msecs(jiffies - start), st_cfg.timeout,
			    "a read waited for more");

	st_set_timeout(p.c, 300);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 5, 100), 0);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLIN, st_cfg.timeout), 0);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), MSG_WAITALL), want);
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - start), 250);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), MSG_WAITALL), -EAGAIN);
	/* Until the end there is no more to come. */
	st_set_timeout(p.c, st_cfg.timeout);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 6, 100), 0);
	st_release(&p.s);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), MSG_WAITALL), want);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, sizeof(buf), MSG_WAITALL), 0);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), st_cfg.timeout);
	st_pair_close(&p);
}

static int api_read_all_thread(struct st_thread *t)
{
	struct st_pair *p = t->arg;
	u8 buf[2 * (ST_HDR + 100) + ST_HDR];
	int ret;

	st_where(t, "recv");
	ret = st_recv(p->c, buf, sizeof(buf), MSG_WAITALL);
	return ret == sizeof(buf) ? 0 : ret < 0 ? ret : -EMSGSIZE;
}

/* What MSG_WAITALL asks for comes in three frames, of the last of which only the header. */
static void api_recv_waitall(struct kunit *test)
{
	struct st_pair *p = kzalloc(sizeof(*p), GFP_KERNEL);
	struct st_thread *t;
	u8 buf[100];
	int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, st_pair_open(p, NULL, NULL), 0);
	if (p->s) {
		t = st_run("waitall", api_read_all_thread, p);
		for (i = 0; i < 3; i++) {
			msleep(100);
			KUNIT_EXPECT_EQ(test, st_send_frame(p->s, i, 100), 0);
		}
		KUNIT_EXPECT_EQ(test, st_join(t, st_cfg.timeout / 2), 0);
		if (st_stuck())
			return;
		KUNIT_EXPECT_EQ(test, st_recv_all(p->c, buf, 100, 0), 0);
		KUNIT_EXPECT_MEMEQ(test, buf, st_pattern(2), 100);
	}
	st_pair_close(p);
	kfree(p);
}

/* Over the limit of the peer: refused whole, and the connection goes on. */
static void api_frame_too_long(struct kunit *test)
{
	const struct st_opts o = { .max_frag = 131072 };
	struct smbdirect_info info;
	struct st_pair p;
	u8 hdr[ST_HDR];

	if (!st_ours())
		kunit_skip(test, "TCP has no frames");
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &o, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_info(p.c, &info), 0);
	KUNIT_EXPECT_EQ(test, info.max_fragmented_send_size, 131072);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 1, 131073), -EMSGSIZE);
	/* The same when the header comes alone. */
	st_put_hdr(hdr, 131073);
	KUNIT_EXPECT_EQ(test, st_send(p.c, hdr, ST_HDR, 0), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 1000), 0);
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 131072), 0);
	st_pair_close(&p);
}

static void api_oob(struct kunit *test)
{
	struct st_pair p;
	u8 buf[8] = {};

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	if (st_ours())
		KUNIT_EXPECT_EQ(test, st_send(p.c, buf, 1, MSG_OOB), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, 1, MSG_OOB | MSG_DONTWAIT), -EINVAL);
	st_pair_close(&p);
}

/* What the peer sent before it closed is still there, then the end. */
static void api_data_then_eof(struct kunit *test)
{
	u8 buf[ST_HDR + 100];
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 7, 100), 0);
	st_release(&p.s);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLRDHUP, st_cfg.timeout), 0);
	KUNIT_EXPECT_EQ(test, st_recv_frame(p.c, 7, 100, 0, buf), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, 1, 0), 0);
	if (st_ours())
		KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 7, 100), -EPIPE);
	st_pair_close(&p);
}

static void api_same_addr(struct kunit *test, struct socket *a, struct socket *b)
{
	struct sockaddr_storage mine = {}, theirs = {};
	int len = kernel_getsockname(a, (struct sockaddr *)&mine);

	KUNIT_EXPECT_GT(test, len, 0);
	KUNIT_EXPECT_EQ(test, kernel_getpeername(b, (struct sockaddr *)&theirs), len);
	/* Family, port and address; not what follows a sockaddr_in. */
	len = mine.ss_family == AF_INET ? 8 : sizeof(struct sockaddr_in6);
	KUNIT_EXPECT_MEMEQ(test, &mine, &theirs, len);
}

static void api_names(struct kunit *test)
{
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	api_same_addr(test, p.c, p.s);
	api_same_addr(test, p.s, p.c);
	st_pair_close(&p);
}

/* An IPv6 socket connects to an IPv4 address, and shows it in the same form. */
static void api_v4mapped(struct kunit *test)
{
	struct sockaddr_storage to = {}, got = {};
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&to;
	struct socket *ls, *c, *s = NULL;
	u16 port = st_port();

	if (st_cfg.addr.ss_family != AF_INET)
		kunit_skip(test, "IPv4 only");
	sin6->sin6_family = AF_INET6;
	ipv6_addr_set_v4mapped(((struct sockaddr_in *)&st_cfg.addr)->sin_addr.s_addr,
			       &sin6->sin6_addr);
	KUNIT_ASSERT_EQ(test, st_listen(port, NULL, &ls), 0);
	KUNIT_ASSERT_EQ(test, st_socket_at(&init_net, AF_INET6, st_cfg.proto, &c), 0);
	KUNIT_EXPECT_EQ(test, st_connect_addr(c, &to, port, 0), 0);
	KUNIT_EXPECT_EQ(test, st_accept(ls, &s, 0), 0);
	if (s)
		KUNIT_EXPECT_EQ(test, st_ping(c, s, 100), 0);
	sin6->sin6_port = htons(port);
	KUNIT_EXPECT_EQ(test, kernel_getpeername(c, (struct sockaddr *)&got), sizeof(*sin6));
	KUNIT_EXPECT_MEMEQ(test, &got, &to, sizeof(*sin6));
	KUNIT_EXPECT_EQ(test, kernel_getsockname(c, (struct sockaddr *)&got), sizeof(*sin6));
	KUNIT_EXPECT_TRUE(test, ipv6_addr_v4mapped(&((struct sockaddr_in6 *)&got)->sin6_addr));
	st_release(&s);
	st_release(&c);
	st_release(&ls);

	KUNIT_ASSERT_EQ(test, st_socket_at(&init_net, AF_INET6, st_cfg.proto, &c), 0);
	KUNIT_EXPECT_EQ(test, st_setopt(c, SOL_IPV6, IPV6_V6ONLY, 1), 0);
	KUNIT_EXPECT_EQ(test, st_connect_addr(c, &to, port, 0), -ENETUNREACH);
	st_release(&c);
}

struct api_wait {
	struct api_ctx a;
	struct completion ready;
	enum { W_RECV, W_ACCEPT, W_CONNECT, W_SEND } what;
};

static int api_wait_thread(struct st_thread *t)
{
	struct api_wait *w = t->arg;
	struct socket *child;
	int ret = 0;
	u8 buf[8];

	complete(&w->ready);
	switch (w->what) {
	case W_RECV:
		return st_recv(w->a.sock, buf, sizeof(buf), 0);
	case W_ACCEPT:
		ret = st_accept(w->a.sock, &child, 0);
		st_release(&child);
		return ret;
	case W_CONNECT:
		return api_connecting(&w->a, w->a.sock, 0);
	case W_SEND:
		while (!ret)
			ret = st_send_frame(w->a.sock, 1, 100000);
		return ret;
	}
	return ret;
}

static const struct api_sig {
	const char *name;
	int what;
	enum api_state state;
} api_sigs[] = {
	{ "recvmsg", W_RECV, S_CONNECTED },
	{ "accept", W_ACCEPT, S_LISTEN },
	{ "connect", W_CONNECT, S_FRESH },
	{ "sendmsg", W_SEND, S_CONNECTED },
};

KUNIT_ARRAY_PARAM_DESC(api_sig, api_sigs, name);

/* Every call that waits can be interrupted; with a timeout set that is EINTR. */
static void api_signal(struct kunit *test)
{
	const struct api_sig *sig = test->param_value;
	unsigned long start;
	struct st_thread *t;
	struct api_wait *w;
	int ret;

	w = kzalloc(sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	init_completion(&w->ready);
	w->what = sig->what;
	ret = api_enter(&w->a, sig->state);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "getting into the state");
	if (!ret) {
		t = st_run("signal", api_wait_thread, w);
		if (t) {
			wait_for_completion(&w->ready);
			msleep(500);
			send_sig(SIGINT, t->task, 1);
		}
		start = jiffies;
		KUNIT_EXPECT_EQ(test, st_join(t, st_cfg.timeout / 2), -EINTR);
		KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), 3000);
	}
	if (st_stuck())
		return;
	api_leave(&w->a);
	kfree(w);
}

/* What kernel users do: put their own functions into the socket. */
static DECLARE_COMPLETION(api_cb_data);
static DECLARE_COMPLETION(api_cb_space);
static DECLARE_COMPLETION(api_cb_state);
static void (*api_old_data)(struct sock *sk);
static void (*api_old_space)(struct sock *sk);
static void (*api_old_state)(struct sock *sk);

static void api_data_ready(struct sock *sk)
{
	api_old_data(sk);
	complete(&api_cb_data);
}

static void api_write_space(struct sock *sk)
{
	api_old_space(sk);
	complete(&api_cb_space);
}

static void api_state_change(struct sock *sk)
{
	api_old_state(sk);
	complete(&api_cb_state);
}

static void api_callbacks_put_in(struct socket *sock)
{
	struct sock *sk = sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	api_old_data = sk->sk_data_ready;
	api_old_space = sk->sk_write_space;
	api_old_state = sk->sk_state_change;
	sk->sk_data_ready = api_data_ready;
	sk->sk_write_space = api_write_space;
	sk->sk_state_change = api_state_change;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* A child may have inherited those of the listener. */
static void api_callbacks_take_out(struct socket *sock)
{
	struct sock *sk = sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = api_old_data;
	sk->sk_write_space = api_old_space;
	sk->sk_state_change = api_old_state;
	write_unlock_bh(&sk->sk_callback_lock);
}

static void api_callbacks(struct kunit *test)
{
	unsigned long wait = msecs_to_jiffies(st_cfg.timeout);
	unsigned int frames = 0, i;
	struct st_pair p = {};
	u16 port = st_port();
	int ret = 0;
	void *buf;

	buf = kunit_kmalloc(test, 10000 + ST_HDR, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	reinit_completion(&api_cb_data);
	reinit_completion(&api_cb_space);
	reinit_completion(&api_cb_state);
	KUNIT_ASSERT_EQ(test, st_listen(port, NULL, &p.ls), 0);
	api_callbacks_put_in(p.ls);
	KUNIT_EXPECT_EQ(test, st_dial(port, NULL, &p.c), 0);
	KUNIT_EXPECT_NE_MSG(test, wait_for_completion_timeout(&api_cb_data, wait), 0,
			    "sk_data_ready of the listener");
	KUNIT_EXPECT_EQ(test, st_accept(p.ls, &p.s, 0), 0);
	if (!p.s)
		goto out;
	api_callbacks_take_out(p.ls);
	api_callbacks_take_out(p.s);
	api_callbacks_put_in(p.c);
	reinit_completion(&api_cb_data);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 1, 10), 0);
	KUNIT_EXPECT_NE_MSG(test, wait_for_completion_timeout(&api_cb_data, wait), 0,
			    "sk_data_ready");
	KUNIT_EXPECT_EQ(test, st_recv_frame(p.c, 1, 10, 0, buf), 0);

	/* Fill the send buffer with whole frames, then make room. */
	memset(buf, 0x11, 10000 + ST_HDR);
	st_put_hdr(buf, 10000);
	while (frames < 100000) {
		ret = st_send(p.c, buf, 10000 + ST_HDR, MSG_DONTWAIT);
		if (ret != 10000 + ST_HDR)
			break;
		frames++;
	}
	KUNIT_EXPECT_GT(test, frames, 0);
	KUNIT_EXPECT_LT_MSG(test, frames, 100000, "nothing limits what is queued");
	set_bit(SOCK_NOSPACE, &p.c->flags);
	reinit_completion(&api_cb_space);
	for (i = 0, ret = 0; !ret && i < frames; i++)
		ret = st_recv_all(p.s, buf, 10000 + ST_HDR, 0);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_NE_MSG(test, wait_for_completion_timeout(&api_cb_space, wait), 0,
			    "sk_write_space");
	st_release(&p.s);
	KUNIT_EXPECT_NE_MSG(test, wait_for_completion_timeout(&api_cb_state, wait), 0,
			    "sk_state_change");
out:
	st_pair_close(&p);
}

/* More connections than the backlog holds: some wait or fail, none is lost. */
static void api_backlog(struct kunit *test)
{
	struct socket *ls, *c[8] = {}, *child;
	u16 port = st_port();
	int i, accepted = 0, ret;

	KUNIT_ASSERT_EQ(test, st_socket(&ls), 0);
	KUNIT_EXPECT_EQ(test, st_bind(ls, port), 0);
	KUNIT_EXPECT_EQ(test, kernel_listen(ls, 2), 0);
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		KUNIT_EXPECT_EQ(test, st_socket(&c[i]), 0);
		if (!c[i])
			break;
		ret = st_connect(c[i], port, O_NONBLOCK);
		KUNIT_EXPECT_TRUE_MSG(test, !ret || ret == -EINPROGRESS, "connect: %d", ret);
	}
	st_set_timeout(ls, st_cfg.timeout);
	while (!st_accept(ls, &child, 0)) {
		st_release(&child);
		if (++accepted == 2)
			st_set_timeout(ls, 1000);
	}
	KUNIT_EXPECT_GE(test, accepted, 2);
	for (i = 0; i < ARRAY_SIZE(c); i++)
		st_release(&c[i]);
	st_release(&ls);
}

static struct kunit_case api_cases[] = {
	KUNIT_CASE_PARAM(api_table, api_cell_gen_params),
	KUNIT_CASE_PARAM(api_poll, api_poll_gen_params),
	KUNIT_CASE(api_connect_nonblocking),
	KUNIT_CASE(api_connect_refused),
	KUNIT_CASE(api_bind_errors),
	KUNIT_CASE(api_connect_timeout),
	KUNIT_CASE(api_connect_sndtimeo),
	KUNIT_CASE(api_recv_timeout),
	KUNIT_CASE(api_recv_short),
	KUNIT_CASE(api_recv_waitall),
	KUNIT_CASE(api_frame_too_long),
	KUNIT_CASE(api_oob),
	KUNIT_CASE(api_data_then_eof),
	KUNIT_CASE(api_names),
	KUNIT_CASE(api_v4mapped),
	KUNIT_CASE_PARAM(api_signal, api_sig_gen_params),
	KUNIT_CASE(api_callbacks),
	KUNIT_CASE(api_backlog),
	{}
};

static struct kunit_suite api_suite = {
	.name = "smbdr_api",
	.init = st_suite_init,
	.test_cases = api_cases,
};

kunit_test_suite(api_suite);
