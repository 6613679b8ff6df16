// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets with options, between the addresses of the module's parameters.
 */
#include <linux/slab.h>
#include <linux/sort.h>
#include "smbdr_test.h"

#define ST_OPT(name, opt, member) { name, opt, offsetof(struct st_opts, member) }

static const struct {
	const char *name;	/* on a command line */
	int opt;
	size_t member;
} st_known_opts[] = {
	ST_OPT("max_send=", SMBDIRECT_MAX_SEND_SIZE, max_send),
	ST_OPT("max_recv=", SMBDIRECT_MAX_RECV_SIZE, max_recv),
	ST_OPT("max_frag=", SMBDIRECT_MAX_FRAGMENTED_SIZE, max_frag),
	ST_OPT("max_rw=", SMBDIRECT_MAX_READ_WRITE_SIZE, max_rw),
	ST_OPT("send_credits=", SMBDIRECT_SEND_CREDITS, send_credits),
	ST_OPT("recv_credits=", SMBDIRECT_RECV_CREDITS, recv_credits),
	ST_OPT("interval=", SMBDIRECT_KEEPALIVE_INTERVAL, ka_interval),
	ST_OPT("timeout=", SMBDIRECT_KEEPALIVE_TIMEOUT, ka_timeout),
	ST_OPT("connect=", SMBDIRECT_CONNECT_TIMEOUT, connect_timeout),
	ST_OPT("negotiate=", SMBDIRECT_NEGOTIATE_TIMEOUT, negotiate_timeout),
	ST_OPT("initiator=", SMBDIRECT_INITIATOR_DEPTH, initiator_depth),
	ST_OPT("responder=", SMBDIRECT_RESPONDER_RESOURCES, responder_resources),
};

static atomic_t st_next_port = ATOMIC_INIT(0);

/* One "name=value" of a command line into *@o. */
int st_parse_opt(const char *word, struct st_opts *o)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(st_known_opts); i++) {
		size_t len = strlen(st_known_opts[i].name);

		if (!strncmp(word, st_known_opts[i].name, len))
			return kstrtoint(word + len, 10, (void *)o + st_known_opts[i].member);
	}
	return -EINVAL;
}

/* Nothing to do over TCP, where only the contrast in data is of interest. */
int st_apply(struct socket *sock, const struct st_opts *o)
{
	int i, ret = 0;

	if (!st_ours() || !o)
		return 0;
	for (i = 0; !ret && i < ARRAY_SIZE(st_known_opts); i++) {
		const int *val = (const void *)o + st_known_opts[i].member;

		if (*val)
			ret = st_setopt(sock, SOL_SMBDIRECT, st_known_opts[i].opt, *val);
	}
	return ret;
}

int st_info(struct socket *sock, struct smbdirect_info *info)
{
	int len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return st_read_opt(sock, SOL_SMBDIRECT, SMBDIRECT_INFO, info, &len);
}

unsigned int st_scaled(unsigned int n, unsigned int min)
{
	return max(n * st_cfg.scale / 100, min);
}

/* A port that this module has not used yet, so nothing old answers there. */
u16 st_port(void)
{
	return st_cfg.port + atomic_inc_return(&st_next_port) % 20000;
}

int st_socket(struct socket **sock)
{
	return st_socket_at(&init_net, st_cfg.addr.ss_family, st_cfg.proto, sock);
}

int st_bind(struct socket *sock, u16 port)
{
	return st_bind_addr(sock, &st_cfg.addr, port);
}

int st_connect(struct socket *sock, u16 port, int flags)
{
	return st_connect_addr(sock, &st_cfg.addr, port, flags);
}

int st_listen_at(struct net *net, const struct sockaddr_storage *at, u16 port, int backlog,
		 const struct st_opts *o, struct socket **ls)
{
	int ret = st_socket_at(net, at->ss_family, st_cfg.proto, ls);

	if (ret)
		return ret;
	ret = st_apply(*ls, o);
	if (!ret)
		ret = st_bind_addr(*ls, at, port);
	if (!ret)
		ret = kernel_listen(*ls, backlog);
	if (ret)
		st_release(ls);
	return ret;
}

int st_listen(u16 port, const struct st_opts *o, struct socket **ls)
{
	return st_listen_at(&init_net, &st_cfg.addr, port, ST_BACKLOG, o, ls);
}

int st_dial_at(const struct sockaddr_storage *to, u16 port, const struct st_opts *o,
	       struct socket **sock)
{
	int ret = st_socket_at(&init_net, to->ss_family, st_cfg.proto, sock);

	if (ret)
		return ret;
	ret = st_apply(*sock, o);
	if (!ret)
		ret = st_connect_addr(*sock, to, port, 0);
	if (ret)
		st_release(sock);
	return ret;
}

int st_dial(u16 port, const struct st_opts *o, struct socket **sock)
{
	return st_dial_at(&st_cfg.addr, port, o, sock);
}

