// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One RDMA connection, made or accepted, and raw messages over it.
 *
 * There is a ring of receive slots, and a send waits for its completion. The
 * engine counts credits but does nothing by itself, above all it grants none and
 * answers nothing, because what to do wrong is the business of a scenario.
 * proto.c has helpers for the parts that a scenario does not care about.
 *
 * Everything is little endian on the wire and this program runs where the
 * host is, too; it says so when it is not. One connection at a time; one event
 * channel, and where we listen one listener, for the whole program.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>
#include "peer.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "written for little endian machines"
#endif

struct peer peer;

static struct rdma_event_channel *channel;
static struct rdma_cm_id *listener, *id;
static struct ibv_cq *send_cq, *recv_cq;
static struct ibv_mr *recv_mr, *send_mr;
static uint8_t recv_mem[PEER_SLOTS][PEER_SLOT_SIZE];
static uint8_t send_mem[PEER_SEND_SIZE];
static bool disconnected, flushed;
static struct msg last;
static int last_slot;
static bool held;	/* last was taken, but nobody has looked at it */

double peer_now(void)
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
	if (type == RDMA_CM_EVENT_DISCONNECTED && ev->id == id)
		disconnected = true;
	rdma_ack_cm_event(ev);
	return type;
}

static void cm_wait(int want)
{
	int got = cm_poll(WAIT * 1000);

	peer_check(got == want, "expected %s, got %s", rdma_event_str(want),
		   got < 0 ? "nothing" : rdma_event_str(got));
}

static int post_slot(int slot)
{
	return rdma_post_recv(id, (void *)(long)slot, recv_mem[slot], PEER_SLOT_SIZE, recv_mr);
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
		peer_check(!post_slot(i), "rdma_post_recv: %s", strerror(errno));
	peer = (struct peer) { .max_recv = PEER_SLOT_SIZE };
	disconnected = false;
	flushed = false;
	held = false;
}

static struct addrinfo *lookup(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *ai;
	int ret = getaddrinfo(peer_addr, peer_port, &hints, &ai);

	peer_check(!ret, "%s: %s", peer_addr, gai_strerror(ret));
	return ai;
}

static void make_id(struct rdma_cm_id **out)
{
	if (!channel)
		channel = rdma_create_event_channel();
	peer_check(channel, "rdma_create_event_channel: %s", strerror(errno));
	peer_check(!rdma_create_id(channel, out, NULL, RDMA_PS_TCP), "rdma_create_id: %s",
		   strerror(errno));
}

/* Ask for a connection. */
static void connect_begin(void)
{
	struct rdma_conn_param param = { .retry_count = 6, .initiator_depth = 1,
					 .responder_resources = 1 };
	struct addrinfo *ai = lookup();

	make_id(&id);
	peer_check(!rdma_resolve_addr(id, NULL, ai->ai_addr, WAIT * 1000), "rdma_resolve_addr: %s",
		   strerror(errno));
	cm_wait(RDMA_CM_EVENT_ADDR_RESOLVED);
	peer_check(!rdma_resolve_route(id, WAIT * 1000), "rdma_resolve_route: %s",
		   strerror(errno));
	cm_wait(RDMA_CM_EVENT_ROUTE_RESOLVED);
	make_qp();
	peer_check(!rdma_connect(id, &param), "rdma_connect: %s", strerror(errno));
	freeaddrinfo(ai);
}

void peer_connect(void)
{
	connect_begin();
	cm_wait(RDMA_CM_EVENT_ESTABLISHED);
}

static void let_go(void)
{
	rdma_destroy_qp(id);
	rdma_dereg_mr(recv_mr);
	rdma_dereg_mr(send_mr);
	ibv_destroy_cq(send_cq);
	ibv_destroy_cq(recv_cq);
	rdma_destroy_id(id);
	id = NULL;
}

/* A connection that has ended for us takes a place in the backlog until it has ended there. */
void peer_connect_when_free(void)
{
	double end = peer_now() + WAIT;
	int got;

	connect_begin();
	while ((got = cm_poll(WAIT * 1000)) == RDMA_CM_EVENT_REJECTED && peer_now() < end) {
		let_go();
		usleep(20000);
		connect_begin();
	}
	peer_check(got == RDMA_CM_EVENT_ESTABLISHED, "not connected, but %s",
		   got < 0 ? "nothing" : rdma_event_str(got));
}

