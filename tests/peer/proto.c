// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The messages of SMB Direct, and a polite peer for the parts that a scenario
 * does not care about: it negotiates, sends and receives frames, keeps the other
 * side supplied with the credits that it wants itself, and no more.
 */
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "peer.h"

uint8_t peer_frame[PEER_FRAME];
int peer_loud = STDERR_FILENO;

/* The numbers that Microsoft's test suite uses. */
const struct request normal = {
	.min = 0x0100, .max = 0x0100, .credits = 10,
	.preferred = 1024, .maxrecv = 1024, .maxfrag = 131072,
};

/* Nothing is a limit. */
const struct request roomy = {
	.min = 0x0100, .max = 0x0100, .credits = PEER_SLOTS - 1,
	.preferred = 8136, .maxrecv = 8192, .maxfrag = 2 * 1048576,
};

static void __attribute__((noreturn)) quit(int status, int fd, const char *what, const char *fmt,
					    va_list args)
{
	dprintf(fd, "failed: %s", what);
	vdprintf(fd, fmt, args);
	dprintf(fd, "\n");
	exit(status);
}

void peer_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	quit(1, STDERR_FILENO, "", fmt, args);
}

void peer_broken(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	quit(BROKEN, peer_loud, "rule broken: ", fmt, args);
}

/* Fields to the wire, or from there. */
void peer_put(void *wire, const void *fields, int shorts, int longs)
{
	const char *from = fields;
	char *to = wire;
	uint16_t v16;
	uint32_t v32;

	for (; shorts; shorts--, to += 2, from += 2) {
		memcpy(&v16, from, 2);
		v16 = htole16(v16);
		memcpy(to, &v16, 2);
	}
	for (; longs; longs--, to += 4, from += 4) {
		memcpy(&v32, from, 4);
		v32 = htole32(v32);
		memcpy(to, &v32, 4);
	}
}

/*
 * Receives that the other side may use from the start: as many credits as we want ourselves,
 * less those that were granted already.
 */
static void start_talking(uint16_t want)
{
	uint16_t most = peer_setup.slots - 1;

	peer->want = want < most ? want : most;
	if (peer->most_wanted < want)
		peer->most_wanted = want;
	peer->to_grant = peer->given < peer->want ? peer->want - peer->given : 0;
	peer->talking = true;
}

void peer_send_request(const struct request *r)
{
	uint8_t b[513] = {};

	peer_put(b, r, REQUEST_FIELDS);
	peer_send_raw(b, r->wirelen ? r->wirelen : REQUEST_SIZE);
}

void peer_send_response(const struct response *r)
{
	uint8_t b[513] = {};

	peer_put(b, r, RESPONSE_FIELDS);
	peer_send_raw(b, r->wirelen ? r->wirelen : RESPONSE_SIZE);
}

void peer_send_data(const struct data *d)
{
	static uint8_t b[PEER_SEND_SIZE];
	struct data h = *d;
	uint32_t len;

	if (h.datalen && !h.offset)
		h.offset = 24;
	len = h.datalen || h.offset ? h.offset + h.datalen : DATA_SIZE;
	if (h.wirelen)
		len = h.wirelen;
	peer_check(len <= sizeof(b), "message of %u bytes", len);
	memset(b, 0, len < 24 ? 24 : len);
	peer_put(b, &h, DATA_FIELDS);
	memset(b + DATA_SIZE, h.padding, 4);
	if (h.offset <= len && h.datalen <= len - h.offset)
		memcpy(b + h.offset, h.payload ? h.payload : peer_pattern(h.datalen), h.datalen);
	peer_send_raw(b, len);
}

void peer_send_empty(uint16_t granted, uint16_t flags)
{
	peer_send_data(&(struct data) { .requested = peer->want, .granted = granted,
					.flags = flags });
}

/* @wirelen as in struct data. */
static void send_part(const uint8_t *payload, uint32_t len, uint32_t remaining, uint32_t wirelen)
{
	peer_wait_credit(1);
	/* [MS-SMBD] 3.1.5.9: the last credit goes with a grant, above the target if need be. */
	if (peer->send_credits == 1 && !peer->to_grant)
		peer->to_grant = 1;
	peer_send_data(&(struct data) {
		.requested = peer->want, .granted = peer->to_grant, .remaining = remaining,
		.offset = 24, .datalen = len, .payload = payload, .wirelen = wirelen,
	});
}

void peer_send_segment(const uint8_t *payload, uint32_t len, uint32_t remaining)
{
	send_part(payload, len, remaining, 0);
}

void peer_send_bytes(const uint8_t *buf, uint32_t len)
{
	while (len--)
		send_part(buf++, 1, len, peer->max_send);
}

struct response peer_recv_response(void)
{
	const struct msg *m = peer_recv(WAIT);
	struct response r;

	peer_check(m, "disconnected instead of a negotiate response");
	peer_check(m->len >= RESPONSE_SIZE, "a negotiate response of %u bytes", m->len);
	peer_get(&r, m->raw, RESPONSE_FIELDS);
	r.wirelen = m->len;
	peer_done();
	return r;
}

/* The response to @r is a success: data from here on. */
void peer_start(const struct request *r, const struct response *resp)
{
	/* Who did not wait has used some. */
	peer->send_credits = resp->granted < peer->sent ? 0 : resp->granted - (peer->sent - 1);
	peer->got = resp->granted;
	peer->max_send = resp->maxrecv;
	peer->max_recv = resp->preferred;
	peer->max_frame_out = resp->maxfrag;
	peer->max_frame_in = r->maxfrag;
	start_talking(r->credits);
}

