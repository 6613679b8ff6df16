#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Closing in every state from either side, with TCP as the contrast.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_transport
run_suite smbdr_close 'tcp v4'
close_suite() { run_suite smbdr_close "$1"; }
on_every_bed close_suite
# siw's packets pass lo, those of rxe between two addresses of its own pass nothing.
check 'lo gets slow' tc qdisc add dev lo root netem limit 20000 delay 20ms rate 100mbit
run_suite smbdr_close_far 'siw v4'
check 'lo gets fast' tc qdisc del dev lo root
run_suite smbdr_close_far 'rxe v4'
check 'no RDMA resources stay' wait_for 10 rdma_idle
ktap_plan
