// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA connections, made or accepted, and raw messages over them.
 *
 * Each has a ring of receive slots, and a send waits for its completion. The
 * engine counts credits but does nothing by itself, above all it grants none and
 * answers nothing, because what to do wrong is the business of a scenario.
 * proto.c has helpers for the parts that a scenario does not care about.
 *
 * There may be many, each with queues of its own; one is current, and calls are
 * about that. All share one thread and one event channel: whoever looks for
 * events keeps those of the other connections for them.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>
#include "peer.h"

struct peer *peers, *peer;
struct peer_setup peer_setup = { .slots = PEER_SLOTS, .posted = PEER_SLOTS };
struct depths peer_depths = { 1, 1 }, peer_told;
const char *peer_addr, *peer_port;

static struct rdma_event_channel *channel;
static struct rdma_cm_id *listener;

double peer_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* A pause between two looks. A long wait has long pauses, to leave the CPU to others. */
static void rest(double since)
{
	double us = (peer_now() - since) * 1e6 / 16;

	usleep(us < 200 ? 200 : us > 10000 ? 10000 : us);
}

static struct peer *new_peer(void)
{
	struct peer *p = calloc(1, sizeof(*p));

	peer_check(p, "out of memory");
	p->max_recv = PEER_SLOT_SIZE;
	p->event = -1;
	p->number = peers ? peers->number + 1 : 0;
	p->next = peers;
	peers = p;
	return p;
}

/* Take one CM event if there is one within @ms. */
static bool cm_poll(int ms)
{
	struct pollfd fd = { .fd = channel->fd, .events = POLLIN };
	struct rdma_cm_event *ev;
	struct peer *p;

	if (poll(&fd, 1, ms) <= 0)
		return false;
	peer_check(!rdma_get_cm_event(channel, &ev), "rdma_get_cm_event: %s", strerror(errno));
	p = ev->id->context;
	if (ev->event == RDMA_CM_EVENT_CONNECT_REQUEST) {
		p = new_peer();
		p->id = ev->id;
		p->id->context = p;
	}
	if (ev->event == RDMA_CM_EVENT_CONNECT_REQUEST || ev->event == RDMA_CM_EVENT_ESTABLISHED)
		peer_told = (struct depths) { ev->param.conn.initiator_depth,
					      ev->param.conn.responder_resources };
	if (p) {
		/* A request stays one until somebody looks, though it may be taken back. */
		if (p->event != RDMA_CM_EVENT_CONNECT_REQUEST)
			p->event = ev->event;
		p->established |= ev->event == RDMA_CM_EVENT_ESTABLISHED;
		p->disconnected |= ev->event == RDMA_CM_EVENT_DISCONNECTED;
	}
	rdma_ack_cm_event(ev);
	return true;
}

/* The next event of the current connection, or -1. */
static int cm_next(void)
{
	double end = peer_now() + WAIT;
	int got;

	while (peer->event < 0 && peer_now() < end)
		cm_poll(100);
	got = peer->event;
	peer->event = -1;
	return got;
}

static const char *event_name(int event)
{
	return event < 0 ? "nothing" : rdma_event_str(event);
}

static void cm_wait(int want)
{
	int got = cm_next();

	peer_check(got == want, "expected %s, got %s", event_name(want), event_name(got));
}

static int post_slot(unsigned int slot)
{
	return rdma_post_recv(peer->id, (void *)(uintptr_t)slot,
			      peer->recv_mem + slot * PEER_SLOT_SIZE, PEER_SLOT_SIZE,
			      peer->recv_mr);
}

