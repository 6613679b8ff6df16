// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Depths of RDMA reads: what the connection manager's messages say, [MS-SMBD] 6.2.
 *
 * What one side starts the other one serves, so the pairs cross over. The manager tells them
 * from our point of view, but for the answer over iWARP, which is from the other side's.
 */
#include <stdio.h>
#include "peer.h"

static void told(const char *what, unsigned int initiator, unsigned int responder)
{
	peer_check(peer_told.initiator == initiator && peer_told.responder == responder,
		   "%s: initiator depth %u, responder resources %u, expected %u and %u", what,
		   peer_told.initiator, peer_told.responder, initiator, responder);
}

/*
 * A server has 8 and 32 by default, and agrees to the smaller ones of both. siw tells the number of
 * reads that it has asked to start, even if the answer allows fewer.
 */
SCENARIO("request_depths", ECHO, "read depths in the answer to a request")
{
	static const struct depths ask[] = {
		{ 1, 1 }, { 4, 7 }, { 32, 8 }, { 33, 9 }, { 100, 100 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(ask); i++) {
		unsigned int serves = ask[i].initiator < 32 ? ask[i].initiator : 32;
		unsigned int starts = ask[i].responder < 8 ? ask[i].responder : 8;
		char what[32];

		snprintf(what, sizeof(what), "asked for %u and %u", ask[i].initiator,
			 ask[i].responder);
		peer_depths = ask[i];
		peer_connect();
		if (peer_iwarp())
			told(what, starts, peer_siw() ? ask[i].initiator : serves);
		else
			told(what, serves, starts);
		peer_negotiate(&normal);
		peer_disconnect();
	}
}

/* A client asks for what its socket was told. */
SCENARIO("client_depths", CLIENT, "read depths in a client's request")
{
	static const struct depths has[] = { { 3, 5 }, { 1, 100 }, { 100, 1 } };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(has); i++) {
		char options[64];

		snprintf(options, sizeof(options), "initiator=%u responder=%u", has[i].initiator,
			 has[i].responder);
		client_start(500, options);
		peer_await();
		told(options, has[i].responder, has[i].initiator);
		peer_accept();
		peer_welcome(&welcome);
		client_serve(500);
	}
}
