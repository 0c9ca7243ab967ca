/* The ledger written down and read again: what a restart must not lose. */
#include <float.h>

#include "ledger/ledger.h"
#include "ledger/shared.h"

/* Parts of the ledger's own section. */
enum {
	TAG_NAMES = 0x454d414e,    /* "NAME" */
	TAG_BASELINE = 0x45534142, /* "BASE" */
	TAG_TOKENS = 0x454b4f54,   /* "TOKE" */
	TAG_ATTEMPTS = 0x53455547, /* "GUES" */
	TAG_APPS = 0x53505041,     /* "APPS" */
};

static void save_mint(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_mint *mint = elem;
	(void)arg;
	mm_store_u32(out, mint->issuer);
	mm_store_u32(out, mint->service);
	mm_store_u64(out, (uint64_t)mint->kvno);
	mm_store_u32(out, (uint32_t)mint->alg);
	mm_store_u32(out, mint->kind);
}

static void load_mint(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_mint *mint = elem;
	(void)arg;
	mint->issuer = mm_le32(in);
	mint->service = mm_le32(in);
	mint->kvno = (int64_t)mm_le64(in);
	mint->alg = (int32_t)mm_le32(in);
	mint->kind = mm_load_u32(in, MM_CRED_KINDS - 1);
}

static void save_party(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_party *party = elem;
	(void)arg;
	mm_store_u32(out, party->principal);
	mm_store_u32(out, party->principal_realm);
	mm_store_addr(out, &party->host);
}

static void load_party(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_party *party = elem;
	(void)arg;
	party->principal = mm_le32(in);
	party->principal_realm = mm_le32(in);
	party->host = mm_load_addr(in);
}

static void save_lineage(void *arg, struct mm_store *out, const void *elem)
{
	(void)arg;
	mm_store_bytes(out, elem, sizeof(struct mm_lineage));
}

static void load_lineage(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_lineage *lineage = elem;
	(void)arg;
	lineage->parent = mm_load_fp(in);
	lineage->root = mm_load_fp(in);
}

static void save_row(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_row *row = elem;
	(void)arg;
	mm_store_bytes(out, row->fp.b, sizeof row->fp.b);
	mm_store_u64(out, (uint64_t)row->issued_ns);
	mm_store_u64(out, (uint64_t)row->first_ns);
	mm_store_u64(out, (uint64_t)row->last_ns);
	mm_store_u32(out, row->mint);
	mm_store_u32(out, row->party);
	mm_store_u32(out, row->lineage);
	mm_store_u32(out, row->n_presented);
	mm_store_u32(out, row->length);
	mm_store_float(out, row->missed);
	mm_store_pkt(out, (struct mm_pkt){ row->issued_file, row->issued_number });
	mm_store_u8(out, row->kdc);
	mm_store_u8(out, row->flags);
}

static void load_row(void *arg, struct mm_cursor *in, void *elem)
{
	const uint8_t all_flags = (MM_ROW_OUTLIVED << 1) - 1;
	struct mm_row *row = elem;
	row->fp = mm_load_fp(in);
	row->issued_ns = mm_load_time(in);
	row->first_ns = mm_load_time(in);
	row->last_ns = mm_load_time(in);
	row->mint = mm_le32(in);
	row->party = mm_le32(in);
	row->lineage = mm_le32(in);
	row->n_presented = mm_le32(in);
	row->length = mm_le32(in);
	row->missed = mm_load_float(in, 0, 2);
	mm_row_set_packet(row, mm_file_map_pkt(arg, in));
	row->kdc = mm_load_u8(in, MM_KDCS_MAX);
	row->flags = mm_load_u8(in, all_flags);
}

static void save_issuer(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_issuer *issuer = elem;
	(void)arg;
	mm_store_u32(out, issuer->name);
	mm_store_u32(out, issuer->name_spelled);
	mm_store_u64(out, (uint64_t)issuer->first_ns);
	mm_store_u64(out, (uint64_t)issuer->last_ns);
	mm_store_u64(out, issuer->n_exchanges);
	mm_store_u64(out, issuer->n_unanswered);
	mm_store_u64(out, issuer->n_issued);
	mm_store_u64(out, issuer->n_presented);
	mm_store_u64(out, issuer->n_matched);
	mm_store_u64(out, issuer->n_orphans);
	mm_store_u64(out, issuer->hits);
	mm_store_double(out, issuer->misses);
	mm_store_u64(out, issuer->new_hits);
	mm_store_double(out, issuer->new_misses);
	mm_store_u8(out, (uint8_t)issuer->n_kdcs);
	for (size_t i = 0; i < issuer->n_kdcs; i++) {
		mm_store_addr(out, &issuer->kdcs[i].addr);
		mm_store_addr(out, &issuer->kdcs[i].client);
		mm_store_u64(out, issuer->kdcs[i].n_claimed);
		mm_store_u8(out, issuer->kdcs[i].vouched);
	}
}

