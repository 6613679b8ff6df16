// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The negotiate messages, both roles: [MS-SMBD] 3.1.5.2, 3.1.5.3, 3.1.5.6 and
 * 3.1.5.7. What to offer and what to accept is decided in params.c; here it
 * is sent, received, and turned into a connection that can carry data.
 *
 * One buffer of the connection serves for it: 512 bytes to receive into,
 * posted before the peer can send, and 32 to send from. It is freed with the
 * queues. A request can be completed by the device before the connection
 * manager reports ESTABLISHED; it is left in the buffer until that comes.
 * Whoever moves on, the event or the completion, finds that out under
 * conn->lock, so exactly one of them processes the message. One that was too
 * long for its receive waits likewise: before InfiniBand's manager has the
 * peer's RTU it cannot tell the peer of an end, who would stay connected.
 *
 * Receives for data are posted before the response leaves, and before the
 * first data message of the active side: the peer may use a credit at once.
 */
#include <linux/errno.h>
#include <linux/slab.h>
#include "internal.h"
#include "trace.h"

#define SMBDR_NEGO_SEND_SIZE	SMBDR_NEGOTIATE_RESP_SIZE
#define SMBDR_NEGO_BUF_SIZE	(SMBDR_NEGO_RECV_SIZE + SMBDR_NEGO_SEND_SIZE)

static void smbdr_wc_nego_send(struct ib_cq *cq, struct ib_wc *wc)
{
	struct smbdr_conn *conn = cq->cq_context;

	smbdr_fault_wc(nego_send_done, wc);
	if (wc->status != IB_WC_SUCCESS) {
		smbdr_qp_completion_error(conn, wc, -ECONNRESET);
		return;
	}
	spin_lock_bh(&conn->lock);
	if (conn->refusing)
		smbdr_conn_abort_locked(conn, -EPROTONOSUPPORT);
	spin_unlock_bh(&conn->lock);
}

/*
 * What the driver says when it does not take the request is of no use to a user.
 * Context: conn->lock held, or nobody else can send yet.
 */
static int smbdr_nego_post_send(struct smbdr_conn *conn, u32 len)
{
	struct ib_sge sge = {
		.addr	= conn->nego_dma + SMBDR_NEGO_RECV_SIZE,
		.length	= len,
		.lkey	= conn->pd->local_dma_lkey,
	};
	struct ib_send_wr wr = {
		.wr_cqe		= &conn->nego_send_cqe,
		.sg_list	= &sge,
		.num_sge	= 1,
		.opcode		= IB_WR_SEND,
		.send_flags	= IB_SEND_SIGNALED,
	};

	ib_dma_sync_single_for_device(conn->pd->device, sge.addr, len, DMA_BIDIRECTIONAL);
	if (smbdr_fault(nego_post_send) ?: ib_post_send(conn->qp, &wr, NULL))
		return -ECONNRESET;
	return 0;
}

/* Everything that needs both sides' values. Context: process, no lock. */
static int smbdr_nego_agree(struct smbdr_conn *conn, u16 requested, u16 granted)
{
	int ret;

	smbdr_reasm_init(&conn->reasm, conn->neg.max_fragmented_recv_size);
	smbdr_credits_init(&conn->credits, conn->params.send_credits,
			   min(conn->params.recv_credits, conn->sizing.recv_credits));
	smbdr_credits_negotiated(&conn->credits, requested, granted);
	ret = smbdr_send_prepare(conn);
	if (ret)
		return ret;

	spin_lock_bh(&conn->lock);
	/* Nothing may be posted behind the drain, which comes after CLOSING. */
	if (conn->state != SMBDR_NEGOTIATING)
		ret = -ECONNABORTED;
	else
		smbdr_recv_refill(conn, false, false);
	if (!ret && !conn->credits.posted)
		ret = conn->flushed ? -ECONNRESET : -ENOMEM;
	spin_unlock_bh(&conn->lock);
	return ret;
}

