// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sending: one ordered queue and one pump.
 *
 * smbdr_tx_pump() is [MS-SMBD] 3.1.5.1. It never sleeps and is called, under
 * conn->lock, by everything that can let it go on: a message was queued, the
 * peer granted credits, a send completed, a receive was given back, the
 * reader took something, the timer fired. So there is nothing to wait for in
 * here and nobody to wake: a writer waits on its socket for queue space.
 *
 * The fragments of a message follow each other because the head of the queue
 * stays there until its last one is posted, and a message without payload is
 * made only when the queue is empty: in between, grants and the keepalive
 * flag ride on the fragments. A receiver that follows 3.1.5.8 would end the
 * connection over an empty message between fragments.
 *
 * The slots are a ring. The last fragment of a message is signaled: its completion
 * tells that the message's memory is free (qp.c: sooner or later, as it matters), and that
 * the slots of the fragments before it are, of which only some are signaled. The headers
 * are one array, mapped once. Payload is mapped chunk by chunk when its first byte
 * is posted.
 */
#include <linux/errno.h>
#include <linux/slab.h>
#include "internal.h"
#include "trace.h"

#define SMBDR_HDR_STRIDE	32	/* a header, aligned */

static bool smbdr_tx_below_half(const struct smbdr_conn *conn)
{
	return conn->tx_mem <= READ_ONCE(conn->sndbuf) / 2;
}

/* Sends succeed in order: this one, and those before it that have no completion. */
static void smbdr_tx_retire(struct smbdr_conn *conn, const struct smbdr_send_slot *slot)
{
	u32 n = conn->sizing.sq_slots;
	u32 oldest = (conn->tx_next + n - conn->tx_posted) % n;

	conn->tx_posted -= (slot - conn->tx_slots + n - oldest) % n + 1;
}

static void smbdr_wc_send(struct ib_cq *cq, struct ib_wc *wc)
{
	struct smbdr_send_slot *slot = container_of(wc->wr_cqe, struct smbdr_send_slot, cqe);
	struct smbdr_conn *conn = cq->cq_context;
	struct smbdr_msg *msg;
	bool space = false;

	smbdr_fault_wc(send_done, wc);
	/* The poster may still hold the lock, and set slot->msg only now. */
	spin_lock_bh(&conn->lock);
	msg = slot->msg;
	slot->msg = NULL;
	if (msg) {
		bool was_above = !smbdr_tx_below_half(conn);

		conn->tx_bytes -= msg->length;
		WRITE_ONCE(conn->tx_mem, conn->tx_mem - msg->length - SMBDR_MSG_COST);
		/* An empty queue is below any limit, one that was lowered since as well. */
		space = !conn->tx_bytes || (was_above && smbdr_tx_below_half(conn));
	}
	if (wc->status == IB_WC_SUCCESS) {
		smbdr_tx_retire(conn, slot);
		smbdr_sq_retire(conn, slot->seq);
		smbdr_tx_pump(conn);
		smbdr_conn_check_drained(conn);
	}
	spin_unlock_bh(&conn->lock);

	if (msg) {
		smbdr_msg_unmap(msg, conn->pd->device);
		smbdr_msg_free(msg);
	}
	if (wc->status != IB_WC_SUCCESS)
		smbdr_qp_completion_error(conn, wc, -ECONNRESET);
	else if (space)
		smbdr_conn_upcall(conn, SMBDR_UPCALL_SPACE);
}

/*
 * The payload of one fragment: as much of the message as fits into @room
 * bytes and @max_sge entries. Returns the length, or a negative errno.
 */
