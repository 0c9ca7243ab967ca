/* Exchanges in the making: their memory, which bodies are kept, and handing them over. */
#include "dissect/exchange.h"

#include <stdlib.h>

#include "dissect/coding.h"

enum {
	BODY_ROOM = 1024, /* octets a body begins with; doubled as it grows */
	SPARE_MAX = 64,   /* exchanges kept for the next */
};

/* Text of one exchange: what was added at a time. */
struct web_chunk {
	struct web_chunk *next;
	size_t size;
	uint8_t text[];
};

struct mm_web {
	struct mm_web_config config;
	struct mm_net *proxies;
	size_t in_use;
	struct mm_web_live *live;
	struct mm_web_live *spare; /* linked by next */
	size_t n_spare;
	struct mm_web_owned *owned;
	void *reader; /* of all connections: what libhtp is set up with */
	void (*reader_done)(void *);
	uint8_t room[2][2 * MM_WEB_BODY_MAX]; /* decoded bodies, by side */
};

struct mm_web *mm_web_new(const struct mm_web_config *config)
{
	struct mm_web *w = malloc(sizeof *w);
	if (w == NULL)
		return NULL;
	w->config = *config;
	w->in_use = 0;
	w->live = w->spare = NULL;
	w->owned = NULL;
	w->n_spare = 0;
	w->reader = NULL;
	w->reader_done = NULL;
	w->proxies = calloc(config->n_proxies + 1, sizeof *w->proxies);
	if (w->proxies == NULL) {
		free(w);
		return NULL;
	}
	if (config->n_proxies != 0)
		memcpy(w->proxies, config->proxies, config->n_proxies * sizeof w->proxies[0]);
	w->config.proxies = w->proxies;
	return w;
}

void mm_web_own(struct mm_web *w, struct mm_web_owned *o, void (*release)(void *), void *arg)
{
	*o = (struct mm_web_owned){ .next = w->owned, .release = release, .arg = arg };
	if (w->owned != NULL)
		w->owned->prev = o;
	w->owned = o;
}

void mm_web_disown(struct mm_web *w, struct mm_web_owned *o)
{
	if (o->prev != NULL)
		o->prev->next = o->next;
	else
		w->owned = o->next;
	if (o->next != NULL)
		o->next->prev = o->prev;
}

size_t *mm_web_used(struct mm_web *w)
{
	return &w->in_use;
}

size_t mm_web_max(const struct mm_web *w)
{
	return w->config.memory_max;
}

uint8_t *mm_web_room(struct mm_web *w, unsigned i)
{
	return w->room[i];
}

struct mm_web_stats *mm_web_stats(struct mm_web *w)
{
	return w->config.stats;
}

void **mm_web_reader_slot(struct mm_web *w, void (*done)(void *))
{
	w->reader_done = done;
	return &w->reader;
}

/* An exchange's memory, counted. */
void mm_web_charge(struct mm_web_live *l, size_t more)
{
	l->bytes += more;
	l->conn->bytes += more;
	l->web->in_use += more;
}

static void discard(struct mm_web_live *l)
{
	struct mm_web *w = l->web;
	for (unsigned side = 0; side < 2; side++) {
		if (l->reader[side] != NULL)
			l->reader_free(l->reader[side]);
		if (l->body[side] != NULL)
			explicit_bzero(l->body[side], l->body_b[side]);
		free(l->body[side]);
		if (l->fields[side] != l->few[side])
			free(l->fields[side]);
	}
	while (l->chunks != NULL) {
		struct web_chunk *chunk = l->chunks;
		l->chunks = chunk->next;
		explicit_bzero(chunk->text, chunk->size);
		free(chunk);
	}
	explicit_bzero(l->text, l->text_b);
	w->in_use -= l->bytes;
	if (l->prev != NULL)
		l->prev->next = l->next;
	else
		w->live = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	if (w->n_spare == SPARE_MAX) {
		free(l);
		return;
	}
	l->next = w->spare;
	w->spare = l;
	w->n_spare++;
}

void mm_web_free(struct mm_web *w)
{
	if (w == NULL)
		return;
	while (w->live != NULL)
		discard(w->live);
	while (w->owned != NULL) {
		struct mm_web_owned *o = w->owned;
		w->owned = o->next;
		o->release(o->arg);
	}
	while (w->spare != NULL) {
		struct mm_web_live *l = w->spare;
		w->spare = l->next;
		free(l);
	}
	if (w->reader != NULL)
		w->reader_done(w->reader);
	free(w->proxies);
	free(w);
}

