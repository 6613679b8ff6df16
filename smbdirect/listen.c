// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listeners, and what happens to a connection between its arrival and
 * accept().
 *
 * An arriving connection is accepted on the RDMA level and negotiated at once,
 * in the kernel: the peer's timer for the negotiation runs, and a server
 * that is slow to call accept() must not let it expire. Only few credits are
 * granted then, so one that waits costs little.
 *
 * A child is on one of two lists of its listener, pending until negotiated and
 * ready after. The list owns the creator's reference on the child; the child
 * holds one on the listener until it is torn down. Both count against the
 * backlog: whoever never negotiates is thrown out by its timer after seconds, a
 * ready one that dies without having sent anything leaves by itself, and one
 * with data stays, as it would with TCP.
 *
 * Locking: listener->lock protects lists, count and id; conn->lock may be taken
 * inside it.
 * Whoever takes listener->cm_id under the lock destroys the id, which waits for its
 * handler: close, or the work, which the handler queues when the id's device is removed.
 * While an id is being set up it is not there to be taken; a device that is lost then is
 * noted, and whoever sets the id up destroys it.
 */
#include <linux/slab.h>
#include <net/net_namespace.h>
#include "internal.h"
#include "trace.h"

/*
 * How many requests the connection manager may hold back. On iWARP it and the driver keep half a
 * kilobyte for each, and refuse what comes beyond that. We answer at once, but a burst of as many
 * as may wait for accept() has to find room.
 */
#define SMBDR_CM_BACKLOG_MIN	256
#define SMBDR_CM_BACKLOG_MAX	1024

/**
 * struct smbdr_listener - who waits for connections
 * @kref: one for the owner, one for each child that is not torn down
 * @ns: its namespace
 * @params: inherited by children
 * @lock: protects all below
 * @cm_id: NULL when closed or dead
 * @pending: children that negotiate
 * @ready: children to accept
 * @count: how many are on both lists
 * @backlog: how many may be
 * @closed: no more children
 * @lost: the device was removed while the id was being set up
 * @moved: the address went to another device, and nobody has followed it yet
 * @err: why it died, or 0
 * @owner_lock: held for reading during an upcall
 * @ops: upcalls
 * @owner: their argument
 * @work: makes a new id after the address moved to another device, or lets go of the one whose
 *	device was removed
 */
struct smbdr_listener {
	struct kref kref;
	struct smbdr_ns *ns;
	struct smbdr_params params;
	/* protects the lists, count, backlog, cm_id, closed and err */
	spinlock_t lock;
	struct rdma_cm_id *cm_id;
	struct list_head pending;
	struct list_head ready;
	int count;
	int backlog;
	bool closed;
	bool lost;
	bool moved;
	int err;
	rwlock_t owner_lock;
	const struct smbdr_conn_ops *ops;
	void *owner;
	struct work_struct work;
};

static void smbdr_listener_release(struct kref *kref)
{
	kfree(container_of(kref, struct smbdr_listener, kref));
}

static void smbdr_listener_put(struct smbdr_listener *l)
{
	kref_put(&l->kref, smbdr_listener_release);
}

static void smbdr_listener_upcall(struct smbdr_listener *l, bool state)
{
	read_lock_bh(&l->owner_lock);
	if (l->ops && state)
		l->ops->state_change(l->owner);
	else if (l->ops)
		l->ops->data_ready(l->owner);
	read_unlock_bh(&l->owner_lock);
}

static bool smbdr_listener_link(struct smbdr_listener *l, struct smbdr_conn *conn)
{
	bool ok;

	spin_lock_bh(&l->lock);
	ok = !l->closed && l->count < l->backlog;
	if (ok) {
		kref_get(&l->kref);
		conn->listener = l;
		list_add_tail(&conn->accept_link, &l->pending);
		l->count++;
	}
	spin_unlock_bh(&l->lock);
	if (!ok)
		smbdr_stat_inc(l->ns, SMBDR_STAT_BACKLOG_DROPS);
	return ok;
}

