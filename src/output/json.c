/* NDJSON: one event or finding as one object, its fields named as mintmark-events(5) lists them.
 *
 * Fields of the Elastic Common Schema are written as flat, dotted keys. The order of the keys is fixed, and nothing
 * depends on the locale, so that the same traffic gives the same bytes. Fields without a value are left out. */
#include "output/output.h"

#include <stdio.h>
#include <string.h>

#include "geo/geo.h"

enum {
	WEIGHT_DECIMALS = 2,      /* decibans */
	PROBABILITY_DECIMALS = 6, /* and chances */
	PLACE_DECIMALS = 4,       /* degrees: 11 m */
};

/* Every event passes here, and most of it is its keys. Inlined, the length of a key is known and it is copied without
 * a call. */
#define INLINE static inline __attribute__((always_inline))

/* The next key of an object; a comma goes before it unless it is the first. */
INLINE void key(struct mm_buf *out, const char *name)
{
	size_t len = strlen(name);
	bool first = out->len != 0 && out->p[out->len - 1] == '{';
	if (!mm_buf_reserve(out, len + 4))
		return;
	char *p = out->p + out->len;
	p[0] = ',';
	p += !first;
	p[0] = '"';
	memcpy(p + 1, name, len);
	memcpy(p + 1 + len, "\":", 3);
	out->len += len + 3 + !first;
}

/* Words of our own, which need no escaping. */
INLINE void put_word(struct mm_buf *out, const char *name, const char *word)
{
	size_t len = strlen(word);
	key(out, name);
	if (!mm_buf_reserve(out, len + 2))
		return;
	char *p = out->p + out->len;
	p[0] = '"';
	memcpy(p + 1, word, len);
	memcpy(p + 1 + len, "\"", 2);
	out->len += len + 2;
}

static void put_text(struct mm_buf *out, const char *name, const char *text)
{
	key(out, name);
	mm_buf_json(out, text, strlen(text));
}

static void put_name(struct mm_buf *out, const char *name, const char *text)
{
	if (text[0] != '\0')
		put_text(out, name, text);
}

INLINE void put_str(struct mm_buf *out, const char *name, struct mm_str s)
{
	if (s.len == 0)
		return;
	key(out, name);
	mm_buf_json(out, s.p, s.len);
}

INLINE void put_int(struct mm_buf *out, const char *name, int64_t v)
{
	key(out, name);
	mm_buf_i64(out, v);
}

static void put_count(struct mm_buf *out, const char *name, uint64_t v)
{
	key(out, name);
	mm_buf_u64(out, v);
}

static void put_fixed(struct mm_buf *out, const char *name, double v, unsigned decimals)
{
	key(out, name);
	mm_buf_fixed(out, v, decimals);
}

INLINE void put_time(struct mm_buf *out, const char *name, int64_t time_ns)
{
	key(out, name);
	mm_buf_put(out, "\"", 1);
	mm_buf_time(out, time_ns);
	mm_buf_put(out, "\"", 1);
}

INLINE void put_fp(struct mm_buf *out, const char *name, const struct mm_fp *fp)
{
	char text[MM_FP_TEXT];
	if (mm_fp_is_set(fp))
		put_word(out, name, mm_fp_text(fp, text));
}

INLINE void put_addr(struct mm_buf *out, const char *name, const struct mm_addr *addr)
{
	char text[MM_ADDR_TEXT];
	if (addr->family == 4) {
		key(out, name);
		mm_buf_put(out, "\"", 1);
		mm_buf_ipv4(out, addr->b);
		mm_buf_put(out, "\"", 1);
	} else if (addr->family != 0) {
		put_word(out, name, mm_addr_text(addr, text));
	}
}

/* Where in the buffer the name of the file of the packet before is: as a rule that of the next one, too. */
struct named {
	uint32_t file;
	size_t at, len; /* from the quote to the '#'; len 0: nowhere yet */
};

/* "FILE#N" */
static void pkt(struct mm_buf *out, const struct mm_pkt *p, const struct mm_files *files,
        struct named *named)
{
	if (named->len != 0 && named->file == p->file) {
		if (mm_buf_reserve(out, named->len))
			memcpy(out->p + out->len, out->p + named->at, named->len);
		out->len += out->failed ? 0 : named->len;
	} else {
		const char *name = mm_files_name(files, p->file);
		size_t at = out->len;
		mm_buf_json(out, name, strlen(name));
		if (!out->failed)
			out->p[out->len - 1] = '#'; /* the quote goes behind the number */
		*named = (struct named){ p->file, at, out->len - at };
	}
	mm_buf_u64(out, p->number);
	mm_buf_put(out, "\"", 1);
}

