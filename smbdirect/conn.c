// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The connection: its life, its one way to end, its work and its timer.
 *
 * Lifetimes. A struct smbdr_conn is born in state NEW with two references.
 * One is the creator's, handed on to the socket or, for an arriving
 * connection, to the accept list of the listener. The other one is the
 * core's and lasts until the teardown work has run, so every connection has to
 * be ended by smbdr_conn_abort() or smbdr_conn_shutdown() before its owner
 * lets go. The struct outlives the device: after CLOSED it holds only what was
 * received and not yet read.
 *
 * States move forward only, in smbdr_conn_set_state(), under conn->lock.
 * Whatever goes wrong, in whatever context, ends in smbdr_conn_abort(): it
 * keeps the first error, moves to CLOSING and queues the work. The work is
 * the only place that waits for the device or destroys anything:
 * events of the connection manager must not destroy their own id, and device
 * removal waits in the manager until the id is gone, which is why
 * the work does not wait for the socket to be closed.
 *
 * Locking. conn->lock is innermost and taken with bottom halves off. Upcalls
 * run without it, under owner_lock for reading, which
 * smbdr_conn_set_owner() takes for writing: after that returns, no upcall to
 * the former owner is running.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include "internal.h"
#include "trace.h"

struct workqueue_struct *smbdr_wq;

static const struct smbdr_conn_ops smbdr_no_ops;

static bool smbdr_state_may_move(enum smbdr_state from, enum smbdr_state to)
{
	switch (to) {
	case SMBDR_NEW:
		return false;
	case SMBDR_CONNECTING:
		return from == SMBDR_NEW;
	case SMBDR_NEGOTIATING:
		return from == SMBDR_CONNECTING;
	case SMBDR_ESTABLISHED:
		return from == SMBDR_NEGOTIATING;
	case SMBDR_CLOSING:
		return from < SMBDR_CLOSING;
	case SMBDR_CLOSED:
		return from == SMBDR_CLOSING;
	}
	return false;
}

/**
 * smbdr_conn_set_state - the only place where the state changes
 * @conn: the connection
 * @state: the new state
 *
 * Context: conn->lock held.
 */
void smbdr_conn_set_state(struct smbdr_conn *conn, enum smbdr_state state)
{
	lockdep_assert_held(&conn->lock);
	WARN_ON_ONCE(!smbdr_state_may_move(conn->state, state));
	trace_smbdr_state(conn, conn->state, state, conn->err);
	if (state == SMBDR_ESTABLISHED)
		conn->was_established = true;
	/* Pairs with the acquire in smbdr_conn_state(). */
	smp_store_release(&conn->state, state);
	smbdr_send_cq_update(conn);
}

/**
 * smbdr_conn_state - the state of a connection
 * @conn: the connection
 *
 * Context: any.
 *
 * Return: the state. What was written before it is visible after this.
 */
enum smbdr_state smbdr_conn_state(const struct smbdr_conn *conn)
{
	/* Pairs with the release in smbdr_conn_set_state(). */
	return smp_load_acquire(&conn->state);
}

/**
 * smbdr_conn_error - why it ended
 * @conn: the connection, in state CLOSING or CLOSED
 *
 * Return: negative errno; 0 for an orderly end.
 */
int smbdr_conn_error(const struct smbdr_conn *conn)
{
	return READ_ONCE(conn->err);
}

/**
 * smbdr_conn_upcall - tell the owner
 * @conn: the connection
 * @what: which of the calls
 *
 * Context: process or softirq, no lock of the core held.
 */
void smbdr_conn_upcall(struct smbdr_conn *conn, enum smbdr_upcall what)
{
	void (*call)(void *owner) = NULL;

	read_lock_bh(&conn->owner_lock);
	switch (what) {
	case SMBDR_UPCALL_STATE:
		call = conn->ops->state_change;
		break;
	case SMBDR_UPCALL_DATA:
		call = conn->ops->data_ready;
		break;
	case SMBDR_UPCALL_SPACE:
		call = conn->ops->write_space;
		break;
	case SMBDR_UPCALL_MEMORY:
		call = conn->ops->memory;
		break;
	}
	if (call)
		call(conn->owner);
	read_unlock_bh(&conn->owner_lock);
}

