/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_PARAMS_H
#define SMBDR_PARAMS_H

#include <linux/types.h>

struct smbdr_negotiate_req;
struct smbdr_negotiate_resp;

/**
 * struct smbdr_params - what the user of a connection may choose
 * @max_send_size: largest message we want to send, bytes
 * @max_recv_size: largest message we accept, bytes
 * @max_fragmented_size: largest upper layer message we reassemble, bytes
 * @max_rw_size: largest RDMA transfer for one request, bytes
 * @keepalive_interval: idle time before a keepalive, ms
 * @keepalive_timeout: time for the answer to it, ms
 * @connect_timeout: from connect() to the negotiate response, ms
 * @negotiate_timeout: from a connection's arrival to our response, ms
 * @send_credits: SendCreditTarget
 * @recv_credits: ReceiveCreditMax
 * @device_class: enum smbdirect_device_class
 * @initiator_depth: RDMA reads in flight from us
 * @responder_resources: RDMA reads in flight from the peer
 */
struct smbdr_params {
	u32 max_send_size;
	u32 max_recv_size;
	u32 max_fragmented_size;
	u32 max_rw_size;
	u32 keepalive_interval;
	u32 keepalive_timeout;
	u32 connect_timeout;
	u32 negotiate_timeout;
	u16 send_credits;
	u16 recv_credits;
	u8 device_class;
	u8 initiator_depth;
	u8 responder_resources;
};

/**
 * struct smbdr_negotiated - what both sides agreed on
 * @max_send_size: largest message we may send, bytes
 * @max_recv_size: largest message the peer may send, bytes
 * @max_fragmented_send_size: largest upper layer message we may send, bytes
 * @max_fragmented_recv_size: largest that we accept, bytes
 * @max_rw_size: largest RDMA transfer for one request, bytes
 */
struct smbdr_negotiated {
	u32 max_send_size;
	u32 max_recv_size;
	u32 max_fragmented_send_size;
	u32 max_fragmented_recv_size;
	u32 max_rw_size;
};

/**
 * struct smbdr_depths - RDMA read depths, from our point of view
 * @initiator_depth: reads that we may have in flight (ORD)
 * @responder_resources: reads that the peer may have in flight (IRD)
 */
struct smbdr_depths {
	u8 initiator_depth;
	u8 responder_resources;
};

/**
 * struct smbdr_limits - what a device offers, reduced to what we use
 * @max_qp_wr: work requests in one queue
 * @max_cqe: entries in one completion queue
 * @max_sge: scatter/gather entries in one send
 * @max_qp_rd_atom: RDMA reads a QP can serve
 * @max_qp_init_rd_atom: RDMA reads a QP can have in flight
 * @max_sge_rd: scatter/gather entries in one RDMA read
 * @max_reg_pages: pages in one memory region
 */
struct smbdr_limits {
	u32 max_qp_wr;
	u32 max_cqe;
	u32 max_sge;
	u32 max_qp_rd_atom;
	u32 max_qp_init_rd_atom;
	u32 max_sge_rd;
	u32 max_reg_pages;
};

/**
 * struct smbdr_sizing - queue sizes that fit the device
 * @sq_slots: data messages that may be posted at once
 * @max_send_wr: send queue size, drain and negotiate included
 * @max_recv_wr: receive queue size, drain and negotiate included
 * @send_cqe: entries of the send completion queue
 * @recv_cqe: entries of the receive completion queue
 * @max_send_sge: scatter/gather entries per send, header included, or RDMA write
 * @max_read_sge: scatter/gather entries per RDMA read
 * @rw_wrs: work requests of RDMA transfers that may be posted at once
 * @max_mrs: memory regions for the peer; each has two work requests
 * @mr_pages: pages in one of them
 * @recv_credits: ReceiveCreditMax that these queues allow
 */
struct smbdr_sizing {
	u32 sq_slots;
	u32 max_send_wr;
	u32 max_recv_wr;
	u32 send_cqe;
	u32 recv_cqe;
	u32 max_send_sge;
	u32 max_read_sge;
	u32 rw_wrs;
	u32 max_mrs;
	u32 mr_pages;
	u16 recv_credits;
};

