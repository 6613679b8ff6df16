// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data messages to a server that sends every frame back: [MS-SMBD] 3.1.5.8,
 * and its timer, 3.1.6.2.
 *
 * A message that is wrong ends its connection; the next one has to work.
 */
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "peer.h"

/* Frames go in one message, the answer comes in one. */
static void send_small(void)
{
	uint8_t *buf = peer_pattern(500);
	const struct msg *m;

	peer_open(&normal);
	peer_send_data(&(struct data) { .requested = 10, .granted = 1, .offset = 24,
					.datalen = 500, .payload = buf });
	m = peer_recv(WAIT);
	peer_check(m, "disconnected");
	peer_check(m->datalen == 500 && !m->remaining, "length %u, remaining %u", m->datalen,
		   m->remaining);
	peer_check(!memcmp(m->raw + m->offset, buf, 500), "wrong content");
	peer_done();
	free(buf);
	peer_disconnect();
}

/* The server has to say something when its client's credits are at an end, and it does. */
static void send_moderate(void)
{
	uint32_t len = 65536, done = 0, empty = 0, part;
	uint8_t *buf = peer_pattern(len);

	peer_open(&normal);
	part = peer.max_send - 24;
	while (done < len) {
		uint32_t n = len - done < part ? len - done : part;

		for (; !peer.send_credits; empty++)
			peer_expect_empty(WAIT, 0);
		peer_send_data(&(struct data) {
			.requested = (len - done + part - 1) / part, .granted = 1,
			.remaining = len - done - n, .offset = 24, .datalen = n,
			.payload = buf + done,
		});
		done += n;
	}
	peer_check(empty, "no empty message was needed");
	peer_expect_echo(buf, len);
	free(buf);
	peer_disconnect();
}

/* Segments of 128 to 0 and 0 to 128 bytes; the first message only says how much it will be. */
static void variable_segments(void)
{
	const uint32_t len = 128 * 129;
	uint8_t *buf = peer_pattern(len);
	uint32_t left = len;
	int i;

	peer_open(&normal);
	peer_send_data(&(struct data) { .requested = 10, .granted = 10, .remaining = len });
	for (i = -128; i < 129; i++) {
		uint32_t n = abs(i);

		left -= n;
		peer_send_segment(buf + len - left - n, n, left);
		/* Zero twice, as the suite has it. */
		if (!i)
			peer_send_segment(buf, 0, left);
	}
	peer_expect_echo(buf, len);
	free(buf);
	peer_disconnect();
}

/* Far more segments than anybody has credits, each padded to the full size. */
static void small_segments(void)
{
	uint32_t len = 65536, i;
	uint8_t *buf = peer_pattern(len);
	struct request r = normal;

	r.credits = PEER_SLOTS - 1;
	peer_open(&r);
	for (i = 0; i < len; i++) {
		peer_wait_credit(1);
		if (peer.send_credits == 1 && !peer.to_grant)
			peer.to_grant = 1;
		peer_send_data(&(struct data) {
			.requested = peer.want, .granted = peer.to_grant, .remaining = len - i - 1,
			.offset = 24, .datalen = 1, .payload = buf + i, .wirelen = peer.max_send,
		});
	}
	peer_expect_echo(buf, len);
	free(buf);
	peer_disconnect();
}

static void redundancy(void)
{
	uint8_t *buf = peer_pattern(500);

	peer_open(&normal);
	peer_send_data(&(struct data) { .requested = 10, .granted = 10, .offset = 24,
					.datalen = 500, .payload = buf, .wirelen = 1024 });
	peer_expect_echo(buf, 500);
	free(buf);
	peer_disconnect();
}

/* A frame that just does not fit into one message; each of the answer's is paid for singly. */
static void receive_maxrecv(void)
{
	uint32_t got = 0, parts = 0, len;
	uint8_t *buf;

	peer_open(&normal);
	len = peer.max_send;
	buf = peer_pattern(len);
	peer_send_data(&(struct data) { .requested = 10, .granted = 1, .offset = 24,
					.remaining = 24, .datalen = len - 24, .payload = buf });
	peer_send_data(&(struct data) { .requested = 10, .granted = 0, .offset = 24,
					.datalen = 24, .payload = buf + len - 24 });
	while (got < len) {
		const struct msg *m = peer_recv(WAIT);

		peer_check(m, "disconnected after %u of %u bytes", got, len);
		peer_check(m->datalen && m->datalen + m->remaining == len - got,
			   "length %u, remaining %u, missing %u", m->datalen, m->remaining,
			   len - got);
		peer_check(!memcmp(m->raw + m->offset, buf + got, m->datalen), "wrong content");
		got += m->datalen;
		parts++;
		peer_done();
		peer_send_empty(1, 0);
	}
	peer_check(parts > 1, "it came in one message");
	free(buf);
	peer_disconnect();
}

