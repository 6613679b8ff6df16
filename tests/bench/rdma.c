// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Workloads of RDMA: the server reads or writes memory of the client.
 *
 * The client exposes one buffer; as many threads of the server as the depth says move it, each
 * from or to a buffer of its own, and wait for each transfer. Exposing is not timed, what the
 * server has to do for each transfer is. One transfer is looked at before and one after, the
 * former with content that was not there before.
 */
#include <linux/ktime.h>
#include <linux/pgtable.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "bench.h"

#define BENCH_DEPTH_MAX	16
#define BENCH_NOTE	64

/**
 * struct bench_large - a buffer of the client and those of the server
 * @client: may be reached by the server
 * @exposed: it is
 * @own: the server's
 * @ready: of these, how many are prepared
 * @moved: transfers
 * @t: threads
 * @read: which way
 * @note: what they say to each other beside that
 */
struct bench_large {
	struct bench_region client;
	bool exposed;
	struct bench_region own[BENCH_DEPTH_MAX];
	u32 ready;
	atomic64_t moved;
	struct bench_thread t[BENCH_DEPTH_MAX];
	bool read;
	u8 *note;
};

/*
 * Pages of which no two in a row are neighbours, as those of files mostly are not; vmalloc()
 * gives neighbours in a kernel that has only begun. For vfree().
 */
static void *bench_scattered(u32 len)
{
	u32 nr = len >> PAGE_SHIFT, i;
	struct page **pages = kvcalloc(nr, sizeof(*pages), GFP_KERNEL);
	void *buf = NULL;

	/* From both ends: each second page that comes goes beside another one. */
	for (i = 0; pages && i < nr; i++) {
		u32 at = i % 2 ? nr - 1 - i / 2 : i / 2;

		pages[at] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!pages[at])
			break;
	}
	if (i == nr)
		buf = vmap(pages, nr, VM_MAP | VM_MAP_PUT_PAGES, PAGE_KERNEL);
	if (buf)
		return buf;
	for (i = 0; pages && i < nr; i++)
		if (pages[i])
			__free_page(pages[i]);
	kvfree(pages);
	return NULL;
}

static int bench_large_thread(struct bench_thread *t)
{
	struct bench_large *g = t->arg;
	struct bench_region *own = &g->own[t - g->t];
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

static int bench_large_look(struct bench_thread *t)
{
	struct bench_large *g = t->arg;
	struct bench_region *own = &g->own[0];
	struct bench_run *r = t->run;
	u32 seed = atomic64_read(&g->moved) ? 2 : 1;
	int ret;

	bench_fill(g->read ? g->client.buf : own->buf, r->size, seed);
	ret = r->who->t->rdma(r->s, g->read, own, &g->client);
	if (!ret && !g->read)
		ret = bench_large_tell(r, g, r->s);
	if (ret)
		return ret;
	return bench_same(g->read ? own->buf : g->client.buf, r->size, seed) ? 0 : -EILSEQ;
}

/* Calls that may wait for long get a thread, which can be given up. */
static int bench_large_run(struct bench_run *r, struct bench_large *g, const char *name,
			   int (*fn)(struct bench_thread *t), u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		bench_thread_set(&g->t[i], name, fn, g);
	return bench_threads(r, g->t, nr, r->ms);
}

static int bench_large_expose(struct bench_thread *t)
{
	struct bench_large *g = t->arg;
	struct bench_run *r = t->run;
	const struct bench_transport *ops = r->who->t;
	int ret;

	g->client.len = r->size;
	g->client.write = !g->read;
	g->client.buf = bench_scattered(r->size);
	if (!g->client.buf)
		return -ENOMEM;
	ret = ops->expose(r->c, &g->client);
	g->exposed = !ret;
	if (!ret && ops->map)
		ret = ops->map(r->c, g->note, BENCH_NOTE) ?: ops->map(r->s, g->note, BENCH_NOTE);
	/*
	 * Memory is exposed once a message has arrived that was sent afterwards. Besides, before
	 * the client has spoken, the server of the in-tree core has no credits.
	 */
	if (!ret)
		ret = bench_large_tell(r, g, r->c);
	while (!ret && g->ready < r->depth) {
		struct bench_region *own = &g->own[g->ready];

		own->len = r->size;
		own->write = g->read;
		own->buf = bench_scattered(r->size);
		if (!own->buf)
			return -ENOMEM;
		ret = ops->local ? ops->local(r->s, own) : 0;
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
	struct bench_large *g;
	u64 ns, cpu;
	int ret;
	u32 i;

	if (!r->who->t->rdma || r->depth > BENCH_DEPTH_MAX || r->size & ~PAGE_MASK)
		return bench_fail(r, "no such RDMA", -EOPNOTSUPP);
	g = kzalloc(sizeof(*g), GFP_KERNEL);
	if (!g)
		return bench_fail(r, "memory", -ENOMEM);
	g->read = read;
	g->note = bench_frame_alloc(BENCH_NOTE);
	if (!g->note) {
		kfree(g);
		return bench_fail(r, "memory", -ENOMEM);
	}
	/* Messages are not what is measured here: no frame to look at. */
	ret = bench_open(r, 0);
	if (!ret)
		ret = bench_large_run(r, g, "expose", bench_large_expose, 1);
	if (!ret)
		ret = bench_large_run(r, g, "verify before", bench_large_look, 1);
	if (!ret) {
		cpu = bench_cpu_ns();
		ns = ktime_get_ns();
		r->end = ns + (u64)r->ms * NSEC_PER_MSEC;
		ret = bench_large_run(r, g, "transfer", bench_large_thread, r->depth);
		ns = max_t(u64, ktime_get_ns() - ns, 1);
		cpu = bench_cpu_ns() - cpu;
		seq_buf_printf(r->report, "transfers %llu\nns %llu\ncpu_ns %llu\nbytes %llu\n",
			       atomic64_read(&g->moved), ns, cpu,
			       atomic64_read(&g->moved) * r->size);
	}
	if (!ret)
		ret = bench_large_run(r, g, "verify after", bench_large_look, 1);
	if (!bench_stuck())
		bench_large_run(r, g, "conceal", bench_large_conceal, 1);
	if (bench_stuck())
		return r->err;
	bench_close(r);
	bench_frame_free(g->note, BENCH_NOTE);
	vfree(g->client.buf);
	for (i = 0; i < BENCH_DEPTH_MAX; i++)
		vfree(g->own[i].buf);
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
