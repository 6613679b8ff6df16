#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two network namespaces, joined by a veth pair with RDMA links at both ends.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_transport

setup() {
	ip netns add other
	ip link add va type veth peer name vb
	ip link set vb netns other
	ip addr add 10.79.0.1/24 dev va
	ip addr add fd79::1/64 dev va nodad
	ip -n other addr add 10.79.0.2/24 dev vb
	ip -n other addr add fd79::2/64 dev vb nodad
	ip -n other link set lo up
	ip link set va up
	ip -n other link set vb up
	ip netns exec other sleep 600 &
	holder=$!
	wait_for 10 carrier
	sleep 0.5
}
carrier() { [ "$(cat /sys/class/net/va/carrier)" = 1 ]; }
teardown() {
	kill "$holder"
	wait "$holder" 2>/dev/null
	ip link delete va
	ip netns delete other
}

# A device of type $1 on each end. siw makes its TCP sockets in the namespace of the caller, which
# for a kernel thread is the first one, so only rxe can be asked to cross.
round() {
	local type=$1
	# shellcheck disable=SC2034 # for ktap_line
	KTAP_GROUP="netns $type"
	if ! rdma link add "${type}a" type "$type" netdev va ||
	   ! ip netns exec other rdma link add "${type}b" type "$type" netdev vb; then
		ktap_skip 'two namespaces' "$type cannot be had in both"
		rdma link delete "${type}a"
		return
	fi
	local pair
	for pair in '10.79.0.1 10.79.0.2' 'fd79::1 fd79::2'; do
		# shellcheck disable=SC2086
		set -- $pair
		if check "load for $pair" load_consumer smbdr_netns 'siw v4' "addr=$1" \
			"netns_addr=$2" "netns_pid=$holder"; then
			kunit_results smbdr_netns
			check 'unload' unload_consumer
		fi
	done
	rdma link delete "${type}a"
	ip netns exec other rdma link delete "${type}b"
}
setup
round rxe
teardown
ktap_plan
