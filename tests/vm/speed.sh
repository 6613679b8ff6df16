#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How slow this machine is, in percent of the one on which the limits of the tests were chosen, at least
# 100: the CPU time of a fixed piece of work. SMBDR_SLOW overrides it.
set -euo pipefail
if [ -n "${SMBDR_SLOW:-}" ]; then
	echo "$SMBDR_SLOW"
	exit
fi
best=0
for _ in 1 2 3; do
	now=$(perl -e 'for (1 .. 1e7) { $x += $_ & 7 } printf "%d", 1000 * (times)[0]')
	[ "$best" != 0 ] && [ "$best" -le "$now" ] || best=$now
done
percent=$((best * 100 / 400))
echo $((percent < 100 ? 100 : percent > 800 ? 800 : percent))
