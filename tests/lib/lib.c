// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets, frames and threads.
 *
 * Three rules make a broken transport a failed test instead of a machine that
 * must be killed. Every socket gets send and receive timeouts when it is
 * made. Work that runs beside a test is a struct st_thread that says where it
 * is, and st_join() waits for it for a bounded time. And a thread that does
 * not come back even after a signal is given up together with everything it
 * may touch: the module stays loaded, later cases fail at once, see
 * st_stuck().
 *
 * Content comes from one fixed table read at an offset that the seed selects.
 * The table's period is a prime, so a byte at the wrong place is a wrong byte.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/inet.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sockios.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/module.h>
#include <asm/ioctls.h>
#include "lib.h"

#define ST_PERIOD	65521U

struct st_cfg st_cfg;

static u8 *st_table;
/* The program that loaded the module: user memory for kernel threads. */
static struct mm_struct *st_user_mm;
static bool st_is_stuck;

int st_lib_init(void)
{
	u32 i, n, x = 1;

	st_table = vmalloc(ST_PERIOD + ST_PATTERN_MAX);
	if (!st_table)
		return -ENOMEM;
	for (i = 0; i < ST_PERIOD; i++) {
		x = x * 1664525 + 1013904223;
		st_table[i] = x >> 24;
	}
	for (; i < ST_PERIOD + ST_PATTERN_MAX; i += n) {
		n = min(ST_PERIOD, ST_PERIOD + ST_PATTERN_MAX - i);
		memcpy(st_table + i, st_table, n);
	}
	st_user_mm = current->mm;
	mmget(st_user_mm);
	return 0;
}

void st_lib_exit(void)
{
	mmput(st_user_mm);
	vfree(st_table);
}

/* ST_PATTERN_MAX bytes; those of two seeds differ nearly everywhere. */
const u8 *st_pattern(u32 seed)
{
	return st_table + (seed * 7919ULL) % ST_PERIOD;
}

int st_parse_addr(const char *text, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	return inet_pton_with_scope(&init_net, AF_UNSPEC, text, "0", ss);
}

void st_set_timeout(struct socket *sock, unsigned int ms)
{
	WRITE_ONCE(sock->sk->sk_rcvtimeo, msecs_to_jiffies(ms));
	WRITE_ONCE(sock->sk->sk_sndtimeo, msecs_to_jiffies(ms));
}

int st_socket_at(struct net *net, int family, int proto, struct socket **sock)
{
	int ret = sock_create_kern(net, family, SOCK_STREAM, proto, sock);

	if (!ret)
		st_set_timeout(*sock, st_cfg.timeout);
	else
		*sock = NULL;
	return ret;
}

void st_release(struct socket **sock)
{
	if (*sock)
		sock_release(*sock);
	*sock = NULL;
}

/* @port 0: the one that is in @at. */
static int st_sockaddr(struct sockaddr_storage *ss, const struct sockaddr_storage *at, u16 port)
{
	*ss = *at;
	if (ss->ss_family == AF_INET6) {
		if (port)
			((struct sockaddr_in6 *)ss)->sin6_port = htons(port);
		return sizeof(struct sockaddr_in6);
	}
	if (port)
		((struct sockaddr_in *)ss)->sin_port = htons(port);
	return sizeof(struct sockaddr_in);
}

int st_bind_addr(struct socket *sock, const struct sockaddr_storage *at, u16 port)
{
	struct sockaddr_storage ss;
	int len = st_sockaddr(&ss, at, port);

	return kernel_bind(sock, (void *)&ss, len);
}

int st_connect_addr(struct socket *sock, const struct sockaddr_storage *to,
		    u16 port, int flags)
{
	struct sockaddr_storage ss;
	int len = st_sockaddr(&ss, to, port);

	return kernel_connect(sock, (void *)&ss, len, flags);
}

int st_accept(struct socket *ls, struct socket **sock, int flags)
{
	int ret = kernel_accept(ls, sock, flags);

	if (!ret)
		st_set_timeout(*sock, st_cfg.timeout);
	else
		*sock = NULL;
	return ret;
}

int st_setopt(struct socket *sock, int level, int opt, int val)
{
	return do_sock_setsockopt(sock, false, level, opt,
				  KERNEL_SOCKPTR(&val), sizeof(val));
}

/*
 * getsockopt() as a program calls it: @val is copied to user memory and back.
 * A kernel thread borrows the address space of the program that loaded us.
 */
