/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_FRAMING_H
#define SMBDR_FRAMING_H

#include <linux/types.h>

/* One zero byte and a 24 bit big endian length: [MS-SMB2] 2.1, direct TCP. */
#define SMBDR_FRAME_HDR		4
#define SMBDR_FRAME_MAX		0xffffff

/**
 * struct smbdr_frame_tx - where a writer is in the frame that it is sending
 * @hdr: header bytes seen so far
 * @hdr_len: how many, 0..4
 * @length: body length, valid when @hdr_len is 4
 * @have: body bytes taken so far
 */
struct smbdr_frame_tx {
	u8 hdr[SMBDR_FRAME_HDR];
	u8 hdr_len;
	u32 length;
	u32 have;
};

/**
 * struct smbdr_frame_rx - where a reader is in the frame that it is reading
 * @pos: bytes of the frame, header included, that were read
 */
struct smbdr_frame_rx {
	u32 pos;
};

/* No frame has been begun: the state at start and after each frame. */
bool smbdr_frame_tx_idle(const struct smbdr_frame_tx *f);
/* Header bytes that are still to come before the body can be taken. */
u32 smbdr_frame_tx_hdr_missing(const struct smbdr_frame_tx *f);
/* Body bytes that are still to come; 0 before the header is complete. */
u32 smbdr_frame_tx_body_missing(const struct smbdr_frame_tx *f);
/*
 * Take @n header bytes (at most what is missing). 0 if fine; when they
 * complete a header that cannot be sent, *f is left as it was before the call
 * and the error says why: -EINVAL for a first byte that is not zero or a
 * length of zero, -EMSGSIZE for a length above @max.
 */
int smbdr_frame_tx_hdr(struct smbdr_frame_tx *f, const u8 *bytes, u32 n, u32 max);
/* @n body bytes were taken. True when that completed the frame; *f is idle then. */
bool smbdr_frame_tx_body(struct smbdr_frame_tx *f, u32 n);

/* Write the header of a frame of @length bytes. */
void smbdr_frame_put_hdr(u8 *buf, u32 length);
/* Bytes that a reader can still get of a frame of @length bytes. */
u32 smbdr_frame_rx_left(const struct smbdr_frame_rx *f, u32 length);

#endif /* SMBDR_FRAMING_H */
