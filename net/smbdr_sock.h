/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_SOCK_H
#define SMBDR_SOCK_H

#include <linux/mutex.h>
#include <linux/net.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <uapi/linux/smbdirect.h>
#include "../smbdirect/conn.h"
#include "../smbdirect/fault.h"
#include "framing.h"

/* Bytes accepted for sending, and received and unread; SO_SNDBUF, SO_RCVBUF change them. */
#define SMBDR_SNDBUF	(4 * 1024 * 1024)
#define SMBDR_RCVBUF	(4 * 1024 * 1024)
/* How long close() and shutdown() go on sending what was accepted, ms. */
#define SMBDR_LINGER_MS	30000
/* How long connect() and listen() wait until an attempt that failed has left the address, ms. */
#define SMBDR_REBIND_MS	2000

/**
 * struct smbdr_sock - an SMB Direct socket
 * @inet: first, so that inet_sk() works
 * @bind_mutex: serialises bind, connect and listen around the calls of the
 *	core that must not be made under the socket lock; taken before it
 * @conn: the endpoint, from bind or connect on; under the socket lock, and
 *	written under @up_lock too
 * @ending: the former endpoint, whose end may still occupy the address that the
 *	socket is bound to, or NULL; under the socket lock
 * @listener: after listen; under the socket lock
 * @params: what SOL_SMBDIRECT options chose
 * @tx: where a writer is in its frame
 * @tx_msg: the body of that frame
 * @tx_token: key to invalidate with that frame
 * @tx_has_token: @tx_token is valid
 * @rx: where a reader is in its frame
 * @local: our address, once known
 * @peer: the peer's address, once known
 * @bind_addr: what bind() asked for, with the port that it got; a new attempt
 *	to connect or listen binds again. ss_family is 0 if not bound
 * @up_lock: serialises who takes over what the endpoint has come to: sk_state,
 *	sk_err, @end_told
 * @end_told: sk_err was set for the end of @conn, which happens once
 * @counted: the socket is in the count of /proc/net/protocols
 * @charged: what the socket is charged for its memory, pages; under the
 *	spinlock of the socket lock, see memory.c
 * @short_of_memory: a limit does not let it be charged for all that it has; likewise
 * @tos: IP_TOS or IPV6_TCLASS, stored only
 * @tcp_flags: TCP options without a meaning here, stored only
 * @keep_intvl: TCP_KEEPINTVL, seconds, 0 if not set
 * @keep_cnt: TCP_KEEPCNT, 0 if not set
 */
struct smbdr_sock {
	struct inet_sock inet;
	struct mutex bind_mutex;	/* see above */
	struct smbdr_conn *conn;
	struct smbdr_conn *ending;
	struct smbdr_listener *listener;
	struct smbdr_params params;
	struct smbdr_frame_tx tx;
	struct smbdr_msg *tx_msg;
	u32 tx_token;
	bool tx_has_token;
	struct smbdr_frame_rx rx;
	struct sockaddr_storage local;
	struct sockaddr_storage peer;
	struct sockaddr_storage bind_addr;
	spinlock_t up_lock;	/* see above */
	bool end_told;
	bool counted;
	u32 charged;
	bool short_of_memory;
	int tos;
	u32 tcp_flags;
	u16 keep_intvl;
	u16 keep_cnt;
};

#if IS_ENABLED(CONFIG_IPV6)
/**
 * struct smbdr6_sock - the same for AF_INET6
 * @ssk: the socket
 * @inet6: last, where the network stack expects it
 */
struct smbdr6_sock {
	struct smbdr_sock ssk;
	struct ipv6_pinfo inet6;
};
#endif

static inline struct smbdr_sock *smbdr_sk(const struct sock *sk)
{
	return (struct smbdr_sock *)sk;
}

/* af_smbdirect.c */
extern const struct proto_ops smbdr_inet_ops;
extern const struct proto_ops smbdr_inet6_ops;
int smbdr_sk_init(struct sock *sk);
void smbdr_sk_destroy(struct sock *sk);
long smbdr_sk_sleep(struct sock *sk, struct wait_queue_entry *wait, long timeo);
bool smbdr_sk_ended(const struct smbdr_sock *ssk);
u32 smbdr_rcvlowat(const struct sock *sk);

/* memory.c */
extern atomic_long_t smbdr_memory_allocated;
DECLARE_PER_CPU(int, smbdr_memory_per_cpu);
extern long smbdr_mem_limits[3];
extern int smbdr_mem_least;
int smbdr_memory_init(void);
void smbdr_memory_exit(void);
void smbdr_sk_wake_readers(struct sock *sk);
void smbdr_sk_charge(struct sock *sk);
void smbdr_sk_charge_now(struct sock *sk);
u32 smbdr_sk_sndbuf(const struct sock *sk);
void smbdr_sk_sync_buffers(struct sock *sk);

/* upcall.c */
extern const struct smbdr_conn_ops smbdr_sk_conn_ops;
extern const struct smbdr_conn_ops smbdr_sk_listen_ops;
void smbdr_sk_tell(struct sock *sk);

/* sendmsg.c, recvmsg.c, sockopt.c */
void smbdr_sk_no_space(struct sock *sk);
void smbdr_write_space(struct sock *sk);
int smbdr_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
int smbdr_recvmsg(struct socket *sock, struct msghdr *msg, size_t len, int flags);
u32 smbdr_sk_outq(const struct smbdr_sock *ssk);
u32 smbdr_sk_inq(const struct smbdr_sock *ssk);
int smbdr_sk_ioctl(struct sock *sk, int cmd, int *karg);
int smbdr_setsockopt(struct socket *sock, int level, int optname, sockptr_t optval,
		     unsigned int optlen);
#ifdef SMBDR_COMPAT_GETSOCKOPT
int smbdr_getsockopt(struct socket *sock, int level, int optname, char __user *optval,
		     int __user *optlen);
#else
int smbdr_getsockopt_iter(struct socket *sock, int level, int optname, sockopt_t *opt);
#endif

/* main.c */
struct smbdr_ns *smbdr_ns_of(struct net *net);

/* proc.c */
int smbdr_proc_create(struct net *net);
void smbdr_proc_remove(struct net *net);

#endif /* SMBDR_SOCK_H */