INLINE void put_pkt(struct mm_buf *out, const char *name, const struct mm_pkt *p,
        const struct mm_files *files, struct named *named)
{
	if (p->number == 0)
		return;
	key(out, name);
	pkt(out, p, files, named);
}

static void put_pkts(struct mm_buf *out, const char *name, const struct mm_pkt *p, size_t n,
        const struct mm_files *files, struct named *named)
{
	key(out, name);
	for (size_t i = 0; i < n; i++) {
		mm_buf_put(out, i == 0 ? "[" : ",", 1);
		pkt(out, &p[i], files, named);
	}
	mm_buf_str(out, n == 0 ? "[]" : "]");
}

INLINE void put_endpoint(
        struct mm_buf *out, const char *ip, const char *port, const struct mm_endpoint *e)
{
	if (e->addr.family == 0)
		return;
	put_addr(out, ip, &e->addr);
	put_int(out, port, e->port);
}

static void put_network(struct mm_buf *out, const struct mm_endpoint *src,
        const struct mm_endpoint *dst, const char *transport, const char *protocol,
        const char *community_id)
{
	put_endpoint(out, "source.ip", "source.port", src);
	put_endpoint(out, "destination.ip", "destination.port", dst);
	if (transport != NULL)
		put_word(out, "network.transport", transport);
	if (protocol != NULL)
		put_word(out, "network.protocol", protocol);
	if (community_id[0] != '\0')
		put_word(out, "network.community_id", community_id);
}

static void put_flags(struct mm_buf *out, uint32_t flags)
{
	/* By bit: MM_EVF_... */
	static const char *const words[] = { "renewal", "forwarded", "s4u2self", "s4u2proxy", "u2u",
		"armored", "anonymous", "malformed", "one-sided", "lossy", "truncated", "orphan",
		"tainted", "copy" };
	bool first = true;
	if (flags == 0)
		return;
	key(out, "mintmark.flags");
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (!(flags & 1u << i))
			continue;
		mm_buf_str(out, first ? "[\"" : ",\"");
		mm_buf_str(out, words[i]);
		mm_buf_put(out, "\"", 1);
		first = false;
	}
	mm_buf_str(out, first ? "[]" : "]");
}

static void put_date(struct mm_buf *out, const char *name, int64_t date_s)
{
	if (date_s != 0)
		put_time(out, name, mm_date_ns(date_s));
}

static void token(struct mm_buf *out, const struct mm_cred *cred)
{
	put_str(out, "client", cred->client);
	put_str(out, "alg", cred->alg_name);
	put_str(out, "kid", cred->kid);
	put_date(out, "issued_at", cred->iat_s);
	put_date(out, "not_before", cred->nbf_s);
	put_date(out, "expires", cred->exp_s);
}

static void credential(struct mm_buf *out, const struct mm_cred *cred)
{
	mm_buf_put(out, "{", 1);
	put_word(out, "role", mm_cred_role_name(cred->role));
	put_word(out, "kind", mm_cred_kind_name(cred->kind));
	put_fp(out, "fingerprint", &cred->fp);
	put_str(out, "issuer", cred->issuer);
	put_str(out, "service", cred->service);
	put_str(out, "principal", cred->principal);
	put_str(out, "principal_realm", cred->principal_realm);
	if (mm_cred_is_token(cred->kind)) {
		token(out, cred);
	} else {
		if (cred->kvno >= 0)
			put_int(out, "kvno", cred->kvno);
		put_int(out, "etype", cred->alg);
		put_int(out, "name_type", cred->name_type);
	}
	put_int(out, "length", cred->length);
	mm_buf_put(out, "}", 1);
}

static void put_credentials(struct mm_buf *out, const struct mm_event *ev)
{
	const struct mm_cred *issued = mm_event_find_cred(ev, MM_ROLE_ISSUED);
	const struct mm_cred *shown = mm_event_find_cred(ev, MM_ROLE_PRESENTED);
	if (issued != NULL) {
		put_fp(out, "mintmark.fingerprint", &issued->fp);
		if (shown != NULL)
			put_fp(out, "mintmark.parent", &shown->fp);
	} else if (shown != NULL) {
		put_fp(out, "mintmark.fingerprint", &shown->fp);
	}
	if (ev->n_creds == 0)
		return;
	key(out, "mintmark.credentials");
	for (size_t i = 0; i < ev->n_creds; i++) {
		mm_buf_put(out, i == 0 ? "[" : ",", 1);
		credential(out, &ev->creds[i]);
	}
	mm_buf_put(out, "]", 1);
}

