#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The device goes away under registered memory and a transfer. It comes back each time.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

value() { awk -v k="$1" '$1 == k { print $2 }' "$SMBDR_DEBUG/report"; }
hold() { echo "$1" >"$SMBDR_DEBUG/rdma_hold"; }
ended_by_the_device() { [ "$(value transfers)" -gt 0 ] && [ "$(value error)" != 0 ]; }

need_transport
for round in 1 2 3; do
	for type in siw rxe; do
		check "round $round $type: consumer loads" load_consumer none "$type v4"
		check "round $round $type: memory is registered" hold start
		sleep 0.$((RANDOM % 5))1
		check "round $round $type: the device goes" timeout 10 rdma link delete "${type}0"
		check "round $round $type: all is given back in time" timeout 10 \
			sh -c "echo stop >$SMBDR_DEBUG/rdma_hold"
		check "round $round $type: the transfers ended" ended_by_the_device
		check "round $round $type: the device comes back" \
			rdma link add "${type}0" type "$type" netdev "d$type"
		check "round $round $type: consumer goes" unload_consumer
	done
done
# And it still works.
for bed in 'siw v4' 'rxe v4'; do
	check "consumer on $bed" load_consumer smbdr_rdma.rdma_default_limit "$bed"
	kunit_results smbdr_rdma
	check "consumer goes from $bed" unload_consumer
done
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
