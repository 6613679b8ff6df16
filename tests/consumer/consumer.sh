# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# How the groups use smbdr_test.ko; sourced after tests/vm/lib.sh.
#
#	run_suite SUITE BED [PARAMETER...]	load it for one bed, take over its KUnit results
#	on_every_bed FUNCTION [ARGUMENT...]	FUNCTION gets BED as its first argument
#
# A BED is "siw v4", "rxe v6" or "tcp v4": which device or protocol, which family. Suites:
# smbdr_api, smbdr_option, smbdr_stream, smbdr_close, smbdr_close_far, smbdr_keepalive, smbdr_many,
# smbdr_netns, smbdr_ksmbd, smbdr_rdma, smbdr_rdma_descs, smbdr_rdma_misuse, smbdr_rdma_attack,
# smbdr_rdma_stress, smbdr_rdma_end, smbdr_rdma_stable, smbdr_fault (in kernels whose modules have
# fault points).

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
# How long any call may take before it is a hang, ms; empty for the default.
consumer_patience=
! emulated || consumer_patience=60000

# An address on the same network at which nobody lives; packets to a dummy device are lost.
bed_addr() {
	case $1 in
	'siw v4' | 'tcp v4') echo "$SIW_V4" ;;
	'siw v6' | 'tcp v6') echo "$SIW_V6" ;;
	'rxe v4') echo "$RXE_V4" ;;
	'rxe v6') echo "$RXE_V6" ;;
	esac
}
bed_silent() {
	case $1 in
	'tcp v4') echo 10.77.0.99 ;;
	'tcp v6') echo fd77::99 ;;
	'rxe v4') echo 10.78.0.99 ;;
	'rxe v6') echo fd78::99 ;;
	esac
}
bed_proto() { case $1 in tcp*) echo 6 ;; *) echo 257 ;; esac; }

need_transport() {
	module_loaded net_smbdirect || load_module net_smbdirect
}

# Load the module for BED with the suites that match GLOB; tests run before insmod returns.
load_consumer() {
	local glob=$1 bed=$2 silent
	shift 2
	silent=$(bed_silent "$bed")
	printf %s "$glob" >/sys/module/kunit/parameters/filter_glob
	load_module smbdr_test "proto=$(bed_proto "$bed")" "addr=$(bed_addr "$bed")" \
		"port=$(consumer_port)" "scale=$consumer_scale" ${silent:+"silent=$silent"} \
		${consumer_patience:+"timeout=$consumer_patience"} "$@"
}

unload_consumer() {
	unload_module smbdr_test
	printf '*' >/sys/module/kunit/parameters/filter_glob
}

run_suite() {
	local suite=$1 bed=$2 group=$KTAP_GROUP start=$SECONDS
	shift 2
	KTAP_GROUP="$group $bed"
	if check "load for $suite" load_consumer "$suite" "$bed" "$@"; then
		kunit_results "$suite"
		check "unload after $suite" unload_consumer
		echo "$suite on $bed: $((SECONDS - start)) s" >&2
	fi
	KTAP_GROUP=$group
}

on_every_bed() {
	local fn=$1 bed
	shift
	for bed in 'siw v4' 'siw v6' 'rxe v4' 'rxe v6'; do
		"$fn" "$bed" "$@"
	done
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
bed_smb_port() { case $1 in siw*) echo 5445 ;; rxe*) echo 445 ;; tcp*) echo 4455 ;; esac; }
