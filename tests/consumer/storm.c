// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets brought into a state, for a script that then does something to them.
 *
 * st_storm_open() makes one set of sockets: a listener, or a connection at rest, or
 * one with data, transfers and threads on the way. The script takes the device, the link,
 * the namespace or the peer away, or calls st_storm_act() for what is done by socket
 * calls. st_storm_end() gives everything back. All that may not wait is timed,
 * and a thread that is told to stop, or whose connection has ended, has to come back, with
 * an error that says so.
 *
 * One set at a time; the caller serialises. A thread works on one end only, and an end is
 * released when its threads are back. If one is lost, all of it leaks, see lib.c.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include "rdma_lib.h"

#define ST_STORM_SOON	5000	/* ms: longest time that a call may take that does not wait */
#define ST_STORM_END	10000	/* ms: until a connection whose peer is gone has ended */
#define ST_STORM_MRS	3
#define ST_STORM_THREADS	2
#define ST_STORM_DESCS	16
#define ST_STORM_FRAMES	512	/* of 64 KiB: more than SO_SNDBUF and SO_RCVBUF let wait */

enum st_storm_state {
	ST_LISTENING,
	ST_CONNECTING,
	ST_RESOLVING,
	ST_UNANSWERED,
	ST_IDLE,
	ST_NO_CREDITS,
	ST_HALF_FRAME,
	ST_TRANSFERS,
	ST_REGISTERED,
};

static const char * const st_storm_states[] = {
	"listening", "connecting", "resolving", "unanswered", "idle", "no_credits", "half_frame",
	"transfers", "registered",
};

/* Keepalives soon enough to notice a silent peer, time enough for a slow kernel. */
static const struct st_opts st_storm_opts = {
	.ka_interval = 1000, .ka_timeout = 3000, .connect_timeout = 4000,
};

/**
 * struct st_storm - a set of sockets
 * @state: what they are in
 * @p: listener and connection; some may be NULL
 * @victim: &p.c or &p.s, or &p.ls if there is no connection
 * @thread: at work, or NULL
 * @on: the end that each of them uses
 * @owner: registered memory of the end that connected
 * @local: memory for transfers of the other end
 * @mr: registrations of @owner
 * @descs: of the first two; copies, because transfers outlive the registrations
 * @nr_descs: how many
 * @slowest: time of the slowest call, ms
 */
struct st_storm {
	enum st_storm_state state;
	struct st_pair p;
	struct socket **victim;
	struct st_thread *thread[ST_STORM_THREADS];
	struct socket **on[ST_STORM_THREADS];
	struct st_mem owner[ST_STORM_MRS];
	struct st_mem local[2];
	struct smbdr_kern_mr *mr[ST_STORM_MRS];
	struct smbdr_kern_desc descs[2][ST_STORM_DESCS];
	u32 nr_descs[2];
	unsigned int slowest;
};

static struct st_storm *st_storm;

static void st_storm_time(struct st_storm *s, unsigned long start)
{
	s->slowest = max(s->slowest, jiffies_to_msecs(jiffies - start));
}

static int st_storm_socket(struct net *net, const struct sockaddr_storage *at, struct socket **sock)
{
	int ret = st_socket_at(net, at->ss_family, st_cfg.proto, sock);

	if (ret)
		return ret;
	/* The namespace may lose its name, not its last user. */
	if (!net_eq(net, &init_net))
		sk_net_refcnt_upgrade((*sock)->sk);
	return st_apply(*sock, &st_storm_opts);
}

/* ----- threads: until the end of the connection or a signal ----- */

/* What a call may say of such an end. Nobody breaks a rule, and nothing is out of memory. */
static int st_storm_judge(int ret, bool rdma)
{
	switch (ret) {
	case 0:
	case -EPIPE:
	case -ECONNRESET:
	case -ETIMEDOUT:
	case -ENETDOWN:
		return 0;
	case -EREMOTEIO:	/* the memory is gone */
		return rdma ? 0 : ret;
	case -EINTR:
		return signal_pending(current) ? 0 : ret;
	default:
		return ret;
	}
}

