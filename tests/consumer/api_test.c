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
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sockios.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <asm/ioctls.h>
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

static int api_connect(struct api_ctx *a)
{
	return st_connect(a->sock, a->port, O_NONBLOCK);
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

static int api_so_error(struct api_ctx *a)
{
	int err, ret = st_getopt(a->sock, SOL_SOCKET, SO_ERROR, &err);

	return ret ?: err;
}

static int api_ioctl(struct api_ctx *a)
{
	return READ_ONCE(a->sock->ops)->ioctl(a->sock, 0x12345678, 0);
}

/* Closing takes no time, whatever goes on behind it. */
static int api_release(struct api_ctx *a)
{
	unsigned int soon = st_soon();
	unsigned long end = jiffies + msecs_to_jiffies(soon);

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
	int want[S_COUNT];
} api_calls[] = {
	/*  fresh           bound        listening    connecting
	 *  connected       closed by    shut for     shut down    refused
	 *                  peer         writing
	 */
	{ "bind", api_bind, {
	    0,              E(INVAL),    E(INVAL),    E(INVAL),
	    E(INVAL),       E(INVAL),    E(INVAL),    E(INVAL),    0 } },
	{ "listen", api_listen, {
	    0,              0,           0,           E(INVAL),
	    E(INVAL),       E(INVAL),    E(INVAL),    E(INVAL),    0 } },
	{ "accept", api_accept, {
	    E(INVAL),       E(INVAL),    E(AGAIN),    E(INVAL),
	    E(INVAL),       E(INVAL),    E(INVAL),    E(INVAL),    E(INVAL) } },
	{ "connect", api_connect, {
	    E(INPROGRESS),  E(INPROGRESS), E(ISCONN), E(ALREADY),
	    E(ISCONN),      E(ISCONN),   E(ISCONN),   E(ISCONN),   E(INPROGRESS) } },
	{ "getsockname", api_getsockname, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
	{ "getpeername", api_getpeername, {
	    E(NOTCONN),     E(NOTCONN),  E(NOTCONN),  E(NOTCONN),
	    0,              0,           0,           0,           E(NOTCONN) } },
	{ "sendmsg", api_send, {
	    E(NOTCONN),     E(NOTCONN),  E(NOTCONN),  E(AGAIN),
	    0,              E(PIPE),     E(PIPE),     E(PIPE),     E(NOTCONN) } },
	{ "recvmsg", api_recv, {
	    E(NOTCONN),     E(NOTCONN),  E(NOTCONN),  E(AGAIN),
	    E(AGAIN),       0,           0,           0,           E(NOTCONN) } },
	{ "shutdown", api_shutdown, {
	    E(NOTCONN),     E(NOTCONN),  0,           0,
	    0,              0,           0,           0,           E(NOTCONN) } },
	{ "shutdown with a bad argument", api_shutdown_bad, {
	    E(INVAL),       E(INVAL),    E(INVAL),    E(INVAL),
	    E(INVAL),       E(INVAL),    E(INVAL),    E(INVAL),    E(INVAL) } },
	{ "setsockopt", api_setopt, {
	    0,              0,           E(ISCONN),   E(ISCONN),
	    E(ISCONN),      E(ISCONN),   E(ISCONN),   E(ISCONN),   0 } },
	{ "setsockopt SO_KEEPALIVE", api_so_keepalive, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
	{ "getsockopt SO_TYPE", api_so_type, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
	{ "unknown ioctl", api_ioctl, {
	    E(NOIOCTLCMD),  E(NOIOCTLCMD), E(NOIOCTLCMD), E(NOIOCTLCMD),
	    E(NOIOCTLCMD),  E(NOIOCTLCMD), E(NOIOCTLCMD), E(NOIOCTLCMD), E(NOIOCTLCMD) } },
	{ "release", api_release, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
	/* The last API_OWN: no such calls on TCP. */
	{ "getsockopt", api_getopt, {
	    0,              0,           0,           0,
	    0,              0,           0,           0,           0 } },
	{ "getsockopt of the info", api_getinfo, {
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

/* Only their addresses count: cell n is call n / S_COUNT in state n % S_COUNT. */
#define API_OWN		2
#define API_CELLS	((ARRAY_SIZE(api_calls) - API_OWN) * S_COUNT)
static const u8 api_cells[API_CELLS], api_own_cells[API_OWN * S_COUNT];

static unsigned int api_cell_nr(const u8 *cell)
{
	if (cell >= api_own_cells && cell < api_own_cells + ARRAY_SIZE(api_own_cells))
		return API_CELLS + (cell - api_own_cells);
	return cell - api_cells;
}

static void api_cell_desc(const u8 *cell, char *desc)
{
	unsigned int n = api_cell_nr(cell);

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %s", api_calls[n / S_COUNT].name,
		 api_state_names[n % S_COUNT]);
}

KUNIT_ARRAY_PARAM(api_cell, api_cells, api_cell_desc);
KUNIT_ARRAY_PARAM(api_own_cell, api_own_cells, api_cell_desc);

static void api_table(struct kunit *test)
{
	unsigned int n = api_cell_nr(test->param_value);
	const struct api_call *call = &api_calls[n / S_COUNT];
	enum api_state state = n % S_COUNT;
	struct api_ctx a = {};
	int ret;

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

/*
 * What poll() and sk_state say: for TCP the bits that have to be there and that
 * must not, for us all that there are. A state of 0: it is about to change.
 */
#define P_END	(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP)
#define P_ALL	(P_END | EPOLLERR)

static const struct api_poll {
	enum api_state state;
	__poll_t tcp_yes, tcp_no, ours;
	u8 tcp_state;
} api_polls[] = {
	{ S_FRESH, 0, EPOLLIN, EPOLLHUP, TCP_CLOSE },
	{ S_BOUND, 0, EPOLLIN, EPOLLHUP, TCP_CLOSE },
	{ S_LISTEN, 0, EPOLLIN | EPOLLERR, 0, TCP_LISTEN },
	{ S_CONNECTING, 0, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR, 0, TCP_SYN_SENT },
	{ S_CONNECTED, EPOLLOUT, EPOLLIN | EPOLLHUP | EPOLLRDHUP | EPOLLERR, EPOLLOUT,
	  TCP_ESTABLISHED },
	{ S_PEERGONE, EPOLLIN | EPOLLRDHUP, EPOLLERR, P_END, TCP_CLOSE_WAIT },
	{ S_SHUTWR, EPOLLOUT, EPOLLIN | EPOLLERR, P_END, TCP_CLOSE_WAIT },
	{ S_SHUT, EPOLLIN | EPOLLRDHUP, EPOLLERR, P_END },
	{ S_REFUSED, EPOLLHUP, EPOLLERR, EPOLLHUP, TCP_CLOSE },
};

static void api_poll_desc(const struct api_poll *p, char *desc)
{
	strscpy(desc, api_state_names[p->state], KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(api_poll, api_polls, api_poll_desc);

static void api_poll(struct kunit *test)
{
	const struct api_poll *p = test->param_value;
	__poll_t yes = st_ours() ? p->ours : p->tcp_yes;
	__poll_t no = st_ours() ? P_ALL & ~p->ours : p->tcp_no;
	struct api_ctx a = {};
	__poll_t mask;
	int ret;

	ret = api_enter(&a, p->state);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "getting into the state");
	if (!ret) {
		/* It is readable a moment before the state says that it is over. */
		if (st_ours() && p->tcp_state == TCP_CLOSE_WAIT)
			KUNIT_EXPECT_EQ(test, st_wait_poll(a.sock, EPOLLHUP, st_cfg.timeout), 0);
		mask = st_poll(a.sock);
		KUNIT_EXPECT_TRUE_MSG(test, (mask & yes) == yes, "mask 0x%x", (__force u32)mask);
		KUNIT_EXPECT_TRUE_MSG(test, !(mask & no), "mask 0x%x", (__force u32)mask);
		if (st_ours() && p->tcp_state)
			KUNIT_EXPECT_EQ(test, READ_ONCE(a.sock->sk->sk_state), p->tcp_state);
	}
	api_leave(&a);
}

/* connect() that does not wait: in progress, then writable, then connected. */
static void api_connect_nonblocking(struct kunit *test)
{
	u16 port = st_port();
	struct st_pair p = {};
	struct api_ctx a = {};
	unsigned long start;

	KUNIT_EXPECT_EQ(test, st_listen(port, NULL, &p.ls), 0);
	KUNIT_EXPECT_EQ(test, st_socket(&p.c), 0);
	if (p.ls && p.c) {
		KUNIT_EXPECT_EQ(test, st_connect(p.c, port, O_NONBLOCK), -EINPROGRESS);
		KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLOUT, st_cfg.timeout), 0);
		KUNIT_EXPECT_FALSE(test, st_poll(p.c) & (EPOLLERR | EPOLLHUP));
		KUNIT_EXPECT_EQ(test, st_wait_poll(p.ls, EPOLLIN, st_cfg.timeout), 0);
		KUNIT_EXPECT_EQ(test, st_accept(p.ls, &p.s, O_NONBLOCK), 0);
	}
	if (p.s) {
		/* The first call after it reports success, the next one EISCONN. */
		KUNIT_EXPECT_EQ(test, st_connect(p.c, port, O_NONBLOCK), 0);
		KUNIT_EXPECT_EQ(test, st_connect(p.c, port, O_NONBLOCK), -EISCONN);
		KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 100), 0);
	}
	st_pair_close(&p);

	/* Also if nobody answers. */
	KUNIT_ASSERT_EQ(test, st_socket(&a.sock), 0);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, api_connecting(&a, a.sock, O_NONBLOCK), -EINPROGRESS);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), st_soon());
	api_leave(&a);
}

/* Refused without waiting: SO_ERROR has it, once. */
static void api_connect_refused(struct kunit *test)
{
	struct socket *sock;
	int err = 0;

	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	KUNIT_EXPECT_EQ(test, st_connect(sock, st_port(), 0), -ECONNREFUSED);
	st_release(&sock);

	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	KUNIT_EXPECT_EQ(test, st_connect(sock, st_port(), O_NONBLOCK), -EINPROGRESS);
	KUNIT_EXPECT_EQ(test, st_wait_poll(sock, EPOLLERR, st_cfg.timeout), 0);
	KUNIT_EXPECT_EQ(test, st_getopt(sock, SOL_SOCKET, SO_ERROR, &err), 0);
	KUNIT_EXPECT_EQ(test, err, ECONNREFUSED);
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
	struct api_ctx a = {};
	unsigned long start;

	KUNIT_ASSERT_EQ(test, st_socket(&a.sock), 0);
	KUNIT_EXPECT_EQ(test, st_apply(a.sock, &o), 0);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, api_connecting(&a, a.sock, 0), -ETIMEDOUT);
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - start), 500);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), 500 + st_soon());
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
	bool forever;	/* no timeout: the call can be started again */
} api_sigs[] = {
	{ "recvmsg", W_RECV, S_CONNECTED },
	{ "accept", W_ACCEPT, S_LISTEN },
	{ "connect", W_CONNECT, S_FRESH },
	{ "sendmsg", W_SEND, S_CONNECTED },
	{ "recvmsg without a timeout", W_RECV, S_CONNECTED, true },
	{ "accept without a timeout", W_ACCEPT, S_LISTEN, true },
	{ "connect without a timeout", W_CONNECT, S_FRESH, true },
	{ "sendmsg without a timeout", W_SEND, S_CONNECTED, true },
};

