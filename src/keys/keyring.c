/* Keys, their publishers and their issuers. */
#include "keys/keyring.h"

#include <stdlib.h>
#include <strings.h>

#include "keys/ring.h"

struct mm_keyring *mm_keyring_new(size_t keys_max)
{
	struct mm_keyring *k = calloc(1, sizeof *k);
	if (k != NULL)
		k->keys_max = keys_max < MM_KEYRING_KEYS ? keys_max : MM_KEYRING_KEYS;
	return k;
}

static void key_done(struct mm_key *key)
{
	mm_jwk_done(&key->jwk);
	free(key->text);
	memset(key, 0, sizeof *key);
}

void mm_keyring_free(struct mm_keyring *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n_keys; i++)
		key_done(&k->keys[i]);
	free(k->keys);
	free(k->issuers);
	free(k->places);
	free(k);
}

uint64_t mm_keyring_cut(const struct mm_keyring *k)
{
	return k->n_cut;
}

uint64_t mm_keyring_evicted(const struct mm_keyring *k)
{
	return k->n_evicted;
}

uint32_t mm_keyring_generation(const struct mm_keyring *k)
{
	return k->generation;
}

size_t mm_keyring_count(const struct mm_keyring *k, size_t *n_issuers)
{
	*n_issuers = k->n_issuers;
	return k->n_keys;
}

/* Room for one more element of an array that grows to max; its number from 1, 0 when there is none. */
static uint32_t grow(void **array, size_t *n, size_t size, size_t max)
{
	if (*n == max)
		return 0;
	if ((*n & (*n - 1)) == 0) { /* full: it doubles */
		void *more = realloc(*array, (*n != 0 ? 2 * *n : 1) * size);
		if (more == NULL)
			return 0;
		*array = more;
	}
	memset((char *)*array + *n * size, 0, size);
	return (uint32_t)++ * n;
}

static void copy_text(char out[MM_URL_TEXT], struct mm_slice s)
{
	s = mm_first(s, MM_URL_TEXT - 1);
	if (s.len != 0)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
}

static bool is_text(const char *text, struct mm_slice s)
{
	return strlen(text) == s.len && (s.len == 0 || memcmp(text, s.p, s.len) == 0);
}

static bool is_host(const char *text, struct mm_slice host)
{
	return host.len != 0 && strlen(text) == host.len &&
	       strncasecmp(text, (const char *)host.p, host.len) == 0;
}

/* An issuer may stand for all tenants: "https://login.example/{tenantid}/v2.0" (one path segment for the braces). */
bool mm_ring_matches(const char *pattern, struct mm_slice iss)
{
	struct mm_slice p = mm_slice_str(pattern);
	size_t open = mm_find8(p, 0, '{'), close = mm_find8(p, open, '}');
	if (close == p.len)
		return mm_slice_eq(p, iss);
	struct mm_slice host = mm_ring_host(p);
	if (mm_find8(host, 0, '{') != host.len || mm_find(p, 0, mm_slice_str("://")) >= open)
		return false; /* hosts are no tenants of each other */
	struct mm_slice tail = mm_after(p, close + 1);
	if (iss.len < open + tail.len || !mm_slice_eq(mm_first(p, open), mm_first(iss, open)) ||
	        !mm_slice_eq(tail, mm_after(iss, iss.len - tail.len)))
		return false;
	struct mm_slice segment = mm_first(mm_after(iss, open), iss.len - open - tail.len);
	return segment.len != 0 && mm_find8(segment, 0, '/') == segment.len;
}

uint32_t mm_ring_find_issuer(const struct mm_keyring *k, struct mm_slice name)
{
	for (size_t i = 0; i < k->n_issuers && name.len != 0; i++)
		if (is_text(k->issuers[i].name, name))
			return (uint32_t)i + 1;
	for (size_t i = 0; i < k->n_issuers && name.len != 0; i++)
		if (mm_ring_matches(k->issuers[i].name, name))
			return (uint32_t)i + 1;
	return 0;
}

