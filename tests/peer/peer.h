/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw peer: what the engine offers to the scenarios.
 *
 * Every call either works or ends the program with a line that says what was
 * expected and what came, so a scenario reads like a script.
 */
#ifndef SMBDR_PEER_H
#define SMBDR_PEER_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PEER_SLOTS	255
#define PEER_SLOT_SIZE	8192
#define PEER_SEND_SIZE	16384

/* Seconds. What should happen at once; and an end, as Microsoft's test suite allows. */
#define WAIT	10
#define GONE	12

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

/* One message of the other side, parsed as a data message as far as it is long enough. */
struct msg {
	const uint8_t *raw;
	uint32_t len;
	uint16_t requested, granted, flags, reserved;
	uint32_t remaining, offset, datalen;
};

/* A data message to send. */
struct data {
	uint16_t requested, granted, flags, reserved;
	uint32_t remaining, offset, datalen;
	const void *payload;
	uint32_t wirelen;	/* bytes sent; 0 for what the fields say */
	uint8_t padding;	/* every byte between the header and the payload */
};

struct request {
	uint16_t min, max, reserved, credits;
	uint32_t preferred, maxrecv, maxfrag;
	uint32_t wirelen;	/* 0 for 20 */
};

struct response {
	uint16_t min, max, version, reserved, requested, granted;
	uint32_t status, maxrw, preferred, maxrecv, maxfrag;
	uint32_t wirelen;	/* to send: 0 for 32 */
};

/* The state of the connection. The engine keeps it; scenarios read it and may change it. */
struct peer {
	unsigned int send_credits;	/* we may send that many */
	unsigned int to_grant;		/* receives that are free and not announced */
	uint16_t want;			/* the credits that we ask for */
	uint32_t max_send;		/* largest message the other side takes */
	uint32_t max_recv;		/* largest message we take */
	uint32_t max_frame_out;		/* largest frame the other side takes */
	uint32_t max_frame_in;		/* largest frame we take */
	/* for the rules */
	bool talking;			/* negotiated: what comes are data messages */
	uint64_t sent;			/* messages, ever; the first is the negotiation's */
	uint8_t first[32];		/* of them, as far as it goes */
	uint32_t first_len;
	uint64_t got;			/* credits, ever */
	uint64_t given;			/* credits, ever */
	uint64_t came;			/* data messages, ever */
	uint32_t remaining;		/* of the frame that is coming in */
	unsigned int most_wanted;	/* the largest number of credits that we asked for */
	bool asked;			/* by a flag, and not answered yet */
	double asked_at;		/* when it also had a credit for the answer; or 0 */
};

extern struct peer peer;
/* May the other side be idle for so long that it asks whether we are alive? */
extern bool peer_may_be_asked;

/* peer.c: connections, raw messages. Timeouts are in seconds. */
void peer_connect(void);
void peer_connect_when_free(void);	/* as soon as the backlog has a place */
void peer_connect_half(void);	/* so far that we can send, and the other side is not told yet */
void peer_connect_rest(void);	/* tell it */
void peer_listen(void);
void peer_await(void);		/* a connection request */
void peer_reject(void);		/* it, if it is still there */
void peer_accept(void);		/* it, after peer_await() */
void peer_disconnect(void);
void peer_expect_disconnect(void);
bool peer_connected(void);
bool peer_iwarp(void);
void peer_send_raw(const void *buf, uint32_t len);
/* The same by another operation than a plain send; false if iWARP does not have it. */
bool peer_send_by(enum ibv_wr_opcode op, const void *buf, uint32_t len, uint32_t key);
/* NULL when the connection is gone. Else peer_done() gives the receive back. */
const struct msg *peer_recv(int timeout);
const struct msg *peer_poll(int ms);	/* NULL also when nothing comes for so long */
bool peer_is_deaf(void);	/* after peer_accept(), which has to be repeated then */
bool peer_silent(int ms);	/* nothing comes for so long */
void peer_done(void);
double peer_now(void);

