/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw peer: what the engine offers to scenarios, the fuzzer and hostile.c.
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
#define PEER_FRAME	(4u << 20)	/* no frame is longer */

/* Seconds. What should happen at once; and an end, as Microsoft's test suite allows. */
#define WAIT	10
#define GONE	12
#define ANSWER	5	/* to a message that asks for one */

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * The messages. The first fields of each are those on the wire, in that order and
 * without gaps: some of 16 bits, then some of 32. The wire is little endian.
 */
#define REQUEST_SIZE	20
#define RESPONSE_SIZE	32
#define DATA_SIZE	20

struct request {
	uint16_t min, max, reserved, credits;
	uint32_t preferred, maxrecv, maxfrag;
	uint32_t wirelen;	/* to send: 0 for REQUEST_SIZE */
};

struct response {
	uint16_t min, max, version, reserved, requested, granted;
	uint32_t status, maxrw, preferred, maxrecv, maxfrag;
	uint32_t wirelen;	/* as it came; to send: 0 for RESPONSE_SIZE */
};

/* A data message to send. */
struct data {
	uint16_t requested, granted, flags, reserved;
	uint32_t remaining, offset, datalen;	/* offset 0 with data: 24 */
	uint32_t wirelen;	/* bytes sent; 0 for what the fields say */
	const void *payload;	/* NULL for peer_pattern() */
	uint8_t padding;	/* every byte between the header and the payload */
};

/* A message that came, parsed as a data message if it is long enough. */
struct msg {
	uint16_t requested, granted, flags, reserved;
	uint32_t remaining, offset, datalen;
	uint32_t len;
	const uint8_t *raw;
};

void peer_put(void *wire, const void *fields, int shorts, int longs);
#define peer_get	peer_put	/* the same in the other direction */
#define REQUEST_FIELDS	4, 3
#define RESPONSE_FIELDS	6, 5
#define DATA_FIELDS	4, 3

/* A connection. The engine keeps it; scenarios read it and may change it. */
struct peer {
	unsigned int send_credits;	/* we may send that many */
	unsigned int to_grant;		/* receives that are free and not announced */
	uint16_t want;			/* the credits that we ask for */
	uint32_t max_send;		/* largest message the other side takes */
	uint32_t max_recv;		/* largest message we take */
	uint32_t max_frame_out;		/* largest frame the other side takes */
	uint32_t max_frame_in;		/* largest frame we take */
	bool flushed;			/* a receive has failed: no message will come any more */
	bool failed;			/* a send has failed */
	/* for the rules */
	bool talking;			/* negotiated: what comes are data messages */
	uint64_t sent;			/* messages, ever; the first is the negotiation's */
	uint8_t first[RESPONSE_SIZE];	/* of them, as far as it goes */
	uint32_t first_len;
	uint64_t got;			/* credits, ever */
	uint64_t given;			/* credits, ever */
	uint64_t came;			/* data messages, ever */
	uint32_t remaining;		/* of the frame that is coming in */
	unsigned int most_wanted;	/* the largest number of credits that we asked for */
	bool asked;			/* by a flag, and not answered yet */
	double asked_at;		/* when it also had a credit for the answer; or 0 */
	/* for hostile.c */
	unsigned int number;
	uint64_t frames, cost;		/* what the server has taken */
	uint64_t answers;		/* messages with data that came back */
	double moved;			/* when credits came last */
	/* for peer.c */
	struct peer *next;
	struct rdma_cm_id *id;
	struct ibv_cq *send_cq, *recv_cq;
	struct ibv_mr *send_mr, *recv_mr;
	uint8_t *send_mem, *recv_mem;
	int event;			/* the last one, until it is waited for; or -1 */
	bool established, disconnected;
	bool held;			/* the last message was taken, but nobody has seen it */
	int last_slot;
	struct msg last;
};

/* All connections, newest first, and the one that every call below is about. */
extern struct peer *peers, *peer;

/* Depths of RDMA reads: what we ask for, or answer, and what the other side's event said. */
struct depths {
	unsigned int initiator, responder;
};

extern struct depths peer_depths, peer_told;

/* Set before the first connection. */
extern struct peer_setup {
	unsigned int slots;		/* receives of a connection */
	unsigned int posted;		/* those of them that are posted at the start */
	uint8_t rnr_retry;		/* the other side tries again if there is no receive */
	bool may_be_asked;		/* it may be idle so long that it asks if we are alive */
} peer_setup;

