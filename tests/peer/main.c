// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smbdr-peer: speaks SMB Direct by hand over librdmacm, well or badly.
 *
 *	smbdr-peer SCENARIO ADDR PORT
 *	smbdr-peer fuzz|fuzz_clients ADDR PORT SEED COUNT
 *
 * ADDR and PORT are those of the other end, or, where that is a client, ours.
 * Without arguments it lists the scenarios: name, other end, pace, what it is about.
 * Those named BVT_Smbd... and Smbd... are cases of Microsoft's MS-SMBD test
 * suite, by their names there, with frames to and from an echo server in the place
 * of SMB2 requests and their answers, and a second in the place of two minutes.
 */
#include <stdio.h>
#include <stdlib.h>
#include "peer.h"

static const char * const other_ends[] = {
	[ECHO] = "echo", [IDLE] = "idle", [HASTY] = "hasty", [LATE] = "late", [CLIENT] = "client",
};

static const char * const paces[] = {
	[BUSY] = "busy", [WAITING] = "waiting", [HEAVY] = "heavy",
};

/* The linker's names for the list that SCENARIO() makes. */
extern const struct scenario *const __start_scenarios[], *const __stop_scenarios[];

static void run(void)
{
	/* A client asks at its end, to know whether all has arrived. */
	peer_setup.may_be_asked = scenario->other != ECHO;
	if (scenario->other == CLIENT)
		peer_listen();
	if (scenario->other == LATE)
		late_starts();
	scenario->run();
	if (scenario->other == CLIENT)
		client_works();
	printf("ok\n");
}

int main(int argc, char **argv)
{
	const struct scenario *const *s;

	if (argc < 4) {
		fprintf(stderr, "usage: smbdr-peer SCENARIO|fuzz|fuzz_clients ADDR PORT [SEED COUNT]\n");
		for (s = __start_scenarios; s < __stop_scenarios; s++)
			fprintf(stderr, "  %-72s %-7s %-8s %s\n", (*s)->name,
				other_ends[(*s)->other], paces[(*s)->pace], (*s)->what);
		return 2;
	}
	peer_addr = argv[2];
	peer_port = argv[3];
	if (argc == 6 && !strncmp(argv[1], "fuzz", 4)) {
		(argv[1][4] ? peer_fuzz_clients : peer_fuzz)(strtoull(argv[4], NULL, 0),
							     strtoul(argv[5], NULL, 0));
		return 0;
	}
	for (s = __start_scenarios; s < __stop_scenarios; s++) {
		scenario = *s;
		if (!strcmp(scenario->name, argv[1])) {
			run();
			return 0;
		}
	}
	peer_fail("no scenario %s", argv[1]);
}
