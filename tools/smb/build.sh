#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Build the kernel's SMB client and server on our sockets, and print the directory with cifs.ko
# and ksmbd.ko.
#
#   build.sh FLAVOUR [SERIES]	for a kernel of the test bed (tests/vm/kernel.sh)
#   build.sh --for KERNELDIR	for the kernel of that build tree or headers package; the
#				source is KERNEL_SRC if it has the same series, else the
#				distribution's. ARCH as for any module build.
#
# The kernel's source is copied to the cache and exactly two files of each, the transport and its
# header, are replaced by those in this directory. Nothing else is changed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=../../tests/vm/ccache.sh
. "$top/tests/vm/ccache.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/net_smbdirect

if [ "${1:-}" = --for ]; then
	kernel=$(cd "${2:?KERNELDIR}" && pwd)
	release=$(cat "$kernel/include/config/kernel.release")
	series=$(grep -oE '^[0-9]+\.[0-9]+' <<<"$release")
	want=$("$top/tests/vm/kernel.sh" series newest)
	[ "$(printf '%s\n' "$series" "$want" | sort -V | head -n 1)" = "$want" ] ||
		{ echo "build.sh: the transports are for Linux $want or later, $kernel is $release" >&2; exit 1; }
	arch=${ARCH:+ARCH=$ARCH}
	source=$("$top/tests/vm/kernel.sh" source "$series")
	# shellcheck disable=SC2086 # nothing, or a word
	make -s -C "$kernel" M="$top" $arch modules >&2
	ours=$top
	name=$(sha256sum <<<"$kernel" | cut -c1-8)-$release
else
	flavour=${1:?FLAVOUR}
	series=${2:-$("$top/tests/vm/kernel.sh" series)}
	arch=$("$top/tests/vm/kernel.sh" args "$flavour")
	source=$("$top/tests/vm/kernel.sh" source "$series")
	kernel=$("$top/tests/vm/kernel.sh" build "$series" "$flavour")
	ours=$("$top/tests/vm/modules.sh" "$flavour" "$series")
	name=${kernel##*/}
fi
tree=$cache/smb/$(sha256sum <<<"$top" | cut -c1-8)-$name
mkdir -p "$tree/fs/nls"
exec {lock_fd}>"$tree.lock"
flock "$lock_fd"

# Objects stay, so that the next time only what changed is compiled.
keep=(--exclude='*.o' --exclude='*.ko' --exclude='.*.cmd' --exclude='*.mod' --exclude='*.mod.c'
	--exclude='*.asn1.[ch]' --exclude='.*.d' --exclude=modules.order --exclude=Module.symvers
	--exclude='*_mapping_table.c' --exclude=/Kbuild)
rsync -rl --checksum --delete "${keep[@]}" --exclude=/smbdirect --exclude=/client/smbdirect.[ch] \
	--exclude='/server/transport_rdma.[ch]' "$source/fs/smb/" "$tree/fs/smb/"
rsync -rl --checksum "$source"/fs/nls/nls_ucs2_*.h "$tree/fs/nls/"
rsync -rl --checksum "$here/client/" "$tree/fs/smb/client/"
rsync -rl --checksum "$here/server/" "$tree/fs/smb/server/"
echo 'obj-m += client/ server/' >"$tree/fs/smb/Kbuild"

log=$tree.log
# shellcheck disable=SC2086 # as above
if ! make -C "$kernel" $arch "CC=${CC:-gcc}" "M=$tree/fs/smb" CONFIG_CIFS=m CONFIG_SMB_SERVER=m \
		CONFIG_CIFS_SMB_DIRECT=y CONFIG_SMB_SERVER_SMBDIRECT=y \
		"KCFLAGS=-DCONFIG_CIFS_SMB_DIRECT=1 -DCONFIG_SMB_SERVER_SMBDIRECT=1 -I$top/include" \
		"KBUILD_EXTRA_SYMBOLS=$ours/Module.symvers" -j "${JOBS:-$(nproc)}" modules \
		>"$log" 2>&1; then
	echo "build.sh: failed (full log: $log):" >&2
	grep -m 30 -A 6 -e 'error' -e 'ERROR' -e '\*\*\*' "$log" >&2 || tail -n 20 "$log" >&2
	exit 1
fi
grep -A 6 'warning:' "$log" >&2 || true
mkdir -p "$tree/ko"
cp "$tree/fs/smb/client/cifs.ko" "$tree/fs/smb/server/ksmbd.ko" "$tree/ko/"
echo "$tree/ko"