/* Our depths, given what the peer asks for in its request. */
static void smbdr_listener_depths(struct smbdr_conn *conn, const struct rdma_conn_param *p)
{
	u32 ird, ord;

	smbdr_params_match_depths(&conn->depths, p->initiator_depth, p->responder_resources);
	if (conn->iwarp &&
	    smbdr_params_get_ird_ord(p->private_data, p->private_data_len, &ird, &ord))
		smbdr_params_match_depths(&conn->depths, ird, ord);
}

/*
 * A connection arrives. Until it is linked, failing means to return non-zero:
 * the manager refuses the peer and destroys the id. From then on the child
 * owns its id, and failing means to abort it.
 */
static int smbdr_listener_request(struct smbdr_listener *l, struct rdma_cm_id *id,
				  const struct rdma_cm_event *event)
{
	const struct rdma_conn_param *req = &event->param.conn;
	struct rdma_conn_param param;
	struct smbdr_conn *conn;
	u8 private_data[8];
	u32 ird, ord;
	int ret;

	if (!smbdr_cm_device_ok(id, l->params.device_class))
		return -ENETUNREACH;
	conn = smbdr_conn_create(l->ns, &l->params);
	/* ENOMEM would drop the request on IB, and the peer would repeat it after seconds. */
	if (!conn)
		return -ECONNREFUSED;
	conn->passive = true;

	if (!smbdr_listener_link(l, conn)) {
		smbdr_conn_abort(conn, -ECONNREFUSED);
		smbdr_conn_put(conn);
		return -ECONNREFUSED;
	}

	/* The manager holds this id's handler mutex: no event is missed or early. */
	id->context = conn;
	id->event_handler = smbdr_cm_event;
	spin_lock_bh(&conn->lock);
	conn->cm_id = id;
	if (conn->state == SMBDR_NEW) {
		conn->deadline = jiffies + msecs_to_jiffies(conn->params.negotiate_timeout);
		smbdr_conn_set_state(conn, SMBDR_CONNECTING);
		smbdr_conn_arm_timer(conn);
	}
	spin_unlock_bh(&conn->lock);

	ret = smbdr_qp_create(conn, id);
	if (!ret)
		ret = smbdr_negotiate_prepare(conn);
	if (!ret) {
		bool legacy = conn->iwarp &&
			smbdr_params_get_ird_ord(req->private_data, req->private_data_len,
						 &ird, &ord);

		smbdr_listener_depths(conn, req);
		/* Who sent depths in private data wants ours there as well. */
		smbdr_cm_conn_param(conn, &param, legacy ? private_data : NULL);
		ret = smbdr_fault(accept) ?: rdma_accept(id, &param);
	}
	if (ret)
		smbdr_conn_abort(conn, ret);
	return 0;
}

/* Another id, or none. Context: l->lock held. */
static void smbdr_listener_queue(struct smbdr_listener *l)
{
	kref_get(&l->kref);
	/* The caller has a reference too, so this is not the last one. */
	if (!queue_work(smbdr_wq, &l->work))
		smbdr_listener_put(l);
}

/* After a move, when the listener has its id. Context: l->lock held. */
static void smbdr_listener_follow(struct smbdr_listener *l)
{
	if (l->closed || !l->moved)
		return;
	l->moved = false;
	smbdr_listener_queue(l);
}

static int smbdr_listener_event(struct rdma_cm_id *id, struct rdma_cm_event *event)
{
	struct smbdr_listener *l = id->context;
	bool died;

	switch (event->event) {
	case RDMA_CM_EVENT_CONNECT_REQUEST:
		return smbdr_listener_request(l, id, event);
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
		spin_lock_bh(&l->lock);
		died = l->cm_id == id;
		if (died) {
			l->err = -ENETDOWN;
			/*
			 * The device waits for its ids. Who destroys this one, the work or
			 * smbdr_listener_close(), waits for this handler.
			 */
			smbdr_listener_queue(l);
		} else {
			l->lost = true;
		}
		spin_unlock_bh(&l->lock);
		if (died)
			smbdr_listener_upcall(l, true);
		return 0;
	case RDMA_CM_EVENT_ADDR_CHANGE:
		spin_lock_bh(&l->lock);
		l->moved = true;
		if (l->cm_id == id)
			smbdr_listener_follow(l);
		spin_unlock_bh(&l->lock);
		return 0;
	default:
		return 0;
	}
}

