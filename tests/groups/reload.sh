#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The module comes and goes, and steps back when protocol 257 is taken.
# shellcheck source=../vm/lib.sh
. /run/top/tests/vm/lib.sh
# shellcheck source=../consumer/consumer.sh
. /run/top/tests/consumer/consumer.sh

! module_loaded net_smbdirect || wait_for 20 unload_module net_smbdirect
busy() { ! rmmod net_smbdirect 2>/dev/null; }
refused() { ! load_module net_smbdirect 2>/dev/null; }
# One connection, so that every part of the module has been used.
run_one() {
	check 'consumer loads' load_consumer smbdr_api.api_names 'siw v4'
	kunit_results smbdr_api
	check 'consumer goes' unload_consumer
}
for round in 1 2 3 4 5; do
	check "load, round $round" load_module net_smbdirect
	run_one
	check "unload, round $round" wait_for 20 unload_module net_smbdirect
done

check 'load' load_module net_smbdirect
check 'somebody has a socket' load_module smbdr_autoload
check 'in use: no unloading' busy
check 'he goes' unload_module smbdr_autoload
check 'then the module goes' wait_for 20 unload_module net_smbdirect

log_expect 'net_smbdirect: another module provides protocol 257'
check 'somebody else takes 257' load_module smbdr_other257
check 'the module refuses to load' refused
check 'somebody else goes' unload_module smbdr_other257
check 'the module loads again' load_module net_smbdirect
check 'and goes' unload_module net_smbdirect

# The first socket loads the module by its number.
autoload() {
	check "a socket of $1" load_module smbdr_autoload "family=$2"
	check "the module came by itself for $1" module_loaded net_smbdirect
	check "it goes again for $1" unload_module smbdr_autoload
	check "unload for $1" wait_for 20 unload_module net_smbdirect
}
autoload v4 2
autoload v6 10
ktap_plan
