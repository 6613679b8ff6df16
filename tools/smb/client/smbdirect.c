// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SMB Direct for the kernel's SMB client, on sockets of net_smbdirect.
 *
 * Takes the place of the file of the same name in fs/smb/client and keeps its
 * contract with the rest of the client; nothing else of the client changes. Messages
 * go through socket calls, file data by the calls of <net/smbdirect.h>.
 *
 * Lifetime. The client destroys a connection while others of its threads may be about to
 * use it: they read server->smbd_conn without a lock. So users are counted
 * from inside of each call. smbd_destroy() ends the socket, which sends all users
 * home, and waits for them. The object itself, which they look at before they are
 * counted and whose parameters are read without any call, is freed
 * when no task can be between reading the pointer and using it: none of them sleeps
 * there.
 *
 * Locking: none of our own. The client serialises connecting, destroying and sending by
 * its server mutex; receiving is one thread's; registering is anybody's.
 */
#include <linux/completion.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/seq_file.h>
#include <net/smbdirect.h>
#include <net/sock.h>
#include "smbdirect.h"
#include "cifs_debug.h"
#include "cifsproto.h"
#include "smb2proto.h"
#include "trace.h"

#define SMBD_PORT_IB		445
#define SMBD_PORT_IWARP		5445
#define SMBD_NEGOTIATE_MS	120000
#define SMBD_KEEPALIVE_MS	5000
#define SMBD_RESPONDER_RESOURCES	32
/* As on TCP: how often the receiver looks whether the server is still wanted. */
#define SMBD_RECV_TIMEOUT	(7 * HZ)
/* And how long a request waits for room: three times five seconds there. */
#define SMBD_SEND_TIMEOUT	(15 * HZ)

int smbd_receive_credit_max = 255;
int smbd_send_credit_target = 255;
int smbd_max_send_size = 1364;
/*
 * An encrypted or signed read of the largest size comes as one message; cifs
 * does not make reads of encrypted mounts smaller. It costs no memory: what
 * has arrived of a message is taken piece by piece.
 */
int smbd_max_fragmented_recv_size = 8 * 1024 * 1024 + 64 * 1024;
int smbd_max_receive_size = 1364;
int smbd_keep_alive_interval = 120;	/* seconds */
int smbd_max_frmr_depth = 2048;		/* pages */
int rdma_readwrite_threshold = 4096;

static unsigned int smbd_logging_class;
module_param(smbd_logging_class, uint, 0644);
MODULE_PARM_DESC(smbd_logging_class, "accepted for compatibility; see the trace events smbdirect_net");
static unsigned int smbd_logging_level;
module_param(smbd_logging_level, uint, 0644);
MODULE_PARM_DESC(smbd_logging_level, "0: nothing, 1: failed connects");

/**
 * struct smbd_connection - a connection to a server
 * @sock: the socket; valid while @users is not zero
 * @users: calls that use @sock, and one for the connection itself
 * @idle: @users became zero
 * @params: as the client wants to see them; constant
 * @rcu: frees it
 */
struct smbd_connection {
	struct socket *sock;
	refcount_t users;
	struct completion idle;
	struct smbdirect_socket_parameters params;
	struct rcu_head rcu;
};

static struct socket *smbd_use(struct smbd_connection *conn)
{
	return conn && refcount_inc_not_zero(&conn->users) ? conn->sock : NULL;
}

static void smbd_unuse(struct smbd_connection *conn)
{
	if (refcount_dec_and_test(&conn->users))
		complete(&conn->idle);
}

static void smbd_free_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct smbd_connection, rcu));
}

/* ----- connecting ----- */

