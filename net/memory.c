// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a socket is charged for the memory of its connection: to the protocol, whose
 * total is in /proc/net/protocols and has limits, and to the memory cgroup of
 * whoever made the socket, for accept() the one who called it.
 *
 * The core takes and frees memory in completions, without the socket lock, and
 * charges may only change under it. So the charge is not made piece by piece but
 * follows what is held: each time the lock is released (proto.release_cb), and, when nobody has
 * it, with each upcall. One that finds the lock taken leaves it to the owner's
 * release. What is held is the receive slots, messages in both queues, and those in the
 * making at both ends. Registered memory is its owner's, who is charged for it already.
 *
 * What cannot be charged because the protocol's limit is reached is there already, so it is not
 * refused: the peer's data was promised to be taken, and the rest of a frame has to follow
 * the first part. But the socket is short from then on, and takes one frame at a time each
 * way, which is as if SO_SNDBUF and SO_RCVBUF were one byte. That always goes on, and ends
 * when the charge succeeds. A memory cgroup does not say no where nobody may sleep; it may be
 * charged beyond its limit for what SO_SNDBUF and SO_RCVBUF allow, as for what TCP receives.
 * Slots for receives, 2 MiB at most, are not refused: the last credit must be grantable.
 *
 * A connection that goes on sending after close() is charged to nobody; it ends within
 * SMBDR_LINGER_MS, but there may be any number: to be settled before user space is admitted.
 * Nor is one that waits to be accepted; there are as many as listen() allowed.
 */
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/sysctl.h>
#include "smbdr_sock.h"

/* What is charged may be more than what is held by this, pages: most frames come and go in it. */
#define SMBDR_CHARGE_SLACK	(SZ_64K >> PAGE_SHIFT)
/* At a time, pages: what is charged passes through an int of bytes. */
#define SMBDR_CHARGE_MOST	(SZ_256M >> PAGE_SHIFT)

atomic_long_t smbdr_memory_allocated;
DEFINE_PER_CPU(int, smbdr_memory_per_cpu);
/* /proc/sys/net/smbdirect/mem, as tcp_mem: of the three, in pages, the last is the limit. */
long smbdr_mem_limits[3];
/* Bytes that a socket has under pressure in any case: struct proto wants to know. */
int smbdr_mem_least = SZ_64K;

static const struct ctl_table smbdr_mem_table[] = {
	{
		.procname	= "mem",
		.data		= smbdr_mem_limits,
		.maxlen		= sizeof(smbdr_mem_limits),
		.mode		= 0644,
		.proc_handler	= proc_doulongvec_minmax,
	},
};

static struct ctl_table_header *smbdr_mem_sysctl;

/**
 * smbdr_memory_init - set the limits of the protocol: a quarter of the memory
 *
 * Context: before the protocol is registered.
 *
 * Return: 0 or -ENOMEM.
 */
int smbdr_memory_init(void)
{
	long limit = max(nr_free_buffer_pages() / 8, 128UL);

	smbdr_mem_limits[0] = limit / 4 * 3;
	smbdr_mem_limits[1] = limit;
	smbdr_mem_limits[2] = limit * 2;
	smbdr_mem_sysctl = smbdr_fault(sysctl) ? NULL :
		register_sysctl("net/smbdirect", smbdr_mem_table);
	return smbdr_mem_sysctl || !IS_ENABLED(CONFIG_SYSCTL) ? 0 : -ENOMEM;
}

/**
 * smbdr_memory_exit - the reverse
 */
void smbdr_memory_exit(void)
{
	if (smbdr_mem_sysctl)
		unregister_sysctl_table(smbdr_mem_sysctl);
}

static u32 smbdr_mem_pages(u64 bytes)
{
	return min_t(u64, DIV_ROUND_UP_ULL(bytes, PAGE_SIZE), INT_MAX);
}

