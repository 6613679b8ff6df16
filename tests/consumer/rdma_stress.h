/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the RDMA tests with attacks, with many threads and at the end share.
 */
#ifndef RDMA_STRESS_H
#define RDMA_STRESS_H

#include "rdma_lib.h"

#define STRESS_PIECES	3

/**
 * struct stress - a connection to be hurt, and one that must not be
 * @p: the former: the client end owns memory, the server end attacks
 * @q: the latter
 * @mem: memory of the owner, never to be touched
 * @local: memory of the attacker
 */
struct stress {
	struct st_pair p;
	struct st_pair q;
	struct st_mem mem;
	struct st_mem local;
};

/**
 * struct stress_waiter - who registers memory when all regions are taken
 * @sock: for whom
 * @mem: the memory
 * @pieces: in so many pieces of a page, or 0 if it is one
 * @mr: the registration
 */
struct stress_waiter {
	struct socket *sock;
	struct st_mem mem;
	u32 pieces;
	struct smbdr_kern_mr *mr;
};

/* Both ways of a transfer. */
extern const enum smbdr_kern_dir stress_dirs[2];

int stress_open(struct stress *s);
void stress_close(struct stress *s);
bool stress_ended(struct socket *sock);
bool stress_end_errno(int err);
bool stress_on_rxe(struct socket *sock);
struct smbdr_kern_mr *stress_register_pieces(struct socket *sock, struct st_mem *mem,
					     enum smbdr_kern_access access, u32 len, u32 nr);
struct st_thread *stress_wait(struct kunit *test, struct stress_waiter *w);
struct smbdr_kern_mr *stress_register(struct kunit *test, struct stress *s,
				      enum smbdr_kern_dir dir, struct smbdr_kern_desc *desc);
void stress_refused(struct kunit *test, struct stress *s, enum smbdr_kern_dir dir,
		    const struct smbdr_kern_desc *desc, const char *what);

#endif /* RDMA_STRESS_H */