static int smbdr_tx_payload(struct smbdr_conn *conn, struct smbdr_msg *msg, struct ib_sge *sge,
			    int max_sge, u32 room, int *nr)
{
	u32 len = 0;

	if (!msg->cur) {
		msg->cur = list_first_entry(&msg->chunks, struct smbdr_chunk, list);
		msg->cur_off = 0;
	}
	for (*nr = 0; *nr < max_sge && len < room && msg->sent + len < msg->length; (*nr)++) {
		struct smbdr_chunk *chunk = msg->cur;
		u32 part = min(room - len, chunk->len - msg->cur_off);
		int ret = smbdr_msg_map(chunk, conn->pd->device);

		if (ret)
			return ret;
		sge[*nr].addr = chunk->dma + msg->cur_off;
		sge[*nr].length = part;
		sge[*nr].lkey = conn->pd->local_dma_lkey;
		len += part;
		msg->cur_off += part;
		if (msg->cur_off == chunk->len && !list_is_last(&chunk->list, &msg->chunks)) {
			msg->cur = list_next_entry(chunk, list);
			msg->cur_off = 0;
		}
	}
	return len;
}

/* [MS-SMBD] 3.1.5.1: what every data message carries beside payload. */
static void smbdr_tx_header(struct smbdr_conn *conn, struct smbdr_data_hdr *hdr)
{
	hdr->credits_requested = conn->credits.send_target;
	hdr->credits_granted = smbdr_credits_spend(&conn->credits);
	hdr->flags = 0;
	if (conn->keepalive == SMBDR_KEEPALIVE_PENDING) {
		hdr->flags = SMBDR_FLAG_RESPONSE_REQUESTED;
		conn->keepalive = SMBDR_KEEPALIVE_SENT;
		/* More than it can have sent before this came. */
		if (conn->confirm_asks == 1)
			conn->confirm_left = conn->credits.announced + 1;
		smbdr_stat_inc(conn->ns, SMBDR_STAT_KEEPALIVE_SENT);
	}
	/* Any message answers; the answer itself does not ask for one. */
	conn->answer_owed = false;
}

/*
 * Does this send need a completion? The last fragment frees the message. Of the others one in a
 * quarter of the ring, so that it goes on being filled; and all behind a registration or a transfer
 * that is not known to be through, since each may be the last for want of credits. siw takes pages
 * from the memory of a long send without one (rw.c), which is slower than to copy them.
 */
static bool smbdr_tx_signal(const struct smbdr_conn *conn, const struct smbdr_data_hdr *hdr)
{
	return !hdr->remaining_length || conn->sq_posted != conn->sq_retired ||
	       conn->tx_unsignaled + 1 >= conn->sizing.sq_slots / 4 ||
	       (conn->iwarp && SMBDR_DATA_OFFSET + hdr->data_length >= PAGE_SIZE);
}

/*
 * Send one data message: the next fragment of @msg, or an empty one. Fails only if
 * the payload cannot be mapped.
 */
static int smbdr_tx_one(struct smbdr_conn *conn, struct smbdr_msg *msg)
{
	struct smbdr_send_slot *slot = &conn->tx_slots[conn->tx_next];
	u32 hdr_off = conn->tx_next * SMBDR_HDR_STRIDE;
	struct ib_sge sge[SMBDR_SEND_SGE];
	struct smbdr_data_hdr hdr = {};
	struct ib_send_wr wr = {};
	int ret, nr = 0;

	if (msg) {
		ret = smbdr_tx_payload(conn, msg, sge + 1, conn->sizing.max_send_sge - 1,
				       conn->neg.max_send_size - SMBDR_DATA_OFFSET, &nr);
		if (ret < 0)
			return ret;
		hdr.data_offset = SMBDR_DATA_OFFSET;
		hdr.data_length = ret;
		msg->sent += ret;
		hdr.remaining_length = msg->length - msg->sent;
	}
	smbdr_tx_header(conn, &hdr);

	sge[0].addr = conn->tx_hdrs_dma + hdr_off;
	sge[0].length = smbdr_wire_put_data(conn->tx_hdrs + hdr_off, &hdr);
	sge[0].lkey = conn->pd->local_dma_lkey;
	ib_dma_sync_single_for_device(conn->pd->device, sge[0].addr, sge[0].length,
				      DMA_TO_DEVICE);
	wr.wr_cqe = &slot->cqe;
	wr.sg_list = sge;
	wr.num_sge = 1 + nr;
	wr.opcode = IB_WR_SEND;
	/* [MS-SMBD] 3.1.5.4: with one of the fragments. The last: then all is there. */
	if (msg && msg->has_invalidate && !hdr.remaining_length) {
		wr.opcode = IB_WR_SEND_WITH_INV;
		wr.ex.invalidate_rkey = msg->invalidate_rkey;
	}
	if (smbdr_tx_signal(conn, &hdr))
		wr.send_flags = IB_SEND_SIGNALED;

	trace_smbdr_send(conn, &hdr);
	if (smbdr_fault(post_send) ?: ib_post_send(conn->qp, &wr, NULL)) {
		smbdr_qp_flushed(conn);
		return 0;
	}

	slot->seq = conn->sq_posted;
	conn->tx_next = (conn->tx_next + 1) % conn->sizing.sq_slots;
	conn->tx_posted++;
	conn->tx_unsignaled = wr.send_flags ? 0 : conn->tx_unsignaled + 1;
	conn->last_tx = jiffies;
	smbdr_stat_inc(conn->ns, SMBDR_STAT_MSG_SENT);
	smbdr_stat_add(conn->ns, SMBDR_STAT_CREDITS_GRANTED, hdr.credits_granted);
	if (!msg) {
		smbdr_stat_inc(conn->ns, SMBDR_STAT_EMPTY_SENT);
	} else if (!hdr.remaining_length) {
		list_del(&msg->list);
		slot->msg = msg;
		smbdr_stat_inc(conn->ns, SMBDR_STAT_FRAME_SENT);
		smbdr_stat_add(conn->ns, SMBDR_STAT_BYTES_SENT, msg->length);
	}
	return 0;
}

