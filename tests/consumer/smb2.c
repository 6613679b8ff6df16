// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As much of SMB2 as it takes to talk to a server that nobody here wrote.
 *
 * NEGOTIATE offers every dialect from 2.0.2 to 3.1.1 with the one negotiate
 * context that 3.1.1 requires; the answer tells the dialect that the server
 * chose. ECHO needs no session (MS-SMB2 3.3.5.2.9), so one every second shows
 * that the connection stays usable. Offsets are those of MS-SMB2 2.2.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include "smbdr_test.h"

#define SMB2_HDR	64
#define SMB2_NEGOTIATE	0
#define SMB2_ECHO	13
#define SMB2_MAX_REPLY	65536U
#define SMB2_CTX_OFF	112	/* header 64, fixed part 36, dialects 10, to a multiple of 8 */
#define SMB2_CTX_LEN	38	/* hash count, salt length, one hash, a salt of 32 */
#define SMB2_NEG_LEN	(SMB2_CTX_OFF + 8 + SMB2_CTX_LEN)

static const u16 st_dialects[] = { 0x0202, 0x0210, 0x0300, 0x0302, 0x0311 };

static ushort smb_port = 5445;
module_param(smb_port, ushort, 0444);
MODULE_PARM_DESC(smb_port, "port of the SMB server: 5445 on iWARP, 445 on RoCE and TCP");
static uint smb_echoes = 30;
module_param(smb_echoes, uint, 0444);
MODULE_PARM_DESC(smb_echoes, "SMB2 ECHOs to send, one a second");

static void smb2_header(u8 *msg, u16 command, u64 id)
{
	memset(msg, 0, SMB2_HDR);
	put_unaligned_be32(0xfe534d42, msg);
	put_unaligned_le16(64, msg + 4);
	put_unaligned_le16(1, msg + 6);		/* CreditCharge */
	put_unaligned_le16(command, msg + 12);
	put_unaligned_le16(10, msg + 14);	/* CreditRequest */
	put_unaligned_le64(id, msg + 24);
}

/* Send @len bytes at @msg + ST_HDR, read the reply to @reply. Its length. */
static int smb2_call(struct socket *sock, u8 *msg, u32 len, u8 *reply)
{
	u8 hdr[ST_HDR];
	u32 n;
	int ret;

	st_put_hdr(msg, len);
	ret = st_send_all(sock, msg, ST_HDR + len, 0);
	if (!ret)
		ret = st_recv_all(sock, hdr, ST_HDR, 0);
	if (ret)
		return ret;
	n = st_get_hdr(hdr);
	if (n < SMB2_HDR + 4 || n > SMB2_MAX_REPLY)
		return -EBADMSG;
	ret = st_recv_all(sock, reply, n, 0);
	if (ret)
		return ret;
	if (get_unaligned_be32(reply) != 0xfe534d42 ||
	    memcmp(reply + 12, msg + ST_HDR + 12, 2) ||
	    memcmp(reply + 24, msg + ST_HDR + 24, 8))
		return -EPROTO;
	if (get_unaligned_le32(reply + 8)) {
		pr_info("smb2: NTSTATUS 0x%08x\n", get_unaligned_le32(reply + 8));
		return -EREMOTEIO;
	}
	return n;
}

static int smb2_exchange(struct socket *sock, u8 *msg, u32 len, u8 **reply)
{
	int ret;

	*reply = kvmalloc(SMB2_MAX_REPLY, GFP_KERNEL);
	if (!*reply)
		return -ENOMEM;
	ret = smb2_call(sock, msg, len, *reply);
	if (ret < 0) {
		kvfree(*reply);
		*reply = NULL;
	}
	return ret;
}

