// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The credit ledger, rule by rule. That the rules together neither deadlock
 * nor chatter is shown by tests/unit/model.c, which tries all of them in all
 * orders; here are the sizes that are too large for that.
 */
#include <kunit/test.h>
#include "../../smbdirect/credits.c"

/* A ledger as negotiated, with everything posted that the rules ask for. */
static struct smbdr_credits credits_ready(u16 requested, u16 granted, u16 max)
{
	struct smbdr_credits c;

	smbdr_credits_init(&c, 255, max);
	smbdr_credits_negotiated(&c, requested, granted);
	smbdr_credits_posted(&c, smbdr_credits_want(&c, false, false, SMBDR_ROOM_OPEN));
	return c;
}

/* The same, its window opened so far. */
static struct smbdr_credits credits_open(u16 requested, u16 granted, u16 max, u16 window)
{
	struct smbdr_credits c = credits_ready(requested, granted, max);

	c.window = window;
	smbdr_credits_posted(&c, smbdr_credits_want(&c, false, false, SMBDR_ROOM_OPEN));
	return c;
}

static u32 credits_refill(struct smbdr_credits *c, bool saying, bool must_grant,
			  enum smbdr_room room)
{
	u32 n = smbdr_credits_want(c, saying, must_grant, room);

	smbdr_credits_posted(c, n);
	return n;
}

static const struct credits_start_case {
	u16 requested, max;
	u32 posted;
	u16 granted;
} credits_starts[] = {
	{ 1, 1, 2, 1 }, { 1, 255, 2, 1 }, { 2, 255, 2, 2 }, { 3, 255, 3, 3 },
	{ 4, 255, 4, 4 }, { 10, 255, 4, 4 }, { 255, 255, 4, 4 }, { 65535, 255, 4, 4 },
	{ 255, 1, 2, 2 }, { 255, 3, 3, 3 },
};

/* Few receives at the start, and no grant above the request in the response. */
static void credits_start(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(credits_starts); i++) {
		const struct credits_start_case *s = &credits_starts[i];
		struct smbdr_credits c = credits_ready(s->requested, 0, s->max);

		KUNIT_EXPECT_EQ_MSG(test, c.posted, s->posted, "%u", i);
		KUNIT_EXPECT_FALSE(test, smbdr_credits_may_send(&c));
		KUNIT_EXPECT_EQ_MSG(test, smbdr_credits_grant_initial(&c, s->requested), s->granted,
				    "%u", i);
		KUNIT_EXPECT_EQ(test, c.announced, s->granted);
		KUNIT_EXPECT_EQ(test, c.send, 0);
		KUNIT_EXPECT_FALSE(test, smbdr_credits_grant_due(&c));
	}
}

/* [MS-SMBD] 4.1: the first message of the active side grants all that was posted. */
static void credits_first_message(struct kunit *test)
{
	struct smbdr_credits c = credits_open(10, 10, 255, 16);

	KUNIT_EXPECT_EQ(test, c.posted, 10);
	KUNIT_EXPECT_EQ(test, c.announced, 0);
	KUNIT_EXPECT_TRUE(test, smbdr_credits_grant_due(&c));
	KUNIT_EXPECT_TRUE(test, smbdr_credits_may_send(&c));
	KUNIT_EXPECT_EQ(test, smbdr_credits_spend(&c), 10);
	KUNIT_EXPECT_EQ(test, c.send, 9);
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, false, SMBDR_ROOM_OPEN), 0);

	/* 4.2: one for the message that came in answer */
	KUNIT_EXPECT_EQ(test, smbdr_credits_received(&c, 10, 1), 0);
	KUNIT_EXPECT_EQ(test, c.send, 10);
	KUNIT_EXPECT_EQ(test, credits_refill(&c, true, false, SMBDR_ROOM_OPEN), 1);
	KUNIT_EXPECT_EQ(test, smbdr_credits_spend(&c), 1);
}

static void credits_without_credit(struct kunit *test)
{
	struct smbdr_credits c = credits_ready(1, 1, 1);
	struct smbdr_credits before = c;

	/* Posted, but the peer was not told. */
	KUNIT_EXPECT_EQ(test, smbdr_credits_received(&c, 7, 7), -EPROTO);
	KUNIT_EXPECT_EQ(test, c.posted, before.posted);
	KUNIT_EXPECT_EQ(test, c.send, before.send);
	KUNIT_EXPECT_EQ(test, c.recv_target, before.recv_target);
}

