#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The example of the documentation does what it says.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

# fails_with ERROR ADDRESS: loading fails for this reason, in the words of insmod, and leaves nothing.
fails_with() {
	local said
	said=$(load_module smbdr_example "addr=$2" 2>&1) && { echo 'it was loaded'; return 1; }
	module_loaded smbdr_example && { echo 'it stays loaded'; return 1; }
	[[ $said == *": $1" ]] || { echo "$said"; return 1; }
}

need_transport
for bed in 'siw v4' 'rxe v4'; do
	for round in 1 2 3; do
		check "example on $bed, round $round" load_module smbdr_example \
			"addr=$(bed_addr "$bed")" "port=$((4450 + round))"
		check "it goes, round $round" unload_module smbdr_example
	done
done
check 'an address without a device' fails_with 'Cannot assign requested address' 127.0.0.1
check 'an address of nobody' fails_with 'Cannot assign requested address' 192.0.2.1
check 'no address' fails_with 'Invalid parameters' nowhere
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