/*
 * Depth of the queues. Devices round it up to a power of two, some after they have added one, and
 * an entry takes up to half a KiB. So all that may be in the send queue is less than 128 together,
 * and what may be in the receive queue less than 256.
 */
#define SMBDR_MAX_RECV_WR	255u
/* Sends in flight on one connection: 32 x 8 KiB keeps a fast link busy. */
#define SMBDR_SQ_SLOTS		32
/* Completions of so many sends, or of so many bytes with their cost, are not left lying. */
#define SMBDR_LAZY_SENDS	8
#define SMBDR_LAZY_MEM		16384u
/* A header and a payload that crosses from one buffer into the next, or seven pages. */
#define SMBDR_SEND_SGE		8
/* RDMA work requests in flight: 32 x 8 pages are 1 MiB. */
#define SMBDR_RW_WRS		32
/* Chains of them. */
#define SMBDR_RW_SLOTS		32
/* Regions for iWARP reads in flight. */
#define SMBDR_RW_SINKS		16
/* Regions for other transfers: 8 MiB where a region is 256 pages. */
#define SMBDR_RW_REGIONS	8
/* Memory regions for the peer: more than three times 8 MiB where a region is 256 pages. */
#define SMBDR_MAX_MRS		28
/* No region is larger: 2 MiB are few enough keys, and the page lists stay small. */
#define SMBDR_MR_PAGES		512

void smbdr_params_init(struct smbdr_params *p);
/* -EINVAL if a member is outside of the range documented in uapi/linux/smbdirect.h. */
int smbdr_params_check(const struct smbdr_params *p);

/* The request of the active side, [MS-SMBD] 3.1.5.2. */
void smbdr_params_request(const struct smbdr_params *p, struct smbdr_negotiate_req *req);

/*
 * Passive side, [MS-SMBD] 3.1.5.6. 0 and *n on success; -EOPNOTSUPP if a
 * failure response with STATUS_NOT_SUPPORTED is due; -EBADMSG if the
 * connection has to end without an answer.
 */
int smbdr_params_accept(const struct smbdr_params *p, const struct smbdr_negotiate_req *req,
			struct smbdr_negotiated *n);
/* The success response of the passive side, [MS-SMBD] 3.1.5.3. */
void smbdr_params_response(const struct smbdr_params *p, const struct smbdr_negotiated *n,
			   u16 credits_granted, struct smbdr_negotiate_resp *resp);
/* The failure response: every other field zero. */
void smbdr_params_refusal(u32 status, struct smbdr_negotiate_resp *resp);

/*
 * Active side, [MS-SMBD] 3.1.5.7. 0 and *n on success; -ECONNREFUSED for a
 * failure status or a version that is not ours; -EBADMSG for anything else
 * that is wrong.
 */
int smbdr_params_confirm(const struct smbdr_params *p, const struct smbdr_negotiate_resp *resp,
			 struct smbdr_negotiated *n);

/* What we offer on this device: the parameters cut down to its limits, >= 1 each. */
void smbdr_params_depths(const struct smbdr_params *p, const struct smbdr_limits *lim,
			 struct smbdr_depths *d);

/*
 * The 8 bytes of iWARP private data ([MS-SMBD] 6.1): big endian IRD, then ORD.
 * get returns false if there are none or they are not plausible in either
 * byte order; values come back clamped to 1..255 from the sender's view.
 */
void smbdr_params_put_ird_ord(void *buf, const struct smbdr_depths *d);
bool smbdr_params_get_ird_ord(const void *buf, u32 len, u32 *ird, u32 *ord);

/*
 * Reduce our depths to what the peer can do: our reads are bounded by its
 * IRD, its reads are served up to its ORD ([MS-SMBD] 6.2). A peer value of 0
 * is taken as 1.
 */
void smbdr_params_match_depths(struct smbdr_depths *d, u32 peer_ird, u32 peer_ord);

/* -EINVAL if the device is too small to carry a connection at all. */
int smbdr_params_sizing(const struct smbdr_params *p, const struct smbdr_limits *lim,
			struct smbdr_sizing *s);

#endif /* SMBDR_PARAMS_H */