/* A bad data message. */
static void bad_data(const struct data *d)
{
	struct data copy = *d;
	uint8_t *buf = peer_pattern(2048);

	copy.payload = buf;
	if (!copy.requested)
		copy.requested = 10;
	peer_open(&normal);
	peer_send_data(&copy);
	free(buf);
	peer_gone();
}

#define BAD(...) bad_data(&(struct data) { __VA_ARGS__ })

static void uncompleted(void)
{
	BAD(.granted = 10, .wirelen = 19);
}

static void bad_offset_aligned(void)
{
	BAD(.offset = 23, .datalen = 500);
	BAD(.offset = 25, .datalen = 500);
}

/* Numbers that no message could have. */
static void wild(uint32_t offset, uint32_t datalen, uint32_t remaining, uint32_t len)
{
	uint8_t b[1024] = { 10, 0, 10 };

	put32(b + 8, remaining);
	put32(b + 12, offset);
	put32(b + 16, datalen);
	peer_open(&normal);
	peer_send_raw(b, len);
	peer_gone();
}

static void bad_offset_length(void)
{
	wild(32, 500, 0, 524);
	wild(0xffffffff, 500, 0, 524);
}

static void bad_length(void)
{
	wild(24, 501, 0, 524);
	wild(24, 1001, 0, 1024);
	wild(24, 0xffffffff, 0, 524);
}

/* One byte above the size that was agreed on, and exactly that size. */
static void bad_length_maxrecv(void)
{
	struct request r = roomy;
	uint8_t *buf = peer_pattern(PEER_SEND_SIZE);
	uint32_t len;

	r.preferred = 0xffffffff;
	peer_open(&r);
	len = peer.max_send - 24 + 1;
	peer_send_data(&(struct data) { .requested = 10, .granted = 10, .offset = 24,
					.datalen = len, .payload = buf });
	peer_gone();
	peer_open(&r);
	peer_send_data(&(struct data) { .requested = 10, .granted = 10, .offset = 24,
					.datalen = len - 1, .payload = buf });
	peer_expect_echo(buf, len - 1);
	free(buf);
	peer_disconnect();
}

/* One byte above the largest frame, of which the messages do not speak; and exactly that. */
static void bad_maxfrag(void)
{
	uint32_t len, part, done, n;
	uint8_t *buf;

	peer_open(&roomy);
	len = peer.max_frame_out;
	buf = peer_pattern(len + 1);
	part = peer.max_send - 24;
	for (done = 0; done < len; done += n) {
		n = len - done < part ? len - done : part;
		/* The last one says that nothing is to come, and has the byte too many. */
		peer_send_segment(buf + done, done + n == len ? n + 1 : n, len - done - n);
	}
	peer_gone();
	peer_exchange(&roomy, len, 0);
	free(buf);
}

static void bad_remaining_maxfrag(void)
{
	uint32_t max;

	peer_open(&normal);
	max = peer.max_frame_out;
	peer_disconnect();
	BAD(.remaining = max + 1);
	BAD(.remaining = 0xffffffff);
}

/* 10 000 bytes in messages of 1000; in message @nr it says @remaining. */
static void bad_remaining(int nr, uint32_t remaining)
{
	uint8_t *buf = peer_pattern(10000);
	int i;

	peer_open(&normal);
	for (i = 0; i < nr; i++)
		peer_send_segment(buf + i * 1000, 1000, 9000 - i * 1000);
	peer_send_segment(buf + nr * 1000, 1000, remaining);
	free(buf);
	peer_gone();
}

static void bad_remaining_zero(void)
{
	bad_remaining(1, 0);
	bad_remaining(8, 0);
}

static void bad_remaining_sum(void)
{
	bad_remaining(1, 8001);
}

/* The client asks first, and only once. */
static void idle_client(void)
{
	peer_open(&normal);
	peer_send_empty(10, 0);
	peer_check(peer_silent(1000), "the server speaks");
	peer_send_empty(0, 1);
	peer_expect_empty(5, 0);
	peer_disconnect();
}

/* The server asks; who answers by a question gets an answer. And so on. */
static void idle_server(void)
{
	peer_open(&normal);
	peer_send_empty(10, 0);
	peer_expect_empty(WAIT, 1);
	sleep(4);
	peer_send_empty(1, 1);
	peer_expect_empty(6, 0);
	peer_expect_empty(WAIT, 1);
	peer_send_empty(1, 0);
	peer_disconnect();
}

static void idle_server_timeout(void)
{
	double start;

	peer_open(&normal);
	start = peer_now();
	peer_send_empty(10, 0);
	peer_expect_empty(WAIT, 1);
	peer_check(!peer_recv(GONE), "another message instead of the end");
	peer_expect_disconnect();
	peer_lasted(peer_now() - start, 3.9);
	peer_disconnect();
	peer_exchange(&normal, 500, 0);
}

