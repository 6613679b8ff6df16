// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA: does the right data get to the right place, and is a caller told what he did
 * wrong?
 *
 * One end of a connection registers memory (the owner), the other one reads or
 * writes it. Both ends live here, so descriptors are handed over in memory, behind a
 * message. Every transfer is checked byte by byte, with what surrounds it.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "rdma_lib.h"

#define RDMA_LIMIT	(SZ_1M + SZ_64K)

static const struct st_opts rdma_opts = { .max_rw = RDMA_LIMIT };

/* ----- one transfer ----- */

struct rdma_case {
	enum st_mem_kind owner;		/* shape of the registered memory */
	enum st_mem_kind local;		/* shape at the end that transfers */
	u32 off;			/* in the first page of both */
	u32 len;
	enum smbdr_kern_dir dir;
};

/* NULL if all is well, or what is not. */
static const char *rdma_one(struct st_pair *p, const struct rdma_case *c, int *err)
{
	bool read = c->dir == SMBDR_KERN_RDMA_READ;
	const struct smbdr_kern_desc *descs;
	const char *bad = "memory";
	struct st_mem owner, local;
	struct smbdr_kern_mr *mr;
	u64 sum = 0;
	u32 nr, i;

	*err = st_mem_alloc(&owner, c->owner, c->off, c->len);
	if (!*err)
		*err = st_mem_alloc(&local, c->local, (c->off * 7) % PAGE_SIZE, c->len);
	else
		memset(&local, 0, sizeof(local));
	if (*err)
		goto free;
	st_mem_fill(read ? &owner : &local, c->len);
	mr = st_register(p->c, &owner, read ? SMBDR_KERN_REMOTE_READ : SMBDR_KERN_REMOTE_WRITE);
	bad = "register";
	*err = PTR_ERR_OR_ZERO(mr);
	if (*err)
		goto free;
	descs = smbdr_kern_mr_descs(mr, &nr);
	for (i = 0; i < nr; i++)
		sum += le32_to_cpu(descs[i].length);
	bad = "sum of the descriptors";
	if (sum != c->len)
		goto dereg;
	bad = "message";
	*err = st_tell(p->c, p->s);
	if (*err)
		goto dereg;
	bad = "transfer";
	*err = st_rdma(p->s, &local, c->dir, descs, nr, 0);
	/* Over iWARP a write has arrived when a message behind it has. */
	if (!*err)
		*err = st_tell(p->s, p->c);
dereg:
	smbdr_kern_mr_deregister(mr);
	if (*err || sum != c->len)
		goto free;
	bad = NULL;
	if (!st_mem_same(read ? &local : &owner, c->len))
		bad = "content";
	else if (!st_mem_intact(&owner) || !st_mem_intact(&local))
		bad = "surroundings";
free:
	st_mem_free(&owner);
	st_mem_free(&local);
	return bad;
}

static void rdma_check(struct kunit *test, struct st_pair *p, const struct rdma_case *c)
{
	int err;
	const char *bad = rdma_one(p, c, &err);

	if (bad)
		KUNIT_FAIL(test, "%s: %d (%s: %s to %s, offset %u, %u bytes)", bad, err,
			   c->dir == SMBDR_KERN_RDMA_READ ? "read" : "write",
			   st_mem_names[c->owner], st_mem_names[c->local], c->off, c->len);
}

static void rdma_kind_desc(const enum st_mem_kind *kind, char *desc)
{
	strscpy(desc, st_mem_names[*kind], KUNIT_PARAM_DESC_SIZE);
}

static const enum st_mem_kind rdma_kinds[] = {
	ST_MEM_VMALLOC, ST_MEM_KMALLOC, ST_MEM_BVEC, ST_MEM_FOLIOQ, ST_MEM_XARRAY,
};

KUNIT_ARRAY_PARAM(rdma_kind, rdma_kinds, rdma_kind_desc);

