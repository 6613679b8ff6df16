#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Peers that want more than their share: what a connection costs is bounded whatever its peer does,
# and the others do not notice. Arguments of the bound are SO_RCVBUF, SO_SNDBUF and the credits;
# tests/peer/hostile.c counts what the server takes, this script what the machine has left.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../bench/bench.sh
. /run/top/tests/bench/bench.sh

peer_compiles hostile
need_module
backlog=8
port=9700

counter_is() { [ "$(counter "$1")" = "$2" ]; }
# Sockets of ours, both families, and KiB charged to them, of which 1 MiB for each processor may not
# be told; they are one sum for both families.
sockets() { awk '/^SMBDIRECT/ { n += $3 } END { print n + 0 }' /proc/net/protocols; }
charged() { awk '$1 == "SMBDIRECT" { print $4 * 4 }' /proc/net/protocols; }
# Queue pairs of the kernel: one for each end of ours.
kernel_qps() { rdma resource show qp | grep -v 'GSI\|SMI' | grep -c 'comm \['; }
kernel_qps_are() { [ "$(kernel_qps)" = "$1" ]; }
# Connections that were closed go in the background, and would not be there in the end.
qps_of_others() {
	wait_for 10 kernel_qps_are 0
	kernel_qps
}
at_most() { echo "$1, at most $2 expected"; [ "$1" -le "$2" ]; }

