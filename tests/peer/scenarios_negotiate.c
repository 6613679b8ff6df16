// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Negotiation with a server: [MS-SMBD] 3.1.5.6 and 3.1.7.2.
 *
 * Whatever is refused or ends a connection, the next one has to work. What the
 * suite checks of every response is in rules_response().
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "peer.h"

#define NOT_SUPPORTED	0xc00000bb

/* The request is taken; what the response says. */
static struct response taken(const struct request *r)
{
	struct response resp;

	peer_connect();
	resp = peer_negotiate(r);
	peer_disconnect();
	return resp;
}

/* The connection ends without a response. */
static void refused(const struct request *r)
{
	peer_connect();
	peer_send_request(r);
	peer_gone();
}

static void basic(void)
{
	struct response resp = taken(&normal);

	peer_check(resp.maxrecv == 1024 && resp.preferred == 1024,
		   "max receive size %u, preferred send size %u", resp.maxrecv, resp.preferred);
}

static void preferred(uint32_t size)
{
	struct request r = normal;
	struct response resp;

	r.preferred = size;
	resp = taken(&r);
	peer_check(resp.maxrecv == 128, "max receive size %u", resp.maxrecv);
}

static void preferred_zero(void)
{
	preferred(0);
}

static void preferred_less(void)
{
	preferred(127);
	preferred(128);
}

static void preferred_max(void)
{
	struct request r = normal;

	r.preferred = 0xffffffff;
	taken(&r);
	peer_exchange(&r, 5000, 0);
}

static void redundancy(void)
{
	struct request r = normal;

	r.wirelen = 512;
	taken(&r);
	peer_exchange(&r, 500, 0);
}

static void disconnect_after(void)
{
	taken(&normal);
	taken(&normal);
	peer_exchange(&normal, 500, 0);
}

static void uncompleted(void)
{
	struct request r = normal;

	r.wirelen = 19;
	refused(&r);
}

/* A refusal that says so; who sends data all the same gets nothing for it. */
static void version_refused(uint16_t min, uint16_t max)
{
	uint8_t *buf = peer_pattern(500);
	struct request r = normal;
	struct response resp;

	r.min = min;
	r.max = max;
	peer_connect();
	peer_send_request(&r);
	resp = peer_recv_response();
	rules_response(&resp, &r, resp.wirelen);
	peer_check(resp.status == NOT_SUPPORTED, "status 0x%08x", resp.status);
	peer_send_data(&(struct data) { .requested = 10, .granted = 10, .offset = 24,
					.datalen = 500, .payload = buf });
	while (peer_recv(GONE))
		peer_fail("an answer after the refusal");
	free(buf);
	peer_gone();
}

static void version_above(void)
{
	version_refused(0x0101, 0xffff);
}

static void version_below(void)
{
	version_refused(0x0000, 0x00ff);
}

static void version_taken(uint16_t min, uint16_t max)
{
	struct request r = normal;

	r.min = min;
	r.max = max;
	peer_exchange(&r, 500, 0);
}

static void version_min(void)
{
	version_taken(0x0100, 0xffff);
}

static void version_max(void)
{
	version_taken(0x0000, 0x0100);
}

static void version_middle(void)
{
	version_taken(0x00ff, 0x0101);
}

static void version_exact(void)
{
	version_taken(0x0100, 0x0100);
}

static void bad_credits(void)
{
	struct request r = normal;

	r.credits = 0;
	refused(&r);
	r.credits = 1;
	taken(&r);
	r.credits = 65535;
	taken(&r);
}

static void bad_maxrecv(void)
{
	struct request r = normal;

	r.maxrecv = 127;
	refused(&r);
	r.maxrecv = 128;
	taken(&r);
	r.maxrecv = 0xffffffff;
	taken(&r);
}

static void bad_maxfrag(void)
{
	struct request r = normal;

	r.maxfrag = 131071;
	refused(&r);
	r.maxfrag = 131072;
	taken(&r);
	r.maxfrag = 0xffffffff;
	taken(&r);
}

