// SPDX-License-Identifier: GPL-2.0-or-later
/* Negotiation as arithmetic: offers, depths, and what small devices allow. */
#include <kunit/test.h>
#include "../../smbdirect/params.c"

/* Our side in the examples: [MS-SMBD] 4.1 has 1024, 1024, 131072 and 10 credits. */
static struct smbdr_params params_example(void)
{
	struct smbdr_params p;

	smbdr_params_init(&p);
	p.max_send_size = 1024;
	p.max_recv_size = 1024;
	p.max_fragmented_size = 131072;
	p.max_rw_size = 1048576;
	p.send_credits = 10;
	p.recv_credits = 10;
	return p;
}

static void params_defaults(struct kunit *test)
{
	struct smbdr_negotiate_req req;
	struct smbdr_params p;

	memset(&p, 0xff, sizeof(p));
	smbdr_params_init(&p);
	KUNIT_EXPECT_EQ(test, smbdr_params_check(&p), 0);
	KUNIT_EXPECT_EQ(test, p.keepalive_interval, 120000);
	KUNIT_EXPECT_EQ(test, p.keepalive_timeout, 5000);
	KUNIT_EXPECT_EQ(test, p.connect_timeout, 120000);
	KUNIT_EXPECT_EQ(test, p.negotiate_timeout, 5000);
	KUNIT_EXPECT_EQ(test, p.device_class, SMBDIRECT_DEVICE_ANY);
	KUNIT_EXPECT_EQ(test, p.max_send_size, 8136);
	KUNIT_EXPECT_EQ(test, p.max_recv_size, 8192);
	KUNIT_EXPECT_EQ(test, p.max_fragmented_size, 1048576);
	KUNIT_EXPECT_EQ(test, p.max_rw_size, 8388608);

	smbdr_params_request(&p, &req);
	KUNIT_EXPECT_EQ(test, req.min_version, SMBDR_VERSION);
	KUNIT_EXPECT_EQ(test, req.max_version, SMBDR_VERSION);
	KUNIT_EXPECT_EQ(test, req.credits_requested, 255);
	KUNIT_EXPECT_EQ(test, req.preferred_send_size, 8136);
	KUNIT_EXPECT_EQ(test, req.max_receive_size, 8192);
	KUNIT_EXPECT_EQ(test, req.max_fragmented_size, 1048576);
}

#define RANGE(member, low, high)						\
	{ #member, offsetof(struct smbdr_params, member),			\
	  sizeof(((struct smbdr_params *)NULL)->member), low, high }

static const struct params_range_case {
	const char *name;
	u32 offset, size, low, high;
} params_ranges[] = {
	RANGE(max_send_size, 128, 8136),
	RANGE(max_recv_size, 128, 8192),
	RANGE(max_fragmented_size, 131072, 16777215),
	RANGE(max_rw_size, 65536, 16777216),
	RANGE(send_credits, 1, 255),
	RANGE(recv_credits, 1, 255),
	RANGE(keepalive_interval, 10, 3600000),
	RANGE(keepalive_timeout, 10, 3600000),
	RANGE(connect_timeout, 10, 3600000),
	RANGE(negotiate_timeout, 10, 3600000),
	RANGE(device_class, 0, 2),
	RANGE(initiator_depth, 1, 255),
	RANGE(responder_resources, 1, 255),
};

static int params_check_with(const struct params_range_case *c, u32 value)
{
	struct smbdr_params p;
	void *member = (u8 *)&p + c->offset;

	smbdr_params_init(&p);
	if (c->size == 4)
		*(u32 *)member = value;
	else if (c->size == 2)
		*(u16 *)member = value;
	else
		*(u8 *)member = value;
	return smbdr_params_check(&p);
}

static void params_range(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(params_ranges); i++) {
		const struct params_range_case *c = &params_ranges[i];
		u32 most = c->size == 4 ? U32_MAX : c->size == 2 ? U16_MAX : U8_MAX;

		KUNIT_EXPECT_EQ_MSG(test, params_check_with(c, c->low), 0, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, params_check_with(c, c->high), 0, "%s", c->name);
		if (c->low)
			KUNIT_EXPECT_EQ_MSG(test, params_check_with(c, c->low - 1), -EINVAL,
					    "%s", c->name);
		if (c->low)
			KUNIT_EXPECT_EQ_MSG(test, params_check_with(c, 0), -EINVAL, "%s", c->name);
		if (c->high == most)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, params_check_with(c, c->high + 1), -EINVAL, "%s",
				    c->name);
		KUNIT_EXPECT_EQ_MSG(test, params_check_with(c, most), -EINVAL, "%s", c->name);
	}
}

