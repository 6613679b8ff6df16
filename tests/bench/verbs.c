// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The limit: the same devices used directly, without a protocol and without a copy.
 *
 * Frames go in messages as large as those of our socket, from memory that was mapped before
 * into receive buffers that nobody reads but for the first byte (all of it while content is
 * verified). What SMB Direct says on the wire is left out: how many receives the
 * peer has posted is read from its memory, because both ends are in this kernel.
 * Completions are asked for once in BENCH_V_BATCH sends and as many messages are posted at
 * once, sent or received. RDMA is between regions registered before, one work request for
 * each MiB.
 *
 * Who has to wait for room goes on when there is some to speak of, not for each message.
 * Completion queues are polled from a workqueue, like those of our socket.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <net/net_namespace.h>
#include <rdma/ib_verbs.h>
#include <rdma/rdma_cm.h>
#include "bench.h"

#define BENCH_V_BATCH	16
#define BENCH_V_SENDS	256		/* in flight, a multiple of the batch */
#define BENCH_V_RECVS	255
#define BENCH_V_LARGE	16		/* receives of a whole frame */
#define BENCH_V_OTHERS	64		/* work requests that are no sends */
#define BENCH_V_READS	16
#define BENCH_V_MAPS	8
#define BENCH_V_PAGES	256		/* in a region, what siw allows; rxe takes twice as many */
#define BENCH_V_REGION	((u32)BENCH_V_PAGES << PAGE_SHIFT)

struct bench_verbs;

/* One receive buffer. */
struct bench_v_recv {
	struct ib_cqe cqe;
	struct list_head entry;
	struct bench_verbs *v;
	u8 *buf;
	u64 addr;
	u32 len;
};

/* A send that reports: so many are done. */
struct bench_v_sent {
	struct ib_cqe cqe;
	struct bench_verbs *v;
	u32 count;
};

struct bench_v_map {
	const void *buf;
	u32 len;
	u64 addr;
};

struct bench_v_listener {
	struct bench_run *r;
	struct rdma_cm_id *id;
	spinlock_t lock;		/* children */
	struct list_head children;
	wait_queue_head_t wait;
};

/**
 * struct bench_verbs - one end
 * @c: for the workloads
 * @id: with the queue pair
 * @pd: of the queue pair
 * @send_cq: completions of sends and RDMA
 * @recv_cq: completions of receives
 * @event: something that was waited for has happened
 * @status: how
 * @l: where it came in, until it was accepted
 * @entry: there
 * @established: so it can be accepted
 * @dead: nothing will come any more
 * @msg: largest message
 * @nr_recvs: receive buffers
 * @recvs: all of them
 * @posted: receives that nobody sends to yet; the peer's sender takes from it
 * @room: the peer's sender waits here
 * @lock: guards @ready
 * @ready: received and not yet looked at
 * @wait: our receiver waits here
 * @sent: sends posted, by the one that sends
 * @done: of these the device is through with
 * @sends_wait: our sender waits here
 * @sends: reports
 * @maps: what may be sent from
 * @nr_maps: their number
 */
struct bench_verbs {
	struct bench_conn c;
	struct rdma_cm_id *id;
	struct ib_pd *pd;
	struct ib_cq *send_cq;
	struct ib_cq *recv_cq;
	struct completion event;
	int status;
	struct bench_v_listener *l;
	struct list_head entry;
	bool established;
	bool dead;
	u32 msg;
	u32 nr_recvs;
	struct bench_v_recv *recvs;
	atomic_t posted;
	wait_queue_head_t room;
	spinlock_t lock;		/* ready */
	struct list_head ready;
	wait_queue_head_t wait;
	u32 sent;
	u32 done;
	wait_queue_head_t sends_wait;
	struct bench_v_sent sends[BENCH_V_SENDS / BENCH_V_BATCH];
	struct bench_v_map maps[BENCH_V_MAPS];
	u32 nr_maps;
};

static struct bench_verbs *bench_to_verbs(struct bench_conn *c)
{
	return container_of(c, struct bench_verbs, c);
}

static void bench_v_kill(struct bench_verbs *v)
{
	WRITE_ONCE(v->dead, true);
	wake_up_all(&v->wait);
	wake_up_all(&v->sends_wait);
	/* Who sends to a dead one looks at himself only. */
	wake_up_all(&v->room);
}