/* The last credit waits for a grant, and gets one posted above every target. */
static void credits_last(struct kunit *test)
{
	struct smbdr_credits c = credits_ready(10, 1, 255);

	KUNIT_EXPECT_TRUE(test, smbdr_credits_may_send(&c));
	c.announced = c.posted;
	KUNIT_EXPECT_FALSE(test, smbdr_credits_may_send(&c));
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, false, false, SMBDR_ROOM_OPEN), 0);
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, false, SMBDR_ROOM_NONE), 0);
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, false, SMBDR_ROOM_LOW), 1);
	KUNIT_EXPECT_EQ(test, credits_refill(&c, true, false, SMBDR_ROOM_OPEN), 1);
	/* Once is enough, also when the message has to wait for something else. */
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, true, SMBDR_ROOM_OPEN), 0);
	KUNIT_EXPECT_TRUE(test, smbdr_credits_may_send(&c));
	KUNIT_EXPECT_EQ(test, smbdr_credits_spend(&c), 1);
	KUNIT_EXPECT_EQ(test, c.send, 0);
	KUNIT_EXPECT_FALSE(test, smbdr_credits_may_send(&c));
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, false, SMBDR_ROOM_OPEN), 0);

	c.send = 2;
	KUNIT_EXPECT_TRUE(test, smbdr_credits_may_send(&c));
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, false, SMBDR_ROOM_OPEN), 0);
}

/* A keepalive takes a grant with it, unless the peer has plenty already. */
static void credits_keepalive(struct kunit *test)
{
	struct smbdr_credits c = credits_open(10, 10, 255, 16);
	u32 i;

	smbdr_credits_spend(&c);
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, true, SMBDR_ROOM_NONE), 0);
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, true, SMBDR_ROOM_LOW), 1);
	for (i = 0; i < 5; i++) {
		u32 n = credits_refill(&c, true, true, SMBDR_ROOM_OPEN);

		KUNIT_EXPECT_EQ(test, n, i ? 0 : 1);
		KUNIT_EXPECT_EQ(test, smbdr_credits_spend(&c), n);
	}
	KUNIT_EXPECT_EQ(test, c.announced, 11);

	/* The answer to one replaces the receive that it cost. */
	c = credits_ready(255, 255, 255);
	smbdr_credits_spend(&c);
	KUNIT_EXPECT_EQ(test, smbdr_credits_received(&c, 255, 0), 0);
	KUNIT_EXPECT_EQ(test, credits_refill(&c, true, true, SMBDR_ROOM_OPEN), 1);
	KUNIT_EXPECT_EQ(test, smbdr_credits_spend(&c), 1);
}

/* The quarter: with a target of ten the grant is due after the eighth message. */
static void credits_quarter(struct kunit *test)
{
	static const struct { u16 target; u32 after; } cases[] = {
		{ 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 3 }, { 7, 6 }, { 8, 6 }, { 10, 8 }, { 16, 12 },
	};
	u32 i, n;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct smbdr_credits c = credits_open(cases[i].target, 0, 255, 16);

		smbdr_credits_grant_initial(&c, cases[i].target);
		c.send = 5;
		for (n = 1; n <= cases[i].target; n++) {
			KUNIT_EXPECT_EQ(test, smbdr_credits_received(&c, cases[i].target, 0), 0);
			credits_refill(&c, false, false, SMBDR_ROOM_OPEN);
			KUNIT_EXPECT_EQ_MSG(test, smbdr_credits_grant_due(&c),
					    n >= cases[i].after, "%u of %u", n, cases[i].target);
		}
	}
}

/* A grant costs the other side a receive, and that alone is no reason for one back. */
static void credits_no_echo(struct kunit *test)
{
	u16 target;

	for (target = 1; target <= 300; target++) {
		struct smbdr_credits c = credits_ready(target, 0, 255);

		c.send = 5;
		if (!smbdr_credits_grant_due(&c))
			continue;
		smbdr_credits_spend(&c);
		KUNIT_EXPECT_EQ(test, smbdr_credits_received(&c, target, 1), 0);
		credits_refill(&c, false, false, SMBDR_ROOM_OPEN);
		KUNIT_EXPECT_FALSE_MSG(test, smbdr_credits_grant_due(&c), "%u", target);
	}
}