static void numbers(struct mm_buf *out, const int64_t *v, size_t n)
{
	mm_buf_put(out, "[", 1);
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			mm_buf_put(out, ",", 1);
		mm_buf_i64(out, v[i]);
	}
	mm_buf_put(out, "]", 1);
}

static void put_attrs(struct mm_buf *out, const struct mm_event *ev)
{
	for (size_t i = 0; i < ev->n_attrs; i++) {
		const struct mm_attr_value *v = &ev->attrs[i];
		key(out, v->attr->name);
		switch (v->attr->type) {
		case MM_ATTR_INT:
			mm_buf_i64(out, v->number);
			break;
		case MM_ATTR_STR:
			mm_buf_json(out, v->str.p, v->str.len);
			break;
		case MM_ATTR_INTS:
			numbers(out, v->numbers, v->n_numbers);
			break;
		case MM_ATTR_BOOL:
			mm_buf_str(out, v->number != 0 ? "true" : "false");
			break;
		}
	}
}

static void put_event_head(struct mm_buf *out, const struct mm_event *ev)
{
	bool start = ev->kind == MM_EV_ISSUE || ev->kind == MM_EV_PRESENT;
	mm_buf_str(out, "{\"@timestamp\":\"");
	mm_buf_time(out, ev->time_ns);
	mm_buf_str(out, "\",\"event.kind\":\"event\"");
	put_word(out, "event.action", ev->action);
	mm_buf_str(out, ",\"event.category\":[\"authentication\"],\"event.type\":");
	mm_buf_str(out, start ? "[\"start\"]" : "[\"info\"]");
	put_word(out, "event.outcome", mm_outcome_name(ev->outcome));
}

/* The same event has the same id whatever capture it is read from: a hash of all that is written of it before its
 * packets are named. */
static void put_event_id(struct mm_buf *out, size_t start)
{
	static const char hex[] = "0123456789abcdef";
	char text[17];
	uint64_t id = 0;
	if (!out->failed)
		id = mm_public_id_of(mm_slice((const uint8_t *)out->p + start, out->len - start));
	for (size_t i = 0; i < 16; i++)
		text[i] = hex[id >> (60 - 4 * i) & 15];
	text[16] = '\0';
	put_word(out, "event.id", text);
}

static void put_path(struct mm_buf *out, const struct mm_path *path)
{
	char text[MM_PATH_TEXT];
	if (path->len != 0)
		put_word(out, "mintmark.path", mm_path_text(path, text));
}

/* What only the web has. */
static void put_web(struct mm_buf *out, const struct mm_event *ev)
{
	put_str(out, "mintmark.app", ev->app);
	if (ev->grant != MM_GRANT_NONE)
		put_word(out, "mintmark.grant", mm_grant_name(ev->grant));
	if (ev->client_auth != MM_CLIENT_AUTH_UNKNOWN)
		put_word(out, "mintmark.client_auth", mm_client_auth_name(ev->client_auth));
	if (ev->meaning != MM_MEANING_NONE)
		put_word(out, "mintmark.meaning", mm_meaning_name(ev->meaning));
}

/* Not part of the id: it is of the database, not of the traffic. */
static void put_geo(struct mm_buf *out, const char *who, const struct mm_geo_place *place)
{
	char name[64];
	if (place == NULL)
		return;
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "geo.country_iso_code", place->country },
		{ "geo.city_name", place->city },
		{ "as.organization.name", place->as_name },
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		snprintf(name, sizeof name, "%s.%s", who, texts[i].name);
		put_name(out, name, texts[i].text);
	}
	if (place->as_number != 0) {
		snprintf(name, sizeof name, "%s.as.number", who);
		put_int(out, name, place->as_number);
	}
	if (!place->located)
		return;
	snprintf(name, sizeof name, "%s.geo.location", who);
	key(out, name);
	mm_buf_str(out, "{\"lat\":");
	mm_buf_fixed(out, place->lat, PLACE_DECIMALS);
	mm_buf_str(out, ",\"lon\":");
	mm_buf_fixed(out, place->lon, PLACE_DECIMALS);
	mm_buf_put(out, "}", 1);
}

