// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smbdr-hostile: many connections at once that take what they can get.
 *
 *	smbdr-hostile BEHAVIOUR ADDR PORT COUNT
 *
 * A scenario of smbdr-peer has one connection and says something wrong on it. This
 * program says nothing wrong: it is idle, slow, greedy or generous on COUNT connections,
 * which each server has to bear without giving it more than its share. It prints
 * "ready", and numbers, when it has what it came for; then it holds all of it until it
 * is killed, or for 100 seconds. It fails when the server gives more than
 * a connection may cost, or so little that this was no test, or when an honest part of
 * what it does is not honoured: those that break no rule stay connected. What the server
 * sends meanwhile has to keep the rules (rules.c).
 *
 * Behaviours that listen wait for connections of ours instead; there COUNT is not used.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "peer.h"

#define SETTLE		20	/* seconds for what all connections need together */
#define LIFE		100
#define STALL		1.5	/* seconds without a credit: it will not come */
#define SLOTS		32	/* receives that a connection posts */
#define MAX_DATA	(8136 - 24)
#define MIB		(1u << 20)
/*
 * What a server may spend on a connection that does not read: twice SO_RCVBUF, SO_SNDBUF,
 * the credits that were out, and a little. Each message counts 256 bytes more than
 * it has.
 */
#define COST_MESSAGE	256
#define COST_LIMIT	(16 * MIB)
/*
 * And what it does spend if it honours those bounds: part of SO_RCVBUF and SO_SNDBUF, more than
 * credits alone can be, where we grant what it needs to tell us of more of them; half of its
 * first credits where we do not. Short messages are slow and credits for them small.
 */
#define COST_LEAST_LARGE	(3 * MIB)
#define COST_LEAST_SMALL	MIB
#define COST_LEAST_FIRST	(16u << 10)
/*
 * Of 250 credits a quarter, until which one is not told of more, and far more messages than it
 * takes to be given all.
 */
#define WIDE		60
#define WIDE_MESSAGES	1500

