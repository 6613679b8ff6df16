// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading and writing memory of the peer: [MS-SMBD] 3.1.4.5, 3.1.4.6.
 *
 * A transfer names a range of the peer's buffer by descriptors that came
 * from the peer, so they are checked here before anything is done: each has a
 * length and does not wrap, and together they cover the range. What they point to
 * only the peer's device can judge; if it refuses, the connection is over, as the
 * queue pair is in error then.
 *
 * Transfers queue up in order, and a pump like that of the sends
 * posts as much of the first one as there is room for: places in the send
 * queue that are set apart for this, and for reads the depth that was negotiated,
 * because a read beyond it would hold up the messages behind it. The pump cuts
 * a transfer into chains of work requests at the borders of descriptors and of
 * what one request can hold. Only the last one of a chain asks for a
 * completion; over iWARP a chain is a single request (smbdr_rw_chain()). So a
 * transfer of any size and any number of pieces makes progress with what
 * little there is, and is never waited for by another one for longer than its
 * turn.
 *
 * Memory in many pieces costs many requests: on a device with six entries in
 * each, 43 for 1 MiB. So the caller of a transfer that does not fit into eight of them prepares
 * regions for it, for our own device only, as long as some are idle. A region makes
 * one request of as much memory as it holds. What is left goes without.
 *
 * iWARP reads are different: the peer's device writes to us, by a key of
 * ours. So each goes into a region of its own.
 *
 * Regions are registered by a request before the first that uses them, and
 * invalidated behind the last, for an iWARP read by the same request. Only then
 * the transfer is complete: the keys are worth nothing any more when the memory is the
 * caller's again, even on a device that does not ask what a peer may do with them.
 *
 * Locking: everything is under conn->lock. The caller's part, up to queueing,
 * holds conn->rdma_sem for reading. A transfer ends in a completion, or, after any
 * error, in the teardown, when the device is known to have let go of its memory.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include "internal.h"

/* Work requests that share a completion. */
#define SMBDR_RW_CHAIN	8
/* Silence that is no end, however short keepalives are: a chain may have the largest transfer. */
#define SMBDR_RW_STILL_MS	5000U

/**
 * struct smbdr_rw_range - a piece of the peer's memory
 * @addr: remote address
 * @rkey: its key
 * @len: bytes, not 0
 */
struct smbdr_rw_range {
	u64 addr;
	u32 rkey;
	u32 len;
};

/**
 * struct smbdr_rw - a transfer
 * @list: in conn->rw_queue while something is to be posted, then conn->rw_posted
 * @dir: which way
 * @sgl: local memory
 * @sg: the piece of it that is next
 * @sg_off: bytes of it that are done
 * @total: bytes
 * @left: bytes that are not posted yet
 * @mrs: prepared regions with the memory from @sg on
 * @mr_left: bytes of the first one that are not posted yet, 0 if it is not registered
 * @pending: chains that are posted
 * @err: why it failed, if that is known
 * @done: to be called at the end
 * @arg: its argument
 * @cur: the range that is next
 * @cur_off: bytes of it that are done
 * @nr: number of @ranges
 * @ranges: remote memory, cut to what is wanted
 */
struct smbdr_rw {
	struct list_head list;
	enum smbdr_kern_dir dir;
	struct smbdr_sgl sgl;
	struct scatterlist *sg;
	u32 sg_off;
	u32 total;
	u32 left;
	struct list_head mrs;
	u32 mr_left;
	u32 pending;
	int err;
	void (*done)(void *arg, int err);
	void *arg;
	u32 cur;
	u32 cur_off;
	u32 nr;
	struct smbdr_rw_range ranges[] __counted_by(nr);
};

/**
 * struct smbdr_rw_slot - a chain of work requests
 * @cqe: completion of its last one, and of any that fails
 * @inv_cqe: completion of the invalidations behind it
 * @list: in conn->rw_free while idle
 * @rw: transfer that it is a part of
 * @wrs: work requests, for the count in conn->rw_wrs
 * @reads: reads among them, for the count in conn->rw_reads
 * @mrs: regions whose last request is in it
 * @seq: conn->sq_posted at the time
 */
