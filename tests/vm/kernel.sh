#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetch kernel sources and build the User Mode Linux kernels of the test bed.
#
#   kernel.sh source [SERIES]          print the path of an unpacked source tree
#   kernel.sh build [SERIES] FLAVOUR   print the path of a finished build tree (O=)
#   kernel.sh args FLAVOUR             print what make needs to build for it: ARCH= and the like
#   kernel.sh series                   print the series to test with
#   kernel.sh series newest|oldest     print the series that the code is made for, and the oldest
#   kernel.sh have SERIES              is there a source for it? If not, stderr says why
#
# A SERIES is the first two numbers of a version, as 6.12. The default is $KERNEL_SERIES, else that of
# KERNEL_SRC, else the newest one of the table below, or what the distribution has in its place.
#
# FLAVOUR is release, kasan, lockdep or coverage; BED=qemu builds x86 kernels for qemu instead,
# kasan or kcsan. i386, arm64 and s390x are never booted: such trees are configured and prepared only,
# to compile modules against.
#
# KERNEL_SRC names a kernel tree or tarball to use instead of the distribution's source of that
# series; other series still come from the distribution.
#
# Results live in ${XDG_CACHE_HOME:-~/.cache}/net_smbdirect, which may be deleted at any time.
# Only the answer goes to stdout; progress goes to stderr.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/net_smbdirect
jobs=${JOBS:-$(nproc)}
bed=${BED:-uml}

case $bed in
uml | qemu) ;;
*) echo "kernel.sh: no bed $bed: uml or qemu" >&2; exit 2 ;;
esac

say() { echo "kernel.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# The only place where the series are written down: those of the tests, and the suite of each.
newest=7.3 newest_suite=trixie-backports
oldest=6.12 oldest_suite=trixie
suite_of() { if [ "$1" = "$oldest" ]; then echo "$oldest_suite"; else echo "$newest_suite"; fi; }

# A file or directory name made of a version: no ~ or : that make or a shell would stumble on.
clean_name() { tr -c 'A-Za-z0-9.+_\n-' '-' <<<"$1"; }

# Take a lock for the rest of the process; say so when somebody else holds it.
lock() {
	mkdir -p "$cache/lock"
	exec {lock_fd}>"$cache/lock/$1"
	flock -n "$lock_fd" || { say "waiting for another run ($1)"; flock "$lock_fd"; }
}

# Unpack tarball $1 as directory $2: in a temporary place first, so a half tree is never found.
unpack() {
	local tmp
	tmp=$(mktemp -d "$cache/src/.tmp.XXXXXX")
	say "unpacking ${1##*/}"
	tar -C "$tmp" --strip-components=1 -xf "$1" || { rm -rf "$tmp"; die "cannot unpack $1"; }
	chmod 755 "$tmp"
	mv -T "$tmp" "$2"
}

# The archive as the machine's own apt sees it: same mirror, other suite, own state, signatures
# checked against the archive keyring. Nothing on the system changes. apt_opts are then set, and
# apt_trouble says why the lists of packages could not be updated; it is empty when they were.
apt_opts=() apt_trouble=
apt_setup() {
	local suite=$1 uri keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	local state=$cache/apt/$suite
	command -v apt-get >/dev/null || { apt_trouble='there is no apt'; return; }
	[ -r "$keyring" ] || { apt_trouble="there is no $keyring"; return; }
	# shellcheck disable=SC2016 # apt expands it
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
		grep -v -e security -e '^file:' | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }') || true
	[ -n "$uri" ] || { apt_trouble='apt knows no Debian mirror, or apt-get update was never run'; return; }
	lock "apt-$suite"
	mkdir -p "$state/lists/partial" "$state/archives/partial"
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
		"$uri" "$suite" "$keyring" >"$state/apt.sources"
	apt_opts=(-o "Dir::Etc::sourcelist=$state/apt.sources" -o Dir::Etc::sourceparts=/dev/null
		-o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state" -o Dir::State::status=/dev/null
		-o Acquire::http::Timeout=30 -o APT::Sandbox::User=root)
	# It succeeds, too, when nothing could be fetched.
	apt_trouble=$(apt-get "${apt_opts[@]}" -qq update 2>&1 | grep -E '^(E|W|Err)' || true)
	case $apt_trouble in
	'') ;;
	*NO_PUBKEY* | *EXPKEYSIG* | *KEYEXPIRED* | *'not signed'* | *'signatures were invalid'*)
		apt_trouble="$keyring has no key for the signature of $suite: upgrade debian-archive-keyring" ;;
	*) apt_trouble="the archive cannot be reached: ${apt_trouble%%$'\n'*}" ;;
	esac
}

