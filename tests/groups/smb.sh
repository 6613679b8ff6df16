#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A share of ksmbd, mounted by cifs over RDMA. Which of the two are ours is run.sh's SMB. The long
# form is smb_full.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/smb.sh
. /run/top/tests/consumer/smb.sh

share() {
	local transport=$1 group=$KTAP_GROUP addr
	addr=$(transport_addr "$transport")
	KTAP_GROUP="$group $transport"
	moved_from
	if check 'mount' mount_share "$addr" cache=none; then
		head -c 30000000 /dev/urandom >/tmp/data
		check 'copy in' cp /tmp/data "$SMB_MNT/data"
		check 'the server has it' cmp /tmp/data "$SMB_SHARE/data"
		check 'copy out' cp "$SMB_MNT/data" /tmp/data2
		check 'it is the same' cmp /tmp/data /tmp/data2
		mkdir -p /tmp/tree
		for i in $(seq 1 200); do head -c $((i * 371)) /dev/urandom >"/tmp/tree/file$i"; done
		check 'copy a tree in' cp -r /tmp/tree "$SMB_MNT/tree"
		check 'the tree is the same' same_tree /tmp/tree "$SMB_MNT/tree"
		check 'unmount' umount_share
		check 'mount again' mount_share "$addr" cache=strict
		check 'the tree is still the same' same_tree /tmp/tree "$SMB_MNT/tree"
		check 'remove' rm -r "$SMB_MNT/tree" "$SMB_MNT/data"
		check 'unmount again' umount_share
		has_moved 30000000
	fi
	if check 'mount encrypted' mount_share "$addr" "seal$(no_rdma_sizes)" "$SMB_MNT" bed; then
		check 'copy in encrypted' cp /tmp/data "$SMB_MNT/data"
		drop_caches
		check 'copy out encrypted' cmp /tmp/data "$SMB_MNT/data"
		check 'remove what was encrypted' rm "$SMB_MNT/data"
		check 'unmount encrypted' umount_share
	fi
	KTAP_GROUP=$group
}

# Two channels of one mount: the first over rxe, the other one over siw, the server's only other RDMA
# interface. Events of ours tell them apart; those of one end are enough.
events=/sys/kernel/tracing/events/smbdirect_net
both_carry() {
	# Bytes by connection. At each end of ours one that carries much is a channel.
	awk '/ smbdr_send: / {
			match($0, /conn=[^ ]+/)
			conn = substr($0, RSTART, RLENGTH)
			match($0, /length=[0-9]+/)
			n[conn]++
		}
		END { for (conn in n) { print conn, n[conn]; if (n[conn] >= 20) many++ }
			exit many < '"$1"' }' /sys/kernel/tracing/trace
}
channels() { grep -c 'Channel: [0-9]* ConnectionId' /proc/fs/cifs/DebugData; }
channels_are() { [ "$(channels)" = "$1" ]; }
multichannel() {
	local group=$KTAP_GROUP ends=0 i
	KTAP_GROUP="$group two channels"
	[ "$(whose cifs)" != ours ] || ends=$((ends + 2))
	[ "$(whose ksmbd)" != ours ] || ends=$((ends + 2))
	if check 'mount' mount_share "$(transport_addr 'rxe v4')" cache=none,multichannel,max_channels=2 \
		"$SMB_MNT" bed; then
		check 'there is a second channel' wait_for 10 channels_are 1
		echo >/sys/kernel/tracing/trace
		[ "$ends" = 0 ] || check 'events can be enabled' sh -c "echo 1 >$events/smbdr_send/enable"
		for i in 1 2 3 4; do cp /tmp/data "$SMB_MNT/data$i" & done
		wait
		for i in 1 2 3 4; do check "the server has all of copy $i" cmp /tmp/data "$SMB_SHARE/data$i"; done
		if [ "$ends" = 0 ]; then
			ktap_diag 'whether both channels carry data is not judged: nobody of ours is there to tell'
		else
			echo 0 >"$events/smbdr_send/enable"
			check "both channels carry data, $ends ends of ours" both_carry "$ends"
		fi
		rm "$SMB_MNT"/data?
		# The stock server does not let go of a device with I/O under way: rdma hangs, with either client.
		[ "$(whose ksmbd)" != ours ] || one_goes
		check 'unmount' umount_share
	fi
	KTAP_GROUP=$group
}
# The second channel's device goes with I/O under way: it goes on over the first, and nothing is lost.
changed_since() { [ "$(stat -c %y "$SMB_SHARE/io" 2>/dev/null)" != "$1" ]; }
one_goes() {
	local stop=/tmp/io.stop pid i
	rm -f "$stop"
	python3 /run/top/tests/smb/io.py "$SMB_MNT/io" "$stop" >/tmp/io.said 2>/tmp/io.err &
	pid=$!
	check 'I/O runs' wait_for 20 test -s "$SMB_SHARE/io"
	check 'the device of the second goes' within 20 rdma link delete siw0
	for i in 1 2 3; do
		check "I/O goes on, $i" wait_for 60 changed_since "$(stat -c %y "$SMB_SHARE/io")"
	done
	check 'the device comes back' rdma link add siw0 type siw netdev dsiw
	touch "$stop"
	check 'I/O ends' wait_for 60 sh -c "! kill -0 $pid 2>/dev/null"
	kill -0 "$pid" 2>/dev/null && kill -KILL "$pid"
	wait "$pid"
	cat /tmp/io.said /tmp/io.err >&2
	check 'nothing that was synced is lost' grep -q 'wrong 0$' /tmp/io.said
}

both() {
	share 'siw v4'
	share 'rxe v4'
	multichannel
	cat /proc/net/smbdirect >&2
}
with_client with_server both
ktap_plan
