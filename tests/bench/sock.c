// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Contenders that are sockets: ours, and TCP. Both take the same calls and the same
 * bytes: four bytes that hold the length, then the frame. As the kernel's SMB client and server
 * do it over TCP, header and frame are sent in one call; the header is received by a call
 * of its own.
 *
 * Every socket has a send and a receive timeout, so no call waits longer than the patience of
 * the benchmark.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/uio.h>
#include <net/net_namespace.h>
#include <net/smbdirect.h>
#include <net/sock.h>
#include "bench.h"

#define BENCH_HDR	4

struct bench_sock {
	struct bench_conn c;
	struct socket *sock;
};

static struct bench_sock *bench_to_sock(struct bench_conn *c)
{
	return container_of(c, struct bench_sock, c);
}

static void bench_sock_timeout(struct socket *sock, u32 ms)
{
	WRITE_ONCE(sock->sk->sk_rcvtimeo, msecs_to_jiffies(ms));
	WRITE_ONCE(sock->sk->sk_sndtimeo, msecs_to_jiffies(ms));
}

static int bench_sock_set(struct socket *sock, int opt, int val)
{
	return do_sock_setsockopt(sock, false, SOL_SMBDIRECT, opt, KERNEL_SOCKPTR(&val),
				  sizeof(val));
}

static int bench_sock_create(const struct bench_contender *who, struct socket **sock)
{
	int ret = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, who->proto, sock);

	if (ret)
		return ret;
	bench_sock_timeout(*sock, BENCH_PATIENCE);
	if (who->proto == IPPROTO_TCP)
		tcp_sock_set_nodelay((*sock)->sk);
	if (who->send)
		ret = bench_sock_set(*sock, SMBDIRECT_MAX_SEND_SIZE, who->send);
	if (!ret && who->recv)
		ret = bench_sock_set(*sock, SMBDIRECT_MAX_RECV_SIZE, who->recv);
	if (!ret && who->frag)
		ret = bench_sock_set(*sock, SMBDIRECT_MAX_FRAGMENTED_SIZE, who->frag);
	if (ret)
		sock_release(*sock);
	return ret;
}

/* A listener is a connection, too: what it needs is the same. */
static int bench_sock_wrap(const struct bench_contender *who, struct socket *sock,
			   struct bench_sock **bs)
{
	*bs = kzalloc(sizeof(**bs), GFP_KERNEL);
	if (!*bs) {
		sock_release(sock);
		return -ENOMEM;
	}
	(*bs)->c.who = who;
	(*bs)->sock = sock;
	return 0;
}

static int bench_sock_listen(const struct bench_contender *who, const struct sockaddr_in *at,
			     u32 frame, void **l)
{
	struct sockaddr_in sin = *at;
	struct bench_sock *bs;
	struct socket *sock;
	int ret;

	ret = bench_sock_create(who, &sock);
	if (ret)
		return ret;
	sock_set_reuseaddr(sock->sk);
	ret = kernel_bind(sock, (struct sockaddr_unsized *)&sin, sizeof(sin));
	if (!ret)
		ret = kernel_listen(sock, BENCH_BACKLOG);
	if (ret) {
		sock_release(sock);
		return ret;
	}
	ret = bench_sock_wrap(who, sock, &bs);
	*l = bs;
	return ret;
}

static void bench_sock_close(struct bench_conn *c)
{
	struct bench_sock *bs = bench_to_sock(c);

	sock_release(bs->sock);
	kfree(bs);
}

static void bench_sock_unlisten(void *l)
{
	struct bench_sock *bs = l;

	bench_sock_close(&bs->c);
}

static int bench_sock_accept(void *l, struct bench_conn **c, u32 ms)
{
	struct bench_sock *bl = l, *bs;
	struct socket *sock;
	int ret;

	bench_sock_timeout(bl->sock, ms);
	ret = kernel_accept(bl->sock, &sock, 0);
	if (ret)
		return ret;
	bench_sock_timeout(sock, BENCH_PATIENCE);
	if (bl->c.who->proto == IPPROTO_TCP)
		tcp_sock_set_nodelay(sock->sk);
	ret = bench_sock_wrap(bl->c.who, sock, &bs);
	if (!ret)
		*c = &bs->c;
	return ret;
}

static int bench_sock_connect(const struct bench_contender *who, const struct sockaddr_in *to,
			      u32 frame, struct bench_conn **c)
{
	struct sockaddr_in sin = *to;
	struct bench_sock *bs;
	struct socket *sock;
	int ret;

	ret = bench_sock_create(who, &sock);
	if (ret)
		return ret;
	ret = kernel_connect(sock, (struct sockaddr_unsized *)&sin, sizeof(sin), 0);
	if (ret) {
		sock_release(sock);
		return ret;
	}
	ret = bench_sock_wrap(who, sock, &bs);
	if (!ret)
		*c = &bs->c;
	return ret;
}

