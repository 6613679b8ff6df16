# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# How the groups use smbdr_bench.ko; sourced after tests/consumer/consumer.sh.
#
#	bench_load [PARAMETER...]	load it; it is linked with the in-tree core where there is one
#	bench CONTENDER WORKLOAD ADDR SIZE DEPTH MS	measure, each time on another port
#	bench_value KEY			what the report of the last one says
#	bench_rate			its MB/s

BENCH_DEBUG=/sys/kernel/debug/smbdr_bench

bench_load() {
	if modprobe -n -d "$MODROOT" smbdirect 2>/dev/null; then
		modprobe -d "$MODROOT" smbdirect || return
	fi
	load_module smbdr_bench "$@"
}
# A file, because check runs in a subshell.
bench_port() {
	local port=10000
	[ ! -e /run/bench_port ] || port=$(cat /run/bench_port)
	echo "$((port < 32000 ? port + 1 : 10000))" | tee /run/bench_port
}
bench() {
	(echo "$1 $2 $3 $(bench_port) $4 $5 $6" >"$BENCH_DEBUG/run") && return
	echo "in $(bench_value where)"
	return 1
}
bench_value() { awk -v k="$1" '$1 == k { print $2 }' "$BENCH_DEBUG/report"; }
bench_rate() { echo "$(($(bench_value bytes) * 1000 / $(bench_value ns)))"; }
