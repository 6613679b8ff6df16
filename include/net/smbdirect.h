/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMB Direct sockets for kernel users.
 *
 *	sock_create_kern(net, AF_INET, SOCK_STREAM, IPPROTO_SMBDIRECT, &sock);
 *
 * and then the ordinary calls of <linux/net.h>: kernel_bind(), kernel_listen(),
 * kernel_accept(), kernel_connect(), sock_sendmsg(), sock_recvmsg(),
 * kernel_sock_shutdown(), sock_release(). The byte stream is that of SMB over TCP.
 * Options of level SOL_SMBDIRECT are in <uapi/linux/smbdirect.h>.
 *
 * Contexts: all calls may sleep. sk_data_ready, sk_write_space and
 * sk_state_change may be replaced under sk_callback_lock as for TCP; they are
 * called in process context with bottom halves disabled and must not sleep nor
 * call back into the socket.
 *
 * See Documentation/networking/smbdirect.rst.
 */
#ifndef _NET_SMBDIRECT_H
#define _NET_SMBDIRECT_H

#include <linux/net.h>
#include <uapi/linux/smbdirect.h>

#endif /* _NET_SMBDIRECT_H */
