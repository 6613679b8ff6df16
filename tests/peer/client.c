// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The socket of ours that connects to us, and the server that accepts when it is told to.
 *
 * It is started by writing to a file of smbdr_test.ko; the write returns when
 * the client is done, so a thread makes it, and this program is its server
 * meanwhile. What became of the client is read from the same file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "peer.h"

#define DEBUG_DIR	"/sys/kernel/debug/smbdr_test"
/* No call of the client takes longer than 20 s, and it makes three. */
#define CLIENT_WAIT	50

const struct response welcome = {
	.min = 0x0100, .max = 0x0100, .version = 0x0100, .requested = 10, .granted = 10,
	.maxrw = 1048576, .preferred = 1024, .maxrecv = 1024, .maxfrag = 131072,
};

const struct scenario *scenario;

static pthread_t thread;
static char command[128], report[64];
static int result;
static double started;

static void *run(void *unused __attribute__((unused)))
{
	int fd = open(DEBUG_DIR "/client", O_RDWR);

	memset(report, 0, sizeof(report));
	if (fd < 0 || write(fd, command, strlen(command)) < 0 ||
	    pread(fd, report, sizeof(report) - 1, 0) < 0)
		result = errno;
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* A client that sends @bytes and wants them back, or with 0 reads until the end. */
void client_start(uint32_t bytes, const char *options)
{
	snprintf(command, sizeof(command), "%s %s %u%s%s", peer_addr, peer_port, bytes,
		 *options ? " " : "", options);
	result = 0;
	started = peer_now();
	peer_check(!pthread_create(&thread, NULL, run, NULL), "pthread_create");
}

double client_age(void)
{
	return peer_now() - started;
}

const char *client_outcome(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += CLIENT_WAIT;
	peer_check(!pthread_timedjoin_np(thread, NULL, &end), "the client hangs");
	peer_check(!result, "the client did not run: %s", strerror(result));
	report[strcspn(report, "\n")] = 0;
	return report;
}

void client_expect(const char *where, int err)
{
	client_expect_either(where, err, where, err);
}

void client_expect_either(const char *where, int err, const char *or_where, int or_err)
{
	const char *got = client_outcome();
	char want[64], other[64];

	snprintf(want, sizeof(want), "%s %d", where, err);
	snprintf(other, sizeof(other), "%s %d", or_where, or_err);
	peer_check(!strcmp(want, got) || !strcmp(other, got),
		   "the client came to \"%s\", not \"%s\" or \"%s\"", got, want, other);
}

void client_end(const char *where, int err)
{
	peer_disconnect();
	client_expect(where, err);
}

/* Answers what it asks, until it closes. */
void client_done(void)
{
	const struct msg *m;

	while ((m = peer_recv(WAIT))) {
		bool asked = m->flags & 1;

		peer_done();
		if (asked)
			peer_send_empty(peer->to_grant, 0);
	}
	peer_expect_disconnect();
	client_end("done", 0);
}

void client_serve(uint32_t bytes)
{
	peer_recv_frame(bytes);
	peer_send_frame(peer_frame, bytes);
	client_done();
}

void client_open(uint32_t bytes, const char *options)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		client_start(bytes, options);
		peer_await();
		peer_accept();
		if (!peer_is_deaf())
			return;
		/* siw did not see the request. The log counts these. */
		printf("# rerun: peer %s ECONNRESET\n", scenario->name);
		client_end("connect", ECONNRESET);
	}
	peer_fail("no request");
}

void client_welcome(uint32_t bytes, const char *options)
{
	client_open(bytes, options);
	peer_welcome(&welcome);
}

void client_exchange(const struct response *r, uint32_t bytes)
{
	client_open(bytes, "");
	peer_welcome(r);
	client_serve(bytes);
}

void client_works(void)
{
	client_exchange(&welcome, 5000);
}

/*
 * Such a client only reads until its connection ends: then nothing of it is under
 * way and the errno is certain. It has told us of its receives.
 */
void either_open(const char *client_options)
{
	if (scenario->other != CLIENT) {
		peer_open(&normal);
		return;
	}
	client_welcome(0, client_options);
	peer_wait_credit(4);
}

void either_aborts(void)
{
	if (scenario->other != CLIENT) {
		peer_gone();
		return;
	}
	peer_expect_disconnect();
	client_end("receive", ECONNABORTED);
}

void either_close(void)
{
	if (scenario->other == CLIENT)
		client_end("end", 0);
	else
		peer_disconnect();
}

/* A command for the servers. */
static int __attribute__((format(printf, 1, 2))) echo_command(const char *fmt, ...)
{
	int fd = open(DEBUG_DIR "/echo", O_WRONLY), err = 0;
	va_list args;

	peer_check(fd >= 0, "echo: %s", strerror(errno));
	va_start(args, fmt);
	if (vdprintf(fd, fmt, args) < 0)
		err = errno;
	va_end(args);
	close(fd);
	return err;
}

void late_starts(void)
{
	int err = echo_command("start %s %s late backlog=1 interval=1000 timeout=3000", peer_port,
			       peer_addr);

	peer_check(!err, "the late server does not start: %s", strerror(err));
}

static int late_accept(void)
{
	return echo_command("accept %s", peer_port);
}

void late_expect(int want)
{
	int err = late_accept();

	peer_check(err == want, "accept: \"%s\" instead of \"%s\"", strerror(err),
		   strerror(want));
}

/* The answer to the negotiation comes before the connection is there to be accepted. */
void late_accepts(void)
{
	double end = peer_now() + WAIT;
	int err;

	while ((err = late_accept()) == EAGAIN && peer_now() < end)
		usleep(1000);
	peer_check(!err, "accept: %s", strerror(err));
}