static int st_storm_write(struct st_thread *t)
{
	struct st_storm *s = t->arg;
	int ret = 0;
	u32 i;

	for (i = 0; !ret && !signal_pending(current); i++) {
		st_where(t, "frame %u", i);
		ret = st_send_frame(s->p.c, i, SZ_1M);
	}
	return st_storm_judge(ret, false);
}

static int st_storm_read(struct st_thread *t)
{
	struct st_storm *s = t->arg;
	u8 buf[256];
	int ret;

	st_where(t, "read");
	do {
		ret = st_recv(s->p.s, buf, sizeof(buf), 0);
	} while (ret > 0 && !signal_pending(current));
	return st_storm_judge(min(ret, 0), false);
}

static int st_storm_rdma(struct st_storm *s, struct st_thread *t, int i)
{
	int ret = 0;
	u32 n;

	for (n = 0; !ret && !signal_pending(current); n++) {
		/* Not at work before the first one is done. */
		if (n)
			st_where(t, "transfer %u of kind %d", n, i);
		ret = st_rdma(s->p.s, &s->local[i],
			      i ? SMBDR_KERN_RDMA_READ : SMBDR_KERN_RDMA_WRITE, s->descs[i],
			      s->nr_descs[i], 0);
	}
	return st_storm_judge(ret, true);
}

static int st_storm_rdma_write(struct st_thread *t)
{
	return st_storm_rdma(t->arg, t, 0);
}

static int st_storm_rdma_read(struct st_thread *t)
{
	return st_storm_rdma(t->arg, t, 1);
}

static int st_storm_start(struct st_storm *s, int i, int (*fn)(struct st_thread *t),
			  struct socket **on)
{
	unsigned long end = jiffies + msecs_to_jiffies(ST_STORM_SOON);

	s->on[i] = on;
	s->thread[i] = st_run("storm", fn, s);
	if (!s->thread[i])
		return -ENOMEM;
	/* A signal before it is ready for one would be lost. */
	while (!strcmp(s->thread[i]->where, "start")) {
		if (completion_done(&s->thread[i]->done))
			return -ESRCH;
		if (time_after(jiffies, end))
			return -ETIME;
		schedule_timeout_uninterruptible(1);
	}
	return 0;
}

/* Nothing has been done to the connection yet. */
static bool st_storm_at_work(struct st_storm *s)
{
	int i;

	for (i = 0; i < ST_STORM_THREADS; i++)
		if (s->thread[i] && completion_done(&s->thread[i]->done))
			return false;
	return true;
}

/* Those on @end, or all: with a signal, or when they have ended by themselves. */
static int st_storm_join(struct st_storm *s, struct socket **end, bool signal)
{
	int i, ret = 0, r;

	for (i = 0; i < ST_STORM_THREADS; i++) {
		struct st_thread *t = s->thread[i];

		if (!t || (end && s->on[i] != end))
			continue;
		s->thread[i] = NULL;
		if (signal)
			send_sig(SIGINT, t->task, 1);
		r = st_join(t, signal ? ST_STORM_SOON : ST_STORM_END);
		ret = ret ?: r;
	}
	return ret;
}

/* ----- states ----- */

static int st_storm_memory(struct st_storm *s)
{
	int i, ret = 0;

	for (i = 0; !ret && i < 2; i++)
		ret = st_mem_alloc(&s->local[i], ST_MEM_VMALLOC, 0, SZ_256K);
	for (i = 0; !ret && i < ST_STORM_MRS; i++) {
		ret = st_mem_alloc(&s->owner[i], i, 10, SZ_256K);
		if (ret)
			break;
		s->mr[i] = st_register(s->p.c, &s->owner[i], i ? SMBDR_KERN_REMOTE_READ :
				       SMBDR_KERN_REMOTE_WRITE);
		ret = PTR_ERR_OR_ZERO(s->mr[i]);
		if (ret)
			s->mr[i] = NULL;
	}
	for (i = 0; !ret && i < 2; i++) {
		const struct smbdr_kern_desc *descs;

		descs = smbdr_kern_mr_descs(s->mr[i], &s->nr_descs[i]);
		if (s->nr_descs[i] > ST_STORM_DESCS)
			return -EMSGSIZE;
		memcpy(s->descs[i], descs, s->nr_descs[i] * sizeof(*descs));
	}
	return ret ?: st_tell(s->p.c, s->p.s);
}

