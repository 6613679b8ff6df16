// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data messages, credits and timers with a client of ours: the same sections of
 * [MS-SMBD] as for the server, 3.1.5.8, 3.1.5.1 and 3.1.6.2, since after the
 * negotiation both roles are the same.
 *
 * Most clients here only read, until their connection ends: then nothing of theirs is
 * under way and the errno is certain. After each main.c has another one connect.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "peer.h"

#define WITH(r, ...) struct response r = welcome; do { __VA_ARGS__; } while (0)

/* A client that reads; it has told us of its receives. */
static void reader(const char *options)
{
	client_open(0, options);
	peer_welcome(&welcome);
	peer_wait_credit(4);
}

static void aborted(void)
{
	peer_expect_disconnect();
	client_end("receive", ECONNABORTED);
}

static void moderate(void)
{
	client_exchange(&welcome, 65536);
}

static void one_credit(void)
{
	struct response r = welcome;

	r.requested = 1;
	r.granted = 1;
	client_exchange(&r, 65536);
}

/* The answer comes in pieces of one byte, padded. */
static void tiny_fragments(void)
{
	/* The client reads nothing before the last, and gives up after 20 s. */
	uint32_t len = 4096, i;
	uint8_t *buf = malloc(len);

	peer_check(buf, "out of memory");
	client_open(len, "");
	peer_welcome(&welcome);
	peer_recv_frame(buf, len);
	for (i = 0; i < len; i++) {
		peer_wait_credit(1);
		if (peer.send_credits == 1 && !peer.to_grant)
			peer.to_grant = 1;
		peer_send_data(&(struct data) {
			.requested = peer.want, .granted = peer.to_grant, .remaining = len - i - 1,
			.offset = 24, .datalen = 1, .payload = buf + i, .wirelen = peer.max_send,
		});
	}
	client_finish();
	client_end("done", 0);
	free(buf);
}

/* Segments with nothing in them, the first one too. */
static void variable_segments(void)
{
	static const uint32_t sizes[] = { 0, 100, 0, 1, 0, 0, 200, 699, 0 };
	uint32_t left = 1000, i;
	uint8_t buf[1000];

	client_open(1000, "");
	peer_welcome(&welcome);
	peer_recv_frame(buf, 1000);
	for (i = 0; left; left -= sizes[i++])
		peer_send_segment(buf + 1000 - left, sizes[i], left - sizes[i]);
	client_finish();
	client_end("done", 0);
}

static void reserved(void)
{
	uint8_t buf[500];

	client_open(500, "");
	peer_welcome(&welcome);
	peer_recv_frame(buf, 500);
	peer_wait_credit(1);
	peer_send_data(&(struct data) { .requested = 10, .granted = peer.to_grant, .offset = 24,
					.flags = 0xfffe, .reserved = 0xffff, .padding = 0xff,
					.datalen = 500, .payload = buf });
	client_finish();
	client_end("done", 0);
}

static void bad_data(const struct data *d)
{
	uint8_t *buf = peer_pattern(2048);
	struct data copy = *d;

	copy.payload = buf;
	reader("");
	peer_send_data(&copy);
	free(buf);
	aborted();
}

#define BAD(...) bad_data(&(struct data) { __VA_ARGS__ })

static void data_short(void)
{
	BAD(.requested = 10, .granted = 1, .wirelen = 19);
}

static void data_requested(void)
{
	BAD(.requested = 0, .granted = 1);
}

static void data_offset(void)
{
	BAD(.requested = 10, .offset = 23, .datalen = 500);
	BAD(.requested = 10, .offset = 25, .datalen = 500);
	BAD(.requested = 10, .offset = 32, .datalen = 500, .wirelen = 524);
}

static void wild(uint32_t offset, uint32_t datalen, uint32_t remaining, uint32_t len)
{
	uint8_t b[1024] = { 10, 0, 1 };

	put32(b + 8, remaining);
	put32(b + 12, offset);
	put32(b + 16, datalen);
	reader("");
	peer_send_raw(b, len);
	aborted();
}

