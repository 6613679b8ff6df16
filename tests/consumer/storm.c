// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets brought into a state, for a script that then does something to them.
 *
 * "open STATE END PID ADDR PORT" makes one set of sockets: a listener, or a connection at
 * rest, or one with data, transfers and threads on the way. The listening end lives in the
 * namespace of the process PID (0: the first one) at ADDR; in the state "resolving" nobody
 * lives there. END (c or s) is the end that "act" is about. The script takes the device, the
 * link, the namespace or the peer away, or writes "act WHAT" for what is done by socket
 * calls. "end" releases everything. All that may not wait is timed, and a thread that is told
 * to stop, or whose connection has ended, has to come back, with an error that says so.
 * "ended" is for actions that end every connection: it checks that they did.
 *
 * "dial ADDR PORT BYTES" adds a connection to any listener, silent or with a frame that has
 * arrived. "look" says what poll() and accept() of the set's listener say. "end" releases
 * the listener first; then every dialed connection has to end.
 *
 * One set at a time; the caller serialises. A thread works on one end only, and an end is
 * released when its threads are back. If one is lost, all of it leaks, see lib.c.
 *
 * The user of an end is killed while a thread of it waits in a call (accept(), connect(),
 * recvmsg(), or the work of the state): SIGKILL, EINTR from the call within the bound, and the last
 * thread of the user closes all it had with the signal still pending, as the exit of a
 * process does. What cannot be had: sockets are for the kernel, so the user is a kernel thread,
 * whose exit closes nothing by itself. And no signal ends the wait for an RDMA transfer: a thread
 * that is in one dies when that is over, which has to be as soon. A user that only has registered
 * memory or a full queue waits in recvmsg() or accept().
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/sockios.h>
#include <net/net_namespace.h>
#include <asm/ioctls.h>
#include "rdma_lib.h"

/* ms, where the kernel is not emulated: 5 s for a call that does not wait, 10 s for an end. */
#define ST_STORM_SOON	(st_cfg.timeout / 4)
#define ST_STORM_END	(st_cfg.timeout / 2)
#define ST_STORM_MRS	6
#define ST_STORM_JOBS	4	/* two of a state, two that only wait to be killed */
#define ST_STORM_DESCS	16
#define ST_STORM_FRAMES	512	/* of 64 KiB: more than SO_SNDBUF and SO_RCVBUF let wait */
#define ST_STORM_DIALS	8

enum st_storm_state {
	ST_ALONE,	/* a listener that only "dial" connects to */
	ST_LISTENING,
	ST_CONNECTING,
	ST_RESOLVING,
	ST_UNANSWERED,
	ST_IDLE,
	ST_NO_CREDITS,
	ST_HALF_FRAME,
	ST_TRANSFERS,
	ST_REGISTERED,
	ST_SHUTTING,
	ST_CLOSING,
};

static const char * const st_storm_states[] = {
	"alone", "listening", "connecting", "resolving", "unanswered", "idle", "no_credits",
	"half_frame", "transfers", "registered", "shutting", "closing",
};

static_assert(ARRAY_SIZE(st_storm_states) == ST_CLOSING + 1);

/* Keepalives soon enough to notice a silent peer, time enough for a slow kernel. */
static const struct st_opts st_storm_opts = {
	.ka_interval = 1000, .ka_timeout = 3000, .connect_timeout = 4000,
};

/* The listener's end throws out a peer that does not negotiate; its timer is not what we test. */
static const struct st_opts st_storm_patient = { .negotiate_timeout = 60000 };

/**
 * struct st_storm_job - what a thread does
 * @s: with what
 * @on: the end that it uses
 * @fn: returns when the connection has ended or a signal came
 * @thread: at work, or NULL
 */
struct st_storm_job {
	struct st_storm *s;
	struct socket **on;
	int (*fn)(struct st_storm *s, struct st_thread *t);
	struct st_thread *thread;
};

/**
 * struct st_storm - a set of sockets
 * @state: what they are in
 * @at: where @p.c connects to
 * @port: its port
 * @p: listener and connection; some may be NULL. One user has @p.c and @mr, another one the others
 * @victim: &p.c or &p.s, or &p.ls if there is no connection
 * @end: 'c' or 's', whose user is to be killed
 * @dying: threads of that one that are left
 * @job: the threads
 * @owner: registered memory of the end that connected
 * @local: memory for transfers of the other end
 * @mr: registrations of @owner
 * @descs: of the first two; copies, because transfers outlive the registrations
 * @nr_descs: how many
 * @slowest: time of the slowest call, ms
 */