/* ----- beyond the suite ----- */

static void smallest_messages(void)
{
	struct request r = normal;

	r.preferred = 128;
	r.maxrecv = 128;
	peer_exchange(&r, 131072, 0);
}

static void offset_wrap(void)
{
	wild(0xfffffff8, 500, 0, 524);
	wild(0xfffffff8, 24, 0, 524);
}

static void length_wrap(void)
{
	wild(24, 0xffffffe8, 0, 524);
}

static void remaining_wrap(void)
{
	wild(24, 500, 0xffffff00, 524);
}

static void oversize(void)
{
	BAD(.offset = 24, .datalen = 1001);
}

static void empty_mid_sequence(void)
{
	uint8_t *buf = peer_pattern(1000);

	peer_open(&normal);
	peer_send_segment(buf, 1000, 64536);
	peer_send_empty(1, 0);
	free(buf);
	peer_gone();
}

/* Reserved fields, flags that nobody knows and padding mean nothing. */
static void reserved(void)
{
	uint8_t *buf = peer_pattern(500);

	peer_open(&normal);
	peer_send_data(&(struct data) { .requested = 10, .granted = 10, .offset = 24,
					.flags = 0xfffe, .reserved = 0xffff, .padding = 0xff,
					.datalen = 500, .payload = buf });
	peer_expect_echo(buf, 500);
	free(buf);
	peer_disconnect();
}

/* A flag on a fragment is answered, too, and the frame goes on. */
static void asked_mid_sequence(void)
{
	uint8_t *buf = peer_pattern(1000);

	peer_open(&normal);
	peer_send_data(&(struct data) { .requested = 10, .granted = 10, .flags = 1, .offset = 24,
					.remaining = 500, .datalen = 500, .payload = buf });
	peer_expect_empty(WAIT, 0);
	peer_send_segment(buf + 500, 500, 0);
	peer_expect_echo(buf, 1000);
	free(buf);
	peer_disconnect();
}

/* A data message without payload that asks for an answer. */
static const uint8_t flagged[20] = { 10, 0, 10, 0, 1, 0 };

/* Immediate data means nothing to SMB Direct; the message is one. */
static void send_immediate(void)
{
	peer_open(&normal);
	if (peer_send_by(IBV_WR_SEND_WITH_IMM, flagged, sizeof(flagged), 77))
		peer_expect_empty(WAIT, 0);
	peer_disconnect();
}

/* Takes a receive, but is no message. */
static void write_immediate(void)
{
	peer_open(&normal);
	if (peer_send_by(IBV_WR_RDMA_WRITE_WITH_IMM, flagged, 0, 77))
		peer_gone();
	else
		peer_disconnect();
}

/* Nobody has told us a key. */
static void invalidate_unknown(void)
{
	peer_open(&normal);
	peer_send_by(IBV_WR_SEND_WITH_INV, flagged, sizeof(flagged), 0x1234567);
	peer_gone();
}

/* Gone in the middle of a frame to the server, and of one from it. */
static void vanish(void)
{
	uint8_t *buf = peer_pattern(65536);

	peer_open(&normal);
	peer_send_segment(buf, 1000, 64536);
	peer_disconnect();
	peer_open(&normal);
	peer_send_frame(buf, 65536, 0);
	peer_check(peer_recv(WAIT), "disconnected");
	peer_disconnect();
	free(buf);
	peer_exchange(&normal, 500, 0);
}

/* Negotiated, not accepted, and silent: it ends, its place is free, and nobody is told of it. */
static void unaccepted_silent(void)
{
	uint8_t *buf = peer_pattern(500);
	int err;

	peer_open(&normal);
	peer_send_empty(10, 0);
	peer_expect_empty(WAIT, 1);
	peer_check(!peer_recv(GONE), "another message instead of the end");
	peer_expect_disconnect();
	peer_disconnect();
	/* The backlog has one place. */
	peer_connect_when_free();
	peer_negotiate(&normal);
	err = late_accept_soon();
	peer_check(!err, "accept: %s", strerror(err));
	peer_send_frame(buf, 500, 0);
	peer_expect_echo(buf, 500);
	err = late_accept();
	peer_check(err == EAGAIN, "accept, but nobody waits: %s", strerror(err));
	peer_disconnect();
	free(buf);
}

/* The same behind a frame: that is to be had, so it can be accepted. */
static void unaccepted_silent_frame(void)
{
	uint8_t *buf = peer_pattern(500);
	int err;

	peer_open(&normal);
	peer_send_frame(buf, 500, 0);
	peer_expect_empty(WAIT, 1);
	peer_check(!peer_recv(GONE), "another message instead of the end");
	peer_expect_disconnect();
	peer_disconnect();
	err = late_accept();
	peer_check(!err, "accept: %s", strerror(err));
	err = late_accept();
	peer_check(err == EAGAIN, "accept, but nobody waits: %s", strerror(err));
	peer_open(&normal);
	err = late_accept_soon();
	peer_check(!err, "accept: %s", strerror(err));
	peer_send_frame(buf, 500, 0);
	peer_expect_echo(buf, 500);
	peer_disconnect();
	free(buf);
}

