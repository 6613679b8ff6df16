#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Closing in every state from either side, with TCP as the contrast.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_module
close_suite() { suite smbdr_close "$1"; }
on_every_transport close_suite
for transport in "${DEVICES[@]}"; do suite smbdr_close_far "$transport"; done
# It waits for 30 seconds, which are the same in all kernels: only where the rest is quick.
# shellcheck disable=SC2154 # consumer.sh
[ "$consumer_scale" -lt 100 ] || ! may_use siw || suite smbdr_close_long 'siw v4'
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
