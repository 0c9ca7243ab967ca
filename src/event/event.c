/* Events: where bytes of a packet become values that may outlive it. */
#include "event/event.h"

#include <stdlib.h>
#include <strings.h>

struct mm_str mm_event_str(struct mm_event *ev, struct mm_slice s)
{
	size_t room = sizeof ev->text - ev->n_text;
	size_t len = s.len < MM_STR_MAX ? s.len : MM_STR_MAX;
	if (len > room)
		len = room;
	if (len < s.len)
		ev->flags |= MM_EVF_TRUNCATED;
	struct mm_str str = { ev->text + ev->n_text, len };
	if (len != 0)
		memcpy(ev->text + ev->n_text, s.p, len);
	ev->n_text += len;
	return str;
}

struct mm_str mm_event_join(struct mm_event *ev, struct mm_str a, char sep, struct mm_slice b)
{
	if (a.len == 0)
		return mm_event_str(ev, b);
	/* Joining onto the last string written extends it in place. */
	struct mm_str str = a;
	if (a.p + a.len != ev->text + ev->n_text)
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
	size_t room = MM_EVENT_NUMBERS - ev->n_numbers;
	if (n > room) {
		n = room;
		ev->flags |= MM_EVF_TRUNCATED;
	}
	value->numbers = ev->numbers + ev->n_numbers;
	value->n_numbers = n;
	if (n != 0)
		memcpy(ev->numbers + ev->n_numbers, v, n * sizeof *v);
	ev->n_numbers += n;
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

void mm_event_pool_init(struct mm_event_pool *pool, size_t max_live)
{
	*pool = (struct mm_event_pool){ .max_live = max_live };
}

void mm_event_pool_done(struct mm_event_pool *pool)
{
	struct mm_event *ev = pool->free_list;
	while (ev != NULL) {
		struct mm_event *next = ev->next;
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
	struct mm_event *ev = pool->free_list;
	if (ev != NULL)
		pool->free_list = ev->next;
	else if ((ev = malloc(sizeof *ev)) == NULL) {
		pool->n_refused++;
		return NULL;
	}
	/* The arrays behind the counts are written before they are read: not worth clearing. */
	memset(ev, 0, offsetof(struct mm_event, creds));
	ev->n_creds = ev->n_attrs = ev->n_text = ev->n_numbers = 0;
	ev->next = NULL;
	ev->reply_kvno = -1;
	pool->n_live++;
	return ev;
}

void mm_event_free(struct mm_event_pool *pool, struct mm_event *ev)
{
	if (ev == NULL)
		return;
	pool->n_live--;
	ev->next = pool->free_list;
	pool->free_list = ev;
}

const char *mm_event_kind_name(enum mm_event_kind kind)
{
	static const char *const names[] = { "request", "challenge", "issue", "present", "result",
		"key", "action" };
	return names[kind];
}

const char *mm_outcome_name(enum mm_outcome outcome)
{
	static const char *const names[] = { "unknown", "success", "failure" };
	return names[outcome];
}

const char *mm_cred_kind_name(enum mm_cred_kind kind)
{
	static const char *const names[] = { "none", "tgt", "referral", "service" };
	return names[kind];
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
