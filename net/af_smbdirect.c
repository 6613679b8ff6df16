// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The socket: its calls, and what the core has to tell it.
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
 * only move it away from SYN_SENT and ESTABLISHED; whether anything can be
 * read or sent is always asked of the endpoint.
 *
 * Locking. bind_mutex, then the socket lock. The core's calls that enter rdma_cm
 * (bind, connect, listen, closing a listener) are made under bind_mutex
 * without the socket lock: soft RDMA drivers create and lock sockets of
 * their own inside. Upcalls take neither; detaching waits for them.
 */
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <net/inet_common.h>
#include "smbdr_sock.h"

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

/*
 * The default sk_write_space looks at skb memory, of which we have none:
 * wake whoever sleeps or polls for space.
 */
static void smbdr_write_space(struct sock *sk)
{
	struct socket_wq *wq;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	rcu_read_unlock();
	sk_wake_async_rcu(sk, SOCK_WAKE_SPACE, POLL_OUT);
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
	smbdr_sk_lock_class(sk);
	mutex_init(&ssk->bind_mutex);
	smbdr_params_init(&ssk->params);
	sk->sk_sndbuf = SMBDR_SNDBUF;
	sk->sk_rcvbuf = SMBDR_RCVBUF;
	sk->sk_write_space = smbdr_write_space;
	return 0;
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

/**
 * smbdr_sk_sync_buffers - tell the core what SO_SNDBUF and SO_RCVBUF say
 * @sk: the socket
 *
 * Context: socket lock held, or nobody else knows the socket.
 */
void smbdr_sk_sync_buffers(struct sock *sk)
{
	struct smbdr_conn *conn = smbdr_sk(sk)->conn;

	if (!conn)
		return;
	smbdr_conn_set_sndbuf(conn, READ_ONCE(sk->sk_sndbuf));
	smbdr_conn_set_rcvbuf(conn, READ_ONCE(sk->sk_rcvbuf));
}

/**
 * smbdr_sk_outq - SIOCOUTQ: accepted and not completed
 * @ssk: the socket; socket lock held
 *
 * Return: bytes, those of an unfinished frame included, headers not.
 */
u32 smbdr_sk_outq(const struct smbdr_sock *ssk)
{
	return (ssk->conn ? smbdr_conn_tx_queued(ssk->conn) : 0) + ssk->tx.have;
}

/**
 * smbdr_sk_inq - SIOCINQ: what can be read at once
 * @ssk: the socket; socket lock held
 *
 * Return: bytes, headers included.
 */
u32 smbdr_sk_inq(const struct smbdr_sock *ssk)
{
	u32 msgs, bytes;

	if (!ssk->conn)
		return 0;
	bytes = smbdr_conn_rx_queued(ssk->conn, &msgs);
	return bytes + msgs * SMBDR_FRAME_HDR - (msgs ? ssk->rx.pos : 0);
}

/* ----- upcalls: no socket lock; the socket stays while they run ----- */

static void smbdr_up_state(void *owner)
{
	struct sock *sk = owner;
	struct smbdr_conn *conn = smbdr_sk(sk)->conn;
	enum smbdr_state state = smbdr_conn_state(conn);
	int err;

	if (state == SMBDR_ESTABLISHED) {
		if (READ_ONCE(sk->sk_state) == TCP_SYN_SENT)
			WRITE_ONCE(sk->sk_state, TCP_ESTABLISHED);
		sk->sk_state_change(sk);
		sk->sk_write_space(sk);
		return;
	}
	if (state < SMBDR_CLOSING)
		return;

	err = -smbdr_conn_error(conn);
	if (READ_ONCE(sk->sk_state) == TCP_SYN_SENT) {
		/* Never connected: an orderly end is no success either. */
		WRITE_ONCE(sk->sk_err, err ?: ECONNABORTED);
		WRITE_ONCE(sk->sk_state, TCP_CLOSE);
		sk_error_report(sk);
	} else if (state == SMBDR_CLOSED && READ_ONCE(sk->sk_state) == TCP_ESTABLISHED) {
		if (err) {
			WRITE_ONCE(sk->sk_err, err);
			sk_error_report(sk);
		}
		WRITE_ONCE(sk->sk_state, TCP_CLOSE_WAIT);
	}
	sk->sk_state_change(sk);
	/* Readers and writers have to look, whoever replaced which callback. */
	sk->sk_data_ready(sk);
	sk->sk_write_space(sk);
}

static void smbdr_up_data(void *owner)
{
	struct sock *sk = owner;

	sk->sk_data_ready(sk);
}

static void smbdr_up_space(void *owner)
{
	struct sock *sk = owner;

	sk->sk_write_space(sk);
}

static const struct smbdr_conn_ops smbdr_sk_conn_ops = {
	.state_change	= smbdr_up_state,
	.data_ready	= smbdr_up_data,
	.write_space	= smbdr_up_space,
};

static void smbdr_up_listener_state(void *owner)
{
	struct sock *sk = owner;

	sk->sk_state_change(sk);
	sk->sk_data_ready(sk);
}

static const struct smbdr_conn_ops smbdr_sk_listen_ops = {
	.state_change	= smbdr_up_listener_state,
	.data_ready	= smbdr_up_data,
};

/* ----- endpoints ----- */

/* Let go of the endpoint, which ends as the caller has asked it to. */
static void smbdr_sk_detach(struct smbdr_sock *ssk)
{
	struct smbdr_conn *conn = ssk->conn;

	if (!conn)
		return;
	smbdr_conn_set_owner(conn, NULL, NULL);
	ssk->conn = NULL;
	smbdr_conn_put(conn);
}

static void smbdr_sk_attach(struct sock *sk, struct smbdr_conn *conn)
{
	smbdr_sk(sk)->conn = conn;
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

static int smbdr_check_addr(const struct sock *sk, const struct sockaddr *addr, int len)
{
	if (len < (int)offsetofend(struct sockaddr, sa_family))
		return -EINVAL;
	if (addr->sa_family != sk->sk_family)
		return -EAFNOSUPPORT;
	if (addr->sa_family == AF_INET && len < (int)sizeof(struct sockaddr_in))
		return -EINVAL;
	if (addr->sa_family == AF_INET6 && len < SIN6_LEN_RFC2133)
		return -EINVAL;
	return 0;
}

/* rdma_cm wants the whole struct; callers may give one that ends early. */
static void smbdr_copy_addr(struct sockaddr_storage *to, const struct sockaddr *from, int len)
{
	memset(to, 0, sizeof(*to));
	memcpy(to, from, min_t(size_t, len, from->sa_family == AF_INET ?
			       sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)));
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
	err = smbdr_conn_bind(conn, (const struct sockaddr *)addr, sk->sk_reuse, ssk->v6only);
	if (err) {
		smbdr_conn_abort(conn, err);
		smbdr_conn_put(conn);
		return err;
	}
	lock_sock(sk);
	smbdr_sk_attach(sk, conn);
	smbdr_sk_learn_addrs(sk);
	release_sock(sk);
	return 0;
}

static int smbdr_bind(struct socket *sock, struct sockaddr_unsized *uaddr, int len)
{
	const struct sockaddr *addr = (const struct sockaddr *)uaddr;
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct sockaddr_storage ss;
	int err;

	err = smbdr_check_addr(sk, addr, len);
	if (err)
		return err;
	smbdr_copy_addr(&ss, addr, len);
	mutex_lock(&ssk->bind_mutex);
	if (ssk->conn || ssk->listener || sock->state != SS_UNCONNECTED)
		err = -EINVAL;
	else
		err = smbdr_do_bind(sk, &ss);
	mutex_unlock(&ssk->bind_mutex);
	return err;
}

/* ----- connect ----- */

/* Begin a new attempt. bind_mutex held, socket lock not. */
static int smbdr_start_connect(struct socket *sock, const struct sockaddr_storage *dst)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct smbdr_conn *conn = ssk->conn;

	/* What is left of a connection that ended does not connect again. */
	if (conn && smbdr_conn_state(conn) != SMBDR_NEW)
		return -EISCONN;
	if (!conn) {
		conn = smbdr_conn_create(smbdr_ns_of(sock_net(sk)), &ssk->params);
		if (!conn)
			return -ENOMEM;
	}
	lock_sock(sk);
	sk->sk_err = 0;
	WRITE_ONCE(sk->sk_state, TCP_SYN_SENT);
	sock->state = SS_CONNECTING;
	if (!ssk->conn)
		smbdr_sk_attach(sk, conn);
	smbdr_sk_note_addr(sk, dst, true);
	release_sock(sk);
	/* An error has ended the endpoint: the waiting below finds it. */
	smbdr_conn_connect(conn, (const struct sockaddr *)dst, &ssk->params);
	return 0;
}

