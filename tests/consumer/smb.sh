# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A share of ksmbd mounted by cifs over RDMA, for the groups; sourced after consumer.sh. Whose
# cifs.ko and ksmbd.ko the guest has is run.sh's SMB.

# shellcheck disable=SC2034 # for the groups
SMB_MNT=/mnt/smb SMB_SHARE=/tmp/share

# Whose transport a loaded cifs or ksmbd has, and whose run.sh meant it to have.
whose() {
	if [ -e "/sys/module/net_smbdirect/holders/$1" ]; then
		echo ours
	elif [ -e "/sys/module/smbdirect/holders/$1" ]; then
		echo stock
	else
		echo nobody
	fi
}
meant() { if have_module "$1"; then echo ours; else echo stock; fi; }
is_as_meant() { check "$1 has the transport that was meant: $(meant "$1")" test "$(whose "$1")" = "$(meant "$1")"; }

# with_server COMMAND... and with_client COMMAND...: what is needed around it, and afterwards
# everything is gone again. They nest.
with_server() {
	need_module
	if check 'ksmbd starts' start_ksmbd; then
		is_as_meant ksmbd
		chmod 777 "$SMB_SHARE"
		"$@"
		check 'ksmbd stops' stop_ksmbd
	fi
	cat /tmp/ksmbd.log >&2
	check 'no RDMA resources stay' wait_for 10 rdma_idle
}
with_client() {
	need_module
	mkdir -p "$SMB_MNT"
	if check 'cifs loads' load_cifs; then
		is_as_meant cifs
		"$@"
		check 'cifs unloads' wait_for 20 rmmod cifs
	fi
}

# mount_share ADDRESS OPTIONS [WHERE [USER]]: USER is guest, or bed with its password.
mount_share() {
	local who=username=guest,password=
	[ "${4:-guest}" = guest ] || who=username=$4,password=$4
	within 60 mount -i -t cifs "//$1/share" "${3:-$SMB_MNT}" \
		-o "rdma,ip=$1,$who,vers=3.1.1,noperm${2:+,$2}"
}
# What to add to the options of a mount that signs or encrypts, and so sends all data in messages.
# The stock transports take messages of 170 KiB, and cifs does not heed that when it encrypts: its
# writes fail with EINVAL (the stock pair's as well) unless they are told to be small.
no_rdma_sizes() { [ "$(whose cifs)$(whose ksmbd)" = oursours ] || echo ,rsize=131072,wsize=131072; }
umount_share() { within 120 umount "${1:-$SMB_MNT}"; }

# One hash over the names and the contents of all files of a tree, which are read eight at a time.
tree_hash() {
	(cd "$1" && find . -type f -print0 | xargs -0 -r -P 8 -n 64 sha256sum | sort -k 2 | sha256sum)
}
same_tree() { [ "$(tree_hash "$1")" = "$(tree_hash "$2")" ]; }
file_hash() { sha256sum <"$1" | cut -d' ' -f1; }
drop_caches() { sync; echo 3 >/proc/sys/vm/drop_caches; }


# on_smb_devices FUNCTION: for each device that smbdr_devices names.
on_smb_devices() {
	local transport
	for transport in $(param smbdr_devices siw,rxe); do "$1" "$transport v4"; done
}
need_tools() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || { ktap_fail "there is no $tool"; exit 0; }
	done
}

# moved_from, and then has_moved BYTES: so many have gone each way by RDMA since, if counters of ours can
# tell; and those of a transport that is not in use stand still. The server moves the data, both ways,
# and the client registers its memory.
smb_counters='ConnActive ConnPassive RdmaReadBytes RdmaWriteBytes MrRegistered'
declare -A smb_before
moved_from() {
	local name
	for name in $smb_counters; do smb_before[$name]=$(counter "$name"); done
}
smb_rise() { echo $(($(counter "$1") - smb_before[$1])); }
has_moved() {
	local bytes=$1 name side least
	for name in $smb_counters; do
		side=ksmbd least=1
		case $name in
		ConnActive | MrRegistered) side=cifs ;;
		*Bytes) least=$bytes ;;
		esac
		if [ "$(whose $side)" = ours ]; then
			check "$name rises by $least, as $side is ours" test "$(smb_rise "$name")" -ge "$least"
		else
			check "$name stands still, as $side is not ours" test "$(smb_rise "$name")" = 0
		fi
	done
}

# Two guests on one wire (tests/smb/pair.py): an RDMA device on it, of the type in smbdr_devices.
pair_addr() { case $1 in server) echo 10.79.0.1 ;; client) echo 10.79.0.2 ;; esac; }
pair_link() {
	local addr type
	addr=$(pair_addr "$1") type=$(param smbdr_devices siw)
	# A new guest has to look like the one before.
	ip link set vec0 address "02:00:00:00:79:0${addr##*.}" && ip addr add "$addr/24" dev vec0 &&
		ip link set vec0 up && rdma link add pair0 type "$type" netdev vec0 &&
		wait_for 10 pair_active
}
pair_active() { rdma link show pair0/1 | grep -q 'state ACTIVE'; }
pair_unlink() { rdma link delete pair0 && ip link set vec0 down; }