static void smbdr_nego_refuse(struct smbdr_conn *conn, u32 status)
{
	struct smbdr_negotiate_resp resp;
	int ret;

	smbdr_params_refusal(status, &resp);
	smbdr_wire_put_negotiate_resp(conn->nego_buf + SMBDR_NEGO_RECV_SIZE, &resp);
	spin_lock_bh(&conn->lock);
	if (conn->state == SMBDR_NEGOTIATING) {
		/* The end comes with the completion, or with the deadline. */
		conn->refusing = true;
		conn->deadline = jiffies + msecs_to_jiffies(SMBDR_REFUSE_MS);
		smbdr_conn_arm_timer(conn);
		ret = smbdr_nego_post_send(conn, SMBDR_NEGOTIATE_RESP_SIZE);
		if (ret)
			smbdr_conn_abort_locked(conn, ret);
	}
	spin_unlock_bh(&conn->lock);
}

static int smbdr_nego_request(struct smbdr_conn *conn, u32 len)
{
	struct smbdr_negotiate_req req;
	struct smbdr_negotiate_resp resp;
	bool established = false;
	int ret;

	ret = smbdr_wire_get_negotiate_req(conn->nego_buf, len, &req);
	if (ret)
		return ret;
	ret = smbdr_params_accept(&conn->params, &req, &conn->neg);
	if (ret == -EOPNOTSUPP) {
		smbdr_nego_refuse(conn, SMBDR_STATUS_NOT_SUPPORTED);
		return 0;
	}
	if (ret)
		return ret;
	if (smbdr_nego_agree(conn, req.credits_requested, 0)) {
		smbdr_nego_refuse(conn, SMBDR_STATUS_INSUFFICIENT_RESOURCES);
		return 0;
	}

	spin_lock_bh(&conn->lock);
	if (conn->state == SMBDR_NEGOTIATING) {
		u16 granted = smbdr_credits_grant_initial(&conn->credits, req.credits_requested);

		smbdr_params_response(&conn->params, &conn->neg, granted, &resp);
		smbdr_wire_put_negotiate_resp(conn->nego_buf + SMBDR_NEGO_RECV_SIZE, &resp);
		ret = smbdr_nego_post_send(conn, SMBDR_NEGOTIATE_RESP_SIZE);
		/* The first data may overtake the completion of the response. */
		if (!ret) {
			smbdr_conn_established(conn);
			established = true;
		}
	}
	spin_unlock_bh(&conn->lock);
	if (established)
		smbdr_listener_child_ready(conn);
	return ret;
}

static int smbdr_nego_response(struct smbdr_conn *conn, u32 len)
{
	struct smbdr_negotiate_resp resp;
	bool established = false;
	int ret;

	ret = smbdr_wire_get_negotiate_resp(conn->nego_buf, len, &resp);
	if (ret)
		return ret;
	ret = smbdr_params_confirm(&conn->params, &resp, &conn->neg);
	if (ret)
		return ret;
	ret = smbdr_nego_agree(conn, resp.credits_requested, resp.credits_granted);
	if (ret)
		return ret;

	spin_lock_bh(&conn->lock);
	if (conn->state == SMBDR_NEGOTIATING) {
		smbdr_conn_established(conn);
		established = true;
		/* Until our first message arrives the peer cannot say anything. */
		smbdr_tx_pump(conn);
	}
	spin_unlock_bh(&conn->lock);
	if (established)
		smbdr_conn_upcall(conn, SMBDR_UPCALL_STATE);
	return 0;
}

/* The peer's negotiate message is in the buffer. Context: process, no lock. */
static void smbdr_nego_process(struct smbdr_conn *conn, u32 len)
{
	int ret;

	ib_dma_sync_single_for_cpu(conn->pd->device, conn->nego_dma, SMBDR_NEGO_RECV_SIZE,
				   DMA_BIDIRECTIONAL);
	if (conn->passive)
		ret = smbdr_nego_request(conn, len);
	else
		ret = smbdr_nego_response(conn, len);
	trace_smbdr_negotiated(conn, ret);
	if (!ret)
		return;
	if (ret == -EBADMSG) {
		smbdr_stat_inc(conn->ns, SMBDR_STAT_PROTO_ERRORS);
		ret = -ECONNABORTED;
	}
	smbdr_conn_abort(conn, ret);
}

