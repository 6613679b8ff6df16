#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A bad network: packets are lost, repeated, late and out of order, and every frame still arrives
# whole and in its place.
#
# siw is TCP between two addresses of this machine, so its packets pass lo. rxe hands packets for
# its own address over inside, so it gets a link between two namespaces. What netem did is looked up
# in its own counters and in those of the transport that had to repair it: noise that nobody
# noticed would prove nothing.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

# Frames each way with rxe, over all variants; smbdr_noise_frames=NUMBER (run.sh: APPEND) asks for more.
# siw, whose repairs are TCP's, gets half of them. Emulated there is time for a tenth.
total=50000
! emulated || total=5000
total=${smbdr_noise_frames:-$total}
# NAME|what the transport had to repair|what netem does. rxe answers a gap by sending everything from
# there again, so with many gaps it never gets through; one packet of a hundred is enough to see.
variants='loss|lost|loss 1%
duplicates|repeated|duplicate 2%
reordering|late|delay 1ms reorder 99%
delay||delay 3ms
everything|lost repeated late|loss 0.3% duplicate 1% delay 500us reorder 99%'
count=0	# of a variant

all_there() { cat "$SMBDR_DEBUG/report"; grep -qx "frames $1 $1" "$SMBDR_DEBUG/report"; }
# exchange_all ADDR [PID]: a call has 90 s, which is plenty for so many frames. What the report says
# of time is that of the last call.
exchange_all() {
	local left=$count n
	while [ "$left" -gt 0 ]; do
		n=$((left < 5000 ? left : 5000))
		job exchange "$1 $n ${2:-}" && all_there "$n" || return
		left=$((left - n))
	done
}

# Counters of TCP by name: /proc/net/netstat has a line of names above a line of numbers.
tcp_stat() {
	awk -v k="$1" '!($1 in name) { name[$1] = $0; next }
		{ split(name[$1], n); for (i = 2; i <= NF; i++) if (n[i] == k) sum += $i }
		END { print sum + 0 }' /proc/net/netstat /proc/net/snmp
}
rxe_stat() { cat "/sys/class/infiniband/rxe1/ports/1/hw_counters/$1"; }
# How often the transport of type $1 has met packets that were $2.
met() {
	case "$1 $2" in
	'siw lost') tcp_stat RetransSegs ;;
	'siw repeated') echo "$(($(tcp_stat TCPDSACKOldSent) + $(tcp_stat TCPDSACKOfoSent)))" ;;
	'siw late') tcp_stat TCPOFOQueue ;;
	'rxe lost') rxe_stat rcvd_seq_err ;;
	'rxe repeated') rxe_stat duplicate_request ;;
	'rxe late') rxe_stat out_of_seq_request ;;
	esac
}

# At the devices by which the packets leave.
netem_on() {
	local type=$1
	shift
	if [ "$type" = siw ]; then
		tc qdisc add dev lo root netem limit 20000 "$@"
	else
		tc qdisc add dev va root netem limit 20000 "$@" &&
			ip netns exec other tc qdisc add dev vb root netem limit 20000 "$@"
	fi
}
netem_off() {
	if [ "$1" = siw ]; then
		tc qdisc del dev lo root
	else
		tc qdisc del dev va root && ip netns exec other tc qdisc del dev vb root
	fi
}
# Packets that netem let through and that it dropped, as "PASSED DROPPED".
netem_stat() {
	{
		if [ "$1" = siw ]; then
			tc -s qdisc show dev lo
		else
			tc -s qdisc show dev va
			ip netns exec other tc -s qdisc show dev vb
		fi
	} | awk '$1 == "qdisc" { on = $2 == "netem" }
		on && /Sent/ { passed += $4; sub(/,/, "", $7); dropped += $7 }
		END { print passed + 0, dropped + 0 }'
}

# Not before netem lets the packets go, which takes twice the delay of 3 ms there and back.
slowed_down() { cat "$SMBDR_DEBUG/report"; [ "$(value ping_us)" -ge 6000 ]; }

variant() {
	local type=$1 name=$2 kinds=$3 what=$4 to=$5 kind passed dropped now
	local -A before=()
	for kind in $kinds; do before[$kind]=$(met "$type" "$kind"); done
	# shellcheck disable=SC2086 # words
	check "$name: netem begins" netem_on "$type" $what || return
	# shellcheck disable=SC2086 # words
	check "$name: $count frames each way, whole and in their places" exchange_all $to
	read -r passed dropped <<<"$(netem_stat "$type")"
	echo "$type $name: $(value ms) ms, $passed packets passed, $dropped dropped" >&2
	check "$name: the packets went through netem" test "$passed" -gt "$count"
	case " $kinds " in *' lost '*) check "$name: netem dropped packets" test "$dropped" -gt 0 ;; esac
	[ "$name" != delay ] || check "$name: netem held them up" slowed_down
	for kind in $kinds; do
		now=$(met "$type" "$kind")
		echo "$type $name: $((now - before[$kind])) $kind" >&2
		check "$name: the transport met packets $kind" test "$now" -gt "${before[$kind]}"
	done
	check "$name: netem ends" netem_off "$type"
}

need_module
other_add || ktap_fail 'a second namespace'
for type in siw rxe; do
	# shellcheck disable=SC2034 # for ktap_line
	KTAP_GROUP="noise $type"
	check 'consumer loads' load_consumer none 'siw v4' || continue
	to=$SIW_V4 count=$((total / 2 / $(wc -l <<<"$variants")))
	[ "$type" = siw ] || to="10.79.0.2 $OTHER_PID" count=$((2 * count))
	while IFS='|' read -r name kinds what; do
		variant "$type" "$name" "$kinds" "$what" "$to"
	done <<<"$variants"
	check 'consumer goes' unload_consumer
done
check 'no RDMA resources stay' wait_for 10 rdma_idle
other_delete
check 'the namespace goes' wait_for 20 other_gone
ktap_plan
