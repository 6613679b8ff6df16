#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The example of the documentation does what it says.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

fails_cleanly() { ! load_module smbdr_example "addr=$1" 2>/dev/null && ! module_loaded smbdr_example; }

need_module
for transport in "${DEVICES[@]}"; do
	for round in 1 2 3; do
		check "example on $transport, round $round" load_module smbdr_example \
			"addr=$(transport_addr "$transport")" "port=$((4450 + round))"
		check "it goes, round $round" unload_module smbdr_example
	done
done
check 'an address without a device' fails_cleanly 127.0.0.1
check 'an address of nobody' fails_cleanly 192.0.2.1
check 'no address' fails_cleanly nowhere
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