/* An issuer of exactly this name: whoever speaks for all tenants does not answer for one that speaks for itself. */
static uint32_t put_exact(struct mm_keyring *k, struct mm_slice name)
{
	for (size_t i = 0; i < k->n_issuers && name.len != 0; i++)
		if (is_text(k->issuers[i].name, name))
			return (uint32_t)i + 1;
	if (name.len == 0 || name.len >= MM_URL_TEXT)
		return 0;
	uint32_t number =
	        grow((void **)&k->issuers, &k->n_issuers, sizeof *k->issuers, MM_KEYRING_ISSUERS);
	if (number != 0)
		copy_text(k->issuers[number - 1].name, name);
	return number;
}

uint32_t mm_ring_put_issuer(struct mm_keyring *k, struct mm_slice name)
{
	uint32_t number = mm_ring_find_issuer(k, name);
	return number != 0 ? number : put_exact(k, name);
}

static bool is_place(const struct mm_publisher *p, const struct mm_key_source *from)
{
	return mm_addr_eq(&p->addr, &from->addr) && p->port == from->port &&
	       is_text(p->path, from->path) &&
	       (from->host.len == 0 ? p->host[0] == '\0' : is_host(p->host, from->host));
}

static uint32_t put_place(struct mm_keyring *k, const struct mm_key_source *from)
{
	for (size_t i = 0; i < k->n_places; i++)
		if (is_place(&k->places[i], from))
			return (uint32_t)i + 1;
	uint32_t number =
	        grow((void **)&k->places, &k->n_places, sizeof *k->places, MM_KEYRING_PLACES);
	if (number != 0) {
		struct mm_publisher *p = &k->places[number - 1];
		p->addr = from->addr;
		p->port = from->port;
		copy_text(p->host, from->host);
		copy_text(p->path, from->path);
	}
	return number;
}

bool mm_ring_has_place(const struct mm_key_issuer *issuer, uint32_t place)
{
	for (size_t i = 0; i < issuer->n_places; i++)
		if (issuer->places[i] == place)
			return true;
	return false;
}

/* Where an issuer has more places than are kept, the one not heard of for longest gives way; never the operator's. */
static void link_place(struct mm_keyring *k, uint32_t issuer, uint32_t place)
{
	struct mm_key_issuer *i = &k->issuers[issuer - 1];
	if (mm_ring_has_place(i, place))
		return;
	uint32_t *slot = i->n_places < MM_ISSUER_PLACES ? &i->places[i->n_places++] : NULL;
	int64_t oldest = k->places[place - 1].last_ns;
	bool full = slot == NULL;
	for (size_t n = 0; n < i->n_places && full; n++) {
		const struct mm_publisher *p = &k->places[i->places[n] - 1];
		if (p->addr.family != 0 && p->last_ns < oldest) {
			slot = &i->places[n];
			oldest = p->last_ns;
		}
	}
	if (slot == NULL)
		return;
	*slot = place;
	k->generation++;
}

static void unlink_place(struct mm_keyring *k, struct mm_key_issuer *i, uint32_t place)
{
	size_t n = 0;
	for (size_t p = 0; p < i->n_places; p++)
		if (i->places[p] != place)
			i->places[n++] = i->places[p];
	k->generation += n != i->n_places;
	i->n_places = n;
}

static bool is_path(const struct mm_key_issuer *i, const struct mm_publisher *p)
{
	return i->jwks_path[0] != '\0' && strcmp(i->jwks_path, p->path) == 0;
}

/* Is the place called as the issuer's jwks_uri says? */
static bool is_jwks_uri(const struct mm_key_issuer *i, const struct mm_publisher *p)
{
	return is_path(i, p) && strcasecmp(i->jwks_host, p->host) == 0;
}

static bool is_server(const struct mm_key_issuer *i, const struct mm_addr *addr, uint16_t port)
{
	return i->addr.family != 0 && mm_addr_eq(&i->addr, addr) && i->port == port;
}

/* May it take the place from issuers that are only served from the same address? A document can name any place: one counts
 * that came from there, or whose issuer is called so itself. */
static bool is_owned(const struct mm_key_issuer *i, const struct mm_publisher *p)
{
	return is_jwks_uri(i, p) &&
	       (is_server(i, &p->addr, p->port) ||
	               (i->named && is_host(p->host, mm_ring_host(mm_slice_str(i->name)))));
}

/* Behind a terminator the same path is asked of the server that gave the discovery document, perhaps by another name. One
 * address serves many names: so for as long only as the set is not known by its own, and is no other issuer's. */
