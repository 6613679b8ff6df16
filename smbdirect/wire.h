/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_WIRE_H
#define SMBDR_WIRE_H

#include <linux/types.h>

/* [MS-SMBD] 1.7: the only version there is. */
#define SMBDR_VERSION			0x0100

/* [MS-SMBD] 2.2.1, 2.2.2, 2.2.3: sizes on the wire, bytes. */
#define SMBDR_NEGOTIATE_REQ_SIZE	20
#define SMBDR_NEGOTIATE_RESP_SIZE	32
#define SMBDR_DATA_HDR_SIZE		20	/* a message without payload */
#define SMBDR_DATA_OFFSET		24	/* where we put the payload */

/* [MS-SMBD] 2.2.3: please answer promptly with any message. */
#define SMBDR_FLAG_RESPONSE_REQUESTED	0x0001

/* [MS-SMBD] 3.1.5.6: the floors that either side must offer, bytes. */
#define SMBDR_MIN_RECEIVE_SIZE		128
#define SMBDR_MIN_FRAGMENTED_SIZE	131072

/* [MS-ERREF] codes that [MS-SMBD] 3.1.5.6 names for the response. */
#define SMBDR_STATUS_SUCCESS			0x00000000
#define SMBDR_STATUS_INSUFFICIENT_RESOURCES	0xC000009A
#define SMBDR_STATUS_NOT_SUPPORTED		0xC00000BB

/**
 * struct smbdr_negotiate_req - Negotiate Request, [MS-SMBD] 2.2.1
 * @min_version: lowest version spoken
 * @max_version: highest version spoken
 * @credits_requested: send credits wanted
 * @preferred_send_size: largest message the sender wants to send, bytes
 * @max_receive_size: largest message the sender accepts, bytes
 * @max_fragmented_size: largest upper layer message the sender can
 *	reassemble, bytes
 */
struct smbdr_negotiate_req {
	u16 min_version;
	u16 max_version;
	u16 credits_requested;
	u32 preferred_send_size;
	u32 max_receive_size;
	u32 max_fragmented_size;
};

/**
 * struct smbdr_negotiate_resp - Negotiate Response, [MS-SMBD] 2.2.2
 * @min_version: lowest version spoken
 * @max_version: highest version spoken
 * @negotiated_version: the version in use from here on
 * @credits_requested: send credits wanted
 * @credits_granted: send credits given
 * @status: NTSTATUS, 0 for success
 * @max_read_write_size: largest RDMA transfer for one request, bytes
 * @preferred_send_size: largest message the sender wants to send, bytes
 * @max_receive_size: largest message the sender accepts, bytes
 * @max_fragmented_size: largest upper layer message the sender can
 *	reassemble, bytes
 */
struct smbdr_negotiate_resp {
	u16 min_version;
	u16 max_version;
	u16 negotiated_version;
	u16 credits_requested;
	u16 credits_granted;
	u32 status;
	u32 max_read_write_size;
	u32 preferred_send_size;
	u32 max_receive_size;
	u32 max_fragmented_size;
};

/**
 * struct smbdr_data_hdr - Data Transfer header, [MS-SMBD] 2.2.3
 * @credits_requested: total send credits the sender would like to hold
 * @credits_granted: new send credits for the receiver of this message
 * @flags: SMBDR_FLAG_*; unknown bits are ignored
 * @remaining_length: bytes of the upper layer message that follow this one
 * @data_offset: from the start of the header to the payload, bytes
 * @data_length: payload in this message, bytes
 */
struct smbdr_data_hdr {
	u16 credits_requested;
	u16 credits_granted;
	u16 flags;
	u32 remaining_length;
	u32 data_offset;
	u32 data_length;
};

/*
 * The put functions write exactly the size above, reserved fields and padding
 * zero. The get functions need no alignment of @buf; they return -EBADMSG for
 * what has to end the connection, and leave *out untouched then. Trailing
 * bytes are ignored ([MS-SMBD] 3.1.5.6 to 3.1.5.8 say "at least").
 * None of them sleeps; all are callable from any context.
 */
void smbdr_wire_put_negotiate_req(void *buf, const struct smbdr_negotiate_req *in);
void smbdr_wire_put_negotiate_resp(void *buf, const struct smbdr_negotiate_resp *in);
/* Writes 20 bytes, or 24 with the padding if there is payload; returns the number. */
u32 smbdr_wire_put_data(void *buf, const struct smbdr_data_hdr *in);

int smbdr_wire_get_negotiate_req(const void *buf, u32 len, struct smbdr_negotiate_req *out);
int smbdr_wire_get_negotiate_resp(const void *buf, u32 len, struct smbdr_negotiate_resp *out);
/* Checks length, credits, alignment and bounds of the header, [MS-SMBD] 3.1.5.8. */
int smbdr_wire_get_data(const void *buf, u32 len, struct smbdr_data_hdr *out);

#endif /* SMBDR_WIRE_H */