/* peer.c: connections, raw messages. Timeouts are in seconds. */
void peer_connect(void);
bool peer_try_connect(void);	/* false if the other side refuses */
void peer_connect_when_free(void);	/* as soon as the backlog has a place */
void peer_connect_half(void);	/* so far that we can send, and the other side is not told yet */
void peer_connect_rest(void);	/* tell it */
void peer_listen(void);
bool peer_requested(int ms);	/* a connection request came: it is the current one */
void peer_await(void);		/* the same; the program ends when none comes */
void peer_reject(void);		/* it, if it is still there */
void peer_accept(void);		/* it, after peer_await() */
bool peer_accept_begin(void);	/* the same, but do not wait for peer->established */
void peer_disconnect(void);
void peer_let_go(void);		/* of all that a connection has, connected or not */
void peer_expect_disconnect(void);
bool peer_connected(void);
bool peer_iwarp(void);
bool peer_siw(void);		/* after peer_listen(), too */
void peer_send_raw(const void *buf, uint32_t len);
/* The same by another operation than a plain send; false if iWARP does not have it. */
bool peer_send_by(enum ibv_wr_opcode op, const void *buf, uint32_t len, uint32_t key);
/*
 * The next message, or NULL when the connection is gone. peer_done() gives the receive back.
 * peer_poll() returns NULL also when nothing comes in time, peer_take() does not wait.
 */
const struct msg *peer_recv(int timeout);
const struct msg *peer_poll(int ms);
const struct msg *peer_take(void);
bool peer_is_deaf(void);	/* after peer_accept(), which has to be repeated then */
bool peer_silent(int ms);	/* nothing comes for so long */
void peer_done(void);
double peer_now(void);

/* proto.c: messages */
extern const struct request normal, roomy;
void peer_send_request(const struct request *r);
void peer_send_response(const struct response *r);
void peer_send_data(const struct data *d);
#define SEND(...) peer_send_data(&(struct data) { .requested = 10, __VA_ARGS__ })
void peer_send_empty(uint16_t granted, uint16_t flags);
/* Part of a frame, with all that there is to grant. */
void peer_send_segment(const uint8_t *payload, uint32_t len, uint32_t remaining);
void peer_send_bytes(const uint8_t *buf, uint32_t len);	/* singly, each padded to the full size */
struct response peer_recv_response(void);
void peer_start(const struct request *r, const struct response *resp);
void peer_take_request(const struct msg *m);
void peer_recv_request(void);
void peer_start_serving(const struct response *r);
struct response peer_negotiate(const struct request *r);
struct response peer_negotiated(const struct request *r);	/* only the response */
void peer_welcome(const struct response *r);
void peer_wait_credit(unsigned int n);
void peer_send_frame(const uint8_t *buf, uint32_t len);
/* A frame from the other side is stored in peer_frame. */
extern uint8_t peer_frame[PEER_FRAME];
uint32_t peer_recv_part(uint32_t got, uint32_t len);	/* one message of it, how much there is */
void peer_recv_frame(uint32_t len);
void peer_compare(uint32_t len);	/* peer_frame is peer_pattern() */
void peer_expect_echo(uint32_t len);	/* such a frame comes */
void peer_echo(uint32_t len);		/* send it, and expect it */
/* An empty message, whose credits are ours now. */
void peer_expect_empty(int timeout, uint16_t flags);
/* Silence, then the end: when @least seconds since @start are over. */
void peer_expect_timeout(double start, double least);
/* What the frames that we make up consist of: at least @len bytes of that. */
const uint8_t *peer_pattern(uint32_t len);

/* proto.c: whole conversations with the echo server */
void peer_exchange(const struct request *r, uint32_t len);
void peer_open(const struct request *r);	/* connect and negotiate */
void peer_gone(void);		/* the other side ends this connection, and serves others */

/* It has ended after @took seconds. Was that too early? */
void peer_lasted(double took, double least);

/* rules.c: what must hold for all that the other side sends */
void rules_received(const struct msg *m);
void rules_response(const struct response *r, const struct request *to);
void rules_request(const struct request *r, uint32_t len);

