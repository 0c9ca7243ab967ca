/* What is known of tokens written down and read again. */
#include "ledger/tokens.h"

static void save_token(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_token *t = elem;
	(void)arg;
	mm_store_bytes(out, t->fp.b, sizeof t->fp.b);
	mm_store_u32(out, t->odd);
	mm_store_u8(out, (uint8_t)(t->counted | t->moved << 1 | t->bound << 2 | t->late << 3 |
	                           t->kinds << 4));
	mm_store_u8(out, t->n_places);
	for (size_t i = 0; i < t->n_places; i++) {
		const struct mm_token_place *p = &t->places[i];
		mm_store_addr(out, &p->client);
		mm_store_u64(out, p->agent);
		mm_store_u64(out, (uint64_t)p->first_ns);
		mm_store_u64(out, (uint64_t)p->last_ns);
		mm_store_u32(out, p->n);
	}
	mm_store_u64(out, (uint64_t)t->used_ns);
	mm_store_addr(out, &t->used_by);
	mm_store_u64(out, t->used_agent);
}

/* It is judged anew when it is shown again: keys may have changed since. */
static void load_token(void *arg, struct mm_cursor *in, void *elem)
{
	enum { FLAGS = 31 };
	struct mm_token *t = elem;
	(void)arg;
	t->fp = mm_load_fp(in);
	t->odd = mm_le32(in);
	uint8_t flags = mm_load_u8(in, FLAGS);
	t->counted = flags & 1;
	t->moved = flags >> 1 & 1;
	t->bound = flags >> 2 & 1;
	t->late = flags >> 3 & 1;
	t->kinds = flags >> 4 & 1;
	t->n_places = mm_load_u8(in, MM_TOKEN_PLACES);
	for (size_t i = 0; i < t->n_places; i++) {
		struct mm_token_place *p = &t->places[i];
		p->client = mm_load_addr(in);
		p->agent = mm_le64(in);
		p->first_ns = mm_load_time(in);
		p->last_ns = mm_load_time(in);
		p->n = mm_le32(in);
	}
	t->used_ns = mm_load_time(in);
	t->used_by = mm_load_addr(in);
	t->used_agent = mm_le64(in);
}

static void save_server(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_token_server *s = elem;
	(void)arg;
	mm_store_addr(out, &s->key.addr);
	mm_store_u16(out, s->key.port);
	mm_store_u32(out, s->key.host);
	mm_store_u32(out, s->issuer);
}

static void load_server(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_token_server *s = elem;
	(void)arg;
	s->key.addr = mm_load_addr(in);
	s->key.port = mm_le16(in);
	s->key.host = mm_le32(in);
	s->issuer = mm_le32(in);
}

static void save_proxy(void *arg, struct mm_store *out, const void *elem)
{
	(void)arg;
	mm_store_addr(out, elem);
}

static void load_proxy(void *arg, struct mm_cursor *in, void *elem)
{
	(void)arg;
	*(struct mm_addr *)elem = mm_load_addr(in);
}

static void save_proof(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_fp *fp = elem;
	(void)arg;
	mm_store_bytes(out, fp->b, sizeof fp->b);
}

static void load_proof(void *arg, struct mm_cursor *in, void *elem)
{
	(void)arg;
	*(struct mm_fp *)elem = mm_load_fp(in);
}

void mm_tokens_save(const struct mm_tokens *t, struct mm_store *out)
{
	mm_keyring_save(t->keys, out);
	mm_table_save(&t->tokens, out, save_token, NULL);
	mm_table_save(&t->servers, out, save_server, NULL);
	mm_table_save(&t->proxies, out, save_proxy, NULL);
	mm_table_save(&t->proofs, out, save_proof, NULL);
}

int mm_tokens_load(struct mm_tokens *t, struct mm_cursor *in, struct mm_file_map *files)
{
	int r;
	if ((r = mm_keyring_load(t->keys, in, files)) != MM_OK ||
	        (r = mm_table_load(&t->tokens, in, load_token, NULL)) != MM_OK ||
	        (r = mm_table_load(&t->servers, in, load_server, NULL)) != MM_OK ||
	        (r = mm_table_load(&t->proxies, in, load_proxy, NULL)) != MM_OK ||
	        (r = mm_table_load(&t->proofs, in, load_proof, NULL)) != MM_OK)
		return r;
	mm_table_shrink(&t->tokens);
	mm_table_shrink(&t->servers);
	mm_table_shrink(&t->proxies);
	mm_table_shrink(&t->proofs);
	return mm_end(in) ? MM_OK : MM_ERR_CORRUPT;
}
