#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Trace events and counters: what Documentation/networking/smbdirect-tracing.rst promises.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

tracing=/sys/kernel/tracing
events=$tracing/events/smbdirect_net
doc=/run/top/Documentation/networking/smbdirect-tracing.rst

counter() { awk -v n="$1" '$1 == n { print $2 }' "${2:-/proc/net/smbdirect}"; }
# The connections of the suite are closed in the background.
all_ended() { [ "$(counter ConnClosed)" = $(($(counter ConnActive) + $(counter ConnPassive))) ]; }

# mark, and then rises WHY COUNTER...: they have risen since. A counter that none of these names fails.
raised=''
mark() { cat /proc/net/smbdirect >/run/counters; }
rise() { echo $(($(counter "$1") - $(counter "$1" /run/counters))); }
rises() {
	local why=$1 name
	shift
	for name; do
		raised+=" $name"
		check "$name counts: $why" test "$(rise "$name")" -gt 0
	done
}
use() {
	mark
	check "$1 on $2" load_consumer "$1" "$2"
	kunit_results "${1%.*}"
	check "consumer goes after $1" unload_consumer
	check "connections of $1 have ended" wait_for 20 all_ended
}

# The counters start from zero.
! module_loaded net_smbdirect || check 'the module goes' wait_for 20 unload_module net_smbdirect
need_module
check 'events can be enabled' sh -c "echo 1 >$events/enable"
use smbdr_api.api_frame_too_long 'siw v4'
rises 'frames' ConnActive ConnPassive ConnClosed MsgSent MsgRcvd FrameSent FrameRcvd BytesSent \
	BytesRcvd CreditsGranted
for what in Frame Bytes; do
	check "${what}Sent is ${what}Rcvd" test "$(counter ${what}Sent)" = "$(counter ${what}Rcvd)"
done
for what in ConnFailed ConnAborted ProtoErrors Timeouts BacklogDrops; do
	check "$what does not count: all went well" test "$(counter $what)" = 0
done
use smbdr_api.api_connect_refused 'rxe v4'
rises 'refused' ConnFailed
use smbdr_api.api_connect_timeout 'rxe v4'
rises 'connect takes too long' Timeouts
use smbdr_rdma.rdma_counts_exact 'siw v4'
rises 'transfers' MrRegistered MrInvLocal RdmaRequests RdmaReads RdmaWrites RdmaReadBytes \
	RdmaWriteBytes
use smbdr_rdma_attack.stress_counts 'siw v4'
rises 'the peer invalidates' MrInvRemote
use smbdr_rdma_attack.stress_foreign_key 'rxe v4'
rises 'a foreign key' ProtoErrors ConnAborted
echo 0 >$events/enable
for event in "$events"/*/; do
	event=$(basename "$event")
	check "$event is documented" grep -q "\`\`$event\`\`" "$doc"
	check "$event was seen" grep -q " $event: " "$tracing/trace"
done
echo >"$tracing/trace"

addr=$(transport_addr 'siw v4') port=20600
echo_is() { echo "$*" >"$SMBDR_DEBUG/echo"; }
storm() { (echo "$*" >"$SMBDR_DEBUG/storm"); }
refused() { ! storm "$@" 2>/dev/null; }
# Of one moment.
keepalives_even() {
	awk 'NR == FNR { was[$1] = $2; next }
		{ n[$1] = $2 - was[$1] }
		END { exit n["KeepaliveSent"] != n["KeepaliveRcvd"] }' /run/counters /proc/net/smbdirect
}
check 'consumer loads' load_consumer none 'siw v4'
mark
at=${EPOCHREALTIME/./}
check 'a server with an interval of 100 ms' echo_is start $port interval=100
check 'an idle connection' storm dial "$addr" $port 0
sleep 1
rises 'an idle connection' KeepaliveSent KeepaliveRcvd EmptySent EmptyRcvd
asked=$(rise KeepaliveSent)
check 'one keepalive in 100 ms at most' test "$asked" -le $(((${EPOCHREALTIME/./} - at) / 100000 + 1))
check 'each of them arrives' wait_for 5 keepalives_even
check 'that server stops' echo_is stop
check 'the connection ends' storm end
mark
check 'a server that does not accept' echo_is start $((port + 1)) late backlog=1
check 'the backlog takes one' storm dial "$addr" $((port + 1)) 0
check 'and no second one' refused dial "$addr" $((port + 1)) 0
rises 'a full backlog' BacklogDrops
check 'that server stops, too' echo_is stop
check 'its connection ends' storm end
mark
check 'a reader that does not read' storm "open no_credits c 0 $addr $((port + 2))"
rises 'a reader that does not read' CreditStalls RxThrottled
check 'the connection is closed' storm act close
check 'its sockets go' storm end
check 'consumer goes' unload_consumer

while read -r name _; do
	check "$name is documented" grep -qw "$name" "$doc"
	check "$name was seen to rise" grep -qw "$name" <<<"$raised"
done </proc/net/smbdirect
ktap_plan
