/* The keyring written down and read again. */
#include "keys/ring.h"

#include <stdlib.h>

static void save_name(struct mm_store *out, const char *name)
{
	mm_store_text(out, name, strlen(name));
}

static void load_name(struct mm_cursor *in, char *out, size_t room)
{
	struct mm_slice text = mm_load_text(in, room - 1);
	if (text.len != 0)
		memcpy(out, text.p, text.len);
	out[text.len] = '\0';
	if (mm_find8(text, 0, '\0') != text.len)
		mm_fail(in);
}

static void save_place(struct mm_store *out, const struct mm_publisher *p)
{
	mm_store_addr(out, &p->addr);
	mm_store_u16(out, p->port);
	save_name(out, p->host);
	save_name(out, p->path);
	mm_store_u64(out, (uint64_t)p->first_ns);
	mm_store_u64(out, (uint64_t)p->last_ns);
	for (size_t i = 0; i < MM_KEYSET_HISTORY; i++) {
		const struct mm_keyset *s = &p->sets[i];
		mm_store_u64(out, s->id);
		mm_store_u64(out, (uint64_t)s->first_ns);
		mm_store_u64(out, (uint64_t)s->last_ns);
		mm_store_u32(out, s->n_given);
		mm_store_addr(out, &s->client);
		mm_store_u8(out, s->one_client);
	}
}

static void load_place(struct mm_cursor *in, struct mm_publisher *p)
{
	p->addr = mm_load_addr(in);
	p->port = mm_le16(in);
	load_name(in, p->host, sizeof p->host);
	load_name(in, p->path, sizeof p->path);
	p->first_ns = mm_load_time(in);
	p->last_ns = mm_load_time(in);
	for (size_t i = 0; i < MM_KEYSET_HISTORY; i++) {
		struct mm_keyset *s = &p->sets[i];
		s->id = mm_le64(in);
		s->first_ns = mm_load_time(in);
		s->last_ns = mm_load_time(in);
		s->n_given = mm_le32(in);
		s->client = mm_load_addr(in);
		s->one_client = mm_load_u8(in, 1);
	}
}

static void save_issuer(struct mm_store *out, const struct mm_key_issuer *i)
{
	save_name(out, i->name);
	save_name(out, i->jwks_host);
	save_name(out, i->jwks_path);
	mm_store_addr(out, &i->addr);
	mm_store_u16(out, i->port);
	mm_store_u64(out, i->n_issued);
	mm_store_u8(out, i->named);
	mm_store_u8(out, (uint8_t)i->n_places);
	for (size_t p = 0; p < i->n_places; p++)
		mm_store_u32(out, i->places[p]);
}

static void load_issuer(const struct mm_keyring *k, struct mm_cursor *in, struct mm_key_issuer *i)
{
	load_name(in, i->name, sizeof i->name);
	load_name(in, i->jwks_host, sizeof i->jwks_host);
	load_name(in, i->jwks_path, sizeof i->jwks_path);
	i->addr = mm_load_addr(in);
	i->port = mm_le16(in);
	i->n_issued = mm_le64(in);
	i->named = mm_load_u8(in, 1);
	i->n_places = mm_load_u8(in, MM_ISSUER_PLACES);
	for (size_t p = 0; p < i->n_places; p++) {
		i->places[p] = mm_load_u32(in, (uint32_t)k->n_places);
		if (i->places[p] == 0)
			mm_fail(in);
	}
}

static void save_key(struct mm_store *out, const struct mm_key *key)
{
	save_name(out, key->text);
	mm_store_u64(out, (uint64_t)key->seen_ns);
	mm_store_pkt(out, key->pkt);
	mm_store_u8(out, (uint8_t)key->n_issuers);
	for (size_t i = 0; i < key->n_issuers; i++)
		mm_store_u32(out, key->issuers[i]);
	mm_store_u8(out, (uint8_t)key->n_uses);
	for (size_t i = 0; i < key->n_uses; i++) {
		const struct mm_key_use *use = &key->uses[i];
		mm_store_u32(out, use->place);
		mm_store_u64(out, (uint64_t)use->absent_ns);
		mm_store_u64(out, (uint64_t)use->first_ns);
		mm_store_u64(out, (uint64_t)use->last_ns);
		mm_store_u64(out, (uint64_t)use->gone_ns);
		save_name(out, use->issuer);
		mm_store_u8(out, use->drifted);
	}
}

