// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The RDMA part of the demo: large data as SMB2 READ and WRITE move it.
 *
 * The client registers a buffer and sends its descriptors in a request. The server
 * writes into the buffer, or reads it, and answers with a message that invalidates
 * the first key. Up to four requests are on their way at once, of 8 MiB three. A first pass
 * changes the content each time and sums up a hash of every transfer at both ends; a
 * second one measures the rate and leaves that out.
 *
 * Three threads: the client is the caller; one thread of the server takes requests
 * and starts transfers, another one answers when they are done.
 *
 * The buffers, and what the callbacks of transfers look at, are freed when no
 * transfer is left, also when a pass fails in the middle. If one never ends they leak
 * and the module stays loaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/completion.h>
#include <linux/crc32c.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include "rdma_lib.h"

#define ST_TX_SLOTS	4
/* Registered at once, no more: who registers is who gives back. 24 of 28 regions on siw. */
#define ST_TX_MOST	(24U << 20)
#define ST_TX_DESCS	64
#define ST_TX_ANSWER	4

/**
 * struct st_tx_request - what the client sends
 * @slot: number of the buffer
 * @round: number of the transfer
 * @nr: descriptors
 * @descs: of the buffer
 */
struct st_tx_request {
	__le32 slot;
	__le32 round;
	__le32 nr;
	__le32 pad;
	struct smbdr_kern_desc descs[ST_TX_DESCS];
};

/**
 * struct st_tx_slot - a buffer at each end
 * @tx: what it belongs to
 * @client: memory of the client
 * @server: memory of the server
 * @mr: registration of @client
 * @request: as the server got it
 * @round: number of the transfer, as the client knows it
 * @err: how the transfer ended
 */
struct st_tx_slot {
	struct st_tx *tx;
	struct st_mem client;
	struct st_mem server;
	struct smbdr_kern_mr *mr;
	struct st_tx_request request;
	u32 round;
	int err;
};

/**
 * struct st_tx - one pass
 * @p: the connection
 * @dir: from the server's point of view
 * @size: bytes of one transfer
 * @count: how many
 * @hash: fill and hash
 * @slots: buffers
 * @done: transfers to be answered, a bit each
 * @stop: nothing more will come
 * @wait: for @done or @stop
 * @flying: transfers that have not called back, and one for the pass itself
 * @landed: there are none
 * @lost: one never called back
 * @sent: sum of the hashes of what was sent
 * @got: the same of what has arrived
 */
struct st_tx {
	struct st_pair p;
	enum smbdr_kern_dir dir;
	u32 size;
	u32 count;
	bool hash;
	struct st_tx_slot slots[ST_TX_SLOTS];
	unsigned long done;
	bool stop;
	wait_queue_head_t wait;
	atomic_t flying;
	struct completion landed;
	bool lost;
	atomic64_t sent;
	atomic64_t got;
};

/* A sum alone would not see that two transfers have changed places: the round is in it. */
static void st_tx_hash(struct st_tx *tx, struct st_mem *mem, u32 round, atomic64_t *sum)
{
	if (tx->hash)
		atomic64_add(crc32c(~round, mem->base + mem->off, mem->len), sum);
}

static bool st_tx_lost(const struct st_tx *tx)
{
	return tx->lost || st_stuck();
}

static void st_tx_content(struct st_tx *tx, struct st_mem *mem, u32 round)
{
	if (tx->hash)
		st_mem_fill(mem, round * 31);
	st_tx_hash(tx, mem, round, &tx->sent);
}

/* ----- server ----- */

static void st_tx_done(void *arg, int err)
{
	struct st_tx_slot *slot = arg;
	struct st_tx *tx = slot->tx;

	slot->err = err;
	set_bit(slot - tx->slots, &tx->done);
	wake_up(&tx->wait);
	/* The last touch: then all of it may be freed. */
	if (atomic_dec_and_test(&tx->flying))
		complete(&tx->landed);
}

