#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mutants.sh DIR: break the credit ledger on purpose, one rule at a time, and see that the model
# notices. A model that cannot fail proves nothing. Works in DIR; the source is not touched.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
out=$1
src=../../smbdirect/credits.c
passed=0 failed=0 n=0

# mutant NAME FROM TO: FROM is a fixed string that has to occur once.
mutant() {
	local name=$1 file
	n=$((n + 1))
	file=$out/mutant$n.c
	mkdir -p "$out"
	if ! FROM=$2 TO=$3 perl -0pe '$c = s/\Q$ENV{FROM}\E/$ENV{TO}/g; exit 1 if $c != 1' "$src" >"$file"; then
		echo "not ok $n - mutant: $name # the text to change is not there once"
		failed=$((failed + 1))
		return
	fi
	if ! ${CC:-cc} -std=gnu11 -O2 -w -Iinclude -I../../include -I../../smbdirect \
			-DCREDITS_C="\"$PWD/$file\"" -o "$out/mutant$n" model.c; then
		echo "not ok $n - mutant: $name # does not compile"
		failed=$((failed + 1))
	elif why=$(timeout 120 "$out/mutant$n" -q); then
		echo "not ok $n - mutant: $name # not noticed"
		failed=$((failed + 1))
	else
		echo "ok $n - mutant: $name # $(tail -n 1 <<<"$why")"
		passed=$((passed + 1))
	fi
	rm -f "$out/mutant$n"
}

mutant 'last credit may be spent without a grant' \
	'(c->send == 1 && c->posted > c->announced)' 'c->send == 1'
mutant 'no receive is posted for the last credit' '(saying && c->send == 1) || ' ''
mutant 'a receive for every keepalive, without end' '(must_grant && !ample)' 'must_grant'
mutant 'no receive is posted for a keepalive' ' || (must_grant && !ample)' ''
mutant 'every receive is granted at once' \
	'return c->announced <= base / 4 || (c->target_rose && base > c->announced);' 'return true;'
mutant 'never a message for a grant' \
	'return c->announced <= base / 4 || (c->target_rose && base > c->announced);' 'return false;'
mutant 'quarter not less than one' 'c->announced <= base / 4' 'c->announced <= max_t(u32, 1, base / 4)'
mutant 'one receive for a peer without a credit' 'goal = max_t(u32, goal, 2);' 'goal = max_t(u32, goal, 1);'
mutant 'receives are announced twice' 'c->announced += grant;
	c->target_rose' 'c->target_rose'
mutant 'announced is not given back' '	c->announced--;' '	;'
mutant 'posted is not given back' '	c->posted--;' '	;'
mutant 'sending costs nothing' '	c->send--;' '	;'
mutant 'grants are lost' 'c->send = min_t(u64, (u64)c->send + granted, U32_MAX);' ';'
mutant 'the initial grant is not accounted' 'requested);

	c->announced += grant;' 'requested);'
mutant 'the initial grant goes beyond the request' \
	'grant = min_t(u32, c->posted - c->announced, requested)' 'grant = c->posted - c->announced'
mutant 'room is not looked at' 'if (room == SMBDR_ROOM_OPEN) {' 'if (0) {'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