/* Every shape, at every kind of offset, in every kind of length, both ways. */
static void rdma_matrix(struct kunit *test)
{
	static const u32 lens[] = { 1, 4096, 4097, SZ_1M, RDMA_LIMIT };
	static const u32 offs[] = { 0, 1, 4095 };
	const enum st_mem_kind *kind = test->param_value;
	struct st_pair p;
	u32 i, j, k;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &rdma_opts, &rdma_opts), 0);
	for (i = 0; i < ARRAY_SIZE(lens); i++)
		for (j = 0; j < ARRAY_SIZE(offs); j++)
			for (k = 0; k < 2; k++)
				rdma_check(test, &p, &(struct rdma_case){ *kind, *kind, offs[j],
					   lens[i], k ? SMBDR_KERN_RDMA_READ :
					   SMBDR_KERN_RDMA_WRITE });
	st_pair_close(&p);
}

/* Every shape to every other one. */
static void rdma_shapes(struct kunit *test)
{
	const enum st_mem_kind *kind = test->param_value;
	struct st_pair p;
	u32 i;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &rdma_opts, &rdma_opts), 0);
	for (i = 0; i < ST_MEM_KINDS; i++) {
		rdma_check(test, &p, &(struct rdma_case){ *kind, i, 4095, 70001,
			   SMBDR_KERN_RDMA_WRITE });
		rdma_check(test, &p, &(struct rdma_case){ *kind, i, 1, 70001,
			   SMBDR_KERN_RDMA_READ });
	}
	st_pair_close(&p);
}

/* A byte more than was negotiated is refused by both ends, and harms nothing. */
static void rdma_limit(struct kunit *test)
{
	const enum st_mem_kind *kind = test->param_value;
	struct smbdr_kern_desc desc = { .length = cpu_to_le32(U32_MAX) };
	struct st_mem mem;
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &rdma_opts, NULL), 0);
	if (!st_mem_alloc(&mem, *kind, 1, RDMA_LIMIT + 1)) {
		KUNIT_EXPECT_PTR_EQ(test, st_register(p.c, &mem, SMBDR_KERN_REMOTE_READ),
				    ERR_PTR(-EMSGSIZE));
		KUNIT_EXPECT_PTR_EQ(test, st_register(p.c, &mem, SMBDR_KERN_REMOTE_WRITE),
				    ERR_PTR(-EMSGSIZE));
		KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_READ, &desc, 1, 0),
				-EMSGSIZE);
		KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_WRITE, &desc, 1, 0),
				-EMSGSIZE);
		KUNIT_EXPECT_TRUE(test, st_mem_untouched(&mem));
	} else {
		KUNIT_FAIL(test, "memory");
	}
	st_mem_free(&mem);
	rdma_check(test, &p, &(struct rdma_case){ *kind, *kind, 1, RDMA_LIMIT,
		   SMBDR_KERN_RDMA_READ });
	st_pair_close(&p);
}

/* What both ends take by default, at an odd place. */
static void rdma_default_limit(struct kunit *test)
{
	struct rdma_case c = { ST_MEM_VMALLOC, ST_MEM_BVEC, 4095, SZ_8M, SMBDR_KERN_RDMA_WRITE };
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	rdma_check(test, &p, &c);
	c.dir = SMBDR_KERN_RDMA_READ;
	rdma_check(test, &p, &c);
	st_pair_close(&p);
}

/* ----- descriptors ----- */

#define RDMA_SPLIT_LEN	300000U

struct rdma_split {
	struct st_pair p;
	struct st_mem owner;
	struct smbdr_kern_mr *mr;
	struct smbdr_kern_desc *descs;	/* cut, with two bad ones behind the last */
	u32 nr;
};

/* Cut what describes the memory into @want pieces of different lengths. */
static void rdma_cut(struct rdma_split *s, const struct smbdr_kern_desc *real, u32 nr, u32 want)
{
	u64 at = le64_to_cpu(real[0].offset);
	u32 left = RDMA_SPLIT_LEN, i;

	for (i = 0; i < want; i++) {
		u32 part = i == want - 1 ? left : left / (want - i) + (i & 1 ? 13 : -13);

		s->descs[i].offset = cpu_to_le64(at);
		s->descs[i].token = real[0].token;
		s->descs[i].length = cpu_to_le32(part);
		at += part;
		left -= part;
	}
	s->nr = want;
	/* Behind the end nobody looks. */
	s->descs[want] = (struct smbdr_kern_desc){};
	s->descs[want + 1] = (struct smbdr_kern_desc){ cpu_to_le64(U64_MAX), 0,
						       cpu_to_le32(U32_MAX) };
}

