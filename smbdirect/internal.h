/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_INTERNAL_H
#define SMBDR_INTERNAL_H

/*
 * What the files of the core share. Lock order and contexts are on one page
 * in Documentation/networking/smbdirect-internals.rst; in short: nothing is
 * taken inside conn->lock, which is taken with bottom halves off; completions
 * and connection manager events run in process context.
 */
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/atomic.h>
#include <rdma/ib_verbs.h>
#include <rdma/rdma_cm.h>
#include "conn.h"
#include "credits.h"
#include "fault.h"
#include "reasm.h"
#include "wire.h"

/* [MS-SMBD] 3.1.4.1, 3.1.7.2: the first receive has at least 512 bytes. */
#define SMBDR_NEGO_RECV_SIZE	512
/* What a message costs beside its bytes, roughly: there may be very many very small ones. */
#define SMBDR_MSG_COST		256
/* Address and route resolution each; the connect timeout bounds the sum. */
#define SMBDR_RESOLVE_MS	5000
/* Silence before an end over iWARP, ms: longer than any on its way in a network for RDMA. */
#define SMBDR_SETTLE_MS		30
#define SMBDR_SETTLE_CHATTY_MS	300	/* if it says more than it is asked for */
/* Questions before silence is believed: more than a peer says by chance meanwhile. */
#define SMBDR_CONFIRM_ASKS	8
/* A flushed queue is followed by a DISCONNECTED event; if not, give up after this. */
#define SMBDR_FLUSH_GRACE_MS	(smbdr_fault_armed() ? 100 : 1000)
/* When memory for receives was short: until the next attempt. */
#define SMBDR_RECV_RETRY_MS	50
/* How long an orderly end by the peer's refusal or ours may take to be delivered. */
#define SMBDR_REFUSE_MS		2000

/**
 * enum smbdr_keepalive - [MS-SMBD] 3.1.1.1 KeepaliveRequested
 * @SMBDR_KEEPALIVE_NONE: nothing outstanding
 * @SMBDR_KEEPALIVE_PENDING: the next message asks for an answer
 * @SMBDR_KEEPALIVE_SENT: waiting for any message from the peer
 */
enum smbdr_keepalive {
	SMBDR_KEEPALIVE_NONE,
	SMBDR_KEEPALIVE_PENDING,
	SMBDR_KEEPALIVE_SENT,
};

/**
 * struct smbdr_recv_slot - a receive buffer and its work request
 * @cqe: completion, smbdr_wc_recv()
 * @list: in conn->rx_free, or not in any list while posted
 * @all: in conn->rx_slots, for the teardown
 * @dma: where the device sees @data; mapped for the slot's whole life
 * @data: max_recv_size bytes; memory of its own, because the device writes it
 *	while the CPU writes the lists
 */
struct smbdr_recv_slot {
	struct ib_cqe cqe;
	struct list_head list;
	struct list_head all;
	u64 dma;
	u8 *data;
};

/**
 * struct smbdr_send_slot - a work request of the send queue
 * @cqe: completion, smbdr_wc_send()
 * @msg: message whose last fragment this is, freed on completion
 * @seq: conn->sq_posted when it was posted
 */
struct smbdr_send_slot {
	struct ib_cqe cqe;
	struct smbdr_msg *msg;
	u64 seq;
};

/**
 * struct smbdr_sgl - memory of a caller, mapped for the device
 * @sg: pieces within a page each; NULL if not mapped
 * @orig_nents: their number
 * @nents: their number as the device sees them
 * @dir: what the device does
 */
struct smbdr_sgl {
	struct scatterlist *sg;
	u32 orig_nents;
	u32 nents;
	enum dma_data_direction dir;
};

/**
 * enum smbdr_mr_state - a memory region of a registered buffer
 * @SMBDR_MR_FREE: of none
 * @SMBDR_MR_ACTIVE: registered
 * @SMBDR_MR_INVALIDATING: we are invalidating it
 * @SMBDR_MR_INVALID: invalidated, by the peer or by us
 */
enum smbdr_mr_state {
	SMBDR_MR_FREE,
	SMBDR_MR_ACTIVE,
	SMBDR_MR_INVALIDATING,
	SMBDR_MR_INVALID,
};