/* client.c: the socket of ours that connects to us */
extern const struct response welcome;
void client_start(uint32_t bytes, const char *options);
void client_open(uint32_t bytes, const char *options);	/* start it, and accept it */
void client_welcome(uint32_t bytes, const char *options);	/* and negotiate */
/* It is done, or will be soon: how far did it come, and with which error? */
const char *client_outcome(void);
void client_expect(const char *where, int err);
/* What is told first is luck. */
void client_expect_either(const char *where, int err, const char *or_where, int or_err);
void client_end(const char *where, int err);	/* disconnect, and that */
double client_age(void);		/* seconds since it was started */
void client_done(void);			/* be polite until it closes, and all was well */
void client_serve(uint32_t bytes);	/* the same, behind its frame back to it */
void client_exchange(const struct response *r, uint32_t bytes);
void client_works(void);		/* a whole connection, all well */

/*
 * client.c: after the negotiation both roles are the same. These do with the other end of the
 * scenario, server or client, what each says.
 */
extern const struct scenario *scenario;
void either_open(const char *client_options);	/* negotiated, and we have credits */
void either_aborts(void);	/* the other side ends it because of our mistake */
void either_close(void);	/* we end it, and that is all right */

/* client.c: the late server, and how it takes a connection that waits */
void late_starts(void);
void late_expect(int err);	/* 0, or the errno of accept() */
void late_accepts(void);	/* it does, soon */

/* fuzz.c */
void peer_fuzz(uint64_t seed, uint32_t count);
void peer_fuzz_clients(uint64_t seed, uint32_t count);

/* proto.c: the end, with what was wrong */
void peer_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define peer_check(cond, ...) do { if (!(cond)) peer_fail(__VA_ARGS__); } while (0)
/* The same about what the other side sent: whatever else may happen, that must not. */
#define BROKEN	3		/* exit status */
extern int peer_loud;		/* the file for this; the standard error unless it is changed */
void peer_broken(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define must(cond, ...) do { if (!(cond)) peer_broken(__VA_ARGS__); } while (0)

/* What stands at the other end. main.c has the names by which the group script knows them. */
enum other_end {
	ECHO,		/* an echo server with default timers */
	IDLE,		/* one that asks after a second, with default timers otherwise */
	HASTY,		/* one that asks after a second and waits three for the answer */
	LATE,		/* one like that of its own, which accepts when it is told to */
	CLIENT,		/* a client: we listen */
};

/* What a scenario does with its time, and so how many others may run beside it. */
enum pace {
	BUSY,		/* short: a few */
	WAITING,	/* it waits for timers: many */
	HEAVY,		/* many messages, or it must be quick: one on each CPU */
};

struct scenario {
	const char *name;
	enum other_end other;
	const char *what;
	void (*run)(void);
	enum pace pace;
};

/*
 * SCENARIO("name", OTHER, "what it is about") { what it does }; with MIRRORED() a client is the
 * other end for the second name. A pace other than BUSY is the last argument. The linker makes the
 * list of them.
 */
#define LISTED(id, ...)								\
	static const struct scenario scenario_##id = { __VA_ARGS__ };		\
	static const struct scenario *const listed_##id				\
		__attribute__((used, section("scenarios"))) = &scenario_##id;
#define SCENARIO_AT(line, name, other, what, ...)				\
	static void run_##line(void);						\
	LISTED(line, name, other, what, .run = run_##line, ##__VA_ARGS__)		\
	static void run_##line(void)
#define MIRRORED_AT(line, name, mirror, other, what, ...)			\
	static void run_##line(void);						\
	LISTED(line, name, other, what, .run = run_##line, ##__VA_ARGS__)		\
	LISTED(line##_mirror, mirror, CLIENT, what, .run = run_##line, ##__VA_ARGS__) \
	static void run_##line(void)
/* The same where little has to be done: statements as the last argument. */
#define CASE(name, other, what, ...)						\
	SCENARIO(name, other, what) { __VA_ARGS__; }
#define MIRRORED_CASE(name, mirror, other, what, ...)				\
	MIRRORED(name, mirror, other, what) { __VA_ARGS__; }
#define AT_LINE(macro, line, ...)	macro(line, __VA_ARGS__)
#define SCENARIO(...)	AT_LINE(SCENARIO_AT, __LINE__, __VA_ARGS__)
#define MIRRORED(...)	AT_LINE(MIRRORED_AT, __LINE__, __VA_ARGS__)

/* Arguments of the command line. */
extern const char *peer_addr, *peer_port;

#endif /* SMBDR_PEER_H */
