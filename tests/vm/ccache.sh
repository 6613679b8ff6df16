# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Sourced by what compiles the module and the SMB modules: what was compiled before, in any checkout, is
# looked up. Paths are made relative for that, and the directory does not count; all mirrors lie at
# the same depth of the cache. Kernels are built once, and looking up would make that slower by a fifth.
for dir in /usr/lib/ccache /usr/lib64/ccache; do
	[ ! -d "$dir" ] || [[ $PATH == "$dir":* ]] || PATH=$dir:$PATH
done
export PATH CCACHE_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/net_smbdirect/ccache
export CCACHE_BASEDIR=/ CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1 CCACHE_MAXSIZE=4G
