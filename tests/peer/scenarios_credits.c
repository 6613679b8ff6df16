// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Credits, with a server and with a client: [MS-SMBD] 3.1.5.1 and 3.1.5.9.
 *
 * That the other side never sends without a credit, nor spends its last one
 * without giving one, is checked with every message (rules.c); here it is driven
 * to the points where that matters.
 */
#include <errno.h>
#include "peer.h"

#define CM	"SmbdCreditMgmt_"
#define LARGE	65536

SCENARIO("BVT_" CM "OperationWithMinimumCredits", ECHO, "64 KiB with 1 credit each way")
{
	struct request r = normal;

	r.credits = 1;
	peer_exchange(&r, LARGE);
}

SCENARIO("client_one_credit", CLIENT, "64 KiB with 1 credit each way")
{
	struct response r = welcome;

	r.requested = 1;
	r.granted = 1;
	client_exchange(&r, LARGE);
}

CASE(CM "OperationWithLimitedCredits", ECHO, "64 KiB with 10 credits each way",
     peer_exchange(&normal, LARGE))
CASE("client_moderate", CLIENT, "64 KiB in fragments", client_exchange(&welcome, LARGE))

/* All credits for empty messages; the other side has to give new ones by itself. */
MIRRORED(CM "ConsumeAllSendCredits", "client_all_send_credits", ECHO, "it gives new ones")
{
	unsigned int n, i;

	either_open("");
	for (i = 0, n = peer->send_credits; i < n; i++)
		peer_send_empty(1, 0);
	peer_check(!peer->send_credits, "%u credits left", peer->send_credits);
	peer_expect_empty(WAIT, 0);
	either_close();
}

/*
 * Of a large frame from the other side as much comes as there are credits for: ten, since each
 * message that the other side spends on grants meanwhile is replaced.
 */
static uint32_t starve(void)
{
	uint32_t got = 0;

	while (peer->came < peer->given)
		got += peer_recv_part(got, LARGE);
	peer_check(got && got < LARGE, "%u of %u bytes came", got, LARGE);
	return got;
}

/* Then nothing, and then the rest, one by one. */
static void starve_and_feed(void)
{
	uint32_t got = starve();

	peer_check(peer_silent(500), "it goes on without credits");
	for (; got < LARGE; got += peer_recv_part(got, LARGE))
		if (peer->came == peer->given)
			peer_send_empty(1, 0);
}

SCENARIO(CM "ConsumeAllReceiveCredits", ECHO, "it stops, and goes on", WAITING)
{
	peer_open(&normal);
	peer_send_frame(peer_pattern(LARGE), LARGE);
	starve_and_feed();
	peer_compare(LARGE);
	peer_disconnect();
}

SCENARIO("client_all_receive_credits", CLIENT, "it stops, and goes on", WAITING)
{
	client_welcome(LARGE, "");
	starve_and_feed();
	peer_send_frame(peer_frame, LARGE);
	client_done();
}

SCENARIO(CM "ConsumeAllCreditServer_Timeout", HASTY, "it stops, and ends", WAITING)
{
	double start = peer_now();

	peer_open(&normal);
	peer_send_frame(peer_pattern(LARGE), LARGE);
	starve();
	peer_expect_timeout(start, 3.9);
	peer_disconnect();
	peer_exchange(&normal, 500);
}

/* One credit, and none ever after: a grant comes, nothing else, and the end. */
SCENARIO("client_starved", CLIENT, "one credit only", WAITING)
{
	struct response r = welcome;
	double start;

	r.granted = 1;
	client_open(10000, "interval=1000 timeout=3000");
	start = peer_now();
	peer_welcome(&r);
	peer_check(peer_recv(WAIT), "disconnected");
	peer_done();
	peer_expect_timeout(start, 3.9);
	client_end("receive", ETIMEDOUT);
}

/* Ten credits, and none ever after: what they are good for comes, then nothing. */
SCENARIO("client_starved_mid_sequence", CLIENT, "no credit beyond the first ten", WAITING)
{
	double start;

	client_open(LARGE, "interval=1000 timeout=3000");
	start = peer_now();
	peer_welcome(&welcome);
	starve();
	peer_expect_timeout(start, 3.9);
	client_end("receive", ETIMEDOUT);
}

/*
 * In the silence it has come to want an answer, and then it is asked itself, with
 * one credit: not for an empty message, which would come between the fragments.
 */