static int smbdr_listener_cm_backlog(const struct smbdr_listener *l)
{
	return clamp(READ_ONCE(l->backlog), SMBDR_CM_BACKLOG_MIN, SMBDR_CM_BACKLOG_MAX);
}

static int smbdr_listener_new_id(struct smbdr_listener *l, const struct sockaddr_storage *addr,
				 struct rdma_cm_id **out)
{
	int ret = smbdr_cm_create_id(l->ns->net, smbdr_listener_event, l, l->params.device_class,
				     out);

	if (ret)
		return ret;
	rdma_set_reuseaddr(*out, 1);
	ret = smbdr_fault(rebind_addr) ?: rdma_bind_addr(*out, (struct sockaddr *)addr);
	if (!ret)
		ret = smbdr_fault(relisten) ?: rdma_listen(*out, smbdr_listener_cm_backlog(l));
	if (ret)
		rdma_destroy_id(*out);
	return ret;
}

/*
 * The address moved to another device (bonding does that): listen there. Or the device was removed:
 * let go of it.
 */
static void smbdr_listener_relisten(struct work_struct *work)
{
	struct smbdr_listener *l = container_of(work, struct smbdr_listener, work);
	struct net *net = l->ns->net;
	struct sockaddr_storage addr;
	struct rdma_cm_id *id, *old;
	int ret, err = 0;
	bool died;

	spin_lock_bh(&l->lock);
	died = l->err;
	old = l->cm_id;
	l->cm_id = NULL;
	if (old)
		addr = old->route.addr.src_addr;
	spin_unlock_bh(&l->lock);
	if (!old)
		goto out;
	/* The old id may have been all that kept the namespace. */
	get_net(net);
	rdma_destroy_id(old);
	if (died)
		goto put;
	spin_lock_bh(&l->lock);
	l->lost = false;
	l->moved = false;
	spin_unlock_bh(&l->lock);

	ret = smbdr_listener_new_id(l, &addr, &id);
	spin_lock_bh(&l->lock);
	if (!ret && !l->closed && !l->lost) {
		l->cm_id = id;
		id = NULL;
		smbdr_listener_follow(l);
	} else if (ret || l->lost) {
		err = ret ?: -ENETDOWN;
		l->err = err;
	}
	spin_unlock_bh(&l->lock);
	if (!ret && id)
		rdma_destroy_id(id);
	if (err)
		smbdr_listener_upcall(l, true);
put:
	put_net(net);
out:
	smbdr_listener_put(l);
}

/* One at a time, each with the lock: a child may be on its way to the other list. */
static void smbdr_listener_drop_all(struct smbdr_listener *l)
{
	struct smbdr_conn *conn;

	for (;;) {
		spin_lock_bh(&l->lock);
		conn = list_first_entry_or_null(&l->pending, struct smbdr_conn, accept_link) ?:
		       list_first_entry_or_null(&l->ready, struct smbdr_conn, accept_link);
		if (conn) {
			list_del_init(&conn->accept_link);
			l->count--;
		}
		spin_unlock_bh(&l->lock);
		if (!conn)
			break;
		smbdr_conn_abort(conn, -ECONNABORTED);
		smbdr_conn_put(conn);
	}
}

/* Nobody arrives any more, and the owner hears of nothing: he may go when this returns. */
static struct rdma_cm_id *smbdr_listener_mute(struct smbdr_listener *l)
{
	struct rdma_cm_id *id;

