// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The byte stream: frames of all sizes, cut in all ways.
 *
 * A flow is a writer thread at one end and a reader at the other, which agree
 * on the sequence of frame sizes and so on every byte. The cases vary what
 * must not matter: how the reader cuts the stream into calls, how the writer
 * does, which memory the data comes from and goes to, how many credits there
 * are and how small the messages on the wire, and who is slow.
 */
#include <linux/bvec.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/folio_queue.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/uio.h>
#include <linux/unaligned.h>
#include <linux/xarray.h>
#include "smbdr_test.h"

#define FLOW_LONG	150000	/* ms for a whole flow, below KUnit's 300 s */

struct flow {
	struct socket *from, *to;
	u32 (*size)(struct flow *f, u32 i);
	u32 count;
	u32 max;		/* largest size, for the reader's buffer */
	u32 seed;
	size_t chunk;		/* bytes per read, ST_WHOLE for one call */
	unsigned int lag;	/* ms the reader sleeps before each frame */
	const u32 *sizes;	/* for flow_listed() */
};

static int flow_write(struct st_thread *t)
{
	struct flow *f = t->arg;
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < f->count; i++) {
		st_where(t, "send frame %u of %u bytes", i, f->size(f, i));
		ret = st_send_frame(f->from, f->seed + i, f->size(f, i));
	}
	return ret;
}

static int flow_read(struct st_thread *t)
{
	struct flow *f = t->arg;
	void *buf = kvmalloc(f->max + ST_HDR, GFP_KERNEL);
	int ret = buf ? 0 : -ENOMEM;
	u32 i;

	for (i = 0; !ret && i < f->count; i++) {
		st_where(t, "receive frame %u of %u bytes", i, f->size(f, i));
		if (f->lag)
			msleep(f->lag);
		ret = st_recv_frame(f->to, f->seed + i, f->size(f, i), f->chunk, buf);
	}
	kvfree(buf);
	return ret;
}

/* Run @n flows at once; every error is a failure of its own. */
static void flows_run(struct kunit *test, struct flow *flows, int n)
{
	struct st_thread *t[8] = {};
	int i;

	for (i = 0; i < n; i++) {
		t[2 * i] = st_run("reader", flow_read, &flows[i]);
		t[2 * i + 1] = st_run("writer", flow_write, &flows[i]);
	}
	for (i = 0; i < 2 * n; i++)
		KUNIT_EXPECT_EQ_MSG(test, st_join(t[i], FLOW_LONG), 0, "%s of flow %d",
				    i % 2 ? "writer" : "reader", i / 2);
}

/* The flow lives on the heap because a lost thread may outlive the case. */
static struct flow *flows_new(struct kunit *test, int n)
{
	struct flow *f = kcalloc(n, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	return f;
}

static void flows_free(struct flow *f)
{
	if (!st_stuck())
		kfree(f);
}

static u32 flow_step, flow_first;

static u32 flow_rising(struct flow *f, u32 i)
{
	return flow_first + i * flow_step;
}

static u32 flow_listed(struct flow *f, u32 i)
{
	return f->sizes[i];
}

static u32 flow_mixed(struct flow *f, u32 i)
{
	return 1 + (i * 2654435761U >> 8) % f->max;
}

static u32 flow_constant(struct flow *f, u32 i)
{
	return f->max;
}

static const struct stream_chunk {
	const char *name;
	size_t chunk;
} stream_chunks[] = {
	{ "1", 1 }, { "3", 3 }, { "4", 4 }, { "5", 5 }, { "7", 7 }, { "100", 100 },
	{ "4096", 4096 }, { "whole", ST_WHOLE },
};

/* Megabytes in smaller pieces prove nothing more. */
static const struct stream_chunk stream_large_chunks[] = {
	{ "100", 100 }, { "4096", 4096 }, { "whole", ST_WHOLE },
};

KUNIT_ARRAY_PARAM_DESC(stream_chunk, stream_chunks, name);
KUNIT_ARRAY_PARAM_DESC(stream_large_chunk, stream_large_chunks, name);

/*
 * Every frame size from 1 to 3000. Where that takes too long each chunk has a part of
 * them, and all chunks together have all, if one in eight or more is done.
 */
static void stream_sizes(struct kunit *test)
{
	const struct stream_chunk *c = test->param_value;
	struct flow *f = flows_new(test, 1);
	struct st_pair p;

	flow_step = st_cfg.scale >= 100 ? 1 : 100 / max(st_cfg.scale, 1U);
	flow_first = 1 + (c - stream_chunks) % flow_step;
	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	*f = (struct flow) {
		.from = p.c, .to = p.s, .size = flow_rising, .count = 3000 / flow_step,
		.max = 3000, .chunk = c->chunk,
	};
	if (p.s)
		flows_run(test, f, 1);
	st_pair_close(&p);
	flows_free(f);
}

/* Around the capacity of a message, multiples of it, 128 KiB, and the limit. */
static u32 stream_limit_sizes(struct socket *sock, u32 *sizes)
{
	u32 msg = 8136 - 24, limit = ST_DEFAULT_FRAME_LIMIT, n = 0, k;
	struct smbdirect_info info;

	if (st_ours() && !st_info(sock, &info)) {
		msg = info.max_send_size - 24;
		limit = info.max_fragmented_send_size;
	}
	for (k = 1; k <= 4; k++) {
		sizes[n++] = k * msg - 1;
		sizes[n++] = k * msg;
		sizes[n++] = k * msg + 1;
	}
	for (k = 4096; k <= 131072 && k < limit; k *= 2) {
		sizes[n++] = k - 1;
		sizes[n++] = k;
		sizes[n++] = k + 1;
	}
	sizes[n++] = limit - 1;
	sizes[n++] = limit;
	return n;
}

static void stream_limits(struct kunit *test)
{
	const struct stream_chunk *c = test->param_value;
	struct flow *f = flows_new(test, 1);
	static u32 sizes[64];
	struct st_pair p;

	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	if (p.s) {
		*f = (struct flow) {
			.from = p.c, .to = p.s, .size = flow_listed, .sizes = sizes,
			.chunk = c->chunk, .max = ST_DEFAULT_FRAME_LIMIT,
		};
		f->count = stream_limit_sizes(p.c, sizes);
		flows_run(test, f, 1);
		if (st_ours())
			KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 1, sizes[f->count - 1] + 1),
					-EMSGSIZE);
		KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 1), 0);
	}
	st_pair_close(&p);
	flows_free(f);
}