/**
 * smbdr_conn_set_owner - who gets the upcalls
 * @conn: the connection
 * @ops: the calls, or NULL
 * @owner: their argument
 *
 * Returns when no upcall to the former owner is running any more. What
 * happened before is not repeated: look at the state and the queue.
 *
 * Context: process or softirq, not from an upcall.
 */
void smbdr_conn_set_owner(struct smbdr_conn *conn, const struct smbdr_conn_ops *ops, void *owner)
{
	write_lock_bh(&conn->owner_lock);
	conn->ops = ops ? ops : &smbdr_no_ops;
	conn->owner = owner;
	write_unlock_bh(&conn->owner_lock);
}

static void smbdr_conn_release(struct kref *kref)
{
	struct smbdr_conn *conn = container_of(kref, struct smbdr_conn, kref);
	struct smbdr_msg *msg, *tmp;

	list_for_each_entry_safe(msg, tmp, &conn->rx_queue, list)
		smbdr_msg_free(msg);
	kfree(conn);
}

/**
 * smbdr_conn_get - take a reference
 * @conn: the connection
 */
void smbdr_conn_get(struct smbdr_conn *conn)
{
	kref_get(&conn->kref);
}

/**
 * smbdr_conn_put - drop a reference
 * @conn: the connection; it was ended before its owner's reference is dropped
 *
 * Context: any.
 */
void smbdr_conn_put(struct smbdr_conn *conn)
{
	kref_put(&conn->kref, smbdr_conn_release);
}

/**
 * smbdr_conn_abort_locked - end a connection
 * @conn: the connection
 * @err: negative errno, or 0 for an orderly end
 *
 * Idempotent; the first error is kept. Context: conn->lock held.
 */
void smbdr_conn_abort_locked(struct smbdr_conn *conn, int err)
{
	lockdep_assert_held(&conn->lock);
	if (conn->state >= SMBDR_CLOSING)
		return;
	WRITE_ONCE(conn->err, err);
	smbdr_conn_set_state(conn, SMBDR_CLOSING);
	smbdr_mr_abort(conn);
	queue_work(smbdr_wq, &conn->work);
}

/**
 * smbdr_conn_abort - end a connection
 * @conn: the connection
 * @err: negative errno, or 0 for an orderly end
 *
 * Context: process or softirq; does not sleep.
 */
void smbdr_conn_abort(struct smbdr_conn *conn, int err)
{
	spin_lock_bh(&conn->lock);
	smbdr_conn_abort_locked(conn, err);
	spin_unlock_bh(&conn->lock);
}

/* When there was silence for long enough. */
static unsigned long smbdr_conn_settled(const struct smbdr_conn *conn)
{
	u32 ms = conn->confirm_chatty ? SMBDR_SETTLE_CHATTY_MS : SMBDR_SETTLE_MS;
	unsigned long at;

	/* The keepalive asks, and breaks the silence, not earlier than this. */
	at = conn->last_rx + msecs_to_jiffies(min(ms, conn->params.keepalive_interval));
	return time_before(conn->confirm_until, at) ? conn->confirm_until : at;
}

/*
 * On iWARP a completed send has been given to TCP, and closing that while the peer
 * still sends (credits, say) makes it a reset, which drops data. So there the peer is
 * asked for a message first. Its answer tells that what came before the question has
 * arrived, but cannot be told from what left before the question came. There is a proof
 * when more messages have come than it had credits for before it got the question; so
 * each answer is followed by another question. A peer that speaks for itself is soon there;
 * where it only answers, and has many credits, some questions and silence have to do. All of this
 * takes no longer than an answer may.
 *
 * Returns whether all has arrived, as far as can be known; asks, or lets the timer run, if not.
 */
