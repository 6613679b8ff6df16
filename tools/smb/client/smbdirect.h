/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMB Direct for the kernel's SMB client, on sockets of net_smbdirect. Takes the
 * place of the file of the same name in fs/smb/client.
 */
#ifndef _SMBDIRECT_H
#define _SMBDIRECT_H

#ifdef CONFIG_CIFS_SMB_DIRECT
#define cifs_rdma_enabled(server)	((server)->rdma)

#include "cifsglob.h"
/* Types only: no symbol of the in-tree core is used. */
#include <linux/smbdirect.h>

struct smbd_connection;

extern int rdma_readwrite_threshold;
extern int smbd_max_frmr_depth;
extern int smbd_keep_alive_interval;
extern int smbd_max_receive_size;
extern int smbd_max_fragmented_recv_size;
extern int smbd_max_send_size;
extern int smbd_send_credit_target;
extern int smbd_receive_credit_max;

struct smbd_connection *smbd_get_connection(struct TCP_Server_Info *server,
					    struct sockaddr *dstaddr);
const struct smbdirect_socket_parameters *smbd_get_parameters(struct smbd_connection *conn);
int smbd_reconnect(struct TCP_Server_Info *server);
void smbd_destroy(struct TCP_Server_Info *server);
int smbd_recv(struct smbd_connection *conn, struct msghdr *msg);
int smbd_send(struct TCP_Server_Info *server, int num_rqst, struct smb_rqst *rqst);
struct smbdirect_mr_io *smbd_register_mr(struct smbd_connection *conn, struct iov_iter *iter,
					 bool writing, bool need_invalidate);
void smbd_mr_fill_buffer_descriptor(struct smbdirect_mr_io *mr,
				    struct smbdirect_buffer_descriptor_v1 *v1);
void smbd_deregister_mr(struct smbdirect_mr_io *mr);
void smbd_debug_proc_show(struct TCP_Server_Info *server, struct seq_file *m);

#else /* CONFIG_CIFS_SMB_DIRECT */
#error "built without CONFIG_CIFS_SMB_DIRECT"
#endif

#endif /* _SMBDIRECT_H */
