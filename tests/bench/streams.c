// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Workloads of frames: streams, ping-pong, requests and answers in a pipeline.
 *
 * On a stream that goes one way only the receiver answers now and then, with a short frame: after
 * 32 frames, or 64 KiB. SMB does so after each, and the in-tree core needs it: a receiver that
 * keeps pace and never sends anything does not tell it of new credits, and the stream stops.
 *
 * The first byte of each frame says whether it is the last one, so a receiver need not know how
 * many will come. Streams are timed from the start of the threads to the arrival of the last
 * frame, and of the answer to it. Everything is allocated, connected and verified before; the
 * connection has not been used before. The buffers belong to the run and are freed after the
 * connection was closed, because a transport may still send from them when it has taken a frame.
 *
 * A hashed stream has frames of 1 byte to 1 MiB with changing content; their sizes follow from a
 * fixed seed, small and large ones equally likely on a logarithmic scale. Both ends hash what they
 * send and receive. Only contenders that copy what they send can do it.
 */
#include <linux/crc32c.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/semaphore.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include "bench.h"

#define BENCH_NOTE_EVERY 32U
#define BENCH_SEED	20260401
#define BENCH_SAMPLES	200000
#define BENCH_SAMPLES_MIN 100

/**
 * struct bench_flow - frames from one end to the other
 * @run: of which
 * @from: sender
 * @to: receiver
 * @frame: what is sent again and again
 * @last: what is sent in the end
 * @buf: what was received
 * @frames: received
 * @bytes: in these
 * @crc: hashes of what was sent and received, in a hashed stream
 * @window: how many more may be sent, in a pipeline
 * @every: after so many frames the receiver answers; 0 for never
 * @note: with this
 * @note_last: and in the end with this
 * @heard: the answer
 */
struct bench_flow {
	struct bench_run *run;
	struct bench_conn *from;
	struct bench_conn *to;
	u8 *frame;
	u8 *last;
	u8 *buf;
	u64 frames;
	u64 bytes;
	u32 crc[2];
	struct semaphore window;
	u32 every;
	u8 *note;
	u8 *note_last;
	u8 heard[BENCH_NOTE];
};

static int bench_flow_init(struct bench_flow *f, struct bench_run *r, struct bench_conn *from,
			   struct bench_conn *to)
{
	f->run = r;
	f->from = from;
	f->to = to;
	sema_init(&f->window, r->depth);
	f->frame = bench_frame_alloc(r->frame);
	f->last = bench_frame_alloc(r->frame);
	f->buf = kvmalloc(r->frame, GFP_KERNEL);
	if (!f->frame || !f->last || !f->buf)
		return bench_fail(r, "memory", -ENOMEM);
	f->last[0] = BENCH_LAST;
	return bench_fail(r, "map", bench_map(from, f->frame, r->frame) ?:
			  bench_map(from, f->last, r->frame));
}

static int bench_flow_notes(struct bench_flow *f)
{
	f->every = clamp(SZ_64K / f->run->size, 1U, BENCH_NOTE_EVERY);
	f->note = bench_frame_alloc(BENCH_NOTE);
	f->note_last = bench_frame_alloc(BENCH_NOTE);
	if (!f->note || !f->note_last)
		return bench_fail(f->run, "memory", -ENOMEM);
	f->note_last[0] = BENCH_LAST;
	return bench_fail(f->run, "map", bench_map(f->to, f->note, BENCH_NOTE) ?:
			  bench_map(f->to, f->note_last, BENCH_NOTE));
}

static void bench_flow_free(struct bench_flow *f)
{
	bench_frame_free(f->note, BENCH_NOTE);
	bench_frame_free(f->note_last, BENCH_NOTE);
	if (f->run) {
		bench_frame_free(f->frame, f->run->frame);
		bench_frame_free(f->last, f->run->frame);
	}
	kvfree(f->buf);
}

static int bench_flow_send(struct bench_thread *t)
{
	struct bench_flow *f = t->arg;
	const struct bench_transport *ops = f->run->who->t;
	int ret;

	do {
		ret = ops->send(f->from, f->frame, f->run->size);
	} while (!ret && ktime_get_ns() < f->run->end);
	return ret ?: ops->send(f->from, f->last, f->run->size);
}