/**
 * struct smbdr_mr - a memory region
 * @all: in conn->mrs, always
 * @list: where it is: free, or with a buffer; under conn->lock
 * @mr: what the device calls it
 * @pages: the most pieces that it takes
 * @state: enum smbdr_mr_state; under conn->lock
 * @buf: buffer that it belongs to, or NULL
 * @reg: work request that registers it
 * @inv: work request that invalidates it
 * @reg_cqe: completion of @reg, if it fails
 * @inv_cqe: completion of @inv
 * @reg_seq: conn->sq_posted when @reg was posted
 * @inv_seq: conn->sq_posted when @inv was posted
 */
struct smbdr_mr {
	struct list_head all;
	struct list_head list;
	struct ib_mr *mr;
	u32 pages;
	enum smbdr_mr_state state;
	struct smbdr_kern_mr *buf;
	struct ib_reg_wr reg;
	struct ib_send_wr inv;
	struct ib_cqe reg_cqe;
	struct ib_cqe inv_cqe;
	u64 reg_seq;
	u64 inv_seq;
};

/**
 * struct smbdr_ns - counters and connections of one network namespace
 * @net: the namespace
 * @conns: connections, through smbdr_conn.ns_link
 * @lock: protects @conns
 * @idle: woken when @conns becomes empty
 * @stats: enum smbdr_stat
 */
struct smbdr_ns {
	struct net *net;
	struct list_head conns;
	spinlock_t lock;	/* protects conns */
	wait_queue_head_t idle;
	atomic64_t stats[SMBDR_STAT_MAX];
};