struct smbdr_rw_slot {
	struct ib_cqe cqe;
	struct ib_cqe inv_cqe;
	struct list_head list;
	struct smbdr_rw *rw;
	u32 wrs;
	u32 reads;
	struct list_head mrs;
	u64 seq;
};

/**
 * struct smbdr_rw_area - what transfers need, made for the first one
 * @first: a chain in the making
 * @wr: its transfers
 * @sge: their entries
 * @slots: all chains
 */
struct smbdr_rw_area {
	struct ib_send_wr *first;
	struct ib_rdma_wr wr[SMBDR_RW_CHAIN];
	struct ib_sge sge[SMBDR_RW_CHAIN][SMBDR_SEND_SGE];
	struct smbdr_rw_slot slots[SMBDR_RW_SLOTS];
};

static void smbdr_rw_free(struct smbdr_conn *conn, struct smbdr_rw *rw)
{
	smbdr_sgl_unmap(&rw->sgl, conn->pd->device);
	kvfree(rw);
}

/* The last of a transfer, no lock held. */
static void smbdr_rw_end(struct smbdr_conn *conn, struct smbdr_rw *rw, int err)
{
	void (*done)(void *arg, int err) = rw->done;
	void *arg = rw->arg;

	/* Unmapped first: the data has to be there for who is told. */
	smbdr_rw_free(conn, rw);
	done(arg, err);
}

/* ----- completions ----- */

static void smbdr_rw_count(struct smbdr_conn *conn, const struct smbdr_rw *rw)
{
	bool read = rw->dir == SMBDR_KERN_RDMA_READ;

	smbdr_stat_inc(conn->ns, read ? SMBDR_STAT_RDMA_READS : SMBDR_STAT_RDMA_WRITES);
	smbdr_stat_add(conn->ns, read ? SMBDR_STAT_RDMA_READ_BYTES : SMBDR_STAT_RDMA_WRITE_BYTES,
		       rw->total);
}

/* Does the peer's device write by a key of ours? */
static bool smbdr_rw_is_sink(const struct smbdr_conn *conn, enum smbdr_kern_dir dir)
{
	return conn->iwarp && dir == SMBDR_KERN_RDMA_READ;
}

/* A chain is through: its transfer too? conn->lock held. */
static struct smbdr_rw *smbdr_rw_slot_done(struct smbdr_conn *conn, struct smbdr_rw_slot *slot)
{
	struct smbdr_rw *rw = slot->rw;

	conn->rw_wrs -= slot->wrs;
	conn->rw_reads -= slot->reads;
	list_splice_init(&slot->mrs, smbdr_rw_is_sink(conn, rw->dir) ? &conn->rw_mrs :
			 &conn->rw_regions);
	slot->rw = NULL;
	list_add(&slot->list, &conn->rw_free);
	if (--rw->pending || rw->left)
		return NULL;
	list_del(&rw->list);
	smbdr_rw_count(conn, rw);
	return rw;
}

static void smbdr_rw_failed(struct smbdr_conn *conn, struct smbdr_rw_slot *slot,
			    const struct ib_wc *wc)
{
	spin_lock_bh(&conn->lock);
	if (!slot->rw->err)
		slot->rw->err = smbdr_qp_wc_errno(wc->status);
	spin_unlock_bh(&conn->lock);
	smbdr_qp_completion_error(conn, wc, -EREMOTEIO);
}

/* The tail of both kinds of completion; conn->lock held, dropped. */
static void smbdr_rw_go_on(struct smbdr_conn *conn, struct smbdr_rw_slot *slot)
{
	struct smbdr_rw *rw = smbdr_rw_slot_done(conn, slot);

	smbdr_rw_pump(conn);
	smbdr_conn_check_drained(conn);
	spin_unlock_bh(&conn->lock);
	if (rw)
		smbdr_rw_end(conn, rw, 0);
}

