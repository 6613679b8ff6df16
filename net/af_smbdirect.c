// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The socket: its calls. What the core has to tell it is in upcall.c.
 *
 * Objects. A socket has no endpoint until bind() or connect() makes one (struct
 * smbdr_conn); listen() turns the endpoint into a listener; accept() makes a
 * new socket around an endpoint that the core has negotiated already. The socket
 * owns one reference on its endpoint and gets the upcalls; on release it
 * detaches, the endpoint sends what was accepted and ends by itself.
 *
 * sk_state follows the endpoint with the values that everybody knows:
 * SYN_SENT, ESTABLISHED, CLOSE_WAIT when it has ended, LISTEN, CLOSE. It is
 * written by the calls here under the socket lock and by the upcalls, which
 * only move it away from SYN_SENT and ESTABLISHED and take turns by up_lock;
 * whether anything can be read or sent is always asked of the endpoint.
 *
 * Locking. bind_mutex, then the socket lock. The core's calls that enter rdma_cm
 * (bind, connect, listen, closing a listener) are made under bind_mutex
 * without the socket lock: soft RDMA drivers create and lock sockets of
 * their own inside. Upcalls take neither; detaching waits for them. The endpoint
 * and the listener are let go under the socket lock, so whoever looks at them
 * holds it; who waits looks again after waking up, never while asleep.
 */
#include <linux/capability.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include "smbdr_sock.h"

#define SMBDR_PORT_IWARP	5445

static struct lock_class_key smbdr_slock_key[2], smbdr_sk_lock_key[2];

static void smbdr_sk_lock_class(struct sock *sk)
{
	if (sk->sk_family == AF_INET)
		sock_lock_init_class_and_name(sk, "slock-AF_INET-SMBDIRECT", &smbdr_slock_key[0],
					      "sk_lock-AF_INET-SMBDIRECT", &smbdr_sk_lock_key[0]);
	else
		sock_lock_init_class_and_name(sk, "slock-AF_INET6-SMBDIRECT", &smbdr_slock_key[1],
					      "sk_lock-AF_INET6-SMBDIRECT",
					      &smbdr_sk_lock_key[1]);
}

/* What every socket needs, whether made by socket() or by accept(). */
static void smbdr_sk_setup(struct sock *sk)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);

	smbdr_sk_lock_class(sk);
	mutex_init(&ssk->bind_mutex);
	spin_lock_init(&ssk->up_lock);
	sk->sk_write_space = smbdr_write_space;
	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, 1);
	ssk->counted = true;
}

/**
 * smbdr_sk_init - proto.init: a socket was created
 * @sk: the socket
 *
 * Return: 0, or -EPROTONOSUPPORT for user space, which is not admitted yet.
 */
int smbdr_sk_init(struct sock *sk)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);

	if (!sk->sk_kern_sock)
		return -EPROTONOSUPPORT;
	smbdr_sk_setup(sk);
	smbdr_params_init(&ssk->params);
	sk->sk_sndbuf = SMBDR_SNDBUF;
	sk->sk_rcvbuf = SMBDR_RCVBUF;
	return 0;
}

/**
 * smbdr_sk_destroy - proto.destroy: the end of a socket, or of a failed creation
 * @sk: the socket
 */
void smbdr_sk_destroy(struct sock *sk)
{
	if (smbdr_sk(sk)->ending)
		smbdr_conn_put(smbdr_sk(sk)->ending);
	if (smbdr_sk(sk)->counted)
		sock_prot_inuse_add(sock_net(sk), sk->sk_prot, -1);
}

/**
 * smbdr_sk_sleep - wait until somebody wakes the socket
 * @sk: the socket
 * @wait: with woken_wake_function(), in the queue since before the caller looked
 *	whether he has to wait, so that no wakeup is lost
 * @timeo: how long, jiffies
 *
 * What the caller waits for is not looked at while the lock is dropped: the
 * endpoint may go away then.
 *
 * Context: socket lock held; dropped while asleep.
 *
 * Return: the rest of @timeo.
 */
