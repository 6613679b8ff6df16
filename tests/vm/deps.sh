#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Make sure the tools of the test bed are here: install what is missing when root, else print
# the command to paste and fail.
#
#   deps.sh [build|docs|all|smb|bench|coverage]
#
# build: to build kernels and modules; docs: for make docs alone; all (default): what make check
# needs; smb, bench, coverage: what make check-smb, bench-smb or coverage needs as well. BED=qemu:
# also qemu.
set -euo pipefail

# What proves that a package is here (a command or a file), and the package.
build_deps='
gcc gcc
make make
flex flex
bison bison
bc bc
rsync rsync
depmod kmod
xz xz-utils
gawk gawk
perl perl
python3 python3
/usr/include/libelf.h libelf-dev
/usr/include/openssl/ssl.h libssl-dev
/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
'
all_deps='
ip iproute2
rdma iproute2
/usr/share/doc/ibverbs-providers ibverbs-providers
/usr/share/doc/librdmacm1 librdmacm1
/usr/include/rdma/rdma_cma.h librdmacm-dev
/usr/include/infiniband/verbs.h libibverbs-dev
ksmbd.mountd ksmbd-tools
mount.cifs cifs-utils
sparse sparse
shellcheck shellcheck
git git
clang clang
/usr/share/doc/libclang-rt-dev|/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a libclang-rt-dev
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
docs_deps='
sphinx-build python3-sphinx
'
coverage_deps='
gcovr gcovr
'

present() {
	local what
	local IFS='|'
	for what in $1; do
		case $what in
		/*) compgen -G "$what" >/dev/null && return 0 ;;
		*) PATH=$PATH:/usr/sbin:/sbin command -v "$what" >/dev/null && return 0 ;;
		esac
	done
	return 1
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
missing=()
while read -r proof pkg; do
	[ -z "$proof" ] || present "$proof" || missing+=("$pkg")
done <<<"$want"
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing packages, please run: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
echo "deps.sh: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update >&2
apt-get -qq install -y --no-install-recommends "${missing[@]}" >&2
