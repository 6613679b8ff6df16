/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_CONN_H
#define SMBDR_CONN_H

/*
 * What the socket layer sees of the core: connections, listeners and
 * messages, all opaque. No RDMA header is needed to use it, and no socket
 * header to implement it.
 */
#include <linux/list.h>
#include <linux/types.h>
#include <net/smbdirect.h>
#include <uapi/linux/smbdirect.h>
#include "params.h"

struct net;
struct sockaddr;
struct sockaddr_storage;
struct iov_iter;
struct smbdr_conn;
struct smbdr_listener;
struct smbdr_ns;

/**
 * enum smbdr_state - life of a connection
 * @SMBDR_NEW: created, perhaps bound to an address
 * @SMBDR_CONNECTING: rdma_cm is at work
 * @SMBDR_NEGOTIATING: RDMA connected, the negotiate messages are under way
 * @SMBDR_ESTABLISHED: data may flow
 * @SMBDR_CLOSING: an error, the peer or the owner ended it; received data that
 *	the device had already completed is still being taken in
 * @SMBDR_CLOSED: torn down; nothing more will arrive
 */
enum smbdr_state {
	SMBDR_NEW,
	SMBDR_CONNECTING,
	SMBDR_NEGOTIATING,
	SMBDR_ESTABLISHED,
	SMBDR_CLOSING,
	SMBDR_CLOSED,
};

/**
 * struct smbdr_conn_ops - upcalls to the owner of a connection
 * @state_change: the state moved to ESTABLISHED, CLOSING or CLOSED; read it
 *	with smbdr_conn_state(). May be called late and more than once for one
 *	move.
 * @data_ready: a complete message is there to be read
 * @write_space: queued bytes fell below the limit again
 * @memory: a message in the making has grown, see smbdr_conn_mem()
 *
 * All run in process context, may not sleep for long, may not call back into
 * anything that sleeps, and are called without a lock of the core except one
 * that only smbdr_conn_set_owner() takes. None is called after
 * smbdr_conn_set_owner(conn, NULL, NULL) returned.
 */
struct smbdr_conn_ops {
	void (*state_change)(void *owner);
	void (*data_ready)(void *owner);
	void (*write_space)(void *owner);
	void (*memory)(void *owner);
};

/**
 * struct smbdr_chunk - a piece of the memory of a message
 * @list: in smbdr_msg.chunks
 * @data: the bytes
 * @dma: where the device sees @data, if mapped
 * @size: bytes of memory
 * @len: bytes in use
 * @order: page order of @data, or -1 if it follows the struct
 * @mapped: @dma is valid
 */
struct smbdr_chunk {
	struct list_head list;
	void *data;
	u64 dma;
	u32 size;
	u32 len;
	s8 order;
	bool mapped;
};

/**
 * struct smbdr_msg - one upper layer message, without the 4 byte length
 * @list: in the queue of a connection
 * @chunks: its memory
 * @length: bytes in total
 * @filled: bytes that are there yet
 * @sent: bytes handed to the device
 * @cur: chunk that the cursor is in: writing, sending or reading
 * @cur_off: offset in @cur
 * @invalidate_rkey: key to invalidate remotely with this message
 * @has_invalidate: @invalidate_rkey is valid
 *
 * Owned by one at a time: who fills it, then the transmit queue until
 * the device is done; or the receive path, then the receive queue, then the
 * reader. Never shared, so it needs no lock and no count.
 */
struct smbdr_msg {
	struct list_head list;
	struct list_head chunks;
	u32 length;
	u32 filled;
	u32 sent;
	struct smbdr_chunk *cur;
	u32 cur_off;
	u32 invalidate_rkey;
	bool has_invalidate;
};

/*
 * Messages (msg.c). alloc reserves no payload memory; fill copies n bytes from
 * the iterator, allocating chunks as needed (sleeps as @gfp says). It returns
 * the number copied, or a negative errno when nothing could be: -ENOMEM,
 * -EFAULT. read copies up to n bytes from position @pos to the iterator and
 * returns the number, or -EFAULT.
 */
struct smbdr_msg *smbdr_msg_alloc(u32 length, gfp_t gfp);
void smbdr_msg_free(struct smbdr_msg *msg);
ssize_t smbdr_msg_fill(struct smbdr_msg *msg, struct iov_iter *from, size_t n, gfp_t gfp);
ssize_t smbdr_msg_read(struct smbdr_msg *msg, u32 pos, struct iov_iter *to, size_t n);

