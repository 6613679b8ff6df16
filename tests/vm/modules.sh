#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Build the module and the test modules against a kernel of the bed and print the directory.
#
#   modules.sh FLAVOUR [SERIES]
#
# An external build writes its objects next to the sources. So each flavour builds in its own
# mirror of the checkout, and a checkout of its own path gets its own mirrors: incremental, and
# objects of two kernels never mix. NET_SMBDIRECT_TESTS=0 leaves the test modules out, FRESH=1 compiles
# everything anew.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
flavour=${1:?FLAVOUR}
series=${2:-$("$here/kernel.sh" series)}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/net_smbdirect

"$here/deps.sh" build
kernel=$("$here/kernel.sh" build "$series" "$flavour")
mirror=$cache/mod/$(sha256sum <<<"$top" | cut -c1-8)-${kernel##*/}
mkdir -p "$mirror"
exec {lock_fd}>"$mirror.lock"
flock "$lock_fd"

# No -t: a changed file gets the time of now, whatever time an older version carries.
parts=()
for part in Kbuild Kconfig include net smbdirect tests; do
	[ ! -e "$top/$part" ] || parts+=("$top/$part")
done
rsync -rl --checksum --delete \
	--exclude='*.o' --exclude='*.ko' --exclude='.*.cmd' --exclude='*.mod' --exclude='*.mod.c' \
	--exclude='*.gcno' --exclude='*.a' --exclude='.tmp*' --exclude=modules.order --exclude=Module.symvers \
	--exclude=/tests/unit/build --exclude=/tests/fuzz/build --exclude='.*.d' \
	"${parts[@]}" "$mirror/" >&2
[ -f "$mirror/Kbuild" ] || { echo "modules.sh: no Kbuild, nothing to build" >&2; exit 1; }

arch=um
[ "${BED:-uml}" = uml ] || arch=x86_64
args=(-C "$kernel" "ARCH=$arch" "CC=${CC:-gcc}" "M=$mirror" "NET_SMBDIRECT_TESTS=${NET_SMBDIRECT_TESTS:-1}")
# Calls can be made to fail where that is tested; the release kernels run what users run.
case $flavour in kasan | lockdep | leak | kcsan | coverage) args+=(NET_SMBDIRECT_FAULTS=1) ;; esac
# Our module counts its lines, the test modules do not.
[ "$flavour" != coverage ] || args+=(NET_SMBDIRECT_COVERAGE=1)
# A tree that is only prepared has no Module.symvers: compile fully, do not resolve symbols.
[ -e "$kernel/Module.symvers" ] || args+=(KBUILD_MODPOST_WARN=1)
# A module that is no longer built must not be found; relinking the others is cheap.
find "$mirror" -name '*.ko' -delete
[ "${FRESH:-0}" = 0 ] || find "$mirror" -name '*.o' -delete
log=$mirror.log
if ! make "${args[@]}" -j "${JOBS:-$(nproc)}" ${KBUILD_ARGS:+$KBUILD_ARGS} modules >"$log" 2>&1; then
	echo "modules.sh: build for $series $flavour failed (full log: $log):" >&2
	grep -m 40 -A 6 -e 'error' -e 'ERROR' -e '\*\*\*' "$log" >&2 || tail -n 20 "$log" >&2
	exit 1
fi
# The code has no warnings; one that appears is worth seeing but fails only the style check.
grep -A 6 'warning:' "$log" >&2 || true
echo "$mirror"
