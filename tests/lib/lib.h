/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the test modules share: sockets, frames, threads, memory, jobs.
 *
 * smbdr_test.ko and smbdr_bench.ko are linked with a copy each. Names: st_ is
 * "socket test". Lengths are bytes, times are milliseconds. Everything here
 * may sleep.
 */
#ifndef ST_LIB_H
#define ST_LIB_H

#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/socket.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <linux/xarray.h>
#include <net/sock.h>
#include <uapi/linux/smbdirect.h>

#define ST_BACKLOG	256
#define ST_HDR		4
/* The longest frame that st_pattern() has content for: the longest that there is. */
#define ST_PATTERN_MAX	((1U << 24) - 1)

struct seq_buf;

/**
 * struct st_cfg - the module parameters, parsed
 * @proto: IPPROTO_SMBDIRECT or IPPROTO_TCP
 * @addr: the address at which both ends live
 * @silent: an address that never answers; ss_family 0 if there is none, as with siw
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

/* Poll until @cond holds: 0, or -ETIME after @ms. */
#define st_until(cond, ms) ({							\
	unsigned long st_end = jiffies + msecs_to_jiffies(ms);			\
	int st_ret = 0;								\
										\
	while (!(cond)) {							\
		if (time_after(jiffies, st_end)) {				\
			st_ret = -ETIME;					\
			break;							\
		}								\
		schedule_timeout_uninterruptible(1);				\
	}									\
	st_ret;									\
})

/* lib.c: configuration */
int st_lib_init(void);
void st_lib_exit(void);
int st_parse_addr(const char *text, struct sockaddr_storage *ss);

/* lib.c: sockets; each takes and gives what the socket call does */
int st_socket_at(struct net *net, int family, int proto, struct socket **sock);
void st_release(struct socket **sock);
int st_bind_addr(struct socket *sock, const struct sockaddr_storage *at, u16 port);
int st_connect_addr(struct socket *sock, const struct sockaddr_storage *to,
		    u16 port, int flags);
int st_accept(struct socket *ls, struct socket **sock, int flags);
int st_setopt(struct socket *sock, int level, int opt, int val);
int st_read_opt(struct socket *sock, int level, int opt, void *val, int *len);
int st_read_opt_user(struct socket *sock, int level, int opt, void *val, int *len);
int st_getopt(struct socket *sock, int level, int opt, int *val);
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
int st_fill(struct socket *sock, const void *frame, u32 size);
int st_recv_all(struct socket *sock, void *buf, size_t len, size_t chunk);
int st_send_framed(struct socket *sock, const void *buf, u32 len);
int st_send_frame(struct socket *sock, u32 seed, u32 len);
int st_recv_frame(struct socket *sock, u32 seed, u32 len, size_t chunk, void *buf);
int st_ping(struct socket *a, struct socket *b, u32 len);

/* lib.c: threads */
struct st_thread *st_run(const char *name, int (*fn)(struct st_thread *t), void *arg);
bool st_wait(struct st_thread *t, unsigned int ms);
int st_join(struct st_thread *t, unsigned int ms);
void st_where(struct st_thread *t, const char *fmt, ...) __printf(2, 3);
bool st_stuck(void);

struct folio_queue;

enum st_mem_kind {
	ST_MEM_VMALLOC,
	ST_MEM_KMALLOC,
	ST_MEM_BVEC,
	ST_MEM_FOLIOQ,
	ST_MEM_XARRAY,
	ST_MEM_BVEC_BIG,
	ST_MEM_FOLIOQ_BIG,
	ST_MEM_KINDS
};

extern const char * const st_mem_names[ST_MEM_KINDS];

/**
 * struct st_mem - memory for a transfer
 * @kind: its shape
 * @off: offset of the first byte in the first page
 * @len: bytes
 * @nr: pages, one behind the last byte included
 * @order: pages come in blocks of so many, as a power of 2
 * @pages: the pages, or NULL if it is kmalloc memory
 * @base: all of it, side by side
 * @kv: for an iterator
 * @bv: likewise
 * @fq: likewise
 * @xa: likewise
 */
struct st_mem {
	enum st_mem_kind kind;
	u32 off;
	u32 len;
	u32 nr;
	u32 order;
	struct page **pages;
	u8 *base;
	struct kvec kv;
	struct bio_vec *bv;
	struct folio_queue *fq;
	struct xarray xa;
};

/* mem.c */
int st_mem_alloc(struct st_mem *mem, enum st_mem_kind kind, u32 off, u32 len);
void st_mem_free(struct st_mem *mem);
void st_mem_iter(struct st_mem *mem, struct iov_iter *iter, unsigned int dir, u32 from, u32 len);
void st_mem_fill(struct st_mem *mem, u32 seed);
bool st_mem_same(struct st_mem *mem, u32 seed);
bool st_mem_intact(struct st_mem *mem);
bool st_mem_untouched(struct st_mem *mem);

/**
 * struct st_job - a file in debugfs, and what a line that is written to it does
 * @name: of the file
 * @run: may write to @line; its error is that of the write
 * @beside: does not wait for other jobs; each open file has a report of its own
 */
struct st_job {
	const char *name;
	int (*run)(char *line, struct seq_buf *report);
	bool beside;
};

/* job.c */
void st_jobs_open(const char *dir, const struct st_job *jobs, unsigned int nr);
void st_jobs_close(void);

#endif /* ST_LIB_H */