/* As much as is taken without waiting: the reader does not read. */
static int st_storm_fill(struct st_storm *s)
{
	int i, ret = 0;
	u8 hdr[ST_HDR];

	st_put_hdr(hdr, SZ_64K);
	for (i = 0; !ret && i < ST_STORM_FRAMES; i++) {
		ret = st_send(s->p.c, hdr, ST_HDR, MSG_DONTWAIT);
		if (ret == ST_HDR)
			ret = st_send_all(s->p.c, st_pattern(1), SZ_64K, 0);
	}
	return ret == -EAGAIN ? 0 : ret ?: -EFBIG;
}

static int st_storm_prepare(struct st_storm *s)
{
	u8 buf[100];
	int ret;

	switch (s->state) {
	case ST_NO_CREDITS:
		ret = st_storm_fill(s);
		return ret ?: st_storm_start(s, 0, st_storm_write, &s->p.c);
	case ST_HALF_FRAME:
		ret = st_storm_start(s, 0, st_storm_write, &s->p.c);
		if (!ret)
			ret = st_recv_all(s->p.s, buf, sizeof(buf), 0);
		return ret ?: st_storm_start(s, 1, st_storm_read, &s->p.s);
	case ST_TRANSFERS:
		ret = st_storm_memory(s);
		if (!ret)
			ret = st_storm_start(s, 0, st_storm_rdma_write, &s->p.s);
		return ret ?: st_storm_start(s, 1, st_storm_rdma_read, &s->p.s);
	case ST_REGISTERED:
		return st_storm_memory(s);
	default:
		return 0;
	}
}

static int st_storm_connect(struct st_storm *s, const struct sockaddr_storage *at, u16 port,
			    bool wait)
{
	int ret = st_storm_socket(&init_net, at, &s->p.c);

	if (!ret)
		ret = st_connect_addr(s->p.c, at, port, wait ? 0 : O_NONBLOCK);
	return ret == -EINPROGRESS ? 0 : ret;
}

static int st_storm_sockets(struct st_storm *s, struct net *net, const struct sockaddr_storage *at,
			    u16 port)
{
	int ret;

	s->victim = &s->p.c;
	if (s->state == ST_RESOLVING)
		return st_storm_connect(s, &st_cfg.silent, port, false);
	if (s->state == ST_UNANSWERED)
		return st_storm_connect(s, at, port, false);
	ret = st_storm_socket(net, at, &s->p.ls);
	if (!ret)
		ret = st_bind_addr(s->p.ls, at, port);
	if (!ret)
		ret = kernel_listen(s->p.ls, 5);
	if (s->state == ST_LISTENING)
		s->victim = &s->p.ls;
	if (!ret)
		ret = st_storm_connect(s, at, port, s->state != ST_CONNECTING);
	if (!ret && s->state != ST_LISTENING && s->state != ST_CONNECTING)
		ret = st_accept(s->p.ls, &s->p.s, 0);
	return ret;
}

/* ----- the end ----- */

/* Nothing uses it any more but the socket itself. */
static int st_storm_release(struct st_storm *s, struct socket **end)
{
	unsigned long start;
	int i, ret;

	ret = st_storm_join(s, end, true);
	if (st_stuck() || !*end)
		return ret;
	start = jiffies;
	for (i = 0; end == &s->p.c && i < ST_STORM_MRS; i++) {
		/* Who transfers is left with keys that mean nothing, as it should be. */
		if (s->mr[i])
			smbdr_kern_mr_deregister(s->mr[i]);
		s->mr[i] = NULL;
	}
	st_release(end);
	st_storm_time(s, start);
	return ret;
}

