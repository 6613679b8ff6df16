// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SMB Direct from inside the kernel, as short as it can be shown whole.
 *
 * A server and a client, both in this module. The client wants a piece of a file:
 * it registers a buffer and sends a request that holds the buffer's descriptors.
 * The server writes the piece into the buffer by RDMA and answers with a message that
 * also invalidates the buffer's key. The client then has the data, without
 * anybody having copied it.
 *
 *	insmod smbdr_example.ko addr=192.0.2.1 port=4455
 *
 * does this once; loading fails if anything does. A real server would have a
 * thread for each connection and a real client would wait for answers in another
 * thread than the one that asks.
 *
 * Ownership: each side releases the socket that it made, the server also the
 * one that it accepted. The buffer is the device's until it is deregistered.
 */
#include <linux/in.h>
#include <linux/inet.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/net_namespace.h>
#include <net/smbdirect.h>

#define EXAMPLE_LEN	65536		/* bytes that the client wants */
#define EXAMPLE_DESCS	16		/* descriptors that a request can hold */
#define EXAMPLE_DONE	0x600dda7a	/* what the answer says */

/**
 * struct example_request - client to server, behind the four bytes of its length
 * @length: bytes wanted
 * @nr: descriptors
 * @descs: where to write them
 */
struct example_request {
	__le32 length;
	__le32 nr;
	struct smbdr_kern_desc descs[EXAMPLE_DESCS];
};

static char *addr = "127.0.0.1";
module_param(addr, charp, 0444);
MODULE_PARM_DESC(addr, "IPv4 address of an RDMA device of this machine");
static ushort port = 4455;
module_param(port, ushort, 0444);
MODULE_PARM_DESC(port, "port to use");

static u8 example_byte(u32 i)
{
	return i * 7 + (i >> 8);
}

/* The stream is that of SMB over TCP: a zero byte, 24 bits of length, the message. */
static int example_send(struct socket *sock, const void *data, u32 len, const __le32 *token)
{
	u8 hdr[4] = { 0, len >> 16, len >> 8, len };
	struct kvec v[2] = { { hdr, sizeof(hdr) }, { (void *)data, len } };
	u8 control[CMSG_SPACE(sizeof(u32))] __aligned(sizeof(long)) = {};
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	int ret;

	if (token) {
		struct cmsghdr *cmsg;
		u32 key = le32_to_cpu(*token);

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SMBDIRECT;
		cmsg->cmsg_type = SMBDIRECT_CMSG_INVALIDATE;
		cmsg->cmsg_len = CMSG_LEN(sizeof(key));
		memcpy(CMSG_DATA(cmsg), &key, sizeof(key));
	}
	ret = kernel_sendmsg(sock, &msg, v, 2, sizeof(hdr) + len);
	if (ret < 0)
		return ret;
	return ret == sizeof(hdr) + len ? 0 : -EPIPE;
}

static int example_recv(struct socket *sock, void *data, u32 len)
{
	u8 hdr[4];
	struct kvec v[2] = { { hdr, sizeof(hdr) }, { data, len } };
	struct msghdr msg = {};
	int ret;

	ret = kernel_recvmsg(sock, &msg, v, 2, sizeof(hdr) + len, MSG_WAITALL);
	if (ret < 0)
		return ret;
	if (ret != sizeof(hdr) + len)
		return -EPIPE;	/* the end */
	return (hdr[1] << 16 | hdr[2] << 8 | hdr[3]) == len ? 0 : -EBADMSG;
}

/* ----- the server ----- */

static int example_serve(struct socket *sock)
{
	__le32 answer = cpu_to_le32(EXAMPLE_DONE);
	struct example_request *req;
	struct iov_iter iter;
	struct kvec kv;
	u32 len, nr, i;
	u8 *file = NULL;
	int ret;

	req = kmalloc(sizeof(*req), GFP_KERNEL);
	if (!req)
		return -ENOMEM;
	ret = example_recv(sock, req, sizeof(*req));
	if (ret)
		goto free;
	len = le32_to_cpu(req->length);
	nr = le32_to_cpu(req->nr);
	/* How many there are is ours to check; what they say is checked for us. */
	ret = -EBADMSG;
	if (!len || len > EXAMPLE_LEN || nr > EXAMPLE_DESCS)
		goto free;

	ret = -ENOMEM;
	file = kmalloc(len, GFP_KERNEL);
	if (!file)
		goto free;
	for (i = 0; i < len; i++)
		file[i] = example_byte(i);
	kv.iov_base = file;
	kv.iov_len = len;
	iov_iter_kvec(&iter, ITER_SOURCE, &kv, 1, len);
	ret = smbdr_kern_rdma_write(sock, &iter, req->descs, nr, 0);
	/* The answer comes behind the data. It takes the first key back. */
	if (!ret)
		ret = example_send(sock, &answer, sizeof(answer), &req->descs[0].token);
free:
	kfree(file);
	kfree(req);
	return ret;
}

