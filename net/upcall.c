// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Upcalls: what the core has to tell the socket, and how sk_state and sk_err
 * follow the endpoint.
 *
 * The endpoint's state is what everything is decided by, and it changes before
 * its upcall runs. Whoever has looked at it, on whatever processor, must not find a
 * socket that is behind: a call that acts on an endpoint that is connected or has ended
 * takes that over itself (smbdr_sk_tell()), and the upcall, when it comes, finds
 * it done. The reason of an end is written before the state that shows the end.
 *
 * Locking. The core calls in process context with softirqs off, without the
 * socket lock; never after the socket has detached, which waits for calls that run.
 * up_lock makes those who take over take turns; only the endpoint's lock is taken
 * inside. The other writes of sk_state and sk_err are made by calls, under the
 * socket lock, while there is nothing to take over.
 */
#include "smbdr_sock.h"

/*
 * Take over what the endpoint has come to. Upcalls may come late and several at
 * once, so what counts is where the endpoint is, not what the upcall was for.
 * Returns true if there is an error to report.
 */
static bool smbdr_sk_update(struct sock *sk)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct smbdirect_info info;
	enum smbdr_state state;
	bool tell = false;
	u8 from, to;
	int err;

	spin_lock_bh(&ssk->up_lock);
	state = smbdr_conn_state(ssk->conn);
	err = state >= SMBDR_CLOSING ? -smbdr_conn_error(ssk->conn) : 0;
	from = READ_ONCE(sk->sk_state);
	to = from;
	if (to == TCP_SYN_SENT && state >= SMBDR_ESTABLISHED) {
		/* It may have been connected and be over already: no failure to connect. */
		smbdr_conn_info(ssk->conn, &info);
		if (info.max_send_size) {
			to = TCP_ESTABLISHED;
		} else {
			/* Never connected: an orderly end is no success either. */
			to = TCP_CLOSE;
			err = err ?: ECONNABORTED;
			tell = true;
		}
	}
	if (to == TCP_ESTABLISHED || to == TCP_CLOSE_WAIT)
		tell = err != 0;
	/* Not at CLOSING: what was received is still on its way into the queue. */
	if (to == TCP_ESTABLISHED && state == SMBDR_CLOSED)
		to = TCP_CLOSE_WAIT;
	if (tell && ssk->end_told)
		tell = false;
	if (tell) {
		ssk->end_told = true;
		WRITE_ONCE(sk->sk_err, err);
	}
	if (to != from)
		smp_store_release(&sk->sk_state, to); /* the reason is there before the end */
	spin_unlock_bh(&ssk->up_lock);
	return tell;
}

/**
 * smbdr_sk_tell - take over what the endpoint has come to, before its upcall does
 * @sk: the socket, with an endpoint
 *
 * For whoever acts on the endpoint's state: the socket has to be as far. The
 * error of an end is reported to sk_error_report once, here or by the upcall.
 *
 * Context: any. The endpoint stays: the socket lock is held, or it is an upcall, or nobody
 * else has the socket yet.
 */
void smbdr_sk_tell(struct sock *sk)
{
	if (smbdr_sk_update(sk))
		sk_error_report(sk);
}

static void smbdr_up_state(void *owner)
{
	struct sock *sk = owner;
	struct socket *sock;

	smbdr_sk_charge_now(sk);
	smbdr_sk_tell(sk);
	sk->sk_state_change(sk);
	/* Readers and writers have to look, whoever replaced which callback, and waits for what. */
	rcu_read_lock();
	sock = READ_ONCE(sk->sk_socket);
	if (sock)
		set_bit(SOCK_NOSPACE, &sock->flags);
	rcu_read_unlock();
	if (smbdr_conn_state(smbdr_sk(sk)->conn) >= SMBDR_CLOSING)
		sk->sk_data_ready(sk);
	sk->sk_write_space(sk);
}

static void smbdr_up_data(void *owner)
{
	struct sock *sk = owner;

	smbdr_sk_charge_now(sk);
	sk->sk_data_ready(sk);
}

static void smbdr_up_space(void *owner)
{
	struct sock *sk = owner;

	smbdr_sk_charge_now(sk);
	sk->sk_write_space(sk);
}

static void smbdr_up_memory(void *owner)
{
	smbdr_sk_charge_now(owner);
}

const struct smbdr_conn_ops smbdr_sk_conn_ops = {
	.state_change	= smbdr_up_state,
	.data_ready	= smbdr_up_data,
	.write_space	= smbdr_up_space,
	.memory		= smbdr_up_memory,
};

/* A listener holds nothing that is charged to it. */
static void smbdr_up_listener_data(void *owner)
{
	struct sock *sk = owner;

	sk->sk_data_ready(sk);
}

static void smbdr_up_listener_state(void *owner)
{
	struct sock *sk = owner;

	sk->sk_state_change(sk);
	sk->sk_data_ready(sk);
}

const struct smbdr_conn_ops smbdr_sk_listen_ops = {
	.state_change	= smbdr_up_listener_state,
	.data_ready	= smbdr_up_listener_data,
};
