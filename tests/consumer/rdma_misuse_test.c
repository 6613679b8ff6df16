// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA: what a caller can do wrong. He is told at once, by the errno that the
 * documentation names; nothing is registered, transferred or sent, nobody is called
 * back, and the connection goes on.
 */
#include <linux/mm.h>
#include "rdma_lib.h"

/* Callbacks that must not be. */
static atomic_t rdma_never = ATOMIC_INIT(0);

static void rdma_never_done(void *arg, int err)
{
	atomic_inc(&rdma_never);
}

/* Submit what has to be refused, in which case nobody is called. */
static int rdma_refused(struct socket *sock, struct iov_iter *iter, enum smbdr_kern_dir dir,
			const struct smbdr_kern_desc *descs, u32 nr, u64 offset)
{
	const struct smbdr_kern_rdma rdma = {
		.dir = dir,
		.iter = iter,
		.descs = descs,
		.nr_descs = nr,
		.offset = offset,
		.done = rdma_never_done,
	};

	return smbdr_kern_rdma_submit(sock, &rdma);
}

static void rdma_misuse_of(struct kunit *test, struct socket *sock, int want)
{
	struct smbdr_kern_desc desc = { .length = cpu_to_le32(4096) };
	struct iov_iter iter;
	struct st_mem mem;

	if (st_mem_alloc(&mem, ST_MEM_VMALLOC, 0, 100)) {
		KUNIT_FAIL(test, "memory");
	} else {
		KUNIT_EXPECT_PTR_EQ(test, st_register(sock, &mem, SMBDR_KERN_REMOTE_READ),
				    ERR_PTR(want));
		KUNIT_EXPECT_PTR_EQ(test, st_register(sock, &mem, SMBDR_KERN_REMOTE_WRITE),
				    ERR_PTR(want));
		KUNIT_EXPECT_EQ(test, st_rdma(sock, &mem, SMBDR_KERN_RDMA_READ, &desc, 1, 0), want);
		KUNIT_EXPECT_EQ(test, st_rdma(sock, &mem, SMBDR_KERN_RDMA_WRITE, &desc, 1, 0),
				want);
		st_mem_iter(&mem, &iter, ITER_DEST, 0, 100);
		KUNIT_EXPECT_EQ(test, rdma_refused(sock, &iter, SMBDR_KERN_RDMA_READ, &desc, 1, 0),
				want);
	}
	st_mem_free(&mem);
}

/* Sockets that are none of ours, not connected yet, listening, or at their end. */
static void rdma_wrong_socket(struct kunit *test)
{
	struct socket *sock;
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP,
					       &sock), 0);
	rdma_misuse_of(test, sock, -EINVAL);
	sock_release(sock);
	KUNIT_ASSERT_EQ(test, st_socket(&sock), 0);
	rdma_misuse_of(test, sock, -ENOTCONN);
	st_release(&sock);

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	rdma_misuse_of(test, p.ls, -ENOTCONN);
	KUNIT_EXPECT_EQ(test, kernel_sock_shutdown(p.c, SHUT_RDWR), 0);
	rdma_misuse_of(test, p.c, -EPIPE);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLHUP | EPOLLRDHUP, st_cfg.timeout), 0);
	rdma_misuse_of(test, p.s, -EPIPE);
	st_pair_close(&p);

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	st_release(&p.s);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.c, EPOLLHUP | EPOLLRDHUP, st_cfg.timeout), 0);
	rdma_misuse_of(test, p.c, -EPIPE);
	st_pair_close(&p);
}

/* An iterator that does not do is refused by whatever takes one of that direction. */
static void rdma_iter_refused(struct kunit *test, struct st_pair *p, const struct iov_iter *bad,
			      const char *what)
{
	bool dest = iov_iter_rw(bad) == ITER_DEST;
	const struct smbdr_kern_desc desc = { cpu_to_le64(4096), 0, cpu_to_le32(4096) };
	enum smbdr_kern_dir dir = dest ? SMBDR_KERN_RDMA_READ : SMBDR_KERN_RDMA_WRITE;
	struct iov_iter iter = *bad;
	struct smbdr_kern_mr *mr;

	mr = smbdr_kern_mr_register(p->c, &iter, dest ? SMBDR_KERN_REMOTE_WRITE :
				    SMBDR_KERN_REMOTE_READ);
	KUNIT_EXPECT_PTR_EQ_MSG(test, mr, ERR_PTR(-EINVAL), "%s", what);
	if (!IS_ERR(mr))
		smbdr_kern_mr_deregister(mr);
	iter = *bad;
	KUNIT_EXPECT_EQ_MSG(test, rdma_refused(p->s, &iter, dir, &desc, 1, 0), -EINVAL, "%s",
			    what);
}

