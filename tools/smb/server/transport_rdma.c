// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SMB Direct for the kernel's SMB server, on sockets of net_smbdirect.
 *
 * Takes the place of the file of the same name in fs/smb/server and keeps its
 * contract with the rest of the server; nothing else of the server changes. There
 * is a listener for each class of devices at its own port and for each family of
 * addresses (siw does not take IPv4 on an IPv6 wildcard), with a thread that accepts. A
 * connection is a socket; messages go through socket calls, file data by the
 * calls of <net/smbdirect.h>.
 *
 * Ownership: a transport owns its socket from accept until the server drops the
 * last reference of the connection. The listeners are under the server's
 * init lock.
 */
#define SUBMOD_NAME	"smb_direct"

#include <linux/if_arp.h>
#include <linux/kthread.h>
#include <linux/netdevice.h>
#include <net/smbdirect.h>
#include <net/sock.h>
#include <rdma/ib_verbs.h>
#include "glob.h"
#include "connection.h"
#include "smb_common.h"
#include "../common/smb2status.h"
#include "transport_rdma.h"

#define SMBD_BACKLOG	10
#define SMBD_CREDITS	255
#define SMBD_SIZE	1364
/* The largest message that a socket can take. */
#define SMBD_FRAGMENTED	0xffffffu

static unsigned int smbd_max_io = SMBD_DEFAULT_IOSIZE;

/**
 * struct smbd_listener - a listening socket and who accepts on it
 * @port: where
 * @family: AF_INET or AF_INET6
 * @device_class: for which devices, enum smbdirect_device_class
 * @sock: the socket, or NULL
 * @thread: accepts
 */
struct smbd_listener {
	const u16 port;
	const u16 family;
	const u8 device_class;
	struct socket *sock;
	struct task_struct *thread;
};

static struct smbd_listener smbd_listeners[] = {
	{ .port = 445, .family = AF_INET, .device_class = SMBDIRECT_DEVICE_IB },
	{ .port = 445, .family = AF_INET6, .device_class = SMBDIRECT_DEVICE_IB },
	{ .port = 5445, .family = AF_INET, .device_class = SMBDIRECT_DEVICE_IWARP },
	{ .port = 5445, .family = AF_INET6, .device_class = SMBDIRECT_DEVICE_IWARP },
};

static bool smbd_enabled;

/**
 * struct smbd_transport - a connection
 * @transport: what the server knows
 * @sock: the socket
 */
struct smbd_transport {
	struct ksmbd_transport transport;
	struct socket *sock;
};

static const struct ksmbd_transport_ops smbd_transport_ops;

static struct smbd_transport *smbd_of(struct ksmbd_transport *kt)
{
	return container_of(kt, struct smbd_transport, transport);
}

/* ----- the server's calls for a connection ----- */

/* Exactly @size bytes, or an error. */
static int smbd_read(struct ksmbd_transport *kt, char *buf, unsigned int size, int retries)
{
	struct kvec kv = { buf, size };
	struct msghdr msg = {};
	int ret;

	ret = kernel_recvmsg(smbd_of(kt)->sock, &msg, &kv, 1, size, MSG_WAITALL);
	if (ret == -ERESTARTSYS)
		return -EINTR;
	if (ret >= 0 && ret < size)
		return -ENOTCONN;
	return ret;
}

/* The first of the pieces begins with the length; the rest is the message. */
static int smbd_writev(struct ksmbd_transport *kt, const struct ksmbd_transport_write *tx)
{
	u8 control[CMSG_SPACE(sizeof(u32))] __aligned(sizeof(long)) = {};
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	size_t left = tx->size;
	int ret;

	if (tx->need_invalidate_rkey) {
		u32 key = tx->remote_key;
		struct cmsghdr *cmsg;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SMBDIRECT;
		cmsg->cmsg_type = SMBDIRECT_CMSG_INVALIDATE;
		cmsg->cmsg_len = CMSG_LEN(sizeof(key));
		memcpy(CMSG_DATA(cmsg), &key, sizeof(key));
	}
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, tx->iov, tx->iov_cnt, tx->size);
	while (left) {
		ret = sock_sendmsg(smbd_of(kt)->sock, &msg);
		if (ret <= 0)
			return ret ?: -EPIPE;
		left -= ret;
		/* The first call has taken it. */
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	return tx->size;
}

