/* Stands in for gss.c and the engine in the unit tests of carriers: records what a carrier hands
 * over, counts its events, and drives frame() and parse() over the bytes of one direction.
 *
 * It defines mm_gss_*() and mm_dissect_*(); events come from the real event.c. A token "holds"
 * an AP-REQ when the byte 0x6e is anywhere in it, an AP-REP with 0x6f, a KRB-ERROR with 0x7e:
 * enough for invented tokens. */
#ifndef MM_TESTS_FAKE_GSS_H
#define MM_TESTS_FAKE_GSS_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dissect/gss.h"

enum {
	FAKE_CALLS = 64, /* kept of each test; more are only counted */
	FAKE_TOKEN = 256,
	FAKE_EMITTED = 64,
	FAKE_AP_REQ = 0x6e,    /* [APPLICATION 14] */
	FAKE_AP_REP = 0x6f,    /* [APPLICATION 15] */
	FAKE_KRB_ERROR = 0x7e, /* [APPLICATION 30] */
};

enum fake_what {
	FAKE_REQUEST,
	FAKE_RESPONSE,
	FAKE_END,
};

struct fake_call {
	enum fake_what what;
	char action[40];
	uint8_t token[FAKE_TOKEN]; /* its first bytes */
	size_t len;                /* of the whole token */
	enum mm_verdict verdict;
	struct mm_status status;
	enum mm_dir dir;
	const struct mm_presentation *p;
	bool outstanding; /* p held an event before the call */
};

struct fake {
	struct fake_call calls[FAKE_CALLS];
	size_t n_calls;
	struct mm_event *emitted[FAKE_EMITTED]; /* owned until fake_reset() */
	size_t n_emitted;
	long n_live; /* events made and neither emitted nor dropped */
	size_t n_made, n_dropped;
	bool no_events; /* mm_dissect_event() returns NULL, as an exhausted pool does */
	size_t n_lost;  /* MM_FRAME_LOST answers in fake_stream() */
	size_t n_skipped;
	bool quit;
};

static struct fake fake;

/** Forget everything recorded; checks nothing. */
static inline void fake_reset(void)
{
	for (size_t i = 0; i < fake.n_emitted && i < FAKE_EMITTED; i++)
		free(fake.emitted[i]);
	memset(&fake, 0, sizeof fake);
}

static inline void fake_record(enum fake_what what, const struct mm_dissect *d,
        const struct mm_presentation *p, struct mm_slice token, const char *action,
        enum mm_verdict verdict, struct mm_status status)
{
	if (fake.n_calls < FAKE_CALLS) {
		struct fake_call *call = &fake.calls[fake.n_calls];
		*call = (struct fake_call){ .what = what,
			.len = token.len,
			.verdict = verdict,
			.status = status,
			.dir = d->dir,
			.p = p,
			.outstanding = p->ev != NULL };
		strncpy(call->action, action, sizeof call->action - 1);
		for (size_t i = 0; i < token.len;
		        i++) { /* all of it: a slice out of bounds shall fault */
			uint8_t byte = token.p[i];
			if (i < FAKE_TOKEN)
				call->token[i] = byte;
		}
	}
	fake.n_calls++;
}

static inline bool fake_token_has(struct mm_slice token, uint8_t byte)
{
	return mm_find8(token, 0, byte) != token.len;
}

struct mm_event *mm_dissect_event(struct mm_dissect *d, enum mm_event_kind kind, const char *action)
{
	if (fake.no_events)
		return NULL;
	struct mm_event *ev = mm_event_init(calloc(1, sizeof(struct mm_event_room)));
	assert(ev != NULL);
	ev->kind = kind;
	ev->action = action;
	ev->protocol = d->self->name;
	ev->time_ns = ev->request_ns = d->time_ns;
	fake.n_live++;
	fake.n_made++;
	return ev;
}

void mm_dissect_response(struct mm_dissect *d, struct mm_event *ev)
{
	ev->response_ns = d->time_ns;
}

void mm_dissect_emit(struct mm_dissect *d, struct mm_event *ev)
{
	(void)d;
	fake.n_live--;
	if (fake.n_emitted < FAKE_EMITTED)
		fake.emitted[fake.n_emitted] = ev;
	else
		free(ev);
	fake.n_emitted++;
}

void mm_dissect_drop(struct mm_dissect *d, struct mm_event *ev)
{
	(void)d;
	if (ev == NULL)
		return;
	fake.n_live--;
	fake.n_dropped++;
	free(ev);
}

void mm_gss_read(struct mm_slice token, struct mm_token *out)
{
	*out = (struct mm_token){
		.kind = MM_TOKEN_OTHER, .inner = token, .neg_state = MM_NEG_ABSENT
	};
	if (token.len == 0)
		out->kind = MM_TOKEN_NONE;
	else if (fake_token_has(token, FAKE_AP_REQ))
		out->kind = MM_TOKEN_AP_REQ;
	else if (fake_token_has(token, FAKE_AP_REP))
		out->kind = MM_TOKEN_AP_REP;
	else if (fake_token_has(token, FAKE_KRB_ERROR))
		out->kind = MM_TOKEN_KRB_ERROR;
	else if (mm_find(token, 0, mm_slice_str("NTLMSSP")) != token.len)
		out->kind = MM_TOKEN_NTLM;
}

static inline void fake_close(struct mm_dissect *d, struct mm_presentation *p,
        enum mm_outcome outcome, struct mm_status status)
{
	if (p->ev == NULL)
		return;
	p->ev->outcome = outcome;
	p->ev->status = status;
	mm_dissect_emit(d, p->ev);
	p->ev = NULL;
}

