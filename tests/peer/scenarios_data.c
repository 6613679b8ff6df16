// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data messages, [MS-SMBD] 3.1.5.8, and their timer, 3.1.6.2, with a server that sends every
 * frame back and with a client that wants its frame back or only reads.
 *
 * A message that is wrong ends its connection; the next one has to work.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "peer.h"

#define SDT	"SmbdDataTransfer_"
#define NEG	SDT "NegativeParameter_"

/* Frames go in one message, the answer comes in one. */
SCENARIO("BVT_" SDT "Basic_SendSmallBytesOfData", ECHO, "500 bytes in one message")
{
	peer_open(&normal);
	SEND(.granted = 1, .datalen = 500);
	peer_check(peer_recv_part(0, 500) == 500, "not in one message");
	peer_compare(500);
	peer_disconnect();
}

/* The server has to say something when its client's credits are at an end, and it does. */
SCENARIO("BVT_" SDT "Basic_SendModerateBytesData", ECHO, "64 KiB in fragments")
{
	uint32_t len = 65536, done = 0, empty = 0, part;

	peer_open(&normal);
	part = peer->max_send - 24;
	while (done < len) {
		uint32_t n = len - done < part ? len - done : part;

		for (; !peer->send_credits; empty++)
			peer_expect_empty(WAIT, 0);
		peer_send_data(&(struct data) {
			.requested = (len - done + part - 1) / part, .granted = 1,
			.remaining = len - done - n, .datalen = n,
			.payload = peer_pattern(len) + done,
		});
		done += n;
	}
	peer_check(empty, "no empty message was needed");
	peer_expect_echo(len);
	peer_disconnect();
}

/* Of 128 to 0 and 0 to 128 bytes; the first message only says how much it will be. */
SCENARIO(SDT "VariableLengthSegment", ECHO, "0 to 128 bytes")
{
	const uint32_t len = 128 * 129;
	const uint8_t *buf = peer_pattern(len);
	uint32_t left = len;
	int i;

	peer_open(&normal);
	SEND(.granted = 10, .remaining = len);
	for (i = -128; i < 129; i++) {
		uint32_t n = abs(i);

		left -= n;
		peer_send_segment(buf + len - left - n, n, left);
		/* Zero twice, as the suite has it. */
		if (!i)
			peer_send_segment(buf, 0, left);
	}
	peer_expect_echo(len);
	peer_disconnect();
}

/* The first one too. */
SCENARIO("client_variable_segments", CLIENT, "segments of 0 bytes")
{
	static const uint32_t sizes[] = { 0, 100, 0, 1, 0, 0, 200, 699, 0 };
	uint32_t left = 1000, i;

	client_welcome(1000, "");
	peer_recv_frame(1000);
	for (i = 0; left; left -= sizes[i++])
		peer_send_segment(peer_frame + 1000 - left, sizes[i], left - sizes[i]);
	client_done();
}

/* Far more segments than anybody has credits, each padded to the full size. */
SCENARIO(SDT "SmallLengthSegment", ECHO, "65536 of one byte", HEAVY)
{
	struct request r = normal;

	r.credits = PEER_SLOTS - 1;
	peer_open(&r);
	peer_send_bytes(peer_pattern(65536), 65536);
	peer_expect_echo(65536);
	peer_disconnect();
}

/* The client reads nothing before the last, and gives up after 20 s. */
SCENARIO("client_tiny_fragments", CLIENT, "4096 fragments of one byte", HEAVY)
{
	client_welcome(4096, "");
	peer_recv_frame(4096);
	peer_send_bytes(peer_frame, 4096);
	client_done();
}

SCENARIO(SDT "Redundancy", ECHO, "bytes behind the data")
{
	peer_open(&normal);
	SEND(.granted = 10, .datalen = 500, .wirelen = 1024);
	peer_expect_echo(500);
	peer_disconnect();
}

/* Each of the messages of a frame is paid for singly. How many are there? */
static uint32_t recv_paid(uint32_t len)
{
	uint32_t got = 0, parts = 0;

	while (got < len) {
		uint32_t n = peer_recv_part(got, len);

		got += n;
		parts += !!n;
		peer_send_empty(1, 0);
	}
	peer_check(parts > 1, "it came in one message");
	return parts;
}

/* A frame that just does not fit into one message. */
SCENARIO(SDT "ReceiveMaxReceiveSize", ECHO, "two messages")
{
	uint32_t len, parts;

	peer_open(&normal);
	len = peer->max_send;
	SEND(.granted = 1, .remaining = 24, .datalen = len - 24);
	SEND(.datalen = 24, .payload = peer_pattern(len) + len - 24);
	parts = recv_paid(len);
	peer_check(peer->came == parts, "%u messages for %u fragments", (unsigned int)peer->came,
		   parts);
	peer_compare(len);
	peer_disconnect();
}

