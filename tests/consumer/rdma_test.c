// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA: does the right data get to the right place?
 *
 * One end of a connection registers memory (the owner), the other one reads or
 * writes it. Both ends live here, so descriptors are handed over in memory, behind a
 * message. Every transfer is checked byte by byte, with what surrounds it. What the
 * negotiated limit, the counters and the snapshot say about transfers is here too.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/slab.h>
#include "rdma_lib.h"

#define RDMA_LIMIT	(SZ_1M + SZ_64K)
#define RDMA_LIMIT_MIN	SZ_64K
#define RDMA_LIMIT_MAX	SZ_16M

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
	ST_MEM_BVEC_BIG, ST_MEM_FOLIOQ_BIG,
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
	u64 registered = st_counter("MrRegistered");
	struct st_mem mem;
	struct st_pair p;

	KUNIT_ASSERT_NE(test, registered, U64_MAX);
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
		KUNIT_EXPECT_EQ(test, st_counter("MrRegistered"), registered);
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

struct rdma_bounds {
	int server;
	int client;
};

static const struct rdma_bounds rdma_bounds[] = {
	{ RDMA_LIMIT_MIN, RDMA_LIMIT_MAX },
	{ RDMA_LIMIT_MAX, RDMA_LIMIT_MIN },
	{ RDMA_LIMIT_MAX, RDMA_LIMIT_MAX },
};

static void rdma_bounds_desc(const struct rdma_bounds *b, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d and %d bytes", b->server, b->client);
}

KUNIT_ARRAY_PARAM(rdma_bounds, rdma_bounds, rdma_bounds_desc);

/*
 * The end that connected goes by the smaller limit, the other one by its own: a Negotiate
 * Request has no such field, [MS-SMBD] 2.2.1.
 */
static void rdma_negotiated(struct kunit *test)
{
	const struct rdma_bounds *b = test->param_value;
	const struct st_opts server = { .max_rw = b->server }, client = { .max_rw = b->client };
	struct smbdr_kern_desc desc = { .length = cpu_to_le32(U32_MAX) };
	u32 limit = min(b->server, b->client), i;
	struct smbdirect_info info;
	struct st_mem mem;
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &server, &client), 0);
	rdma_check(test, &p, &(struct rdma_case){ ST_MEM_VMALLOC, ST_MEM_VMALLOC, 1, limit,
		   SMBDR_KERN_RDMA_READ });
	rdma_check(test, &p, &(struct rdma_case){ ST_MEM_VMALLOC, ST_MEM_VMALLOC, 4095, limit,
		   SMBDR_KERN_RDMA_WRITE });
	for (i = 0; i < 2; i++) {
		struct socket *sock = i ? p.s : p.c;
		u32 own = i ? b->server : limit;

		KUNIT_EXPECT_EQ(test, smbdr_kern_info(sock, &info), 0);
		KUNIT_EXPECT_EQ(test, info.max_read_write_size, own);
		if (st_mem_alloc(&mem, ST_MEM_VMALLOC, 0, own + 1)) {
			KUNIT_FAIL(test, "memory");
			st_mem_free(&mem);
			break;
		}
		KUNIT_EXPECT_PTR_EQ(test, st_register(sock, &mem, SMBDR_KERN_REMOTE_WRITE),
				    ERR_PTR(-EMSGSIZE));
		KUNIT_EXPECT_EQ(test, st_rdma(sock, &mem, SMBDR_KERN_RDMA_READ, &desc, 1, 0),
				-EMSGSIZE);
		KUNIT_EXPECT_EQ(test, st_rdma(sock, &mem, SMBDR_KERN_RDMA_WRITE, &desc, 1, 0),
				-EMSGSIZE);
		st_mem_free(&mem);
	}
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 100), 0);
	st_pair_close(&p);
}

