// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KUnit suites of the pure layer.
 *
 * The code under test is included rather than linked, so that it is the same
 * source that the module has and nothing is exported for the sake of tests.
 * tests/unit builds this very file in userspace, with sanitizers.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "wire_test.c"
#include "credits_test.c"
#include "reasm_test.c"
#include "params_test.c"
#include "framing_test.c"

kunit_test_suites(&smbdr_wire_suite, &smbdr_credits_suite, &smbdr_reasm_suite,
		  &smbdr_params_suite, &smbdr_framing_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of SMB Direct sockets");
