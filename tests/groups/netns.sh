#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two network namespaces, joined by a veth pair with RDMA links at both ends.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_module
# shellcheck disable=SC2034 # for ktap_line
KTAP_GROUP='netns rxe'
other_add || ktap_fail 'a second namespace'
# Older rxe has its UDP socket, port 4791, in the first namespace only: whatever arrives in another
# one is refused there. Only what needs no packet can be tested with that.
suite=smbdr_netns
grep -q ':12B7 ' "/proc/$OTHER_PID/net/udp" || suite=smbdr_netns.netns_apart
[ $suite = smbdr_netns ] || ktap_skip 'connections, and a bridge' 'rxe has no socket in the other namespace'
while read -r here there; do
	if check "load for $here $there" load_consumer "$suite" 'siw v4' "addr=$here" \
		"netns_addr=$there" "netns_pid=$OTHER_PID"; then
		kunit_results smbdr_netns
		check 'unload' unload_consumer
	fi
done <<'END'
10.79.0.1 10.79.0.2
fd79::1 fd79::2
END

# The same over a bridge: the address and the RDMA link are its own, the wire is that of its port.
on_bridge() {
	ip addr flush dev va && ip link add br79 type bridge && ip link set va master br79 &&
		ip addr add 10.79.0.1/24 dev br79 && ip addr add fd79::1/64 dev br79 nodad &&
		ip link set br79 up && rdma link delete rxe1 &&
		rdma link add rxe1 type rxe netdev br79 && wait_for 10 bridge_ready
}
bridge_ready() { [ "$(cat /sys/class/net/br79/carrier)" = 1 ] && has_address rxe1 1; }
by_bridge() { [ "$(cat /sys/class/net/br79/statistics/tx_packets)" -gt 200 ]; }
if [ $suite = smbdr_netns ] && check 'a bridge with an RDMA link' on_bridge &&
   check 'load for the bridge' load_consumer none 'siw v4'; then
	for to in 10.79.0.2 fd79::2; do
		check "frames both ways over the bridge to $to" job exchange "$to" 100 "$OTHER_PID"
	done
	check 'they went over the bridge' by_bridge
	check 'unload' unload_consumer
fi
other_delete
[ ! -e /sys/class/net/br79 ] || ip link delete br79
check 'the namespace goes' wait_for 20 other_gone
ktap_plan