static int smbd_rdma(struct ksmbd_transport *kt, enum smbdr_kern_dir dir, void *buf,
		     unsigned int len, struct smbdirect_buffer_descriptor_v1 *desc,
		     unsigned int desc_len)
{
	const struct smbdr_kern_desc *descs = (const void *)desc;
	struct kvec kv = { buf, len };
	struct iov_iter iter;
	u32 nr = desc_len / sizeof(*descs);

	BUILD_BUG_ON(sizeof(*desc) != sizeof(*descs));
	if (dir == SMBDR_KERN_RDMA_READ) {
		iov_iter_kvec(&iter, ITER_DEST, &kv, 1, len);
		return smbdr_kern_rdma_read(smbd_of(kt)->sock, &iter, descs, nr, 0);
	}
	iov_iter_kvec(&iter, ITER_SOURCE, &kv, 1, len);
	return smbdr_kern_rdma_write(smbd_of(kt)->sock, &iter, descs, nr, 0);
}

static int smbd_rdma_read(struct ksmbd_transport *kt, void *buf, unsigned int len,
			  struct smbdirect_buffer_descriptor_v1 *desc, unsigned int desc_len)
{
	return smbd_rdma(kt, SMBDR_KERN_RDMA_READ, buf, len, desc, desc_len);
}

static int smbd_rdma_write(struct ksmbd_transport *kt, void *buf, unsigned int len,
			   struct smbdirect_buffer_descriptor_v1 *desc, unsigned int desc_len)
{
	return smbd_rdma(kt, SMBDR_KERN_RDMA_WRITE, buf, len, desc, desc_len);
}

/* Wakes who reads; may be called while somebody does. */
static void smbd_shutdown(struct ksmbd_transport *kt)
{
	kernel_sock_shutdown(smbd_of(kt)->sock, SHUT_RDWR);
}

static void smbd_disconnect(struct ksmbd_transport *kt)
{
	smbd_shutdown(kt);
	ksmbd_conn_free(kt->conn);
}

static void smbd_free_transport(struct ksmbd_transport *kt)
{
	struct smbd_transport *t = smbd_of(kt);

	sock_release(t->sock);
	kfree(t);
}

static const struct ksmbd_transport_ops smbd_transport_ops = {
	.disconnect	= smbd_disconnect,
	.shutdown	= smbd_shutdown,
	.writev		= smbd_writev,
	.read		= smbd_read,
	.rdma_read	= smbd_rdma_read,
	.rdma_write	= smbd_rdma_write,
	.free_transport	= smbd_free_transport,
};

void init_smbd_max_io_size(unsigned int sz)
{
	smbd_max_io = clamp_val(sz, SMBD_MIN_IOSIZE, SMBD_MAX_IOSIZE);
}

/* 0 for a connection that is not ours. */
unsigned int get_smbd_max_read_write_size(struct ksmbd_transport *kt)
{
	struct smbdirect_info info;

	if (kt->ops != &smbd_transport_ops || smbdr_kern_info(smbd_of(kt)->sock, &info))
		return 0;
	return info.max_read_write_size;
}

/* ----- accepting ----- */

/* Hand a new connection to the server, or close it. */
static void smbd_new_connection(struct smbd_listener *l, struct socket *sock)
{
	struct task_struct *handler;
	struct smbd_transport *t;
	struct ksmbd_conn *conn;

	t = kzalloc(sizeof(*t), KSMBD_DEFAULT_GFP);
	conn = t ? ksmbd_conn_alloc() : NULL;
	if (!conn) {
		kfree(t);
		sock_release(sock);
		return;
	}
	t->sock = sock;
	t->transport.conn = conn;
	t->transport.ops = &smbd_transport_ops;
	conn->transport = &t->transport;
	down_write(&conn_list_lock);
	hash_add(conn_list, &conn->hlist, 0);
	up_write(&conn_list_lock);

	handler = kthread_run(ksmbd_conn_handler_loop, conn, "ksmbd:r%u", l->port);
	if (IS_ERR(handler)) {
		pr_err("cannot start a thread: %ld\n", PTR_ERR(handler));
		smbd_disconnect(&t->transport);
	}
}

static int smbd_listener_thread(void *arg)
{
	struct smbd_listener *l = arg;

	while (!kthread_should_stop()) {
		struct socket *sock;
		int ret = kernel_accept(l->sock, &sock, 0);

		if (!ret)
			smbd_new_connection(l, sock);
		else if (ret == -EINVAL)
			break;		/* shut down */
		else if (ret != -EAGAIN)
			schedule_timeout_interruptible(HZ / 10);
	}
	return 0;
}

