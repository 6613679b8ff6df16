// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory in every shape that an iterator can have.
 *
 * All shapes but one are the same: pages from anywhere, mapped side by side so that the
 * test can look at the content; the iterator names the pages, or the mapping.
 * Around the bytes in question, before, behind and in a page after them, is a
 * canary that nobody may touch.
 */
#include <linux/bvec.h>
#include <linux/folio_queue.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "lib.h"

#define ST_CANARY	0xc3
#define ST_STEP		BIT(20)
#define ST_BLOCK	4	/* order of the big ones */

const char * const st_mem_names[ST_MEM_KINDS] = {
	[ST_MEM_VMALLOC] = "kvec of vmalloc",
	[ST_MEM_KMALLOC] = "kvec of kmalloc",
	[ST_MEM_BVEC] = "bvec",
	[ST_MEM_FOLIOQ] = "folioq",
	[ST_MEM_XARRAY] = "xarray",
	[ST_MEM_BVEC_BIG] = "bvec of 16 pages each",
	[ST_MEM_FOLIOQ_BIG] = "folioq of large folios",
};

static int st_mem_queue(struct st_mem *mem)
{
	struct folio_queue *tail = NULL;
	u32 i;

	for (i = 0; i < mem->nr; i += BIT(mem->order)) {
		if (!tail || folioq_full(tail)) {
			struct folio_queue *q = kzalloc(sizeof(*q), GFP_KERNEL);

			if (!q)
				return -ENOMEM;
			q->prev = tail;
			if (tail)
				tail->next = q;
			else
				mem->fq = q;
			tail = q;
		}
		folioq_append(tail, page_folio(mem->pages[i]));
	}
	return 0;
}

static int st_mem_shape(struct st_mem *mem)
{
	u32 i;

	switch (mem->kind) {
	case ST_MEM_BVEC:
	case ST_MEM_BVEC_BIG:
		mem->bv = kvcalloc(mem->nr >> mem->order, sizeof(*mem->bv), GFP_KERNEL);
		if (!mem->bv)
			return -ENOMEM;
		for (i = 0; i < mem->nr >> mem->order; i++)
			bvec_set_page(&mem->bv[i], mem->pages[i << mem->order],
				      PAGE_SIZE << mem->order, 0);
		return 0;
	case ST_MEM_FOLIOQ:
	case ST_MEM_FOLIOQ_BIG:
		return st_mem_queue(mem);
	case ST_MEM_XARRAY:
		for (i = 0; i < mem->nr; i++) {
			int ret = xa_err(xa_store(&mem->xa, i, page_folio(mem->pages[i]),
						  GFP_KERNEL));

			if (ret)
				return ret;
		}
		return 0;
	default:
		return 0;
	}
}

/**
 * st_mem_free() - free what st_mem_alloc() made
 * @mem: the memory; nothing happens if there is none
 */
void st_mem_free(struct st_mem *mem)
{
	u32 i;

	if (!mem->nr)
		return;
	while (mem->fq) {
		struct folio_queue *next = mem->fq->next;

		kfree(mem->fq);
		mem->fq = next;
	}
	xa_destroy(&mem->xa);
	kvfree(mem->bv);
	mem->bv = NULL;
	if (mem->pages && mem->base)
		vunmap(mem->base);
	else
		kfree(mem->base);
	mem->base = NULL;
	for (i = 0; mem->pages && i < mem->nr; i += BIT(mem->order))
		if (mem->pages[i])
			__free_pages(mem->pages[i], mem->order);
	kvfree(mem->pages);
	mem->pages = NULL;
}

/**
 * st_mem_alloc() - memory of a shape
 * @mem: filled in, to be freed in any case
 * @kind: the shape
 * @off: offset in its first page
 * @len: bytes
 *
 * Return: 0 or a negative errno.
 */
