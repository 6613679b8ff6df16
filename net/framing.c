// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Framing of the byte stream: [MS-SMB2] 2.1 as over TCP. What a writer gives in
 * any pieces becomes frames; what a reader gets has the header in front again.
 * On the wire there is no such header, [MS-SMBD] knows where messages end.
 *
 * Pure: integers only, no memory, no locks; the caller serialises.
 */
#include <linux/errno.h>
#include <linux/string.h>
#include "framing.h"

/**
 * smbdr_frame_tx_idle - between two frames
 * @f: the writer's state
 *
 * Return: true if no byte of a frame was taken.
 */
bool smbdr_frame_tx_idle(const struct smbdr_frame_tx *f)
{
	return !f->hdr_len;
}

/**
 * smbdr_frame_tx_hdr_missing - header bytes to come
 * @f: the writer's state
 *
 * Return: 0 to 4.
 */
u32 smbdr_frame_tx_hdr_missing(const struct smbdr_frame_tx *f)
{
	return SMBDR_FRAME_HDR - f->hdr_len;
}

/**
 * smbdr_frame_tx_body_missing - body bytes to come
 * @f: the writer's state
 *
 * Return: bytes; 0 while the header is not complete.
 */
u32 smbdr_frame_tx_body_missing(const struct smbdr_frame_tx *f)
{
	return f->hdr_len < SMBDR_FRAME_HDR ? 0 : f->length - f->have;
}

/**
 * smbdr_frame_tx_hdr - take header bytes
 * @f: the writer's state
 * @bytes: the bytes
 * @n: how many, at most smbdr_frame_tx_hdr_missing()
 * @max: longest frame that can be sent, bytes
 *
 * Return: 0; -EINVAL if the first byte is not zero or the length is; -EMSGSIZE
 * if it is above @max. On error *@f is as before.
 */
int smbdr_frame_tx_hdr(struct smbdr_frame_tx *f, const u8 *bytes, u32 n, u32 max)
{
	struct smbdr_frame_tx next = *f;

	memcpy(next.hdr + next.hdr_len, bytes, n);
	next.hdr_len += n;
	if (next.hdr_len == SMBDR_FRAME_HDR) {
		next.length = (u32)next.hdr[1] << 16 | next.hdr[2] << 8 | next.hdr[3];
		next.have = 0;
		if (next.hdr[0] || !next.length)
			return -EINVAL;
		if (next.length > max)
			return -EMSGSIZE;
	}
	*f = next;
	return 0;
}

/**
 * smbdr_frame_tx_body - body bytes were taken
 * @f: the writer's state
 * @n: how many, at most smbdr_frame_tx_body_missing()
 *
 * Return: true if that completed the frame.
 */
bool smbdr_frame_tx_body(struct smbdr_frame_tx *f, u32 n)
{
	f->have += n;
	if (f->have < f->length)
		return false;
	memset(f, 0, sizeof(*f));
	return true;
}

/**
 * smbdr_frame_put_hdr - write a header
 * @buf: 4 bytes
 * @length: of the frame, at most SMBDR_FRAME_MAX
 */
void smbdr_frame_put_hdr(u8 *buf, u32 length)
{
	buf[0] = 0;
	buf[1] = length >> 16;
	buf[2] = length >> 8;
	buf[3] = length;
}

/**
 * smbdr_frame_rx_left - what a reader can still get of a frame
 * @f: the reader's state
 * @length: of the frame
 *
 * Return: bytes, header included.
 */
u32 smbdr_frame_rx_left(const struct smbdr_frame_rx *f, u32 length)
{
	return SMBDR_FRAME_HDR + length - f->pos;
}