static bool smbdr_conn_confirmed(struct smbdr_conn *conn)
{
	bool more;

	if (!conn->confirm_asks) {
		conn->confirm_left = U32_MAX;	/* until it was asked */
		conn->confirm_until = jiffies + msecs_to_jiffies(conn->params.keepalive_timeout);
	} else if (!conn->confirm_left) {
		return true;
	} else if (conn->keepalive != SMBDR_KEEPALIVE_NONE) {
		return false;
	}

	/* A peer that is silent for want of credits is near the proof as well. */
	more = conn->confirm_chatty ||
		min(conn->confirm_asks, conn->confirm_left) < SMBDR_CONFIRM_ASKS;
	more &= time_before(jiffies, conn->confirm_until);
	if (!conn->confirm_asks || (more && smbdr_credits_may_send(&conn->credits))) {
		conn->confirm_asks++;
		conn->rx_breath = true;
		conn->keepalive = SMBDR_KEEPALIVE_PENDING;
		conn->keepalive_deadline = jiffies +
			msecs_to_jiffies(conn->params.keepalive_timeout);
		smbdr_tx_pump(conn);
		smbdr_conn_arm_timer(conn);
		return false;
	}
	if (time_before(jiffies, smbdr_conn_settled(conn))) {
		smbdr_conn_arm_timer(conn);
		return false;
	}
	return true;
}

/**
 * smbdr_conn_check_drained - end a connection that was only kept to send
 * @conn: the connection
 *
 * Context: conn->lock held.
 */
void smbdr_conn_check_drained(struct smbdr_conn *conn)
{
	if (conn->state != SMBDR_ESTABLISHED || !conn->shutting_down || conn->tx_bytes ||
	    !smbdr_rw_idle(conn))
		return;
	/* On InfiniBand a completed send has arrived. */
	if (conn->iwarp && !smbdr_conn_confirmed(conn))
		return;
	if (!conn->tx_posted)
		smbdr_conn_abort_locked(conn, 0);
}

/**
 * smbdr_conn_shutdown - orderly end
 * @conn: the connection
 * @linger_ms: how long sending what is queued may take, ms
 *
 * [MS-SMBD] knows no message for it, and no half close: when the last byte has
 * left, the RDMA connection is disconnected. Context: process or softirq;
 * does not wait.
 */
void smbdr_conn_shutdown(struct smbdr_conn *conn, unsigned int linger_ms)
{
	spin_lock_bh(&conn->lock);
	if (conn->state == SMBDR_ESTABLISHED) {
		if (!conn->shutting_down) {
			conn->shutting_down = true;
			smbdr_send_cq_update(conn);
			conn->deadline = jiffies + msecs_to_jiffies(linger_ms);
		}
		smbdr_conn_check_drained(conn);
		smbdr_conn_arm_timer(conn);
	} else {
		smbdr_conn_abort_locked(conn, -ECONNABORTED);
	}
	spin_unlock_bh(&conn->lock);
}

/*
 * A peer whose credits we hold back cannot ask whether we are alive, and its
 * clock runs from our last message. So it gets one in good time, and a credit
 * with it if it has none, or it could not give us any for the next one.
 */
static unsigned long smbdr_conn_sign_due(const struct smbdr_conn *conn)
{
	return conn->last_tx + msecs_to_jiffies(conn->params.keepalive_interval / 2);
}

/**
 * smbdr_conn_arm_timer - let the timer run when something is due
 * @conn: the connection
 *
 * The time of the last message is only noted when one arrives; the timer,
 * when it runs, looks at it and goes to sleep again. Context: conn->lock held.
 */
