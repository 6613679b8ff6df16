// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The credit ledger, explored exhaustively.
 *
 * Two endpoints, joined by a queue in each direction that neither loses nor
 * reorders, run the real credits.c under a pump that is smbdr_tx_pump() and
 * smbdr_recv_refill() reduced to what concerns credits. From the state after
 * negotiation every order of events is followed: a user queues a message, a
 * message arrives, a send completes, a reader reads, a keepalive is due, a
 * user raises what it asks for, a user closes. What users do is bounded, the
 * rest is not, so the exploration ends by itself, and a connection that never
 * comes to rest shows as a bound that is exceeded.
 *
 * In place of one side there may be a peer that follows the policy of the
 * kernel's own smbdirect.ko (fs/smb/smbdirect/connection.c in Linux 7.3),
 * which does not grant above the target and holds a receive until its
 * payload was read.
 *
 * After every event:
 *  - announced <= posted, and messages on their way find a receive;
 *  - what one side announced is what the other holds, plus what is on its way;
 *  - our last credit went with a grant; so did a keepalive and its answer;
 *  - no message without payload came between two fragments;
 *  - the messages without payload since anything was asked for are few.
 * And whenever nothing is on its way and everything was read:
 *  - nobody has anything left to say;
 *  - either side can still get a message across.
 *
 * The name of a configuration says: who is active, then for each side the
 * target it asks for, the most it posts, and where its window starts.
 *
 * Exit status: 0, or VIOLATION if a rule was broken. Anything else means that
 * the exploration itself failed and says nothing about the ledger.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../smbdirect/credits.c"

#define VIOLATION	2	/* exit status */
#define QUEUE		12	/* messages on their way, each direction */
#define FRAMES		2	/* messages in a send queue */
/* Messages without payload in a row; what matters is that there is a bound. */
#define QUIET_OURS	6
#define QUIET_LINUX	8

enum kind { EMPTY, FRAGMENT, LAST };
enum keepalive { NONE, PENDING, SENT };
enum event { MESSAGE1, MESSAGE2, MESSAGE3, DELIVER, COMPLETE, READ, KEEPALIVE, RAISE, CLOSE,
	     EVENTS };

static const char * const event_name[EVENTS] = {
	"queues 1 fragment", "queues 2 fragments", "queues 3 fragments", "receives",
	"send completes", "reads", "keepalive due", "raises target", "closes",
};

struct wire {
	u8 kind;
	u8 granted;
	u8 requested;
	u8 flag;
};

struct end {
	/* struct smbdr_credits, small */
	u8 send, send_target, recv_target, window, posted, announced, rose;
	u8 keepalive, owed;
	u8 tx[FRAMES];		/* fragments left of each queued message */
	u8 mid;			/* the first of them has been begun */
	u8 in_flight;		/* sends that have not completed */
	u8 in_seq;		/* receiving: between two fragments */
	u8 unread;		/* messages; of the Linux peer: fragments */
	u8 heard;		/* anything from the other side */
	u8 messages, keepalives, raises;	/* what the user may still do */
	u8 closed;
	/* the Linux peer only */
	u8 available, immediate;
};

struct state {
	struct end end[2];
	struct wire queue[2][QUEUE];	/* [x]: toward end x */
	u8 queued[2];
	u8 quiet;
	u8 over;
};

static struct config {
	u8 target[2], max[2], window[2];
	bool linux_peer;	/* end 1 */
	int active;
	u8 slots;		/* sends that may be in flight; 0: any number */
	u8 messages, keepalives, raises, closes;
} cfg;

static const char *broken;	/* what the last event violated */
static u8 most_quiet, most_excess;
static u64 excused;
static bool verbose;	/* -v: every configuration */
static bool quick;	/* -q: the first violation is enough */

static void check(bool ok, const char *what)
{
	if (!ok && !broken)
		broken = what;
}

static bool is_linux(int x)
{
	return x == 1 && cfg.linux_peer;
}

