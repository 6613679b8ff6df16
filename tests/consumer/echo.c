// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A server that sends every frame back, for peers that are programs.
 *
 * One thread accepts, one serves each connection. Nothing waits without end:
 * the listener has a short receive timeout and looks at the stop flag between
 * two tries, as do the connections between two frames.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "smbdr_test.h"

#define ST_ECHO_TICK	300	/* ms between two looks at the stop flag */
#define ST_ECHO_MAX	(16U << 20)

struct st_echo_conn {
	struct list_head list;
	struct st_thread *thread;
	struct socket *sock;
	bool done;
};

static struct socket *st_echo_ls;
static struct st_thread *st_echo_thread;
static LIST_HEAD(st_echo_conns);	/* of the accepting thread alone */
static bool st_echo_stopping;

/* Like st_recv_all(), but it may wait for the first byte until we stop. */
static int st_echo_header(struct socket *sock, u8 *hdr)
{
	int ret;

	do {
		ret = st_recv(sock, hdr, ST_HDR, 0);
	} while (ret == -EAGAIN && !READ_ONCE(st_echo_stopping));
	if (ret <= 0)
		return ret ?: -EPIPE;
	st_set_timeout(sock, st_cfg.timeout);
	ret = st_recv_all(sock, hdr + ret, ST_HDR - ret, 0);
	return ret;
}

static int st_echo_frame(struct socket *sock)
{
	u8 hdr[ST_HDR];
	u8 *buf;
	u32 len;
	int ret;

	st_set_timeout(sock, ST_ECHO_TICK);
	ret = st_echo_header(sock, hdr);
	if (ret)
		return ret;
	len = st_get_hdr(hdr);
	if (len >= ST_ECHO_MAX)
		return -EBADMSG;
	buf = kvmalloc(len + ST_HDR, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	memcpy(buf, hdr, ST_HDR);
	ret = st_recv_all(sock, buf + ST_HDR, len, 0);
	if (!ret)
		ret = st_send_all(sock, buf, len + ST_HDR, 0);
	kvfree(buf);
	return ret;
}

static int st_echo_serve(struct st_thread *t)
{
	struct st_echo_conn *ec = t->arg;

	while (!st_echo_frame(ec->sock))
		;
	st_release(&ec->sock);
	WRITE_ONCE(ec->done, true);
	return 0;
}

static void st_echo_reap(bool all)
{
	struct st_echo_conn *ec, *next;

	list_for_each_entry_safe(ec, next, &st_echo_conns, list) {
		if (!all && !READ_ONCE(ec->done))
			continue;
		if (st_join(ec->thread, 2 * st_cfg.timeout) == -ETIME && st_stuck())
			continue;
		list_del(&ec->list);
		st_release(&ec->sock);
		kfree(ec);
	}
}

static int st_echo_accept(struct st_thread *t)
{
	while (!READ_ONCE(st_echo_stopping)) {
		struct st_echo_conn *ec;
		struct socket *sock;
		int ret = st_accept(st_echo_ls, &sock, 0);

		st_echo_reap(false);
		if (ret == -EAGAIN || ret == -ECONNABORTED)
			continue;
		if (ret)
			return ret;
		ec = kzalloc(sizeof(*ec), GFP_KERNEL);
		if (ec) {
			ec->sock = sock;
			list_add_tail(&ec->list, &st_echo_conns);
			ec->thread = st_run("echo", st_echo_serve, ec);
		}
		if (!ec || !ec->thread) {
			if (ec)
				list_del(&ec->list);
			st_release(&sock);
			kfree(ec);
		}
	}
	return 0;
}

int st_echo_start(const struct sockaddr_storage *at, u16 port)
{
	int ret;

	if (st_echo_ls)
		return -EBUSY;
	ret = st_socket_at(&init_net, at->ss_family, st_cfg.proto, &st_echo_ls);
	if (ret)
		return ret;
	st_set_timeout(st_echo_ls, ST_ECHO_TICK);
	ret = st_bind_addr(st_echo_ls, at, port);
	if (!ret)
		ret = kernel_listen(st_echo_ls, ST_BACKLOG);
	if (!ret) {
		WRITE_ONCE(st_echo_stopping, false);
		st_echo_thread = st_run("echo_accept", st_echo_accept, NULL);
		if (!st_echo_thread)
			ret = -ENOMEM;
	}
	if (ret)
		st_release(&st_echo_ls);
	return ret;
}

void st_echo_stop(void)
{
	if (!st_echo_ls)
		return;
	WRITE_ONCE(st_echo_stopping, true);
	st_join(st_echo_thread, 2 * st_cfg.timeout);
	if (st_stuck())
		return;
	st_echo_reap(true);
	if (!st_stuck())
		st_release(&st_echo_ls);
}
