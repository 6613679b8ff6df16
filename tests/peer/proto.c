// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The messages of SMB Direct, and a polite peer for the parts that a scenario
 * does not care about: it negotiates, sends and receives frames, keeps the other
 * side supplied with the credits that it wants itself, and no more.
 */
#include <stdio.h>
#include <stdlib.h>
#include "peer.h"

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

/*
 * Receives that the other side may use from the start: as many credits as we want ourselves,
 * less those that were granted already.
 */
static void start_talking(uint16_t want)
{
	peer.want = want < PEER_SLOTS - 1 ? want : PEER_SLOTS - 1;
	if (peer.most_wanted < want)
		peer.most_wanted = want;
	peer.to_grant = peer.given < peer.want ? peer.want - peer.given : 0;
	peer.talking = true;
}

void peer_send_request(const struct request *r)
{
	uint8_t b[512] = {};

	put16(b, r->min);
	put16(b + 2, r->max);
	put16(b + 4, r->reserved);
	put16(b + 6, r->credits);
	put32(b + 8, r->preferred);
	put32(b + 12, r->maxrecv);
	put32(b + 16, r->maxfrag);
	peer_send_raw(b, r->wirelen ? r->wirelen : 20);
}

void peer_send_response(const struct response *r)
{
	uint8_t b[1024] = {};

	put16(b, r->min);
	put16(b + 2, r->max);
	put16(b + 4, r->version);
	put16(b + 6, r->reserved);
	put16(b + 8, r->requested);
	put16(b + 10, r->granted);
	put32(b + 12, r->status);
	put32(b + 16, r->maxrw);
	put32(b + 20, r->preferred);
	put32(b + 24, r->maxrecv);
	put32(b + 28, r->maxfrag);
	peer_send_raw(b, r->wirelen ? r->wirelen : 32);
}

void peer_send_data(const struct data *d)
{
	uint32_t len = d->datalen || d->offset ? d->offset + d->datalen : 20;
	static uint8_t b[PEER_SEND_SIZE];

	memset(b, 0, sizeof(b));
	put16(b, d->requested);
	put16(b + 2, d->granted);
	put16(b + 4, d->flags);
	put16(b + 6, d->reserved);
	put32(b + 8, d->remaining);
	put32(b + 12, d->offset);
	put32(b + 16, d->datalen);
	memset(b + 20, d->padding, 4);
	if (d->payload && d->datalen)
		memcpy(b + (d->offset >= 20 ? d->offset : 24), d->payload, d->datalen);
	peer_send_raw(b, d->wirelen ? d->wirelen : len);
}

void peer_send_empty(uint16_t granted, uint16_t flags)
{
	peer_send_data(&(struct data) { .requested = peer.want, .granted = granted,
					.flags = flags });
}

/* Part of a frame, with all that there is to grant. */
void peer_send_segment(const uint8_t *payload, uint32_t len, uint32_t remaining)
{
	peer_wait_credit(1);
	/* [MS-SMBD] 3.1.5.9: the last credit goes with a grant, above the target if need be. */
	if (peer.send_credits == 1 && !peer.to_grant)
		peer.to_grant = 1;
	peer_send_data(&(struct data) {
		.requested = peer.want, .granted = peer.to_grant, .remaining = remaining,
		.offset = 24, .datalen = len, .payload = payload,
	});
}

/* @b has 32 bytes, of @len on the wire. */
struct response peer_get_response(const uint8_t *b, uint32_t len)
{
	return (struct response) {
		.min = get16(b), .max = get16(b + 2), .version = get16(b + 4),
		.reserved = get16(b + 6), .requested = get16(b + 8), .granted = get16(b + 10),
		.status = get32(b + 12), .maxrw = get32(b + 16), .preferred = get32(b + 20),
		.maxrecv = get32(b + 24), .maxfrag = get32(b + 28), .wirelen = len,
	};
}

/* @b has 20 bytes. */
struct request peer_get_request(const uint8_t *b)
{
	return (struct request) {
		.min = get16(b), .max = get16(b + 2), .reserved = get16(b + 4),
		.credits = get16(b + 6), .preferred = get32(b + 8), .maxrecv = get32(b + 12),
		.maxfrag = get32(b + 16),
	};
}

struct response peer_recv_response(void)
{
	const struct msg *m = peer_recv(WAIT);
	struct response r;

	peer_check(m, "disconnected instead of a negotiate response");
	peer_check(m->len >= 32, "a negotiate response of %u bytes", m->len);
	r = peer_get_response(m->raw, m->len);
	peer_done();
	return r;
}