static void load(const struct end *e, int x, struct smbdr_credits *c)
{
	smbdr_credits_init(c, e->send_target, cfg.max[x]);
	c->send = e->send;
	c->recv_target = e->recv_target;
	c->window = e->window;
	c->posted = e->posted;
	c->announced = e->announced;
	c->target_rose = e->rose;
}

static void store(struct end *e, const struct smbdr_credits *c)
{
	check(c->send < 200 && c->posted < 200, "counters run away");
	e->send = c->send;
	e->recv_target = c->recv_target;
	e->window = c->window;
	e->posted = c->posted;
	e->announced = c->announced;
	e->rose = c->target_rose;
}

/* Put a message on its way to the other side. */
static void transmit(struct state *s, int x, struct wire w)
{
	struct end *e = &s->end[x];
	int y = !x;

	if (e->tx[0]) {
		w.kind = --e->tx[0] ? FRAGMENT : LAST;
		e->mid = w.kind == FRAGMENT;
		if (!e->mid) {
			memmove(e->tx, e->tx + 1, FRAMES - 1);
			e->tx[FRAMES - 1] = 0;
		}
		s->quiet = 0;
	} else {
		w.kind = EMPTY;
		if (++s->quiet > most_quiet)
			most_quiet = s->quiet;
		check(s->quiet <= (cfg.linux_peer ? QUIET_LINUX : QUIET_OURS),
		      "messages without payload go on and on");
	}
	if (e->keepalive == PENDING) {
		e->keepalive = SENT;
		w.flag = 1;
	}
	w.requested = e->send_target;
	e->owed = 0;
	if (cfg.slots)
		e->in_flight++;
	check(s->queued[y] < s->end[y].posted, "a message finds no receive posted");
	if (s->queued[y] < QUEUE)
		s->queue[y][s->queued[y]++] = w;
	else
		check(false, "queue of the model too short");
}

/* How full the buffer of a reader is that can take one message. */
static enum smbdr_room room(const struct end *e)
{
	return !e->unread ? SMBDR_ROOM_OPEN : e->unread < 2 ? SMBDR_ROOM_LOW : SMBDR_ROOM_NONE;
}

/* smbdr_tx_pump() and smbdr_recv_refill() */
static void pump_ours(struct state *s, int x)
{
	struct end *e = &s->end[x];
	struct smbdr_credits c;

	load(e, x, &c);
	while (!broken) {
		bool life = e->owed || e->keepalive == PENDING;
		bool last;
		struct wire w = {};
		u32 want = smbdr_credits_want(&c, e->tx[0] || life, life, room(e));

		smbdr_credits_posted(&c, want);
		check(c.announced <= c.posted, "announced more than posted");
		check(c.posted <= max_t(u32, cfg.max[x], 2) + 2, "posted above the limit");
		if (c.posted > cfg.max[x] && c.posted - cfg.max[x] > most_excess)
			most_excess = c.posted - cfg.max[x];
		if (!e->tx[0] && !life && !smbdr_credits_grant_due(&c))
			break;
		if (cfg.slots && e->in_flight == cfg.slots)
			break;
		if (!smbdr_credits_may_send(&c))
			break;
		check(c.send, "sent without a credit");
		last = c.send == 1;
		w.granted = smbdr_credits_spend(&c);
		check(!last || w.granted, "the last credit was spent without a grant");
		check(!life || w.granted || c.announced > 2 || room(e) == SMBDR_ROOM_NONE,
		      "a keepalive or an answer without a grant to a peer that needs it");
		check(e->tx[0] || life || w.granted, "a message that says nothing");
		store(e, &c);
		transmit(s, x, w);
	}
	store(e, &c);
}

/* smbdirect_connection_recv_io_refill() */
static void refill_linux(struct end *e, int x)
{
	int missing = e->recv_target - e->posted;
	int free = cfg.max[x] - e->posted - e->unread;
	int posted = missing < free ? missing : free;

	if (posted <= 0)
		return;
	e->posted += posted;
	e->available += posted;
	if (missing != 1 || e->recv_target == 1)
		e->immediate = 1;
}

