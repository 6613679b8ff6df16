// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Receiving: [MS-SMBD] 3.1.5.8.
 *
 * Receive buffers are slots, mapped for the device once, made when the window
 * of credits grows and kept. A completion copies the payload into the message
 * being put together and gives the slot back at once, so slots never wait for a
 * reader or for the rest of a message: a message may come in 65536 pieces of one
 * byte and needs no more slots than any other. A complete message goes to
 * the queue of the reader.
 *
 * When the unread bytes exceed the receive buffer, the peer is granted only
 * what keeps the connection alive (enum smbdr_room), and beyond twice that
 * nothing but one credit each time the timer makes us say something, as long as that is
 * no more than SMBDR_BREATH_MEM: it may be spent on data. A message in the making does
 * not count: it has to be finished before anybody can read it, and its size is bounded by the
 * negotiation.
 *
 * Completions of the receive queue come one at a time, in process context,
 * and they alone touch the reassembly. Slots, credits and queue are under
 * conn->lock. Messages that the device had completed when the connection began to
 * end are taken in like any other.
 */
#include <linux/errno.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include "internal.h"
#include "trace.h"

/* Reclaim must not wait for a network file system that waits for us. */
#define SMBDR_RECV_GFP	(GFP_NOIO | __GFP_NOWARN)
/* The owner is told each time a message in the making has grown by this, bytes. */
#define SMBDR_RECV_STEP	SZ_64K
/* Two hours of messages of 8 KiB, one for half of the default keepalive interval. */
#define SMBDR_BREATH_MEM	SZ_1M

static enum smbdr_room smbdr_rx_room(struct smbdr_conn *conn)
{
	u32 buf = READ_ONCE(conn->rcvbuf);

	if (conn->rx_mem < buf) {
		conn->rx_throttled = false;
		return SMBDR_ROOM_OPEN;
	}
	if (!conn->rx_throttled) {
		smbdr_stat_inc(conn->ns, SMBDR_STAT_RX_THROTTLED);
		conn->rx_throttled = true;
		smbdr_conn_arm_timer(conn);
	}
	/* One message alone may be larger than any buffer. */
	return conn->rx_mem / 2 < buf || conn->rx_msgs < 2 ? SMBDR_ROOM_LOW : SMBDR_ROOM_NONE;
}

/*
 * A peer that has used up its credits can neither answer nor let us have new ones, and without a
 * grant we cannot spend our last one: both ends would be dead for each other.
 */
static bool smbdr_rx_breath(const struct smbdr_conn *conn)
{
	return conn->rx_breath && (!conn->credits.posted || conn->credits.send == 1) &&
		conn->rx_mem < 2ULL * READ_ONCE(conn->rcvbuf) + SMBDR_BREATH_MEM;
}

/* Take in one valid data message. Returns 1 if that completed an upper layer message. */
static int smbdr_rx_data(struct smbdr_conn *conn, const u8 *buf, const struct smbdr_data_hdr *hdr)
{
	int ret = smbdr_reasm_input(&conn->reasm, hdr->data_length, hdr->remaining_length);

	if (ret < 0)
		return ret;
	if (ret == SMBDR_REASM_EMPTY) {
		smbdr_stat_inc(conn->ns, SMBDR_STAT_EMPTY_RCVD);
		return 0;
	}
	if (!conn->rx_msg) {
		conn->rx_msg = smbdr_msg_alloc(conn->reasm.received + conn->reasm.remaining,
					       SMBDR_RECV_GFP);
		if (!conn->rx_msg)
			return -ENOMEM;
	}
	if (smbdr_msg_append(conn->rx_msg, buf + hdr->data_offset, hdr->data_length,
			     SMBDR_RECV_GFP))
		return -ENOMEM;
	return ret == SMBDR_REASM_DONE;
}

