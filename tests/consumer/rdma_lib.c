// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory for the RDMA tests, in every shape that an iterator can have, and the counters.
 *
 * All shapes but one are the same: pages from anywhere, mapped side by side so that the
 * test can look at the content; the iterator names the pages, or the mapping.
 * Around the bytes in question, before, behind and in a page after them, is a
 * canary that nobody may touch.
 */
#include <linux/bvec.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/folio_queue.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>
#include "rdma_lib.h"

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

static struct file *st_counters;

/**
 * st_counters_open() - open the file of counters
 *
 * To be called by the process that loads the module: the kernel's threads, in which the
 * tests run, need not see any file. Without the file st_counter() has nothing to give.
 */
void st_counters_open(void)
{
	st_counters = filp_open("/proc/net/smbdirect", O_RDONLY, 0);
}

/**
 * st_counters_close() - close it
 */
void st_counters_close(void)
{
	if (!IS_ERR_OR_NULL(st_counters))
		fput(st_counters);
	st_counters = NULL;
}

/**
 * st_counter() - one of the counters in /proc/net/smbdirect
 * @name: as it is called there
 *
 * The file has no read operation that takes kernel memory, so its sequence is read.
 *
 * Return: its value, or U64_MAX if there is none.
 */
u64 st_counter(const char *name)
{
	char *buf = kzalloc(PAGE_SIZE, GFP_KERNEL), *at;
	struct kvec v = { buf, PAGE_SIZE - 1 };
	size_t len = strlen(name);
	struct iov_iter iter;
	struct kiocb kiocb;
	u64 val = U64_MAX;

	if (!buf || IS_ERR_OR_NULL(st_counters))
		goto free;
	init_sync_kiocb(&kiocb, st_counters);
	iov_iter_kvec(&iter, ITER_DEST, &v, 1, v.iov_len);
	if (seq_read_iter(&kiocb, &iter) <= 0)
		goto free;
	for (at = buf; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, len) || at[len] != ' ')
			continue;
		if (sscanf(at + len, " %llu", &val) != 1)
			val = U64_MAX;
		break;
	}
free:
	kfree(buf);
	return val;
}

/**
 * st_regions_left() - regions that were registered and not invalidated
 *
 * What was still registered when its connection ended stays in the number.
 */
s64 st_regions_left(void)
{
	return st_counter("MrRegistered") - st_counter("MrInvLocal") - st_counter("MrInvRemote");
}

/* Before the case that runs. */
static s64 st_left;

/**
 * st_rdma_init() - for a suite whose cases deregister all while the connection lives
 * @test: the case that begins
 */
int st_rdma_init(struct kunit *test)
{
	st_left = st_regions_left();
	return st_suite_init(test);
}

/**
 * st_rdma_exit() - after each case of such a suite: nothing stays registered
 * @test: the case that has ended
 */
void st_rdma_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, st_regions_left(), st_left);
}

/**
 * st_pair_and_mem() - a connection with the default options, and memory of the simplest shape
 * @p: the connection, to be closed if all went well
 * @mem: the memory, to be freed if all went well
 * @len: its length
 *
 * Return: 0 or a negative errno.
 */
int st_pair_and_mem(struct st_pair *p, struct st_mem *mem, u32 len)
{
	int ret = st_mem_alloc(mem, ST_MEM_VMALLOC, 0, len);

	if (!ret)
		ret = st_pair_open(p, NULL, NULL);
	if (ret)
		st_mem_free(mem);
	return ret;
}

/**
 * st_tell() - let a message follow a registration
 * @from: who registered
 * @to: who will use the descriptors
 *
 * Descriptors are good for whom a message has reached that was sent after they were
 * made. The tests hand them over in memory, so they send one without them.
 */
int st_tell(struct socket *from, struct socket *to)
{
	return st_ping(from, to, 4);
}

/**
 * st_register() - register a whole piece of memory
 * @sock: the socket
 * @mem: the memory
 * @access: what the peer may do
 */
