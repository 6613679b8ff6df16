#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make check-smb: every pair of {our, stock} SMB client and server at real work, one boot each.
# CELLS restricts the pairs ("ours-ours ours-stock stock-ours stock-stock"), DEVICES the devices
# ("siw rxe"), PARTS what is done ("full io guests"). The last line is the total.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cells=${CELLS:-ours-ours ours-stock stock-ours stock-stock}
export DEVICES=${DEVICES:-siw rxe}
parts=" ${PARTS:-full io guests} "
start=$SECONDS
passed=0 failed=0
# A share in memory holds 2 GiB and more.
export MEM=${MEM:-8G} TIMEOUT=${TIMEOUT:-3600}

"$top/tests/vm/deps.sh" smb || exit 1
out=$(mktemp -d) said=$(mktemp) faults=$(mktemp)
trap 'rm -rf "$out" "$said" "$faults"' EXIT
# total COMMAND...: show what it says and add the numbers in its last line.
total() {
	"$@" 2>&1 | tee "$said"
	if [[ $(tail -n 1 "$said") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	else
		failed=$((failed + 1))
	fi
}

for cell in $cells; do
	case $cell in
	ours-ours | ours-stock | stock-ours | stock-stock) ;;
	*) echo "check_smb.sh: no pair $cell: client-server, each ours or stock" >&2; exit 2 ;;
	esac
	echo "== client ${cell%-*}, server ${cell#*-} ($((SECONDS - start)) s)"
	rm -rf "$out"
	# A UML with two CPUs takes up to ten milliseconds to wake one up. That is borne where it is
	# about a few at a time, but 20 000 files would take half an hour.
	[[ $parts != *' full '* ]] || total env CPUS=1 SMB="${cell/-/ }" "$top/tests/vm/run.sh" release smb_full
	[[ $parts != *' io '* ]] || total env OUT="$out" SMB="${cell/-/ }" \
		"$top/tests/vm/run.sh" release smb_io smb_faults
	[ ! -e "$out/faults" ] || sed "s/^/$cell /" "$out/faults" >>"$faults"
	for device in $DEVICES; do
		[[ $parts == *' guests '* ]] || continue
		echo "== $device, between two guests, one of them killed ($((SECONDS - start)) s)"
		total "$top/tests/smb/pair.py" "$device" "${cell%-*}" "${cell#*-}"
		sed -n "s/^fault /$cell fault /p" "$said" >>"$faults"
	done
done
echo "== what I/O met while server, link or device were away"
cat "$faults"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
