// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a writer gives in pieces, against a reference that looks at the whole
 * stream. The first byte of the input chooses the limit, the second how the
 * stream is cut into pieces; the rest is the stream.
 */
#include <stdlib.h>
#include "../../net/framing.c"

#define CHECK(x)	do { if (!(x)) __builtin_trap(); } while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* The end of the frame at @at, or why there is none. */
static long frame_end(const u8 *stream, size_t at, u32 max)
{
	u32 len = stream[at + 1] * 65536 + stream[at + 2] * 256 + stream[at + 3];

	if (stream[at] || !len)
		return -EINVAL;
	return len > max ? -EMSGSIZE : (long)(at + 4 + len);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct smbdr_frame_tx f = {};
	size_t at = 0, begin = 0;
	u32 max, cut;

	if (size < 2)
		return 0;
	max = 1U << data[0] % 25;
	cut = data[1];
	data += 2;
	size -= 2;
	while (at < size) {
		u32 hdr = smbdr_frame_tx_hdr_missing(&f), body = smbdr_frame_tx_body_missing(&f);
		u32 piece = cut % 7 + 1, n;

		cut = cut * 5 + 3;
		CHECK(smbdr_frame_tx_idle(&f) == (at == begin));
		CHECK(hdr == (at - begin < 4 ? 4 - (at - begin) : 0));
		if (piece > size - at)
			piece = size - at;
		n = hdr ? hdr : body;
		CHECK(n);
		if (n > piece)
			n = piece;
		if (hdr) {
			struct smbdr_frame_tx before = f;
			long end = n < hdr ? 0 : frame_end(data, begin, max);
			u8 again[SMBDR_FRAME_HDR];
			int ret;
			/* Of its exact size, so that a read beyond is seen. */
			u8 *bytes = malloc(n);

			memcpy(bytes, data + at, n);
			ret = smbdr_frame_tx_hdr(&f, bytes, n, max);
			free(bytes);
			CHECK(ret == (end < 0 ? end : 0));
			if (ret) {
				CHECK(!memcmp(&f, &before, sizeof(f)));
				return 0;
			}
			if (end) {
				CHECK(smbdr_frame_tx_body_missing(&f) == end - begin - 4);
				smbdr_frame_put_hdr(again, end - begin - 4);
				CHECK(!memcmp(again, data + begin, 4));
			}
			at += n;
		} else {
			long end = frame_end(data, begin, max);

			CHECK(body == end - at);
			at += n;
			CHECK(smbdr_frame_tx_body(&f, n) == ((long)at == end));
			if ((long)at == end)
				begin = at;
		}
	}
	return 0;
}
