# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What init.sh and the test groups share, inside the guest. A group is bash, sources this file,
# writes KTAP lines to stdout with the helpers below and anything else to stderr:
#
#	. /run/top/tests/vm/lib.sh
#	load_module net_smbdirect || exit 1
#	check 'siw0 is there' rdma link show siw0/1
#	ktap_plan			# optional, last
#
# Paths in the guest: /run/top (checkout), /run/mod (our modules as built), /run/build (kernel
# build tree), /run/src (kernel source), /run/out (writable, on the host). Addresses: siw0 on dsiw
# 10.77.0.1 fd77::1, rxe0 on drxe 10.78.0.1 fd78::1.

MODROOT=/run/out/modroot
ktap_count=0

# shellcheck disable=SC2034 # for the groups
SIW_V4=10.77.0.1 SIW_V6=fd77::1 RXE_V4=10.78.0.1 RXE_V6=fd78::1

ktap_line() { ktap_count=$((ktap_count + 1)); echo "$1 $ktap_count - ${KTAP_GROUP:+$KTAP_GROUP: }$2"; }
ktap_pass() { ktap_line ok "$1"; }
ktap_fail() { ktap_line 'not ok' "$1"; shift; [ $# = 0 ] || ktap_diag "$*"; }
ktap_skip() { ktap_line ok "$1 # SKIP ${2:-}"; }
ktap_diag() { local text="$*"; echo "# ${text//$'\n'/$'\n'# }"; }
ktap_plan() { echo "1..$ktap_count"; }

# check NAME COMMAND...: a result from an exit status, with the output as diagnostics on failure.
check() {
	local name=$1 said status=0
	shift
	said=$("$@" 2>&1) || status=$?
	if [ "$status" = 0 ]; then ktap_pass "$name"; else ktap_fail "$name" "$* gave $status: $said"; fi
	return "$status"
}

# wait_for SECONDS COMMAND...: poll until the command succeeds; its failure when time is up.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

have_module() { [ -e "$MODROOT/lib/modules/$(uname -r)/updates/$1.ko" ]; }

# A module of this checkout by name, with parameters, without its dependencies: those are built in
# or the caller's business.
load_module() {
	local name=$1
	shift
	insmod "$MODROOT/lib/modules/$(uname -r)/updates/$name.ko" "$@"
}

unload_module() { rmmod "$1"; }
module_loaded() { [ -e "/sys/module/$1/refcnt" ]; }

# The stock peers with their dependencies.
load_ksmbd() { modprobe -d "$MODROOT" ksmbd; }
load_cifs() { modprobe -d "$MODROOT" cifs; }

# Names of the modules of this checkout that are loaded now.
our_loaded() {
	local ko
	for ko in "$MODROOT/lib/modules/$(uname -r)"/updates/*.ko; do
		ko=${ko##*/}
		! module_loaded "${ko%.ko}" || echo "${ko%.ko}"
	done
}

# Everything that tests may have loaded goes, ours first. Modules that use each other go in
# several rounds, and one that a dying connection still holds gets some time.
our_gone() {
	local m
	for m in $(our_loaded); do rmmod "$m" 2>/dev/null; done
	[ -z "$(our_loaded)" ]
}
unload_all() {
	local m
	wait_for 20 our_gone || for m in $(our_loaded); do rmmod "$m" || echo "$m stays loaded"; done
	for m in cifs ksmbd smbdirect; do
		module_loaded "$m" || continue
		wait_for 20 rmmod "$m" 2>/dev/null || { rmmod "$m" || echo "$m stays loaded"; }
	done
}

# Objects of each kind that the RDMA core knows, as "device kind count" lines.
rdma_counts() {
	rdma resource show 2>/dev/null | awk '{
		sub(/:$/, "", $2)
		for (i = 3; i < NF; i += 2) print $2, $i, $(i + 1)
	}' | sort
}

# A second network namespace, "other", with a link to this one: va, 10.79.0.1 and fd79::1, on this
# side, vb, 10.79.0.2 and fd79::2, on that, with rxe1 and rxe2 on them. $OTHER_PID is a process in it.
# (siw makes its TCP sockets in the namespace of the caller, which for a kernel thread is the first
# one, so only rxe crosses.) Not for check(), in whose subshell the process would be.
OTHER_PID=''
other_add() {
	ip netns add other && ip link add va type veth peer name vb netns other || return
	ip addr add 10.79.0.1/24 dev va
	ip addr add fd79::1/64 dev va nodad
	ip -n other addr add 10.79.0.2/24 dev vb
	ip -n other addr add fd79::2/64 dev vb nodad
	ip -n other link set lo up
	ip link set va up
	ip -n other link set vb up
	ip netns exec other sleep infinity &
	OTHER_PID=$!
	rdma link add rxe1 type rxe netdev va &&
		ip netns exec other rdma link add rxe2 type rxe netdev vb && wait_for 10 other_ready
}
other_ready() {
	[ "$(cat /sys/class/net/va/carrier)" = 1 ] && has_address rxe1 1 && has_address rxe2 2
} 2>/dev/null
has_address() {
	grep -q "0000:0000:0000:0000:0000:ffff:0a4f:000$2" "/sys/class/infiniband/$1/ports/1/gids/"* &&
		grep -q "fd79:0000:0000:0000:0000:0000:0000:000$2" "/sys/class/infiniband/$1/ports/1/gids/"*
}
# The name and the last process: what is left of it are sockets.
other_delete() {
	ip netns delete other
	kill -KILL "$OTHER_PID" && wait "$OTHER_PID"
	OTHER_PID=''
} 2>/dev/null
other_gone() { [ ! -e /sys/class/net/va ]; }