/* ----- receiving ----- */

static void bench_v_recv_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct bench_v_recv *rx = container_of(wc->wr_cqe, struct bench_v_recv, cqe);
	struct bench_verbs *v = rx->v;

	if (wc->status != IB_WC_SUCCESS) {
		bench_v_kill(v);
		return;
	}
	rx->len = wc->byte_len;
	spin_lock_bh(&v->lock);
	list_add_tail(&rx->entry, &v->ready);
	spin_unlock_bh(&v->lock);
	wake_up(&v->wait);
}

/* Post those on @list again, and let the peer know. */
static int bench_v_repost(struct bench_verbs *v, struct list_head *list)
{
	struct ib_recv_wr wr[BENCH_V_BATCH];
	struct ib_sge sge[BENCH_V_BATCH];
	struct bench_v_recv *rx, *next;
	int ret, n = 0;

	list_for_each_entry_safe(rx, next, list, entry) {
		list_del(&rx->entry);
		sge[n] = (struct ib_sge){ .addr = rx->addr, .length = v->msg,
					  .lkey = v->pd->local_dma_lkey };
		wr[n] = (struct ib_recv_wr){ .wr_cqe = &rx->cqe, .sg_list = &sge[n],
					     .num_sge = 1 };
		if (n)
			wr[n - 1].next = &wr[n];
		n++;
	}
	if (!n)
		return 0;
	ret = ib_post_recv(v->id->qp, wr, NULL);
	if (ret)
		return ret;
	if (atomic_add_return(n, &v->posted) >= v->nr_recvs / 4 && wq_has_sleeper(&v->room))
		wake_up(&v->room);
	return 0;
}

static bool bench_v_next(struct bench_verbs *v, struct bench_v_recv **rx)
{
	spin_lock_bh(&v->lock);
	*rx = list_first_entry_or_null(&v->ready, struct bench_v_recv, entry);
	if (*rx)
		list_del(&(*rx)->entry);
	spin_unlock_bh(&v->lock);
	return *rx;
}

