#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Boot a kernel of the bed and run test groups in it: User Mode Linux, or with BED=qemu an emulated
# x86 machine, which is about 15 times slower.
#
#   run.sh KERNEL GROUP...
#
# KERNEL: release, kasan, lockdep or coverage; with BED=qemu kasan or kcsan. A series in front
# of it is another than the default: 6.12-kasan, or 6.12 for its release kernel. What coverage counts
# ends in OUT/gcov.
# GROUP: the name of a script in tests/groups. Where it uses transports, these are siw and rxe with
# IPv4; GROUP/v6/tcp adds IPv6 and the contrast over TCP.
#
# Environment: CPUS (2; lockdep has one), MEM (2G release, 3G debug), TIMEOUT (600 seconds for the whole
# run, hard), GROUP_TIMEOUT (seconds for one group, TIMEOUT less 60), SMBDR_SLOW (percent, as from
# speed.sh: both are multiplied by it), OUT (output directory, default a fresh one in the cache),
# DEVICES ("siw rxe tcp": those that may be used), ONLY (a case: SUITE.CASE or peer.SCENARIO, with * and ?),
# MTU (of the RDMA devices, 9000), APPEND (more kernel parameters), SMB (whose SMB modules the guest
# has: "ours stock" is our client and the stock server; default stock), NET_FD (an open datagram
# socket, which becomes the guest's network device vec0; release only).
# The last line is "N passed, N failed[, N skipped]".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
[ $# -ge 2 ] || { sed -n '3,26s/^# \{0,1\}//p' "$0" >&2; exit 2; }
kernel=$1 bed=${BED:-uml}
shift
case $kernel in
[0-9]*-*) series=${kernel%%-*} flavour=${kernel#*-} ;;
[0-9]*) series=$kernel flavour=release ;;
*) series=$("$here/kernel.sh" series) flavour=$kernel ;;
esac
append=${APPEND:-}
cpus=${CPUS:-2}
slow=$("$here/speed.sh")
timeout=$((${TIMEOUT:-600} * slow / 100))
group_timeout=$((timeout > 90 ? timeout - 60 : timeout - 5))
[ -z "${GROUP_TIMEOUT:-}" ] || group_timeout=$((GROUP_TIMEOUT * slow / 100))
# A UML with KASAN dies in the stack unwinder while it starts a third CPU.
[ "$flavour" != kasan ] || [ "$cpus" -le 2 ] || { echo "run.sh: kasan runs with 2 CPUs at most" >&2; cpus=2; }
case $flavour in release) mem=${MEM:-2G} ;; *) mem=${MEM:-3G} ;; esac
for group; do
	[ -f "$top/tests/groups/${group%%/*}.sh" ] || { echo "run.sh: no group $group" >&2; exit 2; }
done

"$here/deps.sh"
build=$("$here/kernel.sh" build "$series" "$flavour")
if [ -f "$top/Kbuild" ]; then
	mod=$("$here/modules.sh" "$flavour" "$series") || { echo '0 passed, 1 failed'; exit 1; }
else
	mod=$(mktemp -d)	# no module yet: the bed alone can still be tested
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/net_smbdirect
mkdir -p "$cache/out"
# Keep the last runs for a look back, not for ever.
# Another run may be at the same.
find "$cache/out" -mindepth 1 -maxdepth 1 -mtime +3 -exec rm -rf {} + 2>/dev/null || true
out=${OUT:-$(mktemp -d "$cache/out/$(date +%m%d-%H%M%S)-$flavour.XXXX")}
mkdir -p "$out"
out=$(cd "$out" && pwd)

# A modules tree for the guest's modprobe, made here because the guest is slow at it: the kernel's
# modules as links, ours in updates/.
modroot=$out/modroot/lib/modules
release=$(ls "$build/root/lib/modules")
mkdir -p "$modroot"
cp -al "$build/root/lib/modules/$release" "$modroot/" 2>/dev/null ||
	cp -a "$build/root/lib/modules/$release" "$modroot/"