SCENARIO("client_starved_mid_sequence_asked", CLIENT, "has one more, and is asked", WAITING)
{
	uint32_t got;

	client_welcome(LARGE, "interval=1000 timeout=10000");
	got = starve();
	peer_check(peer_silent(1500), "it sends without a credit");
	peer_send_empty(1, 1);
	for (; got < LARGE; got += peer_recv_part(got, LARGE))
		if (peer->came == peer->given)
			peer_send_empty(peer->to_grant, 0);
	peer_send_frame(peer_frame, LARGE);
	client_done();
}

/* It had sent what it had credits for and waits for more. */
SCENARIO("client_gone_in_its_frame", CLIENT, "gone while it waits for credits")
{
	client_welcome(LARGE, "");
	starve();
	peer_disconnect();
	/* With siw TCP may see a reset, when there is still something on the way to us. */
	client_expect_either("receive", ECONNRESET, "end", 0);
}

MIRRORED(CM "NegativeParameter_CreditRequested", "client_data_requested", ECHO, "0")
{
	either_open("");
	peer_send_data(&(struct data) { .granted = 1 });
	either_aborts();
}

/* ----- beyond the suite ----- */

/* 65536 in two messages, which would be 0 in 16 bits, and then more. */
SCENARIO("credits_plenty", ECHO, "more than fits into 16 bits")
{
	int i;

	peer_open(&normal);
	peer_send_empty(65535, 0);
	peer_send_empty(1, 0);
	peer_echo(5000);
	for (i = 0; i < 5; i++) {
		peer_wait_credit(1);
		peer_send_empty(65535, 0);
	}
	peer_echo(5000);
	peer_disconnect();
}

/* Who wants fewer keeps what he has; who wants more gets it. */
SCENARIO("credits_target_moves", ECHO, "10 credits wanted, 200, 1, 200")
{
	peer_open(&normal);
	/* A peer that uses what it has may have more than a few. */
	peer_echo(LARGE);
	/* With most of ten in hand only the wish for more is a reason to speak. */
	peer->want = 200;
	peer_send_empty(10, 0);
	peer_wait_credit(11);
	peer->want = 1;
	peer_echo(LARGE);
	peer->want = 200;
	peer_echo(LARGE);
	peer_wait_credit(11);
	peer_disconnect();
}

/*
 * A peer that follows the letter of 3.1.5.8 and gives a receive back at once, in an empty
 * message. The server must not do the same, or they would talk for ever.
 */
SCENARIO("credits_no_ping_pong", ECHO, "grants are not answered by grants", WAITING)
{
	unsigned int want, empty;

	for (want = 1; want < 6; want++) {
		struct request r = normal;

		r.credits = want;
		peer_open(&r);
		peer_echo(500);
		for (empty = 0; peer->to_grant && peer->send_credits; empty++) {
			peer_check(empty < 20, "want %u: no end of empty messages", want);
			peer_send_empty(peer->to_grant, 0);
			if (!peer_silent(200))
				peer_done();
		}
		peer_check(peer_connected(), "disconnected");
		peer_disconnect();
	}
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
	uint32_t got = 0;
	bool ask = false;
	double end;

	r.requested = 255;
	client_open(500, options);
	peer_welcome(&r);
	while (!got)
		got = peer_recv_part(0, 500);
	end = peer_now() + 2 * GONE;
	while (peer_connected()) {
		double next = peer_now() + 2;

		peer_check(peer_now() < end, "still connected after %d s", 2 * GONE);
		if (peer->send_credits)
			peer_send_data(&(struct data) { .requested = 255, .flags = ask,
							.datalen = 500, .payload = peer_frame });
		ask = !ask;
		while (peer_connected() && peer_now() < next) {
			const struct msg *m = peer_poll(100);

			if (!m)
				continue;
			peer_check(!m->datalen || m->datalen == 500, "a frame of %u bytes",
				   m->datalen);
			peer_done();
		}
	}
	client_end("blocked", EAGAIN);
}

/* The writer has longer than a silent peer would have, and the last frame comes after his time. */
SCENARIO("client_talks_and_starves", CLIENT, "data and keepalives, but no credits", WAITING)
{
	talk("write=4600 interval=2000 timeout=2000");
}

/* No keepalive ends it in time. */
SCENARIO("client_starved_closes", CLIENT, "the same, but nothing else ends it", WAITING)
{
	talk("write=500 interval=10000 timeout=10000");
}
