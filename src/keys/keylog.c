/* The key log: lines in, secrets out. */
#include "keys/keylog.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINE_MAX_B = 512, /* the longest of use has 31 + 1 + 64 + 1 + 96 */
	NONE = 0,         /* index + 1 of an entry */
};

struct entry {
	uint8_t random[MM_TLS_RANDOM];
	struct mm_secret secret;
	struct mm_key_since since;
	uint32_t next; /* of its chain */
	uint8_t label;
};

struct mm_keylog {
	struct mm_hash_key key;
	pthread_mutex_t lock;
	atomic_bool expected, used;
	/* Under the lock: */
	struct entry *entries; /* in the order in which they came, round and round */
	uint32_t *heads;
	size_t room, n, at; /* at: the next to be written */
	uint32_t mask;
	bool roll;
	struct mm_keylog_stats stats;
	/* Of whoever feeds: */
	char line[LINE_MAX_B];
	size_t n_line;
	bool overlong;
};

static const struct {
	const char *name;
	enum mm_key_label label;
} labels[] = {
	{ "CLIENT_RANDOM", MM_KEY_MASTER },
	{ "CLIENT_EARLY_TRAFFIC_SECRET", MM_KEY_CLIENT_EARLY },
	{ "CLIENT_HANDSHAKE_TRAFFIC_SECRET", MM_KEY_CLIENT_HANDSHAKE },
	{ "SERVER_HANDSHAKE_TRAFFIC_SECRET", MM_KEY_SERVER_HANDSHAKE },
	{ "CLIENT_TRAFFIC_SECRET_0", MM_KEY_CLIENT_TRAFFIC },
	{ "SERVER_TRAFFIC_SECRET_0", MM_KEY_SERVER_TRAFFIC },
};

int mm_keylog_new(const struct mm_hash_key *key, size_t room, bool roll, struct mm_keylog **out)
{
	if (room == 0 || room > UINT32_MAX / 4)
		return MM_ERR_USAGE;
	struct mm_keylog *k = calloc(1, sizeof *k);
	if (k == NULL)
		return MM_ERR_NOMEM;
	uint32_t n_heads = 4;
	while (n_heads < room)
		n_heads *= 2;
	k->key = *key;
	k->room = room;
	k->roll = roll;
	k->mask = n_heads - 1;
	/* Large, and touched as it fills: the system gives the pages then. */
	k->entries = calloc(room, sizeof *k->entries);
	k->heads = calloc(n_heads, sizeof *k->heads);
	pthread_mutex_init(&k->lock, NULL);
	if (k->entries == NULL || k->heads == NULL) {
		mm_keylog_free(k);
		return MM_ERR_NOMEM;
	}
	*out = k;
	return MM_OK;
}

void mm_keylog_free(struct mm_keylog *k)
{
	if (k == NULL)
		return;
	if (k->entries != NULL)
		explicit_bzero(k->entries, k->n * sizeof *k->entries);
	explicit_bzero(k->line, sizeof k->line);
	pthread_mutex_destroy(&k->lock);
	free(k->entries);
	free(k->heads);
	free(k);
}

static uint32_t *head_of(const struct mm_keylog *k, const uint8_t random[MM_TLS_RANDOM])
{
	return &k->heads[mm_siphash(&k->key, random, MM_TLS_RANDOM) & k->mask];
}

/* Take the entry out of its chain, and wipe it. */
static void forget(struct mm_keylog *k, struct entry *e)
{
	uint32_t me = (uint32_t)(e - k->entries) + 1;
	uint32_t *link = head_of(k, e->random);
	while (*link != me)
		link = &k->entries[*link - 1].next;
	*link = e->next;
	explicit_bzero(e, sizeof *e);
}

static bool same_since(const struct mm_key_since *a, const struct mm_key_since *b)
{
	return a->always || (!b->always && a->file == b->file && a->number <= b->number);
}

/* Is there one that says the same, for the same packets at least? */
static bool is_known(const struct mm_keylog *k, const struct entry *e)
{
	for (uint32_t i = *head_of(k, e->random); i != NONE; i = k->entries[i - 1].next) {
		const struct entry *o = &k->entries[i - 1];
		if (o->label == e->label && o->secret.len == e->secret.len &&
		        memcmp(o->random, e->random, sizeof o->random) == 0 &&
		        memcmp(o->secret.b, e->secret.b, o->secret.len) == 0 &&
		        same_since(&o->since, &e->since))
			return true;
	}
	return false;
}

