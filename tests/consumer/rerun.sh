# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What may run again, and how that is told; sourced after consumer.sh.
#
# rxe sends again what was not answered for half a second, as happens on a machine with more to do than
# it can. The other end takes the repetition of a read, whose region is gone by then, for an attack and
# ends the connection. So a case that failed with ECONNRESET or ECONNABORTED while rxe counted a
# repetition may run again. Wrong content, a hang or a leak may not, whatever rxe did.
# Each time is told by a line "# rerun: GROUP CASE ERRNO", for run.sh to count.

rerun_note() { ktap_diag "rerun: $KTAP_GROUP $1 $2"; }

# What the cases among KUnit results failed with: lines "CASE ERRNO". ERRNO is ECONNRESET or
# ECONNABORTED if every expectation of the case that failed says so or follows from it, which is that
# the next call gets EPIPE and that the connection's regions stay registered; else it is "-".
failed_with() {
	awk '
		function expectation() {
			if (!open) return
			if (text ~ /-104([^0-9]|$)/) reset = 1
			else if (text ~ /-103([^0-9]|$)/) aborted = 1
			else if (text !~ /-32([^0-9]|$)|st_regions_left\(\)/) other = 1
			open = 0
			text = ""
		}
		function flush() {
			expectation()
			if (name) print name, other || !(reset || aborted) ? "-" : \
				reset ? "ECONNRESET" : "ECONNABORTED"
			name = ""
			reset = aborted = other = 0
		}
		/^(not )?ok / { flush() }
		/^not ok .* kunit [^ ]+\.[^ ]+/ {
			name = $0
			sub(/.* kunit [^ .]*\./, "", name)
			sub(/[: ].*/, "", name)
		}
		/(EXPECTATION|ASSERTION) FAILED at/ { expectation(); open = 1 }
		{ if (open) text = text $0 "\n" }
		END { flush() }' | sort -u
}

# Results without those of the case $1.
without_case() {
	awk -v name="$1" '
		/^(not )?ok / { mine = $0 ~ " kunit [^ .]*\\." name "($|[: ])" }
		!mine'
}

# run_case SUITE CASE BED: a case alone, with its results.
run_case() {
	local suite=$1 case=$2 transport=$3 group=$KTAP_GROUP
	KTAP_GROUP="$group $transport"
	if check "load for $case" load_consumer "$suite.$case" "$transport"; then
		kunit_results "$suite"
		check "unload after $case" unload_consumer
	fi
	KTAP_GROUP=$group
}

# run_suite_again SUITE BED: as run_suite, but what may run again does, twice at most.
run_suite_again() {
	local suite=$1 transport=$2 said more failed case errno repeated try
	repeated=$(rxe_repetitions)
	said=$(run_suite "$suite" "$transport")
	for try in 1 2; do
		[[ $transport == rxe* && $said == *'not ok'* && $(rxe_repetitions) != "$repeated" ]] || break
		failed=$(failed_with <<<"$said")
		echo "$suite on $transport, try $try, failed: $failed" >&2
		if [ -z "$failed" ] || grep -q ' -$' <<<"$failed"; then break; fi
		repeated=$(rxe_repetitions)
		while read -r case errno; do
			rerun_note "$transport $suite.$case" "$errno"
			more=$(run_case "$suite" "$case" "$transport")
			said=$(without_case "$case" <<<"$said")$'\n'$more
		done <<<"$failed"
	done
	echo "$said"
	ktap_count=$((ktap_count + $(grep -cE '^(not )?ok' <<<"$said")))
}
