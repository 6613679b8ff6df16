// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parameters: defaults, ranges, what both sides agree on, and what a device
 * makes of it. Arithmetic only; who sends what when is in negotiate.c.
 *
 * A negotiation is one request and one response ([MS-SMBD] 3.1.5.2, 3.1.5.3).
 * Each side says what it can do and cuts its own values down to what the
 * other said; nothing is ever raised but to the floor of 128 bytes that makes
 * any message fit. The largest upper layer message is the exception: each
 * side announces what it can put together and the other has to live with it,
 * so ours is never reduced, not even when tiny fragments were agreed on.
 *
 * Depths of RDMA reads are agreed on by the connection manager, and on iWARP
 * also, or only, in eight bytes of private data that come from the appendix
 * of the specification ([MS-SMBD] 6).
 *
 * Ownership and locking: everything is the caller's, nothing is kept. Any
 * context.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/unaligned.h>
#include <uapi/linux/smbdirect.h>
#include "credits.h"
#include "params.h"
#include "wire.h"

/*
 * Largest PreferredSendSize that Windows Server 2012 R2 and later take
 * ([MS-SMBD] appendix B, note on 3.1.5.6).
 */
#define SMBDR_MAX_SEND_SIZE		8136
#define SMBDR_MAX_RECV_SIZE		8192
/* What the length of a frame on the stream can say. */
#define SMBDR_MAX_FRAGMENTED_SIZE	0xffffff
#define SMBDR_MIN_RW_SIZE		65536
#define SMBDR_MAX_RW_SIZE		16777216
#define SMBDR_MAX_CREDITS		255
#define SMBDR_MIN_TIME			10
#define SMBDR_MAX_TIME			3600000
#define SMBDR_MAX_DEPTH			255

/* One work request each: the negotiate message, and the marker that drains a queue. */
#define SMBDR_EXTRA_WR			2
/* Slack in the send queue: a completion frees an entry a moment after it is seen. */
#define SMBDR_SEND_HEADROOM		2
/* Fewer sends in flight than this do not make a usable connection. */
#define SMBDR_MIN_SQ_SLOTS		4
/* A transfer through a region begins with two. */
#define SMBDR_MIN_RW_WRS		2
/* These, and one memory region. */
#define SMBDR_MIN_SQ_WRS		(SMBDR_MIN_SQ_SLOTS + SMBDR_MIN_RW_WRS + 2)
/* The header, and the payload. */
#define SMBDR_MIN_SEND_SGE		2
/* One that is full in the middle of a piece holds one page less, and more than none (mr.c). */
#define SMBDR_MIN_MR_PAGES		2
/* So a device that is deep enough for sends has room for a receive as well. */
static_assert(SMBDR_SEND_HEADROOM + SMBDR_MIN_SQ_WRS > SMBDR_CREDITS_SPARE);
static_assert(SMBDR_SQ_SLOTS + SMBDR_RW_WRS + 2 * SMBDR_MAX_MRS +
	      SMBDR_EXTRA_WR + SMBDR_SEND_HEADROOM < 128);

#define SMBDR_IRD_ORD_SIZE		8
/* More than any device has; in the wrong byte order every depth is above it. */
#define SMBDR_PLAUSIBLE_DEPTH		0xffff

/**
 * smbdr_params_init - the defaults
 * @p: to be filled
 *
 * The values of Windows ([MS-SMBD] 3.1.1.1 and its notes), but for the size
 * of a message that we send, where Windows chooses to be modest.
 *
 * Context: any.
 */
void smbdr_params_init(struct smbdr_params *p)
{
	memset(p, 0, sizeof(*p));
	p->max_send_size = SMBDR_MAX_SEND_SIZE;
	p->max_recv_size = SMBDR_MAX_RECV_SIZE;
	p->max_fragmented_size = 1024 * 1024;
	p->max_rw_size = 8 * 1024 * 1024;
	p->keepalive_interval = 120000;
	p->keepalive_timeout = 5000;
	p->connect_timeout = 120000;
	p->negotiate_timeout = 5000;
	p->send_credits = SMBDR_MAX_CREDITS;
	p->recv_credits = SMBDR_MAX_CREDITS;
	p->device_class = SMBDIRECT_DEVICE_ANY;
	p->initiator_depth = 8;
	p->responder_resources = 32;
}

static bool smbdr_params_in(u32 value, u32 low, u32 high)
{
	return value >= low && value <= high;
}

