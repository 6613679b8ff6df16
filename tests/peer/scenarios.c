// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the raw peer does, one function each.
 *
 * Active scenarios connect to a server of ours that sends every frame back.
 * Passive ones listen for a socket of ours that connects. The numbers N-, F-
 * and C- are those of the facts in the project's documentation of the
 * protocol, taken from [MS-SMBD] sections 3.1.4 to 3.1.5.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "peer.h"

#define GONE	12	/* seconds, as Microsoft's own test suite allows */

static const struct request normal = {
	.min = 0x0100, .max = 0x0100, .credits = 10,
	.preferred = 1024, .maxrecv = 1024, .maxfrag = 131072,
};

static const struct request roomy = {
	.min = 0x0100, .max = 0x0100, .credits = PEER_SLOTS - 1,
	.preferred = 8136, .maxrecv = 8192, .maxfrag = 1048576,
};

static uint8_t *pattern(uint32_t len)
{
	uint8_t *buf = malloc(len);
	uint32_t i;

	peer_check(buf, "out of memory");
	for (i = 0; i < len; i++)
		buf[i] = i * 2654435761u >> 24;
	return buf;
}

/* Connect, negotiate, one frame there and back. */
static void exchange(const struct request *r, uint32_t len, uint32_t fragment)
{
	uint8_t *buf = pattern(len);

	peer_connect(peer_addr, peer_port);
	peer_negotiate(r);
	peer_send_frame(buf, len, fragment);
	peer_recv_frame(buf, len);
	free(buf);
	peer_disconnect();
}

/* Microsoft's BVT: 500 bytes in one message. */
static void basic(void)
{
	exchange(&normal, 500, 0);
}

/* 64 KiB in messages of 1024 bytes. */
static void moderate(void)
{
	exchange(&normal, 65536, 0);
}

/* Far more fragments than anybody has credits. */
static void tiny_fragments(void)
{
	const char *some = getenv("SMBDR_PEER_FRAGMENTS");

	exchange(&roomy, some ? atoi(some) : 65536, 1);
}

/* The same with one credit each way. */
static void one_credit(void)
{
	struct request r = normal;

	r.credits = 1;
	exchange(&r, 65536, 0);
}

/* [MS-SMBD] 3.1.5.6: messages of 128 bytes, frames of 128 KiB. */
static void smallest_messages(void)
{
	struct request r = normal;

	r.preferred = 128;
	r.maxrecv = 128;
	exchange(&r, 131072, 0);
}

/* Sizes that are too large to be true are legal and get cut down. */
static void largest_request(void)
{
	struct request r = normal;

	r.credits = 254;
	r.preferred = 0xffffffff;
	r.maxfrag = 0xffffffff;
	exchange(&r, 5000, 0);
}

/* [MS-SMBD] 3.1.5.6: the request may be longer than its fields. */
static void long_request(void)
{
	struct request r = normal;

	r.wirelen = 512;
	exchange(&r, 500, 0);
}

/* [MS-SMBD] 3.1.5.6: a preferred size below 128 counts as 128. */
static void preferred_zero(void)
{
	struct request r = normal;
	struct response resp;

	r.preferred = 0;
	peer_connect(peer_addr, peer_port);
	peer_send_request(&r);
	resp = peer_recv_response(GONE);
	peer_check(!resp.status && resp.maxrecv == 128, "status 0x%x, max receive size %u",
		   resp.status, resp.maxrecv);
	peer_disconnect();
}

/* [MS-SMBD] 3.1.5.8: the first segment only announces, others are empty too. */
static void variable_segments(void)
{
	static const uint32_t sizes[] = { 0, 100, 0, 1, 0, 0, 200, 699, 0 };
	uint32_t left = 1000, i;
	uint8_t *buf = pattern(1000);

	peer_connect(peer_addr, peer_port);
	peer_negotiate(&normal);
	for (i = 0; left; i++) {
		peer_wait_credit(1);
		left -= sizes[i];
		peer_send_data(&(struct data) {
			.requested = PEER_SLOTS - 1, .granted = peer.to_grant,
			.remaining = left, .offset = i ? 24 : 0, .datalen = sizes[i],
			.payload = buf + 1000 - left - sizes[i],
		});
		peer.to_grant = 0;
		peer.send_credits--;
	}
	peer_recv_frame(buf, 1000);
	free(buf);
	peer_disconnect();
}

/* [MS-SMBD] 3.1.5.8: padding behind the data. */
static void padded(void)
{
	uint8_t *buf = pattern(500);

	peer_connect(peer_addr, peer_port);
	peer_negotiate(&normal);
	peer_send_data(&(struct data) {
		.requested = 10, .granted = peer.to_grant, .offset = 24, .datalen = 500,
		.payload = buf, .wirelen = 1024,
	});
	peer.to_grant = 0;
	peer.send_credits--;
	peer_recv_frame(buf, 500);
	free(buf);
	peer_disconnect();
}

