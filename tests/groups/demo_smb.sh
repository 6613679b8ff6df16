#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The end of "make demo": a share. The text goes to the file demo in the output directory.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh
# shellcheck source=../consumer/smb.sh
. /run/top/tests/consumer/smb.sh

# shellcheck disable=SC2059 # the formats are below
show() { printf "$@" >>/run/out/demo; }
ms() { echo $(($(date +%s%N) / 1000000)); }
seconds() { printf '%d.%d' "$(($1 / 1000))" "$(($1 % 1000 / 100))"; }
mb() { echo $(($1 / 1000000)); }

# The tree goes in, the mount is made anew so that nothing comes from a cache, and it comes out.
tree() {
	local transport=$1 addr in out before after equal=no
	addr=$(transport_addr "$transport")
	before=("$(counter RdmaReadBytes)" "$(counter RdmaWriteBytes)" "$(counter BytesSent)")
	if ! check "mount $transport" mount_share "$addr" ''; then
		show '  %-6s  FAILED: no mount\n' "${transport% *}"
		return
	fi
	in=$(ms)
	check "copy in $transport" cp -r /run/src/fs "$SMB_MNT/fs"
	check "unmount $transport" umount_share
	in=$(($(ms) - in))
	check "mount again $transport" mount_share "$addr" ''
	out=$(ms)
	check "copy out $transport" cp -r "$SMB_MNT/fs" "/tmp/out"
	out=$(($(ms) - out))
	check "the tree is the same $transport" same_tree /run/src/fs /tmp/out && equal=yes
	check "and the server's $transport" same_tree /run/src/fs "$SMB_SHARE/fs" || equal=no
	rm -rf /tmp/out "$SMB_MNT/fs"
	check "unmount again $transport" umount_share
	after=("$(counter RdmaReadBytes)" "$(counter RdmaWriteBytes)" "$(counter BytesSent)")
	show '  %-6s  in %5s s  out %5s s  equal %-3s  RDMA read %3s MB, RDMA write %3s MB, sends %3s MB\n' \
		"${transport% *}" "$(seconds "$in")" "$(seconds "$out")" "$equal" \
		"$(mb $((after[0] - before[0])))" "$(mb $((after[1] - before[1])))" "$(mb $((after[2] - before[2])))"
	# What the file data took: the server fetches what is written and stores what is read.
	check "the bytes went through our sockets $transport" test $((after[0] - before[0])) -gt 10000000
	check "in both directions $transport" test $((after[1] - before[1])) -gt 10000000
}

both() {
	show '\nA share of ksmbd.ko on our sockets, mounted by cifs.ko on our sockets with -o rdma; %s files,\n' \
		"$(find /run/src/fs -type f | wc -l)"
	show '%s MB (fs/ of Linux %s) copied in and, from a new mount, out; bytes by /proc/net/smbdirect:\n\n' \
		"$(du -s --apparent-size -B 1000000 /run/src/fs | cut -f1)" "$(uname -r)"
	tree 'siw v4'
	tree 'rxe v4'
	show '\n'
}
with_client with_server both
check 'module unloads' wait_for 20 unload_module net_smbdirect
ktap_plan