# Active objects per slab cache, all or those that match a pattern.
slab_counts() { awk -v p="${1:-.}" 'NR > 2 && $1 ~ p { print $1, $2 }' /proc/slabinfo; }

have_kmemleak() { [ -w /sys/kernel/debug/kmemleak ]; }

# Print what kmemleak holds for a leak; silent when clean or not built in. The first scan only
# ages fresh objects: an object counts when two scans did not see a pointer to it.
kmemleak_check() {
	local f=/sys/kernel/debug/kmemleak
	have_kmemleak || return 0
	sleep 5.5	# younger objects than 5 s are never reported (MSECS_MIN_AGE)
	echo scan >"$f"
	echo scan >"$f"
	drop_known_leaks <"$f"
}
# Without what is lost with a connection request that arrives while its listener is destroyed: the
# iWARP connection manager drops the event with its copy of the private data, and because nobody
# accepts or rejects the request, siw keeps its endpoint. The copy proves that it happened; only what
# siw allocated within a second of it is excused.
drop_known_leaks() {
	awk '
		/^unreferenced object/ { n++ }
		{ block[n] = block[n] $0 "\n" }
		/ jiffies [0-9]+/ { when[n] = $0; sub(/.* jiffies /, "", when[n]); when[n] += 0 }
		/ kmemdup_noprof\+/ { dup[n] = 1 }
		/ cm_event_handler\+/ && dup[n] { lost[n] = 1 }
		/ siw_cm_work_handler\+/ { siw[n] = 1 }
		END {
			for (i = 0; i <= n; i++) {
				excused = (i in lost)
				for (j in lost)
					if (siw[i] && when[i] - when[j] <= 100 && when[j] - when[i] <= 100)
						excused = 1
				if (!excused) printf "%s", block[i]
			}
		}'
}
kmemleak_clear() { ! have_kmemleak || echo clear >/sys/kernel/debug/kmemleak; }

# param NAME DEFAULT: the value of a kernel parameter; with commas, a list of words.
param() {
	local value
	value=$(sed -n "s/.*\<$1=\([^ ]*\).*/\1/p" /proc/cmdline)
	value=${value:-$2}
	echo "${value//,/ }"
}

# log_expect REGEX: this run provokes such a line on purpose.
log_expect() { echo "$1" >>/run/out/log-expected; }

