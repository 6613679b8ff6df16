// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of messages.
 *
 * A message is a list of chunks: whole pages for bulk data, memory behind the
 * chunk itself for a small rest, so that a message of 64 bytes costs one
 * small allocation. The same chunks serve both directions: a sender's bytes
 * are copied in once and the device reads them from there; a received
 * message is put together in them and the reader copies out.
 *
 * A message has one owner at a time (see struct smbdr_msg), so nothing here
 * takes a lock. Chunks may be mapped for the device; unmapping and freeing is
 * the owner's duty. Memory is taken as bytes arrive, never because a
 * peer announced a length.
 */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include "internal.h"

/* Big enough that a chunk holds several fragments, small enough to be had. */
#define SMBDR_CHUNK_ORDER	3
/* Up to this many bytes live behind the chunk. */
#define SMBDR_CHUNK_INLINE	2048

/**
 * smbdr_msg_alloc - a message without content
 * @length: bytes that it will have
 * @gfp: how to allocate
 *
 * Return: the message, or NULL.
 */
struct smbdr_msg *smbdr_msg_alloc(u32 length, gfp_t gfp)
{
	struct smbdr_msg *msg = smbdr_fault(msg) ? NULL : kzalloc(sizeof(*msg), gfp);

	if (!msg)
		return NULL;
	INIT_LIST_HEAD(&msg->list);
	INIT_LIST_HEAD(&msg->chunks);
	msg->length = length;
	return msg;
}

static void smbdr_chunk_free(struct smbdr_chunk *chunk)
{
	if (chunk->order >= 0)
		free_pages((unsigned long)chunk->data, chunk->order);
	kfree(chunk);
}

/**
 * smbdr_msg_free - free a message and its memory
 * @msg: not mapped for a device any more, in no list; NULL is fine
 *
 * Context: any.
 */
void smbdr_msg_free(struct smbdr_msg *msg)
{
	struct smbdr_chunk *chunk, *tmp;

	if (!msg)
		return;
	list_for_each_entry_safe(chunk, tmp, &msg->chunks, list)
		smbdr_chunk_free(chunk);
	kfree(msg);
}

static struct smbdr_chunk *smbdr_chunk_alloc(u32 want, gfp_t gfp)
{
	struct smbdr_chunk *chunk;
	int order;

	if (want <= SMBDR_CHUNK_INLINE) {
		chunk = smbdr_fault(chunk_small) ? NULL : kmalloc(sizeof(*chunk) + want, gfp);
		if (!chunk)
			return NULL;
		chunk->data = chunk + 1;
		chunk->size = want;
		chunk->order = -1;
		chunk->len = 0;
		chunk->mapped = false;
		return chunk;
	}

	chunk = smbdr_fault(chunk_large) ? NULL : kmalloc(sizeof(*chunk), gfp);
	if (!chunk)
		return NULL;
	order = min(get_order(want), SMBDR_CHUNK_ORDER);
	for (;;) {
		/* Only the last resort, a single page, may try hard. */
		gfp_t flags = order ? gfp | __GFP_NORETRY | __GFP_NOWARN : gfp;

		chunk->data = smbdr_fault(chunk_pages) ? NULL :
			(void *)__get_free_pages(flags, order);
		if (chunk->data || !order)
			break;
		order = 0;
	}
	if (!chunk->data) {
		kfree(chunk);
		return NULL;
	}
	chunk->order = order;
	chunk->size = PAGE_SIZE << order;
	chunk->len = 0;
	chunk->mapped = false;
	return chunk;
}

/* The chunk with room at the end of the message, or a new one. */
static struct smbdr_chunk *smbdr_msg_tail(struct smbdr_msg *msg, u32 want, gfp_t gfp)
{
	struct smbdr_chunk *chunk;

	if (!list_empty(&msg->chunks)) {
		chunk = list_last_entry(&msg->chunks, struct smbdr_chunk, list);
		if (chunk->len < chunk->size)
			return chunk;
	}
	chunk = smbdr_chunk_alloc(want, gfp);
	if (chunk)
		list_add_tail(&chunk->list, &msg->chunks);
	return chunk;
}

/**
 * smbdr_msg_fill - copy from an iterator to the end of a message
 * @msg: the message
 * @from: the source, advanced by what was copied
 * @n: bytes wanted, at most what the message still lacks
 * @gfp: how to allocate
 *
 * Context: process; may sleep as @gfp says and for user memory.
 *
 * Return: bytes copied, which is less than @n only if memory or the
 * source ended; -ENOMEM or -EFAULT if that was at once.
 */