static void add(struct mm_keylog *k, struct entry *e)
{
	pthread_mutex_lock(&k->lock);
	bool known = is_known(k, e), full = k->n == k->room;
	k->stats.n_limit += full && !known;
	if (!known && (!full || k->roll)) {
		struct entry *to = &k->entries[k->at];
		if (full)
			forget(k, to);
		else
			k->n++;
		uint32_t *head = head_of(k, e->random);
		e->next = *head;
		*to = *e;
		*head = (uint32_t)k->at + 1;
		k->at = (k->at + 1) % k->room;
		k->stats.n_added++;
		k->used = true;
	}
	pthread_mutex_unlock(&k->lock);
}

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Hexadecimal digits; the number of bytes, 0 when it is not a whole number of at most room. */
static size_t unhex(struct mm_slice s, uint8_t *out, size_t room)
{
	if (s.len % 2 != 0 || s.len / 2 > room)
		return 0;
	for (size_t i = 0; i < s.len / 2; i++) {
		int high = digit(mm_at(s, 2 * i)), low = digit(mm_at(s, 2 * i + 1));
		if (high < 0 || low < 0)
			return 0;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return s.len / 2;
}

/* The next word of the line; blanks before it are passed. */
static struct mm_slice word(struct mm_cursor *c)
{
	while (mm_peek8(c) == ' ' || mm_peek8(c) == '\t' || mm_peek8(c) == '\r')
		mm_skip(c, 1);
	struct mm_slice left = mm_left(c);
	size_t n = 0;
	for (int b = mm_at(left, 0); b >= 0 && b != ' ' && b != '\t' && b != '\r';
	        b = mm_at(left, n))
		n++;
	return mm_take(c, n);
}

/* CLIENT_TRAFFIC_SECRET_1, EXPORTER_SECRET, ...: upper-case letters, digits and underscores. */
static bool is_label(struct mm_slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		int b = mm_at(s, i);
		if ((b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '_')
			return false;
	}
	return s.len != 0;
}

static void count(struct mm_keylog *k, uint64_t *n)
{
	pthread_mutex_lock(&k->lock);
	++*n;
	pthread_mutex_unlock(&k->lock);
}

static void take_line(struct mm_keylog *k, struct mm_slice line, const struct mm_key_since *since)
{
	struct mm_cursor c = mm_cursor(line);
	struct mm_slice name = word(&c), random = word(&c), secret = word(&c);
	struct entry e = { .since = *since };
	size_t i = 0, n = sizeof labels / sizeof labels[0];
	if (name.len == 0 || mm_at(name, 0) == '#')
		return;
	while (i < n && !mm_slice_eq(name, mm_slice_str(labels[i].name)))
		i++;
	if (i == n) {
		count(k, is_label(name) && secret.len != 0 ? &k->stats.n_ignored : &k->stats.n_bad);
		return;
	}
	e.label = (uint8_t)labels[i].label;
	e.secret.len = unhex(secret, e.secret.b, sizeof e.secret.b);
	bool bad = unhex(random, e.random, sizeof e.random) != sizeof e.random ||
	           e.secret.len == 0 || word(&c).len != 0;
	if (bad)
		count(k, &k->stats.n_bad);
	else
		add(k, &e);
	explicit_bzero(&e, sizeof e);
}

void mm_keylog_feed(struct mm_keylog *k, struct mm_slice text)
{
	static const struct mm_key_since always = { .always = true };
	struct mm_cursor c = mm_cursor(text);
	while (c.len != 0) {
		size_t n = mm_find8(mm_left(&c), 0, '\n');
		bool whole = n < c.len;
		struct mm_slice piece = mm_take(&c, n);
		if (piece.len > sizeof k->line - k->n_line)
			k->overlong = true;
		else if (piece.len != 0)
			memcpy(k->line + k->n_line, piece.p, piece.len);
		k->n_line += k->overlong ? 0 : piece.len;
		if (!whole)
			return;
		mm_skip(&c, 1);
		if (k->overlong)
			count(k, &k->stats.n_bad);
		else
			take_line(k, mm_slice(k->line, k->n_line), &always);
		explicit_bzero(k->line, k->n_line);
		k->n_line = 0;
		k->overlong = false;
	}
}

void mm_keylog_read(struct mm_keylog *k, struct mm_slice text, const struct mm_key_since *since)
{
	struct mm_cursor c = mm_cursor(text);
	while (c.len != 0) {
		struct mm_slice line = mm_take(&c, mm_find8(mm_left(&c), 0, '\n'));
		if (c.len != 0)
			mm_skip(&c, 1);
		if (line.len > LINE_MAX_B)
			count(k, &k->stats.n_bad);
		else
			take_line(k, line, since);
	}
}

void mm_keylog_expect(struct mm_keylog *k)
{
	k->expected = true;
}

bool mm_keylog_is_expected(const struct mm_keylog *k)
{
	return k->expected;
}

bool mm_keylog_is_used(const struct mm_keylog *k)
{
	return k->expected || k->used;
}

static bool holds_for(const struct mm_key_since *s, const struct mm_pkt *pkt, int64_t time_ns)
{
	if (s->always)
		return true;
	return pkt->file == s->file ? pkt->number > s->number : time_ns > s->time_ns;
}

bool mm_keylog_find(const struct mm_keylog *keylog, enum mm_key_label label,
        struct mm_slice client_random, const struct mm_pkt *pkt, int64_t time_ns,
        struct mm_secret *out)
{
	struct mm_keylog *k = (struct mm_keylog *)(uintptr_t)keylog; /* for its lock alone */
	const struct entry *found = NULL;
	if (k == NULL || client_random.len != MM_TLS_RANDOM)
		return false;
	pthread_mutex_lock(&k->lock);
	for (uint32_t i = *head_of(k, client_random.p); i != NONE; i = k->entries[i - 1].next) {
		const struct entry *e = &k->entries[i - 1];
		if (e->label == label && holds_for(&e->since, pkt, time_ns) &&
		        memcmp(e->random, client_random.p, sizeof e->random) == 0)
			found = e; /* the first that came is the last of its chain */
	}
	if (found != NULL)
		*out = found->secret;
	pthread_mutex_unlock(&k->lock);
	return found != NULL;
}

void mm_keylog_stats_of(const struct mm_keylog *keylog, struct mm_keylog_stats *out)
{
	struct mm_keylog *k = (struct mm_keylog *)(uintptr_t)keylog;
	pthread_mutex_lock(&k->lock);
	*out = k->stats;
	out->n_keys = k->n;
	pthread_mutex_unlock(&k->lock);
}
