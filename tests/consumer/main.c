// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smbdr_test.ko: a user of IPPROTO_SMBDIRECT sockets inside the kernel.
 *
 * It speaks to the transport through socket calls only, so proto=6 runs the
 * same tests over TCP: a test that fails there too is a wrong test. The KUnit
 * suites run when the module is loaded, those that kunit.filter_glob names,
 * over the address in the parameters; the group scripts load it once for each
 * device and address family.
 *
 * What is no test is a job, see tests/lib/job.c; the files are in
 * /sys/kernel/debug/smbdr_test:
 *
 *	echo	 "start PORT [ADDR] [late] [backlog=N] [NAME=VALUE]...", "accept PORT",
 *		 "stop": servers that send frames back
 *	client	 "ADDR PORT BYTES [write=MS] [invalidate=KEY] [NAME=VALUE]...": connects
 *		 to a server like those; many at once
 *	storm	 "open STATE END PID ADDR PORT", "dial ADDR PORT BYTES", "look",
 *		 "act WHAT", "end", "ended": sockets in a state, for a script that ends them
 *	exchange "ADDR COUNT [PID]": many frames both ways, each one checked
 *	fuzz	 "SEED COUNT": random calls of four threads
 *	smb2	 "ADDR PORT ECHOES": SMB2 NEGOTIATE and ECHOs with a real server
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/module.h>
#include "smbdr_test.h"

static int proto = IPPROTO_SMBDIRECT;
module_param(proto, int, 0444);
MODULE_PARM_DESC(proto, "257 for SMB Direct, 6 for TCP");
static char *addr = "10.77.0.1";
module_param(addr, charp, 0444);
MODULE_PARM_DESC(addr, "local address for both ends, IPv4 or IPv6");
static char *silent = "";
module_param(silent, charp, 0444);
MODULE_PARM_DESC(silent, "address that swallows packets; empty: a TCP listener that says nothing stands in");
static ushort port = 10000;
module_param(port, ushort, 0444);
MODULE_PARM_DESC(port, "first of up to 20000 ports");
static uint scale = 100;
module_param(scale, uint, 0444);
MODULE_PARM_DESC(scale, "size of the long tests, percent");
static uint timeout = 20000;
module_param(timeout, uint, 0444);
MODULE_PARM_DESC(timeout, "longest wait of one socket call, milliseconds");

static const struct st_job st_jobs[] = {
	{ "exchange", st_exchange },
	{ "fuzz", st_fuzz },
	{ "storm", st_storm },
	{ "smb2", st_smb2 },
	{ "echo", st_echo },
	{ "client", st_client, .beside = true },
};

static int __init smbdr_test_init(void)
{
	int ret;

	st_cfg.proto = proto;
	st_cfg.port = port;
	st_cfg.scale = scale;
	st_cfg.timeout = timeout;
	ret = st_parse_addr(addr, &st_cfg.addr);
	if (!ret && *silent)
		ret = st_parse_addr(silent, &st_cfg.silent);
	if (ret)
		return ret;
	ret = st_lib_init();
	if (ret)
		return ret;
	st_choose_cases(THIS_MODULE->kunit_suites, THIS_MODULE->num_kunit_suites);
	st_counters_open();
	st_jobs_open("smbdr_test", st_jobs, ARRAY_SIZE(st_jobs));
	return 0;
}

static void __exit smbdr_test_exit(void)
{
	st_jobs_close();
	st_echo_stop();
	st_storm_end(false, NULL);
	st_counters_close();
	st_lib_exit();
}

module_init(smbdr_test_init);
module_exit(smbdr_test_exit);
MODULE_DESCRIPTION("Tests of IPPROTO_SMBDIRECT sockets");
MODULE_LICENSE("GPL");
