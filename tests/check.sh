#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every test: style, the pure layer in userspace, compilation for the oldest kernel and in a kernel
# tree, then the test groups and SMB mounts in kernels of the bed. The last line is the total; the
# exit status is 0 when nothing failed.
# BED=qemu: the second bed, of which FLAVOURS ("kcsan kasan") says which kernels. STEPS: an expression
# that the names of the steps to be run match, as "lockdep: .*peer".
set -uo pipefail

# Which groups run in which kernel, the longest boots first, so that none is left alone at the end. A
# group without a script is reported as a failure.
vm_table='
kasan:   stream ksmbd peer fuzz storm
release: stream close keepalive many peer rdma
lockdep: failnth peer
kasan:   failnth shortage limits
lockdep: stream keepalive ksmbd storm
kasan:   smoke kunit api close keepalive many netns reload trace rdma rdma_fault example
leak:    close many reload trace peer storm
leak:    rdma rdma_fault failnth
release: noise limits memory
lockdep: smoke api many netns reload trace rdma rdma_fault example close
'
smb_table='
release ours ours
release ours stock
release stock ours
release stock stock
lockdep ours ours
'
# With BED=qemu this and nothing else: on an emulated x86 machine, 15 times slower. For each kernel the
# groups of all debug kernels, and a mount with both ends ours. What makes memory short is in kasan only.
qemu_groups='stream keepalive
peer
many rdma rdma_fault failnth
fuzz storm
close limits noise
smoke kunit api netns reload trace example ksmbd'
qemu_kasan='shortage'
# For one boot; of User Mode Linux the slowest takes two thirds of it on two cores, beside two others.
export TIMEOUT=${TIMEOUT:-$([ "${BED:-uml}" = uml ] && echo 1200 || echo 7200)}
oldest=6.12

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1
# shellcheck source=steps.sh
. tests/steps.sh

if ! tests/vm/deps.sh; then
	echo '0 passed, 1 failed'
	exit 1
fi
vm_steps() {
	local flavour groups
	while IFS=': ' read -r flavour groups; do
		[ -n "$flavour" ] || continue
		# shellcheck disable=SC2086 # a list
		beside "kernel $flavour: $groups" tests/vm/run.sh "$flavour" $groups
	done <<<"$1"
}
case ${BED:-uml} in
qemu)
	# shellcheck disable=SC2034 # steps.sh: each emulates two CPUs
	boots=${BOOTS:-1}
	for flavour in ${FLAVOURS:-kcsan kasan}; do
		# shellcheck disable=SC2001 # each line
		vm_steps "$(sed "s/^/$flavour: /" <<<"$qemu_groups")"
		[ "$flavour" != kasan ] || vm_steps "$flavour: $qemu_kasan"
		SMB='ours ours' beside "SMB on $flavour" tests/vm/run.sh "$flavour" smb
	done
	steps_end
	exit ;;
uml) ;;
*) echo "check.sh: no bed $BED: uml or qemu" >&2; exit 2 ;;
esac

beside style tests/style.sh
beside 'unit tests' make -s -C tests/unit check
beside fuzz make -s -C tests/fuzz check
beside "compile for $oldest" tests/vm/modules.sh headers "$oldest"
beside 'in a kernel tree' tests/intree.sh
vm_steps "$vm_table"
APPEND=smbdr_demo_mib=16 beside 'demo, in short' tests/vm/run.sh release demo
# A mount over RDMA: kernel, whose client, whose server.
while read -r flavour client server; do
	[ -z "$flavour" ] || SMB="$client $server" beside "SMB on $flavour: $client client, $server server" \
		tests/vm/run.sh "$flavour" smb
done <<<"$smb_table"

steps_end