static void smbd_listener_stop(struct smbd_listener *l)
{
	if (l->sock)
		kernel_sock_shutdown(l->sock, SHUT_RDWR);
	if (l->thread) {
		kthread_stop(l->thread);
		put_task_struct(l->thread);
	}
	if (l->sock)
		sock_release(l->sock);
	l->thread = NULL;
	l->sock = NULL;
}

static int smbd_set_options(struct socket *sock, u8 device_class)
{
	const struct {
		int name;
		int value;
	} opts[] = {
		{ SMBDIRECT_MAX_SEND_SIZE, SMBD_SIZE },
		{ SMBDIRECT_MAX_RECV_SIZE, SMBD_SIZE },
		/* An encrypted write of the largest size comes as one message, with headers. */
		{ SMBDIRECT_MAX_FRAGMENTED_SIZE, min(smbd_max_io + SZ_64K, SMBD_FRAGMENTED) },
		{ SMBDIRECT_MAX_READ_WRITE_SIZE, smbd_max_io },
		{ SMBDIRECT_DEVICE_CLASS, device_class },
	};
	int i, ret = 0;

	for (i = 0; !ret && i < ARRAY_SIZE(opts); i++) {
		int value = opts[i].value;

		ret = sock->ops->setsockopt(sock, SOL_SMBDIRECT, opts[i].name,
					    KERNEL_SOCKPTR(&value), sizeof(value));
	}
	return ret;
}

static int smbd_listen(struct smbd_listener *l)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(l->port) };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(l->port) };
	struct net *net = current->nsproxy->net_ns;
	struct task_struct *thread;
	int ret;

	ret = sock_create_kern(net, l->family, SOCK_STREAM, IPPROTO_SMBDIRECT, &l->sock);
	if (ret) {
		l->sock = NULL;
		return ret;
	}
	sk_net_refcnt_upgrade(l->sock->sk);
	l->sock->sk->sk_allocation = KSMBD_DEFAULT_GFP;
	ret = smbd_set_options(l->sock, l->device_class);
	if (!ret && l->family == AF_INET6) {
		l->sock->sk->sk_ipv6only = true;
		ret = kernel_bind(l->sock, (struct sockaddr_unsized *)&any6, sizeof(any6));
	} else if (!ret) {
		ret = kernel_bind(l->sock, (struct sockaddr_unsized *)&any, sizeof(any));
	}
	if (!ret)
		ret = kernel_listen(l->sock, SMBD_BACKLOG);
	if (ret)
		return ret;
	thread = kthread_create(smbd_listener_thread, l, "ksmbd-smbdirect-%u", l->port);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	l->thread = get_task_struct(thread);
	wake_up_process(thread);
	return 0;
}

/*
 * Listen for both classes of devices. One that fails is said once and does not keep
 * the other one, nor TCP, from serving.
 */
int ksmbd_rdma_init(void)
{
	int i, ret, good = 0;

	for (i = 0; i < ARRAY_SIZE(smbd_listeners); i++) {
		ret = smbd_listen(&smbd_listeners[i]);
		if (!ret) {
			good++;
			continue;
		}
		/* A kernel without IPv6 is no reason to complain. */
		if (ret != -EAFNOSUPPORT)
			pr_err("SMB Direct: no listener on port %u: %d\n",
			       smbd_listeners[i].port, ret);
		smbd_listener_stop(&smbd_listeners[i]);
	}
	WRITE_ONCE(smbd_enabled, good > 0);
	return 0;
}

void ksmbd_rdma_stop_listening(void)
{
	int i;

	WRITE_ONCE(smbd_enabled, false);
	for (i = 0; i < ARRAY_SIZE(smbd_listeners); i++)
		smbd_listener_stop(&smbd_listeners[i]);
}

bool ksmbd_rdma_enabled(void)
{
	return READ_ONCE(smbd_enabled);
}

static int smbd_netdev_is_rdma(struct net_device *dev, struct netdev_nested_priv *priv)
{
	struct ib_device *ibdev;

	if (dev->type == ARPHRD_INFINIBAND)
		return 1;
	ibdev = ib_device_get_by_netdev(dev, RDMA_DRIVER_UNKNOWN);
	if (!ibdev)
		return 0;
	ib_device_put(ibdev);
	return 1;
}

/* The device, or one below it (VLAN, bridge, bond): the RTNL is held. */
bool ksmbd_rdma_capable_netdev(struct net_device *netdev)
{
	struct netdev_nested_priv priv = {};

	return smbd_netdev_is_rdma(netdev, &priv) ||
	       netdev_walk_all_lower_dev(netdev, smbd_netdev_is_rdma, &priv);
}

MODULE_IMPORT_NS("NET_SMBDIRECT");