KUNIT_ARRAY_PARAM_DESC(api_sig, api_sigs, name);

/* Every call that waits can be interrupted. */
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
		if (sig->forever) {
			w->a.sock->sk->sk_rcvtimeo = MAX_SCHEDULE_TIMEOUT;
			w->a.sock->sk->sk_sndtimeo = MAX_SCHEDULE_TIMEOUT;
		}
		t = st_run("signal", api_wait_thread, w);
		if (t) {
			wait_for_completion(&w->ready);
			msleep(100);
			send_sig(SIGINT, t->task, 1);
		}
		start = jiffies;
		KUNIT_EXPECT_EQ(test, st_join(t, st_cfg.timeout / 2),
				sig->forever ? -ERESTARTSYS : -EINTR);
		KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), st_soon());
	}
	if (st_stuck())
		return;
	api_leave(&w->a);
	kfree(w);
}

/* What kernel users do: put their own functions into the socket. */
enum { CB_DATA, CB_SPACE, CB_STATE, CB_ERROR, CB_COUNT };

static const char * const api_cb_names[CB_COUNT] = {
	"sk_data_ready", "sk_write_space", "sk_state_change", "sk_error_report",
};

static atomic_t api_cb[CB_COUNT];	/* how often each was called */
static void (*api_cb_old[CB_COUNT])(struct sock *sk);

