// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Negotiation with a client of ours, which connects to us: [MS-SMBD] 3.1.5.7
 * and the client's timer, 3.1.6.1.
 *
 * Each says at which call the client has to fail and with which errno. After each of
 * them main.c has a client connect once more, and that has to go well.
 */
#include <errno.h>
#include <unistd.h>
#include "peer.h"

#define NOT_SUPPORTED		0xc00000bb
#define NO_RESOURCES		0xc000009a

/* The client gets @r and does not like it. */
static void refused(const struct response *r, int err)
{
	client_open(500, "");
	peer_recv_request();
	peer_send_response(r);
	peer_expect_disconnect();
	client_end("connect", err);
}

#define WITH(r, ...) struct response r = welcome; do { __VA_ARGS__; } while (0)

static void basic(void)
{
	client_exchange(&welcome, 500);
}

/* Nothing that it could not live with: small, large, or not to be looked at. */
static void smallest(void)
{
	WITH(r, r.preferred = 128; r.maxrecv = 128);
	client_exchange(&r, 131072);
}

static void largest(void)
{
	WITH(r, r.requested = 65535; r.maxrecv = 0xffffffff; r.maxfrag = 0xffffffff;
	     r.maxrw = 0xffffffff; r.preferred = 8192);
	client_exchange(&r, 1048576);
}

/* Counts as 128. */
static void preferred_small(void)
{
	WITH(r, r.preferred = 0);
	client_exchange(&r, 5000);
	r.preferred = 127;
	client_exchange(&r, 5000);
}

static void maxrw_zero(void)
{
	WITH(r, r.maxrw = 0);
	client_exchange(&r, 5000);
}

static void many_granted(void)
{
	WITH(r, r.granted = 65535);
	client_exchange(&r, 5000);
}

static void long_response(void)
{
	WITH(r, r.wirelen = 512);
	client_exchange(&r, 5000);
}

static void reserved(void)
{
	WITH(r, r.min = 0x4711; r.max = 0; r.reserved = 0xffff);
	client_exchange(&r, 5000);
}

/* What [MS-SMBD] 3.1.5.7 tells a client to refuse. */
static void version(void)
{
	WITH(r, r.version = 0x0101);
	refused(&r, ECONNREFUSED);
	r.version = 0;
	refused(&r, ECONNREFUSED);
}

static void status(void)
{
	const struct response not_supported = { .min = 0x0100, .max = 0x0100,
						.status = NOT_SUPPORTED };

	WITH(r, r.status = NO_RESOURCES);
	refused(&not_supported, ECONNREFUSED);
	refused(&r, ECONNREFUSED);
}

static void granted_zero(void)
{
	WITH(r, r.granted = 0);
	refused(&r, ECONNABORTED);
}

static void requested_zero(void)
{
	WITH(r, r.requested = 0);
	refused(&r, ECONNABORTED);
}

static void maxrecv_small(void)
{
	WITH(r, r.maxrecv = 127);
	refused(&r, ECONNABORTED);
	r.maxrecv = 0;
	refused(&r, ECONNABORTED);
}

static void maxfrag_small(void)
{
	WITH(r, r.maxfrag = 131071);
	refused(&r, ECONNABORTED);
}

/* The client has said how much it takes. */
static void preferred_large(void)
{
	struct response r = welcome;

	client_open(500, "");
	peer_recv_request();
	r.preferred = peer.max_send + 1;
	peer_send_response(&r);
	peer_expect_disconnect();
	client_end("connect", ECONNABORTED);
	r.preferred = 0xffffffff;
	refused(&r, ECONNABORTED);
}

static void response_short(void)
{
	WITH(r, r.wirelen = 31);
	refused(&r, ECONNABORTED);
	r.wirelen = 1;
	refused(&r, ECONNABORTED);
}

static void response_too_long(void)
{
	WITH(r, r.wirelen = 513);
	client_open(500, "");
	peer_recv_request();
	peer_send_response(&r);
	peer_expect_disconnect();
	peer_disconnect();
	/* siw ends the connection, and whether that or the bad receive is told first is luck. */
	client_expect_either("connect", ECONNABORTED, "connect", ECONNRESET);
}

