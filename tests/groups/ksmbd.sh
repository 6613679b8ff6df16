#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's own SMB server, over its own SMB Direct, answers our sockets.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_transport
if check 'ksmbd starts' start_ksmbd; then
	run_suite smbdr_ksmbd 'tcp v4' smb_port=4455 smb_echoes=2
	# It listens on the IPv4 wildcard only.
	for bed in 'siw v4' 'rxe v4'; do
		run_suite smbdr_ksmbd "$bed" "smb_port=$(bed_smb_port "$bed")"
	done
	cat /tmp/ksmbd.log >&2
	check 'ksmbd stops' stop_ksmbd
else
	cat /tmp/ksmbd.log >&2
fi
ktap_plan