int st_read_opt_user(struct socket *sock, int level, int opt, void *val, int *len)
{
	size_t room = clamp(*len, 0, (int)(PAGE_SIZE - sizeof(*len)));
	bool borrow = !current->mm;
	int ret = -EFAULT, got;
	void __user *uval;
	int __user *ulen;
	unsigned long at;

	if (borrow)
		kthread_use_mm(st_user_mm);
	at = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(at)) {
		ret = at;
		goto out;
	}
	uval = (void __user *)at;
	ulen = uval + PAGE_SIZE - sizeof(*ulen);
	if (!put_user(*len, ulen) && !copy_to_user(uval, val, room)) {
		got = do_sock_getsockopt(sock, false, level, opt, USER_SOCKPTR(uval),
					 USER_SOCKPTR(ulen));
		if (!get_user(*len, ulen) && !copy_from_user(val, uval, room))
			ret = got;
	}
	vm_munmap(at, PAGE_SIZE);
out:
	if (borrow)
		kthread_unuse_mm(st_user_mm);
	return ret;
}

/* getsockopt() as a kernel user calls it, if this kernel lets him. */
int st_read_opt(struct socket *sock, int level, int opt, void *val, int *len)
{
#ifdef SMBDR_COMPAT_GETSOCKOPT
	return st_read_opt_user(sock, level, opt, val, len);
#else
	return do_sock_getsockopt(sock, false, level, opt, KERNEL_SOCKPTR(val),
				  KERNEL_SOCKPTR(len));
#endif
}

int st_getopt(struct socket *sock, int level, int opt, int *val)
{
	int len = sizeof(*val);
	int ret = st_read_opt(sock, level, opt, val, &len);

	return ret ?: len == sizeof(*val) ? 0 : -EMSGSIZE;
}

__poll_t st_poll(struct socket *sock)
{
	return READ_ONCE(sock->ops)->poll(NULL, sock, NULL);
}

/* 0 once one of the bits of @mask (EPOLL*) is there, -ETIME after @ms. */
int st_wait_poll(struct socket *sock, __poll_t mask, unsigned int ms)
{
	return st_until(st_poll(sock) & mask, ms);
}

/* The same, once none is there. */
int st_wait_no_poll(struct socket *sock, __poll_t mask, unsigned int ms)
{
	return st_until(!(st_poll(sock) & mask), ms);
}

/* 0 once the device has let go of all that was sent, -ETIME after st_cfg.timeout. */
int st_wait_sent(struct socket *sock)
{
	int left, err = 0;

	return st_until((err = sock->sk->sk_prot->ioctl(sock->sk, SIOCOUTQ, &left)) || !left,
			st_cfg.timeout) ?: err;
}

void st_put_hdr(u8 *hdr, u32 len)
{
	hdr[0] = 0;
	hdr[1] = len >> 16;
	hdr[2] = len >> 8;
	hdr[3] = len;
}

u32 st_get_hdr(const u8 *hdr)
{
	return (u32)hdr[0] << 24 | hdr[1] << 16 | hdr[2] << 8 | hdr[3];
}

/* One call: bytes taken, or the error. */
int st_send(struct socket *sock, const void *buf, size_t len, int flags)
{
	struct msghdr msg = { .msg_flags = flags | MSG_NOSIGNAL };
	struct kvec v = { .iov_base = (void *)buf, .iov_len = len };

	return kernel_sendmsg(sock, &msg, &v, 1, len);
}

/* One call: bytes given, 0 at the end, or the error. */
int st_recv(struct socket *sock, void *buf, size_t len, int flags)
{
	struct msghdr msg = {};
	struct kvec v = { .iov_base = buf, .iov_len = len };

	return kernel_recvmsg(sock, &msg, &v, 1, len, flags);
}

int st_send_all(struct socket *sock, const void *buf, size_t len, int flags)
{
	size_t sent = 0;
	int ret;

	while (sent < len) {
		ret = st_send(sock, buf + sent, len - sent, flags);
		if (ret <= 0)
			return ret ?: -EIO;
		sent += ret;
	}
	return 0;
}

#define ST_FILL_STILL	150	/* ms in which nothing was taken */
#define ST_FILL_MAX	SZ_64M

/*
 * Send the same frame of @size bytes, header included, until the peer takes no
 * more and the queue is full: how many times, or the error. -E2BIG: without end.
 */
int st_fill(struct socket *sock, const void *frame, u32 size)
{
	u32 n = 0;

	while (n < ST_FILL_MAX / size) {
		int ret = st_send(sock, frame, size, MSG_DONTWAIT);

		if (ret > 0)
			n++;
		if (ret > 0 && ret < size)
			return -EMSGSIZE;
		if (ret == -EAGAIN &&
		    st_wait_poll(sock, EPOLLOUT, ST_FILL_STILL))
			return n;
		if (ret < 0 && ret != -EAGAIN)
			return ret;
	}
	return -E2BIG;
}

/* Exactly @len bytes by calls that ask for at most @chunk; -EPIPE at the end. */
int st_recv_all(struct socket *sock, void *buf, size_t len, size_t chunk)
{
	size_t got = 0;
	int ret;

	while (got < len) {
		ret = st_recv(sock, buf + got, min(chunk ?: len, len - got), 0);
		if (ret <= 0)
			return ret ?: -EPIPE;
		got += ret;
	}
	return 0;
}

