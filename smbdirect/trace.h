/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events of net_smbdirect, in place of log lines: system smbdirect_net
 * (the in-tree core owns the name smbdirect).
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM smbdirect_net

#if !defined(SMBDR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SMBDR_TRACE_H

#include <linux/tracepoint.h>
#include "internal.h"

TRACE_DEFINE_ENUM(SMBDR_NEW);
TRACE_DEFINE_ENUM(SMBDR_CONNECTING);
TRACE_DEFINE_ENUM(SMBDR_NEGOTIATING);
TRACE_DEFINE_ENUM(SMBDR_ESTABLISHED);
TRACE_DEFINE_ENUM(SMBDR_CLOSING);
TRACE_DEFINE_ENUM(SMBDR_CLOSED);

#define smbdr_show_state(s)				\
	__print_symbolic(s,				\
		{ SMBDR_NEW,		"NEW" },	\
		{ SMBDR_CONNECTING,	"CONNECTING" },	\
		{ SMBDR_NEGOTIATING,	"NEGOTIATING" },\
		{ SMBDR_ESTABLISHED,	"ESTABLISHED" },\
		{ SMBDR_CLOSING,	"CLOSING" },	\
		{ SMBDR_CLOSED,		"CLOSED" })

TRACE_EVENT(smbdr_state,
	TP_PROTO(const struct smbdr_conn *conn, enum smbdr_state from, enum smbdr_state to,
		 int err),
	TP_ARGS(conn, from, to, err),
	TP_STRUCT__entry(
		__field(const void *, conn)
		__field(int, from)
		__field(int, to)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->conn = conn;
		__entry->from = from;
		__entry->to = to;
		__entry->err = err;
	),
	TP_printk("conn=%p %s -> %s err=%d", __entry->conn, smbdr_show_state(__entry->from),
		  smbdr_show_state(__entry->to), __entry->err)
);

TRACE_EVENT(smbdr_cm_event,
	TP_PROTO(const struct smbdr_conn *conn, int event, int status),
	TP_ARGS(conn, event, status),
	TP_STRUCT__entry(
		__field(const void *, conn)
		__field(int, event)
		__field(int, status)
	),
	TP_fast_assign(
		__entry->conn = conn;
		__entry->event = event;
		__entry->status = status;
	),
	TP_printk("conn=%p event=%d status=%d", __entry->conn, __entry->event, __entry->status)
);

TRACE_EVENT(smbdr_negotiated,
	TP_PROTO(const struct smbdr_conn *conn, int result),
	TP_ARGS(conn, result),
	TP_STRUCT__entry(
		__field(const void *, conn)
		__field(int, result)
		__field(u32, max_send)
		__field(u32, max_recv)
		__field(u32, max_frag_send)
		__field(u32, max_frag_recv)
	),
	TP_fast_assign(
		__entry->conn = conn;
		__entry->result = result;
		__entry->max_send = conn->neg.max_send_size;
		__entry->max_recv = conn->neg.max_recv_size;
		__entry->max_frag_send = conn->neg.max_fragmented_send_size;
		__entry->max_frag_recv = conn->neg.max_fragmented_recv_size;
	),
	TP_printk("conn=%p result=%d send=%u recv=%u fragmented_send=%u fragmented_recv=%u",
		  __entry->conn, __entry->result, __entry->max_send, __entry->max_recv,
		  __entry->max_frag_send, __entry->max_frag_recv)
);

DECLARE_EVENT_CLASS(smbdr_data,
	TP_PROTO(const struct smbdr_conn *conn, const struct smbdr_data_hdr *hdr),
	TP_ARGS(conn, hdr),
	TP_STRUCT__entry(
		__field(const void *, conn)
		__field(u16, requested)
		__field(u16, granted)
		__field(u16, flags)
		__field(u32, remaining)
		__field(u32, length)
		__field(u32, send)
		__field(u32, posted)
		__field(u32, announced)
	),
	TP_fast_assign(
		__entry->conn = conn;
		__entry->requested = hdr->credits_requested;
		__entry->granted = hdr->credits_granted;
		__entry->flags = hdr->flags;
		__entry->remaining = hdr->remaining_length;
		__entry->length = hdr->data_length;
		__entry->send = conn->credits.send;
		__entry->posted = conn->credits.posted;
		__entry->announced = conn->credits.announced;
	),
	TP_printk("conn=%p requested=%u granted=%u flags=%#x length=%u remaining=%u | credits: send=%u posted=%u announced=%u",
		  __entry->conn, __entry->requested, __entry->granted, __entry->flags,
		  __entry->length, __entry->remaining, __entry->send, __entry->posted,
		  __entry->announced)
);

DEFINE_EVENT(smbdr_data, smbdr_send,
	TP_PROTO(const struct smbdr_conn *conn, const struct smbdr_data_hdr *hdr),
	TP_ARGS(conn, hdr)
);

DEFINE_EVENT(smbdr_data, smbdr_recv,
	TP_PROTO(const struct smbdr_conn *conn, const struct smbdr_data_hdr *hdr),
	TP_ARGS(conn, hdr)
);

TRACE_EVENT(smbdr_wc_error,
	TP_PROTO(const struct smbdr_conn *conn, int status),
	TP_ARGS(conn, status),
	TP_STRUCT__entry(
		__field(const void *, conn)
		__field(int, status)
	),
	TP_fast_assign(
		__entry->conn = conn;
		__entry->status = status;
	),
	TP_printk("conn=%p wc status=%d", __entry->conn, __entry->status)
);

#endif /* SMBDR_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
