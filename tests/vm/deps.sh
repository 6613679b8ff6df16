#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Make sure the tools of the test bed are here. What is missing is installed when root on a Debian
# machine; else this names it and fails.
#
#   deps.sh [build|docs|all|smb|bench|coverage]
#
# build: to build kernels and modules; docs: for make docs alone; all (default): what make check
# needs; smb, bench, coverage: what make check-smb, bench-smb or coverage needs as well. BED=qemu:
# also qemu.
#
# SMBDR_DEPS=have: do not look, I have it all.
set -euo pipefail
[ "${SMBDR_DEPS:-}" != have ] || exit 0

# What proves that a thing is here, and its package in Debian. The proof is one of:
#   NAME		a command
#   <NAME>		a header that the compiler finds
#   -lNAME		a library to link with
#   verbs:NAME		a device driver of libibverbs
#   clang:NAME		a runtime library of clang
#   archive		the keys that the signatures of Debian's archive are checked with
build_deps='
gcc gcc
make make
flex flex
bison bison
bc bc
rsync rsync
depmod kmod
xz xz-utils
ccache ccache
gawk gawk
perl perl
python3 python3
<libelf.h> libelf-dev
<openssl/ssl.h> libssl-dev
archive debian-archive-keyring
'
docs_deps='
sphinx-build python3-sphinx
'
all_deps="$docs_deps"'
ip iproute2
rdma iproute2
verbs:siw ibverbs-providers
verbs:rxe ibverbs-providers
<rdma/rdma_cma.h> librdmacm-dev
-lrdmacm librdmacm-dev
<infiniband/verbs.h> libibverbs-dev
-libverbs libibverbs-dev
ksmbd.mountd ksmbd-tools
mount.cifs cifs-utils
sparse sparse
shellcheck shellcheck
git git
clang clang
clang:fuzzer libclang-rt-dev
aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
s390x-linux-gnu-gcc gcc-s390x-linux-gnu
'
smb_deps='
fio fio
stress-ng stress-ng
openssl openssl
'
bench_deps='
fio fio
gnuplot gnuplot-nox
'
qemu_deps='
qemu-system-x86_64 qemu-system-x86
'
coverage_deps='
gcovr gcovr
'
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
PATH=$PATH:/usr/sbin:/sbin

have() { command -v "$1" >/dev/null; }

# Where the compiler finds a library; nothing when it does not.
library() {
	local path
	path=$(gcc -print-file-name="lib$1.so" 2>/dev/null) && [[ $path == /* ]] && readlink -f "$path"
}

present() {
	local path
	case $1 in
	'<'*) gcc -E -x c -include "${1:1:-1}" /dev/null >/dev/null 2>&1 ;;
	-l*) library "${1#-l}" >/dev/null ;;
	verbs:*)
		path=$(library ibverbs) && compgen -G "${path%/*}/libibverbs/lib${1#*:}-rdmav*.so" >/dev/null ;;
	clang:*)
		path=$(clang "-fsanitize=${1#*:}" -x c -### /dev/null 2>&1 | tr -d '"' | tr ' ' '\n' |
			grep -m 1 "/libclang_rt\.${1#*:}.*\.a\$") && [ -e "$path" ] ;;
	archive)
		# Only who fetches the kernel's source from the archive needs them.
		[ -n "${KERNEL_SRC:-}" ] || ! have apt-get || [ -r "$keyring" ] ;;
	*) have "$1" ;;
	esac
}

# A proof in words.
words() {
	case $1 in
	'<'*) echo "the C header $1" ;;
	-l*) echo "the library lib${1#-l}, to link with" ;;
	verbs:*) echo "the driver of libibverbs for ${1#*:}" ;;
	clang:*) echo "clang's runtime library of -fsanitize=${1#*:}" ;;
	archive) echo "$keyring" ;;
	*) echo "the command $1" ;;
	esac
}

want=$build_deps
case ${1:-all} in
build) ;;
docs) want=$docs_deps ;;
*) want+=$all_deps ;;
esac
[ "${BED:-uml}" != qemu ] || want+=$qemu_deps
[ "${1:-all}" != smb ] || want+=$smb_deps
[ "${1:-all}" != bench ] || want+=$bench_deps
[ "${1:-all}" != coverage ] || want+=$coverage_deps
look() {
	local proof package
	missing=() packages=' '
	while read -r proof package; do
		[ -n "$proof" ] && ! present "$proof" || continue
		missing+=("$(words "$proof") (Debian: $package)")
		[[ $packages == *" $package "* ]] || packages+="$package "
	done <<<"$want"
	[ ${#missing[@]} = 0 ]
}
! look || exit 0
if [ "$(id -u)" = 0 ] && have apt-get; then
	echo "deps.sh: installing${packages% }" >&2
	# shellcheck disable=SC2086 # a list
	apt-get -qq update >&2 &&
		DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $packages >&2 || true
	! look || exit 0
fi
echo 'deps.sh: missing:' >&2
printf '  %s\n' "${missing[@]}" >&2
! have apt-get || echo "Please run: sudo apt-get install --no-install-recommends${packages% }" >&2
echo 'If it is here and only this script does not find it: set SMBDR_DEPS=have.' >&2
exit 1