/* Requests that invalidate its regions, or NULL. There is room: each was used by one. */
static struct ib_send_wr *smbdr_rw_invalidations(struct smbdr_rw_slot *slot)
{
	struct ib_send_wr *next = NULL;
	struct smbdr_mr *mr;

	list_for_each_entry_reverse(mr, &slot->mrs, list) {
		memset(&mr->inv, 0, sizeof(mr->inv));
		mr->inv.opcode = IB_WR_LOCAL_INV;
		mr->inv.wr_cqe = &slot->inv_cqe;
		mr->inv.ex.invalidate_rkey = mr->mr->rkey;
		/* The last one tells of all. */
		mr->inv.send_flags = next ? 0 : IB_SEND_SIGNALED;
		mr->inv.next = next;
		next = &mr->inv;
	}
	return next;
}

static void smbdr_wc_rw_inv(struct ib_cq *cq, struct ib_wc *wc)
{
	struct smbdr_rw_slot *slot = container_of(wc->wr_cqe, struct smbdr_rw_slot, inv_cqe);
	struct smbdr_conn *conn = cq->cq_context;

	smbdr_fault_wc(rw_inv_done, wc);
	if (wc->status != IB_WC_SUCCESS) {
		smbdr_rw_failed(conn, slot, wc);
		return;
	}
	spin_lock_bh(&conn->lock);
	conn->rw_moved = jiffies;
	smbdr_sq_retire(conn, slot->seq);
	smbdr_rw_go_on(conn, slot);
}

static void smbdr_wc_rw(struct ib_cq *cq, struct ib_wc *wc)
{
	struct smbdr_rw_slot *slot = container_of(wc->wr_cqe, struct smbdr_rw_slot, cqe);
	struct smbdr_conn *conn = cq->cq_context;
	struct ib_send_wr *inv;

	smbdr_fault_wc(rw_done, wc);
	if (wc->status != IB_WC_SUCCESS) {
		smbdr_rw_failed(conn, slot, wc);
		return;
	}
	spin_lock_bh(&conn->lock);
	conn->rw_moved = jiffies;
	smbdr_sq_retire(conn, slot->seq);
	/* The request of an iWARP read has done that itself. */
	inv = smbdr_rw_is_sink(conn, slot->rw->dir) ? NULL : smbdr_rw_invalidations(slot);
	if (!inv) {
		smbdr_rw_go_on(conn, slot);
		return;
	}
	if (conn->state == SMBDR_ESTABLISHED && !conn->flushed &&
	    (smbdr_fault(post_rw_inv) ?: ib_post_send(conn->qp, inv, NULL)))
		smbdr_qp_flushed(conn);
	spin_unlock_bh(&conn->lock);
}

/* ----- posting ----- */

static void smbdr_rw_advance(struct smbdr_rw *rw, u32 len)
{
	struct smbdr_rw_range *range = &rw->ranges[rw->cur];

	rw->left -= len;
	rw->cur_off += len;
	if (rw->cur_off == range->len) {
		rw->cur++;
		rw->cur_off = 0;
	}
	while (len) {
		u32 part = min(len, sg_dma_len(rw->sg) - rw->sg_off);

		rw->sg_off += part;
		len -= part;
		if (rw->sg_off == sg_dma_len(rw->sg) && rw->left + len) {
			rw->sg = sg_next(rw->sg);
			rw->sg_off = 0;
		}
	}
}

static u32 smbdr_rw_room(const struct smbdr_rw *rw)
{
	return min(rw->left, rw->ranges[rw->cur].len - rw->cur_off);
}

static void smbdr_rw_remote(const struct smbdr_rw *rw, struct ib_rdma_wr *wr)
{
	const struct smbdr_rw_range *range = &rw->ranges[rw->cur];

	memset(wr, 0, sizeof(*wr));
	wr->remote_addr = range->addr + rw->cur_off;
	wr->rkey = range->rkey;
	wr->wr.opcode = rw->dir == SMBDR_KERN_RDMA_READ ? IB_WR_RDMA_READ : IB_WR_RDMA_WRITE;
}