	write_lock_bh(&l->owner_lock);
	l->ops = NULL;
	write_unlock_bh(&l->owner_lock);

	spin_lock_bh(&l->lock);
	l->closed = true;
	id = l->cm_id;
	l->cm_id = NULL;
	spin_unlock_bh(&l->lock);
	return id;
}

/* The events of @id go to @context from here on; its handlers are locked out meanwhile. */
static void smbdr_listener_hand_over(struct rdma_cm_id *id, rdma_cm_event_handler handler,
				     void *context)
{
	rdma_lock_handler(id);
	id->context = context;
	id->event_handler = handler;
	rdma_unlock_handler(id);
}

static void smbdr_conn_put_id(struct smbdr_conn *conn, struct rdma_cm_id *id)
{
	spin_lock_bh(&conn->lock);
	conn->cm_id = id;
	spin_unlock_bh(&conn->lock);
}

/*
 * Listen with the id of @conn, which is in state NEW and bound. The teardown of
 * @conn cannot take the id: id_mutex is held.
 */
static int smbdr_listener_take_id(struct smbdr_listener *l, struct smbdr_conn *conn)
{
	struct rdma_cm_id *id = conn->cm_id;
	bool lost;
	int ret;

	smbdr_conn_put_id(conn, NULL);
	smbdr_listener_hand_over(id, smbdr_listener_event, l);
	ret = smbdr_fault(listen) ?: rdma_listen(id, smbdr_listener_cm_backlog(l));
	if (ret) {
		/* Back to where we were; what was lost meanwhile is not told again. */
		smbdr_listener_hand_over(id, smbdr_cm_event, conn);
		smbdr_conn_put_id(conn, id);
		if (l->lost || l->moved)
			smbdr_conn_abort(conn, -ENETDOWN);
		/* For a wildcard it may have listened on a device before it failed on another. */
		smbdr_listener_mute(l);
		smbdr_listener_drop_all(l);
		return ret;
	}

	spin_lock_bh(&l->lock);
	lost = l->lost;
	if (!lost) {
		l->cm_id = id;
		smbdr_listener_follow(l);
	}
	spin_unlock_bh(&l->lock);
	if (lost) {
		smbdr_listener_mute(l);
		rdma_destroy_id(id);
		smbdr_listener_drop_all(l);
	}
	smbdr_conn_abort(conn, lost ? -ENETDOWN : 0);
	return lost ? -ENETDOWN : 0;
}

/**
 * smbdr_listener_create - turn a bound connection into a listener
 * @conn: state NEW and bound; CLOSED soon after success
 * @params: what children inherit, already checked
 * @backlog: how many may wait, at least 1 is taken
 * @ops: upcalls; write_space is not used
 * @owner: their argument
 * @out: the listener
 *
 * Context: process, may sleep, no socket lock held.
 *
 * Return: 0; -EINVAL if not bound; -EADDRINUSE; -ENETDOWN.
 */
int smbdr_listener_create(struct smbdr_conn *conn, const struct smbdr_params *params, int backlog,
			  const struct smbdr_conn_ops *ops, void *owner,
			  struct smbdr_listener **out)
{
	struct smbdr_listener *l;
	int ret;

	l = smbdr_fault(listener) ? NULL : kzalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return -ENOMEM;
	kref_init(&l->kref);
	l->ns = conn->ns;
	l->params = *params;
	spin_lock_init(&l->lock);
	rwlock_init(&l->owner_lock);
	INIT_LIST_HEAD(&l->pending);
	INIT_LIST_HEAD(&l->ready);
	INIT_WORK(&l->work, smbdr_listener_relisten);
	l->backlog = max(backlog, 1);
	l->ops = ops;
	l->owner = owner;

	mutex_lock(&conn->id_mutex);
	if (smbdr_conn_state(conn) != SMBDR_NEW)
		ret = smbdr_conn_error(conn) ?: -EINVAL;
	else if (!conn->cm_id)
		ret = -EINVAL;
	else
		ret = smbdr_listener_take_id(l, conn);
	mutex_unlock(&conn->id_mutex);
	if (ret)
		smbdr_listener_put(l);
	else
		*out = l;
	return ret;
}