static const struct params_accept_case {
	const char *name;
	struct smbdr_negotiate_req req;
	int ret;
	u32 send, recv, fragmented;	/* agreed on */
} params_accepts[] = {
	{ "[MS-SMBD] 4.1", { 0x100, 0x100, 10, 1024, 1024, 131072 }, 0, 1024, 1024, 131072 },
	{ "Windows", { 0x100, 0x100, 255, 1364, 8192, 1048576 }, 0, 1024, 1024, 1048576 },
	{ "Linux", { 0x100, 0x100, 255, 1364, 1364, 173910 }, 0, 1024, 1024, 173910 },
	{ "versions 0101 to ffff", { 0x101, 0xffff, 10, 1024, 1024, 131072 }, -EOPNOTSUPP, },
	{ "versions 0000 to 00ff", { 0, 0xff, 10, 1024, 1024, 131072 }, -EOPNOTSUPP, },
	{ "versions 00ff to 0101", { 0xff, 0x101, 10, 1024, 1024, 131072 }, 0, 1024, 1024, 131072 },
	{ "all versions", { 0, 0xffff, 10, 1024, 1024, 131072 }, 0, 1024, 1024, 131072 },
	{ "versions reversed", { 0x101, 0xff, 10, 1024, 1024, 131072 }, -EOPNOTSUPP, },
	{ "version and all else wrong", { 0x200, 0x200, 0, 0, 0, 0 }, -EOPNOTSUPP, },
	{ "no credits", { 0x100, 0x100, 0, 1024, 1024, 131072 }, -EBADMSG, },
	{ "receive size 127", { 0x100, 0x100, 10, 1024, 127, 131072 }, -EBADMSG, },
	{ "receive size 128", { 0x100, 0x100, 10, 1024, 128, 131072 }, 0, 128, 1024, 131072 },
	{ "receive size 0", { 0x100, 0x100, 10, 1024, 0, 131072 }, -EBADMSG, },
	{ "fragmented 131071", { 0x100, 0x100, 10, 1024, 1024, 131071 }, -EBADMSG, },
	{ "preferred 0", { 0x100, 0x100, 10, 0, 1024, 131072 }, 0, 1024, 128, 131072 },
	{ "preferred 127", { 0x100, 0x100, 10, 127, 1024, 131072 }, 0, 1024, 128, 131072 },
	{ "preferred 129", { 0x100, 0x100, 10, 129, 1024, 131072 }, 0, 1024, 129, 131072 },
	{ "everything at its most", { 0x100, 0x100, 0xffff, ~0U, ~0U, ~0U }, 0, 1024, 1024, ~0U },
};

static void params_accept(struct kunit *test)
{
	struct smbdr_params p = params_example();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(params_accepts); i++) {
		const struct params_accept_case *c = &params_accepts[i];
		struct smbdr_negotiate_resp resp;
		struct smbdr_negotiated n = {};

		KUNIT_EXPECT_EQ_MSG(test, smbdr_params_accept(&p, &c->req, &n), c->ret, "%s",
				    c->name);
		KUNIT_EXPECT_EQ_MSG(test, n.max_send_size, c->send, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, n.max_recv_size, c->recv, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, n.max_fragmented_send_size, c->fragmented, "%s", c->name);
		if (c->ret)
			continue;
		/* Never below what the peer insists on, whatever its fragments are. */
		KUNIT_EXPECT_EQ(test, n.max_fragmented_recv_size, 131072);
		KUNIT_EXPECT_EQ(test, n.max_rw_size, 1048576);

		smbdr_params_response(&p, &n, 7, &resp);
		KUNIT_EXPECT_EQ(test, resp.min_version, SMBDR_VERSION);
		KUNIT_EXPECT_EQ(test, resp.max_version, SMBDR_VERSION);
		KUNIT_EXPECT_EQ(test, resp.negotiated_version, SMBDR_VERSION);
		KUNIT_EXPECT_EQ(test, resp.status, 0);
		KUNIT_EXPECT_EQ(test, resp.credits_requested, 10);
		KUNIT_EXPECT_EQ(test, resp.credits_granted, 7);
		KUNIT_EXPECT_EQ(test, resp.preferred_send_size, c->send);
		KUNIT_EXPECT_EQ(test, resp.max_receive_size, c->recv);
		KUNIT_EXPECT_EQ(test, resp.max_fragmented_size, 131072);
		KUNIT_EXPECT_EQ(test, resp.max_read_write_size, 1048576);
		KUNIT_EXPECT_LE(test, resp.preferred_send_size, c->req.max_receive_size);
	}
}

