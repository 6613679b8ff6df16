// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smbdr-hostile: many connections at once that take what they can get.
 *
 *	smbdr-hostile BEHAVIOUR ADDR PORT COUNT
 *
 * Where smbdr-peer (peer.c) has one connection and says something wrong on it, this
 * program says nothing wrong: it is idle, slow, greedy or generous on COUNT connections,
 * which each server has to bear without giving it more than its share. It prints
 * "ready", and numbers, when it has what it came for; then it holds all of it until it
 * is told to go (SIGTERM), or for 100 seconds. It fails when the server gives more than
 * a connection may cost, or so little that this was no test, or when an honest part of
 * what it does is not honoured: those that break no rule stay connected.
 *
 * One thread. Each connection has its own queues, and polls them; nothing waits
 * longer than WAIT for what should happen at once. Behaviours that listen wait
 * for connections of ours instead; there COUNT is not used.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>

#define WAIT		20	/* seconds for what should happen at once */
#define LIFE		100
#define STALL		1.5	/* seconds without a credit: it will not come */
#define SLOTS		32	/* receives that a connection posts */
#define SLOT_SIZE	8192
#define MAX_MSG		8136
/*
 * What a server may spend on a connection that does not read: twice SO_RCVBUF, SO_SNDBUF,
 * the credits that were out, and a little. Each message counts 256 bytes more than
 * it has.
 */
#define COST_MESSAGE	256
#define COST_LIMIT	(16u << 20)
/*
 * And what it does spend if it honours those bounds: part of SO_RCVBUF and SO_SNDBUF, more than
 * credits alone can be, where we grant what it needs to tell us of more of them; half of its
 * first credits where we do not. Short messages are slow and credits for them small.
 */
#define COST_LEAST_LARGE	(3u << 20)
#define COST_LEAST_SMALL	(1u << 20)
#define COST_LEAST_FIRST	(16u << 10)
/*
 * Of 250 credits a quarter, until which one is not told of more, and far more messages than it
 * takes to be given all.
 */
#define WIDE		60
#define WIDE_MESSAGES	1500

struct conn {
	struct rdma_cm_id *id;
	struct ibv_cq *scq, *rcq;
	struct ibv_mr *smr, *rmr;
	uint8_t *smem, *rmem;
	unsigned int credits;		/* we may send that many */
	uint16_t to_grant;		/* receives that it has not been told of */
	uint64_t frames, cost;		/* what the server has taken */
	uint64_t answers;		/* messages with data that came back */
	double moved;			/* when credits came last */
	bool over;
};

