#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Frames of all sizes, cut in all ways, with TCP as the contrast.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

need_module
stream() { suite smbdr_stream "$1"; }
on_every_transport stream
ktap_plan