static u32 smbdr_rw_max_sge(const struct smbdr_conn *conn, enum smbdr_kern_dir dir)
{
	return dir == SMBDR_KERN_RDMA_READ ? conn->sizing.max_read_sge : conn->sizing.max_send_sge;
}

/* Add to the chain that *@tail is the end of. */
static void smbdr_rw_link(struct ib_send_wr ***tail, struct ib_send_wr *wr)
{
	**tail = wr;
	*tail = &wr->next;
}

/* One work request with as much as is left in a region. */
static void smbdr_rw_build_region(struct smbdr_rw *rw, struct smbdr_rw_slot *slot,
				  struct smbdr_mr *mr, struct ib_rdma_wr *wr, struct ib_sge *sge)
{
	smbdr_rw_remote(rw, wr);
	sge->addr = mr->mr->iova + mr->mr->length - rw->mr_left;
	sge->length = min(smbdr_rw_room(rw), rw->mr_left);
	sge->lkey = mr->mr->lkey;
	wr->wr.sg_list = sge;
	wr->wr.num_sge = 1;
	smbdr_rw_advance(rw, sge->length);
	rw->mr_left -= sge->length;
	if (!rw->mr_left)
		list_move(&mr->list, &slot->mrs);
}

/* One work request with as much as fits into its entries. */
static void smbdr_rw_build(struct smbdr_conn *conn, struct smbdr_rw *rw, struct ib_rdma_wr *wr,
			   struct ib_sge *sge)
{
	u32 max = smbdr_rw_max_sge(conn, rw->dir);
	u32 room = smbdr_rw_room(rw), off = rw->sg_off, len = 0, nr = 0;
	struct scatterlist *sg = rw->sg;

	smbdr_rw_remote(rw, wr);
	while (len < room) {
		u64 addr = sg_dma_address(sg) + off;
		u32 part = min(room - len, sg_dma_len(sg) - off);
		bool joins = nr && sge[nr - 1].addr + sge[nr - 1].length == addr;

		if (!joins && nr == max)
			break;
		if (joins) {
			sge[nr - 1].length += part;
		} else {
			sge[nr].addr = addr;
			sge[nr].length = part;
			sge[nr].lkey = conn->pd->local_dma_lkey;
			nr++;
		}
		len += part;
		off = 0;
		if (len < room)
			sg = sg_next(sg);
	}
	wr->wr.sg_list = sge;
	wr->wr.num_sge = nr;
	smbdr_rw_advance(rw, len);
}

/* A chain of requests into conn->rw_area. Returns the number of transfers in it. */
static u32 smbdr_rw_chain(struct smbdr_conn *conn, struct smbdr_rw *rw,
			  struct smbdr_rw_slot *slot)
{
	struct smbdr_rw_area *area = conn->rw_area;
	struct ib_send_wr **tail = &area->first;
	u32 max = SMBDR_RW_CHAIN, n;

	/*
	 * siw hands the pages of a request without a completion to TCP instead of their content,
	 * and the completion of a later one does not wait for TCP.
	 */
	if (conn->iwarp)
		max = 1;
	if (rw->dir == SMBDR_KERN_RDMA_READ)
		max = min(max, conn->depths.initiator_depth - conn->rw_reads);
	slot->wrs = 0;
	for (n = 0; n < max && rw->left; n++) {
		struct smbdr_mr *mr = list_first_entry_or_null(&rw->mrs, struct smbdr_mr, list);
		bool begin = mr && !rw->mr_left;

		if (conn->rw_wrs + slot->wrs + 1 + begin > conn->sizing.rw_wrs)
			break;
		slot->wrs += 1 + begin;
		if (begin) {
			smbdr_rw_link(&tail, &mr->reg.wr);
			rw->mr_left = mr->mr->length;
		}
		if (mr)
			smbdr_rw_build_region(rw, slot, mr, &area->wr[n], area->sge[n]);
		else
			smbdr_rw_build(conn, rw, &area->wr[n], area->sge[n]);
		area->wr[n].wr.wr_cqe = &slot->cqe;
		smbdr_rw_link(&tail, &area->wr[n].wr);
	}
	if (n)
		area->wr[n - 1].wr.send_flags = IB_SEND_SIGNALED;
	slot->reads = rw->dir == SMBDR_KERN_RDMA_READ ? n : 0;
	return n;
}