void mm_json_event(struct mm_buf *out, const struct mm_event *ev, const struct mm_files *files)
{
	size_t start = out->len;
	put_event_head(out, ev);
	put_network(out, &ev->src, &ev->dst, ev->transport, ev->protocol, ev->community_id);
	if (ev->client.family != 0)
		put_addr(out, "client.ip", &ev->client);
	put_str(out, "user.name", ev->user);
	put_str(out, "user.domain", ev->user_realm);
	put_web(out, ev);
	put_word(out, "mintmark.protocol", ev->protocol);
	put_word(out, "mintmark.kind", mm_event_kind_name(ev->kind));
	put_credentials(out, ev);
	if (ev->status.domain != MM_STATUS_NONE) {
		put_word(out, "mintmark.status.domain", mm_status_domain_name(ev->status.domain));
		put_int(out, "mintmark.status.code", ev->status.code);
	}
	put_flags(out, ev->flags);
	put_attrs(out, ev);
	if (ev->request_ns != 0)
		put_time(out, "mintmark.request.time", ev->request_ns);
	if (ev->response_ns != 0)
		put_time(out, "mintmark.response.time", ev->response_ns);
	put_event_id(out, start);
	if (ev->signature != NULL) /* by the keys that were known: not of the traffic alone */
		put_word(out, "mintmark.jwt.signature", ev->signature);
	put_geo(out, ev->client.family != 0 ? "client" : "source", ev->geo);
	put_path(out, &ev->path); /* behind the id: another sensor sees other tags */
	struct named named = { 0 };
	put_pkt(out, "mintmark.request.packet", &ev->request_pkt, files, &named);
	put_pkt(out, "mintmark.response.packet", &ev->response_pkt, files, &named);
	put_pkts(out, "mintmark.packets", ev->pkts, ev->n_pkts, files, &named);
	mm_buf_put(out, "}", 1);
}

static enum mm_outcome finding_outcome(const struct mm_facts *facts)
{
	if (facts->n_accepted != 0)
		return MM_SUCCESS;
	return facts->n_uses != 0 && facts->n_refused == facts->n_uses ? MM_FAILURE : MM_UNKNOWN;
}

static void put_rule(struct mm_buf *out, const struct mm_detector *detector)
{
	put_word(out, "rule.name", detector->name);
	put_word(out, "rule.id", detector->id);
	put_text(out, "rule.description", detector->help);
	put_word(out, "threat.framework", "MITRE ATT&CK");
	key(out, "threat.technique.id");
	mm_buf_printf(out, "[\"%s\"]", detector->technique);
	key(out, "threat.technique.name");
	mm_buf_put(out, "[", 1);
	mm_buf_json(out, detector->technique_name, strlen(detector->technique_name));
	mm_buf_put(out, "]", 1);
}

static void put_fact(struct mm_buf *out, const struct mm_facts *facts)
{
	key(out, "mintmark.credential");
	mm_buf_put(out, "{", 1);
	put_word(out, "role", mm_cred_role_name(facts->role));
	put_word(out, "kind", mm_cred_kind_name(facts->kind));
	put_fp(out, "fingerprint", &facts->fp);
	put_name(out, "issuer", facts->issuer);
	put_name(out, "service", facts->service);
	put_name(out, "recorded", facts->other);
	if (mm_cred_is_token(facts->kind)) {
		const struct mm_token_facts *t = &facts->token;
		put_name(out, "client", t->client);
		put_name(out, "alg", t->alg);
		put_name(out, "kid", t->kid);
		put_name(out, "signer", t->signer);
		put_date(out, "issued_at", t->iat_s);
		put_date(out, "expires", t->exp_s);
	} else {
		if (facts->kvno >= 0)
			put_int(out, "kvno", facts->kvno);
		put_int(out, "etype", facts->alg);
		put_int(out, "name_type", facts->name_type);
	}
	put_int(out, "length", facts->length);
	mm_buf_put(out, "}", 1);
}

static void put_evidence(
        struct mm_buf *out, const struct mm_finding *f, const struct mm_files *files)
{
	struct named named = { 0 };
	key(out, "mintmark.evidence");
	mm_buf_put(out, "[", 1);
	for (size_t i = 0; i < f->n_evidence; i++) {
		const struct mm_evidence *e = &f->evidence[i];
		if (i != 0)
			mm_buf_put(out, ",", 1);
		mm_buf_put(out, "{", 1);
		put_word(out, "id", mm_weight(e->weight_id)->id);
		put_fixed(out, "weight", e->weight, WEIGHT_DECIMALS);
		put_text(out, "what", e->what);
		put_pkts(out, "packets", e->pkts, e->n_pkts, files, &named);
		mm_buf_put(out, "}", 1);
	}
	mm_buf_put(out, "]", 1);
}