static void bench_sock_abort(struct bench_conn *c)
{
	kernel_sock_shutdown(bench_to_sock(c)->sock, SHUT_RDWR);
}

static int bench_sock_send(struct bench_conn *c, const void *buf, u32 len)
{
	struct socket *sock = bench_to_sock(c)->sock;
	u8 hdr[BENCH_HDR] = { 0, len >> 16, len >> 8, len };
	struct kvec v[2] = {
		{ .iov_base = hdr, .iov_len = BENCH_HDR },
		{ .iov_base = (void *)buf, .iov_len = len },
	};
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	int ret;

	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, v, 2, BENCH_HDR + len);
	while (msg_data_left(&msg)) {
		ret = sock_sendmsg(sock, &msg);
		if (ret <= 0)
			return ret ?: -EPIPE;
	}
	return 0;
}

static int bench_sock_recv_all(struct socket *sock, void *buf, u32 len)
{
	struct kvec v = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {};
	int ret;

	ret = kernel_recvmsg(sock, &msg, &v, 1, len, MSG_WAITALL);
	if (ret < 0)
		return ret;
	/* The end, or time was up in the middle. */
	return ret == len ? 0 : -EPIPE;
}

static int bench_sock_recv(struct bench_conn *c, void *buf, u32 len)
{
	struct socket *sock = bench_to_sock(c)->sock;
	u8 hdr[BENCH_HDR];
	int ret;

	ret = bench_sock_recv_all(sock, hdr, BENCH_HDR);
	if (ret)
		return ret;
	if ((hdr[1] << 16 | hdr[2] << 8 | hdr[3]) != len)
		return -EBADMSG;
	return bench_sock_recv_all(sock, buf, len);
}

static void bench_sock_iter(struct bench_region *region, struct kvec *v, struct iov_iter *iter,
			    unsigned int dir)
{
	v->iov_base = region->buf;
	v->iov_len = region->len;
	iov_iter_kvec(iter, dir, v, 1, region->len);
}

static int bench_sock_expose(struct bench_conn *c, struct bench_region *region)
{
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct iov_iter iter;
	struct kvec v;

	static_assert(sizeof(*descs) == sizeof(region->descs[0]));
	if (c->who->proto == IPPROTO_TCP)
		return -EOPNOTSUPP;
	bench_sock_iter(region, &v, &iter, region->write ? ITER_DEST : ITER_SOURCE);
	mr = smbdr_kern_mr_register(bench_to_sock(c)->sock, &iter, region->write ?
				    SMBDR_KERN_REMOTE_WRITE : SMBDR_KERN_REMOTE_READ);
	if (IS_ERR(mr))
		return PTR_ERR(mr);
	descs = smbdr_kern_mr_descs(mr, &region->nr);
	if (region->nr > BENCH_DESCS) {
		smbdr_kern_mr_deregister(mr);
		return -EMSGSIZE;
	}
	memcpy(region->descs, descs, region->nr * sizeof(*descs));
	region->priv = mr;
	return 0;
}

static void bench_sock_conceal(struct bench_conn *c, struct bench_region *region)
{
	smbdr_kern_mr_deregister(region->priv);
}

static int bench_sock_rdma(struct bench_conn *c, bool read, struct bench_region *own,
			   struct bench_region *peers)
{
	const struct smbdr_kern_desc *descs = (const void *)peers->descs;
	struct socket *sock = bench_to_sock(c)->sock;
	struct iov_iter iter;
	struct kvec v;

	bench_sock_iter(own, &v, &iter, read ? ITER_DEST : ITER_SOURCE);
	return read ? smbdr_kern_rdma_read(sock, &iter, descs, peers->nr, 0) :
		smbdr_kern_rdma_write(sock, &iter, descs, peers->nr, 0);
}

const struct bench_transport bench_sock = {
	.listen		= bench_sock_listen,
	.unlisten	= bench_sock_unlisten,
	.accept		= bench_sock_accept,
	.connect	= bench_sock_connect,
	.close		= bench_sock_close,
	.abort		= bench_sock_abort,
	.send		= bench_sock_send,
	.recv		= bench_sock_recv,
	.expose		= bench_sock_expose,
	.conceal	= bench_sock_conceal,
	.rdma		= bench_sock_rdma,
};

MODULE_IMPORT_NS("NET_SMBDIRECT");
