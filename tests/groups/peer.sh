#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A program that speaks SMB Direct by hand, well and badly, with sockets of ours: servers that echo,
# and a client. Microsoft's MS-SMBD test cases are among what it does, by their names. With
# ONLY=peer.PATTERN (run.sh) only scenarios with such a name run.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

peer_compiles
need_module
peer=/tmp/peer/smbdr-peer
scenarios=$("$peer" 2>&1 | sed 1d)
names=$(awk '{ print $1 }' <<<"$scenarios" | sort)
# The cases of the suite and their mirrors stand in a table of the documentation.
table=$(awk '/^   \* - ``(BVT_)?Smbd/ { on = 1 } /^$/ { on = 0 } on' \
	/run/top/Documentation/networking/smbdirect-testing.rst)
cases=$(sed -nE 's/^   \* - ``(\w+)``$/\1/p' <<<"$table" | sort -u)
mirrors=$(grep -oE '``client_\w+``' <<<"$table" | tr -d '`' | sort -u)
# Prints those of the names $1 that are no scenarios.
absent() { comm -23 <(echo "$1") <(echo "$names") | grep . && return 1 || return 0; }
check 'the suite has 42 cases' test "$(wc -l <<<"$cases")" = 42
check 'each is a scenario' absent "$cases"
check 'each has a mirror' test "$(grep -c '^     - .*``client_' <<<"$table")" = 42
check 'each mirror is a scenario' absent "$mirrors"
check 'there are more scenarios' test "$(grep -cvE '^(BVT_)?Smbd' <<<"$names")" -ge 84
only=${ONLY#peer.}
if [ -n "$only" ]; then
	# shellcheck disable=SC2053 # a pattern
	scenarios=$(while read -r name rest; do
		[[ $name != $only ]] || echo "$name $rest"
	done <<<"$scenarios")
	check "there are scenarios $only" test -n "$scenarios"
fi
echo_write() { echo "$*" >"$SMBDR_DEBUG/echo"; }
# serves NAME TRANSPORT OPTIONS...: start this server if there is a scenario for it.
serves() {
	local at=$((port++))
	ports["$2 $1"]=$at
	! grep -qE "^ *\S+ +$1 " <<<"$scenarios" ||
		check "$1 server starts" echo_write start "$at" "${addrs[$2]}" "${@:3}"
}

# It waits for nothing longer than ten seconds itself, but 65536 messages take their time.
limit=$(scaled 60) many_limit=$(scaled 240)
! emulated || many_limit=$(scaled 1200)
# What a scenario says, and then how it has ended, for the results in the order of the list.
files=/tmp/scenarios
mkdir "$files"
# play NAME TRANSPORT ADDRESS PORT
play() {
	local file="$files/$2 $1" at=${EPOCHREALTIME/./} limit=$limit
	[ "$1" != SmbdDataTransfer_SmallLengthSegment ] || limit=$many_limit
	timeout "$limit" "$peer" "$1" "$3" "$4" </dev/null >"$file" 2>&1
	echo $? >"$file.status"
	echo "$(((${EPOCHREALTIME/./} - at) / 1000)) ms $2 $1" >&2
}
# together COUNT PACE: play the scenarios of this pace on all devices, so many at a time.
together() {
	local transport name other pace at start=$SECONDS
	while read -r name other pace _; do
		[ "$pace" = "$2" ] || continue
		for transport in "${DEVICES[@]}"; do
			# Counted anew, because wait -n may tell of a job for a second time.
			while [ "$(jobs -rp | wc -l)" -ge "$1" ]; do wait -n; done
			at=${ports["$transport $other"]:-$((port++))}
			play "$name" "$transport" "${addrs[$transport]}" "$at" &
		done
	done <<<"$scenarios"
	wait
	echo "$2: $((SECONDS - start)) s" >&2
}
# The result of one.
played() {
	local file="$files/$2 $1" status=none
	read -r status <"$file.status"
	if [ "$status" = 0 ]; then
		ktap_pass "$1"
	else
		ktap_fail "$1" "it gave $status: $(cat "$file")"
	fi
}

check 'consumer loads' load_consumer none "${DEVICES[0]}"
# Of the servers. Scenarios that have another end of their own get the next ports.
declare -A addrs ports
port=9500
group=$KTAP_GROUP
for transport in "${DEVICES[@]}"; do
	KTAP_GROUP="$group $transport"
	addrs[$transport]=$(transport_addr "$transport")
	# A second stands for two minutes; five seconds are five, or three.
	serves echo "$transport"
	serves idle "$transport" interval=1000
	serves hasty "$transport" interval=1000 timeout=3000
done
# Emulated, one is work enough.
many=8 few=4 cpus=$(nproc)
! emulated || many=1 few=1 cpus=1
together "$many" waiting
together "$few" busy
together "$cpus" heavy
for transport in "${DEVICES[@]}"; do
	KTAP_GROUP="$group $transport"
	while read -r name _; do played "$name" "$transport"; done <<<"$scenarios"
done
KTAP_GROUP=$group
# Of those that tried again and passed.
cat "$files"/* | grep '^# rerun'
check 'echo servers stop' echo_write stop
check 'consumer unloads' unload_consumer
ktap_plan