static bool smbdr_params_time(u32 ms)
{
	return smbdr_params_in(ms, SMBDR_MIN_TIME, SMBDR_MAX_TIME);
}

/**
 * smbdr_params_check - are all members within their range?
 * @p: to be checked
 *
 * The ranges are those of include/uapi/linux/smbdirect.h.
 *
 * Context: any.
 *
 * Return: 0 or -EINVAL.
 */
int smbdr_params_check(const struct smbdr_params *p)
{
	if (!smbdr_params_in(p->max_send_size, SMBDR_MIN_RECEIVE_SIZE, SMBDR_MAX_SEND_SIZE) ||
	    !smbdr_params_in(p->max_recv_size, SMBDR_MIN_RECEIVE_SIZE, SMBDR_MAX_RECV_SIZE) ||
	    !smbdr_params_in(p->max_fragmented_size, SMBDR_MIN_FRAGMENTED_SIZE,
			     SMBDR_MAX_FRAGMENTED_SIZE) ||
	    !smbdr_params_in(p->max_rw_size, SMBDR_MIN_RW_SIZE, SMBDR_MAX_RW_SIZE))
		return -EINVAL;
	if (!smbdr_params_in(p->send_credits, 1, SMBDR_MAX_CREDITS) ||
	    !smbdr_params_in(p->recv_credits, 1, SMBDR_MAX_CREDITS))
		return -EINVAL;
	if (!smbdr_params_time(p->keepalive_interval) ||
	    !smbdr_params_time(p->keepalive_timeout) ||
	    !smbdr_params_time(p->connect_timeout) ||
	    !smbdr_params_time(p->negotiate_timeout))
		return -EINVAL;
	if (p->device_class > SMBDIRECT_DEVICE_IWARP ||
	    !p->initiator_depth || !p->responder_resources)
		return -EINVAL;
	return 0;
}

/**
 * smbdr_params_request - the request of the active side, [MS-SMBD] 3.1.5.2
 * @p: what we offer
 * @req: to be filled
 *
 * Context: any.
 */
void smbdr_params_request(const struct smbdr_params *p, struct smbdr_negotiate_req *req)
{
	req->min_version = SMBDR_VERSION;
	req->max_version = SMBDR_VERSION;
	req->credits_requested = p->send_credits;
	req->preferred_send_size = p->max_send_size;
	req->max_receive_size = p->max_recv_size;
	req->max_fragmented_size = p->max_fragmented_size;
}

/* The part that is the same for both sides, [MS-SMBD] 3.1.5.6 and 3.1.5.7. */
static void smbdr_params_agree(const struct smbdr_params *p, u32 peer_send, u32 peer_recv,
			       u32 peer_fragmented, struct smbdr_negotiated *n)
{
	/* A peer may prefer anything, 0 too; what it sends still needs a header. */
	n->max_recv_size = max_t(u32, SMBDR_MIN_RECEIVE_SIZE, min(p->max_recv_size, peer_send));
	n->max_send_size = min(p->max_send_size, peer_recv);
	n->max_fragmented_send_size = peer_fragmented;
	n->max_fragmented_recv_size = p->max_fragmented_size;
	n->max_rw_size = p->max_rw_size;
}

/**
 * smbdr_params_accept - judge a request on the passive side, [MS-SMBD] 3.1.5.6
 * @p: what we offer
 * @req: what the peer sent
 * @n: filled on success, untouched otherwise
 *
 * The version comes first: a request that is wrong in more than one way has
 * to be told about that. Sizes and credits have no upper bound.
 *
 * Context: any.
 *
 * Return: 0; -EOPNOTSUPP if a refusal with SMBDR_STATUS_NOT_SUPPORTED is due;
 * -EBADMSG if the connection has to end without an answer.
 */
int smbdr_params_accept(const struct smbdr_params *p, const struct smbdr_negotiate_req *req,
			struct smbdr_negotiated *n)
{
	if (req->min_version > SMBDR_VERSION || req->max_version < SMBDR_VERSION)
		return -EOPNOTSUPP;
	if (!req->credits_requested || req->max_receive_size < SMBDR_MIN_RECEIVE_SIZE ||
	    req->max_fragmented_size < SMBDR_MIN_FRAGMENTED_SIZE)
		return -EBADMSG;

	smbdr_params_agree(p, req->preferred_send_size, req->max_receive_size,
			   req->max_fragmented_size, n);
	return 0;
}

/**
 * smbdr_params_response - the success response, [MS-SMBD] 3.1.5.3
 * @p: what we offer
 * @n: what came of it
 * @credits_granted: from smbdr_credits_grant_initial()
 * @resp: to be filled
 *
 * Context: any.
 */