/* [MS-SMBD] 3.1.5.8: a flagged message is answered, without flag, with a credit. */
static void keepalive(void)
{
	const struct msg *m;

	peer_connect(peer_addr, peer_port);
	peer_negotiate(&normal);
	peer_send_data(&(struct data) { .requested = 10, .granted = peer.to_grant, .flags = 1 });
	peer.to_grant = 0;
	m = peer_recv(5);
	peer_check(m, "disconnected");
	peer_check(m->len == 20 && !m->flags && m->granted && m->requested,
		   "%u bytes, flags %u, granted %u", m->len, m->flags, m->granted);
	peer_done();
	peer_disconnect();
}

/* A data message without payload that asks for an answer. */
static const uint8_t flagged[20] = { 10, 0, 10, 0, 1, 0 };

/* Immediate data means nothing to SMB Direct; the message is one. */
static void send_immediate(void)
{
	const struct msg *m;

	peer_connect(peer_addr, peer_port);
	peer_negotiate(&normal);
	if (peer_send_by(IBV_WR_SEND_WITH_IMM, flagged, sizeof(flagged), 77)) {
		m = peer_recv(5);
		peer_check(m && m->len == 20, "no answer");
		peer_done();
	}
	peer_disconnect();
}

/* Takes a receive, but is no message. */
static void write_immediate(void)
{
	peer_connect(peer_addr, peer_port);
	peer_negotiate(&normal);
	if (peer_send_by(IBV_WR_RDMA_WRITE_WITH_IMM, flagged, 0, 77))
		peer_expect_disconnect(GONE);
	peer_disconnect();
}

/* Nobody has told us a key. */
static void invalidate_unknown(void)
{
	peer_connect(peer_addr, peer_port);
	peer_negotiate(&normal);
	peer_send_by(IBV_WR_SEND_WITH_INV, flagged, sizeof(flagged), 0x1234567);
	peer_expect_disconnect(GONE);
	peer_disconnect();
}

/* The connection ends; the server goes on. */
static void refused(const struct request *r)
{
	peer_connect(peer_addr, peer_port);
	peer_send_request(r);
	peer_expect_disconnect(GONE);
	peer_disconnect();
	exchange(&normal, 500, 0);
}

/* [MS-SMBD] 3.1.5.6 */
static void request_short(void)
{
	struct request r = normal;

	r.wirelen = 19;
	refused(&r);
}

/* [MS-SMBD] 3.1.5.6 */
static void request_credits(void)
{
	struct request r = normal;

	r.credits = 0;
	refused(&r);
}

/* [MS-SMBD] 3.1.5.6 */
static void request_maxrecv(void)
{
	struct request r = normal;

	r.maxrecv = 127;
	refused(&r);
}

/* [MS-SMBD] 3.1.5.6 */
static void request_maxfrag(void)
{
	struct request r = normal;

	r.maxfrag = 131071;
	refused(&r);
}

/* [MS-SMBD] 3.1.5.6 */
static void request_version(void)
{
	struct request r = normal;
	struct response resp;

	r.min = 0x0101;
	r.max = 0xffff;
	peer_connect(peer_addr, peer_port);
	peer_send_request(&r);
	resp = peer_recv_response(GONE);
	peer_check(resp.status == 0xc00000bb && !resp.version && !resp.granted,
		   "status 0x%08x, version 0x%x", resp.status, resp.version);
	peer_expect_disconnect(GONE);
	peer_disconnect();
	exchange(&normal, 500, 0);
}

/* [MS-SMBD] 3.1.7.2: nobody waits for a request for ever. */
static void request_never(void)
{
	peer_connect(peer_addr, peer_port);
	peer_expect_disconnect(GONE);
	peer_disconnect();
	exchange(&normal, 500, 0);
}

/* A bad data message in @d ends the connection; the server goes on. */
static void bad_data(const struct data *d)
{
	struct data copy = *d;
	uint8_t *buf = pattern(2048);

	copy.payload = buf;
	peer_connect(peer_addr, peer_port);
	peer_negotiate(&normal);
	peer_send_data(&copy);
	peer_expect_disconnect(GONE);
	peer_disconnect();
	free(buf);
	exchange(&normal, 500, 0);
}

#define BAD(name, ...) static void name(void) { bad_data(&(struct data) { __VA_ARGS__ }); }

BAD(data_short, .requested = 10, .granted = 10, .wirelen = 19)
BAD(data_credits, .requested = 0, .granted = 10)
BAD(data_offset_23, .requested = 10, .offset = 23, .datalen = 500)
BAD(data_offset_25, .requested = 10, .offset = 25, .datalen = 500)
BAD(data_offset_32, .requested = 10, .offset = 32, .datalen = 500, .wirelen = 524)
BAD(data_length, .requested = 10, .offset = 24, .datalen = 501, .wirelen = 524)
BAD(data_remaining, .requested = 10, .remaining = 16777217)
BAD(data_remaining_max, .requested = 10, .remaining = 0xffffffff)
BAD(data_remaining_wrap, .requested = 10, .remaining = 0xffffff00, .offset = 24,
    .datalen = 500)