static void smbdr_tx_pump_all(struct smbdr_conn *conn)
{
	while (conn->state == SMBDR_ESTABLISHED && !conn->flushed) {
		struct smbdr_msg *msg = list_first_entry_or_null(&conn->tx_queue,
								 struct smbdr_msg, list);
		bool life = conn->answer_owed || conn->keepalive == SMBDR_KEEPALIVE_PENDING;
		int ret;

		smbdr_recv_refill(conn, msg || life, life);
		if (!msg && !life && !smbdr_credits_grant_due(&conn->credits))
			return;
		if (conn->tx_posted == conn->sizing.sq_slots)
			return;
		if (!smbdr_credits_may_send(&conn->credits)) {
			if (msg && !conn->tx_stalled)
				smbdr_stat_inc(conn->ns, SMBDR_STAT_CREDIT_STALLS);
			conn->tx_stalled = msg;
			return;
		}
		conn->tx_stalled = false;
		ret = smbdr_tx_one(conn, msg);
		if (ret) {
			smbdr_conn_abort_locked(conn, ret);
			return;
		}
	}
}

/**
 * smbdr_tx_pump - send whatever can be sent
 * @conn: the connection
 *
 * Context: conn->lock held.
 */
void smbdr_tx_pump(struct smbdr_conn *conn)
{
	lockdep_assert_held(&conn->lock);
	smbdr_tx_pump_all(conn);
	smbdr_send_cq_update(conn);
}

/**
 * smbdr_conn_send - queue a message
 * @conn: the connection
 * @msg: filled completely; the core's on success
 *
 * Context: process or softirq; does not sleep and does not wait for credits.
 *
 * Return: 0; -ENOTCONN if the connection is not established yet; -EPIPE if it
 * has ended or is about to; -EMSGSIZE if the peer does not take that much.
 */
int smbdr_conn_send(struct smbdr_conn *conn, struct smbdr_msg *msg)
{
	int ret = 0;

	spin_lock_bh(&conn->lock);
	if (conn->state < SMBDR_ESTABLISHED)
		ret = -ENOTCONN;
	else if (conn->state > SMBDR_ESTABLISHED || conn->shutting_down)
		ret = -EPIPE;
	else if (msg->length > conn->neg.max_fragmented_send_size || !msg->length)
		ret = -EMSGSIZE;
	if (!ret) {
		msg->cur = NULL;
		msg->sent = 0;
		list_add_tail(&msg->list, &conn->tx_queue);
		conn->tx_bytes += msg->length;
		WRITE_ONCE(conn->tx_mem, conn->tx_mem + msg->length + SMBDR_MSG_COST);
		smbdr_tx_pump(conn);
	}
	spin_unlock_bh(&conn->lock);
	return ret;
}

