#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory is short: while jobs are at work, one of so many requests for memory is refused, whoever makes
# it, each time another one. A job either does all that it has to, every frame and every page compared,
# or ends with an errno that tells of this. It never takes long, what it held is given back, and
# when there is memory again all works.
#
# The kernel's own failslab and fail_page_alloc do it, to the process that starts a job and to the
# job's threads, so to all that is called from a socket call. With siw also to the kernel's workers, where
# they cannot wait for memory: completions, events, TCP. Not where they can: siw_accept_newconn() gives
# its listener back once too often then, and the kernel dies when that is closed. Not with rxe: the
# connection manager's packets would be among what is lost, and it repeats them only after seconds. What
# becomes of each single call of ours is failnth's.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/rerun.sh
. /run/top/tests/consumer/rerun.sh
# shellcheck source=../bench/bench.sh
. /run/top/tests/bench/bench.sh

failslab=/sys/kernel/debug/failslab pages=/sys/kernel/debug/fail_page_alloc
if [ ! -e "$failslab" ] || [ ! -e "$pages" ]; then
	ktap_skip 'memory is short' 'no failslab in this kernel'
	exit 0
fi
budget=1000000000	# refusals, more than there can be
seconds=8
patience=5	# seconds after which a call gives up; two of a job may, one after the other
! emulated || { seconds=24 patience=15; }
patience=$(scaled "$patience")
limit=$((2 * patience + 2))
# What vmalloc() says when somebody had no memory, which is what happens here: who did something wrong
# is told of by more than a trace.
log_expect 'Call Trace:$'

need_module

set_both() {
	local f
	for f in "$failslab/$1" "$pages/$1"; do
		[ ! -e "$f" ] || echo "$2" >"$f" || return
	done
}
workers_may_fail() {
	local p
	for p in /proc/[0-9]*; do
		case $(cat "$p/comm") in kworker*) echo "$1" >"$p/make-it-fail" ;; esac
	done 2>/dev/null
}
# shortage ONE_OF WHO: WHO is N if those who can wait for memory are refused as well, Y if not. Which
# request it is is left to chance.
shortage() {
	set_both probability 0 && set_both verbose 0 && set_both task-filter Y && set_both space 0 &&
		set_both min-order 0 && set_both ignore-gfp-highmem N &&
		set_both ignore-gfp-wait "$2" && set_both times "$budget" &&
		set_both interval "$(($1 / 2))" && set_both probability 50
}
refusals() { echo "$((2 * budget - $(cat "$failslab/times") - $(cat "$pages/times")))"; }

