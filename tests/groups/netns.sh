#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two network namespaces, joined by a veth pair with RDMA links at both ends.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_transport
# shellcheck disable=SC2034 # for ktap_line
KTAP_GROUP='netns rxe'
other_add || ktap_fail 'a second namespace'
while read -r here there; do
	if check "load for $here $there" load_consumer smbdr_netns 'siw v4' "addr=$here" \
		"netns_addr=$there" "netns_pid=$OTHER_PID"; then
		kunit_results smbdr_netns
		check 'unload' unload_consumer
	fi
done <<'END'
10.79.0.1 10.79.0.2
fd79::1 fd79::2
END
other_delete
check 'the namespace goes' wait_for 20 other_gone
ktap_plan
