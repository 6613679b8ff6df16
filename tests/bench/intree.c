// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The contender in the kernel tree: smbdirect.ko, by the functions that it exports in the namespace
 * SMBDIRECT to anybody, loaded beside ours.
 *
 * It is used as its two users use it. The end that connects has the parameters of
 * fs/smb/client/smbdirect.c, the end that accepts those of fs/smb/server/transport_rdma.c, also
 * where they poll their completion queues. Three things are not as with a socket:
 *
 * - The accepting end takes frames of half of its receive window at most (173910 bytes by default),
 *   whatever the parameters say. A longer frame of a workload goes in several of these, as
 *   a client that wants to send more has to do it.
 * - A receive call waits until all that it asks for has arrived, and holds the credits of it
 *   until then. So a frame is read in pieces of 64 KiB, which lets both ends work at the same time.
 * - A send call returns when the device has sent all of the frame, not before.
 *
 * It keeps no timeouts: an abort ends what hangs. Registered memory covers 256 pages (siw) or
 * 512 (rxe) at most, so a long buffer gets several descriptors.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/smbdirect.h>
#include <net/net_namespace.h>
#include "bench.h"

#define BENCH_CHUNK		SZ_64K

#define INTREE_CREDITS		255
#define INTREE_MSG		1364
#define INTREE_FRAG		(1364 * 255 / 2)
#define INTREE_READ_WRITE	SZ_8M
#define INTREE_FRMR_DEPTH	2048
#define INTREE_RESPONDER	32
#define INTREE_INITIATOR	8

struct bench_intree {
	struct bench_conn c;
	struct smbdirect_socket *sc;
};

/* Only a listener is looked at by accept() while it is shut down; it needs no more than this. */
struct bench_intree_listener {
	const struct bench_contender *who;
	struct smbdirect_socket *sc;
};

static bool intree_loud;
module_param(intree_loud, bool, 0644);
MODULE_PARM_DESC(intree_loud, "log what smbdirect.ko has to say about errors");

static struct bench_intree *bench_to_intree(struct bench_conn *c)
{
	return container_of(c, struct bench_intree, c);
}

static bool bench_intree_log(struct smbdirect_socket *sc, void *priv, unsigned int lvl,
			     unsigned int cls)
{
	return lvl <= SMBDIRECT_LOG_ERR && READ_ONCE(intree_loud);
}

static void bench_intree_vaprintf(struct smbdirect_socket *sc, const char *func, unsigned int line,
				  void *priv, unsigned int lvl, unsigned int cls,
				  struct va_format *vaf)
{
	pr_info("smbdr_bench: %s:%u %pV", func, line, vaf);
}

static int bench_intree_create(const struct bench_contender *who, bool server,
			       struct smbdirect_socket **sc)
{
	struct smbdirect_socket_parameters p = {
		.resolve_addr_timeout_msec = 5000,
		.resolve_route_timeout_msec = 5000,
		.rdma_connect_timeout_msec = 5000,
		.negotiate_timeout_msec = server ? 5000 : BENCH_PATIENCE,
		.initiator_depth = server ? INTREE_INITIATOR : 1,
		.responder_resources = server ? 1 : INTREE_RESPONDER,
		.recv_credit_max = INTREE_CREDITS,
		.send_credit_target = INTREE_CREDITS,
		.max_send_size = who->send ?: INTREE_MSG,
		.max_recv_size = who->recv ?: INTREE_MSG,
		.max_fragmented_recv_size = who->frag ?: INTREE_FRAG,
		.max_read_write_size = server ? INTREE_READ_WRITE : 0,
		.max_frmr_depth = server ? 0 : INTREE_FRMR_DEPTH,
		.keepalive_interval_msec = 120000,
		.keepalive_timeout_msec = 5000,
	};
	int ret;

