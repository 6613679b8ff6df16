// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What must hold for every message of the other side, whatever we do to it.
 *
 * All that arrives goes through here, so every scenario checks all of this,
 * the hostile ones too. Where [MS-SMBD] leaves a sender a choice, the rule is
 * what our sockets do, which is narrower: no data means the shortest message, and
 * nothing follows the data.
 *
 * Credits are judged with what we know: those that we have given may not have
 * arrived when the message was sent. So a message without a credit is found for
 * sure, and the last credit only when it was the last of all that we ever gave.
 */
#include "peer.h"

#define rule(cond, fmt, ...) \
	peer_check(cond, "rule broken by message %llu: " fmt, \
		   (unsigned long long)peer.came, ##__VA_ARGS__)

/* [MS-SMBD] 2.2.3, 3.1.5.4: the shape of one message. */
static void rules_shape(const struct msg *m)
{
	uint32_t i;

	rule(m->len >= 20, "%u bytes are no data message", m->len);
	rule(m->len <= peer.max_recv, "%u bytes, we take %u", m->len, peer.max_recv);
	rule(m->requested, "it requests no credits");
	rule(m->flags <= 1, "flags 0x%04x", m->flags);
	rule(!m->reserved, "reserved is 0x%04x", m->reserved);
	if (!m->datalen) {
		rule(m->len == 20, "no data, but %u bytes", m->len);
		rule(!m->offset, "no data, but offset %u", m->offset);
		rule(!m->remaining, "no data, but %u remaining", m->remaining);
		return;
	}
	rule(m->offset % 8 == 0 && m->offset >= 24, "data offset %u", m->offset);
	rule((uint64_t)m->offset + m->datalen == m->len, "offset %u, length %u in %u bytes",
	     m->offset, m->datalen, m->len);
	for (i = 20; i < m->offset; i++)
		rule(!m->raw[i], "padding 0x%02x at %u", m->raw[i], i);
}

/* [MS-SMBD] 3.1.5.4: fragments add up, and nothing comes between them. */
static void rules_fragments(const struct msg *m)
{
	uint64_t sum = (uint64_t)m->datalen + m->remaining;

	if (peer.remaining) {
		rule(m->datalen, "an empty message with %u bytes to come", peer.remaining);
		rule(sum == peer.remaining, "length %u and remaining %u, but %u are to come",
		     m->datalen, m->remaining, peer.remaining);
	} else {
		rule(sum <= peer.max_frame_in, "a frame of %llu bytes, we take %u",
		     (unsigned long long)sum, peer.max_frame_in);
	}
	peer.remaining = m->remaining;
}

/* [MS-SMBD] 3.1.5.1, 3.1.5.9 */
static void rules_credits(const struct msg *m)
{
	unsigned int most = peer.most_wanted < 255 ? peer.most_wanted : 255;

	rule(peer.came <= peer.given, "we have given %llu credits",
	     (unsigned long long)peer.given);
	rule(peer.came < peer.given || m->granted, "the last credit was spent without a grant");
	peer.send_credits += m->granted;
	/* Above what we asked for, two may be forced: for the last credit and for a keepalive. */
	most = (most > 2 ? most : 2) + 2;
	rule(peer.send_credits <= most, "%u credits are too many, we asked for %u",
	     peer.send_credits, peer.most_wanted);
}

/* [MS-SMBD] 3.1.5.8, 3.1.6.2: who asks, and how that is answered. */
static void rules_flags(const struct msg *m)
{
	rule(!m->flags || peer_may_be_asked, "it asks whether we are alive, but was not idle%s",
	     peer.asked ? ": an answer that asks" : "");
	peer.asked = false;
}

void rules_received(const struct msg *m)
{
	if (!peer.talking)
		return;
	peer.came++;
	rules_shape(m);
	rules_fragments(m);
	rules_credits(m);
	rules_flags(m);
}

/* [MS-SMBD] 2.2.2, 3.1.5.3, and what the test suite asks of every response. */
void rules_response(const struct response *r, const struct request *to, uint32_t len)
{
	uint32_t most = to->preferred > 128 ? to->preferred : 128;

	peer_check(len == 32, "a response of %u bytes", len);
	peer_check(r->min == 0x0100 && r->max == 0x0100, "versions 0x%04x to 0x%04x", r->min,
		   r->max);
	peer_check(!r->reserved, "reserved is 0x%04x", r->reserved);
	if (r->status) {
		peer_check(r->status >> 30 == 3, "status 0x%08x is no error", r->status);
		peer_check(!r->version && !r->requested && !r->granted && !r->maxrw &&
			   !r->preferred && !r->maxrecv && !r->maxfrag,
			   "a refusal with values that are not 0");
		return;
	}
	peer_check(r->version == 0x0100, "version 0x%04x", r->version);
	peer_check(r->requested, "it requests no credits");
	peer_check(r->granted && r->granted <= to->credits, "%u credits granted, %u requested",
		   r->granted, to->credits);
	peer_check(r->maxrw >= 1048576, "max read write size %u", r->maxrw);
	peer_check(r->preferred >= 128 && r->preferred <= to->maxrecv,
		   "preferred send size %u, we take %u", r->preferred, to->maxrecv);
	peer_check(r->maxrecv >= 128 && r->maxrecv <= most,
		   "max receive size %u, we prefer %u", r->maxrecv, to->preferred);
	peer_check(r->maxfrag >= 131072, "max fragmented size %u", r->maxfrag);
}

/* [MS-SMBD] 2.2.1, 3.1.5.2 */
void rules_request(const struct request *r, uint32_t len)
{
	peer_check(len == 20, "a request of %u bytes", len);
	peer_check(r->min == 0x0100 && r->max == 0x0100, "versions 0x%04x to 0x%04x", r->min,
		   r->max);
	peer_check(!r->reserved, "reserved is 0x%04x", r->reserved);
	peer_check(r->credits, "it requests no credits");
	/* More than this Windows refuses. */
	peer_check(r->preferred >= 128 && r->preferred <= 8136, "preferred send size %u",
		   r->preferred);
	peer_check(r->maxrecv >= 128, "max receive size %u", r->maxrecv);
	peer_check(r->maxfrag >= 131072, "max fragmented size %u", r->maxfrag);
}
