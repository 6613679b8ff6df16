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

# rxe sends again what was not answered for half a second, as happens on a machine with more to do than
# it can, and the other end takes the repetition of a read, whose region is gone by then, for an
# attack. So a suite that fails while rxe counted repetitions is run again, twice at most.
# Afterwards, before is what regions_left said before the last try.
run_rdma() {
	local suite=$1 transport=$2 try repeated said
	for try in 1 2 3; do
		before=$(regions_left)
		repeated=$(rxe_repetitions)
		said=$(run_suite "$suite" "$transport")
		[[ $transport == rxe* && $said == *'not ok'* && $(rxe_repetitions) != "$repeated" ]] || break
		echo "$suite, try $try: rxe repeated itself, and these failed" >&2
		grep -A9 '^not ok' <<<"$said" >&2
	done
	echo "$said"
	ktap_count=$((ktap_count + $(grep -cE '^(not )?ok' <<<"$said")))
}

need_module
for transport in "${DEVICES[@]}"; do
	for suite in smbdr_rdma smbdr_rdma_descs smbdr_rdma_misuse; do
		run_rdma "$suite" "$transport"
		check "$suite on $transport: all regions were invalidated" test "$(regions_left)" = "$before"
	done
	for suite in smbdr_rdma_attack smbdr_rdma_stress smbdr_rdma_end; do run_rdma "$suite" "$transport"; done
done
# siw's packets pass lo, those of rxe between two addresses of its own pass nothing.
check 'lo gets slow' tc qdisc add dev lo root netem limit 20000 delay 10ms
run_suite smbdr_rdma_stable 'siw v4'
check 'lo gets fast' tc qdisc del dev lo root
run_suite smbdr_rdma_stable 'rxe v4'
check 'the peer invalidated some' test "$(counter MrInvRemote)" -gt 0
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