void smbdr_conn_arm_timer(struct smbdr_conn *conn)
{
	unsigned long due;

	lockdep_assert_held(&conn->lock);
	switch (conn->state) {
	case SMBDR_CONNECTING:
	case SMBDR_NEGOTIATING:
		due = conn->deadline;
		break;
	case SMBDR_ESTABLISHED:
		if (conn->keepalive == SMBDR_KEEPALIVE_NONE)
			due = conn->last_rx + msecs_to_jiffies(conn->params.keepalive_interval);
		else
			due = conn->keepalive_deadline;
		/* Once: if something else is to be waited for by then, that leads to the end. */
		if (conn->confirm_asks && conn->keepalive == SMBDR_KEEPALIVE_NONE &&
		    time_before(jiffies, smbdr_conn_settled(conn)) &&
		    time_before(smbdr_conn_settled(conn), due))
			due = smbdr_conn_settled(conn);
		if (conn->shutting_down && time_before(conn->deadline, due))
			due = conn->deadline;
		if (!smbdr_rw_idle(conn) && time_before(smbdr_rw_due(conn), due))
			due = smbdr_rw_due(conn);
		if (conn->rx_throttled && time_before(smbdr_conn_sign_due(conn), due))
			due = smbdr_conn_sign_due(conn);
		if (conn->rx_starved && time_before(conn->rx_retry, due))
			due = conn->rx_retry;
		break;
	default:
		return;
	}
	if (conn->flushed)
		due = conn->flush_deadline;
	mod_delayed_work(smbdr_wq, &conn->timer,
			 time_after(due, jiffies) ? due - jiffies : 0);
}

/* [MS-SMBD] 3.1.6.2. The answer's time runs even if no credit lets us ask. */
static void smbdr_conn_idle(struct smbdr_conn *conn)
{
	unsigned long idle = msecs_to_jiffies(conn->params.keepalive_interval);

	if (conn->rx_throttled && time_after_eq(jiffies, smbdr_conn_sign_due(conn))) {
		conn->answer_owed = true;
		conn->rx_breath = true;
		/* Also if no credit lets it out now: not again at once. */
		conn->last_tx = jiffies;
		smbdr_tx_pump(conn);
	} else if (conn->rx_starved && time_after_eq(jiffies, conn->rx_retry)) {
		smbdr_tx_pump(conn);
	}
	if (conn->keepalive != SMBDR_KEEPALIVE_NONE) {
		if (time_after_eq(jiffies, conn->keepalive_deadline)) {
			smbdr_stat_inc(conn->ns, SMBDR_STAT_TIMEOUTS);
			smbdr_conn_abort_locked(conn, -ETIMEDOUT);
		}
		return;
	}
	if (time_before(jiffies, conn->last_rx + idle))
		return;
	conn->keepalive = SMBDR_KEEPALIVE_PENDING;
	conn->keepalive_deadline = jiffies + msecs_to_jiffies(conn->params.keepalive_timeout);
	conn->rx_breath = true;
	smbdr_tx_pump(conn);
}

static void smbdr_conn_timer(struct work_struct *work)
{
	struct smbdr_conn *conn = container_of(to_delayed_work(work), struct smbdr_conn, timer);
	bool grown;
	u32 slots;

	spin_lock_bh(&conn->lock);
	slots = conn->rx_nr_slots;
	if (conn->flushed && time_after_eq(jiffies, conn->flush_deadline))
		smbdr_conn_abort_locked(conn, -ECONNRESET);
	switch (conn->state) {
	case SMBDR_CONNECTING:
	case SMBDR_NEGOTIATING:
		if (time_after_eq(jiffies, conn->deadline)) {
			smbdr_stat_inc(conn->ns, SMBDR_STAT_TIMEOUTS);
			smbdr_conn_abort_locked(conn, -ETIMEDOUT);
		}
		break;
	case SMBDR_ESTABLISHED:
		if ((conn->shutting_down && time_after_eq(jiffies, conn->deadline)) ||
		    (!smbdr_rw_idle(conn) && time_after_eq(jiffies, smbdr_rw_due(conn)))) {
			smbdr_stat_inc(conn->ns, SMBDR_STAT_TIMEOUTS);
			smbdr_conn_abort_locked(conn, -ETIMEDOUT);
			break;
		}
		if (conn->confirm_asks)
			smbdr_conn_check_drained(conn);
		if (conn->state == SMBDR_ESTABLISHED)
			smbdr_conn_idle(conn);
		break;
	default:
		break;
	}
	smbdr_conn_arm_timer(conn);
	grown = conn->rx_nr_slots != slots;
	spin_unlock_bh(&conn->lock);
	if (grown)
		smbdr_conn_upcall(conn, SMBDR_UPCALL_MEMORY);
}

