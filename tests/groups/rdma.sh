#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# RDMA read and write, registration, invalidation.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/rerun.sh
. /run/top/tests/consumer/rerun.sh

counter() { awk -v k="$1" '$1 == k { print $2 }' /proc/net/smbdirect; }

need_module
for transport in "${DEVICES[@]}"; do
	for suite in smbdr_rdma smbdr_rdma_descs smbdr_rdma_misuse smbdr_rdma_attack smbdr_rdma_stress \
		smbdr_rdma_end; do
		run_suite_again "$suite" "$transport"
	done
done
# Waiting, order and contexts: nothing of the device's.
run_suite smbdr_rdma_wait 'siw v4'
# siw's packets pass lo, those of rxe between two addresses of its own pass nothing.
check 'lo gets slow' tc qdisc add dev lo root netem limit 20000 delay 10ms
run_suite smbdr_rdma_stable 'siw v4'
check 'lo gets fast' tc qdisc del dev lo root
run_suite smbdr_rdma_stable 'rxe v4'
check 'the peer invalidated some' test "$(counter MrInvRemote)" -gt 0
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
