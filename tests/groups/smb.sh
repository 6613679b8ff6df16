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

both() {
	share 'siw v4'
	share 'rxe v4'
	cat /proc/net/smbdirect >&2
}
with_client with_server both
ktap_plan