ssize_t smbdr_msg_fill(struct smbdr_msg *msg, struct iov_iter *from, size_t n, gfp_t gfp)
{
	size_t done = 0;

	while (done < n) {
		/* The rest of the message, so that its last chunk fits it. */
		struct smbdr_chunk *chunk = smbdr_msg_tail(msg, msg->length - msg->filled, gfp);
		size_t part, got;

		if (!chunk)
			return done ? done : -ENOMEM;
		part = min_t(size_t, n - done, chunk->size - chunk->len);
		got = smbdr_fault(data_in) ? 0 :
			copy_from_iter(chunk->data + chunk->len, part, from);
		chunk->len += got;
		msg->filled += got;
		done += got;
		if (got < part)
			return done ? done : -EFAULT;
	}
	return done;
}

/**
 * smbdr_msg_append - copy bytes to the end of a message
 * @msg: the message
 * @data: the bytes
 * @len: how many, at most what the message still lacks
 * @gfp: how to allocate
 *
 * The size of a new chunk follows what has arrived, not what was announced:
 * it at least doubles the message, so that many tiny pieces end in few
 * chunks and a peer that announces much and sends little costs little.
 *
 * Return: 0, or -ENOMEM with the message in an undefined but valid state.
 */
int smbdr_msg_append(struct smbdr_msg *msg, const void *data, u32 len, gfp_t gfp)
{
	while (len) {
		u32 left = msg->length - msg->filled;
		u32 want = min(left, max3(len, msg->filled, 256U));
		struct smbdr_chunk *chunk = smbdr_msg_tail(msg, want, gfp);
		u32 part;

		if (!chunk)
			return -ENOMEM;
		part = min(len, chunk->size - chunk->len);
		memcpy(chunk->data + chunk->len, data, part);
		chunk->len += part;
		msg->filled += part;
		data += part;
		len -= part;
	}
	return 0;
}

/* Move the read cursor to @pos; readers go forward, so this is rarely a walk. */
static bool smbdr_msg_seek(struct smbdr_msg *msg, u32 pos, u32 *start)
{
	struct smbdr_chunk *chunk = msg->cur;
	u32 base = msg->cur_off;

	if (!chunk || pos < base) {
		chunk = list_first_entry_or_null(&msg->chunks, struct smbdr_chunk, list);
		base = 0;
	}
	while (chunk && pos >= base + chunk->len) {
		base += chunk->len;
		chunk = list_is_last(&chunk->list, &msg->chunks) ?
			NULL : list_next_entry(chunk, list);
	}
	if (!chunk)
		return false;
	msg->cur = chunk;
	msg->cur_off = base;
	*start = pos - base;
	return true;
}

/**
 * smbdr_msg_read - copy out of a received message
 * @msg: the message
 * @pos: first byte wanted
 * @to: where to, advanced by what was copied
 * @n: bytes wanted
 *
 * Context: process; may sleep for user memory.
 *
 * Return: bytes copied, fewer than @n at the end of the message or of @to;
 * -EFAULT if none could be.
 */
ssize_t smbdr_msg_read(struct smbdr_msg *msg, u32 pos, struct iov_iter *to, size_t n)
{
	size_t done = 0;
	u32 off;

	while (done < n && iov_iter_count(to) && smbdr_msg_seek(msg, pos, &off)) {
		size_t part = min_t(size_t, n - done, msg->cur->len - off);
		size_t got;

		part = min_t(size_t, part, iov_iter_count(to));
		got = smbdr_fault(data_out) ? 0 : copy_to_iter(msg->cur->data + off, part, to);
		pos += got;
		done += got;
		if (got < part)
			return done ? done : -EFAULT;
	}
	return done;
}

/**
 * smbdr_msg_map - let the device read a chunk
 * @chunk: the chunk; nothing happens if it is mapped
 * @dev: the device
 *
 * Return: 0 or -EIO.
 */
int smbdr_msg_map(struct smbdr_chunk *chunk, struct ib_device *dev)
{
	int ret;

	if (chunk->mapped)
		return 0;
	ret = smbdr_fault(chunk_map) ?:
		smbdr_map_single(dev, chunk->data, chunk->len, DMA_TO_DEVICE, &chunk->dma);
	chunk->mapped = !ret;
	return ret;
}

/**
 * smbdr_msg_unmap - end all mappings of a message
 * @msg: the message
 * @dev: the device it was mapped for
 */
void smbdr_msg_unmap(struct smbdr_msg *msg, struct ib_device *dev)
{
	struct smbdr_chunk *chunk;

	list_for_each_entry(chunk, &msg->chunks, list) {
		if (!chunk->mapped)
			break;	/* they are mapped in order */
		ib_dma_unmap_single(dev, chunk->dma, chunk->len, DMA_TO_DEVICE);
		chunk->mapped = false;
	}
}
