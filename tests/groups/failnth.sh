#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each call that the module makes to the RDMA stack and for memory fails once, in whatever a user
# does: the n-th call for n = 1, 2, ... until none failed. Needs a module with fault points, which
# the debug flavours have (tests/vm/modules.sh). smbdr_failnth_devices (run.sh: APPEND; comma separated)
# restricts the devices: siw, rxe.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

param=/sys/module/net_smbdirect/parameters/fault_nth
points=/sys/kernel/debug/net_smbdirect/fault_points

# Points that nothing in this bed can reach, with the reason.
# rebind_addr, relisten: an address moves to another device, which is what a bond does.
unreachable='rebind_addr relisten'
# The counters go with a module that did not start: those of the start that worked are left, and each
# call before that one failed in its turn.
at_start='workqueue sysctl proto proto6 pernet protosw6'

! module_loaded net_smbdirect || check 'the module of an earlier group goes' wait_for 20 unload_module net_smbdirect
# The start of the module. ENOMEM and the like, and nothing stays of the attempt.
nth=0
while [ "$nth" -lt 50 ]; do
	nth=$((nth + 1))
	said=$(load_module net_smbdirect "fault_nth=$nth" 2>&1) && break
	check "start fails at call $nth as it should" grep -qE 'memory|No buffer space|not permitted' <<<"$said"
	check "nothing stays of start $nth" test ! -e /sys/module/net_smbdirect -a ! -e /proc/net/smbdirect
done
check 'the start has calls that can fail' test "$nth" -gt 5
check 'the module starts when none fails' module_loaded net_smbdirect

# A network namespace: its creator is told.
in_namespace() { unshare -n "$@"; }
nth=0
while [ "$nth" -lt 20 ]; do
	nth=$((nth + 1))
	echo "$nth" >"$param"
	said=$(in_namespace true 2>&1) && break
	check "a namespace fails at call $nth as it should" grep -q 'Cannot allocate memory' <<<"$said"
done
echo 0 >"$param"
check 'a namespace has calls that can fail' test "$nth" -gt 1
check 'a namespace starts when none fails' in_namespace test -e /proc/self/net/smbdirect

for device in $(tr , ' ' <<<"${smbdr_failnth_devices:-siw,rxe}"); do
	transport="$device v4"
	run_suite smbdr_fault "$transport" timeout=8000
	check "no RDMA resources stay of $transport" wait_for 10 rdma_idle
done

ktap_diag "calls that failed and points they were at, of each operation, for each device:
$(dmesg | sed -n 's/.*smbdr_test: fault: //p')"
ktap_diag "points, hits, failures:
$(cat "$points")"
while read -r name hits fired; do
	case " $unreachable | $at_start " in
	*" $name "*\|*) check "$name is out of reach" test "$hits" = 0 ;;
	*\|*" $name "*) check "$name was among the calls of the start" test "$hits" -gt 0 ;;
	*) check "$name has failed" test "$fired" -gt 0 ;;
	esac
done <"$points"
nothing_leaks
ktap_plan