/* Late, but a second before the server's five are over. */
static void timer(void)
{
	peer_connect();
	sleep(4);
	peer_check(peer_connected(), "disconnected before the time is over");
	peer_negotiate(&normal);
	peer_disconnect();
}

static void timer_timeout(void)
{
	double start = peer_now();

	peer_connect();
	peer_expect_disconnect();
	peer_lasted(peer_now() - start, 4.9);
	peer_disconnect();
	peer_exchange(&normal, 500, 0);
}

/* What is reserved is not looked at. */
static void reserved(void)
{
	struct request r = normal;

	r.reserved = 0xffff;
	peer_exchange(&r, 500, 0);
}

/* A request that is wrong in more than one way is told about the version. */
static void version_first(void)
{
	struct request r = normal;
	struct response resp;

	r.min = 0x0101;
	r.max = 0xffff;
	r.credits = 0;
	r.maxrecv = 0;
	r.maxfrag = 0;
	peer_connect();
	peer_send_request(&r);
	resp = peer_recv_response();
	peer_check(resp.status == NOT_SUPPORTED, "status 0x%08x", resp.status);
	peer_gone();
}

/* The second one is a data message, and no valid one. */
static void request_twice(void)
{
	struct request r = normal;

	r.wirelen = 32;
	peer_open(&r);
	r.preferred = 0xffffff00;
	peer_send_request(&r);
	peer_gone();
}

static void too_long(void)
{
	static uint8_t b[513] = { 0, 1, 0, 1, 0, 0, 10, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 2 };

	peer_connect();
	peer_send_raw(b, sizeof(b));
	peer_gone();
}

/* So early that it is there before we are known to be connected. Answered when that is known. */
static void early(void)
{
	uint8_t *buf = peer_pattern(500);
	struct response resp;

	peer_connect_half();
	peer_send_request(&normal);
	usleep(300000);
	peer_connect_rest();
	resp = peer_recv_response();
	rules_response(&resp, &normal, resp.wirelen);
	peer_check(!resp.status, "status 0x%08x", resp.status);
	peer_start(&normal, &resp);
	peer_send_frame(buf, 500, 0);
	peer_expect_echo(buf, 500);
	free(buf);
	peer_disconnect();
}

/* One that is too long ends the connection, but the end can be told only to who is connected. */
static void early_too_long(void)
{
	static uint8_t b[513];

	peer_connect_half();
	peer_send_raw(b, sizeof(b));
	usleep(300000);
	peer_connect_rest();
	peer_gone();
}

/* Gone before the request, after it, and after the response. */
static void vanish(void)
{
	peer_connect();
	peer_disconnect();
	peer_connect();
	peer_send_request(&normal);
	peer_disconnect();
	peer_open(&normal);
	peer_disconnect();
	peer_exchange(&normal, 500, 0);
}

/* A data message is no request, and no request after it makes up for that. */
static void data_first(void)
{
	struct response resp;

	peer_connect();
	peer_send_data(&(struct data) { .requested = 10, .granted = 10, .offset = 24,
					.datalen = 100 });
	resp = peer_recv_response();
	rules_response(&resp, &normal, resp.wirelen);
	peer_check(resp.status == NOT_SUPPORTED, "status 0x%08x", resp.status);
	peer_send_request(&normal);
	while (peer_recv(GONE))
		peer_fail("an answer after the refusal");
	peer_gone();
}

/*
 * Data behind the request, without waiting for the response, a little later each time. The
 * server has not granted anything before that. If there is no receive yet, the device ends the
 * connection; if there is one it cannot know that the response was not read, and the data
 * counts, with all of its credits. There is no third way.
 */