long smbdr_sk_sleep(struct sock *sk, struct wait_queue_entry *wait, long timeo)
{
	release_sock(sk);
	timeo = wait_woken(wait, TASK_INTERRUPTIBLE, timeo);
	lock_sock(sk);
	return timeo;
}

/**
 * smbdr_sk_ended - will nothing more be received
 * @ssk: the socket, with an endpoint
 *
 * Return: true if the endpoint is torn down.
 */
bool smbdr_sk_ended(const struct smbdr_sock *ssk)
{
	return smbdr_conn_state(ssk->conn) == SMBDR_CLOSED;
}

/* ----- endpoints ----- */

/* For those who look without the socket lock. */
static void smbdr_sk_set_conn(struct smbdr_sock *ssk, struct smbdr_conn *conn)
{
	spin_lock_bh(&ssk->up_lock);
	ssk->conn = conn;
	spin_unlock_bh(&ssk->up_lock);
}

/* Let go of the endpoint, which ends as the caller has asked it to: not at once. */
static void smbdr_sk_detach(struct smbdr_sock *ssk)
{
	if (!ssk->conn)
		return;
	if (ssk->ending)
		smbdr_conn_put(ssk->ending);
	ssk->ending = ssk->conn;
	smbdr_conn_set_owner(ssk->ending, NULL, NULL);
	smbdr_sk_set_conn(ssk, NULL);
}

static void smbdr_sk_attach(struct sock *sk, struct smbdr_conn *conn)
{
	smbdr_sk_set_conn(smbdr_sk(sk), conn);
	smbdr_sk_sync_buffers(sk);
	smbdr_conn_set_owner(conn, &smbdr_sk_conn_ops, sk);
}

/* IPv4 on an AF_INET6 socket is shown as a mapped address. */
static void smbdr_addr_for_family(struct sockaddr_storage *addr, int family)
{
	const struct sockaddr_in sin = *(struct sockaddr_in *)addr;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)addr;

	if (family != AF_INET6 || addr->ss_family != AF_INET)
		return;
	memset(sin6, 0, sizeof(*sin6));
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = sin.sin_port;
	ipv6_addr_set_v4mapped(sin.sin_addr.s_addr, &sin6->sin6_addr);
}

static void smbdr_sk_note_addr(struct sock *sk, const struct sockaddr_storage *addr, bool peer)
{
	struct inet_sock *inet = inet_sk(sk);
	__be32 v4 = 0;
	__be16 port;

	if (addr->ss_family == AF_INET) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)addr;

		v4 = sin->sin_addr.s_addr;
		port = sin->sin_port;
	} else {
		const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)addr;

		port = sin6->sin6_port;
#if IS_ENABLED(CONFIG_IPV6)
		if (peer)
			sk->sk_v6_daddr = sin6->sin6_addr;
		else
			sk->sk_v6_rcv_saddr = sin6->sin6_addr;
#endif
		if (ipv6_addr_v4mapped(&sin6->sin6_addr))
			v4 = sin6->sin6_addr.s6_addr32[3];
	}
	if (peer) {
		inet->inet_daddr = v4;
		inet->inet_dport = port;
		smbdr_sk(sk)->peer = *addr;
	} else {
		inet->inet_rcv_saddr = v4;
		inet->inet_saddr = v4;
		inet->inet_sport = port;
		inet->inet_num = ntohs(port);
		smbdr_sk(sk)->local = *addr;
	}
}

/* Keep what getsockname() and /proc show; the endpoint loses it when it ends. */
static void smbdr_sk_learn_addrs(struct sock *sk)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct sockaddr_storage addr;

	if (!ssk->conn)
		return;
	if (smbdr_conn_addr(ssk->conn, false, &addr)) {
		smbdr_addr_for_family(&addr, sk->sk_family);
		smbdr_sk_note_addr(sk, &addr, false);
	}
	if (smbdr_conn_addr(ssk->conn, true, &addr)) {
		smbdr_addr_for_family(&addr, sk->sk_family);
		smbdr_sk_note_addr(sk, &addr, true);
	}
}

/*
 * Check an address and copy it: rdma_cm wants the whole struct, callers may
 * give one that ends early. A mapped address becomes the IPv4 address that it
 * is, and @unreach the error where that is not allowed.
 */