/* Into the order of a connection, and out of it. */
static void link_to(struct mm_web_live *l, struct mm_web_conn *conn)
{
	l->conn = conn;
	l->newer = NULL;
	l->older = conn->newest;
	if (conn->newest != NULL)
		conn->newest->newer = l;
	else
		conn->oldest = l;
	conn->newest = l;
	conn->n++;
	conn->bytes += l->bytes;
}

static void unlink_from(struct mm_web_live *l)
{
	struct mm_web_conn *conn = l->conn;
	if (l->older != NULL)
		l->older->newer = l->newer;
	else
		conn->oldest = l->newer;
	if (l->newer != NULL)
		l->newer->older = l->older;
	else
		conn->newest = l->older;
	conn->n--;
	conn->bytes -= l->bytes;
}

struct mm_web_live *mm_web_begin(struct mm_dissect *d, struct mm_web_conn *conn, size_t conn_max)
{
	struct mm_web *w = d->web;
	struct mm_web_live *l = w->spare;
	if (l != NULL) {
		w->spare = l->next;
		w->n_spare--;
	} else if ((l = malloc(sizeof *l)) == NULL) {
		return NULL;
	}
	memset(l, 0, offsetof(struct mm_web_live, few));
	l->web = w;
	l->conn = conn;
	l->x.number = conn->n_made++;
	l->x.client = d->flow->client.addr;
	if (conn->n >= conn_max) {
		w->config.stats->n_limit_requests++;
		l->transient = true;
	} else if (conn->bytes >= MM_WEB_CONN_MAX || w->in_use >= w->config.memory_max) {
		w->config.stats->n_limit_memory++;
		l->transient = true;
	}
	l->next = w->live;
	if (w->live != NULL)
		w->live->prev = l;
	w->live = l;
	link_to(l, conn);
	mm_web_charge(l, sizeof *l);
	return l;
}

void mm_web_move(struct mm_web_live *l, struct mm_web_conn *to)
{
	unlink_from(l);
	link_to(l, to);
	l->x.number = to->n_made++;
}

struct mm_web_live *mm_web_find(const struct mm_web_conn *conn, uint32_t order)
{
	struct mm_web_live *l = conn->oldest;
	while (l != NULL && l->order != order)
		l = l->newer;
	return l;
}

static struct mm_web_message *message(struct mm_web_live *l, enum mm_dir side)
{
	return side == MM_TO_SERVER ? &l->x.request : &l->x.response;
}

void mm_web_seen(const struct mm_dissect *d, struct mm_web_live *l, enum mm_dir side)
{
	struct mm_web_message *m = message(l, side);
	if (m->first.number == 0)
		m->first = d->first;
	m->last = d->last;
	m->time_ns = d->time_ns;
	m->flags |= MM_WEB_SEEN;
	if (d->lossy)
		m->flags |= MM_WEB_LOSSY;
}

/* Room for text in the exchange itself, or in a chunk of its own; NULL when memory is out. */
static uint8_t *text_room(struct mm_web_live *l, size_t size)
{
	if (size <= sizeof l->text - l->text_b) {
		uint8_t *room = l->text + l->text_b;
		l->text_b += size;
		return room;
	}
	struct web_chunk *chunk = malloc(sizeof *chunk + size);
	if (chunk == NULL)
		return NULL;
	mm_web_charge(l, sizeof *chunk + size);
	chunk->size = size;
	chunk->next = l->chunks;
	l->chunks = chunk;
	return chunk->text;
}

struct mm_slice mm_web_copy(struct mm_web_live *l, struct mm_slice text)
{
	uint8_t *room = text.len == 0 ? NULL : text_room(l, text.len);
	if (room == NULL)
		return mm_slice(NULL, 0);
	memcpy(room, text.p, text.len);
	return mm_slice(room, text.len);
}

/* Append at *to; the slice there. */
static struct mm_slice put(uint8_t **to, struct mm_slice text)
{
	struct mm_slice copy = mm_slice(*to, text.len);
	if (text.len != 0)
		memcpy(*to, text.p, text.len);
	*to += text.len;
	return copy;
}