/* The largest frame that there can be: 16 MiB - 1. */
static void stream_large_limit(struct kunit *test)
{
	const struct st_opts o = { .max_frag = ST_PATTERN_MAX };
	struct flow *f = flows_new(test, 1);
	struct st_pair p;

	KUNIT_EXPECT_EQ(test, st_pair_open(&p, &o, &o), 0);
	*f = (struct flow) {
		.from = p.c, .to = p.s, .size = flow_constant, .count = 1, .max = ST_PATTERN_MAX,
	};
	if (p.s) {
		flows_run(test, f, 1);
		KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 1), 0);
	}
	st_pair_close(&p);
	flows_free(f);
}

/* A frame of 10 bytes cut in two at every place, also inside of the header. */
static void stream_split(struct kunit *test)
{
	u8 frame[ST_HDR + 10], buf[ST_HDR + 10];
	struct st_pair p;
	int cut;

	st_put_hdr(frame, 10);
	memcpy(frame + ST_HDR, st_pattern(5), 10);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	for (cut = 1; cut < sizeof(frame); cut++) {
		KUNIT_EXPECT_EQ(test, st_send_all(p.c, frame, cut, 0), 0);
		KUNIT_EXPECT_EQ(test, st_send_all(p.c, frame + cut, sizeof(frame) - cut, 0), 0);
		KUNIT_EXPECT_EQ_MSG(test, st_recv_frame(p.s, 5, 10, 0, buf), 0, "cut at %d", cut);
	}
	for (cut = 1; cut < sizeof(frame); cut++) {
		KUNIT_EXPECT_EQ(test, st_send_all(p.c, frame, sizeof(frame), 0), 0);
		KUNIT_EXPECT_EQ(test, st_recv_all(p.s, buf, cut, 0), 0);
		KUNIT_EXPECT_EQ(test, st_recv_all(p.s, buf + cut, sizeof(frame) - cut, 0), 0);
		KUNIT_EXPECT_MEMEQ_MSG(test, buf, frame, sizeof(frame), "read cut at %d", cut);
	}
	st_pair_close(&p);
}

/* Header byte by byte, body in odd pieces, frames that share a call. */
static void stream_pieces(struct kunit *test)
{
	const u32 len = 30000, frames = 4;
	size_t total = frames * (len + ST_HDR), pos, n;
	struct st_pair p;
	u8 *out, *in;
	u32 i;
	int ret = 0;

	out = kunit_kmalloc(test, total, GFP_KERNEL);
	in = kunit_kmalloc(test, len + ST_HDR, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, out && in);
	for (i = 0; i < frames; i++) {
		st_put_hdr(out + i * (len + ST_HDR), len);
		memcpy(out + i * (len + ST_HDR) + ST_HDR, st_pattern(i), len);
	}
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	/* Single bytes for a while, then primes, then half of the next frame too. */
	for (pos = 0, i = 0; !ret && pos < total; pos += n, i++) {
		n = i < 100 ? 1 : i < 1000 ? 1 + i * 7 % 13 : 2 * len / 3;
		n = min(n, total - pos);
		ret = st_send_all(p.c, out + pos, n, i % 3 ? 0 : MSG_MORE);
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	for (i = 0; i < frames; i++)
		KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, i, len, 0, in), 0);
	/* All of them in one call. */
	KUNIT_EXPECT_EQ(test, st_send_all(p.c, out, total, 0), 0);
	for (i = 0; i < frames; i++)
		KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, i, len, 0, in), 0);
	st_pair_close(&p);
}

static void stream_peek(struct kunit *test)
{
	u8 frame[ST_HDR + 20], buf[64];
	struct st_pair p;
	int i;

	st_put_hdr(frame, 20);
	memcpy(frame + ST_HDR, st_pattern(9), 20);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 8, MSG_PEEK | MSG_DONTWAIT), -EAGAIN);
	KUNIT_EXPECT_EQ(test, st_send_frame(p.c, 9, 20), 0);
	for (i = 0; i < 3; i++) {
		memset(buf, 0xee, sizeof(buf));
		KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, sizeof(frame), MSG_PEEK), sizeof(frame));
		KUNIT_EXPECT_MEMEQ(test, buf, frame, sizeof(frame));
	}
	/* In the middle of the header, then in the middle of the body. */
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 2, 0), 2);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 6, MSG_PEEK), 6);
	KUNIT_EXPECT_MEMEQ(test, buf, frame + 2, 6);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 10, 0), 10);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 12, MSG_PEEK), 12);
	KUNIT_EXPECT_MEMEQ(test, buf, frame + 12, 12);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 12, 0), 12);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 1, MSG_DONTWAIT), -EAGAIN);
	st_pair_close(&p);
}

struct stream_late {
	struct socket *sock;
	u8 frame[2][ST_HDR + 1000];
};

/* Two frames in five pieces, with pauses. */
static int stream_late_thread(struct st_thread *t)
{
	struct stream_late *l = t->arg;
	u8 *p = l->frame[0];
	size_t left = sizeof(l->frame);
	int ret = 0;

	while (!ret && left) {
		size_t n = min_t(size_t, left, 402);

		msleep(50);
		ret = st_send_all(l->sock, p, n, 0);
		p += n;
		left -= n;
	}
	return ret;
}

/* MSG_WAITALL gives everything, over the edge of a frame; the timeout cuts it. */
static void stream_waitall(struct kunit *test)
{
	struct stream_late *l = kzalloc(sizeof(*l), GFP_KERNEL);
	u8 *buf = kunit_kzalloc(test, sizeof(l->frame), GFP_KERNEL);
	struct st_thread *t;
	struct st_pair p;
	int i;

	KUNIT_ASSERT_TRUE(test, l && buf);
	for (i = 0; i < 2; i++) {
		st_put_hdr(l->frame[i], 1000);
		memcpy(l->frame[i] + ST_HDR, st_pattern(i), 1000);
	}
	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	if (p.s) {
		l->sock = p.c;
		t = st_run("late", stream_late_thread, l);
		KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, sizeof(l->frame), MSG_WAITALL),
				sizeof(l->frame));
		KUNIT_EXPECT_MEMEQ(test, buf, l->frame[0], sizeof(l->frame));
		KUNIT_EXPECT_EQ(test, st_join(t, FLOW_LONG), 0);

		KUNIT_EXPECT_EQ(test, st_send_all(p.c, l->frame[0], sizeof(l->frame[0]), 0), 0);
		KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLIN, st_cfg.timeout), 0);
		st_set_timeout(p.s, 300);
		KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, sizeof(l->frame), MSG_WAITALL),
				sizeof(l->frame[0]));
	}
	st_pair_close(&p);
	if (!st_stuck())
		kfree(l);
}

