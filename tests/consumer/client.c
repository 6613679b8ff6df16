// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One connection to a server that is a program, which may be a bad one.
 *
 * A client sends one frame and wants it back, or, with 0 bytes, reads until
 * the connection ends. Many clients can run at once. The report is read from the open
 * file that the command was written to. It is one line: how far the client came, and the
 * errno there, as a positive number.
 *
 *	connect E	connect() failed
 *	send E		sending failed
 *	receive E	receiving failed
 *	content 0	something else came back
 *	end 0		the connection ended in an orderly way, before a frame was there
 *	done 0		the frame came back
 *
 * With write=MS it writes frames for as long as the peer takes them, with so many
 * milliseconds as the send timeout, while another thread reads frames like them, which
 * the server has to send. When the writer is done the frame that the reader waits for has to come;
 * then the socket is closed, with a linger time of a second.
 *
 *	early 0		the writer came back before its time
 *	blocked E	the writer came back with this error, all else went well
 *	close 0		closing took too long
 *
 * With invalidate=KEY its frame invalidates that key of the peer's, a number like 0x12.
 *
 * Every call has the timeout of the module, so a hang is reported as EAGAIN,
 * or EINPROGRESS for a connect. Everything belongs to the one call at work.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/seq_buf.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include "rdma_lib.h"

#define ST_CLIENT_MAX	SZ_2M
#define ST_CLIENT_CLOSE	5000	/* ms: longest time that closing may take */
#define ST_CLIENT_SNDBUF	65536

static int st_client_receive(struct socket *sock, u32 len, u8 *buf, const char **where)
{
	u32 want = ST_HDR + len, got = 0;
	int ret;

	*where = "receive";
	while (got < want) {
		ret = st_recv(sock, buf + got, want - got, 0);
		if (ret < 0)
			return ret;
		if (!ret) {
			*where = "end";
			return 0;
		}
		/* Who wants no frame takes whatever comes. */
		if (len)
			got += ret;
	}
	if (st_get_hdr(buf) != len || memcmp(buf + ST_HDR, st_pattern(len), len))
		*where = "content";
	else
		*where = "done";
	return 0;
}

/**
 * struct st_client_writer - who writes beside the reader
 * @sock: the client's socket
 * @len: of each frame
 * @timeout: SO_SNDTIMEO, ms
 * @early: the last call returned before that was over
 * @done: it has returned
 */
struct st_client_writer {
	struct socket *sock;
	u32 len;
	unsigned int timeout;
	bool early;
	bool done;
};

static int st_client_write(struct st_thread *t)
{
	struct st_client_writer *w = t->arg;
	unsigned long start;
	u32 i = 0;
	int ret;

	WRITE_ONCE(w->sock->sk->sk_sndtimeo, msecs_to_jiffies(w->timeout));
	do {
		st_where(t, "frame %u", i++);
		start = jiffies;
		ret = st_send_frame(w->sock, w->len, w->len);
	} while (!ret);
	w->early = time_before(jiffies, start + msecs_to_jiffies(w->timeout));
	WRITE_ONCE(w->done, true);
	return ret;
}

/* The reader, and the writer beside it. */
static int st_client_beside(struct socket *sock, u32 len, unsigned int timeout, u8 *buf,
			    const char **where)
{
	struct st_client_writer *w = kzalloc(sizeof(*w), GFP_KERNEL);
	struct st_thread *t;
	int ret, wrote;

	if (!w)
		return -ENOMEM;
	w->sock = sock;
	w->len = len;
	w->timeout = timeout;
	ret = st_setopt(sock, SOL_SOCKET, SO_SNDBUF, ST_CLIENT_SNDBUF);
	t = ret ? NULL : st_run("client_write", st_client_write, w);
	do {
		ret = ret ?: st_client_receive(sock, len, buf, where);
	} while (!ret && !strcmp(*where, "done") && !READ_ONCE(w->done));
	wrote = st_join(t, st_cfg.timeout);
	if (st_stuck())
		return wrote;
	if (!ret && !strcmp(*where, "done")) {
		*where = w->early ? "early" : "blocked";
		ret = w->early ? 0 : wrote;
	}
	kfree(w);
	return ret;
}

/* Does not wait for what cannot be sent. */
static void st_client_close(struct socket **sock, const char **where, int *ret)
{
	unsigned long start = jiffies;

	sock_set_flag((*sock)->sk, SOCK_LINGER);
	(*sock)->sk->sk_lingertime = HZ;
	st_release(sock);
	if (time_after(jiffies, start + msecs_to_jiffies(ST_CLIENT_CLOSE))) {
		*where = "close";
		*ret = 0;
	}
}

static int st_client_run(const struct sockaddr_storage *to, u16 port, u32 len, unsigned int write,
			 u32 invalidate, const struct st_opts *o, struct seq_buf *report)
{
	u8 *buf = kvmalloc(ST_HDR + len, GFP_KERNEL);
	const char *where = "connect";
	struct socket *sock;
	int ret;

	if (!buf)
		return -ENOMEM;
	ret = st_socket_at(&init_net, to->ss_family, st_cfg.proto, &sock);
	if (ret)
		goto out;
	ret = st_apply(sock, o);
	if (ret)
		goto out;
	ret = st_connect_addr(sock, to, port, 0);
	if (!ret && write) {
		ret = st_client_beside(sock, len, write, buf, &where);
		if (st_stuck())
			return ret;
		st_client_close(&sock, &where, &ret);
	} else if (!ret && len) {
		where = "send";
		ret = invalidate ? st_send_inv(sock, len, len, cpu_to_le32(invalidate)) :
				   st_send_frame(sock, len, len);
	}
	if (!ret && !write)
		ret = st_client_receive(sock, len, buf, &where);
	seq_buf_printf(report, "%s %d\n", where, -ret);
	ret = 0;
out:
	st_release(&sock);
	kvfree(buf);
	return ret;
}

/* "ADDR PORT BYTES [write=MS] [invalidate=KEY] [NAME=VALUE]..." */
int st_client(char *line, struct seq_buf *report)
{
	char *where = strsep(&line, " "), *port = strsep(&line, " "), *len = strsep(&line, " ");
	struct sockaddr_storage to;
	struct st_opts o = {};
	unsigned int write = 0;
	u32 invalidate = 0;
	u32 bytes;
	char *word;
	u16 at;
	int ret;

	if (!len || st_parse_addr(where, &to) || kstrtou16(port, 10, &at) ||
	    kstrtou32(len, 10, &bytes) || bytes > ST_CLIENT_MAX)
		return -EINVAL;
	while ((word = strsep(&line, " "))) {
		if (sscanf(word, "write=%u", &write) == 1 ||
		    sscanf(word, "invalidate=%x", &invalidate) == 1)
			continue;
		ret = st_parse_opt(word, &o);
		if (ret)
			return ret;
	}
	return st_client_run(&to, at, bytes, write, invalidate, &o, report);
}