/* What one end starts the other one serves: each has the smaller depth. */
static void rdma_depths(struct kunit *test)
{
	const struct st_opts server = { .initiator_depth = 3, .responder_resources = 5 };
	const struct st_opts client = { .initiator_depth = 9, .responder_resources = 1 };
	struct smbdirect_info info;
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, &server, &client), 0);
	KUNIT_EXPECT_EQ(test, smbdr_kern_info(p.c, &info), 0);
	KUNIT_EXPECT_EQ(test, info.initiator_depth, 5);
	KUNIT_EXPECT_EQ(test, info.responder_resources, 1);
	KUNIT_EXPECT_EQ(test, smbdr_kern_info(p.s, &info), 0);
	KUNIT_EXPECT_EQ(test, info.initiator_depth, 1);
	KUNIT_EXPECT_EQ(test, info.responder_resources, 5);
	/* Read by the end that may have one read under way. */
	rdma_check(test, &p, &(struct rdma_case){ ST_MEM_VMALLOC, ST_MEM_BVEC, 1, SZ_1M,
		   SMBDR_KERN_RDMA_READ });
	st_pair_close(&p);
}

/* Transfers are counted when they are done, with their bytes; what is refused is not. */
static void rdma_counts_exact(struct kunit *test)
{
	static const char * const names[] = {
		"RdmaReads", "RdmaReadBytes", "RdmaWrites", "RdmaWriteBytes", "MrRegistered",
		"MrInvLocal", "MrInvRemote", "ProtoErrors",
	};
	static const u64 want[] = { 2, 5001, 3, 3 * 70000, 5, 5, 0, 0 };
	struct smbdr_kern_desc desc = { .length = cpu_to_le32(10) };
	u64 before[ARRAY_SIZE(names)];
	struct st_mem mem;
	struct st_pair p;
	u32 i;

	KUNIT_ASSERT_EQ(test, st_pair_and_mem(&p, &mem, 11), 0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		before[i] = st_counter(names[i]);
		KUNIT_EXPECT_NE_MSG(test, before[i], U64_MAX, "no %s", names[i]);
	}
	rdma_check(test, &p, &(struct rdma_case){ ST_MEM_VMALLOC, ST_MEM_VMALLOC, 1, 5000,
		   SMBDR_KERN_RDMA_READ });
	rdma_check(test, &p, &(struct rdma_case){ ST_MEM_BVEC, ST_MEM_XARRAY, 0, 1,
		   SMBDR_KERN_RDMA_READ });
	for (i = 0; i < 3; i++)
		rdma_check(test, &p, &(struct rdma_case){ ST_MEM_FOLIOQ, ST_MEM_BVEC, 7, 70000,
			   SMBDR_KERN_RDMA_WRITE });
	KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_READ, &desc, 1, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_WRITE, &desc, 1, 0), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		KUNIT_EXPECT_EQ_MSG(test, st_counter(names[i]) - before[i], want[i], "%s",
				    names[i]);
	st_mem_free(&mem);
	st_pair_close(&p);
}

#define RDMA_PAGES	(SZ_1M / PAGE_SIZE)

/* Pages in reverse order, of which no two are one piece for a device. */
static struct page *rdma_reverse(struct bio_vec *bv)
{
	struct page *pages = alloc_pages(GFP_KERNEL, get_order(SZ_1M));
	u32 i;

	for (i = 0; pages && i < RDMA_PAGES; i++) {
		bvec_set_page(&bv[i], pages + RDMA_PAGES - 1 - i, PAGE_SIZE, 0);
		memset(page_address(bv[i].bv_page), i + 1, PAGE_SIZE);
	}
	return pages;
}

/* A MiB in 256 pieces is not 256 pieces of work, nor as many as fill requests of six or eight. */
static void rdma_requests_few(struct kunit *test)
{
	struct bio_vec *bv = kunit_kcalloc(test, RDMA_PAGES, sizeof(*bv), GFP_KERNEL);
	struct page *pages = bv ? rdma_reverse(bv) : NULL;
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct st_mem owner;
	struct st_pair p;
	u32 nr, i, read;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_EQ(test, st_pair_and_mem(&p, &owner, SZ_1M), 0);
	for (read = 0; read < 2; read++) {
		u64 before = st_counter("RdmaRequests");
		struct iov_iter iter;

		mr = st_register(p.c, &owner, read ? SMBDR_KERN_REMOTE_READ :
				 SMBDR_KERN_REMOTE_WRITE);
		KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
		descs = smbdr_kern_mr_descs(mr, &nr);
		if (read)
			st_mem_fill(&owner, 1);
		KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
		iov_iter_bvec(&iter, read ? ITER_DEST : ITER_SOURCE, bv, RDMA_PAGES, SZ_1M);
		KUNIT_EXPECT_EQ(test, read ? smbdr_kern_rdma_read(p.s, &iter, descs, nr, 0) :
				smbdr_kern_rdma_write(p.s, &iter, descs, nr, 0), 0);
		/* One to register a region, one to move the data. */
		KUNIT_EXPECT_NE(test, before, U64_MAX);
		KUNIT_EXPECT_EQ(test, st_counter("RdmaRequests") - before, 2);
		KUNIT_EXPECT_EQ(test, st_tell(p.s, p.c), 0);
		smbdr_kern_mr_deregister(mr);
		for (i = 0; i < RDMA_PAGES; i++)
			KUNIT_EXPECT_EQ_MSG(test, memcmp(owner.base + i * PAGE_SIZE,
							 page_address(bv[i].bv_page), PAGE_SIZE),
					    0, "page %u, read %u", i, read);
	}
	__free_pages(pages, get_order(SZ_1M));
	st_mem_free(&owner);
	st_pair_close(&p);
}