# Without reports that are about the soft RDMA drivers and known:
# - siw takes the callback lock of its TCP sockets for reading with softirqs enabled
#   (siw_cm_llp_data_ready and its neighbours), TCP's listener for writing under a lock that
#   softirqs take: lockdep, in one of several reports, which depends on who came first. Each names
#   siw's function where it took that lock, or shows the stack of when it was first taken so.
# - rxe queues a packet for the responder, whose reference on the queue pair goes with the packet,
#   and then still uses the queue pair (rxe_resp_queue_pkt, or, where it is inlined,
#   rxe_xmit_packet): KASAN, and two WARNs of rxe_task.c.
# - a TCP connection to a siw listener that goes away meanwhile has inherited its callbacks and the
#   pointer to its endpoint, which is gone (siw_cm_llp_error_report, called when TCP forgets the
#   child): KASAN.
# or about User Mode Linux:
# - when its timer's handler runs softirqs and another tick waits by then, enabling interrupts takes
#   that tick and returns with interrupts off (unblock_signals, the last return of its loop): lockdep's
#   check in __local_bh_enable_ip. The report ends with the handler, and says that the last to disable
#   interrupts was um_trace_signals_off, one event after handle_softirqs enabled them.
# And without data races between others: KCSAN looks at the whole kernel, and the first line of a
# report tells which two functions it is about.
# A report goes from its first line to the end of a call trace, of the WARN, or to its last line.
# What is dropped ends in log-dropped; lockdep checks nothing after its first report.
drop_known_reports() {
	awk '
		function event() { return match($0, /\([0-9]+\):/) ? substr($0, RSTART + 1) + 0 : -1 }
		function flush() {
			if (block && !known) printf "%s", held
			else if (block) printf "%s", held >"/run/out/log-dropped"
			held = block = ""
			known = last = rxe = unsafe = clock = child = bh = tick = on = 0
		}
		/\[ cut here \]/ { flush(); block = "warn" }
		/\] =+$/ {
			if (block == "kcsan") { held = held $0 "\n"; flush(); next }
			flush()
			block = "report"
		}
		!block { print; next }
		last && !/\+0x|\] Call Trace:/ { flush(); print; next }
		{
			held = held $0 "\n"
			if (block == "report" && /BUG: KCSAN: /) {
				block = "kcsan"
				known = !/\[(net_smbdirect|smbdr_test)\]/
			}
			if (/\(clock-AF_INET6?\).* at: siw_(cm|qp)_llp_/) known = 1
			if (/which became SOFTIRQ-irq-unsafe at:/) unsafe = NR
			if (/\{SOFTIRQ-ON-R\} state was registered at:/) unsafe = NR
			if (/-> .clock-AF_INET6?/) clock = NR
			if (clock && /SOFTIRQ-ON-R at:/) unsafe = NR
			if (unsafe && /siw_(cm|qp)_llp_/ && NR - unsafe < 15) known = 1
			if (/BUG: KASAN: .* in rxe_sched_task/ || /WARNING: .*\/rxe_task\.c:/) rxe = 1
			if (rxe && / rxe_(resp_queue_pkt|xmit_packet)\+/) known = 1
			if (/BUG: KASAN: slab-use-after-free in siw_cm_llp_error_report/) child = 1
			if (child && / inet_child_forget\+/) known = 1
			if (/WARNING: .*kernel\/softirq\.c:.* at __local_bh_enable_ip\+/) bh = 1
			if (bh && / timer_alarm_handler\+/) tick = 1
			if (tick && /hardirqs last  enabled at .* handle_softirqs\+/) on = event()
			if (on && /hardirqs last disabled at .* um_trace_signals_off\+/)
				known = (event() == on + 1)
			if (block == "warn") {
				if (/---\[ end trace/) flush()
			} else if (/\] Call Trace:/) {
				last = 1
			}
		}
		END { flush() }'
}

# Lines of the kernel log since the tests began that must not be there. A line of the loader
# about out-of-tree modules carries our prefix and is none of ours. What kmemleak counts is judged
# by kmemleak_check.
kernel_log_check() {
	local bad='BUG|WARNING|INFO: |possible (recursive|circular|irq|deadlock|unsafe)|KASAN|UBSAN|KFENCE|KCSAN'
	bad+='|hung task|blocked for more than|refcount_t|Oops|sleeping function|scheduling while atomic'
	bad+='|suspicious|ODEBUG|Kernel panic|segfault|rcu: .*stall|Call Trace'
	bad+='|\] net_smbdirect: |list_(add|del) corruption|Unable to handle|general protection'
	touch /run/out/log-expected
	sed -n '/smbdr-bed: start of tests/,$p' /run/out/dmesg |
		drop_known_reports |
		grep -E "$bad" |
		grep -vE 'net_smbdirect: (loading out-of-tree module|module verification failed)' |
		grep -vEf /run/out/log-expected | head -n 40
}

# kunit_results SUITE: the results of a KUnit suite as results of this group, one line for each
# case; a case with parameters gives one line for each parameter instead.
kunit_results() {
	local file=/sys/kernel/debug/kunit/$1/results status text
	[ -r "$file" ] || { ktap_fail "kunit $1" 'no results: not loaded?'; return 1; }
	while IFS=$'\t' read -r status text; do
		case $status in
		ok | 'not ok') ktap_line "$status" "kunit $1.$text" ;;
		*) ktap_diag "$text" ;;
		esac
	done < <(awk '
		/^ *(KTAP version|[0-9]+\.\.[0-9]+|# module:|# [^ ]+: pass:|# Totals:)/ { next }
		/^ *# Subtest: / { name = $3; said = ""; next }
		/^ *(not )?ok [0-9]+ / {
			indent = match($0, /[^ ]/) - 1
			status = /^ *not ok/ ? "not ok" : "ok"
			text = $0
			sub(/^ *(not )?ok [0-9]+ (- )?/, "", text)
			if (indent == 0) next			# the suite
			if (indent == 4 && params) {		# the case whose parameters we had
				params = 0
				said = ""
				next
			}
			if (indent == 8) {
				params = 1
				text = name ": " text
			}
			printf "%s\t%s\n", status, text
			if (status != "ok") printf "%s", said
			said = ""
			next
		}
		{ said = said "diag\t" $0 "\n" }' "$file")
}