static void make_qp(void)
{
	struct ibv_qp_init_attr attr = {
		.cap = { .max_send_wr = 4, .max_recv_wr = peer_setup.slots + 1,
			 .max_send_sge = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};
	struct rdma_cm_id *id = peer->id;
	unsigned int i;

	peer->send_cq = ibv_create_cq(id->verbs, 8, NULL, NULL, 0);
	peer->recv_cq = ibv_create_cq(id->verbs, peer_setup.slots + 8, NULL, NULL, 0);
	peer_check(peer->send_cq && peer->recv_cq, "ibv_create_cq: %s", strerror(errno));
	attr.send_cq = peer->send_cq;
	attr.recv_cq = peer->recv_cq;
	peer_check(!rdma_create_qp(id, NULL, &attr), "rdma_create_qp: %s", strerror(errno));
	peer->send_mem = calloc(1, PEER_SEND_SIZE);
	peer->recv_mem = calloc(peer_setup.slots, PEER_SLOT_SIZE);
	peer_check(peer->send_mem && peer->recv_mem, "out of memory");
	peer->send_mr = rdma_reg_msgs(id, peer->send_mem, PEER_SEND_SIZE);
	peer->recv_mr = rdma_reg_msgs(id, peer->recv_mem, peer_setup.slots * PEER_SLOT_SIZE);
	peer_check(peer->send_mr && peer->recv_mr, "rdma_reg_msgs: %s", strerror(errno));
	for (i = 0; i < peer_setup.posted; i++)
		peer_check(!post_slot(i), "rdma_post_recv: %s", strerror(errno));
}

static struct addrinfo *lookup(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *ai;
	int ret = getaddrinfo(peer_addr, peer_port, &hints, &ai);

	peer_check(!ret, "%s: %s", peer_addr, gai_strerror(ret));
	return ai;
}

static struct rdma_cm_id *make_id(struct peer *p)
{
	struct rdma_cm_id *id;

	if (!channel)
		channel = rdma_create_event_channel();
	peer_check(channel, "rdma_create_event_channel: %s", strerror(errno));
	peer_check(!rdma_create_id(channel, &id, p, RDMA_PS_TCP), "rdma_create_id: %s",
		   strerror(errno));
	return id;
}

static struct rdma_conn_param conn_param(void)
{
	return (struct rdma_conn_param) {
		.retry_count = 7, .rnr_retry_count = peer_setup.rnr_retry,
		.initiator_depth = peer_depths.initiator,
		.responder_resources = peer_depths.responder,
	};
}

/* Ask for a connection. */
static void connect_begin(void)
{
	struct rdma_conn_param param = conn_param();
	struct addrinfo *ai = lookup();

	peer = new_peer();
	peer->id = make_id(peer);
	peer_check(!rdma_resolve_addr(peer->id, NULL, ai->ai_addr, WAIT * 1000),
		   "rdma_resolve_addr: %s", strerror(errno));
	cm_wait(RDMA_CM_EVENT_ADDR_RESOLVED);
	peer_check(!rdma_resolve_route(peer->id, WAIT * 1000), "rdma_resolve_route: %s",
		   strerror(errno));
	cm_wait(RDMA_CM_EVENT_ROUTE_RESOLVED);
	make_qp();
	peer_check(!rdma_connect(peer->id, &param), "rdma_connect: %s", strerror(errno));
	freeaddrinfo(ai);
}

bool peer_try_connect(void)
{
	int got;

	connect_begin();
	got = cm_next();
	if (got == RDMA_CM_EVENT_ESTABLISHED)
		return true;
	peer_check(got == RDMA_CM_EVENT_REJECTED || got == RDMA_CM_EVENT_UNREACHABLE,
		   "not connected, but %s", event_name(got));
	peer_let_go();
	return false;
}

void peer_connect(void)
{
	peer_check(peer_try_connect(), "the connection is refused");
}

void peer_let_go(void)
{
	struct peer **p = &peers;

	if (peer->send_cq) {
		rdma_destroy_qp(peer->id);
		rdma_dereg_mr(peer->recv_mr);
		rdma_dereg_mr(peer->send_mr);
		ibv_destroy_cq(peer->send_cq);
		ibv_destroy_cq(peer->recv_cq);
	}
	rdma_destroy_id(peer->id);
	free(peer->recv_mem);
	free(peer->send_mem);
	while (*p != peer)
		p = &(*p)->next;
	*p = peer->next;
	free(peer);
	peer = NULL;
}

/* A connection that has ended for us takes a place in the backlog until it has ended there. */
void peer_connect_when_free(void)
{
	double end = peer_now() + WAIT;

	while (!peer_try_connect()) {
		peer_check(peer_now() < end, "the connection is still refused after %d s", WAIT);
		usleep(20000);
	}
}

static struct ibv_device *device(void)
{
	return (peer ? peer->id : listener)->verbs->device;
}

bool peer_iwarp(void)
{
	return device()->transport_type == IBV_TRANSPORT_IWARP;
}

bool peer_siw(void)
{
	return !strncmp(ibv_get_device_name(device()), "siw", 3);
}

static void modify_qp(enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = { .qp_state = state };
	int mask;

	peer_check(!rdma_init_qp_attr(peer->id, &attr, &mask) &&
		   !ibv_modify_qp(peer->id->qp, &attr, mask),
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
	qp = peer->id->qp;
	peer->id->qp = NULL;
	cm_wait(RDMA_CM_EVENT_CONNECT_RESPONSE);
	peer->id->qp = qp;
	modify_qp(IBV_QPS_RTR);
	modify_qp(IBV_QPS_RTS);
}

/* The other half. */
void peer_connect_rest(void)
{
	struct ibv_qp *qp = peer->id->qp;
	int ret;

	if (peer_iwarp())
		return;
	peer->id->qp = NULL;
	ret = rdma_establish(peer->id);
	peer->id->qp = qp;
	peer_check(!ret, "rdma_establish: %s", strerror(errno));
}

void peer_listen(void)
{
	struct addrinfo *ai = lookup();

	listener = make_id(NULL);
	peer_check(!rdma_bind_addr(listener, ai->ai_addr), "rdma_bind_addr: %s", strerror(errno));
	peer_check(!rdma_listen(listener, 64), "rdma_listen: %s", strerror(errno));
	freeaddrinfo(ai);
}

bool peer_requested(int ms)
{
	double end = peer_now() + ms / 1e3;

	do {
		for (peer = peers; peer; peer = peer->next)
			if (peer->event == RDMA_CM_EVENT_CONNECT_REQUEST) {
				peer->event = -1;
				return true;
			}
		cm_poll(ms < 100 ? ms : 100);
	} while (peer_now() < end);
	return false;
}

void peer_await(void)
{
	peer_check(peer_requested(WAIT * 1000), "no connection request");
}

void peer_reject(void)
{
	/* Fails when the other side has taken it back, with an errno that depends on the driver. */
	rdma_reject(peer->id, NULL, 0);
	peer_let_go();
}

bool peer_accept_begin(void)
{
	struct rdma_conn_param param = conn_param();

	make_qp();
	return !rdma_accept(peer->id, &param);
}

void peer_accept(void)
{
	peer_check(peer_accept_begin(), "rdma_accept: %s", strerror(errno));
	cm_wait(RDMA_CM_EVENT_ESTABLISHED);
}

bool peer_connected(void)
{
	while (cm_poll(0))
		;
	return !peer->disconnected;
}

/* A message if there is one, valid until peer_done(). */
const struct msg *peer_take(void)
{
	struct msg *m = &peer->last;
	struct ibv_wc wc;
	int n;

	if (peer->held) {
		peer->held = false;
		return m;
	}
	n = ibv_poll_cq(peer->recv_cq, 1, &wc);
	peer_check(n >= 0, "ibv_poll_cq: %d", n);
	if (!n)
		return NULL;
	if (wc.status != IBV_WC_SUCCESS) {
		peer->flushed = true;
		return NULL;
	}
	peer->last_slot = wc.wr_id;
	*m = (struct msg) { .raw = peer->recv_mem + wc.wr_id * PEER_SLOT_SIZE,
			    .len = wc.byte_len };
	if (m->len >= DATA_SIZE)
		peer_get(m, m->raw, DATA_FIELDS);
	rules_received(m);
	return m;
}

const struct msg *peer_poll(int ms)
{
	double start = peer_now();
	unsigned int spin = 0;

	for (;;) {
		const struct msg *m = peer_take();

		if (m || peer->flushed)
			return m;
		if (++spin % 64)
			continue;
		/* What came before the end counts. */
		if (!peer_connected())
			return peer_take();
		if (peer_now() >= start + ms / 1e3)
			return NULL;
		rest(start);
	}
}

/* The same; the program ends when time is up. */
const struct msg *peer_recv(int timeout)
{
	const struct msg *m = peer_poll(timeout * 1000);

	peer_check(m || peer->flushed || !peer_connected(), "nothing came for %d s", timeout);
	return m;
}

/*
 * siw forgets a message that arrives while it accepts, after its reply and before it listens to
 * the socket as a queue pair: no message will ever come then. Has one come?
 */
bool peer_is_deaf(void)
{
	if (!peer_siw())
		return false;
	peer->held = peer_poll(1000);
	return !peer->held && peer_connected();
}

bool peer_silent(int ms)
{
	double start = peer_now();

	while (peer_now() < start + ms / 1e3) {
		if (peer_take() || peer->flushed || !peer_connected())
			return false;
		rest(start);
	}
	return true;
}

/* Give the slot of the last message back: one more receive that can be granted. */
void peer_done(void)
{
	if (!post_slot(peer->last_slot) && peer->talking)
		peer->to_grant++;
}

/* The other side has to end it. What it sent before is data; [MS-SMBD] knows no other answer. */
void peer_expect_disconnect(void)
{
	double start = peer_now();
	const struct msg *m;
	bool more = true;

	while (more) {
		/* What came before the end is looked at, too. */
		more = peer_connected();
		peer_check(!more || peer_now() < start + GONE, "still connected after %d s", GONE);
		while ((m = peer_take()))
			peer_check(peer->talking, "%u bytes instead of the end", m->len);
		rest(start);
	}
}

/* End it and let go of everything, so that a scenario can have another connection. */
void peer_disconnect(void)
{
	double end = peer_now() + WAIT;

	/* Who has a credit answers, or has ended it. */
	while (peer->asked_at && peer_poll((ANSWER + 1) * 1000))
		peer_done();
	if (peer->asked_at && !peer->flushed && peer_connected())
		peer_broken("no answer for %d s", ANSWER);
	while (peer_take())
		;
	rdma_disconnect(peer->id);
	while (!peer->disconnected && peer_now() < end)
		cm_poll(100);
	peer_let_go();
}

/* One send is through, well or badly. siw forgets those that it is given too late. */
static void send_wait(void)
{
	double end = peer_now() + WAIT;
	unsigned int spin = 0;
	bool more = true;
	struct ibv_wc wc;
	int n;

	do {
		/* What completed before the end counts. */
		if (++spin % 1024 == 0)
			more = peer_connected();
		n = ibv_poll_cq(peer->send_cq, 1, &wc);
		peer_check(n >= 0, "ibv_poll_cq: %d", n);
		peer_check(n || peer_now() < end, "a send did not complete");
		/* The device's worker may need this CPU. */
		if (!n)
			sched_yield();
	} while (!n && more);
	peer->failed |= !n || wc.status != IBV_WC_SUCCESS;
}

/*
 * A message is about to be sent: what it gives, before the other side can use it. The first
 * is the negotiation's, whatever it is; those after it are data to the other side.
 */
static void account(const uint8_t *buf, uint32_t len)
{
	struct data d;

	peer_check(len <= PEER_SEND_SIZE, "message of %u bytes", len);
	memcpy(peer->send_mem, buf, len);
	if (!peer->sent++) {
		peer->first_len = len;
		memcpy(peer->first, buf, len < RESPONSE_SIZE ? len : RESPONSE_SIZE);
		return;
	}
	if (peer->send_credits)
		peer->send_credits--;
	if (len < DATA_SIZE)
		return;
	peer_get(&d, buf, DATA_FIELDS);
	if (d.requested > peer->most_wanted)
		peer->most_wanted = d.requested;
	peer->given += d.granted;
	peer->to_grant -= d.granted < peer->to_grant ? d.granted : peer->to_grant;
	if (d.flags & 1)
		peer->asked = true;
	if (peer->asked && !peer->asked_at && peer->talking && peer->given > peer->came)
		peer->asked_at = peer_now();
}

/* Waits for the completion, but not for its success: scenarios see that later. */
void peer_send_raw(const void *buf, uint32_t len)
{
	account(buf, len);
	if (rdma_post_send(peer->id, NULL, peer->send_mem, len, peer->send_mr, 0))
		peer->failed = true;
	else
		send_wait();
}

bool peer_send_by(enum ibv_wr_opcode op, const void *buf, uint32_t len, uint32_t key)
{
	struct ibv_sge sge = { .addr = (uintptr_t)peer->send_mem, .length = len,
			       .lkey = peer->send_mr->lkey };
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
	if (imm)
		wr.imm_data = key;
	else
		wr.invalidate_rkey = key;
	peer_check(!ibv_post_send(peer->id->qp, &wr, &bad), "ibv_post_send: %s", strerror(errno));
	send_wait();
	return true;
}