/* ----- many at once ----- */

#define RDMA_ASYNC		64
#define RDMA_ASYNC_LEN		20000
/* In more pieces than a chain of requests takes; more of them than there are regions. */
#define RDMA_ASYNC_LARGE	13
#define RDMA_ASYNC_LARGE_LEN	600001

struct rdma_async {
	struct st_mem mem;
	atomic_t calls;
	int err;
};

/* Not on a stack: a callback that is missing may still come. */
static struct completion rdma_async_all;
static atomic_t rdma_async_left;

static void rdma_async_done(void *arg, int err)
{
	struct rdma_async *a = arg;

	a->err = err;
	atomic_inc(&a->calls);
	if (atomic_dec_and_test(&rdma_async_left))
		complete(&rdma_async_all);
}

/* Wait for all callbacks. If some are missing the connection's end has to bring them. */
static bool rdma_async_wait(struct kunit *test, struct st_pair *p)
{
	if (wait_for_completion_timeout(&rdma_async_all, msecs_to_jiffies(2 * st_cfg.timeout)))
		return true;
	KUNIT_FAIL(test, "%d callbacks are missing", atomic_read(&rdma_async_left));
	kernel_sock_shutdown(p->s, SHUT_RDWR);
	if (wait_for_completion_timeout(&rdma_async_all, msecs_to_jiffies(ST_SOON)))
		return true;
	st_calls_lost();
	return false;
}

/* Transfers begun at once, each to its part of one buffer; each is done once. */
static void rdma_async_way(struct kunit *test, enum smbdr_kern_dir dir, u32 count, u32 len,
			   u32 kinds)
{
	bool read = dir == SMBDR_KERN_RDMA_READ;
	struct rdma_async *a = kcalloc(count, sizeof(*a), GFP_KERNEL);
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct st_mem owner;
	struct st_pair p;
	u32 i, nr;

	KUNIT_ASSERT_NOT_NULL(test, a);
	init_completion(&rdma_async_all);
	atomic_set(&rdma_async_left, count);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&owner, ST_MEM_VMALLOC, 33, count * len), 0);
	st_mem_fill(&owner, 1);
	mr = st_register(p.c, &owner, read ? SMBDR_KERN_REMOTE_READ : SMBDR_KERN_REMOTE_WRITE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
	descs = smbdr_kern_mr_descs(mr, &nr);
	KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
	for (i = 0; i < count; i++) {
		int ret = st_mem_alloc(&a[i].mem, i % kinds, i * 64 % PAGE_SIZE, len);

		if (!ret) {
			st_mem_fill(&a[i].mem, 100 + i);
			ret = st_submit(p.s, &a[i].mem, dir, descs, nr, (u64)i * len,
					rdma_async_done, &a[i]);
		}
		KUNIT_EXPECT_EQ_MSG(test, ret, 0, "%u", i);
		/* One less to wait for. */
		if (ret && atomic_dec_and_test(&rdma_async_left))
			complete(&rdma_async_all);
	}
	if (!rdma_async_wait(test, &p))
		return;
	KUNIT_EXPECT_EQ(test, st_tell(p.s, p.c), 0);
	smbdr_kern_mr_deregister(mr);
	st_pair_close(&p);
	/* Late enough to see a second call. */
	for (i = 0; i < count; i++) {
		u8 *at = owner.base + owner.off + i * len;

		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&a[i].calls), 1, "%u", i);
		KUNIT_EXPECT_EQ_MSG(test, a[i].err, 0, "%u", i);
		if (atomic_read(&a[i].calls) != 1 || a[i].err) {
			st_mem_free(&a[i].mem);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, memcmp(at, a[i].mem.base + a[i].mem.off, len), 0, "%u",
				    i);
		KUNIT_EXPECT_TRUE_MSG(test, read || st_mem_same(&a[i].mem, 100 + i), "%u", i);
		KUNIT_EXPECT_TRUE_MSG(test, st_mem_intact(&a[i].mem), "%u", i);
		st_mem_free(&a[i].mem);
	}
	KUNIT_EXPECT_TRUE(test, !read || st_mem_same(&owner, 1));
	KUNIT_EXPECT_TRUE(test, st_mem_intact(&owner));
	st_mem_free(&owner);
	kfree(a);
}

