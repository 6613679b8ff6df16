/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw peer: what the engine (peer.c) offers to scenarios (scenarios.c).
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

#define PEER_SLOTS	255
#define PEER_SLOT_SIZE	8192

/* One message of the other side, parsed as far as it is ours to parse. */
struct msg {
	const uint8_t *raw;
	uint32_t len;
	uint16_t requested, granted, flags;
	uint32_t remaining, offset, datalen;
};

/* What a data message carries, for peer_data(). */
struct data {
	uint16_t requested, granted, flags;
	uint32_t remaining, offset, datalen;
	const void *payload;
	uint32_t wirelen;	/* bytes sent; 0 for what the fields say */
};

struct request {
	uint16_t min, max, credits;
	uint32_t preferred, maxrecv, maxfrag;
	uint32_t wirelen;	/* 0 for 20 */
};

struct response {
	uint16_t version, requested, granted;
	uint32_t status, maxrw, preferred, maxrecv, maxfrag;
};

/* The state that both sides keep; scenarios read and set it. */
struct peer {
	unsigned int send_credits;	/* we may send that many */
	unsigned int to_grant;		/* posted, not announced */
	uint32_t max_send;		/* largest message the other side takes */
};

extern struct peer peer;

/* Connections. Timeouts are in seconds. */
void peer_connect(const char *addr, const char *port);
void peer_listen(const char *addr, const char *port, int timeout);
void peer_disconnect(void);
void peer_expect_disconnect(int timeout);
bool peer_connected(void);

/* Messages. peer_recv() gives NULL when the connection is gone. */
void peer_send_raw(const void *buf, uint32_t len);
/* The same by another operation than a plain send; false if iWARP does not have it. */
bool peer_send_by(enum ibv_wr_opcode op, const void *buf, uint32_t len, uint32_t key);
void peer_send_request(const struct request *r);
void peer_send_data(const struct data *d);
const struct msg *peer_recv(int timeout);
void peer_done(void);
struct response peer_recv_response(int timeout);

/* Higher: negotiate with the defaults, a frame out, a frame in. */
void peer_negotiate(const struct request *r);
void peer_wait_credit(unsigned int n);
void peer_send_frame(const uint8_t *buf, uint32_t len, uint32_t fragment);
void peer_recv_frame(const uint8_t *want, uint32_t len);

void peer_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define peer_check(cond, ...) do { if (!(cond)) peer_fail(__VA_ARGS__); } while (0)

struct scenario {
	const char *name;
	const char *what;
	void (*run)(void);
};

extern const struct scenario scenarios[];
/* Arguments of the command line, for scenarios. */
extern const char *peer_addr, *peer_port;

#endif /* SMBDR_PEER_H */
