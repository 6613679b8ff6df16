// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Servers that send every frame back, for peers that are programs.
 *
 * For each, one thread accepts and one serves each connection. Who waits for a connection
 * or for the next frame does so longer than any peer waits for us, so that a wake-up which
 * is lost is noticed, and is told by a signal when it is time to stop. A thread amid
 * a frame gets none: it comes back by itself, or "stop" fails.
 *
 * One that is started as "late" has no thread that accepts: each connection waits for a
 * command to accept it. Commands come one at a time.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "smbdr_test.h"

#define ST_ECHO_IDLE	60000	/* ms; the peers wait for 20000 at most */
#define ST_ECHO_MAX	(16U << 20)

struct st_echo {
	struct list_head list;
	struct socket *ls;
	struct st_thread *thread;	/* none if late */
	struct list_head conns;		/* of the accepting thread alone, or of commands */
	u16 port;
};

struct st_echo_conn {
	struct list_head list;
	struct st_thread *thread;
	struct socket *sock;
	bool idle;			/* between two frames: a signal stops it */
	bool done;
};

static LIST_HEAD(st_echoes);
static bool st_echo_stopping;

/* Like st_recv_all(), but it may wait for the first byte until we stop. */
static int st_echo_header(struct st_echo_conn *ec, u8 *hdr)
{
	int ret = -EAGAIN;

	st_set_timeout(ec->sock, ST_ECHO_IDLE);
	/* Pairs with st_echo_stop(): it sees that we are idle, or we see that it is time. */
	smp_store_mb(ec->idle, true);
	while (ret == -EAGAIN && !READ_ONCE(st_echo_stopping))
		ret = st_recv(ec->sock, hdr, ST_HDR, 0);
	WRITE_ONCE(ec->idle, false);
	if (ret <= 0)
		return ret ?: -EPIPE;
	st_set_timeout(ec->sock, st_cfg.timeout);
	return st_recv_all(ec->sock, hdr + ret, ST_HDR - ret, 0);
}

static int st_echo_frame(struct st_echo_conn *ec)
{
	struct socket *sock = ec->sock;
	u8 hdr[ST_HDR];
	u8 *buf;
	u32 len;
	int ret;

	ret = st_echo_header(ec, hdr);
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

	while (!st_echo_frame(ec))
		;
	st_release(&ec->sock);
	WRITE_ONCE(ec->done, true);
	return 0;
}

/* Threads that are done, or all; -ETIME if one hangs. */
static int st_echo_reap(struct st_echo *e, bool all)
{
	struct st_echo_conn *ec, *next;
	int ret = 0, r;

	list_for_each_entry_safe(ec, next, &e->conns, list) {
		if (!all && !READ_ONCE(ec->done))
			continue;
		if (READ_ONCE(ec->idle))
			send_sig(SIGINT, ec->thread->task, 1);
		r = st_join(ec->thread, 2 * st_cfg.timeout);
		ret = ret ?: r;
		if (r == -ETIME && st_stuck())
			continue;
		list_del(&ec->list);
		st_release(&ec->sock);
		kfree(ec);
	}
	return ret;
}

static void st_echo_begin(struct st_echo *e, struct socket *sock)
{
	struct st_echo_conn *ec = kzalloc(sizeof(*ec), GFP_KERNEL);

	if (ec) {
		ec->sock = sock;
		list_add_tail(&ec->list, &e->conns);
		ec->thread = st_run("echo", st_echo_serve, ec);
	}
	if (!ec || !ec->thread) {
		if (ec)
			list_del(&ec->list);
		st_release(&sock);
		kfree(ec);
	}
}

static int st_echo_accept(struct st_thread *t)
{
	struct st_echo *e = t->arg;
	int hung = 0;

	while (!READ_ONCE(st_echo_stopping)) {
		struct socket *sock;
		int ret = st_accept(e->ls, &sock, 0);

		hung = st_echo_reap(e, false) ?: hung;
		if (ret == -EAGAIN || ret == -EINTR || ret == -ECONNABORTED)
			continue;
		if (ret)
			return ret;
		st_echo_begin(e, sock);
	}
	return hung;
}

/* One connection of a late server, if there is one. */
static int st_echo_accept_one(u16 port)
{
	struct st_echo *e;
	struct socket *sock;
	int ret;

	list_for_each_entry(e, &st_echoes, list) {
		if (e->port != port || e->thread)
			continue;
		st_echo_reap(e, false);
		ret = st_accept(e->ls, &sock, O_NONBLOCK);
		if (!ret)
			st_echo_begin(e, sock);
		return ret;
	}
	return -ENOENT;
}

static int st_echo_start(const struct sockaddr_storage *at, u16 port, int backlog, bool late,
			 const struct st_opts *o)
{
	struct st_echo *e = kzalloc(sizeof(*e), GFP_KERNEL);
	int ret;

	if (!e)
		return -ENOMEM;
	INIT_LIST_HEAD(&e->conns);
	e->port = port;
	ret = st_listen_at(&init_net, at, port, backlog, o, &e->ls);
	if (ret)
		goto free;
	st_set_timeout(e->ls, ST_ECHO_IDLE);
	WRITE_ONCE(st_echo_stopping, false);
	if (!late)
		e->thread = st_run("echo_accept", st_echo_accept, e);
	if (late || e->thread) {
		list_add_tail(&e->list, &st_echoes);
		return 0;
	}
	ret = -ENOMEM;
	st_release(&e->ls);
free:
	kfree(e);
	return ret;
}

/* 0, or why a server ended before this, or -ETIME if a thread of one hangs. */
int st_echo_stop(void)
{
	struct st_echo *e, *next;
	int ret = 0, r;

	/* Pairs with st_echo_header(). */
	smp_store_mb(st_echo_stopping, true);
	list_for_each_entry_safe(e, next, &st_echoes, list) {
		if (e->thread) {
			send_sig(SIGINT, e->thread->task, 1);
			r = st_join(e->thread, 2 * st_cfg.timeout);
			ret = ret ?: r;
		}
		if (st_stuck())
			return ret;
		r = st_echo_reap(e, true);
		ret = ret ?: r;
		if (st_stuck())
			return ret;
		st_release(&e->ls);
		list_del(&e->list);
		kfree(e);
	}
	return ret;
}

/*
 * "start PORT [ADDR] [late] [backlog=NUMBER] [NAME=VALUE]...", "accept PORT" for one that is late,
 * or "stop": all of them.
 */
int st_echo(char *line, struct seq_buf *report)
{
	struct sockaddr_storage at = st_cfg.addr;
	char *word = strsep(&line, " ");
	struct st_opts o = {};
	int backlog = ST_BACKLOG;
	bool late = false;
	int ret;
	u16 on;

	if (!strcmp(word, "stop"))
		return st_echo_stop();
	if (!strcmp(word, "accept") && line)
		return kstrtou16(line, 10, &on) ?: st_echo_accept_one(on);
	if (strcmp(word, "start") || !line || kstrtou16(strsep(&line, " "), 10, &on))
		return -EINVAL;
	while ((word = strsep(&line, " "))) {
		if (sscanf(word, "backlog=%d", &backlog) == 1)
			continue;
		if (!strcmp(word, "late")) {
			late = true;
			continue;
		}
		ret = strchr(word, '=') ? st_parse_opt(word, &o) : st_parse_addr(word, &at);
		if (ret)
			return ret;
	}
	return st_echo_start(&at, on, backlog, late, &o);
}
