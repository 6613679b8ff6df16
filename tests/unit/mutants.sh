#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mutants.sh DIR: break the pure layer on purpose, one rule at a time, and see that its tests notice.
# A test that cannot fail proves nothing. Works in DIR; the sources are not touched. make calls it
# and sets CC, UNIT_FLAGS and UNIT_ASAN.
#
# The model judges mutants of credits.c; the KUnit suite of the same name judges the other files. A
# mutant is noticed if the model found a violation, if an expectation of a case was not met, or if a
# sanitizer reported an access or an operation. If the judge ends in any other way (a crash, no
# memory, no time), the run has failed, because nothing is known about the mutant.
# ONLY: a regular expression; mutants whose judge and name match it run, as "framing.*header".
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
top=$(cd ../.. && pwd)
# Most mutants are those of the last run: compiling is apart from linking, so that they are found.
# shellcheck source=../vm/ccache.sh
. "$top/tests/vm/ccache.sh"
mkdir -p "$1"
out=$(cd "$1" && pwd)/mutants
jobs=$(nproc) n=0
rm -rf "$out"
mkdir -p "$out"

# build JUDGE DIR: compile the judge of the sources in DIR as DIR/judge.
build() {
	local judge=$1 dir=$2
	# shellcheck disable=SC2086 # flags are words
	if [ "$judge" = model ]; then
		$CC $UNIT_FLAGS -w -O2 -c -o "$dir/judge.o" "$dir/tests/unit/model.c" &&
			$CC -o "$dir/judge" "$dir/judge.o"
	else
		{
			echo '#include <kunit/test.h>'
			[ "$judge" != params ] || echo '#include "../../smbdirect/wire.c"'
			echo "#include \"${judge}_test.c\""
			echo "kunit_test_suites(&smbdr_${judge}_suite);"
		} >"$dir/tests/kunit/suite.c"
		$CC $UNIT_FLAGS -w $UNIT_ASAN -c -o "$dir/judge.o" "$dir/tests/kunit/suite.c" &&
			$CC $UNIT_ASAN -o "$dir/judge" "$out/unit.o" "$dir/judge.o"
	fi
}

# verdict JUDGE DIR: run the judge; prints "noticed", "not noticed" or "failed", and why.
verdict() {
	local judge=$1 dir=$2 said status
	local report='(AddressSanitizer: (heap|stack|global)-[a-z-]*|runtime error: .*)'
	# To the sanitizer a wild access or an abort is a crash, not a report.
	UBSAN_OPTIONS=exitcode=3 \
		ASAN_OPTIONS=exitcode=3:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_abort=0 \
		timeout 120 "$dir/judge" -q >"$dir/log" 2>&1
	status=$?
	case $judge-$status in
	*-0) echo 'not noticed'; return ;;
	model-2) said="model: $(tail -n 1 "$dir/log")" ;;
	*-2) said=$(sed -n 's/^    not ok [0-9]* /case /p' "$dir/log" | head -n 1) ;;
	*-3) said=$(grep -aoEm 1 "$report" "$dir/log") ;;
	*) said= ;;
	esac
	if [ -n "$said" ]; then
		echo "noticed, $said"
	else
		echo "failed, status $status: $(tail -n 1 "$dir/log")"
	fi
}

