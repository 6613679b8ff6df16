// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of ours that the peer may read or write: [MS-SMBD] 3.1.4.3, 3.1.4.4.
 *
 * A buffer is registered as one or more memory regions, each of which covers
 * consecutive pages, and is described to the peer by one descriptor a region.
 * Regions belong to the connection. They are made when they are first needed,
 * up to a number that the send queue has room for, and are used again
 * with another key each time. A buffer takes all its regions at once or waits in
 * line, so two buffers never wait for each other.
 *
 * The request that registers is posted at once and without a completion: the send
 * queue works in order, so it takes effect before any message that can tell the
 * peer of it. It is known to be through when anything posted later has
 * completed, which is what conn->sq_posted and conn->sq_retired count. Each
 * region has a place in the send queue for one registering and one invalidating
 * request. It is not used again before both are through.
 *
 * Deregistering is certain: when it returns, the peer has invalidated the
 * region, or we have, or the queue pair and the region are gone. It waits for
 * completions and for the teardown, never for anything that the peer or the
 * receive side does, and an invalidation that takes too long ends the connection.
 *
 * An invalidation by the peer counts only if the region was known to be registered
 * when it came. A peer can guess a key and be early: then our request would make
 * valid what it has invalidated before. In case of doubt we invalidate as well,
 * which also shows that the registering request is through.
 *
 * Locking. Lists and states are under conn->lock. conn->rdma_sem is held for
 * reading by whoever uses the device from a caller's context. The teardown
 * comes when the state is CLOSING and the queues are drained. It marks
 * all buffers dead, then waits for those who are inside, then takes regions and
 * mappings away. Who comes later sees the state, or that his buffer is dead,
 * and leaves the device alone.
 */
#include <linux/completion.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include "internal.h"

/* How long to wait for regions that others hold. */
#define SMBDR_MR_WAIT_MS	10000

/**
 * struct smbdr_mr_waiter - somebody who waits for regions
 * @list: in conn->mr_waiters, first come, first served
 * @need: how many
 * @got: those that were free
 * @missing: how many of @need have to be made; they are counted already
 * @err: set instead if the connection ended
 * @done: one of these happened
 */
struct smbdr_mr_waiter {
	struct list_head list;
	u32 need;
	struct list_head got;
	u32 missing;
	int err;
	struct completion done;
};

/**
 * struct smbdr_kern_mr - a registered buffer
 * @conn: its connection, with a reference
 * @list: in conn->mr_bufs until deregistered or dead; under conn->lock
 * @sgl: the memory
 * @mrs: its regions, in the order of @descs; under conn->lock
 * @nr: number of @descs
 * @busy: invalidations under way; under conn->lock
 * @dead: the teardown has taken regions and mapping away; under conn->lock
 * @quiet: no remote access is possible any more
 * @gone: and, if @dead, the teardown has let go of this
 * @descs: for the peer
 */
struct smbdr_kern_mr {
	struct smbdr_conn *conn;
	struct list_head list;
	struct smbdr_sgl sgl;
	struct list_head mrs;
	u32 nr;
	u32 busy;
	bool dead;
	struct completion quiet;
	struct completion gone;
	struct smbdr_kern_desc descs[] __counted_by(nr);
};

static void smbdr_wc_reg(struct ib_cq *cq, struct ib_wc *wc)
{
	/* Only ever called for a failure: it asks for no completion. */
	if (wc->status != IB_WC_SUCCESS)
		smbdr_qp_completion_error(cq->cq_context, wc, -ECONNRESET);
}

static void smbdr_wc_local_inv(struct ib_cq *cq, struct ib_wc *wc)
{
	struct smbdr_mr *mr = container_of(wc->wr_cqe, struct smbdr_mr, inv_cqe);
	struct smbdr_conn *conn = cq->cq_context;
	struct smbdr_kern_mr *buf = mr->buf;

	smbdr_fault_wc(inv_done, wc);
	if (wc->status != IB_WC_SUCCESS) {
		/* The teardown sees to it. */
		smbdr_qp_completion_error(conn, wc, -ECONNRESET);
		return;
	}
	spin_lock_bh(&conn->lock);
	smbdr_sq_retire(conn, mr->inv_seq);
	mr->state = SMBDR_MR_INVALID;
	smbdr_stat_inc(conn->ns, SMBDR_STAT_MR_INV_LOCAL);
	if (!--buf->busy)
		complete(&buf->quiet);
	spin_unlock_bh(&conn->lock);
}

