#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Many connections, and what they leave behind: nothing.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_transport
# The first connections of all fill caches that stay.
load_consumer none 'siw v4' && unload_consumer

slab_total() { slab_counts '^(kmalloc|smbdr|SMBDIRECT|sock_inode)' | awk '{ n += $2 } END { print n }'; }
many() {
	local bed=$1 before
	before=$(rdma_counts)
	run_suite smbdr_many "$bed"
	check "$bed: rdma resources back" wait_for 20 test_same_rdma "$before"
}
test_same_rdma() { [ "$(rdma_counts)" = "$1" ]; }

kmemleak_clear
many 'siw v4'
many 'rxe v4'
# A second round must not need more memory than the first left allocated. Objects of RCU and of
# per-CPU caches come and go: what is lost would be lost 2000 times.
if [ -r /proc/slabinfo ]; then
	sleep 1
	before=$(slab_total)
	many 'siw v6'
	many 'rxe v6'
	sleep 1
	after=$(slab_total)
	echo "slab objects: $before before, $after after" >&2
	check 'slab back' test "$((after - before))" -lt 1500
fi
if [ -e /sys/kernel/debug/kmemleak ]; then
	said=$(kmemleak_check)
	check 'no leaks' test -z "$said" || ktap_diag "$said"
fi
ktap_plan
