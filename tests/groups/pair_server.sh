#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The server of two guests, see tests/smb/pair.py. Its share is on the host, in smbdr_share, so that
# it outlives this kernel. Told what to do and telling how it goes by files in the output directory.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/smb.sh
. /run/top/tests/consumer/smb.sh

serve() {
	local since
	touch /run/out/ready
	until [ -e /run/out/stop ]; do
		# The time from the client's end until its connection is gone.
		if [ -e /run/out/client_gone ]; then
			since=$SECONDS
			if wait_for 240 rdma_idle; then
				echo "after $((SECONDS - since)) s"
			else
				echo 'not within 240 s'
			fi >/run/out/noticed.new
			mv /run/out/noticed.new /run/out/noticed
			rm /run/out/client_gone
		fi
		sleep 0.1
	done
}

check 'the network is there' pair_link server
mkdir -p "$SMB_SHARE"
mount -t hostfs -o "$(sed -n 's/.*smbdr_share=\([^ ]*\).*/\1/p' /proc/cmdline)" none "$SMB_SHARE"
with_server serve
check 'the network goes' pair_unlink
ktap_plan
