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
port=9500
many_limit=240
! emulated || many_limit=1200

echo_start() { echo "start $*" >"$SMBDR_DEBUG/echo"; }
# serves NAME OPTIONS...: start this server if there is a scenario for it.
serves() {
	! grep -qE "^ *\S+ +$1 " <<<"$scenarios" ||
		check "$1 server starts" echo_start "${ports[$1]}" "${@:2}"
}
echo_stop() { echo stop >"$SMBDR_DEBUG/echo"; }
# What it says of having to try again is a diagnostic of a scenario that passes, too.
play() {
	within "$1" "$peer" "${@:2}" </dev/null | tee /tmp/said
	return "${PIPESTATUS[0]}"
}
against() {
	local transport=$1 group=$KTAP_GROUP start=$SECONDS name other at limit
	KTAP_GROUP="$group $transport"
	# A second stands for two minutes; five seconds are five, or three.
	local -A ports=([echo]=$port [idle]=$((port + 1)) [hasty]=$((port + 2)) [client]=$((port + 3))
		[late]=$((port + 4)))
	port=$((port + 5))
	check 'consumer loads' load_consumer none "$transport"
	serves echo
	serves idle interval=1000
	serves hasty interval=1000 timeout=3000
	serves late late backlog=1 interval=1000 timeout=3000
	while read -r name other _; do
		at=${EPOCHREALTIME/./} limit=60
		# It waits for nothing longer than ten seconds itself, but 65536 messages take their time.
		[ "$name" != SmbdDataTransfer_SmallLengthSegment ] || limit=$many_limit
		check "$name" play "$limit" "$name" "$(transport_addr "$transport")" "${ports[$other]}"
		grep '^# rerun' /tmp/said
		echo "$(((${EPOCHREALTIME/./} - at) / 1000)) ms $transport $name" >&2
	done <<<"$scenarios"
	check 'echo servers stop' echo_stop
	check 'consumer unloads' unload_consumer
	echo "peer on $transport: $((SECONDS - start)) s" >&2
	KTAP_GROUP=$group
}
against 'siw v4'
against 'rxe v4'
ktap_plan
