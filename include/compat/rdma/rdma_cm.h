/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMBDR_COMPAT_RDMA_CM_H
#define SMBDR_COMPAT_RDMA_CM_H

#include_next <rdma/rdma_cm.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
/* Cannot be had; smbdr_cm_device_ok() looks at the device afterwards. */
static inline int rdma_restrict_node_type(struct rdma_cm_id *id, u8 node_type)
{
	return 0;
}
#endif

#endif /* SMBDR_COMPAT_RDMA_CM_H */
