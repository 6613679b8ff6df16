#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Idle connections stay, and their keepalives do not multiply.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_transport

messages_sent() { awk '$1 == "MsgSent" { print $2 }' /proc/net/smbdirect; }

# The suite is idle for about 20 s with an interval of 100 ms at each of two ends: 400 keepalives
# and as many answers, and few frames. Ping-pong would be hundreds of thousands.
keepalive() {
	local bed=$1 before after
	before=$(messages_sent)
	run_suite smbdr_keepalive "$bed"
	after=$(messages_sent)
	echo "keepalive on $bed: $((after - before)) messages" >&2
	check "$bed: messages bounded" test "$((after - before))" -lt 10000
}
keepalive 'siw v4'
keepalive 'rxe v4'
cat /proc/net/smbdirect >&2
ktap_plan