static void params_refusal(struct kunit *test)
{
	struct smbdr_negotiate_resp resp;

	memset(&resp, 0xff, sizeof(resp));
	smbdr_params_refusal(SMBDR_STATUS_NOT_SUPPORTED, &resp);
	KUNIT_EXPECT_EQ(test, resp.min_version, SMBDR_VERSION);
	KUNIT_EXPECT_EQ(test, resp.max_version, SMBDR_VERSION);
	KUNIT_EXPECT_EQ(test, resp.negotiated_version, 0);
	KUNIT_EXPECT_EQ(test, resp.status, 0xc00000bb);
	KUNIT_EXPECT_EQ(test, resp.credits_requested | resp.credits_granted, 0);
	KUNIT_EXPECT_EQ(test, resp.max_read_write_size | resp.preferred_send_size |
			resp.max_receive_size | resp.max_fragmented_size, 0);
}

static const struct params_confirm_case {
	const char *name;
	struct smbdr_negotiate_resp resp;
	int ret;
	u32 send, recv, fragmented, rw;
} params_confirms[] = {
	{ "[MS-SMBD] 4.1", { 0x100, 0x100, 0x100, 10, 10, 0, 1048576, 1024, 1024, 131072 }, 0,
	  1024, 1024, 131072, 1048576 },
	{ "not supported", { 0x100, 0x100, .status = 0xc00000bb }, -ECONNREFUSED, },
	{ "insufficient resources", { 0x100, 0x100, .status = 0xc000009a }, -ECONNREFUSED, },
	{ "any status", { 0x100, 0x100, 0x100, 10, 10, 1, 1048576, 1024, 1024, 131072 },
	  -ECONNREFUSED, },
	{ "version 0", { 0x100, 0x100, 0, 10, 10, 0, 1048576, 1024, 1024, 131072 },
	  -ECONNREFUSED, },
	{ "version 0101", { 0x100, 0x100, 0x101, 10, 10, 0, 1048576, 1024, 1024, 131072 },
	  -ECONNREFUSED, },
	{ "other versions are not looked at",
	  { 0xdead, 0xbeef, 0x100, 10, 10, 0, 1048576, 1024, 1024, 131072 }, 0,
	  1024, 1024, 131072, 1048576 },
	{ "receive size 127", { 0x100, 0x100, 0x100, 10, 10, 0, 1048576, 1024, 127, 131072 },
	  -EBADMSG, },
	{ "receive size 128", { 0x100, 0x100, 0x100, 10, 10, 0, 1048576, 1024, 128, 131072 }, 0,
	  128, 1024, 131072, 1048576 },
	{ "fragmented 131071", { 0x100, 0x100, 0x100, 10, 10, 0, 1048576, 1024, 1024, 131071 },
	  -EBADMSG, },
	{ "granted 0", { 0x100, 0x100, 0x100, 10, 0, 0, 1048576, 1024, 1024, 131072 }, -EBADMSG, },
	{ "requested 0", { 0x100, 0x100, 0x100, 0, 10, 0, 1048576, 1024, 1024, 131072 },
	  -EBADMSG, },
	{ "granted more than requested",
	  { 0x100, 0x100, 0x100, 1, 0xffff, 0, 1048576, 1024, 1024, 131072 }, 0,
	  1024, 1024, 131072, 1048576 },
	{ "preferred above our receive size",
	  { 0x100, 0x100, 0x100, 10, 10, 0, 1048576, 1025, 1024, 131072 }, -EBADMSG, },
	{ "preferred 0", { 0x100, 0x100, 0x100, 10, 10, 0, 1048576, 0, 1024, 131072 }, 0,
	  1024, 128, 131072, 1048576 },
	{ "everything at its most",
	  { 0x100, 0x100, 0x100, 0xffff, 0xffff, 0, ~0U, 1024, ~0U, ~0U }, 0,
	  1024, 1024, ~0U, 1048576 },
	{ "no RDMA", { 0x100, 0x100, 0x100, 10, 10, 0, 0, 1024, 1024, 131072 }, 0,
	  1024, 1024, 131072, 0 },
};

