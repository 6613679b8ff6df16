// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the RDMA tests do with memory, and the counters.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include "rdma_lib.h"

static struct file *st_counters;

/**
 * st_counters_open() - open the file of counters
 *
 * To be called by the process that loads the module: the kernel's threads, in which the
 * tests run, need not see any file. Without the file st_counter() has nothing to give.
 */
void st_counters_open(void)
{
	st_counters = filp_open("/proc/net/smbdirect", O_RDONLY, 0);
}

/**
 * st_counters_close() - close it
 */
void st_counters_close(void)
{
	if (!IS_ERR_OR_NULL(st_counters))
		fput(st_counters);
	st_counters = NULL;
}

/**
 * st_counter() - one of the counters in /proc/net/smbdirect
 * @name: as it is called there
 *
 * The file has no read operation that takes kernel memory, so its sequence is read.
 *
 * Return: its value, or U64_MAX if there is none.
 */
u64 st_counter(const char *name)
{
	char *buf = kzalloc(PAGE_SIZE, GFP_KERNEL), *at;
	struct kvec v = { buf, PAGE_SIZE - 1 };
	size_t len = strlen(name);
	struct iov_iter iter;
	struct kiocb kiocb;
	u64 val = U64_MAX;

	if (!buf || IS_ERR_OR_NULL(st_counters))
		goto free;
	init_sync_kiocb(&kiocb, st_counters);
	iov_iter_kvec(&iter, ITER_DEST, &v, 1, v.iov_len);
	if (seq_read_iter(&kiocb, &iter) <= 0)
		goto free;
	for (at = buf; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, len) || at[len] != ' ')
			continue;
		if (sscanf(at + len, " %llu", &val) != 1)
			val = U64_MAX;
		break;
	}
free:
	kfree(buf);
	return val;
}

/**
 * st_regions_left() - regions that were registered and not invalidated
 *
 * What was still registered when its connection ended stays in the number.
 */
s64 st_regions_left(void)
{
	return st_counter("MrRegistered") - st_counter("MrInvLocal") - st_counter("MrInvRemote");
}

/* Before the case that runs. */
static s64 st_left;

/**
 * st_rdma_init() - for a suite whose cases deregister all while the connection lives
 * @test: the case that begins
 */
int st_rdma_init(struct kunit *test)
{
	st_left = st_regions_left();
	return st_suite_init(test);
}

/**
 * st_rdma_exit() - after each case of such a suite: nothing stays registered
 * @test: the case that has ended
 */
void st_rdma_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, st_regions_left(), st_left);
}

/**
 * st_pair_and_mem() - a connection with the default options, and memory of the simplest shape
 * @p: the connection, to be closed if all went well
 * @mem: the memory, to be freed if all went well
 * @len: its length
 *
 * Return: 0 or a negative errno.
 */
int st_pair_and_mem(struct st_pair *p, struct st_mem *mem, u32 len)
{
	int ret = st_mem_alloc(mem, ST_MEM_VMALLOC, 0, len);

	if (!ret)
		ret = st_pair_open(p, NULL, NULL);
	if (ret)
		st_mem_free(mem);
	return ret;
}

/**
 * st_tell() - let a message follow a registration
 * @from: who registered
 * @to: who will use the descriptors
 *
 * Descriptors are good for whom a message has reached that was sent after they were
 * made. The tests hand them over in memory, so they send one without them.
 */
int st_tell(struct socket *from, struct socket *to)
{
	return st_ping(from, to, 4);
}

/**
 * st_register() - register a whole piece of memory
 * @sock: the socket
 * @mem: the memory
 * @access: what the peer may do
 */
struct smbdr_kern_mr *st_register(struct socket *sock, struct st_mem *mem,
				  enum smbdr_kern_access access)
{
	struct iov_iter iter;

	st_mem_iter(mem, &iter, access == SMBDR_KERN_REMOTE_READ ? ITER_SOURCE : ITER_DEST, 0,
		    mem->len);
	return smbdr_kern_mr_register(sock, &iter, access);
}

static void st_rdma_iter(struct st_mem *mem, struct iov_iter *iter, enum smbdr_kern_dir dir)
{
	st_mem_iter(mem, iter, dir == SMBDR_KERN_RDMA_READ ? ITER_DEST : ITER_SOURCE, 0, mem->len);
}

/**
 * st_rdma() - read or write and wait
 * @sock: the socket
 * @mem: local memory, all of it
 * @dir: which way
 * @descs: the peer's memory
 * @nr: number of descriptors
 * @offset: in the peer's memory
 */
int st_rdma(struct socket *sock, struct st_mem *mem, enum smbdr_kern_dir dir,
	    const struct smbdr_kern_desc *descs, u32 nr, u64 offset)
{
	struct iov_iter iter;

	st_rdma_iter(mem, &iter, dir);
	return dir == SMBDR_KERN_RDMA_READ ?
		smbdr_kern_rdma_read(sock, &iter, descs, nr, offset) :
		smbdr_kern_rdma_write(sock, &iter, descs, nr, offset);
}

/**
 * st_submit() - begin to read or write
 * @sock: the socket
 * @mem: local memory, all of it; one caller at a time, as what the iterator needs is in it
 * @dir: which way
 * @descs: the peer's memory
 * @nr: number of descriptors
 * @offset: in the peer's memory
 * @done: called once, if this returns 0
 * @arg: for @done
 */
int st_submit(struct socket *sock, struct st_mem *mem, enum smbdr_kern_dir dir,
	      const struct smbdr_kern_desc *descs, u32 nr, u64 offset,
	      void (*done)(void *arg, int err), void *arg)
{
	struct iov_iter iter;
	const struct smbdr_kern_rdma rdma = {
		.dir = dir,
		.iter = &iter,
		.descs = descs,
		.nr_descs = nr,
		.offset = offset,
		.done = done,
		.arg = arg,
	};

	st_rdma_iter(mem, &iter, dir);
	return smbdr_kern_rdma_submit(sock, &rdma);
}

/**
 * st_calls_lost() - callbacks are missing and may still come: keep their code
 *
 * The caller leaves their memory as it is.
 */
void st_calls_lost(void)
{
	__module_get(THIS_MODULE);
}

/**
 * st_send_inv() - send a frame that invalidates a key of the peer
 * @sock: the socket
 * @seed: content
 * @len: its length
 * @token: the key as in a descriptor
 */
int st_send_inv(struct socket *sock, u32 seed, u32 len, __le32 token)
{
	u8 ctl[CMSG_SPACE(sizeof(u32))] __aligned(8) = {};
	struct msghdr msg = {
		.msg_flags = MSG_NOSIGNAL,
		.msg_control = ctl,
		.msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	u32 key = le32_to_cpu(token);
	struct kvec v[2];
	u8 hdr[ST_HDR];
	int ret;

	cmsg->cmsg_level = SOL_SMBDIRECT;
	cmsg->cmsg_type = SMBDIRECT_CMSG_INVALIDATE;
	cmsg->cmsg_len = CMSG_LEN(sizeof(key));
	memcpy(CMSG_DATA(cmsg), &key, sizeof(key));
	st_put_hdr(hdr, len);
	v[0].iov_base = hdr;
	v[0].iov_len = ST_HDR;
	v[1].iov_base = (void *)st_pattern(seed);
	v[1].iov_len = len;
	ret = kernel_sendmsg(sock, &msg, v, 2, ST_HDR + len);
	return ret < 0 ? ret : ret == ST_HDR + len ? 0 : -EIO;
}

MODULE_IMPORT_NS("NET_SMBDIRECT");
