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

MODROOT=/run/modroot
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

# How slow this machine is, in percent of one on which the times of the groups were chosen.
SLOW=$(sed -n 's/.*\<smbdr_slow=\([0-9]*\).*/\1/p' /proc/cmdline)
SLOW=${SLOW:-100}
# So many seconds of that machine on this one.
scaled() { echo $((($1 * SLOW + 99) / 100)); }

# wait_for SECONDS COMMAND...: poll until the command succeeds; its failure when time is up.
wait_for() {
	local deadline=$((SECONDS + $(scaled "$1")))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

# within SECONDS COMMAND...: timeout(1) with the time of this machine.
within() {
	local seconds=$1
	shift
	timeout "$(scaled "$seconds")" "$@"
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
# siw allocated within a second of it is excused, nothing that a function of ours has allocated: a frame
# that is only an address is one of a module that is gone. What is excused is counted by judge.py.
drop_known_leaks() {
	awk '
		/^unreferenced object/ { n++; frames[n] = 0 }
		/^ *(\[<[0-9a-f]+>\] *)?([a-z_0-9.]+\+)?0x[0-9a-f]+/ && !/^unreferenced/ && frames[n]++ < 16 &&
			(/smbdr_|net_smbdirect/ || !/\+0x/) { ours[n] = 1 }
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
				if (!excused || (i in ours))
					printf "%s", block[i]
				else if (i)
					print "siw loses a connection request to a listener that goes" >"/run/out/excuses"
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
