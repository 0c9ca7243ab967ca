/* Stands in for those who read exchanges of HTTP: records what they would have been handed. */
#ifndef MM_TESTS_FAKE_WEB_H
#define MM_TESTS_FAKE_WEB_H

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "dissect/exchange.h"
#include "fake_gss.h"

enum {
	WEB_KEPT = 300, /* exchanges kept of each test; more are only counted */
	WEB_TEXT = 512, /* of each text, its first octets */
};

struct fake_exchange {
	uint64_t number;
	int version;
	unsigned status;
	char method[32], authority[WEB_TEXT], host[WEB_TEXT], path[WEB_TEXT], query[WEB_TEXT];
	char request_body[WEB_TEXT], response_body[WEB_TEXT];
	size_t request_body_b, response_body_b;
	char request_fields[WEB_TEXT], response_fields[WEB_TEXT]; /* "a: b|c: d|" */
	size_t n_request_fields;
	uint32_t request_flags, response_flags;
	uint64_t request_first, request_last, response_first, response_last;
	struct mm_addr client;
	bool forwarded;
};

static struct {
	struct fake_exchange kept[WEB_KEPT];
	size_t n;
	struct mm_web_stats counts;
} web;

static inline void web_text(char *out, size_t room, struct mm_slice s)
{
	size_t n = s.len < room - 1 ? s.len : room - 1;
	for (size_t i = 0; i < s.len; i++) { /* all of it: a slice out of bounds shall fault */
		int b = mm_at(s, i);
		if (i < n)
			out[i] = (char)b;
	}
	out[n] = '\0';
}

static inline void web_fields(char *out, size_t room, const struct mm_web_message *m)
{
	out[0] = '\0';
	for (size_t i = 0; i < m->n_fields; i++) {
		size_t at = strlen(out);
		snprintf(out + at, room - at, "%.*s: %.*s|", (int)m->fields[i].name.len,
		        (const char *)m->fields[i].name.p, (int)m->fields[i].value.len,
		        (const char *)m->fields[i].value.p);
	}
}

void mm_web_exchange(struct mm_dissect *d, struct mm_web_exchange *x)
{
	(void)d;
	struct fake_exchange spare, *e = web.n < WEB_KEPT ? &web.kept[web.n] : &spare;
	web.n++;
	*e = (struct fake_exchange){ .number = x->number,
		.version = (int)x->version,
		.status = x->status,
		.request_body_b = x->request.body.len,
		.response_body_b = x->response.body.len,
		.n_request_fields = x->request.n_fields,
		.request_flags = x->request.flags,
		.response_flags = x->response.flags,
		.request_first = x->request.first.number,
		.request_last = x->request.last.number,
		.response_first = x->response.first.number,
		.response_last = x->response.last.number,
		.client = x->client,
		.forwarded = x->forwarded };
	web_text(e->method, sizeof e->method, x->method);
	web_text(e->authority, sizeof e->authority, x->authority);
	web_text(e->host, sizeof e->host, x->host);
	web_text(e->path, sizeof e->path, x->path);
	web_text(e->query, sizeof e->query, x->query);
	web_text(e->request_body, sizeof e->request_body, x->request.body);
	web_text(e->response_body, sizeof e->response_body, x->response.body);
	web_fields(e->request_fields, sizeof e->request_fields, &x->request);
	web_fields(e->response_fields, sizeof e->response_fields, &x->response);
}

static inline void web_reset(void)
{
	memset(&web, 0, sizeof web);
}

/** A connection of this dissector's, alone on its worker. */
static inline struct mm_dissect web_start(const struct mm_dissector *self, size_t memory_max)
{
	fake_reset();
	web_reset();
	const struct mm_web_config config = { .memory_max = memory_max, .stats = &web.counts };
	struct mm_dissect d = fake_dissect(self);
	d.web = mm_web_new(&config);
	assert(d.web != NULL);
	return d;
}

/** It ends; nothing is left behind. */
static inline void web_finish(struct mm_dissect *d)
{
	fake_end(d);
	assert(*mm_web_used(d->web) == 0);
	mm_web_free(d->web);
	assert(fake.n_live == 0);
	fake_reset();
}

#endif
