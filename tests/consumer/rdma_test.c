// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA: does the right data get to the right place, and is a caller told what he did
 * wrong?
 *
 * One end of a connection registers memory (the owner), the other one reads or
 * writes it. Both ends live here, so descriptors are handed over in memory, behind a
 * message. Every transfer is checked byte by byte, with what surrounds it. After each
 * case every region that it registered must have been invalidated, as all of
 * them are deregistered while their connection lives, and no callback may have
 * come for a transfer that was refused.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "rdma_lib.h"

#define RDMA_LIMIT	(SZ_1M + SZ_64K)

#define RDMA_LIMIT_MIN	SZ_64K
#define RDMA_LIMIT_MAX	SZ_16M
#define RDMA_MRS	48	/* the most regions of a connection */
#define RDMA_END_MS	10000	/* nothing may take longer */

static const struct st_opts rdma_opts = { .max_rw = RDMA_LIMIT };

/* Before the case that runs. */
static s64 rdma_left;
/* Callbacks that must not be. */
static atomic_t rdma_never = ATOMIC_INIT(0);

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

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&mem, ST_MEM_VMALLOC, 0, 11), 0);
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
		KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &local, SMBDR_KERN_RDMA_WRITE, s.descs,
					      s.nr + 2, from), 0);
		KUNIT_EXPECT_EQ(test, st_tell(s.p.s, s.p.c), 0);
		KUNIT_EXPECT_EQ(test, memcmp(expect, s.owner.base + s.owner.off, RDMA_SPLIT_LEN),
				0);
		KUNIT_EXPECT_TRUE(test, st_mem_intact(&s.owner));
	}
	vfree(expect);
	st_mem_free(&local);
	rdma_split_close(&s);
}

/* An array from several registrations, each of memory of its own shape, and cut again. */
struct rdma_many {
	struct st_pair p;
	struct st_mem owner[RDMA_MRS];
	struct smbdr_kern_mr *mr[RDMA_MRS];
	u32 start[RDMA_MRS + 1];	/* of each in the whole buffer */
	u32 nr_mr;
	struct smbdr_kern_desc *descs;
	u32 nr;
};

#define RDMA_CUTS	7

static u32 rdma_many_len(u32 i)
{
	return 1 + i * 2711 % 9000;
}

static void rdma_many_cut(struct rdma_many *m, const struct smbdr_kern_desc *desc)
{
	u32 left = le32_to_cpu(desc->length);
	u64 at = le64_to_cpu(desc->offset);
	u32 step = max(left / RDMA_CUTS, 1U);

	while (left) {
		u32 part = left < 2 * step ? left : step;

		m->descs[m->nr].offset = cpu_to_le64(at);
		m->descs[m->nr].token = desc->token;
		m->descs[m->nr].length = cpu_to_le32(part);
		m->nr++;
		at += part;
		left -= part;
	}
}

static int rdma_many_open(struct rdma_many *m, u32 want, enum smbdr_kern_access access)
{
	u32 i;
	int ret;

	memset(m, 0, sizeof(*m));
	m->descs = kcalloc(want * RDMA_CUTS, sizeof(*m->descs), GFP_KERNEL);
	if (!m->descs)
		return -ENOMEM;
	ret = st_pair_open(&m->p, NULL, NULL);
	for (i = 0; !ret && i < want; i++) {
		const struct smbdr_kern_desc *descs;
		u32 nr;

		ret = st_mem_alloc(&m->owner[i], i % ST_MEM_KINDS, i * 1237 % PAGE_SIZE,
				   rdma_many_len(i));
		m->nr_mr++;
		if (ret)
			break;
		st_mem_fill(&m->owner[i], i);
		m->mr[i] = st_register(m->p.c, &m->owner[i], access);
		if (IS_ERR(m->mr[i])) {
			ret = PTR_ERR(m->mr[i]);
			m->mr[i] = NULL;
			break;
		}
		m->start[i + 1] = m->start[i] + rdma_many_len(i);
		descs = smbdr_kern_mr_descs(m->mr[i], &nr);
		if (nr == 1)
			rdma_many_cut(m, descs);
		else
			ret = -EDOM;	/* so few pages fit into one region */
	}
	return ret ?: st_tell(m->p.c, m->p.s);
}

