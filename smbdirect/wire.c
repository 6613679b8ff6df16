// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The messages of SMB Direct as bytes: [MS-SMBD] 2.2.
 *
 * Everything on the wire is little endian and packed, and a message says
 * nothing about its own type: what arrives is told apart by its position in
 * the conversation alone. So there is one pair of functions for each message
 * and no dispatch. What a message means for the connection is judged
 * elsewhere (params.c, credits.c, reasm.c); this file stops what cannot even
 * be read safely.
 *
 * The input is hostile. Lengths and offsets are 32 bit on the wire and are
 * added in 64, since their sum in 32 may wrap to something harmless looking.
 *
 * Ownership: nothing is allocated or kept; the buffers are the caller's.
 * Locking: none, the functions know only their arguments. Any context.
 */
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/unaligned.h>
#include "wire.h"

/**
 * smbdr_wire_put_negotiate_req - write a Negotiate Request, [MS-SMBD] 2.2.1
 * @buf: SMBDR_NEGOTIATE_REQ_SIZE bytes, any alignment
 * @in: what to write
 *
 * Context: any.
 */
void smbdr_wire_put_negotiate_req(void *buf, const struct smbdr_negotiate_req *in)
{
	u8 *p = buf;

	put_unaligned_le16(in->min_version, p);
	put_unaligned_le16(in->max_version, p + 2);
	put_unaligned_le16(0, p + 4);
	put_unaligned_le16(in->credits_requested, p + 6);
	put_unaligned_le32(in->preferred_send_size, p + 8);
	put_unaligned_le32(in->max_receive_size, p + 12);
	put_unaligned_le32(in->max_fragmented_size, p + 16);
}

/**
 * smbdr_wire_put_negotiate_resp - write a Negotiate Response, [MS-SMBD] 2.2.2
 * @buf: SMBDR_NEGOTIATE_RESP_SIZE bytes, any alignment
 * @in: what to write
 *
 * Context: any.
 */
void smbdr_wire_put_negotiate_resp(void *buf, const struct smbdr_negotiate_resp *in)
{
	u8 *p = buf;

	put_unaligned_le16(in->min_version, p);
	put_unaligned_le16(in->max_version, p + 2);
	put_unaligned_le16(in->negotiated_version, p + 4);
	put_unaligned_le16(0, p + 6);
	put_unaligned_le16(in->credits_requested, p + 8);
	put_unaligned_le16(in->credits_granted, p + 10);
	put_unaligned_le32(in->status, p + 12);
	put_unaligned_le32(in->max_read_write_size, p + 16);
	put_unaligned_le32(in->preferred_send_size, p + 20);
	put_unaligned_le32(in->max_receive_size, p + 24);
	put_unaligned_le32(in->max_fragmented_size, p + 28);
}

/**
 * smbdr_wire_put_data - write a Data Transfer header, [MS-SMBD] 2.2.3
 * @buf: SMBDR_DATA_OFFSET bytes, any alignment
 * @in: what to write
 *
 * A message without payload ends with its header; before a payload the header
 * is padded to a multiple of eight bytes.
 *
 * Context: any.
 *
 * Return: bytes written, SMBDR_DATA_HDR_SIZE or SMBDR_DATA_OFFSET.
 */
u32 smbdr_wire_put_data(void *buf, const struct smbdr_data_hdr *in)
{
	u8 *p = buf;

	put_unaligned_le16(in->credits_requested, p);
	put_unaligned_le16(in->credits_granted, p + 2);
	put_unaligned_le16(in->flags, p + 4);
	put_unaligned_le16(0, p + 6);
	put_unaligned_le32(in->remaining_length, p + 8);
	put_unaligned_le32(in->data_offset, p + 12);
	put_unaligned_le32(in->data_length, p + 16);
	if (!in->data_length)
		return SMBDR_DATA_HDR_SIZE;
	memset(p + SMBDR_DATA_HDR_SIZE, 0, SMBDR_DATA_OFFSET - SMBDR_DATA_HDR_SIZE);
	return SMBDR_DATA_OFFSET;
}