/* The response to @r is a success: data from here on. */
void peer_start(const struct request *r, const struct response *resp)
{
	/* Who did not wait has used some. */
	peer.send_credits = resp->granted < peer.sent ? 0 : resp->granted - (peer.sent - 1);
	peer.got = resp->granted;
	peer.max_send = resp->maxrecv;
	peer.max_recv = resp->preferred;
	peer.max_frame_out = resp->maxfrag;
	peer.max_frame_in = r->maxfrag;
	start_talking(r->credits);
}

/* A request and the response to it, which has to be a success. */
struct response peer_negotiate(const struct request *r)
{
	struct response resp;

	peer_send_request(r);
	resp = peer_recv_response();
	rules_response(&resp, r, resp.wirelen);
	peer_check(!resp.status, "status 0x%08x", resp.status);
	peer_start(r, &resp);
	return resp;
}

/* @m is a client's request. */
void peer_take_request(const struct msg *m)
{
	struct request r;

	peer_check(m->len >= 20, "a negotiate request of %u bytes", m->len);
	r = peer_get_request(m->raw);
	rules_request(&r, m->len);
	peer.max_send = r.maxrecv;
	peer.max_recv = r.preferred;
	peer.max_frame_out = r.maxfrag;
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
	if (r->maxrecv < peer.max_recv)
		peer.max_recv = r->maxrecv;
	if (r->preferred < peer.max_send)
		peer.max_send = r->preferred > 128 ? r->preferred : 128;
	peer.max_frame_in = r->maxfrag;
	peer.given += r->granted;
	start_talking(r->requested);
	peer.to_grant = 0;
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
	while (peer.send_credits < n) {
		const struct msg *m = peer_recv(WAIT);

		peer_check(m, "disconnected while waiting for credits");
		peer_check(!m->datalen, "data while waiting for credits");
		peer_done();
	}
}

/* One frame in fragments of at most @fragment bytes, 0 for as many as fit. */
void peer_send_frame(const uint8_t *buf, uint32_t len, uint32_t fragment)
{
	uint32_t max = peer.max_send - 24, done = 0;

	if (!fragment || fragment > max)
		fragment = max;
	while (done < len) {
		uint32_t n = len - done < fragment ? len - done : fragment;

		peer_send_segment(buf + done, n, len - done - n);
		done += n;
	}
}

/* Let the other side go on that has used up most of what it had. */
static void keep_going(void)
{
	if (peer.to_grant && peer.given - peer.came <= peer.want / 4 && peer.send_credits)
		peer_send_empty(peer.to_grant, 0);
}

/* One frame of @len bytes. That the fragments add up is for the rules. */
void peer_recv_frame(uint8_t *buf, uint32_t len)
{
	uint32_t got = 0;

	while (got < len) {
		const struct msg *m = peer_recv(WAIT);

		peer_check(m, "disconnected after %u of %u bytes", got, len);
		peer_check((uint64_t)got + m->datalen + m->remaining == len || !m->datalen,
			   "a frame of %u bytes instead of %u", got + m->datalen + m->remaining,
			   len);
		memcpy(buf + got, m->raw + m->offset, m->datalen);
		got += m->datalen;
		peer_done();
		if (got < len)
			keep_going();
	}
}

void peer_expect_echo(const uint8_t *buf, uint32_t len)
{
	uint8_t *got = malloc(len);
	uint32_t i;

	peer_check(got, "out of memory");
	peer_recv_frame(got, len);
	for (i = 0; i < len; i++)
		peer_check(got[i] == buf[i], "wrong content from byte %u on", i);
	free(got);
}

void peer_expect_empty(int timeout, uint16_t flags)
{
	const struct msg *m = peer_recv(timeout);

	peer_check(m, "disconnected instead of an empty message");
	peer_check(m->len == 20, "%u bytes instead of an empty message", m->len);
	peer_check(m->flags == flags, "an empty message with flags %u", m->flags);
	peer_check(m->granted || flags, "an empty message without a grant");
	peer_done();
}

uint8_t *peer_pattern(uint32_t len)
{
	uint8_t *buf = malloc(len);
	uint32_t i;

	peer_check(buf, "out of memory");
	for (i = 0; i < len; i++)
		buf[i] = i * 2654435761u >> 24;
	return buf;
}

void peer_open(const struct request *r)
{
	peer_connect();
	peer_negotiate(r);
}

/* Connect, negotiate, one frame there and back. */
void peer_exchange(const struct request *r, uint32_t len, uint32_t fragment)
{
	uint8_t *buf = peer_pattern(len);

	peer_open(r);
	peer_send_frame(buf, len, fragment);
	peer_expect_echo(buf, len);
	free(buf);
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
	peer_exchange(&normal, 500, 0);
}
