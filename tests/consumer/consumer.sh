# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# How the groups use smbdr_test.ko; sourced after tests/vm/lib.sh.
#
#	suite SUITE TRANSPORT [PARAMETER...]	load it for one transport, with what the suite needs
#						around it, and take over its KUnit results
#	on_every_transport FUNCTION [ARGUMENT...]	FUNCTION gets TRANSPORT as its first argument
#
# A TRANSPORT is "siw v4", "rxe v6" or "tcp v4": which device or protocol, which family. The arrays
# TRANSPORTS and DEVICES are those that this run is about: siw and rxe with IPv4 are DEVICES; TRANSPORTS
# has also what the table in tests/groups.table asks for, with v6 or tcp.

# shellcheck disable=SC2034 # for the groups
SMBDR_DEBUG=/sys/kernel/debug/smbdr_test
# Each load gets ports that nobody has in TIME_WAIT. A file, because check runs in a subshell.
consumer_port() {
	local port=10000
	[ ! -e /run/consumer_port ] || port=$(cat /run/consumer_port)
	echo "$((port < 28000 ? port + 1500 : 10000))" >/run/consumer_port
	echo "$port"
}

# Is this the second bed, where all is slower but the clock?
emulated() { ! grep -qw hostfs /proc/filesystems; }
# How much of the long tests this kernel can bear, percent.
consumer_scale() {
	if emulated; then
		echo 3
	elif zgrep -q '^CONFIG_PROVE_LOCKING=y' /proc/config.gz; then
		echo 5
	elif zgrep -q '^CONFIG_KASAN=y' /proc/config.gz; then
		echo 30
	else
		echo 100
	fi
}
consumer_scale=$(consumer_scale)
# How long any call may take before it is a hang, ms.
consumer_patience=$((200 * SLOW))
! emulated || consumer_patience=$((600 * SLOW))

# An address on the same network at which nobody lives; packets to a dummy device are lost.
transport_addr() {
	case $1 in
	'siw v4' | 'tcp v4') echo "$SIW_V4" ;;
	'siw v6' | 'tcp v6') echo "$SIW_V6" ;;
	'rxe v4') echo "$RXE_V4" ;;
	'rxe v6') echo "$RXE_V6" ;;
	esac
}
transport_silent() {
	case $1 in
	'tcp v4') echo 10.77.0.99 ;;
	'tcp v6') echo fd77::99 ;;
	'rxe v4') echo 10.78.0.99 ;;
	'rxe v6') echo fd78::99 ;;
	esac
}
transport_proto() { case $1 in tcp*) echo 6 ;; *) echo 257 ;; esac; }

need_module() {
	module_loaded net_smbdirect || load_module net_smbdirect
}

# Load the module for BED with the suites that match GLOB; tests run before insmod returns.
load_consumer() {
	local glob=$1 transport=$2 silent
	shift 2
	silent=$(transport_silent "$transport")
	printf %s "$glob" >/sys/module/kunit/parameters/filter_glob
	load_module smbdr_test "proto=$(transport_proto "$transport")" "addr=$(transport_addr "$transport")" \
		"port=$(consumer_port)" "scale=$consumer_scale" ${silent:+"silent=$silent"} \
		"timeout=$consumer_patience" "$@"
}

unload_consumer() {
	unload_module smbdr_test
	printf '*' >/sys/module/kunit/parameters/filter_glob
}

# The case that was asked for alone, or nothing (run.sh: ONLY).
ONLY=$(param smbdr_only '')

run_suite() {
	local suite=$1 transport=$2 start=$SECONDS
	shift 2
	local KTAP_GROUP="$KTAP_GROUP $transport"
	if check "load for $suite" load_consumer "$suite${ONLY:+.${ONLY#*.}}" "$transport" "$@"; then
		[ -n "$ONLY" ] && [ ! -e "/sys/kernel/debug/kunit/$suite" ] || kunit_results "$suite"
		check "unload after $suite" unload_consumer
		echo "$suite on $transport: $((SECONDS - start)) s" >&2
	fi
}

suite() {
	case $1 in
	smbdr_api) with_dead_ends run_suite "$@" ;;
	smbdr_close_far) on_slow_lo "$2" 'delay 20ms rate 100mbit' run_suite "$@" ;;
	smbdr_rdma_stable) on_slow_lo "$2" 'delay 10ms' run_suite "$@" ;;
	smbdr_fault) run_suite "$@" timeout=8000 ;;
	smbdr_ksmbd) beside_ksmbd run_suite "$@" "smb_port=$(smb_port_of "$2")" ;;
	smbdr_netns) [[ $2 != rxe* ]] || between_namespaces "$2" ;;
	*) run_suite "$@" ;;
	esac
}

# With routes that lead nowhere, to addresses that are for documentation.
with_dead_ends() {
	check 'routes that lead nowhere' sh -c 'ip route replace unreachable 198.51.100.0/24 &&
		ip -6 route replace unreachable 2001:db8:1::/48' && "$@"
}

# Beside the SMB server. It listens on the IPv4 wildcard only.
beside_ksmbd() {
	check 'ksmbd starts' start_ksmbd && "$@"
	cat /tmp/ksmbd.log >&2
	check 'ksmbd stops' stop_ksmbd
}

