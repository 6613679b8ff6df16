// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The credit ledger: [MS-SMBD] 3.1.1.1, 3.1.5.1, 3.1.5.8, 3.1.5.9.
 *
 * A credit is the permission to send one data message, with or without
 * payload. Behind each one stands a receive that its giver has posted; a
 * message without a credit finds none and breaks the connection. Credits are
 * given in messages, which cost a credit themselves. From that follow the
 * three ways to fail, and what is done about each:
 *
 * Too many. A receive must not be announced twice. Between the arrival of a
 * message and the moment when we hear of it a receive is gone that we still
 * count, so "announced" cannot be computed from what is posted; it is a count
 * of its own. It falls only when a message is accounted, together with
 * "posted", so posted - announced are receives that really wait.
 *
 * Deadlock. If both sides run out of credits neither can ever give one. So
 * the last credit may be spent only on a message that gives at least one, for
 * which a receive is posted above any target if need be (3.1.5.1, 3.1.5.9).
 * Whoever dries up has thereby handed the other side the means to answer, and
 * whoever sees that the other holds nothing grants at once.
 *
 * Ping-pong. A message that only grants consumes a receive at the other side
 * like any other. If that alone were reason to grant back, two idle peers
 * would talk for ever. So a grant gets a message of its own only when the
 * peer has used up three quarters of what it wants, which one such message
 * never does by itself, unless the peer wants a single one: that one case is
 * given two receives (smbdr_credits_want()). Other grants wait for a message
 * that is sent anyway.
 *
 * The negotiate messages cost nothing. After them the active side holds what
 * the response granted, the passive side nothing: there is no such field in
 * the request. What the active side posted waits, not announced, for its
 * first data message.
 *
 * Ownership: struct smbdr_credits is part of the connection.
 * Locking: the caller holds the lock of the connection. Nothing sleeps.
 */
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/types.h>
#include "credits.h"

/* Receives that a new connection posts: most stay idle, and each is memory. */
#define SMBDR_CREDITS_START	4

/* How many receives to keep posted for a peer that behaves as it does at present. */
static u32 smbdr_credits_base(const struct smbdr_credits *c)
{
	return min3(c->recv_target, c->recv_max, c->window);
}

/**
 * smbdr_credits_init - the ledger of a connection before negotiation
 * @c: to be set up
 * @send_target: credits that we ask the peer for, >= 1
 * @recv_max: most receives to post by choice, >= 1
 *
 * Context: lock of the connection, or nobody else knows it yet.
 */
void smbdr_credits_init(struct smbdr_credits *c, u16 send_target, u16 recv_max)
{
	c->send = 0;
	c->send_target = send_target;
	c->recv_max = recv_max;
	c->recv_target = 1;
	c->window = min_t(u16, SMBDR_CREDITS_START, recv_max);
	c->posted = 0;
	c->announced = 0;
	c->target_rose = false;
}

/**
 * smbdr_credits_negotiated - account the peer's negotiate message
 * @c: the ledger
 * @requested: its CreditsRequested, >= 1
 * @granted: its CreditsGranted; 0 for a request, which has no such field
 *
 * Context: lock of the connection. [MS-SMBD] 3.1.5.6, 3.1.5.7.
 */
void smbdr_credits_negotiated(struct smbdr_credits *c, u16 requested, u16 granted)
{
	c->recv_target = requested;
	c->send = granted;
}

/**
 * smbdr_credits_want - how many receives to post now
 * @c: the ledger
 * @saying: a message other than a pure grant waits to be sent
 * @must_grant: that message is a keepalive or the answer to one
 * @room: what the reader can still take
 *
 * [MS-SMBD] 3.1.5.9. As long as there is room the peer is kept supplied with
 * what it asks for. If it holds no credit at all two receives are posted even
 * if it asks for one: with one, the grant would leave a peer of the same kind
 * at zero again after its next message, empty or not, and each of two idle
 * peers would see the other's grant as the reason for one of its own.
 *
 * Whatever the room, short of none, a receive is found for our last credit,
 * which cannot be spent without a grant, and for a keepalive and its answer:
 * a peer that has no credit can neither answer nor ask, and would be dead for
 * us, or we for it, when the timer fires (3.1.6.2). Neither needs one if
 * there is a receive that was not announced yet.
 *
 * What is forced comes on top of the target. For the last credit it does not
 * add up, whatever the target: to get at another one we need a message from
 * the peer, and that uses up a receive. A keepalive needs no such message, so
 * a peer that holds more than it asked for gets nothing with it. Otherwise
 * the receives would pile up until there is none to be had for the last
 * credit, and with the peer holding plenty, hence nothing to tell us, and we
 * unable to speak, both would wait for ever. So at most two receives are
 * posted above max(recv_max, 2); the bound of SMBDR_CREDITS_SPARE, by which
 * queues are sized, only makes sure of it.
 *
 * Context: lock of the connection.
 *
 * Return: receives to post; smbdr_credits_posted() wants to hear how many were.
 */