SCENARIO("client_max_receive", CLIENT, "two messages, each paid for")
{
	client_welcome(welcome.maxrecv, "");
	recv_paid(welcome.maxrecv);
	peer_send_frame(peer_frame, welcome.maxrecv);
	client_done();
}

/* One message, and the end. */
#define BAD(...) do {			\
	either_open("");		\
	SEND(__VA_ARGS__);		\
	either_aborts();		\
} while (0)

MIRRORED_CASE(SDT "UncompletedMessage", "client_data_short", ECHO, "19 bytes",
	      BAD(.granted = 1, .wirelen = 19))
CASE(NEG "DataOffset_Against8ByteAligned", ECHO, "23, 25",
     BAD(.offset = 23, .datalen = 500); BAD(.offset = 25, .datalen = 500))
CASE("client_data_offset", CLIENT, "23, 25, 32",
     BAD(.offset = 23, .datalen = 500); BAD(.offset = 25, .datalen = 500);
     BAD(.offset = 32, .datalen = 500, .wirelen = 524))
CASE(NEG "DataOffset_AgainstMessageLength", ECHO, "32, 0xffffffff",
     BAD(.granted = 10, .offset = 32, .datalen = 500, .wirelen = 524);
     BAD(.granted = 10, .offset = 0xffffffff, .datalen = 500, .wirelen = 524))
CASE("client_data_offset_wild", CLIENT, "near 4 GiB",
     BAD(.granted = 1, .offset = 0xffffffff, .datalen = 500, .wirelen = 524);
     BAD(.granted = 1, .offset = 0xfffffff8, .datalen = 500, .wirelen = 524))
CASE("data_offset_wraps", ECHO, "offset plus length is above 4 GiB",
     BAD(.granted = 10, .offset = 0xfffffff8, .datalen = 500, .wirelen = 524);
     BAD(.granted = 10, .offset = 0xfffffff8, .datalen = 24, .wirelen = 524))

static void wrong_lengths(void)
{
	BAD(.granted = 1, .datalen = 501, .wirelen = 524);
	BAD(.granted = 1, .datalen = 1001, .wirelen = 1024);
	BAD(.granted = 1, .datalen = 0xffffffff, .wirelen = 524);
}

static void length_wraps(void)
{
	BAD(.granted = 1, .datalen = 0xffffffe8, .wirelen = 524);
}

CASE(NEG "DataLength_AgainstMessageLength", ECHO, "1 too many, 0xffffffff", wrong_lengths())
CASE("data_length_wraps", ECHO, "the same by the length", length_wraps())
CASE("client_data_length", CLIENT, "1 too many, also in a full message, near 4 GiB",
     wrong_lengths(); length_wraps())

/* One byte above the size that was agreed on, and exactly that size. */
SCENARIO(NEG "DataLength_AgainstMaxReceiveSize", ECHO, "1 too many; all")
{
	struct request r = roomy;
	uint32_t len;

	r.preferred = 0xffffffff;
	peer_open(&r);
	len = peer->max_send - 24;
	SEND(.granted = 10, .datalen = len + 1);
	peer_gone();
	peer_open(&r);
	SEND(.granted = 10, .datalen = len);
	peer_expect_echo(len);
	peer_disconnect();
}

CASE("data_oversize", ECHO, "a message above the negotiated size", BAD(.datalen = 1001))

SCENARIO("client_data_oversize", CLIENT, "a message above the negotiated size")
{
	either_open("");
	SEND(.datalen = 1001);
	peer_expect_disconnect();
	peer_disconnect();
	/* siw ends the connection, and whether that or the bad receive is told first is luck. */
	client_expect_either("receive", ECONNABORTED, "end", 0);
}

/* One byte above the largest frame, of which the messages do not speak. How large is that? */
static uint32_t overfill(void)
{
	uint32_t len = peer->max_frame_out, part = peer->max_send - 24, done, n;

	for (done = 0; done < len; done += n) {
		n = len - done < part ? len - done : part;
		/* The last one says that nothing is to come, and has the byte too many. */
		peer_send_segment(peer_pattern(part + 1), done + n == len ? n + 1 : n,
				  len - done - n);
	}
	return len;
}

SCENARIO(NEG "AgainstMaxFragmentedSize", ECHO, "1 too many; all")
{
	uint32_t len;

	peer_open(&roomy);
	len = overfill();
	peer_gone();
	peer_exchange(&roomy, len);
}