/* Until the endpoint is connected or failed. Socket lock held; dropped while asleep. */
static int smbdr_wait_connect(struct sock *sk, long timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	while (READ_ONCE(sk->sk_state) == TCP_SYN_SENT) {
		if (!timeo)
			err = -EINPROGRESS;
		else if (signal_pending(current))
			err = sock_intr_errno(timeo);
		if (err)
			break;
		sk_wait_event(sk, &timeo, READ_ONCE(sk->sk_state) != TCP_SYN_SENT, &wait);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

static int smbdr_connect(struct socket *sock, struct sockaddr_unsized *uaddr, int len, int flags)
{
	const struct sockaddr *addr = (const struct sockaddr *)uaddr;
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct sockaddr_storage ss;
	bool started = false;
	long timeo;
	int err;

	err = smbdr_check_addr(sk, addr, len);
	if (err)
		return err;
	smbdr_copy_addr(&ss, addr, len);
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
	timeo = sock_sndtimeo(sk, flags & O_NONBLOCK);
	/* Soft devices may be quicker than we are; the answer shall not depend on it. */
	if (started && (flags & O_NONBLOCK) && READ_ONCE(sk->sk_state) != TCP_CLOSE)
		err = -EINPROGRESS;
	else
		err = smbdr_wait_connect(sk, timeo);
	if (err == -EINPROGRESS && !started)
		err = -EALREADY;
	if (!err && sock->state == SS_CONNECTING) {
		if (READ_ONCE(sk->sk_state) == TCP_CLOSE) {
			/* The next attempt starts from nothing, an address included. */
			err = sock_error(sk) ?: -ECONNABORTED;
			smbdr_sk_detach(ssk);
			sock->state = SS_UNCONNECTED;
		} else {
			sock->state = SS_CONNECTED;
			smbdr_sk_learn_addrs(sk);
		}
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

	if (!ssk->conn) {
		err = smbdr_do_bind(sk, &any);
		if (err)
			return err;
	}
	err = smbdr_listener_create(ssk->conn, &ssk->params, backlog, &smbdr_sk_listen_ops, sk, &l);
	if (err)
		return err;
	lock_sock(sk);
	smbdr_sk_detach(ssk);
	ssk->listener = l;
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

static bool smbdr_accept_wait_over(struct sock *sk)
{
	struct smbdr_listener *l = smbdr_sk(sk)->listener;

	return !l || smbdr_listener_pending(l) || smbdr_listener_error(l);
}

/* Socket lock held; dropped while asleep. */
static struct smbdr_conn *smbdr_wait_accept(struct sock *sk, long timeo, int *errp)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct smbdr_conn *conn = NULL;
	int err = 0;

	add_wait_queue_exclusive(sk_sleep(sk), &wait);
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
		sk_wait_event(sk, &timeo, smbdr_accept_wait_over(sk), &wait);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	*errp = err;
	return conn;
}

static struct sock *smbdr_sk_child(struct sock *sk, struct socket *newsock, bool kern)
{
	struct sock *newsk = sk_alloc(sock_net(sk), sk->sk_family, GFP_KERNEL, sk->sk_prot, kern);
	struct smbdr_sock *child;

	if (!newsk)
		return NULL;
	sock_init_data(newsock, newsk);
	child = smbdr_sk(newsk);
	newsk->sk_destruct = sk->sk_destruct;
	newsk->sk_protocol = sk->sk_protocol;
	newsk->sk_reuse = sk->sk_reuse;
	newsk->sk_sndtimeo = sk->sk_sndtimeo;
	newsk->sk_rcvtimeo = sk->sk_rcvtimeo;
	newsk->sk_allocation = sk->sk_allocation;
	newsk->sk_use_task_frag = sk->sk_use_task_frag;
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		inet_sk(newsk)->pinet6 = &((struct smbdr6_sock *)newsk)->inet6;
#endif
	smbdr_sk_lock_class(newsk);
	mutex_init(&child->bind_mutex);
	newsk->sk_sndbuf = sk->sk_sndbuf;
	newsk->sk_rcvbuf = sk->sk_rcvbuf;
	newsk->sk_write_space = smbdr_write_space;
	child->params = smbdr_sk(sk)->params;
	child->v6only = smbdr_sk(sk)->v6only;
	child->tcp_flags = smbdr_sk(sk)->tcp_flags;
	return newsk;
}

static int smbdr_accept(struct socket *sock, struct socket *newsock, struct proto_accept_arg *arg)
{
	struct sock *sk = sock->sk, *newsk;
	struct smbdr_conn *conn;
	int err;

	lock_sock(sk);
	conn = smbdr_wait_accept(sk, sock_rcvtimeo(sk, arg->flags & O_NONBLOCK), &err);
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
		smbdr_up_state(newsk);
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

	lock_sock(sk);
	if (peer && sock->state != SS_CONNECTED &&
	    !(sock->state == SS_CONNECTING && READ_ONCE(sk->sk_state) == TCP_ESTABLISHED)) {
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

static __poll_t smbdr_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	enum smbdr_state state = SMBDR_NEW;
	__poll_t mask = 0;
	bool ended;

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
	if (READ_ONCE(sk->sk_err))
		mask |= EPOLLERR;
	if (sk->sk_shutdown == SHUTDOWN_MASK || !ssk->conn || state == SMBDR_NEW || ended)
		mask |= EPOLLHUP;
	if ((sk->sk_shutdown & RCV_SHUTDOWN) || state == SMBDR_CLOSED)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (ssk->conn && smbdr_conn_rx_peek(ssk->conn))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (state != SMBDR_ESTABLISHED) {
		/* Not connected yet, or it would fail at once: the latter counts as ready. */
		if (ended)
			mask |= EPOLLOUT | EPOLLWRNORM;
		goto out;
	}
	if (!(sk->sk_shutdown & SEND_SHUTDOWN) &&
	    smbdr_conn_tx_queued(ssk->conn) >= (u32)READ_ONCE(sk->sk_sndbuf)) {
		set_bit(SOCK_NOSPACE, &sock->flags);
		goto out;
	}
	mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
out:
	release_sock(sk);
	return mask;
}

static int smbdr_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	int val = -EINVAL;

	lock_sock(sk);
	switch (cmd) {
	case SIOCINQ:
		if (sk->sk_state != TCP_LISTEN)
			val = smbdr_sk_inq(ssk);
		break;
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		if (sk->sk_state != TCP_LISTEN)
			val = smbdr_sk_outq(ssk);
		break;
	default:
		val = -ENOIOCTLCMD;
	}
	release_sock(sk);
	return val < 0 ? val : put_user(val, (int __user *)arg);
}

/* Stop listening. bind_mutex held, socket lock not. */
static void smbdr_stop_listen(struct sock *sk)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct smbdr_listener *l;

	lock_sock(sk);
	l = ssk->listener;
	ssk->listener = NULL;
	release_sock(sk);
	if (!l)
		return;
	smbdr_listener_close(l);
	/* Whoever waits in accept() finds no listener. */
	sk->sk_state_change(sk);
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
		smbdr_stop_listen(sk);
		goto out;
	}
	lock_sock(sk);
	if (!ssk->conn || smbdr_conn_state(ssk->conn) == SMBDR_NEW) {
		err = -ENOTCONN;
	} else {
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | how);
		if (how & SEND_SHUTDOWN)
			smbdr_conn_shutdown(ssk->conn, SMBDR_LINGER_MS);
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
			smbdr_conn_shutdown(ssk->conn, SMBDR_LINGER_MS);
		smbdr_sk_detach(ssk);
	}
	/* A frame that was not finished cannot be sent. */
	smbdr_msg_free(ssk->tx_msg);
	ssk->tx_msg = NULL;
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	WRITE_ONCE(sk->sk_state, TCP_CLOSE);
	sock_orphan(sk);
	sock->sk = NULL;
	release_sock(sk);
	mutex_unlock(&ssk->bind_mutex);
	sock_put(sk);
	return 0;
}

static int smbdr_set_rcvlowat(struct sock *sk, int val)
{
	WRITE_ONCE(sk->sk_rcvlowat, val ? : 1);
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