static bool is_back_leg(
        const struct mm_keyring *k, const struct mm_key_issuer *i, const struct mm_publisher *p)
{
	if (!is_path(i, p) || !is_server(i, &p->addr, p->port))
		return false;
	for (size_t n = 0; n < i->n_places; n++)
		if (is_jwks_uri(i, &k->places[i->places[n] - 1]))
			return false;
	for (size_t n = 0; n < k->n_issuers; n++)
		if (is_owned(&k->issuers[n], p))
			return false;
	return true;
}

static void link_one(struct mm_keyring *k, uint32_t issuer, uint32_t place)
{
	struct mm_key_issuer *i = &k->issuers[issuer - 1];
	const struct mm_publisher *p = &k->places[place - 1];
	if (!is_jwks_uri(i, p)) {
		if (is_back_leg(k, i, p))
			link_place(k, issuer, place);
		return;
	}
	for (size_t n = i->n_places; n-- > 0;)
		if (is_path(i, &k->places[i->places[n] - 1]) &&
		        !is_jwks_uri(i, &k->places[i->places[n] - 1]))
			unlink_place(k, i, i->places[n]);
	link_place(k, issuer, place);
	for (size_t n = 0; n < k->n_issuers && is_owned(i, p); n++)
		if (is_path(&k->issuers[n], p) && !is_jwks_uri(&k->issuers[n], p))
			unlink_place(k, &k->issuers[n], place);
}

/* scheme://host[:port]/path */
static void split_url(struct mm_slice url, struct mm_slice *host, struct mm_slice *path)
{
	struct mm_slice mark = mm_slice_str("://");
	size_t from = mm_find(url, 0, mark);
	struct mm_slice rest = from < url.len ? mm_after(url, from + mark.len) : url;
	size_t slash = mm_find8(rest, 0, '/');
	*path = mm_after(rest, slash);
	*path = mm_first(*path, mm_find8(*path, 0, '?'));
	struct mm_slice authority = mm_first(rest, slash);
	*host = mm_first(authority, mm_find8(authority, 0, ':'));
}

struct mm_slice mm_ring_host(struct mm_slice url)
{
	struct mm_slice host, path;
	split_url(url, &host, &path);
	return host;
}

static bool same_host(struct mm_slice a, struct mm_slice b)
{
	return a.len != 0 && a.len == b.len &&
	       strncasecmp((const char *)a.p, (const char *)b.p, a.len) == 0;
}

/* Forget what was learnt of an issuer before it was heard under its own name. */
static void forget_hearsay(struct mm_keyring *k, uint32_t number)
{
	struct mm_key_issuer *i = &k->issuers[number - 1];
	for (size_t n = i->n_places; n-- > 0;)
		if (k->places[i->places[n] - 1].addr.family != 0)
			unlink_place(k, i, i->places[n]);
	for (size_t n = 0; n < k->n_keys; n++) {
		struct mm_key *key = &k->keys[n];
		size_t left = 0;
		for (size_t u = 0; u < key->n_issuers; u++)
			if (key->issuers[u] != number)
				key->issuers[left++] = key->issuers[u];
		key->n_issuers = left;
	}
	k->generation++;
}

/* A document of this issuer that is believed. */
static void learn_document(struct mm_keyring *k, uint32_t number, const struct mm_key_source *from,
        bool named, struct mm_slice host, struct mm_slice path)
{
	struct mm_key_issuer *i = &k->issuers[number - 1];
	bool same =
	        i->addr.family != 0 && is_host(i->jwks_host, host) && is_text(i->jwks_path, path);
	if (named && !i->named && i->addr.family != 0 && !same)
		forget_hearsay(k, number);
	if (!same || (named && !i->named)) {
		copy_text(i->jwks_host, host);
		copy_text(i->jwks_path, path);
		i->addr = from->addr;
		i->port = from->port;
		k->generation++;
	}
	i->named = i->named || named;
	for (uint32_t p = 1; p <= k->n_places; p++)
		link_one(k, number, p);
}

