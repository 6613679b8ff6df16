// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing by structure: connections that are mostly well-formed and a little
 * wrong.
 *
 *	smbdr-peer fuzz ADDR PORT SEED COUNT
 *	smbdr-peer fuzz_clients ADDR PORT SEED COUNT
 *
 * The first connects to a server, the second is the server of a client in the
 * kernel (client.c), which has to come to an end with an error that users know.
 *
 * COUNT connections, of the first some at a time, each in a process of its own and each a
 * function of SEED and its number alone, so that "SEED+NUMBER 1" plays one of
 * them again. Each negotiates, sends frames, sometimes with wrong fields,
 * sizes, credits, operations or order, or with nothing wrong in one of four, so that more is
 * said, and ends in one way or another. Where
 * the other side ends it is its business, but what it says until then has to be right
 * (rules.c), and it has to go on: after every few connections a good one has to
 * work. Its kernel's log is for the caller.
 *
 * The rules know what was really sent, true or not: a credit that was granted with a wild
 * number is one, and a message without a credit uses one up. That can only
 * allow the other side more than it knows of, as it cannot have seen more than was sent. One
 * rule does not hold here, that nobody asks whether we are alive: a client has short
 * timers, and a server on iWARP asks at its end, which comes when a frame is larger than we
 * said that we take.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "peer.h"

#define BETWEEN	50	/* connections between two good ones */
#define AT_ONCE	8	/* some of them wait for timers of the other side */
#define PATIENCE 60	/* seconds for one connection, far above all its waits together */

/* Edges of what the protocol and the other side's types know. */
static const uint32_t edges[] = {
	0, 1, 2, 19, 20, 23, 24, 25, 31, 32, 127, 128, 129, 254, 255, 256, 1023, 1024, 1025,
	8136, 8191, 8192, 8193, 0x7fff, 0x8000, 0xffff, 0x10000, 131071, 131072, 1048575, 1048576,
	1048577, 0xffffff, 0x1000000, 0x7fffffff, 0x80000000, 0xffffff00, 0xfffffff8, 0xffffffff,
};

static uint64_t state;
static int ready[2];	/* a pipe: the server listens */
static bool serves;	/* the other side is a client */
static bool heard;	/* its message of the negotiation */
static bool careful;	/* no mistakes in our messages */

/* Of all processes: clients that came, connections that agreed, messages that the rules judged. */
static struct {
	uint32_t came, agreed, judged;
	bool siw;
} *seen;

/* splitmix64: every seed is as good as any other. */
static uint32_t rnd(uint32_t below)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return (uint32_t)(z >> 32) % below;
}

static bool one_in(uint32_t n)
{
	return !rnd(n);
}

static uint32_t odd(void)
{
	switch (rnd(3)) {
	case 0:
		return edges[rnd(ARRAY_LEN(edges))];
	case 1:
		return rnd(70000);
	default:
		return rnd(0xffffffff);
	}
}

/* One of the fields of a message gets another value. */
static void spoil(void *fields, uint32_t shorts, uint32_t longs)
{
	uint32_t i = rnd(shorts + longs);

	if (i < shorts)
		((uint16_t *)fields)[i] = odd();
	else
		((uint32_t *)fields)[i - shorts / 2] = odd();
}

