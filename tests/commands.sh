#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The commands as a newcomer meets them: make and its targets that need no test kernel, by a plain
# user, in a copy of the checkout; deps.sh and kernel.sh where things are missing. The package
# archive is a script here, so nothing is fetched.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1
tests/vm/deps.sh || exit 1
kernel=$(tests/vm/kernel.sh build release) || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
log=$work/log copy=$work/copy
chmod 755 "$work"

result() {
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
		echo "ok - commands: $2"
	else
		failed=$((failed + 1))
		echo "not ok - commands: $2"
		tail -n 30 "$log"
	fi
}
skip() {
	skipped=$((skipped + 1))
	echo "ok - commands: $1 # SKIP $2"
}
# expect WHAT COMMAND...: it succeeds. refuse WHAT PATTERN COMMAND...: it fails, and says why.
expect() {
	local what=$1
	shift
	"$@" >"$log" 2>&1
	result $? "$what"
}
refuse() {
	local what=$1 pattern=$2
	shift 2
	! "$@" >"$log" 2>&1 && grep -qE -- "$pattern" "$log"
	result $? "$what"
}

# Root is nobody here. He may read everything, as the kernel may be in root's cache.
user=()
if [ "$(id -u)" = 0 ]; then
	user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	# shellcheck disable=SC2054 # commas belong to the arguments
	caps=(--inh-caps=-all,+dac_read_search --ambient-caps=+dac_read_search)
	! "${user[@]}" "${caps[@]}" true 2>/dev/null || user+=("${caps[@]}")
fi
as_user() { env "HOME=$work/home" "${user[@]}" "$@"; }

