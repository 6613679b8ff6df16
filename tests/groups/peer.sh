#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A program that speaks SMB Direct by hand, well and badly, with sockets of ours: servers that echo,
# and a client. Microsoft's MS-SMBD test cases are among what it does, by their names.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

# The checkout is read-only in here; the guest has the host's compiler.
if ! said=$(make -s -C /run/top/tests/peer BUILD=/tmp/peer 2>&1); then
	ktap_fail 'the peer compiles' "$said"
	exit 0
fi
need_transport
peer=/tmp/peer/smbdr-peer
scenarios=$("$peer" 2>&1 | sed 1d)
check 'the peer has its scenarios' test "$(wc -l <<<"$scenarios")" -ge 110
port=9500
many_limit=240
grep -qw hostfs /proc/filesystems || many_limit=1200	# emulated

echo_start() { echo "start $*" >"$SMBDR_DEBUG/echo"; }
echo_stop() { echo stop >"$SMBDR_DEBUG/echo"; }
against() {
	local bed=$1 group=$KTAP_GROUP start=$SECONDS name other at limit
	KTAP_GROUP="$group $bed"
	# Minutes of the test suite are seconds here.
	local -A ports=([echo]=$port [idle]=$((port + 1)) [hasty]=$((port + 2)) [client]=$((port + 3))
		[late]=$((port + 4)))
	port=$((port + 5))
	check 'consumer loads' load_consumer none "$bed"
	check 'echo server starts' echo_start "${ports[echo]}"
	check 'idle echo server starts' echo_start "${ports[idle]}" interval=1000 timeout=10000
	check 'hasty echo server starts' \
		echo_start "${ports[hasty]}" interval=1000 timeout=3000 negotiate=4000
	check 'late echo server starts' \
		echo_start "${ports[late]}" late backlog=1 interval=1000 timeout=3000
	while read -r name other _; do
		at=${EPOCHREALTIME/./} limit=60
		# It waits for nothing longer than ten seconds itself, but 65536 messages take their time.
		[ "$name" != SmbdDataTransfer_SmallLengthSegment ] || limit=$many_limit
		check "$name" timeout "$limit" "$peer" "$name" "$(bed_addr "$bed")" "${ports[$other]}" </dev/null
		echo "$(((${EPOCHREALTIME/./} - at) / 1000)) ms $bed $name" >&2
	done <<<"$scenarios"
	check 'echo servers stop' echo_stop
	check 'consumer unloads' unload_consumer
	echo "peer on $bed: $((SECONDS - start)) s" >&2
	KTAP_GROUP=$group
}
against 'siw v4'
against 'rxe v4'
ktap_plan