struct st_storm {
	enum st_storm_state state;
	struct sockaddr_storage at;
	u16 port;
	struct st_pair p;
	struct socket **victim;
	char end;
	atomic_t dying;
	struct st_storm_job job[ST_STORM_JOBS];
	struct st_mem owner[ST_STORM_MRS];
	struct st_mem local[2];
	struct smbdr_kern_mr *mr[ST_STORM_MRS];
	struct smbdr_kern_desc descs[2][ST_STORM_DESCS];
	u32 nr_descs[2];
	unsigned int slowest;
};

static struct st_storm *st_storm_set;
static struct socket *st_storm_dialed[ST_STORM_DIALS];

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
	/* Then the connection is as it was. */
	if (fatal_signal_pending(current) && ret != -EINTR)
		return ret;
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

static int st_storm_write(struct st_storm *s, struct st_thread *t)
{
	int ret = 0;
	u32 i;

	for (i = 0; !ret && !signal_pending(current); i++) {
		st_where(t, "frame %u", i);
		ret = st_send_frame(s->p.c, i, SZ_1M);
	}
	return st_storm_judge(ret, false);
}

static int st_storm_read(struct st_storm *s, struct st_thread *t)
{
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

static int st_storm_rdma_write(struct st_storm *s, struct st_thread *t)
{
	return st_storm_rdma(s, t, 0);
}

static int st_storm_rdma_read(struct st_storm *s, struct st_thread *t)
{
	return st_storm_rdma(s, t, 1);
}

/* ----- threads: in a call that only a signal ends ----- */

static int st_storm_killed(int ret)
{
	if (ret == -EINTR && fatal_signal_pending(current))
		return 0;
	return ret < 0 ? ret : -EBADE;
}

static int st_storm_wait_data(struct socket *sock, struct st_thread *t)
{
	u8 byte;

	st_where(t, "recvmsg");
	return st_storm_killed(st_recv(sock, &byte, 1, 0));
}

static int st_storm_wait_client(struct st_storm *s, struct st_thread *t)
{
	int ret = 0;

	if (s->state == ST_CONNECTING || s->state == ST_RESOLVING || s->state == ST_UNANSWERED) {
		st_where(t, "connect");
		ret = st_connect_addr(s->p.c, &s->at, s->port, 0);
	}
	/* Who listens here answers soon. */
	return ret ? st_storm_killed(ret) : st_storm_wait_data(s->p.c, t);
}

static int st_storm_wait_server(struct st_storm *s, struct st_thread *t)
{
	return st_storm_wait_data(s->p.s, t);
}

static int st_storm_wait_accept(struct st_storm *s, struct st_thread *t)
{
	struct socket *child = NULL;
	int ret;

	st_where(t, "accept");
	for (;;) {
		ret = st_accept(s->p.ls, &child, 0);
		if (ret)
			return st_storm_killed(ret);
		swap(s->p.s, child);
		st_release(&child);
	}
}

static void st_storm_close(struct st_storm *s, struct socket **end)
{
	unsigned long start = jiffies;
	int i;

	for (i = 0; end == &s->p.c && i < ST_STORM_MRS; i++) {
		/* Who transfers is left with keys that mean nothing, as it should be. */
		if (s->mr[i])
			smbdr_kern_mr_deregister(s->mr[i]);
		s->mr[i] = NULL;
	}
	st_release(end);
	st_storm_time(s, start);
}

static int st_storm_main(struct st_thread *t)
{
	struct st_storm_job *job = t->arg;
	struct st_storm *s = job->s;
	int ret = job->fn(s, t);

	if (!fatal_signal_pending(current) || !atomic_dec_and_test(&s->dying))
		return ret;
	st_where(t, "exit");
	if (job->on == &s->p.c) {
		st_storm_close(s, &s->p.c);
	} else {
		/* In the order in which they were made. */
		st_storm_close(s, &s->p.ls);
		st_storm_close(s, &s->p.s);
	}
	return ret;
}

static int st_storm_start(struct st_storm *s, int i,
			  int (*fn)(struct st_storm *s, struct st_thread *t), struct socket **on)
{
	struct st_storm_job *job = &s->job[i];
	int ret;

	job->s = s;
	job->on = on;
	job->fn = fn;
	job->thread = st_run("storm", st_storm_main, job);
	if (!job->thread)
		return -ENOMEM;
	/* A signal before it is ready for one would be lost. */
	ret = st_until(strcmp(job->thread->where, "start") ||
		       completion_done(&job->thread->done), ST_STORM_SOON);
	return ret ?: completion_done(&job->thread->done) ? -ESRCH : 0;
}

/* Nothing has been done to the connection yet. */
static bool st_storm_at_work(struct st_storm *s)
{
	int i;

	for (i = 0; i < ST_STORM_JOBS; i++)
		if (s->job[i].thread && completion_done(&s->job[i].thread->done))
			return false;
	return true;
}

/* Those on @end, or all: they were sent a signal, or end by themselves. */
static int st_storm_join(struct st_storm *s, struct socket **end, unsigned int ms)
{
	int i, ret = 0, r;

	for (i = 0; i < ST_STORM_JOBS; i++) {
		struct st_thread *t = s->job[i].thread;

		if (!t || (end && s->job[i].on != end))
			continue;
		s->job[i].thread = NULL;
		r = st_join(t, ms);
		ret = ret ?: r;
	}
	return ret;
}

/* Those on @end, or all. */
static int st_storm_interrupt(struct st_storm *s, struct socket **end)
{
	int i;

	for (i = 0; i < ST_STORM_JOBS; i++)
		if (s->job[i].thread && (!end || s->job[i].on == end))
			send_sig(SIGINT, s->job[i].thread->task, 1);
	return st_storm_join(s, end, ST_STORM_SOON);
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

/* The queue is not empty, and will not be: who should read does not, and has little room. */
static int st_storm_unsent(struct st_storm *s)
{
	int left, ret = s->p.c->sk->sk_prot->ioctl(s->p.c->sk, SIOCOUTQ, &left);

	if (!ret && (!left || (st_poll(s->p.s) | st_poll(s->p.c)) & EPOLLHUP))
		ret = -ENODATA;
	return ret;
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
	case ST_SHUTTING:
	case ST_CLOSING:
		ret = st_storm_fill(s);
		/* Who closes shall not have to say so before. */
		if (!ret && s->state == ST_SHUTTING)
			ret = kernel_sock_shutdown(s->p.c, SHUT_WR);
		if (!ret)
			ret = st_storm_unsent(s);
		if (ret || s->state == ST_SHUTTING)
			return ret;
		st_storm_close(s, &s->p.c);
		s->victim = &s->p.s;
		return st_poll(s->p.s) & EPOLLHUP ? -ENODATA : 0;
	default:
		return 0;
	}
}

static int st_storm_connect(struct st_storm *s, bool wait)
{
	int ret = st_storm_socket(&init_net, &s->at, &s->p.c);

	if (!ret)
		ret = st_connect_addr(s->p.c, &s->at, s->port, wait ? 0 : O_NONBLOCK);
	return ret == -EINPROGRESS ? 0 : ret;
}

static int st_storm_sockets(struct st_storm *s, struct net *net)
{
	int ret;

	s->victim = &s->p.c;
	if (s->state == ST_RESOLVING || s->state == ST_UNANSWERED)
		return st_storm_connect(s, false);
	ret = st_storm_socket(net, &s->at, &s->p.ls);
	/* What fills the queue of one end shall not find room at the other one, a little later. */
	if (!ret && (s->state == ST_SHUTTING || s->state == ST_CLOSING))
		sock_set_rcvbuf(s->p.ls->sk, SZ_32K);
	if (!ret && s->state == ST_ALONE)
		ret = st_apply(s->p.ls, &st_storm_patient);
	if (!ret)
		ret = st_bind_addr(s->p.ls, &s->at, s->port);
	if (!ret)
		ret = kernel_listen(s->p.ls, s->state == ST_ALONE ? ST_BACKLOG : 5);
	if (s->state == ST_LISTENING || s->state == ST_ALONE)
		s->victim = &s->p.ls;
	if (ret || s->state == ST_ALONE)
		return ret;
	ret = st_storm_connect(s, s->state != ST_CONNECTING);
	if (!ret && s->state != ST_LISTENING && s->state != ST_CONNECTING)
		ret = st_accept(s->p.ls, &s->p.s, 0);
	return ret;
}

/* ----- the end ----- */

/* Nothing uses it any more but the socket itself. */
static int st_storm_release(struct st_storm *s, struct socket **end)
{
	int ret = st_storm_interrupt(s, end);

	if (!st_stuck() && *end)
		st_storm_close(s, end);
	return ret;
}

/* Threads of one user, in calls beside the work of the state; asleep there when this returns. */
static int st_storm_calls(struct st_storm *s, bool client)
{
	bool reads = s->state == ST_IDLE || s->state == ST_TRANSFERS || s->state == ST_REGISTERED;
	int i, ret;

	if (client)
		ret = st_storm_start(s, 2, st_storm_wait_client, &s->p.c);
	else
		ret = st_storm_start(s, 2, st_storm_wait_accept, &s->p.ls);
	if (!ret && !client && reads)
		ret = st_storm_start(s, 3, st_storm_wait_server, &s->p.s);
	/* In connect() only for as long as that takes. */
	for (i = 2; !ret && s->state != ST_CONNECTING && i < ST_STORM_JOBS; i++) {
		struct st_thread *t = s->job[i].thread;

		if (t)
			ret = st_until(READ_ONCE(t->task->__state) & TASK_INTERRUPTIBLE ||
				       completion_done(&t->done), ST_STORM_SOON);
	}
	return ret ?: st_storm_at_work(s) ? 0 : -ESRCH;
}

static bool st_storm_of(const struct st_storm *s, int i, bool client)
{
	bool on_client = s->job[i].on == &s->p.c;

	return s->job[i].thread && on_client == client;
}

/* One user, with all of its threads. */
static int st_storm_kill(struct st_storm *s)
{
	bool client = s->p.c && (s->end == 'c' || !s->p.ls);
	int i, r, ret = st_storm_calls(s, client);
	int n = 0;

	for (i = 0; i < ST_STORM_JOBS; i++)
		n += st_storm_of(s, i, client);
	atomic_set(&s->dying, n);
	for (i = 0; i < ST_STORM_JOBS; i++)
		if (st_storm_of(s, i, client))
			send_sig(SIGKILL, s->job[i].thread->task, 1);
	r = st_storm_join(s, client ? &s->p.c : &s->p.ls, ST_STORM_SOON);
	ret = ret ?: r;
	r = client ? 0 : st_storm_join(s, &s->p.s, ST_STORM_SOON);
	ret = ret ?: r;
	/* One that was not there to die cannot have closed them. */
	if (!ret && (client ? !!s->p.c : s->p.ls || s->p.s))
		ret = -ESRCH;
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

static int st_storm_open(const char *state, char end, int pid, const struct sockaddr_storage *at,
			 u16 port)
{
	int which = match_string(st_storm_states, ARRAY_SIZE(st_storm_states), state);
	struct st_storm *s;
	struct net *net;
	int ret;

	if (st_storm_set)
		return -EBUSY;
	if (which < 0 || (which == ST_RESOLVING && !st_cfg.silent.ss_family))
		return -EINVAL;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	s->state = which;
	s->end = end;
	s->at = which == ST_RESOLVING ? st_cfg.silent : *at;
	s->port = port;
	net = pid ? get_net_ns_by_pid(pid) : get_net(&init_net);
	if (IS_ERR(net)) {
		kfree(s);
		return PTR_ERR(net);
	}
	ret = st_storm_sockets(s, net);
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
		st_storm_set = s;
	return ret;
}

/* -ETIME if it took longer than it may, or the error of a thread that may not have it. */
static int st_storm_act(const char *what)
{
	struct st_storm *s = st_storm_set;
	unsigned long start = jiffies;

	if (!s)
		return -ENOTCONN;
	if (!strcmp(what, "close"))
		return st_storm_release(s, s->victim);
	if (!strcmp(what, "kill"))
		return st_storm_kill(s);
	if (!strcmp(what, "peer"))
		return st_storm_release(s, s->victim != &s->p.c ? &s->p.c :
					s->p.s ? &s->p.s : &s->p.ls);
	if (strcmp(what, "shutdown"))
		return -EINVAL;
	kernel_sock_shutdown(*s->victim, SHUT_RDWR);
	st_storm_time(s, start);
	return 0;
}

/* ----- connections that wait for accept() ----- */

/* If this fails it can be tried again. */
static int st_storm_dial(const struct sockaddr_storage *to, u16 port, u32 len)
{
	u64 before = st_counter("FrameRcvd");
	struct socket **sock;
	int ret, i;

	for (i = 0; i < ST_STORM_DIALS && st_storm_dialed[i]; i++)
		;
	if (i == ST_STORM_DIALS || len > SZ_2M)
		return -EINVAL;
	sock = &st_storm_dialed[i];
	ret = st_dial_at(to, port, NULL, sock);
	if (!ret && len)
		ret = st_send_frame(*sock, len, len);
	if (!ret && len)
		ret = st_until(st_counter("FrameRcvd") != before, ST_STORM_SOON);
	if (ret)
		st_release(sock);
	return ret;
}

/*
 * Report "poll" with the bits IN, ERR and HUP; "child BYTES ERRNO" for each connection
 * that accept() returned, with what could be read and the errno then (11: nothing has
 * ended); and "accept ERRNO".
 */
static int st_storm_look(struct seq_buf *report)
{
	struct socket *child, *ls = st_storm_set ? st_storm_set->p.ls : NULL;
	u8 buf[256];
	int ret, got;
	__poll_t mask;

	if (!ls)
		return -EINVAL;
	mask = st_poll(ls);
	seq_buf_printf(report, "poll%s%s%s\n", mask & EPOLLIN ? " IN" : "",
		       mask & EPOLLERR ? " ERR" : "", mask & EPOLLHUP ? " HUP" : "");
	while (!(ret = st_accept(ls, &child, O_NONBLOCK))) {
		u32 bytes = 0;

		while ((got = st_recv(child, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			bytes += got;
		seq_buf_printf(report, "child %u %d\n", bytes, -got);
		st_release(&child);
	}
	seq_buf_printf(report, "accept %d\n", -ret);
	return 0;
}

static int st_storm_hang_up(void)
{
	int i, ret = 0;

	for (i = 0; i < ST_STORM_DIALS; i++) {
		if (st_storm_dialed[i] && !ret &&
		    st_wait_poll(st_storm_dialed[i], EPOLLHUP | EPOLLERR, ST_STORM_SOON))
			ret = -ENOTCONN;
		st_release(&st_storm_dialed[i]);
	}
	return ret;
}

/**
 * st_storm_end() - release everything
 * @ended: what was done ends every connection: see that it has
 * @report: gets "key value" lines; may be NULL
 *
 * Return: 0, -ENOTCONN if a connection goes on that should not, -ETIME if something
 * took longer than it may, the error of a thread that may not have it.
 */
int st_storm_end(bool ended, struct seq_buf *report)
{
	struct st_storm *s = st_storm_set;
	int ret = 0, r = 0;

	st_storm_set = NULL;
	if (s && ended) {
		if (!st_storm_ends(s->p.c) || !st_storm_ends(s->p.s))
			ret = -ENOTCONN;
		r = ret ? st_storm_interrupt(s, NULL) : st_storm_join(s, NULL, ST_STORM_END);
		ret = ret ?: r;
	}
	if (report && s)
		seq_buf_printf(report, "state %s\nended %d\n", st_storm_states[s->state], ret);
	if (s && !st_stuck())
		r = st_storm_free(s);
	if (st_stuck())
		return ret ?: -ETIME;
	ret = ret ?: r;
	r = st_storm_hang_up();
	return ret ?: r;
}

int st_storm(char *line, struct seq_buf *report)
{
	struct sockaddr_storage at;
	char what[64], where[64], end;
	u32 len;
	int pid;
	u16 on;

	if (!strcmp(line, "end") || !strcmp(line, "ended"))
		return st_storm_end(!strcmp(line, "ended"), report);
	if (!strcmp(line, "look"))
		return st_storm_look(report);
	if (sscanf(line, "act %63s", what) == 1)
		return st_storm_act(what);
	if (sscanf(line, "dial %63s %hu %u", where, &on, &len) == 3 && !st_parse_addr(where, &at))
		return st_storm_dial(&at, on, len);
	if (sscanf(line, "open %63s %c %d %63s %hu", what, &end, &pid, where, &on) == 5 &&
	    !st_parse_addr(where, &at))
		return st_storm_open(what, end, pid, &at, on);
	return -EINVAL;
}
