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
 * Of those that it gives, all are counted against all messages that we ever sent, as
 * somebody may send one for which there was none (fuzz.c).
 */
#include "peer.h"

#define rule(cond, fmt, ...) \
	must(cond, "message %llu: " fmt, (unsigned long long)peer->came, ##__VA_ARGS__)

/* [MS-SMBD] 2.2.3, 3.1.5.4: the shape of one message. */
static void rules_shape(const struct msg *m)
{
	uint32_t i;

	rule(m->len >= 20, "%u bytes are no data message", m->len);
	rule(m->len <= peer->max_recv, "%u bytes, we take %u", m->len, peer->max_recv);
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

	if (peer->remaining) {
		rule(m->datalen, "an empty message with %u bytes to come", peer->remaining);
		rule(sum == peer->remaining, "length %u and remaining %u, but %u are to come",
		     m->datalen, m->remaining, peer->remaining);
	} else {
		rule(sum <= peer->max_frame_in, "a frame of %llu bytes, we take %u",
		     (unsigned long long)sum, peer->max_frame_in);
	}
	peer->remaining = m->remaining;
}

/* [MS-SMBD] 3.1.5.1, 3.1.5.9 */
static void rules_credits(const struct msg *m)
{
	unsigned int most = peer->most_wanted < 255 ? peer->most_wanted : 255;
	uint64_t used = peer->sent - 1;

	rule(peer->came <= peer->given, "we have given %llu credits",
	     (unsigned long long)peer->given);
	rule(peer->came < peer->given || m->granted, "the last credit was spent without a grant");
	peer->send_credits += m->granted;
	peer->got += m->granted;
	/* Above what we asked for, two may be forced: for the last credit and for a keepalive. */
	most = (most > 2 ? most : 2) + 2;
	rule(peer->got <= used + most, "%llu credits are too many, we asked for %u",
	     (unsigned long long)(peer->got - used), peer->most_wanted);
}

/* [MS-SMBD] 3.1.5.8, 3.1.6.2: who asks, and how and when that is answered. */
static void rules_flags(const struct msg *m)
{
	double took = peer->asked_at ? peer_now() - peer->asked_at : 0;

	rule(!m->flags || peer_setup.may_be_asked, "it asks whether we are alive, but was not idle%s",
	     peer->asked ? ": an answer that asks" : "");
	rule(took <= ANSWER, "the answer took %.3f s", took);
	peer->asked = false;
	peer->asked_at = 0;
}

void rules_received(const struct msg *m)
{
	if (!peer->talking)
		return;
	peer->came++;
	rules_shape(m);
	rules_fragments(m);
	rules_credits(m);
	rules_flags(m);
}

/* [MS-SMBD] 2.2.2, 3.1.5.3, and what the test suite asks of every response. */
void rules_response(const struct response *r, const struct request *to)
{
	uint32_t most = to->preferred > 128 ? to->preferred : 128;

	must(r->wirelen == RESPONSE_SIZE, "a response of %u bytes", r->wirelen);
	must(r->min == 0x0100 && r->max == 0x0100, "versions 0x%04x to 0x%04x", r->min, r->max);
	must(!r->reserved, "reserved is 0x%04x", r->reserved);
	if (r->status) {
		must(r->status >> 30 == 3, "status 0x%08x is no error", r->status);
		must(!r->version && !r->requested && !r->granted && !r->maxrw && !r->preferred &&
		     !r->maxrecv && !r->maxfrag, "a refusal with values that are not 0");
		return;
	}
	must(r->version == 0x0100, "version 0x%04x", r->version);
	must(r->requested, "it requests no credits");
	must(r->granted && r->granted <= to->credits, "%u credits granted, %u requested",
	     r->granted, to->credits);
	must(r->maxrw >= 1048576, "max read write size %u", r->maxrw);
	must(r->preferred >= 128 && r->preferred <= to->maxrecv,
	     "preferred send size %u, we take %u", r->preferred, to->maxrecv);
	must(r->maxrecv >= 128 && r->maxrecv <= most,
	     "max receive size %u, we prefer %u", r->maxrecv, to->preferred);
	must(r->maxfrag >= 131072, "max fragmented size %u", r->maxfrag);
}

/* [MS-SMBD] 2.2.1, 3.1.5.2 */
void rules_request(const struct request *r, uint32_t len)
{
	must(len == 20, "a request of %u bytes", len);
	must(r->min == 0x0100 && r->max == 0x0100, "versions 0x%04x to 0x%04x", r->min, r->max);
	must(!r->reserved, "reserved is 0x%04x", r->reserved);
	must(r->credits, "it requests no credits");
	/* More than this Windows refuses. */
	must(r->preferred >= 128 && r->preferred <= 8136, "preferred send size %u", r->preferred);
	must(r->maxrecv >= 128, "max receive size %u", r->maxrecv);
	must(r->maxfrag >= 131072, "max fragmented size %u", r->maxfrag);
}
