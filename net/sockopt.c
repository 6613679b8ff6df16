// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Socket options beside SOL_SOCKET, which the network core handles, and the
 * ioctls that ask for the fill of the queues.
 *
 * An explicit list: what is not in it is ENOPROTOOPT. SOL_SMBDIRECT options
 * are members of struct smbdr_params, found through a table; setting one builds
 * a copy, has it checked as a whole and only then takes it over. A few options of
 * TCP and IP that users of SMB over TCP set as a matter of course are
 * accepted and remembered without a meaning here.
 *
 * Locking: the socket lock.
 */
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/sockptr.h>
#include "smbdr_sock.h"

/**
 * struct smbdr_opt - where an option of level SOL_SMBDIRECT is kept
 * @name: the option
 * @offset: in struct smbdr_params
 * @size: of the member, bytes
 */
struct smbdr_opt {
	int name;
	u16 offset;
	u16 size;
};

#define SMBDR_OPT(name, member) \
	{ name, offsetof(struct smbdr_params, member), sizeof_field(struct smbdr_params, member) }

static const struct smbdr_opt smbdr_opts[] = {
	SMBDR_OPT(SMBDIRECT_MAX_SEND_SIZE, max_send_size),
	SMBDR_OPT(SMBDIRECT_MAX_RECV_SIZE, max_recv_size),
	SMBDR_OPT(SMBDIRECT_MAX_FRAGMENTED_SIZE, max_fragmented_size),
	SMBDR_OPT(SMBDIRECT_MAX_READ_WRITE_SIZE, max_rw_size),
	SMBDR_OPT(SMBDIRECT_SEND_CREDITS, send_credits),
	SMBDR_OPT(SMBDIRECT_RECV_CREDITS, recv_credits),
	SMBDR_OPT(SMBDIRECT_KEEPALIVE_INTERVAL, keepalive_interval),
	SMBDR_OPT(SMBDIRECT_KEEPALIVE_TIMEOUT, keepalive_timeout),
	SMBDR_OPT(SMBDIRECT_CONNECT_TIMEOUT, connect_timeout),
	SMBDR_OPT(SMBDIRECT_NEGOTIATE_TIMEOUT, negotiate_timeout),
	SMBDR_OPT(SMBDIRECT_DEVICE_CLASS, device_class),
	SMBDR_OPT(SMBDIRECT_INITIATOR_DEPTH, initiator_depth),
	SMBDR_OPT(SMBDIRECT_RESPONDER_RESOURCES, responder_resources),
};

static const struct smbdr_opt *smbdr_opt_find(int name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(smbdr_opts); i++)
		if (smbdr_opts[i].name == name)
			return &smbdr_opts[i];
	return NULL;
}

static int smbdr_opt_get(const struct smbdr_params *p, const struct smbdr_opt *opt)
{
	const void *at = (const u8 *)p + opt->offset;

	switch (opt->size) {
	case sizeof(u8):
		return *(const u8 *)at;
	case sizeof(u16):
		return *(const u16 *)at;
	default:
		return *(const u32 *)at;
	}
}

static int smbdr_opt_set(struct smbdr_params *p, const struct smbdr_opt *opt, int val)
{
	void *at = (u8 *)p + opt->offset;

	if (val < 0 || (opt->size < sizeof(u32) && val >> (8 * opt->size)))
		return -EINVAL;
	switch (opt->size) {
	case sizeof(u8):
		*(u8 *)at = val;
		break;
	case sizeof(u16):
		*(u16 *)at = val;
		break;
	default:
		*(u32 *)at = val;
		break;
	}
	return 0;
}

static bool smbdr_sk_fixed(const struct sock *sk)
{
	const struct smbdr_sock *ssk = smbdr_sk(sk);

	return sk->sk_state != TCP_CLOSE ||
	       (ssk->conn && smbdr_conn_state(ssk->conn) != SMBDR_NEW);
}