/* Accepted when it has been asked once already: that goes on, and ends it when it is silent. */
static void accepted_silent(void)
{
	double start;
	int err;

	peer_open(&normal);
	peer_send_empty(10, 0);
	peer_expect_empty(WAIT, 1);
	start = peer_now();
	peer_send_empty(peer.to_grant, 0);
	err = late_accept();
	peer_check(!err, "accept: %s", strerror(err));
	peer_expect_empty(WAIT, 1);
	peer_check(!peer_recv(GONE), "another message instead of the end");
	peer_expect_disconnect();
	peer_lasted(peer_now() - start, 3.9);
	peer_disconnect();
}

#define NEG	"SmbdDataTransfer_NegativeParameter_"
#define BVT	"BVT_SmbdDataTransfer_Basic_"

const struct scenario data_scenarios[] = {
	{ BVT "SendSmallBytesOfData", ECHO, "500 bytes in one message", send_small },
	{ BVT "SendModerateBytesData", ECHO, "64 KiB in fragments", send_moderate },
	{ "SmbdDataTransfer_VariableLengthSegment", ECHO, "0 to 128 bytes", variable_segments },
	{ "SmbdDataTransfer_SmallLengthSegment", ECHO, "65536 of one byte", small_segments },
	{ "SmbdDataTransfer_Redundancy", ECHO, "bytes behind the data", redundancy },
	{ "SmbdDataTransfer_ReceiveMaxReceiveSize", ECHO, "two messages", receive_maxrecv },
	{ "SmbdDataTransfer_UncompletedMessage", ECHO, "19 bytes", uncompleted },
	{ NEG "DataOffset_Against8ByteAligned", ECHO, "23, 25", bad_offset_aligned },
	{ NEG "DataOffset_AgainstMessageLength", ECHO, "32, 0xffffffff", bad_offset_length },
	{ NEG "DataLength_AgainstMessageLength", ECHO, "1 too many, 0xffffffff", bad_length },
	{ NEG "DataLength_AgainstMaxReceiveSize", ECHO, "1 too many; all", bad_length_maxrecv },
	{ NEG "AgainstMaxFragmentedSize", ECHO, "1 too many; all", bad_maxfrag },
	{ NEG "RemainingDataLength_AgainstMaxFragmentedSize", ECHO, "1 too many, 0xffffffff",
	  bad_remaining_maxfrag },
	{ NEG "RemainingDataLength_Zero", ECHO, "in the 2nd, in the last but one",
	  bad_remaining_zero },
	{ NEG "RemainingDataLength_AgainstFragmentReassemblyRemaining", ECHO, "1 too many",
	  bad_remaining_sum },
	{ "SmbdDataTransfer_IdleConnection_Client", ECHO, "the client asks", idle_client },
	{ "SmbdDataTransfer_IdleConnection_Server", IDLE, "the server asks", idle_server },
	{ "SmbdDataTransfer_IdleConnection_Server_Timeout", HASTY, "and gets no answer",
	  idle_server_timeout },

	{ "data_smallest_messages", ECHO, "128 KiB in messages of 128 bytes", smallest_messages },
	{ "data_offset_wraps", ECHO, "offset plus length is above 4 GiB", offset_wrap },
	{ "data_length_wraps", ECHO, "the same by the length", length_wrap },
	{ "data_remaining_wraps", ECHO, "remaining plus length is above 4 GiB", remaining_wrap },
	{ "data_oversize", ECHO, "a message above the negotiated size", oversize },
	{ "data_empty_mid_sequence", ECHO, "an empty message between fragments",
	  empty_mid_sequence },
	{ "data_reserved", ECHO, "reserved, padding, unknown flags are not 0", reserved },
	{ "data_asked_mid_sequence", ECHO, "a flag on a fragment", asked_mid_sequence },
	{ "data_send_immediate", ECHO, "a message with immediate data", send_immediate },
	{ "data_write_immediate", ECHO, "an RDMA write with immediate data", write_immediate },
	{ "data_invalidate_unknown", ECHO, "invalidates an unknown key", invalidate_unknown },
	{ "data_vanish", ECHO, "gone in the middle of a frame", vanish },
	{ "unaccepted_silent", LATE, "says nothing more before it is accepted", unaccepted_silent },
	{ "unaccepted_silent_frame", LATE, "the same after a frame", unaccepted_silent_frame },
	{ "accepted_silent", LATE, "says nothing more when it is accepted late", accepted_silent },
	{}
};