mkdir "$copy" "$work/home"
git ls-files -z -co --exclude-standard | xargs -0 ls -d 2>/dev/null | xargs cp -P --parents -t "$copy"
[ ${#user[@]} = 0 ] || chown -R 65534:65534 "$copy" "$work/home"
files() { (cd "$copy" && find . | sort); }
files >"$work/files"

### make

read -ra args < <(tests/vm/kernel.sh args release)
in_copy() { as_user make -s -C "$copy" "$@"; }
build() {
	in_copy -j"$(nproc)" "${args[@]}" "KERNELDIR=$kernel" && [ -s "$copy/net_smbdirect.ko" ]
}
installed() {
	local root=$work/home/root ko
	in_copy "${args[@]}" "KERNELDIR=$kernel" "INSTALL_MOD_PATH=$root" modules_install || return 1
	ko=$(find "$root/lib/modules/$(cat "$kernel/include/config/kernel.release")" -name 'net_smbdirect.ko*')
	[ -s "$ko" ] && PATH=$PATH:/usr/sbin:/sbin modinfo "$ko" && grep -rq 'net_smbdirect\.ko' "$root" --include=modules.dep
}
clean() { in_copy "$@" clean && files | diff "$work/files" -; }
clean_alone() {
	as_user touch "$copy/net/main.o" "$copy/smbdirect/.wire.o.cmd" "$copy/Module.symvers" &&
		clean "KERNELDIR=$work/none"
}
if as_user cat "$kernel/Makefile" >"$log" 2>&1; then
	expect 'make, as a plain user' build
	expect 'make modules_install' installed
	expect 'make clean leaves the checkout as it was' clean "${args[@]}" "KERNELDIR=$kernel"
else
	skip 'make, modules_install, clean' "a plain user cannot read $kernel"
fi
expect 'make clean without a kernel' clean_alone
refuse 'make without a kernel says what is missing' 'KERNELDIR=/path' in_copy "KERNELDIR=$work/none"

# Each target is phony and explained, but for these two.
targets() { sed -nE 's/^([a-z_-]+):.*/\1/p' Makefile | grep -vxE 'all|kerneldir' | sort; }
helped() {
	diff <(targets) <(in_copy help | awk '{ print $2 }' | sort) &&
		diff <(targets) <(sed -n 's/^\.PHONY://p' Makefile | tr ' ' '\n' | grep -vxE '|all|kerneldir' | sort)
}
expect 'make help lists every target' helped

documented() { in_copy docs && [ -s "$copy/Documentation/_build/networking/smbdirect.html" ]; }
expect 'make docs' documented
# shellcheck disable=SC2016 # a role of rst
printf '\nA :ref:`reference` to nothing.\n' >>"$copy/Documentation/networking/smbdirect.rst"
refuse 'make docs notices a mistake' 'undefined label' in_copy docs

### kernel.sh

# A home without a cache, and an archive: apt-get and apt-cache as scripts. What it has is in
# $archive, one series a line. apt-get says what is in $trouble.
mkdir "$work/bin" "$work/tree" "$work/other"
archive=$work/archive trouble=$work/trouble
cat >"$work/bin/apt-get" <<STUB
#!/bin/bash
echo "\$*" >>"$work/asked"
case " \$* " in
*' indextargets '*) echo http://debian.invalid/debian ;;
*' update '*) cat "$trouble" >&2 ;;
esac
STUB
cat >"$work/bin/apt-cache" <<STUB
#!/bin/bash
case " \$* " in
*' pkgnames '*) sed s/^/linux-source-/ "$archive"; echo linux-source-rt ;;
*' show '*) grep -qx "\${*: -1}" <(sed s/^/linux-source-/ "$archive") && echo Version: 1 ;;
esac
STUB
chmod +x "$work"/bin/*
# The Makefile's head is all that kernel.sh reads of a tree.
printf 'VERSION = 6\nPATCHLEVEL = 18\n' >"$work/tree/Makefile"
touch "$work/tree/Kbuild"
tar -C "$work" -cJf "$work/linux.tar.xz" tree

fresh() { rm -rf "$work/cache" "$work/asked"; : >"$trouble"; printf '%s\n' "$@" >"$archive"; }
kernel_sh() {
	env -u KERNEL_SERIES -u KERNEL_SRC "PATH=$work/bin:$PATH" "XDG_CACHE_HOME=$work/cache" "${with[@]}" \
		tests/vm/kernel.sh "$@"
}
says() {
	local want=$1 said
	shift
	# shellcheck disable=SC2053 # a pattern
	said=$(kernel_sh "$@") && { [[ $said == $want ]] || { echo "said $said, not $want"; false; }; }
}
newest=$(tests/vm/kernel.sh series newest) oldest=$(tests/vm/kernel.sh series oldest)

fresh
with=("KERNEL_SRC=$work/tree")
echo 'E: Could not resolve debian.invalid' >"$trouble"
expect 'KERNEL_SRC: its series' says 6.18 series
expect 'KERNEL_SRC: its tree' says "$work/tree" source
expect 'KERNEL_SRC: its series can be had' kernel_sh have 6.18
refuse 'KERNEL_SRC: another one cannot, offline' "$oldest .*(resolve|keyring)" kernel_sh have "$oldest"
with=("KERNEL_SRC=$work/linux.tar.xz")
expect 'KERNEL_SRC: the series of a tarball' says 6.18 series
expect 'KERNEL_SRC: the tree of a tarball' says "$work/cache/*" source
with=("KERNEL_SRC=$work/none")
refuse 'KERNEL_SRC: nothing there' 'does not exist' kernel_sh series
with=("KERNEL_SRC=$work/other")
refuse 'KERNEL_SRC: no kernel there' 'holds no kernel' kernel_sh series

with=()
if [ -r /usr/share/keyrings/debian-archive-keyring.gpg ]; then
	fresh 6.1 "$newest" 99.1
	expect 'archive: the series we want' says "$newest" series
	expect 'archive: it can be had' kernel_sh have "$newest"
	refuse 'archive: one that it has not' 'no source of Linux 5\.5' kernel_sh have 5.5
	fresh 6.1 99.2 99.10
	expect 'archive: ours is gone, the newest' says 99.10 series
	echo 98.1 >"$archive"
	expect 'archive: all of a run agree' says 99.10 series
	fresh 6.1 99.2
	kernel_sh series >"$log" 2>&1 && grep -q "no linux-source-$newest any more, using 99.2" "$log"
	result $? 'archive: it says so'
	fresh
	echo 'W: GPG error: InRelease: signatures could not be verified: NO_PUBKEY 123' >"$trouble"
	refuse 'archive: a key is missing' 'no key for the signature' kernel_sh source
	echo 'W: Failed to fetch http://debian.invalid' >"$trouble"
	refuse 'archive: not reachable' 'cannot be reached: W: Failed to fetch' kernel_sh source
	mkdir -p "$work/cache/net_smbdirect/src/old"
	echo old >"$work/cache/net_smbdirect/src/.series-$newest"
	touch -d '8 days ago' "$work/cache/net_smbdirect/src/.series-$newest"
	expect 'archive: not reachable, an old tree will do' says "$work/cache/*/old" source
else
	skip 'archive' 'no debian-archive-keyring'
fi

### deps.sh

# One of each kind is missing.
cp tests/vm/deps.sh "$work/deps.sh"
sed -i 's/^bison bison$/smbdr_none package1\n<smbdr_none.h> package1\n-lsmbdr_none package2\nverbs:none package2/' \
	"$work/deps.sh"
chmod 755 "$work/deps.sh"
# shellcheck disable=SC2120 # expect gives it arguments
deps() { as_user env -u SMBDR_DEPS "PATH=$work/bin:$PATH" "$@" "$work/deps.sh" build; }
named() {
	local words
	! deps || return 1
	for words in 'the command smbdr_none' 'C header <smbdr_none\.h>' 'library libsmbdr_none' \
		     'libibverbs for none' 'apt-get install .* package1 package2$' 'SMBDR_DEPS=have'; do
		grep -q "$words" "$log" || { echo "does not say: $words"; return 1; }
	done
	! grep 'the command gcc' "$log"
}
expect 'deps.sh: what is missing is named, and what is here is not' named
expect 'deps.sh: taken at our word' deps SMBDR_DEPS=have
if [ ${#user[@]} != 0 ]; then
	user=()
	rm -f "$work/asked"
	refuse 'deps.sh: what root could not install is named' 'the command smbdr_none' deps
	grep -q 'install .*package1 package2' "$work/asked"
	result $? 'deps.sh: root installs'
fi
echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$failed" = 0 ]
