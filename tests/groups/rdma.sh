#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# RDMA read and write, registration, invalidation.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

counter() { awk -v k="$1" '$1 == k { print $2 }' /proc/net/smbdirect; }
# Every region that was registered has been invalidated by one side or the other.
regions_balance() {
	local registered invalidated
	registered=$(counter MrRegistered)
	invalidated=$(($(counter MrInvLocal) + $(counter MrInvRemote)))
	[ "$registered" -gt 0 ] && [ "$registered" = "$invalidated" ] ||
		{ echo "$registered registered, $invalidated invalidated"; return 1; }
}

need_transport
for bed in 'siw v4' 'rxe v4'; do
	run_suite smbdr_rdma "$bed"
	check "all regions of $bed were invalidated" regions_balance
done
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