/* One thread has failed: the others need not wait. */
static void st_tx_stop(struct st_tx *tx)
{
	WRITE_ONCE(tx->stop, true);
	wake_up(&tx->wait);
	kernel_sock_shutdown(tx->p.c, SHUT_RDWR);
}

static int st_tx_take(struct st_tx *tx)
{
	struct st_tx_request *req;
	struct smbdr_kern_rdma rdma = { .dir = tx->dir, .done = st_tx_done };
	struct st_tx_slot *slot;
	struct iov_iter iter;
	u8 hdr[ST_HDR];
	int ret = -EBADMSG;
	u32 len, n;

	req = kmalloc(sizeof(*req), GFP_KERNEL);
	if (!req)
		return -ENOMEM;
	ret = st_recv_all(tx->p.s, hdr, ST_HDR, 0);
	len = st_get_hdr(hdr);
	if (!ret)
		ret = len < offsetof(struct st_tx_request, descs) || len > sizeof(*req) ?
			-EBADMSG : st_recv_all(tx->p.s, req, len, 0);
	if (ret)
		goto free;
	ret = -EBADMSG;
	n = le32_to_cpu(req->slot);
	rdma.nr_descs = le32_to_cpu(req->nr);
	if (n >= ST_TX_SLOTS || len != struct_size(req, descs, rdma.nr_descs) - sizeof(req->descs))
		goto free;
	slot = &tx->slots[n];
	slot->request = *req;
	rdma.iter = &iter;
	rdma.descs = req->descs;
	rdma.arg = slot;
	if (tx->dir == SMBDR_KERN_RDMA_WRITE)
		st_tx_content(tx, &slot->server, le32_to_cpu(req->round));
	st_mem_iter(&slot->server, &iter, tx->dir == SMBDR_KERN_RDMA_READ ? ITER_DEST :
		    ITER_SOURCE, 0, tx->size);
	atomic_inc(&tx->flying);
	ret = smbdr_kern_rdma_submit(tx->p.s, &rdma);
	if (ret)
		atomic_dec(&tx->flying);
free:
	kfree(req);
	return ret;
}

static int st_tx_taker(struct st_thread *t)
{
	struct st_tx *tx = t->arg;
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < tx->count; i++) {
		st_where(t, "request %u", i);
		ret = st_tx_take(tx);
	}
	if (ret)
		st_tx_stop(tx);
	return ret;
}

/* The next transfer that is done, and its answer; -EPIPE if none will come. */
static int st_tx_answer(struct st_tx *tx)
{
	struct st_tx_slot *slot;
	u32 n;

	if (!wait_event_timeout(tx->wait, READ_ONCE(tx->done) || READ_ONCE(tx->stop),
				msecs_to_jiffies(st_cfg.timeout)))
		return -ETIME;
	if (!READ_ONCE(tx->done))
		return -EPIPE;
	n = __ffs(READ_ONCE(tx->done));
	clear_bit(n, &tx->done);
	slot = &tx->slots[n];
	if (slot->err)
		return slot->err;
	if (tx->dir == SMBDR_KERN_RDMA_READ)
		st_tx_hash(tx, &slot->server, le32_to_cpu(slot->request.round), &tx->got);
	return st_send_inv(tx->p.s, n, ST_TX_ANSWER, slot->request.descs[0].token);
}

static int st_tx_answerer(struct st_thread *t)
{
	struct st_tx *tx = t->arg;
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < tx->count; i++) {
		st_where(t, "answer %u", i);
		ret = st_tx_answer(tx);
	}
	if (ret)
		st_tx_stop(tx);
	return ret;
}

/* ----- client ----- */