static int smbdr_take_addr(const struct sock *sk, const struct sockaddr *addr, int len,
			   struct sockaddr_storage *to, int unreach)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)to;
	struct sockaddr_in *sin = (struct sockaddr_in *)to;
	__be32 v4;

	if (len < (int)offsetofend(struct sockaddr, sa_family))
		return -EINVAL;
	if (addr->sa_family != sk->sk_family)
		return -EAFNOSUPPORT;
	memset(to, 0, sizeof(*to));
	if (addr->sa_family == AF_INET) {
		if (len < (int)sizeof(*sin))
			return -EINVAL;
		memcpy(sin, addr, sizeof(*sin));
		return 0;
	}
	if (len < SIN6_LEN_RFC2133)
		return -EINVAL;
	memcpy(sin6, addr, min_t(size_t, len, sizeof(*sin6)));
	if (!ipv6_addr_v4mapped(&sin6->sin6_addr))
		return 0;
	if (sk->sk_ipv6only)
		return unreach;
	v4 = sin6->sin6_addr.s6_addr32[3];
	sin6->sin6_flowinfo = 0;
	memset(&sin6->sin6_addr, 0, sizeof(sin6->sin6_addr));
	sin6->sin6_scope_id = 0;
	/* The port is at the same place in both. */
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = v4;
	return 0;
}

/* Ports below the limit are for the privileged, and so is iWARP's counterpart of 445. */
static bool smbdr_may_bind(const struct sock *sk, const struct sockaddr_storage *addr)
{
	struct net *net = sock_net(sk);
	u16 port = ntohs(((const struct sockaddr_in *)addr)->sin_port);

	if (sk->sk_kern_sock || !port)
		return true;
	if (port != SMBDR_PORT_IWARP && !inet_port_requires_bind_service(net, port))
		return true;
	return ns_capable(net->user_ns, CAP_NET_BIND_SERVICE);
}

/* Bind the socket, which has no endpoint. bind_mutex held, socket lock not. */
static int smbdr_do_bind(struct sock *sk, const struct sockaddr_storage *addr)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct smbdr_conn *conn;
	int err;

	conn = smbdr_conn_create(smbdr_ns_of(sock_net(sk)), &ssk->params);
	if (!conn)
		return -ENOMEM;
	err = smbdr_conn_bind(conn, (const struct sockaddr *)addr, sk->sk_reuse, sk->sk_ipv6only);
	if (err) {
		smbdr_conn_abort(conn, err);
		smbdr_conn_put(conn);
		return err;
	}
	lock_sock(sk);
	smbdr_sk_attach(sk, conn);
	smbdr_sk_learn_addrs(sk);
	ssk->bind_addr = *addr;
	/* The one that was chosen; none if the device has gone meanwhile. */
	if (!((const struct sockaddr_in *)addr)->sin_port)
		((struct sockaddr_in *)&ssk->bind_addr)->sin_port = inet_sk(sk)->inet_sport;
	release_sock(sk);
	return 0;
}

/*
 * The endpoint to connect or to listen with: the one that bind() made, or, if
 * that was used up or lost its device, a new one at the same address.
 * bind_mutex held, socket lock not.
 */
static int smbdr_rebind(struct sock *sk)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	const struct sockaddr_storage addr = ssk->bind_addr;
	struct smbdr_conn *ending;

	lock_sock(sk);
	if (ssk->conn && smbdr_conn_state(ssk->conn) != SMBDR_NEW)
		smbdr_sk_detach(ssk);
	ending = addr.ss_family ? ssk->ending : NULL;
	if (ending)
		smbdr_conn_get(ending);
	release_sock(sk);
	if (ending) {
		/* Until then it occupies the address. A driver may hold it up for minutes. */
		bool closed = smbdr_conn_wait_closed(ending, SMBDR_REBIND_MS);

		smbdr_conn_put(ending);
		if (!closed)
			return -EADDRINUSE;
	}
	return ssk->conn || !addr.ss_family ? 0 : smbdr_do_bind(sk, &addr);
}