static void rdma_many_close(struct rdma_many *m)
{
	u32 i;

	for (i = 0; i < m->nr_mr; i++) {
		if (m->mr[i])
			smbdr_kern_mr_deregister(m->mr[i]);
		m->mr[i] = NULL;
	}
	st_pair_close(&m->p);
	for (i = 0; i < m->nr_mr; i++)
		st_mem_free(&m->owner[i]);
	kfree(m->descs);
}

/* Copy the registered memory to one place. */
static void rdma_many_copy(struct rdma_many *m, u8 *to)
{
	u32 i;

	for (i = 0; i < m->nr_mr; i++)
		memcpy(to + m->start[i], m->owner[i].base + m->owner[i].off, m->owner[i].len);
}

static bool rdma_many_intact(struct rdma_many *m)
{
	u32 i;

	for (i = 0; i < m->nr_mr; i++)
		if (!st_mem_intact(&m->owner[i]))
			return false;
	return true;
}

static const u32 rdma_registrations[] = { 2, 16, RDMA_MRS };

static void rdma_registrations_desc(const u32 *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u registrations", *n);
}

KUNIT_ARRAY_PARAM(rdma_registrations, rdma_registrations, rdma_registrations_desc);

/* Transfer [from, from + len) and compare; NULL or what is wrong. */
static const char *rdma_many_part(struct rdma_many *m, enum smbdr_kern_dir dir, u32 from, u32 len,
				  u8 *expect)
{
	const char *bad = "memory";
	struct st_mem local;
	u32 total = m->start[m->nr_mr];
	u8 *have = vmalloc(total);

	if (st_mem_alloc(&local, ST_MEM_FOLIOQ, 4093, len) || !have)
		goto out;
	rdma_many_copy(m, expect);
	if (dir == SMBDR_KERN_RDMA_WRITE) {
		st_mem_fill(&local, from + 1000);
		memcpy(expect + from, local.base + local.off, len);
	}
	bad = "transfer";
	if (st_rdma(m->p.s, &local, dir, m->descs, m->nr, from) || st_tell(m->p.s, m->p.c))
		goto out;
	bad = "content";
	rdma_many_copy(m, have);
	if (memcmp(have, expect, total) || memcmp(local.base + local.off, expect + from, len))
		goto out;
	bad = "surroundings";
	if (st_mem_intact(&local) && rdma_many_intact(m))
		bad = NULL;
out:
	vfree(have);
	st_mem_free(&local);
	return bad;
}

static void rdma_many_way(struct kunit *test, enum smbdr_kern_dir dir)
{
	const u32 *want = test->param_value;
	struct rdma_many *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	const char *bad;
	u32 total, i;
	u8 *expect;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, m);
	ret = rdma_many_open(m, *want, dir == SMBDR_KERN_RDMA_READ ? SMBDR_KERN_REMOTE_READ :
			     SMBDR_KERN_REMOTE_WRITE);
	KUNIT_EXPECT_EQ(test, ret, 0);
	total = m->start[m->nr_mr];
	expect = vmalloc(total ?: 1);
	if (!ret && expect) {
		bad = rdma_many_part(m, dir, 0, total, expect);
		KUNIT_EXPECT_NULL_MSG(test, bad, "all: %s", bad);
		bad = rdma_many_part(m, dir, 1, total - 2, expect);
		KUNIT_EXPECT_NULL_MSG(test, bad, "all but the ends: %s", bad);
		/* From the last byte of each registration to the first of the next. */
		for (i = 1; i < *want; i++) {
			bad = rdma_many_part(m, dir, m->start[i] - 1, 2, expect);
			KUNIT_EXPECT_NULL_MSG(test, bad, "border %u: %s", i, bad);
		}
	} else {
		KUNIT_EXPECT_NOT_NULL(test, expect);
	}
	vfree(expect);
	rdma_many_close(m);
}

static void rdma_many_read(struct kunit *test)
{
	rdma_many_way(test, SMBDR_KERN_RDMA_READ);
}

static void rdma_many_write(struct kunit *test)
{
	rdma_many_way(test, SMBDR_KERN_RDMA_WRITE);
}

/* ----- memory in many places ----- */

#define RDMA_HOLE_LEN	1000
#define RDMA_HOLES	(RDMA_MRS + 1)