SCENARIO("client_max_frame", CLIENT, "1 too many; all")
{
	struct response r = welcome;
	uint32_t len;

	r.preferred = 8192;
	r.maxrecv = 8192;
	r.maxfrag = 0xffffffff;
	client_open(0, "");
	peer_welcome(&r);
	len = overfill();
	either_aborts();
	client_exchange(&r, len);
}

static void remaining_too_large(void)
{
	uint32_t max;

	either_open("");
	max = peer->max_frame_out;
	either_close();
	BAD(.remaining = max + 1);
	BAD(.remaining = 0xffffffff);
}

static void remaining_wraps(void)
{
	BAD(.granted = 1, .remaining = 0xffffff00, .datalen = 500);
}

CASE(NEG "RemainingDataLength_AgainstMaxFragmentedSize", ECHO, "1 too many, 0xffffffff",
     remaining_too_large())
CASE("data_remaining_wraps", ECHO, "remaining plus length is above 4 GiB", remaining_wraps())
CASE("client_data_remaining", CLIENT, "1 too many, near 4 GiB",
     remaining_too_large(); remaining_wraps())

/* 10 000 bytes in messages of 1000; message @nr says @remaining. */
static void bad_remaining(int nr, uint32_t remaining)
{
	const uint8_t *buf = peer_pattern(1000);
	int i;

	either_open("");
	for (i = 0; i < nr; i++)
		peer_send_segment(buf, 1000, 9000 - i * 1000);
	peer_send_segment(buf, 1000, remaining);
	either_aborts();
}

MIRRORED_CASE(NEG "RemainingDataLength_Zero", "client_remaining_zero", ECHO,
	      "in the 2nd, in the last but one", bad_remaining(1, 0); bad_remaining(8, 0))
MIRRORED_CASE(NEG "RemainingDataLength_AgainstFragmentReassemblyRemaining",
	      "client_remaining_sum", ECHO, "1 too many, 1 too few",
	      bad_remaining(1, 8001); bad_remaining(1, 7999))

MIRRORED("data_empty_mid_sequence", "client_empty_mid_sequence", ECHO,
	 "an empty message between fragments")
{
	either_open("");
	peer_send_segment(peer_pattern(1000), 1000, 64536);
	peer_send_empty(1, 0);
	either_aborts();
}

/* ----- timers ----- */

/* A data message without payload that asks for an answer. */
static const uint8_t flagged[DATA_SIZE] = { 10, 0, 1, 0, 1, 0 };

/* It asks first, and only once. */
SCENARIO(SDT "IdleConnection_Client", ECHO, "the client asks", WAITING)
{
	peer_open(&normal);
	peer_send_empty(10, 0);
	peer_check(peer_silent(1000), "the server speaks");
	peer_send_empty(0, 1);
	peer_expect_empty(5, 0);
	peer_disconnect();
}

SCENARIO("client_asked", CLIENT, "answers a flag without one")
{
	either_open("");
	peer_send_raw(flagged, sizeof(flagged));
	peer_expect_empty(WAIT, 0);
	either_close();
}

/* Who answers by a question gets an answer. And so on. */
MIRRORED(SDT "IdleConnection_Server", "client_asks_and_is_asked", IDLE,
	 "it asks, and the answer asks", WAITING)
{
	either_open("interval=1000 timeout=5000");
	peer_send_empty(10, 0);
	peer_expect_empty(WAIT, 1);
	sleep(4);
	peer_send_empty(1, 1);
	peer_expect_empty(6, 0);
	peer_expect_empty(WAIT, 1);
	peer_send_empty(1, 0);
	either_close();
}

SCENARIO("client_asks", CLIENT, "is idle, asks and is answered, twice", WAITING)
{
	int i;

	either_open("interval=500 timeout=10000");
	for (i = 0; i < 2; i++) {
		peer_expect_empty(WAIT, 1);
		peer_send_empty(peer->to_grant, 0);
	}
	either_close();
}

/* It asks and gets no answer. */
static void ask_in_vain(void)
{
	double start;

	either_open("interval=1000 timeout=3000");
	start = peer_now();
	peer_send_empty(10, 0);
	peer_expect_empty(WAIT, 1);
	peer_expect_timeout(start, 3.9);
}

SCENARIO(SDT "IdleConnection_Server_Timeout", HASTY, "and gets no answer", WAITING)
{
	ask_in_vain();
	peer_disconnect();
	peer_exchange(&normal, 500);
}

SCENARIO("client_asks_in_vain", CLIENT, "is idle, asks and is not answered", WAITING)
{
	ask_in_vain();
	client_end("receive", ETIMEDOUT);
}

