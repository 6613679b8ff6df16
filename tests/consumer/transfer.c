// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The transfer that the demo shows, and three numbers.
 *
 * First a given amount in frames of 1 byte to 1 MiB, whose sizes follow from
 * a fixed seed, with a hash over the frames at each end. Small and large
 * frames are equally likely on a logarithmic scale. Then, without hashing,
 * 1 MiB frames for throughput and 64 byte frames to and fro, of which the
 * median counts. The receiver runs in a thread of its own.
 */
#include <linux/bitops.h>
#include <linux/crc32c.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/math64.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/tcp.h>
#include "smbdr_test.h"

#define ST_TR_MAX	BIT(20)
#define ST_TR_PINGS	1000U
#define ST_TR_PING_LEN	64U

struct st_tr {
	struct socket *ls;
	struct socket *c;
	struct socket *s;
	u64 total;		/* bytes of all frames, headers excluded */
	bool hash;
	u8 *rbuf;
	u32 sent_crc, got_crc;
	u64 frames;
};

static u32 st_tr_rand(u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* 1 byte to 1 MiB, both included, never more than is left. */
static u32 st_tr_size(u32 *state, u64 left)
{
	u32 bits = st_tr_rand(state) % 21;
	u32 n = 1U << bits;

	if (bits < 20)
		n += st_tr_rand(state) & (n - 1);
	return min_t(u64, n, left);
}

/* Read frames until all bytes are there; one byte comes back as a receipt. */
static int st_tr_receive(struct st_thread *t)
{
	struct st_tr *tr = t->arg;
	u64 got = 0;
	u32 len;
	int ret;

	while (got < tr->total) {
		u8 hdr[ST_HDR];

		st_where(t, "byte %llu", got);
		ret = st_recv_all(tr->s, hdr, ST_HDR, 0);
		if (ret)
			return ret;
		len = st_get_hdr(hdr);
		if (!len || len > ST_TR_MAX || len > tr->total - got)
			return -EBADMSG;
		ret = st_recv_all(tr->s, tr->rbuf, len, 0);
		if (ret)
			return ret;
		if (tr->hash)
			tr->got_crc = crc32c(tr->got_crc, tr->rbuf, len);
		got += len;
	}
	st_where(t, "receipt");
	return st_send_frame(tr->s, 0, 1);
}

static int st_tr_send(struct st_tr *tr)
{
	u32 state = 20260401;
	u8 receipt[ST_HDR + 1];
	u64 left = tr->total;
	int ret;

	tr->frames = 0;
	while (left) {
		u32 len = tr->hash ? st_tr_size(&state, left) : min_t(u64, ST_TR_MAX, left);

		if (tr->hash)
			tr->sent_crc = crc32c(tr->sent_crc, st_pattern(tr->frames), len);
		ret = st_send_frame(tr->c, tr->frames, len);
		if (ret)
			return ret;
		tr->frames++;
		left -= len;
	}
	return st_recv_frame(tr->c, 0, 1, 0, receipt);
}

/* One pass in one direction; nanoseconds until the receipt, or an error. */
static s64 st_tr_pass(struct st_tr *tr, bool hash, u64 total)
{
	struct st_thread *t;
	int ret, ret2;
	s64 start;

	tr->hash = hash;
	tr->total = total;
	tr->sent_crc = ~0;
	tr->got_crc = ~0;
	start = ktime_get_ns();
	t = st_run("receiver", st_tr_receive, tr);
	if (!t)
		return -ENOMEM;
	ret = st_tr_send(tr);
	start = ktime_get_ns() - start;
	ret2 = st_join(t, 2 * st_cfg.timeout);
	return ret2 ?: ret ?: start;
}

static int st_tr_pong(struct st_thread *t)
{
	struct st_tr *tr = t->arg;
	u8 buf[ST_HDR + ST_TR_PING_LEN];
	int i, ret = 0;

	for (i = 0; !ret && i < ST_TR_PINGS; i++) {
		ret = st_recv_all(tr->s, buf, sizeof(buf), 0);
		if (!ret)
			ret = st_send_all(tr->s, buf, sizeof(buf), 0);
	}
	return ret;
}

static int st_tr_cmp(const void *a, const void *b)
{
	return *(const u32 *)a < *(const u32 *)b ? -1 : 1;
}

/* Median round trip of 64 byte frames in nanoseconds, or an error. */
static s64 st_tr_latency(struct st_tr *tr)
{
	u32 *ns = kcalloc(ST_TR_PINGS, sizeof(*ns), GFP_KERNEL);
	u8 buf[ST_HDR + ST_TR_PING_LEN];
	struct st_thread *t;
	int i, ret = 0, ret2;
	s64 median;

	if (!ns)
		return -ENOMEM;
	t = st_run("pong", st_tr_pong, tr);
	st_put_hdr(buf, ST_TR_PING_LEN);
	memset(buf + ST_HDR, 0x55, ST_TR_PING_LEN);
	for (i = 0; t && !ret && i < ST_TR_PINGS; i++) {
		u64 start = ktime_get_ns();

		ret = st_send_all(tr->c, buf, sizeof(buf), 0);
		if (!ret)
			ret = st_recv_all(tr->c, buf, sizeof(buf), 0);
		ns[i] = min_t(u64, ktime_get_ns() - start, U32_MAX);
	}
	ret2 = st_join(t, 2 * st_cfg.timeout);
	sort(ns, ST_TR_PINGS, sizeof(*ns), st_tr_cmp, NULL);
	median = ns[ST_TR_PINGS / 2];
	kfree(ns);
	return ret2 ?: ret ?: median;
}

/* tcp_sendmsg() of two small pieces waits for an ACK otherwise. */
static int st_tr_open(struct st_tr *tr, const struct sockaddr_storage *at, int proto)
{
	u16 port = st_port();
	int ret;

	ret = st_socket_at(&init_net, at->ss_family, proto, &tr->ls);
	if (!ret)
		ret = st_bind_addr(tr->ls, at, port);
	if (!ret)
		ret = kernel_listen(tr->ls, 1);
	if (!ret)
		ret = st_socket_at(&init_net, at->ss_family, proto, &tr->c);
	if (!ret)
		ret = st_connect_addr(tr->c, at, port, 0);
	if (!ret)
		ret = st_accept(tr->ls, &tr->s, 0);
	if (!ret && proto == IPPROTO_TCP) {
		tcp_sock_set_nodelay(tr->c->sk);
		tcp_sock_set_nodelay(tr->s->sk);
	}
	return ret;
}

static int st_tr_run(struct st_tr *tr, unsigned int mib, struct seq_buf *report)
{
	u64 total = (u64)mib << 20;
	s64 ns;

	ns = st_tr_pass(tr, true, total);
	if (ns < 0)
		return ns;
	seq_buf_printf(report, "bytes %llu\nframes %llu\n", total, tr->frames);
	seq_buf_printf(report, "hash_sent %08x\nhash_received %08x\nhash_equal %s\n",
		       ~tr->sent_crc, ~tr->got_crc,
		       tr->sent_crc == tr->got_crc ? "yes" : "no");
	seq_buf_printf(report, "hash_ms %llu\n", div_u64(ns, NSEC_PER_MSEC));
	if (tr->sent_crc != tr->got_crc)
		return -EILSEQ;

	total = max(total / 4, 1ULL << 20);	/* enough for a rate */
	ns = st_tr_pass(tr, false, total);
	if (ns < 0)
		return ns;
	seq_buf_printf(report, "throughput_mb_s %llu\n",
		       div64_u64(total * 1000, max_t(u64, ns, 1)));

	ns = st_tr_latency(tr);
	if (ns < 0)
		return ns;
	seq_buf_printf(report, "round_trip_ns %lld\n", ns);
	return 0;
}

/**
 * st_transfer() - move data between two sockets of ours and measure
 * @at: address for both ends
 * @proto: IPPROTO_SMBDIRECT or IPPROTO_TCP
 * @mib: amount of each pass, MiB
 * @report: gets "key value" lines
 *
 * Return: 0, -EILSEQ if the hashes differ, or what a socket call said.
 */
int st_transfer(const struct sockaddr_storage *at, int proto, unsigned int mib,
		struct seq_buf *report)
{
	struct st_tr *tr;
	int ret = -ENOMEM;

	if (st_stuck())
		return -EBUSY;
	if (!mib || mib > 65536)
		return -EINVAL;
	tr = kzalloc(sizeof(*tr), GFP_KERNEL);
	if (!tr)
		return -ENOMEM;
	tr->rbuf = kvmalloc(ST_TR_MAX, GFP_KERNEL);
	if (tr->rbuf)
		ret = st_tr_open(tr, at, proto);
	if (!ret)
		ret = st_tr_run(tr, mib, report);
	if (ret)
		seq_buf_printf(report, "error %d\n", ret);
	if (st_stuck())
		return ret;
	st_release(&tr->c);
	st_release(&tr->s);
	st_release(&tr->ls);
	kvfree(tr->rbuf);
	kfree(tr);
	return ret;
}