bool peer_iwarp(void)
{
	return (id ? id : listener)->verbs->device->transport_type == IBV_TRANSPORT_IWARP;
}

static void modify_qp(enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = { .qp_state = state };
	int mask;

	peer_check(!rdma_init_qp_attr(id, &attr, &mask) && !ibv_modify_qp(id->qp, &attr, mask),
		   "queue pair to state %d: %s", state, strerror(errno));
}

/*
 * Up to the reply: a message can leave, and is there before the RTU that completes the connection.
 * iWARP has no such thing, there this is all of it. librdmacm sends the RTU at once unless it does
 * not know of a queue pair.
 */
void peer_connect_half(void)
{
	struct ibv_qp *qp;

	connect_begin();
	if (peer_iwarp()) {
		cm_wait(RDMA_CM_EVENT_ESTABLISHED);
		return;
	}
	qp = id->qp;
	id->qp = NULL;
	cm_wait(RDMA_CM_EVENT_CONNECT_RESPONSE);
	id->qp = qp;
	modify_qp(IBV_QPS_RTR);
	modify_qp(IBV_QPS_RTS);
}

/* The other half. */
void peer_connect_rest(void)
{
	struct ibv_qp *qp = id->qp;
	int ret;

	if (peer_iwarp())
		return;
	id->qp = NULL;
	ret = rdma_establish(id);
	id->qp = qp;
	peer_check(!ret, "rdma_establish: %s", strerror(errno));
}

void peer_listen(void)
{
	struct addrinfo *ai = lookup();

	make_id(&listener);
	peer_check(!rdma_bind_addr(listener, ai->ai_addr), "rdma_bind_addr: %s", strerror(errno));
	peer_check(!rdma_listen(listener, 4), "rdma_listen: %s", strerror(errno));
	freeaddrinfo(ai);
}

void peer_await(void)
{
	cm_wait(RDMA_CM_EVENT_CONNECT_REQUEST);
}

void peer_reject(void)
{
	/* Fails when the other side has taken it back, with an errno that depends on the driver. */
	rdma_reject(id, NULL, 0);
	rdma_destroy_id(id);
	id = NULL;
}

void peer_accept(void)
{
	struct rdma_conn_param param = { .initiator_depth = 1, .responder_resources = 1 };

	make_qp();
	peer_check(!rdma_accept(id, &param), "rdma_accept: %s", strerror(errno));
	cm_wait(RDMA_CM_EVENT_ESTABLISHED);
}

bool peer_connected(void)
{
	while (cm_poll(0) >= 0)
		;
	return !disconnected;
}

/* A message if there is one: 1. 0 if not, -1 if there will be none any more. */
static int take(void)
{
	struct ibv_wc wc;
	int n;

	if (held) {
		held = false;
		return 1;
	}
	n = ibv_poll_cq(recv_cq, 1, &wc);
	peer_check(n >= 0, "ibv_poll_cq: %d", n);
	if (n <= 0)
		return n;
	if (wc.status != IBV_WC_SUCCESS) {
		flushed = true;
		return -1;
	}
	last_slot = wc.wr_id;
	last = (struct msg) { .raw = recv_mem[last_slot], .len = wc.byte_len };
	if (last.len >= 20) {
		last.requested = get16(last.raw);
		last.granted = get16(last.raw + 2);
		last.flags = get16(last.raw + 4);
		last.reserved = get16(last.raw + 6);
		last.remaining = get32(last.raw + 8);
		last.offset = get32(last.raw + 12);
		last.datalen = get32(last.raw + 16);
	}
	rules_received(&last);
	return 1;
}

/*
 * The next message, valid until peer_done(), which every caller has to call.
 * NULL when the connection is gone or nothing came for @ms.
 */
const struct msg *peer_poll(int ms)
{
	double end = peer_now() + ms / 1e3;
	unsigned int spin = 0;

	for (;;) {
		int n = take();

		if (n)
			return n > 0 ? &last : NULL;
		if (++spin % 64)
			continue;
		/* What came before the end counts. */
		if (!peer_connected())
			return take() > 0 ? &last : NULL;
		if (peer_now() >= end)
			return NULL;
		usleep(200);
	}
}