/**
 * struct rdma_holes - pieces with holes between them, at both ends
 * @p: the connection
 * @owner: the registered memory, a piece in each page
 * @local: likewise, of the end that transfers
 * @kv: the pieces of @owner
 * @local_kv: those of @local, at other places in the page
 */
struct rdma_holes {
	struct st_pair p;
	struct st_mem owner;
	struct st_mem local;
	struct kvec kv[RDMA_HOLES];
	struct kvec local_kv[RDMA_HOLES];
};

static int rdma_holes_open(struct rdma_holes *h)
{
	u32 i;
	int ret;

	ret = st_mem_alloc(&h->owner, ST_MEM_VMALLOC, 0, RDMA_HOLES * PAGE_SIZE);
	if (!ret)
		ret = st_mem_alloc(&h->local, ST_MEM_VMALLOC, 0, RDMA_HOLES * PAGE_SIZE);
	if (!ret)
		ret = st_pair_open(&h->p, NULL, NULL);
	for (i = 0; !ret && i < RDMA_HOLES; i++) {
		h->kv[i].iov_base = h->owner.base + i * PAGE_SIZE + 100;
		h->kv[i].iov_len = RDMA_HOLE_LEN;
		/* Some of these cross into the next page. */
		h->local_kv[i].iov_base = h->local.base + i * PAGE_SIZE + i * 80;
		h->local_kv[i].iov_len = RDMA_HOLE_LEN;
	}
	return ret;
}

static void rdma_holes_close(struct rdma_holes *h)
{
	st_pair_close(&h->p);
	st_mem_free(&h->owner);
	st_mem_free(&h->local);
}

/* As many regions as there are take part; what was not asked for stays as it was. */
static void rdma_holes_way(struct kunit *test, struct rdma_holes *h, enum smbdr_kern_dir dir)
{
	bool read = dir == SMBDR_KERN_RDMA_READ;
	struct kvec *from = read ? h->kv : h->local_kv, *to = read ? h->local_kv : h->kv;
	struct st_mem *target = read ? &h->local : &h->owner;
	const u32 len = RDMA_MRS * RDMA_HOLE_LEN;
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct iov_iter iter;
	u8 *expect;
	u32 nr, i;

	expect = vmalloc(target->len);
	KUNIT_EXPECT_NOT_NULL(test, expect);
	if (!expect)
		return;
	st_mem_fill(&h->owner, 3);
	st_mem_fill(&h->local, 4);
	memcpy(expect, target->base, target->len);
	for (i = 0; i < RDMA_MRS; i++)
		memcpy(expect + ((u8 *)to[i].iov_base - target->base), from[i].iov_base,
		       RDMA_HOLE_LEN);
	iov_iter_kvec(&iter, read ? ITER_SOURCE : ITER_DEST, h->kv, RDMA_MRS, len);
	mr = smbdr_kern_mr_register(h->p.c, &iter, read ? SMBDR_KERN_REMOTE_READ :
				    SMBDR_KERN_REMOTE_WRITE);
	KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(mr), "%pe", mr);
	if (!IS_ERR(mr)) {
		descs = smbdr_kern_mr_descs(mr, &nr);
		KUNIT_EXPECT_EQ(test, nr, RDMA_MRS);
		KUNIT_EXPECT_EQ(test, st_tell(h->p.c, h->p.s), 0);
		iov_iter_kvec(&iter, read ? ITER_DEST : ITER_SOURCE, h->local_kv, RDMA_MRS, len);
		KUNIT_EXPECT_EQ(test, (read ? smbdr_kern_rdma_read : smbdr_kern_rdma_write)
				(h->p.s, &iter, descs, nr, 0), 0);
		KUNIT_EXPECT_EQ(test, st_tell(h->p.s, h->p.c), 0);
		smbdr_kern_mr_deregister(mr);
		KUNIT_EXPECT_EQ(test, memcmp(target->base, expect, target->len), 0);
		KUNIT_EXPECT_TRUE(test, st_mem_intact(target));
	}
	vfree(expect);
}