# The newest version of a package, or nothing.
apt_version() {
	[ ${#apt_opts[@]} != 0 ] || return 0
	apt-cache "${apt_opts[@]}" show "$1" 2>/dev/null | awk '/^Version:/ { print $2 }' | sort -V | tail -n 1 || true
}

# The distribution's tree of a series if it is here already; "fresh": and was fetched within a week.
tree_here() {
	local mark=$cache/src/.series-$1 age=()
	[ "${2:-}" != fresh ] || age=(-mtime -7)
	[ -n "$(find "$mark" "${age[@]}" 2>/dev/null)" ] && [ -d "$cache/src/$(cat "$mark")" ] &&
		echo "$cache/src/$(cat "$mark")"
}

fetch_series() {
	local series=$1 suite pkg=linux-source-$1 version dir tmp
	suite=$(suite_of "$series")
	mkdir -p "$cache/src"
	! tree_here "$series" fresh || return 0
	say "asking the archive for $pkg ($suite)"
	apt_setup "$suite"
	version=$(apt_version "$pkg")
	if [ -z "$version" ] || [ -n "$apt_trouble" ]; then
		say "no $pkg from $suite${apt_trouble:+: $apt_trouble}"
		# Then any tree is new enough.
		tree_here "$series" || die "no source of Linux $series: set KERNEL_SRC"
		say 'using the tree that is here'
		return
	fi
	dir=$cache/src/$(clean_name "$version")
	if [ ! -d "$dir" ]; then
		tmp=$(mktemp -d "$cache/src/.deb.XXXXXX")
		say "downloading $pkg $version"
		(cd "$tmp" && apt-get "${apt_opts[@]}" -qq download "$pkg=$version" >&2) ||
			{ rm -rf "$tmp"; die "download of $pkg $version failed"; }
		dpkg-deb --fsys-tarfile "$tmp"/*.deb | tar -C "$tmp" -x --wildcards './usr/src/*.tar.xz'
		unpack "$(echo "$tmp"/usr/src/*.tar.xz)" "$dir"
		rm -rf "$tmp"
	fi
	echo "${dir##*/}" >"$cache/src/.series-$series"
	echo "$dir"
}

# The newest series that the distribution has: ours unless it is gone. What was found in its place
# holds for a week, as trees do, so that all scripts of a run agree.
newest_series() {
	local mark=$cache/src/.instead-of-$newest found
	if tree_here "$newest" >/dev/null; then echo "$newest"; return; fi
	if [ -n "$(find "$mark" -mtime -7 2>/dev/null)" ]; then cat "$mark"; return; fi
	apt_setup "$newest_suite"
	if [ -z "$apt_trouble" ] && [ -z "$(apt_version "linux-source-$newest")" ]; then
		found=$(apt-cache "${apt_opts[@]}" pkgnames linux-source- |
			sed -nE 's/^linux-source-([0-9]+\.[0-9]+)$/\1/p' | sort -V | tail -n 1)
		[ -n "$found" ] || die "no linux-source in $newest_suite"
		say "$newest_suite has no linux-source-$newest any more, using $found"
		mkdir -p "$cache/src"
		echo "$found" >"$mark"
		echo "$found"
	elif [ -n "$apt_trouble" ] && [ -e "$mark" ]; then
		cat "$mark"
	else
		echo "$newest"
	fi
}

# The user's own source as a tree; nothing when there is none.
own_tree() {
	local src=${KERNEL_SRC:-} dir
	[ -n "$src" ] || return 0
	[ -e "$src" ] || die "KERNEL_SRC=$src does not exist"
	if [ -d "$src" ]; then
		dir=$(cd "$src" && pwd)
	else
		mkdir -p "$cache/src"
		dir=$cache/src/$(clean_name "$(basename "$src")")-$(sha256sum "$src" | cut -c1-12)
		lock "source-${dir##*/}"
		[ -d "$dir" ] || unpack "$src" "$dir"
	fi
	[ -f "$dir/Kbuild" ] || die "KERNEL_SRC=$src holds no kernel tree"
	echo "$dir"
}

series_of() { awk '$1 == "VERSION" { v = $3 } $1 == "PATCHLEVEL" { print v "." $3; exit }' "$1/Makefile"; }

default_series() {
	local own
	if [ -n "${KERNEL_SERIES:-}" ]; then
		echo "$KERNEL_SERIES"
	else
		own=$(own_tree)
		if [ -n "$own" ]; then series_of "$own"; else newest_series; fi
	fi
}

have() {
	local own suite
	own=$(own_tree)
	[ -z "$own" ] || [ "$(series_of "$own")" != "$1" ] || return 0
	! tree_here "$1" >/dev/null || return 0
	suite=$(suite_of "$1")
	apt_setup "$suite"
	[ -z "$apt_trouble" ] && [ -n "$(apt_version "linux-source-$1")" ] ||
		die "no source of Linux $1 from $suite${apt_trouble:+: $apt_trouble}"
}

source_tree() {
	local own
	own=$(own_tree)
	if [ -n "$own" ] && [ "$(series_of "$own")" = "$1" ]; then
		echo "$own"
	else
		lock "source-$1"
		fetch_series "$1"
	fi
}

# The configuration for a series: its own, else that of the next older series we have one for.
series_config() {
	local best='' have
	while read -r have; do
		[ "$(printf '%s\n%s\n' "$have" "$1" | sort -V | head -n 1)" != "$have" ] || best=$have
	done < <(find "$here/config" -name 'series-*.config' | sed 's/.*series-\(.*\)\.config/\1/' | sort -V)
	[ -n "$best" ] || die "series $1 is too old"
	echo "$here/config/series-$best.config"
}

prepared_only() { case $1 in i386 | arm64 | s390x) ;; *) return 1 ;; esac; }