static void data_offset_wild(void)
{
	wild(0xffffffff, 500, 0, 524);
	wild(0xfffffff8, 500, 0, 524);
}

static void data_length(void)
{
	wild(24, 501, 0, 524);
	wild(24, 1001, 0, 1024);
	wild(24, 0xffffffff, 0, 524);
	wild(24, 0xffffffe8, 0, 524);
}

static void data_remaining(void)
{
	uint32_t max;

	reader("");
	max = peer.max_frame_out;
	client_end("end", 0);
	BAD(.requested = 10, .remaining = max + 1);
	BAD(.requested = 10, .remaining = 0xffffffff);
	wild(24, 500, 0xffffff00, 524);
}

static void data_oversize(void)
{
	uint8_t *buf = peer_pattern(1001);

	reader("");
	peer_send_data(&(struct data) { .requested = 10, .offset = 24, .datalen = 1001,
					.payload = buf });
	free(buf);
	peer_expect_disconnect();
	peer_disconnect();
	/* siw ends the connection, and whether that or the bad receive is told first is luck. */
	client_expect_either("receive", ECONNABORTED, "end", 0);
}

/* 64536 bytes are to come, and then comes something else. */
static void second(const struct data *d)
{
	uint8_t *buf = peer_pattern(1000);
	struct data copy = *d;

	copy.requested = 10;
	copy.payload = buf;
	reader("");
	peer_send_segment(buf, 1000, 64536);
	peer_send_data(&copy);
	free(buf);
	aborted();
}

#define SECOND(...) second(&(struct data) { __VA_ARGS__ })

static void empty_mid_sequence(void)
{
	SECOND(.granted = 1);
}

static void remaining_zero(void)
{
	uint8_t *buf = peer_pattern(1000);
	int i;

	SECOND(.offset = 24, .datalen = 1000);
	/* In the last but one of ten. */
	reader("");
	for (i = 9; i > 1; i--)
		peer_send_segment(buf, 1000, i * 1000);
	peer_send_segment(buf, 1000, 0);
	free(buf);
	aborted();
}

static void remaining_sum(void)
{
	SECOND(.offset = 24, .datalen = 1000, .remaining = 63537);
	SECOND(.offset = 24, .datalen = 1000, .remaining = 63535);
}

/* One byte above the largest frame, of which the messages do not speak; and exactly that. */
static void max_frame(void)
{
	WITH(r, r.preferred = 8192; r.maxrecv = 8192; r.maxfrag = 0xffffffff);
	uint32_t len, part, done, n;
	uint8_t *buf;

	client_open(0, "");
	peer_welcome(&r);
	len = peer.max_frame_out;
	part = peer.max_send - 24;
	buf = peer_pattern(part + 1);
	for (done = 0; done < len; done += n) {
		n = len - done < part ? len - done : part;
		/* The last one says that nothing is to come, and has the byte too many. */
		peer_send_segment(buf, done + n == len ? n + 1 : n, len - done - n);
	}
	free(buf);
	aborted();
	client_exchange(&r, len);
}

/* A frame that just does not fit into one message; each of its messages is paid for singly. */
static void max_receive(void)
{
	uint32_t got = 0, parts = 0, len = welcome.maxrecv;
	uint8_t buf[1024];

	client_open(len, "");
	peer_welcome(&welcome);
	while (got < len) {
		const struct msg *m = peer_recv(WAIT);

		peer_check(m, "disconnected after %u of %u bytes", got, len);
		peer_check(!m->datalen || m->datalen + m->remaining == len - got,
			   "length %u, remaining %u, missing %u", m->datalen, m->remaining,
			   len - got);
		memcpy(buf + got, m->raw + m->offset, m->datalen);
		got += m->datalen;
		parts += !!m->datalen;
		peer_done();
		peer_send_empty(1, 0);
	}
	peer_check(parts > 1, "it came in one message");
	peer_send_frame(buf, len, 0);
	client_finish();
	client_end("done", 0);
}

