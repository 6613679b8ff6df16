// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smbdr-peer: speaks SMB Direct by hand over librdmacm, well or badly.
 *
 *	smbdr-peer SCENARIO ADDR PORT
 *
 * This file is the engine: one connection, a ring of receive slots, sends
 * that wait for their completion, and the few fields of the protocol. It does
 * nothing by itself, above all no credits and no keepalives, because what to
 * do wrong is the business of a scenario. The helpers at the end are a polite
 * peer for the parts that a scenario does not care about.
 *
 * Everything is little endian on the wire and this program runs where the
 * host is, too; it says so when it is not.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>
#include "peer.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "written for little endian machines"
#endif

#define WAIT	10	/* seconds for what should happen at once */

struct peer peer = { .max_send = 512 };
const char *peer_addr, *peer_port;

static struct rdma_event_channel *channel;
static struct rdma_cm_id *listener, *id;
static struct ibv_cq *send_cq, *recv_cq;
static struct ibv_mr *recv_mr, *send_mr;
static uint8_t recv_mem[PEER_SLOTS][PEER_SLOT_SIZE];
static uint8_t send_mem[PEER_SLOT_SIZE];
static bool disconnected;
static struct msg last;
static int last_slot = -1;

void peer_fail(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "smbdr-peer: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Take one CM event if there is one within @ms; its type, or -1. */
static int cm_poll(int ms)
{
	struct pollfd fd = { .fd = channel->fd, .events = POLLIN };
	struct rdma_cm_event *ev;
	int type;

	if (poll(&fd, 1, ms) <= 0)
		return -1;
	peer_check(!rdma_get_cm_event(channel, &ev), "rdma_get_cm_event: %s", strerror(errno));
	type = ev->event;
	if (type == RDMA_CM_EVENT_CONNECT_REQUEST && !id)
		id = ev->id;
	if (type == RDMA_CM_EVENT_DISCONNECTED)
		disconnected = true;
	rdma_ack_cm_event(ev);
	return type;
}

static void cm_wait(int want, int timeout)
{
	int got = cm_poll(timeout * 1000);

	peer_check(got == want, "expected %s, got %s", rdma_event_str(want),
		   got < 0 ? "nothing" : rdma_event_str(got));
}

static void post_slot(int slot)
{
	peer_check(!rdma_post_recv(id, (void *)(long)slot, recv_mem[slot], PEER_SLOT_SIZE, recv_mr),
		   "rdma_post_recv: %s", strerror(errno));
}

static void make_qp(void)
{
	struct ibv_qp_init_attr attr = {
		.cap = { .max_send_wr = 16, .max_recv_wr = PEER_SLOTS + 1,
			 .max_send_sge = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};
	int i;

	send_cq = ibv_create_cq(id->verbs, 32, NULL, NULL, 0);
	recv_cq = ibv_create_cq(id->verbs, PEER_SLOTS + 16, NULL, NULL, 0);
	peer_check(send_cq && recv_cq, "ibv_create_cq: %s", strerror(errno));
	attr.send_cq = send_cq;
	attr.recv_cq = recv_cq;
	peer_check(!rdma_create_qp(id, NULL, &attr), "rdma_create_qp: %s", strerror(errno));
	recv_mr = rdma_reg_msgs(id, recv_mem, sizeof(recv_mem));
	send_mr = rdma_reg_msgs(id, send_mem, sizeof(send_mem));
	peer_check(recv_mr && send_mr, "rdma_reg_msgs: %s", strerror(errno));
	for (i = 0; i < PEER_SLOTS; i++)
		post_slot(i);
	peer.to_grant = PEER_SLOTS - 1;
}

static struct addrinfo *lookup(const char *addr, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *ai;
	int ret = getaddrinfo(addr, port, &hints, &ai);

	peer_check(!ret, "%s: %s", addr, gai_strerror(ret));
	return ai;
}

void peer_connect(const char *addr, const char *port)
{
	struct rdma_conn_param param = { .retry_count = 6, .initiator_depth = 1,
					 .responder_resources = 1 };
	struct addrinfo *ai = lookup(addr, port);

	channel = rdma_create_event_channel();
	peer_check(channel, "rdma_create_event_channel: %s", strerror(errno));
	peer_check(!rdma_create_id(channel, &id, NULL, RDMA_PS_TCP), "rdma_create_id");
	peer_check(!rdma_resolve_addr(id, NULL, ai->ai_addr, WAIT * 1000), "rdma_resolve_addr");
	cm_wait(RDMA_CM_EVENT_ADDR_RESOLVED, WAIT);
	peer_check(!rdma_resolve_route(id, WAIT * 1000), "rdma_resolve_route");
	cm_wait(RDMA_CM_EVENT_ROUTE_RESOLVED, WAIT);
	make_qp();
	peer_check(!rdma_connect(id, &param), "rdma_connect: %s", strerror(errno));
	cm_wait(RDMA_CM_EVENT_ESTABLISHED, WAIT);
	freeaddrinfo(ai);
}

void peer_listen(const char *addr, const char *port, int timeout)
{
	struct rdma_conn_param param = { .initiator_depth = 1, .responder_resources = 1 };
	struct addrinfo *ai = lookup(addr, port);

	channel = rdma_create_event_channel();
	peer_check(channel, "rdma_create_event_channel: %s", strerror(errno));
	peer_check(!rdma_create_id(channel, &listener, NULL, RDMA_PS_TCP), "rdma_create_id");
	peer_check(!rdma_bind_addr(listener, ai->ai_addr), "rdma_bind_addr: %s", strerror(errno));
	peer_check(!rdma_listen(listener, 1), "rdma_listen: %s", strerror(errno));
	freeaddrinfo(ai);
	printf("listening\n");
	fflush(stdout);
	cm_wait(RDMA_CM_EVENT_CONNECT_REQUEST, timeout);
	make_qp();
	peer_check(!rdma_accept(id, &param), "rdma_accept: %s", strerror(errno));
	cm_wait(RDMA_CM_EVENT_ESTABLISHED, WAIT);
}

/* Let go of everything, so that a scenario can connect again. */
void peer_disconnect(void)
{
	double end = now() + WAIT;

	rdma_disconnect(id);
	while (!disconnected && now() < end)
		cm_poll(100);
	rdma_destroy_qp(id);
	rdma_dereg_mr(recv_mr);
	rdma_dereg_mr(send_mr);
	ibv_destroy_cq(send_cq);
	ibv_destroy_cq(recv_cq);
	rdma_destroy_id(id);
	if (listener)
		rdma_destroy_id(listener);
	rdma_destroy_event_channel(channel);
	id = NULL;
	listener = NULL;
	disconnected = false;
	last_slot = -1;
	peer = (struct peer) { .max_send = 512 };
}

bool peer_connected(void)
{
	while (cm_poll(0) >= 0)
		;
	return !disconnected;
}

/* The other side has to end it; messages that it sent before do not matter. */
void peer_expect_disconnect(int timeout)
{
	double end = now() + timeout;
	struct ibv_wc wc;

	while (peer_connected()) {
		peer_check(now() < end, "still connected after %d s", timeout);
		if (ibv_poll_cq(recv_cq, 1, &wc) > 0 && wc.status != IBV_WC_SUCCESS)
			continue;
		usleep(1000);
	}
}

/* One send is through, well or badly. */
static void send_wait(void)
{
	double end = now() + WAIT;
	struct ibv_wc wc;
	int n;

	do {
		n = ibv_poll_cq(send_cq, 1, &wc);
		peer_check(n >= 0, "ibv_poll_cq: %d", n);
		peer_check(n || now() < end, "a send did not complete");
	} while (!n);
}

/* Waits for the completion, but not for its success: scenarios see that later. */
void peer_send_raw(const void *buf, uint32_t len)
{
	peer_check(len <= sizeof(send_mem), "message of %u bytes", len);
	if (buf != send_mem)
		memcpy(send_mem, buf, len);
	if (rdma_post_send(id, NULL, send_mem, len, send_mr, 0))
		return;
	send_wait();
}

bool peer_send_by(enum ibv_wr_opcode op, const void *buf, uint32_t len, uint32_t key)
{
	struct ibv_sge sge = { .addr = (uintptr_t)send_mem, .length = len, .lkey = send_mr->lkey };
	struct ibv_send_wr wr = {
		.opcode = op,
		.sg_list = &sge,
		.num_sge = len ? 1 : 0,
		.send_flags = IBV_SEND_SIGNALED,
	}, *bad;
	bool imm = op == IBV_WR_SEND_WITH_IMM || op == IBV_WR_RDMA_WRITE_WITH_IMM;

	if (imm && id->verbs->device->transport_type == IBV_TRANSPORT_IWARP)
		return false;
	memcpy(send_mem, buf, len);
	if (imm)
		wr.imm_data = key;
	else
		wr.invalidate_rkey = key;
	peer_check(!ibv_post_send(id->qp, &wr, &bad), "ibv_post_send: %s", strerror(errno));
	send_wait();
	return true;
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

void peer_send_request(const struct request *r)
{
	uint8_t b[512] = {};

	put16(b, r->min);
	put16(b + 2, r->max);
	put16(b + 6, r->credits);
	put32(b + 8, r->preferred);
	put32(b + 12, r->maxrecv);
	put32(b + 16, r->maxfrag);
	peer_send_raw(b, r->wirelen ? r->wirelen : 20);
}

void peer_send_data(const struct data *d)
{
	uint32_t len = d->datalen || d->offset ? d->offset + d->datalen : 20;

	memset(send_mem, 0, 32);
	put16(send_mem, d->requested);
	put16(send_mem + 2, d->granted);
	put16(send_mem + 4, d->flags);
	put32(send_mem + 8, d->remaining);
	put32(send_mem + 12, d->offset);
	put32(send_mem + 16, d->datalen);
	if (d->payload && d->datalen)
		memcpy(send_mem + (d->offset >= 20 ? d->offset : 24), d->payload, d->datalen);
	peer_send_raw(send_mem, d->wirelen ? d->wirelen : len);
}

/*
 * The next message, valid until peer_done(), which every caller has to call.
 * NULL when the connection is gone; the program ends when time is up.
 */
const struct msg *peer_recv(int timeout)
{
	double end = now() + timeout;
	struct ibv_wc wc;
	unsigned int spin = 0;

	for (;;) {
		int n = ibv_poll_cq(recv_cq, 1, &wc);

		peer_check(n >= 0, "ibv_poll_cq: %d", n);
		if (n) {
			if (wc.status == IBV_WC_SUCCESS)
				break;
			return NULL;
		}
		if (++spin % 64 == 0) {
			if (!peer_connected())
				return NULL;
			peer_check(now() < end, "nothing came for %d s", timeout);
			usleep(200);
		}
	}
	last_slot = wc.wr_id;
	last = (struct msg) { .raw = recv_mem[last_slot], .len = wc.byte_len };
	if (last.len >= 20) {
		last.requested = get16(last.raw);
		last.granted = get16(last.raw + 2);
		last.flags = get16(last.raw + 4);
		last.remaining = get32(last.raw + 8);
		last.offset = get32(last.raw + 12);
		last.datalen = get32(last.raw + 16);
	}
	return &last;
}

/* Give the slot of the last message back: one more receive that can be granted. */
void peer_done(void)
{
	post_slot(last_slot);
	peer.to_grant++;
}

struct response peer_recv_response(int timeout)
{
	const struct msg *m = peer_recv(timeout);
	struct response r;

	peer_check(m, "disconnected instead of a negotiate response");
	peer_check(m->len >= 32, "a negotiate response of %u bytes", m->len);
	r = (struct response) {
		.version = get16(m->raw + 4), .requested = get16(m->raw + 8),
		.granted = get16(m->raw + 10), .status = get32(m->raw + 12),
		.maxrw = get32(m->raw + 16), .preferred = get32(m->raw + 20),
		.maxrecv = get32(m->raw + 24), .maxfrag = get32(m->raw + 28),
	};
	/* The receive of the negotiation is not counted as a credit. */
	post_slot(last_slot);
	return r;
}

void peer_negotiate(const struct request *r)
{
	struct response resp;

	peer_send_request(r);
	resp = peer_recv_response(WAIT);
	peer_check(!resp.status, "status 0x%08x", resp.status);
	peer_check(resp.version == 0x0100, "version 0x%04x", resp.version);
	peer_check(resp.requested && resp.granted && resp.granted <= r->credits,
		   "requested %u, granted %u", resp.requested, resp.granted);
	peer_check(resp.preferred <= r->maxrecv, "preferred send size %u", resp.preferred);
	peer_check(resp.maxrecv >= 128, "max receive size %u", resp.maxrecv);
	peer_check(resp.maxfrag >= 131072, "max fragmented size %u", resp.maxfrag);
	peer.send_credits = resp.granted;
	peer.max_send = resp.maxrecv < r->preferred ? resp.maxrecv : r->preferred;
	if (peer.max_send < 128)
		peer.max_send = 128;
}

/* An empty message of the other side: its credits are ours, its slot too. */
static void take_empty(const struct msg *m)
{
	peer_check(m->len == 20 && !m->remaining && !m->offset, "no empty message: %u bytes",
		   m->len);
	peer.send_credits += m->granted;
	peer_done();
}

void peer_wait_credit(unsigned int n)
{
	while (peer.send_credits < n) {
		const struct msg *m = peer_recv(WAIT);

		peer_check(m, "disconnected while waiting for credits");
		peer_check(!m->datalen, "data while waiting for credits");
		take_empty(m);
	}
}

/* One frame in fragments of at most @fragment bytes, 0 for as many as fit. */
void peer_send_frame(const uint8_t *buf, uint32_t len, uint32_t fragment)
{
	uint32_t max = peer.max_send - 24, done = 0;

	if (!fragment || fragment > max)
		fragment = max;
	while (done < len) {
		uint32_t n = len - done < fragment ? len - done : fragment;

		/* The last credit goes only with a grant, which there is then. */
		peer_wait_credit(1);
		peer_send_data(&(struct data) {
			.requested = PEER_SLOTS - 1, .granted = peer.to_grant,
			.remaining = len - done - n, .offset = 24, .datalen = n,
			.payload = buf + done,
		});
		peer.to_grant = 0;
		peer.send_credits--;
		done += n;
	}
}

/* One frame that has to be the @len bytes at @want. */
void peer_recv_frame(const uint8_t *want, uint32_t len)
{
	uint32_t got = 0;

	while (got < len) {
		const struct msg *m = peer_recv(WAIT);

		peer_check(m, "disconnected after %u of %u bytes", got, len);
		if (!m->datalen && !m->remaining) {
			take_empty(m);
			continue;
		}
		peer_check(m->offset % 8 == 0 && m->offset + m->datalen <= m->len,
			   "offset %u, length %u in %u bytes", m->offset, m->datalen, m->len);
		peer_check(m->datalen + m->remaining == len - got,
			   "length %u, remaining %u, but %u are missing", m->datalen,
			   m->remaining, len - got);
		peer_check(!memcmp(m->raw + m->offset, want + got, m->datalen),
			   "wrong content between %u and %u", got, got + m->datalen);
		got += m->datalen;
		peer.send_credits += m->granted;
		peer_done();
		/* Keep it going when we have nothing to say. */
		if (got < len && peer.to_grant > PEER_SLOTS / 2 && peer.send_credits) {
			peer_send_data(&(struct data) { .requested = PEER_SLOTS - 1,
							.granted = peer.to_grant });
			peer.to_grant = 0;
			peer.send_credits--;
		}
	}
}

int main(int argc, char **argv)
{
	const struct scenario *s;

	if (argc != 4) {
		fprintf(stderr, "usage: smbdr-peer SCENARIO ADDR PORT\n");
		for (s = scenarios; s->name; s++)
			fprintf(stderr, "  %-24s %s\n", s->name, s->what);
		return 2;
	}
	peer_addr = argv[2];
	peer_port = argv[3];
	for (s = scenarios; s->name; s++) {
		if (strcmp(s->name, argv[1]))
			continue;
		s->run();
		printf("ok\n");
		return 0;
	}
	peer_fail("no scenario %s", argv[1]);
}
