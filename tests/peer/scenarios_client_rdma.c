// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clients that invalidate a key of ours.
 */
#include <errno.h>
#include "peer.h"

/*
 * [MS-SMBD] 3.1.5.4 lets the sender choose the fragment that invalidates. The key is none of ours, so
 * that one puts our queue pair in error, and which it was is seen by what came before it. The frame
 * has five fragments of 1000 bytes; a device may hand the fifth over before it looks at the key.
 */
static void invalidate_last(void)
{
	uint32_t bytes = 0, remaining = 0;
	const struct msg *m;

	client_open(5000, "invalidate=0x1234567");
	peer_welcome(&welcome);
	while ((m = peer_recv(WAIT))) {
		bytes += m->datalen;
		remaining = m->remaining;
		peer_done();
	}
	peer_check(bytes, "the connection has ended before any fragment");
	peer_check(remaining <= 1000, "a fragment invalidates before the last: %u bytes to come",
		   remaining);
	/* Our device is done with the connection and does not say so; the client waits for its frame. */
	peer_disconnect();
	client_expect_either("receive", ECONNRESET, "end", 0);
}

const struct scenario client_rdma_scenarios[] = {
	{ "client_invalidate_last", CLIENT, "invalidates a key with the last fragment",
	  invalidate_last },
	{}
};