static void use(struct mm_buf *out, const struct mm_use *u, const struct mm_files *files)
{
	mm_buf_put(out, "{", 1);
	put_time(out, "time", u->time_ns);
	put_fp(out, "shown", &u->shown);
	put_fp(out, "obtained", &u->obtained);
	put_name(out, "service", u->service);
	put_name(out, "user", u->user);
	put_addr(out, "client", &u->client);
	put_addr(out, "server", &u->server);
	put_int(out, "port", u->server_port);
	put_word(out, "protocol", u->protocol);
	put_word(out, "action", u->action);
	put_word(out, "outcome", mm_outcome_name(u->outcome));
	if (u->status.domain != MM_STATUS_NONE) {
		put_word(out, "status_domain", mm_status_domain_name(u->status.domain));
		put_int(out, "status_code", u->status.code);
	}
	put_pkt(out, "packet", &u->pkt, files, &(struct named){ 0 });
	put_count(out, "times", u->n);
	mm_buf_put(out, "}", 1);
}

static void put_lineage(
        struct mm_buf *out, const struct mm_finding *f, const struct mm_files *files)
{
	key(out, "mintmark.lineage");
	mm_buf_put(out, "[", 1);
	for (size_t i = 0; i < f->n_uses; i++) {
		if (i != 0)
			mm_buf_put(out, ",", 1);
		use(out, &f->uses[i], files);
	}
	mm_buf_put(out, "]", 1);
	if (f->n_uses_more != 0)
		put_count(out, "mintmark.lineage_more", f->n_uses_more);
}

static void put_coverage(struct mm_buf *out, const struct mm_miss *miss)
{
	key(out, "mintmark.coverage");
	mm_buf_put(out, "{", 1);
	put_fixed(out, "watched_s", (double)miss->watched_ns / 1e9, 3);
	put_fixed(out, "a", miss->a, PROBABILITY_DECIMALS);
	put_fixed(out, "b", miss->b, PROBABILITY_DECIMALS);
	put_fixed(out, "c", miss->c, PROBABILITY_DECIMALS);
	put_fixed(out, "m", miss->m, PROBABILITY_DECIMALS);
	put_count(out, "hits", miss->n_hits);
	put_fixed(out, "misses", miss->misses, WEIGHT_DECIMALS);
	mm_buf_put(out, "}", 1);
}

static void put_alternatives(struct mm_buf *out, const struct mm_detector *detector)
{
	key(out, "mintmark.alternatives");
	mm_buf_put(out, "[", 1);
	for (size_t i = 0; detector->alternatives[i] != NULL; i++) {
		if (i != 0)
			mm_buf_put(out, ",", 1);
		mm_buf_json(out, detector->alternatives[i], strlen(detector->alternatives[i]));
	}
	mm_buf_put(out, "]", 1);
}

void mm_json_finding(struct mm_buf *out, const struct mm_finding *f, const struct mm_ledger *ledger,
        const struct mm_files *files)
{
	(void)ledger; /* what it knew of the credential was taken down in the facts */
	mm_buf_str(out, "{\"@timestamp\":\"");
	mm_buf_time(out, f->facts.first_ns);
	mm_buf_str(out, "\",\"event.kind\":\"alert\"");
	put_word(out, "event.action", f->detector->name);
	mm_buf_str(out, ",\"event.category\":[\"authentication\"],\"event.type\":[\"info\"]");
	put_word(out, "event.outcome", mm_outcome_name(finding_outcome(&f->facts)));
	put_int(out, "event.severity", (int64_t)f->band + 1);
	put_time(out, "event.start", f->facts.first_ns);
	put_time(out, "event.end", f->facts.last_ns);
	put_network(out, &f->src, &f->dst, f->transport, f->protocol, f->community_id);
	put_name(out, "user.name", f->facts.user);
	put_rule(out, f->detector);
	put_word(out, "mintmark.protocol", f->protocol);
	put_fp(out, "mintmark.fingerprint", &f->facts.fp);
	put_fixed(out, "mintmark.score", f->score, WEIGHT_DECIMALS);
	put_fixed(out, "mintmark.probability", f->probability, PROBABILITY_DECIMALS);
	put_word(out, "mintmark.band", mm_band_name(f->band));
	put_fixed(out, "mintmark.prior", f->prior, WEIGHT_DECIMALS);
	put_evidence(out, f, files);
	put_alternatives(out, f->detector);
	if (f->facts.subject[0] == '\0')
		put_fact(out, &f->facts);
	else
		put_text(out, "mintmark.subject", f->facts.subject);
	put_flags(out, f->facts.flags);
	put_lineage(out, f, files);
	if (f->facts.miss.m > 0)
		put_coverage(out, &f->facts.miss);
	put_word(out, "event.id", f->event_id);
	put_pkts(out, "mintmark.packets", f->pkts, f->n_pkts, files, &(struct named){ 0 });
	if (f->n_pkts_more != 0)
		put_count(out, "mintmark.packets_more", f->n_pkts_more);
	mm_buf_put(out, "}", 1);
}
