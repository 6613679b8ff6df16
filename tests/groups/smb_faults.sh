#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What happens to a mount while the server, the link or the device goes and comes back, with I/O
# running: nothing that was synced may be lost, and I/O goes on. What it met is printed, so that
# our pair can be held against the stock one. The kernel parameters smbdr_devices and
# smbdr_smb_faults (comma separated) restrict the devices and the faults.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/smb.sh
. /run/top/tests/consumer/smb.sh

stop=/tmp/io.stop
# Does the server's file change again after it was last changed at $1?
changed_since() { [ "$(stat -c %y "$SMB_SHARE/io" 2>/dev/null)" != "$1" ]; }
dummy_of() { echo "d${1% *}"; }

fault_server() {
	check 'the server stops' stop_ksmbd
	sleep 5
	check 'the server starts' start_ksmbd
}
fault_link() {
	ip link set "$(dummy_of "$1")" down
	sleep 20
	ip link set "$(dummy_of "$1")" up
	[ "${1% *}" = siw ] && ip -6 addr replace fd77::1/64 dev dsiw nodad
	[ "${1% *}" = siw ] || ip -6 addr replace fd78::1/64 dev drxe nodad
	return 0
}
fault_device() {
	local name=${1% *}
	check 'the device goes' rdma link delete "${name}0"
	sleep 5
	check 'the device comes back' rdma link add "${name}0" type "$name" netdev "$(dummy_of "$1")"
}

# fault NAME BED: I/O before, during and after.
fault() {
	local name=$1 transport=$2 group=$KTAP_GROUP addr pid said
	addr=$(transport_addr "$transport")
	KTAP_GROUP="$group $transport $name"
	rm -f "$stop" "$SMB_SHARE/io"
	if check 'mount' mount_share "$addr" 'echo_interval=4'; then
		python3 /run/top/tests/smb/io.py "$SMB_MNT/io" "$stop" >/tmp/io.said 2>/tmp/io.err &
		pid=$!
		check 'I/O runs' wait_for 20 test -s "$SMB_SHARE/io"
		sleep 2
		"fault_$name" "$transport"
		check 'I/O goes on' wait_for 90 changed_since "$(stat -c %y "$SMB_SHARE/io")"
		sleep 3
		touch "$stop"
		check 'I/O ends' wait_for 120 sh -c "! kill -0 $pid 2>/dev/null"
		kill -0 "$pid" 2>/dev/null && kill -KILL "$pid"
		wait "$pid"
		said=$(cat /tmp/io.said)
		check 'nothing that was synced is lost' sh -c 'case "$1" in *"wrong 0") ;; *) false ;; esac' - "$said"
		cat /tmp/io.err >&2
		echo "fault $transport $name: $said" | tee -a /run/out/faults >&2
		check 'unmount' umount_share
	fi
	KTAP_GROUP=$group
}

all_faults() {
	local transport name
	for transport in $(param smbdr_devices siw,rxe); do
		for name in $(param smbdr_smb_faults server,link,device); do
			# Once its link was down, rxe does not let anybody connect, the stock pair neither.
			[ "$transport $name" = 'rxe link' ] || fault "$name" "$transport v4"
		done
	done
}
with_client with_server all_faults
ktap_plan