static u8 grant_linux(const struct end *e)
{
	int missing = e->recv_target - e->announced;

	return missing <= 0 ? 0 : missing < e->available ? missing : e->available;
}

/* smbdirect_connection_send_single_iter(), first for empty messages, then for data */
static void pump_linux(struct state *s, int x)
{
	struct end *e = &s->end[x];

	while (!broken) {
		u8 tx[FRAMES], granted = grant_linux(e);
		bool empty = !e->mid && (e->immediate || e->owed || e->keepalive == PENDING);
		struct wire w = {};

		if (!empty && !e->tx[0])
			break;
		if (!e->send || (cfg.slots && e->in_flight == cfg.slots))
			break;
		if (e->send == 1 && !granted && !e->announced) {
			refill_linux(e, x);
			granted = grant_linux(e);
			if (!granted)
				break;
		}
		e->send--;
		e->available -= granted;
		e->announced += granted;
		w.granted = granted;
		memcpy(tx, e->tx, sizeof(tx));
		if (empty) {
			/* A keepalive or an answer may find the work queued already. */
			e->immediate = 0;
			memset(e->tx, 0, sizeof(e->tx));
		}
		transmit(s, x, w);
		if (empty)
			memcpy(e->tx, tx, sizeof(tx));
	}
}

static void pump(struct state *s, int x)
{
	struct end *e = &s->end[x];

	if (is_linux(x))
		pump_linux(s, x);
	else
		pump_ours(s, x);
	/* An orderly close disconnects when all was sent. */
	if (e->closed && !e->tx[0] && !e->owed && !e->in_flight)
		s->over = 1;
}

static void deliver_ours(struct end *e, int x, struct wire w)
{
	struct smbdr_credits c;

	load(e, x, &c);
	check(!smbdr_credits_received(&c, w.requested, w.granted), "received without a credit");
	store(e, &c);
	if (w.kind == LAST && !e->closed)
		e->unread++;
}

static void deliver_linux(struct end *e, int x, struct wire w)
{
	u8 target = e->recv_target;

	check(e->announced, "the Linux peer received without a credit");
	e->posted--;
	e->announced--;
	e->recv_target = w.requested < cfg.max[x] ? w.requested : cfg.max[x];
	e->send += w.granted;
	if (w.kind == EMPTY) {
		refill_linux(e, x);
		return;
	}
	e->unread++;
	if (e->announced <= e->recv_target / 4 || e->recv_target > target)
		refill_linux(e, x);
}

static void deliver(struct state *s, int x)
{
	struct end *e = &s->end[x];
	struct wire w = s->queue[x][0];

	s->queued[x]--;
	memmove(s->queue[x], s->queue[x] + 1, sizeof(w) * (QUEUE - 1));
	memset(&s->queue[x][QUEUE - 1], 0, sizeof(w));
	check(!(e->in_seq && w.kind == EMPTY), "a message without payload between fragments");
	e->in_seq = w.kind == EMPTY ? e->in_seq : w.kind == FRAGMENT;
	e->keepalive = NONE;
	e->owed |= w.flag;
	e->heard = 1;
	if (is_linux(x))
		deliver_linux(e, x, w);
	else
		deliver_ours(e, x, w);
}