static void load_issuer(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_issuer *issuer = elem;
	(void)arg;
	issuer->name = mm_le32(in);
	issuer->name_spelled = mm_le32(in);
	issuer->first_ns = mm_load_time(in);
	issuer->last_ns = mm_load_time(in);
	issuer->n_exchanges = mm_le64(in);
	issuer->n_unanswered = mm_load_u64(in, issuer->n_exchanges);
	issuer->n_issued = mm_le64(in);
	issuer->n_presented = mm_le64(in);
	issuer->n_matched = mm_load_u64(in, issuer->n_presented);
	issuer->n_orphans = mm_le64(in);
	issuer->hits = mm_le64(in);
	issuer->misses = mm_load_double(in, 0, DBL_MAX);
	issuer->new_hits = mm_le64(in);
	issuer->new_misses = mm_load_double(in, 0, DBL_MAX);
	issuer->n_kdcs = mm_load_u8(in, MM_KDCS_MAX);
	for (size_t i = 0; i < issuer->n_kdcs; i++) {
		issuer->kdcs[i].addr = mm_load_addr(in);
		issuer->kdcs[i].client = mm_load_addr(in);
		issuer->kdcs[i].n_claimed = mm_le64(in);
		issuer->kdcs[i].vouched = mm_load_u8(in, 1);
	}
}

static void save_cell(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_cell *cell = elem;
	(void)arg;
	mm_store_u32(out, cell->key.issuer);
	mm_store_u32(out, cell->key.host);
	mm_store_addr(out, &cell->key.addr);
	mm_store_u64(out, cell->hits);
	mm_store_u64(out, cell->n_obtained);
	mm_store_u64(out, cell->n_exchanges);
	mm_store_u64(out, cell->n_unanswered);
	mm_store_double(out, cell->misses);
	mm_store_u32(out, cell->machine);
}

static void load_cell(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_cell *cell = elem;
	(void)arg;
	cell->key.issuer = mm_le32(in);
	cell->key.host = mm_load_u32(in, 1);
	cell->key.addr = mm_load_addr(in);
	cell->hits = mm_le64(in);
	cell->n_obtained = mm_le64(in);
	cell->n_exchanges = mm_le64(in);
	cell->n_unanswered = mm_load_u64(in, cell->n_exchanges);
	cell->misses = mm_load_double(in, 0, DBL_MAX);
	cell->machine = mm_le32(in);
}

static void save_loss(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_loss *loss = elem;
	(void)arg;
	mm_store_addr(out, &loss->host);
	mm_store_u64(out, loss->n_seen);
	mm_store_u64(out, loss->n_lost);
}

/* The two are summed up: the sum must not overflow. */
static void load_loss(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_loss *loss = elem;
	(void)arg;
	loss->host = mm_load_addr(in);
	loss->n_seen = mm_load_u64(in, UINT64_MAX / 4);
	loss->n_lost = mm_load_u64(in, UINT64_MAX / 4);
}

static void save_latest(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_latest *latest = elem;
	(void)arg;
	mm_store_u32(out, latest->key.issuer);
	mm_store_u32(out, latest->key.principal);
	mm_store_addr(out, &latest->key.host);
	mm_store_bytes(out, latest->fp.b, sizeof latest->fp.b);
	mm_store_u64(out, (uint64_t)latest->issued_ns);
}

static void load_latest(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_latest *latest = elem;
	(void)arg;
	latest->key.issuer = mm_le32(in);
	latest->key.principal = mm_le32(in);
	latest->key.host = mm_load_addr(in);
	latest->fp = mm_load_fp(in);
	latest->issued_ns = mm_load_time(in);
}

size_t mm_ledger_bytes(const struct mm_ledger *l)
{
	const struct mm_table *const tables[] = { &l->rows, &l->mints, &l->parties, &l->lineages,
		&l->issuers, &l->cells, &l->latest, &l->losses, &l->baseline.counts,
		&l->baseline.totals, &l->baseline.lengths, &l->names.index, &l->tokens.tokens,
		&l->tokens.servers, &l->tokens.proxies, &l->tokens.proofs };
	size_t bytes = 0;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		bytes += mm_table_bytes(tables[i]);
	return bytes + mm_attempts_bytes(&l->attempts) + mm_apps_bytes(&l->apps);
}

void mm_ledger_save(const struct mm_ledger *l, struct mm_store *out)
{
	mm_store_u64(out, l->n_issued);
	mm_store_u64(out, l->n_presented);
	mm_store_u64(out, l->n_reissued);
	mm_store_u64(out, l->n_expired);
	mm_table_save(&l->rows, out, save_row, NULL);
	mm_table_save(&l->mints, out, save_mint, NULL);
	mm_table_save(&l->parties, out, save_party, NULL);
	mm_table_save(&l->lineages, out, save_lineage, NULL);
	mm_table_save(&l->issuers, out, save_issuer, NULL);
	mm_table_save(&l->cells, out, save_cell, NULL);
	mm_table_save(&l->latest, out, save_latest, NULL);
	mm_table_save(&l->losses, out, save_loss, NULL);
	save_loss(NULL, out, &l->sensor);
	size_t names = mm_store_begin(out, TAG_NAMES);
	mm_names_save(&l->names, out);
	mm_store_end(out, names);
	size_t baseline = mm_store_begin(out, TAG_BASELINE);
	mm_baseline_save(&l->baseline, out);
	mm_store_end(out, baseline);
	size_t tokens = mm_store_begin(out, TAG_TOKENS);
	mm_tokens_save(&l->tokens, out);
	mm_store_end(out, tokens);
	size_t attempts = mm_store_begin(out, TAG_ATTEMPTS);
	mm_attempts_save(&l->attempts, out);
	mm_store_end(out, attempts);
	size_t apps = mm_store_begin(out, TAG_APPS);
	mm_apps_save(&l->apps, out);
	mm_store_end(out, apps);
}