/**
 * struct smbdr_conn - the RDMA endpoint of one connection
 * @kref: one reference of whoever created it (later the socket), one of the
 *	core's from creation until the teardown is through, so that work,
 *	timer and completions need none of their own
 * @ns: its namespace
 * @ns_link: in ns->conns
 * @passive: it arrived on a listener
 * @params: what its user chose; constant once the state has left NEW
 * @id_mutex: held by bind, connect and listen while they use @cm_id, and by
 *	the teardown to take it away; outside of the handler mutex
 * @cm_id: id of the connection manager; written under @lock, NULL before bind
 *	or connect and from the teardown on
 * @qp: queue pair of @cm_id
 * @pd: protection domain
 * @send_cq: completions of sends
 * @send_cq_work: starts the worker that polls it
 * @send_cq_event: it has had an event that the worker has not been told of
 * @send_cq_wanted: the worker is to be told of the next; written under @lock
 * @recv_cq: completions of receives
 * @sizing: sizes of the queues
 * @depths: RDMA read depths; final from ESTABLISHED on
 * @iwarp: the device is iWARP
 * @local: our address; valid from ESTABLISHED on
 * @peer: the peer's address, likewise
 * @nego_recv_cqe: completion of the peer's negotiate message
 * @nego_send_cqe: completion of ours
 * @nego_buf: part to receive into, then part to send from
 * @nego_dma: where the device sees @nego_buf
 * @nego_len: length of a message that came before the ESTABLISHED event, not 0
 * @nego_status: of its receive; the length counts only if it succeeded
 * @neg: what was agreed on; constant from ESTABLISHED on
 * @lock: protects all below up to @rx_retry; bottom halves off; innermost
 * @state: written by smbdr_conn_set_state() only
 * @err: why it ended
 * @was_established: it has been in state ESTABLISHED
 * @shutting_down: no more sends; end when all is sent
 * @confirm_asks: all is sent, and so often the peer was asked for a sign that it has it
 * @confirm_chatty: it says more than that
 * @confirm_until: the end has waited long enough; jiffies
 * @confirm_left: so many messages from it may have left before the first question came, and one
 * @refusing: end when the refusal is sent
 * @flushed: the queues are in error, an event is expected
 * @flush_deadline: by then; jiffies
 * @deadline: of connecting, or of shutting down; jiffies
 * @last_rx: when the last message came; jiffies
 * @last_tx: when the last one left; jiffies
 * @keepalive_deadline: when the answer to a keepalive has to be there; jiffies
 * @keepalive: state of the keepalive
 * @answer_owed: the peer asked for a message
 * @credits: the ledger
 * @tx_queue: struct smbdr_msg, the head is being sent
 * @tx_slots: ring of struct smbdr_send_slot, sizing.sq_slots of them
 * @tx_hdrs: a header for each slot
 * @tx_hdrs_dma: where the device sees @tx_hdrs
 * @tx_next: the slot to be used next
 * @tx_posted: slots in use, which are those before @tx_next
 * @tx_unsignaled: how many of the newest of them have no completion
 * @tx_bytes: bytes accepted, and their completion not seen
 * @tx_mem: what they cost, bytes
 * @sndbuf: the owner's limit for @tx_mem
 * @tx_stalled: data waits for a credit
 * @rx_slots: all struct smbdr_recv_slot
 * @rx_nr_slots: their number
 * @rx_free: those that are not posted
 * @rx_queue: complete struct smbdr_msg, for the reader
 * @rx_bytes: their bytes
 * @rx_msgs: their number
 * @rx_mem: what they cost, bytes
 * @rcvbuf: the owner's limit for @rx_mem
 * @rx_throttled: the limit is exceeded
 * @rx_breath: the timer made us speak, and a peer without a credit shall get one
 * @rx_starved: there was no memory for a receive
 * @rx_retry: when to try again; jiffies
 * @reasm: reassembly; owned by the completion handler, one at a time
 * @rx_msg: the message in the making, likewise
 * @rx_made: bytes of it, as of the last time that they were looked at
 * @rx_broken: nothing more is taken in after an error, likewise
 * @rdma_sem: held for reading by callers that use the device; waited for by
 *	the teardown; outside of @lock
 * @sq_posted: counts what registers memory, what ends that, and transfers, in the send
 *	queue; this and all below up to @rw_reads under @lock
 * @sq_retired: the part of it that is known to be through
 * @mrs: all struct smbdr_mr
 * @mr_free: those of them for buffers that are free
 * @mr_nr_free: their number
 * @mr_total: those for buffers, made or about to be
 * @mr_waiters: struct smbdr_mr_waiter, first come, first served
 * @mr_bufs: struct smbdr_kern_mr
 * @rw_area: what transfers need, NULL until the first one
 * @rw_free: idle struct smbdr_rw_slot
 * @rw_queue: struct smbdr_rw with something to post
 * @rw_posted: struct smbdr_rw that only wait for completions
 * @rw_mrs: idle regions for iWARP reads
 * @rw_nr_mrs: their number, idle or not
 * @rw_regions: idle regions for other transfers
 * @rw_nr_regions: their number, idle or not
 * @rw_wrs: work requests of transfers in the send queue
 * @rw_reads: reads among them
 * @rw_moved: when one got on last, jiffies
 * @owner_lock: held for reading during an upcall
 * @ops: upcalls, never NULL
 * @owner: their argument
 * @listener: where it arrived; set before it is linked
 * @accept_link: in a list of @listener; under its lock, as is
 * @accept_ready: it was in the list of those to accept
 * @work: the teardown
 * @closed: it is over
 * @timer: what is due next, by state
 */
struct smbdr_conn {
	struct kref kref;
	struct smbdr_ns *ns;
	struct list_head ns_link;
	bool passive;

	struct smbdr_params params;
	struct mutex id_mutex;	/* see above */
	struct rdma_cm_id *cm_id;
	struct ib_qp *qp;
	struct ib_pd *pd;
	struct ib_cq *send_cq;
	ib_comp_handler send_cq_work;
	atomic_t send_cq_event;
	bool send_cq_wanted;
	struct ib_cq *recv_cq;
	struct smbdr_sizing sizing;
	struct smbdr_depths depths;
	bool iwarp;
	struct sockaddr_storage local;
	struct sockaddr_storage peer;

	struct ib_cqe nego_recv_cqe;
	struct ib_cqe nego_send_cqe;
	u8 *nego_buf;
	u64 nego_dma;
	u32 nego_len;
	enum ib_wc_status nego_status;
	struct smbdr_negotiated neg;