bool mm_keyring_discovery(
        struct mm_keyring *k, const struct mm_key_source *from, struct mm_slice doc)
{
	json_t *json = mm_json_object(doc, NULL);
	struct mm_slice name = mm_json_str(json, "issuer"), uri = mm_json_str(json, "jwks_uri");
	struct mm_slice host, path;
	uint32_t number = name.len != 0 && uri.len != 0 ? put_exact(k, name) : 0;
	split_url(uri, &host, &path);
	bool good = number != 0 && path.len < MM_URL_TEXT && host.len < MM_URL_TEXT;
	if (good) {
		/* Anybody can serve a document that names another issuer: the first one stands until one was asked for by
		 * the issuer's own name. */
		const struct mm_key_issuer *i = &k->issuers[number - 1];
		bool named = same_host(mm_ring_host(name), from->host);
		good = named || i->addr.family == 0 || is_server(i, &from->addr, from->port);
		if (good)
			learn_document(k, number, from, named, host, path);
	}
	json_decref(json);
	return good;
}

/* --- key sets -------------------------------------------------------------------------------------- */

static struct mm_key *find_key(struct mm_keyring *k, const struct mm_jwk *jwk)
{
	for (size_t i = 0; i < k->n_keys; i++)
		if (k->keys[i].seen_ns != 0 &&
		        mm_fp_eq(&k->keys[i].jwk.thumbprint, &jwk->thumbprint) &&
		        strcmp(k->keys[i].jwk.kid, jwk->kid) == 0)
			return &k->keys[i];
	return NULL;
}

/* The operator's own keys are held to be in force, however long ago they were told. */
static bool is_told(const struct mm_keyring *k, const struct mm_key *key)
{
	for (size_t i = 0; i < key->n_uses; i++)
		if (k->places[key->uses[i].place - 1].addr.family == 0)
			return true;
	return false;
}

/* A place for a new key: another one, or that of the key not seen for longest. */
static struct mm_key *new_key(struct mm_keyring *k)
{
	uint32_t number = grow((void **)&k->keys, &k->n_keys, sizeof *k->keys, k->keys_max);
	if (number != 0)
		return &k->keys[number - 1];
	struct mm_key *oldest = NULL;
	for (size_t i = 0; i < k->n_keys; i++)
		if ((oldest == NULL || k->keys[i].seen_ns < oldest->seen_ns) &&
		        !is_told(k, &k->keys[i]))
			oldest = &k->keys[i];
	if (oldest != NULL) {
		key_done(oldest);
		k->n_evicted++;
	}
	return oldest;
}

static struct mm_key_use *use_at(struct mm_key *key, uint32_t place)
{
	for (size_t i = 0; i < key->n_uses; i++)
		if (key->uses[i].place == place)
			return &key->uses[i];
	return NULL;
}

/* How many uses of the key lie at the address of this one. */
static size_t n_there(const struct mm_keyring *k, const struct mm_key *key, size_t use)
{
	size_t n = 0;
	const struct mm_addr *addr = &k->places[key->uses[use].place - 1].addr;
	for (size_t u = 0; u < key->n_uses; u++)
		n += mm_addr_eq(&k->places[key->uses[u].place - 1].addr, addr);
	return n;
}

/* Room for another use. Who repeats a key in many sets of his own pushes out these, not its owner's. */
static struct mm_key_use *new_use(const struct mm_keyring *k, struct mm_key *key)
{
	if (key->n_uses < MM_KEY_USES)
		return &key->uses[key->n_uses++];
	size_t worst = MM_KEY_USES, most = 0;
	for (size_t u = 0; u < key->n_uses; u++) {
		size_t n = n_there(k, key, u);
		if (k->places[key->uses[u].place - 1].addr.family == 0)
			continue;
		if (n > most || (n == most && key->uses[u].last_ns < key->uses[worst].last_ns)) {
			worst = u;
			most = n;
		}
	}
	return worst != MM_KEY_USES ? &key->uses[worst] : NULL;
}