static int bench_flow_recv(struct bench_thread *t)
{
	struct bench_flow *f = t->arg;
	const struct bench_transport *ops = f->run->who->t;
	int ret;

	do {
		ret = ops->recv(f->to, f->buf, f->run->size);
		f->frames++;
		if (!ret && f->every && f->buf[0] != BENCH_LAST && f->frames % f->every == 0)
			ret = ops->send(f->to, f->note, BENCH_NOTE);
	} while (!ret && f->buf[0] != BENCH_LAST);
	if (!ret && f->every)
		ret = ops->send(f->to, f->note_last, BENCH_NOTE);
	return ret;
}

static int bench_flow_hear(struct bench_thread *t)
{
	struct bench_flow *f = t->arg;
	int ret;

	do {
		ret = f->run->who->t->recv(f->from, f->heard, BENCH_NOTE);
	} while (!ret && f->heard[0] != BENCH_LAST);
	return ret;
}

/* 1 byte to 1 MiB, both included. */
static u32 bench_hashed_size(u32 *state)
{
	u32 bits;

	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	bits = *state % 21;
	return (1U << bits) + (bits < 20 ? (*state >> 8) & ((1U << bits) - 1) : 0);
}

static int bench_hashed_send(struct bench_thread *t)
{
	struct bench_flow *f = t->arg;
	u32 state = BENCH_SEED, seed = 0, len;
	bool last;
	int ret;

	do {
		last = ktime_get_ns() >= f->run->end;
		len = bench_hashed_size(&state);
		memcpy(f->frame, st_pattern(seed++), len);
		f->frame[0] = last ? BENCH_LAST : 0;
		f->crc[0] = crc32c(f->crc[0], f->frame, len);
		ret = f->run->who->t->send(f->from, f->frame, len);
	} while (!ret && !last);
	return ret;
}

static int bench_hashed_recv(struct bench_thread *t)
{
	struct bench_flow *f = t->arg;
	u32 state = BENCH_SEED, len;
	int ret;

	do {
		len = bench_hashed_size(&state);
		ret = f->run->who->t->recv(f->to, f->buf, len);
		f->crc[1] = crc32c(f->crc[1], f->buf, len);
		f->frames++;
		f->bytes += len;
	} while (!ret && f->buf[0] != BENCH_LAST);
	return ret;
}

static int bench_stream(struct bench_run *r, u32 ways)
{
	struct bench_clock clock;
	struct bench_flow *f;
	u64 frames = 0;
	int ret;
	u32 i;

	f = kcalloc(2, sizeof(*f), GFP_KERNEL);
	ret = f ? bench_open(r) : bench_fail(r, "memory", -ENOMEM);
	for (i = 0; !ret && i < ways; i++) {
		ret = bench_flow_init(&f[i], r, i ? r->s : r->c, i ? r->c : r->s);
		bench_add(r, i ? "server sends" : "client sends",
			  r->hashed ? bench_hashed_send : bench_flow_send, &f[i]);
		bench_add(r, i ? "client receives" : "server receives",
			  r->hashed ? bench_hashed_recv : bench_flow_recv, &f[i]);
	}
	if (!ret && ways == 1 && !r->hashed) {
		ret = bench_flow_notes(&f[0]);
		bench_add(r, "client hears", bench_flow_hear, &f[0]);
	}
	if (!ret) {
		bench_clock_start(r, &clock);
		ret = bench_threads(r, r->ms);
		for (i = 0; i < ways; i++)
			frames += f[i].frames;
		bench_clock_stop(r, &clock, "frames", frames,
				 r->hashed ? f[0].bytes : frames * r->size);
	}
	if (!ret && r->hashed)
		ret = bench_hashes(r, f[0].crc[0], f[0].crc[1]);
	if (st_stuck())
		return ret;
	bench_close(r);
	for (i = 0; f && i < ways; i++)
		bench_flow_free(&f[i]);
	kfree(f);
	return ret;
}

int bench_oneway(struct bench_run *r)
{
	return bench_stream(r, 1);
}

int bench_hashed(struct bench_run *r)
{
	if (r->who->t->map || !r->who->proto)
		return bench_fail(r, "no such stream", -EOPNOTSUPP);
	r->hashed = true;
	r->frame = SZ_1M;
	return bench_stream(r, 1);
}

int bench_twoway(struct bench_run *r)
{
	return bench_stream(r, 2);
}

/* ----- requests and answers ----- */

/**
 * struct bench_talk - a client that asks, a server that answers with as much
 * @ask: frames of the client
 * @answer: frames of the server
 * @samples: round trips, ns
 * @nr: their number
 */
struct bench_talk {
	struct bench_flow ask;
	struct bench_flow answer;
	u32 *samples;
	u32 nr;
};