# The arguments of make for a flavour, as words.
make_args() {
	case $1 in
	i386) echo "ARCH=i386 CC=${CC:-gcc}" ;;
	arm64) echo 'ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-' ;;
	s390x) echo 'ARCH=s390 CROSS_COMPILE=s390x-linux-gnu-' ;;
	*) if [ "$bed" = uml ]; then echo "ARCH=um CC=${CC:-gcc}"; else echo "ARCH=x86_64 CC=${CC:-gcc}"; fi ;;
	esac
}

fragments() {
	if prepared_only "$2"; then
		cat "$here/config/prepared.config" "$here/config/$2.config"
		return
	fi
	local parts=("$here/config/base.config" "$(series_config "$1")")
	case $2 in kasan | lockdep | kcsan) parts+=("$here/config/debug.config") ;; esac
	parts+=("$here/config/$2.config")
	[ "$bed" = uml ] || parts+=("$here/config/$bed.config")
	cat "${parts[@]}"
}

# What a fragment wants to be set: the last line about an option counts.
wanted() {
	awk 'match($0, /CONFIG_[A-Za-z0-9_]+/) && /^(# )?CONFIG_/ { want[substr($0, RSTART, RLENGTH)] = $0 }
		END { for (w in want) if (want[w] ~ /^CONFIG_/) print want[w] }' "$1"
}

# Run make in the background and print the object count while it lives.
make_with_progress() {
	local log=$1 pid start=$SECONDS
	shift
	make "$@" >"$log" 2>&1 &
	pid=$!
	trap 'kill "$pid" 2>/dev/null || true' EXIT
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		if (((SECONDS - start) % 20 == 0)); then
			say "$(grep -c -e ' CC ' -e ' AS ' "$log" || true) objects, $((SECONDS - start)) s"
		fi
	done
	trap - EXIT
	if ! wait "$pid"; then
		say "build failed:"
		grep -n -m 8 -A 4 -e ' error: ' -e 'Error [0-9]' -e 'undefined reference' "$log" >&2 || tail -n 15 "$log" >&2
		die "full log: $log"
	fi
}

build() {
	local series=$1 flavour=$2 src out log version key missing name args compiler
	[ -f "$here/config/$flavour.config" ] || die "no flavour $flavour"
	"$here/deps.sh" build
	src=$(source_tree "$series")
	version=$(basename "$src")
	# A tree given by path has no version in its name, so its path and what it is now are part of the key.
	[ "$(dirname "$src")" = "$cache/src" ] ||
		version=own-$({ echo "$src"; head -n 6 "$src/Makefile"; } | sha256sum | cut -c1-8)
	read -ra args < <(make_args "$flavour")
	compiler=${CC:-gcc}
	[[ ${args[1]} != CROSS_COMPILE=* ]] || compiler=${args[1]#*=}gcc
	key=$({ fragments "$series" "$flavour"; "$compiler" --version | head -n 1; } | sha256sum | cut -c1-12)
	name=$version-$flavour-$key
	[ "$bed" = uml ] || prepared_only "$flavour" || name=$bed-$name
	out=$cache/build/$name
	lock "build-$name"
	if [ -e "$out/.complete" ]; then
		echo "$out"
		return
	fi
	mkdir -p "$out"
	log=$out/build.log
	fragments "$series" "$flavour" >"$out/.fragment"
	say "configuring $series $flavour in $out"
	args+=(-C "$src" "O=$out")
	make "${args[@]}" KCONFIG_ALLCONFIG="$out/.fragment" allnoconfig >"$log" 2>&1 ||
		{ tail -n 15 "$log" >&2; die "configuration failed, full log: $log"; }
	missing=$(wanted "$out/.fragment" | grep -vxFf "$out/.config" || true)
	[ -z "$missing" ] || die "not set after configuration: ${missing//$'\n'/ }"
	if prepared_only "$flavour"; then
		make_with_progress "$log" "${args[@]}" -j "$jobs" modules_prepare
	else
		make_with_progress "$log" "${args[@]}" -j "$jobs" all
		make_with_progress "$log.install" "${args[@]}" "INSTALL_MOD_PATH=$out/root" modules_install
	fi
	touch "$out/.complete"
	say "done in $SECONDS s"
	echo "$out"
}

[ $# -ge 1 ] || { sed -n '3,26s/^# \{0,1\}//p' "$0" >&2; exit 2; }
case $1 in
series)
	case ${2:-} in
	newest) echo "$newest" ;;
	oldest) echo "$oldest" ;;
	*) default_series ;;
	esac ;;
have) have "${2:?SERIES}" ;;
args) make_args "${2:?FLAVOUR}" ;;
source) source_tree "${2:-$(default_series)}" ;;
build)
	if [ $# -ge 3 ]; then
		build "$2" "$3"
	else
		build "$(default_series)" "${2:?FLAVOUR}"
	fi ;;
*) die "unknown command $1" ;;
esac
