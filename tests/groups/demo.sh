#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What "make demo" shows. The text goes to the file demo in the output directory, which the host
# prints while it grows; the results go where every group's results go. smbdr_demo_ms=NUMBER (run.sh:
# APPEND): how long a measurement of frames takes; one of RDMA takes half of that.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../bench/bench.sh
. /run/top/tests/bench/bench.sh

demo=/run/out/demo
ms=${smbdr_demo_ms:-600}
# shellcheck disable=SC2059 # the formats are below
show() { printf "$@" >>"$demo"; }
failed() { show 'FAILED: in %s, error %s\n' "$(bench_value where)" "$(bench_value error)"; }
hashes_equal() { [ -n "$(bench_value hash_sent)" ] && [ "$(bench_value hash_sent)" = "$(bench_value hash_received)" ]; }

# One line of the table: LABEL BED CONTENDER.
transfer() {
	local label=$1 addr who=$3
	addr=$(transport_addr "$2")
	show '  %-10s' "$label"
	check "hashed frames $label" bench "$who" hashed "$addr" 0 1 "$ms" || { failed; return; }
	check "hashes equal $label" hashes_equal
	show ' %8s  %-8s  %-8s' "$(bench_value frames)" "$(bench_value hash_sent)" "$(bench_value hash_received)"
	check "throughput $label" bench "$who" oneway "$addr" 1048576 1 "$ms" || { failed; return; }
	show '  %6s MB/s' "$(bench_rate)"
	check "round trips $label" bench "$who" pingpong "$addr" 64 1 "$((ms / 4))" || { failed; return; }
	show '  %6s.%s us\n' "$(($(bench_value median_ns) / 1000))" "$(($(bench_value median_ns) % 1000 / 100))"
}

need_module || exit 1
check 'the benchmark loads' bench_load || exit 1
show '\nTwo kernel sockets: frames of 1 byte to 1 MiB, hashed at both ends; throughput of 1 MiB frames;\n'
show 'median round trip of 64 byte frames. Each runs for %s ms.\n\n' "$ms"
show '  %-10s %8s  %-8s  %-8s  %11s  %11s\n' transport frames sent received throughput 'round trip'
transfer 'siw  IPv4' 'siw v4' ours
transfer 'siw  IPv6' 'siw v6' ours
transfer 'rxe  IPv4' 'rxe v4' ours
transfer 'rxe  IPv6' 'rxe v6' ours
transfer 'TCP  IPv4' 'tcp v4' tcp
transfer 'TCP  IPv6' 'tcp v6' tcp
show '\nTCP is faster here: its loopback passes segments of up to 64 KiB on inside the kernel, without\n'
show 'checksums. siw and rxe do on the CPU, message by message, what an RDMA adapter does in hardware;\n'
show '"verbs" below shows how much that is.\n'

show '\nLarge data by RDMA between two kernel sockets, four transfers at a time; before, transfers that\n'
show 'are hashed at both ends. "verbs" is the bare device without SMB Direct.\n\n'
show '  %-10s %-6s %-6s %5s  %11s  %11s  %11s\n' transport '' '' equal '64 KiB' '1 MiB' '8 MiB'
# A line: BED DIRECTION CONTENDER.
rdma() {
	local type=${1% *} dir=$2 who=$3 addr size equal='' rates=()
	addr=$(transport_addr "$1")
	show '  %-10s %-6s %-6s' "$type  IPv4" "$dir" "$who"
	for size in 65536 1048576 8388608; do
		if [ "$who" = ours ]; then
			equal=no
			check "hashed $type $dir $size" bench "$who" "hashed_$dir" "$addr" "$size" 1 "$((ms / 4))" ||
				{ failed; return; }
			check "hashes equal $type $dir $size" hashes_equal && equal=yes
		fi
		check "$who $type $dir $size" bench "$who" "$dir" "$addr" "$size" 4 "$((ms / 2))" ||
			{ failed; return; }
		rates+=("$(bench_rate)")
	done
	show ' %5s' "$equal"
	show '  %6s MB/s' "${rates[@]}"
	show '\n'
}
for transport in "${DEVICES[@]}"; do
	for dir in write read; do
		rdma "$transport" "$dir" ours
		rdma "$transport" "$dir" verbs
	done
done
check 'the benchmark unloads' wait_for 20 unload_module smbdr_bench

load_consumer none 'siw v4' || exit 1
show '\nOur socket and the stock ksmbd.ko of Linux %s, SMB2 NEGOTIATE and three ECHOs:\n\n' "$(uname -r)"
ksmbd() {
	local transport=$1 port
	port=$(smb_port_of "$transport")
	if check "ksmbd on $transport" sh -c "echo $(transport_addr "$transport") $port 3 >$SMBDR_DEBUG/smb2"; then
		show '  %-6s port %-5s  server chose %s, %s echoes answered\n' "$transport" "$port" \
			"$(sed -n 's/^dialect //p' "$SMBDR_DEBUG/report")" "$(value echoes)"
	else
		show '  %-6s port %-5s  FAILED: %s\n' "$transport" "$port" "$(value error)"
	fi
}
if check 'ksmbd starts' start_ksmbd; then
	# It listens on the IPv4 wildcard only.
	ksmbd 'siw v4'
	ksmbd 'rxe v4'
	check 'ksmbd stops' stop_ksmbd
fi
cat /tmp/ksmbd.log >&2
show '\n'
check 'consumer unloads' unload_consumer
check 'module unloads' wait_for 20 unload_module net_smbdirect
ktap_plan
