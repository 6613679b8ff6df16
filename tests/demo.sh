#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make demo: two kernel sockets talk SMB Direct over both soft RDMA drivers, next to TCP, and to the
# kernel's own SMB server; then a share is mounted, with the kernel's SMB client and server on our
# sockets. In a User Mode Linux kernel that this builds first, once.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
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
series=${SERIES:-$("$top/tests/vm/kernel.sh" series)} || exit 1
step "kernel $series (the first time this takes some minutes)"
patiently "still building the kernel" "$top/tests/vm/kernel.sh" build "$series" release || exit 1
step 'modules'
"$top/tests/vm/modules.sh" release "$series" >/dev/null || exit 1
step "SMB client and server on our sockets"
patiently "still building them" "$top/tools/smb/build.sh" release "$series" || exit 1

# Boot the kernel for a group and print the file demo that it writes.
log=$(mktemp) out=$(mktemp -d) || exit 1
trap 'rm -rf "$out" "$log"' EXIT
show() {
	local group=$1
	rm -rf "$out"
	mkdir "$out" || exit 1
	: >"$out/demo"
	OUT=$out SERIES=$series TIMEOUT=${TIMEOUT:-600} "$top/tests/vm/run.sh" release "$group" >"$log" 2>&1 &
	pid=$!
	tail -n +1 -f --pid="$pid" "$out/demo"
	if ! wait "$pid"; then
		cat "$log"
		cp -r "$out" "$out.kept" && echo "logs: $out.kept"
		step 'FAILED'
		exit 1
	fi
}
step 'boot'
show demo
step "sockets: $(tail -n 1 "$log")"
export SMB='ours ours'
step 'boot again, with our SMB client and server'
show demo_smb
step "share: $(tail -n 1 "$log")"
