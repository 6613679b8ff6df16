/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the RDMA tests share: memory in every shape, and what is done with it. Everything
 * here may sleep.
 */
#ifndef RDMA_LIB_H
#define RDMA_LIB_H

#include <linux/uio.h>
#include <linux/xarray.h>
#include <net/smbdirect.h>
#include "smbdr_test.h"

#define ST_MRS		28	/* the most regions of a connection */
#define ST_SOON		(st_cfg.timeout / 2)	/* ms: nothing may take longer */

struct folio_queue;

enum st_mem_kind {
	ST_MEM_VMALLOC,
	ST_MEM_KMALLOC,
	ST_MEM_BVEC,
	ST_MEM_FOLIOQ,
	ST_MEM_XARRAY,
	ST_MEM_BVEC_BIG,
	ST_MEM_FOLIOQ_BIG,
	ST_MEM_KINDS
};

extern const char * const st_mem_names[ST_MEM_KINDS];

/**
 * struct st_mem - memory for a transfer
 * @kind: its shape
 * @off: offset of the first byte in the first page
 * @len: bytes
 * @nr: pages, one behind the last byte included
 * @order: pages come in blocks of so many, as a power of 2
 * @pages: the pages, or NULL if it is kmalloc memory
 * @base: all of it, side by side
 * @kv: for an iterator
 * @bv: likewise
 * @fq: likewise
 * @xa: likewise
 */
struct st_mem {
	enum st_mem_kind kind;
	u32 off;
	u32 len;
	u32 nr;
	u32 order;
	struct page **pages;
	u8 *base;
	struct kvec kv;
	struct bio_vec *bv;
	struct folio_queue *fq;
	struct xarray xa;
};

int st_mem_alloc(struct st_mem *mem, enum st_mem_kind kind, u32 off, u32 len);
void st_mem_free(struct st_mem *mem);
void st_mem_iter(struct st_mem *mem, struct iov_iter *iter, unsigned int dir, u32 from, u32 len);
void st_mem_fill(struct st_mem *mem, u32 seed);
bool st_mem_same(struct st_mem *mem, u32 seed);
bool st_mem_intact(struct st_mem *mem);
bool st_mem_untouched(struct st_mem *mem);

s64 st_regions_left(void);
int st_rdma_init(struct kunit *test);
void st_rdma_exit(struct kunit *test);
int st_pair_and_mem(struct st_pair *p, struct st_mem *mem, u32 len);
int st_tell(struct socket *from, struct socket *to);
struct smbdr_kern_mr *st_register(struct socket *sock, struct st_mem *mem,
				  enum smbdr_kern_access access);
int st_rdma(struct socket *sock, struct st_mem *mem, enum smbdr_kern_dir dir,
	    const struct smbdr_kern_desc *descs, u32 nr, u64 offset);
int st_submit(struct socket *sock, struct st_mem *mem, enum smbdr_kern_dir dir,
	      const struct smbdr_kern_desc *descs, u32 nr, u64 offset,
	      void (*done)(void *arg, int err), void *arg);
void st_calls_lost(void);
int st_send_inv(struct socket *sock, u32 seed, u32 len, __le32 token);

#endif /* RDMA_LIB_H */
