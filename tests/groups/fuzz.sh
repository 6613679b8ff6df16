#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Connections that are a little wrong, by the thousand, to a socket that echoes and from a socket
# that wants an echo, and random socket calls. What our side sends to them is judged message by
# message, what the kernel says of it at the end of the run. On the kernel's command line:
# smbdr_fuzz_seed where to begin, by default the time, smbdr_fuzz_seconds how long to go on for each
# bed; one round at least.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

peer_compiles
need_module
# A round uses as many seeds as it makes connections: runs that follow each other share none.
first=$(param smbdr_fuzz_seed "$(date +%s)000")
time=$(param smbdr_fuzz_seconds 0)
conns=500 clients=100 calls=3000
ktap_diag "seed $first"

fuzz_peer() { /tmp/peer/smbdr-peer "$@" >/tmp/said; }
# One round from seed $2: connections to a server, servers of a client, then calls of four threads.
# A result that fails names the seed with its command.
round() {
	local transport=$1 seed=$2 status
	check "connections $transport" fuzz_peer fuzz "$(transport_addr "$transport")" "$port" "$seed" "$conns"
	ktap_diag "$(cat /tmp/said)"
	check "servers $transport" \
		fuzz_peer fuzz_clients "$(transport_addr "$transport")" "$((port + 10))" "$seed" "$clients"
	ktap_diag "$(cat /tmp/said)"
	check "socket calls $transport" sh -c "echo $seed $calls >$SMBDR_DEBUG/fuzz"
	status=$?
	ktap_diag "$(cat "$SMBDR_DEBUG/report")"
	return "$status"
}

port=9600
for transport in "${DEVICES[@]}"; do
	port=$((port + 1))
	check "consumer loads for $transport" load_consumer none "$transport"
	check "echo server starts for $transport" sh -c "echo start $port >$SMBDR_DEBUG/echo"
	start=$SECONDS seed=$first
	while round "$transport" "$seed"; do
		seed=$((seed + conns))
		[ $((SECONDS - start)) -lt "$time" ] || break
	done
	rounds=$(((seed - first) / conns))
	ktap_diag "$transport, from seed $first: $((rounds * conns)) connections, $((rounds * clients)) servers and \
$((rounds * 4 * calls)) calls in $((SECONDS - start)) s"
	check "echo server stops for $transport" sh -c "echo stop >$SMBDR_DEBUG/echo"
	check "consumer unloads for $transport" unload_consumer
done
cat /proc/net/smbdirect >&2
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