static int st_tx_ask(struct st_tx *tx, u32 n, u32 round)
{
	struct st_tx_slot *slot = &tx->slots[n];
	struct st_tx_request *req;
	const struct smbdr_kern_desc *descs;
	u8 hdr[ST_HDR];
	u32 nr, len;
	int ret;

	slot->round = round;
	if (tx->dir == SMBDR_KERN_RDMA_READ)
		st_tx_content(tx, &slot->client, round);
	slot->mr = st_register(tx->p.c, &slot->client, tx->dir == SMBDR_KERN_RDMA_READ ?
			       SMBDR_KERN_REMOTE_READ : SMBDR_KERN_REMOTE_WRITE);
	if (IS_ERR(slot->mr)) {
		ret = PTR_ERR(slot->mr);
		slot->mr = NULL;
		return ret;
	}
	descs = smbdr_kern_mr_descs(slot->mr, &nr);
	if (nr > ST_TX_DESCS)
		return -EMSGSIZE;
	req = kzalloc(sizeof(*req), GFP_KERNEL);
	if (!req)
		return -ENOMEM;
	req->slot = cpu_to_le32(n);
	req->round = cpu_to_le32(round);
	req->nr = cpu_to_le32(nr);
	memcpy(req->descs, descs, nr * sizeof(*descs));
	len = offsetof(struct st_tx_request, descs) + nr * sizeof(*descs);
	st_put_hdr(hdr, len);
	ret = st_send_all(tx->p.c, hdr, ST_HDR, MSG_MORE);
	if (!ret)
		ret = st_send_all(tx->p.c, req, len, 0);
	kfree(req);
	return ret;
}

/* An answer tells its slot by its content. */
static int st_tx_finish(struct st_tx *tx, unsigned long *busy)
{
	u8 buf[ST_HDR + ST_TX_ANSWER];
	struct st_tx_slot *slot;
	int ret;
	u32 n;

	ret = st_recv_all(tx->p.c, buf, sizeof(buf), 0);
	if (ret)
		return ret;
	for (n = 0; n < ST_TX_SLOTS; n++)
		if (!memcmp(buf + ST_HDR, st_pattern(n), ST_TX_ANSWER))
			break;
	if (n == ST_TX_SLOTS || !test_bit(n, busy))
		return -EBADMSG;
	slot = &tx->slots[n];
	smbdr_kern_mr_deregister(slot->mr);
	slot->mr = NULL;
	if (tx->dir == SMBDR_KERN_RDMA_WRITE)
		st_tx_hash(tx, &slot->client, slot->round, &tx->got);
	__clear_bit(n, busy);
	return 0;
}

static int st_tx_client(struct st_tx *tx)
{
	const u32 slots = min(ST_TX_MOST / tx->size, ST_TX_SLOTS);
	unsigned long busy = 0;
	u32 asked = 0;
	int ret = 0;

	while (!ret && (asked < tx->count || busy)) {
		u32 n = find_first_zero_bit(&busy, slots);

		if (asked < tx->count && n < slots) {
			__set_bit(n, &busy);
			ret = st_tx_ask(tx, n, asked++);
		} else {
			ret = st_tx_finish(tx, &busy);
		}
	}
	return ret;
}

/* Until no transfer uses the server's buffers, nor its callback the rest. */
static void st_tx_land(struct st_tx *tx)
{
	if (atomic_dec_and_test(&tx->flying) ||
	    wait_for_completion_timeout(&tx->landed, 2 * msecs_to_jiffies(st_cfg.timeout)))
		return;
	pr_err("a transfer is lost, this module stays loaded\n");
	tx->lost = true;
	__module_get(THIS_MODULE);
}

/* One pass; nanoseconds, or an error. */
static s64 st_tx_pass(struct st_tx *tx, u64 total, bool hash)
{
	struct st_thread *taker, *answerer;
	int ret, ret2, ret3;
	s64 start;
	u32 i;

	tx->count = max_t(u64, div_u64(total, tx->size), 1);
	tx->hash = hash;
	tx->done = 0;
	tx->stop = false;
	atomic_set(&tx->flying, 1);
	reinit_completion(&tx->landed);
	atomic64_set(&tx->sent, 0);
	atomic64_set(&tx->got, 0);
	start = ktime_get_ns();
	taker = st_run("taker", st_tx_taker, tx);
	answerer = st_run("answerer", st_tx_answerer, tx);
	ret = taker && answerer ? st_tx_client(tx) : -ENOMEM;
	start = ktime_get_ns() - start;
	if (ret)
		st_tx_stop(tx);
	ret2 = st_join(taker, 2 * st_cfg.timeout);
	ret3 = st_join(answerer, 2 * st_cfg.timeout);
	st_tx_land(tx);
	if (ret)
		pr_info("client: %d\n", ret);
	for (i = 0; !st_tx_lost(tx) && i < ST_TX_SLOTS; i++) {
		if (tx->slots[i].mr)
			smbdr_kern_mr_deregister(tx->slots[i].mr);
		tx->slots[i].mr = NULL;
	}
	return ret2 ?: ret3 ?: ret ?: start;
}

