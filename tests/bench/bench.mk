# SPDX-License-Identifier: GPL-2.0-or-later
# The benchmark, part of Kbuild; a file of its own because make bench-compare adds it to old revisions.
obj-m += smbdr_bench.o
smbdr_bench-y := $(addprefix tests/bench/,main.o lib.o shared.o streams.o rdma.o conns.o sock.o verbs.o)
# The in-tree core exists since 7.1, and not in every configuration.
ifneq ($(CONFIG_SMBDIRECT),)
smbdr_bench-y += tests/bench/intree.o
endif
