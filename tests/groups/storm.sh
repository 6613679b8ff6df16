#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every state of a socket, ended in every way: by its user, by its peer, by the device, the link,
# the namespace. All pairs of state and action that are possible come in an order that is chance, each
# once before any comes again. The seed is in the results, and the same seed
# (smbdr_storm_seed=NUMBER) gives the same rounds. 30 seconds for each driver, and longer if not
# every state and every action has come by then; or smbdr_storm_rounds=NUMBER for each driver
# (run.sh: APPEND).
#
# Nothing may take long, no thread may be left behind or end before its connection does or with
# an error that does not tell of that, a connection whose peer is gone ends by itself, and when all is
# over nothing is left.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

peer_compiles hostile
need_module
seed=${smbdr_storm_seed:-$((EPOCHSECONDS % 32768))}
rounds=${smbdr_storm_rounds:-}
ktap_diag "seed $seed"

states=(listening connecting resolving unanswered squatted idle no_credits half_frame transfers
	registered shutting closing)
actions=(close shutdown kill peer unload link_del namespace silence link_down)
deaf_port=20001
deaf_pid='' far_pid='' squat_pid=''

# A process of its own: the end of one that this shell started would interrupt the call.
storm() { (echo "$*" >"$SMBDR_DEBUG/storm"); }
report() { tr '\n' ' ' <"$SMBDR_DEBUG/report"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
kill_user() { [ -z "$1" ] || { kill -KILL "$1" 2>/dev/null; wait_for 10 gone "$1"; }; } 2>/dev/null
says_ready() { grep -q ^ready "$1"; }
# Sockets hold the module, beside the test module that uses its functions.
sockets_hold() { [ "$(cat /sys/module/net_smbdirect/refcnt)" -gt 1 ]; }

# user_program BEHAVIOUR ADDR PORT COUNT [COMMAND...]: COMMAND starts it.
user_program() {
	local said=/tmp/storm.$1
	: >"$said"
	"${@:5}" /tmp/peer/smbdr-hostile "${@:1:4}" >"$said" 2>&1 &
	pid=$!
	wait_for 10 says_ready "$said" || { cat "$said"; return 1; }
}

# The device as it was, after it or its link was taken away.
device_back() {
	ip link set "d$1" up
	rdma link show "${1}0/1" >/dev/null 2>&1 || rdma link add "${1}0" type "$1" netdev "d$1"
	[ "$1" = siw ] && ip -6 addr replace fd77::1/64 dev dsiw nodad
	[ "$1" = rxe ] && ip -6 addr replace fd78::1/64 dev drxe nodad
	wait_for 10 device_ready "$1"
}
device_ready() {
	rdma link show "${1}0/1" | grep -q 'state ACTIVE' || return 1
	[ "$1" != rxe ] ||
		grep -q 0000:0000:0000:0000:0000:ffff:0a4e:0001 /sys/class/infiniband/rxe0/ports/1/gids/*
} 2>/dev/null

other_there() {
	[ -z "$OTHER_PID" ] || return 0
	# The first request may find that no neighbour is known, and is sent again only after four
	# seconds: longer than a connect() of the storm waits.
	other_add && ip netns exec other bash -c 'echo >/dev/udp/10.79.0.1/9' &&
		(echo "10.79.0.2 1 $OTHER_PID" >"$SMBDR_DEBUG/exchange")
}

# What cannot be had here.
possible() {
	case "$1 $2 $3" in
	# siw connects its TCP socket in the call, and waits for the answer for minutes, which nobody can
	# interrupt.
	'siw resolving '* | 'siw connecting silence') return 1 ;;
	# There is no second namespace for siw, see other_add().
	'siw '*' namespace') return 1 ;;
	# Nobody lives at that address: there is no peer, nor its namespace, and it is silent anyway.
	*' resolving peer' | *' resolving namespace' | *' resolving silence') return 1 ;;
	# The state is that one end was closed; the actions are for the other one.
	*' closing peer') return 1 ;;
	esac
}

# shuffle: $deck in another order.
shuffle() {
	local i j card
	for ((i = ${#deck[@]} - 1; i > 0; i--)); do
		j=$((RANDOM % (i + 1))) card=${deck[i]}
		deck[i]=${deck[j]} deck[j]=$card
	done
}
# deal DRIVER PASS: $deck becomes all pairs of the driver, and ${ends[PAIR]} an end for each: in
# every other pass the one that it did not have before. The first pass begins with each action and each
# state, $least pairs, and what takes seconds comes last in it: a short run does not come that far.
declare -A ends
deal() {
	local type=$1 pass=$2 state action pair want
	local -a first=() rest=() slow=()
	local -A seen=()
	# Anew: how many numbers were drawn before may be a question of time.
	RANDOM=$((seed + 65537 * pass))
	deck=()
	for state in "${states[@]}"; do
		for action in "${actions[@]}"; do
			! possible "$type" "$state" "$action" || deck+=("$state $action")
		done
	done
	shuffle
	for pair in "${deck[@]}"; do
		if [ $((pass % 2)) = 0 ]; then
			ends[$pair]=c
			[ $((RANDOM % 2)) = 0 ] || ends[$pair]=s
		else
			ends[$pair]=$(tr cs sc <<<"${ends[$pair]}")
		fi
	done
	[ "$pass" = 0 ] || return 0
	# Pairs of which both are new, as far as there are any, then those of which one is.
	for want in '' '?'; do
		for pair in "${deck[@]}"; do
			read -r state action <<<"$pair"
			# shellcheck disable=SC2254 # a pattern
			case ${seen[$state]}${seen[$action]} in
			$want) first+=("$pair") seen[$state]=1 seen[$action]=1 seen[$pair]=1 ;;
			esac
		done
	done
	least=${#first[@]}
	for pair in "${deck[@]}"; do
		[ -z "${seen[$pair]}" ] || continue
		case $pair in
		*silence | *link_down) slow+=("$pair") ;;
		*) rest+=("$pair") ;;
		esac
	done
	deck=("${first[@]}" "${rest[@]}" "${slow[@]}")
}

# One round: prints what went wrong. Not in a subshell, because it starts processes.
round() {
	local type=$1 state=$2 end=$3 action=$4 port=$5 pause=$6 at pid=0 ended=ended open=$2
	at=$(transport_addr "$type v4")
	case $type-$action in
	rxe-namespace | rxe-silence)
		other_there || { echo 'no second namespace'; return 1; }
		at=10.79.0.2 pid=$OTHER_PID ;;
	esac
	case $state-$pid in
	unanswered-0)
		if [ -z "$deaf_pid" ] || gone "$deaf_pid"; then
			deaf_port=$((deaf_port + 1))
			user_program serve_deaf "$at" "$deaf_port" 1 || return
			deaf_pid=$!
		fi
		port=$deaf_port ;;
	unanswered-*)
		user_program serve_deaf "$at" "$port" 1 ip netns exec other || return
		far_pid=$! ;;
	squatted-*) open=listening ;;
	esac
	# Between namespaces a lost request is sent again later than a connect() waits, see other_there().
	storm open "$open" "$end" "$pid" "$at" "$port" ||
		{ [ "$pid" != 0 ] && [ -z "$far_pid" ] && port=$((port + 1)) &&
			storm open "$open" "$end" "$pid" "$at" "$port"; } ||
		{ echo 'cannot open'; return 1; }
	if [ "$state" = squatted ]; then
		user_program squat "$at" "$port" 2 || return
		squat_pid=$!
	fi
	[ "$pause" = 0 ] || sleep "$pause"

	# A full queue goes on being sent for a while, to a reader that does not read, whatever its end does.
	# TCP between two addresses of one machine does not need their link.
	case "$state-$end-$action" in
	*-link_down) [ "$type" != siw ] || ended=end ;;
	no_credits-c-close | no_credits-c-shutdown | no_credits-c-kill | no_credits-s-peer) ended=end ;;
	shutting-c-close | shutting-c-shutdown | shutting-c-kill | shutting-s-peer) ended=end ;;
	unanswered-*-namespace) ;;
	*-unload | *-namespace) ended=end ;;
	esac
	case $action in
	close | shutdown) storm act "$action" || { echo "$action takes too long, or a thread says why"; return 1; } ;;
	kill)
		storm act kill || { echo 'threads do not end, or not as they should'; return 1; }
		kill_user "$squat_pid" ;;
	peer)
		case $state in
		unanswered) kill_user "$deaf_pid" ;;
		*) storm act peer || { echo 'close takes too long, or a thread says why'; return 1; } ;;
		esac ;;
	unload)
		sockets_hold || { echo 'the module has no users'; return 1; }
		within 10 rmmod net_smbdirect 2>/dev/null && { echo 'the module was unloaded'; return 1; } ;;
	link_del)
		# A program that has the device open keeps it.
		kill_user "$deaf_pid"
		kill_user "$squat_pid"
		within 20 rdma link delete "${type}0" || { echo 'the device does not go'; return 1; } ;;
	link_down) ip link set "d$type" down ;;
	silence)
		if [ "$type" = siw ]; then
			tc qdisc add dev lo root netem loss 100%
		else
			tc qdisc add dev va root netem loss 100%
			ip netns exec other tc qdisc add dev vb root netem loss 100%
		fi ;;
	namespace)
		other_delete
		kill_user "$far_pid" ;;
	esac
	storm "$ended" || { echo "$ended: $(report)"; return 1; }
	kill_user "$squat_pid"
	kill_user "$far_pid"
	squat_pid='' far_pid=''
	case $action in
	link_del | link_down)
		# rxe lets nobody connect any more after its link was down.
		kill_user "$deaf_pid"
		[ "$type-$action" != rxe-link_down ] || within 20 rdma link delete rxe0 ||
			{ echo 'the device does not go'; return 1; }
		device_back "$type" || { echo 'the device does not come back'; return 1; } ;;
	silence)
		if [ "$type" = siw ]; then
			tc qdisc del dev lo root
		else
			tc qdisc del dev va root
			ip netns exec other tc qdisc del dev vb root
		fi ;;
	namespace)
		wait_for 20 other_gone || { echo 'the namespace stays'; return 1; } ;;
	esac
}

for type in siw rxe; do
	# shellcheck disable=SC2034 # for ktap_line
	KTAP_GROUP="storm $type"
	before=$(rdma_counts)
	check 'consumer loads' load_consumer none "$type v4" || continue
	start=$SECONDS n=0 bad=0 pass=0
	deal "$type" 0
	pairs=${#deck[@]}
	while if [ -n "$rounds" ]; then [ "$n" -lt "$rounds" ]; else
		[ "$n" -lt "$least" ] || [ $((SECONDS - start)) -lt 30 ]
	fi; do
		if [ "$n" -ge $(((pass + 1) * pairs)) ]; then
			pass=$((pass + 1))
			deal "$type" "$pass"
		fi
		pair=${deck[n - pass * pairs]}
		read -r state action <<<"$pair"
		end=${ends[$pair]}
		port=$((20100 + RANDOM % 9000)) pause=0
		[ $((RANDOM % 2)) = 0 ] || pause=0.0$((RANDOM % 10))
		n=$((n + 1))
		echo "$SECONDS round $n: $state $end $action" >&2
		if ! round "$type" "$state" "$end" "$action" "$port" "$pause" >/tmp/storm.said 2>&1; then
			ktap_fail "round $n, seed $seed: $state, end $end, $action" "$(cat /tmp/storm.said)"
			bad=$((bad + 1))
			[ "$bad" -lt 3 ] || break
			storm end
			tc qdisc del dev lo root 2>/dev/null
			device_back "$type"
		fi
	done
	kill_user "$deaf_pid"
	kill_user "$far_pid"
	kill_user "$squat_pid"
	deaf_pid='' far_pid='' squat_pid=''
	check "$n rounds, $((n < pairs ? n : pairs)) of $pairs pairs" test "$bad" = 0
	if [ -n "$OTHER_PID" ]; then
		other_delete
		check 'the second namespace goes' wait_for 20 other_gone
	fi
	# At once: what is still on its way out is the module's business.
	check 'consumer goes' within 20 rmmod smbdr_test
	check 'the module goes' within 20 rmmod net_smbdirect
	check 'RDMA resources as before' test "$(rdma_counts | sort)" = "$(sort <<<"$before")"
	need_module
done
nothing_leaks
ktap_plan