/* The response to @r, which has to be a success. */
struct response peer_negotiated(const struct request *r)
{
	struct response resp = peer_recv_response();

	rules_response(&resp, r);
	peer_check(!resp.status, "status 0x%08x", resp.status);
	peer_start(r, &resp);
	return resp;
}

struct response peer_negotiate(const struct request *r)
{
	peer_send_request(r);
	return peer_negotiated(r);
}

/* @m is a client's request. */
void peer_take_request(const struct msg *m)
{
	struct request r;

	peer_check(m->len >= REQUEST_SIZE, "a negotiate request of %u bytes", m->len);
	peer_get(&r, m->raw, REQUEST_FIELDS);
	rules_request(&r, m->len);
	peer->max_send = r.maxrecv;
	peer->max_recv = r.preferred;
	peer->max_frame_out = r.maxfrag;
}

/* The request of a client. */
void peer_recv_request(void)
{
	const struct msg *m = peer_recv(WAIT);

	peer_check(m, "disconnected instead of a negotiate request");
	peer_take_request(m);
	peer_done();
}

/* A client's request was there, and @r is the response to it, which is a success. */
void peer_start_serving(const struct response *r)
{
	if (r->maxrecv < peer->max_recv)
		peer->max_recv = r->maxrecv;
	if (r->preferred < peer->max_send)
		peer->max_send = r->preferred > 128 ? r->preferred : 128;
	peer->max_frame_in = r->maxfrag;
	peer->given += r->granted;
	start_talking(r->requested);
	peer->to_grant = 0;
}

/* A client's request and @r as the response to it. */
void peer_welcome(const struct response *r)
{
	peer_recv_request();
	peer_send_response(r);
	peer_start_serving(r);
}

/* Credits come with what the other side says; @n of them have to be there. */
void peer_wait_credit(unsigned int n)
{
	while (peer->send_credits < n) {
		const struct msg *m = peer_recv(WAIT);

		peer_check(m, "disconnected while waiting for credits");
		peer_check(!m->datalen, "data while waiting for credits");
		peer_done();
	}
}

/* One frame in as few fragments as can be. */
void peer_send_frame(const uint8_t *buf, uint32_t len)
{
	uint32_t max = peer->max_send - 24, n;

	for (; len; len -= n, buf += n) {
		n = len < max ? len : max;
		peer_send_segment(buf, n, len - n);
	}
}

/* Let the other side go on that has used up most of what it had. */
static void keep_going(void)
{
	if (peer->to_grant && peer->given - peer->came <= peer->want / 4 && peer->send_credits)
		peer_send_empty(peer->to_grant, 0);
}

/* @got of @len bytes came before. That fragments add up is for the rules. */
uint32_t peer_recv_part(uint32_t got, uint32_t len)
{
	const struct msg *m = peer_recv(WAIT);

	peer_check(m, "disconnected after %u of %u bytes", got, len);
	peer_check(!m->datalen || (uint64_t)got + m->datalen + m->remaining == len,
		   "a frame of %u bytes instead of %u", got + m->datalen + m->remaining, len);
	peer_check(len <= sizeof(peer_frame), "a frame of %u bytes", len);
	memcpy(peer_frame + got, m->raw + m->offset, m->datalen);
	peer_done();
	return m->datalen;
}

void peer_recv_frame(uint32_t len)
{
	uint32_t got = 0;

	while (got < len) {
		got += peer_recv_part(got, len);
		if (got < len)
			keep_going();
	}
}

void peer_compare(uint32_t len)
{
	const uint8_t *want = peer_pattern(len);
	uint32_t i;

	for (i = 0; i < len; i++)
		peer_check(peer_frame[i] == want[i], "wrong content from byte %u on", i);
}

void peer_expect_echo(uint32_t len)
{
	peer_recv_frame(len);
	peer_compare(len);
}

void peer_echo(uint32_t len)
{
	peer_send_frame(peer_pattern(len), len);
	peer_expect_echo(len);
}

void peer_expect_empty(int timeout, uint16_t flags)
{
	const struct msg *m = peer_recv(timeout);

	peer_check(m, "disconnected instead of an empty message");
	peer_check(m->len == DATA_SIZE, "%u bytes instead of an empty message", m->len);
	peer_check(m->flags == flags, "an empty message with flags %u", m->flags);
	peer_check(m->granted || flags, "an empty message without a grant");
	peer_done();
}

void peer_expect_timeout(double start, double least)
{
	peer_check(!peer_recv(GONE), "another message instead of the end");
	peer_expect_disconnect();
	peer_lasted(peer_now() - start, least);
}

const uint8_t *peer_pattern(uint32_t len)
{
	static uint8_t pattern[PEER_FRAME];
	static uint32_t filled;

	peer_check(len <= sizeof(pattern), "a frame of %u bytes", len);
	for (; filled < len; filled++)
		pattern[filled] = filled * 2654435761u >> 24;
	return pattern;
}

void peer_open(const struct request *r)
{
	peer_connect();
	peer_negotiate(r);
}

/* Connect, negotiate, one frame there and back. */
void peer_exchange(const struct request *r, uint32_t len)
{
	peer_open(r);
	peer_echo(len);
	peer_disconnect();
}

void peer_lasted(double took, double least)
{
	peer_check(took > least, "ended after %.3f s, before its time", took);
}

void peer_gone(void)
{
	peer_expect_disconnect();
	peer_disconnect();
	peer_exchange(&normal, 500);
}
