/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMB Direct sockets for kernel users.
 *
 *	sock_create_kern(net, AF_INET, SOCK_STREAM, IPPROTO_SMBDIRECT, &sock);
 *
 * and then the ordinary calls of <linux/net.h>: kernel_bind(), kernel_listen(),
 * kernel_accept(), kernel_connect(), sock_sendmsg(), sock_recvmsg(),
 * kernel_sock_shutdown(), sock_release(). The byte stream is that of SMB over TCP.
 * Options of level SOL_SMBDIRECT are in <uapi/linux/smbdirect.h>.
 *
 * Contexts: all calls may sleep. sk_data_ready, sk_write_space, sk_state_change
 * and sk_error_report may be replaced under sk_callback_lock as for TCP; they are
 * called in process context, by workers or within a call on the socket, and must
 * not sleep nor call back into the socket.
 *
 * What a socket has no call for is declared below: memory that the peer may
 * read or write by RDMA, and reading and writing memory of the peer. Symbols
 * are in the namespace NET_SMBDIRECT. The caller keeps the socket alive during
 * the calls, and must not release it while a call on it is running.
 *
 * See Documentation/networking/smbdirect-kernel.rst.
 */
#ifndef _NET_SMBDIRECT_H
#define _NET_SMBDIRECT_H

#include <linux/net.h>
#include <linux/types.h>
#include <uapi/linux/smbdirect.h>

struct iov_iter;
struct smbdr_kern_mr;

/**
 * struct smbdr_kern_desc - Buffer Descriptor V1, [MS-SMBD] 2.2.3.1
 * @offset: remote address of the first byte
 * @token: remote key
 * @length: bytes
 *
 * As on the wire. The upper layer carries an array of them to the peer, in
 * SMB2 as channel information of READ and WRITE.
 */
struct smbdr_kern_desc {
	__le64 offset;
	__le32 token;
	__le32 length;
} __packed;

/**
 * enum smbdr_kern_access - what the peer may do to registered memory
 * @SMBDR_KERN_REMOTE_READ: read it (an SMB2 WRITE); the iterator is a source
 * @SMBDR_KERN_REMOTE_WRITE: write it (an SMB2 READ); the iterator is a destination
 *
 * Never both: [MS-SMBD] 3.1.4.3 allows it, but nobody needs it.
 */
enum smbdr_kern_access {
	SMBDR_KERN_REMOTE_READ,
	SMBDR_KERN_REMOTE_WRITE,
};

/**
 * enum smbdr_kern_dir - which way a transfer that we initiate goes
 * @SMBDR_KERN_RDMA_READ: from the peer's memory into the iterator
 * @SMBDR_KERN_RDMA_WRITE: from the iterator into the peer's memory
 */
enum smbdr_kern_dir {
	SMBDR_KERN_RDMA_READ,
	SMBDR_KERN_RDMA_WRITE,
};

/**
 * struct smbdr_kern_rdma - a transfer, [MS-SMBD] 3.1.4.5 and 3.1.4.6
 * @dir: which way
 * @iter: local memory, of type kvec, bvec, folioq or xarray; all that is left
 *	in it is transferred. A source for a write, a destination for a read.
 *	Used during the call only; the memory behind it until @done
 * @descs: the peer's descriptors; hostile input, used during the call only
 * @nr_descs: their number; those behind the end of the transfer are ignored
 * @offset: where in the peer's buffer to start, bytes
 * @done: called once with 0 or a negative errno when the device is through
 *	with the local memory, and for a read when the data is there. Process
 *	context, may be before smbdr_kern_rdma_submit() returns. Must not sleep
 *	for long and must not call what waits for the same socket:
 *	smbdr_kern_mr_deregister(), smbdr_kern_rdma_read() or _write(), release
 * @arg: its argument
 */
struct smbdr_kern_rdma {
	enum smbdr_kern_dir dir;
	struct iov_iter *iter;
	const struct smbdr_kern_desc *descs;
	u32 nr_descs;
	u64 offset;
	void (*done)(void *arg, int err);
	void *arg;
};

int smbdr_kern_info(struct socket *sock, struct smbdirect_info *info);

struct smbdr_kern_mr *smbdr_kern_mr_register(struct socket *sock, struct iov_iter *iter,
					     enum smbdr_kern_access access);
const struct smbdr_kern_desc *smbdr_kern_mr_descs(const struct smbdr_kern_mr *mr, u32 *nr);
void smbdr_kern_mr_deregister(struct smbdr_kern_mr *mr);

int smbdr_kern_rdma_submit(struct socket *sock, const struct smbdr_kern_rdma *rdma);
int smbdr_kern_rdma_read(struct socket *sock, struct iov_iter *to,
			 const struct smbdr_kern_desc *descs, u32 nr_descs, u64 offset);
int smbdr_kern_rdma_write(struct socket *sock, struct iov_iter *from,
			  const struct smbdr_kern_desc *descs, u32 nr_descs, u64 offset);

#endif /* _NET_SMBDIRECT_H */