/**
 * smbdr_mr_create - make a memory region
 * @conn: the connection, conn->rdma_sem held
 *
 * Context: process; may sleep, but not for reclaim by I/O.
 *
 * Return: the region, in no list but conn->mrs, or NULL.
 */
struct smbdr_mr *smbdr_mr_create(struct smbdr_conn *conn)
{
	unsigned int noio = memalloc_noio_save();
	struct smbdr_mr *mr = smbdr_fault(mr) ? NULL : kzalloc(sizeof(*mr), GFP_NOIO);

	if (mr) {
		mr->mr = ERR_PTR(smbdr_fault(mr_alloc)) ?:
			ib_alloc_mr(conn->pd, IB_MR_TYPE_MEM_REG, conn->sizing.mr_pages);
		if (IS_ERR(mr->mr)) {
			kfree(mr);
			mr = NULL;
		}
	}
	memalloc_noio_restore(noio);
	if (!mr)
		return NULL;
	mr->pages = conn->sizing.mr_pages;
	INIT_LIST_HEAD(&mr->list);
	mr->reg_cqe.done = smbdr_wc_reg;
	mr->inv_cqe.done = smbdr_wc_local_inv;
	spin_lock_bh(&conn->lock);
	list_add(&mr->all, &conn->mrs);
	spin_unlock_bh(&conn->lock);
	return mr;
}

/**
 * smbdr_mr_destroy - free a region that is in no list but conn->mrs
 * @conn: the connection, conn->rdma_sem held
 * @mr: the region, not registered
 */
void smbdr_mr_destroy(struct smbdr_conn *conn, struct smbdr_mr *mr)
{
	spin_lock_bh(&conn->lock);
	list_del(&mr->all);
	spin_unlock_bh(&conn->lock);
	ib_dereg_mr(mr->mr);
	kfree(mr);
}

/**
 * smbdr_mr_map - put memory into a region and prepare to register it
 * @mr: the region, not registered
 * @sg: first piece
 * @nents: pieces from there on
 * @off: bytes of the first piece to leave out; set to those that were taken
 *	of the piece behind the last one that was taken as a whole
 * @access: IB_ACCESS_*
 *
 * Return: pieces that were taken as a whole, or -EIO.
 */
int smbdr_mr_map(struct smbdr_mr *mr, struct scatterlist *sg, u32 nents, u32 *off, int access)
{
	/* Some drivers refuse more pieces than fit instead of taking what does. */
	int n = smbdr_fault(mr_map) ?:
		ib_map_mr_sg(mr->mr, sg, min(nents, mr->pages), off, PAGE_SIZE);

	if (n < 0 || (!n && !*off))
		return -EIO;
	/* A late access by an old key has to fail. */
	ib_update_fast_reg_key(mr->mr, ib_inc_rkey(mr->mr->rkey));
	memset(&mr->reg, 0, sizeof(mr->reg));
	mr->reg.wr.opcode = IB_WR_REG_MR;
	mr->reg.wr.wr_cqe = &mr->reg_cqe;
	mr->reg.mr = mr->mr;
	mr->reg.key = mr->mr->rkey;
	mr->reg.access = access;
	return n;
}

/* ----- taking and giving back ----- */

/* Regions that a buffer with @need of them could have now. */
static bool smbdr_mr_can_take(const struct smbdr_conn *conn, u32 need)
{
	return need <= conn->mr_nr_free + (conn->sizing.max_mrs - conn->mr_total);
}

/* Take what is free and count in what is not, for the caller to make. */
static u32 smbdr_mr_take_locked(struct smbdr_conn *conn, u32 need, struct list_head *got)
{
	while (need && conn->mr_nr_free) {
		list_move_tail(conn->mr_free.next, got);
		conn->mr_nr_free--;
		need--;
	}
	conn->mr_total += need;
	return need;
}

static void smbdr_mr_serve(struct smbdr_conn *conn)
{
	struct smbdr_mr_waiter *w;

	while ((w = list_first_entry_or_null(&conn->mr_waiters, struct smbdr_mr_waiter, list))) {
		if (!smbdr_mr_can_take(conn, w->need))
			return;
		w->missing = smbdr_mr_take_locked(conn, w->need, &w->got);
		list_del_init(&w->list);
		complete(&w->done);
	}
}