	ret = smbdirect_socket_create_kern(&init_net, sc);
	if (ret)
		return ret;
	smbdirect_socket_set_logging(*sc, NULL, bench_intree_log, bench_intree_vaprintf);
	ret = smbdirect_socket_set_initial_parameters(*sc, &p);
	if (!ret)
		ret = smbdirect_socket_set_kernel_settings(*sc, server ? IB_POLL_WORKQUEUE :
							   IB_POLL_SOFTIRQ, GFP_KERNEL);
	if (ret)
		smbdirect_socket_release(*sc);
	return ret;
}

static int bench_intree_wrap(const struct bench_contender *who, struct smbdirect_socket *sc,
			     struct bench_conn **c)
{
	struct bench_intree *bi = kzalloc(sizeof(*bi), GFP_KERNEL);

	if (!bi) {
		smbdirect_socket_release(sc);
		return -ENOMEM;
	}
	bi->c.who = who;
	bi->sc = sc;
	*c = &bi->c;
	return 0;
}

static int bench_intree_listen(struct bench_run *r)
{
	struct bench_intree_listener *bl;
	int ret;

	bl = kzalloc(sizeof(*bl), GFP_KERNEL);
	if (!bl)
		return -ENOMEM;
	bl->who = r->who;
	ret = bench_intree_create(r->who, true, &bl->sc);
	if (ret)
		goto free;
	ret = smbdirect_socket_bind(bl->sc, (struct sockaddr *)&r->at);
	if (!ret)
		ret = smbdirect_socket_listen(bl->sc, BENCH_BACKLOG);
	if (ret) {
		smbdirect_socket_release(bl->sc);
		goto free;
	}
	r->l = bl;
	return 0;
free:
	kfree(bl);
	return ret;
}

static void bench_intree_unlisten(void *l)
{
	struct bench_intree_listener *bl = l;

	smbdirect_socket_shutdown(bl->sc);
	smbdirect_socket_release(bl->sc);
	kfree(bl);
}

static int bench_intree_accept(void *l, struct bench_conn **c, u32 ms)
{
	struct proto_accept_arg arg = { .err = -EINVAL };
	struct bench_intree_listener *bl = l;
	struct smbdirect_socket *sc;

	sc = smbdirect_socket_accept(bl->sc, msecs_to_jiffies(ms), &arg);
	if (!sc)
		return arg.err == -ETIMEDOUT ? -EAGAIN : arg.err;
	return bench_intree_wrap(bl->who, sc, c);
}

static int bench_intree_connect(struct bench_run *r, struct bench_conn **c)
{
	struct smbdirect_socket *sc;
	int ret;

	ret = bench_intree_create(r->who, false, &sc);
	if (ret)
		return ret;
	ret = smbdirect_connect_sync(sc, (struct sockaddr *)&r->at);
	if (ret) {
		smbdirect_socket_release(sc);
		return ret;
	}
	return bench_intree_wrap(r->who, sc, c);
}

static void bench_intree_close(struct bench_conn *c)
{
	struct bench_intree *bi = bench_to_intree(c);

	smbdirect_socket_release(bi->sc);
	kfree(bi);
}

static void bench_intree_abort(struct bench_conn *c)
{
	smbdirect_socket_shutdown(bench_to_intree(c)->sc);
}

static int bench_intree_send(struct bench_conn *c, const void *buf, u32 len)
{
	struct smbdirect_socket *sc = bench_to_intree(c)->sc;
	const struct smbdirect_socket_parameters *p = smbdirect_socket_get_current_parameters(sc);
	u32 most = p->max_fragmented_send_size;
	int ret;

	while (len) {
		u32 part = min(len, most);
		__be32 hdr = cpu_to_be32(part);
		struct kvec v[2] = {
			{ .iov_base = &hdr, .iov_len = ST_HDR },
			{ .iov_base = (void *)buf, .iov_len = part },
		};
		struct iov_iter iter;

		iov_iter_kvec(&iter, ITER_SOURCE, v, 2, ST_HDR + part);
		ret = smbdirect_connection_send_iter(sc, &iter, 0, false, 0);
		if (ret < 0)
			return ret;
		buf += part;
		len -= part;
	}
	return 0;
}