static void rdma_split_close(struct rdma_split *s)
{
	if (s->mr)
		smbdr_kern_mr_deregister(s->mr);
	st_pair_close(&s->p);
	st_mem_free(&s->owner);
	kfree(s->descs);
}

static int rdma_split_open(struct rdma_split *s, u32 want, enum smbdr_kern_access access)
{
	const struct smbdr_kern_desc *real;
	u32 nr;
	int ret;

	memset(s, 0, sizeof(*s));
	s->descs = kcalloc(want + 2, sizeof(*s->descs), GFP_KERNEL);
	ret = st_mem_alloc(&s->owner, ST_MEM_VMALLOC, 100, RDMA_SPLIT_LEN);
	if (!s->descs)
		ret = -ENOMEM;
	if (!ret)
		ret = st_pair_open(&s->p, NULL, NULL);
	if (ret)
		return ret;
	st_mem_fill(&s->owner, 5);
	s->mr = st_register(s->p.c, &s->owner, access);
	if (IS_ERR(s->mr)) {
		ret = PTR_ERR(s->mr);
		s->mr = NULL;
		return ret;
	}
	real = smbdr_kern_mr_descs(s->mr, &nr);
	if (nr != 1)
		return -EDOM;	/* less than any device's list of pages */
	rdma_cut(s, real, nr, want);
	return st_tell(s->p.c, s->p.s);
}

static const u32 rdma_counts[] = { 1, 2, 16, 300 };

static void rdma_count_desc(const u32 *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u descriptors", *n);
}

KUNIT_ARRAY_PARAM(rdma_count, rdma_counts, rdma_count_desc);

/* Reads from every interesting place of an array; nothing beyond its end. */
static void rdma_descs_read(struct kunit *test)
{
	const u32 *want = test->param_value;
	struct rdma_split s;
	struct st_mem local;
	u32 border, i;
	int ret;

	ret = rdma_split_open(&s, *want, SMBDR_KERN_REMOTE_READ);
	KUNIT_EXPECT_EQ(test, ret, 0);
	border = s.descs ? le32_to_cpu(s.descs[0].length) : 0;
	for (i = 0; !ret && i < 8; i++) {
		const struct {
			u32 offset;
			u32 len;
		} part[] = {
			{ 0, RDMA_SPLIT_LEN }, { 1, RDMA_SPLIT_LEN - 1 },
			{ RDMA_SPLIT_LEN - 1, 1 }, { RDMA_SPLIT_LEN / 2, 4097 },
			{ border - 1, 1 }, { 0, border },
			{ min(border, RDMA_SPLIT_LEN - 1), 1 }, { 7, 100 },
		};

		ret = st_mem_alloc(&local, ST_MEM_BVEC, 3, part[i].len);
		if (!ret)
			ret = st_rdma(s.p.s, &local, SMBDR_KERN_RDMA_READ, s.descs, s.nr + 2,
				      part[i].offset);
		KUNIT_EXPECT_EQ_MSG(test, ret, 0, "part %u", i);
		if (!ret) {
			KUNIT_EXPECT_EQ_MSG(test, memcmp(local.base + local.off, s.owner.base +
							 s.owner.off + part[i].offset,
							 part[i].len), 0, "part %u", i);
			KUNIT_EXPECT_TRUE_MSG(test, st_mem_intact(&local), "part %u", i);
		}
		st_mem_free(&local);
	}
	/* One byte more than there is, at either end. */
	if (!ret && !st_mem_alloc(&local, ST_MEM_VMALLOC, 0, RDMA_SPLIT_LEN)) {
		KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &local, SMBDR_KERN_RDMA_READ, s.descs, s.nr,
					      1), -EINVAL);
		KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &local, SMBDR_KERN_RDMA_READ, s.descs, s.nr,
					      U64_MAX), -EINVAL);
		KUNIT_EXPECT_TRUE(test, st_mem_untouched(&local));
		KUNIT_EXPECT_EQ(test, st_ping(s.p.c, s.p.s, 100), 0);
		st_mem_free(&local);
	}
	rdma_split_close(&s);
}

