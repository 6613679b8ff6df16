#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What make check-smb does to a share with many at a time: fio, which compares what it reads with what
# it wrote, and two mounts that lock and cache the same files. smbdr_devices as for smb_full.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/smb.sh
. /run/top/tests/consumer/smb.sh

smb_py=/run/top/tests/smb
second=/mnt/second

# verify LABEL DIRECT BLOCK SIZE: eight writers, in order and at random, all read back and compared.
verify() {
	local label=$1 direct=$2 bs=$3 size=$4 rw
	for rw in write randwrite; do
		check "fio $rw $bs $label" within 600 fio --name=v --directory="$SMB_MNT" --thread \
			--numjobs=8 --size="$size" --bs="$bs" --rw="$rw" --direct="$direct" \
			--ioengine=psync --verify=crc32c --verify_fatal=1 --do_verify=1 \
			--group_reporting --unlink=1 --output=/tmp/fio.out || tail -n 5 /tmp/fio.out >&2
	done
}

# Locks and cached data of two mounts that do not share a connection. No handle is kept open after
# the program closed it: the other mount would not have to ask for it then.
two_mounts() {
	local addr=$1 mnt said
	for mnt in "$SMB_MNT" "$second"; do
		check "mount $mnt" mount_share "$addr" nosharesock,actimeo=0,closetimeo=0 "$mnt"
	done
	said=$(within 120 python3 "$smb_py/locks.py" "$SMB_MNT" "$second" 2>&1)
	check 'locks and caches of two mounts' test -z "$said"
	for mnt in "$SMB_MNT" "$second"; do check "unmount $mnt" umount_share "$mnt"; done
	check 'remove their files' rm "$SMB_SHARE/locks" "$SMB_SHARE/cached"
}

share_io() {
	local transport=$1 group=$KTAP_GROUP addr
	addr=$(transport_addr "$transport")
	KTAP_GROUP="$group $transport"
	echo "== $transport, $SECONDS s" >&2
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
		check 'unmount with a cache' umount_share
	fi
	echo "$SECONDS s: buffered" >&2
	two_mounts "$addr"
	echo "$SECONDS s: two mounts" >&2
	KTAP_GROUP=$group
}
need_tools fio python3
mkdir -p "$second"
with_client with_server on_smb_devices share_io
ktap_plan
