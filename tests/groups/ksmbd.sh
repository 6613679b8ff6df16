#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's own SMB server, over its own SMB Direct, answers our sockets.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_module
ksmbd() { suite smbdr_ksmbd "$1"; }
on_every_transport ksmbd
ktap_plan
