// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many small frames both ways at once, each one checked.
 *
 * A frame carries its number, the number of its direction and a hash of all that
 * follows the hash, so whatever the network below does to packets, a frame that is
 * lost, repeated, mixed up with another one, cut, or changed is seen when it is read.
 * Sizes are 12 bytes to 16 KiB, small and large ones equally likely on a
 * logarithmic scale: one packet, a few, and several SMB Direct messages.
 *
 * Four threads, a writer and a reader at each end. The listening end may live in
 * another network namespace, so that packets really cross a link. Sockets and
 * buffers are freed by the caller when all four are back, never before; if one is
 * lost they leak, see lib.c.
 */
#include <linux/bitops.h>
#include <linux/crc32c.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include "smbdr_test.h"

#define ST_EX_MAX	(16U << 10)
#define ST_EX_HEAD	12U
/* Both ends, so that a thread that gives up shows why before it is interrupted. */
#define ST_EX_TIME	90000

/* What a frame begins with. */
struct st_ex_head {
	__le32 crc;	/* of what follows */
	__le32 seq;
	__le32 dir;
};

/**
 * struct st_ex_flow - one direction
 * @from: who writes
 * @to: who reads
 * @dir: 0 from the end that connected, 1 to it
 * @count: frames
 * @bytes: how much was read
 * @got: how many frames were read and found right
 * @err: of the first thread that failed, of all; what others say follows from that
 * @wbuf: of the writer
 * @rbuf: of the reader
 */
struct st_ex_flow {
	struct socket *from;
	struct socket *to;
	u32 dir;
	u32 count;
	u64 bytes;
	u32 got;
	int *err;
	u8 *wbuf;
	u8 *rbuf;
};

struct st_ex {
	struct st_pair p;
	int err;
	struct st_ex_flow flow[2];
};

/* Both ends know the length of each frame. */
static u32 st_ex_size(u32 dir, u32 seq)
{
	u32 x = (seq + 1) * 2654435761U + dir * 40503;
	u32 bits;

	x ^= x >> 15;
	x *= 2246822519U;
	x ^= x >> 13;
	bits = 3 + x % 11;
	return clamp((1U << bits) + ((x >> 8) & ((1U << bits) - 1)), ST_EX_HEAD, ST_EX_MAX);
}

/* Nobody is to wait for what this thread does not send or read any more. */
static int st_ex_end(struct st_ex_flow *f, int ret)
{
	if (ret) {
		cmpxchg(f->err, 0, ret);
		kernel_sock_shutdown(f->from, SHUT_RDWR);
	}
	return ret;
}

static int st_ex_write_all(struct st_thread *t)
{
	struct st_ex_flow *f = t->arg;
	u32 i;
	int ret;

	for (i = 0; i < f->count; i++) {
		struct st_ex_head *head = (void *)(f->wbuf + ST_HDR);
		u32 len = st_ex_size(f->dir, i);

		st_where(t, "write %u of direction %u", i, f->dir);
		st_put_hdr(f->wbuf, len);
		head->seq = cpu_to_le32(i);
		head->dir = cpu_to_le32(f->dir);
		memcpy(head + 1, st_pattern(i * 2 + f->dir), len - sizeof(*head));
		head->crc = cpu_to_le32(crc32c(~0, &head->seq, len - sizeof(head->crc)));
		ret = st_send_all(f->from, f->wbuf, ST_HDR + len, 0);
		if (ret)
			return ret;
	}
	return 0;
}

static int st_ex_write(struct st_thread *t)
{
	return st_ex_end(t->arg, st_ex_write_all(t));
}

