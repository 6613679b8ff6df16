// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Workloads of RDMA: the server reads or writes memory of the client.
 *
 * The client exposes one buffer; as many threads of the server as the depth says move it, each
 * from or to a buffer of its own, and wait for each transfer. Exposing is not timed, what the
 * server has to do for each transfer is. One transfer is looked at before and one after, with
 * content that was not there before.
 *
 * A hashed run has one thread: every transfer has other content, and both ends hash it.
 */
#include <linux/crc32c.h>
#include <linux/ktime.h>
#include <linux/pgtable.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include "bench.h"

/**
 * struct bench_large - a buffer of the client and those of the server
 * @client: may be reached by the server
 * @exposed: it is
 * @own: the server's
 * @ready: of these, how many are prepared
 * @moved: transfers
 * @crc: hashes of what was sent and received, summed up
 * @read: which way
 * @note: what they say to each other beside that
 */
struct bench_large {
	struct bench_region client;
	bool exposed;
	struct bench_region own[BENCH_THREADS];
	u32 ready;
	atomic64_t moved;
	u32 crc[2];
	bool read;
	u8 *note;
};

static int bench_large_thread(struct bench_thread *t)
{
	struct bench_large *g = t->arg;
	struct bench_region *own = &g->own[t - t->run->threads];
	struct bench_run *r = t->run;
	int ret;

	do {
		ret = r->who->t->rdma(r->s, g->read, own, &g->client);
		atomic64_inc(&g->moved);
	} while (!ret && ktime_get_ns() < r->end);
	return ret;
}

static int bench_large_tell(struct bench_run *r, struct bench_large *g, struct bench_conn *from)
{
	const struct bench_transport *ops = r->who->t;
	u8 heard[BENCH_NOTE];

	return ops->send(from, g->note, BENCH_NOTE) ?: ops->recv(from->peer, heard, BENCH_NOTE);
}

/* One transfer, of which both ends know the content. */
static int bench_large_known(struct bench_run *r, struct bench_large *g, u32 seed)
{
	struct st_mem *from = g->read ? &g->client.mem : &g->own[0].mem;
	struct st_mem *to = g->read ? &g->own[0].mem : &g->client.mem;
	int ret;

	st_mem_fill(from, seed);
	ret = r->who->t->rdma(r->s, g->read, &g->own[0], &g->client);
	if (!ret && !g->read)
		ret = bench_large_tell(r, g, r->s);
	if (ret)
		return ret;
	if (!r->hashed)
		return st_mem_same(to, seed) ? 0 : -EILSEQ;
	g->crc[0] += crc32c(~seed, from->base, from->len);
	g->crc[1] += crc32c(~seed, to->base, to->len);
	return 0;
}

static int bench_large_look(struct bench_thread *t)
{
	struct bench_large *g = t->arg;

	return bench_large_known(t->run, g, atomic64_read(&g->moved) ? 4711 : 1);
}

static int bench_large_hashed(struct bench_thread *t)
{
	struct bench_large *g = t->arg;
	int ret;

	do {
		ret = bench_large_known(t->run, g, atomic64_inc_return(&g->moved) * 31);
	} while (!ret && ktime_get_ns() < t->run->end);
	return ret;
}

/* Calls that may wait for long get a thread, which can be given up. */
static int bench_large_run(struct bench_run *r, struct bench_large *g, const char *name,
			   int (*fn)(struct bench_thread *t), u32 nr)
{
	while (nr--)
		bench_add(r, name, fn, g);
	return bench_threads(r, r->ms);
}

static int bench_large_mem(struct bench_run *r, struct bench_region *region, bool write)
{
	region->write = write;
	return st_mem_alloc(&region->mem, ST_MEM_VMALLOC, 0, r->size);
}

static int bench_large_expose(struct bench_thread *t)
{
	struct bench_large *g = t->arg;
	struct bench_run *r = t->run;
	const struct bench_transport *ops = r->who->t;
	int ret;

	ret = bench_large_mem(r, &g->client, !g->read) ?: ops->expose(r->c, &g->client);
	g->exposed = !ret;
	if (!ret)
		ret = bench_map(r->c, g->note, BENCH_NOTE) ?: bench_map(r->s, g->note, BENCH_NOTE);
	/*
	 * Memory is exposed once a message has arrived that was sent afterwards. Besides, before
	 * the client has spoken, the server of the in-tree core has no credits.
	 */
	if (!ret)
		ret = bench_large_tell(r, g, r->c);
	while (!ret && g->ready < r->depth) {
		struct bench_region *own = &g->own[g->ready];

		ret = bench_large_mem(r, own, g->read);
		if (!ret && ops->local)
			ret = ops->local(r->s, own);
		g->ready += !ret;
	}
	return ret;
}

static int bench_large_conceal(struct bench_thread *t)
{
	struct bench_large *g = t->arg;
	const struct bench_transport *ops = t->run->who->t;

	while (g->ready) {
		g->ready--;
		if (ops->unlocal)
			ops->unlocal(t->run->s, &g->own[g->ready]);
	}
	if (g->exposed)
		ops->conceal(t->run->c, &g->client);
	g->exposed = false;
	return 0;
}

static int bench_large(struct bench_run *r, bool read)
{
	struct bench_clock clock;
	struct bench_large *g;
	int ret;
	u32 i;

	if (!r->who->t->rdma || r->depth > BENCH_THREADS || r->size & ~PAGE_MASK)
		return bench_fail(r, "no such RDMA", -EOPNOTSUPP);
	g = kzalloc(sizeof(*g), GFP_KERNEL);
	if (g)
		g->note = bench_frame_alloc(BENCH_NOTE);
	if (!g || !g->note) {
		kfree(g);
		return bench_fail(r, "memory", -ENOMEM);
	}
	g->read = read;
	/* Messages are not what is measured here: no frame to look at. */
	r->frame = 0;
	ret = bench_open(r);
	if (!ret)
		ret = bench_large_run(r, g, "expose", bench_large_expose, 1);
	if (!ret)
		ret = bench_large_run(r, g, "verify before", bench_large_look, 1);
	if (!ret) {
		bench_clock_start(r, &clock);
		ret = bench_large_run(r, g, "transfer",
				      r->hashed ? bench_large_hashed : bench_large_thread,
				      r->depth);
		bench_clock_stop(r, &clock, "transfers", atomic64_read(&g->moved),
				 atomic64_read(&g->moved) * r->size);
	}
	if (!ret)
		ret = bench_large_run(r, g, "verify after", bench_large_look, 1);
	if (!ret && r->hashed)
		ret = bench_hashes(r, g->crc[0], g->crc[1]);
	if (!st_stuck())
		bench_large_run(r, g, "conceal", bench_large_conceal, 1);
	if (st_stuck())
		return r->err;
	bench_close(r);
	bench_frame_free(g->note, BENCH_NOTE);
	st_mem_free(&g->client.mem);
	for (i = 0; i < BENCH_THREADS; i++)
		st_mem_free(&g->own[i].mem);
	kfree(g);
	return ret ?: r->err;
}

int bench_rdma_read(struct bench_run *r)
{
	return bench_large(r, true);
}

int bench_rdma_write(struct bench_run *r)
{
	return bench_large(r, false);
}

int bench_hashed_read(struct bench_run *r)
{
	r->hashed = true;
	r->depth = 1;
	return bench_large(r, true);
}

int bench_hashed_write(struct bench_run *r)
{
	r->hashed = true;
	r->depth = 1;
	return bench_large(r, false);
}
