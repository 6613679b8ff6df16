#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A case alone (run.sh: ONLY), or those that match: their suites and nothing else.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

with() { suite "$2" "$1"; }

need_module
for name in $(grep -ho '\.name = "smbdr_[a-z_]*"' /run/top/tests/consumer/*.c | cut -d'"' -f2); do
	# shellcheck disable=SC2053 # a pattern
	[[ $name != ${ONLY%%.*} ]] || on_every_transport with "$name"
done
ktap_plan
