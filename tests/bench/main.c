// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smbdr_bench.ko: the same workloads over our socket and over what it is compared with.
 *
 *	echo "CONTENDER WORKLOAD ADDR PORT SIZE DEPTH MS" >/sys/kernel/debug/smbdr_bench/run
 *	cat /sys/kernel/debug/smbdr_bench/report
 *
 * does one measurement. Server and client are threads of this kernel. A write returns when it is
 * done, with its error; the report has "key value" lines, after an error "where" with the name of
 * the step. One at a time.
 *
 * Contenders: our socket by its defaults, and with the message size of the other one; the in-tree
 * smbdirect.ko by its defaults (those of the kernel's SMB client and server), and with our sizes;
 * TCP; verbs without any protocol in messages of our size, and in one message for each frame.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/debugfs.h>
#include <linux/inet.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_buf.h>
#include <linux/uaccess.h>
#include <uapi/linux/smbdirect.h>
#include "bench.h"

static const struct bench_contender bench_contenders[] = {
	{ .name = "ours", .t = &bench_sock, .proto = IPPROTO_SMBDIRECT },
	{ .name = "ours1364", .t = &bench_sock, .proto = IPPROTO_SMBDIRECT, .send = 1364,
	  .recv = 1364 },
#if IS_ENABLED(CONFIG_SMBDIRECT)
	{ .name = "intree", .t = &bench_intree },
	{ .name = "intree8192", .t = &bench_intree, .send = 8136, .recv = 8192, .frag = SZ_1M },
#endif
	{ .name = "tcp", .t = &bench_sock, .proto = IPPROTO_TCP },
	{ .name = "verbs", .t = &bench_verbs, .recv = 8192 },
	{ .name = "verbs1364", .t = &bench_verbs, .recv = 1364 },
	{ .name = "verbs1m", .t = &bench_verbs, .recv = SZ_1M },
};

static const struct bench_workload {
	const char *name;
	int (*run)(struct bench_run *r);
} bench_workloads[] = {
	{ "oneway", bench_oneway },
	{ "twoway", bench_twoway },
	{ "pingpong", bench_pingpong },
	{ "pipelined", bench_pipelined },
	{ "read", bench_rdma_read },
	{ "write", bench_rdma_write },
	{ "connects", bench_connects },
	{ "memory", bench_memory },
};

static struct dentry *bench_dir;
static DEFINE_MUTEX(bench_lock);	/* one run at a time, and its report */
static char bench_text[1024];
static struct seq_buf bench_report;

static int bench_one(char *line)
{
	const struct bench_workload *w = NULL;
	char who[32], what[32], where[64];
	struct sockaddr_storage at;
	struct bench_run *r;
	int ret, i;
	u16 port;

	if (bench_stuck())
		return -EBUSY;
	r = kzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	r->report = &bench_report;
	ret = -EINVAL;
	if (sscanf(line, "%31s %31s %63s %hu %u %u %u", who, what, where, &port, &r->size,
		   &r->depth, &r->ms) != 7 || !r->depth ||
	    inet_pton_with_scope(&init_net, AF_INET, where, "0", &at))
		goto free;
	r->at = *(struct sockaddr_in *)&at;
	r->at.sin_port = htons(port);
	for (i = 0; i < ARRAY_SIZE(bench_contenders); i++)
		if (!strcmp(bench_contenders[i].name, who))
			r->who = &bench_contenders[i];
	for (i = 0; i < ARRAY_SIZE(bench_workloads); i++)
		if (!strcmp(bench_workloads[i].name, what))
			w = &bench_workloads[i];
	if (!r->who || !w)
		goto free;
	ret = w->run(r);
	if (ret)
		seq_buf_printf(&bench_report, "where %s\n", r->where ?: "unknown");
free:
	/* Lost threads still look at it. */
	if (!bench_stuck())
		kfree(r);
	return ret;
}

static ssize_t bench_run_write(struct file *f, const char __user *ubuf, size_t n, loff_t *pos)
{
	char line[192];
	int ret;

	if (n >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, n))
		return -EFAULT;
	line[n] = 0;
	mutex_lock(&bench_lock);
	seq_buf_clear(&bench_report);
	ret = bench_one(line);
	mutex_unlock(&bench_lock);
	return ret ?: n;
}

static ssize_t bench_report_read(struct file *f, char __user *ubuf, size_t n, loff_t *pos)
{
	ssize_t ret;

	mutex_lock(&bench_lock);
	ret = simple_read_from_buffer(ubuf, n, pos, bench_text, seq_buf_used(&bench_report));
	mutex_unlock(&bench_lock);
	return ret;
}

static const struct file_operations bench_run_fops = {
	.owner = THIS_MODULE,
	.write = bench_run_write,
};

static const struct file_operations bench_report_fops = {
	.owner = THIS_MODULE,
	.read = bench_report_read,
};

static int __init smbdr_bench_init(void)
{
	seq_buf_init(&bench_report, bench_text, sizeof(bench_text));
	bench_dir = debugfs_create_dir("smbdr_bench", NULL);
	debugfs_create_file("run", 0200, bench_dir, NULL, &bench_run_fops);
	debugfs_create_file("report", 0400, bench_dir, NULL, &bench_report_fops);
	return 0;
}

static void __exit smbdr_bench_exit(void)
{
	debugfs_remove(bench_dir);
}

module_init(smbdr_bench_init);
module_exit(smbdr_bench_exit);
MODULE_DESCRIPTION("Benchmark of SMB Direct sockets beside other transports");
MODULE_LICENSE("GPL");