/* The key stands in a set of this place, as this issuer's. */
static void note_use(struct mm_keyring *k, struct mm_key *key, uint32_t place,
        struct mm_slice issuer, int64_t time_ns)
{
	struct mm_key_use *use = use_at(key, place);
	if (use == NULL) {
		/* Where a use gave way it is not known since when the key stands there. */
		bool sure = key->n_uses < MM_KEY_USES;
		use = new_use(k, key);
		if (use == NULL)
			return;
		*use = (struct mm_key_use){ .place = place,
			.first_ns = time_ns,
			.absent_ns = sure && k->places[place - 1].path[0] != '\0'
			                     ? k->places[place - 1].last_ns
			                     : 0 };
		k->generation++;
	}
	if (!is_text(use->issuer, mm_first(issuer, MM_URL_TEXT - 1))) {
		copy_text(use->issuer, issuer);
		k->generation++;
	}
	use->last_ns = time_ns;
	if (use->gone_ns != 0)
		k->generation++;
	use->gone_ns = 0;
	key->seen_ns = time_ns;
}

struct mm_publisher *mm_ring_grow_places(struct mm_keyring *k)
{
	uint32_t n = grow((void **)&k->places, &k->n_places, sizeof *k->places, MM_KEYRING_PLACES);
	return n != 0 ? &k->places[n - 1] : NULL;
}

struct mm_key_issuer *mm_ring_grow_issuers(struct mm_keyring *k)
{
	uint32_t n =
	        grow((void **)&k->issuers, &k->n_issuers, sizeof *k->issuers, MM_KEYRING_ISSUERS);
	return n != 0 ? &k->issuers[n - 1] : NULL;
}

struct mm_key *mm_ring_new_key(struct mm_keyring *k, const json_t *json)
{
	struct mm_jwk jwk;
	if (!mm_jwk_read(json, &jwk))
		return NULL;
	char *text = mm_jwk_text(json);
	struct mm_key *key = text != NULL ? new_key(k) : NULL;
	if (key == NULL) {
		mm_jwk_done(&jwk);
		free(text);
		return NULL;
	}
	key->jwk = jwk;
	key->text = text;
	key->jwk.issuer = mm_slice(NULL, 0); /* it was borrowed */
	return key;
}

static struct mm_key *put_key(struct mm_keyring *k, const json_t *json, struct mm_pkt pkt)
{
	struct mm_jwk jwk;
	if (!mm_jwk_read(json, &jwk))
		return NULL;
	struct mm_key *key = find_key(k, &jwk);
	mm_jwk_done(&jwk);
	if (key != NULL)
		return key;
	key = mm_ring_new_key(k, json);
	if (key != NULL)
		key->pkt = pkt;
	return key;
}

/* The sets follow each other: A, B, A again. What stood in B alone, given to one client only while A was given to others,
 * was never the publisher's: it was put into one answer. */
static bool is_interlude(const struct mm_publisher *p, uint64_t id)
{
	const struct mm_keyset *b = &p->sets[0], *a = &p->sets[1];
	return a->id == id && a->n_given != 0 && b->n_given != 0 && b->id != id && b->one_client &&
	       (a->n_given > b->n_given || !a->one_client);
}

static void note_set(
        struct mm_publisher *p, uint64_t id, int64_t time_ns, const struct mm_addr *client)
{
	struct mm_keyset *set = &p->sets[0];
	if (set->n_given == 0 || set->id != id) {
		memmove(p->sets + 1, p->sets, (MM_KEYSET_HISTORY - 1) * sizeof p->sets[0]);
		*set = (struct mm_keyset){
			.id = id, .first_ns = time_ns, .client = *client, .one_client = true
		};
	}
	set->last_ns = time_ns;
	set->n_given++;
	set->one_client = set->one_client && mm_addr_eq(&set->client, client);
}

static uint64_t id_of_set(const struct mm_fp *prints, size_t n)
{
	/* The order of keys says nothing. */
	uint64_t id = n;
	for (size_t i = 0; i < n; i++) {
		uint64_t word;
		memcpy(&word, prints[i].b, sizeof word);
		id += word * UINT64_C(0x9e3779b97f4a7c15);
	}
	return id;
}

/* Keys of this place that the set of this time does not hold. */
static void note_gone(struct mm_keyring *k, uint32_t place, int64_t time_ns, bool interlude,
        uint32_t drift[MM_KEYSET_KEYS], size_t *n_drift)
{
	const struct mm_keyset *before = &k->places[place - 1].sets[0];
	for (size_t i = 0; i < k->n_keys; i++) {
		struct mm_key *key = &k->keys[i];
		struct mm_key_use *use = use_at(key, place);
		if (use == NULL || use->last_ns == time_ns || use->gone_ns != 0)
			continue;
		use->gone_ns = time_ns;
		k->generation++;
		if (!interlude || use->drifted || use->first_ns < before->first_ns ||
		        key->n_issuers != 0)
			continue;
		use->drifted = true;
		key->drifted_to = before->client;
		if (*n_drift < MM_KEYSET_KEYS)
			drift[(*n_drift)++] = (uint32_t)i + 1;
	}
}