static void smbdr_conn_count_end(struct smbdr_conn *conn)
{
	/* One that never tried had no deadline: bound only, or now a listener. */
	if (!conn->deadline)
		return;
	if (!conn->was_established) {
		smbdr_stat_inc(conn->ns, SMBDR_STAT_CONN_FAILED);
		return;
	}
	smbdr_stat_inc(conn->ns, SMBDR_STAT_CONN_CLOSED);
	if (conn->err)
		smbdr_stat_inc(conn->ns, SMBDR_STAT_CONN_ABORTED);
}

static void smbdr_ns_unlink(struct smbdr_conn *conn)
{
	struct smbdr_ns *ns = conn->ns;

	spin_lock_bh(&ns->lock);
	list_del(&conn->ns_link);
	if (list_empty(&ns->conns))
		wake_up_all(&ns->idle);
	spin_unlock_bh(&ns->lock);
}

/*
 * The teardown: once, in this order, for every connection that ever was.
 * The DISCONNECTED event is not waited for: it does not come if the peer is
 * gone. Draining returns every posted work request, and the handlers of those
 * that had succeeded still take their data in; only then is the state CLOSED,
 * so that a reader sees everything before the end.
 */
static void smbdr_conn_teardown(struct work_struct *work)
{
	struct smbdr_conn *conn = container_of(work, struct smbdr_conn, work);
	struct rdma_cm_id *id;

	cancel_delayed_work_sync(&conn->timer);
	smbdr_conn_upcall(conn, SMBDR_UPCALL_STATE);

	mutex_lock(&conn->id_mutex);
	spin_lock_bh(&conn->lock);
	id = conn->cm_id;
	conn->cm_id = NULL;
	spin_unlock_bh(&conn->lock);
	mutex_unlock(&conn->id_mutex);

	if (id) {
		/*
		 * An event that saw an earlier state may still be at work on
		 * the queues; those that come from now on see CLOSING.
		 */
		rdma_lock_handler(id);
		rdma_unlock_handler(id);
	}
	if (conn->qp && !smbdr_fault(disconnect))
		rdma_disconnect(id);
	smbdr_qp_drain(conn);
	smbdr_mr_kill(conn);
	/* Some drivers drain too early: memory goes when the queues are gone. */
	smbdr_qp_destroy(conn, id);
	/* Regions go before the memory that they stand for. */
	smbdr_mr_release(conn);
	smbdr_rw_release(conn);
	smbdr_send_release(conn);
	smbdr_recv_release(conn);
	smbdr_negotiate_release(conn);
	smbdr_qp_release(conn);
	if (id)
		rdma_destroy_id(id);

	spin_lock_bh(&conn->lock);
	if (!conn->err && conn->was_established && conn->reasm.remaining)
		WRITE_ONCE(conn->err, -ECONNRESET);
	smbdr_conn_set_state(conn, SMBDR_CLOSED);
	spin_unlock_bh(&conn->lock);
	complete_all(&conn->closed);
	smbdr_conn_count_end(conn);
	smbdr_conn_upcall(conn, SMBDR_UPCALL_STATE);
	smbdr_listener_child_closed(conn);
	smbdr_ns_unlink(conn);
	smbdr_conn_put(conn);
}

/**
 * smbdr_conn_wait_closed - wait for the end of the end
 * @conn: the connection, in state CLOSING or CLOSED
 * @ms: how long at most; a fatal signal ends it as well
 *
 * Its address can be bound again after that. Context: process; sleeps, no socket lock
 * held, not from an upcall.
 *
 * Return: true if it has ended.
 */
bool smbdr_conn_wait_closed(struct smbdr_conn *conn, unsigned int ms)
{
	return wait_for_completion_killable_timeout(&conn->closed, msecs_to_jiffies(ms)) > 0;
}

