// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random socket calls from kernel context.
 *
 * Four threads use a few sockets in whatever way comes up: every call with
 * arguments that are right, nearly right or nonsense, in any state, at once.
 * What a single call returns is not judged; it must return, and the kernel
 * must stay well. Afterwards all sockets are released and a good pair has to
 * work. If too few calls succeed the round fails, because then it tried
 * little more than the checks of arguments.
 *
 * A socket is released only when nobody else uses it, which is what every user
 * of a socket has to see to: each has a rwsem, held for reading by calls. All
 * waits on the sockets are short, so that the writer gets its turn.
 *
 * Each thread's calls are a function of the seed; how they interleave is not.
 */
#include <linux/prandom.h>
#include <linux/rwsem.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/smbdirect.h>
#include <net/tcp_states.h>
#include "smbdr_test.h"

#define ST_FZ_SOCKETS	8
#define ST_FZ_THREADS	4
#define ST_FZ_PORTS	3
#define ST_FZ_WAIT	20		/* ms, no call waits longer */
#define ST_FZ_BUF	(192U << 10)
#define ST_FZ_JOIN	120000		/* ms */
/* Least that has to succeed: calls that connect, and one call in so many. */
#define ST_FZ_CONNECTED	3
#define ST_FZ_ONE_IN	10

enum st_fz_call {
	ST_FZ_BIND, ST_FZ_LISTEN, ST_FZ_CONNECT, ST_FZ_ACCEPT, ST_FZ_SEND, ST_FZ_RECV,
	ST_FZ_OPTION, ST_FZ_RDMA, ST_FZ_OTHER, ST_FZ_CALLS
};

static const char * const st_fz_names[ST_FZ_CALLS] = {
	"bind", "listen", "connect", "accept", "send", "recv", "option", "rdma", "other",
};

/* What a thread does to a socket, as often as it stands here. */
static const u8 st_fz_mix[] = {
	ST_FZ_BIND, ST_FZ_LISTEN, ST_FZ_CONNECT, ST_FZ_CONNECT, ST_FZ_ACCEPT, ST_FZ_ACCEPT,
	ST_FZ_SEND, ST_FZ_SEND, ST_FZ_SEND, ST_FZ_RECV, ST_FZ_RECV, ST_FZ_RECV,
	ST_FZ_OPTION, ST_FZ_RDMA, ST_FZ_RDMA, ST_FZ_OTHER,
};

struct st_fz_slot {
	struct rw_semaphore sem;
	struct socket *sock;
};

struct st_fz {
	struct st_fz_slot slot[ST_FZ_SOCKETS];
	u16 port[ST_FZ_PORTS];
	u32 count;
};

/**
 * struct st_fz_user - one thread
 * @fz: what it shares with the others
 * @rnd: its source of numbers
 * @buf: ST_FZ_BUF bytes of its own
 * @made: calls on a socket, of each kind
 * @ok: those of them that succeeded
 */
struct st_fz_user {
	struct st_fz *fz;
	struct rnd_state rnd;
	u8 *buf;
	u32 made[ST_FZ_CALLS];
	u32 ok[ST_FZ_CALLS];
};

static u32 st_fz_rnd(struct st_fz_user *u, u32 below)
{
	return prandom_u32_state(&u->rnd) % below;
}

static u32 st_fz_odd(struct st_fz_user *u)
{
	static const u32 edges[] = { 0, 1, 2, 4, 127, 128, 255, 256, 8136, 8192, 65535, 65536,
				     131071, 131072, 0xffffff, 0x7fffffff, 0x80000000, 0xffffffff };

	return st_fz_rnd(u, 2) ? edges[st_fz_rnd(u, ARRAY_SIZE(edges))] :
				 st_fz_rnd(u, 1U << (1 + st_fz_rnd(u, 30)));
}

static u16 st_fz_port(struct st_fz_user *u)
{
	return st_fz_rnd(u, 8) ? u->fz->port[st_fz_rnd(u, ST_FZ_PORTS)] : st_fz_rnd(u, 65536);
}