/* Note how much of a message is there. Returns true if the owner is to be told. */
static bool smbdr_rx_note(struct smbdr_conn *conn, bool done)
{
	u32 made = done || !conn->rx_msg ? 0 : conn->reasm.received;
	bool tell = made / SMBDR_RECV_STEP > conn->rx_made / SMBDR_RECV_STEP;

	WRITE_ONCE(conn->rx_made, made);
	return tell;
}

static void smbdr_rx_deliver(struct smbdr_conn *conn)
{
	struct smbdr_msg *msg = conn->rx_msg;

	lockdep_assert_held(&conn->lock);
	conn->rx_msg = NULL;
	list_add_tail(&msg->list, &conn->rx_queue);
	WRITE_ONCE(conn->rx_bytes, conn->rx_bytes + msg->length);
	WRITE_ONCE(conn->rx_msgs, conn->rx_msgs + 1);
	WRITE_ONCE(conn->rx_mem, conn->rx_mem + msg->length + SMBDR_MSG_COST);
	smbdr_stat_inc(conn->ns, SMBDR_STAT_FRAME_RCVD);
	smbdr_stat_add(conn->ns, SMBDR_STAT_BYTES_RCVD, msg->length);
}

/* The part of the header that concerns the connection itself. */
static int smbdr_rx_ledger(struct smbdr_conn *conn, const struct smbdr_data_hdr *hdr)
{
	if (hdr->flags & SMBDR_FLAG_RESPONSE_REQUESTED) {
		conn->answer_owed = true;
		smbdr_stat_inc(conn->ns, SMBDR_STAT_KEEPALIVE_RCVD);
	}
	return smbdr_credits_received(&conn->credits, hdr->credits_requested,
				      hdr->credits_granted);
}

static void smbdr_wc_recv(struct ib_cq *cq, struct ib_wc *wc)
{
	struct smbdr_recv_slot *slot = container_of(wc->wr_cqe, struct smbdr_recv_slot, cqe);
	struct smbdr_conn *conn = cq->cq_context;
	bool grown = false;
	struct smbdr_data_hdr hdr;
	int ret, done = 0;
	u32 slots;

	smbdr_fault_wc(recv_done, wc);
	if (wc->status != IB_WC_SUCCESS) {
		conn->rx_broken = true;
		smbdr_qp_recv_error(conn, wc);
		return;	/* the slot is found again through conn->rx_slots */
	}
	/* What follows a message that was not taken in cannot be understood. */
	if (conn->rx_broken)
		return;
	ib_dma_sync_single_for_cpu(conn->pd->device, slot->dma, conn->neg.max_recv_size,
				   DMA_FROM_DEVICE);
	/* An RDMA write with immediate data has a length, but put nothing into the slot. */
	ret = wc->opcode == IB_WC_RECV ?
		smbdr_wire_get_data(slot->data, wc->byte_len, &hdr) : -EBADMSG;

	spin_lock_bh(&conn->lock);
	/* Any message shows that the peer is alive, a bad one included. */
	conn->last_rx = jiffies;
	if (conn->confirm_asks && conn->keepalive == SMBDR_KEEPALIVE_NONE)
		conn->confirm_chatty = true;
	/* But nobody has answered the last question as long as it was not asked. */
	if (conn->keepalive == SMBDR_KEEPALIVE_SENT ||
	    (conn->keepalive == SMBDR_KEEPALIVE_PENDING && !conn->confirm_asks)) {
		conn->keepalive = SMBDR_KEEPALIVE_NONE;
		/* It was to run when the answer is overdue; the next question may be due before. */
		smbdr_conn_arm_timer(conn);
	}
	if (conn->confirm_left)
		conn->confirm_left--;
	smbdr_stat_inc(conn->ns, SMBDR_STAT_MSG_RCVD);
	if (!ret && wc->wc_flags & IB_WC_WITH_INVALIDATE &&
	    !smbdr_mr_remote_inv(conn, wc->ex.invalidate_rkey))
		ret = -EBADMSG;
	if (!ret)
		ret = smbdr_rx_ledger(conn, &hdr);
	spin_unlock_bh(&conn->lock);

	if (!ret) {
		trace_smbdr_recv(conn, &hdr);
		ret = smbdr_rx_data(conn, slot->data, &hdr);
	}

	spin_lock_bh(&conn->lock);
	list_add(&slot->list, &conn->rx_free);
	if (ret < 0) {
		conn->rx_broken = true;
		if (ret != -ENOMEM) {
			smbdr_stat_inc(conn->ns, SMBDR_STAT_PROTO_ERRORS);
			ret = -ECONNABORTED;
		}
		smbdr_conn_abort_locked(conn, ret);
	} else {
		done = ret;
		if (done)
			smbdr_rx_deliver(conn);
		grown = smbdr_rx_note(conn, done);
		slots = conn->rx_nr_slots;
		smbdr_tx_pump(conn);
		grown |= conn->rx_nr_slots != slots;
		smbdr_conn_check_drained(conn);
	}
	spin_unlock_bh(&conn->lock);
	if (done)
		smbdr_conn_upcall(conn, SMBDR_UPCALL_DATA);
	else if (grown)
		smbdr_conn_upcall(conn, SMBDR_UPCALL_MEMORY);
}