static void one_more(uint32_t *n)
{
	__atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

/* Was the first message of ours a request that a server may say yes to? */
static bool good_request(struct request *r)
{
	peer_get(r, peer->first, REQUEST_FIELDS);
	return peer->first_len >= REQUEST_SIZE && peer->first_len <= 512 && r->min <= 0x0100 &&
	       r->max >= 0x0100 && r->credits && r->maxrecv >= 128 && r->maxfrag >= 131072;
}

/* The same of a response, and the client's request is here. */
static bool good_response(struct response *r)
{
	peer_get(r, peer->first, RESPONSE_FIELDS);
	return peer->first_len >= RESPONSE_SIZE && peer->first_len <= 512 && !r->status &&
	       r->version == 0x0100 && r->requested && r->granted && r->maxrecv >= 128 &&
	       r->maxfrag >= 131072 && r->preferred <= peer->max_send;
}

/* The client's request is here and something was sent: is it data from here on? */
static void serving(void)
{
	struct response r;

	if (heard && peer->sent && !peer->talking && good_response(&r)) {
		peer_start_serving(&r);
		one_more(&seen->agreed);
	}
}

static void take_first(const struct msg *m)
{
	struct response resp;
	struct request r;
	bool good;

	must(!heard, "%u bytes, but nothing is agreed on", m->len);
	heard = true;
	if (serves) {
		must(m->len == 20, "a request of %u bytes", m->len);
		peer_take_request(m);
		serving();
		return;
	}
	peer_get(&resp, m->raw, RESPONSE_FIELDS);
	resp.wirelen = m->len;
	good = good_request(&r);
	rules_response(&resp, &r);
	must(good || resp.status, "a request that is wrong is taken");
	if (!resp.status) {
		peer_start(&r, &resp);
		one_more(&seen->agreed);
	}
}

/* An echo server: all that we ever send is zeros. */
static void take_data(const struct msg *m)
{
	uint32_t i;

	for (i = 0; i < m->datalen && !serves; i++)
		must(!m->raw[m->offset + i], "we have not sent 0x%02x", m->raw[m->offset + i]);
}

static void take(const struct msg *m)
{
	(peer->talking ? take_data : take_first)(m);
	one_more(&seen->judged);
	peer_done();
}

/* Whatever has come by now, and until there are credits if we mean to be good. */
static void receive(bool wait)
{
	const struct msg *m;

	while ((m = peer_poll(wait && !peer->send_credits ? 20 : 0)))
		take(m);
}

static void operation(void)
{
	static const enum ibv_wr_opcode ops[] = {
		IBV_WR_SEND_WITH_IMM, IBV_WR_RDMA_WRITE_WITH_IMM, IBV_WR_SEND_WITH_INV,
	};
	uint8_t b[24] = { 10, 0, 1 };

	peer_send_by(ops[rnd(3)], b, one_in(2) ? 20 : rnd(25), odd());
}

/* Several messages: a frame in fragments, more or less. */
static void messages(void)
{
	uint32_t n, left = 0;

	for (n = 1 + rnd(40); n || (careful && left); n -= !!n) {
		struct data d = { .requested = 1 + rnd(254), .granted = peer->to_grant };
		uint32_t room = peer->max_send > 24 ? peer->max_send - 24 : 1;
		static uint8_t payload[PEER_SLOT_SIZE];
		uint32_t datalen, offset;

		receive(careful || !one_in(20));
		if (!peer_connected() || (careful && !peer->send_credits))
			return;
		/* [MS-SMBD] 3.1.5.9: the last credit goes with a grant. */
		if (careful && peer->send_credits == 1 && !d.granted)
			d.granted = peer->to_grant ? peer->to_grant : 1;
		if (!left)
			left = one_in(4) ? rnd(200000) : rnd(3000);
		datalen = one_in(3) ? rnd(room) : room;
		if (datalen > left)
			datalen = left;
		offset = datalen ? 24 : 0;
		d.datalen = datalen;
		d.offset = offset;
		d.remaining = left - datalen;
		d.payload = payload;
		if (!careful && one_in(8)) {
			switch (rnd(8)) {
			case 0:
				d.flags = 1;
				break;
			case 1:
				d.remaining++;
				break;
			case 2:
				d.wirelen = rnd(PEER_SLOT_SIZE + 1);
				break;
			case 3:
				operation();
				break;
			default:
				spoil(&d, DATA_FIELDS);
				break;
			}
		}
		if (d.datalen == datalen && d.offset == offset) {
			left = d.remaining;
			peer_send_data(&d);
		} else {
			/* The fields say something else than what is there. */
			uint8_t b[PEER_SLOT_SIZE] = {};

			peer_put(b, &d, DATA_FIELDS);
			peer_send_raw(b, one_in(2) ? 20 + rnd(100) : rnd(sizeof(b)));
		}
		if (one_in(16))
			usleep(rnd(3000));
	}
}

/* Who is asked answers (peer_disconnect() waits for it), or has found a mistake and ends. */
static void ask_and_end(void)
{
	receive(true);
	if (peer->talking && peer->send_credits && peer_connected())
		peer_send_empty(peer->to_grant ? peer->to_grant : 1, 1);
	peer_disconnect();
}

static void connection(void)
{
	struct request r = { .min = 0x0100, .max = 0x0100, .credits = 1 + rnd(254),
			     .preferred = 128 + rnd(8064), .maxrecv = 128 + rnd(8064),
			     .maxfrag = 131072 + rnd(1048576) };
	const struct msg *m;

	careful = one_in(4);
	peer_connect();
	peer_setup.may_be_asked = peer_iwarp();
	if (one_in(16)) {
		uint8_t b[512];
		uint32_t i, len = rnd(sizeof(b));

		for (i = 0; i < len; i++)
			b[i] = rnd(256);
		peer_send_raw(b, len);
	}
	switch (rnd(16)) {
	case 0 ... 5:
		spoil(&r, REQUEST_FIELDS);
		break;
	case 6:
		r.wirelen = rnd(512) + 1;
		break;
	case 7:
		messages();
		break;
	}
	peer_send_request(&r);
	if (one_in(16))
		peer_send_request(&r);
	m = peer_poll(one_in(16) ? 0 : 300);
	if (m)
		take(m);
	messages();
	if (one_in(3))
		ask_and_end();
	else if (one_in(2))
		while ((m = peer_poll(20)))
			take(m);
	/* And else it is just gone. */
}

static void serve(void)
{
	struct response r = welcome;
	const struct msg *m;

	careful = one_in(4);
	r.requested = 1 + rnd(254);
	r.granted = 1 + rnd(100);
	r.preferred = 128 + rnd(8064);
	r.maxrecv = 128 + rnd(8064);
	r.maxfrag = 131072 + rnd(1048576);
	if (one_in(16)) {
		usleep(rnd(20000));
		peer_reject();
		exit(0);
	}
	peer_accept();
	m = peer_poll(one_in(16) ? 0 : 300);
	if (m)
		take(m);
	switch (rnd(20)) {
	case 0 ... 9:
		spoil(&r, RESPONSE_FIELDS);
		break;
	case 10:
		r.wirelen = rnd(512) + 1;
		break;
	case 11:
		messages();
		break;
	case 12:
		operation();
		break;
	}
	peer_send_response(&r);
	serving();
	if (one_in(16))
		peer_send_response(&r);
	messages();
}

/* What a user of a client can meet, whatever its server does: the documentation's list. */
static bool known(const char *outcome)
{
	static const int errnos[] = {
		0, ECONNABORTED, ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT,
	};
	int err;
	size_t i;

	if (sscanf(outcome, "%*s %d", &err) != 1)
		return false;
	for (i = 0; i < ARRAY_LEN(errnos) && errnos[i] != err; i++)
		;
	return i < ARRAY_LEN(errnos);
}

/* In a process of its own, which may end at any place. */
static void server(void)
{
	serves = true;
	peer_setup.may_be_asked = true;
	peer_listen();
	seen->siw = peer_siw();
	peer_check(write(ready[1], "", 1) == 1, "pipe");
	peer_await();
	one_more(&seen->came);
	serve();
	if (peer_connected() && one_in(2))
		ask_and_end();
}

/* In a process that has to end well. */
static void good(void)
{
	peer_exchange(&normal, 20000);
}

/* Run @f in a process of its own. */
static pid_t apart(void (*f)(void), bool quiet)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	peer_check(pid >= 0, "fork failed");
	if (!pid) {
		if (quiet && !freopen("/dev/null", "w", stderr))
			_exit(99);
		alarm(PATIENCE);
		f();
		_exit(0);
	}
	return pid;
}