static int st_ex_read_all(struct st_thread *t)
{
	struct st_ex_flow *f = t->arg;
	int ret;

	for (f->got = 0; f->got < f->count; f->got++) {
		const struct st_ex_head *head = (void *)(f->rbuf + ST_HDR);
		u32 len;

		st_where(t, "read %u of direction %u", f->got, f->dir);
		ret = st_recv_all(f->to, f->rbuf, ST_HDR, 0);
		if (ret)
			return ret;
		len = st_get_hdr(f->rbuf);
		if (len < sizeof(*head) || len > ST_EX_MAX)
			return -EBADMSG;
		ret = st_recv_all(f->to, f->rbuf + ST_HDR, len, 0);
		if (ret)
			return ret;
		if (le32_to_cpu(head->crc) != crc32c(~0, &head->seq, len - sizeof(head->crc)))
			return -EILSEQ;
		/* Whole, but not the one whose turn it is. */
		if (le32_to_cpu(head->seq) != f->got || le32_to_cpu(head->dir) != f->dir ||
		    len != st_ex_size(f->dir, f->got))
			return -EBADMSG;
		f->bytes += len;
	}
	return 0;
}

static int st_ex_read(struct st_thread *t)
{
	return st_ex_end(t->arg, st_ex_read_all(t));
}

static int st_ex_run(struct st_ex *ex, u32 count, struct seq_buf *report)
{
	struct st_thread *t[4];
	u64 start = ktime_get_ns();
	int i, r, ret;

	ret = st_ping(ex->p.c, ex->p.s, 64);
	if (ret)
		return ret;
	seq_buf_printf(report, "ping_us %llu\n", (ktime_get_ns() - start) / NSEC_PER_USEC);
	start = ktime_get_ns();
	for (i = 0; i < 2; i++) {
		struct st_ex_flow *f = &ex->flow[i];

		f->dir = i;
		f->err = &ex->err;
		f->count = count;
		f->from = i ? ex->p.s : ex->p.c;
		f->to = i ? ex->p.c : ex->p.s;
		t[2 * i] = st_run("read", st_ex_read, f);
		t[2 * i + 1] = st_run("write", st_ex_write, f);
		if (!t[2 * i] || !t[2 * i + 1])
			st_ex_end(f, -ENOMEM);
	}
	for (i = 0; i < 4; i++) {
		r = st_join(t[i], ST_EX_TIME);
		ret = ret ?: r;
	}
	seq_buf_printf(report, "ms %llu\nframes %u %u\nbytes %llu %llu\n",
		       (ktime_get_ns() - start) / NSEC_PER_MSEC, ex->flow[0].got,
		       ex->flow[1].got, ex->flow[0].bytes, ex->flow[1].bytes);
	return ex->err ?: ret;
}

/*
 * "ADDR COUNT [PID]": so many frames in each direction; PID is a process in the
 * namespace of the end that listens. -EILSEQ if a frame was changed, -EBADMSG if it
 * was another one than it should have been, or what a socket call said.
 */
int st_exchange(char *line, struct seq_buf *report)
{
	struct sockaddr_storage at;
	int i, pid = 0, ret;
	struct st_ex *ex;
	struct net *net;
	char where[64];
	u32 count;

	if (sscanf(line, "%63s %u %d", where, &count, &pid) < 2 || st_parse_addr(where, &at) ||
	    !count || count > 10000000)
		return -EINVAL;
	net = pid ? get_net_ns_by_pid(pid) : get_net(&init_net);
	if (IS_ERR(net))
		return PTR_ERR(net);
	ret = -ENOMEM;
	ex = kzalloc(sizeof(*ex), GFP_KERNEL);
	if (!ex)
		goto put;
	for (i = 0; i < 2; i++) {
		ex->flow[i].wbuf = kvmalloc(ST_HDR + ST_EX_MAX, GFP_KERNEL);
		ex->flow[i].rbuf = kvmalloc(ST_HDR + ST_EX_MAX, GFP_KERNEL);
		if (!ex->flow[i].wbuf || !ex->flow[i].rbuf)
			goto free;
	}
	ret = st_pair_open_at(&ex->p, net, &at, NULL, NULL);
	if (!ret)
		ret = st_ex_run(ex, count, report);
	if (st_stuck())
		return ret;
free:
	st_pair_close(&ex->p);
	for (i = 0; i < 2; i++) {
		kvfree(ex->flow[i].wbuf);
		kvfree(ex->flow[i].rbuf);
	}
	kfree(ex);
put:
	put_net(net);
	return ret;
}
