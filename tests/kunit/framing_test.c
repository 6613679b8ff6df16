// SPDX-License-Identifier: GPL-2.0-or-later
/* The framing of the byte stream: every way to cut it up. */
#include <kunit/test.h>
#include "../../net/framing.c"

static const struct framing_hdr_case {
	const char *name;
	u8 bytes[SMBDR_FRAME_HDR];
	u32 max;
	int ret;
	u32 length;
} framing_hdrs[] = {
	{ "one byte", { 0, 0, 0, 1 }, SMBDR_FRAME_MAX, 0, 1 },
	{ "256", { 0, 0, 1, 0 }, SMBDR_FRAME_MAX, 0, 256 },
	{ "the order of bytes", { 0, 1, 2, 3 }, SMBDR_FRAME_MAX, 0, 0x10203 },
	{ "the most there is", { 0, 0xff, 0xff, 0xff }, SMBDR_FRAME_MAX, 0, SMBDR_FRAME_MAX },
	{ "the limit", { 0, 2, 0, 0 }, 131072, 0, 131072 },
	{ "above the limit", { 0, 2, 0, 1 }, 131072, -EMSGSIZE, 0 },
	{ "far above the limit", { 0, 0xff, 0xff, 0xff }, 131072, -EMSGSIZE, 0 },
	{ "nothing may be sent", { 0, 0, 0, 1 }, 0, -EMSGSIZE, 0 },
	{ "limit without effect", { 0, 0xff, 0xff, 0xff }, 0xffffffff, 0, SMBDR_FRAME_MAX },
	{ "no length", { 0, 0, 0, 0 }, SMBDR_FRAME_MAX, -EINVAL, 0 },
	{ "not zero", { 1, 0, 0, 1 }, SMBDR_FRAME_MAX, -EINVAL, 0 },
	{ "NetBIOS keepalive", { 0x85, 0, 0, 0 }, SMBDR_FRAME_MAX, -EINVAL, 0 },
	{ "not zero, above the limit", { 0xff, 0xff, 0xff, 0xff }, 1, -EINVAL, 0 },
};

/* Every split of the header into calls: bit n set means a cut after byte n. */
static void framing_header(struct kunit *test)
{
	u32 i, cuts;

	for (i = 0; i < ARRAY_SIZE(framing_hdrs); i++) {
		const struct framing_hdr_case *c = &framing_hdrs[i];

		for (cuts = 0; cuts < 8; cuts++) {
			struct smbdr_frame_tx f = {};
			u32 from = 0, to;

			KUNIT_EXPECT_TRUE(test, smbdr_frame_tx_idle(&f));
			for (to = 1; to <= 4; to++) {
				struct smbdr_frame_tx before = f;
				int ret;

				if (to < 4 && !(cuts & 1U << (to - 1)))
					continue;
				KUNIT_EXPECT_EQ(test, smbdr_frame_tx_hdr_missing(&f), 4 - from);
				KUNIT_EXPECT_EQ(test, smbdr_frame_tx_body_missing(&f), 0);
				ret = smbdr_frame_tx_hdr(&f, c->bytes + from, to - from, c->max);
				KUNIT_EXPECT_EQ_MSG(test, ret, to == 4 ? c->ret : 0, "%s, %u",
						    c->name, cuts);
				if (ret) {
					KUNIT_EXPECT_EQ(test, f.hdr_len, before.hdr_len);
					KUNIT_EXPECT_MEMEQ(test, f.hdr, before.hdr, f.hdr_len);
					KUNIT_EXPECT_EQ(test, smbdr_frame_tx_idle(&f), !from);
					KUNIT_EXPECT_EQ(test, smbdr_frame_tx_body_missing(&f), 0);
					/* Better bytes are taken then, those before stay. */
					if (!from || !c->bytes[0]) {
						u8 good[4] = { 0, 0, 0, 1 };

						ret = smbdr_frame_tx_hdr(&f, good + from, 4 - from,
									 SMBDR_FRAME_MAX);
						KUNIT_EXPECT_EQ(test, ret, 0);
						KUNIT_EXPECT_NE(test,
								smbdr_frame_tx_body_missing(&f), 0);
					}
					break;
				}
				KUNIT_EXPECT_FALSE(test, smbdr_frame_tx_idle(&f));
				from = to;
			}
			if (!c->ret) {
				KUNIT_EXPECT_EQ(test, smbdr_frame_tx_hdr_missing(&f), 0);
				KUNIT_EXPECT_EQ_MSG(test, smbdr_frame_tx_body_missing(&f),
						    c->length, "%s, %u", c->name, cuts);
			}
		}
	}
}

