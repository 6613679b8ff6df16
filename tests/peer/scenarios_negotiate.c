// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Negotiation with a server: [MS-SMBD] 3.1.5.6 and 3.1.7.2.
 *
 * Whatever is refused or ends a connection, the next one has to work. What the
 * suite checks of every response is in rules_response().
 */
#include <stdio.h>
#include <unistd.h>
#include "peer.h"

#define NOT_SUPPORTED	0xc00000bb
#define NEG	"SmbdNegotiate_NegativeParameter_"
#define VER	"SmbdNegotiate_VersionRange"

/* The usual request but for what the statements change. */
#define WITH(...) ({ struct request r = normal; __VA_ARGS__; r; })

/* The request is taken; what the response says. */
static struct response taken(struct request r)
{
	struct response resp;

	peer_connect();
	resp = peer_negotiate(&r);
	peer_disconnect();
	return resp;
}

/* The same, and the connection is of use. */
static void works(struct request r, uint32_t len)
{
	peer_exchange(&r, len);
}

/* The connection ends without a response. */
static void refused(struct request r)
{
	peer_connect();
	peer_send_request(&r);
	peer_gone();
}

static void expect_refusal(void)
{
	struct response resp = peer_recv_response();

	rules_response(&resp, &normal);
	peer_check(resp.status == NOT_SUPPORTED, "status 0x%08x", resp.status);
}

/* No message may come any more. */
static void expect_silence(void)
{
	peer_check(!peer_recv(GONE), "an answer after the refusal");
	peer_gone();
}

SCENARIO("BVT_SmbdNegotiate_Basic", ECHO, "10 credits, 1024, 1024, 131072")
{
	struct response resp = taken(normal);

	peer_check(resp.maxrecv == 1024 && resp.preferred == 1024,
		   "max receive size %u, preferred send size %u", resp.maxrecv, resp.preferred);
}

static void preferred(uint32_t size)
{
	struct response resp = taken(WITH(r.preferred = size));

	peer_check(resp.maxrecv == 128, "max receive size %u", resp.maxrecv);
}

CASE("SmbdNegotiate_PreferredSendSizeWithZero", ECHO, "counts as 128", preferred(0))
CASE("SmbdNegotiate_PreferredSendSizeLessThan128", ECHO, "127, 128", preferred(127); preferred(128))
CASE("SmbdNegotiate_PreferredSendSizeMaxValue", ECHO, "0xffffffff",
     taken(WITH(r.preferred = 0xffffffff)); works(WITH(r.preferred = 0xffffffff), 5000))
CASE("SmbdNegotiate_Redundancy", ECHO, "a request of 512 bytes",
     taken(WITH(r.wirelen = 512)); works(WITH(r.wirelen = 512), 500))
CASE("SmbdNegotiate_DisconnectAfterNegotiate", ECHO, "and connect again",
     taken(normal); taken(normal); works(normal, 500))
CASE("SmbdNegotiate_UncompletedMessage", ECHO, "a request of 19 bytes",
     refused(WITH(r.wirelen = 19)))

/* A refusal that says so; who sends data all the same gets nothing for it. */
static void version_refused(uint16_t min, uint16_t max)
{
	struct request other = WITH(r.min = min; r.max = max);

	peer_connect();
	peer_send_request(&other);
	expect_refusal();
	SEND(.granted = 10, .datalen = 500);
	expect_silence();
}

CASE(VER "NotCover0x0100_LessThanMinVersion", ECHO, "0x0101 to 0xffff",
     version_refused(0x0101, 0xffff))
CASE(VER "NotCover0x0100_LargerThanMaxVersion", ECHO, "0x0000 to 0x00ff",
     version_refused(0x0000, 0x00ff))
CASE(VER "Cover0x0100_EqualMinVersion", ECHO, "0x0100 to 0xffff", works(WITH(r.max = 0xffff), 500))
CASE(VER "Cover0x0100_EqualMaxVersion", ECHO, "0x0000 to 0x0100", works(WITH(r.min = 0), 500))
CASE(VER "Cover0x0100_InMiddle", ECHO, "0x00ff to 0x0101",
     works(WITH(r.min = 0x00ff; r.max = 0x0101), 500))
CASE(VER "Cover0x0100_EqualMinVersionAndMaxVersion", ECHO, "0x0100", works(normal, 500))
CASE(NEG "CreditsRequested", ECHO, "0; 1, 65535",
     refused(WITH(r.credits = 0)); taken(WITH(r.credits = 1)); taken(WITH(r.credits = 65535)))