static int smbdr_bind(struct socket *sock, struct sockaddr_unsized *uaddr, int len)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct sockaddr_storage ss;
	int err;

	err = smbdr_take_addr(sk, (const struct sockaddr *)uaddr, len, &ss, -EINVAL);
	if (err)
		return err;
	if (!smbdr_may_bind(sk, &ss))
		return -EACCES;
	mutex_lock(&ssk->bind_mutex);
	if (ssk->bind_addr.ss_family || ssk->listener || sock->state != SS_UNCONNECTED)
		err = -EINVAL;
	else
		err = smbdr_do_bind(sk, &ss);
	mutex_unlock(&ssk->bind_mutex);
	return err;
}

/* ----- connect ----- */

/* Back to the start. Socket lock held. */
static void smbdr_connect_failed(struct socket *sock)
{
	smbdr_sk_detach(smbdr_sk(sock->sk));
	WRITE_ONCE(sock->sk->sk_state, TCP_CLOSE);
	sock->state = SS_UNCONNECTED;
}

/* Begin a new attempt. bind_mutex held, socket lock not. */
static int smbdr_start_connect(struct socket *sock, const struct sockaddr_storage *dst)
{
	struct sockaddr_storage shown = *dst;
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct smbdr_params params;
	struct smbdr_conn *conn;
	int err;

	err = smbdr_rebind(sk);
	if (err)
		return err;
	conn = ssk->conn;
	if (!conn)
		conn = smbdr_conn_create(smbdr_ns_of(sock_net(sk)), &ssk->params);
	if (!conn)
		return -ENOMEM;
	smbdr_addr_for_family(&shown, sk->sk_family);

	lock_sock(sk);
	sk->sk_err = 0;
	/* A shutdown() ended the attempt that it was made in, not the next one. */
	WRITE_ONCE(sk->sk_shutdown, 0);
	ssk->end_told = false;
	params = ssk->params;
	WRITE_ONCE(sk->sk_state, TCP_SYN_SENT);
	sock->state = SS_CONNECTING;
	if (!ssk->conn)
		smbdr_sk_attach(sk, conn);
	smbdr_sk_note_addr(sk, &shown, true);
	/* Whoever waits in connect() lets go of it when it fails, maybe before we are back. */
	smbdr_conn_get(conn);
	release_sock(sk);

	err = smbdr_conn_connect(conn, (const struct sockaddr *)dst, &params);
	if (err) {
		lock_sock(sk);
		if (ssk->conn == conn) {
			smbdr_connect_failed(sock);
			sk->sk_err = 0;
		}
		release_sock(sk);
		/* For who went to sleep on it in between. */
		sk->sk_state_change(sk);
	}
	smbdr_conn_put(conn);
	return err;
}