/**
 * smbdr_listener_set_backlog - a second listen()
 * @l: the listener
 * @backlog: how many may wait, at least 1 is taken
 */
void smbdr_listener_set_backlog(struct smbdr_listener *l, int backlog)
{
	WRITE_ONCE(l->backlog, max(backlog, 1));
}

/**
 * smbdr_listener_child_ready - a child is negotiated
 * @conn: a passive connection in state ESTABLISHED or later
 *
 * Context: process, no lock held.
 */
void smbdr_listener_child_ready(struct smbdr_conn *conn)
{
	struct smbdr_listener *l = conn->listener;
	bool ready = false;

	/*
	 * Nobody but the list knows the child yet; conn->listener only changes
	 * under its lock, and to NULL. The child's reference keeps it there
	 * for as long as the connection is not torn down, which our caller,
	 * a completion of it, holds off.
	 */
	spin_lock_bh(&l->lock);
	if (!list_empty(&conn->accept_link)) {
		list_move_tail(&conn->accept_link, &l->ready);
		conn->accept_ready = true;
		ready = true;
	}
	spin_unlock_bh(&l->lock);
	if (ready)
		smbdr_listener_upcall(l, false);
}

/**
 * smbdr_listener_child_closed - a connection ended
 * @conn: the connection, passive or not, in state CLOSED
 *
 * Takes it off the list of its listener if nobody would miss it.
 *
 * Context: the teardown work.
 */
void smbdr_listener_child_closed(struct smbdr_conn *conn)
{
	struct smbdr_listener *l = conn->listener;
	bool drop = false;

	if (!l)
		return;
	spin_lock_bh(&l->lock);
	if (!list_empty(&conn->accept_link) && (!conn->accept_ready || !conn->rx_msgs)) {
		list_del_init(&conn->accept_link);
		l->count--;
		drop = true;
	}
	spin_unlock_bh(&l->lock);
	if (drop)
		smbdr_conn_put(conn);
	conn->listener = NULL;
	smbdr_listener_put(l);
}

/**
 * smbdr_listener_accept - take the first connection that waits
 * @l: the listener
 *
 * Context: process or softirq; does not sleep.
 *
 * Return: the connection with a reference, or NULL.
 */
struct smbdr_conn *smbdr_listener_accept(struct smbdr_listener *l)
{
	struct smbdr_conn *conn;

	spin_lock_bh(&l->lock);
	conn = list_first_entry_or_null(&l->ready, struct smbdr_conn, accept_link);
	if (conn) {
		list_del_init(&conn->accept_link);
		l->count--;
	}
	spin_unlock_bh(&l->lock);
	return conn;
}

/**
 * smbdr_listener_pending - is there anything to accept
 * @l: the listener
 *
 * Return: true if there is.
 */
bool smbdr_listener_pending(const struct smbdr_listener *l)
{
	return !list_empty_careful(&l->ready);
}

/**
 * smbdr_listener_error - has it died
 * @l: the listener
 *
 * Return: 0, or why: -ENETDOWN if the device of its address was removed.
 */
int smbdr_listener_error(const struct smbdr_listener *l)
{
	return READ_ONCE(l->err);
}

/**
 * smbdr_listener_close - stop listening
 * @l: the listener; gone after this
 *
 * Who was not accepted is ended. Context: process, may sleep, no socket lock
 * held. No upcall runs after return.
 */
void smbdr_listener_close(struct smbdr_listener *l)
{
	struct rdma_cm_id *id = smbdr_listener_mute(l);

	if (id)
		rdma_destroy_id(id);
	if (cancel_work_sync(&l->work))
		smbdr_listener_put(l);

	smbdr_listener_drop_all(l);
	smbdr_listener_put(l);
}
