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

counter() { awk -v n="$1" '$1 == n { print $2 }' /proc/net/smbdirect; }
positive() { [ "$(counter "$1")" -gt 0 ]; }
# The connections of the suite are closed in the background.
all_ended() { [ "$(counter ConnClosed)" = $(($(counter ConnActive) + $(counter ConnPassive))) ]; }

# The counters start from zero.
! module_loaded net_smbdirect || check 'the module goes' wait_for 20 unload_module net_smbdirect
need_module
check 'events can be enabled' sh -c "echo 1 >$events/enable"
use() {
	check "$1 on $2" load_consumer "smbdr_api.$1" "$2"
	kunit_results smbdr_api
	check "consumer goes after $1" unload_consumer
}
use api_frame_too_long 'siw v4'
use api_connect_refused 'rxe v4'
check 'what was established has ended' wait_for 20 all_ended
echo 0 >$events/enable
for event in "$events"/*/; do
	event=$(basename "$event")
	check "$event is documented" grep -q "\`\`$event\`\`" "$doc"
	# A failed work request needs a failing device, or a peer that dies in the right moment.
	[ "$event" = smbdr_wc_error ] || check "$event was seen" grep -q " $event: " "$tracing/trace"
done
echo >"$tracing/trace"

while read -r name _; do
	check "$name is documented" grep -qw "$name" "$doc"
done </proc/net/smbdirect
for name in ConnActive ConnPassive ConnClosed ConnFailed MsgSent MsgRcvd FrameSent FrameRcvd \
	BytesSent BytesRcvd CreditsGranted; do
	check "$name counts" positive "$name"
done
for what in Frame Bytes; do
	check "${what}Sent is ${what}Rcvd" test "$(counter ${what}Sent)" = "$(counter ${what}Rcvd)"
done
ktap_plan