static void smbdr_mr_give(struct smbdr_conn *conn, struct smbdr_mr *mr)
{
	mr->state = SMBDR_MR_FREE;
	mr->buf = NULL;
	list_move(&mr->list, &conn->mr_free);
	conn->mr_nr_free++;
}

static void smbdr_mr_give_all(struct smbdr_conn *conn, struct list_head *mrs, u32 not_made)
{
	struct smbdr_mr *mr, *tmp;

	lockdep_assert_held(&conn->lock);
	list_for_each_entry_safe(mr, tmp, mrs, list)
		smbdr_mr_give(conn, mr);
	conn->mr_total -= not_made;
	smbdr_mr_serve(conn);
}

/**
 * smbdr_sq_retire - everything up to here is through the send queue
 * @conn: the connection
 * @seq: conn->sq_posted when something was posted that has completed now
 *
 * Context: conn->lock held.
 */
void smbdr_sq_retire(struct smbdr_conn *conn, u64 seq)
{
	lockdep_assert_held(&conn->lock);
	conn->sq_retired = max(conn->sq_retired, seq);
}

/* Wait in line. 0 if w->got and w->missing are there. */
static int smbdr_mr_wait(struct smbdr_conn *conn, struct smbdr_mr_waiter *w)
{
	long left = wait_for_completion_interruptible_timeout(&w->done,
						msecs_to_jiffies(SMBDR_MR_WAIT_MS));
	int ret = 0;

	spin_lock_bh(&conn->lock);
	if (!list_empty(&w->list)) {
		list_del(&w->list);
		ret = left < 0 ? left : -ETIMEDOUT;
		/* Who is behind may need less. */
		smbdr_mr_serve(conn);
	} else if (w->err) {
		ret = w->err;
	}
	spin_unlock_bh(&conn->lock);
	return ret;
}

/* @need regions into @got, or an errno and none. conn->rdma_sem held. */
static int smbdr_mr_take(struct smbdr_conn *conn, u32 need, struct list_head *got)
{
	struct smbdr_mr_waiter w = { .need = need };
	bool wait = false;
	int ret;

	INIT_LIST_HEAD(&w.got);
	init_completion(&w.done);
	spin_lock_bh(&conn->lock);
	ret = smbdr_conn_may_rdma(conn);
	if (!ret) {
		wait = !list_empty(&conn->mr_waiters) || !smbdr_mr_can_take(conn, need);
		if (wait)
			list_add_tail(&w.list, &conn->mr_waiters);
		else
			w.missing = smbdr_mr_take_locked(conn, need, &w.got);
	}
	spin_unlock_bh(&conn->lock);
	if (wait)
		ret = smbdr_mr_wait(conn, &w);
	if (ret)
		return ret;

	for (; w.missing; w.missing--) {
		struct smbdr_mr *mr = smbdr_mr_create(conn);

		if (!mr)
			break;
		list_add_tail(&mr->list, &w.got);
	}
	if (w.missing) {
		spin_lock_bh(&conn->lock);
		smbdr_mr_give_all(conn, &w.got, w.missing);
		spin_unlock_bh(&conn->lock);
		return -ENOMEM;
	}
	list_splice(&w.got, got);
	return 0;
}

/**
 * smbdr_mr_abort - the connection ends: nobody gets a region any more
 * @conn: the connection
 *
 * Context: conn->lock held.
 */
void smbdr_mr_abort(struct smbdr_conn *conn)
{
	struct smbdr_mr_waiter *w, *tmp;

	lockdep_assert_held(&conn->lock);
	list_for_each_entry_safe(w, tmp, &conn->mr_waiters, list) {
		w->err = -EPIPE;
		list_del_init(&w->list);
		complete(&w->done);
	}
}

/* ----- registering ----- */

/*
 * How many regions the memory needs: pages, and holes between them, decide. A region that is full
 * in the middle of a piece, which an IOMMU may have joined from many pages, ends one page earlier:
 * ib_sg_to_pages() goes on from the last page that it had set.
 */