static int st_storm_free(struct st_storm *s)
{
	int i, ret, r;

	ret = st_storm_release(s, &s->p.s);
	r = st_stuck() ? -ETIME : st_storm_release(s, &s->p.c);
	ret = ret ?: r;
	r = st_stuck() ? -ETIME : st_storm_release(s, &s->p.ls);
	ret = ret ?: r;
	if (st_stuck())
		return ret;
	for (i = 0; i < ST_STORM_MRS; i++)
		if (s->owner[i].len)
			st_mem_free(&s->owner[i]);
	for (i = 0; i < 2; i++)
		if (s->local[i].len)
			st_mem_free(&s->local[i]);
	if (!ret && s->slowest > ST_STORM_SOON)
		ret = -ETIME;
	kfree(s);
	return ret;
}

/* Its connection has ended or will, soon, whatever became of the peer. */
static bool st_storm_ends(struct socket *sock)
{
	return !sock || !st_wait_poll(sock, EPOLLHUP | EPOLLERR, ST_STORM_END);
}

/**
 * st_storm_open() - bring sockets into a state
 * @state: its name
 * @end: 'c' or 's', which end of a connection st_storm_act() is about
 * @pid: a process in the namespace of the listening end, 0 for the first namespace
 * @at: the address of that end, or of who does not answer
 * @port: its port
 *
 * Return: 0, or what went wrong; -ESRCH if a thread has ended already.
 */
int st_storm_open(const char *state, char end, int pid, const struct sockaddr_storage *at, u16 port)
{
	int which = match_string(st_storm_states, ARRAY_SIZE(st_storm_states), state);
	struct st_storm *s;
	struct net *net;
	int ret;

	if (st_storm || st_stuck())
		return -EBUSY;
	if (which < 0 || (which == ST_RESOLVING && !st_cfg.silent.ss_family))
		return -EINVAL;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	s->state = which;
	net = pid ? get_net_ns_by_pid(pid) : get_net(&init_net);
	if (IS_ERR(net)) {
		kfree(s);
		return PTR_ERR(net);
	}
	ret = st_storm_sockets(s, net, at, port);
	put_net(net);
	if (!ret && end == 's' && s->p.s)
		s->victim = &s->p.s;
	if (!ret)
		ret = st_storm_prepare(s);
	if (!ret && !st_storm_at_work(s))
		ret = -ESRCH;
	if (ret)
		st_storm_free(s);
	else
		st_storm = s;
	return ret;
}

/**
 * st_storm_act() - do something with socket calls
 * @what: close, shutdown, kill (of the threads) or peer (close the other end)
 *
 * Return: 0, -ETIME if it took longer than it may, the error of a thread that may not have it.
 */
int st_storm_act(const char *what)
{
	struct st_storm *s = st_storm;
	unsigned long start = jiffies;
	int ret = 0;

	if (!s || st_stuck())
		return -ENOTCONN;
	if (!strcmp(what, "close")) {
		ret = st_storm_release(s, s->victim);
	} else if (!strcmp(what, "shutdown")) {
		kernel_sock_shutdown(*s->victim, SHUT_RDWR);
		st_storm_time(s, start);
	} else if (!strcmp(what, "kill")) {
		ret = st_storm_join(s, NULL, true);
	} else if (!strcmp(what, "peer")) {
		ret = st_storm_release(s, s->victim != &s->p.c ? &s->p.c :
				       s->p.s ? &s->p.s : &s->p.ls);
	} else {
		return -EINVAL;
	}
	return ret;
}

/**
 * st_storm_end() - give everything back
 * @ended: what was done ends every connection: see that it has
 * @report: gets "key value" lines
 *
 * Return: 0, -ENOTCONN if a connection goes on that should not, -ETIME if something
 * took longer than it may, the error of a thread that may not have it.
 */
int st_storm_end(bool ended, struct seq_buf *report)
{
	struct st_storm *s = st_storm;
	int ret = 0, r;

	if (!s)
		return 0;
	if (st_stuck())
		return -EBUSY;
	st_storm = NULL;
	if (ended) {
		if (!st_storm_ends(s->p.c) || !st_storm_ends(s->p.s))
			ret = -ENOTCONN;
		r = st_storm_join(s, NULL, ret);
		ret = ret ?: r;
	}
	seq_buf_printf(report, "state %s\nended %d\n", st_storm_states[s->state], ret);
	if (st_stuck())
		return ret;
	r = st_storm_free(s);
	seq_buf_printf(report, "given_back %d\n", r);
	return ret ?: r;
}
