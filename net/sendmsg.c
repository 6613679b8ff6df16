// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sendmsg(): bytes become frames, frames become messages.
 *
 * The writer may give header and body in any pieces over any number of calls.
 * A frame is collected in a message of the core and handed over when its last
 * byte is there, so a writer who stops half way never holds up credits or
 * keepalives. A new frame is begun only when less than SO_SNDBUF waits to be
 * sent; one that was begun may always be finished, so a single frame may
 * exceed the limit and no writer gets stuck in the middle.
 *
 * The bytes are copied, from any kind of iterator, so the caller's memory is
 * his own again on return. Everything runs under the socket lock, which
 * is dropped while waiting for space. The bytes of two concurrent writers
 * mix as they do with TCP, but a frame that is given whole in one call stays whole.
 */
#include <linux/sched/signal.h>
#include <linux/uio.h>
#include "smbdr_sock.h"

#define SMBDR_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_WAITALL | \
			  MSG_BATCH | MSG_CMSG_COMPAT | MSG_INTERNAL_SENDMSG_FLAGS)

/**
 * smbdr_write_space - sk_write_space
 * @sk: the socket
 *
 * The default looks at skb memory, of which we have none. Wakes whoever sleeps or polls for space
 * and has said so by SOCK_NOSPACE: a reader sleeps in the same queue, and has nothing
 * to do when what he has sent is through.
 *
 * Context: any.
 */
void smbdr_write_space(struct sock *sk)
{
	struct socket *sock;

	rcu_read_lock();
	sock = READ_ONCE(sk->sk_socket);
	/* Pairs with the barrier of smbdr_sk_no_space(). */
	if (sock && test_and_clear_bit(SOCK_NOSPACE, &sock->flags)) {
		struct socket_wq *wq = rcu_dereference(sk->sk_wq);

		if (skwq_has_sleeper(wq))
			wake_up_interruptible_poll(&wq->wait,
						   EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	}
	sk_wake_async_rcu(sk, SOCK_WAKE_SPACE, POLL_OUT);
	rcu_read_unlock();
}

/**
 * smbdr_sk_no_space - somebody is about to wait for space
 * @sk: the socket
 *
 * The caller then looks whether there is some once more.
 *
 * Context: socket lock held.
 */
void smbdr_sk_no_space(struct sock *sk)
{
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	smp_mb__after_atomic(); /* pairs with smbdr_write_space() */
	/* The limit may have been lowered: the core would not hurry for the former one. */
	smbdr_sk_sync_buffers(sk);
}

static bool smbdr_tx_space(struct sock *sk)
{
	return !smbdr_conn_tx_full(smbdr_sk(sk)->conn, smbdr_sk_sndbuf(sk));
}

/* Why nothing can be sent: 0 if it can, or a negative errno. */
static int smbdr_tx_error(struct sock *sk)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);

	/* Not taken out here: a call that has sent something leaves it to the next one. */
	if (READ_ONCE(sk->sk_err) || (sk->sk_shutdown & SEND_SHUTDOWN))
		return -EPIPE;
	if (!ssk->conn || sk->sk_state == TCP_LISTEN)
		return -ENOTCONN;
	switch (smbdr_conn_state(ssk->conn)) {
	case SMBDR_NEW:
		return -ENOTCONN;
	case SMBDR_CLOSING:
	case SMBDR_CLOSED:
		return -EPIPE;
	default:
		return 0;
	}
}

static bool smbdr_tx_wait_over(struct sock *sk)
{
	if (READ_ONCE(sk->sk_err) || (sk->sk_shutdown & SEND_SHUTDOWN) || !smbdr_sk(sk)->conn)
		return true;
	switch (smbdr_conn_state(smbdr_sk(sk)->conn)) {
	case SMBDR_CONNECTING:
	case SMBDR_NEGOTIATING:
		return false;
	case SMBDR_ESTABLISHED:
		return smbdr_tx_space(sk);
	default:
		return true;
	}
}

