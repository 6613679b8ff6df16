// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smbdr_bench.ko: the same workloads over our socket and over what it is compared with.
 *
 *	echo "CONTENDER WORKLOAD ADDR PORT SIZE DEPTH MS" >/sys/kernel/debug/smbdr_bench/run
 *	cat /sys/kernel/debug/smbdr_bench/report
 *
 * does one measurement, see tests/lib/job.c. Server and client are threads of this kernel. The
 * report has "key value" lines, after an error "where" with the name of the step.
 *
 * Contenders: our socket by its defaults, and with the message size of the other one; the in-tree
 * smbdirect.ko by its defaults (those of the kernel's SMB client and server), and with our sizes;
 * TCP; verbs without any protocol in messages of our size, and in one message for each frame.
 */
#include <linux/inet.h>
#include <linux/module.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
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
	{ "hashed", bench_hashed },
	{ "pingpong", bench_pingpong },
	{ "pipelined", bench_pipelined },
	{ "read", bench_rdma_read },
	{ "write", bench_rdma_write },
	{ "hashed_read", bench_hashed_read },
	{ "hashed_write", bench_hashed_write },
	{ "connects", bench_connects },
	{ "memory", bench_memory },
};

/* "CONTENDER WORKLOAD ADDR PORT SIZE DEPTH MS" */
static int bench_one(char *line, struct seq_buf *report)
{
	const struct bench_workload *w = NULL;
	char who[32], what[32], where[64], port[8];
	struct bench_run *r;
	int ret, i;

	r = kzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	r->report = report;
	ret = -EINVAL;
	if (sscanf(line, "%31s %31s %63s %7s %u %u %u", who, what, where, port, &r->size,
		   &r->depth, &r->ms) != 7 || !r->depth ||
	    inet_pton_with_scope(&init_net, AF_UNSPEC, where, port, &r->at))
		goto free;
	r->frame = r->size;
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
		seq_buf_printf(report, "where %s\n", r->where ?: "unknown");
free:
	/* Lost threads still look at it. */
	if (!st_stuck())
		kfree(r);
	return ret;
}

static const struct st_job bench_jobs[] = {
	{ "run", bench_one },
};

static uint timeout = 10000;
module_param(timeout, uint, 0444);
MODULE_PARM_DESC(timeout, "longest wait of one call, milliseconds");

static int __init smbdr_bench_init(void)
{
	int ret = st_lib_init();

	st_cfg.timeout = timeout;
	if (!ret)
		st_jobs_open("smbdr_bench", bench_jobs, ARRAY_SIZE(bench_jobs));
	return ret;
}

static void __exit smbdr_bench_exit(void)
{
	st_jobs_close();
	st_lib_exit();
}

module_init(smbdr_bench_init);
module_exit(smbdr_bench_exit);
MODULE_DESCRIPTION("Benchmark of SMB Direct sockets beside other transports");
MODULE_LICENSE("GPL");