/* Returns false if the event cannot happen. */
static bool happen(struct state *s, int x, enum event event)
{
	struct end *e = &s->end[x];
	int i;

	switch (event) {
	case MESSAGE1:
	case MESSAGE2:
	case MESSAGE3:
		if (!e->messages || e->closed || e->tx[FRAMES - 1])
			return false;
		for (i = 0; e->tx[i]; i++)
			;
		e->messages--;
		e->tx[i] = event - MESSAGE1 + 1;
		s->quiet = 0;
		break;
	case DELIVER:
		if (!s->queued[x])
			return false;
		deliver(s, x);
		break;
	case COMPLETE:
		if (!e->in_flight)
			return false;
		e->in_flight--;
		break;
	case READ:
		if (!e->unread)
			return false;
		e->unread = 0;
		if (is_linux(x))
			refill_linux(e, x);
		break;
	case KEEPALIVE:
		if (!e->keepalives || e->keepalive != NONE)
			return false;
		e->keepalives--;
		e->keepalive = PENDING;
		s->quiet = 0;
		break;
	case RAISE:
		if (!e->raises || e->send_target == 3)
			return false;
		e->raises--;
		e->send_target = 3;
		s->quiet = 0;
		break;
	case CLOSE:
		if (!cfg.closes || e->closed || s->end[!x].closed)
			return false;
		e->closed = 1;
		e->unread = 0;
		break;
	default:
		return false;
	}
	pump(s, x);
	return true;
}

static bool has_work(const struct end *e)
{
	return e->tx[0] || e->owed || e->keepalive != NONE || e->in_seq || e->mid;
}

static bool at_rest(const struct state *s)
{
	int x;

	for (x = 0; x < 2; x++)
		if (s->queued[x] || s->end[x].unread || s->end[x].in_flight)
			return false;
	return !s->over;
}

/* Everything that needs no user, in a fixed order, until nothing is left. */
static void settle(struct state *s)
{
	bool moved;

	do {
		int x;

		moved = false;
		for (x = 0; x < 2 && !broken && !s->over; x++)
			moved |= happen(s, x, DELIVER) || happen(s, x, COMPLETE) ||
				 happen(s, x, READ);
	} while (moved && !broken && !s->over);
}

/*
 * The Linux peer looks at what is posted, not at what it has announced, when
 * it decides whether a grant is worth a message. It gives receives back one
 * at a time, so it can leave us without a credit although it has receives to
 * offer and a credit to say so. Nothing here can cure that: only it can speak.
 * It does so with its next message, its keepalive at the latest.
 */
static bool linux_keeps_silent(const struct state *s)
{
	const struct end *us = &s->end[0], *them = &s->end[1];

	return cfg.linux_peer && !us->send && them->available && them->send;
}

static void check_live(const struct state *s, int x, const char *what)
{
	if (!has_work(&s->end[x]))
		return;
	if (linux_keeps_silent(s))
		excused++;
	else
		check(false, what);
}

static void check_state(const struct state *s)
{
	int x, i;

	for (x = 0; x < 2; x++) {
		const struct end *e = &s->end[x], *other = &s->end[!x];
		int sum = other->send + s->queued[x];

		for (i = 0; i < s->queued[!x]; i++)
			sum += s->queue[!x][i].granted;
		check(sum == e->announced, "credits were lost or made");
		check(e->announced <= e->posted, "announced more than posted");
	}
	if (broken || !at_rest(s))
		return;
	for (x = 0; x < 2; x++) {
		struct state probe = *s;

		/* Until the active side has spoken the passive one cannot ([MS-SMBD] 3.1.5.6). */
		if (is_linux(!x) && cfg.active != x && !s->end[x].heard)
			continue;
		check_live(s, x, "deadlock: something to say, and only time could help");
		if (s->end[x].closed)
			continue;
		probe.end[x].messages = 1;
		if (!happen(&probe, x, MESSAGE1))
			continue;
		settle(&probe);
		if (!probe.over)
			check_live(&probe, x, "deadlock: at rest, and the next message is stuck");
	}
}

