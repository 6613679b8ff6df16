#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What "make demo" shows. The text goes to the file demo in the output directory, which the host
# prints while it grows; the results go where every group's results go. smbdr_demo_mib=NUMBER (run.sh:
# APPEND): how much each connection moves, instead of 256 MiB; by RDMA four times that.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

demo=/run/out/demo
mib=${smbdr_demo_mib:-256}
# shellcheck disable=SC2059 # the formats are below
show() { printf "$@" >>"$demo"; }
value() { awk -v k="$1" '$1 == k { print $2 }' "$SMBDR_DEBUG/report"; }

# One line of the table: LABEL BED PROTO.
transfer() {
	local label=$1 addr
	addr=$(transport_addr "$2")
	if ! check "transfer $label" sh -c "echo $addr $3 $mib >$SMBDR_DEBUG/transfer"; then
		show '  %-13s FAILED: %s\n' "$label" "$(value error)"
		return 1
	fi
	show '  %-13s %9s  %-8s  %-8s  %-5s  %6s MB/s  %9s us\n' "$label" "$(value frames)" \
		"$(value hash_sent)" "$(value hash_received)" "$(value hash_equal)" \
		"$(value throughput_mb_s)" "$(($(value round_trip_ns) / 1000)).$(($(value round_trip_ns) % 1000 / 100))"
	check "hashes equal $label" test "$(value hash_equal)" = yes
}

need_module || exit 1
load_consumer none 'siw v4' || exit 1
show '\nTwo kernel sockets, %s MiB in frames of 1 byte to 1 MiB; throughput of 1 MiB frames,\n' "$mib"
show 'median round trip of 64 byte frames:\n\n'
show '  %-13s %9s  %-8s  %-8s  %-5s  %11s  %12s\n' transport frames 'sent' 'received' 'equal' throughput 'round trip'
transfer 'siw  IPv4' 'siw v4' 257
transfer 'siw  IPv6' 'siw v6' 257
transfer 'rxe  IPv4' 'rxe v4' 257
transfer 'rxe  IPv6' 'rxe v6' 257
transfer 'TCP  IPv4' 'tcp v4' 6
transfer 'TCP  IPv6' 'tcp v6' 6

show '\nLarge data by RDMA between two kernel sockets, %s MiB in transfers of each size, up to four\n' $((4 * mib))
show 'at a time, hashed at both ends. Then the rate of %s MiB that are not hashed, from registering\n' "$mib"
show 'the memory to having it back:\n\n'
show '  %-13s %-6s %-5s  %11s  %11s  %11s\n' transport '' equal '64 KiB' '1 MiB' '8 MiB'
rdma_equal() { [ -n "$(value "$1_sent")" ] && [ "$(value "$1_sent")" = "$(value "$1_received")" ]; }
# A line for each direction: LABEL BED.
rdma() {
	local label=$1 dir size addr equal rates
	addr=$(transport_addr "$2")
	if ! check "rdma $label" sh -c "echo $addr $((4 * mib)) >$SMBDR_DEBUG/rdma"; then
		show '  %-13s FAILED: %s\n' "$label" "$(value error)"
		return 1
	fi
	for dir in write read; do
		equal=yes rates=()
		for size in 64 1024 8192; do
			rates+=("$(value "${dir}_${size}_mb_s")")
			check "hashes equal $label $dir $size KiB" rdma_equal "${dir}_$size" || equal=no
		done
		show '  %-13s %-6s %-5s' "$label" "$dir" "$equal"
		show '  %6s MB/s' "${rates[@]}"
		show '\n'
	done
}
rdma 'siw  IPv4' 'siw v4'
rdma 'rxe  IPv4' 'rxe v4'

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
