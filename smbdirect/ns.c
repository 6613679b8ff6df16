// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network namespaces: the counters, and the list of the connections that are
 * alive in one.
 *
 * An id of the connection manager holds a reference on its namespace, so a
 * namespace with a bound or connected socket does not end before that is
 * closed. What is found on the list at its end is on its way out already, or
 * belongs to a kernel user that made a socket without a namespace reference and
 * never bound it: it is aborted and waited for.
 *
 * ns->lock protects the list only; conn->lock may be taken inside it.
 */
#include <linux/slab.h>
#include <linux/sched.h>
#include "internal.h"

const char * const smbdr_stat_names[SMBDR_STAT_MAX] = {
	[SMBDR_STAT_CONN_ACTIVE]	= "ConnActive",
	[SMBDR_STAT_CONN_PASSIVE]	= "ConnPassive",
	[SMBDR_STAT_CONN_FAILED]	= "ConnFailed",
	[SMBDR_STAT_CONN_CLOSED]	= "ConnClosed",
	[SMBDR_STAT_CONN_ABORTED]	= "ConnAborted",
	[SMBDR_STAT_PROTO_ERRORS]	= "ProtoErrors",
	[SMBDR_STAT_KEEPALIVE_SENT]	= "KeepaliveSent",
	[SMBDR_STAT_KEEPALIVE_RCVD]	= "KeepaliveRcvd",
	[SMBDR_STAT_TIMEOUTS]		= "Timeouts",
	[SMBDR_STAT_MSG_SENT]		= "MsgSent",
	[SMBDR_STAT_MSG_RCVD]		= "MsgRcvd",
	[SMBDR_STAT_EMPTY_SENT]		= "EmptySent",
	[SMBDR_STAT_EMPTY_RCVD]		= "EmptyRcvd",
	[SMBDR_STAT_FRAME_SENT]		= "FrameSent",
	[SMBDR_STAT_FRAME_RCVD]		= "FrameRcvd",
	[SMBDR_STAT_BYTES_SENT]		= "BytesSent",
	[SMBDR_STAT_BYTES_RCVD]		= "BytesRcvd",
	[SMBDR_STAT_CREDITS_GRANTED]	= "CreditsGranted",
	[SMBDR_STAT_CREDIT_STALLS]	= "CreditStalls",
	[SMBDR_STAT_RX_THROTTLED]	= "RxThrottled",
	[SMBDR_STAT_BACKLOG_DROPS]	= "BacklogDrops",
	[SMBDR_STAT_MR_REGISTERED]	= "MrRegistered",
	[SMBDR_STAT_MR_INV_LOCAL]	= "MrInvLocal",
	[SMBDR_STAT_MR_INV_REMOTE]	= "MrInvRemote",
	[SMBDR_STAT_RDMA_REQUESTS]	= "RdmaRequests",
	[SMBDR_STAT_RDMA_READS]		= "RdmaReads",
	[SMBDR_STAT_RDMA_WRITES]	= "RdmaWrites",
	[SMBDR_STAT_RDMA_READ_BYTES]	= "RdmaReadBytes",
	[SMBDR_STAT_RDMA_WRITE_BYTES]	= "RdmaWriteBytes",
};

/**
 * smbdr_ns_create - what the core keeps for a namespace
 * @net: the namespace, which outlives the result
 *
 * Return: the object or NULL.
 */
struct smbdr_ns *smbdr_ns_create(struct net *net)
{
	struct smbdr_ns *ns = smbdr_fault(ns) ? NULL : kzalloc(sizeof(*ns), GFP_KERNEL);

	if (!ns)
		return NULL;
	ns->net = net;
	INIT_LIST_HEAD(&ns->conns);
	spin_lock_init(&ns->lock);
	init_waitqueue_head(&ns->idle);
	return ns;
}

static bool smbdr_ns_idle(struct smbdr_ns *ns)
{
	bool idle;

	spin_lock_bh(&ns->lock);
	idle = list_empty(&ns->conns);
	spin_unlock_bh(&ns->lock);
	return idle;
}

/**
 * smbdr_ns_destroy - end of a namespace
 * @ns: what smbdr_ns_create() gave
 *
 * Context: process; waits until the last teardown is through.
 */
void smbdr_ns_destroy(struct smbdr_ns *ns)
{
	struct smbdr_conn *conn;

	spin_lock_bh(&ns->lock);
	list_for_each_entry(conn, &ns->conns, ns_link)
		smbdr_conn_abort(conn, -ENETDOWN);
	spin_unlock_bh(&ns->lock);
	wait_event(ns->idle, smbdr_ns_idle(ns));
	/* The last work items may still be on their way out of our code. */
	flush_workqueue(smbdr_wq);
	kfree(ns);
}

/**
 * smbdr_ns_stat - read a counter
 * @ns: the namespace
 * @s: which
 *
 * Return: its value; exact when nothing moves.
 */
u64 smbdr_ns_stat(const struct smbdr_ns *ns, enum smbdr_stat s)
{
	return atomic64_read(&ns->stats[s]);
}