static void api_cb_called(struct sock *sk, int which)
{
	api_cb_old[which](sk);
	atomic_inc(&api_cb[which]);
}

static void api_data_ready(struct sock *sk)
{
	api_cb_called(sk, CB_DATA);
}

static void api_write_space(struct sock *sk)
{
	api_cb_called(sk, CB_SPACE);
}

static void api_state_change(struct sock *sk)
{
	api_cb_called(sk, CB_STATE);
}

static void api_error_report(struct sock *sk)
{
	api_cb_called(sk, CB_ERROR);
}

static void api_callbacks_forget(void)
{
	int i;

	for (i = 0; i < CB_COUNT; i++)
		atomic_set(&api_cb[i], 0);
}

static void api_callbacks_put_in(struct socket *sock)
{
	struct sock *sk = sock->sk;

	api_callbacks_forget();
	write_lock_bh(&sk->sk_callback_lock);
	api_cb_old[CB_DATA] = sk->sk_data_ready;
	api_cb_old[CB_SPACE] = sk->sk_write_space;
	api_cb_old[CB_STATE] = sk->sk_state_change;
	api_cb_old[CB_ERROR] = sk->sk_error_report;
	sk->sk_data_ready = api_data_ready;
	sk->sk_write_space = api_write_space;
	sk->sk_state_change = api_state_change;
	sk->sk_error_report = api_error_report;
	sk->sk_user_data = api_cb;
	write_unlock_bh(&sk->sk_callback_lock);
}