/* Until the endpoint is connected or failed. Socket lock held; dropped while asleep. */
static int smbdr_wait_connect(struct sock *sk, long timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	smp_mb(); /* pairs with the one of skwq_has_sleeper() */
	/* Pairs with the release in smbdr_sk_update(): who sees the end has the reason. */
	while (smp_load_acquire(&sk->sk_state) == TCP_SYN_SENT) {
		if (!timeo)
			err = -EINPROGRESS;
		else if (signal_pending(current))
			err = sock_intr_errno(timeo);
		if (err)
			break;
		timeo = smbdr_sk_sleep(sk, &wait, timeo);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

static int smbdr_connect(struct socket *sock, struct sockaddr_unsized *uaddr, int len, int flags)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct sockaddr_storage ss;
	bool started = false;
	long timeo;
	int err;

	err = smbdr_take_addr(sk, (const struct sockaddr *)uaddr, len, &ss, -ENETUNREACH);
	if (err)
		return err;
	mutex_lock(&ssk->bind_mutex);
	if (ssk->listener || sock->state == SS_CONNECTED) {
		err = -EISCONN;
	} else if (sock->state == SS_UNCONNECTED) {
		err = smbdr_start_connect(sock, &ss);
		started = !err;
	}
	mutex_unlock(&ssk->bind_mutex);
	if (err)
		return err;

	lock_sock(sk);
	if (ssk->conn && sock->state == SS_CONNECTING)
		smbdr_sk_tell(sk);
	timeo = sock_sndtimeo(sk, flags & O_NONBLOCK);
	/* Soft devices may be quicker than we are; the answer shall not depend on it. */
	if (started && (flags & O_NONBLOCK))
		err = -EINPROGRESS;
	else
		err = smbdr_wait_connect(sk, timeo);
	if (err == -EINPROGRESS && !started)
		err = -EALREADY;
	if (!err && sock->state == SS_CONNECTING) {
		if (READ_ONCE(sk->sk_state) == TCP_CLOSE) {
			err = sock_error(sk) ?: -ECONNABORTED;
			smbdr_connect_failed(sock);
		} else {
			sock->state = SS_CONNECTED;
			smbdr_sk_learn_addrs(sk);
		}
	} else if (!err && sock->state == SS_UNCONNECTED) {
		/* It failed, and another caller was told why. */
		err = -ECONNABORTED;
	}
	release_sock(sk);
	return err;
}

/* ----- listen and accept ----- */

static int smbdr_start_listen(struct sock *sk, int backlog)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct sockaddr_storage any = { .ss_family = sk->sk_family };
	struct smbdr_listener *l;
	int err;

	err = smbdr_rebind(sk);
	if (!err && !ssk->conn)
		err = smbdr_do_bind(sk, &any);
	if (err)
		return err;
	err = smbdr_listener_create(ssk->conn, &ssk->params, backlog, &smbdr_sk_listen_ops, sk, &l);
	if (err)
		return err;
	lock_sock(sk);
	smbdr_sk_detach(ssk);
	ssk->listener = l;
	WRITE_ONCE(sk->sk_shutdown, 0);
	WRITE_ONCE(sk->sk_state, TCP_LISTEN);
	release_sock(sk);
	/* Who arrived in between has nobody told of it. */
	if (smbdr_listener_pending(l))
		sk->sk_data_ready(sk);
	return 0;
}

static int smbdr_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	int err = 0;

	mutex_lock(&ssk->bind_mutex);
	if (sock->state != SS_UNCONNECTED)
		err = -EINVAL;
	else if (ssk->listener)
		smbdr_listener_set_backlog(ssk->listener, backlog);
	else
		err = smbdr_start_listen(sk, backlog);
	mutex_unlock(&ssk->bind_mutex);
	return err;
}

/* Socket lock held; dropped while asleep. */
static struct smbdr_conn *smbdr_wait_accept(struct sock *sk, long timeo, int *errp)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct smbdr_conn *conn = NULL;
	int err = 0;

	add_wait_queue_exclusive(sk_sleep(sk), &wait);
	smp_mb(); /* pairs with the one of skwq_has_sleeper() */
	for (;;) {
		struct smbdr_listener *l = smbdr_sk(sk)->listener;

		if (!l)
			err = -EINVAL;
		else
			conn = smbdr_listener_accept(l);
		if (conn || err)
			break;
		err = smbdr_listener_error(l);
		if (!err && !timeo)
			err = -EAGAIN;
		else if (!err && signal_pending(current))
			err = sock_intr_errno(timeo);
		if (err)
			break;
		timeo = smbdr_sk_sleep(sk, &wait, timeo);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	*errp = err;
	return conn;
}

/* What a child has from its listener; the callbacks are not among it. */
static void smbdr_sk_inherit(struct sock *newsk, const struct sock *sk)
{
	struct smbdr_sock *child = smbdr_sk(newsk);
	const struct smbdr_sock *ssk = smbdr_sk(sk);

	newsk->sk_destruct = sk->sk_destruct;
	newsk->sk_protocol = sk->sk_protocol;
	newsk->sk_reuse = sk->sk_reuse;
	newsk->sk_reuseport = sk->sk_reuseport;
	newsk->sk_ipv6only = sk->sk_ipv6only;
	newsk->sk_sndtimeo = sk->sk_sndtimeo;
	newsk->sk_rcvtimeo = sk->sk_rcvtimeo;
	newsk->sk_rcvlowat = sk->sk_rcvlowat;
	newsk->sk_sndbuf = sk->sk_sndbuf;
	newsk->sk_rcvbuf = sk->sk_rcvbuf;
	newsk->sk_userlocks = sk->sk_userlocks;
	newsk->sk_allocation = sk->sk_allocation;
	newsk->sk_use_task_frag = sk->sk_use_task_frag;
	newsk->sk_priority = sk->sk_priority;
	newsk->sk_mark = sk->sk_mark;
	newsk->sk_bound_dev_if = sk->sk_bound_dev_if;
	newsk->sk_lingertime = sk->sk_lingertime;
	if (sock_flag(sk, SOCK_LINGER))
		sock_set_flag(newsk, SOCK_LINGER);
	if (sock_flag(sk, SOCK_KEEPOPEN))
		sock_set_flag(newsk, SOCK_KEEPOPEN);
	security_sk_clone(sk, newsk);
	child->params = ssk->params;
	child->tos = ssk->tos;
	child->tcp_flags = ssk->tcp_flags;
	child->keep_intvl = ssk->keep_intvl;
	child->keep_cnt = ssk->keep_cnt;
}

