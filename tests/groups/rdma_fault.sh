#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The device goes away under registered memory and a transfer, and under listeners with connections
# that nobody has accepted. It comes back each time. And what the counters say of invalidations by
# the peer, right ones and wrong ones.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

# Sorted: a device that comes back is the last one.
sorted_counts() { rdma_counts | sort; }
counts_are() { [ "$(sorted_counts)" = "$1" ]; }

storm() { echo "$*" >"$SMBDR_DEBUG/storm" || { cat "$SMBDR_DEBUG/report"; false; }; }

# counted BED CASE COUNTER=RISE...: run one case and look at the counters.
counted() {
	local transport=$1 case=$2 pair group=$KTAP_GROUP
	local -A before=()
	shift 2
	KTAP_GROUP="$group $transport"
	for pair; do before[${pair%=*}]=$(counter "${pair%=*}"); done
	if check "load for $case" load_consumer "smbdr_rdma_attack.$case" "$transport"; then
		kunit_results smbdr_rdma_attack
		check "unload after $case" unload_consumer
		for pair; do
			check "$case: $pair" \
				test "$(($(counter "${pair%=*}") - before[${pair%=*}]))" = "${pair#*=}"
		done
	fi
	KTAP_GROUP=$group
}

# looks LINE...: what the listener says has these lines. 100 is ENETDOWN, 11 EAGAIN.
looks() {
	local line
	storm look || return
	cat "$SMBDR_DEBUG/report"
	for line; do grep -qE "^$line\$" "$SMBDR_DEBUG/report" || { echo "no \"$line\""; return 1; }; done
}
squatters=0
squat() {
	: >/tmp/squat
	/tmp/peer/smbdr-hostile squat "$1" "$2" 2 >/tmp/squat 2>&1 &
	squatters=$!
	wait_for 20 grep -q '^ready connected 2' /tmp/squat
}

# The listener's own device: what had come is there, then accept() says why there is no more.
listener_loses_device() {
	local type=$1 addr
	addr=$(transport_addr "$type v4")
	check "listener $type: consumer loads" load_consumer none "$type v4" || return
	check "listener $type: listens" storm open alone s 0 "$addr" 20900
	check "listener $type: one waits" storm dial "$addr" 20900 0
	check "listener $type: one waits with a frame" storm dial "$addr" 20900 100
	check "listener $type: the device goes" within 10 rdma link delete "${type}0"
	check "listener $type: the frame, then ENETDOWN" looks 'poll IN ERR' 'child 104 .*' 'accept 100'
	check "listener $type: ENETDOWN again" looks 'poll IN ERR' 'accept 100'
	check "listener $type: the device comes back" \
		rdma link add "${type}0" type "$type" netdev "d$type"
	check "listener $type: ENETDOWN with the device as well" looks 'poll IN ERR' 'accept 100'
	check "listener $type: closed in time" storm end
	check "listener $type: listens again" storm open alone s 0 "$addr" 20900
	check "listener $type: taken" storm dial "$addr" 20900 100
	check "listener $type: alive" looks 'poll IN' 'child 104 11' 'accept 11'
	check "listener $type: closed in time again" storm end
	check "listener $type: consumer goes" unload_consumer
}
# One on the wildcard goes on with the other device, and is closed while some connections are ready
# and some have not negotiated. Those must not wait for their timer, which is set to a minute.
wildcard_loses_device() {
	local type=$1 other=$2 gone stays
	gone=$(transport_addr "$type v4") stays=$(transport_addr "$other v4")
	check "wildcard, $type: consumer loads" load_consumer none "$type v4" || return
	check "wildcard, $type: listens" storm open alone s 0 0.0.0.0 20901
	check "wildcard, $type: one waits" storm dial "$gone" 20901 0
	check "wildcard, $type: one waits with a frame" storm dial "$gone" 20901 100
	check "wildcard, $type: one waits on $other" storm dial "$stays" 20901 200
	check "wildcard, $type: the device goes" within 10 rdma link delete "${type}0"
	check "wildcard, $type: it goes on" looks 'poll IN' 'child 104 .*' 'child 204 11' 'accept 11'
	check "wildcard, $type: one waits on $other again" storm dial "$stays" 20901 0
	check "wildcard, $type: one with a frame, too" storm dial "$stays" 20901 100
	squat "$stays" 20901
	check "wildcard, $type: some do not negotiate" grep -q '^ready connected 2' /tmp/squat
	check "wildcard, $type: all are there" wait_for 10 kernel_qps_are 6
	check "wildcard, $type: the device comes back" \
		rdma link add "${type}0" type "$type" netdev "d$type"
	check "wildcard, $type: one waits on it" wait_for 10 storm dial "$gone" 20901 0
	check "wildcard, $type: closed in time" storm end
	check "wildcard, $type: all have ended" wait_for 10 kernel_qps_are 0
	kill -KILL "$squatters"
	check "wildcard, $type: consumer goes" unload_consumer
}

peer_compiles hostile
need_module
for transport in "${DEVICES[@]}"; do
	counted "$transport" stress_counts MrRegistered=11 MrInvRemote=10 MrInvLocal=1 ProtoErrors=0
	counted "$transport" stress_foreign_key MrInvRemote=0 ProtoErrors=2
done

# Connections go in the background.
check 'nothing is left of these' wait_for 10 rdma_idle
at_start=$(sorted_counts)
for round in 1 2 3; do
	for type in siw rxe; do
		check "round $round $type: consumer loads" load_consumer none "$type v4"
		check "round $round $type: memory is registered, and read and written" \
			storm open transfers c 0 "$(transport_addr "$type v4")" "$((20910 + round))"
		sleep 0.$((RANDOM % 5))1
		check "round $round $type: the device goes" within 10 rdma link delete "${type}0"
		check "round $round $type: that ends the transfers, and all is given back in time" storm ended
		check "round $round $type: the device comes back" \
			rdma link add "${type}0" type "$type" netdev "d$type"
		check "round $round $type: consumer goes" unload_consumer
		check "round $round $type: RDMA resources as before" \
			wait_for 10 counts_are "$at_start"
	done
done
listener_loses_device siw
listener_loses_device rxe
wildcard_loses_device siw rxe
wildcard_loses_device rxe siw
check 'RDMA resources as before the listeners' wait_for 10 counts_are "$at_start"
# And it still works.
for transport in "${DEVICES[@]}"; do
	check "consumer on $transport" load_consumer smbdr_rdma.rdma_default_limit "$transport"
	kunit_results smbdr_rdma
	check "consumer goes from $transport" unload_consumer
done
check 'no RDMA resources stay' wait_for 10 rdma_idle
nothing_leaks
ktap_plan