/* Iterators over user memory, over nothing, and of the wrong direction. */
static void rdma_wrong_iterator(struct kunit *test)
{
	static const unsigned int dirs[] = { ITER_SOURCE, ITER_DEST };
	const struct smbdr_kern_desc desc = { cpu_to_le64(4096), 0, cpu_to_le32(4096) };
	struct iov_iter iter;
	struct st_mem mem;
	struct st_pair p;
	u32 i;

	KUNIT_ASSERT_EQ(test, st_pair_and_mem(&p, &mem, 100), 0);
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		iov_iter_ubuf(&iter, dirs[i], (void __user *)4096, 100);
		rdma_iter_refused(test, &p, &iter, "user memory");
		st_mem_iter(&mem, &iter, dirs[i], 0, 0);
		rdma_iter_refused(test, &p, &iter, "empty");
	}
	iov_iter_discard(&iter, ITER_DEST, 100);
	rdma_iter_refused(test, &p, &iter, "discard");

	st_mem_iter(&mem, &iter, ITER_DEST, 0, 100);
	KUNIT_EXPECT_PTR_EQ(test, smbdr_kern_mr_register(p.c, &iter, SMBDR_KERN_REMOTE_READ),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, rdma_refused(p.s, &iter, SMBDR_KERN_RDMA_WRITE, &desc, 1, 0),
			-EINVAL);
	st_mem_iter(&mem, &iter, ITER_SOURCE, 0, 100);
	KUNIT_EXPECT_PTR_EQ(test, smbdr_kern_mr_register(p.c, &iter, SMBDR_KERN_REMOTE_WRITE),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, rdma_refused(p.s, &iter, SMBDR_KERN_RDMA_READ, &desc, 1, 0), -EINVAL);

	KUNIT_EXPECT_TRUE(test, st_mem_untouched(&mem));
	/* And nothing has come of it. */
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 1000), 0);
	st_mem_free(&mem);
	st_pair_close(&p);
}

struct rdma_bad_descs {
	const char *what;
	u32 nr;
	u64 offset;
	struct smbdr_kern_desc descs[2];
};

#define RDMA_DESC(off, len)	{ cpu_to_le64(off), 0, cpu_to_le32(len) }

/* None of them does for a hundred bytes. */
static const struct rdma_bad_descs rdma_bad_descs[] = {
	{ "none", 0, 0, { RDMA_DESC(4096, 4096) } },
	{ "too little", 1, 0, { RDMA_DESC(4096, 99) } },
	{ "too little together", 2, 0, { RDMA_DESC(4096, 50), RDMA_DESC(8192, 49) } },
	{ "too little after the offset", 2, 1, { RDMA_DESC(4096, 50), RDMA_DESC(8192, 50) } },
	{ "offset at the end", 1, 4096, { RDMA_DESC(4096, 4096) } },
	{ "offset beyond the end", 1, 4097, { RDMA_DESC(4096, 4096) } },
	{ "offset that wraps", 1, U64_MAX, { RDMA_DESC(4096, 4096) } },
	{ "first without length", 2, 0, { RDMA_DESC(4096, 0), RDMA_DESC(4096, 100) } },
	{ "second without length", 2, 0, { RDMA_DESC(4096, 50), RDMA_DESC(4096, 0) } },
	{ "first beyond all addresses", 1, 0, { RDMA_DESC(U64_MAX - 10, 100) } },
	{ "second beyond all addresses", 2, 0, { RDMA_DESC(0, 50), RDMA_DESC(U64_MAX - 10, 50) } },
};

static void rdma_bad_descs_desc(const struct rdma_bad_descs *d, char *desc)
{
	strscpy(desc, d->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(rdma_bad_descs, rdma_bad_descs, rdma_bad_descs_desc);

/* Descriptors that do not do are refused at once, and cost nothing. */
static void rdma_wrong_descs(struct kunit *test)
{
	const struct rdma_bad_descs *d = test->param_value;
	struct iov_iter iter;
	struct st_mem mem;
	struct st_pair p;

	KUNIT_ASSERT_EQ(test, st_pair_and_mem(&p, &mem, 100), 0);
	KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_READ, d->descs, d->nr, d->offset),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, st_rdma(p.s, &mem, SMBDR_KERN_RDMA_WRITE, d->descs, d->nr,
				      d->offset), -EINVAL);
	st_mem_iter(&mem, &iter, ITER_DEST, 0, 100);
	KUNIT_EXPECT_EQ(test, rdma_refused(p.s, &iter, SMBDR_KERN_RDMA_READ, d->descs, d->nr,
					   d->offset), -EINVAL);
	KUNIT_EXPECT_TRUE(test, st_mem_untouched(&mem));
	KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 1000), 0);
	st_mem_free(&mem);
	st_pair_close(&p);
}