/* Whatever a nonblocking send took arrives, and only that. */
static void stream_dontwait(struct kunit *test)
{
	const u32 len = 5000;
	/* What waits at both ends, and between them as much as the credits are worth. */
	const u64 least = SZ_4M, most = 2 * SZ_4M + 255 * SZ_8K + len;
	u64 taken = 0, read = 0;
	struct st_pair p;
	u8 *frame, *buf;
	int ret = 0;

	frame = kunit_kmalloc(test, len + ST_HDR, GFP_KERNEL);
	buf = kunit_kmalloc(test, len + ST_HDR, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, frame && buf);
	st_put_hdr(frame, len);
	memcpy(frame + ST_HDR, st_pattern(3), len);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	while (taken < SZ_64M) {
		u32 at = taken % (len + ST_HDR);

		ret = st_send(p.c, frame + at, len + ST_HDR - at, MSG_DONTWAIT);
		if (ret > 0)
			taken += ret;
		/* What is under way makes room, until the peer's credits are used up. */
		else if (ret != -EAGAIN || st_wait_poll(p.c, EPOLLOUT, 500))
			break;
	}
	KUNIT_EXPECT_EQ_MSG(test, ret, -EAGAIN, "after %llu bytes", taken);
	if (st_ours()) {
		KUNIT_EXPECT_GT(test, taken, least);
		KUNIT_EXPECT_LT(test, taken, most);
	}
	KUNIT_EXPECT_FALSE(test, st_poll(p.c) & EPOLLOUT);
	/* Finish the last frame, or nothing of it would arrive. */
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLIN, st_cfg.timeout), 0);
	for (ret = 0; !ret && read < rounddown(taken, len + ST_HDR); read += len + ST_HDR)
		ret = st_recv_frame(p.s, 3, len, 0, buf);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "after %llu of %llu bytes", read, taken);
	if (!ret && taken % (len + ST_HDR)) {
		u32 at = taken % (len + ST_HDR);

		KUNIT_EXPECT_EQ(test, st_send_all(p.c, frame + at, len + ST_HDR - at, 0), 0);
		KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, 3, len, 0, buf), 0);
	}
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 1, MSG_DONTWAIT), -EAGAIN);
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 10), 0);
	st_pair_close(&p);
}

/* Pages with one byte stream in them, seen through each kind of iterator. */
#define MEM_PAGES	40
#define MEM_OFFSET	100	/* where the stream starts in the first page */

struct mem {
	struct folio *folios[MEM_PAGES];
	struct kvec kv[MEM_PAGES];
	struct bio_vec bv[MEM_PAGES];
	struct xarray xa;
	struct folio_queue *fq;
	int pages;
};

static void mem_free(struct mem *m)
{
	struct folio_queue *fq, *next;
	int i;

	for (fq = m->fq; fq; fq = next) {
		next = fq->next;
		kfree(fq);
	}
	xa_destroy(&m->xa);
	for (i = 0; i < m->pages; i++)
		folio_put(m->folios[i]);
	kfree(m);
}

/* kzalloc() is folioq_init(), whose arguments depend on the kernel. */
static int mem_add_folio(struct mem *m, struct folio_queue **tail, struct folio *folio)
{
	if (!*tail || folioq_full(*tail)) {
		struct folio_queue *fq = kzalloc(sizeof(*fq), GFP_KERNEL);

		if (!fq)
			return -ENOMEM;
		fq->prev = *tail;
		if (*tail)
			(*tail)->next = fq;
		else
			m->fq = fq;
		*tail = fq;
	}
	folioq_append(*tail, folio);
	return 0;
}

static struct mem *mem_new(void)
{
	struct mem *m = kzalloc(sizeof(*m), GFP_KERNEL);
	struct folio_queue *tail = NULL;
	int i;

	if (!m)
		return NULL;
	xa_init(&m->xa);
	for (i = 0; i < MEM_PAGES; i++) {
		struct folio *folio = folio_alloc(GFP_KERNEL | __GFP_ZERO, 0);
		u32 off = i ? 0 : MEM_OFFSET;

		if (!folio)
			goto fail;
		m->folios[i] = folio;
		m->pages++;
		folio->index = i;
		if (xa_is_err(xa_store(&m->xa, i, folio, GFP_KERNEL)) ||
		    mem_add_folio(m, &tail, folio))
			goto fail;
		m->kv[i].iov_base = folio_address(folio) + off;
		m->kv[i].iov_len = PAGE_SIZE - off;
		bvec_set_folio(&m->bv[i], folio, PAGE_SIZE - off, off);
	}
	return m;
fail:
	mem_free(m);
	return NULL;
}

enum mem_kind { M_KVEC, M_BVEC, M_XARRAY, M_FOLIOQ };

static void mem_iter(struct mem *m, enum mem_kind kind, unsigned int dir, size_t len,
		     struct iov_iter *iter)
{
	switch (kind) {
	case M_KVEC:
		iov_iter_kvec(iter, dir, m->kv, MEM_PAGES, len);
		break;
	case M_BVEC:
		iov_iter_bvec(iter, dir, m->bv, MEM_PAGES, len);
		break;
	case M_XARRAY:
		iov_iter_xarray(iter, dir, &m->xa, MEM_OFFSET, len);
		break;
	default:
		iov_iter_folio_queue(iter, dir, m->fq, 0, MEM_OFFSET, len);
		break;
	}
}

/* Copy between the pages and flat memory with plain code, as the reference. */
static void mem_copy(struct mem *m, u8 *flat, size_t len, bool to_mem)
{
	size_t pos, n;

	for (pos = 0; pos < len; pos += n) {
		size_t at = pos + MEM_OFFSET;
		u8 *p = folio_address(m->folios[at / PAGE_SIZE]) + at % PAGE_SIZE;

		n = min(len - pos, PAGE_SIZE - at % PAGE_SIZE);
		if (to_mem)
			memcpy(p, flat + pos, n);
		else
			memcpy(flat + pos, p, n);
	}
}