static u32 smbdr_sk_held(const struct smbdr_sock *ssk)
{
	u64 bytes = ssk->conn ? smbdr_conn_mem(ssk->conn) : 0;

	if (ssk->tx_msg)
		bytes += ssk->tx_msg->filled;
	return smbdr_mem_pages(bytes);
}

/**
 * smbdr_sk_wake_readers - there may be enough to read, though nothing has come
 * @sk: the socket
 *
 * The socket has become short of memory, or SO_RCVLOWAT less. sk_data_ready() it is not: that is
 * promised for frames, and without the socket lock.
 *
 * Context: any.
 */
void smbdr_sk_wake_readers(struct sock *sk)
{
	struct socket_wq *wq;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, EPOLLIN | EPOLLRDNORM);
	rcu_read_unlock();
}

/**
 * smbdr_sk_charge - proto.release_cb: let the charge follow what is held
 * @sk: the socket
 *
 * Context: the spinlock of the socket lock held, by its owner or while it has none.
 */
void smbdr_sk_charge(struct sock *sk)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	u32 held = smbdr_sk_held(ssk);
	bool ok, tell;
	u32 pages;

	if (held > ssk->charged) {
		pages = min_t(u32, held - ssk->charged, SMBDR_CHARGE_MOST);
		/* The kind for received data is a plain question; the other shrinks SO_SNDBUF. */
		ok = !smbdr_fault(charge) &&
			__sk_mem_schedule(sk, pages << PAGE_SHIFT, SK_MEM_RECV);
		if (ok) {
			sk_mem_charge(sk, pages << PAGE_SHIFT);
			WRITE_ONCE(ssk->charged, ssk->charged + pages);
		}
		tell = !ok && !ssk->short_of_memory;
		WRITE_ONCE(ssk->short_of_memory, !ok);
		if (tell)
			smbdr_sk_wake_readers(sk);
		return;
	}
	WRITE_ONCE(ssk->short_of_memory, false);
	while (ssk->charged - held > (held ? SMBDR_CHARGE_SLACK : 0)) {
		pages = min_t(u32, ssk->charged - held, SMBDR_CHARGE_MOST);
		WRITE_ONCE(ssk->charged, ssk->charged - pages);
		sk_mem_uncharge(sk, pages << PAGE_SHIFT);
	}
}

/**
 * smbdr_sk_charge_now - the same for an upcall
 * @sk: the socket
 *
 * Context: an upcall: softirqs off, the socket lock not held, the endpoint stays.
 */
void smbdr_sk_charge_now(struct sock *sk)
{
	const struct smbdr_sock *ssk = smbdr_sk(sk);
	u32 charged = READ_ONCE(ssk->charged), held = smbdr_mem_pages(smbdr_conn_mem(ssk->conn));

	/* As a rule, and then the reader who is about to run need not wait for the lock. */
	if (held && held <= charged && charged - held <= SMBDR_CHARGE_SLACK &&
	    !READ_ONCE(ssk->short_of_memory))
		return;
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk))
		smbdr_sk_charge(sk);
	bh_unlock_sock(sk);
}

/**
 * smbdr_sk_sndbuf - how much may wait to be sent
 * @sk: the socket
 *
 * Return: bytes, for smbdr_conn_tx_full().
 */
u32 smbdr_sk_sndbuf(const struct sock *sk)
{
	return READ_ONCE(smbdr_sk(sk)->short_of_memory) ? 1 : READ_ONCE(sk->sk_sndbuf);
}

/**
 * smbdr_sk_sync_buffers - tell the core how much may wait in its queues
 * @sk: the socket
 *
 * Context: socket lock held, or nobody else knows the socket.
 */
void smbdr_sk_sync_buffers(struct sock *sk)
{
	const struct smbdr_sock *ssk = smbdr_sk(sk);

	if (!ssk->conn)
		return;
	smbdr_conn_set_sndbuf(ssk->conn, smbdr_sk_sndbuf(sk));
	smbdr_conn_set_rcvbuf(ssk->conn, ssk->short_of_memory ? 1 : READ_ONCE(sk->sk_rcvbuf));
}