/* Room for n more fields; false when memory is out. */
static bool field_room(struct mm_web_live *l, enum mm_dir side, size_t n)
{
	struct mm_web_message *m = message(l, side);
	size_t all = m->n_fields + n;
	if (all <= MM_WEB_FEW && m->n_fields <= MM_WEB_FEW) {
		l->fields[side] = l->few[side];
	} else {
		bool few = l->fields[side] == NULL || l->fields[side] == l->few[side];
		struct mm_web_field *more =
		        realloc(few ? NULL : l->fields[side], all * sizeof *more);
		if (more == NULL)
			return false;
		if (few)
			memcpy(more, l->few[side], m->n_fields * sizeof *more);
		l->fields[side] = more;
		mm_web_charge(l, n * sizeof *more);
	}
	m->fields = l->fields[side];
	return true;
}

void mm_web_add_fields(
        struct mm_web_live *l, enum mm_dir side, const struct mm_web_field *fields, size_t n)
{
	struct mm_web_message *m = message(l, side);
	if (n > MM_WEB_FIELDS_MAX - m->n_fields) {
		n = MM_WEB_FIELDS_MAX - m->n_fields;
		m->flags |= MM_WEB_FIELDS_CUT;
		l->web->config.stats->n_limit_headers++;
	}
	if (n == 0)
		return;
	size_t size = 0;
	for (size_t i = 0; i < n; i++)
		size += fields[i].name.len + fields[i].value.len;
	uint8_t *text = field_room(l, side, n) ? text_room(l, size) : NULL;
	if (text == NULL) {
		m->flags |= MM_WEB_FIELDS_CUT;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct mm_web_field *to = &l->fields[side][m->n_fields++];
		to->name = put(&text, fields[i].name);
		m->names |= mm_web_name_bit(to->name);
		to->value = put(&text, fields[i].value);
	}
}

void mm_web_clear(struct mm_web_live *l, enum mm_dir side)
{
	if (l->fields[side] != l->few[side])
		free(l->fields[side]);
	l->fields[side] = NULL;
	*message(l, side) = (struct mm_web_message){ 0 };
	l->keep[side] = false;
	l->body_b[side] = 0;
}

void mm_web_set_request(
        struct mm_dissect *d, struct mm_web_live *l, struct mm_slice method, struct mm_slice target)
{
	struct mm_web_exchange *x = &l->x;
	struct mm_web_uri uri;
	struct mm_slice host;
	x->method = mm_web_copy(l, method);
	target = mm_web_copy(l, target);
	if (mm_slice_eq(method, mm_slice_str("CONNECT")) && x->version != MM_WEB_HTTP_2) {
		uri = (struct mm_web_uri){ .authority = target };
	} else {
		mm_web_uri(target, &uri);
		if (uri.scheme.len == 0 && uri.authority.len != 0) { /* "//x/y" is a path here */
			uri.path = mm_first(target, mm_find8(target, 0, '?'));
			uri.authority = mm_first(uri.authority, 0);
		}
	}
	if (x->scheme.len == 0)
		x->scheme = uri.scheme;
	/* :authority comes before Host, and so does a target that is a whole URI: RFC 9112 section 3.2.2. */
	if (x->authority.len == 0)
		x->authority = uri.authority;
	if (x->authority.len == 0 && mm_web_header(&x->request, "host", 0, &host))
		x->authority = host;
	x->host = mm_web_host(x->authority);
	x->path = uri.path;
	x->query = uri.query;
	x->forwarded = mm_web_forwarded(d->web, &d->flow->client.addr, &x->request, &x->client);
}

/* What an answer may be to that holds a form which sends a credential on. */
static bool may_matter(const struct mm_web_exchange *x)
{
	static const char *const names[] = {
		"response_type=", "response_mode=", "SAMLRequest=", "wa=wsignin", "client_id="
	};
	struct mm_slice cache;
	if (mm_web_is_form(&x->request))
		return true;
	/* Who has just logged on is sent back to a path that says nothing. OAuth 2.0 Form Post Response Mode, section 2:
	 * what is not to be stored. */
	if (mm_web_header(&x->response, "cache-control", 0, &cache) &&
	        mm_find(cache, 0, mm_slice_str("no-store")) != cache.len)
		return true;
	if (x->query.len == 0)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (mm_find(x->query, 0, mm_slice_str(names[i])) != x->query.len)
			return true;
	return false;
}

