// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module: what it registers, in which order, and the reverse.
 *
 * The core's workqueue, the two struct proto, the namespaces, and last the two
 * protocol switches, from when on sockets can be made. When the module goes, the
 * network core has no socket of ours left, but connections may still be on their
 * way out: the exit of each namespace waits for them.
 */
#include <linux/module.h>
#include <net/inet_common.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/protocol.h>
#include <net/tcp.h>
#include "smbdr_sock.h"

static unsigned int smbdr_net_id __read_mostly;

/**
 * struct smbdr_pernet - what the module keeps for a namespace
 * @ns: the core's part
 */
struct smbdr_pernet {
	struct smbdr_ns *ns;
};

/**
 * smbdr_ns_of - the core's part of a namespace
 * @net: the namespace
 *
 * Return: the object, which lives as long as @net.
 */
struct smbdr_ns *smbdr_ns_of(struct net *net)
{
	const struct smbdr_pernet *p = net_generic(net, smbdr_net_id);

	return p->ns;
}

static int __net_init smbdr_net_init(struct net *net)
{
	struct smbdr_pernet *p = net_generic(net, smbdr_net_id);
	int err;

	p->ns = smbdr_ns_create(net);
	if (!p->ns)
		return -ENOMEM;
	err = smbdr_proc_create(net);
	if (err)
		smbdr_ns_destroy(p->ns);
	return err;
}

static void __net_exit smbdr_net_exit(struct net *net)
{
	struct smbdr_pernet *p = net_generic(net, smbdr_net_id);

	smbdr_proc_remove(net);
	smbdr_ns_destroy(p->ns);
}

static struct pernet_operations smbdr_net_ops = {
	.init	= smbdr_net_init,
	.exit	= smbdr_net_exit,
	.id	= &smbdr_net_id,
	.size	= sizeof(struct smbdr_pernet),
};

/* Called when the creation of a socket fails; there is no table to leave. */
static void smbdr_unhash(struct sock *sk)
{
}

static struct proto smbdr_prot = {
	.name		= "SMBDIRECT",
	.owner		= THIS_MODULE,
	.init		= smbdr_sk_init,
	.destroy	= smbdr_sk_destroy,
	.ioctl		= smbdr_sk_ioctl,
	.unhash		= smbdr_unhash,
	.release_cb	= smbdr_sk_charge,
	.memory_allocated = &smbdr_memory_allocated,
	.per_cpu_fw_alloc = &smbdr_memory_per_cpu,
	.sysctl_mem	= smbdr_mem_limits,
	.sysctl_wmem	= &smbdr_mem_least,
	.sysctl_rmem	= &smbdr_mem_least,
	.obj_size	= sizeof(struct smbdr_sock),
};

static struct inet_protosw smbdr_protosw = {
	.type		= SOCK_STREAM,
	.protocol	= IPPROTO_SMBDIRECT,
	.prot		= &smbdr_prot,
	.ops		= &smbdr_inet_ops,
};

#if IS_ENABLED(CONFIG_IPV6)
static struct proto smbdr6_prot = {
	.name			= "SMBDIRECTv6",
	.owner			= THIS_MODULE,
	.init			= smbdr_sk_init,
	.destroy		= smbdr_sk_destroy,
	.ioctl			= smbdr_sk_ioctl,
	.unhash			= smbdr_unhash,
	.release_cb		= smbdr_sk_charge,
	.memory_allocated	= &smbdr_memory_allocated,
	.per_cpu_fw_alloc	= &smbdr_memory_per_cpu,
	.sysctl_mem		= smbdr_mem_limits,
	.sysctl_wmem		= &smbdr_mem_least,
	.sysctl_rmem		= &smbdr_mem_least,
	.obj_size		= sizeof(struct smbdr6_sock),
	.ipv6_pinfo_offset	= offsetof(struct smbdr6_sock, inet6),
};

static struct inet_protosw smbdr6_protosw = {
	.type		= SOCK_STREAM,
	.protocol	= IPPROTO_SMBDIRECT,
	.prot		= &smbdr6_prot,
	.ops		= &smbdr_inet6_ops,
};

static int smbdr6_proto_register(void)
{
	return smbdr_fault(proto6) ?: proto_register(&smbdr6_prot, 1);
}

static void smbdr6_proto_unregister(void)
{
	proto_unregister(&smbdr6_prot);
}

