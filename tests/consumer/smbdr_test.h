/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smbdr_test.ko: what its files share. See main.c for the parameters.
 *
 * Lengths are bytes, times are milliseconds. Everything here may sleep.
 */
#ifndef SMBDR_TEST_H
#define SMBDR_TEST_H

#include <kunit/test.h>
#include <linux/in.h>
#include <linux/in6.h>
#include "../lib/lib.h"

#define ST_DEFAULT_FRAME_LIMIT	BIT(20)

/**
 * struct st_opts - SOL_SMBDIRECT options of one end; 0 keeps the default
 * @max_send: SMBDIRECT_MAX_SEND_SIZE
 * @max_recv: SMBDIRECT_MAX_RECV_SIZE
 * @max_frag: SMBDIRECT_MAX_FRAGMENTED_SIZE
 * @max_rw: SMBDIRECT_MAX_READ_WRITE_SIZE
 * @send_credits: SMBDIRECT_SEND_CREDITS
 * @recv_credits: SMBDIRECT_RECV_CREDITS
 * @ka_interval: SMBDIRECT_KEEPALIVE_INTERVAL
 * @ka_timeout: SMBDIRECT_KEEPALIVE_TIMEOUT
 * @connect_timeout: SMBDIRECT_CONNECT_TIMEOUT
 * @negotiate_timeout: SMBDIRECT_NEGOTIATE_TIMEOUT
 * @initiator_depth: SMBDIRECT_INITIATOR_DEPTH
 * @responder_resources: SMBDIRECT_RESPONDER_RESOURCES
 */
struct st_opts {
	int max_send;
	int max_recv;
	int max_frag;
	int max_rw;
	int send_credits;
	int recv_credits;
	int ka_interval;
	int ka_timeout;
	int connect_timeout;
	int negotiate_timeout;
	int initiator_depth;
	int responder_resources;
};

/* A listener and one connection made through it. */
struct st_pair {
	struct socket *ls;	/* listener */
	struct socket *c;	/* the end that connected */
	struct socket *s;	/* the end that was accepted */
};

/* Parameters that turn a byte stream into calls, see st_recv_frame(). */
#define ST_WHOLE	0	/* chunk: header and body in one call each */

static inline bool st_ours(void)
{
	return st_cfg.proto == IPPROTO_SMBDIRECT;
}

/*
 * A line of a list of cases: those behind it are there for some beds only, up
 * to the next such line. See st_choose_cases().
 */
#define ST_ONLY(bed)	{ .name = #bed, .run_case = st_only_##bed }
#define ST_ALWAYS	ST_ONLY(always)
void st_only_always(struct kunit *test);
void st_only_ours(struct kunit *test);	/* SMB Direct, not TCP */
void st_only_v4(struct kunit *test);
void st_only_v6_ours(struct kunit *test);
void st_only_siw(struct kunit *test);	/* a driver that connects by TCP, see st_cfg.silent */
void st_choose_cases(struct kunit_suite **suites, int n);

/* lib.c */
int st_parse_opt(const char *word, struct st_opts *o);
int st_apply(struct socket *sock, const struct st_opts *o);
int st_info(struct socket *sock, struct smbdirect_info *info);
unsigned int st_scaled(unsigned int n, unsigned int min);
u16 st_port(void);
int st_socket(struct socket **sock);
int st_bind(struct socket *sock, u16 port);
int st_connect(struct socket *sock, u16 port, int flags);
int st_listen_at(struct net *net, const struct sockaddr_storage *at, u16 port, int backlog,
		 const struct st_opts *o, struct socket **ls);
int st_listen(u16 port, const struct st_opts *o, struct socket **ls);
int st_dial_at(const struct sockaddr_storage *to, u16 port, const struct st_opts *o,
	       struct socket **sock);
int st_dial(u16 port, const struct st_opts *o, struct socket **sock);
int st_pair_open_at(struct st_pair *p, struct net *net, const struct sockaddr_storage *at,
		    const struct st_opts *server, const struct st_opts *client);
int st_pair_open(struct st_pair *p, const struct st_opts *server,
		 const struct st_opts *client);
void st_pair_close(struct st_pair *p);
unsigned int st_soon(void);
u64 st_median(u64 *values, unsigned int n);
int st_suite_init(struct kunit *test);

/* rdma_lib.c: the counters in /proc/net/smbdirect */
void st_counters_open(void);
void st_counters_close(void);
u64 st_counter(const char *name);

/* Jobs, see main.c. */
int st_exchange(char *line, struct seq_buf *report);
int st_fuzz(char *line, struct seq_buf *report);
int st_storm(char *line, struct seq_buf *report);
int st_storm_end(bool ended, struct seq_buf *report);
int st_smb2(char *line, struct seq_buf *report);
int st_echo(char *line, struct seq_buf *report);
int st_echo_stop(void);
int st_client(char *line, struct seq_buf *report);

#endif /* SMBDR_TEST_H */
