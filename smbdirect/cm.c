// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events of the connection manager for a connection, and the active side.
 *
 * All events of an id come in process context, one at a time, with its
 * handler mutex held by the manager. A handler therefore never destroys its id
 * and never drains: it ends the connection with smbdr_conn_abort() and
 * returns 0, the work destroys. rdma_connect_locked() and rdma_accept() want
 * the mutex and so run here and in listen.c.
 *
 * The manager takes mutexes of its own inside; nothing here may be called
 * under a socket lock, because soft RDMA drivers open sockets while those
 * mutexes are held.
 *
 * Depths of RDMA reads: InfiniBand and RoCE report them from our point of view,
 * iWARP in the ESTABLISHED event from the peer's. An iWARP peer without MPA
 * version 2 can only tell them in 8 bytes of private data ([MS-SMBD] 6.1).
 */
#include <linux/errno.h>
#include "internal.h"
#include "trace.h"

/**
 * smbdr_cm_create_id - an id restricted to a class of devices
 * @net: namespace; the id holds a reference on it
 * @handler: gets the events
 * @context: with this
 * @device_class: enum smbdirect_device_class
 * @out: the id
 *
 * Context: process, may sleep; no socket lock held.
 *
 * Return: 0 or a negative errno.
 */
int smbdr_cm_create_id(struct net *net, rdma_cm_event_handler handler, void *context,
		       u8 device_class, struct rdma_cm_id **out)
{
	struct rdma_cm_id *id;
	int ret = 0;

	id = ERR_PTR(smbdr_fault(create_id)) ?:
		rdma_create_id(net, handler, context, RDMA_PS_TCP, IB_QPT_RC);
	if (IS_ERR(id))
		return PTR_ERR(id);
	if (device_class == SMBDIRECT_DEVICE_IB)
		ret = smbdr_fault(restrict_id) ?: rdma_restrict_node_type(id, RDMA_NODE_IB_CA);
	else if (device_class == SMBDIRECT_DEVICE_IWARP)
		ret = smbdr_fault(restrict_id) ?: rdma_restrict_node_type(id, RDMA_NODE_RNIC);
	if (ret) {
		rdma_destroy_id(id);
		return ret;
	}
	*out = id;
	return 0;
}

/**
 * smbdr_cm_device_ok - may this id's device be used
 * @id: an id that is bound to a device
 * @device_class: enum smbdirect_device_class
 *
 * Older kernels cannot restrict an id, so the device is looked at again.
 *
 * Return: true if it may.
 */
bool smbdr_cm_device_ok(struct rdma_cm_id *id, u8 device_class)
{
	bool iwarp = rdma_protocol_iwarp(id->device, id->port_num);

	switch (device_class) {
	case SMBDIRECT_DEVICE_IB:
		return !iwarp;
	case SMBDIRECT_DEVICE_IWARP:
		return iwarp;
	default:
		return true;
	}
}

/**
 * smbdr_cm_conn_param - parameters of connect and accept
 * @conn: the connection, its depths decided
 * @p: filled in
 * @private_data: 8 bytes of storage that live as long as @p, or NULL for none
 */
void smbdr_cm_conn_param(struct smbdr_conn *conn, struct rdma_conn_param *p, u8 *private_data)
{
	memset(p, 0, sizeof(*p));
	p->initiator_depth = conn->depths.initiator_depth;
	p->responder_resources = conn->depths.responder_resources;
	p->retry_count = 6;
	/* The credits guarantee a receive; a peer without one ends here. */
	p->rnr_retry_count = 0;
	if (conn->iwarp && private_data) {
		smbdr_params_put_ird_ord(private_data, &conn->depths);
		p->private_data = private_data;
		p->private_data_len = 8;
	}
}

/* What a driver says of an attempt that failed, if a user can know it, else @other. */
static int smbdr_cm_status(int status, int other)
{
	switch (status) {
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -ENOMEM:
	case -ETIMEDOUT:
		return status;
	default:
		return other;
	}
}