/* The state after the negotiate messages. */
static void initial(struct state *s)
{
	int passive = !cfg.active, x;

	memset(s, 0, sizeof(*s));
	for (x = 0; x < 2; x++) {
		struct end *e = &s->end[x];
		struct smbdr_credits c;
		u16 granted = 0;

		smbdr_credits_init(&c, cfg.target[x], cfg.max[x]);
		c.window = cfg.window[x];
		smbdr_credits_negotiated(&c, cfg.target[!x], 0);
		if (is_linux(x)) {
			c.recv_target = cfg.target[!x] < cfg.max[x] ? cfg.target[!x] : cfg.max[x];
			c.posted = c.recv_target;
			if (x == passive)
				granted = c.announced = c.posted;
			e->available = c.posted - c.announced;
		} else {
			smbdr_credits_posted(&c, smbdr_credits_want(&c, false, false,
								    SMBDR_ROOM_OPEN));
			if (x == passive)
				granted = smbdr_credits_grant_initial(&c, cfg.target[!x]);
		}
		if (x == passive)
			check(granted && granted <= cfg.target[!x], "bad grant in the response");
		c.send = s->end[x].send;
		store(e, &c);
		s->end[!x].send = granted;
		e->send_target = cfg.target[x];
		e->messages = cfg.messages;
		e->keepalives = cfg.keepalives;
		e->raises = cfg.raises;
	}
	/* The loop filled in end 1 after it had looked at it for end 0. */
	if (cfg.active == 0)
		s->end[0].send = s->end[passive].announced;
	pump(s, cfg.active);
}

/* All states found, in the order of their discovery, and an index by hash. */
static struct state *states;
static struct from {
	u32 state;
	u8 who, event;
} *from;
static u32 *table, nr_states, max_states;
#define TABLE_BITS	24