/* One direction; the rest of @msg's iterator is what is left to do. */
static int mem_transfer(struct socket *sock, struct msghdr *msg, bool out)
{
	while (msg_data_left(msg)) {
		int ret = out ? sock_sendmsg(sock, msg) : sock_recvmsg(sock, msg, 0);

		if (ret <= 0)
			return ret ?: -EPIPE;
	}
	return 0;
}

struct mem_send {
	struct socket *sock;
	struct msghdr msg;
};

static int mem_send_thread(struct st_thread *t)
{
	struct mem_send *s = t->arg;

	return mem_transfer(s->sock, &s->msg, true);
}

static const struct mem_pair {
	const char *name;
	enum mem_kind out, in;
	int flags;
} mem_pairs[] = {
	{ "kvec to kvec", M_KVEC, M_KVEC, 0 },
	{ "kvec to bvec", M_KVEC, M_BVEC, 0 },
	{ "bvec to xarray", M_BVEC, M_XARRAY, 0 },
	{ "xarray to folioq", M_XARRAY, M_FOLIOQ, 0 },
	{ "folioq to kvec", M_FOLIOQ, M_KVEC, 0 },
	{ "folioq to folioq", M_FOLIOQ, M_FOLIOQ, 0 },
	{ "spliced bvec to bvec", M_BVEC, M_BVEC, MSG_SPLICE_PAGES },
	{ "spliced folioq to kvec", M_FOLIOQ, M_KVEC, MSG_SPLICE_PAGES },
};

KUNIT_ARRAY_PARAM_DESC(mem_pair, mem_pairs, name);

/* One frame of @len bytes out of @a's pages into @b's. */
static int mem_frame(struct st_pair *p, const struct mem_pair *mp, struct mem *a,
		     struct mem *b, u8 *flat, u32 len)
{
	struct mem_send *s = kzalloc(sizeof(*s), GFP_KERNEL);
	struct msghdr in = {};
	struct st_thread *t;
	int ret, ret2;

	if (!s)
		return -ENOMEM;
	st_put_hdr(flat, len);
	memcpy(flat + ST_HDR, st_pattern(len), len);
	mem_copy(a, flat, len + ST_HDR, true);
	s->sock = p->c;
	s->msg.msg_flags = MSG_NOSIGNAL | mp->flags;
	mem_iter(a, mp->out, ITER_SOURCE, len + ST_HDR, &s->msg.msg_iter);
	mem_iter(b, mp->in, ITER_DEST, len + ST_HDR, &in.msg_iter);
	t = st_run("sender", mem_send_thread, s);
	ret = mem_transfer(p->s, &in, false);
	ret2 = st_join(t, FLOW_LONG);
	if (st_stuck())
		return -ETIME;
	kfree(s);
	mem_copy(b, flat, len + ST_HDR, false);
	if (ret || ret2)
		return ret2 ?: ret;
	if (st_get_hdr(flat) != len)
		return -EBADMSG;
	return memcmp(flat + ST_HDR, st_pattern(len), len) ? -EILSEQ : 0;
}

static void stream_iterators(struct kunit *test)
{
	static const u32 lens[] = { 1, 3, 92, 3991, 3992, 3993, 4096, 8108, 8112, 20000, 65536,
				    MEM_PAGES * 4096 - MEM_OFFSET - ST_HDR };
	const struct mem_pair *mp = test->param_value;
	struct mem *a = mem_new(), *b = mem_new();
	u8 *flat = kvmalloc(MEM_PAGES * PAGE_SIZE, GFP_KERNEL);
	struct st_pair p;
	int i, ret;

	KUNIT_EXPECT_TRUE(test, a && b && flat);
	ret = st_pair_open(&p, NULL, NULL);
	KUNIT_EXPECT_EQ(test, ret, 0);
	for (i = 0; a && b && flat && !ret && i < ARRAY_SIZE(lens); i++) {
		ret = mem_frame(&p, mp, a, b, flat, lens[i]);
		KUNIT_EXPECT_EQ_MSG(test, ret, 0, "frame of %u", lens[i]);
	}
	st_pair_close(&p);
	if (st_stuck())
		return;
	kvfree(flat);
	if (a)
		mem_free(a);
	if (b)
		mem_free(b);
}

/* Both directions at once, with mixed sizes, twice over: four threads. */
static void stream_both_ways(struct kunit *test)
{
	struct flow *f = flows_new(test, 2);
	struct st_pair p;

	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	f[0] = (struct flow) {
		.from = p.c, .to = p.s, .size = flow_mixed, .count = st_scaled(2000, 100),
		.max = 65536, .chunk = ST_WHOLE,
	};
	f[1] = f[0];
	f[1].from = p.s;
	f[1].to = p.c;
	f[1].seed = 1000;
	f[1].chunk = 4096;
	if (p.s)
		flows_run(test, f, 2);
	st_pair_close(&p);
	flows_free(f);
}

static void stream_slow_reader(struct kunit *test)
{
	struct flow *f = flows_new(test, 1);
	struct st_pair p;

	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	*f = (struct flow) {
		.from = p.c, .to = p.s, .size = flow_mixed, .count = st_scaled(200, 50),
		.max = 100000, .lag = 20, .chunk = 1000,
	};
	if (p.s)
		flows_run(test, f, 1);
	st_pair_close(&p);
	flows_free(f);
}

#define STREAM_QUIET	200

struct stream_quiet {
	struct socket *sock;
	unsigned long slept;	/* times, since it had read the first frame */
};

static int stream_quiet_thread(struct st_thread *t)
{
	struct stream_quiet *q = t->arg;
	u8 frame[ST_HDR + 10];
	unsigned long before;
	int ret;

	ret = st_recv_frame(q->sock, 1, 10, 0, frame);
	before = current->nvcsw;
	st_where(t, "reads");
	ret = ret ?: st_recv_frame(q->sock, 2, 10, 0, frame);
	q->slept = current->nvcsw - before;
	return ret;
}