rm -f "$modroot/$release"/{build,source} "$modroot/$release"/modules.{dep,alias,symbols,softdep,devname}*
mkdir -p "$modroot/$release/updates"
# Under the lock of the build: another run of this checkout may be about to link them anew.
flock "$mod.lock" find "$mod" -maxdepth 1 -name '*.ko' -exec cp -t "$modroot/$release/updates" {} +
read -r smb_client smb_server <<<"${SMB:-stock stock}"
if [ "$smb_client$smb_server" != stockstock ]; then
	smb=$("$top/tools/smb/build.sh" "$flavour" "$series") || { echo '0 passed, 1 failed'; exit 1; }
	[ "$smb_client" != ours ] || cp "$smb/cifs.ko" "$modroot/$release/updates/"
	[ "$smb_server" != ours ] || cp "$smb/ksmbd.ko" "$modroot/$release/updates/"
fi
PATH=$PATH:/usr/sbin:/sbin depmod -b "$out/modroot" "$release"

# Reports of KASAN after the first one; slab debugging without its stack traces, which take long, and
# without poison, because siw uses the lock of a device that is gone and the kernel would die of it
# (KASAN sees such use by us); and copies to and from user space are checked only if somebody says so.
case $flavour in
kasan) append="kasan_multi_shot hardened_usercopy=on $append" ;;
lockdep) append="slab_debug=FZ hardened_usercopy=on $append" ;;
kcsan) append="hardened_usercopy=on $append" ;;
esac
[ -z "${ONLY:-}" ] || append+=" smbdr_only=$ONLY"
[ -z "${DEVICES:-}" ] || append+=" smbdr_devices=${DEVICES// /,}"
[ -z "${MTU:-}" ] || append+=" smbdr_mtu=$MTU"

# See there.
case $bed-$series in
uml-6.*) "${CC:-gcc}" -shared -fPIC -O2 -Wall -o "$out/xstate.so" "$here/xstate.c" ;;
esac

results=$out/results.ktap
: >"$results"
start=$SECONDS
pid=''
stop() { [ -z "$pid" ] || kill -KILL -- "-$pid" 2>/dev/null || true; }
trap stop EXIT
trap 'exit 130' INT TERM HUP

show_progress() {
	local line
	[ -f "$boot/progress" ] || return 0
	while read -r line; do
		seen=$((seen + 1))
		# shellcheck disable=SC2086 # words
		set -- $line
		case $1 in
		start) echo "  [$kernel] $2 ..." ;;
		end) echo "  [$kernel] $2: $3 ok, $4 not ok ($((SECONDS - start)) s)" ;;
		esac
	done < <(tail -n "+$((seen + 1))" "$boot/progress")
}