/* That a connection does not go as its process thought is what we are here for. */
static bool early(int status, uint64_t seed)
{
	peer_check(!WIFSIGNALED(status), "seed %llu: signal %d", (unsigned long long)seed,
		   WTERMSIG(status));
	peer_check(WEXITSTATUS(status) != BROKEN, "seed %llu: it broke a rule",
		   (unsigned long long)seed);
	return WEXITSTATUS(status);
}

/* Is one more over? Did it end early? */
static bool reap(uint64_t first, pid_t *pids, uint32_t n, uint32_t *ended)
{
	int status;
	pid_t pid = wait(&status);
	uint32_t i;

	if (pid < 0)
		return false;
	for (i = 0; i < n && pids[i] != pid; i++)
		;
	*ended += early(status, first + i);
	return true;
}

static void begin(void)
{
	peer_loud = dup(STDERR_FILENO);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	peer_check(seen != MAP_FAILED, "mmap: %s", strerror(errno));
}

/* If nobody agrees with us there is nothing to judge. A few that are played again prove nothing. */
static void end(uint32_t count)
{
	printf("%u agreed, %u messages judged\n", seen->agreed, seen->judged);
	peer_check(count < BETWEEN || (seen->agreed >= count / 3 && seen->judged >= 2 * count),
		   "of %u connections %u agreed, and %u messages came", count, seen->agreed,
		   seen->judged);
}