/* The bed's address as a rule, else something like an address. */
static int st_fz_addr(struct st_fz_user *u, struct sockaddr_storage *ss)
{
	*ss = st_cfg.addr;
	if (!st_fz_rnd(u, 8))
		memset(&((struct sockaddr_in *)ss)->sin_addr, 0, 4);
	if (!st_fz_rnd(u, 16))
		prandom_bytes_state(&u->rnd, ss, sizeof(*ss));
	((struct sockaddr_in *)ss)->sin_port = htons(st_fz_port(u));
	if (!st_fz_rnd(u, 16))
		return st_fz_rnd(u, sizeof(*ss) + 1);
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* Frames as a rule, of a length as a rule that the peer takes. */
static int st_fz_send(struct st_fz_user *u, struct socket *sock)
{
	static const int flags[] = { MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL, MSG_OOB, MSG_EOR,
				     MSG_SPLICE_PAGES };
	size_t len = st_fz_rnd(u, 2) ? st_fz_rnd(u, 2000) : st_fz_rnd(u, ST_FZ_BUF - ST_HDR);
	u8 control[CMSG_SPACE(sizeof(u32))] __aligned(sizeof(long)) = {};
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	struct kvec kv = { u->buf, len + ST_HDR };

	if (st_fz_rnd(u, 16))
		st_put_hdr(u->buf, len);
	if (!st_fz_rnd(u, 8))
		kv.iov_len = st_fz_rnd(u, kv.iov_len + 1);
	if (!st_fz_rnd(u, 4))
		msg.msg_flags |= flags[st_fz_rnd(u, ARRAY_SIZE(flags))];
	if (!st_fz_rnd(u, 16)) {
		struct cmsghdr *cmsg = (void *)control;

		cmsg->cmsg_level = st_fz_rnd(u, 4) ? SOL_SMBDIRECT : st_fz_odd(u);
		cmsg->cmsg_type = st_fz_rnd(u, 4) ? SMBDIRECT_CMSG_INVALIDATE : st_fz_odd(u);
		cmsg->cmsg_len = st_fz_rnd(u, 4) ? CMSG_LEN(sizeof(u32)) : st_fz_odd(u);
		msg.msg_control = control;
		msg.msg_controllen = st_fz_rnd(u, 4) ? sizeof(control) :
						       st_fz_rnd(u, sizeof(control));
	}
	return kernel_sendmsg(sock, &msg, &kv, 1, kv.iov_len);
}

static int st_fz_recv(struct st_fz_user *u, struct socket *sock)
{
	static const int flags[] = { MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_OOB,
				     MSG_ERRQUEUE };
	int with = st_fz_rnd(u, 2) ? flags[st_fz_rnd(u, ARRAY_SIZE(flags))] : 0;

	return st_recv(sock, u->buf, st_fz_rnd(u, ST_FZ_BUF + 1), with);
}

static int st_fz_option(struct st_fz_user *u, struct socket *sock)
{
	static const int levels[] = { SOL_SMBDIRECT, SOL_SMBDIRECT, SOL_SMBDIRECT, SOL_SOCKET,
				      IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6 };
	int level = levels[st_fz_rnd(u, ARRAY_SIZE(levels))];
	int opt = st_fz_rnd(u, 8) ? st_fz_rnd(u, 24) : st_fz_odd(u);
	int len = st_fz_rnd(u, 4) ? sizeof(int) : st_fz_rnd(u, 256);
	u32 *val = (u32 *)u->buf;

	/* The timeouts are what bounds our own waits. */
	if (level == SOL_SOCKET &&
	    (opt == SO_RCVTIMEO_OLD || opt == SO_SNDTIMEO_OLD || opt == SO_RCVTIMEO_NEW ||
	     opt == SO_SNDTIMEO_NEW || opt == SO_LINGER))
		return 0;
	if (st_fz_rnd(u, 3))
		return st_read_opt(sock, level, opt, val, &len);
	*val = st_fz_odd(u);
	return do_sock_setsockopt(sock, false, level, opt, KERNEL_SOCKPTR(val), len);
}

/* RDMA as kernel users have it: memory of this thread, descriptors out of the air. */
static int st_fz_rdma(struct st_fz_user *u, struct socket *sock)
{
	u32 len = 1 + st_fz_rnd(u, ST_FZ_BUF), nr, i;
	struct kvec kv = { u->buf, len };
	struct smbdr_kern_desc descs[4];
	struct smbdr_kern_mr *mr;
	struct iov_iter iter;

	if (st_fz_rnd(u, 2)) {
		bool source = st_fz_rnd(u, 2);

		iov_iter_kvec(&iter, source ? ITER_SOURCE : ITER_DEST, &kv, 1, len);
		mr = smbdr_kern_mr_register(sock, &iter,
					    source ? SMBDR_KERN_REMOTE_READ :
						     SMBDR_KERN_REMOTE_WRITE);
		if (IS_ERR(mr))
			return PTR_ERR(mr);
		smbdr_kern_mr_descs(mr, &nr);
		smbdr_kern_mr_deregister(mr);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(descs); i++) {
		descs[i].offset = cpu_to_le64((u64)st_fz_odd(u) << 32 | st_fz_odd(u));
		descs[i].token = cpu_to_le32(st_fz_odd(u));
		descs[i].length = cpu_to_le32(st_fz_odd(u));
	}
	if (st_fz_rnd(u, 2)) {
		iov_iter_kvec(&iter, ITER_DEST, &kv, 1, len);
		return smbdr_kern_rdma_read(sock, &iter, descs, st_fz_rnd(u, 5), st_fz_odd(u));
	}
	iov_iter_kvec(&iter, ITER_SOURCE, &kv, 1, len);
	return smbdr_kern_rdma_write(sock, &iter, descs, st_fz_rnd(u, 5), st_fz_odd(u));
}

static int st_fz_other(struct st_fz_user *u, struct socket *sock)
{
	struct sockaddr_storage ss;
	struct smbdirect_info info;

	switch (st_fz_rnd(u, 5)) {
	case 0:
		return kernel_getsockname(sock, (void *)&ss);
	case 1:
		return kernel_getpeername(sock, (void *)&ss);
	case 2:
		return (__force int)st_poll(sock);
	case 3:
		return smbdr_kern_info(sock, &info);
	default:
		return kernel_sock_shutdown(sock, st_fz_rnd(u, 5));
	}
}

/* Random calls alone seldom make a connection: two of three sockets begin as they should. */
static void st_fz_begin(struct st_fz_user *u, struct socket *sock)
{
	u16 port = u->fz->port[st_fz_rnd(u, ST_FZ_PORTS)];

	switch (st_fz_rnd(u, 3)) {
	case 0:
		if (!st_bind(sock, port))
			kernel_listen(sock, ST_FZ_SOCKETS);
		break;
	case 1:
		u->made[ST_FZ_CONNECT]++;
		u->ok[ST_FZ_CONNECT] += !st_connect(sock, port, 0);
		break;
	}
}

/* A new socket in a free place: made, or accepted from @from. */
static int st_fz_fill(struct st_fz_user *u, struct socket *from)
{
	struct st_fz_slot *slot = &u->fz->slot[st_fz_rnd(u, ST_FZ_SOCKETS)];
	int ret = -EBUSY;

	/* Never waits: the caller may hold the other one. */
	if (!down_write_trylock(&slot->sem))
		return ret;
	if (!slot->sock) {
		ret = from ? kernel_accept(from, &slot->sock, st_fz_rnd(u, 2) ? O_NONBLOCK : 0) :
			     st_socket(&slot->sock);
		if (ret) {
			slot->sock = NULL;
		} else {
			st_set_timeout(slot->sock, ST_FZ_WAIT);
			if (!from)
				st_fz_begin(u, slot->sock);
		}
	}
	up_write(&slot->sem);
	return ret;
}

static void st_fz_drop(struct st_fz_user *u)
{
	struct st_fz_slot *slot = &u->fz->slot[st_fz_rnd(u, ST_FZ_SOCKETS)];

	down_write(&slot->sem);
	st_release(&slot->sock);
	up_write(&slot->sem);
}

static int st_fz_make(struct st_fz_user *u, struct socket *sock, enum st_fz_call call)
{
	struct sockaddr_storage ss;
	int len;

	switch (call) {
	case ST_FZ_BIND:
		len = st_fz_addr(u, &ss);
		return kernel_bind(sock, (void *)&ss, len);
	case ST_FZ_LISTEN:
		return kernel_listen(sock, st_fz_odd(u));
	case ST_FZ_CONNECT:
		len = st_fz_addr(u, &ss);
		return kernel_connect(sock, (void *)&ss, len, st_fz_rnd(u, 2) ? O_NONBLOCK : 0);
	case ST_FZ_ACCEPT:
		return st_fz_fill(u, sock);
	case ST_FZ_SEND:
		return st_fz_send(u, sock);
	case ST_FZ_RECV:
		return st_fz_recv(u, sock);
	case ST_FZ_OPTION:
		return st_fz_option(u, sock);
	case ST_FZ_RDMA:
		return st_fz_rdma(u, sock);
	default:
		return st_fz_other(u, sock);
	}
}

static void st_fz_use(struct st_fz_user *u)
{
	struct st_fz_slot *slot = &u->fz->slot[st_fz_rnd(u, ST_FZ_SOCKETS)];
	enum st_fz_call call = st_fz_mix[st_fz_rnd(u, ARRAY_SIZE(st_fz_mix))];

	down_read(&slot->sem);
	if (slot->sock) {
		u->made[call]++;
		u->ok[call] += st_fz_make(u, slot->sock, call) >= 0;
	}
	up_read(&slot->sem);
}

static int st_fz_thread(struct st_thread *t)
{
	struct st_fz_user *u = t->arg;
	u32 i;

	for (i = 0; i < u->fz->count; i++) {
		u32 what = st_fz_rnd(u, 16);

		st_where(t, "call %u", i);
		if (what < 2)
			st_fz_drop(u);
		else if (what < 5)
			st_fz_fill(u, NULL);
		else
			st_fz_use(u);
	}
	return 0;
}

/* What succeeded, in words; -ENODATA if it was too little. */
static int st_fz_judge(const struct st_fz_user *users, struct seq_buf *report)
{
	u32 made = 0, ok = 0, connected = 0;
	int call, i;

	for (call = 0; call < ST_FZ_CALLS; call++) {
		u32 m = 0, o = 0;

		for (i = 0; i < ST_FZ_THREADS; i++) {
			m += users[i].made[call];
			o += users[i].ok[call];
		}
		seq_buf_printf(report, "%s %u/%u ", st_fz_names[call], o, m);
		if (call == ST_FZ_CONNECT)
			connected = o;
		made += m;
		ok += o;
	}
	seq_buf_printf(report, "all %u/%u\n", ok, made);
	return connected < ST_FZ_CONNECTED || ok < made / ST_FZ_ONE_IN || !ok ? -ENODATA : 0;
}

/*
 * "SEED COUNT": calls of each thread. -ENODATA if too few calls succeeded, else what the good
 * pair at the end said.
 */
int st_fuzz(char *line, struct seq_buf *report)
{
	struct st_thread *t[ST_FZ_THREADS] = {};
	struct st_fz_user *users;
	struct st_pair p = {};
	int i, r, ret = -ENOMEM;
	u32 count;
	struct st_fz *fz;
	u64 seed;

	if (sscanf(line, "%llu %u", &seed, &count) != 2)
		return -EINVAL;
	fz = kzalloc(sizeof(*fz), GFP_KERNEL);
	users = kcalloc(ST_FZ_THREADS, sizeof(*users), GFP_KERNEL);
	if (!fz || !users)
		goto out;
	fz->count = count;
	for (i = 0; i < ST_FZ_SOCKETS; i++)
		init_rwsem(&fz->slot[i].sem);
	for (i = 0; i < ST_FZ_PORTS; i++)
		fz->port[i] = st_port();
	for (i = 0; i < ST_FZ_THREADS; i++) {
		users[i].fz = fz;
		prandom_seed_state(&users[i].rnd, seed * ST_FZ_THREADS + i);
		users[i].buf = kvzalloc(ST_FZ_BUF, GFP_KERNEL);
		if (!users[i].buf)
			goto out;
	}
	for (i = 0; i < ST_FZ_THREADS; i++)
		t[i] = st_run("fuzz", st_fz_thread, &users[i]);
	for (i = 0, ret = 0; i < ST_FZ_THREADS; i++) {
		r = st_join(t[i], ST_FZ_JOIN);
		ret = ret ?: r;
	}
	if (st_stuck())
		return ret;
	r = st_fz_judge(users, report);
	for (i = 0; i < ST_FZ_SOCKETS; i++)
		st_release(&fz->slot[i].sock);
	if (!ret)
		ret = st_pair_open(&p, NULL, NULL);
	if (!ret)
		ret = st_ping(p.c, p.s, 100000);
	st_pair_close(&p);
	ret = ret ?: r;
out:
	for (i = 0; users && i < ST_FZ_THREADS; i++)
		kvfree(users[i].buf);
	kfree(users);
	kfree(fz);
	return ret;
}