size_t mm_web_keep_up_to(
        const struct mm_web_exchange *x, const struct mm_web_message *m, enum mm_dir side)
{
	if (mm_kkdcp_is_path(x->path))
		return MM_WEB_BODY_MAX;
	switch (mm_web_interest(m)) {
	case MM_WEB_OF_INTEREST:
		return MM_WEB_BODY_MAX;
	case MM_WEB_PAGE:
		return side == MM_TO_CLIENT && may_matter(x) ? MM_WEB_PAGE_MAX : 0;
	case MM_WEB_NO_INTEREST:
		break;
	}
	return 0;
}

bool mm_web_wants_body(struct mm_web_live *l, enum mm_dir side, size_t length)
{
	struct mm_web_message *m = message(l, side);
	struct mm_web_stats *stats = l->web->config.stats;
	size_t most = length == 0 ? 0 : mm_web_keep_up_to(&l->x, m, side);
	if (most == 0)
		return false;
	struct mm_slice coding = { 0 };
	if (mm_web_header(m, "content-encoding", 0, &coding) && !mm_coding_known(coding)) {
		stats->n_coding_unknown++;
		m->flags |= MM_WEB_BODY_OPAQUE;
		return false;
	}
	if (l->transient || (length != SIZE_MAX && length > most)) {
		stats->n_limit_body += !l->transient;
		m->flags |= MM_WEB_BODY_TRUNCATED;
		return false;
	}
	m->flags |= MM_WEB_BODY_KEPT;
	l->body_max[side] = most;
	l->keep[side] = true;
	return true;
}

static bool grow(struct mm_web_live *l, enum mm_dir side, size_t want)
{
	size_t room = l->body_room[side] == 0 ? BODY_ROOM : l->body_room[side];
	while (room < want)
		room *= 2;
	if (room == l->body_room[side])
		return true;
	size_t more = room - l->body_room[side];
	if (l->conn->bytes + more > MM_WEB_CONN_MAX ||
	        l->web->in_use + more > l->web->config.memory_max)
		return false;
	uint8_t *body = malloc(room);
	if (body == NULL)
		return false;
	if (l->body_b[side] != 0) {
		memcpy(body, l->body[side], l->body_b[side]);
		explicit_bzero(l->body[side], l->body_b[side]);
	}
	free(l->body[side]);
	mm_web_charge(l, more);
	l->body[side] = body;
	l->body_room[side] = room;
	return true;
}

void mm_web_cut_body(struct mm_web_live *l, enum mm_dir side)
{
	l->web->config.stats->n_limit_body++;
	message(l, side)->flags |= MM_WEB_BODY_TRUNCATED;
	l->keep[side] = false;
}

bool mm_web_add_body(struct mm_web_live *l, enum mm_dir side, struct mm_slice part)
{
	size_t n = l->body_b[side];
	if (!l->keep[side])
		return false;
	if (part.len > l->body_max[side] - n || !grow(l, side, n + part.len)) {
		mm_web_cut_body(l, side);
		return false;
	}
	if (part.len != 0)
		memcpy(l->body[side] + n, part.p, part.len);
	l->body_b[side] = n + part.len;
	return true;
}

static void decode_body(struct mm_web_live *l, enum mm_dir side)
{
	struct mm_web *w = l->web;
	struct mm_web_message *m = message(l, side);
	struct mm_slice coding = { 0 }, raw = mm_slice(l->body[side], l->body_b[side]);
	m->body = raw;
	if (raw.len == 0 || !mm_web_header(m, "content-encoding", 0, &coding))
		return;
	switch (mm_coding_undo(coding, raw, w->room[side], MM_WEB_BODY_MAX, &m->body)) {
	case MM_CODED_DONE:
		return;
	case MM_CODED_SHORT:
		m->flags |= MM_WEB_BODY_TRUNCATED;
		return;
	case MM_CODED_UNKNOWN:
		w->config.stats->n_coding_unknown++;
		break;
	case MM_CODED_BROKEN:
		w->config.stats->n_coding_broken++;
		break;
	case MM_CODED_BOMB:
		w->config.stats->n_coding_bombs++;
		break;
	}
	m->flags |= MM_WEB_BODY_OPAQUE;
}

static void wipe_decoded(const struct mm_web_live *l, enum mm_dir side, struct mm_slice body)
{
	if (body.len != 0 && body.p != l->body[side])
		explicit_bzero((uint8_t *)(uintptr_t)body.p, body.len);
}