static u32 hash(const struct state *s)
{
	const u8 *p = (const u8 *)s;
	u64 h = 0xcbf29ce484222325ULL, v;
	size_t i;

	for (i = 0; i + 8 <= sizeof(*s); i += 8) {
		memcpy(&v, p + i, 8);
		h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
	}
	for (; i < sizeof(*s); i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return (h ^ h >> 32) & ((1U << TABLE_BITS) - 1);
}

static void add(const struct state *s, u32 parent, int who, enum event event)
{
	u32 slot;

	for (slot = hash(s); table[slot]; slot = (slot + 1) & ((1U << TABLE_BITS) - 1))
		if (!memcmp(&states[table[slot] - 1], s, sizeof(*s)))
			return;
	if (nr_states == max_states) {
		printf("# more than %u states\n", max_states);
		exit(1);
	}
	states[nr_states] = *s;
	from[nr_states] = (struct from) { parent, who, event };
	table[slot] = ++nr_states;
}

static void show(const struct state *s)
{
	int x;

	for (x = 0; x < 2; x++) {
		const struct end *e = &s->end[x];

		printf(" | %c send %u posted %u announced %u queue %u,%u on its way to it %u%s%s%s",
		       'A' + x, e->send, e->posted, e->announced, e->tx[0], e->tx[1],
		       s->queued[x], e->owed ? " owes" : "",
		       e->keepalive ? " keepalive" : "", e->unread ? " unread" : "");
	}
	printf("\n");
}

static void explain(u32 state)
{
	if (state) {
		explain(from[state].state);
		printf("#   %c %s", 'A' + from[state].who, event_name[from[state].event]);
	} else {
		printf("#   established");
	}
	show(&states[state]);
}

/* Returns false after the first state that breaks a rule, with the way to it. */
static bool explore(void)
{
	struct state s;
	u32 i;

	memset(table, 0, sizeof(*table) << TABLE_BITS);
	nr_states = 0;
	broken = NULL;
	initial(&s);
	if (!broken)
		check_state(&s);
	add(&s, 0, 0, 0);
	for (i = 0; i < nr_states && !broken; i++) {
		int x, event;

		if (states[i].over)
			continue;
		for (x = 0; x < 2 && !broken; x++) {
			for (event = 0; event < EVENTS && !broken; event++) {
				s = states[i];
				if (!happen(&s, x, event))
					continue;
				if (!broken)
					check_state(&s);
				if (broken) {
					explain(i);
					printf("#   %c %s", 'A' + x, event_name[event]);
					show(&s);
				} else {
					add(&s, i, x, event);
				}
			}
		}
	}
	if (broken)
		printf("# %s\n", broken);
	return !broken;
}

static u64 total;

static bool run(void)
{
	bool ok = explore();

	total += nr_states;
	if (!ok || verbose)
		printf("# %s active, A %u/%u/%u, %s %u/%u/%u, %u sends, %u messages, %u keepalives, %u raises, %u closes: %u states\n",
		       cfg.active ? "B" : "A", cfg.target[0], cfg.max[0], cfg.window[0],
		       cfg.linux_peer ? "Linux" : "B", cfg.target[1], cfg.max[1], cfg.window[1],
		       cfg.slots, cfg.messages, cfg.keepalives, cfg.raises, cfg.closes, nr_states);
	return ok;
}

/* Every pair of targets and maxima. Two of our own ends are the same either way round. */
static bool sweep(const struct config *base)
{
	bool ok = true;
	int n;

	for (n = 0; n < 81 * (base->linux_peer ? 2 : 1); n++) {
		cfg = *base;
		cfg.target[0] = n % 3 + 1;
		cfg.target[1] = n / 3 % 3 + 1;
		cfg.max[0] = n / 9 % 3 + 1;
		cfg.max[1] = n / 27 % 3 + 1;
		cfg.active = n / 81;
		if (!cfg.window[0]) {
			cfg.window[0] = cfg.max[0];
			cfg.window[1] = cfg.max[1];
		}
		if (!run())
			ok = false;
		if (!ok && quick) {
			printf("%s\n", broken);
			exit(VIOLATION);
		}
	}
	return ok;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		struct config cfg;
	} sweeps[] = {
		{ "messages", { .messages = 2 } },
		{ "messages, a keepalive each", { .messages = 1, .keepalives = 1 } },
		{ "keepalives only", { .keepalives = 3 } },
		{ "messages, close", { .messages = 1, .keepalives = 1, .closes = 1 } },
		{ "one send at a time", { .messages = 1, .keepalives = 1, .slots = 1 } },
		{ "two sends at a time", { .messages = 2, .slots = 2 } },
		{ "small window", { .messages = 2, .window = { 1, 1 } } },
		{ "target raised", { .messages = 1, .keepalives = 1, .raises = 1 } },
		{ "Linux peer, messages", { .linux_peer = true, .messages = 2 } },
		{ "Linux peer, keepalives", { .linux_peer = true, .messages = 1, .keepalives = 1 } },
		{ "Linux peer, close", { .linux_peer = true, .messages = 1, .closes = 1 } },
		{ "Linux peer, small window", { .linux_peer = true, .messages = 1, .keepalives = 1,
						.window = { 1, 1 } } },
		{ "Linux peer, target raised", { .linux_peer = true, .messages = 1, .raises = 1 } },
	};
	u32 i, failed = 0, n = sizeof(sweeps) / sizeof(sweeps[0]);

	verbose = argc > 1 && !strcmp(argv[1], "-v");
	quick = argc > 1 && !strcmp(argv[1], "-q");
	max_states = (1U << TABLE_BITS) / 4 * 3;
	states = malloc(sizeof(*states) * max_states);
	from = malloc(sizeof(*from) * max_states);
	table = malloc(sizeof(*table) << TABLE_BITS);
	if (!states || !from || !table) {
		printf("# no memory for %u states\n", max_states);
		return 1;
	}

	printf("TAP version 13\n1..%u\n", n);
	for (i = 0; i < n; i++) {
		u64 before = total;
		bool ok = sweep(&sweeps[i].cfg);

		failed += !ok;
		printf("%s %u - credits: %s # %llu states\n", ok ? "ok" : "not ok", i + 1,
		       sweeps[i].name, (unsigned long long)(total - before));
		fflush(stdout);
	}
	printf("# %llu states; at most %u messages without payload in a row, %u receives above the maximum\n",
	       (unsigned long long)total, most_quiet, most_excess);
	printf("# %llu times the Linux peer left us without a credit\n", (unsigned long long)excused);
	printf("%u passed, %u failed\n", n - failed, failed);
	return failed ? VIOLATION : 0;
}