static int smbdr6_protosw_register(void)
{
	return smbdr_fault(protosw6) ?: inet6_register_protosw(&smbdr6_protosw);
}

static void smbdr6_protosw_unregister(void)
{
	inet6_unregister_protosw(&smbdr6_protosw);
}
#else
static int smbdr6_proto_register(void) { return 0; }
static void smbdr6_proto_unregister(void) { }
static int smbdr6_protosw_register(void) { return 0; }
static void smbdr6_protosw_unregister(void) { }
#endif

static bool smbdr_is_tcp(const struct list_head *entry)
{
	const struct inet_protosw *p = list_entry(entry, struct inet_protosw, list);

	return p->ops == &inet_stream_ops && p->protocol == IPPROTO_TCP;
}

/*
 * Is somebody else providing protocol 257? The network core would not tell: it
 * puts a newcomer in front of older entries and so hides them. Trying to create
 * a socket before registering would load the module that we are, and wait
 * for it for ever. So put a placeholder into the list, with a number that socket()
 * refuses before it looks, and see what is behind it: a newcomer's place is in
 * front of everything that can be removed, so that is where others are. Until
 * this is known, nobody can make a socket of ours.
 *
 * The list's head is not ours to name, but it is known by what follows it: the
 * permanent entry of TCP is always first. The head itself is never taken for an
 * entry, except to see that it is not TCP's, and the bytes read for that
 * are in the array of heads that it is part of.
 */
static bool smbdr_other_provider(void)
{
	static struct inet_protosw placeholder = {
		.type		= SOCK_STREAM,
		.protocol	= IPPROTO_MAX,
	};
	const struct list_head *pos;
	bool found = false;

	inet_register_protosw(&placeholder);
	rcu_read_lock();
	for (pos = READ_ONCE(placeholder.list.next); !smbdr_is_tcp(READ_ONCE(pos->next));
	     pos = READ_ONCE(pos->next)) {
		if (list_entry(pos, struct inet_protosw, list)->protocol == IPPROTO_SMBDIRECT)
			found = true;
	}
	rcu_read_unlock();
	inet_unregister_protosw(&placeholder);
	return found;
}

static int __init smbdr_register(void)
{
	int err;

	if (smbdr_other_provider()) {
		pr_err("net_smbdirect: another module provides protocol %d; unload it first\n",
		       IPPROTO_SMBDIRECT);
		return -EEXIST;
	}
	inet_register_protosw(&smbdr_protosw);
	err = smbdr6_protosw_register();
	if (err)
		inet_unregister_protosw(&smbdr_protosw);
	return err;
}

static int __init smbdr_init(void)
{
	int err;

	err = smbdr_core_init();
	if (err)
		return err;
	err = smbdr_memory_init();
	if (err)
		goto core;
	err = smbdr_fault(proto) ?: proto_register(&smbdr_prot, 1);
	if (err)
		goto memory;
	err = smbdr6_proto_register();
	if (err)
		goto proto;
	err = smbdr_fault(pernet) ?: register_pernet_subsys(&smbdr_net_ops);
	if (err)
		goto proto6;
	err = smbdr_register();
	if (err)
		goto pernet;
	smbdr_fault_init();
	return 0;
pernet:
	unregister_pernet_subsys(&smbdr_net_ops);
proto6:
	smbdr6_proto_unregister();
proto:
	proto_unregister(&smbdr_prot);
memory:
	smbdr_memory_exit();
core:
	smbdr_core_exit();
	return err;
}

static void __exit smbdr_exit(void)
{
	smbdr_fault_exit();
	smbdr6_protosw_unregister();
	inet_unregister_protosw(&smbdr_protosw);
	unregister_pernet_subsys(&smbdr_net_ops);
	smbdr6_proto_unregister();
	proto_unregister(&smbdr_prot);
	smbdr_memory_exit();
	smbdr_core_exit();
}

module_init(smbdr_init);
module_exit(smbdr_exit);

MODULE_AUTHOR("net_smbdirect contributors");
MODULE_DESCRIPTION("SMB Direct sockets (IPPROTO_SMBDIRECT)");
MODULE_LICENSE("GPL");
/* Numbers, because the macro makes a string of what it is given: SOCK_STREAM is 1. */
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET, 257, 1);
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET6, 257, 1);