static void credits_target(struct kunit *test)
{
	struct smbdr_credits c = credits_open(2, 10, 255, 16);

	KUNIT_EXPECT_EQ(test, smbdr_credits_spend(&c), 2);
	/* A peer that wants more is answered although it still holds credits. */
	KUNIT_EXPECT_EQ(test, smbdr_credits_received(&c, 12, 0), 0);
	KUNIT_EXPECT_EQ(test, credits_refill(&c, false, false, SMBDR_ROOM_OPEN), 11);
	KUNIT_EXPECT_TRUE(test, smbdr_credits_grant_due(&c));
	KUNIT_EXPECT_EQ(test, smbdr_credits_spend(&c), 11);
	KUNIT_EXPECT_FALSE(test, smbdr_credits_grant_due(&c));

	/* Wanting less takes nothing back; nothing more is granted until it is used up. */
	KUNIT_EXPECT_EQ(test, smbdr_credits_received(&c, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, c.announced, 11);
	while (c.announced) {
		KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, false, false, SMBDR_ROOM_OPEN), 0);
		KUNIT_EXPECT_FALSE(test, smbdr_credits_grant_due(&c));
		KUNIT_ASSERT_EQ(test, smbdr_credits_received(&c, 1, 0), 0);
	}
	KUNIT_EXPECT_EQ(test, credits_refill(&c, false, false, SMBDR_ROOM_OPEN), 2);
	KUNIT_EXPECT_TRUE(test, smbdr_credits_grant_due(&c));

	/* A rise beyond what we post anyway is no reason to talk. */
	c = credits_ready(4, 10, 4);
	smbdr_credits_spend(&c);
	KUNIT_EXPECT_EQ(test, smbdr_credits_received(&c, 65535, 0), 0);
	credits_refill(&c, false, false, SMBDR_ROOM_OPEN);
	KUNIT_EXPECT_EQ(test, c.posted, 4);
}

/* The window opens for a peer that uses it, and for nobody else. */
static void credits_window(struct kunit *test)
{
	struct smbdr_credits c = credits_ready(255, 255, 255);
	u32 n;

	smbdr_credits_spend(&c);
	for (n = 0; n < 2; n++)
		KUNIT_EXPECT_EQ(test, smbdr_credits_received(&c, 255, 1), 0);
	KUNIT_EXPECT_EQ(test, c.window, 4);
	KUNIT_EXPECT_EQ(test, smbdr_credits_received(&c, 255, 1), 0);
	KUNIT_EXPECT_EQ(test, c.window, 8);
	KUNIT_EXPECT_EQ(test, credits_refill(&c, false, false, SMBDR_ROOM_OPEN), 7);
	KUNIT_EXPECT_TRUE(test, smbdr_credits_grant_due(&c));
	smbdr_credits_spend(&c);
	KUNIT_EXPECT_EQ(test, c.announced, 8);

	for (n = 0; n < 2000; n++) {
		KUNIT_ASSERT_EQ(test, smbdr_credits_received(&c, 255, 1), 0);
		credits_refill(&c, false, false, SMBDR_ROOM_OPEN);
		if (smbdr_credits_grant_due(&c))
			smbdr_credits_spend(&c);
	}
	KUNIT_EXPECT_EQ(test, c.window, 255);
	KUNIT_EXPECT_LE(test, c.posted, 255);

	/* A peer that answers every message keeps the small one. */
	c = credits_ready(255, 255, 255);
	for (n = 0; n < 1000; n++) {
		smbdr_credits_spend(&c);
		KUNIT_ASSERT_EQ(test, smbdr_credits_received(&c, 255, 1), 0);
		credits_refill(&c, true, false, SMBDR_ROOM_OPEN);
	}
	KUNIT_EXPECT_EQ(test, c.window, 4);

	/* And so does one that never asked for more than a few. */
	c = credits_ready(3, 255, 255);
	for (n = 0; n < 100; n++) {
		if (smbdr_credits_grant_due(&c))
			smbdr_credits_spend(&c);
		KUNIT_ASSERT_EQ(test, smbdr_credits_received(&c, 3, 1), 0);
		credits_refill(&c, false, false, SMBDR_ROOM_OPEN);
	}
	KUNIT_EXPECT_EQ(test, c.window, 4);
}

