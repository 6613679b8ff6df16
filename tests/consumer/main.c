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
 * What is no test but a service or a measurement is started by writing to a
 * file in /sys/kernel/debug/smbdr_test and speaks through its file "report":
 *
 *	echo	 "start PORT [ADDR] [late] [backlog=N] [NAME=VALUE]...", "accept PORT",
 *		 "stop": servers that send frames back
 *	client	 "ADDR PORT BYTES [write=MS] [invalidate=KEY] [NAME=VALUE]...": connects
 *		 to a server like those
 *	transfer "ADDR PROTO MIB": hashes, throughput, round trips
 *	rdma	 "ADDR MIB": the same by RDMA read and write
 *	storm	 "open STATE END PID ADDR PORT", "act WHAT", "end", "ended": sockets in
 *		 a state, for a script that ends them
 *	exchange "ADDR COUNT [PID]": many frames both ways, each one checked
 *	fuzz	 "SEED COUNT": random calls of four threads
 *	listening "open ADDR PORT", "dial ADDR PORT BYTES", "look", "close": a listener
 *		 with connections that nobody accepts
 *	rdma_hold "start", "stop": registered memory and a transfer that goes on
 *	smb2	 "ADDR PORT ECHOES": SMB2 NEGOTIATE and ECHOs with a real server
 *
 * A write returns when the work is done, with its error.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "smbdr_test.h"

#define ST_REPORT_SIZE	4096

struct st_cfg st_cfg;

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

static struct dentry *st_dir;
static DEFINE_MUTEX(st_report_lock);	/* one job at a time, and its report */
static char st_report_text[ST_REPORT_SIZE];
static struct seq_buf st_report;

static ssize_t st_report_read(struct file *f, char __user *ubuf, size_t n, loff_t *pos)
{
	ssize_t ret;

	mutex_lock(&st_report_lock);
	ret = simple_read_from_buffer(ubuf, n, pos, st_report_text, seq_buf_used(&st_report));
	mutex_unlock(&st_report_lock);
	return ret;
}

static const struct file_operations st_report_fops = {
	.owner = THIS_MODULE,
	.read = st_report_read,
};

static int st_job_transfer(char *line, struct seq_buf *report)
{
	struct sockaddr_storage at;
	unsigned int mib;
	char where[64];
	int p;

	if (sscanf(line, "%63s %d %u", where, &p, &mib) != 3 || st_parse_addr(where, &at))
		return -EINVAL;
	return st_transfer(&at, p, mib, report);
}

static int st_job_smb2(char *line, struct seq_buf *report)
{
	struct sockaddr_storage at;
	unsigned int echoes;
	char where[64];
	u16 to;

	if (sscanf(line, "%63s %hu %u", where, &to, &echoes) != 3 || st_parse_addr(where, &at))
		return -EINVAL;
	return st_smb2(&at, st_cfg.proto, to, echoes, report);
}

static int st_job_rdma(char *line, struct seq_buf *report)
{
	struct sockaddr_storage at;
	unsigned int mib;
	char where[64];

	if (sscanf(line, "%63s %u", where, &mib) != 2 || st_parse_addr(where, &at))
		return -EINVAL;
	return st_transfer_rdma(&at, mib, report);
}

static int st_job_exchange(char *line, struct seq_buf *report)
{
	struct sockaddr_storage at;
	unsigned int count;
	char where[64];
	int pid = 0;

	if (sscanf(line, "%63s %u %d", where, &count, &pid) < 2 || st_parse_addr(where, &at))
		return -EINVAL;
	return st_exchange(pid, &at, count, report);
}

static int st_job_fuzz(char *line, struct seq_buf *report)
{
	unsigned int count;
	u64 seed;

	if (sscanf(line, "%llu %u", &seed, &count) != 2)
		return -EINVAL;
	return st_fuzz(seed, count, report);
}

static int st_job_storm(char *line, struct seq_buf *report)
{
	struct sockaddr_storage at;
	char what[64], where[64], end;
	int pid;
	u16 on;

	if (!strcmp(line, "end") || !strcmp(line, "ended"))
		return st_storm_end(!strcmp(line, "ended"), report);
	if (sscanf(line, "act %63s", what) == 1)
		return st_storm_act(what);
	if (sscanf(line, "open %63s %c %d %63s %hu", what, &end, &pid, where, &on) != 5 ||
	    st_parse_addr(where, &at))
		return -EINVAL;
	return st_storm_open(what, end, pid, &at, on);
}

static int st_job_listening(char *line, struct seq_buf *report)
{
	struct sockaddr_storage at;
	unsigned int len;
	char where[64];
	u16 on;

	if (!strcmp(line, "look"))
		return st_listening_look(report);
	if (!strcmp(line, "close"))
		return st_listening_close();
	if (sscanf(line, "open %63s %hu", where, &on) == 2 && !st_parse_addr(where, &at))
		return st_listening_open(&at, on);
	if (sscanf(line, "dial %63s %hu %u", where, &on, &len) == 3 && !st_parse_addr(where, &at))
		return st_listening_dial(&at, on, len);
	return -EINVAL;
}

static int st_job_hold(char *line, struct seq_buf *report)
{
	if (!strcmp(line, "start"))
		return st_hold_start();
	if (!strcmp(line, "stop"))
		return st_hold_stop(report);
	return -EINVAL;
}

static int st_job_echo(char *line, struct seq_buf *report)
{
	return st_echo_command(line);
}

/* A file, and what a line that is written to it does. */
static const struct st_job {
	const char *name;
	int (*run)(char *line, struct seq_buf *report);
} st_jobs[] = {
	{ "transfer", st_job_transfer },
	{ "rdma", st_job_rdma },
	{ "exchange", st_job_exchange },
	{ "fuzz", st_job_fuzz },
	{ "storm", st_job_storm },
	{ "listening", st_job_listening },
	{ "rdma_hold", st_job_hold },
	{ "smb2", st_job_smb2 },
	{ "echo", st_job_echo },
	{ "client", st_client_command },
};

static ssize_t st_job_write(struct file *f, const char __user *ubuf, size_t n, loff_t *pos)
{
	const struct st_job *job = f->private_data;
	char line[128];
	int ret;

	if (n >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, n))
		return -EFAULT;
	line[n] = 0;
	strim(line);
	mutex_lock(&st_report_lock);
	seq_buf_clear(&st_report);
	ret = job->run(line, &st_report);
	mutex_unlock(&st_report_lock);
	return ret ?: n;
}

static const struct file_operations st_job_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = st_job_write,
};

static int __init smbdr_test_init(void)
{
	unsigned int i;
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
	st_counters_open();
	seq_buf_init(&st_report, st_report_text, sizeof(st_report_text));
	st_dir = debugfs_create_dir("smbdr_test", NULL);
	debugfs_create_file("report", 0400, st_dir, NULL, &st_report_fops);
	for (i = 0; i < ARRAY_SIZE(st_jobs); i++)
		debugfs_create_file(st_jobs[i].name, 0200, st_dir, (void *)&st_jobs[i],
				    &st_job_fops);
	return 0;
}

static void __exit smbdr_test_exit(void)
{
	debugfs_remove(st_dir);
	st_echo_stop();
	st_listening_close();
	st_hold_stop(&st_report);
	st_storm_end(false, &st_report);
	st_counters_close();
	st_lib_exit();
}

module_init(smbdr_test_init);
module_exit(smbdr_test_exit);
MODULE_DESCRIPTION("Tests of IPPROTO_SMBDIRECT sockets");
MODULE_LICENSE("GPL");