static u32 smbdr_mr_count(const struct smbdr_conn *conn, const struct smbdr_sgl *sgl)
{
	u32 nr = 0, room = 0, i;
	struct scatterlist *sg;
	u64 end = 0;

	for_each_sg(sgl->sg, sg, sgl->nents, i) {
		u64 addr = sg_dma_address(sg);
		u32 pages = DIV_ROUND_UP(offset_in_page(addr) + sg_dma_len(sg), PAGE_SIZE);

		/* A page list has no holes but before its first and behind its last byte. */
		if (i && (offset_in_page(addr) || offset_in_page(end)))
			room = 0;
		while (pages > room) {
			pages -= room ? room - 1 : 0;
			room = conn->sizing.mr_pages;
			nr++;
		}
		room -= pages;
		end = addr + sg_dma_len(sg);
	}
	return nr;
}

/* Spread the memory over the regions, which are enough. Returns how many were used. */
static int smbdr_mr_fill(struct smbdr_kern_mr *buf, struct list_head *mrs, int access)
{
	struct scatterlist *sg = buf->sgl.sg;
	u32 left = buf->sgl.nents, off = 0, nr = 0;

	while (left) {
		struct smbdr_mr *mr = list_first_entry_or_null(mrs, struct smbdr_mr, list);
		int n;

		if (!mr)
			return -EIO;
		n = smbdr_mr_map(mr, sg, left, &off, access);
		if (n < 0)
			return n;
		buf->descs[nr].offset = cpu_to_le64(mr->mr->iova);
		buf->descs[nr].token = cpu_to_le32(mr->mr->rkey);
		buf->descs[nr].length = cpu_to_le32(mr->mr->length);
		nr++;
		list_move_tail(&mr->list, &buf->mrs);
		left -= n;
		while (n--)
			sg = sg_next(sg);
	}
	return nr;
}

/* Post the requests that register; what happens from here on the teardown can undo. */
static int smbdr_mr_post(struct smbdr_kern_mr *buf)
{
	struct smbdr_conn *conn = buf->conn;
	struct ib_send_wr *first = NULL, **link = &first;
	struct smbdr_mr *mr;
	int ret;

	spin_lock_bh(&conn->lock);
	ret = smbdr_conn_may_rdma(conn);
	if (!ret) {
		conn->sq_posted++;
		list_for_each_entry(mr, &buf->mrs, list) {
			*link = &mr->reg.wr;
			link = &mr->reg.wr.next;
			mr->buf = buf;
			mr->state = SMBDR_MR_ACTIVE;
			mr->reg_seq = conn->sq_posted;
		}
		list_add_tail(&buf->list, &conn->mr_bufs);
		if (smbdr_fault(post_reg) ?: smbdr_fault_half(post_reg_half, conn->qp, first) ?:
		    ib_post_send(conn->qp, first, NULL)) {
			smbdr_qp_flushed(conn);
			ret = -EPIPE;
		}
		smbdr_send_cq_update(conn);
		smbdr_stat_add(conn->ns, SMBDR_STAT_MR_REGISTERED, buf->nr);
	}
	spin_unlock_bh(&conn->lock);
	return ret;
}

static void smbdr_mr_put_back(struct smbdr_conn *conn, struct list_head *mrs)
{
	spin_lock_bh(&conn->lock);
	smbdr_mr_give_all(conn, mrs, 0);
	spin_unlock_bh(&conn->lock);
}

/* Everything but posting. conn->rdma_sem held. */
static struct smbdr_kern_mr *smbdr_mr_prepare(struct smbdr_conn *conn, struct iov_iter *iter,
					      enum smbdr_kern_access access)
{
	bool source = access == SMBDR_KERN_REMOTE_READ;
	struct smbdr_kern_mr *buf;
	struct smbdr_sgl sgl;
	LIST_HEAD(mrs);
	int ret;
	u32 nr;

	ret = smbdr_sgl_map(&sgl, conn->pd->device, iter,
			    source ? DMA_TO_DEVICE : DMA_FROM_DEVICE);
	if (ret)
		return ERR_PTR(ret);
	nr = smbdr_mr_count(conn, &sgl);
	ret = -EMSGSIZE;
	if (nr > conn->sizing.max_mrs)
		goto unmap;
	ret = -ENOMEM;
	buf = smbdr_fault(mr_buf) ? NULL : kzalloc(struct_size(buf, descs, nr), GFP_NOIO);
	if (!buf)
		goto unmap;
	ret = smbdr_mr_take(conn, nr, &mrs);
	if (ret)
		goto free;
	buf->conn = conn;
	buf->nr = nr;
	buf->sgl = sgl;
	INIT_LIST_HEAD(&buf->list);
	INIT_LIST_HEAD(&buf->mrs);
	init_completion(&buf->quiet);
	init_completion(&buf->gone);
	/* Remote write needs local write as well, InfiniBand says. */
	ret = smbdr_mr_fill(buf, &mrs, source ? IB_ACCESS_REMOTE_READ :
			    IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE);
	if (ret < 0)
		list_splice_init(&buf->mrs, &mrs);
	smbdr_mr_put_back(conn, &mrs);
	if (ret < 0)
		goto free;
	buf->nr = ret;
	return buf;

free:
	kfree(buf);
unmap:
	smbdr_sgl_unmap(&sgl, conn->pd->device);
	return ERR_PTR(ret);
}

