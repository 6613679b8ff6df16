#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The device goes away under registered memory and a transfer. It comes back each time. And what
# the counters say of invalidations by the peer, right ones and wrong ones.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

value() { awk -v k="$1" '$1 == k { print $2 }' "$SMBDR_DEBUG/report"; }
hold() { echo "$1" >"$SMBDR_DEBUG/rdma_hold"; }
# They did, and stopped before anybody but the device had ended the connection.
ended_by_the_device() {
	cat "$SMBDR_DEBUG/report"
	[ "$(value transfers)" -gt 0 ] && [ "$(value error)" -lt 0 ] && [ "$(value alone)" = 1 ]
}
# Sorted: a device that comes back is the last one.
sorted_counts() { rdma_counts | sort; }
counts_are() { [ "$(sorted_counts)" = "$1" ]; }
counter() { awk -v k="$1" '$1 == k { print $2 }' /proc/net/smbdirect; }

# counted BED CASE COUNTER=RISE...: run one case and look at the counters.
counted() {
	local bed=$1 case=$2 pair group=$KTAP_GROUP
	local -A before=()
	shift 2
	KTAP_GROUP="$group $bed"
	for pair; do before[${pair%=*}]=$(counter "${pair%=*}"); done
	if check "load for $case" load_consumer "smbdr_rdma_stress.$case" "$bed"; then
		kunit_results smbdr_rdma_stress
		check "unload after $case" unload_consumer
		for pair; do
			check "$case: $pair" \
				test "$(($(counter "${pair%=*}") - before[${pair%=*}]))" = "${pair#*=}"
		done
	fi
	KTAP_GROUP=$group
}

need_transport
for bed in 'siw v4' 'rxe v4'; do
	counted "$bed" stress_counts MrRegistered=11 MrInvRemote=10 MrInvLocal=1 ProtoErrors=0
	counted "$bed" stress_foreign_key MrInvRemote=0 ProtoErrors=2
done

at_start=$(sorted_counts)
for round in 1 2 3; do
	for type in siw rxe; do
		check "round $round $type: consumer loads" load_consumer none "$type v4"
		check "round $round $type: memory is registered" hold start
		sleep 0.$((RANDOM % 5))1
		check "round $round $type: the device goes" timeout 10 rdma link delete "${type}0"
		check "round $round $type: all is given back in time" timeout 10 \
			sh -c "echo stop >$SMBDR_DEBUG/rdma_hold"
		check "round $round $type: the device ended the transfers" ended_by_the_device
		check "round $round $type: the device comes back" \
			rdma link add "${type}0" type "$type" netdev "d$type"
		check "round $round $type: consumer goes" unload_consumer
		check "round $round $type: RDMA resources as before" \
			wait_for 10 counts_are "$at_start"
	done
done
# And it still works.
for bed in 'siw v4' 'rxe v4'; do
	check "consumer on $bed" load_consumer smbdr_rdma.rdma_default_limit "$bed"
	kunit_results smbdr_rdma
	check "consumer goes from $bed" unload_consumer
done
check 'no RDMA resources stay' wait_for 10 rdma_idle
leaks=$(kmemleak_check)
check 'nothing leaks' test -z "$leaks"
[ -z "$leaks" ] || ktap_diag "$leaks"
ktap_plan
