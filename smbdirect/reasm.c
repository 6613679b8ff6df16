// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which upper layer message a data message belongs to: [MS-SMBD] 3.1.5.8.
 *
 * A message travels in fragments that follow each other without anything in
 * between. Each says how much of the message is still to come after it, so
 * from the first fragment on every later one is determined: its payload plus
 * its remainder is the remainder of the one before. That single equation is
 * all there is to check. It catches a fragment that is too long, one that
 * leaves a gap, an early end, and a message without payload between two
 * fragments. 3.1.5.8 names only part of these, but its bookkeeping goes
 * below zero on the others, and no sender that follows 3.1.5.4 makes them.
 *
 * Fragments without payload are legal as long as a remainder follows, the
 * first one included.
 *
 * This file counts; where the bytes go is the business of the caller. So a
 * message may come in any number of fragments, 65536 of one byte if the peer
 * likes, without anything being held for each of them.
 *
 * Ownership: struct smbdr_reasm is part of the connection, one for what
 * arrives; what is sent is cut up elsewhere and does not meet it.
 * Locking: the caller serializes; only the completion handler of receives,
 * which runs once at a time for a connection, calls in here.
 */
#include <linux/errno.h>
#include <linux/types.h>
#include "reasm.h"

/**
 * smbdr_reasm_init - no message in hand
 * @r: to be set up
 * @max: largest upper layer message accepted, bytes
 *
 * Context: any.
 */
void smbdr_reasm_init(struct smbdr_reasm *r, u32 max)
{
	r->max = max;
	r->received = 0;
	r->remaining = 0;
}

/**
 * smbdr_reasm_input - account one data message, [MS-SMBD] 3.1.5.8
 * @r: where we are
 * @data_length: its payload, bytes
 * @remaining_length: what it says is still to come, bytes
 *
 * Context: any, serialized by the caller.
 *
 * Return: enum smbdr_reasm_result, or -EBADMSG, with *@r untouched, if the
 * message does not continue the one in hand or is part of one above the
 * limit. The connection has to end then.
 */
int smbdr_reasm_input(struct smbdr_reasm *r, u32 data_length, u32 remaining_length)
{
	u64 rest = (u64)data_length + remaining_length;

	if (rest > r->max)
		return -EBADMSG;
	if (r->remaining) {
		if (rest != r->remaining)
			return -EBADMSG;
	} else {
		r->received = 0;
		if (!rest)
			return SMBDR_REASM_EMPTY;
	}
	r->received += data_length;
	r->remaining = remaining_length;
	return remaining_length ? SMBDR_REASM_MORE : SMBDR_REASM_DONE;
}
