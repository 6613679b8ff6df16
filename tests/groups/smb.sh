#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A share of ksmbd, mounted by cifs over RDMA. Which of the two are ours is run.sh's SMB.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

counter() { awk -v k="$1" '$1 == k { print $2 }' /proc/net/smbdirect; }
mnt=/mnt/smb
hashes() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum); }

mount_share() {
	timeout 60 mount -i -t cifs "//$1/share" "$mnt" -o "rdma,ip=$1,username=guest,password=,vers=3.1.1,noperm,$2"
}
same_file() { cmp "$1" "$2"; }
same_tree() { [ "$(hashes "$1")" = "$(hashes "$2")" ]; }

share() {
	local bed=$1 group=$KTAP_GROUP addr
	addr=$(bed_addr "$bed")
	KTAP_GROUP="$group $bed"
	if check 'mount' mount_share "$addr" cache=none; then
		head -c 30000000 /dev/urandom >/tmp/data
		check 'copy in' cp /tmp/data "$mnt/data"
		check 'the server has it' same_file /tmp/data /tmp/share/data
		check 'copy out' cp "$mnt/data" /tmp/data2
		check 'it is the same' same_file /tmp/data /tmp/data2
		mkdir -p /tmp/tree
		for i in $(seq 1 200); do head -c $((i * 371)) /dev/urandom >"/tmp/tree/file$i"; done
		check 'copy a tree in' cp -r /tmp/tree "$mnt/tree"
		check 'the tree is the same' same_tree /tmp/tree "$mnt/tree"
		check 'unmount' timeout 60 umount "$mnt"
		check 'mount again' mount_share "$addr" cache=strict
		check 'the tree is still the same' same_tree /tmp/tree "$mnt/tree"
		check 'remove' rm -r "$mnt/tree" "$mnt/data"
		check 'unmount again' timeout 60 umount "$mnt"
	fi
	KTAP_GROUP=$group
}

need_transport
mkdir -p "$mnt"
check 'cifs loads' load_cifs
if check 'ksmbd starts' start_ksmbd ''; then
	chmod 777 /tmp/share
	share 'siw v4'
	share 'rxe v4'
	cat /proc/net/smbdirect >&2
	check 'ksmbd stops' stop_ksmbd
fi
cat /tmp/ksmbd.log >&2
check 'cifs unloads' wait_for 20 rmmod cifs
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