static int smbd_set_options(struct socket *sock, u8 device_class)
{
	const struct {
		int name;
		int value;
	} opts[] = {
		{ SMBDIRECT_MAX_SEND_SIZE, smbd_max_send_size },
		{ SMBDIRECT_MAX_RECV_SIZE, smbd_max_receive_size },
		{ SMBDIRECT_MAX_FRAGMENTED_SIZE, smbd_max_fragmented_recv_size },
		{ SMBDIRECT_SEND_CREDITS, smbd_send_credit_target },
		{ SMBDIRECT_RECV_CREDITS, smbd_receive_credit_max },
		{ SMBDIRECT_KEEPALIVE_INTERVAL, smbd_keep_alive_interval * 1000 },
		{ SMBDIRECT_KEEPALIVE_TIMEOUT, SMBD_KEEPALIVE_MS },
		{ SMBDIRECT_CONNECT_TIMEOUT, SMBD_NEGOTIATE_MS },
		{ SMBDIRECT_DEVICE_CLASS, device_class },
		{ SMBDIRECT_INITIATOR_DEPTH, 1 },
		{ SMBDIRECT_RESPONDER_RESOURCES, SMBD_RESPONDER_RESOURCES },
	};
	int i, ret = 0;

	for (i = 0; !ret && i < ARRAY_SIZE(opts); i++) {
		int value = opts[i].value;

		ret = sock->ops->setsockopt(sock, SOL_SMBDIRECT, opts[i].name,
					    KERNEL_SOCKPTR(&value), sizeof(value));
	}
	return ret;
}

static int smbd_snapshot(struct smbd_connection *conn)
{
	struct smbdirect_socket_parameters *p = &conn->params;
	struct smbdirect_info info;
	int ret;

	ret = smbdr_kern_info(conn->sock, &info);
	if (ret)
		return ret;
	/* A request carries one descriptor, so one region has to do. */
	p->max_frmr_depth = min_t(u32, smbd_max_frmr_depth, info.max_region_pages);
	p->max_read_write_size = min_t(u64, info.max_read_write_size,
				       (u64)p->max_frmr_depth * PAGE_SIZE);
	p->max_send_size = info.max_send_size;
	p->max_recv_size = info.max_recv_size;
	p->max_fragmented_send_size = info.max_fragmented_send_size;
	p->max_fragmented_recv_size = info.max_fragmented_recv_size;
	p->initiator_depth = info.initiator_depth;
	p->responder_resources = info.responder_resources;
	p->recv_credit_max = smbd_receive_credit_max;
	p->send_credit_target = smbd_send_credit_target;
	p->keepalive_interval_msec = info.keepalive_interval;
	p->keepalive_timeout_msec = SMBD_KEEPALIVE_MS;
	p->negotiate_timeout_msec = SMBD_NEGOTIATE_MS;
	return 0;
}

static void smbd_set_port(struct sockaddr *addr, int port)
{
	if (addr->sa_family == AF_INET6)
		((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)addr)->sin_port = htons(port);
}

static int smbd_connect(struct smbd_connection *conn, struct net *net, struct sockaddr *addr,
			int port)
{
	int len = addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						sizeof(struct sockaddr_in);
	struct socket *sock;
	int ret;

	ret = sock_create_kern(net, addr->sa_family, SOCK_STREAM, IPPROTO_SMBDIRECT, &sock);
	if (ret)
		return ret;
	sk_net_refcnt_upgrade(sock->sk);
	sock->sk->sk_allocation = GFP_NOFS;
	sock->sk->sk_use_task_frag = false;
	sock->sk->sk_rcvtimeo = SMBD_RECV_TIMEOUT;
	ret = smbd_set_options(sock, port == SMBD_PORT_IWARP ? SMBDIRECT_DEVICE_IWARP :
							       SMBDIRECT_DEVICE_IB);
	if (!ret) {
		smbd_set_port(addr, port);
		ret = kernel_connect(sock, (struct sockaddr_unsized *)addr, len, 0);
	}
	/*
	 * For sends only: to find out a neighbour's address may take five
	 * seconds by itself, when its answer overtakes the one who asks.
	 */
	sock->sk->sk_sndtimeo = SMBD_SEND_TIMEOUT;
	if (!ret) {
		conn->sock = sock;
		ret = smbd_snapshot(conn);
	}
	if (ret)
		sock_release(sock);
	return ret;
}

/*
 * Connect to a server: iWARP at its port first, then InfiniBand and RoCE at theirs. The port
 * is written into @dstaddr. Returns NULL on failure.
 */
struct smbd_connection *smbd_get_connection(struct TCP_Server_Info *server,
					    struct sockaddr *dstaddr)
{
	struct net *net = cifs_net_ns(server);
	struct smbd_connection *conn;
	int ret;