static int smbdr_set_smbdirect(struct sock *sk, int optname, int val)
{
	const struct smbdr_opt *opt = smbdr_opt_find(optname);
	struct smbdr_params p = smbdr_sk(sk)->params;
	int err;

	if (!opt)
		return -ENOPROTOOPT;
	if (smbdr_sk_fixed(sk))
		return -EISCONN;
	err = smbdr_opt_set(&p, opt, val);
	if (!err)
		err = smbdr_params_check(&p);
	if (!err)
		smbdr_sk(sk)->params = p;
	return err;
}

/* Seconds: the largest SMBDIRECT_KEEPALIVE_INTERVAL. */
#define SMBDR_KEEPIDLE_MAX	3600
/* [MS-SMBD] 2.2.3: what the header takes of a message, bytes. */
#define SMBDR_DATA_OFFSET	24

/* TCP options that are flags without a meaning here; -1 if it is none of them. */
static int smbdr_tcp_flag(int optname)
{
	switch (optname) {
	case TCP_NODELAY:
	case TCP_CORK:
	case TCP_QUICKACK:
	case TCP_DEFER_ACCEPT:
		return optname;
	default:
		return -1;
	}
}

static int smbdr_set_tcp(struct sock *sk, int optname, int val)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);

	if (smbdr_tcp_flag(optname) >= 0) {
		if (val)
			ssk->tcp_flags |= BIT(optname);
		else
			ssk->tcp_flags &= ~BIT(optname);
		return 0;
	}
	if (optname != TCP_KEEPIDLE && optname != TCP_KEEPINTVL && optname != TCP_KEEPCNT)
		return -ENOPROTOOPT;
	/* The ranges of TCP, and as there no error on a connected socket. */
	if (val < 1 || val > (optname == TCP_KEEPCNT ? 127 : 32767))
		return -EINVAL;
	if (optname == TCP_KEEPINTVL)
		ssk->keep_intvl = val;
	else if (optname == TCP_KEEPCNT)
		ssk->keep_cnt = val;
	/* Idle time before a probe is the same thing there and here. */
	else if (!smbdr_sk_fixed(sk))
		ssk->params.keepalive_interval = min(val, SMBDR_KEEPIDLE_MAX) * MSEC_PER_SEC;
	return 0;
}

