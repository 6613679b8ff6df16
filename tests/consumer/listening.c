// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A listener with connections that nobody has accepted, for a script that takes a
 * device away meanwhile.
 *
 * st_listening_open() makes the listener, st_listening_dial() a connection to it, silent
 * or with a frame that has arrived. st_listening_look() tells what poll() and accept()
 * say; accepted connections are read, as far as anything is there, and closed.
 * st_listening_close() closes the listener first and then sees that every connection has
 * ended. One listener at a time; the caller serialises, and all runs in its thread.
 */
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include "smbdr_test.h"

#define ST_LISTENING_MAX	8
#define ST_LISTENING_SOON	5000	/* ms */

static struct socket *st_listening_ls;
static struct socket *st_listening_c[ST_LISTENING_MAX];

/* Who does not negotiate is thrown out by the listener's end, not by its timer. */
static const struct st_opts st_listening_opts = { .negotiate_timeout = 60000 };

/* A frame has come since @before. */
static int st_listening_wait_frame(u64 before)
{
	unsigned long end = jiffies + msecs_to_jiffies(ST_LISTENING_SOON);

	while (st_counter("FrameRcvd") == before) {
		if (time_after(jiffies, end))
			return -ETIME;
		schedule_timeout_uninterruptible(1);
	}
	return 0;
}

/**
 * st_listening_open() - make the listener
 * @at: where
 * @port: and at which port
 *
 * Return: 0, or what went wrong.
 */
int st_listening_open(const struct sockaddr_storage *at, u16 port)
{
	int ret;

	if (st_listening_ls)
		return -EBUSY;
	ret = st_socket_at(&init_net, at->ss_family, st_cfg.proto, &st_listening_ls);
	if (!ret)
		ret = st_apply(st_listening_ls, &st_listening_opts);
	if (!ret)
		ret = st_bind_addr(st_listening_ls, at, port);
	if (!ret)
		ret = kernel_listen(st_listening_ls, ST_BACKLOG);
	if (ret)
		st_release(&st_listening_ls);
	return ret;
}

/**
 * st_listening_dial() - a connection that stays until the listener is closed
 * @to: address of the listener
 * @port: its port
 * @len: of the frame that is sent, 0 for none
 *
 * Return: 0, or what went wrong.
 */
int st_listening_dial(const struct sockaddr_storage *to, u16 port, u32 len)
{
	u64 before = st_counter("FrameRcvd");
	struct socket *sock;
	int ret, i;

	for (i = 0; i < ST_LISTENING_MAX && st_listening_c[i]; i++)
		;
	if (i == ST_LISTENING_MAX || len > ST_PATTERN_MAX)
		return -EINVAL;
	ret = st_socket_at(&init_net, to->ss_family, st_cfg.proto, &sock);
	if (ret)
		return ret;
	st_listening_c[i] = sock;
	ret = st_connect_addr(sock, to, port, 0);
	if (!ret && len)
		ret = st_send_frame(sock, len, len);
	if (!ret && len)
		ret = st_listening_wait_frame(before);
	/* It can be tried again. */
	if (ret)
		st_release(&st_listening_c[i]);
	return ret;
}

/* How much of an accepted connection can be read, and what comes then. */
static void st_listening_read(struct socket *sock, struct seq_buf *report)
{
	u8 buf[256];
	u32 bytes = 0;
	int ret;

	do {
		ret = st_recv(sock, buf, sizeof(buf), MSG_DONTWAIT);
		bytes += max(ret, 0);
	} while (ret > 0);
	seq_buf_printf(report, "child %u %d\n", bytes, -ret);
}

/**
 * st_listening_look() - what poll() and accept() say
 * @report: gets "poll", the bits of IN, ERR and HUP by their names; "child BYTES ERRNO" for
 *	each connection that was accepted, with the errno of its end, 11 if it goes on; and
 *	"accept ERRNO"
 *
 * Return: 0, or -EINVAL if there is no listener.
 */
int st_listening_look(struct seq_buf *report)
{
	struct socket *child;
	__poll_t mask;
	int ret;

	if (!st_listening_ls)
		return -EINVAL;
	mask = st_poll(st_listening_ls);
	seq_buf_printf(report, "poll%s%s%s\n", mask & EPOLLIN ? " IN" : "",
		       mask & EPOLLERR ? " ERR" : "", mask & EPOLLHUP ? " HUP" : "");
	while (!(ret = st_accept(st_listening_ls, &child, O_NONBLOCK))) {
		st_listening_read(child, report);
		st_release(&child);
	}
	seq_buf_printf(report, "accept %d\n", -ret);
	return 0;
}

/**
 * st_listening_close() - close the listener, and look for the end of its connections
 *
 * Return: 0; -ETIME if closing took too long; -ENOTCONN if a connection did not end.
 */
int st_listening_close(void)
{
	unsigned long start = jiffies;
	int i, ret = 0;

	st_release(&st_listening_ls);
	if (time_after(jiffies, start + msecs_to_jiffies(ST_LISTENING_SOON)))
		ret = -ETIME;
	for (i = 0; i < ST_LISTENING_MAX; i++) {
		if (st_listening_c[i] && !ret &&
		    st_wait_poll(st_listening_c[i], EPOLLHUP | EPOLLERR, ST_LISTENING_SOON))
			ret = -ENOTCONN;
		st_release(&st_listening_c[i]);
	}
	return ret;
}