/*
 * Connections. create returns one reference, or NULL. Every pointer is used
 * under a reference. Except where noted a call may sleep and must not be made
 * under the socket lock if it is marked [cm] (rdma_cm takes mutexes).
 */
struct smbdr_conn *smbdr_conn_create(struct smbdr_ns *ns, const struct smbdr_params *params);
void smbdr_conn_get(struct smbdr_conn *conn);
void smbdr_conn_put(struct smbdr_conn *conn);	/* any context */

/* Who gets the upcalls; returns when no upcall to the former owner is running. */
void smbdr_conn_set_owner(struct smbdr_conn *conn, const struct smbdr_conn_ops *ops, void *owner);

/* [cm] State NEW only. errno of rdma_bind_addr(): -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL if bound. */
int smbdr_conn_bind(struct smbdr_conn *conn, const struct sockaddr *addr, bool reuse,
		    bool v6only);

/*
 * [cm] Start to connect. The outcome comes as state ESTABLISHED or CLOSED with
 * smbdr_conn_error(); an error here means that nothing was started and that
 * the connection is CLOSING or still NEW.
 */
int smbdr_conn_connect(struct smbdr_conn *conn, const struct sockaddr *dst,
		       const struct smbdr_params *params);

/* Any context, no lock needed. */
enum smbdr_state smbdr_conn_state(const struct smbdr_conn *conn);
/*
 * First error as a negative errno, 0 for an orderly end by the peer. Set from
 * CLOSING on; 0 may yet become -ECONNRESET until CLOSED, when the last data
 * turns out to be half a message.
 */
int smbdr_conn_error(const struct smbdr_conn *conn);
/* End it now; idempotent; the first error is kept. Any context, does not sleep. */
void smbdr_conn_abort(struct smbdr_conn *conn, int err);
/*
 * Orderly end: what is queued is sent first, for at most @linger_ms, then the
 * connection ends. Does not wait: any context. New sends get -EPIPE.
 */
void smbdr_conn_shutdown(struct smbdr_conn *conn, unsigned int linger_ms);

/* Wait until an ended connection is torn down: is it? May sleep; not under the socket lock. */
bool smbdr_conn_wait_closed(struct smbdr_conn *conn, unsigned int ms);

/* Local and remote address; false if there is none yet. Any context. */
bool smbdr_conn_addr(struct smbdr_conn *conn, bool peer, struct sockaddr_storage *addr);
void smbdr_conn_info(struct smbdr_conn *conn, struct smbdirect_info *info);	/* any context */

/*
 * Hand over a filled message; it belongs to the core on success and to the
 * caller on error: -ENOTCONN (not yet), -EPIPE (ended), -EMSGSIZE. Never
 * sleeps, never blocks on credits: the queue takes it.
 */
int smbdr_conn_send(struct smbdr_conn *conn, struct smbdr_msg *msg);
/* Bytes accepted by smbdr_conn_send(), without those whose completion has been seen. */
u32 smbdr_conn_tx_queued(struct smbdr_conn *conn);
bool smbdr_conn_tx_full(const struct smbdr_conn *conn, u32 limit);
/* The limit of tx_full; write_space is called when half of it is free. */
void smbdr_conn_set_sndbuf(struct smbdr_conn *conn, u32 bytes);
/* Unread bytes above which the peer gets no more credits than life needs. */
void smbdr_conn_set_rcvbuf(struct smbdr_conn *conn, u32 bytes);

/*
 * First complete message in the receive queue, left there, or NULL. Only one
 * reader at a time (the socket lock), who may look into it until he pops it.
 */
struct smbdr_msg *smbdr_conn_rx_peek(struct smbdr_conn *conn);
/* The message behind @msg, which is in the queue, or NULL. */
struct smbdr_msg *smbdr_conn_rx_next(struct smbdr_conn *conn, struct smbdr_msg *msg);
/* Remove the first message from the queue; frees it and lets the peer go on. */
void smbdr_conn_rx_pop(struct smbdr_conn *conn);
/* Bytes of the complete messages in the queue, and their number. */
u32 smbdr_conn_rx_queued(const struct smbdr_conn *conn, u32 *msgs);
u64 smbdr_conn_mem(const struct smbdr_conn *conn);

