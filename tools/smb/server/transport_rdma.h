/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMB Direct for the kernel's SMB server, on sockets of net_smbdirect. Takes the
 * place of the file of the same name in fs/smb/server.
 */
#ifndef __KSMBD_TRANSPORT_RDMA_H__
#define __KSMBD_TRANSPORT_RDMA_H__

#include <linux/sizes.h>
/* Types only: no symbol of the in-tree core is used. */
#include <linux/smbdirect.h>

struct ksmbd_transport;
struct net_device;

#define SMBD_DEFAULT_IOSIZE	SZ_8M
#define SMBD_MIN_IOSIZE		SZ_512K
#define SMBD_MAX_IOSIZE		SZ_16M

int ksmbd_rdma_init(void);
void ksmbd_rdma_stop_listening(void);
bool ksmbd_rdma_enabled(void);
bool ksmbd_rdma_capable_netdev(struct net_device *netdev);
void init_smbd_max_io_size(unsigned int sz);
unsigned int get_smbd_max_read_write_size(struct ksmbd_transport *kt);

#endif /* __KSMBD_TRANSPORT_RDMA_H__ */