static int smbdr_set_ipv6(struct sock *sk, int optname, int val)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);

	if (sk->sk_family != AF_INET6)
		return -ENOPROTOOPT;
	switch (optname) {
	case IPV6_V6ONLY:
		if (ssk->conn || ssk->listener || ssk->bind_addr.ss_family)
			return -EINVAL;
		sk->sk_ipv6only = !!val;
		return 0;
	case IPV6_TCLASS:
		if (val < -1 || val > 255)
			return -EINVAL;
		ssk->tos = max(val, 0);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/**
 * smbdr_setsockopt - proto_ops.setsockopt
 * @sock: the socket
 * @level: SOL_SMBDIRECT, IPPROTO_TCP, IPPROTO_IP or IPPROTO_IPV6
 * @optname: the option
 * @optval: an int
 * @optlen: at least that of an int
 *
 * Context: process; may sleep.
 *
 * Return: 0; -EINVAL for a value out of range or a short one, -EISCONN if it is
 * too late, -ENOPROTOOPT if there is no such option, -EFAULT.
 */
int smbdr_setsockopt(struct socket *sock, int level, int optname, sockptr_t optval,
		     unsigned int optlen)
{
	struct sock *sk = sock->sk;
	int val, err;

	if (optlen < sizeof(int))
		return -EINVAL;
	if (smbdr_fault(option_in) ?: copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;

	lock_sock(sk);
	switch (level) {
	case SOL_SMBDIRECT:
		err = smbdr_set_smbdirect(sk, optname, val);
		break;
	case IPPROTO_TCP:
		err = smbdr_set_tcp(sk, optname, val);
		break;
	case IPPROTO_IPV6:
		err = smbdr_set_ipv6(sk, optname, val);
		break;
	case IPPROTO_IP:
		err = optname == IP_TOS ? 0 : -ENOPROTOOPT;
		if (!err && (val < 0 || val > 255))
			err = -EINVAL;
		if (!err)
			smbdr_sk(sk)->tos = val;
		break;
	default:
		err = -ENOPROTOOPT;
	}
	release_sock(sk);
	return err;
}

static void smbdr_tcp_info(struct sock *sk, struct tcp_info *ti)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	struct smbdirect_info info = {};

	memset(ti, 0, sizeof(*ti));
	if (ssk->conn)
		smbdr_conn_info(ssk->conn, &info);
	ti->tcpi_state = READ_ONCE(sk->sk_state);
	/* Microseconds; users take it for how long a peer may stay silent. */
	ti->tcpi_rto = 200000;
	if (info.max_send_size)
		ti->tcpi_snd_mss = info.max_send_size - SMBDR_DATA_OFFSET;
	if (info.max_recv_size)
		ti->tcpi_rcv_mss = info.max_recv_size - SMBDR_DATA_OFFSET;
}

static int smbdr_get_tcp(struct smbdr_sock *ssk, int optname, int *val)
{
	struct smbdirect_info info = {};

	if (smbdr_tcp_flag(optname) >= 0) {
		*val = !!(ssk->tcp_flags & BIT(optname));
		return 0;
	}
	switch (optname) {
	case TCP_KEEPIDLE:
		*val = DIV_ROUND_UP(ssk->params.keepalive_interval, MSEC_PER_SEC);
		return 0;
	case TCP_KEEPINTVL:
		*val = ssk->keep_intvl ?:
			DIV_ROUND_UP(ssk->params.keepalive_timeout, MSEC_PER_SEC);
		return 0;
	case TCP_KEEPCNT:
		*val = ssk->keep_cnt ?: 1;
		return 0;
	case TCP_MAXSEG:
		if (ssk->conn)
			smbdr_conn_info(ssk->conn, &info);
		*val = (info.max_send_size ?: ssk->params.max_send_size) - SMBDR_DATA_OFFSET;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int smbdr_get_int(struct sock *sk, int level, int optname, int *val)
{
	struct smbdr_sock *ssk = smbdr_sk(sk);
	const struct smbdr_opt *opt;

	switch (level) {
	case SOL_SMBDIRECT:
		opt = smbdr_opt_find(optname);
		if (!opt)
			return -ENOPROTOOPT;
		*val = smbdr_opt_get(&ssk->params, opt);
		return 0;
	case IPPROTO_TCP:
		return smbdr_get_tcp(ssk, optname, val);
	case IPPROTO_IPV6:
		if (sk->sk_family != AF_INET6)
			return -ENOPROTOOPT;
		if (optname == IPV6_V6ONLY)
			*val = sk->sk_ipv6only;
		else if (optname == IPV6_TCLASS)
			*val = ssk->tos;
		else
			return -ENOPROTOOPT;
		return 0;
	case IPPROTO_IP:
		if (optname != IP_TOS)
			return -ENOPROTOOPT;
		*val = ssk->tos;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/**
 * union smbdr_optval - any option's value
 * @info: SMBDIRECT_INFO
 * @tcp: TCP_INFO
 * @val: all others
 */
union smbdr_optval {
	struct smbdirect_info info;
	struct tcp_info tcp;
	int val;
};

/* Returns the size of the value, or a negative errno. */
static int smbdr_read_option(struct sock *sk, int level, int optname, union smbdr_optval *u)
{
	int ret;

	lock_sock(sk);
	if (level == SOL_SMBDIRECT && optname == SMBDIRECT_INFO) {
		memset(&u->info, 0, sizeof(u->info));
		if (smbdr_sk(sk)->conn)
			smbdr_conn_info(smbdr_sk(sk)->conn, &u->info);
		ret = sizeof(u->info);
	} else if (level == IPPROTO_TCP && optname == TCP_INFO) {
		smbdr_tcp_info(sk, &u->tcp);
		ret = sizeof(u->tcp);
	} else {
		ret = smbdr_get_int(sk, level, optname, &u->val) ?: (int)sizeof(u->val);
	}
	release_sock(sk);
	return ret;
}

#ifdef SMBDR_COMPAT_GETSOCKOPT
/**
 * smbdr_getsockopt - proto_ops.getsockopt of kernels without getsockopt_iter
 * @sock: the socket
 * @level: as for smbdr_setsockopt()
 * @optname: the option
 * @optval: filled up to the shorter of the two lengths
 * @optlen: in: bytes of @optval; out: bytes filled
 *
 * Context: process; may sleep.
 *
 * Return: 0, -EINVAL, -ENOPROTOOPT or -EFAULT.
 */
int smbdr_getsockopt(struct socket *sock, int level, int optname, char __user *optval,
		     int __user *optlen)
{
	union smbdr_optval u;
	int len, ret;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	ret = smbdr_read_option(sock->sk, level, optname, &u);
	if (ret < 0)
		return ret;
	len = min(len, ret);
	if (smbdr_fault(option_out) ?: copy_to_user(optval, &u, len))
		return -EFAULT;
	return put_user(len, optlen);
}
#else
/**
 * smbdr_getsockopt_iter - proto_ops.getsockopt_iter
 * @sock: the socket
 * @level: as for smbdr_setsockopt()
 * @optname: the option
 * @opt: where to, in the kernel or in user space; filled up to the shorter of
 *	the two lengths
 *
 * Context: process; may sleep.
 *
 * Return: 0, -EINVAL, -ENOPROTOOPT or -EFAULT.
 */
int smbdr_getsockopt_iter(struct socket *sock, int level, int optname, sockopt_t *opt)
{
	union smbdr_optval u;
	int ret;

	if (opt->optlen < 0)
		return -EINVAL;
	ret = smbdr_read_option(sock->sk, level, optname, &u);
	if (ret < 0)
		return ret;
	opt->optlen = min(opt->optlen, ret);
	if (smbdr_fault(option_out) ||
	    copy_to_iter(&u, opt->optlen, &opt->iter_out) != opt->optlen)
		return -EFAULT;
	return 0;
}
#endif

/**
 * smbdr_sk_outq - SIOCOUTQ: accepted, and completion not seen
 * @ssk: the socket; socket lock held
 *
 * Return: bytes, those of an unfinished frame included, headers not.
 */
u32 smbdr_sk_outq(const struct smbdr_sock *ssk)
{
	return (ssk->conn ? smbdr_conn_tx_queued(ssk->conn) : 0) + ssk->tx.have;
}

/**
 * smbdr_sk_inq - SIOCINQ: what can be read at once
 * @ssk: the socket; socket lock held
 *
 * Return: bytes, headers included.
 */
u32 smbdr_sk_inq(const struct smbdr_sock *ssk)
{
	u32 msgs, bytes;

	if (!ssk->conn)
		return 0;
	bytes = smbdr_conn_rx_queued(ssk->conn, &msgs);
	return bytes + msgs * SMBDR_FRAME_HDR - (msgs ? ssk->rx.pos : 0);
}

/**
 * smbdr_sk_ioctl - proto.ioctl
 * @sk: the socket
 * @cmd: SIOCINQ, SIOCOUTQ or SIOCOUTQNSD; the last two are the same here
 * @karg: set to the number of bytes
 *
 * Context: process; may sleep.
 *
 * Return: 0; -EINVAL while listening; -ENOIOCTLCMD for what is not ours.
 */
int smbdr_sk_ioctl(struct sock *sk, int cmd, int *karg)
{
	int err = 0;

	if (cmd != SIOCINQ && cmd != SIOCOUTQ && cmd != SIOCOUTQNSD)
		return -ENOIOCTLCMD;
	lock_sock(sk);
	if (sk->sk_state == TCP_LISTEN)
		err = -EINVAL;
	else
		*karg = cmd == SIOCINQ ? smbdr_sk_inq(smbdr_sk(sk)) : smbdr_sk_outq(smbdr_sk(sk));
	release_sock(sk);
	return err;
}