static void params_confirm(struct kunit *test)
{
	struct smbdr_params p = params_example();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(params_confirms); i++) {
		const struct params_confirm_case *c = &params_confirms[i];
		struct smbdr_negotiated n = {};

		KUNIT_EXPECT_EQ_MSG(test, smbdr_params_confirm(&p, &c->resp, &n), c->ret, "%s",
				    c->name);
		KUNIT_EXPECT_EQ_MSG(test, n.max_send_size, c->send, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, n.max_recv_size, c->recv, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, n.max_fragmented_send_size, c->fragmented, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, n.max_rw_size, c->rw, "%s", c->name);
	}
}

/* Two of us, with every pair of sizes around the floor: both sides get the same result. */
static void params_both_sides(struct kunit *test)
{
	static const u32 sizes[] = { 128, 129, 1024, 1364, 8136 };
	u32 n;

	for (n = 0; n < 625; n++) {
		struct smbdr_params a = params_example(), b = params_example();
		struct smbdr_negotiated at_a, at_b;
		struct smbdr_negotiate_resp resp;
		struct smbdr_negotiate_req req;
		u8 buf[SMBDR_NEGOTIATE_RESP_SIZE];

		a.max_send_size = sizes[n % 5];
		a.max_recv_size = sizes[n / 5 % 5];
		b.max_send_size = sizes[n / 25 % 5];
		b.max_recv_size = sizes[n / 125];
		b.max_fragmented_size = 1048576;
		b.max_rw_size = 65536;

		smbdr_params_request(&a, &req);
		smbdr_wire_put_negotiate_req(buf, &req);
		KUNIT_ASSERT_EQ(test, smbdr_wire_get_negotiate_req(buf, 20, &req), 0);
		KUNIT_ASSERT_EQ(test, smbdr_params_accept(&b, &req, &at_b), 0);
		smbdr_params_response(&b, &at_b, 1, &resp);
		smbdr_wire_put_negotiate_resp(buf, &resp);
		KUNIT_ASSERT_EQ(test, smbdr_wire_get_negotiate_resp(buf, 32, &resp), 0);
		KUNIT_ASSERT_EQ(test, smbdr_params_confirm(&a, &resp, &at_a), 0);

		/* What one sends the other takes; neither is below the floor. */
		KUNIT_EXPECT_LE(test, at_a.max_send_size, at_b.max_recv_size);
		KUNIT_EXPECT_LE(test, at_b.max_send_size, at_a.max_recv_size);
		KUNIT_EXPECT_LE(test, 128, at_a.max_send_size);
		KUNIT_EXPECT_LE(test, 128, at_b.max_send_size);
		KUNIT_EXPECT_EQ(test, at_a.max_fragmented_send_size, 1048576);
		KUNIT_EXPECT_EQ(test, at_b.max_fragmented_send_size, 131072);
		KUNIT_EXPECT_EQ(test, at_a.max_rw_size, 65536);
	}
}

static const struct params_private_case {
	const char *name;
	u8 bytes[12];
	u32 len;
	bool found;
	u32 ird, ord;
} params_private[] = {
	{ "Linux client", { 0, 0, 0, 32, 0, 0, 0, 1 }, 8, true, 32, 1 },
	{ "Linux client, old", { 32, 0, 0, 0, 1, 0, 0, 0 }, 8, true, 32, 1 },
	{ "Linux server", { 0, 0, 0, 1, 0, 0, 0, 8 }, 8, true, 1, 8 },
	{ "more follows", { 0, 0, 0, 32, 0, 0, 0, 1, 9, 9, 9, 9 }, 12, true, 32, 1 },
	{ "large", { 0, 0, 1, 0, 0, 0, 0xff, 0xff }, 8, true, 255, 255 },
	{ "large, both", { 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff }, 8, true, 255, 255 },
	{ "large, old", { 0, 1, 0, 0, 0xff, 0xff, 0, 0 }, 8, true, 255, 255 },
	{ "no reads served", { 0, 0, 0, 0, 0, 0, 0, 1 }, 8, true, 1, 1 },
	{ "no reads served, old", { 0, 0, 0, 0, 1, 0, 0, 0 }, 8, true, 1, 1 },
	{ "nothing", {}, 0, false, 0, 0 },
	{ "too short", { 0, 0, 0, 32, 0, 0, 0 }, 7, false, 0, 0 },
	{ "zeroes", { 0 }, 8, false, 0, 0 },
	{ "text", { 'h', 'e', 'l', 'l', 'o', '!', '!', '!' }, 8, false, 0, 0 },
	{ "one of each order", { 0, 0, 0, 32, 1, 0, 0, 0 }, 8, false, 0, 0 },
	{ "too large", { 0, 1, 0, 1, 0, 0, 0, 1 }, 8, false, 0, 0 },
};