/*
 * RDMA, see <net/smbdirect.h>. register and submit may sleep for memory, register
 * also in line for regions; deregister sleeps until no access is possible. None
 * of them needs the socket lock.
 */
struct smbdr_kern_mr *smbdr_mr_register(struct smbdr_conn *conn, struct iov_iter *iter,
					enum smbdr_kern_access access);
const struct smbdr_kern_desc *smbdr_mr_descs(const struct smbdr_kern_mr *buf, u32 *nr);
void smbdr_mr_deregister(struct smbdr_kern_mr *buf);
int smbdr_rw_submit(struct smbdr_conn *conn, const struct smbdr_kern_rdma *req);

/*
 * Listeners. listen takes the address binding of @conn over, which is CLOSED
 * after that (on error it is untouched). [cm] data_ready is called when a
 * connection waits to be accepted, state_change when the listener died
 * (device removal of a bound address); smbdr_listener_error() tells.
 */
int smbdr_listener_create(struct smbdr_conn *conn, const struct smbdr_params *params, int backlog,
			  const struct smbdr_conn_ops *ops, void *owner,
			  struct smbdr_listener **out);
void smbdr_listener_set_backlog(struct smbdr_listener *l, int backlog);
/* First established connection that waits, with its reference, or NULL. Does not sleep. */
struct smbdr_conn *smbdr_listener_accept(struct smbdr_listener *l);
bool smbdr_listener_pending(const struct smbdr_listener *l);
int smbdr_listener_error(const struct smbdr_listener *l);
/* [cm] Stop listening, abort who was not accepted; no upcall after return. Frees @l. */
void smbdr_listener_close(struct smbdr_listener *l);

/*
 * Network namespaces: counters and the list of everything alive in it.
 */
enum smbdr_stat {
	SMBDR_STAT_CONN_ACTIVE,		/* connections established by connect() */
	SMBDR_STAT_CONN_PASSIVE,	/* connections established by accept */
	SMBDR_STAT_CONN_FAILED,		/* attempts that did not get established */
	SMBDR_STAT_CONN_CLOSED,		/* established connections that ended */
	SMBDR_STAT_CONN_ABORTED,	/* of these: ended by an error */
	SMBDR_STAT_PROTO_ERRORS,	/* messages that broke a rule */
	SMBDR_STAT_KEEPALIVE_SENT,
	SMBDR_STAT_KEEPALIVE_RCVD,
	SMBDR_STAT_TIMEOUTS,
	SMBDR_STAT_MSG_SENT,		/* data messages on the wire, empty ones included */
	SMBDR_STAT_MSG_RCVD,
	SMBDR_STAT_EMPTY_SENT,
	SMBDR_STAT_EMPTY_RCVD,
	SMBDR_STAT_FRAME_SENT,		/* upper layer messages */
	SMBDR_STAT_FRAME_RCVD,
	SMBDR_STAT_BYTES_SENT,
	SMBDR_STAT_BYTES_RCVD,
	SMBDR_STAT_CREDITS_GRANTED,
	SMBDR_STAT_CREDIT_STALLS,	/* times data waited for a send credit */
	SMBDR_STAT_RX_THROTTLED,	/* times the reader was too slow */
	SMBDR_STAT_BACKLOG_DROPS,	/* arrivals refused by a full backlog */
	SMBDR_STAT_MR_REGISTERED,	/* memory regions registered for the peer */
	SMBDR_STAT_MR_INV_LOCAL,	/* of these: invalidated by us */
	SMBDR_STAT_MR_INV_REMOTE,	/* of these: invalidated by the peer */
	SMBDR_STAT_RDMA_REQUESTS,	/* work requests of transfers */
	SMBDR_STAT_RDMA_READS,		/* transfers completed */
	SMBDR_STAT_RDMA_WRITES,
	SMBDR_STAT_RDMA_READ_BYTES,
	SMBDR_STAT_RDMA_WRITE_BYTES,
	SMBDR_STAT_MAX
};

extern const char * const smbdr_stat_names[SMBDR_STAT_MAX];

struct smbdr_ns *smbdr_ns_create(struct net *net);
void smbdr_ns_destroy(struct smbdr_ns *ns);	/* aborts and waits for what is left */
u64 smbdr_ns_stat(const struct smbdr_ns *ns, enum smbdr_stat s);

int smbdr_core_init(void);
void smbdr_core_exit(void);	/* waits until the last connection is gone */

#endif /* SMBDR_CONN_H */