struct mm_event *mm_gss_request(
        struct mm_dissect *d, struct mm_presentation *p, struct mm_slice token, const char *action)
{
	fake_record(
	        FAKE_REQUEST, d, p, token, action, MM_VERDICT_CONTINUE, (struct mm_status){ 0 });
	if (!fake_token_has(token, FAKE_AP_REQ))
		return NULL;
	fake_close(d, p, MM_UNKNOWN, (struct mm_status){ 0 });
	p->ev = mm_dissect_event(d, MM_EV_PRESENT, action);
	return p->ev;
}

void mm_gss_response(struct mm_dissect *d, struct mm_presentation *p, struct mm_slice token,
        enum mm_verdict verdict, struct mm_status status)
{
	fake_record(FAKE_RESPONSE, d, p, token, "", verdict, status);
	if (fake_token_has(token, FAKE_AP_REP))
		fake_close(d, p, MM_SUCCESS, status);
	else if (fake_token_has(token, FAKE_KRB_ERROR) || verdict == MM_VERDICT_REFUSED)
		fake_close(d, p, MM_FAILURE, status);
	else if (verdict == MM_VERDICT_ACCEPTED)
		fake_close(d, p, MM_SUCCESS, status);
}

void mm_gss_end(struct mm_dissect *d, struct mm_presentation *p)
{
	fake_record(FAKE_END, d, p, (struct mm_slice){ NULL, 0 }, "", MM_VERDICT_CONTINUE,
	        (struct mm_status){ 0 });
	fake_close(d, p, MM_UNKNOWN, (struct mm_status){ 0 });
}

/** How often what happened, among the calls kept. */
static inline size_t fake_count(enum fake_what what)
{
	size_t n = 0;
	for (size_t i = 0; i < fake.n_calls && i < FAKE_CALLS; i++)
		n += fake.calls[i].what == what;
	return n;
}

/** The i-th call of a kind (from 0); NULL when there are fewer. */
static inline const struct fake_call *fake_nth(enum fake_what what, size_t i)
{
	for (size_t k = 0; k < fake.n_calls && k < FAKE_CALLS; k++)
		if (fake.calls[k].what == what && i-- == 0)
			return &fake.calls[k];
	return NULL;
}

/** A dissection of a new flow; free(d.state) after its end(). */
static inline struct mm_dissect fake_dissect(const struct mm_dissector *self)
{
	static const struct mm_flow_info flow = { .transport = MM_TCP };
	static const struct mm_bulk_key key;
	struct mm_dissect d = {
		.self = self, .flow = &flow, .key = &key, .time_ns = 1, .now_ns = 1
	};
	d.state = calloc(1, self->state_size == 0 ? 1 : self->state_size);
	assert(d.state != NULL);
	return d;
}

/** End the flow and free its state. */
static inline void fake_end(struct mm_dissect *d)
{
	if (d->self->end != NULL)
		d->self->end(d);
	free(d->state);
	d->state = NULL;
}

/** Run one direction's bytes through frame() and parse() as the engine does: skips,
 * resynchronises after LOST, holds frame() to its contract. Returns how many bytes were used;
 * the rest waits for more (MORE). A skip that reaches beyond the bytes uses them all. */
static inline size_t fake_stream(struct mm_dissect *d, enum mm_dir dir, struct mm_slice bytes)
{
	size_t at = 0;
	d->dir = dir;
	while (at < bytes.len && !fake.quit) {
		struct mm_slice avail = mm_slice(bytes.p + at, bytes.len - at);
		struct mm_frame f = d->self->frame(d->state, dir, avail);
		switch (f.verdict) {
		case MM_FRAME_MORE:
			assert(f.n == 0 || f.n > avail.len);
			return at;
		case MM_FRAME_DONE:
			assert(f.n > 0);
			if (f.n > avail.len)
				return at;
			d->time_ns++;
			d->self->parse(d, mm_slice(avail.p, f.n));
			at += f.n;
			break;
		case MM_FRAME_SKIP:
			assert(f.n > 0);
			fake.n_skipped += f.n;
			at += f.n < avail.len ? f.n : avail.len;
			break;
		case MM_FRAME_LOST: {
			fake.n_lost++;
			struct mm_slice after = mm_slice(avail.p + 1, avail.len - 1);
			size_t off = after.len;
			if (d->self->resync != NULL && after.len != 0)
				off = d->self->resync(d->state, dir, after);
			assert(off <= after.len);
			at += 1 + off;
			break;
		}
		case MM_FRAME_QUIT:
			fake.quit = true;
			break;
		}
	}
	return at;
}

/* A message under construction. */
struct fake_bytes {
	uint8_t b[4096];
	size_t len;
};

static inline void fake_put(struct fake_bytes *m, const void *p, size_t n)
{
	assert(n <= sizeof m->b - m->len);
	memcpy(m->b + m->len, p, n);
	m->len += n;
}

/** n bytes of v, the least significant first. */
static inline void fake_le(struct fake_bytes *m, size_t n, uint64_t v)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)(v >> 8 * i);
		fake_put(m, &byte, 1);
	}
}

static inline void fake_be(struct fake_bytes *m, size_t n, uint64_t v)
{
	for (size_t i = n; i > 0; i--)
		fake_le(m, 1, v >> 8 * (i - 1));
}

static inline struct mm_slice fake_slice(const struct fake_bytes *m)
{
	return mm_slice(m->b, m->len);
}

#endif