/* The same; the program ends when time is up. */
const struct msg *peer_recv(int timeout)
{
	const struct msg *m = peer_poll(timeout * 1000);

	peer_check(m || flushed || !peer_connected(), "nothing came for %d s", timeout);
	return m;
}

/*
 * siw forgets a message that arrives while it accepts, after its reply and before it listens to
 * the socket as a queue pair: no message will ever come then. Has one come?
 */
bool peer_is_deaf(void)
{
	if (!peer_iwarp())
		return false;
	held = peer_poll(1000);
	return !held && peer_connected();
}

bool peer_silent(int ms)
{
	double end = peer_now() + ms / 1e3;

	while (peer_now() < end) {
		if (take() || !peer_connected())
			return false;
		usleep(1000);
	}
	return true;
}

/* Give the slot of the last message back: one more receive that can be granted. */
void peer_done(void)
{
	if (!post_slot(last_slot) && peer.talking)
		peer.to_grant++;
}

/* The other side has to end it. What it sent before is data; [MS-SMBD] knows no other answer. */
void peer_expect_disconnect(void)
{
	double end = peer_now() + GONE;
	bool more = true;

	while (more) {
		/* What came before the end is looked at, too. */
		more = peer_connected();
		peer_check(!more || peer_now() < end, "still connected after %d s", GONE);
		while (take() > 0)
			peer_check(peer.talking, "%u bytes instead of the end", last.len);
		usleep(1000);
	}
}

/* End it and let go of everything, so that a scenario can have another connection. */
void peer_disconnect(void)
{
	double end = peer_now() + WAIT;

	/* Who has a credit answers, or has ended it. */
	while (peer.asked_at && peer_poll((ANSWER + 1) * 1000))
		peer_done();
	if (peer.asked_at && !flushed && peer_connected())
		peer_broken("no answer for %d s", ANSWER);
	while (take() > 0)
		;
	rdma_disconnect(id);
	while (!disconnected && peer_now() < end)
		cm_poll(100);
	let_go();
}

/* One send is through, well or badly. siw forgets those that it is given too late. */
static void send_wait(void)
{
	double end = peer_now() + WAIT;
	unsigned int spin = 0;
	struct ibv_wc wc;
	int n;

	do {
		n = ibv_poll_cq(send_cq, 1, &wc);
		peer_check(n >= 0, "ibv_poll_cq: %d", n);
		peer_check(n || peer_now() < end, "a send did not complete");
	} while (!n && (++spin % 1024 || peer_connected()));
}

/*
 * A message is about to be sent: what it gives, before the other side can use it. The first
 * is the negotiation's, whatever it is; those after it are data to the other side.
 */
static void account(const uint8_t *buf, uint32_t len)
{
	unsigned int granted;

	if (!peer.sent++) {
		peer.first_len = len;
		memcpy(peer.first, buf, len < sizeof(peer.first) ? len : sizeof(peer.first));
		return;
	}
	if (peer.send_credits)
		peer.send_credits--;
	if (len < 20)
		return;
	if (get16(buf) > peer.most_wanted)
		peer.most_wanted = get16(buf);
	granted = get16(buf + 2);
	peer.given += granted;
	peer.to_grant -= granted < peer.to_grant ? granted : peer.to_grant;
	if (get16(buf + 4) & 1)
		peer.asked = true;
	if (peer.asked && !peer.asked_at && peer.talking && peer.given > peer.came)
		peer.asked_at = peer_now();
}

/* Waits for the completion, but not for its success: scenarios see that later. */
void peer_send_raw(const void *buf, uint32_t len)
{
	peer_check(len <= sizeof(send_mem), "message of %u bytes", len);
	account(buf, len);
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

	if (imm && peer_iwarp())
		return false;
	account(buf, len);
	memcpy(send_mem, buf, len);
	if (imm)
		wr.imm_data = key;
	else
		wr.invalidate_rkey = key;
	peer_check(!ibv_post_send(id->qp, &wr, &bad), "ibv_post_send: %s", strerror(errno));
	send_wait();
	return true;
}
