#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The module compiles for machines that the tests do not boot: 32 bit, 64 KiB pages, big endian; with
# and without fault points, without a warning of the compiler (W=1) or of sparse.
#
#   compile.sh [SERIES]
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1
tests/vm/deps.sh || exit 1
export SMBDR_DEPS=have	# what is called from here need not look again
series=${1:-$(tests/vm/kernel.sh series)} || exit 1
passed=0 failed=0 skipped=0

# What is compiled is for that machine, whole, and calls none of the functions of libgcc for numbers
# that are too wide for the machine: a kernel has none of them.
as_wanted() {
	local mirror=$1 class=$2 machine=$3 order=$4 faults=$5 header object points=0
	object=$mirror/net_smbdirect.o
	header=$(LC_ALL=C readelf -h "$object")
	grep -q "Class: *$class" <<<"$header" && grep -q "Machine: *$machine" <<<"$header" &&
		grep -q "Data:.*$order endian" <<<"$header" || { echo "not for that machine: $header"; return 1; }
	! nm "$object" | grep -E ' U __(u?(div|mod|divmod)|mul|ashl|[al]shr)[dt]i[34]$' || return 1
	[ ! -e "$mirror/smbdirect/fault.o" ] || points=1
	[ "$points" = "$faults" ] || { echo "fault points: $points, not $faults"; return 1; }
}

# variant FLAVOUR CLASS MACHINE ENDIAN FAULTS
variant() {
	local flavour=$1 with=(without with) what said mirror
	what="$flavour ${with[$5]} fault points"
	if said=$(NET_SMBDIRECT_TESTS=0 NET_SMBDIRECT_FAULTS=$5 STRICT=1 \
		  tests/vm/modules.sh "$flavour" "$series" 2>&1) &&
	   mirror=$(tail -n 1 <<<"$said") && said=$(as_wanted "$mirror" "${@:2}"); then
		passed=$((passed + 1))
		echo "ok - compile: $what"
	else
		failed=$((failed + 1))
		echo "not ok - compile: $what"
		tail -n 40 <<<"$said"
	fi
}

while read -r flavour words; do
	compiler=$(tests/vm/kernel.sh args "$flavour" | sed -n 's/.*CROSS_COMPILE=//p')gcc
	for faults in 0 1; do
		if command -v "$compiler" >/dev/null; then
			# shellcheck disable=SC2086 # words
			variant "$flavour" $words "$faults"
		else
			skipped=$((skipped + 1))
			echo "ok - compile: $flavour # SKIP no $compiler"
		fi
	done
done <<'TABLE'
i386 ELF32 Intel little
arm64 ELF64 AArch64 little
s390x ELF64 IBM big
TABLE
echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$failed" = 0 ]