static struct sock *smbdr_sk_child(struct sock *sk, struct socket *newsock, bool kern)
{
	struct sock *newsk = smbdr_fault(accept_sk) ? NULL :
		sk_alloc(sock_net(sk), sk->sk_family, GFP_KERNEL, sk->sk_prot, kern);

	if (!newsk)
		return NULL;
	sock_init_data(newsock, newsk);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		inet_sk(newsk)->pinet6 = &((struct smbdr6_sock *)newsk)->inet6;
#endif
	smbdr_sk_setup(newsk);
	lock_sock(sk);
	smbdr_sk_inherit(newsk, sk);
	release_sock(sk);
	/* As long-lived as its listener with regard to the namespace. */
	if (kern && sk->sk_net_refcnt)
		sk_net_refcnt_upgrade(newsk);
	return newsk;
}

static int smbdr_accept(struct socket *sock, struct socket *newsock, struct proto_accept_arg *arg)
{
	struct sock *sk = sock->sk, *newsk;
	struct smbdr_conn *conn;
	int err;

	lock_sock(sk);
	conn = smbdr_wait_accept(sk, sock_rcvtimeo(sk, arg->flags & O_NONBLOCK), &err);
	arg->is_empty = !smbdr_sk(sk)->listener || !smbdr_listener_pending(smbdr_sk(sk)->listener);
	release_sock(sk);
	if (!conn)
		return err;
	newsk = smbdr_sk_child(sk, newsock, arg->kern);
	if (!newsk) {
		smbdr_conn_abort(conn, -ENOMEM);
		smbdr_conn_put(conn);
		return -ENOMEM;
	}
	WRITE_ONCE(newsk->sk_state, TCP_ESTABLISHED);
	newsock->state = SS_CONNECTED;
	smbdr_sk_attach(newsk, conn);
	lock_sock(newsk);
	smbdr_sk_learn_addrs(newsk);
	release_sock(newsk);
	/* It may have ended while nobody listened. */
	if (smbdr_conn_state(conn) >= SMBDR_CLOSING)
		smbdr_sk_tell(newsk);
	return 0;
}

/* ----- the rest of the calls ----- */

static int smbdr_getname(struct socket *sock, struct sockaddr *addr, int peer)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	int len = sk->sk_family == AF_INET ? sizeof(struct sockaddr_in) :
					     sizeof(struct sockaddr_in6);
	struct sockaddr_storage *ss = (struct sockaddr_storage *)addr;
	int ret = len;
	u8 state;

	lock_sock(sk);
	if (ssk->conn && sock->state == SS_CONNECTING)
		smbdr_sk_tell(sk);
	state = READ_ONCE(sk->sk_state);
	/* Connected, even if it is over already, and connect() was not called again to say so. */
	if (peer && sock->state != SS_CONNECTED &&
	    !(sock->state == SS_CONNECTING &&
	      (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT))) {
		ret = -ENOTCONN;
	} else {
		smbdr_sk_learn_addrs(sk);
		memcpy(addr, peer ? &ssk->peer : &ssk->local, len);
		ss->ss_family = sk->sk_family;
	}
	release_sock(sk);
	return ret;
}

