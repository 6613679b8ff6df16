#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Real work on a share that cifs mounts from ksmbd over RDMA: what make check-smb runs for each pair
# of client and server: very many files, a very large one, signed and encrypted mounts. Nothing may
# differ, nothing may be said in the log. The kernel parameter smbdr_devices (comma separated)
# restricts the devices: siw, rxe.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/smb.sh
. /run/top/tests/consumer/smb.sh

smb_py=/run/top/tests/smb

big_file() {
	local sent
	# 2 GiB that nothing can have seen before.
	sent=$(openssl enc -aes-128-ctr -pass "pass:$RANDOM$SECONDS" -nosalt </dev/zero 2>/dev/null |
		head -c 2147483648 | tee "$SMB_MNT/big" | sha256sum | cut -d' ' -f1)
	drop_caches
	check 'the server has all of 2 GiB' test "$(file_hash "$SMB_SHARE/big")" = "$sent"
	check 'and the client reads the same' test "$(file_hash "$SMB_MNT/big")" = "$sent"
	check 'remove it' rm "$SMB_MNT/big"
}

# Eight at a time: one alone waits for its own next wake-up most of the time.
copy_tree() {
	(cd "$1" && find . -type d -print0 | (mkdir "$2" && cd "$2" && xargs -0 mkdir -p)) &&
		(cd "$1" && find . -type f -print0 | xargs -0 -P 8 -n 64 cp --parents -t "$2")
}
many_files() {
	(cd "$SMB_MNT" && mkdir many && cd many && seq -f 'file%g' 1 20000 | xargs -P 8 -n 250 touch)
}
count_files() { [ "$(find "$1" -type f | wc -l)" = "$2" ]; }

stress() {
	within 300 stress-ng --temp-path "$SMB_MNT" --verify --metrics-brief "$@"
}

# A mount that signs or encrypts moves no file data by RDMA: the peer's device could not check it. The
# server would move it: one of ours counts that. A client of ours counts memory that it registers for
# that. And rxe counts messages, of which it takes as many as data without RDMA needs. Stock modules
# on siw count nothing.
messages() { cat /sys/class/infiniband/rxe0/ports/1/hw_counters/rdma_sends; }
no_rdma() {
	local option=$1 transport=$2 bytes=$3 sent=$4 name
	for name in RdmaReadBytes RdmaWriteBytes MrRegistered; do
		check "$name stands still with $option" test "$(smb_rise "$name")" = 0
	done
	# Up to 8 KiB in each.
	[[ $transport != rxe* ]] ||
		check "data goes in messages with $option" test $(($(messages) - sent)) -gt $((bytes / 8192))
	[ "$(whose cifs)$(whose ksmbd) ${transport% *}" != 'stockstock siw' ] ||
		ktap_skip "no RDMA with $option" 'not judged: stock modules and siw do not count'
}
plain_mount() {
	local transport=$1 option=$2 sent
	if ! check "mount with $option" mount_share "$(transport_addr "$transport")" "$option$(no_rdma_sizes)" "$SMB_MNT" bed; then
		return
	fi
	moved_from
	sent=$(messages)
	check "copy in with $option" cp /tmp/data "$SMB_MNT/data"
	drop_caches
	check "copy out with $option" cmp /tmp/data "$SMB_MNT/data"
	check "a tree with $option" cp -r /tmp/tree/small "$SMB_MNT/small"
	drop_caches
	check "it is the same with $option" same_tree /tmp/tree/small "$SMB_MNT/small"
	no_rdma "$option" "$transport" $((2 * $(stat -c %s /tmp/data))) "$sent"
	check "remove with $option" rm -r "$SMB_MNT/small" "$SMB_MNT/data"
	check "unmount with $option" umount_share
}

share_full() {
	local transport=$1 group=$KTAP_GROUP addr
	addr=$(transport_addr "$transport")
	KTAP_GROUP="$group $transport"
	echo "== $transport, $SECONDS s" >&2
	moved_from
	if check 'mount with a cache' mount_share "$addr" cache=strict; then
		check 'copy a tree of 20 000 files in' copy_tree /tmp/tree "$SMB_MNT/tree"
		drop_caches
		check 'the server has it' same_tree /tmp/tree "$SMB_SHARE/tree"
		check 'the client reads the same' same_tree /tmp/tree "$SMB_MNT/tree"
		echo "$SECONDS s: tree" >&2
		check 'unmount with a tree' umount_share
		check 'mount again' mount_share "$addr" cache=strict
		check 'all of it is there' count_files "$SMB_MNT/tree" "$(find /tmp/tree -type f | wc -l)"
		# By the server: the client takes 8 ms for each, over TCP as well.
		check 'remove the tree' rm -r "$SMB_SHARE/tree"
		echo "$SECONDS s: remount" >&2
		big_file
		echo "$SECONDS s: big file" >&2
		check 'a directory of 20 000 files' many_files
		check 'the server has all' count_files "$SMB_SHARE/many" 20000
		check 'the client lists all' count_files "$SMB_MNT/many" 20000
		check 'remove the directory' rm -r "$SMB_SHARE/many"
		echo "$SECONDS s: directory" >&2
		check 'renames and unlinks from 8 processes' \
			within 600 python3 "$smb_py/storm.py" "$SMB_MNT/storm" 8 1500 1
		check 'remove what is left' rm -r "$SMB_MNT/storm"
		check 'stress-ng: rename, dentry, utime, getdent' stress --rename 2 --rename-ops 300 \
			--dentry 2 --dentry-ops 200 --dentries 100 --utime 2 --utime-ops 300 --getdent 2 --getdent-ops 100
		check 'stress-ng: data' stress --hdd 2 --hdd-ops 100 --hdd-bytes 8m \
			--seek 2 --seek-ops 2000 --seek-size 8m
		echo "$SECONDS s: stress" >&2
		check 'nothing is left' test -z "$(find "$SMB_SHARE" -type f)"
		check 'unmount at the end' umount_share
	fi
	has_moved $((1 << 30))
	plain_mount "$transport" sign
	plain_mount "$transport" seal
	echo "$SECONDS s: sign, seal" >&2
	cat /proc/net/smbdirect >&2
	KTAP_GROUP=$group
}

need_tools stress-ng python3
mkdir -p /tmp/tree/small
# The parts of the kernel for architectures and file systems: 21 000 files.
(cd /run/src && find arch fs -type f -print0 | tar --null -T - -cf -) | tar -C /tmp/tree -xf -
cp -r /tmp/tree/fs/smb /tmp/tree/small/
head -c 100000000 /dev/urandom >/tmp/data
check 'the tree has 20 000 files' test "$(find /tmp/tree -type f | wc -l)" -ge 20000
with_client with_server on_smb_devices share_full
ktap_plan