static void rdma_async_write(struct kunit *test)
{
	rdma_async_way(test, SMBDR_KERN_RDMA_WRITE, RDMA_ASYNC, RDMA_ASYNC_LEN, ST_MEM_KINDS);
}

static void rdma_async_read(struct kunit *test)
{
	rdma_async_way(test, SMBDR_KERN_RDMA_READ, RDMA_ASYNC, RDMA_ASYNC_LEN, ST_MEM_KINDS);
}

static void rdma_async_write_large(struct kunit *test)
{
	rdma_async_way(test, SMBDR_KERN_RDMA_WRITE, RDMA_ASYNC_LARGE, RDMA_ASYNC_LARGE_LEN, 1);
}

static void rdma_async_read_large(struct kunit *test)
{
	rdma_async_way(test, SMBDR_KERN_RDMA_READ, RDMA_ASYNC_LARGE, RDMA_ASYNC_LARGE_LEN, 1);
}

/* ----- the snapshot ----- */

static void rdma_info(struct kunit *test)
{
	struct smbdirect_info a, b = {};
	struct socket *sock;
	struct st_pair p;
	int i;

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
	for (i = 0; i < 50; i++) {
		msleep(20);
		local_bh_disable();	/* it does not sleep */
		KUNIT_EXPECT_EQ(test, smbdr_kern_info(p.c, &a), 0);
		local_bh_enable();
		KUNIT_EXPECT_EQ(test, st_info(p.c, &b), 0);
		if (!memcmp(&a, &b, sizeof(a)))
			break;
	}
	KUNIT_EXPECT_EQ(test, memcmp(&a, &b, sizeof(a)), 0);
	KUNIT_EXPECT_EQ(test, a.max_read_write_size, RDMA_LIMIT);
	st_release(&p.s);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLHUP | EPOLLRDHUP, st_cfg.timeout), 0);
	KUNIT_EXPECT_EQ(test, smbdr_kern_info(p.c, &a), 0);
	KUNIT_EXPECT_EQ(test, a.max_read_write_size, RDMA_LIMIT);
	st_pair_close(&p);
}

static struct kunit_case rdma_cases[] = {
	KUNIT_CASE_PARAM(rdma_matrix, rdma_kind_gen_params),
	KUNIT_CASE_PARAM(rdma_shapes, rdma_kind_gen_params),
	KUNIT_CASE_PARAM(rdma_limit, rdma_kind_gen_params),
	KUNIT_CASE(rdma_default_limit),
	KUNIT_CASE_PARAM(rdma_negotiated, rdma_bounds_gen_params),
	KUNIT_CASE(rdma_depths),
	KUNIT_CASE(rdma_counts_exact),
	KUNIT_CASE(rdma_requests_few),
	KUNIT_CASE(rdma_async_write),
	KUNIT_CASE(rdma_async_read),
	KUNIT_CASE(rdma_async_write_large),
	KUNIT_CASE(rdma_async_read_large),
	KUNIT_CASE(rdma_info),
	{}
};

static struct kunit_suite rdma_suite = {
	.name = "smbdr_rdma",
	.init = st_rdma_init,
	.exit = st_rdma_exit,
	.test_cases = rdma_cases,
};

kunit_test_suite(rdma_suite);
