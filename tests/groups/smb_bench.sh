#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One round of make bench-smb for one pair of client and server: measure, write /run/out/bench.
# The kernel parameters smbdr_bench_transports (siw,rxe,tcp) and smbdr_bench_seconds say what.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/smb.sh
. /run/top/tests/consumer/smb.sh

mount_for() {
	local addr
	addr=$(bed_addr "$1 v4")
	case $1 in
	tcp) timeout 60 mount -i -t cifs "//$addr/share" "$SMB_MNT" \
		-o "ip=$addr,port=$(bed_smb_port tcp),username=guest,password=,vers=3.1.1,noperm,cache=none" ;;
	*) mount_share "$addr" cache=none ;;
	esac
}
measure() {
	python3 /run/top/tests/smb/workloads.py "$SMB_MNT" "$1" "$(param smbdr_bench_seconds 3)" >>/run/out/bench
}

measure_all() {
	local t
	for t in $(param smbdr_bench_transports siw,rxe,tcp); do
		if check "mount $t" mount_for "$t"; then
			check "measure $t" measure "$t"
			rm -f "$SMB_MNT"/b.*
			check "unmount $t" umount_share
		fi
	done
}
with_client with_server measure_all
ktap_plan