/* A region for each hole, as many as there are and no more. */
static void rdma_scattered(struct kunit *test)
{
	struct rdma_holes *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);
	struct smbdr_kern_mr *mr;
	struct iov_iter iter;
	int ret, i;

	KUNIT_ASSERT_NOT_NULL(test, h);
	ret = rdma_holes_open(h);
	KUNIT_EXPECT_EQ(test, ret, 0);
	/* What is refused keeps no region: refusing more often than there are does no harm. */
	for (i = 0; !ret && i < RDMA_MRS + 1; i++) {
		iov_iter_kvec(&iter, ITER_SOURCE, h->kv, RDMA_HOLES, RDMA_HOLES * RDMA_HOLE_LEN);
		mr = smbdr_kern_mr_register(h->p.c, &iter, SMBDR_KERN_REMOTE_READ);
		KUNIT_EXPECT_PTR_EQ(test, mr, ERR_PTR(-EMSGSIZE));
		if (!IS_ERR(mr))
			smbdr_kern_mr_deregister(mr);
	}
	if (!ret) {
		rdma_holes_way(test, h, SMBDR_KERN_RDMA_READ);
		rdma_holes_way(test, h, SMBDR_KERN_RDMA_WRITE);
	}
	rdma_holes_close(h);
}

#define RDMA_PIECES	300
#define RDMA_PIECE_LEN	700

/* Small pieces without holes between them are one place, however many they are. */
static void rdma_adjacent(struct kunit *test)
{
	const u32 len = RDMA_PIECES * RDMA_PIECE_LEN;
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct st_mem owner, local;
	struct iov_iter iter;
	struct st_pair p;
	struct kvec *kv;
	u32 i, nr;

	kv = kunit_kcalloc(test, RDMA_PIECES, sizeof(*kv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, kv);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&owner, ST_MEM_VMALLOC, 50, len), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&local, ST_MEM_BVEC, 9, len), 0);
	for (i = 0; i < RDMA_PIECES; i++) {
		kv[i].iov_base = owner.base + owner.off + i * RDMA_PIECE_LEN;
		kv[i].iov_len = RDMA_PIECE_LEN;
	}
	st_mem_fill(&owner, 3);
	iov_iter_kvec(&iter, ITER_SOURCE, kv, RDMA_PIECES, len);
	mr = smbdr_kern_mr_register(p.c, &iter, SMBDR_KERN_REMOTE_READ);
	KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(mr), "%pe", mr);
	if (!IS_ERR(mr)) {
		descs = smbdr_kern_mr_descs(mr, &nr);
		KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
		KUNIT_EXPECT_EQ(test, st_rdma(p.s, &local, SMBDR_KERN_RDMA_READ, descs, nr, 0), 0);
		KUNIT_EXPECT_TRUE(test, st_mem_same(&local, 3));
		KUNIT_EXPECT_TRUE(test, st_mem_intact(&local));
		smbdr_kern_mr_deregister(mr);
	}
	/* The other way round: from the pieces into memory that is in one. */
	st_mem_fill(&owner, 8);
	mr = st_register(p.s, &local, SMBDR_KERN_REMOTE_WRITE);
	KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(mr), "%pe", mr);
	if (!IS_ERR(mr)) {
		descs = smbdr_kern_mr_descs(mr, &nr);
		KUNIT_EXPECT_EQ(test, st_tell(p.s, p.c), 0);
		iov_iter_kvec(&iter, ITER_SOURCE, kv, RDMA_PIECES, len);
		KUNIT_EXPECT_EQ(test, smbdr_kern_rdma_write(p.c, &iter, descs, nr, 0), 0);
		KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
		smbdr_kern_mr_deregister(mr);
		KUNIT_EXPECT_TRUE(test, st_mem_same(&local, 8));
		KUNIT_EXPECT_TRUE(test, st_mem_intact(&local));
	}
	st_mem_free(&owner);
	st_mem_free(&local);
	st_pair_close(&p);
}

/* ----- what a caller can do wrong ----- */

static void rdma_never_done(void *arg, int err)
{
	atomic_inc(&rdma_never);
}

/* Submit what has to be refused, in which case nobody is called. */
static int rdma_refused(struct socket *sock, struct iov_iter *iter, enum smbdr_kern_dir dir,
			const struct smbdr_kern_desc *descs, u32 nr, u64 offset)
{
	const struct smbdr_kern_rdma rdma = {
		.dir = dir,
		.iter = iter,
		.descs = descs,
		.nr_descs = nr,
		.offset = offset,
		.done = rdma_never_done,
	};

	return smbdr_kern_rdma_submit(sock, &rdma);
}

