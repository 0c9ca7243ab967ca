/* A finding written down and read again. What weighing works out is left out, but for what is asked of it before it is
 * weighed again: whether it stands, and which of two matters less. */
#include <float.h>

#include "score/finding.h"

static void save_name(struct mm_store *out, const char *name)
{
	mm_store_text(out, name, strlen(name));
}

/* Made safe for printing once more: who knows who wrote the file. */
static void load_name(struct mm_cursor *in, char out[MM_NAME_TEXT])
{
	struct mm_slice text = mm_load_text(in, MM_NAME_TEXT - 1);
	mm_name_copy(out, (struct mm_str){ (const char *)text.p, text.len });
}

/* The same for a text of this room. */
static void load_text(struct mm_cursor *in, char *out, size_t room)
{
	struct mm_slice text = mm_load_text(in, room - 1);
	for (size_t i = 0; i < text.len; i++)
		out[i] = (char)(mm_at(text, i) >= 0x20 && mm_at(text, i) < 0x7f ? mm_at(text, i)
		                                                                : '?');
	out[text.len] = '\0';
}

/* The numbers of a token's facts, in the order of their struct. */
static void save_token_numbers(struct mm_store *out, const struct mm_token_facts *t)
{
	const uint64_t numbers[] = { (uint64_t)t->iat_s, (uint64_t)t->nbf_s, (uint64_t)t->exp_s,
		(uint64_t)t->gone_ns, (uint64_t)t->absent_ns, (uint64_t)t->last_ns,
		(uint64_t)t->set_ns, t->template_n, t->alg_n, t->audience_n, t->lifetime_n,
		t->lifetime_max_s, t->moved_k, t->moved_n, (uint64_t)t->since_ns };
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		mm_store_u64(out, numbers[i]);
}

static void save_token(struct mm_store *out, const struct mm_token_facts *t)
{
	mm_store_u32(out, t->proof);
	mm_store_u32(out, t->odd);
	mm_store_u8(out, (uint8_t)t->verdict);
	mm_store_u8(out, t->jwt);
	mm_store_u8(out, t->encrypted);
	mm_store_u8(out, t->other_agent);
	mm_store_u8(out, t->to_and_fro);
	mm_store_u8(out, t->same_host);
	mm_store_u8(out, t->own);
	save_name(out, t->usual_place);
	save_name(out, t->kid);
	save_name(out, t->alg);
	save_name(out, t->client);
	save_name(out, t->audience);
	save_name(out, t->tenant);
	save_name(out, t->signer);
	save_name(out, t->form);
	save_name(out, t->differs);
	save_name(out, t->usual);
	mm_store_addr(out, &t->from);
	mm_store_addr(out, &t->to);
	save_token_numbers(out, t);
}

static void load_token(struct mm_token_facts *t, struct mm_cursor *in)
{
	t->proof = mm_le32(in);
	t->odd = mm_le32(in);
	t->verdict = mm_load_u8(in, MM_INVALID);
	t->jwt = mm_load_u8(in, 1);
	t->encrypted = mm_load_u8(in, 1);
	t->other_agent = mm_load_u8(in, 1);
	t->to_and_fro = mm_load_u8(in, 1);
	t->same_host = mm_load_u8(in, 1);
	t->own = mm_load_u8(in, 1);
	load_text(in, t->usual_place, sizeof t->usual_place);
	load_text(in, t->kid, sizeof t->kid);
	load_text(in, t->alg, sizeof t->alg);
	load_text(in, t->client, sizeof t->client);
	load_text(in, t->audience, sizeof t->audience);
	load_text(in, t->tenant, sizeof t->tenant);
	load_text(in, t->signer, sizeof t->signer);
	load_text(in, t->form, sizeof t->form);
	load_text(in, t->differs, sizeof t->differs);
	load_text(in, t->usual, sizeof t->usual);
	t->from = mm_load_addr(in);
	t->to = mm_load_addr(in);
	t->iat_s = (int64_t)mm_load_u64(in, INT64_MAX / 4);
	t->nbf_s = (int64_t)mm_load_u64(in, INT64_MAX / 4);
	t->exp_s = (int64_t)mm_load_u64(in, INT64_MAX / 4);
	t->gone_ns = mm_load_time(in);
	t->absent_ns = mm_load_time(in);
	t->last_ns = mm_load_time(in);
	t->set_ns = mm_load_time(in);
	t->template_n = mm_le64(in);
	t->alg_n = mm_le64(in);
	t->audience_n = mm_le64(in);
	t->lifetime_n = mm_le64(in);
	t->lifetime_max_s = (uint32_t)mm_load_u64(in, UINT32_MAX);
	t->moved_k = mm_le64(in);
	t->moved_n = mm_le64(in);
	t->since_ns = (int64_t)mm_load_u64(in, INT64_MAX / 4);
}