static void api_callbacks_take_out(struct socket *sock)
{
	struct sock *sk = sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = api_cb_old[CB_DATA];
	sk->sk_write_space = api_cb_old[CB_SPACE];
	sk->sk_state_change = api_cb_old[CB_STATE];
	sk->sk_error_report = api_cb_old[CB_ERROR];
	sk->sk_user_data = NULL;
	write_unlock_bh(&sk->sk_callback_lock);
}

static void api_cb_wait(struct kunit *test, int which, int times)
{
	unsigned long end = jiffies + msecs_to_jiffies(st_cfg.timeout);

	while (atomic_read(&api_cb[which]) < times && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_GE_MSG(test, atomic_read(&api_cb[which]), times, "%s",
			    api_cb_names[which]);
}

/* A child of a listener whose callbacks were replaced has its own, those of any socket. */
static void api_callbacks_child(struct kunit *test)
{
	struct st_pair p = {};
	u16 port = st_port();

	KUNIT_ASSERT_EQ(test, st_listen(port, NULL, &p.ls), 0);
	api_callbacks_put_in(p.ls);
	KUNIT_EXPECT_EQ(test, st_dial(port, NULL, &p.c), 0);
	api_cb_wait(test, CB_DATA, 1);
	KUNIT_EXPECT_EQ(test, st_accept(p.ls, &p.s, 0), 0);
	if (p.s) {
		const struct sock *sk = p.s->sk;

		KUNIT_EXPECT_PTR_EQ(test, sk->sk_data_ready, api_cb_old[CB_DATA]);
		KUNIT_EXPECT_PTR_EQ(test, sk->sk_write_space, api_cb_old[CB_SPACE]);
		KUNIT_EXPECT_PTR_EQ(test, sk->sk_state_change, api_cb_old[CB_STATE]);
		KUNIT_EXPECT_PTR_EQ(test, sk->sk_error_report, api_cb_old[CB_ERROR]);
		KUNIT_EXPECT_PTR_EQ(test, sk->sk_user_data, NULL);
	}
	st_release(&p.s);
	st_release(&p.c);
	api_callbacks_take_out(p.ls);
	st_release(&p.ls);
}

#define API_CB_LEN	10000
#define API_CB_COST	(API_CB_LEN + 256)	/* counted against SO_SNDBUF */
#define API_CB_FRAMES	20

/* What waits to be sent, as SO_SNDBUF counts it. */
static int api_waiting(struct socket *sock)
{
	int left = 0;

	sock->sk->sk_prot->ioctl(sock->sk, SIOCOUTQ, &left);
	return left / API_CB_LEN * API_CB_COST;
}

/* Each call comes without anybody's having asked for it. */
static void api_callbacks(struct kunit *test)
{
	/* So few that what waits gets less step by step. */
	static const struct st_opts few = { .recv_credits = 2 };
	u8 *buf = kunit_kzalloc(test, API_CB_LEN + ST_HDR, GFP_KERNEL);
	struct st_pair p;
	int i, n, ret;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &few, NULL), 0);
	api_callbacks_put_in(p.c);
	for (i = 1; i <= API_CB_FRAMES; i++) {
		KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 1, 10), 0);
		api_cb_wait(test, CB_DATA, i);
		KUNIT_EXPECT_EQ(test, st_recv_frame(p.c, 1, 10, 0, buf), 0);
	}

	/* Until the peer takes no more. Not before half of it is gone there is a call. */
	sock_set_rcvbuf(p.s->sk, SZ_64K);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 1, MSG_DONTWAIT), -EAGAIN);
	KUNIT_EXPECT_EQ(test, st_setopt(p.c, SOL_SOCKET, SO_SNDBUF, SZ_128K), 0);
	st_put_hdr(buf, API_CB_LEN);
	n = st_fill(p.c, buf, API_CB_LEN + ST_HDR);
	KUNIT_EXPECT_GT(test, n, 0);
	KUNIT_EXPECT_GT(test, api_waiting(p.c), p.c->sk->sk_sndbuf / 2);
	api_callbacks_forget();
	for (i = 0, ret = 0; !ret && i < n; i++) {
		int calls = atomic_read(&api_cb[CB_SPACE]);

		if (api_waiting(p.c) <= p.c->sk->sk_sndbuf / 2)
			break;
		KUNIT_EXPECT_EQ(test, calls, 0);
		ret = st_recv_all(p.s, buf, API_CB_LEN + ST_HDR, 0);
		msleep(20);
	}
	KUNIT_EXPECT_LE(test, api_waiting(p.c), p.c->sk->sk_sndbuf / 2);
	api_cb_wait(test, CB_SPACE, 1);
	for (; !ret && i < n; i++)
		ret = st_recv_all(p.s, buf, API_CB_LEN + ST_HDR, 0);
	KUNIT_EXPECT_EQ(test, ret, 0);

	api_callbacks_forget();
	st_release(&p.s);
	api_cb_wait(test, CB_STATE, 1);
	api_cb_wait(test, CB_DATA, 1);
	api_cb_wait(test, CB_SPACE, 1);
	KUNIT_EXPECT_EQ_MSG(test, atomic_read(&api_cb[CB_ERROR]), 0, "an orderly end");
	api_callbacks_take_out(p.c);
	st_pair_close(&p);
}

