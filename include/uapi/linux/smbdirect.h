/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * User interface of SMB Direct sockets:
 *
 *	socket(AF_INET | AF_INET6, SOCK_STREAM, IPPROTO_SMBDIRECT)
 *
 * The byte stream is that of SMB over TCP: one zero byte, a 24 bit big endian
 * length, then that many bytes. See Documentation/networking/smbdirect.rst.
 */
#ifndef _UAPI_LINUX_SMBDIRECT_H
#define _UAPI_LINUX_SMBDIRECT_H

#include <linux/types.h>

#ifndef IPPROTO_SMBDIRECT
#define IPPROTO_SMBDIRECT	257
#endif

#ifndef SOL_SMBDIRECT
#define SOL_SMBDIRECT		289
#endif

/*
 * Options of level SOL_SMBDIRECT. Each but SMBDIRECT_INFO is an int. All can be read at any
 * time; all but SMBDIRECT_INFO can be set until connect() or listen(), later
 * that is EISCONN. A value out of range is EINVAL and changes nothing. After
 * listen() the children inherit the values.
 */
#define SMBDIRECT_MAX_SEND_SIZE		1  /* bytes, 128..8136 */
#define SMBDIRECT_MAX_RECV_SIZE		2  /* bytes, 128..8192 */
#define SMBDIRECT_MAX_FRAGMENTED_SIZE	3  /* bytes, 131072..16777215 */
#define SMBDIRECT_MAX_READ_WRITE_SIZE	4  /* bytes, 65536..16777216 */
#define SMBDIRECT_SEND_CREDITS		5  /* messages, 1..255: what we ask for */
#define SMBDIRECT_RECV_CREDITS		6  /* messages, 1..255: most we grant */
#define SMBDIRECT_KEEPALIVE_INTERVAL	7  /* milliseconds, 10..3600000 */
#define SMBDIRECT_KEEPALIVE_TIMEOUT	8  /* milliseconds, 10..3600000 */
#define SMBDIRECT_CONNECT_TIMEOUT	9  /* milliseconds, 10..3600000, active side */
#define SMBDIRECT_NEGOTIATE_TIMEOUT	10 /* milliseconds, 10..3600000, passive side */
#define SMBDIRECT_DEVICE_CLASS		11 /* enum smbdirect_device_class */
#define SMBDIRECT_INITIATOR_DEPTH	12 /* RDMA reads we may have in flight, 1..255 */
#define SMBDIRECT_RESPONDER_RESOURCES	13 /* RDMA reads the peer may, 1..255 */
#define SMBDIRECT_INFO			14 /* struct smbdirect_info, get only */

/*
 * Control message of level SOL_SMBDIRECT for sendmsg(): a __u32, the token of
 * the peer's first buffer descriptor. It is invalidated when the peer receives
 * the end of the frame that the first byte of this call belongs to. One for a
 * frame; a second one, or one without data, is EINVAL.
 */
#define SMBDIRECT_CMSG_INVALIDATE	1

/**
 * enum smbdirect_device_class - which RDMA devices a socket may use
 * @SMBDIRECT_DEVICE_ANY: any device
 * @SMBDIRECT_DEVICE_IB: InfiniBand and RoCE only (port 445 by convention)
 * @SMBDIRECT_DEVICE_IWARP: iWARP only (port 5445 by convention)
 */
enum smbdirect_device_class {
	SMBDIRECT_DEVICE_ANY	= 0,
	SMBDIRECT_DEVICE_IB	= 1,
	SMBDIRECT_DEVICE_IWARP	= 2,
};

/**
 * struct smbdirect_info - what was negotiated, and where the connection stands
 * @max_send_size: largest message we may send, header included, bytes
 * @max_recv_size: largest message we accept, header included, bytes
 * @max_fragmented_send_size: largest frame that can be sent, bytes
 * @max_fragmented_recv_size: largest frame that can be received, bytes
 * @max_read_write_size: largest RDMA transfer for one request, bytes; the end that
 *	connected has the smaller of both values, the other one its own, because
 *	only the response says one, [MS-SMBD] 2.2.2
 * @send_credits: messages that we may send now
 * @recv_credits: messages that the peer may send now
 * @recv_posted: receives posted now
 * @keepalive_interval: idle time before a keepalive, milliseconds
 * @initiator_depth: RDMA reads that we may have in flight
 * @responder_resources: RDMA reads that the peer may have in flight
 * @device_class: enum smbdirect_device_class of the device in use, 0 if none
 * @reserved: zero
 * @max_region_pages: pages in one region of registered memory
 *
 * Zero before the connection is established. The struct grows only at its
 * end; a shorter or longer buffer is legal for getsockopt().
 */
struct smbdirect_info {
	__u32	max_send_size;
	__u32	max_recv_size;
	__u32	max_fragmented_send_size;
	__u32	max_fragmented_recv_size;
	__u32	max_read_write_size;
	__u32	send_credits;
	__u32	recv_credits;
	__u32	recv_posted;
	__u32	keepalive_interval;
	__u8	initiator_depth;
	__u8	responder_resources;
	__u8	device_class;
	__u8	reserved;
	__u32	max_region_pages;
};

#endif /* _UAPI_LINUX_SMBDIRECT_H */