/* The first message of a connection; *@dialect is what the server chose. */
static int st_smb2_negotiate(struct socket *sock, u16 *dialect)
{
	u8 *msg, *p, *reply;
	int i, ret;

	msg = kzalloc(ST_HDR + SMB2_NEG_LEN, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	smb2_header(msg + ST_HDR, SMB2_NEGOTIATE, 0);
	p = msg + ST_HDR + SMB2_HDR;
	put_unaligned_le16(36, p);
	put_unaligned_le16(ARRAY_SIZE(st_dialects), p + 2);
	put_unaligned_le16(1, p + 4);			/* signing enabled */
	put_unaligned_le32(0x7f, p + 8);		/* capabilities */
	memset(p + 12, 0xa5, 16);			/* client GUID */
	put_unaligned_le32(SMB2_CTX_OFF, p + 28);
	put_unaligned_le16(1, p + 32);			/* one context */
	for (i = 0; i < ARRAY_SIZE(st_dialects); i++)
		put_unaligned_le16(st_dialects[i], p + 36 + 2 * i);
	p = msg + ST_HDR + SMB2_CTX_OFF;
	put_unaligned_le16(1, p);			/* preauth integrity */
	put_unaligned_le16(SMB2_CTX_LEN, p + 2);
	put_unaligned_le16(1, p + 8);
	put_unaligned_le16(32, p + 10);
	put_unaligned_le16(1, p + 12);			/* SHA-512 */
	memset(p + 14, 0x5a, 32);
	ret = smb2_exchange(sock, msg, SMB2_NEG_LEN, &reply);
	kfree(msg);
	if (ret < 0)
		return ret;
	*dialect = get_unaligned_le16(reply + SMB2_HDR + 4);
	ret = get_unaligned_le16(reply + SMB2_HDR) == 65 ? 0 : -EPROTO;
	kvfree(reply);
	return ret;
}

/* @id counts from 1: the number of messages sent before. */
static int st_smb2_echo(struct socket *sock, u64 id)
{
	u8 msg[ST_HDR + SMB2_HDR + 4] = {};
	u8 *reply;
	int ret;

	smb2_header(msg + ST_HDR, SMB2_ECHO, id);
	put_unaligned_le16(4, msg + ST_HDR + SMB2_HDR);
	ret = smb2_exchange(sock, msg, SMB2_HDR + 4, &reply);
	if (ret < 0)
		return ret;
	kvfree(reply);
	return 0;
}

static const char *smb2_dialect_name(u16 dialect)
{
	switch (dialect) {
	case 0x0202:
		return "SMB 2.0.2";
	case 0x0210:
		return "SMB 2.1";
	case 0x0300:
		return "SMB 3.0";
	case 0x0302:
		return "SMB 3.0.2";
	case 0x0311:
		return "SMB 3.1.1";
	}
	return "unknown";
}

static int smb2_session(struct socket *sock, unsigned int echoes, struct seq_buf *report)
{
	unsigned int i;
	u16 dialect;
	int ret;

	ret = st_smb2_negotiate(sock, &dialect);
	if (ret)
		return ret;
	seq_buf_printf(report, "dialect 0x%04x %s\n", dialect, smb2_dialect_name(dialect));
	for (i = 1; i <= echoes; i++) {
		ret = st_smb2_echo(sock, i);
		if (ret)
			break;
		if (i < echoes)
			msleep(1000);
	}
	seq_buf_printf(report, "echoes %u\n", i - 1);
	return ret;
}

/*
 * "ADDR PORT ECHOES": they come one a second. -EREMOTEIO if the server answered with an
 * error, -EPROTO if it answered something else, or what a socket call said.
 */
int st_smb2(char *line, struct seq_buf *report)
{
	struct sockaddr_storage at;
	unsigned int echoes;
	struct socket *sock;
	char where[64];
	u16 port;
	int ret;

	if (sscanf(line, "%63s %hu %u", where, &port, &echoes) != 3 || st_parse_addr(where, &at))
		return -EINVAL;
	ret = st_dial_at(&at, port, NULL, &sock);
	if (!ret)
		ret = smb2_session(sock, echoes, report);
	st_release(&sock);
	return ret;
}

static void ksmbd_negotiate(struct kunit *test)
{
	struct socket *sock;
	u16 dialect = 0;
	int ret;

	ret = st_dial(smb_port, NULL, &sock);
	KUNIT_ASSERT_EQ_MSG(test, ret, 0, "connect to the server");
	KUNIT_EXPECT_EQ(test, st_smb2_negotiate(sock, &dialect), 0);
	KUNIT_EXPECT_EQ(test, dialect, 0x0311);
	kunit_info(test, "dialect 0x%04x %s\n", dialect, smb2_dialect_name(dialect));
	st_release(&sock);
}

/* The connection lives past the keepalive intervals of both sides. */
static void ksmbd_echo(struct kunit *test)
{
	const struct st_opts o = { .ka_interval = 2000, .ka_timeout = 10000 };
	struct socket *sock;
	unsigned int i;
	u16 dialect;
	int ret;

	ret = st_dial(smb_port, &o, &sock);
	KUNIT_ASSERT_EQ_MSG(test, ret, 0, "connect to the server");
	ret = st_smb2_negotiate(sock, &dialect);
	for (i = 1; !ret && i <= smb_echoes; i++) {
		msleep(1000);
		ret = st_smb2_echo(sock, i);
	}
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "after %u echoes", i - 1);
	st_release(&sock);
}

/* Nothing but keepalives for a while, then the connection still works. */
static void ksmbd_idle(struct kunit *test)
{
	const struct st_opts o = { .ka_interval = 300, .ka_timeout = 10000 };
	struct socket *sock;
	u16 dialect;
	int ret;

	ret = st_dial(smb_port, &o, &sock);
	KUNIT_ASSERT_EQ_MSG(test, ret, 0, "connect to the server");
	KUNIT_EXPECT_EQ(test, st_smb2_negotiate(sock, &dialect), 0);
	msleep(3000);
	KUNIT_EXPECT_EQ(test, st_smb2_echo(sock, 1), 0);
	st_release(&sock);
}

/* Connections come and go, with and without a word. */
static void ksmbd_many(struct kunit *test)
{
	unsigned int i, n = st_scaled(50, 5);
	u16 dialect;
	int ret = 0;

	for (i = 0; !ret && i < n; i++) {
		struct socket *sock;

		ret = st_dial(smb_port, NULL, &sock);
		if (!ret && i % 2)
			ret = st_smb2_negotiate(sock, &dialect);
		st_release(&sock);
	}
	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "after %u connections", i);
}

static struct kunit_case ksmbd_cases[] = {
	KUNIT_CASE(ksmbd_negotiate),
	KUNIT_CASE_SLOW(ksmbd_echo),
	KUNIT_CASE_SLOW(ksmbd_idle),
	KUNIT_CASE_SLOW(ksmbd_many),
	{}
};

static struct kunit_suite ksmbd_suite = {
	.name = "smbdr_ksmbd",
	.init = st_suite_init,
	.test_cases = ksmbd_cases,
};

kunit_test_suite(ksmbd_suite);