/* Who waits for data is not woken because what is sent by the same socket is through. */
static void stream_quiet_reader(struct kunit *test)
{
	struct stream_quiet *q = kzalloc(sizeof(*q), GFP_KERNEL);
	u8 frame[ST_HDR + 10];
	struct st_thread *t;
	struct st_pair p;
	int i, ret = 0;

	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	if (p.s) {
		q->sock = p.c;
		t = st_run("quiet", stream_quiet_thread, q);
		KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 1, 10), 0);
		msleep(100);
		for (i = 0; !ret && i < STREAM_QUIET; i++) {
			ret = st_send_frame(p.c, 3, 10) ?: st_recv_frame(p.s, 3, 10, 0, frame);
			/* Until nothing is on the way. */
			usleep_range(500, 1000);
		}
		KUNIT_EXPECT_EQ(test, ret, 0);
		KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 2, 10), 0);
		KUNIT_EXPECT_EQ(test, st_join(t, FLOW_LONG), 0);
		if (!st_stuck())
			KUNIT_EXPECT_LT(test, q->slept, STREAM_QUIET / 10);
	}
	st_pair_close(&p);
	if (!st_stuck())
		kfree(q);
}

#define STREAM_LOW 1200

/* Six frames through @from, which is idle then and gets the smallest SO_SNDBUF there is. */
static int stream_lower(struct socket *from, struct socket *to)
{
	u8 frame[ST_HDR + STREAM_LOW];
	int i, ret = 0;

	for (i = 0; !ret && i < 6; i++)
		ret = st_send_frame(from, i, STREAM_LOW) ?:
		      st_recv_frame(to, i, STREAM_LOW, 0, frame);
	msleep(50);
	return ret ?: st_setopt(from, SOL_SOCKET, SO_SNDBUF, 1);
}

/* What the peer has long since does not count against a limit that is lowered below it. */
static void stream_lowered_sndbuf(struct kunit *test)
{
	u8 frame[ST_HDR + STREAM_LOW];
	struct st_pair p;

	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	if (p.s) {
		KUNIT_EXPECT_EQ(test, stream_lower(p.c, p.s), 0);
		KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLOUT, st_cfg.timeout), 0);
		KUNIT_EXPECT_EQ(test, stream_lower(p.s, p.c), 0);
		st_set_timeout(p.s, st_cfg.timeout);
		KUNIT_EXPECT_EQ(test, st_send_frame(p.s, 9, STREAM_LOW), 0);
		KUNIT_EXPECT_EQ(test, st_recv_frame(p.c, 9, STREAM_LOW, 0, frame), 0);
	}
	st_pair_close(&p);
}

/* Many frames of one byte: more frames than credits, than slots, than both. */
static void stream_tiny(struct kunit *test)
{
	struct flow *f = flows_new(test, 1);
	struct st_pair p;

	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	*f = (struct flow) {
		.from = p.c, .to = p.s, .size = flow_constant, .max = 1,
		.count = st_scaled(65536, 2000), .chunk = ST_WHOLE,
	};
	if (p.s)
		flows_run(test, f, 1);
	st_pair_close(&p);
	flows_free(f);
}

static void stream_with(struct kunit *test, const struct st_opts *server,
			const struct st_opts *client)
{
	static const u32 sizes[] = { 1, 103, 104, 105, 1000, 1340, 1341, 8112, 8113, 131072,
				     1, 5000, 2, 200000, 7 };
	struct flow *f = flows_new(test, 2);
	struct st_pair p;

	KUNIT_EXPECT_EQ(test, st_pair_open(&p, server, client), 0);
	f[0] = (struct flow) {
		.from = p.c, .to = p.s, .size = flow_listed, .sizes = sizes,
		.count = ARRAY_SIZE(sizes), .max = 200000, .chunk = ST_WHOLE,
	};
	f[1] = f[0];
	f[1].from = p.s;
	f[1].to = p.c;
	f[1].seed = 77;
	if (p.s) {
		/* Each way alone, then both at once. */
		flows_run(test, f, 1);
		flows_run(test, f + 1, 1);
		flows_run(test, f, 2);
	}
	st_pair_close(&p);
	flows_free(f);
}

static const struct stream_credits {
	const char *name;
	struct st_opts server, client;
} stream_credits[] = {
#define C(n) .send_credits = n, .recv_credits = n
	{ "1 and 1", { C(1) }, { C(1) } },
	{ "1 and 2", { C(1) }, { C(2) } },
	{ "1 and 3", { C(1) }, { C(3) } },
	{ "1 and 255", { C(1) }, { C(255) } },
	{ "2 and 1", { C(2) }, { C(1) } },
	{ "2 and 2", { C(2) }, { C(2) } },
	{ "2 and 3", { C(2) }, { C(3) } },
	{ "2 and 255", { C(2) }, { C(255) } },
	{ "3 and 1", { C(3) }, { C(1) } },
	{ "3 and 2", { C(3) }, { C(2) } },
	{ "3 and 3", { C(3) }, { C(3) } },
	{ "3 and 255", { C(3) }, { C(255) } },
	{ "255 and 1", { C(255) }, { C(1) } },
	{ "255 and 2", { C(255) }, { C(2) } },
	{ "255 and 3", { C(255) }, { C(3) } },
	{ "255 and 255", { C(255) }, { C(255) } },
	{ "uneven, 1 wanted", { .send_credits = 1, .recv_credits = 255 },
	  { .send_credits = 1, .recv_credits = 255 } },
	{ "uneven, 1 granted", { .send_credits = 255, .recv_credits = 1 },
	  { .send_credits = 255, .recv_credits = 1 } },
#undef C
};

KUNIT_ARRAY_PARAM_DESC(stream_credits, stream_credits, name);

static void stream_credit(struct kunit *test)
{
	const struct stream_credits *c = test->param_value;

	stream_with(test, &c->server, &c->client);
}

static const struct stream_msg {
	const char *name;
	struct st_opts server, client;
} stream_msgs[] = {
#define M(n) .max_recv = n
	{ "128 and 128", { M(128) }, { M(128) } },
	{ "128 and 1364", { M(128) }, { M(1364) } },
	{ "128 and 8192", { M(128) }, { M(8192) } },
	{ "1364 and 128", { M(1364) }, { M(128) } },
	{ "1364 and 1364", { M(1364) }, { M(1364) } },
	{ "1364 and 8192", { M(1364) }, { M(8192) } },
	{ "8192 and 128", { M(8192) }, { M(128) } },
	{ "8192 and 1364", { M(8192) }, { M(1364) } },
	{ "8192 and 8192", { M(8192) }, { M(8192) } },
	{ "128 both ways with 1 credit",
	  { M(128), .max_send = 128, .send_credits = 1, .recv_credits = 1 },
	  { M(128), .max_send = 128, .send_credits = 1, .recv_credits = 1 } },
#undef M
};