static int example_server(void *arg)
{
	struct socket *listener = arg, *sock;
	int ret;

	ret = kernel_accept(listener, &sock, 0);
	if (ret)
		return ret;
	ret = example_serve(sock);
	/* What was sent is delivered before the connection ends. */
	sock_release(sock);
	return ret;
}

/* ----- the client ----- */

static int example_fetch(struct socket *sock, u8 *buf)
{
	struct kvec kv = { buf, EXAMPLE_LEN };
	const struct smbdr_kern_desc *descs;
	struct example_request *req;
	struct smbdr_kern_mr *mr;
	struct iov_iter iter;
	__le32 answer = 0;
	u32 nr, i;
	int ret;

	iov_iter_kvec(&iter, ITER_DEST, &kv, 1, EXAMPLE_LEN);
	mr = smbdr_kern_mr_register(sock, &iter, SMBDR_KERN_REMOTE_WRITE);
	if (IS_ERR(mr))
		return PTR_ERR(mr);
	descs = smbdr_kern_mr_descs(mr, &nr);
	req = kzalloc(sizeof(*req), GFP_KERNEL);
	ret = req && nr <= EXAMPLE_DESCS ? 0 : -ENOMEM;
	if (!ret) {
		req->length = cpu_to_le32(EXAMPLE_LEN);
		req->nr = cpu_to_le32(nr);
		memcpy(req->descs, descs, nr * sizeof(*descs));
		ret = example_send(sock, req, sizeof(*req), NULL);
	}
	if (!ret)
		ret = example_recv(sock, &answer, sizeof(answer));
	kfree(req);

	/* In any case, and before anybody looks at the buffer. */
	smbdr_kern_mr_deregister(mr);
	if (ret)
		return ret;
	for (i = 0; i < EXAMPLE_LEN; i++)
		if (buf[i] != example_byte(i))
			return -EIO;
	return answer == cpu_to_le32(EXAMPLE_DONE) ? 0 : -EBADMSG;
}

static int example_client(struct sockaddr_in *to)
{
	struct socket *sock;
	u8 *buf;
	int ret;

	ret = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_SMBDIRECT, &sock);
	if (ret)
		return ret;
	buf = kmalloc(EXAMPLE_LEN, GFP_KERNEL);
	ret = buf ? 0 : -ENOMEM;
	if (!ret)
		ret = kernel_connect(sock, (struct sockaddr_unsized *)to, sizeof(*to), 0);
	if (!ret)
		ret = example_fetch(sock, buf);
	sock_release(sock);
	kfree(buf);
	return ret;
}

static int __init example_init(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct task_struct *server;
	struct socket *listener;
	int ret, err;

	if (!in4_pton(addr, -1, (u8 *)&at.sin_addr, -1, NULL))
		return -EINVAL;
	ret = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_SMBDIRECT, &listener);
	if (ret)
		return ret;
	ret = kernel_bind(listener, (struct sockaddr_unsized *)&at, sizeof(at));
	if (!ret)
		ret = kernel_listen(listener, 1);
	if (ret)
		goto release;
	server = kthread_create(example_server, listener, "smbdr_example");
	ret = PTR_ERR_OR_ZERO(server);
	if (ret)
		goto release;
	/* Ours until it has been waited for. */
	get_task_struct(server);
	wake_up_process(server);
	ret = example_client(&at);
	/* It is through, or else waits for nobody: that counts as a signal. */
	err = kthread_stop(server);
	put_task_struct(server);
	ret = ret ?: err;
release:
	sock_release(listener);
	return ret;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_IMPORT_NS("NET_SMBDIRECT");
MODULE_DESCRIPTION("Example of an SMB Direct client and server");
MODULE_LICENSE("GPL");
