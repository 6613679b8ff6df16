#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# RDMA read and write, registration, invalidation.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/rerun.sh
. /run/top/tests/consumer/rerun.sh

need_module
for transport in "${DEVICES[@]}"; do
	for suite in smbdr_rdma smbdr_rdma_descs smbdr_rdma_misuse smbdr_rdma_attack smbdr_rdma_stress \
		smbdr_rdma_end; do
		run_suite_again "$suite" "$transport"
	done
done
# Waiting, order and contexts: nothing of the device's.
[[ " ${DEVICES[*]} " != *' siw '* ]] || suite smbdr_rdma_wait 'siw v4'
for transport in "${DEVICES[@]}"; do suite smbdr_rdma_stable "$transport"; done
check 'the peer invalidated some' test "$(counter MrInvRemote)" -gt 0
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