/* Messages name the connection that they are about. */
#define conn_check(cond, fmt, ...) \
	peer_check(cond, "connection %u: " fmt, peer->number, ##__VA_ARGS__)
#define each_peer()	for (peer = peers; peer; peer = peer->next)

static const struct request hungry = {
	.min = 0x0100, .max = 0x0100, .credits = 255,
	.preferred = MAX_DATA + 24, .maxrecv = PEER_SLOT_SIZE, .maxfrag = MIB,
};

static unsigned int count;

static void __attribute__((format(printf, 1, 2))) say_ready(const char *fmt, ...)
{
	va_list args;

	printf("ready ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

/* @len bytes of a frame of which @rest follow. */
static void send_part(uint16_t granted, uint32_t len, uint32_t rest)
{
	peer_send_data(&(struct data) { .requested = 255, .granted = granted, .remaining = rest,
					.datalen = len });
	conn_check(!peer->failed, "ended after %llu frames", (unsigned long long)peer->frames);
	peer->frames += len && !rest;
}

/* Take one message if there is one, and make room for another. */
static bool take(void)
{
	const struct msg *m = peer_take();

	conn_check(!peer->flushed, "ended after %llu frames", (unsigned long long)peer->frames);
	if (!m)
		return false;
	if (m->granted)
		peer->moved = peer_now();
	peer->answers += !!m->datalen;
	peer_done();
	return true;
}

static void take_all(void)
{
	while (take())
		;
}

static void dial_all(void)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		peer_connect();
}

/* All at once: the server does not wait for one until the others are through. */
static void open_all(void)
{
	dial_all();
	each_peer() {
		peer_negotiate(&hungry);
		peer->moved = peer_now();
	}
}

/* Takes what comes, and says no more. */
static void hold_connected(void)
{
	double end = peer_now() + LIFE;

	while (peer_now() < end) {
		each_peer() {
			take_all();
			conn_check(peer_connected(), "over");
		}
		usleep(20000);
	}
}

/* Some may be refused. */
static void squat(void)
{
	unsigned int i, taken = 0;

	for (i = 0; i < count; i++)
		taken += peer_try_connect();
	say_ready("connected %u refused %u", taken, count - taken);
	sleep(LIFE);
}

/* A request, and no receive for the response. */
static void deaf(void)
{
	peer_setup.posted = 0;
	dial_all();
	each_peer() {
		peer_send_request(&hungry);
		conn_check(!peer->failed, "the request cannot be sent");
	}
	say_ready("connected %u", count);
	sleep(LIFE);
}

/* Full frames for as long as the server grants anything on any connection. */
static void miser(void)
{
	uint64_t most = 0, frames = 0;
	double start = peer_now();
	bool moving;

	open_all();
	do {
		moving = false;
		each_peer() {
			take_all();
			/* The last one has to carry a grant: it stays with us. */
			while (peer->send_credits > 1) {
				send_part(0, MAX_DATA, 0);
				peer->cost += MAX_DATA + COST_MESSAGE;
			}
			conn_check(peer->cost <= COST_LIMIT, "the server took %llu frames",
				   (unsigned long long)peer->frames);
			moving |= peer_now() - peer->moved < STALL;
		}
		peer_check(peer_now() - start < 4 * SETTLE, "no end of credits");
	} while (moving);
	each_peer() {
		conn_check(peer->cost >= COST_LEAST_FIRST, "the server took %llu frames",
			   (unsigned long long)peer->frames);
		frames += peer->frames;
		if (peer->cost > most)
			most = peer->cost;
	}
	say_ready("frames %llu cost %llu", (unsigned long long)frames, (unsigned long long)most);
	hold_connected();
}

/*
 * Messages without data, until it has every credit: the server has a receive for each. On all at
 * once, as a server asks a silent one whether it is alive.
 */
static void wide(void)
{
	double end;
	bool busy;

	open_all();
	end = peer_now() + SETTLE;
	do {
		busy = false;
		each_peer() {
			if (peer->sent > WIDE_MESSAGES && peer->send_credits >= WIDE)
				continue;
			busy = true;
			take_all();
			conn_check(peer_now() < end, "%u credits", peer->send_credits);
			while (peer->sent <= WIDE_MESSAGES &&
			       (peer->send_credits > 1 || (peer->send_credits && peer->to_grant))) {
				send_part(peer->to_grant, 0, 0);
				end = peer_now() + SETTLE;
			}
		}
	} while (busy);
	say_ready("frames 0 cost 0");
	hold_connected();
}

static void announced(void)
{
	open_all();
	each_peer()
		send_part(1, 1, MIB - 1);
	say_ready("frames 0 cost 1");
	hold_connected();
}

static void unfinished(void)
{
	open_all();
	each_peer() {
		double end = peer_now() + SETTLE;
		uint32_t left = MIB, n;

		while (left > 1) {
			n = left - 1 < MAX_DATA ? left - 1 : MAX_DATA;
			take_all();
			conn_check(peer_now() < end, "stalled");
			if (peer->send_credits < 2)
				continue;
			left -= n;
			send_part(1, n, left);
		}
	}
	say_ready("frames 0 cost %u", MIB);
	hold_connected();
}

/* Far more credits than there are receives; each frame comes back. */
static void generous(void)
{
	unsigned int round, rounds = 300;

	open_all();
	for (round = 0; round < rounds; round++) {
		each_peer() {
			double end = peer_now() + SETTLE;

			while (peer->send_credits < 2 || peer->answers < round) {
				take();
				conn_check(peer_now() < end, "stands still at %u", round);
			}
			send_part(65535, 100, 0);
		}
	}
	say_ready("frames %u", count * rounds);
	hold_connected();
}

/*
 * Frames of @len bytes, as many as it is allowed to send, and one answer taken on each
 * connection for all of them: each answer brings more credits than it takes from what waits
 * to be sent. Ready when that is @least and no more than it was a while ago, or has grown for
 * long enough; then as slow as can be.
 */
static void slow(uint32_t len, uint64_t least)
{
	double start, grown, end = 0;
	uint64_t most = 0;
	bool ready = false;

	open_all();
	each_peer()
		send_part(1, 0, 0);
	start = peer_now();
	grown = start;
	while (!ready || peer_now() < end) {
		each_peer() {
			uint64_t answered = peer->answers;
			uint16_t grant = take();

			while (peer->send_credits > 1 || (peer->send_credits && grant)) {
				send_part(grant, len, 0);
				grant = 0;
			}
			if (ready)
				conn_check(peer_connected(), "over");
			/* What came back costs the server nothing any more. */
			peer->cost = (peer->frames - answered) * (len + COST_MESSAGE);
			if (peer->cost > most + most / 64) {
				most = peer->cost;
				grown = peer_now();
			}
			conn_check(peer->cost <= COST_LIMIT, "the server took %llu frames and gave %llu",
				   (unsigned long long)peer->frames, (unsigned long long)answered);
		}
		peer_check(most >= least || peer_now() - grown < SETTLE,
			   "the server took %llu frames and no more",
			   (unsigned long long)peers->frames);
		if (!ready && most >= least &&
		    (peer_now() - grown > STALL || peer_now() - start > SETTLE)) {
			say_ready("frames %llu cost %llu", (unsigned long long)peers->frames,
				  (unsigned long long)most);
			ready = true;
			end = peer_now() + LIFE;
		}
		/* At first it is to come to an end, then it is not to be traffic worth a measurement. */
		if (ready)
			usleep(50000);
		else if (len > 1000)
			usleep(5000);
	}
}

static void slow_large(void)
{
	slow(MAX_DATA, COST_LEAST_LARGE);
}

static void slow_small(void)
{
	slow(1, COST_LEAST_SMALL);
}

/*
 * A server: accepts each connection, answers the negotiation if it @negotiates, and
 * says nothing more.
 */
static void serve(bool negotiates)
{
	static const struct response answer = {
		.min = 0x0100, .max = 0x0100, .version = 0x0100, .requested = 255,
		.granted = SLOTS - 1, .maxrw = MIB, .preferred = MAX_DATA + 24,
		.maxrecv = PEER_SLOT_SIZE, .maxfrag = MIB,
	};
	double end = peer_now() + LIFE * 10;
	struct peer *next;

	peer_listen();
	say_ready("listening");
	while (peer_now() < end) {
		if (peer_requested(50))
			peer_accept_begin();
		for (peer = peers; peer; peer = next) {
			next = peer->next;
			if (!peer_connected()) {
				peer_let_go();
			} else if (negotiates && peer->established && !peer->sent) {
				peer_poll(2000);
				peer_send_response(&answer);
			}
		}
	}
}

static void serve_deaf(void)
{
	serve(false);
}

static void serve_mute(void)
{
	serve(true);
}

static const struct behaviour {
	const char *name;
	const char *what;
	void (*run)(void);
} behaviours[] = {
	{ "squat", "connects and never negotiates", squat },
	{ "deaf", "negotiates and cannot take the response", deaf },
	{ "miser", "grants nothing", miser },
	{ "announced", "sends the first byte of a frame", announced },
	{ "unfinished", "sends a frame but for the last byte", unfinished },
	{ "generous", "grants 65535 credits each time", generous },
	{ "slow", "sends full messages, reads few", slow_large },
	{ "wide", "uses its credits for nothing", wide },
	{ "slow_small", "sends frames of one byte, reads few", slow_small },
	{ "serve_deaf", "listens, accepts, never answers", serve_deaf },
	{ "serve_mute", "listens, negotiates, says nothing more", serve_mute },
	{}
};

int main(int argc, char **argv)
{
	const struct behaviour *b;

	if (argc != 5) {
		fprintf(stderr, "usage: smbdr-hostile BEHAVIOUR ADDR PORT COUNT\n");
		for (b = behaviours; b->name; b++)
			fprintf(stderr, "  %-16s %s\n", b->name, b->what);
		return 2;
	}
	peer_addr = argv[2];
	peer_port = argv[3];
	count = atoi(argv[4]);
	/* Whoever grants no receive waits for one. */
	peer_setup = (struct peer_setup) { .slots = SLOTS, .posted = SLOTS, .rnr_retry = 7,
					   .may_be_asked = true };
	for (b = behaviours; b->name; b++) {
		if (strcmp(b->name, argv[1]))
			continue;
		b->run();
		printf("done\n");
		return 0;
	}
	peer_fail("no behaviour %s", argv[1]);
}
