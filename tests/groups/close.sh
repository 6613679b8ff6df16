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
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