static bool publish(struct mm_keyring *k, uint32_t place, const struct mm_addr *client,
        const json_t *json, int64_t time_ns, struct mm_pkt pkt, uint32_t drift[MM_KEYSET_KEYS],
        size_t *n_drift)
{
	const json_t *keys = json_object_get(json, "keys");
	struct mm_fp prints[MM_KEYSET_KEYS];
	size_t n = 0;
	if (!json_is_array(keys) || place == 0)
		return false;
	for (size_t i = 0; i < json_array_size(keys) && n < MM_KEYSET_KEYS; i++) {
		struct mm_key *key = put_key(k, json_array_get(keys, i), pkt);
		if (key == NULL)
			continue;
		note_use(k, key, place, mm_json_str(json_array_get(keys, i), "issuer"), time_ns);
		prints[n++] = key->jwk.thumbprint;
	}
	if (n == 0)
		return false;
	struct mm_publisher *p = &k->places[place - 1];
	uint64_t id = id_of_set(prints, n);
	/* Where the request is not in view, several sets of one server may be taken for one. */
	bool one_set = p->path[0] != '\0';
	bool interlude = one_set && is_interlude(p, id);
	if (one_set)
		note_gone(k, place, time_ns, interlude, drift, n_drift);
	if (interlude) /* it did not happen */
		memmove(p->sets, p->sets + 1, (MM_KEYSET_HISTORY - 1) * sizeof p->sets[0]);
	note_set(p, id, time_ns, client);
	p->first_ns = p->first_ns == 0 ? time_ns : p->first_ns;
	p->last_ns = time_ns;
	return true;
}

bool mm_keyring_publish(struct mm_keyring *k, const struct mm_key_source *from,
        const struct mm_addr *client, struct mm_slice doc, int64_t time_ns, struct mm_pkt pkt,
        uint32_t drift[MM_KEYSET_KEYS], size_t *n_drift)
{
	*n_drift = 0;
	json_t *json = mm_json_object(doc, NULL);
	bool good = json != NULL && json_is_array(json_object_get(json, "keys"));
	uint32_t place = good ? put_place(k, from) : 0;
	good = good && publish(k, place, client, json, time_ns, pkt, drift, n_drift);
	json_decref(json);
	for (uint32_t i = 1; i <= k->n_issuers && good; i++)
		link_one(k, i, place);
	return good;
}

int mm_keyring_tell(struct mm_keyring *k, struct mm_slice issuer, struct mm_slice doc)
{
	uint32_t drift[MM_KEYSET_KEYS];
	size_t n_drift;
	const struct mm_addr nobody = { 0 };
	struct mm_key_source from = { .path = issuer };
	uint32_t number = mm_ring_put_issuer(k, issuer);
	/* Held to be in force from the beginning: a time before all packets. */
	if (number == 0 || !mm_keyring_publish(k, &from, &nobody, doc, 1, (struct mm_pkt){ 0 },
	                           drift, &n_drift))
		return MM_ERR_FORMAT;
	k->issuers[number - 1].told = true;
	link_place(k, number, put_place(k, &from));
	return MM_OK;
}

void mm_keyring_scope(struct mm_keyring *k, struct mm_slice issuer, struct mm_slice scope)
{
	uint32_t number = mm_ring_put_issuer(k, issuer);
	scope = mm_first(scope, sizeof k->issuers[0].scope - 1);
	if (number == 0 || scope.len == 0)
		return;
	memcpy(k->issuers[number - 1].scope, scope.p, scope.len);
	k->issuers[number - 1].scope[scope.len] = '\0';
	k->generation++;
}

static bool same_server(const struct mm_publisher *p, const struct mm_key_source *from)
{
	return p->addr.family != 0 && mm_addr_eq(&p->addr, &from->addr) && p->port == from->port &&
	       (from->host.len == 0 || p->host[0] == '\0' || is_host(p->host, from->host));
}

