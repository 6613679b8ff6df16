#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Idle connections stay, and their keepalives do not multiply. What is idle takes no CPU time, and what
# is not takes few messages more than its data.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../bench/bench.sh
. /run/top/tests/bench/bench.sh

need_module

messages_sent() { counter MsgSent; }

# The suite itself checks that an end asks once in its interval at most while the connection is open. This
# is about the whole suite, with the ends of its connections. Over iWARP an end that closes asks, in quick
# succession, whether its data has arrived (smbdr_conn_confirmed()). In the suite both ends close at once:
# then an end asks at most once for each of the 255 credits that its peer may have, and once more.
# Ping-pong would be hundreds of thousands.
keepalive() {
	local transport=$1 sent empty asked closed questions=0 ms=${EPOCHREALTIME/./}
	sent=$(messages_sent) empty=$(counter EmptySent) asked=$(counter KeepaliveSent)
	closed=$(counter ConnClosed)
	run_suite smbdr_keepalive "$transport"
	ms=$(((${EPOCHREALTIME/./} - ms) / 1000))
	sent=$(($(messages_sent) - sent)) empty=$(($(counter EmptySent) - empty))
	asked=$(($(counter KeepaliveSent) - asked)) closed=$(($(counter ConnClosed) - closed))
	[[ $transport != siw* ]] || questions=$((256 * closed))
	echo "keepalive on $transport: $sent messages, $empty empty, $asked keepalives in $ms ms, $closed ends" >&2
	check "$transport: there are keepalives" test "$asked" -ge $((ms / 400))
	check "$transport: but one of each end in an interval" test "$asked" -le $((2 * ms / 100 + questions))
	check "$transport: messages bounded" test "$empty" -le $((3 * asked))
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
# Three seconds of somebody who spins are 300, each time. The bed itself takes 20, up to 120 while others
# compile; emulated 150, so that there it is asked first. The middle one of three counts: two that agree.
idle_limit=$((40 * idle_seconds))
! emulated || idle_limit=$(($(busy_ticks) + 50 * idle_seconds))
rests() {
	local transport=$1 what=$2 ticks rest=0 busy=0
	while [ "$rest" -lt 2 ] && [ "$busy" -lt 2 ]; do
		sleep 0.5	# what led here is over
		ticks=$(busy_ticks)
		echo "$transport, $what: $ticks of $((100 * idle_seconds)) ticks" >&2
		if [ "$ticks" -le "$idle_limit" ]; then rest=$((rest + 1)); else busy=$((busy + 1)); fi
	done
	check "$transport: no CPU time for $what" test "$rest" = 2
}
# The echo server has a thread in accept() and one in recv() for each connection.
idle_cpu() {
	local transport=$1 addr n port asked most=8
	addr=$(transport_addr "$transport")
	port=$(consumer_port)
	check "$transport: consumer loads" load_consumer none "$transport" || return
	check "$transport: a server starts" sh -c "echo start $port >$SMBDR_DEBUG/echo"
	rests "$transport" 'a listener, and a thread in accept()'
	for n in 1 2 3 4 5 6 7 8; do
		check "$transport: connection $n" sh -c "echo dial $addr $port 100 >$SMBDR_DEBUG/storm"
	done
	rests "$transport" 'eight connections with readers'
	asked=$(counter KeepaliveSent)
	check "$transport: the server's end of them goes" sh -c "echo stop >$SMBDR_DEBUG/echo"
	rests "$transport" 'eight connections that have ended'
	# The interval of each may have passed just then. Over iWARP the end that closes asks eight times
	# at most (SMBDR_CONFIRM_ASKS) if the other end only answers.
	[[ $transport != siw* ]] || most=$((most + 8 * 8))
	asked=$(($(counter KeepaliveSent) - asked))
	echo "$transport, eight connections that end: $asked keepalives" >&2
	check "$transport: an end asks a few times at most" test "$asked" -le "$most"
	check "$transport: all had ended" sh -c "echo end >$SMBDR_DEBUG/storm"
	check "$transport: consumer goes" unload_consumer
}
# Messages that carry no data are grants, one for a quarter of the credits: of the few that a reader needs
# who keeps up, that is one for four messages, of many credits it is far less. Answers to grants would
# be as many as messages.
few_grants() {
	local transport=$1 sent empty
	sent=$(messages_sent)
	empty=$(counter EmptySent)
	check "$transport: data one way" bench ours oneway "$(transport_addr "$transport")" 1048576 1 "$one_way_ms"
	sent=$(($(messages_sent) - sent))
	empty=$(($(counter EmptySent) - empty))
	echo "$transport, data one way: $empty of $sent messages empty" >&2
	check "$transport: few of the messages are empty" test "$sent" -gt 1000 -a $((4 * empty)) -le "$sent"
}
one_way_ms=1000
! emulated || one_way_ms=15000

check 'the benchmark loads' bench_load
for transport in "${DEVICES[@]}"; do
	keepalive "$transport"
	idle_cpu "$transport"
	few_grants "$transport"
done
check 'the benchmark unloads' wait_for 20 unload_module smbdr_bench
cat /proc/net/smbdirect >&2
ktap_plan