static void data_first(void)
{
	client_open(500, "");
	peer_recv_request();
	peer_send_data(&(struct data) { .requested = 10, .granted = 10 });
	peer_expect_disconnect();
	client_end("connect", ECONNABORTED);
}

/* The second one is a data message, and no valid one. */
static void response_twice(void)
{
	client_open(0, "");
	peer_welcome(&welcome);
	peer_wait_credit(1);
	peer_send_response(&welcome);
	peer_expect_disconnect();
	client_end("receive", ECONNABORTED);
}

/* Late, but a second before the client's time is over. */
static void late_response(void)
{
	client_open(500, "connect=5000");
	while (client_age() < 4)
		usleep(1000);
	peer_check(peer_connected(), "disconnected before the time is over");
	peer_welcome(&welcome);
	client_serve(500);
	client_end("done", 0);
}

/* Nothing is said, and the client's time for it is short. */
static void no_response(void)
{
	client_open(500, "connect=4000");
	peer_recv_request();
	peer_expect_disconnect();
	peer_lasted(client_age(), 3.9);
	client_end("connect", ETIMEDOUT);
}

static void no_accept(void)
{
	client_start(500, "connect=4000");
	peer_await();
	client_expect("connect", ETIMEDOUT);
	peer_lasted(client_age(), 3.9);
	peer_reject();
}

static void rejected(void)
{
	client_start(500, "");
	peer_await();
	peer_reject();
	client_expect("connect", ECONNREFUSED);
}

static void gone_at_once(void)
{
	client_start(500, "");
	peer_await();
	peer_accept();
	client_end("connect", ECONNRESET);
}

static void gone_after_request(void)
{
	client_open(500, "");
	peer_recv_request();
	client_end("connect", ECONNRESET);
}

const struct scenario client_scenarios[] = {
	{ "client_basic", CLIENT, "500 bytes there and back", basic },
	{ "client_smallest", CLIENT, "128 KiB in messages of 128 bytes", smallest },
	{ "client_largest", CLIENT, "every size and number is as large as can be", largest },
	{ "client_preferred_small", CLIENT, "preferred send size 0, 127", preferred_small },
	{ "client_max_read_write_zero", CLIENT, "max read write size 0", maxrw_zero },
	{ "client_many_granted", CLIENT, "65535 credits", many_granted },
	{ "client_response_long", CLIENT, "a response of 512 bytes", long_response },
	{ "client_response_reserved", CLIENT, "fields that nobody looks at", reserved },
	{ "client_version", CLIENT, "another version, or none", version },
	{ "client_status", CLIENT, "refused by a status", status },
	{ "client_granted_zero", CLIENT, "no credits granted", granted_zero },
	{ "client_requested_zero", CLIENT, "no credits requested", requested_zero },
	{ "client_max_receive_size", CLIENT, "127, 0", maxrecv_small },
	{ "client_max_fragmented_size", CLIENT, "131071", maxfrag_small },
	{ "client_preferred_send_size", CLIENT, "1 above what it takes, 0xffffffff",
	  preferred_large },
	{ "client_response_short", CLIENT, "a response of 31 bytes, of 1", response_short },
	{ "client_response_too_long", CLIENT, "a response of 513 bytes", response_too_long },
	{ "client_data_first", CLIENT, "data in the place of the response", data_first },
	{ "client_response_twice", CLIENT, "another response", response_twice },
	{ "client_late_response", CLIENT, "a response that comes late", late_response },
	{ "client_no_response", CLIENT, "no response", no_response },
	{ "client_no_accept", CLIENT, "not even an RDMA connection", no_accept },
	{ "client_rejected", CLIENT, "the RDMA connection is refused", rejected },
	{ "client_gone_at_once", CLIENT, "gone when connected", gone_at_once },
	{ "client_gone_after_request", CLIENT, "gone instead of a response", gone_after_request },
	{}
};
