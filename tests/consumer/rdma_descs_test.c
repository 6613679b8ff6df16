// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA with memory that one descriptor does not describe: arrays of descriptors, cut
 * anywhere and from several registrations, and memory in many places at both ends.
 *
 * Both ends of a connection live here, as in rdma_test.c, and whatever a transfer
 * was not told to touch is looked at after it as well.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "rdma_lib.h"

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
	struct st_mem owner[ST_MRS];
	struct smbdr_kern_mr *mr[ST_MRS];
	u32 start[ST_MRS + 1];	/* of each in the whole buffer */
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

static const u32 rdma_registrations[] = { 2, 16, ST_MRS };

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
#define RDMA_HOLES	(ST_MRS + 1)

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
	const u32 len = ST_MRS * RDMA_HOLE_LEN;
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
	for (i = 0; i < ST_MRS; i++)
		memcpy(expect + ((u8 *)to[i].iov_base - target->base), from[i].iov_base,
		       RDMA_HOLE_LEN);
	iov_iter_kvec(&iter, read ? ITER_SOURCE : ITER_DEST, h->kv, ST_MRS, len);
	mr = smbdr_kern_mr_register(h->p.c, &iter, read ? SMBDR_KERN_REMOTE_READ :
				    SMBDR_KERN_REMOTE_WRITE);
	KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(mr), "%pe", mr);
	if (!IS_ERR(mr)) {
		descs = smbdr_kern_mr_descs(mr, &nr);
		KUNIT_EXPECT_EQ(test, nr, ST_MRS);
		KUNIT_EXPECT_EQ(test, st_tell(h->p.c, h->p.s), 0);
		iov_iter_kvec(&iter, read ? ITER_DEST : ITER_SOURCE, h->local_kv, ST_MRS, len);
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
	for (i = 0; !ret && i < ST_MRS + 1; i++) {
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

#define RDMA_STABLE_PIECE	(2 * PAGE_SIZE)

/*
 * When a write has come back, the memory is the caller's: what he does with it does not reach the
 * peer. On a network that is slow, which the group sees to, the data is still on its way.
 */
static void rdma_stable(struct kunit *test)
{
	struct smbdr_kern_desc descs[16];
	const u32 len = ARRAY_SIZE(descs) * RDMA_STABLE_PIECE;
	const struct smbdr_kern_desc *whole;
	struct st_mem owner, local;
	struct smbdr_kern_mr *mr;
	struct st_pair p;
	u32 i, nr, round;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	/* Contiguous, so that each piece is a request. */
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&local, ST_MEM_BVEC_BIG, 0, len), 0);
	KUNIT_ASSERT_EQ(test, st_mem_alloc(&owner, ST_MEM_VMALLOC, 0, len), 0);
	for (round = 0; round < 10; round++) {
		mr = st_register(p.c, &owner, SMBDR_KERN_REMOTE_WRITE);
		KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(mr), "%pe", mr);
		if (IS_ERR(mr))
			break;
		whole = smbdr_kern_mr_descs(mr, &nr);
		KUNIT_EXPECT_EQ(test, nr, 1);
		for (i = 0; i < ARRAY_SIZE(descs); i++) {
			descs[i] = *whole;
			le64_add_cpu(&descs[i].offset, i * RDMA_STABLE_PIECE);
			descs[i].length = cpu_to_le32(RDMA_STABLE_PIECE);
		}
		st_mem_fill(&local, round);
		KUNIT_EXPECT_EQ(test, st_tell(p.c, p.s), 0);
		KUNIT_EXPECT_EQ(test, st_rdma(p.s, &local, SMBDR_KERN_RDMA_WRITE, descs,
					      ARRAY_SIZE(descs), 0), 0);
		st_mem_fill(&local, 1000);
		KUNIT_EXPECT_EQ(test, st_tell(p.s, p.c), 0);
		smbdr_kern_mr_deregister(mr);
		KUNIT_EXPECT_TRUE_MSG(test, st_mem_same(&owner, round), "round %u", round);
	}
	st_mem_free(&owner);
	st_mem_free(&local);
	st_pair_close(&p);
}

static struct kunit_case rdma_descs_cases[] = {
	KUNIT_CASE_PARAM(rdma_descs_read, rdma_count_gen_params),
	KUNIT_CASE_PARAM(rdma_descs_write, rdma_count_gen_params),
	KUNIT_CASE_PARAM(rdma_many_read, rdma_registrations_gen_params),
	KUNIT_CASE_PARAM(rdma_many_write, rdma_registrations_gen_params),
	KUNIT_CASE(rdma_scattered),
	KUNIT_CASE(rdma_adjacent),
	{}
};

static struct kunit_suite rdma_descs_suite = {
	.name = "smbdr_rdma_descs",
	.init = st_rdma_init,
	.exit = st_rdma_exit,
	.test_cases = rdma_descs_cases,
};

static struct kunit_case rdma_stable_cases[] = {
	KUNIT_CASE(rdma_stable),
	{}
};

static struct kunit_suite rdma_stable_suite = {
	.name = "smbdr_rdma_stable",
	.init = st_rdma_init,
	.exit = st_rdma_exit,
	.test_cases = rdma_stable_cases,
};

kunit_test_suites(&rdma_descs_suite, &rdma_stable_suite);