static int st_tx_run(struct st_tx *tx, u64 total, const char *name, struct seq_buf *report)
{
	u64 sent;
	s64 ns;

	ns = st_tx_pass(tx, total, true);
	if (ns < 0)
		return ns;
	sent = atomic64_read(&tx->sent);
	seq_buf_printf(report, "%s_sent %08x\n%s_received %08x\n", name, (u32)sent, name,
		       (u32)atomic64_read(&tx->got));
	if (sent != atomic64_read(&tx->got))
		return -EILSEQ;
	ns = st_tx_pass(tx, total / 4, false);
	if (ns < 0)
		return ns;
	seq_buf_printf(report, "%s_mb_s %llu\n", name,
		       div64_u64((u64)tx->count * tx->size * 1000, max_t(u64, ns, 1)));
	return 0;
}

static int st_tx_size(struct st_tx *tx, u32 size, u64 total, struct seq_buf *report)
{
	char name[32];
	int ret = 0;
	u32 i;

	tx->size = size;
	for (i = 0; !ret && i < ST_TX_SLOTS; i++) {
		tx->slots[i].tx = tx;
		ret = st_mem_alloc(&tx->slots[i].client, ST_MEM_BVEC, 0, size);
		if (!ret)
			ret = st_mem_alloc(&tx->slots[i].server, ST_MEM_VMALLOC, 0, size);
	}
	for (i = 0; !ret && i < 2; i++) {
		tx->dir = i ? SMBDR_KERN_RDMA_READ : SMBDR_KERN_RDMA_WRITE;
		snprintf(name, sizeof(name), "%s_%u", i ? "read" : "write", size >> 10);
		ret = st_tx_run(tx, total, name, report);
	}
	for (i = 0; !st_tx_lost(tx) && i < ST_TX_SLOTS; i++) {
		st_mem_free(&tx->slots[i].client);
		st_mem_free(&tx->slots[i].server);
	}
	return ret;
}

/**
 * st_transfer_rdma() - move data by RDMA between two sockets of ours and measure
 * @at: address for both ends
 * @mib: amount for each direction and size, MiB; sizes above it are left out
 * @report: gets "key value" lines: write_64_mb_s and so on, sizes in KiB
 *
 * Return: 0, -EILSEQ if the hashes differ, or what a call said.
 */
int st_transfer_rdma(const struct sockaddr_storage *at, unsigned int mib, struct seq_buf *report)
{
	static const u32 sizes[] = { SZ_64K, SZ_1M, SZ_8M };
	const struct sockaddr_storage former = st_cfg.addr;
	struct st_tx *tx;
	int ret;
	u32 i;

	if (st_stuck())
		return -EBUSY;
	if (!mib || mib > 65536)
		return -EINVAL;
	tx = kzalloc(sizeof(*tx), GFP_KERNEL);
	if (!tx)
		return -ENOMEM;
	init_waitqueue_head(&tx->wait);
	init_completion(&tx->landed);
	st_cfg.addr = *at;
	ret = st_pair_open(&tx->p, NULL, NULL);
	st_cfg.addr = former;
	for (i = 0; !ret && i < ARRAY_SIZE(sizes) && sizes[i] >> 20 <= mib; i++)
		ret = st_tx_size(tx, sizes[i], (u64)mib << 20, report);
	if (ret)
		seq_buf_printf(report, "error %d\n", ret);
	if (st_tx_lost(tx))
		return ret;
	st_pair_close(&tx->p);
	kfree(tx);
	return ret;
}