static void rdma_misuse_of(struct kunit *test, struct socket *sock, int want)
{
	struct smbdr_kern_desc desc = { .length = cpu_to_le32(4096) };
	struct iov_iter iter;
	struct st_mem mem;

	if (st_mem_alloc(&mem, ST_MEM_VMALLOC, 0, 100)) {
		KUNIT_FAIL(test, "memory");
	} else {
		KUNIT_EXPECT_PTR_EQ(test, st_register(sock, &mem, SMBDR_KERN_REMOTE_READ),
				    ERR_PTR(want));
		KUNIT_EXPECT_PTR_EQ(test, st_register(sock, &mem, SMBDR_KERN_REMOTE_WRITE),
				    ERR_PTR(want));
		KUNIT_EXPECT_EQ(test, st_rdma(sock, &mem, SMBDR_KERN_RDMA_READ, &desc, 1, 0), want);
		KUNIT_EXPECT_EQ(test, st_rdma(sock, &mem, SMBDR_KERN_RDMA_WRITE, &desc, 1, 0),
				want);
		st_mem_iter(&mem, &iter, ITER_DEST, 0, 100);
		KUNIT_EXPECT_EQ(test, rdma_refused(sock, &iter, SMBDR_KERN_RDMA_READ, &desc, 1, 0),
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

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	st_release(&p.s);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLHUP | EPOLLRDHUP, 5000), 0);
	rdma_misuse_of(test, p.c, -EPIPE);
	st_pair_close(&p);
}

/* An iterator that does not do is refused by whatever takes one of that direction. */
static void rdma_iter_refused(struct kunit *test, struct st_pair *p, const struct iov_iter *bad,
			      const char *what)
{
	bool dest = iov_iter_rw(bad) == ITER_DEST;
	const struct smbdr_kern_desc desc = { cpu_to_le64(4096), 0, cpu_to_le32(4096) };
	enum smbdr_kern_dir dir = dest ? SMBDR_KERN_RDMA_READ : SMBDR_KERN_RDMA_WRITE;
	struct iov_iter iter = *bad;
	struct smbdr_kern_mr *mr;

	mr = smbdr_kern_mr_register(p->c, &iter, dest ? SMBDR_KERN_REMOTE_WRITE :
				    SMBDR_KERN_REMOTE_READ);
	KUNIT_EXPECT_PTR_EQ_MSG(test, mr, ERR_PTR(-EINVAL), "%s", what);
	if (!IS_ERR(mr))
		smbdr_kern_mr_deregister(mr);
	iter = *bad;
	KUNIT_EXPECT_EQ_MSG(test, rdma_refused(p->s, &iter, dir, &desc, 1, 0), -EINVAL, "%s",
			    what);
}

/* Iterators over user memory, over nothing, and of the wrong direction. */
static void rdma_wrong_iterator(struct kunit *test)
{
	static const unsigned int dirs[] = { ITER_SOURCE, ITER_DEST };
	const struct smbdr_kern_desc desc = { cpu_to_le64(4096), 0, cpu_to_le32(4096) };
	struct iov_iter iter;
	struct st_mem mem;
	struct st_pair p;
	u32 i;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&mem, ST_MEM_VMALLOC, 0, 100), 0);
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		iov_iter_ubuf(&iter, dirs[i], (void __user *)4096, 100);
		rdma_iter_refused(test, &p, &iter, "user memory");
		st_mem_iter(&mem, &iter, dirs[i], 0, 0);
		rdma_iter_refused(test, &p, &iter, "empty");
	}
	iov_iter_discard(&iter, ITER_DEST, 100);
	rdma_iter_refused(test, &p, &iter, "discard");

	st_mem_iter(&mem, &iter, ITER_DEST, 0, 100);
	KUNIT_EXPECT_PTR_EQ(test, smbdr_kern_mr_register(p.c, &iter, SMBDR_KERN_REMOTE_READ),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, rdma_refused(p.s, &iter, SMBDR_KERN_RDMA_WRITE, &desc, 1, 0),
			-EINVAL);
	st_mem_iter(&mem, &iter, ITER_SOURCE, 0, 100);
	KUNIT_EXPECT_PTR_EQ(test, smbdr_kern_mr_register(p.c, &iter, SMBDR_KERN_REMOTE_WRITE),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, rdma_refused(p.s, &iter, SMBDR_KERN_RDMA_READ, &desc, 1, 0), -EINVAL);

	KUNIT_EXPECT_TRUE(test, st_mem_untouched(&mem));
	/* And nothing has come of it. */
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 1000), 0);
	st_mem_free(&mem);
	st_pair_close(&p);
}

