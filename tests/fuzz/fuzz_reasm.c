// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A sequence of data messages, decoded and put together, against a reference
 * that keeps every byte. The input is a list of messages, each after its
 * length in two bytes, little endian.
 *
 * The reference follows the rule from the other end: it remembers how long
 * the whole message was said to be when it began, and which bytes came. A
 * fragment is right if, by what has come, exactly what it says is missing.
 */
#include <stdlib.h>
#include <string.h>
#include "../../smbdirect/wire.c"
#include "../../smbdirect/reasm.c"

#define CHECK(x)	do { if (!(x)) __builtin_trap(); } while (0)
/* Small, so that the limit is met often. */
#define LIMIT		4096

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

struct reference {
	u8 bytes[LIMIT];
	u64 total, have;
	bool open;
};

/* What should come of a message, and the payload noted. */
static int reference_input(struct reference *ref, const struct smbdr_data_hdr *hdr,
			   const u8 *payload)
{
	if (!ref->open) {
		ref->total = (u64)hdr->data_length + hdr->remaining_length;
		ref->have = 0;
		if (!ref->total)
			return SMBDR_REASM_EMPTY;
		if (ref->total > LIMIT)
			return -EBADMSG;
	}
	if (ref->have + hdr->data_length + hdr->remaining_length != ref->total)
		return -EBADMSG;
	memcpy(ref->bytes + ref->have, payload, hdr->data_length);
	ref->have += hdr->data_length;
	ref->open = ref->have < ref->total;
	return ref->open ? SMBDR_REASM_MORE : SMBDR_REASM_DONE;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct reference ref = {};
	struct smbdr_reasm r;
	u8 *whole = malloc(LIMIT);
	u32 have = 0;

	smbdr_reasm_init(&r, LIMIT);
	while (size >= 2) {
		u32 len = data[0] | data[1] << 8;
		struct smbdr_data_hdr hdr;
		int want, ret;
		u8 *msg;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		msg = malloc(len ? len : 1);
		memcpy(msg, data, len);
		data += len;
		size -= len;
		if (smbdr_wire_get_data(msg, len, &hdr)) {
			free(msg);
			break;
		}
		want = reference_input(&ref, &hdr, msg + hdr.data_offset);
		if (!r.remaining)
			have = 0;
		ret = smbdr_reasm_input(&r, hdr.data_length, hdr.remaining_length);
		CHECK(ret == want);
		if (ret >= 0) {
			memcpy(whole + have, msg + hdr.data_offset, hdr.data_length);
			have += hdr.data_length;
		}
		free(msg);
		if (ret < 0)
			break;
		CHECK(ret == SMBDR_REASM_EMPTY || r.received == have);
		CHECK(r.received + (u64)r.remaining <= LIMIT);
		CHECK((ret == SMBDR_REASM_MORE) == (r.remaining != 0));
		if (ret == SMBDR_REASM_DONE)
			CHECK(have == ref.total && !memcmp(whole, ref.bytes, have));
	}
	free(whole);
	return 0;
}
