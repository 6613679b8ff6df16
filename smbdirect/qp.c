// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Queue pair, completion queues and protection domain of a connection.
 *
 * Made in an event of the connection manager (process context, the id's
 * handlers serialised), destroyed by the teardown work. Sizes come from
 * params.c, cut to the device's limits; one work request of each queue is kept for
 * draining. Completions are polled on a workqueue, so every handler runs in
 * process context, one at a time for each of the two queues.
 *
 * Completions of sends wait in their queue until somebody needs one. A short message has
 * nothing to give back that could not wait for the next ones, and of the switches between
 * threads that a round trip costs, every third was one to the worker. So the event of that
 * queue is only noted, and the worker starts when smbdr_send_cq_needed() says so. For that
 * our handler stands before the one of the RDMA core, which starts the worker and nothing
 * else: the one place where we rely on how the core does something. A send that fails is not
 * noticed late: it takes the queue pair with it, which drivers tell of, and flushed receives
 * are events of the other queue.
 *
 * The device must be able to register memory by work request: SMB Direct is
 * pointless without, and refusing early is clearer than failing later.
 */
#include <linux/errno.h>
#include "internal.h"
#include "trace.h"

/* Start the worker if there was an event that it has not been told of. Context: any. */
static void smbdr_send_cq_tell(struct smbdr_conn *conn)
{
	if (atomic_xchg(&conn->send_cq_event, 0))
		conn->send_cq_work(conn->send_cq, conn->send_cq->cq_context);
}

/*
 * What matters arrives as a failed completion or an event of the id; the completion may be of a
 * send. Context: any. The completion queue outlives the queue pair.
 */
static void smbdr_qp_event(struct ib_event *event, void *context)
{
	smbdr_send_cq_tell(context);
}

static void smbdr_qp_limits(const struct ib_device *dev, struct smbdr_limits *lim)
{
	const struct ib_device_attr *a = &dev->attrs;

	lim->max_qp_wr = max(a->max_qp_wr, 0);
	lim->max_cqe = max(a->max_cqe, 0);
	lim->max_sge = max(a->max_send_sge, 0);
	lim->max_qp_rd_atom = max(a->max_qp_rd_atom, 0);
	lim->max_qp_init_rd_atom = max(a->max_qp_init_rd_atom, 0);
	lim->max_sge_rd = max(a->max_sge_rd, 0);
	lim->max_reg_pages = a->max_fast_reg_page_list_len;
}

/* Context: any; the device's lock of the queue and conn->lock may be held. */
static void smbdr_send_cq_event(struct ib_cq *cq, void *context)
{
	struct smbdr_conn *conn = cq->cq_context;

	atomic_set(&conn->send_cq_event, 1);
	smp_mb(); /* pairs with smbdr_send_cq_update(); of the two, one sees what the other wrote */
	if (READ_ONCE(conn->send_cq_wanted))
		smbdr_send_cq_tell(conn);
}

/*
 * Must completions of sends be seen soon? Yes when somebody waits for one or may do so, when they
 * hold much, and when there is nothing but them to tell of the end of something: without a
 * receive, that of the connection. Whatever makes this true is followed by smbdr_send_cq_update().
 */
static bool smbdr_send_cq_needed(const struct smbdr_conn *conn)
{
	return conn->state != SMBDR_ESTABLISHED || conn->flushed || conn->shutting_down ||
	       !list_empty(&conn->tx_queue) || !conn->credits.posted ||
	       conn->tx_posted >= min(SMBDR_LAZY_SENDS, conn->sizing.sq_slots / 2) ||
	       conn->tx_mem > min(SMBDR_LAZY_MEM, READ_ONCE(conn->sndbuf) / 2) ||
	       conn->sq_posted != conn->sq_retired || !smbdr_rw_idle(conn);
}

/**
 * smbdr_send_cq_update - something has changed that may make completions of sends urgent
 * @conn: the connection
 *
 * Context: conn->lock held.
 */
void smbdr_send_cq_update(struct smbdr_conn *conn)
{
	bool needed;

	lockdep_assert_held(&conn->lock);
	needed = smbdr_send_cq_needed(conn);
	if (needed == conn->send_cq_wanted)
		return;
	WRITE_ONCE(conn->send_cq_wanted, needed);
	smp_mb(); /* pairs with smbdr_send_cq_event() */
	if (needed)
		smbdr_send_cq_tell(conn);
}