	conn = kzalloc(sizeof(*conn), GFP_KERNEL);
	if (!conn)
		return NULL;
	refcount_set(&conn->users, 1);
	init_completion(&conn->idle);
	ret = smbd_connect(conn, net, dstaddr, SMBD_PORT_IWARP);
	if (ret)
		ret = smbd_connect(conn, net, dstaddr, SMBD_PORT_IB);
	if (ret) {
		if (smbd_logging_level)
			cifs_dbg(VFS, "SMB Direct: no connection to %pISpc: %d\n", dstaddr, ret);
		kfree(conn);
		return NULL;
	}
	server->rdma_readwrite_threshold = min_t(u32, rdma_readwrite_threshold,
						 conn->params.max_fragmented_send_size);
	return conn;
}

/* What was negotiated; zeroes if there is no connection. */
const struct smbdirect_socket_parameters *smbd_get_parameters(struct smbd_connection *conn)
{
	static const struct smbdirect_socket_parameters none;

	return conn ? &conn->params : &none;
}

/* End the connection, if there is one, and send everybody home who waits for it. */
void smbd_destroy(struct TCP_Server_Info *server)
{
	struct smbd_connection *conn = server->smbd_conn;

	if (!conn)
		return;
	WRITE_ONCE(server->smbd_conn, NULL);
	/* At once: what a dead server has not taken would keep others waiting. */
	sock_no_linger(conn->sock->sk);
	kernel_sock_shutdown(conn->sock, SHUT_RDWR);
	smbd_unuse(conn);
	wait_for_completion(&conn->idle);
	sock_release(conn->sock);
	call_rcu_tasks(&conn->rcu, smbd_free_rcu);
}

/* Destroy and connect again; the server mutex is held. */
int smbd_reconnect(struct TCP_Server_Info *server)
{
	smbd_destroy(server);
	server->smbd_conn = smbd_get_connection(server, (struct sockaddr *)&server->dstaddr);
	if (!server->smbd_conn) {
		trace_smb3_smbd_connect_err(server->hostname, server->conn_id, &server->dstaddr);
		return -ENOENT;
	}
	trace_smb3_smbd_connect_done(server->hostname, server->conn_id, &server->dstaddr);
	return 0;
}

/* ----- messages ----- */

/* Any part of the stream, as from a TCP socket. */
int smbd_recv(struct smbd_connection *conn, struct msghdr *msg)
{
	struct socket *sock = smbd_use(conn);
	int ret;

	if (!sock)
		return -ENOTCONN;
	ret = sock_recvmsg(sock, msg, 0);
	smbd_unuse(conn);
	return ret;
}

/* One piece of a frame. The last one goes without MSG_MORE. */
static int smbd_send_piece(struct socket *sock, struct iov_iter *iter)
{
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	size_t len = iov_iter_count(iter);
	int ret;

	msg.msg_iter = *iter;
	while (msg_data_left(&msg)) {
		ret = sock_sendmsg(sock, &msg);
		if (ret < 0)
			return ret;
		if (!ret)
			return -EPIPE;
	}
	return len;
}

static int smbd_send_rqst(struct socket *sock, struct smb_rqst *rqst)
{
	struct iov_iter iter;
	size_t len = 0;
	int i, ret;

	for (i = 0; i < rqst->rq_nvec; i++)
		len += rqst->rq_iov[i].iov_len;
	iov_iter_kvec(&iter, ITER_SOURCE, rqst->rq_iov, rqst->rq_nvec, len);
	ret = smbd_send_piece(sock, &iter);
	if (ret >= 0 && iov_iter_count(&rqst->rq_iter))
		ret = smbd_send_piece(sock, &rqst->rq_iter);
	return ret < 0 ? ret : 0;
}