/**
 * smbdr_conn_create - a connection in state NEW
 * @ns: its namespace
 * @params: its parameters, already checked
 *
 * Context: process; may sleep.
 *
 * Return: the connection with the caller's reference, or NULL.
 */
struct smbdr_conn *smbdr_conn_create(struct smbdr_ns *ns, const struct smbdr_params *params)
{
	struct smbdr_conn *conn = smbdr_fault(conn) ? NULL : kzalloc(sizeof(*conn), GFP_KERNEL);

	if (!conn)
		return NULL;
	kref_init(&conn->kref);
	kref_get(&conn->kref);	/* the core's */
	conn->ns = ns;
	conn->params = *params;
	spin_lock_init(&conn->lock);
	mutex_init(&conn->id_mutex);
	rwlock_init(&conn->owner_lock);
	conn->ops = &smbdr_no_ops;
	INIT_LIST_HEAD(&conn->tx_queue);
	INIT_LIST_HEAD(&conn->rx_slots);
	INIT_LIST_HEAD(&conn->rx_free);
	INIT_LIST_HEAD(&conn->rx_queue);
	init_rwsem(&conn->rdma_sem);
	INIT_LIST_HEAD(&conn->mrs);
	INIT_LIST_HEAD(&conn->mr_free);
	INIT_LIST_HEAD(&conn->mr_waiters);
	INIT_LIST_HEAD(&conn->mr_bufs);
	INIT_LIST_HEAD(&conn->rw_free);
	INIT_LIST_HEAD(&conn->rw_queue);
	INIT_LIST_HEAD(&conn->rw_posted);
	INIT_LIST_HEAD(&conn->rw_mrs);
	INIT_LIST_HEAD(&conn->rw_regions);
	INIT_LIST_HEAD(&conn->accept_link);
	INIT_WORK(&conn->work, smbdr_conn_teardown);
	init_completion(&conn->closed);
	INIT_DELAYED_WORK(&conn->timer, smbdr_conn_timer);
	conn->sndbuf = U32_MAX;
	conn->send_cq_wanted = true;	/* until it is established */
	conn->rcvbuf = SZ_1M;

	spin_lock_bh(&ns->lock);
	list_add_tail(&conn->ns_link, &ns->conns);
	spin_unlock_bh(&ns->lock);
	return conn;
}

/**
 * smbdr_conn_established - the negotiation succeeded
 * @conn: the connection, credits and queues ready
 *
 * Context: conn->lock held; the caller makes the upcall after dropping it.
 */
void smbdr_conn_established(struct smbdr_conn *conn)
{
	conn->last_rx = jiffies;
	conn->last_tx = jiffies;
	if (conn->cm_id) {
		conn->local = conn->cm_id->route.addr.src_addr;
		conn->peer = conn->cm_id->route.addr.dst_addr;
	}
	smbdr_conn_set_state(conn, SMBDR_ESTABLISHED);
	smbdr_stat_inc(conn->ns, conn->passive ? SMBDR_STAT_CONN_PASSIVE : SMBDR_STAT_CONN_ACTIVE);
	smbdr_conn_arm_timer(conn);
}

/**
 * smbdr_conn_addr - one end's address
 * @conn: the connection
 * @peer: the remote end's instead of ours
 * @addr: filled in
 *
 * Context: process or softirq.
 *
 * Return: false if there is no address: not bound or connected, or ended without
 * having been established.
 */
bool smbdr_conn_addr(struct smbdr_conn *conn, bool peer, struct sockaddr_storage *addr)
{
	addr->ss_family = AF_UNSPEC;
	spin_lock_bh(&conn->lock);
	if (conn->was_established) {
		*addr = peer ? conn->peer : conn->local;
	} else if (conn->cm_id) {
		const struct rdma_addr *a = &conn->cm_id->route.addr;

		*addr = peer ? a->dst_addr : a->src_addr;
	}
	spin_unlock_bh(&conn->lock);
	return addr->ss_family != AF_UNSPEC;
}

