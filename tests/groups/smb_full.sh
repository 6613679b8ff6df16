#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Real work on a share that cifs mounts from ksmbd over RDMA: what make check-smb runs for each pair
# of client and server. Nothing may differ, nothing may be said in the log. The kernel
# parameter smbdr_smb_beds (comma separated) restricts the devices: siw, rxe.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/smb.sh
. /run/top/tests/consumer/smb.sh

smb_py=/run/top/tests/smb
tools="fio stress-ng python3"

# verify LABEL DIRECT BLOCK SIZE: eight writers, in order and at random, all read back and compared.
verify() {
	local label=$1 direct=$2 bs=$3 size=$4 rw
	for rw in write randwrite; do
		check "fio $rw $bs $label" timeout 600 fio --name=v --directory="$SMB_MNT" --thread \
			--numjobs=8 --size="$size" --bs="$bs" --rw="$rw" --direct="$direct" \
			--ioengine=psync --verify=crc32c --verify_fatal=1 --do_verify=1 \
			--group_reporting --unlink=1 --output=/tmp/fio.out || tail -n 5 /tmp/fio.out >&2
	done
}

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

many_files() { (cd "$SMB_MNT" && mkdir many && cd many && seq -f 'file%g' 1 20000 | xargs touch); }
count_files() { [ "$(find "$1" -type f | wc -l)" = "$2" ]; }

stress() {
	timeout 300 stress-ng --temp-path "$SMB_MNT" --verify --metrics-brief "$@"
}

# A mount that signs or encrypts moves no file data by RDMA: the peer's device could not check it.
plain_mount() {
	local addr=$1 option=$2 before
	if ! check "mount with $option" mount_share "$addr" "$option" "$SMB_MNT" bed; then return; fi
	before=$(smbdr_counter RdmaWriteBytes)+$(smbdr_counter RdmaReadBytes)+$(smbdr_counter MrRegistered)
	check "copy in with $option" cp /tmp/data "$SMB_MNT/data"
	drop_caches
	check "copy out with $option" cmp /tmp/data "$SMB_MNT/data"
	check "a tree with $option" cp -r /tmp/tree/small "$SMB_MNT/small"
	drop_caches
	check "it is the same with $option" same_tree /tmp/tree/small "$SMB_MNT/small"
	check "no RDMA with $option" test "$before" = \
		"$(smbdr_counter RdmaWriteBytes)+$(smbdr_counter RdmaReadBytes)+$(smbdr_counter MrRegistered)"
	check "remove with $option" rm -r "$SMB_MNT/small" "$SMB_MNT/data"
	check "unmount with $option" umount_share
}

share_full() {
	local bed=$1 group=$KTAP_GROUP addr
	addr=$(bed_addr "$bed")
	KTAP_GROUP="$group $bed"
	echo "== $bed, $SECONDS s" >&2
	if check 'mount' mount_share "$addr" cache=none; then
		verify direct 1 4k 2m
		verify direct 1 64k 8m
		verify direct 1 1m 32m
		verify direct 1 4m 32m
		check 'unmount' umount_share
	fi
	echo "$SECONDS s: direct" >&2
	if check 'mount with a cache' mount_share "$addr" cache=strict; then
		verify buffered 0 4k 8m
		verify buffered 0 64k 16m
		verify buffered 0 1m 32m
		verify buffered 0 4m 32m
		echo "$SECONDS s: buffered" >&2
		check 'copy a tree of 20 000 files in' cp -r /tmp/tree "$SMB_MNT/tree"
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
			timeout 600 python3 "$smb_py/storm.py" "$SMB_MNT/storm" 8 1500 1
		check 'remove what is left' rm -r "$SMB_MNT/storm"
		check 'stress-ng: rename, dentry, utime, getdent' stress --rename 2 --rename-ops 300 \
			--dentry 2 --dentry-ops 200 --dentries 100 --utime 2 --utime-ops 300 --getdent 2 --getdent-ops 100
		check 'stress-ng: data' stress --hdd 2 --hdd-ops 100 --hdd-bytes 8m \
			--seek 2 --seek-ops 2000 --seek-size 8m
		echo "$SECONDS s: stress" >&2
		check 'nothing is left' test -z "$(find "$SMB_SHARE" -type f)"
		check 'unmount at the end' umount_share
	fi
	plain_mount "$addr" sign
	plain_mount "$addr" seal
	echo "$SECONDS s: sign, seal" >&2
	cat /proc/net/smbdirect >&2
	KTAP_GROUP=$group
}

for tool in $tools; do
	command -v "$tool" >/dev/null || { echo "no $tool" >&2; exit 1; }
done
need_transport
mkdir -p "$SMB_MNT" /tmp/tree/small
# The parts of the kernel for architectures and file systems: 21 000 files.
(cd /run/src && find arch fs -type f -print0 | tar --null -T - -cf -) | tar -C /tmp/tree -xf -
cp -r /tmp/tree/fs/smb /tmp/tree/small/
head -c 100000000 /dev/urandom >/tmp/data
check 'the tree has 20 000 files' test "$(find /tmp/tree -type f | wc -l)" -ge 20000
check 'cifs loads' load_cifs
if check 'ksmbd starts' start_ksmbd ''; then
	chmod 777 "$SMB_SHARE"
	for bed in $(param smbdr_smb_beds siw,rxe); do share_full "$bed v4"; done
	check 'ksmbd stops' stop_ksmbd
fi
cat /tmp/ksmbd.log >&2
check 'cifs unloads' wait_for 20 rmmod cifs
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
