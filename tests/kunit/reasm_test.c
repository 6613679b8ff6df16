// SPDX-License-Identifier: GPL-2.0-or-later
/* Reassembly: what continues a message, and what ends the connection. */
#include <kunit/test.h>
#include "../../smbdirect/reasm.c"

#define REASM_MAX	131072

/* The same numbers each time: a failure can be looked at again. */
static u32 reasm_random(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void reasm_single(struct kunit *test)
{
	struct smbdr_reasm r;

	smbdr_reasm_init(&r, REASM_MAX);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 0, 0), SMBDR_REASM_EMPTY);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 500, 0), SMBDR_REASM_DONE);
	KUNIT_EXPECT_EQ(test, r.received, 500);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 0, 0), SMBDR_REASM_EMPTY);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, REASM_MAX, 0), SMBDR_REASM_DONE);
	KUNIT_EXPECT_EQ(test, r.received, REASM_MAX);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 1, 0), SMBDR_REASM_DONE);
	KUNIT_EXPECT_EQ(test, r.received, 1);
}

/* [MS-SMBD] 4.3: 64 KiB in fragments of 1000 bytes. */
static void reasm_example(struct kunit *test)
{
	struct smbdr_reasm r;
	u32 k;

	smbdr_reasm_init(&r, REASM_MAX);
	for (k = 1; k <= 65; k++) {
		KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 1000, 65536 - 1000 * k),
				SMBDR_REASM_MORE);
		KUNIT_EXPECT_EQ(test, r.received, 1000 * k);
	}
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 536, 0), SMBDR_REASM_DONE);
	KUNIT_EXPECT_EQ(test, r.received, 65536);
}

static void reasm_tiny(struct kunit *test)
{
	struct smbdr_reasm r;
	u32 left;

	smbdr_reasm_init(&r, REASM_MAX);
	for (left = 65535; left; left--)
		KUNIT_ASSERT_EQ(test, smbdr_reasm_input(&r, 1, left), SMBDR_REASM_MORE);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 1, 0), SMBDR_REASM_DONE);
	KUNIT_EXPECT_EQ(test, r.received, 65536);
}

/* A message may begin, and go on, with fragments that bring nothing. */
static void reasm_zero_length(struct kunit *test)
{
	struct smbdr_reasm r;

	smbdr_reasm_init(&r, REASM_MAX);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 0, 65536), SMBDR_REASM_MORE);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 0, 65536), SMBDR_REASM_MORE);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 64536, 1000), SMBDR_REASM_MORE);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 0, 1000), SMBDR_REASM_MORE);
	KUNIT_EXPECT_EQ(test, r.received, 64536);
	KUNIT_EXPECT_EQ(test, r.remaining, 1000);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 1000, 0), SMBDR_REASM_DONE);
	KUNIT_EXPECT_EQ(test, r.received, 65536);
}

static const struct reasm_bad_case {
	const char *name;
	u32 first, first_rest;	/* 0, 0: nothing before */
	u32 length, rest;
} reasm_bad[] = {
	{ "above the limit by one", 0, 0, 0, REASM_MAX + 1 },
	{ "above the limit by one, with payload", 0, 0, 1, REASM_MAX },
	{ "one message above the limit", 0, 0, REASM_MAX + 1, 0 },
	{ "rest 0xffffffff", 0, 0, 0, 0xffffffff },
	{ "rest 0xffffffff, with payload", 0, 0, 1, 0xffffffff },
	{ "the sum wraps", 0, 0, 500, 0xffffff00 },
	{ "the sum wraps to zero", 0, 0, 1, 0xffffffff },
	{ "length 0xffffffff", 0, 0, 0xffffffff, 0 },
	{ "grant between fragments", 1000, 64536, 0, 0 },
	{ "early end", 1000, 64536, 1000, 0 },
	{ "early end by one", 1000, 1000, 999, 0 },
	{ "too long by one", 1000, 1000, 1001, 0 },
	{ "more than was left", 1000, 1000, 1001, 1 },
	{ "rest grows", 1000, 1000, 0, 1001 },
	{ "rest one too small", 1000, 1000, 100, 899 },
	{ "rest one too large", 1000, 1000, 100, 901 },
	{ "rest does not fall", 1000, 1000, 100, 1000 },
	{ "wraps to what is left", 1000, 1000, 1001, 0xffffffff },
	{ "a new message instead", 1000, 1000, 2000, 500 },
	{ "last byte missing", REASM_MAX - 1, 1, 0, 0 },
};

