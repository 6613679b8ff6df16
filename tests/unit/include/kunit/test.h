/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of KUnit as the suites in tests/kunit use, so that they run as an
 * ordinary program with the compiler's sanitizers. unit.c runs them.
 */
#ifndef UNIT_KUNIT_TEST_H
#define UNIT_KUNIT_TEST_H

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/types.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GFP_KERNEL	0

struct kunit {
	bool failed;
	jmp_buf abort;
	void *mem[16];		/* freed when the test ends */
	unsigned int nr_mem;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(fn)	{ .run_case = fn, .name = #fn }
#define kunit_test_suites(...) \
	struct kunit_suite *unit_suites[] = { __VA_ARGS__, NULL }

extern struct kunit_suite *unit_suites[];

void *unit_alloc(struct kunit *test, size_t size);

#define kunit_kzalloc(test, size, gfp)	unit_alloc(test, size)

#define unit_fail(test, fatal, what, ...) do {						\
	(test)->failed = true;								\
	printf("    # %s:%d: %s: ", __FILE__, __LINE__, what);				\
	printf("" __VA_ARGS__);								\
	printf("\n");									\
	if (fatal)									\
		longjmp((test)->abort, 1);						\
} while (0)

#define unit_compare(test, fatal, a, op, b, ...) do {					\
	long long a_ = (long long)(a), b_ = (long long)(b);				\
	if (!(a_ op b_)) {								\
		printf("    # left %lld, right %lld\n", a_, b_);			\
		unit_fail(test, fatal, #a " " #op " " #b, __VA_ARGS__);			\
	}										\
} while (0)

#define unit_memory(test, a, b, size, ...) do {						\
	const u8 *ma_ = (const void *)(a), *mb_ = (const void *)(b);			\
	size_t i_;									\
	for (i_ = 0; i_ < (size_t)(size); i_++) {					\
		if (ma_[i_] != mb_[i_]) {						\
			printf("    # byte %zu: %02x, %02x\n", i_, ma_[i_], mb_[i_]);	\
			unit_fail(test, false, #a " == " #b, __VA_ARGS__);		\
			break;								\
		}									\
	}										\
} while (0)

#define KUNIT_EXPECT_EQ(t, a, b)		unit_compare(t, false, a, ==, b, " ")
#define KUNIT_EXPECT_EQ_MSG(t, a, b, ...)	unit_compare(t, false, a, ==, b, __VA_ARGS__)
#define KUNIT_EXPECT_NE(t, a, b)		unit_compare(t, false, a, !=, b, " ")
#define KUNIT_EXPECT_LE(t, a, b)		unit_compare(t, false, a, <=, b, " ")
#define KUNIT_EXPECT_LE_MSG(t, a, b, ...)	unit_compare(t, false, a, <=, b, __VA_ARGS__)
#define KUNIT_EXPECT_TRUE(t, a)			unit_compare(t, false, !!(a), ==, true, " ")
#define KUNIT_EXPECT_TRUE_MSG(t, a, ...)	unit_compare(t, false, !!(a), ==, true, __VA_ARGS__)
#define KUNIT_EXPECT_FALSE(t, a)		unit_compare(t, false, !!(a), ==, false, " ")
#define KUNIT_EXPECT_FALSE_MSG(t, a, ...)	unit_compare(t, false, !!(a), ==, false, __VA_ARGS__)
#define KUNIT_ASSERT_EQ(t, a, b)		unit_compare(t, true, a, ==, b, " ")
#define KUNIT_ASSERT_EQ_MSG(t, a, b, ...)	unit_compare(t, true, a, ==, b, __VA_ARGS__)
#define KUNIT_ASSERT_TRUE(t, a)			unit_compare(t, true, !!(a), ==, true, " ")
#define KUNIT_ASSERT_NOT_NULL(t, a)		unit_compare(t, true, !!(a), ==, true, " ")
#define KUNIT_EXPECT_MEMEQ(t, a, b, n)		unit_memory(t, a, b, n, " ")
#define KUNIT_EXPECT_MEMEQ_MSG(t, a, b, n, ...)	unit_memory(t, a, b, n, __VA_ARGS__)

#endif /* UNIT_KUNIT_TEST_H */