/* Until connected and with space. Socket lock held; dropped while asleep. */
static int smbdr_tx_wait(struct sock *sk, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	smp_mb(); /* pairs with the one of skwq_has_sleeper() */
	while (!smbdr_tx_wait_over(sk)) {
		/* Also for who gets -EAGAIN, and polls then. */
		smbdr_sk_no_space(sk);
		if (smbdr_tx_wait_over(sk))
			break;
		if (!*timeo)
			err = -EAGAIN;
		else if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		if (err)
			break;
		*timeo = smbdr_sk_sleep(sk, &wait, *timeo);
	}
	/* Nothing may be queued now, for the first time since memory was short. */
	smbdr_sk_sync_buffers(sk);
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* Take header bytes. Returns how many, or a negative errno with none taken. */
static int smbdr_tx_take_hdr(struct smbdr_sock *ssk, struct iov_iter *from, u32 max)
{
	u32 n = min_t(size_t, smbdr_frame_tx_hdr_missing(&ssk->tx), iov_iter_count(from));
	u8 bytes[SMBDR_FRAME_HDR];
	size_t got = smbdr_fault(hdr_in) ? 0 : copy_from_iter(bytes, n, from);
	int err;

	if (!got)
		return -EFAULT;
	err = smbdr_frame_tx_hdr(&ssk->tx, bytes, got, max);
	if (err) {
		iov_iter_revert(from, got);
		return err;
	}
	return got;
}

/* Take body bytes, and send the frame if they complete it. */
static int smbdr_tx_take_body(struct sock *sk, struct iov_iter *from)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	size_t n = min_t(size_t, smbdr_frame_tx_body_missing(&ssk->tx), iov_iter_count(from));
	ssize_t got;
	int err;

	if (!ssk->tx_msg)
		ssk->tx_msg = smbdr_msg_alloc(ssk->tx.length, sk->sk_allocation);
	if (!ssk->tx_msg)
		return -ENOMEM;
	got = smbdr_msg_fill(ssk->tx_msg, from, n, sk->sk_allocation);
	if (got <= 0 || !smbdr_frame_tx_body(&ssk->tx, got))
		return got;
	ssk->tx_msg->invalidate_rkey = ssk->tx_token;
	ssk->tx_msg->has_invalidate = ssk->tx_has_token;
	err = smbdr_conn_send(ssk->conn, ssk->tx_msg);
	if (err)
		smbdr_msg_free(ssk->tx_msg);
	ssk->tx_msg = NULL;
	ssk->tx_has_token = false;
	return err ?: got;
}

/* Flags and control messages. 1 if there is a token to invalidate, 0 if not, or an errno. */
static int smbdr_tx_check_msg(struct msghdr *msg, size_t len, u32 *token)
{
	struct cmsghdr *cmsg;
	int found = 0;

	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (msg->msg_flags & ~SMBDR_SEND_FLAGS)
		return -EINVAL;
	if (!msg->msg_controllen)
		return 0;
	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level != SOL_SMBDIRECT)
			continue;
		if (cmsg->cmsg_type != SMBDIRECT_CMSG_INVALIDATE || found || !len ||
		    cmsg->cmsg_len != CMSG_LEN(sizeof(*token)))
			return -EINVAL;
		memcpy(token, CMSG_DATA(cmsg), sizeof(*token));
		found = 1;
	}
	return found;
}

/**
 * smbdr_sendmsg - proto_ops.sendmsg
 * @sock: the socket
 * @msg: what to send
 * @len: how many bytes
 *
 * Context: process; may sleep.
 *
 * Return: bytes taken, which may be fewer than @len; -EMSGSIZE for a frame that the
 * peer does not take, before any byte of it is taken in this call; -EINVAL for
 * a header that is none, or a control message that is not known or one too many;
 * -EAGAIN,
 * -ENOTCONN, -EPIPE, -EINTR, -ERESTARTSYS, -ENOMEM, -EFAULT, -EOPNOTSUPP for
 * MSG_OOB, or what ended the connection.
 */
int smbdr_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct smbdirect_info info;
	size_t copied = 0;
	bool have_info = false, token_set = false;
	int ret, has_token;
	u32 token = 0;
	long timeo;

	has_token = smbdr_tx_check_msg(msg, len, &token);
	if (has_token < 0)
		return has_token;
	lock_sock(sk);
	timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	smbdr_sk_sync_buffers(sk);
	ret = smbdr_tx_error(sk);
	while (!ret && msg_data_left(msg)) {
		/* Only a frame that was begun may go on without space. */
		if (!have_info || smbdr_frame_tx_idle(&ssk->tx)) {
			bool must_wait = smbdr_frame_tx_idle(&ssk->tx) ||
				smbdr_conn_state(ssk->conn) < SMBDR_ESTABLISHED;

			ret = must_wait ? smbdr_tx_wait(sk, &timeo) : 0;
			if (!ret)
				ret = smbdr_tx_error(sk);
			if (ret)
				break;
			smbdr_conn_info(ssk->conn, &info);
			have_info = true;
		}
		/* The frame that the first byte belongs to gets it. */
		if (has_token && !copied) {
			ret = ssk->tx_has_token ? -EINVAL : 0;
			if (ret)
				break;
			ssk->tx_token = token;
			ssk->tx_has_token = true;
			token_set = true;
		}
		if (smbdr_frame_tx_hdr_missing(&ssk->tx))
			ret = smbdr_tx_take_hdr(ssk, &msg->msg_iter,
						min_t(u32, info.max_fragmented_send_size,
						      SMBDR_FRAME_MAX));
		else
			ret = smbdr_tx_take_body(sk, &msg->msg_iter);
		if (ret < 0)
			break;
		copied += ret;
		ret = 0;
	}
	/* No byte of it was taken, so the next call may try again. */
	if (token_set && !copied)
		ssk->tx_has_token = false;
	if (copied) {
		ret = copied;
	} else if (ret == -EPIPE) {
		if (ssk->conn)
			smbdr_sk_tell(sk);
		ret = sk_stream_error(sk, msg->msg_flags, ret);
	}
	release_sock(sk);
	return ret;
}
