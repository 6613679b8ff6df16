// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smbdr_other257.ko: somebody else's protocol 257.
 *
 * It registers the number for both families; its sockets can do nothing. While
 * it is loaded net_smbdirect.ko has to refuse to load, because the later of
 * two registrations would shadow the other without a word.
 */
#include <linux/module.h>
#include <linux/net.h>
#include <linux/tcp.h>
#include <net/protocol.h>
#include <net/sock.h>
#include <net/transp_v6.h>
#include <uapi/linux/smbdirect.h>

static int other_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	sock->sk = NULL;
	if (sk)
		sk_common_release(sk);
	return 0;
}

static void other_unhash(struct sock *sk)
{
}

/* Room for either family's socket; nothing of TCP is used. */
static struct proto other_proto = {
	.name = "OTHER257",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct tcp6_sock),
	.ipv6_pinfo_offset = offsetof(struct tcp6_sock, inet6),
	.unhash = other_unhash,
};

static const struct proto_ops other_ops = {
	.family = PF_INET,
	.owner = THIS_MODULE,
	.release = other_release,
};

static struct inet_protosw other_v4 = {
	.type = SOCK_STREAM,
	.protocol = IPPROTO_SMBDIRECT,
	.prot = &other_proto,
	.ops = &other_ops,
};

static struct inet_protosw other_v6 = {
	.type = SOCK_STREAM,
	.protocol = IPPROTO_SMBDIRECT,
	.prot = &other_proto,
	.ops = &other_ops,
};

static int __init other_init(void)
{
	int ret = proto_register(&other_proto, 1);

	if (ret)
		return ret;
	inet_register_protosw(&other_v4);
	ret = inet6_register_protosw(&other_v6);
	if (ret) {
		inet_unregister_protosw(&other_v4);
		proto_unregister(&other_proto);
	}
	return ret;
}

static void __exit other_exit(void)
{
	inet6_unregister_protosw(&other_v6);
	inet_unregister_protosw(&other_v4);
	proto_unregister(&other_proto);
}

module_init(other_init);
module_exit(other_exit);
MODULE_DESCRIPTION("Another provider of protocol 257, for a test");
MODULE_LICENSE("GPL");