/* With siw a port is one of TCP as well, where others may have it. */
static bool st_tcp_has(struct net *net, const struct sockaddr_storage *at, u16 port)
{
	struct socket *sock;
	int ret;

	ret = st_socket_at(net, at->ss_family, IPPROTO_TCP, &sock);
	if (!ret)
		ret = st_bind_addr(sock, at, port);
	st_release(&sock);
	return ret == -EADDRINUSE;
}

/* The listening end lives in @net, the other one in the first namespace. */
int st_pair_open_at(struct st_pair *p, struct net *net, const struct sockaddr_storage *at,
		    const struct st_opts *server, const struct st_opts *client)
{
	int ret, tries = 3;
	u16 port;

	memset(p, 0, sizeof(*p));
	do {
		port = st_port();
		ret = st_listen_at(net, at, port, ST_BACKLOG, server, &p->ls);
	} while (ret == -EADDRINUSE && st_ours() && st_tcp_has(net, at, port) && --tries);
	if (!ret)
		ret = st_dial_at(at, port, client, &p->c);
	if (!ret)
		ret = st_accept(p->ls, &p->s, 0);
	if (ret)
		st_pair_close(p);
	return ret;
}

int st_pair_open(struct st_pair *p, const struct st_opts *server, const struct st_opts *client)
{
	return st_pair_open_at(p, &init_net, &st_cfg.addr, server, client);
}

void st_pair_close(struct st_pair *p)
{
	/* A thread may still use them: leaking is the smaller evil. */
	if (st_stuck())
		return;
	st_release(&p->c);
	st_release(&p->s);
	st_release(&p->ls);
}

static int st_compare(const void *a, const void *b)
{
	return *(const u64 *)a < *(const u64 *)b ? -1 : *(const u64 *)a > *(const u64 *)b;
}

/* Sorts them. */
u64 st_median(u64 *values, unsigned int n)
{
	sort(values, n, sizeof(*values), st_compare, NULL);
	return values[n / 2];
}

#define ST_SOON_PAIRS	9
#define ST_SOON_MIN	500
#define ST_SOON_MAX	5000

/*
 * How long a call may take that waits for nobody, ms. The measure is what a
 * connection takes here and now; the rest is for what else the machine does.
 */
unsigned int st_soon(void)
{
	static unsigned int soon;
	u64 us[ST_SOON_PAIRS];
	struct st_pair p;
	int i;

	for (i = 0; !soon && i < ST_SOON_PAIRS; i++) {
		u64 start = ktime_get_ns();

		if (st_pair_open(&p, NULL, NULL))
			return ST_SOON_MAX;
		us[i] = div_u64(ktime_get_ns() - start, NSEC_PER_USEC);
		st_pair_close(&p);
	}
	if (!soon) {
		soon = clamp_t(u64, div_u64(50 * st_median(us, ST_SOON_PAIRS), USEC_PER_MSEC),
			       ST_SOON_MIN, ST_SOON_MAX);
		pr_info("a connection takes %llu us, soon is %u ms\n",
			us[ST_SOON_PAIRS / 2], soon);
	}
	return soon;
}

/* Markers, which are never run. */
void st_only_always(struct kunit *test) { }
void st_only_ours(struct kunit *test) { }
void st_only_v4(struct kunit *test) { }
void st_only_v6_ours(struct kunit *test) { }
void st_only_siw(struct kunit *test) { }

static const struct st_only {
	void (*mark)(struct kunit *test);
	int proto, family;	/* 0: any */
	bool siw;
} st_only[] = {
	{ st_only_always },
	{ st_only_ours, IPPROTO_SMBDIRECT },
	{ st_only_v4, 0, AF_INET },
	{ st_only_v6_ours, IPPROTO_SMBDIRECT, AF_INET6 },
	{ st_only_siw, IPPROTO_SMBDIRECT, 0, true },
};

/* Is this a marker, and are the cases behind it wanted here? */
static bool st_is_mark(const struct kunit_case *c, bool *wanted)
{
	const struct st_only *o;

	for (o = st_only; o < st_only + ARRAY_SIZE(st_only); o++) {
		if (c->run_case != o->mark)
			continue;
		*wanted = (!o->proto || o->proto == st_cfg.proto) &&
			  (!o->family || o->family == st_cfg.addr.ss_family) &&
			  (!o->siw || !st_cfg.silent.ss_family);
		return true;
	}
	return false;
}

/*
 * Take out of the lists of cases what cannot be on this bed, and the markers:
 * a case that is skipped lacks something that it should have. KUnit looks at
 * the lists when the module is live, that is after its init function.
 */
void st_choose_cases(struct kunit_suite **suites, int n)
{
	struct kunit_case *from, *to;
	bool wanted;
	int i;

	for (i = 0; i < n; i++) {
		wanted = true;
		to = suites[i]->test_cases;
		for (from = to; from->run_case; from++)
			if (!st_is_mark(from, &wanted) && wanted)
				*to++ = *from;
		memset(to, 0, (from - to) * sizeof(*to));
	}
}

/* .init of every suite. */
int st_suite_init(struct kunit *test)
{
	if (!st_stuck())
		return 0;
	kunit_err(test, "an earlier case left a hanging thread");
	return -EBUSY;
}
