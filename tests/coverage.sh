#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make coverage: which lines and branches of the module the tests run. A table, what is below the
# goal, which is a failure, and pages in coverage-results/.
#
# The kernel's part is counted in a kernel of its own that runs what make check runs in the release
# and kasan kernels. The pure layer is counted where its tests run in user space: there its branches
# are compiled as they are written.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1
export TIMEOUT=${TIMEOUT:-1200}
results=coverage-results
# Regular expression; smbdirect-internals.rst says what the pure layer is.
pure='smbdirect/(wire|credits|reasm|params)\.[ch]|net/framing\.[ch]'

tests/vm/deps.sh coverage || exit 1
mod=$(tests/vm/modules.sh coverage) || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
status=0

echo "== unit tests"
make -s -C tests/unit coverage >"$work/unit.log" 2>&1 ||
	{ cat "$work/unit.log"; echo "The unit tests failed."; exit 1; }
gcovr --root . --filter "($pure)$" --json "$work/unit.json" tests/unit/build/cov || exit 1

# The groups that make check runs in the release and kasan kernels, each once, four to a boot.
n=0
while read -r -a groups; do
	n=$((n + 1))
	echo "== kernel coverage: ${groups[*]}"
	OUT=$work/boot$n tests/vm/run.sh coverage "${groups[@]}" </dev/null || status=1
	[ -d "$work/boot$n/gcov" ] || { echo "This boot has left no data."; exit 1; }
	# Next to its counts gcov wants the notes of the compiler.
	(cd "$mod" && find . -name '*.gcno' -exec cp --parents -t "$work/boot$n/gcov" {} +)
	(cd "$mod" && gcovr --root . --filter '(smbdirect|net)/' --exclude "($pure)$" \
		--json "$work/boot$n.json" "$work/boot$n/gcov") || exit 1
done < <(awk '!/^#/ && $1 !~ /^(smb|demo)$/ && / (release|kasan)[\/=]/ { print $1 "/v6/tcp" }' \
	tests/groups.table | xargs -n 4)

rm -rf "$results"
mkdir "$results"
traces=("$work"/*.json)
gcovr --root . "${traces[@]/#/-a}" --html-details "$results/index.html" \
	--json-summary "$work/summary.json" --txt "$results/lines.txt" || exit 1
[ "$status" = 0 ] || echo "Tests failed, see above: what they would have run is missing."
echo "== pages: $results/index.html, lines that nothing ran: $results/lines.txt"
tests/coverage.py "$work/summary.json" "$pure" | tee "$results/table.txt" || status=1
exit "$status"