static void credits_slow_reader(struct kunit *test)
{
	struct smbdr_credits c = credits_ready(10, 10, 255);

	smbdr_credits_spend(&c);
	while (c.announced) {
		KUNIT_ASSERT_EQ(test, smbdr_credits_received(&c, 10, 0), 0);
		KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, false, SMBDR_ROOM_LOW), 0);
		KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, false, SMBDR_ROOM_NONE), 0);
		KUNIT_EXPECT_FALSE(test, smbdr_credits_grant_due(&c));
	}
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, true, SMBDR_ROOM_NONE), 0);
	KUNIT_EXPECT_EQ(test, credits_refill(&c, true, true, SMBDR_ROOM_LOW), 1);
	KUNIT_EXPECT_EQ(test, smbdr_credits_spend(&c), 1);
	/* It reads: everything is given back, in one grant. */
	KUNIT_EXPECT_EQ(test, credits_refill(&c, false, false, SMBDR_ROOM_OPEN), 9);
	KUNIT_EXPECT_TRUE(test, smbdr_credits_grant_due(&c));
}

/* A peer that grants without end. */
static void credits_saturate(struct kunit *test)
{
	struct smbdr_credits c = credits_ready(10, 65535, 255);
	u32 n;

	smbdr_credits_spend(&c);
	for (n = 0; n < 70000; n++) {
		u32 before = c.send;

		KUNIT_ASSERT_EQ(test, smbdr_credits_received(&c, 10, 65535), 0);
		KUNIT_ASSERT_TRUE(test, c.send >= before);
		credits_refill(&c, false, false, SMBDR_ROOM_OPEN);
		if (smbdr_credits_grant_due(&c))
			smbdr_credits_spend(&c);
	}
	/* The grant after the last message cost one. */
	KUNIT_EXPECT_LE(test, U32_MAX - 1, c.send);

	/* A grant has 16 bits on the wire; the rest waits for the next message. */
	c.posted = c.announced + 70000;
	KUNIT_EXPECT_EQ(test, smbdr_credits_spend(&c), 65535);
	KUNIT_EXPECT_EQ(test, smbdr_credits_spend(&c), 70000 - 65535);

	/* The queues hold no more than this, even for our last credit. */
	c.send = 1;
	c.posted = 255 + SMBDR_CREDITS_SPARE;
	c.announced = c.posted;
	KUNIT_EXPECT_EQ(test, smbdr_credits_want(&c, true, true, SMBDR_ROOM_OPEN), 0);
}

/* Any order of calls, for all sizes: the invariants hold and receives stay bounded. */
static void credits_random(struct kunit *test)
{
	u32 seed = 1, round, n;

	for (round = 0; round < 200; round++) {
		u16 max = seed >> 16 & 0xff ? seed >> 16 & 0xff : 1;
		struct smbdr_credits c = credits_ready(1 + (seed >> 8) % 300, 1 + seed % 7, max);

		for (n = 0; n < 500; n++) {
			bool life, saying;
			u32 r;

			seed = seed * 1664525 + 1013904223;
			r = seed >> 8;
			life = r & 8;
			saying = life || r & 16;
			if (c.announced && r & 1)
				KUNIT_ASSERT_EQ(test, smbdr_credits_received(&c, 1 + (r >> 8) % 300,
									     (r >> 4) % 3), 0);
			smbdr_credits_posted(&c, smbdr_credits_want(&c, saying, life,
								    r % 3 == 0 ? SMBDR_ROOM_NONE :
								    r % 3 == 1 ? SMBDR_ROOM_LOW :
								    SMBDR_ROOM_OPEN));
			KUNIT_ASSERT_TRUE(test, c.announced <= c.posted);
			KUNIT_ASSERT_TRUE(test, c.posted <= (u32)max + SMBDR_CREDITS_SPARE);
			KUNIT_ASSERT_TRUE(test, c.window <= max);
			if (smbdr_credits_may_send(&c) &&
			    (saying || smbdr_credits_grant_due(&c))) {
				bool last = c.send == 1;
				u16 grant = smbdr_credits_spend(&c);

				KUNIT_ASSERT_TRUE(test, grant || !last);
				KUNIT_ASSERT_EQ(test, c.announced, c.posted);
			}
		}
	}
}

static struct kunit_case smbdr_credits_cases[] = {
	KUNIT_CASE(credits_start),
	KUNIT_CASE(credits_first_message),
	KUNIT_CASE(credits_without_credit),
	KUNIT_CASE(credits_last),
	KUNIT_CASE(credits_keepalive),
	KUNIT_CASE(credits_quarter),
	KUNIT_CASE(credits_no_echo),
	KUNIT_CASE(credits_target),
	KUNIT_CASE(credits_window),
	KUNIT_CASE(credits_slow_reader),
	KUNIT_CASE(credits_saturate),
	KUNIT_CASE(credits_random),
	{}
};

static struct kunit_suite smbdr_credits_suite = {
	.name = "smbdr_credits",
	.test_cases = smbdr_credits_cases,
};