int st_mem_alloc(struct st_mem *mem, enum st_mem_kind kind, u32 off, u32 len)
{
	u32 i;

	memset(mem, 0, sizeof(*mem));
	mem->kind = kind;
	mem->off = off;
	mem->len = len;
	xa_init(&mem->xa);
	mem->order = kind == ST_MEM_BVEC_BIG || kind == ST_MEM_FOLIOQ_BIG ? ST_BLOCK : 0;
	mem->nr = round_up(DIV_ROUND_UP(off + len, PAGE_SIZE) + 1, (u32)BIT(mem->order));
	if (kind == ST_MEM_KMALLOC) {
		mem->base = kmalloc((size_t)mem->nr * PAGE_SIZE, GFP_KERNEL);
	} else {
		mem->pages = kvcalloc(mem->nr, sizeof(*mem->pages), GFP_KERNEL);
		for (i = 0; mem->pages && i < mem->nr; i++) {
			u32 at = i;

			/* From both ends, so that pages that come in a row are no neighbours. */
			if (kind == ST_MEM_VMALLOC)
				at = i % 2 ? mem->nr - 1 - i / 2 : i / 2;
			/* A block is given page by page, so that it can be mapped. */
			if (i & (BIT(mem->order) - 1))
				mem->pages[at] = mem->pages[at - 1] + 1;
			else
				mem->pages[at] = alloc_pages(GFP_KERNEL | __GFP_COMP, mem->order);
			if (!mem->pages[at])
				return -ENOMEM;
		}
		if (mem->pages)
			mem->base = vmap(mem->pages, mem->nr, VM_MAP, PAGE_KERNEL);
	}
	if (!mem->base)
		return -ENOMEM;
	memset(mem->base, ST_CANARY, (size_t)mem->nr * PAGE_SIZE);
	return st_mem_shape(mem);
}

/**
 * st_mem_iter() - an iterator over a part of it
 * @mem: the memory
 * @iter: set up
 * @dir: ITER_SOURCE or ITER_DEST
 * @from: first byte, from the offset on
 * @len: bytes
 */
void st_mem_iter(struct st_mem *mem, struct iov_iter *iter, unsigned int dir, u32 from, u32 len)
{
	u32 start = mem->off + from;

	switch (mem->kind) {
	case ST_MEM_BVEC:
	case ST_MEM_BVEC_BIG:
		iov_iter_bvec(iter, dir, mem->bv, mem->nr >> mem->order, (size_t)start + len);
		iov_iter_advance(iter, start);
		break;
	case ST_MEM_FOLIOQ:
	case ST_MEM_FOLIOQ_BIG:
		iov_iter_folio_queue(iter, dir, mem->fq, 0, 0, (size_t)start + len);
		iov_iter_advance(iter, start);
		break;
	case ST_MEM_XARRAY:
		iov_iter_xarray(iter, dir, &mem->xa, start, len);
		break;
	default:
		mem->kv.iov_base = mem->base + start;
		mem->kv.iov_len = len;
		iov_iter_kvec(iter, dir, &mem->kv, 1, len);
		break;
	}
}

/* Walk over the content in steps that the pattern has. */
static bool st_mem_walk(struct st_mem *mem, u32 seed, bool check)
{
	u8 *at = mem->base + mem->off;
	u32 left = mem->len;

	while (left) {
		u32 part = min_t(u32, left, ST_STEP);

		if (!check)
			memcpy(at, st_pattern(seed), part);
		else if (memcmp(at, st_pattern(seed), part))
			return false;
		at += part;
		left -= part;
		seed++;
	}
	return true;
}

/**
 * st_mem_fill() - give it content
 * @mem: the memory
 * @seed: which
 */
void st_mem_fill(struct st_mem *mem, u32 seed)
{
	st_mem_walk(mem, seed, false);
}

/**
 * st_mem_same() - does it have that content?
 * @mem: the memory
 * @seed: which
 */
bool st_mem_same(struct st_mem *mem, u32 seed)
{
	return st_mem_walk(mem, seed, true);
}

/**
 * st_mem_intact() - is everything around it as it was?
 * @mem: the memory
 */
bool st_mem_intact(struct st_mem *mem)
{
	size_t end = (size_t)mem->off + mem->len;

	return !memchr_inv(mem->base, ST_CANARY, mem->off) &&
	       !memchr_inv(mem->base + end, ST_CANARY, (size_t)mem->nr * PAGE_SIZE - end);
}

/**
 * st_mem_untouched() - has nobody written to it at all?
 * @mem: the memory, never filled
 */
bool st_mem_untouched(struct st_mem *mem)
{
	return !memchr_inv(mem->base, ST_CANARY, (size_t)mem->nr * PAGE_SIZE);
}