static void save_endpoint(struct mm_store *out, const struct mm_addr *addr, uint16_t port)
{
	mm_store_addr(out, addr);
	mm_store_u16(out, port);
}

static void save_use(struct mm_store *out, const struct mm_use *use)
{
	mm_store_bytes(out, use->shown.b, sizeof use->shown.b);
	mm_store_bytes(out, use->obtained.b, sizeof use->obtained.b);
	mm_store_u64(out, (uint64_t)use->time_ns);
	mm_store_addr(out, &use->client);
	save_endpoint(out, &use->server, use->server_port);
	save_name(out, use->protocol);
	save_name(out, use->action);
	mm_store_u8(out, (uint8_t)use->outcome);
	mm_store_u8(out, (uint8_t)use->status.domain);
	mm_store_u32(out, use->status.code);
	save_name(out, use->service);
	save_name(out, use->user);
	mm_store_pkt(out, use->pkt);
	mm_store_u32(out, use->n);
}

static void load_use(struct mm_use *use, struct mm_cursor *in, struct mm_finding_reader *r)
{
	use->shown = mm_load_fp(in);
	use->obtained = mm_load_fp(in);
	use->time_ns = mm_load_time(in);
	use->client = mm_load_addr(in);
	use->server = mm_load_addr(in);
	use->server_port = mm_le16(in);
	use->protocol = r->word(r->arg, in);
	use->action = r->word(r->arg, in);
	use->outcome = mm_load_u8(in, MM_FAILURE);
	use->status.domain = mm_load_u8(in, MM_STATUS_GSS);
	use->status.code = mm_le32(in);
	load_name(in, use->service);
	load_name(in, use->user);
	use->pkt = mm_file_map_pkt(r->files, in);
	use->n = mm_le32(in);
}

static void save_miss(struct mm_store *out, const struct mm_miss *miss)
{
	mm_store_double(out, miss->a);
	mm_store_double(out, miss->b);
	mm_store_double(out, miss->c);
	mm_store_double(out, miss->m);
	mm_store_u64(out, (uint64_t)miss->watched_ns);
	mm_store_u64(out, miss->n_hits);
	mm_store_double(out, miss->misses);
}

static void load_miss(struct mm_miss *miss, struct mm_cursor *in)
{
	miss->a = mm_load_double(in, 0, 1);
	miss->b = mm_load_double(in, 0, 1);
	miss->c = mm_load_double(in, 0, 1);
	miss->m = mm_load_double(in, 0, 1);
	miss->watched_ns = mm_load_time(in);
	miss->n_hits = mm_le64(in);
	miss->misses = mm_load_double(in, 0, DBL_MAX);
}

static void save_facts(struct mm_store *out, const struct mm_facts *f)
{
	mm_store_bytes(out, f->fp.b, sizeof f->fp.b);
	save_name(out, f->subject);
	for (size_t i = 0; i < MM_FACT_COUNTS; i++)
		mm_store_u64(out, f->counts[i]);
	save_token(out, &f->token);
	mm_store_u8(out, (uint8_t)f->kind);
	mm_store_u8(out, (uint8_t)f->role);
	save_name(out, f->issuer);
	save_name(out, f->service);
	save_name(out, f->user);
	save_name(out, f->other);
	mm_store_u64(out, (uint64_t)f->kvno);
	mm_store_u32(out, (uint32_t)f->alg);
	mm_store_u32(out, (uint32_t)f->name_type);
	mm_store_u32(out, f->length);
	mm_store_addr(out, &f->client);
	save_endpoint(out, &f->server, f->server_port);
	mm_store_u64(out, (uint64_t)f->first_ns);
	mm_store_u64(out, (uint64_t)f->last_ns);
	save_miss(out, &f->miss);
	mm_store_u8(out, (uint8_t)f->blind);
	mm_store_u64(out, f->stack);
	mm_store_u32(out, (uint32_t)f->reply_alg);
	mm_store_u64(out, f->n_versions);
	mm_store_u32(out, f->kdc_error);
	mm_store_u32(out, f->service_error);
	mm_store_u32(out, f->flags);
	mm_store_u8(out, f->latest_unused);
	mm_store_u8(out, f->claimed);
	mm_store_u64(out, f->n_uses);
	mm_store_u64(out, f->n_accepted);
	mm_store_u64(out, f->n_refused);
}