/**
 * smbdr_mr_register - let the peer read or write memory, [MS-SMBD] 3.1.4.3
 * @conn: the connection
 * @iter: the memory, all that is left in it
 * @access: what the peer may do
 *
 * Context: process; may sleep, for memory and in line for regions.
 *
 * Return: the buffer, or ERR_PTR: see smbdr_kern_mr_register().
 */
struct smbdr_kern_mr *smbdr_mr_register(struct smbdr_conn *conn, struct iov_iter *iter,
					enum smbdr_kern_access access)
{
	struct smbdr_kern_mr *buf;
	int ret;

	ret = smbdr_sgl_check(iter, access == SMBDR_KERN_REMOTE_READ);
	if (ret)
		return ERR_PTR(ret);
	down_read(&conn->rdma_sem);
	spin_lock_bh(&conn->lock);
	ret = smbdr_conn_may_rdma(conn);
	if (!ret && iov_iter_count(iter) > conn->neg.max_rw_size)
		ret = -EMSGSIZE;
	spin_unlock_bh(&conn->lock);
	if (ret) {
		up_read(&conn->rdma_sem);
		return ERR_PTR(ret);
	}

	buf = smbdr_mr_prepare(conn, iter, access);
	if (IS_ERR(buf)) {
		up_read(&conn->rdma_sem);
		return buf;
	}
	smbdr_conn_get(conn);
	ret = smbdr_mr_post(buf);
	if (ret && list_empty(&buf->list)) {
		/* Not posted: nobody knows of it. */
		smbdr_mr_put_back(conn, &buf->mrs);
		smbdr_sgl_unmap(&buf->sgl, conn->pd->device);
		up_read(&conn->rdma_sem);
		smbdr_conn_put(conn);
		kfree(buf);
		return ERR_PTR(ret);
	}
	up_read(&conn->rdma_sem);
	if (ret) {
		smbdr_mr_deregister(buf);
		return ERR_PTR(ret);
	}
	return buf;
}

/**
 * smbdr_mr_descs - what to tell the peer
 * @buf: the buffer
 * @nr: set to the number of descriptors
 *
 * Return: the descriptors, until the buffer is deregistered.
 */
const struct smbdr_kern_desc *smbdr_mr_descs(const struct smbdr_kern_mr *buf, u32 *nr)
{
	*nr = buf->nr;
	return buf->descs;
}

/* ----- deregistering ----- */

/* Begin to invalidate what the peer has not. conn->lock held. */
static void smbdr_mr_invalidate(struct smbdr_kern_mr *buf)
{
	struct smbdr_conn *conn = buf->conn;
	struct ib_send_wr *first = NULL, **link = &first;
	struct smbdr_mr *mr;

	list_for_each_entry(mr, &buf->mrs, list) {
		if (mr->state != SMBDR_MR_ACTIVE)
			continue;
		mr->state = SMBDR_MR_INVALIDATING;
		buf->busy++;
		mr->inv_seq = ++conn->sq_posted;
		memset(&mr->inv, 0, sizeof(mr->inv));
		mr->inv.opcode = IB_WR_LOCAL_INV;
		mr->inv.wr_cqe = &mr->inv_cqe;
		mr->inv.send_flags = IB_SEND_SIGNALED;
		mr->inv.ex.invalidate_rkey = mr->mr->rkey;
		*link = &mr->inv;
		link = &mr->inv.next;
	}
	smbdr_send_cq_update(conn);
	if (!buf->busy)
		complete(&buf->quiet);
	/* In any other state the teardown is on its way and ends the access. */
	if (!buf->busy || conn->state != SMBDR_ESTABLISHED || conn->flushed)
		return;
	/* A device that does not answer. */
	if (smbdr_fault(inv_lost))
		return;
	if (smbdr_fault(post_inv) ?: smbdr_fault_half(post_inv_half, conn->qp, first) ?:
	    ib_post_send(conn->qp, first, NULL))
		smbdr_qp_flushed(conn);
}

