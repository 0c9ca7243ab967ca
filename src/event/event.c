/* Events: where bytes of a packet become values that may outlive it. */
#include "event/event.h"

#include <assert.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <strings.h>

/* The event stands first in its room. */
static struct mm_event_room *room_of(struct mm_event *ev)
{
	assert(ev->packed_size == 0);
	return (struct mm_event_room *)ev;
}

struct mm_event *mm_event_init(struct mm_event_room *room)
{
	/* The arrays behind the counts are written before they are read: not worth clearing. */
	room->ev =
	        (struct mm_event){ .reply_kvno = -1, .creds = room->creds, .attrs = room->attrs };
	room->n_text = room->n_numbers = room->n_raw = 0;
	return &room->ev;
}

struct mm_str mm_event_str(struct mm_event *ev, struct mm_slice s)
{
	struct mm_event_room *room = room_of(ev);
	size_t left = sizeof room->text - room->n_text;
	size_t len = s.len < MM_STR_MAX ? s.len : MM_STR_MAX;
	if (len > left)
		len = left;
	if (len < s.len)
		ev->flags |= MM_EVF_TRUNCATED;
	struct mm_str str = { room->text + room->n_text, len };
	if (len != 0)
		memcpy(room->text + room->n_text, s.p, len);
	room->n_text += len;
	return str;
}

struct mm_str mm_event_raw(struct mm_event *ev, struct mm_slice s, size_t max)
{
	struct mm_event_room *room = room_of(ev);
	if (s.len > max || s.len > sizeof room->raw - room->n_raw) {
		ev->flags |= MM_EVF_TRUNCATED;
		return (struct mm_str){ NULL, 0 };
	}
	struct mm_str str = { room->raw + room->n_raw, s.len };
	if (s.len != 0)
		memcpy(room->raw + room->n_raw, s.p, s.len);
	room->n_raw += s.len;
	return str;
}

struct mm_str mm_event_join(struct mm_event *ev, struct mm_str a, char sep, struct mm_slice b)
{
	if (a.len == 0)
		return mm_event_str(ev, b);
	/* Joining onto the last string written extends it in place. */
	struct mm_str str = a;
	struct mm_event_room *room = room_of(ev);
	if (a.p + a.len != room->text + room->n_text)
		str = mm_event_str(ev, mm_str_slice(a));
	struct mm_str s1 = mm_event_str(ev, mm_slice(&sep, 1));
	struct mm_str s2 = mm_event_str(ev, b);
	str.len += s1.len + s2.len;
	return str;
}

static struct mm_attr_value *put(struct mm_event *ev, const struct mm_attr *attr)
{
	if (mm_event_get(ev, attr) != NULL)
		return NULL;
	if (ev->n_attrs == MM_EVENT_ATTRS) {
		ev->flags |= MM_EVF_TRUNCATED;
		return NULL;
	}
	struct mm_attr_value *v = &ev->attrs[ev->n_attrs++];
	*v = (struct mm_attr_value){ .attr = attr };
	return v;
}

void mm_event_put_int(struct mm_event *ev, const struct mm_attr *attr, int64_t v)
{
	struct mm_attr_value *value = put(ev, attr);
	if (value != NULL)
		value->number = v;
}

void mm_event_put_bool(struct mm_event *ev, const struct mm_attr *attr, bool v)
{
	mm_event_put_int(ev, attr, v);
}

void mm_event_put_str(struct mm_event *ev, const struct mm_attr *attr, struct mm_slice s)
{
	struct mm_attr_value *v = put(ev, attr);
	if (v != NULL)
		v->str = mm_event_str(ev, s);
}

void mm_event_put_ints(struct mm_event *ev, const struct mm_attr *attr, const int64_t *v, size_t n)
{
	struct mm_attr_value *value = put(ev, attr);
	if (value == NULL)
		return;
	struct mm_event_room *room = room_of(ev);
	size_t left = MM_EVENT_NUMBERS - room->n_numbers;
	if (n > left) {
		n = left;
		ev->flags |= MM_EVF_TRUNCATED;
	}
	value->numbers = room->numbers + room->n_numbers;
	value->n_numbers = n;
	if (n != 0)
		memcpy(room->numbers + room->n_numbers, v, n * sizeof *v);
	room->n_numbers += n;
}

const struct mm_attr_value *mm_event_get(const struct mm_event *ev, const struct mm_attr *attr)
{
	for (size_t i = 0; i < ev->n_attrs; i++)
		if (ev->attrs[i].attr == attr)
			return &ev->attrs[i];
	return NULL;
}

