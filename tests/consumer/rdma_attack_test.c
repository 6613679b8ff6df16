// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA with somebody who means no good.
 *
 * What has been deregistered or invalidated must be out of the peer's reach, and
 * what a peer forges must cost it its own connection and nothing else. A second
 * connection that nobody attacks runs beside each of the attacks and has to live.
 */
#include <linux/delay.h>
#include <linux/slab.h>
#include "rdma_stress.h"

static void stress_dir_desc(const enum smbdr_kern_dir *dir, char *desc)
{
	strscpy(desc, *dir == SMBDR_KERN_RDMA_READ ? "read" : "write", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(stress_dir, stress_dirs, stress_dir_desc);

/* ----- dead keys ----- */

/* What we deregistered: each region of a buffer, the first and the last as well. */
static void stress_dead_local(struct kunit *test)
{
	static const char * const what[] = { "first", "second", "third" };
	const enum smbdr_kern_dir *dir = test->param_value;
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	u32 i, nr;

	for (i = 0; i < 2 * STRESS_PIECES; i++) {
		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		st_mem_free(&s.mem);
		KUNIT_ASSERT_EQ(test, st_mem_alloc(&s.mem, ST_MEM_VMALLOC, 100,
						   STRESS_PIECES * 2 * PAGE_SIZE), 0);
		mr = stress_register_pieces(s.p.c, &s.mem, *dir == SMBDR_KERN_RDMA_READ ?
					    SMBDR_KERN_REMOTE_READ : SMBDR_KERN_REMOTE_WRITE,
					    PAGE_SIZE, STRESS_PIECES);
		KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
		desc = smbdr_kern_mr_descs(mr, &nr)[i % STRESS_PIECES];
		KUNIT_EXPECT_EQ(test, nr, STRESS_PIECES);
		KUNIT_EXPECT_EQ(test, st_tell(s.p.c, s.p.s), 0);
		smbdr_kern_mr_deregister(mr);
		stress_refused(test, &s, *dir, &desc, what[i % STRESS_PIECES]);
		stress_close(&s);
	}
}

/* The peer sends a frame that invalidates a key, and the owner takes it. */
static void stress_invalidate(struct kunit *test, struct stress *s, u32 seed, u32 len, __le32 token)
{
	u8 *buf = kvmalloc(len + ST_HDR, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_EXPECT_EQ(test, st_send_inv(s->p.s, seed, len, token), 0);
	KUNIT_EXPECT_EQ(test, st_recv_frame(s->p.c, seed, len, 0, buf), 0);
	kvfree(buf);
}

/* What the peer itself has invalidated, with a frame in one message and in many. */
static void stress_dead_remote(struct kunit *test)
{
	const enum smbdr_kern_dir *dir = test->param_value;
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	int i;

	for (i = 0; i < 6; i++) {
		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		mr = stress_register(test, &s, *dir, &desc);
		if (mr) {
			stress_invalidate(test, &s, 3, i & 1 ? SZ_64K + SZ_32K : 10, desc.token);
			if (i & 2)
				smbdr_kern_mr_deregister(mr);
			/* The device alone keeps it safe, even before we deregister. */
			stress_refused(test, &s, *dir, &desc, "invalidated");
			if (!(i & 2))
				smbdr_kern_mr_deregister(mr);
		}
		stress_close(&s);
	}
}

#define STRESS_COUNTED	10

/*
 * STRESS_COUNTED regions that the peer invalidates, half of them with a frame of many
 * messages, and one that we do. The group script looks at the counters: none
 * of the former may be invalidated again, and none may be missed.
 */
static void stress_counts(struct kunit *test)
{
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	int i;

	KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
	for (i = 0; i <= STRESS_COUNTED; i++) {
		mr = stress_register(test, &s, SMBDR_KERN_RDMA_READ, &desc);
		if (!mr)
			break;
		/* It is known to be registered when something sent later has completed. */
		KUNIT_EXPECT_EQ(test, st_wait_sent(s.p.c), 0);
		if (i < STRESS_COUNTED)
			stress_invalidate(test, &s, i, i & 1 ? 100 * SZ_1K : 10, desc.token);
		smbdr_kern_mr_deregister(mr);
	}
	KUNIT_EXPECT_EQ(test, st_ping(s.p.c, s.p.s, 1000), 0);
	stress_close(&s);
}

/*
 * A key that its owner knows nothing of, and one that is another connection's: the
 * receiver ends the connection, and the other connection's memory stays in use.
 */
static void stress_foreign_key(struct kunit *test)
{
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct stress s;
	u32 i, nr;
	int err;

	for (i = 0; i < 2; i++) {
		__le32 token = cpu_to_le32(0x12345678);

		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		st_mem_fill(&s.mem, 4);
		mr = st_register(s.q.c, &s.mem, SMBDR_KERN_REMOTE_READ);
		KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
		descs = smbdr_kern_mr_descs(mr, &nr);
		if (i)
			token = descs[0].token;
		KUNIT_EXPECT_EQ(test, st_send_inv(s.p.s, 3, 10, token), 0);
		KUNIT_EXPECT_TRUE(test, stress_ended(s.p.c));
		KUNIT_EXPECT_TRUE(test, stress_ended(s.p.s));
		KUNIT_EXPECT_EQ(test, st_getopt(s.p.c, SOL_SOCKET, SO_ERROR, &err), 0);
		KUNIT_EXPECT_EQ_MSG(test, err, ECONNABORTED, "key %u", i);
		KUNIT_EXPECT_EQ(test, st_tell(s.q.c, s.q.s), 0);
		/* rxe does not ask whose the key is: there it is invalid now. */
		if (!i || !stress_on_rxe(s.q.c)) {
			KUNIT_EXPECT_EQ(test, st_rdma(s.q.s, &s.local, SMBDR_KERN_RDMA_READ,
						      descs, nr, 0), 0);
			KUNIT_EXPECT_EQ(test, memcmp(s.local.base, s.mem.base + s.mem.off, 4096),
					0);
		}
		smbdr_kern_mr_deregister(mr);
		stress_close(&s);
	}
}

/*
 * A key that is guessed and invalidated too early, while its owner is about to
 * register it: must not be taken for the end of the registration.
 */
static void stress_early_inv(struct kunit *test)
{
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	u32 nr;
	int i;

	for (i = 0; i < 10; i++) {
		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		mr = st_register(s.p.c, &s.mem, SMBDR_KERN_REMOTE_READ);
		KUNIT_ASSERT_FALSE(test, IS_ERR(mr));
		descs = smbdr_kern_mr_descs(mr, &nr);
		desc = descs[0];
		/* No message before it: this may overtake the registration. */
		KUNIT_EXPECT_EQ(test, st_send_inv(s.p.s, 3, 10, desc.token), 0);
		if (i & 1)
			usleep_range(100, 1000);
		smbdr_kern_mr_deregister(mr);
		stress_refused(test, &s, SMBDR_KERN_RDMA_READ, &desc, "invalidated early");
		stress_close(&s);
	}
}

/* ----- forged descriptors ----- */

/* The peer's descriptors say what is not so; its own device or ours finds out. */
static void stress_forged(struct kunit *test)
{
	static const struct {
		const char *what;
		s64 offset;	/* added to the true one */
		u32 length;
		u32 token;	/* xored */
	} forged[] = {
		{ "wrong key", 0, 4096, 1 },
		{ "wrong index", 0, 4096, 0x10000 },
		{ "before the start", -1, 4096, 0 },
		{ "beyond the end", 8192 - 4095, 4096, 0 },
		{ "4 GiB from beyond the end", 8192, U32_MAX, 0 },
		{ "far away", 1LL << 40, 4096, 0 },
	};
	const enum smbdr_kern_dir *dir = test->param_value;
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(forged); i++) {
		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		mr = stress_register(test, &s, *dir, &desc);
		if (mr) {
			desc.offset = cpu_to_le64(le64_to_cpu(desc.offset) + forged[i].offset);
			desc.length = cpu_to_le32(forged[i].length);
			desc.token = cpu_to_le32(le32_to_cpu(desc.token) ^ forged[i].token);
			stress_refused(test, &s, *dir, &desc, forged[i].what);
			smbdr_kern_mr_deregister(mr);
		}
		stress_close(&s);
	}
}

/* Writing what may only be read, and the other way round. */
static void stress_wrong_way(struct kunit *test)
{
	struct smbdr_kern_desc desc;
	struct smbdr_kern_mr *mr;
	struct stress s;
	int i;

	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
		mr = stress_register(test, &s, stress_dirs[i], &desc);
		if (mr && i && !stress_on_rxe(s.p.c)) {
			/*
			 * siw does not check it, as smbdirect-kernel.rst says. If this fails siw
			 * has learnt to: change both.
			 */
			KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &s.local, stress_dirs[!i], &desc, 1,
						      0), 0);
		} else if (mr) {
			stress_refused(test, &s, stress_dirs[!i], &desc,
				       i ? "read of write only" : "write to read only");
		}
		if (mr)
			smbdr_kern_mr_deregister(mr);
		stress_close(&s);
	}
}