static const struct api_told {
	const char *name;
	int (*first)(struct api_ctx *a);
	int ret;
} api_told_cases[] = {
	{ "recvmsg", api_recv, -ETIMEDOUT },
	{ "sendmsg", api_send, -ETIMEDOUT },
	{ "SO_ERROR", api_so_error, ETIMEDOUT },
};

KUNIT_ARRAY_PARAM_DESC(api_told, api_told_cases, name);

/*
 * The peer does not take what was accepted before shutdown(), for as long as SO_LINGER
 * says. That is told once, to the caller that asks first; the rest hear of the end.
 */
static void api_told(struct kunit *test)
{
	const struct api_told *first = test->param_value;
	u8 *buf = kunit_kzalloc(test, API_CB_LEN + ST_HDR, GFP_KERNEL);
	struct api_ctx a = {};
	unsigned long start;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, api_enter(&a, S_CONNECTED), 0);
	sock_set_rcvbuf(a.pair.s->sk, SZ_64K);
	KUNIT_EXPECT_EQ(test, st_recv(a.pair.s, buf, 1, MSG_DONTWAIT), -EAGAIN);
	st_put_hdr(buf, API_CB_LEN);
	KUNIT_EXPECT_GT(test, st_fill(a.sock, buf, API_CB_LEN + ST_HDR), 0);
	sock_set_flag(a.sock->sk, SOCK_LINGER);
	a.sock->sk->sk_lingertime = HZ / 2;
	api_callbacks_put_in(a.sock);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(a.sock, SHUT_WR), 0);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), st_soon());
	KUNIT_EXPECT_EQ(test, st_wait_poll(a.sock, EPOLLERR, st_cfg.timeout), 0);
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - start), 500);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), 500 + st_soon());
	KUNIT_EXPECT_EQ(test, st_wait_poll(a.sock, EPOLLIN, st_cfg.timeout), 0);
	KUNIT_EXPECT_EQ(test, first->first(&a), first->ret);
	KUNIT_EXPECT_EQ(test, api_recv(&a), 0);
	KUNIT_EXPECT_EQ(test, api_send(&a), -EPIPE);
	KUNIT_EXPECT_EQ(test, api_so_error(&a), 0);
	KUNIT_EXPECT_FALSE(test, st_poll(a.sock) & EPOLLERR);
	KUNIT_EXPECT_EQ(test, atomic_read(&api_cb[CB_ERROR]), 1);
	api_callbacks_take_out(a.sock);
	api_leave(&a);
}

struct api_clients {
	struct socket *c[8];
	int connected, refused;
};

/* Start to connect all of @cl and wait until it is known what became of each. */
static void api_connect_all(struct kunit *test, struct api_clients *cl, u16 port)
{
	int i, err;

	cl->connected = 0;
	cl->refused = 0;
	for (i = 0; i < ARRAY_SIZE(cl->c); i++) {
		KUNIT_ASSERT_EQ(test, st_socket(&cl->c[i]), 0);
		KUNIT_EXPECT_EQ(test, st_connect(cl->c[i], port, O_NONBLOCK), -EINPROGRESS);
	}
	for (i = 0; i < ARRAY_SIZE(cl->c); i++) {
		err = st_wait_poll(cl->c[i], EPOLLOUT | EPOLLHUP, st_cfg.timeout);
		KUNIT_EXPECT_EQ(test, err, 0);
		KUNIT_EXPECT_EQ(test, st_getopt(cl->c[i], SOL_SOCKET, SO_ERROR, &err), 0);
		KUNIT_EXPECT_TRUE_MSG(test, !err || err == ECONNREFUSED, "error %d", err);
		if (!err && st_poll(cl->c[i]) & EPOLLOUT)
			cl->connected++;
		cl->refused += err == ECONNREFUSED;
	}
}

/* Accept as long as there is one, let all go, and say how many there were. */
static int api_accept_all(struct socket *ls, struct api_clients *cl)
{
	struct socket *child[ARRAY_SIZE(cl->c) + 1] = {};
	int i, n = 0;

	/* The client may be a little ahead of the server. */
	while (n < ARRAY_SIZE(child) &&
	       !st_accept(ls, &child[n], n < cl->connected ? 0 : O_NONBLOCK))
		n++;
	for (i = 0; i < n; i++)
		st_release(&child[i]);
	for (i = 0; i < ARRAY_SIZE(cl->c); i++)
		st_release(&cl->c[i]);
	return n;
}