static const char *addr, *port;
static unsigned int count;
static struct conn *conns;
static volatile sig_atomic_t told_to_go;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *fmt, ...)
{
	va_list args;

	printf("failed: ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	exit(1);
}

#define check(cond, ...) do { if (!(cond)) die(__VA_ARGS__); } while (0)

static void go(int sig)
{
	told_to_go = 1;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return v;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static struct addrinfo *lookup(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *ai;
	int ret = getaddrinfo(addr, port, &hints, &ai);

	check(!ret, "%s: %s", addr, gai_strerror(ret));
	return ai;
}

static void post_slot(struct conn *c, uint64_t slot)
{
	if (rdma_post_recv(c->id, (void *)(uintptr_t)slot, c->rmem + slot * SLOT_SIZE, SLOT_SIZE,
			   c->rmr))
		c->over = true;
}

/* @slots receives are posted; the behaviour may want none. */
static void make_qp(struct conn *c, unsigned int slots)
{
	struct ibv_qp_init_attr attr = {
		.cap = { .max_send_wr = 4, .max_recv_wr = SLOTS + 1,
			 .max_send_sge = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};
	unsigned int i;

	c->scq = ibv_create_cq(c->id->verbs, 8, NULL, NULL, 0);
	c->rcq = ibv_create_cq(c->id->verbs, SLOTS + 8, NULL, NULL, 0);
	check(c->scq && c->rcq, "ibv_create_cq: %s", strerror(errno));
	attr.send_cq = c->scq;
	attr.recv_cq = c->rcq;
	check(!rdma_create_qp(c->id, NULL, &attr), "rdma_create_qp: %s", strerror(errno));
	c->smem = calloc(1, SLOT_SIZE);
	c->rmem = calloc(SLOTS, SLOT_SIZE);
	check(c->smem && c->rmem, "out of memory");
	c->smr = rdma_reg_msgs(c->id, c->smem, SLOT_SIZE);
	c->rmr = rdma_reg_msgs(c->id, c->rmem, SLOTS * SLOT_SIZE);
	check(c->smr && c->rmr, "rdma_reg_msgs: %s", strerror(errno));
	for (i = 0; i < slots; i++)
		post_slot(c, i);
}

/* False if the server does not take it. The id has no channel: every call waits. */
static bool dial(struct conn *c, unsigned int slots)
{
	struct rdma_conn_param param = { .retry_count = 7, .rnr_retry_count = 7,
					 .initiator_depth = 1, .responder_resources = 1 };
	struct addrinfo *ai = lookup();
	bool ok;

	check(!rdma_create_id(NULL, &c->id, NULL, RDMA_PS_TCP), "rdma_create_id: %s",
	      strerror(errno));
	check(!rdma_resolve_addr(c->id, NULL, ai->ai_addr, WAIT * 1000), "rdma_resolve_addr: %s",
	      strerror(errno));
	check(!rdma_resolve_route(c->id, WAIT * 1000), "rdma_resolve_route: %s", strerror(errno));
	make_qp(c, slots);
	ok = !rdma_connect(c->id, &param);
	check(ok || errno == ECONNREFUSED || errno == ECONNRESET || errno == ETIMEDOUT,
	      "rdma_connect: %s", strerror(errno));
	c->over = !ok;
	freeaddrinfo(ai);
	return ok;
}

static void send_raw(struct conn *c, uint32_t len)
{
	double end = now() + WAIT;
	struct ibv_wc wc;
	int n = 0;

	if (c->over)
		return;
	if (rdma_post_send(c->id, NULL, c->smem, len, c->smr, 0)) {
		c->over = true;
		return;
	}
	while (!n) {
		n = ibv_poll_cq(c->scq, 1, &wc);
		check(n >= 0, "ibv_poll_cq: %d", n);
		if (!n && told_to_go)
			return;
		check(n || now() < end, "a send did not complete");
	}
	if (wc.status != IBV_WC_SUCCESS)
		c->over = true;
}

static void send_request(struct conn *c, uint16_t credits)
{
	memset(c->smem, 0, 20);
	put16(c->smem, 0x0100);
	put16(c->smem + 2, 0x0100);
	put16(c->smem + 6, credits);
	put32(c->smem + 8, MAX_MSG);
	put32(c->smem + 12, SLOT_SIZE);
	put32(c->smem + 16, 1u << 20);
	send_raw(c, 20);
}

/* A message with @len bytes of a frame of which @rest follow. */
static void send_data(struct conn *c, uint16_t granted, uint32_t len, uint32_t rest)
{
	memset(c->smem, 0, 24);
	put16(c->smem, 255);
	put16(c->smem + 2, granted);
	put32(c->smem + 8, rest);
	put32(c->smem + 12, len ? 24 : 0);
	put32(c->smem + 16, len);
	send_raw(c, len ? 24 + len : 20);
}

/*
 * Take one message if there is one: its credits are ours. Returns its slot, which
 * the caller posts again or not, or -1.
 */
static int take(struct conn *c)
{
	const uint8_t *m;
	struct ibv_wc wc;
	int n;

	if (c->over)
		return -1;
	n = ibv_poll_cq(c->rcq, 1, &wc);
	check(n >= 0, "ibv_poll_cq: %d", n);
	if (!n)
		return -1;
	if (wc.status != IBV_WC_SUCCESS) {
		c->over = true;
		return -1;
	}
	m = c->rmem + wc.wr_id * SLOT_SIZE;
	check(wc.byte_len >= 20, "a message of %u bytes", wc.byte_len);
	if (get16(m + 2)) {
		c->credits += get16(m + 2);
		c->moved = now();
	}
	if (get32(m + 16))
		c->answers++;
	return wc.wr_id;
}

static void negotiate(struct conn *c)
{
	double end = now() + WAIT;
	struct ibv_wc wc;
	const uint8_t *m;

	send_request(c, 255);
	while (ibv_poll_cq(c->rcq, 1, &wc) <= 0)
		check(now() < end, "no negotiate response");
	check(wc.status == IBV_WC_SUCCESS, "no negotiate response: %s",
	      ibv_wc_status_str(wc.status));
	m = c->rmem + wc.wr_id * SLOT_SIZE;
	check(wc.byte_len >= 32 && !get32(m + 12), "refused");
	c->credits = get16(m + 10);
	c->moved = now();
	post_slot(c, wc.wr_id);
}

static void dial_all(unsigned int slots)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		check(dial(&conns[i], slots), "connection %u refused: %s", i, strerror(errno));
}

/* All at once: the server does not wait for one until the others are through. */
static void open_all(void)
{
	unsigned int i;

	dial_all(SLOTS);
	for (i = 0; i < count; i++)
		negotiate(&conns[i]);
}

static void say_ready(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say_ready(const char *fmt, ...)
{
	va_list args;

	printf("ready ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

static void hold(void)
{
	double end = now() + LIFE;

	while (!told_to_go && now() < end)
		usleep(20000);
}

/* The end of a connection is an event, nothing else is one here; or its receives fail. */
static void check_connected(unsigned int i)
{
	struct pollfd fd = { .fd = conns[i].id->channel->fd, .events = POLLIN };

	check(!conns[i].over && !poll(&fd, 1, 0), "connection %u is over", i);
}

/* What comes is taken, and no more is said. */
static void hold_connected(void)
{
	double end = now() + LIFE;

	while (!told_to_go && now() < end) {
		unsigned int i;
		int slot;

		for (i = 0; i < count; i++) {
			while ((slot = take(&conns[i])) >= 0)
				post_slot(&conns[i], slot);
			check_connected(i);
		}
		usleep(20000);
	}
}

/* Connected, and not a word. Some may be refused. */
static void squat(void)
{
	unsigned int i, taken = 0;

	for (i = 0; i < count; i++)
		taken += dial(&conns[i], SLOTS);
	say_ready("connected %u refused %u", taken, count - taken);
	hold();
}

/* A request, and no receive for the response. */
static void deaf(void)
{
	unsigned int i;

	dial_all(0);
	for (i = 0; i < count; i++) {
		send_request(&conns[i], 255);
		check(!conns[i].over, "request %u cannot be sent", i);
	}
	say_ready("connected %u", count);
	hold();
}

/*
 * Frames of @len bytes for as long as the server grants anything on any connection,
 * and @grant credits with each.
 */
static void flood(uint32_t len, uint16_t grant)
{
	double start = now();
	uint64_t most = 0, frames = 0;
	unsigned int i;
	bool moving;

	open_all();
	do {
		moving = false;
		for (i = 0; i < count; i++) {
			struct conn *c = &conns[i];
			int slot;

			while ((slot = take(c)) >= 0)
				post_slot(c, slot);
			check(!c->over, "connection %u ended after %llu frames", i,
			      (unsigned long long)c->frames);
			/* The last one has to carry a grant: it stays with us. */
			while (c->credits > 1) {
				c->credits--;
				send_data(c, grant, len, 0);
				c->frames++;
				c->cost += len + COST_MESSAGE;
			}
			check(c->cost <= COST_LIMIT, "the server took %llu frames of %u bytes",
			      (unsigned long long)c->frames, len);
			moving |= now() - c->moved < STALL;
		}
		check(now() - start < 4 * WAIT, "no end of credits");
	} while (moving && !told_to_go);
	for (i = 0; i < count; i++) {
		check(conns[i].cost >= COST_LEAST_FIRST, "connection %u: the server took %llu frames",
		      i, (unsigned long long)conns[i].frames);
		frames += conns[i].frames;
		if (conns[i].cost > most)
			most = conns[i].cost;
	}
	say_ready("frames %llu cost %llu", (unsigned long long)frames, (unsigned long long)most);
	hold_connected();
}

static void miser(void)
{
	flood(MAX_MSG - 24, 0);
}

/*
 * Messages without data, until it has every credit: the server has a receive for each. On all at
 * once, as a server asks a silent one whether it is alive.
 */
static void wide(void)
{
	double end = now() + WAIT;
	unsigned int i;
	bool busy;

	open_all();
	for (i = 0; i < count; i++)
		conns[i].to_grant = SLOTS / 2;
	do {
		busy = false;
		for (i = 0; i < count; i++) {
			struct conn *c = &conns[i];
			int slot;

			if (c->frames == WIDE_MESSAGES && c->credits >= WIDE)
				continue;
			busy = true;
			while ((slot = take(c)) >= 0) {
				post_slot(c, slot);
				c->to_grant++;
			}
			check(!c->over && now() < end, "connection %u has %u credits", i,
			      c->credits);
			while (c->frames < WIDE_MESSAGES &&
			       (c->credits > 1 || (c->credits && c->to_grant))) {
				c->credits--;
				c->frames++;
				send_data(c, c->to_grant, 0, 0);
				c->to_grant = 0;
				end = now() + WAIT;
			}
		}
	} while (busy);
	say_ready("frames 0 cost 0");
	hold_connected();
}

/* The first byte of a frame of 1 MiB. */
static void announced(void)
{
	unsigned int i;

	open_all();
	for (i = 0; i < count; i++) {
		conns[i].credits--;
		send_data(&conns[i], 1, 1, (1u << 20) - 1);
	}
	say_ready("frames 0 cost 1");
	hold_connected();
}

/* All of a frame of 1 MiB but its last byte. */
static void unfinished(void)
{
	const uint32_t total = 1u << 20;
	unsigned int i;

	open_all();
	for (i = 0; i < count; i++) {
		struct conn *c = &conns[i];
		double end = now() + WAIT;
		uint32_t left = total;

		while (left > 1) {
			uint32_t n = left - 1 < MAX_MSG - 24 ? left - 1 : MAX_MSG - 24;
			int slot;

			while ((slot = take(c)) >= 0)
				post_slot(c, slot);
			check(!c->over && now() < end, "connection %u ended or stalled", i);
			if (c->credits < 2)
				continue;
			c->credits--;
			left -= n;
			send_data(c, 1, n, left);
		}
	}
	say_ready("frames 0 cost %u", total);
	hold_connected();
}

/* 65535 credits with each message, far more than there are receives; each frame comes back. */
static void generous(void)
{
	unsigned int i, round, rounds = 300;

	open_all();
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < count; i++) {
			struct conn *c = &conns[i];
			double end = now() + WAIT;
			int slot;

			while (c->credits < 2 || c->answers < round) {
				slot = take(c);
				if (slot >= 0)
					post_slot(c, slot);
				check(!c->over, "connection %u ended after %u frames", i, round);
				check(now() < end, "connection %u stands still at %u", i, round);
			}
			c->credits--;
			send_data(c, 65535, 100, 0);
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
	unsigned int i;

	open_all();
	for (i = 0; i < count; i++) {
		send_data(&conns[i], 1, 0, 0);
		conns[i].credits--;
	}
	start = now();
	grown = start;
	while (!told_to_go && (!ready || now() < end)) {
		for (i = 0; i < count; i++) {
			struct conn *c = &conns[i];
			uint64_t answered = c->answers;
			int slot = take(c);
			uint16_t grant = 0;

			if (slot >= 0) {
				post_slot(c, slot);
				grant = 1;
			}
			while (c->credits > 1 || (c->credits && grant)) {
				c->credits--;
				send_data(c, grant, len, 0);
				grant = 0;
				c->frames++;
			}
			check(!c->over, "connection %u ended after %llu frames", i,
			      (unsigned long long)c->frames);
			if (ready)
				check_connected(i);
			/* What came back costs the server nothing any more. */
			c->cost = (c->frames - answered) * (len + COST_MESSAGE);
			if (c->cost > most + most / 64) {
				most = c->cost;
				grown = now();
			}
			check(c->cost <= COST_LIMIT, "the server took %llu frames and gave %llu",
			      (unsigned long long)c->frames, (unsigned long long)answered);
		}
		check(most >= least || now() - grown < WAIT,
		      "the server took %llu frames and no more", (unsigned long long)conns[0].frames);
		if (!ready && most >= least &&
		    (now() - grown > STALL || now() - start > WAIT)) {
			say_ready("frames %llu cost %llu", (unsigned long long)conns[0].frames,
				  (unsigned long long)most);
			ready = true;
			end = now() + LIFE;
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
	slow(MAX_MSG - 24, COST_LEAST_LARGE);
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
	struct rdma_conn_param param = { .initiator_depth = 1, .responder_resources = 1,
					 .rnr_retry_count = 7 };
	struct rdma_event_channel *channel = rdma_create_event_channel();
	struct addrinfo *ai = lookup();
	struct rdma_cm_id *listener;
	double end = now() + LIFE * 10;

	check(channel, "rdma_create_event_channel: %s", strerror(errno));
	check(!rdma_create_id(channel, &listener, NULL, RDMA_PS_TCP), "rdma_create_id");
	check(!rdma_bind_addr(listener, ai->ai_addr), "rdma_bind_addr: %s", strerror(errno));
	check(!rdma_listen(listener, 64), "rdma_listen: %s", strerror(errno));
	freeaddrinfo(ai);
	say_ready("listening");
	while (!told_to_go && now() < end) {
		struct pollfd fd = { .fd = channel->fd, .events = POLLIN };
		struct rdma_cm_event *ev;
		struct conn *c;

		if (poll(&fd, 1, 50) <= 0 || rdma_get_cm_event(channel, &ev))
			continue;
		if (ev->event == RDMA_CM_EVENT_CONNECT_REQUEST) {
			c = calloc(1, sizeof(*c));
			check(c, "out of memory");
			c->id = ev->id;
			c->id->context = c;
			rdma_ack_cm_event(ev);
			make_qp(c, SLOTS);
			rdma_accept(c->id, &param);
			continue;
		}
		c = ev->id->context;
		if (ev->event == RDMA_CM_EVENT_ESTABLISHED && negotiates) {
			double until = now() + 2;
			struct ibv_wc wc;

			rdma_ack_cm_event(ev);
			while (ibv_poll_cq(c->rcq, 1, &wc) <= 0 && now() < until)
				;
			memset(c->smem, 0, 32);
			put16(c->smem, 0x0100);
			put16(c->smem + 2, 0x0100);
			put16(c->smem + 4, 0x0100);
			put16(c->smem + 8, 255);
			put16(c->smem + 10, SLOTS - 1);
			put32(c->smem + 16, 1u << 20);
			put32(c->smem + 20, MAX_MSG);
			put32(c->smem + 24, SLOT_SIZE);
			put32(c->smem + 28, 1u << 20);
			send_raw(c, 32);
			continue;
		}
		if (ev->event == RDMA_CM_EVENT_DISCONNECTED && c) {
			rdma_ack_cm_event(ev);
			rdma_destroy_qp(c->id);
			rdma_dereg_mr(c->smr);
			rdma_dereg_mr(c->rmr);
			ibv_destroy_cq(c->scq);
			ibv_destroy_cq(c->rcq);
			rdma_destroy_id(c->id);
			free(c->smem);
			free(c->rmem);
			free(c);
			continue;
		}
		rdma_ack_cm_event(ev);
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
	addr = argv[2];
	port = argv[3];
	count = atoi(argv[4]);
	conns = calloc(count, sizeof(*conns));
	check(conns, "out of memory");
	signal(SIGTERM, go);
	for (b = behaviours; b->name; b++) {
		if (strcmp(b->name, argv[1]))
			continue;
		b->run();
		printf("done\n");
		return 0;
	}
	die("no behaviour %s", argv[1]);
}