static int smbdr_cm_error(const struct rdma_cm_event *event)
{
	switch (event->event) {
	case RDMA_CM_EVENT_REJECTED:
		return -ECONNREFUSED;
	case RDMA_CM_EVENT_ADDR_ERROR:
	case RDMA_CM_EVENT_ROUTE_ERROR:
		/* No RDMA device on the way there is the same to a caller as no route. */
		if (event->status == -ENODEV || event->status == -ENOENT)
			return -ENETUNREACH;
		fallthrough;
	case RDMA_CM_EVENT_UNREACHABLE:
		return smbdr_cm_status(event->status, -EHOSTUNREACH);
	case RDMA_CM_EVENT_CONNECT_ERROR:
		return smbdr_cm_status(event->status, -ECONNRESET);
	default:
		return -ENETDOWN;
	}
}

static int smbdr_cm_route_resolved(struct smbdr_conn *conn, struct rdma_cm_id *id)
{
	struct rdma_conn_param param;
	u8 private_data[8];
	int ret;

	if (!smbdr_cm_device_ok(id, conn->params.device_class))
		return -ENETUNREACH;
	ret = smbdr_qp_create(conn, id);
	if (!ret)
		ret = smbdr_negotiate_prepare(conn);
	if (ret)
		return ret;
	smbdr_cm_conn_param(conn, &param, private_data);
	return smbdr_fault(connect) ?: rdma_connect_locked(id, &param);
}

static void smbdr_cm_established(struct smbdr_conn *conn, const struct rdma_cm_event *event)
{
	const struct rdma_conn_param *p = &event->param.conn;

	/* The passive side has decided on its depths when it accepted. */
	if (!conn->passive) {
		u32 ird, ord;

		if (conn->iwarp)
			smbdr_params_match_depths(&conn->depths, p->responder_resources,
						  p->initiator_depth);
		else
			smbdr_params_match_depths(&conn->depths, p->initiator_depth,
						  p->responder_resources);
		if (conn->iwarp &&
		    smbdr_params_get_ird_ord(p->private_data, p->private_data_len, &ird, &ord))
			smbdr_params_match_depths(&conn->depths, ird, ord);
	}
	smbdr_negotiate_connected(conn);
}

static void smbdr_cm_disconnected(struct smbdr_conn *conn, const struct rdma_cm_event *event)
{
	int err = 0;

	/* Before negotiation is through, or inside of a message, it is no orderly end. */
	spin_lock_bh(&conn->lock);
	if (conn->state != SMBDR_ESTABLISHED || event->status < 0)
		err = -ECONNRESET;
	smbdr_conn_abort_locked(conn, err);
	spin_unlock_bh(&conn->lock);
}

/**
 * smbdr_cm_event - an event of a connection's id
 * @id: the id, whose context is the connection
 * @event: the event
 *
 * Context: process; the id's handler mutex is held by the manager.
 *
 * Return: 0 always: the id is ours to destroy.
 */
int smbdr_cm_event(struct rdma_cm_id *id, struct rdma_cm_event *event)
{
	struct smbdr_conn *conn = id->context;
	int ret = 0;

	trace_smbdr_cm_event(conn, event->event, event->status);
	if (smbdr_conn_state(conn) >= SMBDR_CLOSING)
		return 0;

	switch (event->event) {
	case RDMA_CM_EVENT_ADDR_RESOLVED:
		ret = smbdr_fault(resolve_route) ?: rdma_resolve_route(id, SMBDR_RESOLVE_MS);
		break;
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
		ret = smbdr_cm_route_resolved(conn, id);
		break;
	case RDMA_CM_EVENT_ESTABLISHED:
		smbdr_cm_established(conn, event);
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
		smbdr_cm_disconnected(conn, event);
		break;
	case RDMA_CM_EVENT_TIMEWAIT_EXIT:
		/* Follows the end that we know of; if not, it is one. */
		ret = -ECONNRESET;
		break;
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
	case RDMA_CM_EVENT_ADDR_CHANGE:
		ret = -ENETDOWN;
		break;
	case RDMA_CM_EVENT_ADDR_ERROR:
	case RDMA_CM_EVENT_ROUTE_ERROR:
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
	case RDMA_CM_EVENT_REJECTED:
		ret = smbdr_cm_error(event);
		break;
	default:
		break;
	}
	if (ret)
		smbdr_conn_abort(conn, ret);
	return 0;
}