/*
 * More connections than the backlog holds: those beyond it are refused, the others are
 * all there. A second listen() changes how many that are, for what comes after it.
 */
static void api_backlog(struct kunit *test)
{
	static const int backlogs[] = { 2, 5, 1, 3 };
	u16 port = st_port();
	struct api_clients cl;
	struct socket *ls;
	int i;

	KUNIT_ASSERT_EQ(test, st_socket(&ls), 0);
	KUNIT_EXPECT_EQ(test, st_bind(ls, port), 0);
	for (i = 0; i < ARRAY_SIZE(backlogs); i++) {
		KUNIT_EXPECT_EQ(test, kernel_listen(ls, backlogs[i]), 0);
		api_connect_all(test, &cl, port);
		KUNIT_EXPECT_EQ(test, cl.connected, backlogs[i]);
		KUNIT_EXPECT_EQ(test, cl.refused, (int)ARRAY_SIZE(cl.c) - backlogs[i]);
		KUNIT_EXPECT_EQ(test, api_accept_all(ls, &cl), backlogs[i]);
	}
	st_release(&ls);
}

/* listen() without bind() takes a port, at which one can connect. */
static void api_listen_unbound(struct kunit *test)
{
	struct sockaddr_storage at = {};
	struct st_pair p = {};
	u16 port;

	KUNIT_ASSERT_EQ(test, st_socket(&p.ls), 0);
	KUNIT_EXPECT_EQ(test, kernel_listen(p.ls, 5), 0);
	KUNIT_EXPECT_GT(test, kernel_getsockname(p.ls, (struct sockaddr *)&at), 0);
	/* At the same place in both families. */
	port = ntohs(((struct sockaddr_in *)&at)->sin_port);
	KUNIT_EXPECT_NE(test, port, 0);
	KUNIT_EXPECT_EQ(test, st_dial(port, NULL, &p.c), 0);
	KUNIT_EXPECT_EQ(test, st_accept(p.ls, &p.s, 0), 0);
	if (p.c && p.s)
		KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 100), 0);
	st_pair_close(&p);
}

/*
 * Two sockets at one address: both have to agree, and only one can listen. To rdma_cm
 * the other is in the way even if it is only bound.
 */
static void api_reuseaddr(struct kunit *test)
{
	struct socket *a, *b, *c;
	u16 port = st_port();

	KUNIT_ASSERT_EQ(test, st_socket(&a), 0);
	KUNIT_ASSERT_EQ(test, st_socket(&b), 0);
	KUNIT_ASSERT_EQ(test, st_socket(&c), 0);
	sock_set_reuseaddr(a->sk);
	sock_set_reuseaddr(b->sk);
	KUNIT_EXPECT_EQ(test, st_bind(a, port), 0);
	KUNIT_EXPECT_EQ(test, st_bind(c, port), -EADDRINUSE);
	KUNIT_EXPECT_EQ(test, st_bind(b, port), 0);
	KUNIT_EXPECT_EQ(test, kernel_listen(a, 1), st_ours() ? -EADDRINUSE : 0);
	KUNIT_EXPECT_EQ(test, kernel_listen(b, 1), -EADDRINUSE);
	st_release(&a);
	/* It goes in the background. */
	KUNIT_EXPECT_EQ(test, st_until(!kernel_listen(b, 1), st_soon()), 0);
	st_release(&b);
	st_release(&c);
}

/* No route at all, and one that says so: consumer.sh has made it. */
static void api_no_route(struct kunit *test)
{
	static const struct {
		const char *v4, *v6;
		int ret;
	} to[] = {
		{ "192.0.2.1", "2001:db8:2::1", -ENETUNREACH },
		{ "198.51.100.1", "2001:db8:1::1", -EHOSTUNREACH },
	};
	struct sockaddr_storage ss;
	struct socket *sock;
	int i;

	for (i = 0; i < ARRAY_SIZE(to); i++) {
		KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
		st_parse_addr(st_cfg.addr.ss_family == AF_INET ? to[i].v4 : to[i].v6, &ss);
		KUNIT_EXPECT_EQ(test, st_connect_addr(sock, &ss, st_port(), 0), to[i].ret);
		st_release(&sock);
	}
}

/*
 * Ports of the privileged. Sockets of the kernel may have any, so this one is taken for
 * that of a program for the moment.
 */