static struct smbdr_recv_slot *smbdr_recv_slot_get(struct smbdr_conn *conn)
{
	struct ib_device *dev = conn->pd->device;
	struct smbdr_recv_slot *slot;

	slot = list_first_entry_or_null(&conn->rx_free, struct smbdr_recv_slot, list);
	if (slot) {
		list_del(&slot->list);
		return slot;
	}
	slot = smbdr_fault(recv_slot) ? NULL : kmalloc(sizeof(*slot), GFP_ATOMIC | __GFP_NOWARN);
	if (!slot)
		return NULL;
	slot->data = smbdr_fault(recv_data) ? NULL :
		kmalloc(conn->neg.max_recv_size, GFP_ATOMIC | __GFP_NOWARN);
	if (!slot->data)
		goto free;
	if (smbdr_fault(recv_map) ?:
	    smbdr_map_single(dev, slot->data, conn->neg.max_recv_size, DMA_FROM_DEVICE,
			     &slot->dma))
		goto free;
	slot->cqe.done = smbdr_wc_recv;
	list_add(&slot->all, &conn->rx_slots);
	WRITE_ONCE(conn->rx_nr_slots, conn->rx_nr_slots + 1);
	return slot;
free:
	kfree(slot->data);
	kfree(slot);
	return NULL;
}

/**
 * smbdr_recv_refill - post the receives that the ledger wants
 * @conn: the connection
 * @saying: a message other than a pure grant waits to be sent
 * @must_grant: that message is a keepalive or the answer to one
 *
 * If memory is short fewer are posted. The next event tries again, and the timer: both
 * ends may be waiting for what could not be granted.
 *
 * Context: conn->lock held.
 */
void smbdr_recv_refill(struct smbdr_conn *conn, bool saying, bool must_grant)
{
	struct smbdr_recv_slot *slot;
	struct ib_recv_wr wr = {};
	enum smbdr_room room;
	struct ib_sge sge;
	u32 want, n;

	lockdep_assert_held(&conn->lock);
	room = smbdr_rx_room(conn);
	if (room == SMBDR_ROOM_NONE && smbdr_rx_breath(conn))
		room = SMBDR_ROOM_LOW;
	want = smbdr_credits_want(&conn->credits, saying, must_grant, room);
	wr.sg_list = &sge;
	wr.num_sge = 1;
	conn->rx_starved = false;
	for (n = 0; n < want; n++) {
		slot = smbdr_recv_slot_get(conn);
		if (!slot) {
			conn->rx_starved = true;
			conn->rx_retry = jiffies + msecs_to_jiffies(SMBDR_RECV_RETRY_MS);
			smbdr_conn_arm_timer(conn);
			break;
		}
		sge.addr = slot->dma;
		sge.length = conn->neg.max_recv_size;
		sge.lkey = conn->pd->local_dma_lkey;
		wr.wr_cqe = &slot->cqe;
		ib_dma_sync_single_for_device(conn->pd->device, slot->dma, sge.length,
					      DMA_FROM_DEVICE);
		if (smbdr_fault(post_recv) ?: ib_post_recv(conn->qp, &wr, NULL)) {
			list_add(&slot->list, &conn->rx_free);
			smbdr_qp_flushed(conn);
			break;
		}
		smbdr_credits_posted(&conn->credits, 1);
		conn->rx_breath = false;
	}
}