void smbdr_params_response(const struct smbdr_params *p, const struct smbdr_negotiated *n,
			   u16 credits_granted, struct smbdr_negotiate_resp *resp)
{
	resp->min_version = SMBDR_VERSION;
	resp->max_version = SMBDR_VERSION;
	resp->negotiated_version = SMBDR_VERSION;
	resp->credits_requested = p->send_credits;
	resp->credits_granted = credits_granted;
	resp->status = SMBDR_STATUS_SUCCESS;
	resp->max_read_write_size = n->max_rw_size;
	resp->preferred_send_size = n->max_send_size;
	resp->max_receive_size = n->max_recv_size;
	resp->max_fragmented_size = n->max_fragmented_recv_size;
}

/**
 * smbdr_params_refusal - the failure response, [MS-SMBD] 3.1.5.6
 * @status: SMBDR_STATUS_*
 * @resp: to be filled; all zero but the status and the versions we speak
 *
 * Context: any.
 */
void smbdr_params_refusal(u32 status, struct smbdr_negotiate_resp *resp)
{
	memset(resp, 0, sizeof(*resp));
	resp->min_version = SMBDR_VERSION;
	resp->max_version = SMBDR_VERSION;
	resp->status = status;
}

/**
 * smbdr_params_confirm - judge the response on the active side, [MS-SMBD] 3.1.5.7
 * @p: what we offered
 * @resp: what the peer sent
 * @n: filled on success, untouched otherwise
 *
 * A refusal has a status and zeroes, so it is wrong in several ways; the
 * status is looked at first, so that the caller learns of the refusal.
 *
 * Context: any.
 *
 * Return: 0; -ECONNREFUSED for a failure status or a version that is not
 * ours; -EBADMSG for anything else that is wrong.
 */
int smbdr_params_confirm(const struct smbdr_params *p, const struct smbdr_negotiate_resp *resp,
			 struct smbdr_negotiated *n)
{
	if (resp->status != SMBDR_STATUS_SUCCESS)
		return -ECONNREFUSED;
	if (resp->negotiated_version != SMBDR_VERSION)
		return -ECONNREFUSED;
	if (resp->max_receive_size < SMBDR_MIN_RECEIVE_SIZE ||
	    resp->max_fragmented_size < SMBDR_MIN_FRAGMENTED_SIZE)
		return -EBADMSG;
	if (!resp->credits_granted || !resp->credits_requested)
		return -EBADMSG;
	if (resp->preferred_send_size > p->max_recv_size)
		return -EBADMSG;

	smbdr_params_agree(p, resp->preferred_send_size, resp->max_receive_size,
			   resp->max_fragmented_size, n);
	n->max_rw_size = min(p->max_rw_size, resp->max_read_write_size);
	return 0;
}

static u8 smbdr_params_depth(u32 ours, u32 theirs)
{
	return clamp_t(u32, min(ours, theirs), 1, SMBDR_MAX_DEPTH);
}

/**
 * smbdr_params_depths - what we offer on a device
 * @p: what the user chose
 * @lim: what the device can do
 * @d: to be filled, 1 to 255 each
 *
 * Context: any.
 */
void smbdr_params_depths(const struct smbdr_params *p, const struct smbdr_limits *lim,
			 struct smbdr_depths *d)
{
	d->initiator_depth = smbdr_params_depth(p->initiator_depth, lim->max_qp_init_rd_atom);
	d->responder_resources = smbdr_params_depth(p->responder_resources, lim->max_qp_rd_atom);
}

/**
 * smbdr_params_put_ird_ord - our depths as iWARP private data, [MS-SMBD] 6.1
 * @buf: 8 bytes, any alignment
 * @d: our depths
 *
 * The specification does not name a byte order; big endian is what Linux
 * peers agreed on.
 *
 * Context: any.
 */
void smbdr_params_put_ird_ord(void *buf, const struct smbdr_depths *d)
{
	u8 *p = buf;

	put_unaligned_be32(d->responder_resources, p);
	put_unaligned_be32(d->initiator_depth, p + 4);
}

static bool smbdr_params_plausible(u32 ird, u32 ord)
{
	return (ird || ord) && ird <= SMBDR_PLAUSIBLE_DEPTH && ord <= SMBDR_PLAUSIBLE_DEPTH;
}