struct mm_cred *mm_event_cred(struct mm_event *ev, enum mm_cred_role role)
{
	/* However much armor and evidence stands before them, what is proved and what is issued has its slot. */
	bool aside = role == MM_ROLE_ARMOR || role == MM_ROLE_EVIDENCE;
	if (ev->n_creds + (aside ? 2 : 0) >= MM_EVENT_CREDS) {
		ev->flags |= MM_EVF_TRUNCATED;
		return NULL;
	}
	struct mm_cred *cred = &ev->creds[ev->n_creds++];
	*cred = (struct mm_cred){ .role = role, .kvno = -1 };
	return cred;
}

const struct mm_cred *mm_event_find_cred(const struct mm_event *ev, enum mm_cred_role role)
{
	for (size_t i = 0; i < ev->n_creds; i++)
		if (ev->creds[i].role == role)
			return &ev->creds[i];
	return NULL;
}

static int pkt_cmp(struct mm_pkt a, struct mm_pkt b)
{
	if (a.file != b.file)
		return a.file < b.file ? -1 : 1;
	return a.number < b.number ? -1 : a.number > b.number;
}

static void add_pkt(struct mm_event *ev, struct mm_pkt pkt)
{
	size_t i = ev->n_pkts;
	while (i > 0 && pkt_cmp(pkt, ev->pkts[i - 1]) < 0)
		i--;
	if (pkt.number == 0 || (i > 0 && pkt_cmp(pkt, ev->pkts[i - 1]) == 0))
		return;
	if (ev->n_pkts == MM_EVENT_PKTS) {
		ev->flags |= MM_EVF_TRUNCATED;
		return;
	}
	memmove(ev->pkts + i + 1, ev->pkts + i, (ev->n_pkts - i) * sizeof ev->pkts[0]);
	ev->pkts[i] = pkt;
	ev->n_pkts++;
}

void mm_event_add_pkts(struct mm_event *ev, struct mm_pkt first, struct mm_pkt last)
{
	add_pkt(ev, first);
	add_pkt(ev, last);
}

bool mm_str_eq(struct mm_str a, struct mm_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool mm_str_ieq(struct mm_str a, struct mm_str b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.p, b.p, a.len) == 0);
}

bool mm_str_iholds(struct mm_str s, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i + n <= s.len; i++)
		if (strncasecmp(s.p + i, word, n) == 0)
			return true;
	return false;
}

void mm_event_pool_init(struct mm_event_pool *pool, size_t max_live)
{
	*pool = (struct mm_event_pool){ .max_live = max_live };
}

void mm_event_pool_done(struct mm_event_pool *pool)
{
	struct mm_event *ev = pool->free_list;
	while (ev != NULL) {
		struct mm_event *next = ev->holder;
		free(ev);
		ev = next;
	}
	pool->free_list = NULL;
}

struct mm_event *mm_event_alloc(struct mm_event_pool *pool)
{
	if (pool->n_live >= pool->max_live) {
		pool->n_refused++;
		return NULL;
	}
	struct mm_event_room *room = (struct mm_event_room *)pool->free_list;
	if (room != NULL)
		pool->free_list = room->ev.holder;
	else if ((room = malloc(sizeof *room)) == NULL) {
		pool->n_refused++;
		return NULL;
	}
	pool->n_live++;
	return mm_event_init(room);
}

void mm_event_free(struct mm_event_pool *pool, struct mm_event *ev)
{
	if (ev == NULL)
		return;
	pool->n_live--;
	ev->holder = pool->free_list;
	pool->free_list = ev;
}

/* --- packing --------------------------------------------------------------------------------------- */

static size_t rounded(size_t n)
{
	const size_t to = alignof(max_align_t);
	return (n + to - 1) / to * to;
}

size_t mm_event_packed_size(const struct mm_event *ev)
{
	const struct mm_event_room *room = (const struct mm_event_room *)ev;
	return rounded(sizeof *ev) + rounded(ev->n_creds * sizeof *ev->creds) +
	       rounded(ev->n_attrs * sizeof *ev->attrs) +
	       rounded(room->n_numbers * sizeof room->numbers[0]) + rounded(room->n_text) +
	       rounded(room->n_raw);
}

struct packer {
	const struct mm_event_room *from;
	const char *text, *raw; /* of the copy */
	const int64_t *numbers;
};

static void move_str(const struct packer *p, struct mm_str *s)
{
	if (s->len == 0)
		return;
	assert(s->p >= p->from->text && s->p + s->len <= p->from->text + p->from->n_text);
	s->p = p->text + (s->p - p->from->text);
}

