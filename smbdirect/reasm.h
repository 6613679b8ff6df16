/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_REASM_H
#define SMBDR_REASM_H

#include <linux/types.h>

/**
 * struct smbdr_reasm - where we are in the upper layer message being received
 * @max: largest message accepted (MaxFragmentedRecvSize), bytes
 * @received: bytes of it that have arrived
 * @remaining: bytes that are still missing (FragmentReassemblyRemaining);
 *	non-zero means: in the middle of a message
 */
struct smbdr_reasm {
	u32 max;
	u32 received;
	u32 remaining;
};

/**
 * enum smbdr_reasm_result - what a data message meant to reassembly
 * @SMBDR_REASM_EMPTY: no part of any message, only credits or a keepalive
 * @SMBDR_REASM_MORE: a part; more are to come
 * @SMBDR_REASM_DONE: the last part; the whole has reasm.received bytes until
 *	the next call
 */
enum smbdr_reasm_result {
	SMBDR_REASM_EMPTY,
	SMBDR_REASM_MORE,
	SMBDR_REASM_DONE,
};

void smbdr_reasm_init(struct smbdr_reasm *r, u32 max);

/*
 * Account one data message ([MS-SMBD] 3.1.5.8). Returns enum
 * smbdr_reasm_result, or -EBADMSG if it does not continue the message in hand
 * or goes beyond the limit; the connection has to end then.
 */
int smbdr_reasm_input(struct smbdr_reasm *r, u32 data_length, u32 remaining_length);

#endif /* SMBDR_REASM_H */
