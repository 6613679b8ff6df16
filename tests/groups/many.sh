#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Many connections, and what they leave behind: nothing.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_module
# The first connections of all fill caches that stay.
load_consumer none 'siw v4' && unload_consumer

# Shrunk before they are counted: what lies free in a CPU's slab, or in KASAN's quarantine, counts
# as an object in use. A thread of a workqueue, of which there may be hundreds more afterwards, has
# three.
slab_total() {
	local f
	for f in /sys/kernel/slab/*/shrink; do echo 1 >"$f"; done
	slab_counts '^(kmalloc|smbdr|SMBDIRECT|sock_inode|task_struct)' |
		awk '{ n += $1 == "task_struct" ? -3 * $2 : $2 } END { print n }'
}
connections() { awk '$1 == "ConnActive" { print $2 }' /proc/net/smbdirect; }
slab_same() {
	slab_total >/run/slab_after
	[ "$(($(cat /run/slab_after) - before))" -lt "$least" ] || { sleep 1; false; }
}
many() {
	local transport=$1 before
	before=$(rdma_counts)
	run_suite smbdr_many "$transport"
	check "$transport: rdma resources back" wait_for 20 same_rdma "$before"
}

kmemleak_clear
many 'siw v4'
many 'rxe v4'
# A second round must not need more memory than the first left allocated. What others hold comes
# and goes, but by less than an object for every second connection of the round: what is lost would be
# lost by each of them.
if [ -w /sys/kernel/slab/kmalloc-64/shrink ]; then
	sleep 1
	before=$(slab_total) made=$(connections)
	many 'siw v6'
	many 'rxe v6'
	made=$(($(connections) - made)) least=$((made / 2))
	check "slab back, within $least objects after $made connections" wait_for 20 slab_same
	echo "slab objects: $before before, $(cat /run/slab_after) after" >&2
fi
nothing_leaks
ktap_plan
