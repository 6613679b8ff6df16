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
 *	echo	 "start PORT [ADDR]", "stop": a server that sends frames back
 *	transfer "ADDR PROTO MIB": hashes, throughput, round trips
 *	rdma	 "ADDR MIB": the same by RDMA read and write
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

/* Copy a command line from user space, without its newline. */
static int st_command(const char __user *ubuf, size_t n, char *line, size_t size)
{
	if (n >= size)
		return -EINVAL;
	if (copy_from_user(line, ubuf, n))
		return -EFAULT;
	line[n] = 0;
	strim(line);
	return 0;
}

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

static ssize_t st_transfer_write(struct file *f, const char __user *ubuf, size_t n, loff_t *pos)
{
	char line[128], where[64];
	struct sockaddr_storage at;
	unsigned int mib;
	int p, ret;

	ret = st_command(ubuf, n, line, sizeof(line));
	if (ret)
		return ret;
	if (sscanf(line, "%63s %d %u", where, &p, &mib) != 3 || st_parse_addr(where, &at))
		return -EINVAL;
	mutex_lock(&st_report_lock);
	seq_buf_clear(&st_report);
	ret = st_transfer(&at, p, mib, &st_report);
	mutex_unlock(&st_report_lock);
	return ret ?: n;
}

static const struct file_operations st_transfer_fops = {
	.owner = THIS_MODULE,
	.write = st_transfer_write,
};

static ssize_t st_smb2_write(struct file *f, const char __user *ubuf, size_t n, loff_t *pos)
{
	char line[128], where[64];
	struct sockaddr_storage at;
	unsigned int echoes;
	u16 to;
	int ret;

	ret = st_command(ubuf, n, line, sizeof(line));
	if (ret)
		return ret;
	if (sscanf(line, "%63s %hu %u", where, &to, &echoes) != 3 || st_parse_addr(where, &at))
		return -EINVAL;
	mutex_lock(&st_report_lock);
	seq_buf_clear(&st_report);
	ret = st_smb2(&at, st_cfg.proto, to, echoes, &st_report);
	mutex_unlock(&st_report_lock);
	return ret ?: n;
}

static ssize_t st_rdma_write(struct file *f, const char __user *ubuf, size_t n, loff_t *pos)
{
	char line[128], where[64];
	struct sockaddr_storage at;
	unsigned int mib;
	int ret;

	ret = st_command(ubuf, n, line, sizeof(line));
	if (ret)
		return ret;
	if (sscanf(line, "%63s %u", where, &mib) != 2 || st_parse_addr(where, &at))
		return -EINVAL;
	mutex_lock(&st_report_lock);
	seq_buf_clear(&st_report);
	ret = st_transfer_rdma(&at, mib, &st_report);
	mutex_unlock(&st_report_lock);
	return ret ?: n;
}

static const struct file_operations st_rdma_fops = {
	.owner = THIS_MODULE,
	.write = st_rdma_write,
};

static ssize_t st_hold_write(struct file *f, const char __user *ubuf, size_t n, loff_t *pos)
{
	char line[16];
	int ret;

	ret = st_command(ubuf, n, line, sizeof(line));
	if (ret)
		return ret;
	mutex_lock(&st_report_lock);
	seq_buf_clear(&st_report);
	if (!strcmp(line, "start"))
		ret = st_hold_start();
	else if (!strcmp(line, "stop"))
		ret = st_hold_stop(&st_report);
	else
		ret = -EINVAL;
	mutex_unlock(&st_report_lock);
	return ret ?: n;
}

static const struct file_operations st_hold_fops = {
	.owner = THIS_MODULE,
	.write = st_hold_write,
};

static const struct file_operations st_smb2_fops = {
	.owner = THIS_MODULE,
	.write = st_smb2_write,
};

static ssize_t st_echo_write(struct file *f, const char __user *ubuf, size_t n, loff_t *pos)
{
	char line[128], where[64];
	struct sockaddr_storage at = st_cfg.addr;
	int found, ret;
	u16 on;

	ret = st_command(ubuf, n, line, sizeof(line));
	if (ret)
		return ret;
	mutex_lock(&st_report_lock);
	if (!strcmp(line, "stop")) {
		st_echo_stop();
	} else {
		ret = -EINVAL;
		found = sscanf(line, "start %hu %63s", &on, where);
		switch (found) {
		case 2:
			if (st_parse_addr(where, &at))
				break;
			fallthrough;
		case 1:
			ret = st_echo_start(&at, on);
		}
	}
	mutex_unlock(&st_report_lock);
	return ret ?: n;
}

static const struct file_operations st_echo_fops = {
	.owner = THIS_MODULE,
	.write = st_echo_write,
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
	st_counters_open();
	seq_buf_init(&st_report, st_report_text, sizeof(st_report_text));
	st_dir = debugfs_create_dir("smbdr_test", NULL);
	debugfs_create_file("report", 0400, st_dir, NULL, &st_report_fops);
	debugfs_create_file("transfer", 0200, st_dir, NULL, &st_transfer_fops);
	debugfs_create_file("rdma", 0200, st_dir, NULL, &st_rdma_fops);
	debugfs_create_file("rdma_hold", 0200, st_dir, NULL, &st_hold_fops);
	debugfs_create_file("smb2", 0200, st_dir, NULL, &st_smb2_fops);
	debugfs_create_file("echo", 0200, st_dir, NULL, &st_echo_fops);
	return 0;
}

static void __exit smbdr_test_exit(void)
{
	debugfs_remove(st_dir);
	st_echo_stop();
	st_hold_stop(&st_report);
	st_counters_close();
	st_lib_exit();
}

module_init(smbdr_test_init);
module_exit(smbdr_test_exit);
MODULE_DESCRIPTION("Tests of IPPROTO_SMBDIRECT sockets");
MODULE_LICENSE("GPL");
