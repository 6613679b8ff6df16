// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as each of the messages. What is accepted has its payload inside
 * of the message, and written again says the same. The first byte of the
 * input chooses the message; the rest is copied to a block of its exact size,
 * so that the sanitizer sees a read beyond it.
 */
#include <stdlib.h>
#include <string.h>
#include "../../smbdirect/wire.c"
#include "../../smbdirect/params.c"

#define CHECK(x)	do { if (!(x)) __builtin_trap(); } while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void fuzz_request(const u8 *buf, u32 len)
{
	struct smbdr_negotiate_req a, b;
	struct smbdr_negotiated n;
	struct smbdr_params p;
	u8 again[SMBDR_NEGOTIATE_REQ_SIZE];
	int ret = smbdr_wire_get_negotiate_req(buf, len, &a);

	CHECK((ret == 0) == (len >= SMBDR_NEGOTIATE_REQ_SIZE));
	if (ret)
		return;
	smbdr_wire_put_negotiate_req(again, &a);
	CHECK(!memcmp(again, buf, 4));
	CHECK(!memcmp(again + 6, buf + 6, 14));
	CHECK(!smbdr_wire_get_negotiate_req(again, sizeof(again), &b));
	CHECK(a.max_fragmented_size == b.max_fragmented_size);

	smbdr_params_init(&p);
	if (smbdr_params_accept(&p, &a, &n))
		return;
	CHECK(n.max_send_size >= 128 && n.max_send_size <= p.max_send_size);
	CHECK(n.max_send_size <= a.max_receive_size);
	CHECK(n.max_recv_size >= 128 && n.max_recv_size <= p.max_recv_size);
	CHECK(n.max_fragmented_send_size >= 131072);
}

static void fuzz_response(const u8 *buf, u32 len)
{
	struct smbdr_negotiate_resp a;
	struct smbdr_negotiated n;
	struct smbdr_params p;
	u8 again[SMBDR_NEGOTIATE_RESP_SIZE];
	int ret = smbdr_wire_get_negotiate_resp(buf, len, &a);

	CHECK((ret == 0) == (len >= SMBDR_NEGOTIATE_RESP_SIZE));
	if (ret)
		return;
	smbdr_wire_put_negotiate_resp(again, &a);
	CHECK(!memcmp(again, buf, 6));
	CHECK(!memcmp(again + 8, buf + 8, 24));

	smbdr_params_init(&p);
	if (smbdr_params_confirm(&p, &a, &n))
		return;
	CHECK(n.max_send_size >= 128 && n.max_send_size <= p.max_send_size);
	CHECK(n.max_recv_size >= 128 && n.max_recv_size <= p.max_recv_size);
	CHECK(n.max_rw_size <= p.max_rw_size);
	CHECK(a.credits_granted && a.credits_requested);
}

static void fuzz_data(const u8 *buf, u32 len)
{
	struct smbdr_data_hdr a, b;
	u8 again[SMBDR_DATA_OFFSET];
	u32 i, sum = 0, written;

	if (smbdr_wire_get_data(buf, len, &a))
		return;
	for (i = 0; i < a.data_length; i++)
		sum += buf[a.data_offset + i];
	CHECK(sum <= 255 * len);
	CHECK(a.credits_requested && a.data_offset % 8 == 0);
	written = smbdr_wire_put_data(again, &a);
	CHECK(written == (a.data_length ? 24 : 20));
	CHECK(!memcmp(again, buf, 6));
	CHECK(!memcmp(again + 8, buf + 8, 12));
	if (!a.data_length && !a.data_offset) {
		CHECK(!smbdr_wire_get_data(again, written, &b));
		CHECK(a.remaining_length == b.remaining_length);
	}
}

static void fuzz_private(const u8 *buf, u32 len)
{
	struct smbdr_depths d = { 8, 32 };
	u32 ird, ord;

	if (!smbdr_params_get_ird_ord(buf, len, &ird, &ord))
		return;
	CHECK(ird && ird <= 255 && ord && ord <= 255);
	smbdr_params_match_depths(&d, ird, ord);
	CHECK(d.initiator_depth && d.initiator_depth <= 8);
	CHECK(d.responder_resources && d.responder_resources <= 32);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static void (*const kinds[])(const u8 *buf, u32 len) = {
		fuzz_request, fuzz_response, fuzz_data, fuzz_private,
	};
	u8 *buf;

	if (!size)
		return 0;
	buf = malloc(size - 1 ? size - 1 : 1);
	memcpy(buf, data + 1, size - 1);
	kinds[data[0] % 4](buf, size - 1);
	free(buf);
	return 0;
}
