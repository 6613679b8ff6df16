// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two ends with any parameters on any devices: what they agree on fits both,
 * and what is asked of a device it has. The input is both ends' parameters
 * and limits; bytes that are not there are zero.
 */
#include <string.h>
#include "../../smbdirect/params.c"

#define CHECK(x)	do { if (!(x)) __builtin_trap(); } while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* May @from send to @to by what they agreed on? */
static void check_way(const struct smbdr_negotiated *from, const struct smbdr_negotiated *to,
		      const struct smbdr_params *p_from, const struct smbdr_params *p_to)
{
	CHECK(from->max_send_size >= 128 && from->max_send_size <= to->max_recv_size);
	CHECK(from->max_send_size <= p_from->max_send_size);
	CHECK(to->max_recv_size <= p_to->max_recv_size);
	CHECK(from->max_fragmented_send_size == p_to->max_fragmented_size);
	CHECK(to->max_fragmented_recv_size == p_to->max_fragmented_size);
}

static void check_device(const struct smbdr_params *p, const struct smbdr_limits *lim)
{
	u32 depth = min(lim->max_qp_wr, lim->max_cqe);
	struct smbdr_sizing s, none;
	struct smbdr_depths d;

	smbdr_params_depths(p, lim, &d);
	CHECK(d.initiator_depth && d.initiator_depth <= p->initiator_depth);
	CHECK(d.responder_resources && d.responder_resources <= p->responder_resources);

	memset(&s, 0xa5, sizeof(s));
	none = s;
	if (smbdr_params_sizing(p, lim, &s)) {
		CHECK(!memcmp(&s, &none, sizeof(s)));
		CHECK(depth < 64 || lim->max_sge < 2 || lim->max_reg_pages < 2);
		return;
	}
	CHECK(s.sq_slots && s.rw_wrs && s.max_mrs && s.recv_credits);
	CHECK(s.recv_credits <= p->recv_credits);
	/* The negotiate message and the marker beside what is in flight. */
	CHECK(s.sq_slots + s.rw_wrs + 2 * s.max_mrs + 2 <= s.max_send_wr && s.max_send_wr < 128);
	CHECK(s.recv_credits + 2 + SMBDR_CREDITS_SPARE <= s.max_recv_wr && s.max_recv_wr < 256);
	CHECK(s.max_send_wr <= depth && s.max_recv_wr <= depth);
	CHECK(s.send_cqe >= s.max_send_wr && s.recv_cqe >= s.max_recv_wr);
	CHECK(s.send_cqe <= lim->max_cqe && s.recv_cqe <= lim->max_cqe);
	CHECK(s.max_send_sge >= 2 && s.max_send_sge <= lim->max_sge);
	CHECK(s.max_read_sge && s.max_read_sge <= s.max_send_sge);
	CHECK(s.mr_pages >= 2 && s.mr_pages <= lim->max_reg_pages);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct {
		struct smbdr_params a, b;
		struct smbdr_limits dev;
		u16 granted;
	} in = {};
	struct smbdr_negotiated at_a, at_b;
	struct smbdr_negotiate_resp resp;
	struct smbdr_negotiate_req req;

	memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
	/* The ranges have a suite of their own; most of the input has to get past them. */
	if (!in.a.max_send_size)
		smbdr_params_init(&in.a);
	if (!in.b.max_send_size)
		smbdr_params_init(&in.b);
	if (smbdr_params_check(&in.a) || smbdr_params_check(&in.b))
		return 0;
	check_device(&in.a, &in.dev);

	smbdr_params_request(&in.a, &req);
	CHECK(!smbdr_params_accept(&in.b, &req, &at_b));
	smbdr_params_response(&in.b, &at_b, in.granted, &resp);
	CHECK(!smbdr_params_confirm(&in.a, &resp, &at_a) == !!in.granted);
	if (!in.granted)
		return 0;
	check_way(&at_a, &at_b, &in.a, &in.b);
	check_way(&at_b, &at_a, &in.b, &in.a);
	CHECK(at_a.max_rw_size == min(in.a.max_rw_size, in.b.max_rw_size));
	return 0;
}
