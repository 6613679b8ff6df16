#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# RDMA read and write, registration, invalidation.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

counter() { awk -v k="$1" '$1 == k { print $2 }' /proc/net/smbdirect; }
# Regions that were registered and not invalidated by either side: their connection ended first.
regions_left() { echo "$(($(counter MrRegistered) - $(counter MrInvLocal) - $(counter MrInvRemote)))"; }

need_transport
for bed in 'siw v4' 'rxe v4'; do
	before=$(regions_left)
	run_suite smbdr_rdma "$bed"
	check "all regions of $bed were invalidated" test "$(regions_left)" = "$before"
	run_suite smbdr_rdma_stress "$bed"
done
check 'the peer invalidated some' test "$(counter MrInvRemote)" -gt 0
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