/* Every split of header and body of two small frames, one after the other. */
static void framing_stream(struct kunit *test)
{
	static const u8 stream[] = { 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd' };
	u32 cuts;

	for (cuts = 0; cuts < 1U << (sizeof(stream) - 1); cuts++) {
		struct smbdr_frame_tx f = {};
		u8 body[4];
		u32 i, frames = 0, have = 0, piece = 0;

		/* A piece is what one call brings; it may end in the next frame. */
		for (i = 0; i < sizeof(stream); i++) {
			u32 from = i - piece++;

			if (i + 1 < sizeof(stream) && !(cuts & 1U << i))
				continue;
			while (piece) {
				u32 n = smbdr_frame_tx_hdr_missing(&f);

				if (n) {
					n = n < piece ? n : piece;
					KUNIT_ASSERT_EQ(test, smbdr_frame_tx_hdr(&f, stream + from,
										 n, 100), 0);
				} else {
					n = smbdr_frame_tx_body_missing(&f);
					n = n < piece ? n : piece;
					KUNIT_ASSERT_TRUE(test, n && have + n <= sizeof(body));
					memcpy(body + have, stream + from, n);
					have += n;
					frames += smbdr_frame_tx_body(&f, n);
				}
				from += n;
				piece -= n;
			}
		}
		KUNIT_EXPECT_EQ(test, frames, 2);
		KUNIT_EXPECT_TRUE(test, smbdr_frame_tx_idle(&f));
		KUNIT_EXPECT_MEMEQ(test, body, "abcd", 4);
	}
}

static void framing_body_large(struct kunit *test)
{
	static const u8 hdr[] = { 0, 0xff, 0xff, 0xff };
	struct smbdr_frame_tx f = {};

	KUNIT_ASSERT_EQ(test, smbdr_frame_tx_hdr(&f, hdr, 4, SMBDR_FRAME_MAX), 0);
	KUNIT_EXPECT_FALSE(test, smbdr_frame_tx_body(&f, SMBDR_FRAME_MAX - 1));
	KUNIT_EXPECT_EQ(test, smbdr_frame_tx_body_missing(&f), 1);
	KUNIT_EXPECT_FALSE(test, smbdr_frame_tx_idle(&f));
	KUNIT_EXPECT_FALSE(test, smbdr_frame_tx_body(&f, 0));
	KUNIT_EXPECT_TRUE(test, smbdr_frame_tx_body(&f, 1));
	KUNIT_EXPECT_TRUE(test, smbdr_frame_tx_idle(&f));
	KUNIT_EXPECT_EQ(test, smbdr_frame_tx_hdr_missing(&f), 4);
}

/* What is written for a reader is what a writer would have to send. */
static void framing_read(struct kunit *test)
{
	static const u32 lengths[] = { 1, 2, 255, 256, 65535, 65536, 131072, SMBDR_FRAME_MAX };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct smbdr_frame_tx f = {};
		struct smbdr_frame_rx rx = {};
		u8 buf[SMBDR_FRAME_HDR + 1] = { 0xff, 0xff, 0xff, 0xff, 0xff };

		smbdr_frame_put_hdr(buf, lengths[i]);
		KUNIT_EXPECT_EQ(test, buf[4], 0xff);
		KUNIT_EXPECT_EQ(test, smbdr_frame_tx_hdr(&f, buf, 4, SMBDR_FRAME_MAX), 0);
		KUNIT_EXPECT_EQ(test, smbdr_frame_tx_body_missing(&f), lengths[i]);

		KUNIT_EXPECT_EQ(test, smbdr_frame_rx_left(&rx, lengths[i]), lengths[i] + 4);
		rx.pos = 3;
		KUNIT_EXPECT_EQ(test, smbdr_frame_rx_left(&rx, lengths[i]), lengths[i] + 1);
		rx.pos = lengths[i] + 4;
		KUNIT_EXPECT_EQ(test, smbdr_frame_rx_left(&rx, lengths[i]), 0);
	}
}

static struct kunit_case smbdr_framing_cases[] = {
	KUNIT_CASE(framing_header),
	KUNIT_CASE(framing_stream),
	KUNIT_CASE(framing_body_large),
	KUNIT_CASE(framing_read),
	{}
};

static struct kunit_suite smbdr_framing_suite = {
	.name = "smbdr_framing",
	.test_cases = smbdr_framing_cases,
};
