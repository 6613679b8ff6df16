#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make demo: two kernel sockets talk SMB Direct over both soft RDMA drivers, next to TCP, and to the
# kernel's own SMB server; in a User Mode Linux kernel that this builds first, once.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
series=${SERIES:-${KERNEL_SERIES:-7.3}}
start=$SECONDS
step() { printf '[%3d s] %s\n' "$((SECONDS - start))" "$*"; }

# Run a long step with a line every half minute.
patiently() {
	local said=$1 pid ticks=0
	shift
	"$@" >/dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		ticks=$((ticks + 1))
		[ "$((ticks % 30))" != 0 ] || step "... $said"
	done
	wait "$pid"
}

step 'tools'
"$top/tests/vm/deps.sh" || exit 1
step "kernel $series (the first time this takes some minutes)"
patiently "still building the kernel" "$top/tests/vm/kernel.sh" build "$series" release || exit 1
step 'modules'
"$top/tests/vm/modules.sh" release "$series" >/dev/null || exit 1
step 'boot'
out=$(mktemp -d) || exit 1
log=$(mktemp) || exit 1
trap 'rm -rf "$out" "$log"' EXIT
: >"$out/demo"
OUT=$out SERIES=$series TIMEOUT=${TIMEOUT:-600} "$top/tests/vm/run.sh" release demo >"$log" 2>&1 &
pid=$!
tail -n +1 -f --pid="$pid" "$out/demo"
if wait "$pid"; then
	step "done: $(tail -n 1 "$log")"
else
	cat "$log"
	cp -r "$out" "$out.kept" && echo "logs: $out.kept"
	step 'FAILED'
	exit 1
fi