/* ----- control messages ----- */

static int rdma_send_ctl(struct socket *sock, int type, size_t len, int copies, size_t data)
{
	u8 ctl[3 * CMSG_SPACE(sizeof(u64))] __aligned(8) = {};
	u8 frame[ST_HDR + 1] = { 0, 0, 0, 1, 7 };
	struct kvec v = { frame, data };
	struct msghdr msg = {
		.msg_flags = MSG_NOSIGNAL,
		.msg_control = ctl,
		.msg_controllen = copies * CMSG_SPACE(len),
	};
	struct cmsghdr *cmsg;

	cmsg = (struct cmsghdr *)ctl;
	while (copies-- > 0) {
		cmsg->cmsg_level = SOL_SMBDIRECT;
		cmsg->cmsg_type = type;
		cmsg->cmsg_len = CMSG_LEN(len);
		cmsg = (struct cmsghdr *)((u8 *)cmsg + CMSG_SPACE(len));
	}
	return kernel_sendmsg(sock, &msg, &v, 1, data);
}

/* A control message that says it is @len bytes long, which it is not. */
static int rdma_send_cut(struct socket *sock, size_t len)
{
	u8 ctl[CMSG_SPACE(sizeof(u32))] __aligned(8) = {};
	struct cmsghdr *cmsg = (struct cmsghdr *)ctl;
	u8 frame[ST_HDR + 1] = { 0, 0, 0, 1, 7 };
	struct kvec v = { frame, sizeof(frame) };
	struct msghdr msg = {
		.msg_flags = MSG_NOSIGNAL,
		.msg_control = ctl,
		.msg_controllen = sizeof(ctl),
	};

	cmsg->cmsg_level = SOL_SMBDIRECT;
	cmsg->cmsg_type = SMBDIRECT_CMSG_INVALIDATE;
	cmsg->cmsg_len = len;
	return kernel_sendmsg(sock, &msg, &v, 1, sizeof(frame));
}

/* A bad control message is refused before anything is taken. */
static void rdma_control(struct kunit *test)
{
	u8 buf[ST_HDR + 1];
	struct st_pair p;
	int i;

	KUNIT_ASSERT_EQ(test, st_pair_open(&p, NULL, NULL), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, 99, 4, 1, 5), -EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 3, 1, 5),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 8, 1, 5),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 4, 2, 5),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 4, 1, 0),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_cut(p.c, sizeof(struct cmsghdr) - 1), -EINVAL);
		KUNIT_EXPECT_EQ(test, rdma_send_cut(p.c, SZ_1K), -EINVAL);
		KUNIT_EXPECT_EQ(test, st_ping(p.c, p.s, 500), 0);
	}
	/* The second token for one frame: the first call gave its header. */
	KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 4, 1, 4), 4);
	KUNIT_EXPECT_EQ(test, rdma_send_ctl(p.c, SMBDIRECT_CMSG_INVALIDATE, 4, 1, 1), -EINVAL);
	/* Nobody has key 0: finishing the frame ends the other side. */
	buf[0] = 7;
	KUNIT_EXPECT_EQ(test, st_send(p.c, buf, 1, 0), 1);
	KUNIT_EXPECT_EQ(test, st_wait_poll(p.s, EPOLLHUP | EPOLLRDHUP | EPOLLERR, ST_SOON), 0);
	st_pair_close(&p);
}

static struct kunit_case rdma_misuse_cases[] = {
	KUNIT_CASE(rdma_wrong_socket),
	KUNIT_CASE(rdma_wrong_iterator),
	KUNIT_CASE_PARAM(rdma_wrong_descs, rdma_bad_descs_gen_params),
	KUNIT_CASE(rdma_control),
	{}
};

static int rdma_misuse_init(struct kunit *test)
{
	atomic_set(&rdma_never, 0);
	return st_rdma_init(test);
}

/* After each case: nobody was called who must not be. */
static void rdma_misuse_exit(struct kunit *test)
{
	st_rdma_exit(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&rdma_never), 0);
}

static struct kunit_suite rdma_misuse_suite = {
	.name = "smbdr_rdma_misuse",
	.init = rdma_misuse_init,
	.exit = rdma_misuse_exit,
	.test_cases = rdma_misuse_cases,
};

kunit_test_suite(rdma_misuse_suite);