/**
 * smbdr_conn_rx_peek - the first complete message
 * @conn: the connection
 *
 * Context: one reader at a time; it may look until it calls smbdr_conn_rx_pop().
 *
 * Return: the message, still in the queue, or NULL.
 */
struct smbdr_msg *smbdr_conn_rx_peek(struct smbdr_conn *conn)
{
	struct smbdr_msg *msg;

	spin_lock_bh(&conn->lock);
	msg = list_first_entry_or_null(&conn->rx_queue, struct smbdr_msg, list);
	spin_unlock_bh(&conn->lock);
	return msg;
}

/**
 * smbdr_conn_rx_next - the message behind another one
 * @conn: the connection
 * @msg: a message in its queue
 *
 * Context: the one reader.
 *
 * Return: the next message, still in the queue, or NULL.
 */
struct smbdr_msg *smbdr_conn_rx_next(struct smbdr_conn *conn, struct smbdr_msg *msg)
{
	struct smbdr_msg *next = NULL;

	spin_lock_bh(&conn->lock);
	if (!list_is_last(&msg->list, &conn->rx_queue))
		next = list_next_entry(msg, list);
	spin_unlock_bh(&conn->lock);
	return next;
}

/**
 * smbdr_conn_rx_pop - done with the first message
 * @conn: the connection, its queue not empty
 *
 * Context: the one reader. Does not sleep.
 */
void smbdr_conn_rx_pop(struct smbdr_conn *conn)
{
	struct smbdr_msg *msg;

	spin_lock_bh(&conn->lock);
	msg = list_first_entry(&conn->rx_queue, struct smbdr_msg, list);
	list_del(&msg->list);
	WRITE_ONCE(conn->rx_bytes, conn->rx_bytes - msg->length);
	WRITE_ONCE(conn->rx_msgs, conn->rx_msgs - 1);
	WRITE_ONCE(conn->rx_mem, conn->rx_mem - msg->length - SMBDR_MSG_COST);
	if (conn->rx_throttled)
		smbdr_tx_pump(conn);
	spin_unlock_bh(&conn->lock);
	smbdr_msg_free(msg);
}

/**
 * smbdr_conn_rx_queued - what waits to be read
 * @conn: the connection
 * @msgs: set to the number of messages if not NULL
 *
 * Return: bytes, without the headers that the socket adds.
 */
u32 smbdr_conn_rx_queued(const struct smbdr_conn *conn, u32 *msgs)
{
	if (msgs)
		*msgs = READ_ONCE(conn->rx_msgs);
	return READ_ONCE(conn->rx_bytes);
}

/**
 * smbdr_recv_release - free the slots and the message in the making
 * @conn: the connection, drained
 *
 * Complete messages stay for the reader. Context: the teardown work.
 */
void smbdr_recv_release(struct smbdr_conn *conn)
{
	struct smbdr_recv_slot *slot, *tmp;

	list_for_each_entry_safe(slot, tmp, &conn->rx_slots, all) {
		ib_dma_unmap_single(conn->pd->device, slot->dma, conn->neg.max_recv_size,
				    DMA_FROM_DEVICE);
		kfree(slot->data);
		kfree(slot);
	}
	INIT_LIST_HEAD(&conn->rx_slots);
	INIT_LIST_HEAD(&conn->rx_free);
	WRITE_ONCE(conn->rx_nr_slots, 0);
	smbdr_msg_free(conn->rx_msg);
	conn->rx_msg = NULL;
	WRITE_ONCE(conn->rx_made, 0);
}
