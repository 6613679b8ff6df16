#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One round of make bench-smb for one pair of client and server: measure, write /run/out/bench.
# The kernel parameters smbdr_bench_transports (siw,rxe,tcp) and smbdr_bench_seconds say what, and
# smbdr_bench_verbs (none) on which of them the device without SMB is measured as well.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../bench/bench.sh
. /run/top/tests/bench/bench.sh
# shellcheck source=../consumer/smb.sh
. /run/top/tests/consumer/smb.sh

mount_for() {
	local addr
	addr=$(transport_addr "$1 v4")
	case $1 in
	tcp) within 60 mount -i -t cifs "//$addr/share" "$SMB_MNT" \
		-o "ip=$addr,port=$(smb_port_of tcp),username=guest,password=,vers=3.1.1,noperm,cache=none" ;;
	*) mount_share "$addr" cache=none ;;
	esac
}
measure() {
	python3 /run/top/tests/smb/workloads.py "$SMB_MNT" "$1" "$(param smbdr_bench_seconds 3)" >>/run/out/bench
}

# What the device moves when nothing but the RDMA of a workload is done: as many bytes at a time, by
# as many threads, between memory that is registered before. Of a file read, it is the writes.
measure_verbs() {
	local t way size
	need_module || return 1
	check 'the benchmark loads' bench_load || return 1
	for t in "$@"; do
		for way in read write; do
			for size in 64k 1M; do
				check "raw verbs: $way $size on $t" verbs "$t" "$way" "$size" || continue
				awk -v t="$t" -v w="$([ "$way" = read ] && echo write || echo read) $size" '
					{ v[$1] = $2 }
					END { printf "{\"transport\": \"%s\", \"workload\": \"%s\", \"pair\": \"verbs\", \"unit\": \"MB/s\", \"value\": %f}\n",
						t, w, v["bytes"] * 1e3 / v["ns"] }
					' "$BENCH_DEBUG/report" >>/run/out/bench
			done
		done
	done
	check 'the benchmark unloads' wait_for 20 unload_module smbdr_bench
}
verbs() {
	wait_for 30 rdma_idle && bench verbs "$2" "$(transport_addr "$1 v4")" \
		"$([ "$3" = 1M ] && echo 1048576 || echo 65536)" 4 "$(($(param smbdr_bench_seconds 3) * 1000))"
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
# shellcheck disable=SC2046 # words
[ -z "$(param smbdr_bench_verbs '')" ] || measure_verbs $(param smbdr_bench_verbs '')
with_client with_server measure_all
ktap_plan
