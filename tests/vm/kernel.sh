#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fetch kernel sources and build the User Mode Linux kernels of the test bed.
#
#   kernel.sh source [SERIES]          print the path of an unpacked source tree
#   kernel.sh build [SERIES] FLAVOUR   print the path of a finished build tree (O=)
#   kernel.sh series                   print the default series
#
# SERIES is 7.3 or 6.12 (default: $KERNEL_SERIES, else that of KERNEL_SRC, else 7.3). FLAVOUR is
# release, kasan, lockdep, leak, coverage or headers (configured and prepared only, to compile modules
# against); BED=qemu builds x86 kernels for qemu instead, kasan or kcsan.
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
uml) arch=um ;;
qemu) arch=x86_64 ;;
*) echo "kernel.sh: no bed $bed: uml or qemu" >&2; exit 2 ;;
esac

say() { echo "kernel.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# Which suite carries which series. A series missing here needs KERNEL_SRC.
suite_of() {
	case $1 in
	7.3) echo trixie-backports ;;
	6.12) echo trixie ;;
	*) die "no distribution source known for series $1: set KERNEL_SRC" ;;
	esac
}

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
# checked against the archive keyring. Nothing on the system changes.
apt_setup() {
	local suite=$1 uri keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -r "$keyring" ] || die "no $keyring: install debian-archive-keyring, or set KERNEL_SRC"
	# shellcheck disable=SC2016 # apt expands it
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
		grep -v -e security -e '^file:' | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }') || true
	[ -n "$uri" ] || die "apt knows no Debian mirror (run apt-get update, or set KERNEL_SRC)"
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
		"$uri" "$suite" "$keyring" >"$cache/apt/$suite.sources"
	apt_opts=(-o "Dir::Etc::sourcelist=$cache/apt/$suite.sources" -o Dir::Etc::sourceparts=/dev/null
		-o "Dir::State::lists=$cache/apt/lists" -o "Dir::Cache=$cache/apt/cache"
		-o APT::Get::List-Cleanup=0 -o APT::Sandbox::User=root)
}

fetch_series() {
	local series=$1 suite pkg=linux-source-$1 version dir tmp
	suite=$(suite_of "$series")
	mkdir -p "$cache/src"
	# A tree fetched within the last week is new enough; offline, any tree is.
	dir=$(find "$cache/src" -maxdepth 1 -name ".series-$series" -mtime -7)
	if [ -n "$dir" ] && [ -d "$cache/src/$(cat "$dir")" ]; then
		echo "$cache/src/$(cat "$dir")"
		return
	fi
	apt_setup "$suite"
	say "asking the archive for $pkg ($suite)"
	if ! apt-get "${apt_opts[@]}" -qq update >&2 ||
	   ! version=$(apt-cache "${apt_opts[@]}" show "$pkg" | awk '/^Version:/ { print $2 }' | sort -V | tail -n 1) ||
	   [ -z "$version" ]; then
		if [ -e "$cache/src/.series-$series" ]; then
			say "archive not reachable, using the tree already here"
			echo "$cache/src/$(cat "$cache/src/.series-$series")"
			return
		fi
		die "cannot find $pkg in $suite"
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
		if [ -n "$own" ]; then series_of "$own"; else echo 7.3; fi
	fi
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

fragments() {
	local parts=("$here/config/base.config" "$(series_config "$1")")
	case $2 in kasan | lockdep | leak | kcsan) parts+=("$here/config/debug.config") ;; esac
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
	local series=$1 flavour=$2 src out log version key missing name
	[ -f "$here/config/$flavour.config" ] || die "no flavour $flavour"
	"$here/deps.sh" build
	src=$(source_tree "$series")
	version=$(basename "$src")
	# A tree given by path has no version in its name, so its path is part of the key.
	[ "$(dirname "$src")" = "$cache/src" ] || version=own-$(sha256sum <<<"$src" | cut -c1-8)
	key=$({ fragments "$series" "$flavour"; "${CC:-gcc}" --version | head -n 1; } | sha256sum | cut -c1-12)
	name=$version-$flavour-$key
	[ "$bed" = uml ] || name=$bed-$name
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
	local make_args=(-C "$src" "ARCH=$arch" "O=$out" "CC=${CC:-gcc}")
	make "${make_args[@]}" KCONFIG_ALLCONFIG="$out/.fragment" allnoconfig >"$log" 2>&1 ||
		{ tail -n 15 "$log" >&2; die "configuration failed, full log: $log"; }
	missing=$(wanted "$out/.fragment" | grep -vxFf "$out/.config" || true)
	[ -z "$missing" ] || die "not set after configuration: ${missing//$'\n'/ }"
	if [ "$flavour" = headers ]; then
		make_with_progress "$log" "${make_args[@]}" -j "$jobs" modules_prepare
	else
		make_with_progress "$log" "${make_args[@]}" -j "$jobs" all
		make_with_progress "$log.install" "${make_args[@]}" "INSTALL_MOD_PATH=$out/root" modules_install
	fi
	touch "$out/.complete"
	say "done in $SECONDS s"
	echo "$out"
}

[ $# -ge 1 ] || { sed -n '3,18s/^# \{0,1\}//p' "$0" >&2; exit 2; }
case $1 in
series) default_series ;;
source) source_tree "${2:-$(default_series)}" ;;
build)
	if [ $# -ge 3 ]; then
		build "$2" "$3"
	else
		build "$(default_series)" "${2:?FLAVOUR}"
	fi ;;
*) die "unknown command $1" ;;
esac