static void move_raw(const struct packer *p, struct mm_str *s)
{
	if (s->len == 0)
		return;
	assert(s->p >= p->from->raw && s->p + s->len <= p->from->raw + p->from->n_raw);
	s->p = p->raw + (s->p - p->from->raw);
}

struct mm_event *mm_event_pack(const struct mm_event *ev, void *to)
{
	const struct mm_event_room *from = (const struct mm_event_room *)ev;
	struct mm_event *copy = to;
	assert(ev->packed_size == 0);
	*copy = *ev;
	copy->packed_size = (uint32_t)mm_event_packed_size(ev);
	char *at = (char *)to + rounded(sizeof *ev);
	copy->creds = memcpy(at, from->creds, ev->n_creds * sizeof *ev->creds);
	at += rounded(ev->n_creds * sizeof *ev->creds);
	copy->attrs = memcpy(at, from->attrs, ev->n_attrs * sizeof *ev->attrs);
	at += rounded(ev->n_attrs * sizeof *ev->attrs);
	struct packer p = { .from = from };
	p.numbers = memcpy(at, from->numbers, from->n_numbers * sizeof from->numbers[0]);
	at += rounded(from->n_numbers * sizeof from->numbers[0]);
	p.text = memcpy(at, from->text, from->n_text);
	at += rounded(from->n_text);
	p.raw = from->n_raw != 0 ? memcpy(at, from->raw, from->n_raw) : at;
	move_str(&p, &copy->user);
	move_str(&p, &copy->user_realm);
	move_str(&p, &copy->app);
	move_str(&p, &copy->agent);
	move_str(&p, &copy->method);
	move_str(&p, &copy->place);
	move_raw(&p, &copy->document);
	for (size_t i = 0; i < ev->n_creds; i++) {
		struct mm_cred *c = &copy->creds[i];
		move_str(&p, &c->issuer);
		move_str(&p, &c->service);
		move_str(&p, &c->principal);
		move_str(&p, &c->principal_realm);
		move_str(&p, &c->client);
		move_str(&p, &c->kid);
		move_str(&p, &c->alg_name);
		move_raw(&p, &c->raw);
	}
	for (size_t i = 0; i < ev->n_attrs; i++) {
		struct mm_attr_value *v = &copy->attrs[i];
		if (v->attr->type == MM_ATTR_STR)
			move_str(&p, &v->str);
		else if (v->attr->type == MM_ATTR_INTS)
			v->numbers = p.numbers + (v->numbers - from->numbers);
	}
	return copy;
}

const char *mm_event_kind_name(enum mm_event_kind kind)
{
	static const char *const names[] = { "request", "challenge", "issue", "present", "result",
		"key", "action", "blind", "loss" };
	return names[kind];
}

const char *mm_outcome_name(enum mm_outcome outcome)
{
	static const char *const names[] = { "unknown", "success", "failure" };
	return names[outcome];
}

const char *mm_cred_kind_name(enum mm_cred_kind kind)
{
	static const char *const names[] = { "none", "tgt", "referral", "service", "code",
		"access-token", "refresh-token", "id-token", "assertion", "client-assertion" };
	return names[kind];
}

const char *mm_grant_name(enum mm_grant grant)
{
	static const char *const names[] = { "none", "authorization_code", "implicit",
		"refresh_token", "client_credentials", "password", "device_code", "token-exchange",
		"jwt-bearer", "saml2-bearer", "ciba", "other" };
	return names[grant];
}

const char *mm_client_auth_name(enum mm_client_auth auth)
{
	static const char *const names[] = { "unknown", "none", "client_secret_basic",
		"client_secret_post", "client_secret_jwt", "private_key_jwt", "tls_client_auth" };
	return names[auth];
}

const char *mm_meaning_name(enum mm_meaning meaning)
{
	static const char *const names[] = { "none", "bad-password", "no-such-user", "locked",
		"password-right", "password-right-but", "refused" };
	return names[meaning];
}

const char *mm_cred_role_name(enum mm_cred_role role)
{
	static const char *const names[] = { "issued", "presented", "armor", "evidence" };
	return names[role];
}

const char *mm_attr_type_name(enum mm_attr_type type)
{
	static const char *const names[] = { "long", "keyword", "long[]", "boolean" };
	return names[type];
}

const char *mm_status_domain_name(enum mm_status_domain domain)
{
	static const char *const names[] = { "none", "kerberos", "ntstatus", "ldap", "http",
		"dcerpc", "gss" };
	return names[domain];
}
