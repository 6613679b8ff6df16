// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * recvmsg(): messages become a byte stream with a 4 byte header before each.
 *
 * The reader has a position in the first message of the queue and may take its
 * bytes, and those of the following ones, in any pieces. A message is removed
 * when its last byte was read, which is when the peer may get credits for it.
 * What was received before the end stays readable; then comes the error, once, or
 * end of file. The end is CLOSED, not CLOSING: in between, data that the
 * device had completed is still on its way into the queue.
 *
 * Everything runs under the socket lock, which makes us the one reader that the
 * core expects; it is dropped while waiting.
 */
#include <linux/sched/signal.h>
#include <linux/uio.h>
#include "smbdr_sock.h"

static bool smbdr_rx_wait_over(struct sock *sk)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);

	return (sk->sk_shutdown & RCV_SHUTDOWN) || !ssk->conn || sk->sk_state == TCP_LISTEN ||
	       smbdr_conn_rx_peek(ssk->conn) || smbdr_sk_ended(ssk);
}

/*
 * Nothing to read now. 1: wait; 0: end of file; or a negative errno. @ended is
 * from before the queue was looked at: what is queued after that is still there.
 */
static int smbdr_rx_verdict(struct sock *sk, bool ended)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);

	if (sk->sk_shutdown & RCV_SHUTDOWN)
		return 0;
	if (!ssk->conn || sk->sk_state == TCP_LISTEN ||
	    smbdr_conn_state(ssk->conn) == SMBDR_NEW)
		return sock_error(sk) ?: -ENOTCONN;
	if (ended) {
		smbdr_sk_tell(sk);
		return sock_error(sk);
	}
	return 1;
}

/* Until there is a message or an end. Socket lock held; dropped while asleep. */
static int smbdr_rx_wait(struct sock *sk, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	smp_mb(); /* pairs with the one of skwq_has_sleeper() */
	while (!smbdr_rx_wait_over(sk)) {
		if (!*timeo)
			err = -EAGAIN;
		else if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		if (err)
			break;
		sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
		*timeo = smbdr_sk_sleep(sk, &wait, *timeo);
		sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* Copy (or, with MSG_TRUNC, skip) bytes at *@pos of a frame. */
static ssize_t smbdr_rx_copy(struct smbdr_msg *m, u32 *pos, struct msghdr *msg, size_t want,
			     int flags)
{
	size_t n, got;

	if (*pos < SMBDR_FRAME_HDR) {
		u8 hdr[SMBDR_FRAME_HDR];

		n = min_t(size_t, want, SMBDR_FRAME_HDR - *pos);
		smbdr_frame_put_hdr(hdr, m->length);
		got = flags & MSG_TRUNC ? n : smbdr_fault(hdr_out) ? 0 :
			copy_to_iter(hdr + *pos, n, &msg->msg_iter);
		if (!got)
			return -EFAULT;
	} else {
		ssize_t ret;

		n = min_t(size_t, want, SMBDR_FRAME_HDR + m->length - *pos);
		ret = flags & MSG_TRUNC ? n :
			smbdr_msg_read(m, *pos - SMBDR_FRAME_HDR, &msg->msg_iter, n);
		if (ret <= 0)
			return -EFAULT;
		got = ret;
	}
	*pos += got;
	return got;
}

/**
 * smbdr_recvmsg - proto_ops.recvmsg
 * @sock: the socket
 * @msg: where to
 * @len: how many bytes at most
 * @flags: MSG_DONTWAIT, MSG_WAITALL, MSG_PEEK, MSG_TRUNC (discard); others
 *	are ignored except MSG_OOB
 *
 * Context: process; may sleep.
 *
 * Return: bytes; 0 at the end; -EAGAIN, -EINTR, -ERESTARTSYS, -ENOTCONN, -EFAULT,
 * -EINVAL for MSG_OOB, or what ended the connection, once.
 */
int smbdr_recvmsg(struct socket *sock, struct msghdr *msg, size_t len, int flags)
{
	struct sock *sk = sock->sk;
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct smbdr_msg *m = NULL;
	size_t copied = 0, target;
	u32 pos = 0;
	long timeo;
	int ret = 0;

	if (flags & MSG_OOB)
		return -EINVAL;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;	/* nothing is ever in it */
	lock_sock(sk);
	timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	target = flags & MSG_WAITALL ? len : min_t(size_t, smbdr_rcvlowat(sk), len);
	smbdr_sk_sync_buffers(sk);

	while (copied < len) {
		bool ended = ssk->conn && smbdr_sk_ended(ssk);
		ssize_t got;

		if (!m && ssk->conn && !(sk->sk_shutdown & RCV_SHUTDOWN) &&
		    sk->sk_state != TCP_LISTEN) {
			m = smbdr_conn_rx_peek(ssk->conn);
			pos = ssk->rx.pos;
		}
		if (!m) {
			/* A peek has no position that would survive a wait. */
			if (copied >= target || (copied && (flags & MSG_PEEK)))
				break;
			/* What is not data is for the next call, which has nothing else to tell. */
			if (copied && (ended || (sk->sk_shutdown & RCV_SHUTDOWN)))
				break;
			ret = smbdr_rx_verdict(sk, ended);
			if (ret <= 0)
				break;
			ret = smbdr_rx_wait(sk, &timeo);
			if (ret)
				break;
			continue;
		}
		got = smbdr_rx_copy(m, &pos, msg, len - copied, flags);
		if (got < 0) {
			ret = got;
			break;
		}
		copied += got;
		if (flags & MSG_PEEK) {
			if (pos == SMBDR_FRAME_HDR + m->length) {
				pos = 0;
				m = smbdr_conn_rx_next(ssk->conn, m);
				if (!m)
					break;
			}
			continue;
		}
		ssk->rx.pos = pos;
		if (!smbdr_frame_rx_left(&ssk->rx, m->length)) {
			ssk->rx.pos = 0;
			m = NULL;
			smbdr_conn_rx_pop(ssk->conn);
		}
	}
	if (msg->msg_get_inq)
		msg->msg_inq = smbdr_sk_inq(ssk);
	release_sock(sk);
	msg->msg_namelen = 0;
	return copied ? copied : ret;
}