static void smbdr_wc_nego_recv(struct ib_cq *cq, struct ib_wc *wc)
{
	struct smbdr_conn *conn = cq->cq_context;
	bool early, process;
	u32 len;

	smbdr_fault_wc(nego_recv_done, wc);
	/* No other operation than a plain send has put anything into the buffer. */
	len = wc->status == IB_WC_SUCCESS && wc->opcode == IB_WC_RECV &&
		!(wc->wc_flags & IB_WC_WITH_INVALIDATE) ? wc->byte_len : 0;
	spin_lock_bh(&conn->lock);
	process = conn->state == SMBDR_NEGOTIATING;
	early = conn->state == SMBDR_CONNECTING && (conn->passive || wc->status == IB_WC_SUCCESS);
	if (early) {
		/* Not zero even for an empty message, which is as bad as a short one. */
		conn->nego_len = len ?: 1;
		conn->nego_status = wc->status;
	}
	spin_unlock_bh(&conn->lock);
	if (early)
		return;
	if (wc->status != IB_WC_SUCCESS)
		smbdr_qp_recv_error(conn, wc);
	else if (process)
		smbdr_nego_process(conn, len);
}

/**
 * smbdr_negotiate_prepare - be ready for the peer's negotiate message
 * @conn: the connection, its queue pair made, not yet connected
 *
 * Context: process, in a handler of the id.
 *
 * Return: 0, -ENOMEM, -EIO, or what posting says.
 */
int smbdr_negotiate_prepare(struct smbdr_conn *conn)
{
	struct ib_device *dev = conn->pd->device;
	struct ib_recv_wr wr = {};
	struct ib_sge sge;
	int ret;

	conn->nego_send_cqe.done = smbdr_wc_nego_send;
	conn->nego_recv_cqe.done = smbdr_wc_nego_recv;
	conn->nego_buf = smbdr_fault(nego_buf) ? NULL : kzalloc(SMBDR_NEGO_BUF_SIZE, GFP_KERNEL);
	if (!conn->nego_buf)
		return -ENOMEM;
	ret = smbdr_fault(nego_map) ?:
		smbdr_map_single(dev, conn->nego_buf, SMBDR_NEGO_BUF_SIZE, DMA_BIDIRECTIONAL,
				 &conn->nego_dma);
	if (ret) {
		kfree(conn->nego_buf);
		conn->nego_buf = NULL;
		return ret;
	}
	sge.addr = conn->nego_dma;
	sge.length = SMBDR_NEGO_RECV_SIZE;
	sge.lkey = conn->pd->local_dma_lkey;
	wr.wr_cqe = &conn->nego_recv_cqe;
	wr.sg_list = &sge;
	wr.num_sge = 1;
	return smbdr_fault(nego_post_recv) ?: ib_post_recv(conn->qp, &wr, NULL);
}

/**
 * smbdr_negotiate_connected - RDMA is connected
 * @conn: the connection
 *
 * The active side sends its request; the passive one may have the peer's.
 * Context: process, in the ESTABLISHED event.
 */
void smbdr_negotiate_connected(struct smbdr_conn *conn)
{
	struct smbdr_negotiate_req req;
	u32 early = 0;
	int ret = 0;

	if (!conn->passive) {
		smbdr_params_request(&conn->params, &req);
		smbdr_wire_put_negotiate_req(conn->nego_buf + SMBDR_NEGO_RECV_SIZE, &req);
	}
	spin_lock_bh(&conn->lock);
	if (conn->state != SMBDR_CONNECTING) {
		spin_unlock_bh(&conn->lock);
		return;
	}
	smbdr_conn_set_state(conn, SMBDR_NEGOTIATING);
	if (conn->passive)
		early = conn->nego_len;
	else if (conn->nego_len)
		ret = -ECONNABORTED;	/* an answer before the question */
	else
		ret = smbdr_nego_post_send(conn, SMBDR_NEGOTIATE_REQ_SIZE);
	if (ret)
		smbdr_conn_abort_locked(conn, ret);
	spin_unlock_bh(&conn->lock);
	if (early && conn->nego_status != IB_WC_SUCCESS)
		smbdr_qp_recv_error(conn, &(struct ib_wc){ .status = conn->nego_status });
	else if (early)
		smbdr_nego_process(conn, early);
}

/**
 * smbdr_negotiate_release - free the buffer
 * @conn: the connection, drained
 */
void smbdr_negotiate_release(struct smbdr_conn *conn)
{
	if (!conn->nego_buf)
		return;
	ib_dma_unmap_single(conn->pd->device, conn->nego_dma, SMBDR_NEGO_BUF_SIZE,
			    DMA_BIDIRECTIONAL);
	kfree(conn->nego_buf);
	conn->nego_buf = NULL;
}