static void reasm_refused(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(reasm_bad); i++) {
		const struct reasm_bad_case *c = &reasm_bad[i];
		struct smbdr_reasm r;

		smbdr_reasm_init(&r, REASM_MAX);
		if (c->first)
			KUNIT_EXPECT_EQ_MSG(test, smbdr_reasm_input(&r, c->first, c->first_rest),
					    SMBDR_REASM_MORE, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, smbdr_reasm_input(&r, c->length, c->rest), -EBADMSG,
				    "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, r.received, c->first, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, r.remaining, c->first_rest, "%s", c->name);
	}
}

/* A wrong total, told consistently, is found when it is exceeded: one byte at a time. */
static void reasm_total_too_small(struct kunit *test)
{
	struct smbdr_reasm r;

	smbdr_reasm_init(&r, REASM_MAX);
	/* MaxFragmentedSize + 1 bytes, each rest told one too small */
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 1000, REASM_MAX - 1000), SMBDR_REASM_MORE);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, REASM_MAX - 2000, 1000), SMBDR_REASM_MORE);
	KUNIT_EXPECT_EQ(test, smbdr_reasm_input(&r, 1001, 0), -EBADMSG);
}

static void reasm_random_fragments(struct kunit *test)
{
	struct smbdr_reasm r;
	u32 seed = 4711, n;

	smbdr_reasm_init(&r, REASM_MAX);
	for (n = 0; n < 2000; n++) {
		u32 total = reasm_random(&seed) % (n % 10 ? 5000 : REASM_MAX) + 1;
		u32 most = reasm_random(&seed) % total + 1;
		u32 left = total, part;

		while (left) {
			struct smbdr_reasm bad = r;
			bool begun = r.remaining;

			part = reasm_random(&seed) % (most + 1);
			if (part > left)
				part = left;
			/* Whatever else is said in the middle of a message is wrong. */
			if (begun) {
				u32 wrong = reasm_random(&seed) % (2 * total);

				if (wrong != left - part)
					KUNIT_ASSERT_EQ(test, smbdr_reasm_input(&bad, part, wrong),
							-EBADMSG);
			}
			left -= part;
			KUNIT_ASSERT_EQ(test, smbdr_reasm_input(&r, part, left),
					left ? SMBDR_REASM_MORE : SMBDR_REASM_DONE);
			KUNIT_ASSERT_EQ(test, r.received, total - left);
			KUNIT_ASSERT_EQ(test, r.remaining, left);
		}
		if (reasm_random(&seed) % 2)
			KUNIT_ASSERT_EQ(test, smbdr_reasm_input(&r, 0, 0), SMBDR_REASM_EMPTY);
	}
}

/* All pairs of two steps in a small world, against the rule in words. */
static void reasm_exhaustive(struct kunit *test)
{
	u32 len1, rest1, len2, rest2;

	for (len1 = 0; len1 <= 9; len1++)
		for (rest1 = 0; rest1 <= 9; rest1++)
			for (len2 = 0; len2 <= 9; len2++)
				for (rest2 = 0; rest2 <= 9; rest2++) {
					bool ok1 = len1 + rest1 <= 8, ok2 = len2 + rest2 <= 8;
					struct smbdr_reasm r;
					int ret;

					smbdr_reasm_init(&r, 8);
					ret = smbdr_reasm_input(&r, len1, rest1);
					KUNIT_EXPECT_EQ(test, ret < 0, !ok1);
					if (!ok1)
						continue;
					if (rest1)
						ok2 = len2 + rest2 == rest1;
					ret = smbdr_reasm_input(&r, len2, rest2);
					KUNIT_EXPECT_EQ(test, ret < 0, !ok2);
				}
}

static struct kunit_case smbdr_reasm_cases[] = {
	KUNIT_CASE(reasm_single),
	KUNIT_CASE(reasm_example),
	KUNIT_CASE(reasm_tiny),
	KUNIT_CASE(reasm_zero_length),
	KUNIT_CASE(reasm_refused),
	KUNIT_CASE(reasm_total_too_small),
	KUNIT_CASE(reasm_random_fragments),
	KUNIT_CASE(reasm_exhaustive),
	{}
};

static struct kunit_suite smbdr_reasm_suite = {
	.name = "smbdr_reasm",
	.test_cases = smbdr_reasm_cases,
};