	spinlock_t lock;	/* see above */
	enum smbdr_state state;
	int err;
	bool was_established;
	bool shutting_down;
	u32 confirm_asks;
	bool confirm_chatty;
	unsigned long confirm_until;
	u32 confirm_left;
	bool refusing;
	bool flushed;
	unsigned long flush_deadline;
	unsigned long deadline;
	unsigned long last_rx;
	unsigned long last_tx;
	unsigned long keepalive_deadline;
	enum smbdr_keepalive keepalive;
	bool answer_owed;
	struct smbdr_credits credits;

	struct list_head tx_queue;
	struct smbdr_send_slot *tx_slots;
	u8 *tx_hdrs;
	u64 tx_hdrs_dma;
	u32 tx_next;
	u32 tx_posted;
	u32 tx_unsignaled;
	u32 tx_bytes;
	u32 tx_mem;
	u32 sndbuf;
	bool tx_stalled;

	struct list_head rx_slots;
	u32 rx_nr_slots;
	struct list_head rx_free;
	struct list_head rx_queue;
	u32 rx_bytes;
	u32 rx_msgs;
	unsigned long rx_mem;
	u32 rcvbuf;
	bool rx_throttled;
	bool rx_breath;
	bool rx_starved;
	unsigned long rx_retry;
	struct smbdr_reasm reasm;
	struct smbdr_msg *rx_msg;
	u32 rx_made;
	bool rx_broken;

	struct rw_semaphore rdma_sem;	/* see above */
	u64 sq_posted;
	u64 sq_retired;
	struct list_head mrs;
	struct list_head mr_free;
	u32 mr_nr_free;
	u32 mr_total;
	struct list_head mr_waiters;
	struct list_head mr_bufs;
	struct smbdr_rw_area *rw_area;
	struct list_head rw_free;
	struct list_head rw_queue;
	struct list_head rw_posted;
	struct list_head rw_mrs;
	u32 rw_nr_mrs;
	struct list_head rw_regions;
	u32 rw_nr_regions;
	u32 rw_wrs;
	u32 rw_reads;
	unsigned long rw_moved;

	rwlock_t owner_lock;
	const struct smbdr_conn_ops *ops;
	void *owner;

	struct smbdr_listener *listener;
	struct list_head accept_link;
	bool accept_ready;

	struct work_struct work;
	struct completion closed;
	struct delayed_work timer;
};

static inline void smbdr_stat_add(struct smbdr_ns *ns, enum smbdr_stat s, u64 n)
{
	atomic64_add(n, &ns->stats[s]);
}

static inline void smbdr_stat_inc(struct smbdr_ns *ns, enum smbdr_stat s)
{
	atomic64_inc(&ns->stats[s]);
}

/* May a caller use RDMA now? 0 or a negative errno. conn->lock held. */
static inline int smbdr_conn_may_rdma(const struct smbdr_conn *conn)
{
	if (conn->state < SMBDR_ESTABLISHED)
		return -ENOTCONN;
	if (conn->state > SMBDR_ESTABLISHED || conn->shutting_down || conn->flushed)
		return -EPIPE;
	return 0;
}

extern struct workqueue_struct *smbdr_wq;

/* Map memory for the device, with its failure as a return value: 0 or -EIO. */
static inline int smbdr_map_single(struct ib_device *dev, void *data, size_t len,
				   enum dma_data_direction dir, u64 *dma)
{
	*dma = ib_dma_map_single(dev, data, len, dir);
	return ib_dma_mapping_error(dev, *dma) ? -EIO : 0;
}

/* conn.c */
void smbdr_conn_set_state(struct smbdr_conn *conn, enum smbdr_state state);
void smbdr_conn_abort_locked(struct smbdr_conn *conn, int err);
void smbdr_conn_arm_timer(struct smbdr_conn *conn);
void smbdr_conn_established(struct smbdr_conn *conn);
void smbdr_conn_check_drained(struct smbdr_conn *conn);

/**
 * enum smbdr_upcall - which member of the owner's ops to call
 * @SMBDR_UPCALL_STATE: state_change
 * @SMBDR_UPCALL_DATA: data_ready
 * @SMBDR_UPCALL_SPACE: write_space
 * @SMBDR_UPCALL_MEMORY: memory
 */
