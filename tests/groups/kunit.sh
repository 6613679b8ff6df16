#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# KUnit suites of the module itself.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

printf '*' >/sys/module/kunit/parameters/filter_glob
check 'net_smbdirect_kunit loads' load_module net_smbdirect_kunit
for suite in /sys/kernel/debug/kunit/*; do
	[ ! -e "$suite/results" ] || kunit_results "${suite##*/}"
done
check 'net_smbdirect_kunit unloads' unload_module net_smbdirect_kunit
ktap_plan