/* proto.c: messages */
void peer_send_request(const struct request *r);
void peer_send_response(const struct response *r);
void peer_send_data(const struct data *d);
void peer_send_empty(uint16_t granted, uint16_t flags);
void peer_send_segment(const uint8_t *payload, uint32_t len, uint32_t remaining);
struct request peer_get_request(const uint8_t *b);
struct response peer_get_response(const uint8_t *b, uint32_t len);
struct response peer_recv_response(void);
void peer_start(const struct request *r, const struct response *resp);
void peer_take_request(const struct msg *m);
void peer_recv_request(void);
void peer_start_serving(const struct response *r);
struct response peer_negotiate(const struct request *r);
void peer_welcome(const struct response *r);
void peer_wait_credit(unsigned int n);
void peer_send_frame(const uint8_t *buf, uint32_t len, uint32_t fragment);
void peer_recv_frame(uint8_t *buf, uint32_t len);
void peer_expect_echo(const uint8_t *buf, uint32_t len);
/* An empty message, whose credits are ours now. */
void peer_expect_empty(int timeout, uint16_t flags);
uint8_t *peer_pattern(uint32_t len);

/* proto.c: whole conversations with the echo server */
extern const struct request normal, roomy;
void peer_exchange(const struct request *r, uint32_t len, uint32_t fragment);
void peer_open(const struct request *r);	/* connect and negotiate */
void peer_gone(void);		/* the other side ends this connection, and serves others */

/* It has ended after @took seconds. Was that too early? */
void peer_lasted(double took, double least);

/* rules.c: what must hold for all that the other side sends */
#define ANSWER	5	/* seconds, to a message that asks for one */
void rules_received(const struct msg *m);
void rules_response(const struct response *r, const struct request *to, uint32_t len);
void rules_request(const struct request *r, uint32_t len);

/* client.c: the socket of ours that connects to us */
extern const struct response welcome;
void client_start(uint32_t bytes, const char *options);
void client_open(uint32_t bytes, const char *options);	/* start it, and accept it */
/* It is done, or will be soon: how far did it come, and with which error? */
const char *client_outcome(void);
void client_expect(const char *where, int err);
/* What is told first is luck. */
void client_expect_either(const char *where, int err, const char *or_where, int or_err);
void client_end(const char *where, int err);	/* disconnect, and that */
double client_age(void);		/* seconds since it was started */
void client_serve(uint32_t bytes);	/* its frame back to it, until it closes */
void client_finish(void);		/* be polite until it closes */
void client_exchange(const struct response *r, uint32_t bytes);
void client_works(void);		/* a whole connection, all well */

/* client.c: the late server takes a connection that waits; 0, or the errno of accept() */
int late_accept(void);
int late_accept_soon(void);

/* fuzz.c */
void peer_fuzz(uint64_t seed, uint32_t count);
void peer_fuzz_clients(uint64_t seed, uint32_t count);

void peer_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define peer_check(cond, ...) do { if (!(cond)) peer_fail(__VA_ARGS__); } while (0)
/* The same about what the other side sent: whatever else may happen, that must not. */
#define BROKEN	3		/* exit status */
extern int peer_loud;		/* the file for this; the standard error unless it is changed */
void peer_broken(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* What stands at the other end. main.c has the names by which the group script knows them. */
enum other_end {
	ECHO,		/* an echo server with default timers */
	IDLE,		/* one that asks after a second, with default timers otherwise */
	HASTY,		/* one that asks after a second and waits three for the answer */
	LATE,		/* one like that, which accepts when it is told to */
	CLIENT,		/* a client: we listen */
};

struct scenario {
	const char *name;
	enum other_end other;
	const char *what;
	void (*run)(void);
};

/* Each ends with an empty one. */
extern const struct scenario negotiate_scenarios[], data_scenarios[], credit_scenarios[],
	client_scenarios[], client_data_scenarios[], client_rdma_scenarios[];

/* Arguments of the command line. */
extern const char *peer_addr, *peer_port;

static inline uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return v;
}

static inline uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static inline void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

static inline void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

#endif /* SMBDR_PEER_H */