/**
 * smbdr_wire_get_negotiate_req - read a Negotiate Request
 * @buf: what arrived, any alignment
 * @len: how much of it, bytes
 * @out: filled on success, untouched otherwise
 *
 * Only the length is checked here. The order of the other checks decides
 * between an answer and silence, so they stand together in
 * smbdr_params_accept(). Fields that are reserved are not looked at.
 *
 * Context: any.
 *
 * Return: 0, or -EBADMSG for a message that is too short ([MS-SMBD] 3.1.5.6).
 */
int smbdr_wire_get_negotiate_req(const void *buf, u32 len, struct smbdr_negotiate_req *out)
{
	const u8 *p = buf;

	if (len < SMBDR_NEGOTIATE_REQ_SIZE)
		return -EBADMSG;

	out->min_version = get_unaligned_le16(p);
	out->max_version = get_unaligned_le16(p + 2);
	out->credits_requested = get_unaligned_le16(p + 6);
	out->preferred_send_size = get_unaligned_le32(p + 8);
	out->max_receive_size = get_unaligned_le32(p + 12);
	out->max_fragmented_size = get_unaligned_le32(p + 16);
	return 0;
}

/**
 * smbdr_wire_get_negotiate_resp - read a Negotiate Response
 * @buf: what arrived, any alignment
 * @len: how much of it, bytes
 * @out: filled on success, untouched otherwise
 *
 * Only the length is checked here, see smbdr_params_confirm() for the rest.
 *
 * Context: any.
 *
 * Return: 0, or -EBADMSG for a message that is too short ([MS-SMBD] 3.1.5.7).
 */
int smbdr_wire_get_negotiate_resp(const void *buf, u32 len, struct smbdr_negotiate_resp *out)
{
	const u8 *p = buf;

	if (len < SMBDR_NEGOTIATE_RESP_SIZE)
		return -EBADMSG;

	out->min_version = get_unaligned_le16(p);
	out->max_version = get_unaligned_le16(p + 2);
	out->negotiated_version = get_unaligned_le16(p + 4);
	out->credits_requested = get_unaligned_le16(p + 8);
	out->credits_granted = get_unaligned_le16(p + 10);
	out->status = get_unaligned_le32(p + 12);
	out->max_read_write_size = get_unaligned_le32(p + 16);
	out->preferred_send_size = get_unaligned_le32(p + 20);
	out->max_receive_size = get_unaligned_le32(p + 24);
	out->max_fragmented_size = get_unaligned_le32(p + 28);
	return 0;
}

/**
 * smbdr_wire_get_data - read and check a Data Transfer header
 * @buf: what arrived, any alignment
 * @len: how much of it, bytes
 * @out: filled on success, untouched otherwise. The payload is then the
 *	@out->data_length bytes at @buf + @out->data_offset, all within @len.
 *
 * [MS-SMBD] 3.1.5.8 asks of the offset that it is a multiple of eight and
 * that the payload ends within the message, and no more: a payload that
 * begins inside the header is odd, but harmless, and passes. Offset zero is
 * how 2.2.3 says that there is no payload, so with a length it contradicts
 * itself and does not. Unknown flags are ignored.
 *
 * Context: any.
 *
 * Return: 0, or -EBADMSG for a message that has to end the connection.
 */
int smbdr_wire_get_data(const void *buf, u32 len, struct smbdr_data_hdr *out)
{
	struct smbdr_data_hdr hdr;
	const u8 *p = buf;

	if (len < SMBDR_DATA_HDR_SIZE)
		return -EBADMSG;

	hdr.credits_requested = get_unaligned_le16(p);
	hdr.credits_granted = get_unaligned_le16(p + 2);
	hdr.flags = get_unaligned_le16(p + 4);
	hdr.remaining_length = get_unaligned_le32(p + 8);
	hdr.data_offset = get_unaligned_le32(p + 12);
	hdr.data_length = get_unaligned_le32(p + 16);

	if (!hdr.credits_requested || hdr.data_offset % 8)
		return -EBADMSG;
	if ((u64)hdr.data_offset + hdr.data_length > len)
		return -EBADMSG;
	if (hdr.data_length && !hdr.data_offset)
		return -EBADMSG;

	*out = hdr;
	return 0;
}