static int bench_intree_recv_all(struct smbdirect_socket *sc, void *buf, u32 len)
{
	struct kvec v = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {};
	int ret;

	iov_iter_kvec(&msg.msg_iter, ITER_DEST, &v, 1, len);
	ret = smbdirect_connection_recvmsg(sc, &msg, 0);
	if (ret < 0)
		return ret;
	return ret == len ? 0 : -EIO;
}

static int bench_intree_recv(struct bench_conn *c, void *buf, u32 len)
{
	struct smbdirect_socket *sc = bench_to_intree(c)->sc;

	while (len) {
		__be32 hdr;
		u32 part;
		int ret;

		ret = bench_intree_recv_all(sc, &hdr, ST_HDR);
		if (ret)
			return ret;
		part = be32_to_cpu(hdr);
		if (!part || part > len)
			return -EBADMSG;
		len -= part;
		while (part) {
			u32 chunk = min(part, BENCH_CHUNK);

			ret = bench_intree_recv_all(sc, buf, chunk);
			if (ret)
				return ret;
			buf += chunk;
			part -= chunk;
		}
	}
	return 0;
}

/* ----- RDMA ----- */

struct bench_intree_mrs {
	struct smbdirect_mr_io *mr[BENCH_DESCS];
};

static void bench_intree_conceal(struct bench_conn *c, struct bench_region *region)
{
	struct bench_intree_mrs *mrs = region->priv;
	u32 i;

	for (i = 0; i < region->nr; i++)
		smbdirect_connection_deregister_mr_io(mrs->mr[i]);
	kfree(mrs);
}

static int bench_intree_expose(struct bench_conn *c, struct bench_region *region)
{
	struct smbdirect_socket *sc = bench_to_intree(c)->sc;
	const struct smbdirect_socket_parameters *p = smbdirect_socket_get_current_parameters(sc);
	u32 most = p->max_frmr_depth << PAGE_SHIFT, off;
	struct bench_intree_mrs *mrs;

	static_assert(sizeof(struct smbdirect_buffer_descriptor_v1) == sizeof(region->descs[0]));
	mrs = kzalloc(sizeof(*mrs), GFP_KERNEL);
	if (!mrs)
		return -ENOMEM;
	region->priv = mrs;
	region->nr = 0;
	for (off = 0; off < region->mem.len; off += most) {
		struct smbdirect_mr_io *mr = NULL;
		struct iov_iter iter;

		st_mem_iter(&region->mem, &iter, region->write ? ITER_DEST : ITER_SOURCE, off,
			    min(region->mem.len - off, most));
		if (region->nr < BENCH_DESCS)
			mr = smbdirect_connection_register_mr_io(sc, &iter, region->write, true);
		if (!mr) {
			bench_intree_conceal(c, region);
			return -EIO;
		}
		mrs->mr[region->nr] = mr;
		smbdirect_mr_io_fill_buffer_descriptor(mr, (void *)&region->descs[region->nr]);
		region->nr++;
	}
	return 0;
}

static int bench_intree_rdma(struct bench_conn *c, bool read, struct bench_region *own,
			     struct bench_region *peers)
{
	/* It writes to descriptors that are longer than the transfer, which these are not. */
	return smbdirect_connection_rdma_xmit(bench_to_intree(c)->sc, own->mem.base, own->mem.len,
					      (void *)peers->descs,
					      peers->nr * sizeof(peers->descs[0]), read);
}

const struct bench_transport bench_intree = {
	.listen		= bench_intree_listen,
	.unlisten	= bench_intree_unlisten,
	.accept		= bench_intree_accept,
	.connect	= bench_intree_connect,
	.close		= bench_intree_close,
	.abort		= bench_intree_abort,
	.send		= bench_intree_send,
	.recv		= bench_intree_recv,
	.expose		= bench_intree_expose,
	.conceal	= bench_intree_conceal,
	.rdma		= bench_intree_rdma,
};

MODULE_IMPORT_NS("SMBDIRECT");
