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
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/net_namespace.h>
#include <net/smbdirect.h>
#include "bench.h"

/* A listener is a connection, too: what it needs is the same. */
struct bench_sock {
	struct bench_conn c;
	struct socket *sock;
};

static struct bench_sock *bench_to_sock(struct bench_conn *c)
{
	return container_of(c, struct bench_sock, c);
}

static struct bench_sock *bench_sock_new(const struct bench_contender *who)
{
	struct bench_sock *bs = kzalloc(sizeof(*bs), GFP_KERNEL);

	if (bs)
		bs->c.who = who;
	return bs;
}

static void bench_sock_close(struct bench_conn *c)
{
	struct bench_sock *bs = bench_to_sock(c);

	st_release(&bs->sock);
	kfree(bs);
}

static void bench_sock_unlisten(void *l)
{
	bench_sock_close(l);
}

/* No option of ours for TCP: the contender has none of these sizes. */
static int bench_sock_create(struct bench_run *r, struct bench_conn **c)
{
	const struct bench_contender *who = r->who;
	const struct { int opt, val; } set[] = {
		{ SMBDIRECT_MAX_SEND_SIZE, who->send },
		{ SMBDIRECT_MAX_RECV_SIZE, who->recv },
		{ SMBDIRECT_MAX_FRAGMENTED_SIZE, who->frag },
	};
	struct bench_sock *bs = bench_sock_new(who);
	int i, ret;

	if (!bs)
		return -ENOMEM;
	ret = st_socket_at(&init_net, r->at.ss_family, who->proto, &bs->sock);
	for (i = 0; !ret && i < ARRAY_SIZE(set); i++)
		if (set[i].val)
			ret = st_setopt(bs->sock, SOL_SMBDIRECT, set[i].opt, set[i].val);
	if (ret) {
		bench_sock_close(&bs->c);
		return ret;
	}
	if (who->proto == IPPROTO_TCP)
		tcp_sock_set_nodelay(bs->sock->sk);
	*c = &bs->c;
	return 0;
}

static int bench_sock_listen(struct bench_run *r)
{
	struct bench_conn *c;
	struct socket *sock;
	int ret;

	ret = bench_sock_create(r, &c);
	if (ret)
		return ret;
	sock = bench_to_sock(c)->sock;
	sock_set_reuseaddr(sock->sk);
	ret = st_bind_addr(sock, &r->at, 0) ?: kernel_listen(sock, BENCH_BACKLOG);
	if (ret)
		bench_sock_close(c);
	else
		r->l = c;
	return ret;
}

static int bench_sock_accept(void *l, struct bench_conn **c, u32 ms)
{
	struct bench_sock *bl = bench_to_sock(l), *bs = bench_sock_new(bl->c.who);
	int ret;

	if (!bs)
		return -ENOMEM;
	st_set_timeout(bl->sock, ms);
	ret = st_accept(bl->sock, &bs->sock, 0);
	if (ret) {
		kfree(bs);
		return ret;
	}
	if (bl->c.who->proto == IPPROTO_TCP)
		tcp_sock_set_nodelay(bs->sock->sk);
	*c = &bs->c;
	return 0;
}

static int bench_sock_connect(struct bench_run *r, struct bench_conn **c)
{
	struct bench_conn *made;
	int ret;

	ret = bench_sock_create(r, &made);
	if (ret)
		return ret;
	ret = st_connect_addr(bench_to_sock(made)->sock, &r->at, 0, 0);
	if (ret)
		bench_sock_close(made);
	else
		*c = made;
	return ret;
}

static void bench_sock_abort(struct bench_conn *c)
{
	kernel_sock_shutdown(bench_to_sock(c)->sock, SHUT_RDWR);
}

static int bench_sock_send(struct bench_conn *c, const void *buf, u32 len)
{
	return st_send_framed(bench_to_sock(c)->sock, buf, len);
}

static int bench_sock_recv_all(struct socket *sock, void *buf, u32 len)
{
	int ret = st_recv(sock, buf, len, MSG_WAITALL);

	/* The end, or time was up in the middle. */
	return ret < 0 ? ret : ret == len ? 0 : -EPIPE;
}

static int bench_sock_recv(struct bench_conn *c, void *buf, u32 len)
{
	struct socket *sock = bench_to_sock(c)->sock;
	u8 hdr[ST_HDR];
	int ret;

	ret = bench_sock_recv_all(sock, hdr, ST_HDR);
	if (ret)
		return ret;
	return st_get_hdr(hdr) == len ? bench_sock_recv_all(sock, buf, len) : -EBADMSG;
}

static int bench_sock_expose(struct bench_conn *c, struct bench_region *region)
{
	const struct smbdr_kern_desc *descs;
	struct smbdr_kern_mr *mr;
	struct iov_iter iter;

	static_assert(sizeof(*descs) == sizeof(region->descs[0]));
	if (c->who->proto == IPPROTO_TCP)
		return -EOPNOTSUPP;
	st_mem_iter(&region->mem, &iter, region->write ? ITER_DEST : ITER_SOURCE, 0,
		    region->mem.len);
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

	st_mem_iter(&own->mem, &iter, read ? ITER_DEST : ITER_SOURCE, 0, own->mem.len);
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
