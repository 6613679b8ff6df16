#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make check-smb: every pair of {our, stock} SMB client and server at real work, one boot each.
# CELLS restricts the pairs ("ours-ours ours-stock stock-ours stock-stock"), BEDS the devices
# ("siw,rxe"). The last line is the total.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cells=${CELLS:-ours-ours ours-stock stock-ours stock-stock}
beds=${BEDS:-siw,rxe}
start=$SECONDS
passed=0 failed=0
# A share in memory holds 2 GiB and more.
export MEM=${MEM:-8G} TIMEOUT=${TIMEOUT:-3600}

"$top/tests/vm/deps.sh" smb || exit 1
out=$(mktemp -d) said=$(mktemp) faults=$(mktemp)
trap 'rm -rf "$out" "$said" "$faults"' EXIT
for cell in $cells; do
	case $cell in
	ours-ours | ours-stock | stock-ours | stock-stock) ;;
	*) echo "check_smb.sh: no pair $cell: client-server, each ours or stock" >&2; exit 2 ;;
	esac
	echo "== client ${cell%-*}, server ${cell#*-} ($((SECONDS - start)) s)"
	rm -rf "$out"
	OUT=$out SMB=${cell/-/ } APPEND="smbdr_smb_beds=$beds" "$top/tests/vm/run.sh" release smb_full smb_faults 2>&1 | tee "$said"
	[ ! -e "$out/faults" ] || sed "s/^/$cell /" "$out/faults" | tee -a "$faults"
	if [[ $(tail -n 1 "$said") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	else
		failed=$((failed + 1))
	fi
done
echo "== what I/O met while server, link or device were away"
cat "$faults"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
