#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sparse, for Kbuild: make C=1 CHECK=tests/sparse.sh. Fails if sparse says anything, so that the
# object is not finished and the next build says it again.
#
# The sparse that distributions have (0.6.4) is older than Linux 7.3 asks for. Kbuild tries it on
# __typeof_unqual__ and, if that fails, skips the check with a note and without an error. So this
# makes up for what the old one lacks:
# - __typeof_unqual__: __typeof__ is close enough for a checker.
# - MODULE_LICENSE(), module_param() and their like compare a string's sizeof with its strlen at
#   compile time, which it cannot compute.
set -uo pipefail
file=${*: -1}
said=$(sparse -D__typeof_unqual__=__typeof__ "$@" 2>&1)
status=$?
said=$(while IFS= read -r line; do
	if [[ $line =~ ^"$file":([0-9]+):.*'bad constant expression' ]]; then
		[[ ! $(sed -n "${BASH_REMATCH[1]}p" "$file") =~ ^(MODULE_|module_param) ]] || continue
	fi
	printf '%s\n' "$line"
done <<<"$said")
[ -z "$said" ] || { printf '%s\n' "$said" >&2; exit 1; }
# The errors that were left out count in its status.
[ "$status" -le 1 ]