KUNIT_ARRAY_PARAM_DESC(stream_msg, stream_msgs, name);

static void stream_message_size(struct kunit *test)
{
	const struct stream_msg *m = test->param_value;

	stream_with(test, &m->server, &m->client);
}

/* The limits of the protocol's memory; opened by who loads the test, whose files these are. */
static struct file *stream_mem;

static int stream_mem_get(char *limits, size_t size)
{
	loff_t pos = 0;
	ssize_t n = kernel_read(stream_mem, limits, size - 1, &pos);

	return n > 0 ? 0 : n ?: -EIO;
}

static int stream_mem_set(const char *limits)
{
	loff_t pos = 0;
	ssize_t n = kernel_write(stream_mem, limits, strlen(limits), &pos);

	return n > 0 ? 0 : n ?: -EIO;
}

struct stream_blocked {
	struct socket *sock;
	u8 frame[ST_HDR + 100];
};

static int stream_blocked_thread(struct st_thread *t)
{
	struct stream_blocked *b = t->arg;

	return st_send_all(b->sock, b->frame, sizeof(b->frame), 0);
}

/*
 * For want of memory a writer may have one frame queued, and waits until that is gone. It learns so
 * also if there is memory before that: the core, which is in no hurry then, was to tell it.
 */
static void stream_memory_returns(struct kunit *test)
{
	const u32 len = 8000;
	struct stream_blocked *b;
	char was[80] = "";
	struct st_thread *t;
	struct st_pair p;
	int n, i, ret;
	u8 *buf;

	KUNIT_ASSERT_FALSE(test, IS_ERR(stream_mem));
	KUNIT_ASSERT_EQ(test, stream_mem_get(was, sizeof(was)), 0);
	buf = kunit_kzalloc(test, len + ST_HDR, GFP_KERNEL);
	b = kzalloc(sizeof(*b), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, b && buf);
	KUNIT_EXPECT_EQ(test, stream_mem_set("1 1 1"), 0);
	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	if (!p.s)
		goto out;
	sock_set_rcvbuf(p.s->sk, SZ_32K);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, buf, 1, MSG_DONTWAIT), -EAGAIN);
	/* Until one frame waits for a credit: far less than SO_SNDBUF, so it was short. */
	st_put_hdr(buf, len);
	n = st_fill(p.c, buf, len + ST_HDR);
	KUNIT_EXPECT_GT(test, n, 0);
	KUNIT_EXPECT_LT(test, n * (int)len, 3 * SZ_1M);
	b->sock = p.c;
	st_put_hdr(b->frame, 100);
	t = st_run("blocked", stream_blocked_thread, b);
	msleep(200);
	KUNIT_EXPECT_EQ(test, stream_mem_set(was), 0);
	/* The first makes the socket learn of it, the second the core. */
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, st_recv(p.c, buf, 1, MSG_DONTWAIT), -EAGAIN);
	for (i = 0, ret = 0; !ret && i < n; i++)
		ret = st_recv_all(p.s, buf, len + ST_HDR, 0);
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "frame %d of %d", i, n);
	KUNIT_EXPECT_EQ(test, st_join(t, st_cfg.timeout), 0);
out:
	stream_mem_set(was);
	st_pair_close(&p);
	if (!st_stuck())
		kfree(b);
}

/* A quarter of the memory, in pages. Nothing has changed it for good. */
static void stream_memory_default(struct kunit *test)
{
	unsigned long mem[3] = {}, all = nr_free_buffer_pages();
	char text[80] = "";
	int got;

	KUNIT_ASSERT_FALSE(test, IS_ERR(stream_mem));
	KUNIT_ASSERT_EQ(test, stream_mem_get(text, sizeof(text)), 0);
	got = sscanf(text, "%lu %lu %lu", &mem[0], &mem[1], &mem[2]);
	KUNIT_EXPECT_EQ(test, got, 3);
	KUNIT_EXPECT_LT(test, mem[0], mem[1]);
	KUNIT_EXPECT_LT(test, mem[1], mem[2]);
	/* What there is of it changes a little. */
	KUNIT_EXPECT_GT(test, mem[2], all / 4 - all / 64);
	KUNIT_EXPECT_LT(test, mem[2], all / 4 + all / 64);
}

#define WRITERS		3
#define WRITERS_LEN	40000	/* at most; several messages */
#define WRITERS_HEAD	8	/* who, and which */

struct stream_writer {
	struct socket *sock;
	u32 nr, count;
	u32 interrupted;	/* times */
	u8 frame[2][ST_HDR + WRITERS_LEN];
};

static u32 stream_writer_len(u32 nr, u32 i)
{
	u32 x = (i * WRITERS + nr + 1) * 2654435761U;

	return WRITERS_HEAD + (x >> 8) % (WRITERS_LEN - WRITERS_HEAD);
}

static void stream_writer_frame(u8 *frame, u32 nr, u32 i)
{
	u32 len = stream_writer_len(nr, i);

	st_put_hdr(frame, len);
	put_unaligned_be32(nr, frame + ST_HDR);
	put_unaligned_be32(i, frame + ST_HDR + 4);
	memcpy(frame + ST_HDR + WRITERS_HEAD, st_pattern(nr * 1000 + i), len - WRITERS_HEAD);
}

/*
 * Whole frames: one in a call, or two, header and body apart. A call that a signal ends has
 * taken whole frames, or nothing.
 */