static void load_uses(const struct mm_keyring *k, struct mm_cursor *in, struct mm_key *key)
{
	key->n_issuers = mm_load_u8(in, MM_KEY_ISSUERS);
	for (size_t i = 0; i < key->n_issuers; i++)
		if ((key->issuers[i] = mm_load_u32(in, (uint32_t)k->n_issuers)) == 0)
			mm_fail(in);
	key->n_uses = mm_load_u8(in, MM_KEY_USES);
	for (size_t i = 0; i < key->n_uses; i++) {
		struct mm_key_use *use = &key->uses[i];
		if ((use->place = mm_load_u32(in, (uint32_t)k->n_places)) == 0)
			mm_fail(in);
		use->absent_ns = mm_load_time(in);
		use->first_ns = mm_load_time(in);
		use->last_ns = mm_load_time(in);
		use->gone_ns = mm_load_time(in);
		load_name(in, use->issuer, sizeof use->issuer);
		use->drifted = mm_load_u8(in, 1);
	}
}

/* The key itself is read from its text, as it was when it was published. */
static void load_key(struct mm_keyring *k, struct mm_cursor *in, struct mm_file_map *files)
{
	struct mm_slice text = mm_load_text(in, MM_JWK_BYTES_MAX);
	json_t *json = mm_json_object(text, NULL);
	struct mm_key *key = json != NULL ? mm_ring_new_key(k, json) : NULL;
	json_decref(json);
	if (key == NULL) {
		mm_fail(in);
		return;
	}
	key->seen_ns = mm_load_time(in);
	key->pkt = mm_file_map_pkt(files, in);
	load_uses(k, in, key);
}

void mm_keyring_save(const struct mm_keyring *k, struct mm_store *out)
{
	mm_store_u32(out, (uint32_t)k->n_places);
	for (size_t i = 0; i < k->n_places; i++)
		save_place(out, &k->places[i]);
	mm_store_u32(out, (uint32_t)k->n_issuers);
	for (size_t i = 0; i < k->n_issuers; i++)
		save_issuer(out, &k->issuers[i]);
	size_t n = 0;
	for (size_t i = 0; i < k->n_keys; i++)
		n += k->keys[i].jwk.secret == NULL && k->keys[i].text != NULL;
	mm_store_u32(out, (uint32_t)n);
	for (size_t i = 0; i < k->n_keys; i++) /* secrets are the operator's, and told anew */
		if (k->keys[i].jwk.secret == NULL && k->keys[i].text != NULL)
			save_key(out, &k->keys[i]);
}

int mm_keyring_load(struct mm_keyring *k, struct mm_cursor *in, struct mm_file_map *files)
{
	uint32_t n = mm_load_u32(in, MM_KEYRING_PLACES);
	for (uint32_t i = 0; i < n && !in->err; i++) {
		struct mm_publisher *p = mm_ring_grow_places(k);
		if (p == NULL)
			return MM_ERR_NOMEM;
		load_place(in, p);
	}
	n = mm_load_u32(in, MM_KEYRING_ISSUERS);
	for (uint32_t i = 0; i < n && !in->err; i++) {
		struct mm_key_issuer *issuer = mm_ring_grow_issuers(k);
		if (issuer == NULL)
			return MM_ERR_NOMEM;
		load_issuer(k, in, issuer);
	}
	n = mm_load_u32(in, MM_KEYRING_KEYS);
	if (k->keys_max < n) /* though fewer are wanted now: tokens know them by their numbers */
		k->keys_max = n;
	for (uint32_t i = 0; i < n && !in->err; i++)
		load_key(k, in, files);
	k->generation++;
	return in->err ? MM_ERR_CORRUPT : MM_OK;
}