/* An iWARP read: a region for the data, and one request. Returns as smbdr_rw_post(). */
static int smbdr_rw_sink(struct smbdr_conn *conn, struct smbdr_rw *rw, struct smbdr_rw_slot *slot)
{
	struct ib_rdma_wr *wr = &conn->rw_area->wr[0];
	struct ib_sge *sge = conn->rw_area->sge[0];
	u32 room = smbdr_rw_room(rw), off = rw->sg_off, have = 0, nents = 0, skip;
	struct scatterlist *sg;
	struct smbdr_mr *mr;
	u64 addr;
	int ret;

	mr = list_first_entry_or_null(&conn->rw_mrs, struct smbdr_mr, list);
	if (!mr || conn->rw_wrs + 2 > conn->sizing.rw_wrs ||
	    conn->rw_reads >= conn->depths.initiator_depth)
		return 0;

	/* Not more pieces than this read covers. */
	for (sg = rw->sg; have < off + room; sg = sg_next(sg)) {
		have += sg_dma_len(sg);
		nents++;
	}
	addr = sg_dma_address(rw->sg) + off;
	/*
	 * The region begins with the piece, because siw gets an offset wrong. Only a
	 * mapping that joined pages, as an IOMMU may, can have a piece too long for that.
	 */
	skip = sg_dma_len(rw->sg) > PAGE_SIZE ? off : 0;
	ret = smbdr_mr_map(mr, rw->sg, nents, &skip,
			   IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE);
	if (ret < 0)
		return ret;
	if (addr < mr->mr->iova || addr - mr->mr->iova >= mr->mr->length)
		return -EIO;
	sge->addr = addr;
	sge->length = min_t(u64, room, mr->mr->length - (addr - mr->mr->iova));
	sge->lkey = mr->mr->lkey;

	smbdr_rw_remote(rw, wr);
	/* The peer could go on writing by the key: when this completes, no more. */
	wr->wr.opcode = IB_WR_RDMA_READ_WITH_INV;
	wr->wr.ex.invalidate_rkey = mr->mr->rkey;
	wr->wr.sg_list = sge;
	wr->wr.num_sge = 1;
	wr->wr.wr_cqe = &slot->cqe;
	wr->wr.send_flags = IB_SEND_SIGNALED;
	mr->reg.wr.next = &wr->wr;
	conn->rw_area->first = &mr->reg.wr;
	smbdr_rw_advance(rw, sge->length);
	list_move(&mr->list, &slot->mrs);
	slot->wrs = 2;
	slot->reads = 1;
	return 1;
}

/* Post what there is room for, at most a chain. 1 if something was, 0 if not, or an errno. */
static int smbdr_rw_post(struct smbdr_conn *conn, struct smbdr_rw *rw, struct smbdr_rw_slot *slot)
{
	struct ib_send_wr *first;
	int ret;

	if (smbdr_rw_is_sink(conn, rw->dir))
		ret = smbdr_rw_sink(conn, rw, slot);
	else
		ret = smbdr_rw_chain(conn, rw, slot);
	if (ret <= 0)
		return ret;
	list_del(&slot->list);
	slot->rw = rw;
	slot->seq = ++conn->sq_posted;
	conn->rw_wrs += slot->wrs;
	smbdr_stat_add(conn->ns, SMBDR_STAT_RDMA_REQUESTS, slot->wrs);
	conn->rw_reads += slot->reads;
	rw->pending++;
	if (!rw->left)
		list_move_tail(&rw->list, &conn->rw_posted);
	/* If a part of the chain was posted, the teardown waits for that. */
	smbdr_send_cq_update(conn);
	first = conn->rw_area->first;
	/* A peer that goes on talking, but not with the rest of this. */
	if (!rw->left && smbdr_fault(rw_lost))
		return 1;
	if (smbdr_fault(post_rw) ?: smbdr_fault_half(post_rw_half, conn->qp, first) ?:
	    ib_post_send(conn->qp, first, NULL))
		smbdr_qp_flushed(conn);
	return 1;
}

