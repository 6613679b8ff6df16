// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /proc/net/smbdirect: the counters of a network namespace, a name and a
 * number on each line. Documentation/networking/smbdirect-tracing.rst says what
 * they count. No locks: each is an atomic of its own.
 */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include "smbdr_sock.h"

static int smbdr_proc_show(struct seq_file *m, void *v)
{
	const struct smbdr_ns *ns = smbdr_ns_of(seq_file_single_net(m));
	int i;

	for (i = 0; i < SMBDR_STAT_MAX; i++)
		seq_printf(m, "%-16s%llu\n", smbdr_stat_names[i], smbdr_ns_stat(ns, i));
	return 0;
}

/**
 * smbdr_proc_create - make the file of a namespace
 * @net: the namespace
 *
 * Return: 0 or -ENOMEM.
 */
int smbdr_proc_create(struct net *net)
{
	if (smbdr_fault(proc) ||
	    !proc_create_net_single("smbdirect", 0444, net->proc_net, smbdr_proc_show, NULL))
		return -ENOMEM;
	return 0;
}

/**
 * smbdr_proc_remove - remove it
 * @net: the namespace
 */
void smbdr_proc_remove(struct net *net)
{
	remove_proc_entry("smbdirect", net->proc_net);
}
