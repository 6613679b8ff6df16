#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make soak: what make check does in short, for hours. Every step is a boot with one kind of stress,
# the last two many boots; the last line is the total, and above it is told what was run.
#
# FUZZ (seconds for each driver, 3600), ROUNDS (of the storm, for each driver, 1000), FRAMES (each way,
# on the bad networks, 500000), SEED (where fuzzers and storm begin, by default the time), BEDS ("uml
# qemu"), STEPS (an expression that the names of the steps to be run match).
set -uo pipefail

fuzz=${FUZZ:-3600} rounds=${ROUNDS:-1000} frames=${FRAMES:-500000}
seed=${SEED:-$((EPOCHSECONDS % 32768))}
beds=" ${BEDS:-uml qemu} "

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1
# shellcheck source=steps.sh
. tests/steps.sh

# boot BED SECONDS FLAVOUR PARAMETERS GROUP...: one step, given that much time.
boot() {
	local bed=$1 time=$2 flavour=$3 append=$4
	local name="$bed $flavour $5${append:+ ($append)}"
	shift 4
	[[ $beds == *" $bed "* ]] || return 0
	beside "$name" env "BED=$bed" "TIMEOUT=$time" "APPEND=$append" tests/vm/run.sh "$flavour" "$@"
}

tests/vm/deps.sh || exit 1
echo "seed $seed"
boot uml $((2 * fuzz + 600)) kasan "smbdr_fuzz_seed=$seed smbdr_fuzz_seconds=$fuzz" fuzz
for flavour in kasan lockdep leak; do
	boot uml $((rounds * 30 + 600)) "$flavour" "smbdr_storm_seed=$seed smbdr_storm_rounds=$rounds" storm
done
boot uml 7200 leak '' failnth
boot uml 7200 lockdep '' failnth
boot uml $((frames / 50 + 600)) release "smbdr_noise_frames=$frames" noise
for flavour in kcsan kasan; do
	boot qemu $((fuzz + 3600)) "$flavour" "smbdr_fuzz_seed=$seed smbdr_fuzz_seconds=$((fuzz / 2))" fuzz
	boot qemu $((rounds * 30 + 3600)) "$flavour" \
		"smbdr_storm_seed=$seed smbdr_storm_rounds=$((rounds / 10))" storm
done
# The groups of make check, which runs them on the first bed only.
[[ $beds != *' qemu '* ]] || beside 'check on qemu' env -u STEPS BED=qemu tests/check.sh
beside 'SMB, all pairs' env -u BEDS tests/check_smb.sh
steps_end