/* A write to the middle of an array touches what it should, and not a byte beside it. */
static void rdma_descs_write(struct kunit *test)
{
	const u32 *want = test->param_value;
	u32 from = 4097, len = RDMA_SPLIT_LEN - 2 * 4097;
	struct st_mem local = {};
	struct rdma_split s;
	u8 *expect = NULL;
	int ret;

	ret = rdma_split_open(&s, *want, SMBDR_KERN_REMOTE_WRITE);
	if (!ret)
		ret = st_mem_alloc(&local, ST_MEM_FOLIOQ, 1, len);
	if (!ret) {
		expect = vmalloc(RDMA_SPLIT_LEN);
		ret = expect ? 0 : -ENOMEM;
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	if (!ret) {
		st_mem_fill(&local, 9);
		memcpy(expect, s.owner.base + s.owner.off, RDMA_SPLIT_LEN);
		memcpy(expect + from, local.base + local.off, len);
		KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &local, SMBDR_KERN_RDMA_WRITE, s.descs, s.nr,
					      from), 0);
		KUNIT_EXPECT_EQ(test, st_tell(s.p.s, s.p.c), 0);
		KUNIT_EXPECT_EQ(test, memcmp(expect, s.owner.base + s.owner.off, RDMA_SPLIT_LEN),
				0);
		KUNIT_EXPECT_TRUE(test, st_mem_intact(&s.owner));
	}
	vfree(expect);
	st_mem_free(&local);
	rdma_split_close(&s);
}

/* Memory in many places: a region for each hole, as many as there are and no more. */
static void rdma_holes(struct kunit *test)
{
	const u32 max = 100;
	struct smbdr_kern_mr *mr;
	const struct smbdr_kern_desc *descs;
	struct st_mem mem, local;
	struct iov_iter iter;
	struct st_pair p;
	u32 i, nr, n;
	struct kvec *kv;
	int ret;

	kv = kunit_kcalloc(test, max, sizeof(*kv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, kv);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	ret = st_mem_alloc(&mem, ST_MEM_VMALLOC, 0, max * PAGE_SIZE);
	if (!ret)
		ret = st_mem_alloc(&local, ST_MEM_VMALLOC, 0, 40 * 1000);
	KUNIT_ASSERT_EQ(test, ret, 0);
	st_mem_fill(&mem, 3);
	for (i = 0; i < max; i++) {
		kv[i].iov_base = mem.base + i * PAGE_SIZE + 100;
		kv[i].iov_len = 1000;
	}
	for (n = 40; n <= max; n += 60) {
		iov_iter_kvec(&iter, ITER_SOURCE, kv, n, n * 1000);
		mr = smbdr_kern_mr_register(p.c, &iter, SMBDR_KERN_REMOTE_READ);
		if (n > 48) {	/* the most regions of a connection */
			KUNIT_EXPECT_PTR_EQ(test, mr, ERR_PTR(-EMSGSIZE));
			continue;
		}
		KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(mr), "%pe", mr);
		if (IS_ERR(mr))
			continue;
		descs = smbdr_kern_mr_descs(mr, &nr);
		KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
		KUNIT_EXPECT_EQ(test, st_rdma(p.s, &local, SMBDR_KERN_RDMA_READ, descs, nr, 0), 0);
		for (i = 0; i < n; i++)
			KUNIT_EXPECT_EQ_MSG(test, memcmp(local.base + i * 1000, kv[i].iov_base,
							 1000), 0, "piece %u", i);
		smbdr_kern_mr_deregister(mr);
	}
	st_mem_free(&mem);
	st_mem_free(&local);
	st_pair_close(&p);
}

/* ----- what a caller can do wrong ----- */