# try N JUDGE NAME FILE FROM TO: one line of result.
try() {
	local dir=$out/$1 judge=$2 what="$1 - mutant of $4: $3" wanted=noticed is
	[ "$5" != "$6" ] || wanted='not noticed'
	mkdir -p "$dir"
	(cd "$top" && cp --parents -t "$dir" smbdirect/{wire,reasm,params,credits}.[ch] \
		net/framing.[ch] tests/kunit/*_test.c tests/unit/model.c)
	if ! FROM=$5 TO=$6 perl -0pi -e '$c = s/\Q$ENV{FROM}\E/$ENV{TO}/g; END { exit($c != 1) }' "$dir/$4"; then
		echo "not ok $what # the text to change is not there once"
	elif ! build "$judge" "$dir" 2>"$dir/log"; then
		echo "not ok $what # does not compile: $(head -n 1 "$dir/log")"
	else
		is=$(verdict "$judge" "$dir")
		if [ "${is%%,*}" = "$wanted" ]; then echo "ok $what # $is"; else echo "not ok $what # $is"; fi
	fi
	rm -rf "$dir"
}

# mutant JUDGE NAME FROM TO: FROM is a fixed string that has to occur once in the file.
mutant() {
	local file=smbdirect/$1.c
	case $1 in model) file=smbdirect/credits.c ;; framing) file=net/framing.c ;; esac
	[[ "$1 $2" =~ ${ONLY:-} ]] || return 0
	n=$((n + 1))
	[ "$(jobs -pr | wc -l)" -lt "$jobs" ] || wait -n
	try "$n" "$1" "$2" "$file" "$3" "$4" >"$out/$n.result" &
}

# shellcheck disable=SC2086 # flags are words
$CC $UNIT_FLAGS $UNIT_ASAN -c -o "$out/unit.o" unit.c || exit 1

mutant model 'last credit may be spent without a grant' \
	'(c->send == 1 && c->posted > c->announced)' 'c->send == 1'
mutant model 'no receive is posted for the last credit' '(saying && c->send == 1) || ' ''
mutant model 'a receive for every keepalive, without end' '(must_grant && !ample)' 'must_grant'
mutant model 'no receive is posted for a keepalive' ' || (must_grant && !ample)' ''
mutant model 'every receive is granted at once' \
	'return c->announced <= base / 4 || (c->target_rose && base > c->announced);' 'return true;'
mutant model 'never a message for a grant' \
	'return c->announced <= base / 4 || (c->target_rose && base > c->announced);' 'return false;'
mutant model 'quarter not less than one' 'c->announced <= base / 4' 'c->announced <= max_t(u32, 1, base / 4)'
mutant model 'one receive for a peer without a credit' 'goal = max_t(u32, goal, 2);' 'goal = max_t(u32, goal, 1);'
mutant model 'receives are announced twice' 'c->announced += grant;
	c->target_rose' 'c->target_rose'
mutant model 'announced is not given back' '	c->announced--;' '	;'
mutant model 'posted is not given back' '	c->posted--;' '	;'
mutant model 'sending costs nothing' '	c->send--;' '	;'
mutant model 'grants are lost' 'c->send = min_t(u64, (u64)c->send + granted, U32_MAX);' ';'
mutant model 'the initial grant is not accounted' 'requested);

	c->announced += grant;' 'requested);'
mutant model 'the initial grant goes beyond the request' \
	'grant = min_t(u32, c->posted - c->announced, requested)' 'grant = c->posted - c->announced'
mutant model 'room is not looked at' 'if (room == SMBDR_ROOM_OPEN) {' 'if (0) {'
# What is too large for the model.
mutant credits 'the sum of the credits wraps' 'min_t(u64, (u64)c->send + granted, U32_MAX)' 'c->send + granted'
mutant credits 'a grant is cut off' 'c->posted - c->announced, U16_MAX)' 'c->posted - c->announced, U32_MAX)'
mutant credits 'no end of forced receives' 'min_t(u32, goal, c->recv_max + SMBDR_CREDITS_SPARE)' 'goal'
mutant credits 'a message without a credit is taken' 'if (!c->announced)
		return -EPROTO;' ''
mutant credits 'the window does not grow' 'c->window = min_t(u32, 2 * (u32)c->window, c->recv_max);' ';'
mutant credits 'the window grows beyond the maximum' 'min_t(u32, 2 * (u32)c->window, c->recv_max)' '2 * c->window'
mutant credits 'the window grows although the peer asks for less' ' && c->window < requested' ''

mutant wire 'a short request is read' 'if (len < SMBDR_NEGOTIATE_REQ_SIZE)
		return -EBADMSG;' ''
mutant wire 'a request of the right size is short' 'len < SMBDR_NEGOTIATE_REQ_SIZE' 'len <= SMBDR_NEGOTIATE_REQ_SIZE'
mutant wire 'bytes after a request are not ignored' 'len < SMBDR_NEGOTIATE_REQ_SIZE' 'len != SMBDR_NEGOTIATE_REQ_SIZE'
mutant wire 'a response one byte short is read' 'len < SMBDR_NEGOTIATE_RESP_SIZE' 'len + 1 < SMBDR_NEGOTIATE_RESP_SIZE'
mutant wire 'bytes after a response are not ignored' 'len < SMBDR_NEGOTIATE_RESP_SIZE' 'len != SMBDR_NEGOTIATE_RESP_SIZE'
mutant wire 'a header one byte short is read' 'len < SMBDR_DATA_HDR_SIZE' 'len + 1 < SMBDR_DATA_HDR_SIZE'
mutant wire 'a header without padding is short' 'len < SMBDR_DATA_HDR_SIZE' 'len < SMBDR_DATA_OFFSET'
mutant wire 'the reserved field of a request is not written' 'put_unaligned_le16(0, p + 4);' ''
mutant wire 'the reserved field of a response is not written' 'put_unaligned_le16(0, p + 6);
	put_unaligned_le16(in->credits_requested, p + 8);' 'put_unaligned_le16(in->credits_requested, p + 8);'
mutant wire 'the reserved field of a header is not written' 'put_unaligned_le16(0, p + 6);
	put_unaligned_le32(in->remaining_length, p + 8);' 'put_unaligned_le32(in->remaining_length, p + 8);'
mutant wire 'a request is written in the wrong byte order' \
	'put_unaligned_le16(in->credits_requested, p + 6)' 'put_unaligned_be16(in->credits_requested, p + 6)'
mutant wire 'a request has its versions the other way round' 'out->min_version = get_unaligned_le16(p);
	out->max_version = get_unaligned_le16(p + 2);
	out->credits_requested = get_unaligned_le16(p + 6);' 'out->max_version = get_unaligned_le16(p);
	out->min_version = get_unaligned_le16(p + 2);
	out->credits_requested = get_unaligned_le16(p + 6);'
mutant wire 'credits of a response are written the other way round' 'put_unaligned_le16(in->credits_requested, p + 8);
	put_unaligned_le16(in->credits_granted, p + 10);' 'put_unaligned_le16(in->credits_granted, p + 8);
	put_unaligned_le16(in->credits_requested, p + 10);'
mutant wire 'the status is read from the wrong place' 'get_unaligned_le32(p + 12);
	out->max_read_write_size' 'get_unaligned_le32(p + 16);
	out->max_read_write_size'
mutant wire 'unknown flags are dropped' 'hdr.flags = get_unaligned_le16(p + 4)' 'hdr.flags = get_unaligned_le16(p + 4) & 1'
mutant wire 'the padding is not written' 'memset(p + SMBDR_DATA_HDR_SIZE, 0, SMBDR_DATA_OFFSET - SMBDR_DATA_HDR_SIZE);' ''
mutant wire 'a header without payload is padded' 'if (!in->data_length)
		return SMBDR_DATA_HDR_SIZE;' ''
mutant wire 'a message that requests no credits is taken' '!hdr.credits_requested || ' ''
mutant wire 'any offset is taken' ' || hdr.data_offset % 8' ''
mutant wire 'an offset that is a multiple of four is taken' 'hdr.data_offset % 8' 'hdr.data_offset % 4'
mutant wire 'offset and length wrap' '(u64)hdr.data_offset + ' 'hdr.data_offset + '
mutant wire 'the payload may end one byte after the message' 'hdr.data_length > len)' 'hdr.data_length > len + 1ULL)'
mutant wire 'the payload must not reach the end' 'hdr.data_length > len)' 'hdr.data_length >= len)'
mutant wire 'a length without an offset is taken' 'if (hdr.data_length && !hdr.data_offset)
		return -EBADMSG;' ''
mutant wire 'an offset without payload is refused' 'if (hdr.data_length && !hdr.data_offset)' 'if (!hdr.data_length != !hdr.data_offset)'
mutant wire 'a payload that begins in the header is refused' 'if (hdr.data_length && !hdr.data_offset)' \
	'if (hdr.data_length && hdr.data_offset < SMBDR_DATA_HDR_SIZE)'
mutant wire 'the length is read behind the header' 'hdr.data_length = get_unaligned_le32(p + 16)' \
	'hdr.data_length = get_unaligned_le32(p + 20)'
mutant wire 'a refused header is handed out' 'if (!hdr.credits_requested' '*out = hdr;
	if (!hdr.credits_requested'

mutant reasm 'there is no limit' 'if (rest > r->max)
		return -EBADMSG;' ''
mutant reasm 'a message of the largest size is refused' 'rest > r->max' 'rest >= r->max'
mutant reasm 'payload and rest wrap' '(u64)data_length + ' 'data_length + '
mutant reasm 'a gap is taken' 'rest != r->remaining' 'rest > r->remaining'
mutant reasm 'more than was announced is taken' 'rest != r->remaining' 'rest < r->remaining'
mutant reasm 'an early end is taken' 'rest != r->remaining' 'rest != r->remaining && remaining_length'
mutant reasm 'a grant between two fragments is taken' 'if (r->remaining) {' 'if (!rest)
		return SMBDR_REASM_EMPTY;
	if (r->remaining) {'
mutant reasm 'a grant is a message' 'if (!rest)
			return SMBDR_REASM_EMPTY;' ''
mutant reasm 'a first fragment without payload is a grant' 'if (!rest)' 'if (!data_length)'
mutant reasm 'a later fragment without payload is refused' 'rest != r->remaining' 'rest != r->remaining || !data_length'
mutant reasm 'the message before counts too' '		r->received = 0;
' ''
mutant reasm 'only the last fragment counts' 'r->received += data_length' 'r->received = data_length'
mutant reasm 'the rest includes the payload' 'r->remaining = remaining_length' 'r->remaining = rest'
mutant reasm 'what is refused is accounted' 'if (rest != r->remaining)' 'if (rest != r->remaining && !(r->remaining = 0))'

mutant params 'a default is something else' 'p->connect_timeout = 120000' 'p->connect_timeout = 5000'
mutant params 'the lowest value is out of range' 'value >= low' 'value > low'
mutant params 'the highest value is out of range' 'value <= high' 'value < high'
mutant params 'a time has no range' '	    !smbdr_params_time(p->negotiate_timeout))' '	    0)'
mutant params 'any class of devices is taken' 'p->device_class > SMBDIRECT_DEVICE_IWARP ||
	    ' ''
mutant params 'no reads served is taken' ' || !p->responder_resources' ''
mutant params 'a version above ours is taken' 'req->min_version > SMBDR_VERSION || ' ''
mutant params 'a version below ours is taken' ' || req->max_version < SMBDR_VERSION' ''
mutant params 'credits come before the version' 'if (req->min_version > SMBDR_VERSION' 'if (!req->credits_requested)
		return -EBADMSG;
	if (req->min_version > SMBDR_VERSION'
mutant params 'a request without credits is taken' '!req->credits_requested || ' ''
mutant params 'a receive size below the floor is taken' 'req->max_receive_size < SMBDR_MIN_RECEIVE_SIZE ||' '0 ||'
mutant params 'a request for too short messages is taken' 'req->max_fragmented_size < SMBDR_MIN_FRAGMENTED_SIZE' '0'
mutant params 'no floor for what we receive' 'max_t(u32, SMBDR_MIN_RECEIVE_SIZE, min(p->max_recv_size, peer_send))' \
	'min(p->max_recv_size, peer_send)'
mutant params 'the peer sends more than we take' 'min(p->max_recv_size, peer_send))' 'peer_send)'
mutant params 'we send more than the peer takes' 'min(p->max_send_size, peer_recv)' 'p->max_send_size'
mutant params 'we send longer messages than we take' 'n->max_fragmented_send_size = peer_fragmented' \
	'n->max_fragmented_send_size = min(peer_fragmented, p->max_fragmented_size)'
mutant params 'the response says what we prefer' 'resp->preferred_send_size = n->max_send_size' \
	'resp->preferred_send_size = p->max_send_size'
mutant params 'the response says what we could take' 'resp->max_receive_size = n->max_recv_size' \
	'resp->max_receive_size = p->max_recv_size'
mutant params 'the response grants what we want' 'resp->credits_granted = credits_granted' \
	'resp->credits_granted = p->send_credits'
mutant params 'a refusal says more than it has to' 'memset(resp, 0, sizeof(*resp));' ''
mutant params 'a failure status is not looked at' 'if (resp->status != SMBDR_STATUS_SUCCESS)
		return -ECONNREFUSED;' ''
mutant params 'the version of a response is not looked at' 'if (resp->negotiated_version != SMBDR_VERSION)
		return -ECONNREFUSED;' ''
mutant params 'a response without a grant is taken' '!resp->credits_granted || ' ''
mutant params 'a response without a request is taken' ' || !resp->credits_requested' ''
mutant params 'a response may prefer more than we take' 'if (resp->preferred_send_size > p->max_recv_size)
		return -EBADMSG;' ''
mutant params 'our size of transfers counts alone' 'min(p->max_rw_size, resp->max_read_write_size)' 'p->max_rw_size'
mutant params 'a depth may be zero' 'clamp_t(u32, min(ours, theirs), 1, SMBDR_MAX_DEPTH)' 'min(ours, theirs)'
mutant params 'depths do not cross over' 'smbdr_params_depth(d->initiator_depth, peer_ird);
	d->responder_resources = smbdr_params_depth(d->responder_resources, peer_ord)' 'smbdr_params_depth(d->initiator_depth, peer_ord);
	d->responder_resources = smbdr_params_depth(d->responder_resources, peer_ird)'
mutant params 'limits of a device do not cross over' 'p->initiator_depth, lim->max_qp_init_rd_atom' 'p->initiator_depth, lim->max_qp_rd_atom'
mutant params 'private data in the order of the machine' 'put_unaligned_be32(d->responder_resources, p)' \
	'put_unaligned_le32(d->responder_resources, p)'
mutant params 'seven bytes of private data are enough' 'len < SMBDR_IRD_ORD_SIZE' 'len + 1 < SMBDR_IRD_ORD_SIZE'
mutant params 'one byte order only' 'i = get_unaligned_le32(p);
		o = get_unaligned_le32(p + 4);' ''
mutant params 'a peer that serves no reads has said nothing' '(ird || ord)' '(ird && ord)'
mutant params 'the largest plausible depth is not' 'ird <= SMBDR_PLAUSIBLE_DEPTH' 'ird < SMBDR_PLAUSIBLE_DEPTH'
mutant params 'depths of the peer have no bound' '*ord = clamp_t(u32, o, 1, SMBDR_MAX_DEPTH)' '*ord = o'
mutant params 'a device of any depth is taken' 'depth < send_extra + SMBDR_MIN_SQ_WRS || ' ''
mutant params 'the completion queue is not looked at' 'min(lim->max_qp_wr, lim->max_cqe)' 'lim->max_qp_wr'
mutant params 'one piece is enough for a send' 'lim->max_sge < SMBDR_MIN_SEND_SGE' 'lim->max_sge < 1'
mutant params 'regions have one work request' '2 * s->max_mrs + send_extra' 's->max_mrs + send_extra'
mutant params 'no receives beside the credits' 's->recv_credits + recv_extra' 's->recv_credits'
mutant params 'a read has as many pieces as a write' 'clamp_t(u32, lim->max_sge_rd, 1, s->max_send_sge)' 's->max_send_sge'
mutant params 'no bound for the size of a region' 'min_t(u32, SMBDR_MR_PAGES, lim->max_reg_pages)' 'lim->max_reg_pages'

mutant framing 'any first byte is taken' 'next.hdr[0] || ' ''
mutant framing 'a frame without a byte is taken' ' || !next.length' ''
mutant framing 'the limit is not looked at' 'if (next.length > max)
			return -EMSGSIZE;' ''
mutant framing 'a frame of the largest size is refused' 'next.length > max' 'next.length >= max'
mutant framing 'the limit comes before the first byte' 'if (next.hdr[0] ||' 'if (next.length > max)
			return -EMSGSIZE;
		if (next.hdr[0] ||'
mutant framing 'the length is read in the wrong byte order' 'next.hdr[2] << 8 | next.hdr[3]' 'next.hdr[3] << 8 | next.hdr[2]'
mutant framing 'the length has two bytes' '(u32)next.hdr[1] << 16 | ' ''
mutant framing 'bytes that are refused are kept' '	next.hdr_len += n;
' '	next.hdr_len += n;
	*f = next;
'
mutant framing 'each piece of a header begins at its first byte' 'next.hdr + next.hdr_len' 'next.hdr'
mutant framing 'a header in pieces is no frame' 'return !f->hdr_len' 'return f->hdr_len < SMBDR_FRAME_HDR'
mutant framing 'header bytes are asked for twice' 'SMBDR_FRAME_HDR - f->hdr_len' 'SMBDR_FRAME_HDR'
mutant framing 'body bytes are asked for twice' 'f->length - f->have' 'f->length'
mutant framing 'a frame ends one byte late' 'f->have < f->length' 'f->have <= f->length'
mutant framing 'a frame leaves its state behind' 'memset(f, 0, sizeof(*f));' ''
mutant framing 'only the last piece of a body counts' 'f->have += n' 'f->have = n'
mutant framing 'the first byte of a header is not written' 'buf[0] = 0;' ''
mutant framing 'a header is written in the wrong byte order' 'buf[2] = length >> 8;
	buf[3] = length;' 'buf[3] = length >> 8;
	buf[2] = length;'
mutant framing 'a reader gets no header' 'return SMBDR_FRAME_HDR + length - f->pos' 'return length - f->pos'
mutant framing 'a reader gets all of it each time' 'SMBDR_FRAME_HDR + length - f->pos' 'SMBDR_FRAME_HDR + length'

# The judges must find nothing in the sources as they are. (The model itself ran already.)
for judge in wire reasm params framing credits; do
	mutant "$judge" 'nothing changed' 'SPDX-License-Identifier' 'SPDX-License-Identifier'
done

wait
for ((i = 1; i <= n; i++)); do cat "$out/$i.result"; done
passed=$(cat "$out"/*.result | grep -c '^ok')
echo "$passed passed, $((n - passed)) failed"
[ "$n" != 0 ] && [ "$passed" = "$n" ]