/*
 * siw can lose the request of a client, of which the server then hears nothing.
 * Two timers of siw end that: five seconds after it accepted the TCP connection
 * the server's end closes it, and ten seconds after it sent the request the
 * client's end gives up. Nothing else may keep a client away.
 */
static bool siw_lost(const char *outcome, double age)
{
	return seen->siw && ((age > 4.9 && !strcmp(outcome, "connect 104")) ||
			       (age > 9.9 && !strcmp(outcome, "connect 110")));
}

void peer_fuzz(uint64_t seed, uint32_t count)
{
	uint32_t done, ended = 0;

	begin();
	for (done = 0; done < count; done += BETWEEN) {
		uint32_t i, n = count - done < BETWEEN ? count - done : BETWEEN;
		pid_t pids[BETWEEN];
		int status;

		for (i = 0; i < n; i++) {
			if (i >= AT_ONCE)
				reap(seed + done, pids, i, &ended);
			state = seed + done + i;
			pids[i] = apart(connection, true);
		}
		while (reap(seed + done, pids, n, &ended))
			;
		peer_check(waitpid(apart(good, false), &status, 0) > 0 && !status,
			   "no good connection after seeds %llu to %llu",
			   (unsigned long long)seed + done, (unsigned long long)seed + done + n - 1);
	}
	printf("%u connections from seed %llu, %u ended early\n", count,
	       (unsigned long long)seed, ended);
	end(count);
}

void peer_fuzz_clients(uint64_t seed, uint32_t count)
{
	uint32_t done, ended = 0, unlike = 0, lost = 0;

	begin();
	peer_check(!pipe(ready), "pipe");
	for (done = 0; done < count; done++) {
		int status;
		const char *got;
		uint32_t bytes;
		char c;
		pid_t pid;

		state = seed + done;
		bytes = one_in(4) ? 0 : 1 + rnd(30000);
		pid = apart(server, true);
		peer_check(read(ready[0], &c, 1) == 1, "pipe");
		client_start(bytes, "negotiate=1000 interval=1000 timeout=1000");
		got = client_outcome();
		peer_check(known(got), "seed %llu: the client came to \"%s\"",
			   (unsigned long long)seed + done, got);
		unlike += strcmp(got, "done 0") != 0;
		/* Its server would wait for ever. */
		if (seen->came + lost == done) {
			peer_check(siw_lost(got, client_age()),
				   "seed %llu: the client did not come, but to \"%s\" after %.1f s",
				   (unsigned long long)seed + done, got, client_age());
			kill(pid, SIGKILL);
			peer_check(waitpid(pid, NULL, 0) == pid, "waitpid");
			lost++;
			printf("# lost: peer fuzz_clients, seed %llu\n",
			       (unsigned long long)seed + done);
			continue;
		}
		peer_check(waitpid(pid, &status, 0) == pid, "waitpid");
		ended += early(status, seed + done);
	}
	peer_check(lost <= 1 + count / 50, "%u of %u clients did not come", lost, count);
	printf("%u clients from seed %llu, %u lost by siw, %u servers ended early, %u clients without their frame\n",
	       count, (unsigned long long)seed, lost, ended, unlike);
	end(count);
}
