// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of a caller, from an iterator to addresses that the device knows.
 *
 * Every kind of kernel iterator becomes a list of pieces that lie within one
 * page each. That is what memory registration wants, and every driver
 * understands it; who builds scatter/gather entries puts neighbours together
 * again. The pages are not pinned: they are kernel memory, which the caller
 * keeps as long as the device may use it.
 *
 * An object has one owner, so nothing here takes a lock. Map and unmap need a
 * device that cannot go: conn->rdma_sem is held.
 */
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include "internal.h"

/* Pages asked for at a time, small enough for the stack. */
#define SMBDR_SGL_BATCH	16

/**
 * smbdr_sgl_check - can this iterator be mapped?
 * @iter: the iterator
 * @source: it has to be a source of data, or else a destination
 *
 * Return: 0 or -EINVAL: empty, memory of user space, or the wrong direction.
 */
int smbdr_sgl_check(const struct iov_iter *iter, bool source)
{
	if (!iov_iter_count(iter) || iov_iter_rw(iter) != (source ? ITER_SOURCE : ITER_DEST))
		return -EINVAL;
	if (!iov_iter_is_kvec(iter) && !iov_iter_is_bvec(iter) && !iov_iter_is_folioq(iter) &&
	    !iov_iter_is_xarray(iter))
		return -EINVAL;
	return 0;
}

/* Does this go on in the page in which the last piece ends? Then they are one. */
static bool smbdr_sgl_join(struct smbdr_sgl *sgl, struct page *page, size_t off, size_t len)
{
	struct scatterlist *last;

	if (!sgl->orig_nents)
		return false;
	last = &sgl->sg[sgl->orig_nents - 1];
	if (sg_page(last) != page || last->offset + last->length != off)
		return false;
	last->length += len;
	return true;
}

static int smbdr_sgl_fill(struct smbdr_sgl *sgl, struct iov_iter *iter, u32 max)
{
	struct page *pages[SMBDR_SGL_BATCH], **p = pages;

	while (iov_iter_count(iter)) {
		ssize_t got;
		size_t off;
		u32 i;

		got = smbdr_fault(sgl_pages) ?:
			iov_iter_extract_pages(iter, &p, iov_iter_count(iter), SMBDR_SGL_BATCH, 0,
					       &off);
		if (got <= 0)
			return got ?: -EINVAL;
		for (i = 0; got > 0; i++) {
			size_t len = min_t(size_t, got, PAGE_SIZE - off);

			if (!smbdr_sgl_join(sgl, pages[i], off, len)) {
				if (sgl->orig_nents == max)
					return -EINVAL;
				sg_set_page(&sgl->sg[sgl->orig_nents++], pages[i], len, off);
			}
			got -= len;
			off = 0;
		}
	}
	return 0;
}

/**
 * smbdr_sgl_map - let the device use the memory behind an iterator
 * @sgl: filled in; nothing to undo on error
 * @dev: the device
 * @iter: checked by smbdr_sgl_check(); used up
 * @dir: what the device does
 *
 * Context: process; may sleep, but not for reclaim by I/O.
 *
 * Return: 0, -ENOMEM, -EINVAL for an iterator with pages that are none, or
 * -EIO if the mapping failed.
 */
int smbdr_sgl_map(struct smbdr_sgl *sgl, struct ib_device *dev, struct iov_iter *iter,
		  enum dma_data_direction dir)
{
	u32 max = iov_iter_npages(iter, INT_MAX);
	int ret;

	memset(sgl, 0, sizeof(*sgl));
	if (!max)
		return -EINVAL;
	sgl->sg = smbdr_fault(sgl) ? NULL : kvmalloc_array(max, sizeof(*sgl->sg), GFP_NOIO);
	if (!sgl->sg)
		return -ENOMEM;
	sg_init_table(sgl->sg, max);
	ret = smbdr_sgl_fill(sgl, iter, max);
	if (!ret) {
		sg_mark_end(&sgl->sg[sgl->orig_nents - 1]);
		sgl->dir = dir;
		sgl->nents = smbdr_fault(sgl_map) ? 0 :
			ib_dma_map_sg(dev, sgl->sg, sgl->orig_nents, dir);
		if (sgl->nents)
			return 0;
		ret = -EIO;
	}
	kvfree(sgl->sg);
	sgl->sg = NULL;
	return ret;
}

/**
 * smbdr_sgl_unmap - the device is through with it
 * @sgl: mapped
 * @dev: the device
 *
 * What the device wrote is visible to the CPU afterwards.
 */
void smbdr_sgl_unmap(struct smbdr_sgl *sgl, struct ib_device *dev)
{
	if (!sgl->sg)
		return;
	ib_dma_unmap_sg(dev, sgl->sg, sgl->orig_nents, sgl->dir);
	kvfree(sgl->sg);
	sgl->sg = NULL;
}
