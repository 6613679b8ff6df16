#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What sockets hold is charged: to the protocol (/proc/net/protocols) and, once, to the memory cgroup
# of whoever made them; and given back. At the limit of the protocol they go on, frame by frame.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

cg=/sys/fs/cgroup/smbdirect
limits=/proc/sys/net/smbdirect/mem
# KiB. Each processor keeps up to 1 MiB, taken or given back, that is not in this sum yet. It is one for
# both families.
reserve=$(($(nproc) * 1024))
protocol() { awk '$1 == "SMBDIRECT" { print $4 * 4 }' /proc/net/protocols; }
group() { awk '$1 == "sock" { print $2 / 1024 }' $cg/memory.stat; }
group_rests() { local was; was=$(group); sleep 0.5; group_is "$was"; }
# To a MiB.
group_is() { [ $(($(group) / 1024)) = $(($1 / 1024)) ]; }
between() { echo "$1 KiB, expected $2 to $3"; [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }
# A process in the group makes the sockets: this one has to stay outside.
in_group() { (echo $BASHPID >$cg/cgroup.procs && echo "$2" >"$SMBDR_DEBUG/$1"); }
goes_on() { in_group exchange "$addr 300" || { cat "$SMBDR_DEBUG/report"; false; }; }

charges() {
	local transport=$1 group=$KTAP_GROUP addr
	addr=$(transport_addr "$transport")
	# shellcheck disable=SC2034 # for ktap_line
	KTAP_GROUP="$group $transport"
	check 'consumer loads' load_consumer none "$transport" || return
	# Both queues full: 4 MiB each, and slots for 255 receives of 8 KiB at each end.
	check 'a connection whose reader does not read' in_group storm "open no_credits c 0 $addr 21000"
	check 'its queues get full' wait_for 10 group_rests
	check 'the group is charged' between "$(group)" 11264 13824
	# Also not more than the protocol: accept() has charged nothing twice.
	echo "$transport: $(group) KiB charged to the group, $(protocol) to the protocol" >&2
	check 'the protocol is, as much' \
		between "$(protocol)" "$(($(group) - reserve))" "$(($(group) + reserve))"
	check 'the connection ends' in_group storm 'act close'
	check 'its sockets go' in_group storm end
	check 'what the group was charged is given back' wait_for 10 group_is 0
	check 'to the protocol as well' between "$(protocol)" -$reserve "$reserve"

	# A group is not refused what is there already, and goes on.
	check 'the group is limited' sh -c "echo 3M >$cg/memory.max"
	check 'a connection in it works' goes_on
	check 'nobody was killed for it' grep -qx 'oom_kill 0' $cg/memory.events
	check 'the limit goes' sh -c "echo max >$cg/memory.max"
	check 'nothing is left of it' wait_for 10 group_is 0

	# The protocol is refused: the same as before gets less.
	check 'the protocol is limited' sh -c "echo 384 512 512 >$limits"
	check 'again one whose reader does not read' in_group storm "open no_credits c 0 $addr 21001"
	check 'its queues get as full as they may' wait_for 10 group_rests
	check 'the group is charged no more' between "$(group)" 0 5120
	check 'that connection ends' in_group storm 'act close'
	check 'and its sockets go' in_group storm end
	check 'a connection works' goes_on
	check 'the limit of the protocol goes' sh -c "echo $was >$limits"
	check 'consumer goes' unload_consumer
	KTAP_GROUP=$group
}

if ! zgrep -q '^CONFIG_MEMCG=y' /proc/config.gz; then
	ktap_skip 'what sockets are charged' 'no memory cgroups in this kernel'
	exit 0
fi
need_module
was=$(cat $limits)
mount -t cgroup2 none /sys/fs/cgroup && echo +memory >/sys/fs/cgroup/cgroup.subtree_control &&
	mkdir $cg || ktap_fail 'a memory cgroup'
charges 'siw v4'
charges 'rxe v6'
rmdir $cg || ktap_fail 'the group goes'
umount /sys/fs/cgroup
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