static __poll_t smbdr_poll_listen(const struct smbdr_listener *l)
{
	if (!l)
		return EPOLLHUP;
	return (smbdr_listener_pending(l) ? EPOLLIN | EPOLLRDNORM : 0) |
	       (smbdr_listener_error(l) ? EPOLLIN | EPOLLERR : 0);
}

/*
 * The largest SO_RCVLOWAT. More than the peer may send before somebody reads would never be there,
 * and the smallest frames cost the core some 256 bytes each.
 */
static int smbdr_max_rcvlowat(const struct sock *sk)
{
	return max(READ_ONCE(sk->sk_rcvbuf) / 512, 1);
}

/**
 * smbdr_rcvlowat - how much has to be there for who reads
 * @sk: the socket; SO_RCVBUF may have become less since SO_RCVLOWAT was set
 *
 * Return: bytes, at least one.
 */
u32 smbdr_rcvlowat(const struct sock *sk)
{
	return min(READ_ONCE(sk->sk_rcvlowat), smbdr_max_rcvlowat(sk));
}

static __poll_t smbdr_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	enum smbdr_state state = SMBDR_NEW;
	__poll_t mask = 0;
	bool ended;
	u32 inq;

	sock_poll_wait(file, sock, wait);
	/* The endpoint and the listener only go away under the socket lock. */
	lock_sock(sk);
	if (sk->sk_state == TCP_LISTEN) {
		mask = smbdr_poll_listen(ssk->listener);
		goto out;
	}
	if (ssk->conn)
		state = smbdr_conn_state(ssk->conn);
	ended = state >= SMBDR_CLOSING;
	if (ended || (state == SMBDR_ESTABLISHED && sk->sk_state == TCP_SYN_SENT))
		smbdr_sk_tell(sk);
	/* Pairs with the release in smbdr_sk_update(). */
	if (sk->sk_shutdown == SHUTDOWN_MASK || smp_load_acquire(&sk->sk_state) == TCP_CLOSE ||
	    ended)
		mask |= EPOLLHUP;
	if (READ_ONCE(sk->sk_err))
		mask |= EPOLLERR;
	if ((sk->sk_shutdown & RCV_SHUTDOWN) || state == SMBDR_CLOSED)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	/* Who waits here for more than there is shall not be held to what he was when short. */
	smbdr_sk_sync_buffers(sk);
	inq = smbdr_sk_inq(ssk);
	/* Who is short of memory gets no more before this is read. */
	if (inq && (ssk->short_of_memory || inq >= smbdr_rcvlowat(sk)))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (state != SMBDR_ESTABLISHED) {
		/* Not connected yet, or it would fail at once: the latter counts as ready. */
		if (ended)
			mask |= EPOLLOUT | EPOLLWRNORM;
		goto out;
	}
	if (!(sk->sk_shutdown & SEND_SHUTDOWN) &&
	    smbdr_conn_tx_full(ssk->conn, smbdr_sk_sndbuf(sk))) {
		smbdr_sk_no_space(sk);
		if (smbdr_conn_tx_full(ssk->conn, smbdr_sk_sndbuf(sk)))
			goto out;
	}
	mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
out:
	release_sock(sk);
	return mask;
}

static int smbdr_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	return sk_ioctl(sock->sk, cmd, (void __user *)arg);
}

/* Stop listening. bind_mutex held, socket lock not. */
static void smbdr_stop_listen(struct sock *sk)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct smbdr_listener *l;

	lock_sock(sk);
	l = ssk->listener;
	ssk->listener = NULL;
	if (l)
		WRITE_ONCE(sk->sk_state, TCP_CLOSE);
	release_sock(sk);
	if (!l)
		return;
	smbdr_listener_close(l);
	/* Whoever waits in accept() finds no listener, even if the callback was replaced. */
	wake_up_interruptible_all(sk_sleep(sk));
	sk->sk_state_change(sk);
}

/* How long to go on sending what was accepted, ms. */
static unsigned int smbdr_linger_ms(const struct sock *sk)
{
	if (!sock_flag(sk, SOCK_LINGER) || !sk->sk_lingertime)
		return SMBDR_LINGER_MS;
	return jiffies_to_msecs(min_t(unsigned long, sk->sk_lingertime, 3600UL * HZ));
}