/**
 * smbdr_params_get_ird_ord - the peer's depths from iWARP private data
 * @buf: the private data, any alignment; may be NULL if @len is 0
 * @len: bytes
 * @ird: reads that the sender serves, 1 to 255; set on success only
 * @ord: reads that the sender may have in flight, 1 to 255; set on success only
 *
 * Older Linux peers sent them in the order of their machine. A depth that is
 * plausible in one order never is in the other, so both are understood.
 *
 * Context: any.
 *
 * Return: false if there are none, or nothing plausible in either order. That
 * is no error: the private data may be for somebody else.
 */
bool smbdr_params_get_ird_ord(const void *buf, u32 len, u32 *ird, u32 *ord)
{
	const u8 *p = buf;
	u32 i, o;

	if (len < SMBDR_IRD_ORD_SIZE)
		return false;

	i = get_unaligned_be32(p);
	o = get_unaligned_be32(p + 4);
	if (!smbdr_params_plausible(i, o)) {
		i = get_unaligned_le32(p);
		o = get_unaligned_le32(p + 4);
		if (!smbdr_params_plausible(i, o))
			return false;
	}
	*ird = clamp_t(u32, i, 1, SMBDR_MAX_DEPTH);
	*ord = clamp_t(u32, o, 1, SMBDR_MAX_DEPTH);
	return true;
}

/**
 * smbdr_params_match_depths - reduce our depths to the peer's, [MS-SMBD] 6.2
 * @d: ours; never raised, never below 1
 * @peer_ird: reads that the peer serves; 0 is taken as 1
 * @peer_ord: reads that the peer may have in flight; 0 is taken as 1
 *
 * What one side initiates the other responds to: the pairs cross over.
 *
 * Context: any.
 */
void smbdr_params_match_depths(struct smbdr_depths *d, u32 peer_ird, u32 peer_ord)
{
	d->initiator_depth = smbdr_params_depth(d->initiator_depth, peer_ird);
	d->responder_resources = smbdr_params_depth(d->responder_resources, peer_ord);
}

/**
 * smbdr_params_sizing - queue sizes that fit a device
 * @p: what the user chose
 * @lim: what the device can do
 * @s: filled on success, untouched otherwise
 *
 * A small device gets a connection with fewer sends, transfers and memory
 * regions and fewer credits rather than none.
 *
 * Context: any.
 *
 * Return: 0, or -EINVAL if the device is too small to carry a connection.
 */
int smbdr_params_sizing(const struct smbdr_params *p, const struct smbdr_limits *lim,
			struct smbdr_sizing *s)
{
	const u32 send_extra = SMBDR_EXTRA_WR + SMBDR_SEND_HEADROOM;
	const u32 recv_extra = SMBDR_EXTRA_WR + SMBDR_CREDITS_SPARE;
	/* A region is registered and invalidated by a work request each. */
	const u32 full = SMBDR_SQ_SLOTS + SMBDR_RW_WRS + 2 * SMBDR_MAX_MRS;
	/* Each work request may leave one completion. */
	u32 depth = min(lim->max_qp_wr, lim->max_cqe);
	u32 spare;

	if (depth < send_extra + SMBDR_MIN_SQ_WRS || lim->max_sge < SMBDR_MIN_SEND_SGE ||
	    lim->max_reg_pages < SMBDR_MIN_MR_PAGES)
		return -EINVAL;

	/* A device that has less gets the same shares of it. */
	spare = min(depth - send_extra, full);
	s->sq_slots = max_t(u32, spare * SMBDR_SQ_SLOTS / full, SMBDR_MIN_SQ_SLOTS);
	s->rw_wrs = max_t(u32, spare * SMBDR_RW_WRS / full, SMBDR_MIN_RW_WRS);
	s->max_mrs = (spare - s->sq_slots - s->rw_wrs) / 2;
	s->max_send_wr = s->sq_slots + s->rw_wrs + 2 * s->max_mrs + send_extra;
	s->recv_credits = min_t(u32, p->recv_credits, min(depth, SMBDR_MAX_RECV_WR) - recv_extra);
	s->max_recv_wr = s->recv_credits + recv_extra;
	s->send_cqe = s->max_send_wr;
	s->recv_cqe = s->max_recv_wr;
	s->max_send_sge = min_t(u32, SMBDR_SEND_SGE, lim->max_sge);
	s->max_read_sge = clamp_t(u32, lim->max_sge_rd, 1, s->max_send_sge);
	s->mr_pages = min_t(u32, SMBDR_MR_PAGES, lim->max_reg_pages);
	return 0;
}
