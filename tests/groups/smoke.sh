#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The bed itself: both soft RDMA links work, and the module comes and goes.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh

link_is_active() { rdma link show "$1/1" | tee /dev/stderr | grep -q 'state ACTIVE'; }
route_is_local() { ip route get "$1" | tee /dev/stderr | grep -q '^local'; }

for dev in siw0 rxe0; do
	check "$dev is active" link_is_active "$dev"
done
for addr in $SIW_V4 $SIW_V6 $RXE_V4 $RXE_V6; do
	check "$addr is local" route_is_local "$addr"
done
if have_module net_smbdirect; then
	for round in 1 2 3; do
		check "module loads, round $round" load_module net_smbdirect
		check "module unloads, round $round" unload_module net_smbdirect
	done
else
	ktap_skip 'module loads' 'not built'
fi
check 'ksmbd loads' load_ksmbd
check 'cifs loads' load_cifs
ktap_plan
