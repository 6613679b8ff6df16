// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smbdr-peer: speaks SMB Direct by hand over librdmacm, well or badly.
 *
 *	smbdr-peer SCENARIO ADDR PORT
 *	smbdr-peer fuzz|fuzz_clients ADDR PORT SEED COUNT
 *
 * ADDR and PORT are those of the other end, or, where that is a client, ours.
 * Without arguments it lists the scenarios: name, other end, what it is about.
 * Those named BVT_Smbd... and Smbd... are cases of Microsoft's MS-SMBD test
 * suite, by their names there, with frames to and from an echo server in the place
 * of SMB2 requests and their answers, and a second in the place of two minutes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "peer.h"

const char *peer_addr, *peer_port;
bool peer_may_be_asked;
int peer_loud = STDERR_FILENO;

static const char * const other_ends[] = {
	[ECHO] = "echo", [IDLE] = "idle", [HASTY] = "hasty", [LATE] = "late", [CLIENT] = "client",
};

static const struct scenario * const tables[] = {
	negotiate_scenarios, data_scenarios, credit_scenarios, client_scenarios,
	client_data_scenarios, client_rdma_scenarios,
};

void peer_fail(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "smbdr-peer: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

void peer_broken(const char *fmt, ...)
{
	va_list args;

	dprintf(peer_loud, "smbdr-peer: rule broken: ");
	va_start(args, fmt);
	vdprintf(peer_loud, fmt, args);
	va_end(args);
	dprintf(peer_loud, "\n");
	exit(BROKEN);
}

static void run(const struct scenario *s)
{
	/* A client asks at its end, to know whether all has arrived. */
	peer_may_be_asked = s->other != ECHO;
	if (s->other == CLIENT)
		peer_listen();
	s->run();
	if (s->other == CLIENT)
		client_works();
	printf("ok\n");
}

int main(int argc, char **argv)
{
	const struct scenario *s;
	size_t i;

	if (argc == 6 && !strncmp(argv[1], "fuzz", 4)) {
		peer_addr = argv[2];
		peer_port = argv[3];
		(argv[1][4] ? peer_fuzz_clients : peer_fuzz)(strtoull(argv[4], NULL, 0),
							     strtoul(argv[5], NULL, 0));
		return 0;
	}
	if (argc == 4) {
		peer_addr = argv[2];
		peer_port = argv[3];
	} else {
		fprintf(stderr, "usage: smbdr-peer SCENARIO|fuzz|fuzz_clients ADDR PORT [SEED COUNT]\n");
	}
	for (i = 0; i < ARRAY_LEN(tables); i++) {
		for (s = tables[i]; s->name; s++) {
			if (argc != 4) {
				fprintf(stderr, "  %-72s %-7s %s\n", s->name, other_ends[s->other],
					s->what);
			} else if (!strcmp(s->name, argv[1])) {
				run(s);
				return 0;
			}
		}
	}
	if (argc != 4)
		return 2;
	peer_fail("no scenario %s", argv[1]);
}
