/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the RDMA tests do with the memory of tests/lib/mem.c. Everything here may sleep.
 */
#ifndef RDMA_LIB_H
#define RDMA_LIB_H

#include <net/smbdirect.h>
#include "smbdr_test.h"

#define ST_MRS		28	/* the most regions of a connection */
#define ST_SOON		(st_cfg.timeout / 2)	/* ms: nothing may take longer */

s64 st_regions_left(void);
int st_rdma_init(struct kunit *test);
void st_rdma_exit(struct kunit *test);
int st_pair_and_mem(struct st_pair *p, struct st_mem *mem, u32 len);
int st_tell(struct socket *from, struct socket *to);
struct smbdr_kern_mr *st_register(struct socket *sock, struct st_mem *mem,
				  enum smbdr_kern_access access);
int st_rdma(struct socket *sock, struct st_mem *mem, enum smbdr_kern_dir dir,
	    const struct smbdr_kern_desc *descs, u32 nr, u64 offset);
int st_submit(struct socket *sock, struct st_mem *mem, enum smbdr_kern_dir dir,
	      const struct smbdr_kern_desc *descs, u32 nr, u64 offset,
	      void (*done)(void *arg, int err), void *arg);
void st_calls_lost(void);
int st_send_inv(struct socket *sock, u32 seed, u32 len, __le32 token);

#endif /* RDMA_LIB_H */