/* Header and body in one call, as SMB over TCP does it. */
int st_send_framed(struct socket *sock, const void *buf, u32 len)
{
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	u8 hdr[ST_HDR];
	struct kvec v[2] = {
		{ .iov_base = hdr, .iov_len = ST_HDR },
		{ .iov_base = (void *)buf, .iov_len = len },
	};
	int ret;

	st_put_hdr(hdr, len);
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, v, 2, ST_HDR + len);
	while (msg_data_left(&msg)) {
		ret = sock_sendmsg(sock, &msg);
		if (ret <= 0)
			return ret ?: -EIO;
	}
	return 0;
}

/* The same with content that @seed selects. */
int st_send_frame(struct socket *sock, u32 seed, u32 len)
{
	return st_send_framed(sock, st_pattern(seed), len);
}

/*
 * Read one frame and compare it. @buf has room for @len + ST_HDR bytes; the
 * frame is read as bytes without regard for where the header ends, @chunk at
 * a time. -EBADMSG: wrong length, -EILSEQ: wrong content.
 */
int st_recv_frame(struct socket *sock, u32 seed, u32 len, size_t chunk, void *buf)
{
	int ret = st_recv_all(sock, buf, ST_HDR + len, chunk);

	if (ret)
		return ret;
	if (st_get_hdr(buf) != len)
		return -EBADMSG;
	return memcmp(buf + ST_HDR, st_pattern(seed), len) ? -EILSEQ : 0;
}

/* A frame of @len bytes from @a to @b and another back. */
int st_ping(struct socket *a, struct socket *b, u32 len)
{
	void *buf = kvmalloc(len + ST_HDR, GFP_KERNEL);
	int ret;

	if (!buf)
		return -ENOMEM;
	ret = st_send_frame(a, len, len);
	if (!ret)
		ret = st_recv_frame(b, len, len, 0, buf);
	if (!ret)
		ret = st_send_frame(b, len + 1, len);
	if (!ret)
		ret = st_recv_frame(a, len + 1, len, 0, buf);
	kvfree(buf);
	return ret;
}

static int st_thread_main(void *data)
{
	struct st_thread *t = data;

	allow_signal(SIGINT);
	allow_signal(SIGKILL);
#ifdef CONFIG_FAULT_INJECTION
	current->make_it_fail = t->make_it_fail;
#endif
	t->ret = t->fn(t);
	kthread_complete_and_exit(&t->done, 0);
}

struct st_thread *st_run(const char *name, int (*fn)(struct st_thread *t), void *arg)
{
	struct st_thread *t = kzalloc(sizeof(*t), GFP_KERNEL);
	struct task_struct *task;

	if (!t)
		return NULL;
	init_completion(&t->done);
#ifdef CONFIG_FAULT_INJECTION
	t->make_it_fail = current->make_it_fail;
#endif
	t->fn = fn;
	t->arg = arg;
	strscpy(t->where, "start", sizeof(t->where));
	task = kthread_create(st_thread_main, t, "st_%s", name);
	if (IS_ERR(task)) {
		kfree(t);
		return NULL;
	}
	t->task = get_task_struct(task);
	wake_up_process(task);
	return t;
}

void st_where(struct st_thread *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(t->where, sizeof(t->where), fmt, args);
	va_end(args);
}

bool st_stuck(void)
{
	return st_is_stuck;
}

/* Is it done, now or within @ms? It has to be joined all the same. */
bool st_wait(struct st_thread *t, unsigned int ms)
{
	if (!wait_for_completion_timeout(&t->done, msecs_to_jiffies(ms)))
		return false;
	complete(&t->done);	/* for st_join() */
	return true;
}

/*
 * The thread's result; frees it. -ENOMEM if it never started, -ETIME if it
 * was not done after @ms and had to be interrupted.
 */
int st_join(struct st_thread *t, unsigned int ms)
{
	int ret;

	if (!t)
		return -ENOMEM;
	if (!wait_for_completion_timeout(&t->done, msecs_to_jiffies(ms))) {
		pr_err("%s hangs at: %s\n", t->task->comm, t->where);
		send_sig(SIGINT, t->task, 1);
		if (!wait_for_completion_timeout(&t->done, 2 * msecs_to_jiffies(st_cfg.timeout))) {
			pr_err("%s is lost, this module stays loaded\n", t->task->comm);
			st_is_stuck = true;
			__module_get(THIS_MODULE);
			return -ETIME;
		}
		t->ret = -ETIME;
	}
	ret = t->ret;
	if (ret)
		pr_info("%s: %d at: %s\n", t->task->comm, ret, t->where);
	put_task_struct(t->task);
	kfree(t);
	return ret;
}
