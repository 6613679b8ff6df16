// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A client of ours, which connects to us: its side of the negotiation, [MS-SMBD] 3.1.5.7, its
 * timer, 3.1.6.1, and its end. What its connection has in common with that of a server is in
 * scenarios_data.c and scenarios_credits.c.
 *
 * Each says at which call the client has to fail and with which errno. After each of
 * them main.c has a client connect once more, and that has to go well.
 */
#include <errno.h>
#include <unistd.h>
#include "peer.h"

#define NOT_SUPPORTED		0xc00000bb
#define NO_RESOURCES		0xc000009a

/* The usual response but for what the statements change. */
#define WITH(...) ({ struct response r = welcome; __VA_ARGS__; r; })

static void taken(struct response r, uint32_t bytes)
{
	client_exchange(&r, bytes);
}

/* A client gets @r. */
static void answer(struct response r)
{
	client_open(500, "");
	peer_recv_request();
	peer_send_response(&r);
	peer_expect_disconnect();
}

/* It does not like it. */
static void refused(struct response r, int err)
{
	answer(r);
	client_end("connect", err);
}

CASE("client_basic", CLIENT, "500 bytes there and back", taken(welcome, 500))

/* Nothing that it could not live with: small, large, or not to be looked at. */
SCENARIO("client_smallest", CLIENT, "128 KiB in messages of 128 bytes", HEAVY)
{
	taken(WITH(r.preferred = 128; r.maxrecv = 128), 131072);
}

CASE("client_largest", CLIENT, "every size and number is as large as can be",
     taken(WITH(r.requested = 65535; r.maxrecv = 0xffffffff; r.maxfrag = 0xffffffff;
		r.maxrw = 0xffffffff; r.preferred = 8192), 1048576))

/* Counts as 128. */
CASE("client_preferred_small", CLIENT, "preferred send size 0, 127",
     taken(WITH(r.preferred = 0), 5000); taken(WITH(r.preferred = 127), 5000))
CASE("client_max_read_write_zero", CLIENT, "max read write size 0", taken(WITH(r.maxrw = 0), 5000))
CASE("client_many_granted", CLIENT, "65535 credits", taken(WITH(r.granted = 65535), 5000))
CASE("client_response_long", CLIENT, "a response of 512 bytes", taken(WITH(r.wirelen = 512), 5000))
CASE("client_response_reserved", CLIENT, "fields that nobody looks at",
     taken(WITH(r.min = 0x4711; r.max = 0; r.reserved = 0xffff), 5000))

/* What [MS-SMBD] 3.1.5.7 tells a client to refuse. */
CASE("client_version", CLIENT, "another version, or none",
     refused(WITH(r.version = 0x0101), ECONNREFUSED); refused(WITH(r.version = 0), ECONNREFUSED))

SCENARIO("client_status", CLIENT, "refused by a status")
{
	const struct response not_supported = { .min = 0x0100, .max = 0x0100,
						.status = NOT_SUPPORTED };

	refused(not_supported, ECONNREFUSED);
	refused(WITH(r.status = NO_RESOURCES), ECONNREFUSED);
}

CASE("client_granted_zero", CLIENT, "no credits granted",
     refused(WITH(r.granted = 0), ECONNABORTED))
CASE("client_requested_zero", CLIENT, "no credits requested",
     refused(WITH(r.requested = 0), ECONNABORTED))
CASE("client_max_receive_size", CLIENT, "127, 0",
     refused(WITH(r.maxrecv = 127), ECONNABORTED); refused(WITH(r.maxrecv = 0), ECONNABORTED))
CASE("client_max_fragmented_size", CLIENT, "131071",
     refused(WITH(r.maxfrag = 131071), ECONNABORTED))

/* The client has said how much it takes. */
SCENARIO("client_preferred_send_size", CLIENT, "1 above what it takes, 0xffffffff")
{
	struct response above = welcome;

	client_open(500, "");
	peer_recv_request();
	above.preferred = peer->max_send + 1;
	peer_send_response(&above);
	peer_expect_disconnect();
	client_end("connect", ECONNABORTED);
	refused(WITH(r.preferred = 0xffffffff), ECONNABORTED);
}

