#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# KUnit suites of the module itself. `make -C tests/unit check' runs the same suites with sanitizers;
# here they prove that the code is right as the kernel compiles it. Which suites there are, and how
# many cases each has, is taken from their sources.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

# cases_ran SUITE NUMBER
cases_ran() {
	local ran
	ran=$(grep -cE '^ {4}(not )?ok ' "/sys/kernel/debug/kunit/$1/results")
	[ "$ran" = "$2" ] || { echo "$ran of $2 cases ran"; return 1; }
}

printf '*' >/sys/module/kunit/parameters/filter_glob
check 'net_smbdirect_kunit loads' load_module net_smbdirect_kunit
for file in /run/top/tests/kunit/*_test.c; do
	suite=$(sed -n 's/^\t\.name = "\(smbdr_.*\)",$/\1/p' "$file")
	kunit_results "$suite"
	check "all cases of $suite ran" cases_ran "$suite" "$(grep -c 'KUNIT_CASE' "$file")"
done
check 'net_smbdirect_kunit unloads' unload_module net_smbdirect_kunit
ktap_plan
