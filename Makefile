# SPDX-License-Identifier: GPL-2.0-or-later
# net_smbdirect: IPPROTO_SMBDIRECT sockets. Kbuild describes the module; these are the commands.

KERNELDIR ?= /lib/modules/$(shell uname -r)/build
# Variables given on the command line (ARCH=, W=1, NET_SMBDIRECT_TESTS=1) reach Kbuild by themselves.
kbuild = $(MAKE) -C $(KERNELDIR) M=$(CURDIR)

.DEFAULT_GOAL := modules
.PHONY: all modules modules_install clean demo smb check check-bed soak check-smb kunit coverage bench bench-compare bench-count bench-smb style docs help kerneldir

all: modules

kerneldir:
	@test -e "$(KERNELDIR)/Makefile" || { \
		echo "No kernel build tree in $(KERNELDIR)." >&2; \
		echo "Install your kernel's headers, or name a tree: make KERNELDIR=/path/to/build" >&2; \
		exit 1; }

modules: kerneldir ## build net_smbdirect.ko against KERNELDIR (default: the running kernel)
	+$(kbuild) modules

modules_install: kerneldir ## install the module for that kernel (as root)
	+$(kbuild) modules_install

clean: ## remove what a build left in the checkout
	@if test -e "$(KERNELDIR)/Makefile"; then $(kbuild) clean; else \
		find . -name .git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
			-o -name '.*.cmd' -o -name modules.order -o -name Module.symvers \) -exec rm -f {} +; fi
	@for d in tests/unit tests/fuzz; do test ! -e $$d/Makefile || $(MAKE) -s -C $$d clean; done

demo: ## two kernel sockets over soft RDMA, a stock server, and a share, in a test kernel
	@tests/demo.sh

# Without KERNELDIR on the command line, for the test kernel.
smb_for = $(if $(filter command environment,$(origin KERNELDIR)),--for "$(KERNELDIR)",release)
smb: ## the kernel's SMB client and server on our sockets, for the test kernel or KERNELDIR=
	@tests/vm/deps.sh && tools/smb/build.sh $(smb_for)

check: ## every test, here and in test kernels; ONLY='smbdr_stream.*tiny*' DEVICES=siw KERNELS=kasan for a part
	@tests/check.py

check-bed: ## plant a fault for each checker of the test bed and see that it is found
	@tests/vm/deps.sh && tests/check_bed.py

soak: ## what make check does in short, for hours: fuzzing, storms, noise, both test beds, SMB
	@tests/soak.py

check-smb: ## each pair of our and the stock SMB client and server at real work (two to three hours)
	@tests/check_smb.sh

kunit: ## KUnit suites only, in the KASAN kernel
	@tests/vm/run.sh kasan kunit

coverage: ## lines and branches of the module that the tests run; HTML in coverage-results
	@tests/coverage.sh

bench: ## our socket beside the in-tree core, TCP and raw verbs; table, JSON, plots (half an hour); MTU=1500
	@tests/bench/bench.py

# A revision, or . for the checkout as it is.
A ?= HEAD
B ?= .
bench-compare: ## the same for our socket alone as of two revisions, A=rev B=rev
	@tests/bench/bench.py compare "$(A)" "$(B)"

bench-count: ## allocations, runs of completion queues and wake-ups for each frame of make bench
	@tests/bench/bench.py count

bench-smb: ## our SMB client and server beside the stock ones and TCP; table, JSON, plot
	@tests/bench/smb.py

style: ## checkpatch, sparse, W=1, kernel-doc, layering
	@tests/style.sh

docs: ## the documentation as HTML, in Documentation/_build
	@tests/vm/deps.sh docs
	@sphinx-build -q -W --keep-going -C -D root_doc=index -D project=net_smbdirect Documentation Documentation/_build

help: ## this list
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