# boot DIR GROUP...: one boot, whose output goes to DIR and whose results to $results.
boot() {
	local boot=$1 args command seen=0 reason='' running
	shift
	# shellcheck disable=SC2206 # words of append
	args=(ro "init=$here/init.sh" $append kunit.enable=1 kunit.autorun=1 panic=-1
		"smbdr_top=$top" "smbdr_out=$boot" "smbdr_mod=$mod" "smbdr_build=$build"
		"smbdr_src=$(readlink -f "$build/source")" "smbdr_modroot=$out/modroot" "smbdr_slow=$slow"
		"smbdr_groups=$(IFS=,; echo "$*")" "smbdr_group_timeout=$group_timeout")
	# shellcheck disable=SC2054 # commas belong to the arguments
	if [ "$bed" = qemu ]; then
		shares=(-virtfs "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap")
		for dir in "top=$top" "mod=$mod" "build=$build" "src=$(readlink -f "$build/source")" \
			"modroot=$out/modroot"; do
			shares+=(-virtfs "local,path=${dir#*=},mount_tag=${dir%%=*},security_model=none,readonly=on,multidevs=remap")
		done
		shares+=(-virtfs "local,path=$boot,mount_tag=out,security_model=none,multidevs=remap")
		args+=(root=root rootfstype=9p rootflags=trans=virtio,version=9p2000.L,msize=262144,cache=loose
			console=ttyS0)
		# Watch more often and for longer than the default: emulated, everything is slower but the clock.
		[ "$flavour" != kcsan ] || args+=(kcsan.skip_watch=2000 kcsan.udelay_task=400 kcsan.udelay_interrupt=100)
		command=(qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp "$cpus" -m "$mem"
			-nodefaults -display none -monitor none -serial stdio -no-reboot "${shares[@]}"
			-kernel "$build/arch/x86/boot/bzImage" -append "${args[*]}")
	else
		args+=("mem=$mem" root=none rootfstype=hostfs hostfs=/ con=null con0=null,fd:1 ssl=null)
		[ -z "${NET_FD:-}" ] || args+=("vec0:transport=fd,fd=$NET_FD")
		command=("$build/linux")
		# SMP needs the seccomp mode; before 6.19 there is neither.
		case $series-$flavour in
		6.*) command=(env "LD_PRELOAD=$out/xstate.so" "$build/linux") ;;
		*-lockdep) args+=(seccomp=on) ;;
		*) args+=(seccomp=on "ncpus=$cpus") ;;
		esac
		command+=("${args[@]}")
	fi

	# One session of its own, so that all of the UML's processes can be killed at once. With SIGKILL
	# only: after SIGTERM a UML runs its exit path in interrupt context, or for ever.
	setsid "${command[@]}" </dev/null > >(exec cat >"$boot/console") 2>&1 &
	pid=$!
	disown	# its end is judged below, the shell need not comment on it
	while kill -0 "$pid" 2>/dev/null; do
		show_progress
		if ((SECONDS - start >= timeout)); then
			reason="no end after $timeout s, killed"
			break
		fi
		sleep 0.2
	done
	stop
	show_progress
	[ "$boot" = "$out" ] || cat "$boot/results.ktap" >>"$results"
	if [ ! -e "$boot/done" ]; then
		running=$(awk '$1 == "start" { g = $2 } $1 == "end" { g = "" } END { print g }' "$boot/progress" 2>/dev/null || true)
		: "${reason:=the kernel died}"
		# What the group said before the end counts too; init.sh had no time to add it.
		[ -z "$running" ] || [ "$running" = bed ] ||
			grep -E '^((not )?ok|#)' "$boot/$running.ktap" >>"$results" || true
		echo "not ok - bed: $reason, in ${running:-the boot}" >>"$results"
	fi
	"$here/judge.py" "$boot" "$results"
	left=
	[ ! -e "$boot/left" ] || left=$(xargs <"$boot/left")
}
boot "$out" "$@"
# A report of a driver has switched lockdep off: the groups that are left have it in another boot.
n=1
while [ -n "$left" ]; do
	n=$((n + 1))
	mkdir "$out/boot$n"
	echo "  [$kernel] lockdep is off, another boot for $left"
	# shellcheck disable=SC2086 # a list
	boot "$out/boot$n" $left
done

# Kernel addresses of a trace as file:line. decode_stacktrace.sh comes with the kernel source.
decode() {
	local script
	script=$(readlink -f "$build/source")/scripts/decode_stacktrace.sh
	if [ -x "$script" ] && command -v addr2line >/dev/null; then
		timeout 60 "$script" "$build/vmlinux" auto "$mod" 2>/dev/null | sed "s|$mod/||g"
	else
		cat
	fi
}

passed=$(grep -c '^ok' "$results" || true)
failed=$(grep -c '^not ok' "$results" || true)
skipped=$(grep -c '^ok.*# SKIP' "$results" || true)
passed=$((passed - skipped))
if [ "$failed" != 0 ]; then
	echo "--- failures"
	awk '/^not ok/ { show = 1; n = 0 } /^ok/ { show = 0 } show && n++ < 40' "$results"
	# The log that judge.py has read ends when the guest's processes do, the console has a panic as
	# well. Frames marked with a question mark are leftovers on the stack, not callers.
	trace=
	for log in "$out" "$out"/boot*/; do
		if [ -e "$log/done" ]; then log=$log/dmesg; else log=$log/console; fi
		[ -e "$log" ] || continue
		trace+=$(sed -n '/smbdr-bed: start of tests/,$p' "$log" | grep -v -e '\] \( \[<[0-9a-f]*>\] \)\?? ' |
			grep -E -B 2 -A 40 -m 3 'BUG|WARNING|KASAN|possible|Kernel panic|Oops|INFO:|UBSAN|segfault' |
			grep -v 'smbdr-bed:' | head -n 90) || true
	done
	[ -n "$trace" ] || [ -s "$out/progress" ] || trace=$(tail -n 30 "$out/console")
	if [ -n "$trace" ]; then
		echo "--- kernel log"
		decode <<<"$trace"
	fi
	echo "--- full logs: $out"
fi
grep '^# excuse:' "$results" || true
echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