/**
 * smbdr_rw_pump - go on with the transfers
 * @conn: the connection
 *
 * Context: conn->lock held.
 */
void smbdr_rw_pump(struct smbdr_conn *conn)
{
	lockdep_assert_held(&conn->lock);
	while (conn->state == SMBDR_ESTABLISHED && !conn->flushed) {
		struct smbdr_rw *rw = list_first_entry_or_null(&conn->rw_queue, struct smbdr_rw,
							       list);
		struct smbdr_rw_slot *slot;
		int ret;

		if (!rw || list_empty(&conn->rw_free))
			return;
		slot = list_first_entry(&conn->rw_free, struct smbdr_rw_slot, list);
		ret = smbdr_rw_post(conn, rw, slot);
		if (ret < 0)
			smbdr_conn_abort_locked(conn, ret);
		if (ret <= 0)
			return;
	}
}

/* ----- the caller's part ----- */

/*
 * The ranges that hold @len bytes from @offset on. The peer wrote the descriptors,
 * and may still be writing them if they are in a buffer that it can write.
 */
static struct smbdr_rw *smbdr_rw_alloc(const struct smbdr_kern_rdma *req, u32 len)
{
	u64 skip = req->offset;
	struct smbdr_rw *rw;
	u32 left = len, i;

	rw = smbdr_fault(rw) ? NULL :
		kvzalloc(struct_size(rw, ranges, req->nr_descs), GFP_NOIO | __GFP_NOWARN);
	if (!rw)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < req->nr_descs && left; i++) {
		const struct smbdr_kern_desc *desc = &req->descs[i];
		u64 addr = le64_to_cpu(READ_ONCE(desc->offset));
		u32 have = le32_to_cpu(READ_ONCE(desc->length));
		u32 rkey = le32_to_cpu(READ_ONCE(desc->token));
		u64 end;

		if (!have || check_add_overflow(addr, have, &end))
			break;
		if (skip >= have) {
			skip -= have;
			continue;
		}
		rw->nr++;
		rw->ranges[rw->nr - 1].addr = addr + skip;
		rw->ranges[rw->nr - 1].rkey = rkey;
		rw->ranges[rw->nr - 1].len = min_t(u32, left, have - skip);
		left -= rw->ranges[rw->nr - 1].len;
		skip = 0;
	}
	if (left) {
		kvfree(rw);
		return ERR_PTR(-EINVAL);
	}
	INIT_LIST_HEAD(&rw->mrs);
	rw->dir = req->dir;
	rw->total = len;
	rw->left = len;
	rw->done = req->done;
	rw->arg = req->arg;
	return rw;
}

/* One region more for iWARP reads, until there are as many as reads can be in flight. */
static int smbdr_rw_add_sink(struct smbdr_conn *conn)
{
	u32 max = min_t(u32, conn->depths.initiator_depth, SMBDR_RW_SINKS);
	struct smbdr_mr *mr = NULL;
	u32 have;

	if (READ_ONCE(conn->rw_nr_mrs) < max)
		mr = smbdr_mr_create(conn);
	spin_lock_bh(&conn->lock);
	if (mr && conn->rw_nr_mrs < max) {
		list_add(&mr->list, &conn->rw_mrs);
		WRITE_ONCE(conn->rw_nr_mrs, conn->rw_nr_mrs + 1);
		mr = NULL;
	}
	have = conn->rw_nr_mrs;
	spin_unlock_bh(&conn->lock);
	if (mr)
		smbdr_mr_destroy(conn, mr);
	return have ? 0 : -ENOMEM;
}