/**
 * smbdr_send_cq_look - let the worker see what completions of sends there are
 * @conn: the connection
 *
 * Context: process or softirq.
 */
void smbdr_send_cq_look(struct smbdr_conn *conn)
{
	spin_lock_bh(&conn->lock);
	if (conn->state == SMBDR_ESTABLISHED)
		smbdr_send_cq_tell(conn);
	spin_unlock_bh(&conn->lock);
}

/**
 * smbdr_qp_create - queues for a connection
 * @conn: the connection
 * @id: its id, bound to a device
 *
 * Context: process, in a handler of @id.
 *
 * Return: 0; -EOPNOTSUPP if the device cannot register memory; -EINVAL if it is
 * too small; -ENOMEM and what the driver says. What was made is freed by the
 * teardown.
 */
int smbdr_qp_create(struct smbdr_conn *conn, struct rdma_cm_id *id)
{
	struct ib_device *dev = id->device;
	struct ib_qp_init_attr attr = {};
	struct smbdr_limits lim;
	struct ib_cq *cq;
	int ret;

	if (!(dev->attrs.device_cap_flags & IB_DEVICE_MEM_MGT_EXTENSIONS) ||
	    !dev->attrs.max_fast_reg_page_list_len)
		return -EOPNOTSUPP;

	smbdr_qp_limits(dev, &lim);
	ret = smbdr_params_sizing(&conn->params, &lim, &conn->sizing);
	if (ret)
		return ret;
	smbdr_params_depths(&conn->params, &lim, &conn->depths);
	conn->iwarp = rdma_protocol_iwarp(dev, id->port_num);

	conn->pd = ERR_PTR(smbdr_fault(pd)) ?: ib_alloc_pd(dev, 0);
	if (IS_ERR(conn->pd)) {
		ret = PTR_ERR(conn->pd);
		conn->pd = NULL;
		return ret;
	}
	cq = ERR_PTR(smbdr_fault(send_cq)) ?:
		ib_alloc_cq_any(dev, conn, conn->sizing.send_cqe, IB_POLL_WORKQUEUE);
	if (IS_ERR(cq))
		return PTR_ERR(cq);
	conn->send_cq = cq;
	conn->send_cq_work = cq->comp_handler;
	cq->comp_handler = smbdr_send_cq_event;
	cq = ERR_PTR(smbdr_fault(recv_cq)) ?:
		ib_alloc_cq_any(dev, conn, conn->sizing.recv_cqe, IB_POLL_WORKQUEUE);
	if (IS_ERR(cq))
		return PTR_ERR(cq);
	conn->recv_cq = cq;

	attr.event_handler = smbdr_qp_event;
	attr.qp_context = conn;
	attr.send_cq = conn->send_cq;
	attr.recv_cq = conn->recv_cq;
	attr.cap.max_send_wr = conn->sizing.max_send_wr;
	attr.cap.max_recv_wr = conn->sizing.max_recv_wr;
	attr.cap.max_send_sge = conn->sizing.max_send_sge;
	attr.cap.max_recv_sge = 1;
	attr.sq_sig_type = IB_SIGNAL_REQ_WR;
	attr.qp_type = IB_QPT_RC;
	attr.port_num = id->port_num;
	ret = smbdr_fault(qp) ?: rdma_create_qp(id, conn->pd, &attr);
	if (!ret)
		conn->qp = id->qp;
	return ret;
}

/**
 * smbdr_qp_drain - wait until every posted work request has come back
 * @conn: the connection; nothing happens if it has no queue pair
 *
 * Receives first: their handlers may post sends, not the other way round.
 * Context: the teardown work.
 */
void smbdr_qp_drain(struct smbdr_conn *conn)
{
	if (!conn->qp)
		return;
	ib_drain_rq(conn->qp);
	ib_drain_sq(conn->qp);
}

/**
 * smbdr_qp_destroy - free the queues
 * @conn: the connection, drained
 * @id: its id, or NULL
 *
 * Afterwards the device uses no memory of the connection and no completion
 * handler runs.
 *
 * Context: the teardown work.
 */