static int bench_v_recv(struct bench_conn *c, void *buf, u32 len)
{
	struct bench_verbs *v = bench_to_verbs(c);
	struct bench_v_recv *rx = NULL;
	LIST_HEAD(used);
	u32 got = 0, n = 0;
	int ret;

	while (got < len) {
		if (!wait_event_timeout(v->wait, bench_v_next(v, &rx) || READ_ONCE(v->dead),
					msecs_to_jiffies(BENCH_PATIENCE)))
			return -ETIME;
		if (!rx)
			return -EPIPE;
		if (rx->len > len - got)
			return -EBADMSG;
		if (c->verify)
			memcpy(buf + got, rx->buf, rx->len);
		else if (!got)
			*(u8 *)buf = rx->buf[0];
		got += rx->len;
		list_add_tail(&rx->entry, &used);
		if (++n == BENCH_V_BATCH || got == len) {
			n = 0;
			ret = bench_v_repost(v, &used);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/* ----- sending ----- */

static void bench_v_send_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct bench_v_sent *sent = container_of(wc->wr_cqe, struct bench_v_sent, cqe);
	struct bench_verbs *v = sent->v;

	if (wc->status != IB_WC_SUCCESS) {
		bench_v_kill(v);
		return;
	}
	WRITE_ONCE(v->done, sent->count);
	if (wq_has_sleeper(&v->sends_wait))
		wake_up(&v->sends_wait);
}

/* The peer's receive to send to. */
static bool bench_v_take(struct bench_conn *peer)
{
	return !peer || atomic_dec_if_positive(&bench_to_verbs(peer)->posted) >= 0;
}

static bool bench_v_roomy(struct bench_conn *peer)
{
	struct bench_verbs *v = bench_to_verbs(peer);

	return atomic_read(&v->posted) >= v->nr_recvs / 4;
}

/* One of the peer's receives and a place in our queue. Nothing may wait when @may_wait is false. */
static int bench_v_admit(struct bench_verbs *v, bool may_wait)
{
	struct bench_conn *peer = READ_ONCE(v->c.peer);

	if (v->sent - READ_ONCE(v->done) >= BENCH_V_SENDS) {
		if (!may_wait)
			return -EAGAIN;
		if (!wait_event_timeout(v->sends_wait, READ_ONCE(v->dead) ||
					v->sent - READ_ONCE(v->done) <= BENCH_V_SENDS / 2,
					msecs_to_jiffies(BENCH_PATIENCE)))
			return -ETIME;
	}
	if (READ_ONCE(v->dead))
		return -EPIPE;
	if (bench_v_take(peer))
		return 0;
	if (!may_wait)
		return -EAGAIN;
	if (!wait_event_timeout(bench_to_verbs(peer)->room,
				bench_v_roomy(peer) || READ_ONCE(v->dead),
				msecs_to_jiffies(BENCH_PATIENCE)))
		return -ETIME;
	/* Nobody else takes them. */
	return READ_ONCE(v->dead) || !bench_v_take(peer) ? -EPIPE : 0;
}

static u64 bench_v_addr(struct bench_verbs *v, const void *buf, u32 len)
{
	u32 i;

	for (i = 0; i < v->nr_maps; i++)
		if (v->maps[i].buf == buf && v->maps[i].len == len)
			return v->maps[i].addr;
	return 0;
}

static int bench_v_send(struct bench_conn *c, const void *buf, u32 len)
{
	struct bench_verbs *v = bench_to_verbs(c);
	u64 addr = bench_v_addr(v, buf, len);
	struct ib_send_wr wr[BENCH_V_BATCH];
	struct ib_sge sge[BENCH_V_BATCH];
	u32 n, part;
	int ret;

	if (!addr)
		return -EFAULT;
	while (len) {
		for (n = 0; n < BENCH_V_BATCH && len; n++) {
			ret = bench_v_admit(v, !n);
			if (ret == -EAGAIN)
				break;
			if (ret)
				return ret;
			part = min(len, v->msg);
			sge[n] = (struct ib_sge){ .addr = addr, .length = part,
						  .lkey = v->pd->local_dma_lkey };
			wr[n] = (struct ib_send_wr){ .opcode = IB_WR_SEND, .sg_list = &sge[n],
						     .num_sge = 1 };
			if (++v->sent % BENCH_V_BATCH == 0) {
				struct bench_v_sent *sent;

				sent = &v->sends[v->sent / BENCH_V_BATCH % ARRAY_SIZE(v->sends)];
				sent->count = v->sent;
				wr[n].wr_cqe = &sent->cqe;
				wr[n].send_flags = IB_SEND_SIGNALED;
			}
			if (n)
				wr[n - 1].next = &wr[n];
			addr += part;
			len -= part;
		}
		ret = ib_post_send(v->id->qp, wr, NULL);
		if (ret)
			return ret;
	}
	return 0;
}

static int bench_v_map(struct bench_conn *c, void *buf, u32 len)
{
	struct bench_verbs *v = bench_to_verbs(c);
	struct bench_v_map *map = &v->maps[v->nr_maps];

	if (v->nr_maps == BENCH_V_MAPS)
		return -ENOSPC;
	map->addr = ib_dma_map_single(v->id->device, buf, len, DMA_TO_DEVICE);
	if (ib_dma_mapping_error(v->id->device, map->addr))
		return -EIO;
	map->buf = buf;
	map->len = len;
	v->nr_maps++;
	return 0;
}

/* ----- a connection's life ----- */

static void bench_v_free(struct bench_verbs *v)
{
	u32 i;

	for (i = 0; i < v->nr_maps; i++)
		ib_dma_unmap_single(v->id->device, v->maps[i].addr, v->maps[i].len, DMA_TO_DEVICE);
	for (i = 0; v->recvs && i < v->nr_recvs; i++) {
		if (!v->recvs[i].buf)
			continue;
		ib_dma_unmap_single(v->id->device, v->recvs[i].addr, v->msg, DMA_FROM_DEVICE);
		free_pages_exact(v->recvs[i].buf, v->msg);
	}
	kvfree(v->recvs);
	if (v->send_cq)
		ib_free_cq(v->send_cq);
	if (v->recv_cq)
		ib_free_cq(v->recv_cq);
	if (v->pd)
		ib_dealloc_pd(v->pd);
}

static void bench_v_stop(struct bench_verbs *v)
{
	if (!v->id->qp)
		return;
	rdma_disconnect(v->id);
	ib_drain_qp(v->id->qp);
	rdma_destroy_qp(v->id);
}

static int bench_v_recvs(struct bench_verbs *v)
{
	LIST_HEAD(list);
	u32 i, n = 0;
	int ret = 0;

	v->recvs = kvcalloc(v->nr_recvs, sizeof(*v->recvs), GFP_KERNEL);
	if (!v->recvs)
		return -ENOMEM;
	for (i = 0; !ret && i < v->nr_recvs; i++) {
		struct bench_v_recv *rx = &v->recvs[i];

		rx->v = v;
		rx->cqe.done = bench_v_recv_done;
		rx->buf = alloc_pages_exact(v->msg, GFP_KERNEL);
		if (!rx->buf)
			return -ENOMEM;
		rx->addr = ib_dma_map_single(v->id->device, rx->buf, v->msg, DMA_FROM_DEVICE);
		if (ib_dma_mapping_error(v->id->device, rx->addr)) {
			free_pages_exact(rx->buf, v->msg);
			rx->buf = NULL;
			return -EIO;
		}
		list_add_tail(&rx->entry, &list);
		if (++n % BENCH_V_BATCH == 0 || i == v->nr_recvs - 1)
			ret = bench_v_repost(v, &list);
	}
	return ret;
}

/* Everything that needs the device. */
static int bench_v_start(struct bench_verbs *v)
{
	struct ib_device *dev = v->id->device;
	struct ib_qp_init_attr attr = {
		.cap = {
			.max_send_wr = BENCH_V_SENDS + BENCH_V_OTHERS,
			.max_recv_wr = v->nr_recvs + 1,
			.max_send_sge = 1,
			.max_recv_sge = 1,
		},
		.sq_sig_type = IB_SIGNAL_REQ_WR,
		.qp_type = IB_QPT_RC,
	};
	struct ib_cq *cq;
	struct ib_pd *pd;
	int ret;

	pd = ib_alloc_pd(dev, 0);
	if (IS_ERR(pd))
		return PTR_ERR(pd);
	v->pd = pd;
	cq = ib_alloc_cq_any(dev, v, ARRAY_SIZE(v->sends) + BENCH_V_OTHERS + 1, IB_POLL_WORKQUEUE);
	if (IS_ERR(cq))
		return PTR_ERR(cq);
	v->send_cq = cq;
	cq = ib_alloc_cq_any(dev, v, v->nr_recvs + 1, IB_POLL_WORKQUEUE);
	if (IS_ERR(cq))
		return PTR_ERR(cq);
	v->recv_cq = cq;
	attr.send_cq = v->send_cq;
	attr.recv_cq = v->recv_cq;
	ret = rdma_create_qp(v->id, v->pd, &attr);
	return ret ?: bench_v_recvs(v);
}

static struct bench_verbs *bench_v_new(struct bench_run *r)
{
	struct bench_verbs *v = kzalloc(sizeof(*v), GFP_KERNEL);
	u32 i;

	if (!v)
		return NULL;
	v->c.who = r->who;
	v->msg = r->who->recv;
	v->nr_recvs = BENCH_V_RECVS;
	if (v->msg > SZ_64K) {
		v->msg = max_t(u32, r->frame, BENCH_NOTE);
		v->nr_recvs = BENCH_V_LARGE;
	}
	init_completion(&v->event);
	init_waitqueue_head(&v->room);
	init_waitqueue_head(&v->wait);
	init_waitqueue_head(&v->sends_wait);
	spin_lock_init(&v->lock);
	INIT_LIST_HEAD(&v->ready);
	INIT_LIST_HEAD(&v->entry);
	for (i = 0; i < ARRAY_SIZE(v->sends); i++) {
		v->sends[i].v = v;
		v->sends[i].cqe.done = bench_v_send_done;
	}
	return v;
}

static void bench_v_param(struct bench_verbs *v, struct rdma_conn_param *p)
{
	memset(p, 0, sizeof(*p));
	p->initiator_depth = min(BENCH_V_READS, v->id->device->attrs.max_qp_init_rd_atom);
	p->responder_resources = min(BENCH_V_READS, v->id->device->attrs.max_qp_rd_atom);
	p->retry_count = 7;
	p->rnr_retry_count = 7;
}

static int bench_v_event(struct rdma_cm_id *id, struct rdma_cm_event *event)
{
	struct bench_verbs *v = id->context;

	switch (event->event) {
	case RDMA_CM_EVENT_ESTABLISHED:
		if (v->l) {
			WRITE_ONCE(v->established, true);
			wake_up(&v->l->wait);
			break;
		}
		fallthrough;
	case RDMA_CM_EVENT_ADDR_RESOLVED:
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
		complete(&v->event);
		break;
	case RDMA_CM_EVENT_TIMEWAIT_EXIT:
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
		bench_v_kill(v);
		break;
	default:
		v->status = event->status < 0 ? event->status : -ECONNREFUSED;
		bench_v_kill(v);
		complete(&v->event);
		break;
	}
	return 0;
}

/* ----- the server's side ----- */

static int bench_v_request(struct rdma_cm_id *id, struct rdma_cm_event *event)
{
	struct bench_v_listener *l = id->context;
	struct rdma_conn_param p;
	struct bench_verbs *v;
	int ret;

	if (event->event != RDMA_CM_EVENT_CONNECT_REQUEST)
		return 0;
	v = bench_v_new(l->r);
	if (!v)
		return -ENOMEM;
	v->id = id;
	v->l = l;
	ret = bench_v_start(v);
	if (ret)
		goto fail;
	id->context = v;
	id->event_handler = bench_v_event;
	bench_v_param(v, &p);
	spin_lock_bh(&l->lock);
	list_add_tail(&v->entry, &l->children);
	spin_unlock_bh(&l->lock);
	ret = rdma_accept(id, &p);
	if (!ret)
		return 0;
	spin_lock_bh(&l->lock);
	list_del(&v->entry);
	spin_unlock_bh(&l->lock);
fail:
	/* The caller destroys the id. */
	if (id->qp) {
		ib_drain_qp(id->qp);
		rdma_destroy_qp(id);
	}
	bench_v_free(v);
	kfree(v);
	return ret;
}

static int bench_v_listen(struct bench_run *r)
{
	struct bench_v_listener *l;
	int ret;

	l = kzalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return -ENOMEM;
	l->r = r;
	spin_lock_init(&l->lock);
	INIT_LIST_HEAD(&l->children);
	init_waitqueue_head(&l->wait);
	l->id = rdma_create_id(&init_net, bench_v_request, l, RDMA_PS_TCP, IB_QPT_RC);
	if (IS_ERR(l->id)) {
		ret = PTR_ERR(l->id);
		goto free;
	}
	ret = rdma_bind_addr(l->id, (struct sockaddr *)&r->at);
	if (!ret)
		ret = rdma_listen(l->id, BENCH_BACKLOG);
	if (ret) {
		rdma_destroy_id(l->id);
		goto free;
	}
	r->l = l;
	return 0;
free:
	kfree(l);
	return ret;
}

static void bench_v_close(struct bench_conn *c)
{
	struct bench_verbs *v = bench_to_verbs(c);
	struct rdma_cm_id *id = v->id;

	bench_v_stop(v);
	bench_v_free(v);
	rdma_destroy_id(id);
	kfree(v);
}

static void bench_v_unlisten(void *arg)
{
	struct bench_v_listener *l = arg;
	struct bench_verbs *v, *next;

	rdma_destroy_id(l->id);
	list_for_each_entry_safe(v, next, &l->children, entry)
		bench_v_close(&v->c);
	kfree(l);
}

static bool bench_v_established(struct bench_v_listener *l, struct bench_verbs **found)
{
	struct bench_verbs *v;

	*found = NULL;
	spin_lock_bh(&l->lock);
	list_for_each_entry(v, &l->children, entry) {
		if (!READ_ONCE(v->established))
			continue;
		list_del_init(&v->entry);
		*found = v;
		break;
	}
	spin_unlock_bh(&l->lock);
	return *found;
}

static int bench_v_accept(void *arg, struct bench_conn **c, u32 ms)
{
	struct bench_v_listener *l = arg;
	struct bench_verbs *v = NULL;

	if (!wait_event_timeout(l->wait, bench_v_established(l, &v), msecs_to_jiffies(ms)))
		return -EAGAIN;
	*c = &v->c;
	return 0;
}

/* ----- the client's side ----- */

static int bench_v_await(struct bench_verbs *v)
{
	if (!wait_for_completion_timeout(&v->event, msecs_to_jiffies(BENCH_PATIENCE)))
		return -ETIME;
	return READ_ONCE(v->status);
}

static int bench_v_connect(struct bench_run *r, struct bench_conn **c)
{
	struct rdma_conn_param p;
	struct bench_verbs *v;
	int ret;

	v = bench_v_new(r);
	if (!v)
		return -ENOMEM;
	v->id = rdma_create_id(&init_net, bench_v_event, v, RDMA_PS_TCP, IB_QPT_RC);
	if (IS_ERR(v->id)) {
		ret = PTR_ERR(v->id);
		kfree(v);
		return ret;
	}
	ret = rdma_resolve_addr(v->id, NULL, (struct sockaddr *)&r->at, BENCH_PATIENCE) ?:
		bench_v_await(v);
	if (!ret)
		ret = rdma_resolve_route(v->id, BENCH_PATIENCE) ?: bench_v_await(v);
	if (!ret)
		ret = bench_v_start(v);
	if (!ret) {
		bench_v_param(v, &p);
		ret = rdma_connect(v->id, &p) ?: bench_v_await(v);
	}
	if (ret)
		bench_v_close(&v->c);
	else
		*c = &v->c;
	return ret;
}

static void bench_v_abort(struct bench_conn *c)
{
	struct bench_verbs *v = bench_to_verbs(c);

	/* Who sends waits at his peer's door. */
	bench_v_kill(v);
	if (c->peer)
		wake_up_all(&bench_to_verbs(c->peer)->room);
	rdma_disconnect(v->id);
}

/* ----- RDMA ----- */

struct bench_v_wait {
	struct ib_cqe cqe;
	struct completion done;
	int status;
};

struct bench_v_regions {
	u32 nr;
	struct {
		struct ib_mr *mr;
		struct sg_table sgt;
		bool mapped;
	} r[BENCH_DESCS];
};

static void bench_v_wait_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct bench_v_wait *w = container_of(wc->wr_cqe, struct bench_v_wait, cqe);

	w->status = wc->status == IB_WC_SUCCESS ? 0 : -EREMOTEIO;
	complete(&w->done);
}

/* Post, and wait for the last of them, which says that all are done. */
static int bench_v_post_wait(struct bench_verbs *v, struct ib_send_wr *first,
			     struct ib_send_wr *last)
{
	struct bench_v_wait w = { .cqe.done = bench_v_wait_done };
	int ret;

	init_completion(&w.done);
	last->wr_cqe = &w.cqe;
	last->send_flags = IB_SEND_SIGNALED;
	ret = ib_post_send(v->id->qp, first, NULL);
	if (ret)
		return ret;
	if (!wait_for_completion_timeout(&w.done, msecs_to_jiffies(BENCH_PATIENCE))) {
		/* Flushed by this, it comes back. */
		bench_v_abort(&v->c);
		wait_for_completion(&w.done);
		return -ETIME;
	}
	return w.status;
}

static void bench_v_conceal(struct bench_conn *c, struct bench_region *region)
{
	struct bench_verbs *v = bench_to_verbs(c);
	struct bench_v_regions *regions = region->priv;
	u32 i;

	for (i = 0; i < regions->nr; i++) {
		if (regions->r[i].mr)
			ib_dereg_mr(regions->r[i].mr);
		if (regions->r[i].mapped)
			ib_dma_unmap_sg(v->id->device, regions->r[i].sgt.sgl,
					regions->r[i].sgt.orig_nents, DMA_BIDIRECTIONAL);
		sg_free_table(&regions->r[i].sgt);
	}
	kfree(regions);
}

/* Part number @i of @region, @len bytes of it. */
static int bench_v_register(struct bench_verbs *v, struct bench_region *region, u32 i, u32 len)
{
	struct bench_v_regions *regions = region->priv;
	struct sg_table *sgt = &regions->r[i].sgt;
	struct ib_reg_wr wr = { .wr.opcode = IB_WR_REG_MR };
	void *at = region->mem.base + (size_t)i * BENCH_V_REGION;
	struct scatterlist *sg;
	struct ib_mr *mr;
	int ret, n;

	ret = sg_alloc_table(sgt, len >> PAGE_SHIFT, GFP_KERNEL);
	if (ret)
		return ret;
	regions->nr = i + 1;
	for_each_sgtable_sg(sgt, sg, n)
		sg_set_page(sg, vmalloc_to_page(at + ((size_t)n << PAGE_SHIFT)), PAGE_SIZE, 0);
	n = ib_dma_map_sg(v->id->device, sgt->sgl, sgt->orig_nents, DMA_BIDIRECTIONAL);
	if (!n)
		return -EIO;
	regions->r[i].mapped = true;
	mr = ib_alloc_mr(v->pd, IB_MR_TYPE_MEM_REG, BENCH_V_PAGES);
	if (IS_ERR(mr))
		return PTR_ERR(mr);
	regions->r[i].mr = mr;
	if (ib_map_mr_sg(mr, sgt->sgl, n, NULL, PAGE_SIZE) != n)
		return -EIO;
	wr.mr = mr;
	wr.key = mr->rkey;
	wr.access = IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_READ | IB_ACCESS_REMOTE_WRITE;
	ret = bench_v_post_wait(v, &wr.wr, &wr.wr);
	if (ret)
		return ret;
	region->descs[i].offset = cpu_to_le64(mr->iova);
	region->descs[i].token = cpu_to_le32(mr->rkey);
	region->descs[i].length = cpu_to_le32(len);
	region->nr = i + 1;
	return 0;
}

static int bench_v_expose(struct bench_conn *c, struct bench_region *region)
{
	struct bench_verbs *v = bench_to_verbs(c);
	u32 len = region->mem.len, i;
	struct bench_v_regions *regions;
	int ret = 0;

	regions = kzalloc(sizeof(*regions), GFP_KERNEL);
	if (!regions)
		return -ENOMEM;
	region->priv = regions;
	for (i = 0; !ret && i * BENCH_V_REGION < len; i++)
		ret = i == BENCH_DESCS ? -EMSGSIZE :
			bench_v_register(v, region, i,
					 min(len - i * BENCH_V_REGION, BENCH_V_REGION));
	if (ret)
		bench_v_conceal(c, region);
	return ret;
}

static int bench_v_rdma(struct bench_conn *c, bool read, struct bench_region *own,
			struct bench_region *peers)
{
	struct bench_v_regions *regions = own->priv;
	struct bench_verbs *v = bench_to_verbs(c);
	struct ib_rdma_wr wr[BENCH_V_BATCH];
	struct ib_sge sge[BENCH_V_BATCH];
	u32 i;

	if (own->nr != peers->nr || own->nr > BENCH_V_BATCH)
		return -EMSGSIZE;
	for (i = 0; i < own->nr; i++) {
		sge[i] = (struct ib_sge){
			.addr = regions->r[i].mr->iova,
			.length = le32_to_cpu(own->descs[i].length),
			.lkey = regions->r[i].mr->lkey,
		};
		wr[i] = (struct ib_rdma_wr){
			.wr = {
				.opcode = read ? IB_WR_RDMA_READ : IB_WR_RDMA_WRITE,
				.sg_list = &sge[i],
				.num_sge = 1,
			},
			.remote_addr = le64_to_cpu(peers->descs[i].offset),
			.rkey = le32_to_cpu(peers->descs[i].token),
		};
		if (i)
			wr[i - 1].wr.next = &wr[i].wr;
	}
	return bench_v_post_wait(v, &wr[0].wr, &wr[i - 1].wr);
}

const struct bench_transport bench_verbs = {
	.listen		= bench_v_listen,
	.unlisten	= bench_v_unlisten,
	.accept		= bench_v_accept,
	.connect	= bench_v_connect,
	.close		= bench_v_close,
	.abort		= bench_v_abort,
	.map		= bench_v_map,
	.send		= bench_v_send,
	.recv		= bench_v_recv,
	.expose		= bench_v_expose,
	.conceal	= bench_v_conceal,
	.local		= bench_v_expose,
	.unlocal	= bench_v_conceal,
	.rdma		= bench_v_rdma,
};
