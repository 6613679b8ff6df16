# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A share of ksmbd mounted by cifs over RDMA, for the groups; sourced after consumer.sh. Whose
# cifs.ko and ksmbd.ko the guest has is run.sh's SMB.

# shellcheck disable=SC2034 # for the groups
SMB_MNT=/mnt/smb SMB_SHARE=/tmp/share

# mount_share ADDRESS OPTIONS [WHERE [USER]]: USER is guest, or bed with its password.
mount_share() {
	local who=username=guest,password=
	[ "${4:-guest}" = guest ] || who=username=$4,password=$4
	timeout 60 mount -i -t cifs "//$1/share" "${3:-$SMB_MNT}" \
		-o "rdma,ip=$1,$who,vers=3.1.1,noperm${2:+,$2}"
}
umount_share() { timeout 120 umount "${1:-$SMB_MNT}"; }

# One hash over the names and the contents of all files of a tree.
tree_hash() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 -r sha256sum | sha256sum); }
same_tree() { [ "$(tree_hash "$1")" = "$(tree_hash "$2")" ]; }
file_hash() { sha256sum <"$1" | cut -d' ' -f1; }
drop_caches() { sync; echo 3 >/proc/sys/vm/drop_caches; }

# param NAME DEFAULT: a comma separated kernel parameter as words.
param() {
	local value
	value=$(sed -n "s/.*\<$1=\([a-z0-9,]*\).*/\1/p" /proc/cmdline)
	value=${value:-$2}
	echo "${value//,/ }"
}

# A counter of our module, 0 without it.
smbdr_counter() {
	local value
	value=$(awk -v k="$1" '$1 == k { print $2 }' /proc/net/smbdirect 2>/dev/null)
	echo "${value:-0}"
}