/* Odd, but right: a length that is too large but not used, ranges that overlap. */
static void stress_odd(struct kunit *test)
{
	struct smbdr_kern_desc desc, descs[3];
	struct smbdr_kern_mr *mr;
	struct stress s;

	KUNIT_ASSERT_EQ(test, stress_open(&s), 0);
	st_mem_fill(&s.mem, 1);
	mr = stress_register(test, &s, SMBDR_KERN_RDMA_READ, &desc);
	if (mr) {
		descs[0] = desc;
		descs[0].length = cpu_to_le32(U32_MAX);
		KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &s.local, SMBDR_KERN_RDMA_READ, descs, 1, 0),
				0);
		KUNIT_EXPECT_EQ(test, memcmp(s.local.base, s.mem.base + 100, 4096), 0);
		descs[0].length = cpu_to_le32(1000);
		descs[1] = descs[0];
		descs[2] = desc;
		KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &s.local, SMBDR_KERN_RDMA_READ, descs, 3, 0),
				0);
		KUNIT_EXPECT_EQ(test, memcmp(s.local.base + 1000, s.mem.base + 100, 1000), 0);
		KUNIT_EXPECT_EQ(test, memcmp(s.local.base + 2000, s.mem.base + 100, 2096), 0);
		smbdr_kern_mr_deregister(mr);
	}
	mr = stress_register(test, &s, SMBDR_KERN_RDMA_WRITE, &desc);
	if (mr) {
		st_mem_fill(&s.local, 2);
		descs[0] = desc;
		descs[0].length = cpu_to_le32(1000);
		descs[1] = descs[0];
		descs[2] = desc;
		KUNIT_EXPECT_EQ(test, st_rdma(s.p.s, &s.local, SMBDR_KERN_RDMA_WRITE, descs, 3, 0),
				0);
		KUNIT_EXPECT_EQ(test, st_tell(s.p.s, s.p.c), 0);
		smbdr_kern_mr_deregister(mr);
		/* The last one was written last. */
		KUNIT_EXPECT_EQ(test, memcmp(s.mem.base + 100, s.local.base + 2000, 2096), 0);
		KUNIT_EXPECT_TRUE(test, st_mem_intact(&s.mem));
	}
	stress_close(&s);
}

static struct kunit_case rdma_attack_cases[] = {
	KUNIT_CASE_PARAM(stress_dead_local, stress_dir_gen_params),
	KUNIT_CASE_PARAM(stress_dead_remote, stress_dir_gen_params),
	KUNIT_CASE(stress_counts),
	KUNIT_CASE(stress_foreign_key),
	KUNIT_CASE(stress_early_inv),
	KUNIT_CASE_PARAM(stress_forged, stress_dir_gen_params),
	KUNIT_CASE(stress_wrong_way),
	KUNIT_CASE(stress_odd),
	{}
};

static struct kunit_suite rdma_attack_suite = {
	.name = "smbdr_rdma_attack",
	.init = st_suite_init,
	.test_cases = rdma_attack_cases,
};

kunit_test_suite(rdma_attack_suite);
