#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A program that speaks SMB Direct by hand, well and badly, against a socket that echoes.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

# The checkout is read-only in here; the guest has the host's compiler.
if ! said=$(make -s -C /run/top/tests/peer BUILD=/tmp/peer 2>&1); then
	ktap_fail 'the peer compiles' "$said"
	exit 0
fi
need_transport
peer=/tmp/peer/smbdr-peer
port=9500
# With kmemleak each of 65536 fragments takes more than a millisecond; the other kernels do all.
! have_kmemleak || export SMBDR_PEER_FRAGMENTS=4096
scenarios=$("$peer" 2>&1 | awk 'NR > 1 { print $1 }')
against() {
	local bed=$1 group=$KTAP_GROUP name
	KTAP_GROUP="$group $bed"
	port=$((port + 1))
	check 'consumer loads' load_consumer none "$bed"
	check 'echo server starts' sh -c "echo start $port >$SMBDR_DEBUG/echo"
	for name in $scenarios; do
		check "$name" timeout 60 "$peer" "$name" "$(bed_addr "$bed")" "$port"
	done
	check 'echo server stops' sh -c "echo stop >$SMBDR_DEBUG/echo"
	check 'consumer unloads' unload_consumer
	KTAP_GROUP=$group
}
against 'siw v4'
against 'rxe v4'
ktap_plan
