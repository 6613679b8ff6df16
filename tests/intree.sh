#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The promise that the sources work inside of a kernel tree: link a copy of one, put us into
# net/smbdirect without include/compat, and compile it, as a module and built in, for 64 bit and
# for 32 with fault points.
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

log=$work/log out=$work/build arch=um
tree() { make -s -C "$work/tree" O="$out" ARCH="$arch" "$@" >"$log" 2>&1; }
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

variant 'a module without IPv6' CONFIG_NET_SMBDIRECT=m '# CONFIG_IPV6 is not set'
variant 'built in' CONFIG_NET_SMBDIRECT=y
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

# 32 bit, for x86: to compile for that takes no 32-bit library, unlike User Mode Linux. From nothing,
# with as little as we can do with, and fault points. Such a kernel has no functions to divide 64 bits.
arch=i386 out=$work/build32
symbols=(CONFIG_MODULES=y CONFIG_SMP=y CONFIG_HIGHMEM4G=y CONFIG_PCI=y CONFIG_PROC_FS=y CONFIG_SYSFS=y
	CONFIG_DEBUG_FS=y CONFIG_NET=y CONFIG_INET=y CONFIG_IPV6=y CONFIG_NETDEVICES=y
	CONFIG_INFINIBAND=y CONFIG_INFINIBAND_USER_ACCESS=y CONFIG_INFINIBAND_ADDR_TRANS=y
	CONFIG_NET_SMBDIRECT=y CONFIG_NET_SMBDIRECT_FAULTS=y "$frame")
printf '%s\n' "${symbols[@]}" >"$work/symbols32"
tree KCONFIG_ALLCONFIG="$work/symbols32" allnoconfig && has_lines "$out/.config" "${symbols[@]}" && compile &&
	readelf -h "$out/net/smbdirect/smbdirect/fault.o" >"$log" && grep -q 'Class: *ELF32' "$log" &&
	! nm "$out/net/smbdirect/built-in.a" | grep -E ' U __u?(div|mod|divmod)di[34]$' >"$log"
result $? '32 bit with fault points'
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