static void params_ird_ord(struct kunit *test)
{
	struct smbdr_depths d = { .initiator_depth = 1, .responder_resources = 32 };
	u8 buf[8];
	u32 i;

	smbdr_params_put_ird_ord(buf, &d);
	KUNIT_EXPECT_MEMEQ(test, buf, params_private[0].bytes, 8);

	for (i = 0; i < ARRAY_SIZE(params_private); i++) {
		const struct params_private_case *c = &params_private[i];
		u32 ird = 0, ord = 0;

		KUNIT_EXPECT_EQ_MSG(test, smbdr_params_get_ird_ord(c->bytes, c->len, &ird, &ord),
				    c->found, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, ird, c->ird, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, ord, c->ord, "%s", c->name);
	}
	KUNIT_EXPECT_FALSE(test, smbdr_params_get_ird_ord(NULL, 0, &i, &i));
}

static const struct params_depth_case {
	u8 initiator, responder;
	u32 peer_ird, peer_ord;
	u8 want_initiator, want_responder;
} params_depth[] = {
	{ 8, 32, 32, 1, 8, 1 },
	{ 8, 32, 1, 8, 1, 8 },
	{ 8, 32, 255, 255, 8, 32 },
	{ 8, 32, 0, 0, 1, 1 },
	{ 1, 1, 255, 255, 1, 1 },
	{ 255, 255, 0xffffffff, 0x20000000, 255, 255 },
	{ 16, 4, 8, 8, 8, 4 },
};

static void params_depths(struct kunit *test)
{
	struct smbdr_limits lim = { .max_qp_rd_atom = 16, .max_qp_init_rd_atom = 4 };
	struct smbdr_params p;
	struct smbdr_depths d;
	u32 i;

	smbdr_params_init(&p);
	smbdr_params_depths(&p, &lim, &d);
	KUNIT_EXPECT_EQ(test, d.initiator_depth, 4);
	KUNIT_EXPECT_EQ(test, d.responder_resources, 16);
	/* In eight bits this is 0. */
	lim = (struct smbdr_limits){ .max_qp_rd_atom = 256, .max_qp_init_rd_atom = 256 };
	smbdr_params_depths(&p, &lim, &d);
	KUNIT_EXPECT_EQ(test, d.initiator_depth, 8);
	KUNIT_EXPECT_EQ(test, d.responder_resources, 32);
	lim = (struct smbdr_limits){};
	smbdr_params_depths(&p, &lim, &d);
	KUNIT_EXPECT_EQ(test, d.initiator_depth, 1);
	KUNIT_EXPECT_EQ(test, d.responder_resources, 1);

	for (i = 0; i < ARRAY_SIZE(params_depth); i++) {
		const struct params_depth_case *c = &params_depth[i];

		d.initiator_depth = c->initiator;
		d.responder_resources = c->responder;
		smbdr_params_match_depths(&d, c->peer_ird, c->peer_ord);
		KUNIT_EXPECT_EQ_MSG(test, d.initiator_depth, c->want_initiator, "%u", i);
		KUNIT_EXPECT_EQ_MSG(test, d.responder_resources, c->want_responder, "%u", i);
	}
}