static int stream_writer_thread(struct st_thread *t)
{
	struct stream_writer *w = t->arg;
	u32 i, n;
	int ret;

	for (i = 0; i < w->count; i += n) {
		struct msghdr msg = { .msg_flags = MSG_NOSIGNAL | (i % 2 ? MSG_MORE : 0) };
		struct kvec v[4];
		size_t total = 0;
		u32 k;

		n = min(1 + i % 2, w->count - i);
		st_where(t, "send frame %u", i);
		for (k = 0; k < n; k++) {
			u8 *frame = w->frame[k];

			stream_writer_frame(frame, w->nr, i + k);
			v[2 * k] = (struct kvec) { frame, ST_HDR };
			v[2 * k + 1] = (struct kvec) { frame + ST_HDR, st_get_hdr(frame) };
			total += ST_HDR + st_get_hdr(frame);
		}
		ret = kernel_sendmsg(w->sock, &msg, v, 2 * n, total);
		if (ret == -EINTR || ret == -ERESTARTSYS)
			n = 0;
		else if (n == 2 && ret == v[0].iov_len + v[1].iov_len)
			n = 1;
		else if (ret != total)
			return ret < 0 ? ret : -EMSGSIZE;
		if (signal_pending(current)) {
			flush_signals(current);
			w->interrupted++;
		}
	}
	return 0;
}

/* Each frame is one of somebody's, whole, and the next one of his. @t is interrupted. */
static int stream_writers_read(struct socket *sock, u32 count, u8 *buf, u8 *want,
			       struct st_thread *t)
{
	u32 next[WRITERS] = {}, i, nr;
	int ret;

	for (i = 0; i < count; i++) {
		if (t && i % 10 == 0)
			send_sig(SIGINT, t->task, 1);
		ret = st_recv_all(sock, buf, ST_HDR, 0);
		if (ret)
			return ret;
		if (st_get_hdr(buf) < WRITERS_HEAD || st_get_hdr(buf) > WRITERS_LEN)
			return -EBADMSG;
		ret = st_recv_all(sock, buf + ST_HDR, st_get_hdr(buf), 0);
		if (ret)
			return ret;
		nr = get_unaligned_be32(buf + ST_HDR);
		if (nr >= WRITERS)
			return -EBADMSG;
		stream_writer_frame(want, nr, next[nr]++);
		if (memcmp(buf, want, ST_HDR + st_get_hdr(want)))
			return -EILSEQ;
	}
	return 0;
}

static const struct stream_peace {
	const char *name;
	bool signals;
} stream_peaces[] = {
	{ "in peace" }, { "one of them interrupted", true },
};

KUNIT_ARRAY_PARAM_DESC(stream_peace, stream_peaces, name);

/* Frames of several writers that are each given in one call are not mixed. */
static void stream_writers(struct kunit *test)
{
	const struct stream_peace *peace = test->param_value;
	const u32 count = st_scaled(1000, 100);
	struct stream_writer *w = kvcalloc(WRITERS + 1, sizeof(*w), GFP_KERNEL);
	struct st_thread *t[WRITERS];
	struct st_pair p;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_EXPECT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	if (p.s) {
		/* So that they wait for space, which is where they meet. */
		KUNIT_EXPECT_EQ(test, st_setopt(p.c, SOL_SOCKET, SO_SNDBUF, SZ_64K), 0);
		for (i = 0; i < WRITERS; i++) {
			w[i].sock = p.c;
			w[i].nr = i;
			w[i].count = count;
			t[i] = st_run("writes", stream_writer_thread, &w[i]);
		}
		KUNIT_EXPECT_EQ(test, stream_writers_read(p.s, WRITERS * count,
							  w[WRITERS].frame[0],
							  w[WRITERS].frame[1],
							  peace->signals ? t[0] : NULL), 0);
		/* If the reader has given up. */
		kernel_sock_shutdown(p.s, SHUT_RDWR);
		for (i = 0; i < WRITERS; i++)
			KUNIT_EXPECT_EQ(test, st_join(t[i], FLOW_LONG), 0);
		if (peace->signals && !st_stuck())
			KUNIT_EXPECT_GT(test, w[0].interrupted, 0);
	}
	st_pair_close(&p);
	if (!st_stuck())
		kvfree(w);
}

static const struct stream_bad {
	const char *name;
	u8 hdr[ST_HDR];
	int ret;
} stream_bads[] = {
	{ "first byte 1", { 1, 0, 0, 10 }, -EINVAL },
	{ "first byte of a NetBIOS keepalive", { 0x85, 0, 0, 0 }, -EINVAL },
	{ "SMB2 without a header", { 0xfe, 'S', 'M', 'B' }, -EINVAL },
	{ "length 0", { 0, 0, 0, 0 }, -EINVAL },
	{ "one byte too long", { 0, 0x10, 0, 1 }, -EMSGSIZE },
	{ "longest", { 0, 0xff, 0xff, 0xff }, -EMSGSIZE },
};

KUNIT_ARRAY_PARAM_DESC(stream_bad, stream_bads, name);

/*
 * A header that is none, at the start of a call, behind a frame in the same call, and
 * with its first bytes taken before. What is good goes through and the rest is not taken.
 */
static void stream_bad_header(struct kunit *test)
{
	const struct stream_bad *b = test->param_value;
	const u32 good = ST_HDR + 100, more = 50;
	u8 *out = kunit_kzalloc(test, good + ST_HDR + more, GFP_KERNEL);
	u8 *in = kunit_kzalloc(test, good, GFP_KERNEL);
	struct st_pair p;
	int i;

	KUNIT_ASSERT_TRUE(test, out && in);
	st_put_hdr(out, 100);
	memcpy(out + ST_HDR, st_pattern(1), 100);
	memcpy(out + good, b->hdr, ST_HDR);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, st_send(p.c, out + good, ST_HDR + more, 0), b->ret);
	KUNIT_EXPECT_EQ(test, st_send(p.c, out, good + ST_HDR + more, 0), good);
	KUNIT_EXPECT_EQ(test, st_send(p.c, out + good, ST_HDR + more, 0), b->ret);
	KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, 1, 100, 0, in), 0);
	/* All is as before. */
	KUNIT_EXPECT_EQ(test, st_send(p.c, out, good, 0), good);
	KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, 1, 100, 0, in), 0);
	/* Not before the fourth byte it is known, and that one is not taken. */
	KUNIT_EXPECT_EQ(test, st_send(p.c, out, good + 3, 0), good + 3);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, st_send(p.c, out + good + 3, 1 + more, 0), b->ret);
	KUNIT_EXPECT_EQ(test, st_recv_frame(p.s, 1, 100, 0, in), 0);
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(p.c, SHUT_WR), 0);
	KUNIT_EXPECT_EQ(test, st_recv(p.s, in, 1, 0), 0);
	st_pair_close(&p);
}

