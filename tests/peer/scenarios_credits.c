// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Credits, with a server: [MS-SMBD] 3.1.5.1 and 3.1.5.9.
 *
 * That the server never sends without a credit, nor spends its last one
 * without giving one, is checked with every message (rules.c); here it is driven
 * to the points where that matters.
 */
#include <stdlib.h>
#include "peer.h"

static void minimum(void)
{
	struct request r = normal;

	r.credits = 1;
	peer_exchange(&r, 65536, 0);
}

static void limited(void)
{
	peer_exchange(&normal, 65536, 0);
}

/* All credits for empty messages; the server has to give new ones by itself. */
static void all_send_credits(void)
{
	unsigned int n, i;

	peer_open(&normal);
	for (i = 0, n = peer.send_credits; i < n; i++)
		peer_send_empty(1, 0);
	peer_check(!peer.send_credits, "%u credits left", peer.send_credits);
	peer_expect_empty(WAIT, 0);
	peer_disconnect();
}

/*
 * A frame goes to the server, and of the answer as much comes as there are credits for:
 * ten, since each message that the server spends on grants meanwhile is replaced.
 * @got: bytes of the answer.
 */
static void starve(uint8_t *buf, uint32_t len, uint32_t *got)
{
	const struct msg *m;

	peer_open(&normal);
	peer_send_frame(buf, len, 0);
	*got = 0;
	while (peer.came < peer.given) {
		m = peer_recv(WAIT);
		peer_check(m, "disconnected after %u of %u bytes", *got, len);
		peer_check(m->datalen || !*got, "an empty message between fragments");
		peer_check(*got + m->datalen + m->remaining == len || !m->datalen,
			   "length %u, remaining %u, missing %u", m->datalen, m->remaining,
			   len - *got);
		peer_check(!memcmp(m->raw + m->offset, buf + *got, m->datalen), "wrong content");
		*got += m->datalen;
		if (peer.came == peer.given)
			peer_check(m->granted, "the last credit was spent without a grant");
		peer_done();
	}
	peer_check(*got && *got < len, "%u of %u bytes came", *got, len);
}

static void all_receive_credits(void)
{
	uint32_t len = 65536, got;
	uint8_t *buf = peer_pattern(len);
	const struct msg *m;

	starve(buf, len, &got);
	peer_check(peer_silent(500), "the server goes on without credits");
	while (got < len) {
		peer_send_empty(1, 0);
		m = peer_recv(WAIT);
		peer_check(m, "disconnected after %u of %u bytes", got, len);
		peer_check(m->datalen && got + m->datalen + m->remaining == len,
			   "length %u, remaining %u, missing %u", m->datalen, m->remaining,
			   len - got);
		peer_check(!memcmp(m->raw + m->offset, buf + got, m->datalen), "wrong content");
		got += m->datalen;
		peer_done();
	}
	free(buf);
	peer_disconnect();
}

static void all_credits_timeout(void)
{
	uint32_t len = 65536, got;
	uint8_t *buf = peer_pattern(len);
	double start = peer_now();

	starve(buf, len, &got);
	peer_check(!peer_recv(GONE), "the server goes on without credits");
	peer_expect_disconnect();
	peer_lasted(peer_now() - start, 3.9);
	free(buf);
	peer_disconnect();
	peer_exchange(&normal, 500, 0);
}

static void none_requested(void)
{
	peer_open(&normal);
	peer_send_data(&(struct data) { .requested = 0, .granted = 10 });
	peer_gone();
}

/* ----- beyond the suite ----- */

/* 65536 in two messages, which would be 0 in 16 bits, and then more. */
static void plenty(void)
{
	uint8_t *buf = peer_pattern(5000);
	int i;

	peer_open(&normal);
	peer_send_empty(65535, 0);
	peer_send_empty(1, 0);
	peer_send_frame(buf, 5000, 0);
	peer_expect_echo(buf, 5000);
	for (i = 0; i < 5; i++) {
		peer_wait_credit(1);
		peer_send_empty(65535, 0);
	}
	peer_send_frame(buf, 5000, 0);
	peer_expect_echo(buf, 5000);
	free(buf);
	peer_disconnect();
}

/* Who wants fewer keeps what he has; who wants more gets it. */
static void target_moves(void)
{
	uint8_t *buf = peer_pattern(65536);

	peer_open(&normal);
	/* A peer that uses what it has may have more than a few. */
	peer_send_frame(buf, 65536, 0);
	peer_expect_echo(buf, 65536);
	/* With most of ten in hand only the wish for more is a reason to speak. */
	peer.want = 200;
	peer_send_empty(10, 0);
	peer_wait_credit(11);
	peer.want = 1;
	peer_send_frame(buf, 65536, 0);
	peer_expect_echo(buf, 65536);
	peer.want = 200;
	peer_send_frame(buf, 65536, 0);
	peer_expect_echo(buf, 65536);
	peer_wait_credit(11);
	free(buf);
	peer_disconnect();
}

/*
 * A peer that follows the letter of 3.1.5.8 and gives a receive back at once, in an empty
 * message. The server must not do the same, or they would talk for ever.
 */
static void no_ping_pong(void)
{
	uint8_t *buf = peer_pattern(500);
	unsigned int want, empty;

	for (want = 1; want < 6; want++) {
		struct request r = normal;

		r.credits = want;
		peer_open(&r);
		peer_send_frame(buf, 500, 0);
		peer_expect_echo(buf, 500);
		for (empty = 0; peer.to_grant && peer.send_credits; empty++) {
			peer_check(empty < 20, "want %u: no end of empty messages", want);
			peer_send_empty(peer.to_grant, 0);
			if (!peer_silent(200))
				peer_done();
		}
		peer_check(peer_connected(), "disconnected");
		peer_disconnect();
	}
	free(buf);
}

#define CM	"SmbdCreditMgmt_"

const struct scenario credit_scenarios[] = {
	{ "BVT_" CM "OperationWithMinimumCredits", ECHO, "64 KiB with 1 credit each way", minimum },
	{ CM "OperationWithLimitedCredits", ECHO, "64 KiB with 10 credits each way", limited },
	{ CM "ConsumeAllSendCredits", ECHO, "the server gives new ones", all_send_credits },
	{ CM "ConsumeAllReceiveCredits", ECHO, "it stops, and goes on", all_receive_credits },
	{ CM "ConsumeAllCreditServer_Timeout", HASTY, "it stops, and ends", all_credits_timeout },
	{ CM "NegativeParameter_CreditRequested", ECHO, "0", none_requested },

	{ "credits_plenty", ECHO, "more than fits into 16 bits", plenty },
	{ "credits_target_moves", ECHO, "10 credits wanted, 200, 1, 200", target_moves },
	{ "credits_no_ping_pong", ECHO, "grants are not answered by grants", no_ping_pong },
	{}
};
