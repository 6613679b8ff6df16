/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smbdr_test.ko: what its files share. See main.c for the parameters.
 *
 * Names: st_ is "socket test". Lengths are bytes, times are milliseconds.
 * Everything here may sleep.
 */
#ifndef SMBDR_TEST_H
#define SMBDR_TEST_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/list.h>
#include <linux/net.h>
#include <linux/sched.h>
#include <linux/socket.h>
#include <linux/types.h>
#include <net/sock.h>
#include <uapi/linux/smbdirect.h>

#define ST_BACKLOG	256
#define ST_HDR		4
/* The longest frame that st_pattern() has content for. */
#define ST_PATTERN_MAX	(2U << 20)
#define ST_DEFAULT_FRAME_LIMIT	BIT(20)

/**
 * struct st_cfg - the module parameters, parsed
 * @proto: IPPROTO_SMBDIRECT or IPPROTO_TCP
 * @addr: the address at which both ends live
 * @silent: an address that never answers; ss_family 0 if there is none
 * @port: where the module's range of ports starts
 * @scale: how much of each long test to do, percent
 * @timeout: no socket call may wait longer, ms
 */
struct st_cfg {
	int proto;
	struct sockaddr_storage addr;
	struct sockaddr_storage silent;
	u16 port;
	unsigned int scale;
	unsigned int timeout;
};

extern struct st_cfg st_cfg;

/* One thread beside the test, with the place where it is. */
struct st_thread {
	struct completion done;
	struct task_struct *task;
	int (*fn)(struct st_thread *t);
	void *arg;
	int ret;
	bool make_it_fail;	/* may memory be refused to it? As to who started it */
	char where[64];
};

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

/* lib.c: configuration */
int st_parse_addr(const char *text, struct sockaddr_storage *ss);
int st_parse_opt(const char *word, struct st_opts *o);
unsigned int st_scaled(unsigned int n, unsigned int min);
u16 st_port(void);
int st_lib_init(void);
void st_lib_exit(void);

/* lib.c: sockets; each takes and gives what the socket call does */
int st_socket_at(struct net *net, int family, int proto, struct socket **sock);
int st_socket(struct socket **sock);
void st_release(struct socket **sock);
int st_bind_addr(struct socket *sock, const struct sockaddr_storage *at, u16 port);
int st_connect_addr(struct socket *sock, const struct sockaddr_storage *to,
		    u16 port, int flags);
int st_bind(struct socket *sock, u16 port);
int st_connect(struct socket *sock, u16 port, int flags);
int st_accept(struct socket *ls, struct socket **sock, int flags);
int st_listen(u16 port, const struct st_opts *o, struct socket **ls);
int st_dial(u16 port, const struct st_opts *o, struct socket **sock);
int st_pair_open(struct st_pair *p, const struct st_opts *server,
		 const struct st_opts *client);
void st_pair_close(struct st_pair *p);
int st_setopt(struct socket *sock, int level, int opt, int val);
int st_read_opt(struct socket *sock, int level, int opt, void *val, int *len);
int st_read_opt_user(struct socket *sock, int level, int opt, void *val, int *len);
int st_getopt(struct socket *sock, int level, int opt, int *val);
int st_info(struct socket *sock, struct smbdirect_info *info);
int st_apply(struct socket *sock, const struct st_opts *o);
__poll_t st_poll(struct socket *sock);
int st_wait_poll(struct socket *sock, __poll_t mask, unsigned int ms);
int st_wait_no_poll(struct socket *sock, __poll_t mask, unsigned int ms);
int st_wait_sent(struct socket *sock);
void st_set_timeout(struct socket *sock, unsigned int ms);

/* lib.c: data */
const u8 *st_pattern(u32 seed);
void st_put_hdr(u8 *hdr, u32 len);
u32 st_get_hdr(const u8 *hdr);
int st_send(struct socket *sock, const void *buf, size_t len, int flags);
int st_recv(struct socket *sock, void *buf, size_t len, int flags);
int st_send_all(struct socket *sock, const void *buf, size_t len, int flags);
int st_recv_all(struct socket *sock, void *buf, size_t len, size_t chunk);
int st_send_frame(struct socket *sock, u32 seed, u32 len);
int st_recv_frame(struct socket *sock, u32 seed, u32 len, size_t chunk, void *buf);
int st_ping(struct socket *a, struct socket *b, u32 len);

/* lib.c: threads */
struct st_thread *st_run(const char *name, int (*fn)(struct st_thread *t), void *arg);
int st_join(struct st_thread *t, unsigned int ms);
void st_where(struct st_thread *t, const char *fmt, ...) __printf(2, 3);
bool st_stuck(void);
int st_suite_init(struct kunit *test);

/* rdma_lib.c: the counters in /proc/net/smbdirect */
void st_counters_open(void);
void st_counters_close(void);
u64 st_counter(const char *name);

/* Work started through debugfs, most of it with text into report. */
struct seq_buf;
int st_transfer(const struct sockaddr_storage *at, int proto, unsigned int mib,
		struct seq_buf *report);
int st_transfer_rdma(const struct sockaddr_storage *at, unsigned int mib,
		     struct seq_buf *report);
int st_exchange(int pid, const struct sockaddr_storage *at, u32 count, struct seq_buf *report);
int st_fuzz(u64 seed, u32 count, struct seq_buf *report);
int st_storm_open(const char *state, char end, int pid, const struct sockaddr_storage *at,
		  u16 port);
int st_storm_act(const char *what);
int st_storm_end(bool ended, struct seq_buf *report);
int st_listening_open(const struct sockaddr_storage *at, u16 port);
int st_listening_dial(const struct sockaddr_storage *to, u16 port, u32 len);
int st_listening_look(struct seq_buf *report);
int st_listening_close(void);
int st_hold_start(void);
int st_hold_stop(struct seq_buf *report);
int st_smb2(const struct sockaddr_storage *at, int proto, u16 port,
	    unsigned int echoes, struct seq_buf *report);
int st_smb2_negotiate(struct socket *sock, u16 *dialect);
int st_smb2_echo(struct socket *sock, u64 id);
int st_echo_command(char *line);
int st_echo_stop(void);
int st_client_command(char *line, struct seq_buf *report);

#endif /* SMBDR_TEST_H */