/**
 * smbdr_conn_tx_queued - what waits to be sent
 * @conn: the connection
 *
 * Completions that wait to be seen are looked at now, but not waited for: who asks again gets to
 * know.
 *
 * Context: process or softirq.
 *
 * Return: bytes of the messages that were accepted and whose completion has not been seen.
 */
u32 smbdr_conn_tx_queued(struct smbdr_conn *conn)
{
	if (READ_ONCE(conn->tx_bytes))
		smbdr_send_cq_look(conn);
	return READ_ONCE(conn->tx_bytes);
}

/**
 * smbdr_conn_tx_full - is as much waiting to be sent as may
 * @conn: the connection
 * @limit: how much may, bytes
 *
 * Each message counts with what it costs beside its bytes, as with what waits to be read: a
 * user who sends very many very small ones to a peer that takes few would need many times
 * the limit.
 *
 * Return: true if it is.
 */
bool smbdr_conn_tx_full(const struct smbdr_conn *conn, u32 limit)
{
	return READ_ONCE(conn->tx_mem) >= limit;
}

/**
 * smbdr_send_prepare - slots and headers for data messages
 * @conn: the connection, its queues made, not yet established
 *
 * Context: process; may sleep.
 *
 * Return: 0, -ENOMEM or -EIO.
 */
int smbdr_send_prepare(struct smbdr_conn *conn)
{
	struct ib_device *dev = conn->pd->device;
	u32 n = conn->sizing.sq_slots, i;
	int ret = -ENOMEM;

	conn->tx_slots = smbdr_fault(send_slots) ? NULL :
		kvcalloc(n, sizeof(*conn->tx_slots), GFP_KERNEL);
	conn->tx_hdrs = smbdr_fault(send_hdrs) ? NULL : kcalloc(n, SMBDR_HDR_STRIDE, GFP_KERNEL);
	if (!conn->tx_slots || !conn->tx_hdrs)
		goto fail;
	ret = smbdr_fault(send_hdrs_map) ?:
		smbdr_map_single(dev, conn->tx_hdrs, n * SMBDR_HDR_STRIDE, DMA_TO_DEVICE,
				 &conn->tx_hdrs_dma);
	if (ret)
		goto fail;
	for (i = 0; i < n; i++)
		conn->tx_slots[i].cqe.done = smbdr_wc_send;
	return 0;

fail:
	kvfree(conn->tx_slots);
	kfree(conn->tx_hdrs);
	conn->tx_slots = NULL;
	conn->tx_hdrs = NULL;
	return ret;
}

/**
 * smbdr_send_release - drop what was not sent
 * @conn: the connection, drained
 *
 * Context: the teardown work.
 */
void smbdr_send_release(struct smbdr_conn *conn)
{
	struct smbdr_msg *msg, *tmp;
	u32 i;

	/* Drained and CLOSING: nobody adds to or takes from the queue any more. */
	list_for_each_entry_safe(msg, tmp, &conn->tx_queue, list) {
		smbdr_msg_unmap(msg, conn->pd->device);
		smbdr_msg_free(msg);
	}
	INIT_LIST_HEAD(&conn->tx_queue);
	/* A send whose completion came too late, after the drain, or never. */
	for (i = 0; conn->tx_slots && i < conn->sizing.sq_slots; i++) {
		msg = conn->tx_slots[i].msg;
		if (!msg)
			continue;
		smbdr_msg_unmap(msg, conn->pd->device);
		smbdr_msg_free(msg);
	}
	WRITE_ONCE(conn->tx_bytes, 0);
	WRITE_ONCE(conn->tx_mem, 0);
	if (conn->tx_hdrs)
		ib_dma_unmap_single(conn->pd->device, conn->tx_hdrs_dma,
				    conn->sizing.sq_slots * SMBDR_HDR_STRIDE, DMA_TO_DEVICE);
	kfree(conn->tx_hdrs);
	kvfree(conn->tx_slots);
	conn->tx_hdrs = NULL;
	conn->tx_slots = NULL;
}
