// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What kernel users call beside the socket calls: RDMA and the snapshot of the
 * connection's parameters. Thin: the work is the core's.
 *
 * None of it takes the socket lock, which a writer or reader may hold for long.
 * The endpoint is looked up under ssk->up_lock and used with a reference, so
 * a socket that is shut down, reconnected or at its end at the same time does no harm.
 * The caller holds the socket itself.
 */
#include <linux/completion.h>
#include <linux/export.h>
#include <linux/uio.h>
#include <net/smbdirect.h>
#include "smbdr_sock.h"

/* The endpoint with a reference; or NULL and *err: not our socket, or not connected. */
static struct smbdr_conn *smbdr_kern_conn(struct socket *sock, int *err)
{
	struct smbdr_conn *conn;
	struct smbdr_sock *ssk;

	*err = -EINVAL;
	if (!sock->sk || (sock->ops != &smbdr_inet_ops && sock->ops != &smbdr_inet6_ops))
		return NULL;
	ssk = smbdr_sk(sock->sk);
	spin_lock_bh(&ssk->up_lock);
	conn = ssk->conn;
	if (conn)
		smbdr_conn_get(conn);
	spin_unlock_bh(&ssk->up_lock);
	*err = -ENOTCONN;
	return conn;
}

/**
 * smbdr_kern_info - the parameters of a connection
 * @sock: the socket
 * @info: filled in; all zero before the connection is established, and the
 *	last values after its end
 *
 * Context: process or softirq. Does not sleep.
 *
 * Return: 0, or -EINVAL if @sock is no SMB Direct socket.
 */