struct rdma_bad_descs {
	const char *what;
	u32 nr;
	u64 offset;
	struct smbdr_kern_desc descs[2];
};

#define RDMA_DESC(off, len)	{ cpu_to_le64(off), 0, cpu_to_le32(len) }

/* None of them does for a hundred bytes. */
static const struct rdma_bad_descs rdma_bad_descs[] = {
	{ "none", 0, 0, { RDMA_DESC(4096, 4096) } },
	{ "too little", 1, 0, { RDMA_DESC(4096, 99) } },
	{ "too little together", 2, 0, { RDMA_DESC(4096, 50), RDMA_DESC(8192, 49) } },
	{ "too little after the offset", 2, 1, { RDMA_DESC(4096, 50), RDMA_DESC(8192, 50) } },
	{ "offset at the end", 1, 4096, { RDMA_DESC(4096, 4096) } },
	{ "offset beyond the end", 1, 4097, { RDMA_DESC(4096, 4096) } },
	{ "offset that wraps", 1, U64_MAX, { RDMA_DESC(4096, 4096) } },
	{ "first without length", 2, 0, { RDMA_DESC(4096, 0), RDMA_DESC(4096, 100) } },
	{ "second without length", 2, 0, { RDMA_DESC(4096, 50), RDMA_DESC(4096, 0) } },
	{ "first beyond all addresses", 1, 0, { RDMA_DESC(U64_MAX - 10, 100) } },
	{ "second beyond all addresses", 2, 0, { RDMA_DESC(0, 50), RDMA_DESC(U64_MAX - 10, 50) } },
};

static void rdma_bad_descs_desc(const struct rdma_bad_descs *d, char *desc)
{
	strscpy(desc, d->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(rdma_bad_descs, rdma_bad_descs, rdma_bad_descs_desc);

/* Descriptors that do not do are refused at once, and cost nothing. */
static void rdma_wrong_descs(struct kunit *test)
{
	const struct rdma_bad_descs *d = test->param_value;
	struct iov_iter iter;
	struct st_mem mem;
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&mem, ST_MEM_VMALLOC, 0, 100), 0);
	KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_READ, d->descs, d->nr, d->offset),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_WRITE, d->descs, d->nr,
				      d->offset), -EINVAL);
	st_mem_iter(&mem, &iter, ITER_DEST, 0, 100);
	KUNIT_EXPECT_EQ(test, rdma_refused(p.s, &iter, SMBDR_KERN_RDMA_READ, d->descs, d->nr,
					   d->offset), -EINVAL);
	KUNIT_EXPECT_TRUE(test, st_mem_untouched(&mem));
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

/* Wait for all callbacks. If some are missing the connection's end has to bring them. */
static bool rdma_async_wait(struct kunit *test, struct st_pair *p)
{
	unsigned long ms = msecs_to_jiffies(RDMA_END_MS);

	if (wait_for_completion_timeout(&rdma_async_all, ms))
		return true;
	KUNIT_FAIL(test, "%d callbacks are missing", atomic_read(&rdma_async_left));
	kernel_sock_shutdown(p->s, SHUT_RDWR);
	if (wait_for_completion_timeout(&rdma_async_all, ms))
		return true;
	/* Their memory stays, and so does this code. */
	__module_get(THIS_MODULE);
	return false;
}

