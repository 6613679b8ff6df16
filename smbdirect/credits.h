/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_CREDITS_H
#define SMBDR_CREDITS_H

#include <linux/types.h>

/**
 * enum smbdr_room - how much more the receiver is willing to buffer
 * @SMBDR_ROOM_OPEN: keep the peer supplied with credits
 * @SMBDR_ROOM_LOW: the reader is behind: grant only what keeps the connection
 *	alive
 * @SMBDR_ROOM_NONE: grant nothing, whatever the peer does
 */
enum smbdr_room {
	SMBDR_ROOM_OPEN,
	SMBDR_ROOM_LOW,
	SMBDR_ROOM_NONE,
};

/**
 * struct smbdr_credits - the credit ledger of one connection, both directions
 * @send: data messages that we may still send (SendCredits)
 * @send_target: what we ask the peer for (SendCreditTarget), >= 1
 * @recv_max: most receives we post by choice (ReceiveCreditMax), >= 1
 * @recv_target: what the peer last asked for (ReceiveCreditTarget)
 * @window: receives we post at present; doubles while the peer keeps using
 *	them, up to @recv_max, so that an idle connection stays small
 * @posted: receives posted for data messages and not yet completed
 * @announced: how many of @posted the peer has been told of
 * @target_rose: the peer raised its target and has not been answered yet
 *
 * Invariants: announced <= posted; posted <= max(recv_max, 2) + 2, which is
 * never more than recv_max + SMBDR_CREDITS_SPARE.
 * All calls need the lock of the connection; none sleeps.
 */
struct smbdr_credits {
	u32 send;
	u16 send_target;
	u16 recv_max;
	u16 recv_target;
	u16 window;
	u32 posted;
	u32 announced;
	bool target_rose;
};

/*
 * Receives beyond recv_max that the rules may force: the second for a peer
 * that has none, where recv_max is one; the one that goes with our last send
 * credit; the one that goes with a keepalive.
 */
#define SMBDR_CREDITS_SPARE	3

void smbdr_credits_init(struct smbdr_credits *c, u16 send_target, u16 recv_max);

/* The peer's negotiate message: what it asks for and, from a response, grants. */
void smbdr_credits_negotiated(struct smbdr_credits *c, u16 requested, u16 granted);

/*
 * How many receives to post now ([MS-SMBD] 3.1.5.9).
 * @saying: a message other than a pure grant waits to be sent
 * @must_grant: that message is a keepalive or the answer to one
 */
u32 smbdr_credits_want(const struct smbdr_credits *c, bool saying, bool must_grant,
		       enum smbdr_room room);
void smbdr_credits_posted(struct smbdr_credits *c, u32 n);

/*
 * A data message arrived and consumed a receive. -EPROTO if the peer had no
 * credit for it, which nothing but a broken device or ledger lets through.
 */
int smbdr_credits_received(struct smbdr_credits *c, u16 requested, u16 granted);

/* Is there a credit, and, if it is the last, a receive to grant with it? */
bool smbdr_credits_may_send(const struct smbdr_credits *c);

/* Is a message worth sending for the grant alone? Never starts a ping-pong. */
bool smbdr_credits_grant_due(const struct smbdr_credits *c);

/* Spend one send credit; returns the CreditsGranted to put in that message. */
u16 smbdr_credits_spend(struct smbdr_credits *c);

/* Grant with the negotiate response: at most what was asked; costs no credit. */
u16 smbdr_credits_grant_initial(struct smbdr_credits *c, u16 requested);

#endif /* SMBDR_CREDITS_H */