/* A data message without payload that asks for an answer. */
static const uint8_t flagged[20] = { 10, 0, 1, 0, 1, 0 };

static void invalidate_unknown(void)
{
	reader("");
	peer_send_by(IBV_WR_SEND_WITH_INV, flagged, sizeof(flagged), 0x1234567);
	aborted();
}

static void write_immediate(void)
{
	reader("");
	if (peer_send_by(IBV_WR_RDMA_WRITE_WITH_IMM, flagged, 0, 77))
		aborted();
	else
		client_end("end", 0);
}

/* It is asked, and answers without asking. */
static void asked(void)
{
	reader("");
	peer_send_raw(flagged, sizeof(flagged));
	peer_expect_empty(WAIT, 0);
	client_end("end", 0);
}

/* It asks, is answered, and asks again. */
static void asks(void)
{
	reader("interval=500 timeout=10000");
	peer_expect_empty(WAIT, 1);
	peer_send_empty(peer.to_grant, 0);
	peer_expect_empty(WAIT, 1);
	peer_send_empty(peer.to_grant, 0);
	client_end("end", 0);
}

/* It asks; who answers by a question gets an answer. And so on. */
static void asks_and_is_asked(void)
{
	reader("interval=1000 timeout=5000");
	peer_expect_empty(WAIT, 1);
	sleep(4);
	peer_send_empty(1, 1);
	peer_expect_empty(6, 0);
	peer_expect_empty(WAIT, 1);
	peer_send_empty(1, 0);
	client_end("end", 0);
}

static void asks_in_vain(void)
{
	double start;

	reader("interval=1000 timeout=3000");
	start = peer_now();
	peer_send_empty(1, 0);
	peer_expect_empty(WAIT, 1);
	peer_check(!peer_recv(GONE), "another message instead of the end");
	peer_expect_disconnect();
	peer_lasted(peer_now() - start, 3.9);
	client_end("receive", ETIMEDOUT);
}

/* All credits for empty messages; the client has to give new ones by itself. */
static void all_send_credits(void)
{
	unsigned int n, i;

	reader("");
	for (i = 0, n = peer.send_credits; i < n; i++)
		peer_send_empty(1, 0);
	peer_check(!peer.send_credits, "%u credits left", peer.send_credits);
	peer_expect_empty(WAIT, 0);
	client_end("end", 0);
}

/* As much of a frame as there are credits for; then nothing, and then the rest, one by one. */
static void all_receive_credits(void)
{
	uint32_t len = 65536, got = 0;
	uint8_t *buf = malloc(len);
	const struct msg *m;

	peer_check(buf, "out of memory");
	client_open(len, "");
	peer_welcome(&welcome);
	while (got < len) {
		if (peer.came == peer.given) {
			if (peer.given == welcome.granted)
				peer_check(peer_silent(500), "the client goes on without credits");
			peer_send_empty(1, 0);
		}
		m = peer_recv(WAIT);
		peer_check(m, "disconnected after %u of %u bytes", got, len);
		peer_check(m->datalen || !got, "an empty message between fragments");
		if (peer.came == peer.given)
			peer_check(m->granted, "the last credit was spent without a grant");
		memcpy(buf + got, m->raw + m->offset, m->datalen);
		got += m->datalen;
		peer_done();
	}
	peer_check(peer.given > welcome.granted, "it never stopped");
	peer_send_frame(buf, len, 0);
	client_finish();
	client_end("done", 0);
	free(buf);
}

/* One credit, and none ever after: a grant comes, nothing else, and the end. */
static void starved(void)
{
	WITH(r, r.granted = 1);
	double start;

	client_open(10000, "interval=1000 timeout=3000");
	start = peer_now();
	peer_welcome(&r);
	peer_check(peer_recv(WAIT), "disconnected");
	peer_done();
	peer_check(!peer_recv(GONE), "it sends without a credit");
	peer_expect_disconnect();
	peer_lasted(peer_now() - start, 3.9);
	client_end("receive", ETIMEDOUT);
}