static void data_early(void)
{
	uint8_t *buf = peer_pattern(500);
	struct response resp;
	int i, ended = 0;

	for (i = 0; i < 40; i++) {
		const struct msg *m;
		double until;

		peer_connect();
		peer_send_request(&normal);
		for (until = peer_now() + i * 25e-6; peer_now() < until; )
			;
		peer_send_data(&(struct data) { .requested = 10, .granted = 10, .offset = 24,
						.datalen = 500, .payload = buf });
		m = peer_recv(WAIT);
		if (m) {
			peer_check(m->len == 32, "%u bytes instead of a response", m->len);
			resp = peer_get_response(m->raw, m->len);
			peer_done();
			rules_response(&resp, &normal, resp.wirelen);
			peer_check(!resp.status, "status 0x%08x", resp.status);
			peer_start(&normal, &resp);
			m = peer_recv(WAIT);
		}
		if (m) {
			peer_check(m->datalen == 500 && !m->remaining &&
				   !memcmp(m->raw + m->offset, buf, 500), "no echo of the data");
			peer_done();
		} else {
			ended++;
		}
		peer_disconnect();
	}
	fprintf(stderr, "smbdr-peer: %d of %d connections ended\n", ended, i);
	free(buf);
	peer_exchange(&normal, 500, 0);
}

#define NEG	"SmbdNegotiate_NegativeParameter_"
#define VER	"SmbdNegotiate_VersionRange"

const struct scenario negotiate_scenarios[] = {
	{ "BVT_SmbdNegotiate_Basic", ECHO, "10 credits, 1024, 1024, 131072", basic },
	{ "SmbdNegotiate_PreferredSendSizeWithZero", ECHO, "counts as 128", preferred_zero },
	{ "SmbdNegotiate_PreferredSendSizeLessThan128", ECHO, "127, 128", preferred_less },
	{ "SmbdNegotiate_PreferredSendSizeMaxValue", ECHO, "0xffffffff", preferred_max },
	{ "SmbdNegotiate_Redundancy", ECHO, "a request of 512 bytes", redundancy },
	{ "SmbdNegotiate_DisconnectAfterNegotiate", ECHO, "and connect again", disconnect_after },
	{ "SmbdNegotiate_UncompletedMessage", ECHO, "a request of 19 bytes", uncompleted },
	{ VER "NotCover0x0100_LessThanMinVersion", ECHO, "0x0101 to 0xffff", version_above },
	{ VER "NotCover0x0100_LargerThanMaxVersion", ECHO, "0x0000 to 0x00ff", version_below },
	{ VER "Cover0x0100_EqualMinVersion", ECHO, "0x0100 to 0xffff", version_min },
	{ VER "Cover0x0100_EqualMaxVersion", ECHO, "0x0000 to 0x0100", version_max },
	{ VER "Cover0x0100_InMiddle", ECHO, "0x00ff to 0x0101", version_middle },
	{ VER "Cover0x0100_EqualMinVersionAndMaxVersion", ECHO, "0x0100", version_exact },
	{ NEG "CreditsRequested", ECHO, "0; 1, 65535", bad_credits },
	{ NEG "MaxReceiveSize", ECHO, "127; 128, 0xffffffff", bad_maxrecv },
	{ NEG "MaxFragmentedSize", ECHO, "131071; 131072, 0xffffffff", bad_maxfrag },
	{ "SmbdNegotiate_NegotiationTimer", ECHO, "a request that comes late", timer },
	{ "SmbdNegotiate_NegotiationTimer_Timeout", ECHO, "no request", timer_timeout },

	{ "request_reserved", ECHO, "reserved is not 0", reserved },
	{ "request_version_first", ECHO, "wrong in every field", version_first },
	{ "request_twice", ECHO, "another request after the response", request_twice },
	{ "request_too_long", ECHO, "a request of 513 bytes", too_long },
	{ "request_early", ECHO, "a request before the connection is complete", early },
	{ "request_early_too_long", ECHO, "the same, of 513 bytes", early_too_long },
	{ "request_data_first", ECHO, "data in the place of the request", data_first },
	{ "request_data_early", ECHO, "data before the response is there", data_early },
	{ "request_vanish", ECHO, "gone before, during and after negotiation", vanish },
	{}
};