static void rdma_misuse_of(struct kunit *test, struct socket *sock, int want)
{
	struct smbdr_kern_desc desc = { .length = cpu_to_le32(4096) };
	struct st_mem mem;

	if (st_mem_alloc(&mem, ST_MEM_VMALLOC, 0, 100)) {
		KUNIT_FAIL(test, "memory");
	} else {
		KUNIT_EXPECT_PTR_EQ(test, st_register(sock, &mem, SMBDR_KERN_REMOTE_READ),
				    ERR_PTR(want));
		KUNIT_EXPECT_EQ(test, st_rdma(sock, &mem, SMBDR_KERN_RDMA_READ, &desc, 1, 0), want);
		KUNIT_EXPECT_EQ(test, st_rdma(sock, &mem, SMBDR_KERN_RDMA_WRITE, &desc, 1, 0),
				want);
	}
	st_mem_free(&mem);
}

/* Sockets that are none of ours, not connected yet, listening, or at their end. */
static void rdma_wrong_socket(struct kunit *test)
{
	struct socket *sock;
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP,
					       &sock), 0);
	rdma_misuse_of(test, sock, -EINVAL);
	sock_release(sock);
	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	rdma_misuse_of(test, sock, -ENOTCONN);
	st_release(&sock);

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	rdma_misuse_of(test, p.ls, -ENOTCONN);
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(p.c, SHUT_RDWR), 0);
	rdma_misuse_of(test, p.c, -EPIPE);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLHUP | EPOLLRDHUP, 5000), 0);
	rdma_misuse_of(test, p.s, -EPIPE);
	st_pair_close(&p);
}

/* Iterators and descriptors that do not do. */
static void rdma_wrong_arguments(struct kunit *test)
{
	struct smbdr_kern_desc descs[3] = {
		{ cpu_to_le64(4096), 0, cpu_to_le32(50) },
		{ cpu_to_le64(4096), 0, 0 },
		{ cpu_to_le64(U64_MAX - 10), 0, cpu_to_le32(50) },
	};
	struct iov_iter iter;
	struct st_mem mem;
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&mem, ST_MEM_VMALLOC, 0, 100), 0);

	st_mem_iter(&mem, &iter, ITER_DEST, 0, 100);
	KUNIT_EXPECT_PTR_EQ(test, smbdr_kern_mr_register(p.c, &iter, SMBDR_KERN_REMOTE_READ),
			    ERR_PTR(-EINVAL));
	st_mem_iter(&mem, &iter, ITER_SOURCE, 0, 100);
	KUNIT_EXPECT_PTR_EQ(test, smbdr_kern_mr_register(p.c, &iter, SMBDR_KERN_REMOTE_WRITE),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, smbdr_kern_rdma_read(p.s, &iter, descs, 1, 0), -EINVAL);
	st_mem_iter(&mem, &iter, ITER_DEST, 0, 100);
	KUNIT_EXPECT_EQ(test, smbdr_kern_rdma_write(p.s, &iter, descs, 1, 0), -EINVAL);
	st_mem_iter(&mem, &iter, ITER_SOURCE, 0, 0);
	KUNIT_EXPECT_PTR_EQ(test, smbdr_kern_mr_register(p.c, &iter, SMBDR_KERN_REMOTE_READ),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, smbdr_kern_rdma_write(p.s, &iter, descs, 1, 0), -EINVAL);
	iov_iter_ubuf(&iter, ITER_SOURCE, (void __user *)4096, 100);
	KUNIT_EXPECT_PTR_EQ(test, smbdr_kern_mr_register(p.c, &iter, SMBDR_KERN_REMOTE_READ),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, smbdr_kern_rdma_write(p.s, &iter, descs, 1, 0), -EINVAL);

	/* None, too little, no length, beyond the end of all addresses. */
	KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_READ, descs, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_READ, descs, 1, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_WRITE, descs, 2, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_WRITE, descs + 2, 1, 0), -EINVAL);
	KUNIT_EXPECT_TRUE(test, st_mem_untouched(&mem));
	/* And nothing has come of it. */
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 1000), 0);
	st_mem_free(&mem);
	st_pair_close(&p);
}

/* ----- many at once ----- */

#define RDMA_ASYNC	64
#define RDMA_ASYNC_LEN	20000

struct rdma_async {
	struct st_mem mem;
	atomic_t calls;
	int err;
	struct completion *all;
	atomic_t *left;
};