/* What the rows share is counted anew; in the end each must be named by one. */
static bool count_shared(struct mm_ledger *l)
{
	struct mm_table *const tables[] = { &l->mints, &l->parties, &l->lineages };
	for (struct mm_row *row = mm_table_next(&l->rows, NULL); row != NULL;
	        row = mm_table_next(&l->rows, row)) {
		const uint32_t numbers[] = { row->mint, row->party, row->lineage };
		for (size_t i = 0; i < 3; i++)
			if (numbers[i] != 0 && !mm_shared_again(tables[i], numbers[i]))
				return false;
	}
	for (size_t i = 0; i < 3; i++)
		if (!mm_shared_all(tables[i]))
			return false;
	return true;
}

static void note_ends(struct mm_ledger *l)
{
	for (uint32_t number = 1; number <= l->rows.n_made; number++)
		if (mm_table_has(&l->rows, number))
			mm_expiry_note(&l->expiry, number, mm_ledger_row_end(l, number));
}

static int load_rows(struct mm_ledger *l, struct mm_cursor *in, struct mm_file_map *files)
{
	int r = mm_table_load(&l->rows, in, load_row, files);
	/* There may be more than this ledger is to hold, until they are evicted. */
	size_t most = l->rows.n_made >= l->rows.max ? l->rows.n_made + 1 : l->rows.max + 1;
	l->mints.max = l->parties.max = l->lineages.max = most;
	if (r != MM_OK || (r = mm_table_load(&l->mints, in, load_mint, NULL)) != MM_OK ||
	        (r = mm_table_load(&l->parties, in, load_party, NULL)) != MM_OK ||
	        (r = mm_table_load(&l->lineages, in, load_lineage, NULL)) != MM_OK)
		return r;
	if (!count_shared(l))
		return MM_ERR_CORRUPT;
	mm_table_shrink(&l->rows);
	note_ends(l);
	return MM_OK;
}

/* A host's exchanges are taken away from its issuer's: there must be as many. */
static bool cells_fit(const struct mm_ledger *l)
{
	for (const struct mm_cell *cell = mm_table_next(&l->cells, NULL); cell != NULL;
	        cell = mm_table_next(&l->cells, cell)) {
		const struct mm_issuer *issuer = mm_ledger_issuer(l, cell->key.issuer);
		if (issuer != NULL && (cell->n_exchanges > issuer->n_exchanges ||
		                              cell->n_unanswered > issuer->n_unanswered))
			return false;
	}
	return true;
}

int mm_ledger_load(struct mm_ledger *l, struct mm_cursor *in, struct mm_file_map *files)
{
	int r;
	l->n_issued = mm_le64(in);
	l->n_presented = mm_le64(in);
	l->n_reissued = mm_le64(in);
	l->n_expired = mm_le64(in);
	if ((r = load_rows(l, in, files)) != MM_OK ||
	        (r = mm_table_load(&l->issuers, in, load_issuer, NULL)) != MM_OK ||
	        (r = mm_table_load(&l->cells, in, load_cell, NULL)) != MM_OK ||
	        (r = mm_table_load(&l->latest, in, load_latest, NULL)) != MM_OK ||
	        (r = mm_table_load(&l->losses, in, load_loss, NULL)) != MM_OK)
		return r;
	load_loss(NULL, in, &l->sensor);
	if (!cells_fit(l))
		return MM_ERR_CORRUPT;
	mm_table_shrink(&l->issuers);
	mm_table_shrink(&l->cells);
	mm_table_shrink(&l->latest);
	mm_table_shrink(&l->losses);
	struct mm_cursor names = mm_load_section(in, TAG_NAMES);
	struct mm_cursor baseline = mm_load_section(in, TAG_BASELINE);
	struct mm_cursor tokens = mm_load_section(in, TAG_TOKENS);
	struct mm_cursor attempts = mm_load_section(in, TAG_ATTEMPTS);
	struct mm_cursor apps = mm_load_section(in, TAG_APPS);
	if ((r = mm_names_load(&l->names, &names)) != MM_OK ||
	        (r = mm_baseline_load(&l->baseline, &baseline)) != MM_OK ||
	        (r = mm_tokens_load(&l->tokens, &tokens, files)) != MM_OK ||
	        (r = mm_attempts_load(&l->attempts, &attempts)) != MM_OK ||
	        (r = mm_apps_load(&l->apps, &apps)) != MM_OK)
		return r;
	return mm_end(in) ? MM_OK : MM_ERR_CORRUPT;
}