/* Ten credits, and none ever after: what they are good for comes, then nothing. */
static void starved_mid_sequence(void)
{
	double start;

	client_open(65536, "interval=1000 timeout=3000");
	start = peer_now();
	peer_welcome(&welcome);
	while (peer.came < peer.given) {
		peer_check(peer_recv(WAIT), "disconnected");
		peer_done();
	}
	peer_check(peer.remaining, "the frame is through");
	peer_check(!peer_recv(GONE), "it sends without a credit");
	peer_expect_disconnect();
	peer_lasted(peer_now() - start, 3.9);
	client_end("receive", ETIMEDOUT);
}

/*
 * The same, but in the silence it has come to want an answer, and then it is asked itself, with
 * one credit: not for an empty message, which would come between the fragments.
 */
static void starved_mid_sequence_asked(void)
{
	uint32_t len = 65536, got = 0;
	uint8_t *buf = malloc(len);
	const struct msg *m;
	bool asked = false;

	peer_check(buf, "out of memory");
	client_open(len, "interval=1000 timeout=10000");
	peer_welcome(&welcome);
	while (got < len) {
		if (peer.came == peer.given && !asked) {
			peer_check(peer.remaining, "the frame is through");
			peer_check(peer_silent(1500), "it sends without a credit");
			peer_send_empty(1, 1);
			asked = true;
		} else if (peer.came == peer.given) {
			peer_send_empty(peer.to_grant, 0);
		}
		m = peer_recv(WAIT);
		peer_check(m, "disconnected after %u bytes", got);
		memcpy(buf + got, m->raw + m->offset, m->datalen);
		got += m->datalen;
		peer_done();
	}
	peer_send_frame(buf, len, 0);
	client_finish();
	client_end("done", 0);
	free(buf);
}

/*
 * It sends a frame again and again, asks whether the client is alive, and grants nothing. The
 * client's writer is stuck behind ten frames; its reader gets what comes, before and after the
 * writer's time is over. When the client closes, a second is left. The client's first message
 * grants four credits, and one of them goes every two seconds: the last comes after six.
 */
static void talk(const char *options)
{
	struct response r = welcome;
	bool ask = false;
	const struct msg *m;
	uint8_t buf[500];
	double end;
	bool got;

	r.requested = 255;
	client_open(500, options);
	peer_welcome(&r);
	do {
		m = peer_recv(WAIT);
		peer_check(m, "disconnected");
		got = m->datalen == sizeof(buf);
		if (got)
			memcpy(buf, m->raw + m->offset, sizeof(buf));
		peer_done();
	} while (!got);
	end = peer_now() + 2 * GONE;
	while (peer_connected()) {
		double next = peer_now() + 2;

		peer_check(peer_now() < end, "still connected after %d s", 2 * GONE);
		if (peer.send_credits)
			peer_send_data(&(struct data) { .requested = 255, .flags = ask,
							.offset = 24, .datalen = 500,
							.payload = buf });
		ask = !ask;
		while (peer_connected() && peer_now() < next) {
			m = peer_poll(100);
			if (!m)
				continue;
			peer_check(!m->datalen || m->datalen == sizeof(buf),
				   "a frame of %u bytes", m->datalen);
			peer_done();
		}
	}
	client_end("blocked", EAGAIN);
}

/* The writer has longer than a silent peer would have, and the last frame comes after his time. */
static void talks_and_starves(void)
{
	talk("write=4600 interval=2000 timeout=2000");
}

/* No keepalive ends it in time. */
static void starves_and_is_closed(void)
{
	talk("write=500 interval=10000 timeout=10000");
}

/* Without a message under way on either side it is an orderly end. */
static void gone_after_response(void)
{
	reader("");
	client_end("end", 0);
}

static void gone_in_our_frame(void)
{
	uint8_t *buf = peer_pattern(1000);

	reader("");
	peer_send_segment(buf, 1000, 64536);
	free(buf);
	client_end("receive", ECONNRESET);
}