static void api_privileged(struct kunit *test)
{
	static const u16 ports[] = { 445, 5445 };
	const struct cred *old;
	struct cred *mortal;
	struct socket *sock;
	int i;

	mortal = prepare_creds();
	KUNIT_ASSERT_NOT_NULL(test, mortal);
	cap_lower(mortal->cap_effective, CAP_NET_BIND_SERVICE);
	for (i = 0; i < ARRAY_SIZE(ports); i++) {
		KUNIT_EXPECT_EQ(test, st_socket(&sock), 0);
		sock->sk->sk_kern_sock = 0;
		old = override_creds(mortal);
		KUNIT_EXPECT_EQ(test, st_bind(sock, ports[i]), -EACCES);
		KUNIT_EXPECT_EQ(test, st_bind(sock, st_port()), 0);
		revert_creds(old);
		st_release(&sock);

		KUNIT_EXPECT_EQ(test, st_socket(&sock), 0);
		sock->sk->sk_kern_sock = 0;
		KUNIT_EXPECT_EQ(test, st_bind(sock, ports[i]), 0);
		st_release(&sock);
	}
	put_cred(mortal);
}

static const struct api_flag {
	const char *name;
	int flag, ret;
} api_flags[] = {
	{ "MSG_MORE", MSG_MORE },
	{ "MSG_EOR", MSG_EOR },
	{ "MSG_WAITALL", MSG_WAITALL },
	{ "MSG_BATCH", MSG_BATCH },
	{ "all of them", MSG_MORE | MSG_EOR | MSG_WAITALL | MSG_BATCH | MSG_DONTWAIT },
	{ "MSG_DONTROUTE", MSG_DONTROUTE, -EINVAL },
	{ "MSG_CONFIRM", MSG_CONFIRM, -EINVAL },
	{ "MSG_ZEROCOPY", MSG_ZEROCOPY, -EINVAL },
	{ "MSG_FASTOPEN", MSG_FASTOPEN, -EINVAL },
	{ "unknown", BIT(24), -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(api_flag, api_flags, name);

/* A flag of sendmsg() without a meaning holds nothing back; others are refused. */
static void api_send_flag(struct kunit *test)
{
	const struct api_flag *f = test->param_value;
	u8 frame[ST_HDR + 20], buf[ST_HDR + 20];
	struct st_pair p;

	st_put_hdr(frame, 20);
	memcpy(frame + ST_HDR, st_pattern(4), 20);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_send(p.c, frame, sizeof(frame), f->flag),
			f->ret ?: (int)sizeof(frame));
	if (f->ret)
		KUNIT_EXPECT_EQ(test, st_send_all(p.c, frame, sizeof(frame), 0), 0);
	KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, 4, 20, 0, buf), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 1, MSG_DONTWAIT), -EAGAIN);
	st_pair_close(&p);
}

struct api_pipe {
	struct socket *sock;
	int flags;
	int ret;
	bool signal;
};

static int api_pipe_thread(struct st_thread *t)
{
	struct api_pipe *p = t->arg;
	struct msghdr msg = { .msg_flags = p->flags };
	u8 *buf = kzalloc(8, GFP_KERNEL);
	struct kvec v = { .iov_base = buf, .iov_len = 8 };

	if (!buf)
		return -ENOMEM;
	allow_signal(SIGPIPE);
	p->ret = kernel_sendmsg(p->sock, &msg, &v, 1, 8);
	p->signal = signal_pending(current) &&
		sigismember(&current->pending.signal, SIGPIPE);
	kfree(buf);
	return 0;
}

/* Who sends after the end gets EPIPE, and a signal if he does not say that he wants none. */
static void api_sigpipe(struct kunit *test)
{
	struct api_pipe *pipe;
	struct api_ctx a = {};
	int i;

	KUNIT_ASSERT_EQ(test, api_enter(&a, S_SHUTWR), 0);
	for (i = 0; i < 2; i++) {
		pipe = kzalloc(sizeof(*pipe), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, pipe);
		pipe->sock = a.sock;
		pipe->flags = i ? MSG_NOSIGNAL : 0;
		KUNIT_EXPECT_EQ(test, st_join(st_run("pipe", api_pipe_thread, pipe),
					      st_cfg.timeout), 0);
		if (st_stuck())
			return;
		KUNIT_EXPECT_EQ(test, pipe->ret, -EPIPE);
		KUNIT_EXPECT_EQ(test, pipe->signal, !i);
		kfree(pipe);
	}
	api_leave(&a);
}