int smbdr_kern_info(struct socket *sock, struct smbdirect_info *info)
{
	struct smbdr_conn *conn;
	int err;

	memset(info, 0, sizeof(*info));
	conn = smbdr_kern_conn(sock, &err);
	if (!conn)
		return err == -ENOTCONN ? 0 : err;
	smbdr_conn_info(conn, info);
	smbdr_conn_put(conn);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(smbdr_kern_info, "NET_SMBDIRECT");

/**
 * smbdr_kern_mr_register - let the peer read or write memory by RDMA
 * @sock: the socket, connected
 * @iter: the memory, of type kvec, bvec, folioq or xarray: all that is left in
 *	it. A source for %SMBDR_KERN_REMOTE_READ, a destination for
 *	%SMBDR_KERN_REMOTE_WRITE. Used up, also on error; the memory must stay
 *	until smbdr_kern_mr_deregister() returns
 * @access: what the peer may do
 *
 * [MS-SMBD] 3.1.4.3. Tell the peer of the descriptors by a message that is sent
 * afterwards.
 *
 * Context: process. Sleeps: for memory, but not for reclaim by I/O, and up to ten
 * seconds in line while other buffers use all memory regions. Does not depend on
 * anybody receiving.
 *
 * Return: the buffer, or ERR_PTR: -EINVAL for a socket of another kind, an
 * empty or unsuitable iterator; -EMSGSIZE for more than the connection's
 * max_read_write_size, or for memory in so many places that it takes more regions
 * than a connection has; -ENOTCONN before and -EPIPE after the
 * connection; -ETIMEDOUT if no region got free; -ERESTARTSYS; -ENOMEM; -EIO if the
 * memory cannot be mapped.
 */
struct smbdr_kern_mr *smbdr_kern_mr_register(struct socket *sock, struct iov_iter *iter,
					     enum smbdr_kern_access access)
{
	struct smbdr_kern_mr *mr;
	struct smbdr_conn *conn;
	int err;

	conn = smbdr_kern_conn(sock, &err);
	if (!conn)
		return ERR_PTR(err);
	mr = smbdr_mr_register(conn, iter, access);
	smbdr_conn_put(conn);
	return mr;
}
EXPORT_SYMBOL_NS_GPL(smbdr_kern_mr_register, "NET_SMBDIRECT");

/**
 * smbdr_kern_mr_descs - the descriptors of a registered buffer
 * @mr: the buffer
 * @nr: set to their number, at least 1
 *
 * In the order of the memory; their lengths add up to that of the buffer. Only
 * the first one's token may be given to the peer for remote invalidation.
 *
 * Context: any.
 *
 * Return: the descriptors, which stay until the buffer is deregistered.
 */
const struct smbdr_kern_desc *smbdr_kern_mr_descs(const struct smbdr_kern_mr *mr, u32 *nr)
{
	return smbdr_mr_descs(mr, nr);
}
EXPORT_SYMBOL_NS_GPL(smbdr_kern_mr_descs, "NET_SMBDIRECT");

/**
 * smbdr_kern_mr_deregister - end the peer's access to a buffer
 * @mr: the buffer; freed
 *
 * [MS-SMBD] 3.1.4.4. On return it is certain that the peer has no access any more,
 * and what it wrote is there for the CPU. Works in every state of the connection
 * and after its end, that of its device and of the socket. Does not depend on anybody
 * receiving. What the peer has invalidated is not invalidated again. If the device does not
 * answer within the keepalive timeout, the connection is ended with ETIMEDOUT.
 *
 * Context: process. Sleeps, uninterruptibly. Not from the done callback of a transfer.
 */
void smbdr_kern_mr_deregister(struct smbdr_kern_mr *mr)
{
	smbdr_mr_deregister(mr);
}
EXPORT_SYMBOL_NS_GPL(smbdr_kern_mr_deregister, "NET_SMBDIRECT");

/**
 * smbdr_kern_rdma_submit - start to read or write memory of the peer
 * @sock: the socket, connected
 * @rdma: what to do, see struct smbdr_kern_rdma
 *
 * [MS-SMBD] 3.1.4.5, 3.1.4.6. Transfers start in the order of the calls. A message
 * that has to follow the data is sent when the transfer is done.
 *
 * Context: process. Sleeps for memory, but not for reclaim by I/O nor for other
 * transfers.
 *
 * Return: 0 if rdma->done() is called, with 0, -EREMOTEIO if the peer's device
 * refused the access, or what ended the connection. Otherwise it is not called:
 * -EINVAL for a socket of another kind, an empty or unsuitable iterator, or
 * descriptors that have no length, wrap around or cover too little; -EMSGSIZE for
 * more than the connection's max_read_write_size; -ENOTCONN before and -EPIPE after
 * the connection; -ENOMEM; -EIO if the memory cannot be mapped.
 */
int smbdr_kern_rdma_submit(struct socket *sock, const struct smbdr_kern_rdma *rdma)
{
	struct smbdr_conn *conn;
	int err;

	conn = smbdr_kern_conn(sock, &err);
	if (!conn)
		return err;
	err = smbdr_rw_submit(conn, rdma);
	smbdr_conn_put(conn);
	return err;
}
EXPORT_SYMBOL_NS_GPL(smbdr_kern_rdma_submit, "NET_SMBDIRECT");

/**
 * struct smbdr_kern_wait - somebody who waits for a transfer
 * @done: it is over
 * @err: how
 */
struct smbdr_kern_wait {
	struct completion done;
	int err;
};

static void smbdr_kern_rdma_done(void *arg, int err)
{
	struct smbdr_kern_wait *wait = arg;

	wait->err = err;
	complete(&wait->done);
}

static int smbdr_kern_rdma_wait(struct socket *sock, enum smbdr_kern_dir dir,
				struct iov_iter *iter, const struct smbdr_kern_desc *descs,
				u32 nr_descs, u64 offset)
{
	struct smbdr_kern_wait wait;
	struct smbdr_kern_rdma rdma = {
		.dir		= dir,
		.iter		= iter,
		.descs		= descs,
		.nr_descs	= nr_descs,
		.offset		= offset,
		.done		= smbdr_kern_rdma_done,
		.arg		= &wait,
	};
	int err;

	init_completion(&wait.done);
	err = smbdr_kern_rdma_submit(sock, &rdma);
	if (err)
		return err;
	/* Not interruptible: the device is at work on the caller's memory. */
	wait_for_completion(&wait.done);
	return wait.err;
}

/**
 * smbdr_kern_rdma_read - read memory of the peer
 * @sock: the socket, connected
 * @to: where to; all that is left in it is filled
 * @descs: the peer's descriptors
 * @nr_descs: their number
 * @offset: where in the peer's buffer to start, bytes
 *
 * Context: process. Sleeps, uninterruptibly, until done or the connection's end.
 *
 * Return: 0 with the data in place; else see smbdr_kern_rdma_submit().
 */
int smbdr_kern_rdma_read(struct socket *sock, struct iov_iter *to,
			 const struct smbdr_kern_desc *descs, u32 nr_descs, u64 offset)
{
	return smbdr_kern_rdma_wait(sock, SMBDR_KERN_RDMA_READ, to, descs, nr_descs, offset);
}
EXPORT_SYMBOL_NS_GPL(smbdr_kern_rdma_read, "NET_SMBDIRECT");

/**
 * smbdr_kern_rdma_write - write memory of the peer
 * @sock: the socket, connected
 * @from: where from; all that is left in it is written
 * @descs: the peer's descriptors
 * @nr_descs: their number
 * @offset: where in the peer's buffer to start, bytes
 *
 * A message that is sent afterwards arrives after the data.
 *
 * Context: process. Sleeps, uninterruptibly, until done or the connection's end.
 *
 * Return: 0; else see smbdr_kern_rdma_submit(). On iWARP success means that the data is on
 * its way: a refusal by the peer's device comes as the end of the connection.
 */
int smbdr_kern_rdma_write(struct socket *sock, struct iov_iter *from,
			  const struct smbdr_kern_desc *descs, u32 nr_descs, u64 offset)
{
	return smbdr_kern_rdma_wait(sock, SMBDR_KERN_RDMA_WRITE, from, descs, nr_descs, offset);
}
EXPORT_SYMBOL_NS_GPL(smbdr_kern_rdma_write, "NET_SMBDIRECT");