/* Slots, and regions for iWARP reads: made once they are needed. conn->rdma_sem held. */
static int smbdr_rw_prepare(struct smbdr_conn *conn, enum smbdr_kern_dir dir)
{
	struct smbdr_rw_area *area;
	u32 i;

	if (!READ_ONCE(conn->rw_area)) {
		area = smbdr_fault(rw_area) ? NULL : kvzalloc(sizeof(*area), GFP_NOIO);
		if (!area)
			return -ENOMEM;
		spin_lock_bh(&conn->lock);
		if (!conn->rw_area) {
			for (i = 0; i < SMBDR_RW_SLOTS; i++) {
				area->slots[i].cqe.done = smbdr_wc_rw;
				area->slots[i].inv_cqe.done = smbdr_wc_rw_inv;
				INIT_LIST_HEAD(&area->slots[i].mrs);
				list_add_tail(&area->slots[i].list, &conn->rw_free);
			}
			WRITE_ONCE(conn->rw_area, area);
			area = NULL;
		}
		spin_unlock_bh(&conn->lock);
		kvfree(area);
	}

	return smbdr_rw_is_sink(conn, dir) ? smbdr_rw_add_sink(conn) : 0;
}

static struct smbdr_mr *smbdr_rw_take_region(struct smbdr_conn *conn)
{
	struct smbdr_mr *mr;
	bool make;

	spin_lock_bh(&conn->lock);
	mr = list_first_entry_or_null(&conn->rw_regions, struct smbdr_mr, list);
	if (mr)
		list_del_init(&mr->list);
	make = !mr && conn->rw_nr_regions < SMBDR_RW_REGIONS;
	conn->rw_nr_regions += make;
	spin_unlock_bh(&conn->lock);
	if (!make)
		return mr;
	mr = smbdr_mr_create(conn);
	if (!mr) {
		spin_lock_bh(&conn->lock);
		conn->rw_nr_regions--;
		spin_unlock_bh(&conn->lock);
	}
	return mr;
}

/*
 * Pieces that one region can hold, because they meet at borders of pages, of @nents. *@runs is how
 * many entries of a work request they would take.
 */
static u32 smbdr_rw_pieces(struct scatterlist *sg, u32 nents, u32 *runs)
{
	u64 end = 0;
	u32 n = 0;

	*runs = 0;
	for (; n < nents; n++, sg = sg_next(sg)) {
		u64 addr = sg_dma_address(sg);

		if (n && !(PAGE_ALIGNED(end) && PAGE_ALIGNED(addr)))
			break;
		if (!n || addr != end)
			++*runs;
		end = addr + sg_dma_len(sg);
	}
	return n;
}

/* Regions for as much as can be had, if it is more than the longest chain. conn->rdma_sem held. */
static void smbdr_rw_prepare_regions(struct smbdr_conn *conn, struct smbdr_rw *rw)
{
	u32 max = SMBDR_RW_CHAIN * smbdr_rw_max_sge(conn, rw->dir), left = rw->sgl.nents;
	struct scatterlist *sg = rw->sgl.sg;
	u32 off = 0, runs;

	while (left > max) {
		u32 nents = smbdr_rw_pieces(sg, left, &runs);
		struct smbdr_mr *mr = runs > max ? smbdr_rw_take_region(conn) : NULL;
		int n;

		if (!mr)
			return;
		/* Only a read writes, but a right to read there is not. */
		n = smbdr_mr_map(mr, sg, nents, &off, IB_ACCESS_LOCAL_WRITE);
		if (n < 0) {
			spin_lock_bh(&conn->lock);
			list_add(&mr->list, &conn->rw_regions);
			spin_unlock_bh(&conn->lock);
			return;
		}
		list_add_tail(&mr->list, &rw->mrs);
		for (left -= n; n; n--)
			sg = sg_next(sg);
	}
}

/**
 * smbdr_rw_submit - start a transfer
 * @conn: the connection
 * @req: what, from where, to where; its iterator is used up
 *
 * Context: process; may sleep for memory. Does not wait for other transfers.
 *
 * Return: 0 if req->done will be called; else an errno, and it will not: see
 * smbdr_kern_rdma_submit().
 */