void smbdr_qp_destroy(struct smbdr_conn *conn, struct rdma_cm_id *id)
{
	if (conn->qp)
		rdma_destroy_qp(id);
	conn->qp = NULL;
	/* ib_free_cq() also ends the polling, which ib_destroy_cq() would not. */
	if (conn->recv_cq)
		ib_free_cq(conn->recv_cq);
	if (conn->send_cq)
		ib_free_cq(conn->send_cq);
	conn->recv_cq = NULL;
	conn->send_cq = NULL;
}

/**
 * smbdr_qp_release - free the protection domain
 * @conn: the connection, without queues, regions and mappings
 *
 * Context: the teardown work.
 */
void smbdr_qp_release(struct smbdr_conn *conn)
{
	if (conn->pd)
		ib_dealloc_pd(conn->pd);
	conn->pd = NULL;
}

/**
 * smbdr_qp_flushed - the queue pair is in error
 * @conn: the connection
 *
 * Told by a flushed work request, or by one that could not be posted. If the
 * peer disconnected, the event that tells so follows and decides between an
 * orderly end and a reset; the timer is for a driver that sends none. Until then
 * nothing is posted.
 *
 * Context: conn->lock held.
 */
void smbdr_qp_flushed(struct smbdr_conn *conn)
{
	lockdep_assert_held(&conn->lock);
	if (conn->flushed)
		return;
	conn->flushed = true;
	smbdr_send_cq_update(conn);
	conn->flush_deadline = jiffies + msecs_to_jiffies(SMBDR_FLUSH_GRACE_MS);
	smbdr_conn_arm_timer(conn);
}

/**
 * smbdr_qp_wc_errno - what a failed work request means
 * @status: of its completion
 *
 * Return: negative errno; 0 for a flush, which says nothing of the reason.
 */
int smbdr_qp_wc_errno(enum ib_wc_status status)
{
	switch (status) {
	case IB_WC_WR_FLUSH_ERR:
		return 0;
	case IB_WC_RETRY_EXC_ERR:
	case IB_WC_RESP_TIMEOUT_ERR:
		return -ETIMEDOUT;
	case IB_WC_REM_ACCESS_ERR:
	case IB_WC_REM_INV_REQ_ERR:
	case IB_WC_REM_OP_ERR:
		return -EREMOTEIO;
	default:
		return -ECONNRESET;
	}
}

/**
 * smbdr_qp_completion_error - a work request failed
 * @conn: the connection
 * @wc: the completion; only status and cqe are valid
 * @refused: what to call it if the peer's device has refused it, negative errno
 *
 * Context: completion handler, no lock held.
 */
void smbdr_qp_completion_error(struct smbdr_conn *conn, const struct ib_wc *wc, int refused)
{
	int err = smbdr_qp_wc_errno(wc->status);

	if (err == -EREMOTEIO)
		err = refused;
	trace_smbdr_wc_error(conn, wc->status);
	if (err) {
		smbdr_conn_abort(conn, err);
		return;
	}
	spin_lock_bh(&conn->lock);
	smbdr_qp_flushed(conn);
	spin_unlock_bh(&conn->lock);
}

/**
 * smbdr_qp_recv_error - a receive failed
 * @conn: the connection
 * @wc: the completion; only status and cqe are valid
 *
 * A message that is longer than its receive is the peer's fault. siw says so with LOC_LEN_ERR,
 * rxe with LOC_QP_OP_ERR, which for any other work request says nothing like it, and from another
 * driver may mean a receive that it does not understand: none of ours is such. A message that
 * invalidates a key of which the device does not know is as bad as one of which we do not.
 *
 * Context: completion handler, no lock held.
 */
void smbdr_qp_recv_error(struct smbdr_conn *conn, const struct ib_wc *wc)
{
	switch (wc->status) {
	case IB_WC_LOC_LEN_ERR:
	case IB_WC_LOC_QP_OP_ERR:
	case IB_WC_REM_INV_REQ_ERR:
		trace_smbdr_wc_error(conn, wc->status);
		smbdr_stat_inc(conn->ns, SMBDR_STAT_PROTO_ERRORS);
		smbdr_conn_abort(conn, -ECONNABORTED);
		break;
	default:
		smbdr_qp_completion_error(conn, wc, -ECONNRESET);
	}
}