enum smbdr_upcall {
	SMBDR_UPCALL_STATE,
	SMBDR_UPCALL_DATA,
	SMBDR_UPCALL_SPACE,
	SMBDR_UPCALL_MEMORY,
};

void smbdr_conn_upcall(struct smbdr_conn *conn, enum smbdr_upcall what);

/* cm.c */
int smbdr_cm_event(struct rdma_cm_id *id, struct rdma_cm_event *event);
int smbdr_cm_create_id(struct net *net, rdma_cm_event_handler handler, void *context,
		       u8 device_class, struct rdma_cm_id **out);
bool smbdr_cm_device_ok(struct rdma_cm_id *id, u8 device_class);
void smbdr_cm_conn_param(struct smbdr_conn *conn, struct rdma_conn_param *p, u8 *private_data);

/* listen.c */
void smbdr_listener_child_ready(struct smbdr_conn *conn);
void smbdr_listener_child_closed(struct smbdr_conn *conn);

/* negotiate.c */
int smbdr_negotiate_prepare(struct smbdr_conn *conn);
void smbdr_negotiate_connected(struct smbdr_conn *conn);
void smbdr_negotiate_release(struct smbdr_conn *conn);

/* qp.c */
int smbdr_qp_create(struct smbdr_conn *conn, struct rdma_cm_id *id);
void smbdr_qp_drain(struct smbdr_conn *conn);
void smbdr_qp_destroy(struct smbdr_conn *conn, struct rdma_cm_id *id);
void smbdr_qp_release(struct smbdr_conn *conn);
void smbdr_send_cq_update(struct smbdr_conn *conn);
void smbdr_send_cq_look(struct smbdr_conn *conn);
void smbdr_qp_flushed(struct smbdr_conn *conn);
int smbdr_qp_wc_errno(enum ib_wc_status status);
void smbdr_qp_completion_error(struct smbdr_conn *conn, const struct ib_wc *wc, int refused);
void smbdr_qp_recv_error(struct smbdr_conn *conn, const struct ib_wc *wc);

/* send.c */
int smbdr_send_prepare(struct smbdr_conn *conn);
void smbdr_send_release(struct smbdr_conn *conn);
void smbdr_tx_pump(struct smbdr_conn *conn);

/* recv.c */
void smbdr_recv_refill(struct smbdr_conn *conn, bool saying, bool must_grant);
void smbdr_recv_release(struct smbdr_conn *conn);

/* msg.c */
int smbdr_msg_append(struct smbdr_msg *msg, const void *data, u32 len, gfp_t gfp);
int smbdr_msg_map(struct smbdr_chunk *chunk, struct ib_device *dev);
void smbdr_msg_unmap(struct smbdr_msg *msg, struct ib_device *dev);

/* sgl.c */
int smbdr_sgl_check(const struct iov_iter *iter, bool source);
int smbdr_sgl_map(struct smbdr_sgl *sgl, struct ib_device *dev, struct iov_iter *iter,
		  enum dma_data_direction dir);
void smbdr_sgl_unmap(struct smbdr_sgl *sgl, struct ib_device *dev);

/* mr.c */
struct smbdr_mr *smbdr_mr_create(struct smbdr_conn *conn);
void smbdr_mr_destroy(struct smbdr_conn *conn, struct smbdr_mr *mr);
int smbdr_mr_map(struct smbdr_mr *mr, struct scatterlist *sg, u32 nents, u32 *off, int access);
bool smbdr_mr_remote_inv(struct smbdr_conn *conn, u32 rkey);
void smbdr_mr_abort(struct smbdr_conn *conn);
void smbdr_mr_kill(struct smbdr_conn *conn);
void smbdr_mr_release(struct smbdr_conn *conn);
void smbdr_sq_retire(struct smbdr_conn *conn, u64 seq);

/* rw.c */
void smbdr_rw_pump(struct smbdr_conn *conn);
bool smbdr_rw_idle(const struct smbdr_conn *conn);
unsigned long smbdr_rw_due(const struct smbdr_conn *conn);
void smbdr_rw_release(struct smbdr_conn *conn);

#endif /* SMBDR_INTERNAL_H */