struct smbdr_kern_mr *st_register(struct socket *sock, struct st_mem *mem,
				  enum smbdr_kern_access access)
{
	struct iov_iter iter;

	st_mem_iter(mem, &iter, access == SMBDR_KERN_REMOTE_READ ? ITER_SOURCE : ITER_DEST, 0,
		    mem->len);
	return smbdr_kern_mr_register(sock, &iter, access);
}

static void st_rdma_iter(struct st_mem *mem, struct iov_iter *iter, enum smbdr_kern_dir dir)
{
	st_mem_iter(mem, iter, dir == SMBDR_KERN_RDMA_READ ? ITER_DEST : ITER_SOURCE, 0, mem->len);
}

/**
 * st_rdma() - read or write and wait
 * @sock: the socket
 * @mem: local memory, all of it
 * @dir: which way
 * @descs: the peer's memory
 * @nr: number of descriptors
 * @offset: in the peer's memory
 */
int st_rdma(struct socket *sock, struct st_mem *mem, enum smbdr_kern_dir dir,
	    const struct smbdr_kern_desc *descs, u32 nr, u64 offset)
{
	struct iov_iter iter;

	st_rdma_iter(mem, &iter, dir);
	return dir == SMBDR_KERN_RDMA_READ ?
		smbdr_kern_rdma_read(sock, &iter, descs, nr, offset) :
		smbdr_kern_rdma_write(sock, &iter, descs, nr, offset);
}

/**
 * st_submit() - begin to read or write
 * @sock: the socket
 * @mem: local memory, all of it; one caller at a time, as what the iterator needs is in it
 * @dir: which way
 * @descs: the peer's memory
 * @nr: number of descriptors
 * @offset: in the peer's memory
 * @done: called once, if this returns 0
 * @arg: for @done
 */
int st_submit(struct socket *sock, struct st_mem *mem, enum smbdr_kern_dir dir,
	      const struct smbdr_kern_desc *descs, u32 nr, u64 offset,
	      void (*done)(void *arg, int err), void *arg)
{
	struct iov_iter iter;
	const struct smbdr_kern_rdma rdma = {
		.dir = dir,
		.iter = &iter,
		.descs = descs,
		.nr_descs = nr,
		.offset = offset,
		.done = done,
		.arg = arg,
	};

	st_rdma_iter(mem, &iter, dir);
	return smbdr_kern_rdma_submit(sock, &rdma);
}

/**
 * st_calls_lost() - callbacks are missing and may still come: keep their code
 *
 * The caller leaves their memory as it is.
 */
void st_calls_lost(void)
{
	__module_get(THIS_MODULE);
}

/**
 * st_send_inv() - send a frame that invalidates a key of the peer
 * @sock: the socket
 * @seed: content
 * @len: its length
 * @token: the key as in a descriptor
 */
int st_send_inv(struct socket *sock, u32 seed, u32 len, __le32 token)
{
	u8 ctl[CMSG_SPACE(sizeof(u32))] __aligned(8) = {};
	struct msghdr msg = {
		.msg_flags = MSG_NOSIGNAL,
		.msg_control = ctl,
		.msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	u32 key = le32_to_cpu(token);
	struct kvec v[2];
	u8 hdr[ST_HDR];
	int ret;

	cmsg->cmsg_level = SOL_SMBDIRECT;
	cmsg->cmsg_type = SMBDIRECT_CMSG_INVALIDATE;
	cmsg->cmsg_len = CMSG_LEN(sizeof(key));
	memcpy(CMSG_DATA(cmsg), &key, sizeof(key));
	st_put_hdr(hdr, len);
	v[0].iov_base = hdr;
	v[0].iov_len = ST_HDR;
	v[1].iov_base = (void *)st_pattern(seed);
	v[1].iov_len = len;
	ret = kernel_sendmsg(sock, &msg, v, 2, ST_HDR + len);
	return ret < 0 ? ret : ret == ST_HDR + len ? 0 : -EIO;
}

MODULE_IMPORT_NS("NET_SMBDIRECT");