/* Negotiated, not accepted: it ends, its place is free, and nobody is told of it. */
SCENARIO("unaccepted_silent", LATE, "says nothing more before it is accepted", WAITING)
{
	ask_in_vain();
	peer_disconnect();
	/* The backlog has one place. */
	peer_connect_when_free();
	peer_negotiate(&normal);
	late_accepts();
	peer_echo(500);
	late_expect(EAGAIN);
	peer_disconnect();
}

/* The frame is to be had, so it can be accepted. */
SCENARIO("unaccepted_silent_frame", LATE, "the same after a frame", WAITING)
{
	double start = peer_now();

	peer_open(&normal);
	peer_send_frame(peer_pattern(500), 500);
	peer_expect_empty(WAIT, 1);
	peer_expect_timeout(start, 3.9);
	peer_disconnect();
	late_expect(0);
	late_expect(EAGAIN);
	peer_open(&normal);
	late_accepts();
	peer_echo(500);
	peer_disconnect();
}

/* Accepted when it has been asked once already: that goes on, and ends it when it is silent. */
SCENARIO("accepted_silent", LATE, "says nothing more when it is accepted late", WAITING)
{
	double start;

	peer_open(&normal);
	peer_send_empty(10, 0);
	peer_expect_empty(WAIT, 1);
	start = peer_now();
	peer_send_empty(peer->to_grant, 0);
	late_expect(0);
	peer_expect_empty(WAIT, 1);
	peer_expect_timeout(start, 3.9);
	peer_disconnect();
}

/* ----- beyond the suite ----- */

SCENARIO("data_smallest_messages", ECHO, "128 KiB in messages of 128 bytes", HEAVY)
{
	struct request r = normal;

	r.preferred = 128;
	r.maxrecv = 128;
	peer_exchange(&r, 131072);
}

/* Reserved fields, flags that nobody knows and padding mean nothing. */
static void send_reserved(const uint8_t *payload)
{
	SEND(.granted = 10, .flags = 0xfffe, .reserved = 0xffff, .padding = 0xff, .datalen = 500,
	     .payload = payload);
}

SCENARIO("data_reserved", ECHO, "reserved, padding, unknown flags are not 0")
{
	peer_open(&normal);
	send_reserved(NULL);
	peer_expect_echo(500);
	peer_disconnect();
}

SCENARIO("client_data_reserved", CLIENT, "reserved, padding, unknown flags")
{
	client_welcome(500, "");
	peer_recv_frame(500);
	peer_wait_credit(1);
	send_reserved(peer_frame);
	client_done();
}

/* It is answered, too, and the frame goes on. */
SCENARIO("data_asked_mid_sequence", ECHO, "a flag on a fragment")
{
	peer_open(&normal);
	SEND(.granted = 10, .flags = 1, .remaining = 500, .datalen = 500);
	peer_expect_empty(WAIT, 0);
	peer_send_segment(peer_pattern(1000) + 500, 500, 0);
	peer_expect_echo(1000);
	peer_disconnect();
}

/* Immediate data means nothing to SMB Direct; the message is one. */
SCENARIO("data_send_immediate", ECHO, "a message with immediate data")
{
	peer_open(&normal);
	if (peer_send_by(IBV_WR_SEND_WITH_IMM, flagged, sizeof(flagged), 77))
		peer_expect_empty(WAIT, 0);
	peer_disconnect();
}

/* Takes a receive, but is no message. */
MIRRORED("data_write_immediate", "client_write_immediate", ECHO,
	 "an RDMA write with immediate data")
{
	either_open("");
	if (peer_send_by(IBV_WR_RDMA_WRITE_WITH_IMM, flagged, 0, 77))
		either_aborts();
	else
		either_close();
}

/* Nobody has told us a key. */
MIRRORED("data_invalidate_unknown", "client_invalidate_unknown", ECHO, "invalidates an unknown key")
{
	either_open("");
	peer_send_by(IBV_WR_SEND_WITH_INV, flagged, sizeof(flagged), 0x1234567);
	either_aborts();
}

/* Of a frame to the server, and of one from it. */
SCENARIO("data_vanish", ECHO, "gone in the middle of a frame")
{
	const uint8_t *buf = peer_pattern(65536);

	peer_open(&normal);
	peer_send_segment(buf, 1000, 64536);
	peer_disconnect();
	peer_open(&normal);
	peer_send_frame(buf, 65536);
	peer_check(peer_recv(WAIT), "disconnected");
	peer_disconnect();
	peer_exchange(&normal, 500);
}