# KiB that are used for good: files in the cache are not, nor what KASAN keeps of freed objects until
# a cache shrinks.
used() {
	local cache
	for cache in /sys/kernel/slab/*/shrink; do echo 1 >"$cache"; done 2>/dev/null
	awk '{ v[$1] = $2 } END { print v["MemTotal:"] - v["MemFree:"] - v["Buffers:"] - \
		v["Cached:"] - v["SReclaimable:"] }' /proc/meminfo
}
# 0 if it has gone, which others notice.
anon() {
	local kib
	kib=$(awk '$1 == "RssAnon:" { print $2 }' "/proc/$1/status")
	echo "${kib:-0}"
}

settle=100
! emulated || settle=500
# hostile BEHAVIOUR COUNT: start one and wait until it has what it wants. Its last words are in
# /tmp/hostile.BEHAVIOUR, its pid, a file because check runs in a subshell, in one beside it.
hostile() {
	local what=$1 said=/tmp/hostile.$1
	: >"$said"
	/tmp/peer/smbdr-hostile "$what" "$addr" "$port" "$2" >"$said" 2>&1 &
	echo $! >"$said.pid"
	wait_for "$settle" hostile_settled "$said" $!
	cat "$said"
	grep -q '^ready' "$said"
}
pid_of() { cat "/tmp/hostile.$1.pid"; }
hostile_settled() { grep -qE '^(ready|failed)' "$1" || ! kill -0 "$2" 2>/dev/null; }
hostile_value() { awk -v k="$2" '/^ready/ { for (i = 2; i < NF; i += 2) if ($i == k) print $(i + 1) }' "/tmp/hostile.$1"; }
# It looks at its connections many times a second, and fails when one is over.
alive() {
	cat "/tmp/hostile.$1"
	kill -0 "$(pid_of "$1")" && ! grep -q '^failed' "/tmp/hostile.$1"
}
# Killed, not asked to go: the kernel disconnects for it.
hostiles_end() {
	local file
	for file in /tmp/hostile.*.pid; do
		[ -e "$file" ] || continue
		kill -KILL "$(cat "$file")" 2>/dev/null
		wait_for 10 hostile_gone "$(cat "$file")" || ktap_fail "$file does not end"
		rm "$file"
	done
}
hostile_gone() { ! kill -0 "$1" 2>/dev/null; }

# Each server has a port of its own: set before check, which runs in a subshell.
server() { echo "start $port $addr${1:+ $1}" >"$SMBDR_DEBUG/echo"; }
server_ends() { echo stop >"$SMBDR_DEBUG/echo"; }
exchange() { job exchange "$addr" 300; }

# Connected and silent, more than the backlog: those in excess are refused, nobody else suffers,
# and all are thrown out when the time for the negotiation is over.
squatters() {
	local before
	port=$((port + 1))
	check 'squatters: server' server "backlog=$backlog negotiate=3000" || return
	before=$(qps_of_others)
	check 'squatters: three times the backlog' hostile squat $((3 * backlog))
	check 'squatters: no more than the backlog wait' at_most "$(($(kernel_qps) - before))" "$backlog"
	check 'squatters: the others are refused' test "$(hostile_value squat refused)" -gt 0
	check 'squatters: others work' exchange
	check 'squatters: thrown out' wait_for 15 kernel_qps_are "$before"
	check 'squatters: room for one that negotiates' hostile generous 1
	hostiles_end
	check 'squatters: server ends' server_ends
}

# They ask for a connection and cannot take the answer. With rxe a keepalive ends them; siw ends a
# connection whose peer has no receive posted by itself.
half_open() {
	local before passive late count=20
	port=$((port + 1))
	check 'half open: server' server 'interval=1000 timeout=1000' || return
	before=$(qps_of_others)
	passive=$(counter ConnPassive) late=$(counter Timeouts)
	check 'half open: they negotiate' hostile deaf "$count"
	check 'half open: for the server they are connected' wait_for 10 counter_is ConnPassive \
		"$((passive + count))"
	check 'half open: others work' exchange
	check 'half open: thrown out' wait_for 15 kernel_qps_are "$before"
	[ "$type" != rxe ] ||
		check 'half open: each by a keepalive' counter_is Timeouts "$((late + count))" ||
		ktap_diag "$(counter Timeouts) timeouts, $late before"
	hostiles_end
	check 'half open: server ends' server_ends
}

# costs BEHAVIOUR COUNT KIB: so many may cost the machine so much each, without what the peer
# itself has.
costs() {
	local what=$1 count=$2 kib=$3 before socks grown charged_part=2
	# With what debugging keeps beside and behind each object.
	# shellcheck disable=SC2154 # consumer.sh
	[ "$consumer_scale" = 100 ] || kib=$((kib * 2)) charged_part=4
	port=$((port + 1))
	socks=$(sockets_of_others)
	check "$what: server" server '' || return
	before=$(used)
	if check "$what: they get so much and no more" hostile "$what" "$count"; then
		grown=$(($(used) - before - $(anon "$(pid_of "$what")")))
		echo "$what: $((grown / count)) KiB for each of $count, $(cat "/tmp/hostile.$what")" >&2
		check "$what: memory of each" at_most "$((grown / count))" "$kib"
		case $what in
		unfinished | slow | wide)
			# So much cannot be hidden by what comes and goes in the machine.
			check "$what: they do take memory" test "$grown" -gt 0
			check "$what: a fair part of it is charged" at_most \
				"$((grown / charged_part))" "$(($(charged) + 2048))"
		esac
		check "$what: a socket for each" test "$(($(sockets) - socks))" -eq "$((count + 1))"
		check "$what: others work" exchange
		check "$what: they are still connected" alive "$what"
	fi
	hostiles_end
	check "$what: server ends" server_ends
	check "$what: their sockets go" wait_for 20 sockets_are "$socks"
	check "$what: their memory goes" wait_for 20 used_at_most "$((before + 16384))"
}
sockets_are() { [ "$(sockets)" = "$1" ]; }
sockets_of_others() {
	wait_for 10 sockets_are 0
	sockets
}
used_at_most() { [ "$(used)" -le "$1" ]; }

# The rate of others, alone and beside these, by turns. 0 if a transfer does not get through.
rate() {
	if bench ours hashed "$addr" 0 1 500 >&2; then bench_rate; else echo 0; fi
}
# The middle rate beside others, in percent of the middle one alone. A single round is off by half in
# either direction where other kernels run beside this one, so this finds those who take most of the
# rate.
middle() { printf '%s\n' "$@" | sort -n | sed -n "$(($# / 2 + 1))p"; }
rates_fair() {
	echo "alone ${alone[*]}, beside ${beside[*]}"
	[[ " ${alone[*]} ${beside[*]} " != *' 0 '* ]] || { echo 'a transfer fails'; return 1; }
	[ "$(($(middle "${beside[@]}") * 100 / $(middle "${alone[@]}")))" -ge 50 ]
}
unaffected() {
	local alone=() beside=()
	port=$((port + 1))
	check 'rates: the benchmark loads' bench_load || return
	check 'rates: server' server "backlog=$backlog" || return
	while [ "${#alone[@]}" -lt 5 ]; do
		alone+=("$(rate)")
		# No more at once than may wait, or some are refused.
		hostile slow 3 >&2 &
		hostile unfinished 3 >&2 &
		hostile generous 2 >&2 &
		wait -n && wait -n && wait -n && hostile squat "$backlog" >&2 ||
			ktap_fail "rates: round ${#alone[@]}"
		beside+=("$(rate)")
		hostiles_end
	done
	rates_fair >&2
	check 'rates: at least half of alone' rates_fair
	check 'rates: server ends' server_ends
	check 'rates: the benchmark unloads' wait_for 20 unload_module smbdr_bench
}

for type in siw rxe; do
	# shellcheck disable=SC2034 # for ktap_line
	KTAP_GROUP="limits $type"
	addr=$(transport_addr "$type v4")
	check 'consumer loads' load_consumer none "$type v4" || continue
	# What the first ones of all leave in caches is not theirs.
	check 'an exchange before all' exchange
	squatters
	half_open
	costs generous 8 8192
	costs miser 8 8192
	costs announced 16 512
	costs unfinished 16 8192
	costs wide 16 8192
	costs slow 4 24576
	costs slow_small 1 24576
	# shellcheck disable=SC2154 # consumer.sh
	[ "$consumer_scale" != 100 ] || unaffected
	check 'consumer goes' unload_consumer
done
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
