#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Idle connections stay, and their keepalives do not multiply. What is idle takes no CPU time, and what
# is not takes few messages more than its data.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_module

messages_sent() { awk '$1 == "MsgSent" { print $2 }' /proc/net/smbdirect; }

# The suite is idle for about 20 s with an interval of 100 ms at each of two ends: 400 keepalives
# and as many answers, and few frames. Ping-pong would be hundreds of thousands.
keepalive() {
	local transport=$1 before after
	before=$(messages_sent)
	run_suite smbdr_keepalive "$transport"
	after=$(messages_sent)
	echo "keepalive on $transport: $((after - before)) messages" >&2
	check "$transport: messages bounded" test "$((after - before))" -lt 10000
}

# Hundredths of a second that the CPUs were at work since the machine started.
busy() { awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }
idle_seconds=3
busy_ticks() {
	local before
	before=$(busy)
	sleep "$idle_seconds"
	echo $(($(busy) - before))
}
# Three seconds of somebody who spins are 300, each time. The bed itself takes 20, and 40 beside others;
# emulated 150, so that there it is asked first.
idle_limit=$((20 * idle_seconds))
! emulated || idle_limit=$(($(busy_ticks) + 50 * idle_seconds))
rests() {
	local transport=$1 what=$2 ticks try
	for try in 1 2 3; do
		sleep 0.5	# what led here is over
		ticks=$(busy_ticks)
		echo "$transport, $what, try $try: $ticks of $((100 * idle_seconds)) ticks" >&2
		[ "$ticks" -gt "$idle_limit" ] || break
	done
	check "$transport: no CPU time for $what" test "$ticks" -le "$idle_limit"
}
# The echo server has a thread in accept() and one in recv() for each connection.
idle_cpu() {
	local transport=$1 addr n port
	addr=$(transport_addr "$transport")
	port=$(consumer_port)
	check "$transport: consumer loads" load_consumer none "$transport" || return
	check "$transport: a server starts" sh -c "echo start $port >$SMBDR_DEBUG/echo"
	rests "$transport" 'a listener, and a thread in accept()'
	for n in 1 2 3 4 5 6 7 8; do
		check "$transport: connection $n" sh -c "echo dial $addr $port 100 >$SMBDR_DEBUG/listening"
	done
	rests "$transport" 'eight connections with readers'
	check "$transport: the server's end of them goes" sh -c "echo stop >$SMBDR_DEBUG/echo"
	rests "$transport" 'eight connections that have ended'
	check "$transport: all had ended" sh -c "echo close >$SMBDR_DEBUG/listening"
}
# Most messages that carry no data are grants, one for a quarter of the credits.
few_grants() {
	local transport=$1 sent empty
	sent=$(messages_sent)
	empty=$(empty_sent)
	check "$transport: data one way" sh -c "echo $(transport_addr "$transport") 257 4 >$SMBDR_DEBUG/transfer"
	sent=$(($(messages_sent) - sent))
	empty=$(($(empty_sent) - empty))
	echo "$transport, data one way: $empty of $sent messages empty" >&2
	check "$transport: few of the messages are empty" test "$sent" -gt 1000 -a $((20 * empty)) -lt "$sent"
	check "$transport: consumer goes" unload_consumer
}
empty_sent() { awk '$1 == "EmptySent" { print $2 }' /proc/net/smbdirect; }

for transport in "${DEVICES[@]}"; do
	keepalive "$transport"
	idle_cpu "$transport"
	few_grants "$transport"
done
cat /proc/net/smbdirect >&2
ktap_plan