/* It had sent what it had credits for and waits for more. */
static void gone_in_its_frame(void)
{
	client_open(65536, "");
	peer_welcome(&welcome);
	while (peer.came < peer.given) {
		peer_check(peer_recv(WAIT), "disconnected");
		peer_done();
	}
	peer_check(peer.remaining, "the frame is through");
	peer_disconnect();
	/* With siw TCP may see a reset, when there is still something on the way to us. */
	client_expect_either("receive", ECONNRESET, "end", 0);
}

/* After a whole frame: that can still be read. */
static void gone_after_frame(void)
{
	uint8_t buf[500];

	client_open(500, "");
	peer_welcome(&welcome);
	peer_recv_frame(buf, 500);
	peer_send_frame(buf, 500, 0);
	client_end("done", 0);
}

const struct scenario client_data_scenarios[] = {
	{ "client_moderate", CLIENT, "64 KiB in fragments", moderate },
	{ "client_one_credit", CLIENT, "64 KiB with 1 credit each way", one_credit },
	{ "client_tiny_fragments", CLIENT, "4096 fragments of one byte", tiny_fragments },
	{ "client_variable_segments", CLIENT, "segments of 0 bytes", variable_segments },
	{ "client_data_reserved", CLIENT, "reserved, padding, unknown flags", reserved },
	{ "client_data_short", CLIENT, "19 bytes", data_short },
	{ "client_data_requested", CLIENT, "0 credits requested", data_requested },
	{ "client_data_offset", CLIENT, "23, 25, 32", data_offset },
	{ "client_data_offset_wild", CLIENT, "near 4 GiB", data_offset_wild },
	{ "client_data_length", CLIENT, "1 too many, also in a full message, near 4 GiB",
	  data_length },
	{ "client_max_frame", CLIENT, "1 too many; all", max_frame },
	{ "client_max_receive", CLIENT, "two messages, each paid for", max_receive },
	{ "client_data_remaining", CLIENT, "1 too many, near 4 GiB", data_remaining },
	{ "client_data_oversize", CLIENT, "a message above the negotiated size", data_oversize },
	{ "client_empty_mid_sequence", CLIENT, "an empty message between fragments",
	  empty_mid_sequence },
	{ "client_remaining_zero", CLIENT, "in the 2nd, in the last but one", remaining_zero },
	{ "client_remaining_sum", CLIENT, "1 too many, 1 too few", remaining_sum },
	{ "client_invalidate_unknown", CLIENT, "invalidates an unknown key", invalidate_unknown },
	{ "client_write_immediate", CLIENT, "an RDMA write with immediate data", write_immediate },
	{ "client_asked", CLIENT, "answers a flag without one", asked },
	{ "client_asks", CLIENT, "is idle, asks and is answered, twice", asks },
	{ "client_asks_and_is_asked", CLIENT, "the same, and the answer asks", asks_and_is_asked },
	{ "client_asks_in_vain", CLIENT, "is idle, asks and is not answered", asks_in_vain },
	{ "client_all_send_credits", CLIENT, "it gives new ones", all_send_credits },
	{ "client_all_receive_credits", CLIENT, "it stops, and goes on", all_receive_credits },
	{ "client_starved", CLIENT, "one credit only", starved },
	{ "client_starved_mid_sequence", CLIENT, "no credit beyond the first ten",
	  starved_mid_sequence },
	{ "client_starved_mid_sequence_asked", CLIENT, "has one more, and is asked",
	  starved_mid_sequence_asked },
	{ "client_talks_and_starves", CLIENT, "data and keepalives, but no credits",
	  talks_and_starves },
	{ "client_starved_closes", CLIENT, "the same, but nothing else ends it",
	  starves_and_is_closed },
	{ "client_gone_after_response", CLIENT, "gone when nothing is under way",
	  gone_after_response },
	{ "client_gone_in_our_frame", CLIENT, "gone in the middle of a frame", gone_in_our_frame },
	{ "client_gone_in_its_frame", CLIENT, "gone while it waits for credits",
	  gone_in_its_frame },
	{ "client_gone_after_frame", CLIENT, "gone behind a whole frame", gone_after_frame },
	{}
};
