#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Build the module and the test modules against a kernel of the bed and print the directory.
#
#   modules.sh FLAVOUR [SERIES]
#
# An external build writes its objects next to the sources. So each flavour builds in its own
# mirror of the checkout, and a checkout of its own path gets its own mirrors: incremental, and
# objects of two kernels never mix.
#
# NET_SMBDIRECT_TESTS=0 leaves the test modules out, NET_SMBDIRECT_FAULTS=0 or 1 decides about the
# fault points, which else the debug kernels have. STRICT=1: compile in a mirror of its own with W=1
# and sparse. What either says is an error, so an object that is up to date had none.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=ccache.sh
. "$here/ccache.sh"
flavour=${1:?FLAVOUR}
series=${2:-$("$here/kernel.sh" series)}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/net_smbdirect

"$here/deps.sh" build
kernel=$("$here/kernel.sh" build "$series" "$flavour")
# Calls can be made to fail where that is tested; the release kernels run what users run.
case $flavour in kasan | lockdep | kcsan | coverage) faults=1 ;; *) faults=0 ;; esac
faults=${NET_SMBDIRECT_FAULTS:-$faults}
mirror=$cache/mod/$(sha256sum <<<"$top" | cut -c1-8)-${kernel##*/}
[ "${STRICT:-0}" = 0 ] || mirror+=-strict$faults
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

read -ra args < <("$here/kernel.sh" args "$flavour")
args+=(-C "$kernel" "M=$mirror" "NET_SMBDIRECT_TESTS=${NET_SMBDIRECT_TESTS:-1}" "NET_SMBDIRECT_FAULTS=$faults")
[ "${STRICT:-0}" = 0 ] || args+=(W=1 C=1 KCFLAGS=-Werror "CHECK=$top/tests/sparse.sh" -k)
# Our module counts its lines, the test modules do not.
[ "$flavour" != coverage ] || args+=(NET_SMBDIRECT_COVERAGE=1)
# A tree that is only prepared has no Module.symvers: compile fully, do not resolve symbols.
[ -e "$kernel/Module.symvers" ] || args+=(KBUILD_MODPOST_WARN=1)
# A module that is no longer built must not be found; relinking the others is cheap.
find "$mirror" -name '*.ko' -delete
log=$mirror.log
if ! make "${args[@]}" -j "${JOBS:-$(nproc)}" modules >"$log" 2>&1; then
	echo "modules.sh: build for $series $flavour failed (full log: $log):" >&2
	grep -m 40 -A 6 -e 'warning:' -e 'error' -e 'ERROR' -e '\*\*\*' "$log" >&2 || tail -n 20 "$log" >&2
	exit 1
fi
# Kbuild leaves sparse out, without an error, when it finds it wanting.
if [ "${STRICT:-0}" != 0 ]; then
	unchecked=$(comm -23 <(sed -nE 's/^  CC .* (.*)\.o$/\1/p' "$log" | grep -vE '\.mod$|module-common$' | sort) \
		<(sed -nE 's/^  CHECK +(.*)\.c$/\1/p' "$log" | sort))
	if [ -n "$unchecked" ]; then
		find "$mirror" -name '*.o' -delete
		echo "modules.sh: sparse has not looked at:" "$unchecked" >&2
		exit 1
	fi
fi
# The code has no warnings; one that appears is worth seeing but fails only the style check.
grep -A 6 'warning:' "$log" >&2 || true
echo "$mirror"