# job FILE WORDS...: what the errno means, or nothing. The file is opened while there is memory.
job() {
	local file=$SMBDR_DEBUG/$1
	[ "$1" != bench ] || file=$BENCH_DEBUG/run
	shift
	(
		[ -z "$short" ] || echo 1 >"/proc/$BASHPID/make-it-fail"
		echo "$*" >&3
	) 3>"$file" 2>&1 | sed 's/.*: //'
}
# What a user may be told: no memory, or no connection. Not that a call gave up waiting, and not what
# the jobs say of wrong data (EILSEQ, EBADMSG) and of threads that do not come back (ETIME, EBUSY).
# A listening port that TCP had no memory for is said to be in use, a socket's inode to be one too many;
# and siw may lose a step of connecting, which only the timeout of connect() ends.
may_say='Cannot allocate memory|No buffer space available|Connection (reset by peer|refused|timed out)'
may_say+='|Broken pipe|Transport endpoint is not connected|Address already in use'
may_say+='|Too many open files in system'
siw_may_say='|Operation now in progress'
# A job that was slow while rxe sent something again (rerun.sh) is not late, but for that it hangs.
attempt() {
	local start=${EPOCHREALTIME/./} repeated said ms
	repeated=$(rxe_repetitions)
	said=$(job "$@")
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
	[ "$(rxe_repetitions)" = "$repeated" ] && repeated=
	echo "$KTAP_GROUP, $*: ${said:-all there}, $ms ms${repeated:+, and rxe repeated itself}" >&2
	if [ -z "$said" ]; then
		good=$((good + 1))
	elif grep -qxE "$say" <<<"$said"; then
		ended=$((ended + 1))
	elif [ -n "$repeated" ] && [ "$said" = 'Software caused connection abort' ]; then
		rerun_note "$1" ECONNABORTED
	else
		ktap_fail "$1 works or ends as it may" "$* said: $said"
	fi
	if [ "$ms" -lt $((limit * 1000)) ]; then
		[ "$ms" -le "$slowest" ] || slowest=$ms
	elif [ -n "$repeated" ] && [ "$ms" -lt $((4 * limit * 1000)) ]; then
		rerun_note "$1" slow
	else
		ktap_fail "$1 ends in time" "$* took $ms ms, said: $said"
	fi
}
# works NAME JOB...: it does, though not always at once (rerun.sh).
works() {
	local name=$1 said repeated try errno
	shift
	for try in 1 2 3; do
		repeated=$(rxe_repetitions)
		said=$(job "$@")
		[ "$(rxe_repetitions)" != "$repeated" ] || break
		case $said in
		'Connection reset by peer') errno=ECONNRESET ;;
		'Software caused connection abort') errno=ECONNABORTED ;;
		*) break ;;
		esac
		[ "$try" = 3 ] || rerun_note "$1" "$errno"
	done
	if [ -z "$said" ]; then ktap_pass "$name"; else ktap_fail "$name" "$said"; fi
}
# rdma_job WORKLOAD SIZE DEPTH: every byte of it is looked at, or it is hashed at both ends.
rdma_job() { echo "ours $1 $(transport_addr "$transport") $(bench_port) $2 $3 20"; }

# while_short NAME ONE_OF WHO BED: all jobs over and over.
while_short() {
	local name=$1 transport=$4 addr end last short=1 slowest=0 say=$may_say
	addr=$(transport_addr "$transport")
	check "$name: memory becomes short" shortage "$2" "$3" || return
	[[ $transport == rxe* || $3 == N ]] || workers_may_fail 1
	[[ $transport == rxe* ]] || say=$may_say$siw_may_say
	end=$((SECONDS + seconds)) last=$((SECONDS + 4 * seconds))
	# Longer on a machine that is too slow to ask for memory that often.
	while [ "$SECONDS" -lt "$end" ] || { [ "$(refusals)" -lt 5 ] && [ "$SECONDS" -lt "$last" ]; }; do
		attempt exchange "$addr" 100
		attempt bench "$(rdma_job write 1048576 4)"
		attempt bench "$(rdma_job hashed_read 65536 1)"
	done
	set_both probability 0
	workers_may_fail 0
	check "$name: memory was refused" test "$(refusals)" -ge 5
	echo "$KTAP_GROUP, $name: $(refusals) refusals, $good jobs done, $ended ended, $slowest ms at most" >&2
}

# To make a connection takes hundreds of requests, over siw more of them are the callers'.
declare -A rare=(['siw v4']=600 ['rxe v4']=200)
for transport in "${DEVICES[@]}"; do
	# shellcheck disable=SC2034 # for ktap_line
	KTAP_GROUP="shortage $transport"
	before=$(rdma_counts) good=0 ended=0 short=
	check 'consumer loads' load_consumer none "$transport" "timeout=$((patience * 1000))" || continue
	check 'the benchmark loads' bench_load "timeout=$((patience * 1000))" || continue
	while_short 'for who cannot wait' 10 Y "$transport"
	while_short 'for all' "${rare[$transport]}" N "$transport"
	check "there was enough to go on with: $good jobs were done" test "$good" -gt 0
	check "and too little for others: $ended jobs ended" test "$ended" -gt 0
	works 'afterwards: frames both ways' exchange "$(transport_addr "$transport")" 500
	works 'afterwards: RDMA' bench "$(rdma_job write 1048576 4)"
	check 'RDMA objects as before' wait_for 10 same_rdma "$before"
	check 'the benchmark goes' wait_for 20 unload_module smbdr_bench
	check 'consumer goes' unload_consumer
done
ktap_plan