/* 64 transfers begun at once, each to its part of one buffer; each is done once. */
static void rdma_async_way(struct kunit *test, enum smbdr_kern_dir dir)
{
	bool read = dir == SMBDR_KERN_RDMA_READ;
	struct rdma_async *a = kcalloc(RDMA_ASYNC, sizeof(*a), GFP_KERNEL);
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct st_mem owner;
	struct st_pair p;
	u32 i, nr;

	KUNIT_ASSERT_NOT_NULL(test, a);
	init_completion(&rdma_async_all);
	atomic_set(&rdma_async_left, RDMA_ASYNC);
	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&owner, ST_MEM_VMALLOC, 33,
					   RDMA_ASYNC * RDMA_ASYNC_LEN), 0);
	st_mem_fill(&owner, 1);
	mr = st_register(p.c, &owner, read ? SMBDR_KERN_REMOTE_READ : SMBDR_KERN_REMOTE_WRITE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
	descs = smbdr_kern_mr_descs(mr, &nr);
	KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
	for (i = 0; i < RDMA_ASYNC; i++) {
		int ret = st_mem_alloc(&a[i].mem, i % ST_MEM_KINDS, i * 64 % PAGE_SIZE,
				       RDMA_ASYNC_LEN);

		if (!ret) {
			st_mem_fill(&a[i].mem, 100 + i);
			ret = rdma_async_start(p.s, &a[i], i, descs, nr, dir);
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
	for (i = 0; i < RDMA_ASYNC; i++) {
		u8 *at = owner.base + owner.off + i * RDMA_ASYNC_LEN;

		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&a[i].calls), 1, "%u", i);
		KUNIT_EXPECT_EQ_MSG(test, a[i].err, 0, "%u", i);
		if (atomic_read(&a[i].calls) != 1 || a[i].err) {
			st_mem_free(&a[i].mem);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, memcmp(at, a[i].mem.base + a[i].mem.off, RDMA_ASYNC_LEN),
				    0, "%u", i);
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

/* A control message that says it is @len bytes long, which it is not. */
static int rdma_send_cut(struct socket *sock, size_t len)
{
	u8 ctl[CMSG_SPACE(sizeof(u32))] __aligned(8) = {};
	struct cmsghdr *cmsg = (struct cmsghdr *)ctl;
	u8 frame[ST_HDR + 1] = { 0, 0, 0, 1, 7 };
	struct kvec v = { frame, sizeof(frame) };
	struct msghdr msg = {
		.msg_flags = MSG_NOSIGNAL,
		.msg_control = ctl,
		.msg_controllen = sizeof(ctl),
	};

	cmsg->cmsg_level = SOL_SMBDIRECT;
	cmsg->cmsg_type = SMBDIRECT_CMSG_INVALIDATE;
	cmsg->cmsg_len = len;
	return kernel_sendmsg(sock, &msg, &v, 1, sizeof(frame));
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
		KUNIT_EXPECT_EQ(test, rdma_send_cut(p.c, sizeof(struct cmsghdr) - 1), -EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_cut(p.c, SZ_1K), -EINVAL);
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
	KUNIT_CASE_PARAM(rdma_negotiated, rdma_bounds_gen_params),
	KUNIT_CASE(rdma_counts_exact),
	KUNIT_CASE_PARAM(rdma_descs_read, rdma_count_gen_params),
	KUNIT_CASE_PARAM(rdma_descs_write, rdma_count_gen_params),
	KUNIT_CASE_PARAM(rdma_many_read, rdma_registrations_gen_params),
	KUNIT_CASE_PARAM(rdma_many_write, rdma_registrations_gen_params),
	KUNIT_CASE(rdma_scattered),
	KUNIT_CASE(rdma_adjacent),
	KUNIT_CASE(rdma_wrong_socket),
	KUNIT_CASE(rdma_wrong_iterator),
	KUNIT_CASE_PARAM(rdma_wrong_descs, rdma_bad_descs_gen_params),
	KUNIT_CASE(rdma_async_write),
	KUNIT_CASE(rdma_async_read),
	KUNIT_CASE(rdma_control),
	KUNIT_CASE(rdma_info),
	{}
};

static int rdma_init(struct kunit *test)
{
	rdma_left = st_regions_left();
	atomic_set(&rdma_never, 0);
	return st_suite_init(test);
}

/* After each case: nothing stays registered, nobody was called who must not be. */
static void rdma_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, st_regions_left(), rdma_left);
	KUNIT_EXPECT_EQ(test, atomic_read(&rdma_never), 0);
}

static struct kunit_suite rdma_suite = {
	.name = "smbdr_rdma",
	.init = rdma_init,
	.exit = rdma_exit,
	.test_cases = rdma_cases,
};

kunit_test_suite(rdma_suite);
MODULE_IMPORT_NS("NET_SMBDIRECT");