static void rdma_async_done(void *arg, int err)
{
	struct rdma_async *a = arg;

	a->err = err;
	atomic_inc(&a->calls);
	if (atomic_dec_and_test(a->left))
		complete(a->all);
}

static int rdma_async_start(struct socket *sock, struct rdma_async *a, u32 i,
			    const struct smbdr_kern_desc *descs, u32 nr, enum smbdr_kern_dir dir)
{
	struct iov_iter iter;
	struct smbdr_kern_rdma rdma = {
		.dir = dir,
		.iter = &iter,
		.descs = descs,
		.nr_descs = nr,
		.offset = (u64)i * RDMA_ASYNC_LEN,
		.done = rdma_async_done,
		.arg = a,
	};

	st_mem_iter(&a->mem, &iter, dir == SMBDR_KERN_RDMA_READ ? ITER_DEST : ITER_SOURCE, 0,
		    RDMA_ASYNC_LEN);
	return smbdr_kern_rdma_submit(sock, &rdma);
}

/* 64 transfers begun at once, each to its part of one buffer; each is done once. */
static void rdma_async_way(struct kunit *test, enum smbdr_kern_dir dir)
{
	bool read = dir == SMBDR_KERN_RDMA_READ;
	struct rdma_async *a = kcalloc(RDMA_ASYNC, sizeof(*a), GFP_KERNEL);
	DECLARE_COMPLETION_ONSTACK(all);
	atomic_t left = ATOMIC_INIT(RDMA_ASYNC);
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct st_mem owner;
	struct st_pair p;
	u32 i, nr;

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&owner, ST_MEM_VMALLOC, 33,
					   RDMA_ASYNC * RDMA_ASYNC_LEN), 0);
	st_mem_fill(&owner, 1);
	mr = st_register(p.c, &owner, read ? SMBDR_KERN_REMOTE_READ : SMBDR_KERN_REMOTE_WRITE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
	descs = smbdr_kern_mr_descs(mr, &nr);
	KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
	for (i = 0; i < RDMA_ASYNC; i++) {
		a[i].all = &all;
		a[i].left = &left;
		KUNIT_EXPECT_EQ(test, st_mem_alloc(&a[i].mem, i % ST_MEM_KINDS, i * 64 % PAGE_SIZE,
						   RDMA_ASYNC_LEN), 0);
		st_mem_fill(&a[i].mem, 100 + i);
		KUNIT_EXPECT_EQ_MSG(test, rdma_async_start(p.s, &a[i], i, descs, nr, dir), 0,
				    "%u", i);
	}
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&all, 10 * HZ), 0);
	KUNIT_EXPECT_EQ(test, st_tell(p.s, p.c), 0);
	smbdr_kern_mr_deregister(mr);
	for (i = 0; i < RDMA_ASYNC; i++) {
		u8 *at = owner.base + owner.off + i * RDMA_ASYNC_LEN;

		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&a[i].calls), 1, "%u", i);
		KUNIT_EXPECT_EQ_MSG(test, a[i].err, 0, "%u", i);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(at, a[i].mem.base + a[i].mem.off, RDMA_ASYNC_LEN),
				    0, "%u", i);
		KUNIT_EXPECT_TRUE_MSG(test, read || st_mem_same(&a[i].mem, 100 + i), "%u", i);
		KUNIT_EXPECT_TRUE_MSG(test, st_mem_intact(&a[i].mem), "%u", i);
	}
	KUNIT_EXPECT_TRUE(test, !read || st_mem_same(&owner, 1));
	st_pair_close(&p);
	for (i = 0; i < RDMA_ASYNC; i++)
		st_mem_free(&a[i].mem);
	st_mem_free(&owner);
	kfree(a);
}

static void rdma_async_write(struct kunit *test)
{
	rdma_async_way(test, SMBDR_KERN_RDMA_WRITE);
}

static void rdma_async_read(struct kunit *test)
{
	rdma_async_way(test, SMBDR_KERN_RDMA_READ);
}

/* ----- control messages and the snapshot ----- */

