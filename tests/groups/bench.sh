#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The measurements of make bench: every workload over every contender, interleaved. Each gives a
# line of JSON in /run/out/bench; tests/bench/bench.py makes the table of them. Kernel parameters,
# comma separated: smbdr_bench_beds (siw,rxe), smbdr_bench_contenders, smbdr_bench_workloads,
# smbdr_bench_rounds, smbdr_bench_ms (for each measurement), smbdr_bench_conns (for memory),
# smbdr_bench_events (trace events that are counted meanwhile: none).
# The first that fails ends it.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../bench/bench.sh
. /run/top/tests/bench/bench.sh

size_of() { case $1 in *m) echo "$((${1%m} << 20))" ;; *k) echo "$((${1%k} << 10))" ;; *) echo "$1" ;; esac; }

beds=$(param smbdr_bench_beds siw,rxe)
contenders=$(param smbdr_bench_contenders ours,intree,tcp,verbs)
workloads=$(param smbdr_bench_workloads oneway-1m,pingpong-64,pipelined-4k)
rounds=$(param smbdr_bench_rounds 1)
ms=$(param smbdr_bench_ms 500)
conns=$(param smbdr_bench_conns 1000)
events=$(param smbdr_bench_events '')

# What a contender has no part in: no RDMA over TCP, and what costs much and tells little.
applies() {
	case $1:$2 in
	tcp:read-* | tcp:write-*) return 1 ;;
	ours1364:read-* | ours1364:write-* | intree8192:read-* | intree8192:write-*) return 1 ;;
	ours1364:connects | ours1364:memory | intree8192:connects | intree8192:memory) return 1 ;;
	verbs1*:read-* | verbs1*:write-* | verbs1*:connects | verbs1*:memory) return 1 ;;
	esac
}

# Each event has a small ring of its own, which knows how many it has held and lost.
instances=/sys/kernel/tracing/instances
count_from_zero() {
	local event ring
	for event in $events; do
		ring=$instances/${event#*/}
		if [ ! -d "$ring" ]; then
			mkdir "$ring" && echo 4 >"$ring/buffer_size_kb" &&
				echo 1 >"$ring/events/$event/enable" || return
		fi
		: >"$ring/trace" || return
	done
}
count_said() {
	local event
	for event in $events; do
		awk -v name="${event#*/}" '/^(entries|overrun):/ { n += $2 } END { print name, n + 0 }' \
			"$instances/${event#*/}"/per_cpu/cpu*/stats
	done
}

# A workload's name is what the module calls it, the size, and for RDMA the depth: write-1m-8.
measure() {
	local transport=$1 contender=$2 workload=$3 round=$4 what size depth addr said
	IFS=- read -r what size depth <<<"$workload"
	case $what in
	pipelined) depth=32 ;;
	connects) size=64 ;;
	# With idle connections only, there is no burst.
	memory) depth=$conns size=$([ "$size" = idle ] && echo 0 || echo 1) ;;
	esac
	addr=$(transport_addr "$transport v4")
	wait_for 30 rdma_idle || { ktap_fail "$contender $workload on $transport: old connections do not go"; return 1; }
	# For a profile.
	[ -e /run/out/measuring ] || { cat /proc/kallsyms >/run/out/kallsyms; touch /run/out/measuring; }
	said=$(count_from_zero 2>&1) || { ktap_fail "events are counted" "$said"; return 1; }
	if ! said=$(bench "$contender" "$what" "$addr" "$(size_of "$size")" "${depth:-1}" "$ms" 2>&1); then
		ktap_fail "$contender $workload on $transport fails" "$said"
		return 1
	fi
	{ cat "$BENCH_DEBUG/report"; count_said; } | awk -v head="{\"round\": $round, \"bed\": \"$transport\", \"workload\": \"$workload\", \"contender\": \"$contender\"" '
		{ head = head ", \"" $1 "\": " $2 }
		END { print head "}" }' >>/run/out/bench
}

# Each round begins with another contender.
turn() {
	local n=$1
	shift
	n=$((n % $#))
	echo "${@:n+1}" "${@:1:n}"
}

measure_all() {
	local round transport workload contender list
	for ((round = 0; round < rounds; round++)); do
		# shellcheck disable=SC2086 # words
		list=$(turn "$round" $contenders)
		for transport in $beds; do
			for workload in $workloads; do
				for contender in $list; do
					applies "$contender" "$workload" || continue
					measure "$transport" "$contender" "$workload" "$round" || return 1
				done
			done
		done
	done
	ktap_pass "all measurements"
}

need_module || exit 1
if check 'the benchmark loads' bench_load; then
	sync
	echo 3 >/proc/sys/vm/drop_caches
	measure_all
	check 'the benchmark unloads' wait_for 20 unload_module smbdr_bench
fi
ktap_plan