/**
 * smbdr_conn_mem - what the connection holds for messages
 * @conn: the connection
 *
 * Slots for receives, the messages of both queues, and what there is of the one that arrives.
 * Looked at without a lock: an upcall comes after what matters has changed.
 *
 * Context: any.
 *
 * Return: bytes.
 */
u64 smbdr_conn_mem(const struct smbdr_conn *conn)
{
	return (u64)READ_ONCE(conn->rx_nr_slots) * READ_ONCE(conn->neg.max_recv_size) +
	       READ_ONCE(conn->tx_mem) + READ_ONCE(conn->rx_mem) + READ_ONCE(conn->rx_made);
}

/**
 * smbdr_conn_info - what was negotiated, and the credits now
 * @conn: the connection
 * @info: filled in; zero before the connection is established
 *
 * Context: process or softirq; does not sleep, safe at any time.
 */
void smbdr_conn_info(struct smbdr_conn *conn, struct smbdirect_info *info)
{
	memset(info, 0, sizeof(*info));
	spin_lock_bh(&conn->lock);
	if (conn->was_established) {
		info->max_send_size = conn->neg.max_send_size;
		info->max_recv_size = conn->neg.max_recv_size;
		info->max_fragmented_send_size = conn->neg.max_fragmented_send_size;
		info->max_fragmented_recv_size = conn->neg.max_fragmented_recv_size;
		info->max_read_write_size = conn->neg.max_rw_size;
		info->send_credits = conn->credits.send;
		info->recv_credits = conn->credits.announced;
		info->recv_posted = conn->credits.posted;
		info->keepalive_interval = conn->params.keepalive_interval;
		info->max_region_pages = conn->sizing.mr_pages;
		info->initiator_depth = conn->depths.initiator_depth;
		info->responder_resources = conn->depths.responder_resources;
		info->device_class = conn->iwarp ? SMBDIRECT_DEVICE_IWARP : SMBDIRECT_DEVICE_IB;
	}
	spin_unlock_bh(&conn->lock);
}

/**
 * smbdr_conn_set_sndbuf - when the owner wants to hear of free space
 * @conn: the connection
 * @bytes: the limit; write_space is called when half of it is free. 1 stays until nothing waits
 *
 * Context: process or softirq.
 */
void smbdr_conn_set_sndbuf(struct smbdr_conn *conn, u32 bytes)
{
	if (READ_ONCE(conn->sndbuf) == bytes)
		return;
	spin_lock_bh(&conn->lock);
	/*
	 * Who was told to wait until nothing is queued, for want of memory, does so: the call
	 * that he was promised has to come, however much memory there is by now.
	 */
	if (conn->sndbuf != 1 || !conn->tx_bytes)
		WRITE_ONCE(conn->sndbuf, bytes);
	/* What was little may be much now. */
	smbdr_send_cq_update(conn);
	spin_unlock_bh(&conn->lock);
}

/**
 * smbdr_conn_set_rcvbuf - how much may wait unread
 * @conn: the connection
 * @bytes: above this the peer only gets the credits that life needs
 *
 * Context: process or softirq.
 */
void smbdr_conn_set_rcvbuf(struct smbdr_conn *conn, u32 bytes)
{
	if (READ_ONCE(conn->rcvbuf) == bytes)
		return;
	spin_lock_bh(&conn->lock);
	WRITE_ONCE(conn->rcvbuf, bytes);
	/* There may be room now. */
	if (conn->rx_throttled)
		smbdr_tx_pump(conn);
	spin_unlock_bh(&conn->lock);
}

/**
 * smbdr_core_init - start of the module
 *
 * Return: 0 or -ENOMEM.
 */
int smbdr_core_init(void)
{
	/* Reclaim may depend on us: a network file system writes through it. */
	smbdr_wq = smbdr_fault(workqueue) ? NULL :
		alloc_workqueue("net_smbdirect", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return smbdr_wq ? 0 : -ENOMEM;
}

/**
 * smbdr_core_exit - end of the module
 *
 * All namespaces are gone, and they waited for their connections.
 */
void smbdr_core_exit(void)
{
	destroy_workqueue(smbdr_wq);
}