# A family of the two namespaces that other_add() joins.
between_namespaces() {
	local net=10.79.0.
	[[ $1 = *v4 ]] || net=fd79::
	other_add || ktap_fail 'a second namespace'
	run_suite smbdr_netns "$1" "addr=${net}1" "netns_addr=${net}2" "netns_pid=$OTHER_PID"
	other_delete
	check 'the namespace goes' wait_for 20 other_gone
}

# on_slow_lo TRANSPORT NETEM COMMAND...: siw's packets pass lo, those of rxe between two addresses of
# its own pass nothing.
on_slow_lo() {
	local transport=$1 netem=$2
	shift 2
	if [[ $transport != siw* ]]; then
		"$@"
		return
	fi
	# shellcheck disable=SC2086 # words
	check 'lo gets slow' tc qdisc add dev lo root netem limit 20000 $netem
	"$@"
	check 'lo gets fast' tc qdisc del dev lo root
}

# Is device or protocol $1 among those that may be used (run.sh: DEVICES)?
may_use() { [[ " $(param smbdr_devices 'siw rxe tcp') " == *" $1 "* ]]; }
DEVICES=() TRANSPORTS=()
for device in siw rxe; do
	may_use "$device" || continue
	DEVICES+=("$device v4") TRANSPORTS+=("$device v4")
	[[ /${SMBDR_TRANSPORTS:-}/ != */v6/* ]] || TRANSPORTS+=("$device v6")
done
[[ /${SMBDR_TRANSPORTS:-}/ != */tcp/* ]] || ! may_use tcp || TRANSPORTS+=('tcp v4')

on_every_transport() {
	local fn=$1 transport
	shift
	for transport in "${TRANSPORTS[@]}"; do "$fn" "$transport" "$@"; done
}

# A counter of the module; 0 without it.
counter() {
	local count
	count=$(awk -v k="$1" '$1 == k { print $2 }' /proc/net/smbdirect 2>/dev/null)
	echo "${count:-0}"
}
# A value in the report of the last job.
value() { awk -v k="$1" '$1 == k { print $2 }' "$SMBDR_DEBUG/report"; }
# job FILE WORDS...: run a job of smbdr_test.ko; on failure show its report.
job() { echo "${*:2}" >"$SMBDR_DEBUG/$1" || { cat "$SMBDR_DEBUG/report"; false; }; }

# peer_compiles TARGET: the raw peer, in /tmp/peer. The checkout is read-only in here; the guest has
# the host's compiler.
peer_compiles() {
	local said
	said=$(make -s -C /run/top/tests/peer BUILD=/tmp/peer "$@" 2>&1) && return
	ktap_fail 'the peer compiles' "$said"
	exit 0
}

nothing_leaks() {
	local leaks
	have_kmemleak || return 0
	leaks=$(kmemleak_check)
	check 'nothing leaks' test -z "$leaks" || ktap_diag "$leaks"
}

# Are the RDMA objects those of $1, which rdma_counts has printed?
same_rdma() { [ "$(rdma_counts)" = "$1" ]; }
# Queue pairs of the kernel: one for each end of ours.
kernel_qps_are() {
	[ "$(rdma resource show qp | grep -v 'GSI\|SMI' | grep -c 'comm \[')" = "$1" ]
}
# Are all RDMA objects of connections gone? (Counts of soft devices alone stay.)
rdma_idle() { [ "$(rdma resource show qp 2>/dev/null | grep -vc 'GSI\|SMI')" = 0 ]; }

# How often rxe has sent something again, as either end counts it.
rxe_repetitions() {
	local dir=/sys/class/infiniband/rxe0/ports/1/hw_counters
	echo $(($(cat $dir/duplicate_request) + $(cat $dir/completer_retry_err)))
}

# The SMB server: ksmbd.ko and its daemon, with one share in memory, for guests and for the user bed
# with the password bed.
start_ksmbd() {
	local dir=/tmp/ksmbd
	mkdir -p "$dir" /tmp/share /run/lock
	cat >"$dir/ksmbd.conf" <<-CONF
		[global]
			netbios name = BED
			smb2 leases = yes
			bind interfaces only = no
			tcp port = 4455
			map to guest = bad user
			server multi channel support = yes
		[share]
			path = /tmp/share
			guest ok = yes
			read only = no
			force user = root
			force group = root
	CONF
	: >"$dir/ksmbdpwd.db"
	ksmbd.adduser -a bed -p bed -i "$dir/ksmbdpwd.db" -c "$dir/ksmbd.conf" >&2 || return 1
	load_ksmbd || return 1
	ksmbd.mountd -c "$dir/ksmbd.conf" -u "$dir/ksmbdpwd.db" -n >/tmp/ksmbd.log 2>&1 &
	echo $! >/run/ksmbd.pid	# a file, because check runs in a subshell
	wait_for 20 ksmbd_listens
}
ksmbd_listens() { grep -q running /sys/class/ksmbd-control/stats 2>/dev/null; }
ksmbd_daemon_gone() { ! kill -0 "$(cat /run/ksmbd.pid)" 2>/dev/null; }
stop_ksmbd() {
	echo hard >/sys/class/ksmbd-control/kill_server
	kill "$(cat /run/ksmbd.pid)" 2>/dev/null
	wait_for 20 ksmbd_daemon_gone && wait_for 20 rmmod ksmbd
}
smb_port_of() { case $1 in siw*) echo 5445 ;; rxe*) echo 445 ;; tcp*) echo 4455 ;; esac; }