static int bench_talk_server(struct bench_thread *t)
{
	struct bench_talk *k = t->arg;
	struct bench_flow *in = &k->ask, *out = &k->answer;
	const struct bench_transport *ops = t->run->who->t;
	bool last;
	int ret;

	do {
		ret = ops->recv(in->to, in->buf, t->run->size);
		if (ret)
			return ret;
		in->frames++;
		last = in->buf[0] == BENCH_LAST;
		ret = ops->send(out->from, last ? out->last : out->frame, t->run->size);
	} while (!ret && !last);
	return ret;
}

static int bench_talk_ping(struct bench_thread *t)
{
	struct bench_talk *k = t->arg;
	struct bench_flow *out = &k->ask, *in = &k->answer;
	const struct bench_transport *ops = t->run->who->t;
	u64 now = ktime_get_ns(), before;
	bool last;
	int ret;

	do {
		/* A percentile of a few says nothing. */
		last = (now >= t->run->end && k->nr >= BENCH_SAMPLES_MIN) ||
			k->nr == BENCH_SAMPLES - 1;
		before = now;
		ret = ops->send(out->from, last ? out->last : out->frame, t->run->size);
		if (!ret)
			ret = ops->recv(in->to, in->buf, t->run->size);
		now = ktime_get_ns();
		k->samples[k->nr++] = min_t(u64, now - before, U32_MAX);
	} while (!ret && !last);
	return ret;
}

static int bench_talk_ask(struct bench_thread *t)
{
	struct bench_talk *k = t->arg;
	struct bench_flow *out = &k->ask;
	const struct bench_transport *ops = t->run->who->t;
	bool last;
	int ret;

	do {
		ret = down_timeout(&out->window, msecs_to_jiffies(BENCH_PATIENCE));
		last = ktime_get_ns() >= t->run->end;
		if (!ret)
			ret = ops->send(out->from, last ? out->last : out->frame, t->run->size);
	} while (!ret && !last);
	return ret;
}

static int bench_talk_hear(struct bench_thread *t)
{
	struct bench_talk *k = t->arg;
	struct bench_flow *in = &k->answer;
	const struct bench_transport *ops = t->run->who->t;
	int ret;

	do {
		ret = ops->recv(in->to, in->buf, t->run->size);
		up(&k->ask.window);
	} while (!ret && in->buf[0] != BENCH_LAST);
	return ret;
}

static int bench_u32_cmp(const void *a, const void *b)
{
	return *(const u32 *)a < *(const u32 *)b ? -1 : *(const u32 *)a > *(const u32 *)b;
}

static void bench_talk_report(struct bench_run *r, struct bench_talk *k)
{
	sort(k->samples, k->nr, sizeof(u32), bench_u32_cmp, NULL);
	seq_buf_printf(r->report, "median_ns %u\np99_ns %u\n", k->samples[k->nr / 2],
		       k->samples[k->nr - 1 - k->nr / 100]);
}

static int bench_talk(struct bench_run *r, bool ping)
{
	struct bench_clock clock;
	struct bench_talk *k;
	int ret = 0;

	k = kzalloc(sizeof(*k), GFP_KERNEL);
	if (k)
		k->samples = kvmalloc_array(BENCH_SAMPLES, sizeof(u32), GFP_KERNEL);
	if (!k || !k->samples)
		ret = bench_fail(r, "memory", -ENOMEM);
	if (!ret)
		ret = bench_open(r);
	if (!ret)
		ret = bench_flow_init(&k->ask, r, r->c, r->s);
	if (!ret)
		ret = bench_flow_init(&k->answer, r, r->s, r->c);
	if (!ret) {
		bench_add(r, "server", bench_talk_server, k);
		bench_add(r, ping ? "client" : "client sends",
			  ping ? bench_talk_ping : bench_talk_ask, k);
		if (!ping)
			bench_add(r, "client receives", bench_talk_hear, k);
		bench_clock_start(r, &clock);
		ret = bench_threads(r, r->ms);
		bench_clock_stop(r, &clock, "frames", k->ask.frames, k->ask.frames * r->size);
	}
	if (!ret && ping)
		bench_talk_report(r, k);
	if (st_stuck())
		return ret;
	bench_close(r);
	if (k) {
		bench_flow_free(&k->ask);
		bench_flow_free(&k->answer);
		kvfree(k->samples);
	}
	kfree(k);
	return ret;
}

int bench_pingpong(struct bench_run *r)
{
	return bench_talk(r, true);
}

int bench_pipelined(struct bench_run *r)
{
	return bench_talk(r, false);
}
