#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The client of two guests, see tests/smb/pair.py: I/O on the file smbdr_file in the share of the
# other guest, until told to stop by the file stop in the output directory.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/smb.sh
. /run/top/tests/consumer/smb.sh

work() {
	local said
	check 'mount' mount_share "$(pair_addr server)" echo_interval=4 || return
	said=$(within 500 python3 /run/top/tests/smb/io.py "$SMB_MNT/$(param smbdr_file io)" /run/out/stop 2>/tmp/io.err)
	cat /tmp/io.err >&2
	echo "$said" >/run/out/said.new
	mv /run/out/said.new /run/out/said
	check 'nothing that was synced is lost' sh -c 'case "$1" in *"wrong 0") ;; *) false ;; esac' - "$said"
	check 'unmount' umount_share
}

check 'the network is there' pair_link client
with_client work
check 'no RDMA resources stay' wait_for 10 rdma_idle
check 'the network goes' pair_unlink
ktap_plan