CASE(NEG "MaxReceiveSize", ECHO, "127; 128, 0xffffffff",
     refused(WITH(r.maxrecv = 127)); taken(WITH(r.maxrecv = 128));
     taken(WITH(r.maxrecv = 0xffffffff)))
CASE(NEG "MaxFragmentedSize", ECHO, "131071; 131072, 0xffffffff",
     refused(WITH(r.maxfrag = 131071)); taken(WITH(r.maxfrag = 131072));
     taken(WITH(r.maxfrag = 0xffffffff)))

/* A second before the server's five are over. */
SCENARIO("SmbdNegotiate_NegotiationTimer", ECHO, "a request that comes late", WAITING)
{
	peer_connect();
	sleep(4);
	peer_check(peer_connected(), "disconnected before the time is over");
	peer_negotiate(&normal);
	peer_disconnect();
}

SCENARIO("SmbdNegotiate_NegotiationTimer_Timeout", ECHO, "no request", WAITING)
{
	double start = peer_now();

	peer_connect();
	peer_expect_disconnect();
	peer_lasted(peer_now() - start, 4.9);
	peer_disconnect();
	works(normal, 500);
}

/* ----- beyond the suite ----- */

CASE("request_reserved", ECHO, "reserved is not 0", works(WITH(r.reserved = 0xffff), 500))

/* The answer is about the version. */
SCENARIO("request_version_first", ECHO, "wrong in every field")
{
	const struct request wrong = { .min = 0x0101, .max = 0xffff, .preferred = 1024 };

	peer_connect();
	peer_send_request(&wrong);
	expect_refusal();
	peer_gone();
}

/* The second one is a data message, and no valid one. */
SCENARIO("request_twice", ECHO, "another request after the response")
{
	struct request twice = WITH(r.wirelen = 32);

	peer_open(&twice);
	twice.preferred = 0xffffff00;
	peer_send_request(&twice);
	peer_gone();
}

CASE("request_too_long", ECHO, "a request of 513 bytes", refused(WITH(r.wirelen = 513)))

/* So early that it is there before we are known to be connected. Answered when that is known. */
SCENARIO("request_early", ECHO, "a request before the connection is complete")
{
	peer_connect_half();
	peer_send_request(&normal);
	usleep(300000);
	peer_connect_rest();
	peer_negotiated(&normal);
	peer_echo(500);
	peer_disconnect();
}

/* One that is too long ends the connection, but the end can be told only to who is connected. */
SCENARIO("request_early_too_long", ECHO, "the same, of 513 bytes")
{
	static uint8_t b[513];

	peer_connect_half();
	peer_send_raw(b, sizeof(b));
	usleep(300000);
	peer_connect_rest();
	peer_gone();
}

/* No request after it makes up for that. */
SCENARIO("request_data_first", ECHO, "data in the place of the request")
{
	peer_connect();
	SEND(.granted = 10, .datalen = 100);
	expect_refusal();
	peer_send_request(&normal);
	expect_silence();
}

/*
 * Without waiting for the response, a little later each time. The
 * server has not granted anything before that. If there is no receive yet, the device ends the
 * connection; if there is one it cannot know that the response was not read, and the data
 * counts, with all of its credits. There is no third way.
 */
SCENARIO("request_data_early", ECHO, "data before the response is there", HEAVY)
{
	int i, ended = 0;

	for (i = 0; i < 43; i++) {
		const struct msg *m;
		struct response resp;
		double until;

		peer_connect();
		peer_send_request(&normal);
		/* The last ones so late that the response is there, and with it the receives. */
		for (until = peer_now() + (i < 40 ? i * 25e-6 : 0.3); peer_now() < until; )
			;
		SEND(.granted = 10, .datalen = 500);
		m = peer_recv(WAIT);
		if (m) {
			peer_get(&resp, m->raw, RESPONSE_FIELDS);
			resp.wirelen = m->len;
			peer_done();
			rules_response(&resp, &normal);
			peer_check(!resp.status, "status 0x%08x", resp.status);
			peer_start(&normal, &resp);
			m = peer_recv(WAIT);
		}
		if (m)
			peer_check(m->datalen == 500 && !m->remaining &&
				   !memcmp(m->raw + m->offset, peer_pattern(500), 500),
				   "no echo of the data");
		else
			peer_check(i < 40, "it has ended, though the response was there");
		if (!m)
			ended++;
		peer_disconnect();
	}
	fprintf(stderr, "smbdr-peer: %d of %d connections ended\n", ended, i);
	works(normal, 500);
}

SCENARIO("request_vanish", ECHO, "gone before, during and after negotiation")
{
	peer_connect();
	peer_disconnect();
	peer_connect();
	peer_send_request(&normal);
	peer_disconnect();
	taken(normal);
	works(normal, 500);
}
