// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smbdr_autoload.ko: somebody who has heard of protocol 257 and of nothing else.
 *
 * It uses no symbol of net_smbdirect, so it does not load that module by depending on it. It
 * creates a socket when it is loaded, which has to do that, and keeps it,
 * which has to keep the module, until it is unloaded.
 */
#include <linux/module.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <net/net_namespace.h>
#include <uapi/linux/smbdirect.h>

static int family = AF_INET;
module_param(family, int, 0444);
MODULE_PARM_DESC(family, "2 for IPv4, 10 for IPv6");

static struct socket *kept;

static int __init smbdr_autoload_init(void)
{
	return sock_create_kern(&init_net, family, SOCK_STREAM, IPPROTO_SMBDIRECT, &kept);
}

static void __exit smbdr_autoload_exit(void)
{
	sock_release(kept);
}

module_init(smbdr_autoload_init);
module_exit(smbdr_autoload_exit);

MODULE_DESCRIPTION("A socket of protocol 257");
MODULE_LICENSE("GPL");