static void load_facts(struct mm_facts *f, struct mm_cursor *in)
{
	f->fp = mm_load_fp(in);
	load_text(in, f->subject, sizeof f->subject);
	for (size_t i = 0; i < MM_FACT_COUNTS; i++)
		f->counts[i] = mm_le64(in);
	load_token(&f->token, in);
	f->kind = mm_load_u8(in, MM_CRED_KINDS - 1);
	f->role = mm_load_u8(in, MM_ROLE_EVIDENCE);
	load_name(in, f->issuer);
	load_name(in, f->service);
	load_name(in, f->user);
	load_name(in, f->other);
	f->kvno = (int64_t)mm_le64(in);
	f->alg = (int32_t)mm_le32(in);
	f->name_type = (int32_t)mm_le32(in);
	f->length = mm_le32(in);
	f->client = mm_load_addr(in);
	f->server = mm_load_addr(in);
	f->server_port = mm_le16(in);
	f->first_ns = mm_load_time(in);
	f->last_ns = mm_load_time(in);
	load_miss(&f->miss, in);
	f->blind = mm_load_u8(in, MM_BLIND_LOCAL);
	f->stack = mm_le64(in);
	f->reply_alg = (int32_t)mm_le32(in);
	f->n_versions = mm_le64(in);
	f->kdc_error = mm_le32(in);
	f->service_error = mm_le32(in);
	f->flags = mm_le32(in);
	f->latest_unused = mm_load_u8(in, 1);
	f->claimed = mm_load_u8(in, 1);
	f->n_uses = mm_le64(in);
	f->n_accepted = mm_le64(in);
	f->n_refused = mm_le64(in);
}

void mm_finding_save(const struct mm_finding *f, struct mm_store *out)
{
	mm_store_bytes(out, f->key.root.b, sizeof f->key.root.b);
	save_facts(out, &f->facts);
	save_name(out, f->event_id);
	mm_store_u8(out, (uint8_t)f->n_pkts);
	for (size_t i = 0; i < f->n_pkts; i++)
		mm_store_pkt(out, f->pkts[i]);
	mm_store_u64(out, f->n_pkts_more);
	mm_store_u8(out, (uint8_t)f->n_uses);
	for (size_t i = 0; i < f->n_uses; i++)
		save_use(out, &f->uses[i]);
	mm_store_u64(out, f->n_uses_more);
	save_name(out, f->community_id);
	save_name(out, f->protocol);
	save_name(out, f->transport);
	save_endpoint(out, &f->src.addr, f->src.port);
	save_endpoint(out, &f->dst.addr, f->dst.port);
	mm_store_double(out, f->score);
	mm_store_u8(out, f->bare);
	mm_store_u8(out, (uint8_t)f->told);
}

void mm_finding_load(struct mm_finding *f, struct mm_cursor *in, struct mm_finding_reader *r)
{
	const double score_most = 1e6; /* decibans; far beyond what evidence can add up to */
	f->key.root = mm_load_fp(in);
	load_facts(&f->facts, in);
	load_text(in, f->event_id, sizeof f->event_id);
	f->n_pkts = mm_load_u8(in, MM_FINDING_PKTS);
	for (size_t i = 0; i < f->n_pkts; i++)
		f->pkts[i] = mm_file_map_pkt(r->files, in);
	f->n_pkts_more = mm_le64(in);
	f->n_uses = mm_load_u8(in, MM_FINDING_USES);
	for (size_t i = 0; i < f->n_uses; i++)
		load_use(&f->uses[i], in, r);
	f->n_uses_more = mm_le64(in);
	load_text(in, f->community_id, sizeof f->community_id);
	f->protocol = r->word(r->arg, in);
	f->transport = r->word(r->arg, in);
	f->src.addr = mm_load_addr(in);
	f->src.port = mm_le16(in);
	f->dst.addr = mm_load_addr(in);
	f->dst.port = mm_le16(in);
	f->score = mm_load_double(in, -score_most, score_most);
	f->band = mm_band_of(f->score);
	f->bare = mm_load_u8(in, 1);
	f->told = mm_load_u8(in, MM_BAND_CRITICAL + 1);
}