/**
 * smbdr_mr_deregister - end all remote access to a buffer, [MS-SMBD] 3.1.4.4
 * @buf: the buffer; freed
 *
 * Context: process; sleeps. Not from a completion.
 */
void smbdr_mr_deregister(struct smbdr_kern_mr *buf)
{
	struct smbdr_conn *conn = buf->conn;
	bool dead;

	spin_lock_bh(&conn->lock);
	if (!buf->dead)
		smbdr_mr_invalidate(buf);
	spin_unlock_bh(&conn->lock);
	if (!wait_for_completion_timeout(&buf->quiet,
					 msecs_to_jiffies(conn->params.keepalive_timeout))) {
		smbdr_stat_inc(conn->ns, SMBDR_STAT_TIMEOUTS);
		smbdr_conn_abort(conn, -ETIMEDOUT);
		wait_for_completion(&buf->quiet);
	}

	/* The device is there as long as the buffer is not dead and the semaphore held. */
	down_read(&conn->rdma_sem);
	spin_lock_bh(&conn->lock);
	dead = buf->dead;
	if (!dead) {
		list_del(&buf->list);
		smbdr_mr_give_all(conn, &buf->mrs, 0);
	}
	spin_unlock_bh(&conn->lock);
	if (!dead)
		smbdr_sgl_unmap(&buf->sgl, conn->pd->device);
	up_read(&conn->rdma_sem);
	/* It may have died since we looked: not ours before the teardown says so. */
	if (dead)
		wait_for_completion(&buf->gone);
	smbdr_conn_put(conn);
	kfree(buf);
}

/**
 * smbdr_mr_remote_inv - the peer has invalidated a region with its message
 * @conn: the connection
 * @rkey: the key that the device reports
 *
 * Context: conn->lock held.
 *
 * Return: false if no buffer has that key, which ends the connection.
 */
bool smbdr_mr_remote_inv(struct smbdr_conn *conn, u32 rkey)
{
	struct smbdr_mr *mr;

	lockdep_assert_held(&conn->lock);
	list_for_each_entry(mr, &conn->mrs, all) {
		if (!mr->buf || mr->mr->rkey != rkey)
			continue;
		if (mr->state == SMBDR_MR_ACTIVE && mr->reg_seq <= conn->sq_retired) {
			mr->state = SMBDR_MR_INVALID;
			smbdr_stat_inc(conn->ns, SMBDR_STAT_MR_INV_REMOTE);
		}
		/* Our own invalidation may be under way: both are right. */
		return true;
	}
	return false;
}

/**
 * smbdr_mr_kill - the teardown takes over
 * @conn: the connection, CLOSING and drained
 *
 * Returns when nobody uses the device from a caller's context any more. Context:
 * the teardown work.
 */
void smbdr_mr_kill(struct smbdr_conn *conn)
{
	struct smbdr_kern_mr *buf;

	spin_lock_bh(&conn->lock);
	list_for_each_entry(buf, &conn->mr_bufs, list) {
		buf->dead = true;
		INIT_LIST_HEAD(&buf->mrs);
	}
	spin_unlock_bh(&conn->lock);
	/* Those who saw it alive leave; those who come now see it dead. */
	down_write(&conn->rdma_sem);
	up_write(&conn->rdma_sem);
}

/**
 * smbdr_mr_release - end all registrations
 * @conn: the connection, after smbdr_mr_kill()
 *
 * Context: the teardown work.
 */
void smbdr_mr_release(struct smbdr_conn *conn)
{
	struct smbdr_kern_mr *buf, *next;
	struct smbdr_mr *mr, *tmp;

	list_for_each_entry_safe(mr, tmp, &conn->mrs, all) {
		ib_dereg_mr(mr->mr);
		kfree(mr);
	}
	INIT_LIST_HEAD(&conn->mrs);
	INIT_LIST_HEAD(&conn->mr_free);
	list_for_each_entry_safe(buf, next, &conn->mr_bufs, list) {
		smbdr_sgl_unmap(&buf->sgl, conn->pd->device);
		list_del_init(&buf->list);
		/* Freed by who deregisters, from here on. */
		complete_all(&buf->quiet);
		complete_all(&buf->gone);
	}
}