void mm_web_finish(struct mm_dissect *d, struct mm_web_live *l)
{
	unlink_from(l);
	decode_body(l, MM_TO_SERVER);
	decode_body(l, MM_TO_CLIENT);
	l->web->config.stats->n_exchanges++;
	l->web->config.stats->n_unanswered += l->x.status == 0;
	mm_web_exchange(d, &l->x);
	wipe_decoded(l, MM_TO_SERVER, l->x.request.body);
	wipe_decoded(l, MM_TO_CLIENT, l->x.response.body);
	discard(l);
}

void mm_web_finish_all(struct mm_dissect *d, struct mm_web_conn *conn)
{
	while (conn->oldest != NULL)
		mm_web_finish(d, conn->oldest);
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80", in quotes or not; "unknown" and the like are none. */
static bool read_node(struct mm_slice node, struct mm_addr *out)
{
	node = mm_web_trim(node);
	if (node.len >= 2 && mm_at(node, 0) == '"')
		node = mm_after(mm_first(node, node.len - 1), 1);
	if (mm_at(node, 0) == '[')
		node = mm_after(mm_first(node, mm_find8(node, 0, ']')), 1);
	else if (mm_find8(node, 0, '.') < mm_find8(node, 0, ':'))
		node = mm_first(node, mm_find8(node, 0, ':'));
	return mm_addr_parse((const char *)node.p, node.len, out);
}

static bool is_trusted(const struct mm_web *w, const struct mm_addr *a)
{
	for (size_t i = 0; i < w->config.n_proxies; i++)
		if (mm_net_has(&w->proxies[i], a))
			return true;
	return false;
}

/* The node of a forwarded-element, RFC 7239 section 4: for=... among its pairs. */
static struct mm_slice forwarded_for(struct mm_slice element)
{
	struct mm_cursor c = mm_cursor(element);
	while (c.len != 0) {
		struct mm_slice pair = mm_web_trim(mm_take(&c, mm_find8(mm_left(&c), 0, ';')));
		if (c.len != 0)
			mm_skip(&c, 1);
		size_t equals = mm_find8(pair, 0, '=');
		if (mm_web_is_word(mm_web_trim(mm_first(pair, equals)), "for"))
			return mm_after(pair, equals + 1);
	}
	return mm_first(element, 0);
}

/* The last of a list that is no trusted proxy itself: from the right, each is told by the one after it. */
static bool last_untrusted(const struct mm_web *w, const struct mm_web_message *m, const char *name,
        bool pairs, struct mm_addr *client)
{
	struct mm_addr chain[MM_WEB_FORWARDED_MAX];
	size_t n = 0;
	struct mm_slice value;
	for (size_t i = 0; mm_web_header(m, name, i, &value); i++) {
		struct mm_cursor c = mm_cursor(value);
		while (c.len != 0) {
			struct mm_slice item = mm_take(&c, mm_find8(mm_left(&c), 0, ','));
			if (c.len != 0)
				mm_skip(&c, 1);
			struct mm_addr *slot = &chain[n++ % MM_WEB_FORWARDED_MAX];
			if (!read_node(pairs ? forwarded_for(item) : item, slot))
				*slot = (struct mm_addr){ 0 };
		}
	}
	size_t least = n > MM_WEB_FORWARDED_MAX ? n - MM_WEB_FORWARDED_MAX : 0;
	while (n > least) {
		const struct mm_addr *a = &chain[--n % MM_WEB_FORWARDED_MAX];
		if (a->family == 0)
			return false; /* hidden: nobody before it can be believed */
		if (is_trusted(w, a))
			continue;
		*client = *a;
		return true;
	}
	return false;
}

bool mm_web_forwarded(const struct mm_web *w, const struct mm_addr *peer,
        const struct mm_web_message *m, struct mm_addr *client)
{
	if (w->config.n_proxies == 0 || !is_trusted(w, peer))
		return false;
	/* Most proxies write one of the two, and pass on the other as the client sent it: where both are there, they must
	 * agree. */
	static const char *const names[] = { "forwarded", "x-forwarded-for" };
	struct mm_addr told[2];
	struct mm_slice value;
	size_t n = 0;
	for (size_t i = 0; i < 2; i++) {
		if (!mm_web_header(m, names[i], 0, &value))
			continue;
		if (!last_untrusted(w, m, names[i], i == 0, &told[n++]))
			return false;
	}
	if (n == 0 || (n == 2 && !mm_addr_eq(&told[0], &told[1])))
		return false;
	*client = told[0];
	return true;
}