static const struct params_sizing_case {
	const char *name;
	u32 wr, cqe, sge;
	u16 credits;
	int ret;
	u32 slots, rw, mrs, sends, recvs, recv_credits;
} params_sizings[] = {
	{ "large", 16384, 65536, 32, 255, 0, 32, 32, 28, 124, 255, 250 },
	{ "huge", 0xffffffff, 0xffffffff, 0xffffffff, 255, 0, 32, 32, 28, 124, 255, 250 },
	{ "fewer credits", 16384, 65536, 32, 249, 0, 32, 32, 28, 124, 254, 249 },
	{ "one credit", 16384, 65536, 32, 1, 0, 32, 32, 28, 124, 6, 1 },
	{ "just enough", 255, 255, 8, 255, 0, 32, 32, 28, 124, 255, 250 },
	{ "one credit short", 254, 255, 3, 255, 0, 32, 32, 28, 124, 254, 249 },
	{ "completions short", 16384, 254, 3, 255, 0, 32, 32, 28, 124, 254, 249 },
	{ "sends just enough", 124, 124, 3, 255, 0, 32, 32, 28, 124, 124, 119 },
	{ "sends short", 123, 123, 3, 255, 0, 31, 31, 28, 122, 123, 118 },
	{ "64", 64, 64, 3, 255, 0, 16, 16, 14, 64, 64, 59 },
	{ "16", 16, 16, 3, 255, 0, 4, 3, 2, 15, 16, 11 },
	{ "least", 12, 12, 2, 255, 0, 4, 2, 1, 12, 12, 7 },
	{ "least, one credit", 12, 12, 2, 1, 0, 4, 2, 1, 12, 6, 1 },
	{ "queue too small", 11, 16, 3, 255, -EINVAL, },
	{ "too few completions", 16, 11, 3, 255, -EINVAL, },
	{ "one piece only", 16384, 65536, 1, 255, -EINVAL, },
	{ "nothing", 0, 0, 0, 255, -EINVAL, },
};

static void params_sizing(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(params_sizings); i++) {
		const struct params_sizing_case *c = &params_sizings[i];
		struct smbdr_limits lim = { c->wr, c->cqe, c->sge, 1, 1, c->sge, 256 };
		struct smbdr_sizing s = {};
		struct smbdr_params p;

		smbdr_params_init(&p);
		p.recv_credits = c->credits;
		KUNIT_EXPECT_EQ_MSG(test, smbdr_params_sizing(&p, &lim, &s), c->ret, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, s.sq_slots, c->slots, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, s.rw_wrs, c->rw, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, s.max_mrs, c->mrs, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, s.max_send_wr, c->sends, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, s.max_recv_wr, c->recvs, "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, s.recv_credits, c->recv_credits, "%s", c->name);
		if (c->ret)
			continue;
		KUNIT_EXPECT_EQ(test, s.send_cqe, s.max_send_wr);
		KUNIT_EXPECT_EQ(test, s.recv_cqe, s.max_recv_wr);
		KUNIT_EXPECT_EQ(test, s.max_send_sge, c->sge < 8 ? c->sge : 8);
		KUNIT_EXPECT_EQ(test, s.max_read_sge, s.max_send_sge);
		KUNIT_EXPECT_EQ(test, s.mr_pages, 256);
		KUNIT_EXPECT_TRUE(test, s.max_send_wr <= c->wr && s.max_send_wr <= c->cqe);
		KUNIT_EXPECT_TRUE(test, s.max_recv_wr <= c->wr && s.max_recv_wr <= c->cqe);
	}
}

/* Reads may have fewer pieces than writes, and no region is needlessly large. */
static void params_sizing_rdma(struct kunit *test)
{
	struct smbdr_limits lim = { 16384, 65536, 32, 1, 1, 1, 65536 };
	struct smbdr_sizing s = {};
	struct smbdr_params p;

	smbdr_params_init(&p);
	KUNIT_EXPECT_EQ(test, smbdr_params_sizing(&p, &lim, &s), 0);
	KUNIT_EXPECT_EQ(test, s.max_read_sge, 1);
	KUNIT_EXPECT_EQ(test, s.mr_pages, 512);
	lim.max_sge_rd = 0;
	lim.max_reg_pages = 2;
	KUNIT_EXPECT_EQ(test, smbdr_params_sizing(&p, &lim, &s), 0);
	KUNIT_EXPECT_EQ(test, s.max_read_sge, 1);
	KUNIT_EXPECT_EQ(test, s.mr_pages, 2);
	lim.max_reg_pages = 1;
	KUNIT_EXPECT_EQ(test, smbdr_params_sizing(&p, &lim, &s), -EINVAL);
}

static struct kunit_case smbdr_params_cases[] = {
	KUNIT_CASE(params_defaults),
	KUNIT_CASE(params_range),
	KUNIT_CASE(params_accept),
	KUNIT_CASE(params_refusal),
	KUNIT_CASE(params_confirm),
	KUNIT_CASE(params_both_sides),
	KUNIT_CASE(params_ird_ord),
	KUNIT_CASE(params_depths),
	KUNIT_CASE(params_sizing),
	KUNIT_CASE(params_sizing_rdma),
	{}
};

static struct kunit_suite smbdr_params_suite = {
	.name = "smbdr_params",
	.test_cases = smbdr_params_cases,
};
