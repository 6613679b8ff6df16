#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The promise that the sources work inside of a kernel tree: link a copy of one, put us into
# net/smbdirect without include/compat, and compile, with and without IPv6.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
series=${KERNEL_SERIES:-7.3}
src=$("$top/tests/vm/kernel.sh" source "$series") || exit 1
build=$("$top/tests/vm/kernel.sh" build "$series" release) || exit 1
work=$(mktemp -d -p "$(dirname "$src")" .intree.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# Hard links where that is possible; what is changed is unlinked first.
cp -rl "$src" "$work/tree" 2>/dev/null || { rm -rf "$work/tree"; cp -r "$src" "$work/tree"; } || exit 1
net=$work/tree/net
rm "$net/Makefile" "$net/Kconfig"
{ cat "$src/net/Makefile"; echo 'obj-$(CONFIG_NET_SMBDIRECT) += smbdirect/'; } >"$net/Makefile"
sed '/^source "net\/smc\/Kconfig"/a source "net/smbdirect/Kconfig"' "$src/net/Kconfig" >"$net/Kconfig"
mkdir "$net/smbdirect"
cp -r "$top"/{Kbuild,Kconfig,Makefile,include,net,smbdirect} "$net/smbdirect/"
rm -r "$net/smbdirect/include/compat"

has_lines() {
	local file=$1 line
	shift
	for line; do
		grep -qxF "$line" "$file" || { echo "$file lacks: $line" >&2; return 1; }
	done
}

# variant NAME SYMBOL...: compile with these lines added to the release configuration.
variant() {
	local name=$1 out=$work/build log=$work/log
	shift
	mkdir -p "$out"
	{ cat "$build/.config"; printf '%s\n' CONFIG_NET_SMBDIRECT=m "$@"; } >"$out/.config"
	if make -s -C "$work/tree" O="$out" ARCH=um olddefconfig >"$log" 2>&1 &&
	   has_lines "$out/.config" CONFIG_NET_SMBDIRECT=m "$@" &&
	   make -s -C "$work/tree" O="$out" ARCH=um W=1 -j"$(nproc)" net/smbdirect/ >"$log" 2>&1 &&
	   ! grep -E 'net/smbdirect/.*(warning|error)' "$log"; then
		passed=$((passed + 1))
		echo "ok - in a kernel tree, $name"
	else
		failed=$((failed + 1))
		echo "not ok - in a kernel tree, $name"
		tail -n 30 "$log"
	fi
}
variant 'as it is'
variant 'without IPv6' '# CONFIG_IPV6 is not set'
# Nothing of the fault points is in a module that is not built for tests.
if nm "$work/build/net/smbdirect/net_smbdirect.o" >"$work/symbols" && ! grep -i fault "$work/symbols"; then
	passed=$((passed + 1))
	echo 'ok - in a kernel tree, no trace of fault points'
else
	failed=$((failed + 1))
	echo 'not ok - in a kernel tree, no trace of fault points'
fi
variant 'with fault points' CONFIG_NET_SMBDIRECT_FAULTS=y
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