/* MSG_TRUNC throws away; with MSG_PEEK it only counts. */
static void api_recv_trunc(struct kunit *test)
{
	u8 want[ST_HDR + 100], buf[ST_HDR + 100];
	struct st_pair p;

	st_put_hdr(want, 100);
	memcpy(want + ST_HDR, st_pattern(8), 100);
	memset(buf, 0xee, sizeof(buf));
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 8, 100), 0);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLIN, st_cfg.timeout), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 50, MSG_TRUNC | MSG_PEEK), 50);
	/* The rest of the header and some of the body, in two calls. */
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 3, MSG_TRUNC), 3);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 37, MSG_TRUNC), 37);
	KUNIT_EXPECT_TRUE_MSG(test, !memchr_inv(buf, 0xee, sizeof(buf)), "something was written");
	KUNIT_EXPECT_EQ(test, st_recv_all(p.s, buf, sizeof(buf) - 40, 0), 0);
	KUNIT_EXPECT_MEMEQ(test, buf, want + 40, sizeof(buf) - 40);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 1, MSG_DONTWAIT | MSG_TRUNC), -EAGAIN);
	st_pair_close(&p);
}

/*
 * A driver that connects by TCP does so inside of the call, and an attempt that has failed
 * by our clock goes on until TCP gives up, here after three seconds. A bound socket that
 * connects again waits for that, but for two seconds only.
 */
static void api_rebind(struct kunit *test)
{
	const struct st_opts o = { .connect_timeout = 100 };
	u8 retries = READ_ONCE(init_net.ipv4.sysctl_tcp_syn_retries);
	u8 linear = READ_ONCE(init_net.ipv4.sysctl_tcp_syn_linear_timeouts);
	struct sockaddr_storage nobody = st_cfg.addr;
	struct socket *sock;
	unsigned long start;
	int ret;

	if (nobody.ss_family == AF_INET)
		((struct sockaddr_in *)&nobody)->sin_addr.s_addr ^= htonl(0x80);
	else
		((struct sockaddr_in6 *)&nobody)->sin6_addr.s6_addr[15] ^= 0x80;
	WRITE_ONCE(init_net.ipv4.sysctl_tcp_syn_retries, 1);
	WRITE_ONCE(init_net.ipv4.sysctl_tcp_syn_linear_timeouts, 0);
	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	KUNIT_EXPECT_EQ(test, st_apply(sock, &o), 0);
	KUNIT_EXPECT_EQ(test, st_bind(sock, st_port()), 0);
	KUNIT_EXPECT_EQ(test, st_connect_addr(sock, &nobody, st_port(), 0), -ETIMEDOUT);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, st_connect_addr(sock, &nobody, st_port(), 0), -EADDRINUSE);
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - start), 2000);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - start), 2000 + st_soon());
	/* It can try again later: to the address of somebody who answers. */
	do {
		ret = st_connect(sock, st_port(), 0);
	} while (ret == -EADDRINUSE && time_before(jiffies, start + 20 * HZ));
	KUNIT_EXPECT_EQ(test, ret, -ECONNREFUSED);
	st_release(&sock);
	WRITE_ONCE(init_net.ipv4.sysctl_tcp_syn_retries, retries);
	WRITE_ONCE(init_net.ipv4.sysctl_tcp_syn_linear_timeouts, linear);
}

static struct kunit_case api_cases[] = {
	KUNIT_CASE_PARAM(api_table, api_cell_gen_params),
	KUNIT_CASE_PARAM(api_poll, api_poll_gen_params),
	KUNIT_CASE(api_connect_nonblocking),
	KUNIT_CASE(api_connect_refused),
	KUNIT_CASE(api_bind_errors),
	KUNIT_CASE(api_connect_sndtimeo),
	KUNIT_CASE(api_recv_timeout),
	KUNIT_CASE(api_recv_short),
	KUNIT_CASE(api_recv_waitall),
	KUNIT_CASE(api_recv_trunc),
	KUNIT_CASE(api_oob),
	KUNIT_CASE(api_data_then_eof),
	KUNIT_CASE(api_names),
	KUNIT_CASE_PARAM(api_signal, api_sig_gen_params),
	KUNIT_CASE(api_listen_unbound),
	KUNIT_CASE(api_reuseaddr),
	KUNIT_CASE(api_no_route),
	KUNIT_CASE(api_sigpipe),
	ST_ONLY(v4),
	KUNIT_CASE(api_v4mapped),
	ST_ONLY(ours),
	KUNIT_CASE_PARAM(api_table, api_own_cell_gen_params),
	KUNIT_CASE(api_callbacks),
	KUNIT_CASE(api_callbacks_child),
	KUNIT_CASE_PARAM(api_told, api_told_gen_params),
	KUNIT_CASE_PARAM(api_send_flag, api_flag_gen_params),
	KUNIT_CASE(api_connect_timeout),
	KUNIT_CASE(api_frame_too_long),
	KUNIT_CASE(api_backlog),
	KUNIT_CASE(api_privileged),
	ST_ONLY(siw),
	KUNIT_CASE(api_rebind),
	{}
};

static struct kunit_suite api_suite = {
	.name = "smbdr_api",
	.init = st_suite_init,
	.test_cases = api_cases,
};

kunit_test_suite(api_suite);
