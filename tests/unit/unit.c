// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the KUnit suites as a program; prints KTAP. See include/kunit/test.h.
 *
 * Exit status: 0, or FAILED if an expectation of a case was not met. Anything
 * else means that the program itself did not get through.
 */
#include <kunit/test.h>

#define FAILED	2	/* exit status */

void *unit_alloc(struct kunit *test, size_t size)
{
	void *mem = calloc(1, size);

	if (!mem) {
		printf("# no memory\n");
		exit(1);
	}
	if (test->nr_mem == sizeof(test->mem) / sizeof(test->mem[0])) {
		/* Old ones first: no test holds on to that many. */
		free(test->mem[0]);
		memmove(test->mem, test->mem + 1, sizeof(test->mem) - sizeof(test->mem[0]));
		test->nr_mem--;
	}
	test->mem[test->nr_mem++] = mem;
	return mem;
}

static bool unit_case(const struct kunit_case *c)
{
	static struct kunit test;

	memset(&test, 0, sizeof(test));
	if (!setjmp(test.abort))
		c->run_case(&test);
	while (test.nr_mem)
		free(test.mem[--test.nr_mem]);
	return !test.failed;
}

int main(void)
{
	struct kunit_suite **suite;
	int passed = 0, failed = 0, nr_suites = 0;

	for (suite = unit_suites; *suite; suite++)
		nr_suites++;
	printf("KTAP version 1\n1..%d\n", nr_suites);
	for (suite = unit_suites; *suite; suite++) {
		const struct kunit_case *c;
		int n = 0, bad = 0;

		printf("    KTAP version 1\n    # Subtest: %s\n", (*suite)->name);
		for (c = (*suite)->test_cases; c->run_case; c++)
			n++;
		printf("    1..%d\n", n);
		for (n = 1, c = (*suite)->test_cases; c->run_case; c++, n++) {
			bool ok = unit_case(c);

			printf("    %s %d %s\n", ok ? "ok" : "not ok", n, c->name);
			bad += !ok;
		}
		printf("%s %d %s\n", bad ? "not ok" : "ok", (int)(suite - unit_suites) + 1,
		       (*suite)->name);
		failed += bad;
		passed += n - 1 - bad;
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed ? FAILED : 0;
}
