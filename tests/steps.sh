# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Runs steps and adds up what they say; sourced by check.sh and soak.sh.
#
#	beside NAME COMMAND...	run it if NAME matches STEPS, an expression, beside up to BOOTS - 1
#				others; each line says which step it is of
#	steps_end		wait for all, tell what was run and what of it failed, print the total;
#				its status is that
#
# A command whose last line is "N passed, N failed[, N skipped]" counts as that, any other as one
# test.

# Steps at a time. Most of what a kernel does is waiting, and each has its own devices: two CPUs are half
# idle with two boots.
boots=${BOOTS:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'stop; exit 130' INT TERM
steps=0

# one NUMBER NAME COMMAND...: run it, show its output, leave its totals and its time in a file.
one() {
	local n=$1 name=$2 status start=$SECONDS last p=0 f=0 s=0
	shift 2
	echo "$name" >"$work/name.$n"
	echo "== $name"
	"$@" </dev/null 2>&1 | tee "$work/said.$n"
	status=${PIPESTATUS[0]}
	last=$(grep -v '^make' "$work/said.$n" | tail -n 1)
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
		p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]} s=${BASH_REMATCH[4]:-0}
		# Totals without a failure and a bad status do not fit: something died.
		[ "$status" = 0 ] || [ "$f" != 0 ] || f=1
	elif [ "$status" = 0 ]; then
		p=1
	else
		f=1
	fi
	[ "$status" = 0 ] || echo "FAILED: $name"
	echo "   ($((SECONDS - start)) s)"
	echo "$p $f $s $((SECONDS - start))" >"$work/total.$n"
}
beside() {
	[[ $1 =~ ${STEPS:-.} ]] || return 0
	steps=$((steps + 1))
	while [ "$(jobs -rp | wc -l)" -ge "$boots" ]; do wait -n; done
	# A process group of its own, to stop all of it.
	set -m
	one "$steps" "$@" | sed -u "s/^/$steps| /" &
	set +m
}
stop() {
	local pid
	for pid in $(jobs -p); do kill -TERM -- "-$pid"; done 2>/dev/null
	wait
}

steps_end() {
	local n p f s time passed=0 failed=0 skipped=0
	wait
	echo '== passed, failed, skipped, seconds of each step'
	for ((n = 1; n <= steps; n++)); do
		# One that left no totals died.
		read -r p f s time <"$work/total.$n" || p=0 f=1 s=0 time=0
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
		printf '%6s %4s %4s %6s  %s%s\n' "$p" "$f" "$s" "$time" "$(cat "$work/name.$n")" \
			"$([ "$f" = 0 ] || echo ' FAILED')"
	done
	if [ "$failed" != 0 ]; then
		echo '== what failed, first of each step'
		for ((n = 1; n <= steps; n++)); do
			grep -a -m 5 '^ *not ok' "$work/said.$n" | cut -c 1-300 | sed "s/^/$n| /"
		done
	fi
	echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}