/* Send requests as one message. The memory is the caller's again on return. */
int smbd_send(struct TCP_Server_Info *server, int num_rqst, struct smb_rqst *rqst)
{
	struct smbd_connection *conn = server->smbd_conn;
	struct socket *sock = smbd_use(conn);
	__be32 marker;
	struct kvec kv = { &marker, sizeof(marker) };
	struct iov_iter iter;
	u32 len = 0;
	int i, ret;

	if (!sock)
		return -EAGAIN;
	for (i = 0; i < num_rqst; i++)
		len += smb_rqst_len(server, &rqst[i]);
	ret = -EINVAL;
	if (len > conn->params.max_fragmented_send_size)
		goto out;
	marker = cpu_to_be32(len);
	iov_iter_kvec(&iter, ITER_SOURCE, &kv, 1, sizeof(marker));
	/* The only piece that may have to wait for space; the frame is begun then. */
	ret = smbd_send_piece(sock, &iter);
	if (ret < 0) {
		ret = -EAGAIN;
		goto out;
	}
	for (i = 0, ret = 0; !ret && i < num_rqst; i++)
		ret = smbd_send_rqst(sock, &rqst[i]);
	if (ret) {
		/* Half a frame is in the socket: nothing can follow it. */
		kernel_sock_shutdown(sock, SHUT_RDWR);
		ret = -EAGAIN;
	}
out:
	smbd_unuse(conn);
	return ret;
}

/* ----- file data ----- */

/*
 * Let the server write (or else read) memory. @need_invalidate is of no interest: what the server
 * has not invalidated is invalidated when we deregister. NULL on failure.
 */
struct smbdirect_mr_io *smbd_register_mr(struct smbd_connection *conn, struct iov_iter *iter,
					 bool writing, bool need_invalidate)
{
	struct socket *sock = smbd_use(conn);
	struct iov_iter copy = *iter;
	struct smbdr_kern_mr *mr;
	u32 nr;

	if (!sock)
		return NULL;
	mr = smbdr_kern_mr_register(sock, &copy, writing ? SMBDR_KERN_REMOTE_WRITE :
							   SMBDR_KERN_REMOTE_READ);
	smbd_unuse(conn);
	if (IS_ERR(mr))
		return NULL;
	smbdr_kern_mr_descs(mr, &nr);
	if (nr > 1) {
		/* There is room for one descriptor only. */
		smbdr_kern_mr_deregister(mr);
		return NULL;
	}
	return (struct smbdirect_mr_io *)mr;
}

void smbd_mr_fill_buffer_descriptor(struct smbdirect_mr_io *mr,
				    struct smbdirect_buffer_descriptor_v1 *v1)
{
	const struct smbdr_kern_desc *desc;
	u32 nr;

	BUILD_BUG_ON(sizeof(*v1) != sizeof(*desc));
	desc = smbdr_kern_mr_descs((struct smbdr_kern_mr *)mr, &nr);
	memcpy(v1, desc, sizeof(*v1));
}

/* On return the memory is ours alone. Works after the connection's end as well. */
void smbd_deregister_mr(struct smbdirect_mr_io *mr)
{
	smbdr_kern_mr_deregister((struct smbdr_kern_mr *)mr);
}

/* For /proc/fs/cifs/DebugData; a spinlock of the client is held. */
void smbd_debug_proc_show(struct TCP_Server_Info *server, struct seq_file *m)
{
	struct smbd_connection *conn = READ_ONCE(server->smbd_conn);
	struct smbdirect_info info;
	struct socket *sock;

	if (!server->rdma)
		return;
	sock = smbd_use(conn);
	if (!sock) {
		seq_puts(m, "\nSMBDirect transport not available");
		return;
	}
	smbdr_kern_info(sock, &info);
	smbd_unuse(conn);
	seq_puts(m, "\nSMBDirect protocol version: 0x100 socket: IPPROTO_SMBDIRECT");
	seq_printf(m, "\nConn max_send_size: %u max_recv_size: %u", info.max_send_size,
		   info.max_recv_size);
	seq_printf(m, "\nConn max_fragmented_send_size: %u max_fragmented_recv_size: %u",
		   info.max_fragmented_send_size, info.max_fragmented_recv_size);
	seq_printf(m, "\nConn max_readwrite_size: %u rdma_readwrite_threshold: %u frmr_depth: %u",
		   conn->params.max_read_write_size, server->rdma_readwrite_threshold,
		   conn->params.max_frmr_depth);
	seq_printf(m, "\nCredits send: %u receive: %u posted: %u", info.send_credits,
		   info.recv_credits, info.recv_posted);
	seq_printf(m, "\nDepths initiator: %u responder: %u keepalive_interval: %u ms",
		   info.initiator_depth, info.responder_resources, info.keepalive_interval);
}

MODULE_IMPORT_NS("NET_SMBDIRECT");