/* id_mutex held. */
static int smbdr_conn_need_id(struct smbdr_conn *conn)
{
	struct rdma_cm_id *id;
	int ret;

	if (conn->cm_id)
		return 0;
	ret = smbdr_cm_create_id(conn->ns->net, smbdr_cm_event, conn, conn->params.device_class,
				 &id);
	if (ret)
		return ret;
	spin_lock_bh(&conn->lock);
	conn->cm_id = id;
	spin_unlock_bh(&conn->lock);
	return 0;
}

/**
 * smbdr_conn_bind - give a connection or a listener to be a local address
 * @conn: in state NEW, not bound; one caller at a time
 * @addr: IPv4 or IPv6 address, port 0 for any
 * @reuse: share the port as SO_REUSEADDR says
 * @v6only: an IPv6 wildcard does not include IPv4
 *
 * Context: process, may sleep, no socket lock held.
 *
 * Return: 0; -EINVAL if bound; -EADDRINUSE; -EADDRNOTAVAIL if no RDMA device
 * of the class has the address; -ENETDOWN if the device went away since.
 */
int smbdr_conn_bind(struct smbdr_conn *conn, const struct sockaddr *addr, bool reuse, bool v6only)
{
	int ret;

	mutex_lock(&conn->id_mutex);
	if (smbdr_conn_state(conn) != SMBDR_NEW)
		ret = smbdr_conn_error(conn) ?: -EINVAL;
	else if (conn->cm_id)
		ret = -EINVAL;
	else
		ret = smbdr_conn_need_id(conn);
	if (ret)
		goto out;
	if (reuse)
		rdma_set_reuseaddr(conn->cm_id, 1);
	if (addr->sa_family == AF_INET6)
		rdma_set_afonly(conn->cm_id, v6only);
	ret = smbdr_fault(bind_addr) ?: rdma_bind_addr(conn->cm_id, (struct sockaddr *)addr);
	/* Older kernels bind to a device of the other class, if that has the address. */
	if (!ret && conn->cm_id->device &&
	    !smbdr_cm_device_ok(conn->cm_id, conn->params.device_class))
		ret = -ENODEV;
	if (ret) {
		struct rdma_cm_id *id = conn->cm_id;

		spin_lock_bh(&conn->lock);
		conn->cm_id = NULL;
		spin_unlock_bh(&conn->lock);
		rdma_destroy_id(id);
		if (ret == -ENODEV)
			ret = -EADDRNOTAVAIL;
	}
out:
	mutex_unlock(&conn->id_mutex);
	return ret;
}

/**
 * smbdr_conn_connect - start to connect
 * @conn: in state NEW, perhaps bound; one caller at a time
 * @dst: where to
 * @params: parameters, already checked; they replace those of creation
 *
 * The outcome comes as a state. Context: process, may sleep, no socket lock held.
 *
 * Return: 0 if it is under way; else the error, and the connection is ended
 * with it.
 */
int smbdr_conn_connect(struct smbdr_conn *conn, const struct sockaddr *dst,
		       const struct smbdr_params *params)
{
	struct rdma_cm_id *id;
	int ret;

	mutex_lock(&conn->id_mutex);
	if (smbdr_conn_state(conn) != SMBDR_NEW) {
		ret = smbdr_conn_error(conn) ?: -EINVAL;
		goto out;
	}
	conn->params = *params;
	ret = smbdr_conn_need_id(conn);
	if (ret) {
		smbdr_conn_abort(conn, ret);
		goto out;
	}
	id = conn->cm_id;

	/* Keeps the first event, and with it the teardown, away until we are done. */
	rdma_lock_handler(id);
	spin_lock_bh(&conn->lock);
	if (conn->state == SMBDR_NEW) {
		conn->deadline = jiffies + msecs_to_jiffies(params->connect_timeout);
		smbdr_conn_set_state(conn, SMBDR_CONNECTING);
		smbdr_conn_arm_timer(conn);
	} else {
		ret = conn->err ?: -ECONNABORTED;
	}
	spin_unlock_bh(&conn->lock);
	if (!ret) {
		ret = smbdr_fault(resolve_addr) ?:
			rdma_resolve_addr(id, NULL, dst, SMBDR_RESOLVE_MS);
		if (ret) {
			if (ret == -ENODEV || ret == -ENOENT)
				ret = -ENETUNREACH;
			smbdr_conn_abort(conn, ret);
		}
	}
	rdma_unlock_handler(id);
out:
	mutex_unlock(&conn->id_mutex);
	return ret;
}
