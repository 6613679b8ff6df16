// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the RDMA tests with attacks, with many threads and at the end share: a connection
 * to be hurt beside one that must not be, and what the use of a dead key comes to.
 */
#include <linux/delay.h>
#include "rdma_stress.h"

const enum smbdr_kern_dir stress_dirs[2] = { SMBDR_KERN_RDMA_READ, SMBDR_KERN_RDMA_WRITE };

/**
 * stress_open() - the two connections and their memory
 * @s: filled in
 *
 * Return: 0 or a negative errno.
 */
int stress_open(struct stress *s)
{
	int ret;

	memset(s, 0, sizeof(*s));
	ret = st_pair_open(&s->p, NULL, NULL);
	if (!ret)
		ret = st_pair_open(&s->q, NULL, NULL);
	if (!ret)
		ret = st_mem_alloc(&s->mem, ST_MEM_VMALLOC, 100, 8192);
	if (!ret)
		ret = st_mem_alloc(&s->local, ST_MEM_VMALLOC, 0, 4096);
	return ret;
}

/**
 * stress_close() - end and free what stress_open() made
 * @s: the connections
 */
void stress_close(struct stress *s)
{
	st_pair_close(&s->p);
	st_pair_close(&s->q);
	st_mem_free(&s->mem);
	st_mem_free(&s->local);
}

/**
 * stress_ended() - does this end see the end of its connection soon?
 * @sock: the end
 */
bool stress_ended(struct socket *sock)
{
	return !st_wait_poll(sock, EPOLLHUP | EPOLLRDHUP | EPOLLERR, ST_SOON);
}

/**
 * stress_refused() - who uses a dead key is refused and loses the connection; nothing is touched
 * @test: the case
 * @s: the connections; the one that is hurt ends here
 * @dir: which way the attacker tries
 * @desc: with the key
 * @what: for the message of a failure
 */
void stress_refused(struct kunit *test, struct stress *s, enum smbdr_kern_dir dir,
		    const struct smbdr_kern_desc *desc, const char *what)
{
	int ret = st_rdma(s->p.s, &s->local, dir, desc, 1, 0);

	/* iWARP: a write is done when it is on its way. */
	if (dir == SMBDR_KERN_RDMA_READ)
		KUNIT_EXPECT_TRUE_MSG(test, ret == -EREMOTEIO || ret == -ECONNRESET ||
				      ret == -EPIPE, "%s: %d", what, ret);
	KUNIT_EXPECT_TRUE_MSG(test, stress_ended(s->p.s), "%s", what);
	KUNIT_EXPECT_TRUE_MSG(test, stress_ended(s->p.c), "%s", what);
	KUNIT_EXPECT_TRUE_MSG(test, st_mem_untouched(&s->mem), "%s", what);
	KUNIT_EXPECT_TRUE_MSG(test, st_mem_untouched(&s->local), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, st_ping(s->q.c, s->q.s, 1000), 0, "%s", what);
}

/**
 * stress_end_errno() - is this how calls and callbacks tell the end of a connection?
 * @err: what they gave; a timeout is not
 */
bool stress_end_errno(int err)
{
	return err == -EPIPE || err == -ECONNRESET || err == -ECONNABORTED;
}

/**
 * stress_register() - register the owner's memory and let a message follow
 * @test: the case
 * @s: the connections
 * @dir: what the attacker will be able to do
 * @desc: filled in; the memory needs one only
 *
 * Return: the registration, or NULL after a failure that has been reported.
 */
struct smbdr_kern_mr *stress_register(struct kunit *test, struct stress *s,
				      enum smbdr_kern_dir dir, struct smbdr_kern_desc *desc)
{
	struct smbdr_kern_mr *mr;
	u32 nr;

	mr = st_register(s->p.c, &s->mem, dir == SMBDR_KERN_RDMA_READ ? SMBDR_KERN_REMOTE_READ :
			 SMBDR_KERN_REMOTE_WRITE);
	KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(mr), "%pe", mr);
	if (IS_ERR(mr))
		return NULL;
	*desc = *smbdr_kern_mr_descs(mr, &nr);
	KUNIT_EXPECT_EQ(test, nr, 1);
	KUNIT_EXPECT_EQ(test, st_tell(s->p.c, s->p.s), 0);
	return mr;
}

/**
 * stress_on_rxe() - is the connection one of rxe's?
 * @sock: either end
 */
bool stress_on_rxe(struct socket *sock)
{
	struct smbdirect_info info;

	return !smbdr_kern_info(sock, &info) && info.device_class == SMBDIRECT_DEVICE_IB;
}

/**
 * stress_register_pieces() - register memory in pieces, each of which has a region of its own
 * @sock: the socket
 * @mem: memory that does not begin at a page boundary; a page lies between two pieces
 * @access: what the peer may do
 * @len: bytes of a piece, whole pages
 * @nr: number of pieces, up to STRESS_PIECES
 *
 * Return: the registration, or ERR_PTR.
 */
struct smbdr_kern_mr *stress_register_pieces(struct socket *sock, struct st_mem *mem,
					     enum smbdr_kern_access access, u32 len, u32 nr)
{
	struct kvec kv[STRESS_PIECES];
	struct iov_iter iter;
	u32 i;

	for (i = 0; i < nr; i++) {
		kv[i].iov_base = mem->base + mem->off + i * (len + PAGE_SIZE);
		kv[i].iov_len = len;
	}
	iov_iter_kvec(&iter, access == SMBDR_KERN_REMOTE_READ ? ITER_SOURCE : ITER_DEST, kv, nr,
		      (size_t)nr * len);
	return smbdr_kern_mr_register(sock, &iter, access);
}

static int stress_wait_thread(struct st_thread *t)
{
	struct stress_waiter *w = t->arg;

	st_where(t, "register");
	w->mr = w->pieces ?
		stress_register_pieces(w->sock, &w->mem, SMBDR_KERN_REMOTE_READ, PAGE_SIZE,
				       w->pieces) :
		st_register(w->sock, &w->mem, SMBDR_KERN_REMOTE_READ);
	return PTR_ERR_OR_ZERO(w->mr);
}

/**
 * stress_wait() - let a thread wait for regions
 * @test: the case
 * @w: for what
 *
 * Return: the thread, which waits, as it does in one place only; its result is that of registering.
 */
struct st_thread *stress_wait(struct kunit *test, struct stress_waiter *w)
{
	unsigned long end = jiffies + msecs_to_jiffies(st_cfg.timeout);
	struct st_thread *t = st_run("wait", stress_wait_thread, w);

	KUNIT_ASSERT_NOT_NULL(test, t);
	while (!(READ_ONCE(t->task->__state) & TASK_INTERRUPTIBLE) && time_before(jiffies, end))
		usleep_range(100, 200);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(t->task->__state) & TASK_INTERRUPTIBLE);
	return t;
}