BAD(data_oversize, .requested = 10, .offset = 24, .datalen = 1024 - 23)

/* The same with numbers that no message could have. */
static void wild_data(uint32_t offset, uint32_t datalen)
{
	uint8_t b[524] = { 10, 0, 10 };

	memcpy(b + 12, &offset, 4);
	memcpy(b + 16, &datalen, 4);
	peer_connect(peer_addr, peer_port);
	peer_negotiate(&normal);
	peer_send_raw(b, sizeof(b));
	peer_expect_disconnect(GONE);
	peer_disconnect();
	exchange(&normal, 500, 0);
}

static void data_offset_max(void)
{
	wild_data(0xffffffff, 500);
	wild_data(0xfffffff8, 500);
}

static void data_length_max(void)
{
	wild_data(24, 0xffffffff);
	wild_data(24, 0xffffffe8);
}

/* A second segment that does not fit the first. */
static void second(uint32_t remaining, uint32_t offset, uint32_t datalen)
{
	uint8_t *buf = pattern(1000);

	peer_connect(peer_addr, peer_port);
	peer_negotiate(&normal);
	peer_send_data(&(struct data) { .requested = 10, .granted = 10, .remaining = 64536,
					.offset = 24, .datalen = 1000, .payload = buf });
	peer_send_data(&(struct data) { .requested = 10, .granted = 1, .remaining = remaining,
					.offset = offset, .datalen = datalen, .payload = buf });
	peer_expect_disconnect(GONE);
	peer_disconnect();
	free(buf);
	exchange(&normal, 500, 0);
}

static void empty_mid_sequence(void)
{
	second(0, 0, 0);
}

static void remaining_zero(void)
{
	second(0, 24, 1000);
}

static void remaining_wrong(void)
{
	second(63537, 24, 1000);
}

/* Gone in the middle of a message: the server goes on. */
static void vanish(void)
{
	uint8_t *buf = pattern(1000);
	int i;

	for (i = 0; i < 3; i++) {
		peer_connect(peer_addr, peer_port);
		if (i > 0)
			peer_negotiate(&normal);
		if (i > 1)
			peer_send_data(&(struct data) { .requested = 10, .granted = 10,
							.remaining = 64536, .offset = 24,
							.datalen = 1000, .payload = buf });
		peer_disconnect();
	}
	free(buf);
	exchange(&normal, 500, 0);
}

#define S(f, text) { #f, text, f }

const struct scenario scenarios[] = {
	S(basic, "500 bytes in one message, echoed"),
	S(moderate, "64 KiB in fragments, echoed"),
	S(tiny_fragments, "65536 fragments of one byte, echoed"),
	S(one_credit, "64 KiB with one credit each way"),
	S(smallest_messages, "128 KiB in messages of 128 bytes"),
	S(largest_request, "a request with the largest numbers"),
	S(long_request, "a request of 512 bytes"),
	S(preferred_zero, "a request with preferred send size 0"),
	S(variable_segments, "segments of 0 bytes among others"),
	S(padded, "bytes behind the data"),
	S(keepalive, "a flagged message is answered without flag"),
	S(send_immediate, "a message with immediate data"),
	S(write_immediate, "an RDMA write with immediate data"),
	S(invalidate_unknown, "a message that invalidates an unknown key"),
	S(request_short, "a request of 19 bytes"),
	S(request_credits, "a request for 0 credits"),
	S(request_maxrecv, "a request with max receive size 127"),
	S(request_maxfrag, "a request with max fragmented size 131071"),
	S(request_version, "a request for version 0x0101 and up"),
	S(request_never, "no request"),
	S(data_short, "a data message of 19 bytes"),
	S(data_credits, "a data message that requests 0 credits"),
	S(data_offset_23, "data offset 23"),
	S(data_offset_25, "data offset 25"),
	S(data_offset_32, "data offset 32, 8 bytes too far"),
	S(data_offset_max, "data offset near 4 GiB"),
	S(data_length, "data length one byte too long"),
	S(data_length_max, "data length near 4 GiB"),
	S(data_remaining, "more remaining than any limit"),
	S(data_remaining_max, "remaining 0xffffffff"),
	S(data_remaining_wrap, "remaining that wraps with the length"),
	S(data_oversize, "a message over the negotiated size"),
	S(empty_mid_sequence, "an empty message between fragments"),
	S(remaining_zero, "an end before the end"),
	S(remaining_wrong, "a remaining length one too large"),
	S(vanish, "gone before, after and during the first message"),
	{}
};
