/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smbdr_bench.ko: what its files share. See main.c for how it is driven.
 *
 * The workloads know a contender only by its struct bench_transport. Lengths are
 * bytes, times are milliseconds unless their name says otherwise. Everything here
 * may sleep.
 */
#ifndef SMBDR_BENCH_H
#define SMBDR_BENCH_H

#include <linux/in.h>
#include <linux/sizes.h>
#include "../lib/lib.h"

#define BENCH_PATIENCE	(st_cfg.timeout)	/* no single wait may take longer */
#define BENCH_FRAME_MAX	SZ_1M
#define BENCH_DESCS	32
#define BENCH_BACKLOG	64
#define BENCH_THREADS	16
#define BENCH_LAST	1	/* the first byte of the last frame; that of others is none or 0 */
#define BENCH_NOTE	64

struct bench_run;
struct bench_transport;

/**
 * struct bench_contender - a transport with the sizes that it is to use
 * @name: as the scripts say it
 * @t: how to use it
 * @proto: of its socket, if it is one
 * @send: largest message to send, 0 for the transport's own default
 * @recv: largest message to receive, likewise
 * @frag: largest frame, likewise
 */
struct bench_contender {
	const char *name;
	const struct bench_transport *t;
	int proto;
	u32 send;
	u32 recv;
	u32 frag;
};

/**
 * struct bench_conn - one end of a connection; a transport embeds it
 * @who: whose
 * @peer: the other end, once the workload has both; NULL before
 * @verify: content is looked at, so none may be left out
 */
struct bench_conn {
	const struct bench_contender *who;
	struct bench_conn *peer;
	bool verify;
};

/* Buffer Descriptor V1, [MS-SMBD] 2.2.3.1. */
struct bench_desc {
	__le64 offset;
	__le32 token;
	__le32 length;
} __packed;

/**
 * struct bench_region - memory that a device may reach
 * @mem: ST_MEM_VMALLOC
 * @write: it is written by the device
 * @nr: descriptors
 * @descs: for the peer
 * @priv: of the transport
 */
struct bench_region {
	struct st_mem mem;
	bool write;
	u32 nr;
	struct bench_desc descs[BENCH_DESCS];
	void *priv;
};

/**
 * struct bench_transport - what the workloads can do with a contender
 * @listen: a listener in r->l; frames will not be longer than r->frame
 * @unlisten: no accept() is under way
 * @accept: one connection, -EAGAIN if none came within @ms
 * @connect: to a listener of this transport, done when frames can be sent
 * @close: gives up all of it; nobody uses the connection any more
 * @abort: makes all that others wait for on this connection fail soon
 * @map: @buf will be sent from until close; may be NULL
 * @send: one frame; @buf is the caller's again, or was mapped
 * @recv: one frame of @len bytes. Only its first byte has to be in @buf afterwards if
 *	the transport does not have to copy, see bench_conn.verify
 * @expose: let the peer into region->buf, fills in the descriptors
 * @conceal: the opposite
 * @local: prepare region->buf for @rdma; NULL if there is nothing to do
 * @unlocal: the opposite
 * @rdma: move all of @from or @to that belongs to this end, and wait for it;
 *	NULL if there is no RDMA
 */
struct bench_transport {
	int (*listen)(struct bench_run *r);
	void (*unlisten)(void *l);
	int (*accept)(void *l, struct bench_conn **c, u32 ms);
	int (*connect)(struct bench_run *r, struct bench_conn **c);
	void (*close)(struct bench_conn *c);
	void (*abort)(struct bench_conn *c);
	int (*map)(struct bench_conn *c, void *buf, u32 len);
	int (*send)(struct bench_conn *c, const void *buf, u32 len);
	int (*recv)(struct bench_conn *c, void *buf, u32 len);
	int (*expose)(struct bench_conn *c, struct bench_region *region);
	void (*conceal)(struct bench_conn *c, struct bench_region *region);
	int (*local)(struct bench_conn *c, struct bench_region *region);
	void (*unlocal)(struct bench_conn *c, struct bench_region *region);
	int (*rdma)(struct bench_conn *c, bool read, struct bench_region *own,
		    struct bench_region *peers);
};

/* One thread of a run. */
struct bench_thread {
	const char *name;
	int (*fn)(struct bench_thread *t);
	struct bench_run *run;
	void *arg;
	struct st_thread *t;
};

/**
 * struct bench_run - one measurement
 * @who: the contender
 * @at: address and port of the server
 * @size: of a frame or a transfer
 * @depth: how many at a time
 * @ms: how long to go on
 * @frame: the longest frame, 0 if none is long
 * @hashed: content changes, and is hashed at both ends
 * @l: the listener
 * @c: the end that connected
 * @s: the end that was accepted
 * @made: the ends of a connection that is being made, client and server
 * @end: when to stop, ktime ns
 * @threads: added and not run yet, or at work
 * @nr: of these
 * @err: the first error
 * @where: of it
 * @report: gets "key value" lines
 */
struct bench_run {
	const struct bench_contender *who;
	struct sockaddr_storage at;
	u32 size;
	u32 depth;
	u32 ms;
	u32 frame;
	bool hashed;
	void *l;
	struct bench_conn *c;
	struct bench_conn *s;
	struct bench_conn *made[2];
	u64 end;
	struct bench_thread threads[BENCH_THREADS];
	u32 nr;
	int err;
	const char *where;
	struct seq_buf *report;
};

/* What is measured, see bench_clock_stop(). */
struct bench_clock {
	u64 ns;
	u64 cpu;
};

extern const struct bench_transport bench_sock;
extern const struct bench_transport bench_intree;
extern const struct bench_transport bench_verbs;

/* lib.c */
int bench_fail(struct bench_run *r, const char *where, int err);
void bench_clock_start(struct bench_run *r, struct bench_clock *clock);
void bench_clock_stop(struct bench_run *r, struct bench_clock *clock, const char *what,
		      u64 nr, u64 bytes);
void bench_add(struct bench_run *r, const char *name, int (*fn)(struct bench_thread *t), void *arg);
int bench_threads(struct bench_run *r, u32 ms);
int bench_pair_open(struct bench_run *r, struct bench_conn **c, struct bench_conn **s);
void bench_pair_close(struct bench_conn *c, struct bench_conn *s);
int bench_listen(struct bench_run *r);
int bench_open(struct bench_run *r);
void bench_close(struct bench_run *r);
int bench_map(struct bench_conn *c, void *buf, u32 len);
int bench_one_frame(struct bench_run *r, struct bench_conn *from, struct bench_conn *to,
		    void *frame, void *buf);
int bench_hashes(struct bench_run *r, u32 sent, u32 received);
void *bench_frame_alloc(u32 len);
void bench_frame_free(void *buf, u32 len);

/* The workloads, each through debugfs. */
int bench_oneway(struct bench_run *r);
int bench_twoway(struct bench_run *r);
int bench_hashed(struct bench_run *r);
int bench_pingpong(struct bench_run *r);
int bench_pipelined(struct bench_run *r);
int bench_rdma_read(struct bench_run *r);
int bench_rdma_write(struct bench_run *r);
int bench_hashed_read(struct bench_run *r);
int bench_hashed_write(struct bench_run *r);
int bench_connects(struct bench_run *r);
int bench_memory(struct bench_run *r);

#endif /* SMBDR_BENCH_H */
