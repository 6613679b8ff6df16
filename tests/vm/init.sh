#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Process 1 of a test kernel: set the stage, run the groups, judge the log, power off. Started by
# run.sh, which passes on the kernel command line: smbdr_top (checkout), smbdr_out (writable
# output directory), smbdr_mod (modules of this checkout), smbdr_build (kernel build tree),
# smbdr_src (kernel source), smbdr_groups (comma separated, see run.sh), smbdr_group_timeout (seconds),
# smbdr_slow (percent, see lib.sh), smbdr_mtu (of the RDMA devices; 9000).
#
# The root is the host's tree, read-only; everything the tests need from elsewhere is mounted by
# its host path under /run, because /tmp and /run of the host are covered here.
# shellcheck disable=SC2154 # smbdr_*: from the kernel command line
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run LC_ALL=C
unset TMPDIR

# reboot(2) with POWER_OFF: not every host has a poweroff command that works without its init.
power_off() { exec perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc)'; }

mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /run
mkdir -p /run/lock
# A directory of the host as /run/NAME: UML takes any, qemu what it was told of.
share() {
	local name=$1 dir=$2 how=$3
	mkdir "/run/$name"
	if grep -qw hostfs /proc/filesystems; then
		mount -t hostfs -o "$dir" "$how" none "/run/$name" || power_off
	else
		mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 "$how" "$name" "/run/$name" ||
			power_off
	fi
}
share out "$smbdr_out" --rw
exec >>/run/out/init.log 2>&1
share top "$smbdr_top" --read-only
share mod "$smbdr_mod" --read-only
share build "$smbdr_build" --read-only
share src "$smbdr_src" --read-only
share modroot "$smbdr_modroot" --read-only
mount -t tmpfs none /tmp
mount -t tmpfs none /mnt
mount -t devtmpfs none /dev
mkdir -p /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
mount -t devpts none /dev/pts
mount -t tmpfs none /dev/shm
mount -t debugfs none /sys/kernel/debug
mount -t tracefs none /sys/kernel/tracing
hostname smbdr-bed
echo 0 >/proc/sys/kernel/printk_ratelimit
echo 8 >/proc/sys/kernel/printk

# The log goes to the host record by record, so that it survives a crash; judge.py reads it there.
cat /dev/kmsg >/run/out/kmsg &
log_pid=$!

# shellcheck source=lib.sh
. /run/top/tests/vm/lib.sh

# The modules tree was made by run.sh. The kernel's own requests use it too.
printf '#!/bin/sh\nexec modprobe -d %s "$@"\n' "$MODROOT" >/run/modprobe
chmod +x /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe

ip link set lo up
# siw connects from ports that rdma_cm picks at random and TCP may hold in TIME_WAIT.
echo 0 >/proc/sys/net/ipv4/tcp_max_tw_buckets
make_links() {
	# Fixed addresses, hence fixed GIDs.
	# The MTU that RDMA networks have: rxe makes packets of 4096 bytes of it, of 1500 only 1024.
	ip link add dsiw address 02:00:00:00:77:01 mtu "${smbdr_mtu:-9000}" type dummy
	ip link add drxe address 02:00:00:00:78:01 mtu "${smbdr_mtu:-9000}" type dummy
	ip addr add 10.77.0.1/24 dev dsiw
	ip addr add fd77::1/64 dev dsiw nodad
	ip addr add 10.78.0.1/24 dev drxe
	ip addr add fd78::1/64 dev drxe nodad
	ip link set dsiw up
	ip link set drxe up
	rdma link add siw0 type siw netdev dsiw
	rdma link add rxe0 type rxe netdev drxe
}
links_ready() {
	[ "$(rdma link show | grep -c 'state ACTIVE')" = 2 ] &&
	grep -q 0000:0000:0000:0000:0000:ffff:0a4e:0001 /sys/class/infiniband/rxe0/ports/1/gids/* &&
	grep -q fd78:0000:0000:0000:0000:0000:0000:0001 /sys/class/infiniband/rxe0/ports/1/gids/* &&
	[ -z "$(ip -6 addr show tentative)" ]
} 2>/dev/null
make_links
wait_for 20 links_ready || echo "bed: RDMA links are not ready"

results=/run/out/results.ktap
# One result of the bed itself: ok when the command on the left had nothing to say.
bed_result_from() {
	local said
	said=$(cat)
	{
		if [ -z "$said" ]; then
			echo "ok - bed: $1"
		else
			echo "not ok - bed: $1"
			ktap_diag "$said"
		fi
	} | tee -a /run/out/bed.ktap >>"$results"
}

# Where everybody is, written when a group has to be killed: kernel threads only when they sleep
# uninterruptibly, without the frames that every stack ends in, and without the bed itself.
dump_stacks() {
	local p state comm
	for p in /proc/[0-9]*; do
		state=$(awk '$1 == "State:" { print $2 }' "$p/status" 2>/dev/null)
		comm=$(cat "$p/comm" 2>/dev/null)
		case $comm in '' | init.sh | cat | bash | sleep) continue ;; esac
		[ -n "$(tr -d '\0' <"$p/cmdline" 2>/dev/null)" ] || [ "$state" = D ] || continue
		echo "== pid ${p#/proc/} $comm, state $state"
		grep -vE '__switch_to|__schedule| schedule\+|handle_syscall|userspace\+|fork_handler' "$p/stack" 2>/dev/null
	done
}

# KUnit waits for a case without a way out. Emulated, that may take minutes.
hung=60
grep -qw hostfs /proc/filesystems || hung=900
grep -q hung_task_timeout_secs= /proc/cmdline || scaled "$hung" >/proc/sys/kernel/hung_task_timeout_secs
# Data races are looked for from here on.
kcsan=/sys/kernel/debug/kcsan
[ ! -e "$kcsan" ] || echo on >"$kcsan"
rdma_start=$(rdma_counts)
echo 'smbdr-bed: start of tests' >/dev/kmsg
# lockdep checks nothing after its first report, whatever that was about. The groups that are left then
# run in another boot.
lockdep_sleeps() { [ -e /proc/lockdep_stats ] && ! grep -q 'debug_locks: *1$' /proc/lockdep_stats; }
[ ! -e /proc/lockdep_stats ] || : >/run/out/lockdep
left=" ${smbdr_groups//,/ } "
for group in ${smbdr_groups//,/ }; do
	left=${left#" $group"}
	# Which transports the group has beside siw and rxe with IPv4, see consumer.sh.
	export SMBDR_TRANSPORTS=${group#*/}
	[ "$SMBDR_TRANSPORTS" != "$group" ] || SMBDR_TRANSPORTS=''
	group=${group%%/*}
	echo "smbdr-bed: group $group" >/dev/kmsg
	echo "start $group" >>/run/out/progress
	export KTAP_GROUP=$group
	file=/run/out/$group.ktap
	: >"$file"
	# The watchdog kills the whole session of the group, but first shows where it stands.
	setsid bash "/run/top/tests/groups/$group.sh" </dev/null >>"$file" 2>"/run/out/$group.log" &
	pid=$!
	(
		slept=0
		while [ "$slept" -lt "$smbdr_group_timeout" ]; do sleep 1; slept=$((slept + 1)); done
		dump_stacks >"/run/out/$group.stacks"
		kill -KILL -- -"$pid"
	) &
	watchdog=$!
	wait "$pid"
	status=$?
	kill "$watchdog" 2>/dev/null
	wait "$watchdog" 2>/dev/null
	verdict=$(
		if [ -e "/run/out/$group.stacks" ]; then
			echo "not ok - $group: hung for $smbdr_group_timeout s, killed"
			head -n 60 "/run/out/$group.stacks" | sed 's/^/# /'
		elif [ "$status" != 0 ]; then
			echo "not ok - $group: exit status $status"
			tail -n 20 "/run/out/$group.log" | sed 's/^/# /'
		elif ! grep -qE '^(not )?ok' "$file"; then
			echo "not ok - $group: no results"
		else
			plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$file" | tail -n 1)
			count=$(grep -cE '^(not )?ok' "$file")
			[ -z "$plan" ] || [ "$plan" = "$count" ] || echo "not ok - $group: planned $plan, got $count"
		fi
	)
	[ -z "$verdict" ] || echo "$verdict" >>"$file"
	grep -E '^((not )?ok|#)' "$file" >>"$results"
	echo "end $group $(grep -c '^ok' "$file") $(grep -c '^not ok' "$file")" >>/run/out/progress
	if lockdep_sleeps; then
		echo "$group" >/run/out/lockdep
		echo "$left" >/run/out/left
		break
	fi
done

echo "start bed" >>/run/out/progress
unload_all 2>&1 | bed_result_from 'module unloads'
diff <(echo "$rdma_start") <(rdma_counts) 2>&1 | bed_result_from 'rdma resources back to start'
{ rdma link delete siw0; rdma link delete rxe0; ip link delete dsiw; ip link delete drxe; } 2>&1 |
	bed_result_from 'rdma links can be deleted'
if have_kmemleak; then
	kmemleak_check 2>&1 | bed_result_from 'no leaks'
fi

if [ -e "$kcsan" ]; then
	cat "$kcsan" >/run/out/kcsan
	awk '/^setup_watchpoints/ && $2 == 0 { print "it has not looked anywhere" }' "$kcsan" 2>&1 |
		bed_result_from 'KCSAN was at work'
fi

# What a coverage kernel has counted, by the place of the object in the modules' tree. The counts of
# a module outlive it.
gcov=/sys/kernel/debug/gcov
if [ -d "$gcov$smbdr_mod" ]; then
	(
		cd "$gcov$smbdr_mod" || exit
		find . -name '*.gcda' | while read -r file; do
			mkdir -p "/run/out/gcov/${file%/*}"
			cat "$file" >"/run/out/gcov/$file"
		done
	) 2>&1 | bed_result_from 'coverage data copied'
fi

# The end mark says that the log is complete.
echo 'smbdr-bed: end of tests' >/dev/kmsg
wait_for 10 grep -q 'smbdr-bed: end of tests' /run/out/kmsg
echo "end bed $(grep -c '^ok' /run/out/bed.ktap) $(grep -c '^not ok' /run/out/bed.ktap)" >>/run/out/progress
kill "$log_pid"
echo complete >/run/out/done
sync
power_off