static int smbdr_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	int err = 0;

	/* SHUT_RD, SHUT_WR, SHUT_RDWR are 0, 1, 2; as bits 1, 2, 3. */
	how++;
	if ((how & ~SHUTDOWN_MASK) || !how)
		return -EINVAL;
	mutex_lock(&ssk->bind_mutex);
	if (sk->sk_state == TCP_LISTEN) {
		if (how & RCV_SHUTDOWN)
			smbdr_stop_listen(sk);
		goto out;
	}
	lock_sock(sk);
	if (!ssk->conn || smbdr_conn_state(ssk->conn) == SMBDR_NEW) {
		err = -ENOTCONN;
	} else {
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | how);
		if (how & SEND_SHUTDOWN)
			smbdr_conn_shutdown(ssk->conn, smbdr_linger_ms(sk));
		sk->sk_state_change(sk);
	}
	release_sock(sk);
out:
	mutex_unlock(&ssk->bind_mutex);
	return err;
}

static int smbdr_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk;

	if (!sk)
		return 0;
	ssk = smbdr_sk(sk);
	mutex_lock(&ssk->bind_mutex);
	smbdr_stop_listen(sk);
	lock_sock(sk);
	if (ssk->conn) {
		if (sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime)
			smbdr_conn_abort(ssk->conn, -ECONNABORTED);
		else
			smbdr_conn_shutdown(ssk->conn, smbdr_linger_ms(sk));
		smbdr_sk_detach(ssk);
	}
	/* A frame that was not finished cannot be sent. */
	smbdr_msg_free(ssk->tx_msg);
	ssk->tx_msg = NULL;
	ssk->tx_has_token = false;
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	WRITE_ONCE(sk->sk_state, TCP_CLOSE);
	release_sock(sk);
	mutex_unlock(&ssk->bind_mutex);
	sock->sk = NULL;
	sk_common_release(sk);
	return 0;
}

static int smbdr_set_rcvlowat(struct sock *sk, int val)
{
	WRITE_ONCE(sk->sk_rcvlowat, clamp(val, 1, smbdr_max_rcvlowat(sk)));
	/* There may be enough now. */
	smbdr_sk_wake_readers(sk);
	return 0;
}

#ifdef SMBDR_COMPAT_GETSOCKOPT
#define SMBDR_GETSOCKOPT	.getsockopt = smbdr_getsockopt
#else
#define SMBDR_GETSOCKOPT	.getsockopt_iter = smbdr_getsockopt_iter
#endif

const struct proto_ops smbdr_inet_ops = {
	.family		= PF_INET,
	.owner		= THIS_MODULE,
	.release	= smbdr_release,
	.bind		= smbdr_bind,
	.connect	= smbdr_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= smbdr_accept,
	.getname	= smbdr_getname,
	.poll		= smbdr_poll,
	.ioctl		= smbdr_ioctl,
	.gettstamp	= sock_gettstamp,
	.listen		= smbdr_listen,
	.shutdown	= smbdr_shutdown,
	.setsockopt	= smbdr_setsockopt,
	SMBDR_GETSOCKOPT,
	.sendmsg	= smbdr_sendmsg,
	.recvmsg	= smbdr_recvmsg,
	.mmap		= sock_no_mmap,
	.set_rcvlowat	= smbdr_set_rcvlowat,
};

const struct proto_ops smbdr_inet6_ops = {
	.family		= PF_INET6,
	.owner		= THIS_MODULE,
	.release	= smbdr_release,
	.bind		= smbdr_bind,
	.connect	= smbdr_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= smbdr_accept,
	.getname	= smbdr_getname,
	.poll		= smbdr_poll,
	.ioctl		= smbdr_ioctl,
	.gettstamp	= sock_gettstamp,
	.listen		= smbdr_listen,
	.shutdown	= smbdr_shutdown,
	.setsockopt	= smbdr_setsockopt,
	SMBDR_GETSOCKOPT,
	.sendmsg	= smbdr_sendmsg,
	.recvmsg	= smbdr_recvmsg,
	.mmap		= sock_no_mmap,
	.set_rcvlowat	= smbdr_set_rcvlowat,
};