/* The credits of a connection that is used: four at first, then never more than 250. */
static void stream_most_credits(struct kunit *test)
{
	struct smbdirect_info info = {};
	u8 buf[ST_HDR + 10];
	struct st_pair p;
	u32 most = 0;
	int i, n, ret = 0;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_EXPECT_EQ(test, st_info(p.s, &info), 0);
	KUNIT_EXPECT_LE(test, info.recv_posted, 4);
	for (n = st_scaled(10, 3); !ret && n; n--) {
		for (i = 0; !ret && i < 500; i++)
			ret = st_send_frame(p.c, 1, 10);
		for (i = 0; !ret && i < 500; i++) {
			ret = st_recv_frame(p.s, 1, 10, 0, buf) ?: st_info(p.s, &info);
			most = max(most, info.recv_posted);
		}
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_GT(test, most, 125);
	KUNIT_EXPECT_LE(test, most, 250);
	st_pair_close(&p);
}

static const struct stream_lag {
	const char *name;
	u32 len;
	int sndbuf;
	struct st_opts o;
} stream_lags[] = {
	{ "small frames", 100 },
	{ "frames of several messages", 50000 },
	{ "one credit", 20000, 0, { .send_credits = 1, .recv_credits = 1 } },
	{ "no room for a second frame", 1000, 1 },
};

KUNIT_ARRAY_PARAM_DESC(stream_lag, stream_lags, name);

#define STREAM_LAGS	400
/*
 * Round trips that take as long as a timer: nobody was woken, but somebody looked later.
 * A busy machine makes a few of them slow, a lost wake-up makes many so. The bounds, in
 * ms, are below the shortest timer of ours that would repair it, which is 50. User Mode
 * Linux on a busy host takes up to 10 ms to wake another CPU, several times in a trip.
 */
#define STREAM_LATE	20
#define STREAM_LATE_SMP	45

static void stream_latency(struct kunit *test)
{
	const struct stream_lag *l = test->param_value;
	unsigned int bound = num_online_cpus() > 1 ? STREAM_LATE_SMP : STREAM_LATE;
	unsigned int n = st_scaled(STREAM_LAGS, 60), late = 0, i;
	u64 *us = kunit_kcalloc(test, n, sizeof(*us), GFP_KERNEL);
	u8 *buf = kvmalloc(l->len + ST_HDR, GFP_KERNEL);
	struct st_pair p;
	u64 median;
	int ret = 0;

	KUNIT_ASSERT_TRUE(test, us && buf);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &l->o, &l->o), 0);
	if (l->sndbuf) {
		KUNIT_EXPECT_EQ(test, st_setopt(p.c, SOL_SOCKET, SO_SNDBUF, l->sndbuf), 0);
		KUNIT_EXPECT_EQ(test, st_setopt(p.s, SOL_SOCKET, SO_SNDBUF, l->sndbuf), 0);
	}
	for (i = 0; !ret && i < n; i++) {
		u64 start = ktime_get_ns();

		ret = st_send_frame(p.c, i, l->len);
		/* It waits for the first one. */
		if (!ret && l->sndbuf)
			ret = st_send_frame(p.c, i, l->len) ?:
			      st_recv_frame(p.s, i, l->len, 0, buf);
		ret = ret ?: st_recv_frame(p.s, i, l->len, 0, buf);
		ret = ret ?: st_send_frame(p.s, i, l->len);
		ret = ret ?: st_recv_frame(p.c, i, l->len, 0, buf);
		us[i] = div_u64(ktime_get_ns() - start, NSEC_PER_USEC);
	}
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "round trip %u", i);
	median = st_median(us, n);
	for (i = 0; i < n; i++)
		late += us[i] > bound * USEC_PER_MSEC + 2 * median;
	kunit_info(test, "median %llu us, most %llu us, %u of %u late", median, us[n - 1], late, n);
	/* Nor is a timer the rule. */
	KUNIT_EXPECT_LT(test, median, max(bound, st_soon() / 25) * USEC_PER_MSEC);
	KUNIT_EXPECT_LT(test, late, n / 10);
	st_pair_close(&p);
	kvfree(buf);
}

static struct kunit_case stream_cases[] = {
	KUNIT_CASE_PARAM(stream_sizes, stream_chunk_gen_params),
	KUNIT_CASE_PARAM(stream_limits, stream_large_chunk_gen_params),
	KUNIT_CASE(stream_large_limit),
	KUNIT_CASE(stream_split),
	KUNIT_CASE(stream_pieces),
	KUNIT_CASE(stream_peek),
	KUNIT_CASE(stream_waitall),
	KUNIT_CASE(stream_dontwait),
	KUNIT_CASE_PARAM(stream_iterators, mem_pair_gen_params),
	KUNIT_CASE(stream_both_ways),
	KUNIT_CASE(stream_slow_reader),
	KUNIT_CASE(stream_quiet_reader),
	KUNIT_CASE(stream_lowered_sndbuf),
	KUNIT_CASE(stream_tiny),
	ST_ONLY(ours),
	KUNIT_CASE_PARAM(stream_latency, stream_lag_gen_params),
	KUNIT_CASE_PARAM(stream_writers, stream_peace_gen_params),
	KUNIT_CASE_PARAM(stream_bad_header, stream_bad_gen_params),
	KUNIT_CASE(stream_most_credits),
	KUNIT_CASE(stream_memory_default),
	KUNIT_CASE(stream_memory_returns),
	KUNIT_CASE_PARAM(stream_credit, stream_credits_gen_params),
	KUNIT_CASE_PARAM(stream_message_size, stream_msg_gen_params),
	{}
};

static int stream_suite_init(struct kunit_suite *suite)
{
	stream_mem = filp_open("/proc/sys/net/smbdirect/mem", O_RDWR, 0);
	return 0;
}

static void stream_suite_exit(struct kunit_suite *suite)
{
	if (!IS_ERR(stream_mem))
		filp_close(stream_mem, NULL);
}

static struct kunit_suite stream_suite = {
	.name = "smbdr_stream",
	.suite_init = stream_suite_init,
	.suite_exit = stream_suite_exit,
	.init = st_suite_init,
	.test_cases = stream_cases,
};

kunit_test_suite(stream_suite);