CASE("client_response_short", CLIENT, "a response of 31 bytes, of 1",
     refused(WITH(r.wirelen = 31), ECONNABORTED); refused(WITH(r.wirelen = 1), ECONNABORTED))

SCENARIO("client_response_too_long", CLIENT, "a response of 513 bytes")
{
	answer(WITH(r.wirelen = 513));
	peer_disconnect();
	/* siw ends the connection, and whether that or the bad receive is told first is luck. */
	client_expect_either("connect", ECONNABORTED, "connect", ECONNRESET);
}

SCENARIO("client_data_first", CLIENT, "data in the place of the response")
{
	client_open(500, "");
	peer_recv_request();
	SEND(.granted = 10);
	peer_expect_disconnect();
	client_end("connect", ECONNABORTED);
}

/* The second one is a data message, and no valid one. */
SCENARIO("client_response_twice", CLIENT, "another response")
{
	client_welcome(0, "");
	peer_wait_credit(1);
	peer_send_response(&welcome);
	either_aborts();
}

/* A second before the client's time is over. */
SCENARIO("client_late_response", CLIENT, "a response that comes late", WAITING)
{
	client_open(500, "connect=5000");
	while (client_age() < 4)
		usleep(1000);
	peer_check(peer_connected(), "disconnected before the time is over");
	peer_welcome(&welcome);
	client_serve(500);
}

SCENARIO("client_no_response", CLIENT, "no response", WAITING)
{
	client_open(500, "connect=4000");
	peer_recv_request();
	peer_expect_disconnect();
	peer_lasted(client_age(), 3.9);
	client_end("connect", ETIMEDOUT);
}

SCENARIO("client_no_accept", CLIENT, "not even an RDMA connection", WAITING)
{
	client_start(500, "connect=4000");
	peer_await();
	client_expect("connect", ETIMEDOUT);
	peer_lasted(client_age(), 3.9);
	peer_reject();
}

SCENARIO("client_rejected", CLIENT, "the RDMA connection is refused")
{
	client_start(500, "");
	peer_await();
	peer_reject();
	client_expect("connect", ECONNREFUSED);
}

SCENARIO("client_gone_at_once", CLIENT, "gone when connected")
{
	client_start(500, "");
	peer_await();
	peer_accept();
	client_end("connect", ECONNRESET);
}

SCENARIO("client_gone_after_request", CLIENT, "gone instead of a response")
{
	client_open(500, "");
	peer_recv_request();
	client_end("connect", ECONNRESET);
}

/* Without a message under way on either side it is an orderly end. */
SCENARIO("client_gone_after_response", CLIENT, "gone when nothing is under way")
{
	either_open("");
	either_close();
}

SCENARIO("client_gone_in_our_frame", CLIENT, "gone in the middle of a frame")
{
	either_open("");
	peer_send_segment(peer_pattern(1000), 1000, 64536);
	client_end("receive", ECONNRESET);
}

/* After a whole frame: that can still be read. */
SCENARIO("client_gone_after_frame", CLIENT, "gone behind a whole frame")
{
	client_welcome(500, "");
	peer_recv_frame(500);
	peer_send_frame(peer_frame, 500);
	client_end("done", 0);
}

/*
 * [MS-SMBD] 3.1.5.4 lets the sender choose the fragment that invalidates. The key is none of ours,
 * so that one puts our queue pair in error, and which it was is seen by what came before it. The
 * frame has five fragments of 1000 bytes; a device may hand the fifth over before it looks at the
 * key.
 */
SCENARIO("client_invalidate_last", CLIENT, "invalidates a key with the last fragment")
{
	uint32_t bytes = 0, remaining = 0;
	const struct msg *m;

	client_welcome(5000, "invalidate=0x1234567");
	while ((m = peer_recv(WAIT))) {
		bytes += m->datalen;
		remaining = m->remaining;
		peer_done();
	}
	peer_check(bytes, "the connection has ended before any fragment");
	peer_check(remaining <= 1000, "a fragment invalidates before the last: %u bytes to come",
		   remaining);
	/* Our device is done with the connection and does not say so; the client waits for its frame. */
	peer_disconnect();
	client_expect_either("receive", ECONNRESET, "end", 0);
}