u32 smbdr_credits_want(const struct smbdr_credits *c, bool saying, bool must_grant,
		       enum smbdr_room room)
{
	u32 goal = c->posted;

	if (room == SMBDR_ROOM_NONE)
		return 0;
	if (room == SMBDR_ROOM_OPEN) {
		goal = max(goal, smbdr_credits_base(c));
		if (!c->announced)
			goal = max_t(u32, goal, 2);
	}
	if (goal == c->announced) {
		bool ample = c->announced > max_t(u32, smbdr_credits_base(c), 2);

		if ((saying && c->send == 1) || (must_grant && !ample))
			goal++;
	}
	goal = min_t(u32, goal, c->recv_max + SMBDR_CREDITS_SPARE);
	return goal > c->posted ? goal - c->posted : 0;
}

/**
 * smbdr_credits_posted - receives were posted
 * @c: the ledger
 * @n: how many
 *
 * Call it only after the receives are posted: from here on the peer may be
 * told of them.
 *
 * Context: lock of the connection.
 */
void smbdr_credits_posted(struct smbdr_credits *c, u32 n)
{
	c->posted += n;
}

/**
 * smbdr_credits_received - account a data message that arrived
 * @c: the ledger
 * @requested: its CreditsRequested: the total that the peer would like to
 *	hold, >= 1
 * @granted: its CreditsGranted, on top of what we have
 *
 * [MS-SMBD] 3.1.5.8. A peer may ask for less than it holds; credits are not
 * taken back. It may grant without end, and the sum must not wrap.
 *
 * A peer that has used up three quarters of the window makes use of it, so
 * it becomes twice as large, unless it was what the peer asked for that was
 * the limit.
 *
 * Context: lock of the connection.
 *
 * Return: 0, or -EPROTO if the peer had no credit.
 */
int smbdr_credits_received(struct smbdr_credits *c, u16 requested, u16 granted)
{
	if (!c->announced)
		return -EPROTO;
	c->posted--;
	c->announced--;

	if (requested > c->recv_target)
		c->target_rose = true;
	c->recv_target = requested;
	c->send = min_t(u64, (u64)c->send + granted, U32_MAX);

	if (c->announced <= c->window / 4 && c->window < requested)
		c->window = min_t(u32, 2 * (u32)c->window, c->recv_max);
	return 0;
}

/**
 * smbdr_credits_may_send - may a data message be sent now?
 * @c: the ledger
 *
 * Not without a credit, and with the last one only if there is something to
 * grant ([MS-SMBD] 3.1.5.1). The only place that knows this rule.
 *
 * Context: lock of the connection.
 *
 * Return: true if so.
 */
bool smbdr_credits_may_send(const struct smbdr_credits *c)
{
	return c->send >= 2 || (c->send == 1 && c->posted > c->announced);
}

/**
 * smbdr_credits_grant_due - is a message worth sending for the grant alone?
 * @c: the ledger
 *
 * [MS-SMBD] 3.1.5.8 would have every message answered by a grant. See the top
 * of the file for why it is a quarter of what the peer wants that decides,
 * rounded down. A target that rose is answered at once, since a peer may wait
 * for more before it begins. Whether it may be sent is another question,
 * smbdr_credits_may_send().
 *
 * Context: lock of the connection.
 *
 * Return: true if so.
 */
bool smbdr_credits_grant_due(const struct smbdr_credits *c)
{
	u32 base = smbdr_credits_base(c);

	if (c->posted == c->announced)
		return false;
	return c->announced <= base / 4 || (c->target_rose && base > c->announced);
}

/**
 * smbdr_credits_spend - a data message is being sent
 * @c: the ledger; smbdr_credits_may_send() has said yes
 *
 * Everything that can be granted is: a message that is sent anyway grants for
 * free. [MS-SMBD] 3.1.5.1.
 *
 * Context: lock of the connection.
 *
 * Return: the CreditsGranted to put into it.
 */
u16 smbdr_credits_spend(struct smbdr_credits *c)
{
	u16 grant = min_t(u32, c->posted - c->announced, U16_MAX);

	c->send--;
	c->announced += grant;
	c->target_rose = false;
	return grant;
}

/**
 * smbdr_credits_grant_initial - the grant of the negotiate response
 * @c: the ledger
 * @requested: CreditsRequested of the request
 *
 * [MS-SMBD] 3.1.5.3. Not more than was asked for, other than later: peers
 * check it here. It costs no credit.
 *
 * Context: lock of the connection.
 *
 * Return: the CreditsGranted to put into the response.
 */
u16 smbdr_credits_grant_initial(struct smbdr_credits *c, u16 requested)
{
	u16 grant = min_t(u32, c->posted - c->announced, requested);

	c->announced += grant;
	return grant;
}
