#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every test: style, the pure layer in userspace, compilation for the oldest kernel, then the test
# groups in kernels of the bed. The last line is the total; the exit status is 0 when nothing failed.
set -uo pipefail

# Which groups run in which kernel. A group without a script is reported as a failure.
vm_table='
kasan:   smoke kunit api close keepalive many netns reload trace rdma rdma_fault example
kasan:   stream ksmbd peer
lockdep: smoke api close many netns rdma rdma_fault example
lockdep: stream keepalive ksmbd
leak:    close many reload trace peer rdma rdma_fault
release: stream close keepalive many peer rdma
'
smb_table='
release ours ours
release ours stock
release stock ours
release stock stock
lockdep ours ours
'
# For one boot; the slowest takes half of it on two idle cores.
export TIMEOUT=${TIMEOUT:-1200}
oldest=6.12

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1
passed=0 failed=0 skipped=0
trap 'exit 130' INT TERM
said=$(mktemp)
trap 'rm -f "$said"' EXIT

# step NAME COMMAND...: run it and show its output. A last line with totals is added to ours; a
# command without one counts as one test.
step() {
	local name=$1 status start=$SECONDS last
	shift
	echo "== $name"
	"$@" </dev/null 2>&1 | tee "$said"
	status=${PIPESTATUS[0]}
	last=$(grep -v '^make' "$said" | tail -n 1)
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
		# Totals without a failure and a bad status do not fit: something died.
		[ "$status" = 0 ] || [ "${BASH_REMATCH[2]}" != 0 ] || failed=$((failed + 1))
	elif [ "$status" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
	[ "$status" = 0 ] || echo "FAILED: $name"
	echo "   ($((SECONDS - start)) s)"
}

if ! tests/vm/deps.sh; then
	echo '0 passed, 1 failed'
	exit 1
fi
[ ! -e tests/style.sh ] || step style tests/style.sh
[ ! -e tests/unit/Makefile ] || step 'unit tests' make -s -C tests/unit check
[ ! -e tests/fuzz/Makefile ] || step fuzz make -s -C tests/fuzz check
[ ! -e Kbuild ] || step "compile for $oldest" tests/vm/modules.sh headers "$oldest"
[ ! -e tests/intree.sh ] || step 'in a kernel tree' tests/intree.sh
while IFS=': ' read -r flavour groups; do
	[ -n "$flavour" ] || continue
	# shellcheck disable=SC2086 # a list
	step "kernel $flavour: $groups" tests/vm/run.sh "$flavour" $groups
done <<<"$vm_table"
# A mount over RDMA: kernel, whose client, whose server.
while read -r flavour client server; do
	[ -z "$flavour" ] || SMB="$client $server" step "SMB on $flavour: $client client, $server server" \
		tests/vm/run.sh "$flavour" smb
done <<<"$smb_table"

echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