/* May this server add to what is known of the issuer? Where nothing is, anybody may who is the first. */
static bool speaks_for(
        const struct mm_keyring *k, const struct mm_key_issuer *i, const struct mm_key_source *from)
{
	bool known = i->told || i->addr.family != 0 || i->n_places != 0;
	if (!known || is_server(i, &from->addr, from->port) ||
	        same_host(mm_ring_host(mm_slice_str(i->name)), from->host))
		return true;
	for (size_t p = 0; p < i->n_places; p++)
		if (same_server(&k->places[i->places[p] - 1], from))
			return true;
	return false;
}

void mm_keyring_issued(struct mm_keyring *k, struct mm_slice issuer, const struct mm_proof *proof,
        const struct mm_key_source *from)
{
	if (proof->key == 0 || proof->key > k->n_keys)
		return;
	uint32_t number = mm_ring_put_issuer(k, issuer);
	struct mm_key *key = &k->keys[proof->key - 1];
	if (number == 0)
		return;
	struct mm_key_issuer *i = &k->issuers[number - 1];
	if (!speaks_for(k, i, from))
		return;
	/* A set on the server that issues, which nothing else tells whose it is, is that issuer's. */
	for (size_t u = 0; u < key->n_uses && i->n_places == 0; u++) {
		const struct mm_key_use *use = &key->uses[u];
		bool others = use->issuer[0] != '\0' && !mm_ring_matches(use->issuer, issuer);
		if (!others && same_server(&k->places[use->place - 1], from))
			link_place(k, number, use->place);
	}
	if (mm_ring_belongs(k, key, number, issuer) && !i->told)
		i->n_issued++;
	for (size_t n = 0; n < key->n_issuers; n++)
		if (key->issuers[n] == number)
			return;
	/* Another name for who has the key already: said by the server that publishes it. */
	bool own = false;
	for (size_t u = 0; u < key->n_uses; u++)
		own = own || same_server(&k->places[key->uses[u].place - 1], from);
	if (!own || key->n_issuers == MM_KEY_ISSUERS)
		return;
	key->issuers[key->n_issuers++] = number;
	k->generation++;
}

const struct mm_key *mm_keyring_key(const struct mm_keyring *k, uint32_t number)
{
	return number != 0 && number <= k->n_keys ? &k->keys[number - 1] : NULL;
}

/* Whose set the use stands in: who is called as its place is comes before who only points there. */
static const char *owner_at(const struct mm_keyring *k, const struct mm_key_use *use)
{
	const char *name = NULL;
	for (size_t i = 0; i < k->n_issuers; i++) {
		const struct mm_key_issuer *issuer = &k->issuers[i];
		if (!mm_ring_has_place(issuer, use->place))
			continue;
		if (use->issuer[0] != '\0')
			return use->issuer;
		if (is_host(k->places[use->place - 1].host,
		            mm_ring_host(mm_slice_str(issuer->name))))
			return issuer->name;
		name = name == NULL ? issuer->name : name;
	}
	return name;
}

const char *mm_keyring_owner(const struct mm_keyring *k, uint32_t number)
{
	const struct mm_key *key = mm_keyring_key(k, number);
	for (size_t u = 0; key != NULL && u < key->n_uses; u++) {
		const char *name = owner_at(k, &key->uses[u]);
		if (name != NULL)
			return name;
	}
	if (key != NULL && key->n_issuers != 0)
		return k->issuers[key->issuers[0] - 1].name;
	return key != NULL && key->n_uses != 0 ? key->uses[0].issuer : "";
}

const char *mm_keyring_issuer_at(
        const struct mm_keyring *k, const struct mm_addr *addr, uint16_t port, struct mm_slice host)
{
	const char *name = NULL;
	struct mm_key_source from = { .addr = *addr, .port = port, .host = host };
	for (size_t i = 0; i < k->n_issuers; i++) {
		const struct mm_key_issuer *issuer = &k->issuers[i];
		bool here = mm_addr_eq(&issuer->addr, addr) && issuer->port == port;
		for (size_t p = 0; p < issuer->n_places; p++)
			here = here || same_server(&k->places[issuer->places[p] - 1], &from);
		if (here && name != NULL)
			return NULL;
		name = here ? issuer->name : name;
	}
	return name;
}