int smbdr_rw_submit(struct smbdr_conn *conn, const struct smbdr_kern_rdma *req)
{
	bool read = req->dir == SMBDR_KERN_RDMA_READ;
	size_t len = iov_iter_count(req->iter);
	struct smbdr_rw *rw;
	int ret;

	ret = smbdr_sgl_check(req->iter, !read);
	if (ret)
		return ret;
	down_read(&conn->rdma_sem);
	spin_lock_bh(&conn->lock);
	ret = smbdr_conn_may_rdma(conn);
	if (!ret && len > conn->neg.max_rw_size)
		ret = -EMSGSIZE;
	spin_unlock_bh(&conn->lock);
	if (!ret)
		ret = smbdr_rw_prepare(conn, req->dir);
	if (ret)
		goto unlock;
	rw = smbdr_rw_alloc(req, len);
	ret = PTR_ERR_OR_ZERO(rw);
	if (ret)
		goto unlock;
	ret = smbdr_sgl_map(&rw->sgl, conn->pd->device, req->iter,
			    read ? DMA_FROM_DEVICE : DMA_TO_DEVICE);
	if (ret) {
		kvfree(rw);
		goto unlock;
	}
	rw->sg = rw->sgl.sg;
	if (!smbdr_rw_is_sink(conn, req->dir))
		smbdr_rw_prepare_regions(conn, rw);

	spin_lock_bh(&conn->lock);
	ret = smbdr_conn_may_rdma(conn);
	if (!ret) {
		if (smbdr_rw_idle(conn))
			conn->rw_moved = jiffies;
		list_add_tail(&rw->list, &conn->rw_queue);
		smbdr_rw_pump(conn);
	} else {
		list_splice(&rw->mrs, &conn->rw_regions);
	}
	spin_unlock_bh(&conn->lock);
	if (ret)
		smbdr_rw_free(conn, rw);
unlock:
	up_read(&conn->rdma_sem);
	return ret;
}

/**
 * smbdr_rw_idle - is there no transfer?
 * @conn: the connection
 *
 * Context: conn->lock held.
 *
 * Return: true if none is queued or posted.
 */
bool smbdr_rw_idle(const struct smbdr_conn *conn)
{
	return list_empty(&conn->rw_queue) && list_empty(&conn->rw_posted);
}

/**
 * smbdr_rw_due - when transfers have not got on for too long
 * @conn: the connection, with transfers
 *
 * A peer may answer all that the protocol asks, and its device nothing. Its silence would end the
 * connection, [MS-SMBD] 3.1.6.2, after as long as this. The timer runs at least once in an idle
 * interval, so it need not be armed for it.
 *
 * Context: conn->lock held.
 *
 * Return: jiffies.
 */
unsigned long smbdr_rw_due(const struct smbdr_conn *conn)
{
	u32 ms = conn->params.keepalive_interval + conn->params.keepalive_timeout;

	return conn->rw_moved + msecs_to_jiffies(max(ms, SMBDR_RW_STILL_MS));
}

/**
 * smbdr_rw_release - end the transfers that are left
 * @conn: the connection, drained, nobody inside of conn->rdma_sem
 *
 * Context: the teardown work.
 */
void smbdr_rw_release(struct smbdr_conn *conn)
{
	struct smbdr_rw *rw, *tmp;

	list_splice_tail_init(&conn->rw_queue, &conn->rw_posted);
	list_for_each_entry_safe(rw, tmp, &conn->rw_posted, list) {
		list_del(&rw->list);
		smbdr_rw_end(conn, rw, rw->err ?: conn->err ?: -EPIPE);
	}
	INIT_LIST_HEAD(&conn->rw_free);
	INIT_LIST_HEAD(&conn->rw_mrs);
	INIT_LIST_HEAD(&conn->rw_regions);
	kvfree(conn->rw_area);
	conn->rw_area = NULL;
}
