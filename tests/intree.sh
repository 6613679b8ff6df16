#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The promise that the sources work inside of a kernel tree: put us into net/smbdirect of one, without
# include/compat, and compile it, as a module and built in.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=vm/ccache.sh
. "$top/tests/vm/ccache.sh"
series=$("$top/tests/vm/kernel.sh" series) || exit 1
newest=$("$top/tests/vm/kernel.sh" series newest) || exit 1
if [ "$(printf '%s\n' "$series" "$newest" | sort -V | head -n 1)" != "$newest" ]; then
	echo "ok - in a kernel tree # SKIP Linux $series needs include/compat"
	echo '0 passed, 0 failed, 1 skipped'
	exit
fi
src=$("$top/tests/vm/kernel.sh" source "$series") || exit 1
build=$("$top/tests/vm/kernel.sh" build "$series" release) || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# A tree of links to that one, with a net/ of its own.
net=$work/tree/net
mkdir -p "$net"
find "$src" -mindepth 1 -maxdepth 1 ! -name net -exec ln -s -t "$work/tree" {} +
find "$src/net" -mindepth 1 -maxdepth 1 ! -name Makefile ! -name Kconfig -exec ln -s -t "$net" {} +
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

result() {
	local status=$1
	if [ "$status" = 0 ]; then
		passed=$((passed + 1))
		echo "ok - in a kernel tree, $2"
	else
		failed=$((failed + 1))
		echo "not ok - in a kernel tree, $2"
		tail -n 30 "$log"
	fi
}

log=$work/log out=$work/build
tree() { make -s -C "$work/tree" O="$out" ARCH=um "$@" >"$log" 2>&1; }
# The release configuration with other lines.
configure() {
	mkdir -p "$out"
	{ cat "$build/.config"; printf '%s\n' "$@"; } >"$out/.config"
	tree olddefconfig
}
# No function may need more of the stack than 1024 bytes: some configurations allow no more.
frame=CONFIG_FRAME_WARN=1024
compile() { tree W=1 -j"$(nproc)" net/smbdirect/ && ! grep -E 'net/smbdirect/.*(warning|error)' "$log"; }
# variant NAME SYMBOL...: compile with these lines in the configuration.
variant() {
	local name=$1
	shift
	configure "$@" "$frame" && has_lines "$out/.config" "$@" "$frame" && compile
	result $? "$name"
}

# What is there to choose: nothing without RDMA, and a module when RDMA is one.
chosen() {
	local want=$1
	shift
	configure "$@" CONFIG_NET_SMBDIRECT=y && [ "$(grep 'CONFIG_NET_SMBDIRECT[= ]' "$out/.config")" = "$want" ]
}
chosen '' '# CONFIG_INFINIBAND is not set'
result $? 'not without RDMA'
chosen '' '# CONFIG_INET is not set'
result $? 'not without IP'
chosen CONFIG_NET_SMBDIRECT=m CONFIG_INFINIBAND=m
result $? 'a module if RDMA is'

variant 'a module without IPv6, with fault points' CONFIG_NET_SMBDIRECT=m '# CONFIG_IPV6 is not set' \
	CONFIG_NET_SMBDIRECT_FAULTS=y
variant 'built in' CONFIG_NET_SMBDIRECT=y '# CONFIG_NET_SMBDIRECT_FAULTS is not set'
# All that it needs is there: in itself or in the kernel of that configuration, whatever is a module in
# it.
archive=$out/net/smbdirect/built-in.a
nm "$archive" >"$work/symbols"
given() {
	awk 'NF == 3 { print $3 }' "$work/symbols" "$build/System.map"
}
missing() { comm -23 <(awk '$1 == "U" { print $2 }' "$work/symbols" | sort -u) <(given | sort -u); }
grep -q ' U rdma_create_qp$' "$work/symbols" && missing >"$log" && [ ! -s "$log" ]
result $? 'built in, nothing to link is missing'
# Nothing of the fault points is in what is not built for tests.
grep -q ' T smbdr_conn_abort$' "$work/symbols" && ! grep -i fault "$work/symbols" >"$log"
result $? 'no trace of fault points'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
