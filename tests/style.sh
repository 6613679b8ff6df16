#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make style: checkpatch, sparse, W=1, kernel-doc, layering, shell scripts. The last line is the
# total; what is wrong is printed above it.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1
tests/vm/deps.sh || exit 1
export SMBDR_DEPS=have	# what is called from here need not look again
series=$(tests/vm/kernel.sh series) || exit 1
src=$(tests/vm/kernel.sh source "$series") || exit 1
passed=0 failed=0

# Each rule is a function that prints what is wrong.
rule() {
	local said
	said=$("$2" 2>&1)
	if [ -z "$said" ]; then
		passed=$((passed + 1))
		echo "ok - $1"
	else
		failed=$((failed + 1))
		echo "not ok - $1"
		echo "$said" | head -n "${LINES_MAX:-60}"
	fi
}

sources() { git ls-files -co --exclude-standard -- "$@"; }

checkpatch() {
	# FILE_PATH_CHANGES is about the kernel's MAINTAINERS; kzalloc_obj() does not exist in 6.12;
	# the macros that use an argument twice name a member or take a constant.
	sources '*.c' '*.h' | grep -vE '^(include/compat|tests/(unit|fuzz|peer))/' |
		xargs perl "$src/scripts/checkpatch.pl" --strict --no-tree --no-summary --terse \
			--show-types --max-line-length=100 --file \
			--ignore FILE_PATH_CHANGES,ALLOC_WITH_SIZEOF,MACRO_ARG_REUSE \
			--typedefsfile /dev/null | grep -vE '^(total|$)'
}

# trace.h: the macros of <linux/tracepoint.h> are not C as checkpatch knows it.
checkpatch_filtered() { checkpatch | grep -vE '^smbdirect/trace\.h:'; }

kernel_doc() {
	local tool=$src/scripts/kernel-doc
	[ -e "$tool" ] || tool=$src/tools/docs/kernel-doc
	sources 'smbdirect/*.[ch]' 'net/*.[ch]' 'include/net/*.h' 'include/uapi/linux/*.h' |
		xargs "$tool" -none -Werror -Wall 2>&1
}

warnings() {
	local said
	said=$(STRICT=1 tests/vm/modules.sh kasan "$series" 2>&1) || echo "$said"
}

layering() { tools/check-layering; }

scripts() {
	command -v shellcheck >/dev/null || { echo "shellcheck is missing"; return; }
	sources '*.sh' tools/check-layering .ci/run | xargs shellcheck -x -S warning
}

spdx() {
	sources '*.c' '*.h' '*.sh' '*.rst' Makefile Kbuild Kconfig 'tests/*Makefile' |
		xargs grep -LE 'SPDX-License-Identifier: GPL-2.0-or-later'
}

rule 'checkpatch --strict' checkpatch_filtered
rule 'kernel-doc -Werror' kernel_doc
rule 'layers and versions' layering
rule 'licence tags' spdx
rule 'shell scripts' scripts
rule 'no warnings with W=1, none of sparse' warnings
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