static int rdma_send_ctl(struct socket *sock, int type, size_t len, int copies, size_t data)
{
	u8 ctl[3 * CMSG_SPACE(sizeof(u64))] __aligned(8) = {};
	u8 frame[ST_HDR + 1] = { 0, 0, 0, 1, 7 };
	struct kvec v = { frame, data };
	struct msghdr msg = {
		.msg_flags = MSG_NOSIGNAL,
		.msg_control = ctl,
		.msg_controllen = copies * CMSG_SPACE(len),
	};
	struct cmsghdr *cmsg;

	cmsg = (struct cmsghdr *)ctl;
	while (copies-- > 0) {
		cmsg->cmsg_level = SOL_SMBDIRECT;
		cmsg->cmsg_type = type;
		cmsg->cmsg_len = CMSG_LEN(len);
		cmsg = (struct cmsghdr *)((u8 *)cmsg + CMSG_SPACE(len));
	}
	return kernel_sendmsg(sock, &msg, &v, 1, data);
}

/* A bad control message is refused before anything is taken. */
static void rdma_control(struct kunit *test)
{
	u8 buf[ST_HDR + 1];
	struct st_pair p;
	int i;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, 99, 4, 1, 5), -EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 3, 1, 5),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 8, 1, 5),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 4, 2, 5),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 4, 1, 0),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 500), 0);
	}
	/* The second token for one frame: the first call gave its header. */
	KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 4, 1, 4), 4);
	KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 4, 1, 1), -EINVAL);
	/* Nobody has key 0: finishing the frame ends the other side. */
	buf[0] = 7;
	KUNIT_EXPECT_EQ(test, st_send(p.c, buf, 1, 0), 1);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLHUP | EPOLLRDHUP | EPOLLERR, 5000), 0);
	st_pair_close(&p);
}

static void rdma_info(struct kunit *test)
{
	struct smbdirect_info a, b = {};
	struct socket *sock;
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP,
					       &sock), 0);
	KUNIT_EXPECT_EQ(test, smbdr_kern_info(sock, &a), -EINVAL);
	sock_release(sock);
	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	memset(&a, 0xff, sizeof(a));
	KUNIT_EXPECT_EQ(test, smbdr_kern_info(sock, &a), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&a, &b, sizeof(a)), 0);
	st_release(&sock);

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &rdma_opts, NULL), 0);
	/* Credits move on their own for a moment. */
	msleep(200);
	local_bh_disable();	/* it does not sleep */
	KUNIT_EXPECT_EQ(test, smbdr_kern_info(p.c, &a), 0);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, st_info(p.c, &b), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&a, &b, sizeof(a)), 0);
	KUNIT_EXPECT_EQ(test, a.max_read_write_size, RDMA_LIMIT);
	st_release(&p.s);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLHUP | EPOLLRDHUP, 5000), 0);
	KUNIT_EXPECT_EQ(test, smbdr_kern_info(p.c, &a), 0);
	KUNIT_EXPECT_EQ(test, a.max_read_write_size, RDMA_LIMIT);
	st_pair_close(&p);
}

static struct kunit_case rdma_cases[] = {
	KUNIT_CASE_PARAM(rdma_matrix, rdma_kind_gen_params),
	KUNIT_CASE_PARAM(rdma_shapes, rdma_kind_gen_params),
	KUNIT_CASE_PARAM(rdma_limit, rdma_kind_gen_params),
	KUNIT_CASE(rdma_default_limit),
	KUNIT_CASE_PARAM(rdma_descs_read, rdma_count_gen_params),
	KUNIT_CASE_PARAM(rdma_descs_write, rdma_count_gen_params),
	KUNIT_CASE(rdma_holes),
	KUNIT_CASE(rdma_wrong_socket),
	KUNIT_CASE(rdma_wrong_arguments),
	KUNIT_CASE(rdma_async_write),
	KUNIT_CASE(rdma_async_read),
	KUNIT_CASE(rdma_control),
	KUNIT_CASE(rdma_info),
	{}
};

static struct kunit_suite rdma_suite = {
	.name = "smbdr_rdma",
	.init = st_suite_init,
	.test_cases = rdma_cases,
};

kunit_test_suite(rdma_suite);
MODULE_IMPORT_NS("NET_SMBDIRECT");
