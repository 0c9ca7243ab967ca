/* The ledger of credentials. */
#include "ledger/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "ledger/shared.h"

#define REORDERING_NS INT64_C(2000000000) /* packets and captures are not further out of order */
#define HOURS_NS      (INT64_C(3600) * 1000000000)

enum {
	ISSUERS_MAX = 4096,
	CELLS_MAX = 262144,
	/* Scopes that are no names: numbers no name gets. */
	SCOPE_KIND = 0xfffffff0,
	SCOPE_KADMIN = 8, /* beyond the kinds */
	SCOPE_OWNER = 0xffffffe0,
	EXCHANGE_PACKETS =
	        4, /* that carry a request and a reply with a PAC over TCP: any of them lost loses the exchange */
	LOSSES_MAX = 16384,
	REFRESH_LIVES =
	        34, /* refresh tokens are held to live so many times as long as tickets: 14 d */
};

void mm_ledger_config_default(struct mm_ledger_config *config)
{
	*config = (struct mm_ledger_config){ .rows_max = 1000000,
		.names_max = 1000000,
		.baseline_max = 262144,
		.keys_max = MM_KEYRING_KEYS,
		.lifetime_ns = 10 * HOURS_NS };
}

_Static_assert(sizeof(struct mm_row) == 76, "a row is as dense as its comment says");

const struct mm_mint *mm_ledger_mint(const struct mm_ledger *l, const struct mm_row *row)
{
	static const struct mm_mint none;
	return row->mint != 0 ? mm_table_at(&l->mints, row->mint) : &none;
}

const struct mm_party *mm_ledger_party(const struct mm_ledger *l, const struct mm_row *row)
{
	static const struct mm_party none;
	return row->party != 0 ? mm_table_at(&l->parties, row->party) : &none;
}

const struct mm_lineage *mm_ledger_lineage(const struct mm_ledger *l, const struct mm_row *row)
{
	static const struct mm_lineage none;
	return row->lineage != 0 ? mm_table_at(&l->lineages, row->lineage) : &none;
}

static void set_mint(struct mm_ledger *l, struct mm_row *row, const struct mm_mint *mint)
{
	uint32_t old = row->mint;
	row->mint = mm_shared_take(&l->mints, mint);
	mm_shared_drop(&l->mints, old);
}

static void set_party(struct mm_ledger *l, struct mm_row *row, const struct mm_party *party)
{
	uint32_t old = row->party;
	row->party = mm_shared_take(&l->parties, party);
	mm_shared_drop(&l->parties, old);
}

static void set_lineage(struct mm_ledger *l, struct mm_row *row, const struct mm_lineage *lineage)
{
	uint32_t old = row->lineage;
	row->lineage = mm_shared_take(&l->lineages, lineage);
	mm_shared_drop(&l->lineages, old);
}

/* The row is about to go. */
static void forget(void *arg, void *elem)
{
	struct mm_ledger *l = arg;
	struct mm_row *row = elem;
	mm_shared_drop(&l->mints, row->mint);
	mm_shared_drop(&l->parties, row->party);
	mm_shared_drop(&l->lineages, row->lineage);
	row->issued_ns = 0; /* no end: mm_ledger_row_end() may still look at it */
}

/* When a row is of no use any more. The end of a ticket is inside its encryption: what is assumed of tickets here holds, unless
 * this one was accepted later. One that is being shown has not ended. */
int64_t mm_ledger_row_end(const void *arg, uint32_t number)
{
	const struct mm_ledger *l = arg;
	if (number > l->rows.n_made)
		return MM_EXPIRY_NEVER;
	const struct mm_row *row = mm_table_at(&l->rows, number);
	int64_t end = row->issued_ns + l->config.lifetime_ns;
	if (row->issued_ns == 0 || (row->flags & MM_ROW_OUTLIVED))
		return MM_EXPIRY_NEVER;
	return end > row->last_ns ? end : row->last_ns;
}

/* The credential's row, made when there was none. at_ns: of the event that is looked at. */
static struct mm_row *put_row(
        struct mm_ledger *l, const struct mm_fp *fp, int64_t at_ns, bool *fresh)
{
	uint32_t ended = 0;
	if (l->rows.n >= l->config.rows_max && mm_table_find(&l->rows, fp) == NULL)
		ended = mm_expiry_first(&l->expiry, at_ns);
	if (ended != 0) {
		struct mm_row *row = mm_table_at(&l->rows, ended);
		forget(l, row);
		mm_table_remove(&l->rows, row);
		l->n_expired++;
	}
	return mm_table_put(&l->rows, fp, fresh);
}

/* What is learnt: all tables but those of credentials. */
enum { LEARNT = 19 };

static void learnt_tables(struct mm_ledger *l, struct mm_table *out[LEARNT])
{
	struct mm_table *const all[LEARNT] = { &l->issuers, &l->cells, &l->latest, &l->losses,
		&l->baseline.counts, &l->baseline.totals, &l->baseline.lengths, &l->tokens.tokens,
		&l->tokens.servers, &l->tokens.proxies, &l->tokens.proofs, &l->attempts.guessers,
		&l->attempts.pairs, &l->apps.apps, &l->apps.issuers, &l->apps.users, &l->apps.asks,
		&l->travels.travellers, &l->travels.ways };
	memcpy(out, all, sizeof all);
}

/* Each table is lowered by the same share. */
static void limit_learnt(struct mm_ledger *l, size_t bytes_max)
{
	const size_t least = 64, index_b = 8; /* of the index, for each element */
	struct mm_table *tables[LEARNT];
	size_t bytes = 0;
	learnt_tables(l, tables);
	for (size_t i = 0; i < LEARNT; i++)
		bytes += tables[i]->max * (tables[i]->node_size + index_b);
	if (bytes_max == 0 || bytes <= bytes_max)
		return;
	double share = (double)bytes_max / (double)bytes;
	for (size_t i = 0; i < LEARNT; i++) {
		size_t most = (size_t)((double)tables[i]->max * share);
		tables[i]->max = most > least ? most : least;
	}
}

size_t mm_ledger_bytes(const struct mm_ledger *l)
{
	const struct mm_table *const credentials[] = { &l->rows, &l->mints, &l->parties,
		&l->lineages, &l->names.index };
	struct mm_table *learnt[LEARNT];
	size_t bytes = 0;
	for (size_t i = 0; i < sizeof credentials / sizeof credentials[0]; i++)
		bytes += mm_table_bytes(credentials[i]);
	learnt_tables((struct mm_ledger *)(uintptr_t)l, learnt); /* only looked at */
	for (size_t i = 0; i < LEARNT; i++)
		bytes += mm_table_bytes(learnt[i]);
	return bytes;
}

int mm_ledger_new(const struct mm_ledger_config *config, struct mm_ledger **out)
{
	struct mm_ledger *l = calloc(1, sizeof *l);
	if (l == NULL)
		return MM_ERR_NOMEM;
	const struct mm_hash_key *key = &config->key;
	l->config = *config;
	mm_table_init(&l->rows, key, sizeof(struct mm_fp), sizeof(struct mm_row), config->rows_max);
	l->rows.evict = forget;
	l->rows.evict_arg = l;
	l->expiry = (struct mm_expiry){ .end = mm_ledger_row_end, .arg = l };
	mm_shared_init(&l->mints, key, sizeof(struct mm_mint), config->rows_max);
	mm_shared_init(&l->parties, key, sizeof(struct mm_party), config->rows_max);
	mm_shared_init(&l->lineages, key, sizeof(struct mm_lineage), config->rows_max);
	mm_table_init(&l->issuers, key, sizeof(uint32_t), sizeof(struct mm_issuer), ISSUERS_MAX);
	mm_table_init(&l->cells, key, sizeof(((struct mm_cell *)0)->key), sizeof(struct mm_cell),
	        CELLS_MAX);
	mm_table_init(&l->latest, key, sizeof(((struct mm_latest *)0)->key),
	        sizeof(struct mm_latest), CELLS_MAX);
	mm_table_init(&l->losses, key, sizeof(struct mm_addr), sizeof(struct mm_loss), LOSSES_MAX);
	mm_names_init(&l->names, key, config->names_max);
	mm_baseline_init(&l->baseline, key, config->baseline_max);
	mm_attempts_init(&l->attempts, key);
	mm_apps_init(&l->apps, key);
	mm_travels_init(&l->travels, key);
	if (mm_tokens_init(&l->tokens, key, MM_TOKENS_MAX, config->keys_max) != MM_OK) {
		mm_ledger_free(l);
		return MM_ERR_NOMEM;
	}
	limit_learnt(l, config->learnt_b_max);
	*out = l;
	return MM_OK;
}

void mm_ledger_free(struct mm_ledger *l)
{
	if (l == NULL)
		return;
	mm_table_done(&l->rows);
	mm_table_done(&l->mints);
	mm_table_done(&l->parties);
	mm_table_done(&l->lineages);
	mm_expiry_done(&l->expiry);
	mm_table_done(&l->issuers);
	mm_table_done(&l->cells);
	mm_table_done(&l->latest);
	mm_table_done(&l->losses);
	mm_names_done(&l->names);
	mm_baseline_done(&l->baseline);
	mm_attempts_done(&l->attempts);
	mm_apps_done(&l->apps);
	mm_travels_done(&l->travels);
	mm_tokens_done(&l->tokens);
	free(l);
}

const struct mm_row *mm_ledger_find(const struct mm_ledger *l, const struct mm_fp *fp)
{
	return mm_table_find(&l->rows, fp);
}

const struct mm_issuer *mm_ledger_issuer(const struct mm_ledger *l, uint32_t issuer_folded)
{
	return mm_table_find(&l->issuers, &issuer_folded);
}

static struct mm_cell cell_key(uint32_t issuer, const struct mm_addr *addr, bool host)
{
	struct mm_cell cell = { .key = { issuer, host, *addr, { 0 } } };
	if (!host)
		cell.key.addr = mm_addr_network(addr);
	return cell;
}

const struct mm_cell *mm_ledger_host(
        const struct mm_ledger *l, uint32_t issuer_folded, const struct mm_addr *host)
{
	struct mm_cell key = cell_key(issuer_folded, host, true);
	return mm_table_find(&l->cells, &key);
}

const struct mm_cell *mm_ledger_network(
        const struct mm_ledger *l, uint32_t issuer_folded, const struct mm_addr *addr)
{
	struct mm_cell key = cell_key(issuer_folded, addr, false);
	return mm_table_find(&l->cells, &key);
}

static struct mm_cell *put_cell(
        struct mm_ledger *l, uint32_t issuer, const struct mm_addr *addr, bool host)
{
	struct mm_cell key = cell_key(issuer, addr, host);
	return mm_table_put(&l->cells, &key, NULL);
}

/* The first label of the name's second component, marked so that no service is called the same. */
static struct mm_str machine_text(const struct mm_cred *cred, char out[MM_STR_MAX])
{
	size_t n = 0;
	struct mm_str s = cred->service;
	const char *slash = s.len != 0 ? memchr(s.p, '/', s.len) : NULL;
	if (cred->kind != MM_CRED_SERVICE || slash == NULL)
		return (struct mm_str){ out, 0 };
	out[n++] = '@';
	const char *end = s.p + s.len;
	for (const char *p = slash + 1; p < end && *p != '.' && *p != '/' && n < MM_STR_MAX; p++)
		out[n++] = *p;
	return (struct mm_str){ out, n };
}

uint32_t mm_scope_service(const struct mm_ledger *l, const struct mm_cred *cred)
{
	return cred->kind == MM_CRED_TGT ? mm_scope_kind(cred)
	                                 : mm_names_find_folded(&l->names, cred->service);
}

uint32_t mm_scope_machine(const struct mm_ledger *l, const struct mm_cred *cred)
{
	char text[MM_STR_MAX];
	return mm_names_find_folded(&l->names, machine_text(cred, text));
}

uint32_t mm_scope_kind(const struct mm_cred *cred)
{
	/* Tickets of the AS exchange for services of the KDC itself hold less of a PAC than others. */
	bool kadmin = cred->kind == MM_CRED_SERVICE && cred->service.len > 7 &&
	              strncasecmp(cred->service.p, "kadmin/", 7) == 0;
	return (uint32_t)SCOPE_KIND + (kadmin ? (uint32_t)SCOPE_KADMIN : (uint32_t)cred->kind);
}

uint32_t mm_scope_host(const struct mm_ledger *l, const struct mm_addr *host)
{
	char text[MM_ADDR_TEXT];
	(void)mm_addr_text(host, text);
	return mm_names_find(&l->names, (struct mm_str){ text, strlen(text) });
}

/* An address, a space, a name: no service and no other host is called so. */
static struct mm_str here_text(
        struct mm_str principal, const struct mm_addr *host, char out[MM_ADDR_TEXT + MM_STR_MAX])
{
	size_t n = strlen(mm_addr_text(host, out));
	out[n++] = ' ';
	for (size_t i = 0; i < principal.len && i < MM_STR_MAX - 1; i++)
		out[n++] = principal.p[i];
	return (struct mm_str){ out, n };
}

uint32_t mm_scope_here(
        const struct mm_ledger *l, struct mm_str principal, const struct mm_addr *host)
{
	char text[MM_ADDR_TEXT + MM_STR_MAX];
	return mm_names_find_folded(&l->names, here_text(principal, host, text));
}

uint32_t mm_scope_owner(const struct mm_cred *cred, struct mm_str principal)
{
	bool machine = principal.len > 1 && principal.p[principal.len - 1] == '$';
	if (cred->kind != MM_CRED_TGT || principal.len == 0)
		return mm_scope_kind(cred);
	return (uint32_t)SCOPE_OWNER + machine;
}

uint32_t mm_plain_length(const struct mm_cred *cred)
{
	/* Confounder and checksum of each etype: RFC 3962 and 8009 section 4, 5; RFC 4757 section 5;
	 * RFC 3961 section 6.3 (des3). */
	static const struct {
		int32_t etype;
		uint32_t overhead;
	} overheads[] = { { 16, 28 }, { 17, 28 }, { 18, 28 }, { 19, 32 }, { 20, 40 }, { 23, 24 } };
	for (size_t i = 0; i < sizeof overheads / sizeof overheads[0]; i++)
		if (overheads[i].etype == cred->alg && cred->length > overheads[i].overhead)
			return cred->length - overheads[i].overhead;
	return cred->length;
}

static struct mm_kdc *find_kdc(struct mm_issuer *issuer, const struct mm_addr *addr)
{
	for (size_t i = 0; i < issuer->n_kdcs; i++)
		if (mm_addr_eq(&issuer->kdcs[i].addr, addr))
			return &issuer->kdcs[i];
	return NULL;
}

static bool is_kdc(const struct mm_issuer *issuer, const struct mm_addr *addr)
{
	for (size_t i = 0; i < issuer->n_kdcs; i++)
		if (issuer->kdcs[i].vouched && mm_addr_eq(&issuer->kdcs[i].addr, addr))
			return true;
	return false;
}

/* This host issued something of the realm to this client: the KDC's index, MM_KDCS_MAX when there is no room. */
static size_t note_kdc(
        struct mm_issuer *issuer, const struct mm_addr *addr, const struct mm_addr *client)
{
	struct mm_kdc *kdc = find_kdc(issuer, addr);
	if (kdc == NULL) {
		if (issuer->n_kdcs == MM_KDCS_MAX)
			return MM_KDCS_MAX;
		kdc = &issuer->kdcs[issuer->n_kdcs++];
		*kdc = (struct mm_kdc){
			.addr = *addr, .client = *client, .vouched = issuer->n_kdcs == 1
		};
	}
	if (!mm_addr_eq(&kdc->client, client))
		kdc->vouched = true;
	return (size_t)(kdc - issuer->kdcs);
}

/* Was it issued by a KDC that is vouched for by now? */
static bool is_issued(const struct mm_issuer *issuer, const struct mm_row *row)
{
	if (!(row->flags & MM_ROW_CLAIMED))
		return row->flags & MM_ROW_ISSUED;
	return issuer != NULL && row->kdc < issuer->n_kdcs && issuer->kdcs[row->kdc].vouched;
}

bool mm_ledger_issued(const struct mm_ledger *l, const struct mm_row *row)
{
	uint32_t spelled = mm_ledger_mint(l, row)->issuer;
	uint32_t name = mm_names_find_folded(&l->names, mm_names_text(&l->names, spelled));
	return is_issued(mm_ledger_issuer(l, name), row);
}

/* The chance that a credential was issued out of sight, after so many matched and so many held to be. A sensor
 * is placed so that it sees all that an issuer sends, or it is not: half of the prior says the former (almost
 * nothing is missed), half that any share may be missed, each as likely (Bayes; Jeffreys' prior would hold another
 * sensor that sees all in this half as well). Misses move it from the one to the other. */
static double chance_unseen(double hits, double misses)
{
	const double all_seen = 1e-4;
	double unknown = (misses + 1) / (misses + hits + 2);
	double ln_all_seen = misses * log(all_seen) + hits * log1p(-all_seen);
	double ln_unknown = lgamma(misses + 1) + lgamma(hits + 1) - lgamma(misses + hits + 2);
	double p_unknown = 1 / (1 + exp(ln_all_seen - ln_unknown));
	return p_unknown * unknown + (1 - p_unknown) * all_seen;
}

/* Do users, and not its machine alone, obtain TGTs on this host in view? */
static bool is_desk(const struct mm_ledger *l, uint32_t issuer, const struct mm_addr *host)
{
	uint32_t scope = mm_scope_host(l, host);
	return scope != 0 &&
	       mm_baseline_share(&l->baseline, MM_TRAIT_TGT_HERE, issuer, scope, 0).n != 0;
}

/* As the client's network shows it. A network from which nothing came yet lies, in decibans, halfway between the
 * issuer as a whole and not knowing. A host that missed more than its network is judged by itself; one
 * whose users log on in view is better covered than others (SCORING), as to their TGTs: most of what is issued out of
 * sight goes to hosts on which nobody does (assumed: four in five). */
static double out_of_sight(const struct mm_ledger *l, const struct mm_issuer *issuer,
        const struct mm_addr *client, enum mm_miss_class of, double own)
{
	const double draws_in_view = 0.2;
	const struct mm_cell *net = mm_ledger_network(l, issuer->name, client);
	const struct mm_cell *host = mm_ledger_host(l, issuer->name, client);
	double c = chance_unseen((double)issuer->hits, fmax(0, issuer->misses - own));
	bool new_host = of == MM_MISS_TOKEN && (host == NULL || host->hits == 0);
	/* Whether an issuer of tokens is seen rests on the tap before it, which all its hosts share, and a little on the way
	 * that a new one takes: halfway, in decibans, between all hosts and those that were new. */
	if (new_host)
		c = sqrt(c * chance_unseen(
		                     (double)issuer->new_hits, fmax(0, issuer->new_misses - own)));
	else if (client->family != 0)
		c = sqrt(c * 0.5);
	if (!new_host && net != NULL && (double)net->hits + net->misses - own > 0.5)
		c = chance_unseen((double)net->hits, fmax(0, net->misses - own));
	if (host != NULL && host->misses - own > 0.5)
		c = fmax(c, chance_unseen((double)host->hits, host->misses - own));
	else if (host != NULL && host->hits != 0 && of == MM_MISS_LOGON &&
	         is_desk(l, issuer->name, client))
		c *= draws_in_view;
	return c;
}

static double lost_share(const struct mm_loss *loss)
{
	uint64_t all = loss == NULL ? 0 : loss->n_seen + loss->n_lost;
	return all == 0 ? 0 : (double)loss->n_lost / (double)all;
}

/* Lost: replies whose request stood unanswered, or what is known to be missing, whichever says more. What the
 * client itself asked is left out: it could ask into the void to make its orphans look lost. */
static double lost(
        const struct mm_ledger *l, const struct mm_issuer *issuer, const struct mm_addr *client)
{
	const struct mm_cell *own = mm_ledger_host(l, issuer->name, client);
	uint64_t exchanges = issuer->n_exchanges - (own != NULL ? own->n_exchanges : 0);
	uint64_t unanswered = issuer->n_unanswered - (own != NULL ? own->n_unanswered : 0);
	double share = (double)unanswered / (double)(exchanges + 1), worst = 0;
	for (size_t i = 0; i < issuer->n_kdcs; i++)
		if (issuer->kdcs[i].vouched)
			worst = fmax(worst,
			        lost_share(mm_table_find(&l->losses, &issuer->kdcs[i].addr)));
	double kept = pow(1.0 - lost_share(&l->sensor), EXCHANGE_PACKETS);
	return fmax(share, 1.0 - (1.0 - worst) * kept);
}

struct mm_miss mm_ledger_miss(const struct mm_ledger *l, uint32_t issuer_folded,
        const struct mm_addr *client, enum mm_miss_class of, int64_t watched_ns, double own)
{
	const double floor = 1e-5; /* SCORING: no tap is better than this */
	const struct mm_issuer *issuer = mm_ledger_issuer(l, issuer_folded);
	struct mm_miss miss = { .a = 1, .b = 0, .c = 1, .m = 1 };
	if (issuer == NULL || issuer->n_issued == 0)
		return miss;
	miss.watched_ns = watched_ns > 0 ? watched_ns : 0;
	miss.a = fmax(0, 1.0 - (double)miss.watched_ns / (double)l->config.lifetime_ns);
	miss.b = lost(l, issuer, client);
	miss.c = out_of_sight(l, issuer, client, of, own);
	miss.m = fmax(floor, 1.0 - (1.0 - miss.a) * (1.0 - miss.b) * (1.0 - miss.c));
	miss.n_hits = issuer->hits;
	miss.misses = fmax(0, issuer->misses - own);
	return miss;
}

static struct mm_latest latest_key(uint32_t issuer, uint32_t principal, const struct mm_addr *host)
{
	return (struct mm_latest){ .key = { issuer, principal, *host, { 0 } } };
}

const struct mm_latest *mm_ledger_latest(const struct mm_ledger *l, uint32_t issuer_folded,
        struct mm_str principal, const struct mm_addr *host)
{
	uint32_t name = mm_names_find_folded(&l->names, principal);
	struct mm_latest key = latest_key(issuer_folded, name, host);
	return name != 0 ? mm_table_find(&l->latest, &key.key) : NULL;
}

static enum mm_blind blindness(
        const struct mm_issuer *issuer, const struct mm_addr *client, enum mm_cred_kind kind)
{
	if (issuer == NULL || issuer->n_issued == 0)
		return MM_BLIND_ISSUER;
	/* A proxy before an issuer of tokens is its server on one leg and a client on the other. */
	return !mm_cred_is_token(kind) && is_kdc(issuer, client) ? MM_BLIND_LOCAL : MM_SEEING;
}

/* How long its issuer has been watched, of the life of such a credential. A token tells when it was made: it is older than
 * the sensor, or it is not. Refresh tokens live for weeks. */
static int64_t watched(const struct mm_ledger *l, const struct mm_issuer *issuer,
        const struct mm_cred *cred, int64_t at)
{
	if (cred->iat_s != 0)
		return mm_date_ns(cred->iat_s) >= issuer->first_ns ? l->config.lifetime_ns : 0;
	if (cred->kind == MM_CRED_REFRESH_TOKEN)
		return (at - issuer->first_ns) / REFRESH_LIVES;
	return at - issuer->first_ns;
}

/* A code shows no more than that its login was not seen, and an assertion of a client's own is issued by nobody. */
static bool can_be_orphan(enum mm_cred_kind kind)
{
	return kind != MM_CRED_CODE && kind != MM_CRED_CLIENT_ASSERTION &&
	       kind != MM_CRED_ASSERTION;
}

static void sight(struct mm_ledger *l, const struct mm_event *ev, const struct mm_cred *cred,
        struct mm_sighting *s)
{
	bool fresh;
	*s = (struct mm_sighting){ .cred = cred };
	int64_t at = ev->request_ns != 0 ? ev->request_ns : ev->time_ns;
	s->row = put_row(l, &cred->fp, at, &fresh);
	if (s->row == NULL)
		return;
	struct mm_row *row = s->row;
	if (fresh) /* names are stored when issued: anybody can present made-up ones */
		set_party(l, row, &(struct mm_party){ .host = *mm_event_client(ev) });
	s->copy = mm_cred_is_token(cred->kind) && mm_tokens_copy(l, ev, cred);
	if (s->copy) {
		s->orphan = false;
		return;
	}
	s->first = row->n_presented == 0;
	if (row->n_presented++ == 0)
		row->first_ns = at;
	row->last_ns = at;
	if (ev->outcome == MM_SUCCESS && cred->role == MM_ROLE_PRESENTED) {
		row->flags |= MM_ROW_ACCEPTED;
		if (row->issued_ns != 0 && at > row->issued_ns + l->config.lifetime_ns)
			row->flags |= MM_ROW_OUTLIVED;
	}
	l->n_presented++;
	uint32_t issuer_name = mm_names_find_folded(&l->names, cred->issuer);
	struct mm_issuer *issuer = mm_table_find(&l->issuers, &issuer_name);
	s->orphan = can_be_orphan(cred->kind) && !is_issued(issuer, row);
	s->claimed = s->orphan && (row->flags & MM_ROW_CLAIMED);
	if (issuer != NULL && s->claimed && row->kdc < issuer->n_kdcs) {
		issuer->kdcs[row->kdc].n_claimed++;
	} else if (issuer != NULL) {
		issuer->n_presented++;
		issuer->n_matched += s->orphan ? 0 : 1;
		issuer->n_orphans += s->orphan && s->first ? 1 : 0;
	}
	if (s->orphan) {
		s->blind = blindness(issuer, mm_event_client(ev), cred->kind);
		s->miss = mm_ledger_miss(l, issuer_name, mm_event_client(ev),
		        mm_cred_is_token(cred->kind) ? MM_MISS_TOKEN : MM_MISS_ANY,
		        issuer != NULL ? watched(l, issuer, cred, at) : 0, (double)row->missed);
	}
}

static void count_loss(struct mm_ledger *l, const struct mm_event *ev)
{
	bool is_loss = ev->kind == MM_EV_LOSS;
	struct mm_loss *loss = &l->sensor;
	if (ev->dst.addr.family != 0)
		loss = mm_table_put(&l->losses, &ev->dst.addr, NULL);
	if (loss == NULL)
		return;
	loss->n_lost += ev->n_lost;
	loss->n_seen += is_loss ? ev->n_seen : 1;
}

void mm_ledger_present(struct mm_ledger *l, const struct mm_event *ev, struct mm_look *look)
{
	look->ev =
	        ev; /* the rest is written before it is read: not worth clearing for each event */
	look->n_seen = 0;
	look->proof = NULL;
	count_loss(l, ev);
	mm_attempts_note(&l->attempts, ev, &look->attempt);
	for (size_t i = 0; i < ev->n_creds; i++) {
		if (ev->creds[i].role == MM_ROLE_ISSUED)
			continue;
		struct mm_sighting *s = &look->seen[look->n_seen];
		sight(l, ev, &ev->creds[i], s);
		if (s->row == NULL)
			continue;
		if (mm_cred_is_token(s->cred->kind)) {
			s->token = &look->tokens[look->n_seen];
			if (s->copy)
				memset(s->token, 0, sizeof *s->token);
			else
				mm_tokens_look(l, ev, s->cred, s->token);
		}
		look->n_seen++;
		if (s->cred->role == MM_ROLE_PRESENTED && look->proof == NULL)
			look->proof = s;
	}
	mm_apps_look(l, look, &look->app);
	mm_travels_look(l, look, &look->travel);
}

/* The realm whose KDC this event speaks with; NULL when it is no exchange with a KDC. */
static struct mm_issuer *note_exchange(struct mm_ledger *l, const struct mm_look *look)
{
	const struct mm_event *ev = look->ev;
	const struct mm_cred *issued = mm_event_find_cred(ev, MM_ROLE_ISSUED);
	bool fresh;
	if (issued == NULL && (ev->reply_alg != 0 || ev->stack == 0))
		return NULL; /* stack: only requests to an issuer have one */
	struct mm_str realm = issued != NULL ? issued->issuer : ev->user_realm;
	uint32_t name = issued != NULL ? mm_names_put_folded(&l->names, realm)
	                               : mm_names_find_folded(&l->names, realm);
	/* A realm that was only asked for is no issuer: made-up realms would fill the table. */
	struct mm_issuer *issuer = mm_table_find(&l->issuers, &name);
	if (issuer == NULL && l->issuers.n >= ISSUERS_MAX)
		return NULL; /* made-up realms must not push out those that are watched */
	if (issued != NULL)
		issuer = mm_table_put(&l->issuers, &name, &fresh);
	if (issuer == NULL)
		return NULL;
	int64_t at = ev->request_ns != 0 ? ev->request_ns : ev->time_ns;
	if (issued != NULL && fresh) {
		int64_t since = l->config.complete_since_ns;
		issuer->first_ns = since != 0 && since < at ? since : at;
		issuer->name_spelled = mm_names_put(&l->names, realm);
	}
	issuer->last_ns = ev->time_ns;
	if (!is_kdc(issuer, &ev->dst.addr) && issued == NULL)
		return issuer; /* a request to nobody in particular says nothing of the KDCs */
	struct mm_cell *host = put_cell(l, name, mm_event_client(ev), true);
	issuer->n_exchanges++;
	issuer->n_unanswered += ev->response_ns == 0;
	if (host != NULL) {
		host->n_exchanges++;
		host->n_unanswered += ev->response_ns == 0;
	}
	return issuer;
}

static int64_t nth(uint64_t before)
{
	return before < 2 ? (int64_t)before + 1 : 3;
}

/* Renewed and forwarded TGTs hold more than those of the AS exchange. Many are issued and never shown: they count when
 * they are, as it is of what is shown that an orphan's length is judged. */
static void learn_step(struct mm_ledger *l, uint32_t issuer, const struct mm_row *row,
        const struct mm_addr *client)
{
	struct mm_baseline *b = &l->baseline;
	const struct mm_cred cred = { .alg = mm_ledger_mint(l, row)->alg, .length = row->length };
	struct mm_str principal = mm_names_text(&l->names, mm_ledger_party(l, row)->principal);
	uint32_t user = mm_names_find_folded(&l->names, principal);
	int64_t length = mm_plain_length(&cred);
	struct mm_share had = mm_baseline_share(b, MM_TRAIT_TGT_LENGTH, issuer, user, length);
	char addr[MM_ADDR_TEXT];
	if (!mm_fp_is_set(&mm_ledger_lineage(l, row)->parent) || had.n == 0)
		return;
	mm_baseline_count(b, MM_TRAIT_TGT_STEP, issuer, 0, mm_step(had.latest, length));
	if (!(row->flags & MM_ROW_FORWARDED)) {
		mm_baseline_count(b, MM_TRAIT_TGT_STEP_OWN, issuer, 0, mm_step(had.latest, length));
		return;
	}
	(void)mm_addr_text(client, addr);
	uint32_t host = mm_names_put(&l->names, (struct mm_str){ addr, strlen(addr) });
	had = mm_baseline_share(b, MM_TRAIT_FORWARDED_NTH, issuer, host, 0);
	mm_baseline_count(b, MM_TRAIT_FORWARDED_NTH, issuer, 0, nth(had.n));
	mm_baseline_count(b, MM_TRAIT_FORWARDED_NTH, issuer, host, 0);
}

/* A first presentation tells how well this issuer is covered. A miss counts by the chance that it was issued
 * out of sight, given the other reasons for which it can be missing. */
static void learn_coverage(
        struct mm_ledger *l, const struct mm_look *look, const struct mm_sighting *s)
{
	const struct mm_addr *client = mm_event_client(look->ev);
	uint32_t name = mm_names_find_folded(&l->names, s->cred->issuer);
	struct mm_issuer *issuer = mm_table_find(&l->issuers, &name);
	bool token = mm_cred_is_token(s->cred->kind);
	if (issuer == NULL || !s->first || s->claimed || s->blind != MM_SEEING ||
	        (!token && is_kdc(issuer, client)) || (token && !can_be_orphan(s->cred->kind)))
		return;
	if (s->orphan && look->ev->outcome != MM_SUCCESS)
		return; /* anybody can present garbage: it must not lower coverage */
	double miss = s->orphan ? s->miss.c * (1 - s->miss.a) * (1 - s->miss.b) / s->miss.m : 0;
	s->row->missed = (float)miss;
	struct mm_cell *cells[2] = { put_cell(l, name, client, false),
		put_cell(l, name, client, true) };
	issuer->hits += s->orphan ? 0 : 1;
	issuer->misses += miss;
	if (cells[1] != NULL && cells[1]->hits == 0 && cells[1]->misses <= 0) {
		issuer->new_hits += s->orphan ? 0 : 1;
		issuer->new_misses += miss;
	}
	for (size_t i = 0; i < 2; i++) {
		if (cells[i] == NULL)
			continue;
		cells[i]->hits += s->orphan ? 0 : 1;
		cells[i]->misses += miss;
	}
	if (!s->orphan && s->cred->kind == MM_CRED_TGT)
		learn_step(l, name, s->row, client);
	if (!s->orphan && s->cred->kind == MM_CRED_TGT && s->cred->role == MM_ROLE_PRESENTED &&
	        !(s->row->flags & MM_ROW_FORWARDED)) {
		const struct mm_latest *latest = mm_ledger_latest(l, name,
		        mm_names_text(&l->names, mm_ledger_party(l, s->row)->principal), client);
		if (latest != NULL)
			mm_baseline_count(&l->baseline, MM_TRAIT_LATEST_TGT, name, 0,
			        mm_fp_eq(&latest->fp, &s->cred->fp));
	}
	/* How often does what is presented come from a host that is never seen to obtain? Asked of orphans once the
	 * host's caches must have been renewed in view. */
	const struct mm_cell *host = cells[1];
	if (host != NULL && (host->n_obtained != 0 || !s->orphan || s->miss.a <= 0))
		mm_baseline_count(
		        &l->baseline, MM_TRAIT_HOST_OBTAINS, name, 0, host->n_obtained != 0);
}

/* Whose TGTs are how long, and who obtains them where. A forwarded one will be used where its user obtains none. */
static void learn_user(struct mm_ledger *l, const struct mm_look *look, const struct mm_cred *cred,
        uint32_t issuer)
{
	struct mm_baseline *b = &l->baseline;
	char text[MM_ADDR_TEXT + MM_STR_MAX];
	const struct mm_addr *host = mm_event_client(look->ev);
	bool bought = look->proof != NULL &&
	              (look->proof->orphan ||
	                      mm_fp_is_set(&mm_ledger_lineage(l, look->proof->row)->root));
	if (cred->kind != MM_CRED_TGT || cred->principal.len == 0 || bought)
		return;
	uint32_t user = mm_names_put_folded(&l->names, cred->principal);
	int64_t length = mm_plain_length(cred);
	struct mm_share had = mm_baseline_share(b, MM_TRAIT_TGT_LENGTH, issuer, user, length);
	mm_baseline_count(b, MM_TRAIT_USER_NTH, issuer, 0, nth(had.n));
	uint32_t spelled = mm_names_put(&l->names, cred->principal);
	struct mm_share form = mm_baseline_share(b, MM_TRAIT_USER_SPELLED, issuer, user, spelled);
	if (form.n != 0)
		mm_baseline_count(b, MM_TRAIT_USER_FORM, issuer, 0, form.k == 0);
	mm_baseline_count(b, MM_TRAIT_USER_SPELLED, issuer, user, spelled);
	if (had.n != 0 && look->proof == NULL) {
		mm_baseline_count(b, MM_TRAIT_TGT_STEP, issuer, 0, mm_step(had.latest, length));
		mm_baseline_count(b, MM_TRAIT_TGT_STEP_OWN, issuer, 0, mm_step(had.latest, length));
	}
	if (look->proof == NULL) /* of the AS exchange: the others are measured against it */
		mm_baseline_count(b, MM_TRAIT_TGT_LENGTH, issuer, user, length);
	if (look->ev->flags & MM_EVF_FORWARDED) {
		mm_baseline_count(b, MM_TRAIT_HERE_NTH, issuer, 0, 1);
		return;
	}
	uint32_t here = mm_names_put_folded(&l->names, here_text(cred->principal, host, text));
	/* Is it a desk, where users and not the machine alone log on? */
	bool machine = cred->principal.p[cred->principal.len - 1] == '$';
	if (look->proof == NULL && !machine) {
		uint32_t desk = mm_names_put(
		        &l->names, (struct mm_str){ text, strlen(mm_addr_text(host, text)) });
		mm_baseline_count(b, MM_TRAIT_TGT_HERE, issuer, desk, 0);
	}
	had = mm_baseline_share(b, MM_TRAIT_TGT_HERE, issuer, here, 0);
	mm_baseline_count(b, MM_TRAIT_HERE_NTH, issuer, 0, nth(had.n));
	mm_baseline_count(b, MM_TRAIT_TGT_HERE, issuer, here, 0);
}

static void learn_traits(
        struct mm_ledger *l, const struct mm_look *look, const struct mm_cred *cred)
{
	struct mm_baseline *b = &l->baseline;
	const struct mm_event *ev = look->ev;
	char machine[MM_STR_MAX];
	uint32_t issuer = mm_names_put_folded(&l->names, cred->issuer);
	uint32_t service = mm_names_put_folded(&l->names, cred->service);
	uint32_t scopes[3] = { cred->kind == MM_CRED_TGT ? mm_scope_kind(cred) : service,
		mm_names_put_folded(&l->names, machine_text(cred, machine)), mm_scope_kind(cred) };
	for (size_t i = 0; i < 3; i++) {
		if (scopes[i] == 0 || (i == 2 && scopes[0] == scopes[2]))
			continue;
		mm_baseline_count(b, MM_TRAIT_KVNO, issuer, scopes[i], cred->kvno);
		mm_baseline_count(b, MM_TRAIT_ETYPE, issuer, scopes[i], cred->alg);
		mm_baseline_count(b, MM_TRAIT_NAME_TYPE, issuer, scopes[i], cred->name_type);
		mm_baseline_length(b, issuer, scopes[i], mm_plain_length(cred));
	}
	uint32_t owner = mm_scope_owner(cred, cred->principal);
	if (owner != scopes[2])
		mm_baseline_length(b, issuer, owner, mm_plain_length(cred));
	mm_baseline_count(b, MM_TRAIT_REALM_FORM, issuer, 0, mm_names_put(&l->names, cred->issuer));
	if (cred->kind == MM_CRED_TGT)
		mm_baseline_count(
		        b, MM_TRAIT_TGT_FORM, issuer, 0, mm_names_put(&l->names, cred->service));
	learn_user(l, look, cred, issuer);
	if (scopes[1] != 0)
		mm_baseline_count(b, MM_TRAIT_SERVICE_FORM, issuer, scopes[1], service);
	if (look->proof != NULL) {
		char addr[MM_ADDR_TEXT];
		(void)mm_addr_text(mm_event_client(ev), addr);
		uint32_t host = mm_names_put(&l->names, (struct mm_str){ addr, strlen(addr) });
		mm_baseline_count(b, MM_TRAIT_REPLY_ETYPE, issuer, 0, ev->reply_alg);
		mm_baseline_count(b, MM_TRAIT_REPLY_ETYPE, issuer, host, ev->reply_alg);
		mm_baseline_count(b, MM_TRAIT_STACK, issuer, 0, (int64_t)ev->stack);
		mm_baseline_count(b, MM_TRAIT_STACK, issuer, host, (int64_t)ev->stack);
	}
}

/* By what it was obtained, and whose it is. */
static void inherit(struct mm_ledger *l, struct mm_row *row, const struct mm_sighting *proof,
        struct mm_party *party)
{
	const struct mm_row *parent = proof->row;
	struct mm_lineage lineage = *mm_ledger_lineage(l, row);
	const struct mm_lineage *parents = mm_ledger_lineage(l, parent);
	lineage.parent = parent->fp;
	if (mm_fp_is_set(&parents->root))
		lineage.root = parents->root;
	/* Where an issuer of tokens is out of sight, all of its are orphans, and nothing is said by that. */
	bool blind = proof->token != NULL && proof->blind == MM_BLIND_ISSUER &&
	             proof->token->verdict != MM_INVALID;
	if (proof->orphan && !blind)
		lineage.root = parent->fp;
	set_lineage(l, row, &lineage);
	if (party->principal == 0) { /* FAST hid the name: it is the parent's */
		party->principal = mm_ledger_party(l, parent)->principal;
		party->principal_realm = mm_ledger_party(l, parent)->principal_realm;
	}
}

void mm_row_set_packet(struct mm_row *row, struct mm_pkt pkt)
{
	const uint64_t number_max = (UINT64_C(1) << 48) - 1;
	const uint32_t file_max = (UINT32_C(1) << 24) - 1;
	bool fits = pkt.number <= number_max && pkt.file <= file_max;
	row->issued_number = fits ? pkt.number & number_max : 0;
	row->issued_file = fits ? pkt.file & file_max : 0;
}

/* What is told of it when it is issued. */
static void fill_row(struct mm_ledger *l, struct mm_row *row, const struct mm_look *look,
        const struct mm_cred *cred)
{
	const struct mm_event *ev = look->ev;
	struct mm_mint mint = { .kvno = cred->kvno, .alg = cred->alg, .kind = cred->kind };
	mint.issuer = mm_names_put(&l->names, cred->issuer);
	mint.service = mm_names_put(&l->names, cred->service);
	set_mint(l, row, &mint);
	row->length = cred->length;
	row->issued_ns = ev->response_ns != 0 ? ev->response_ns : ev->time_ns;
	mm_row_set_packet(row, ev->response_pkt);
	row->flags |= ev->flags & MM_EVF_FORWARDED ? MM_ROW_FORWARDED : 0;
	row->flags |= ev->flags & (MM_EVF_S4U_SELF | MM_EVF_S4U_PROXY) ? MM_ROW_S4U : 0;
	row->flags |= ev->flags & MM_EVF_ANONYMOUS ? MM_ROW_HIDDEN : 0;
	struct mm_party party = { .host = *mm_event_client(ev) };
	party.principal = mm_names_put(&l->names, cred->principal);
	party.principal_realm = mm_names_put(&l->names, cred->principal_realm);
	if (look->proof != NULL)
		inherit(l, row, look->proof, &party);
	set_party(l, row, &party);
	uint32_t number = mm_table_number(&l->rows, row);
	mm_expiry_note(&l->expiry, number, mm_ledger_row_end(l, number));
}

/* The client's host obtained it: its latest TGT, and that it obtains at all. */
static void note_obtained(struct mm_ledger *l, const struct mm_look *look,
        const struct mm_cred *cred, const struct mm_issuer *issuer, const struct mm_row *row)
{
	const struct mm_addr *client = mm_event_client(look->ev);
	const struct mm_party *party = mm_ledger_party(l, row);
	struct mm_cell *host = put_cell(l, issuer->name, client, true);
	struct mm_cell *network = put_cell(l, issuer->name, client, false);
	if (cred->kind == MM_CRED_TGT && !(row->flags & (MM_ROW_FORWARDED | MM_ROW_S4U))) {
		struct mm_latest key = latest_key(issuer->name,
		        mm_names_put_folded(&l->names, mm_names_text(&l->names, party->principal)),
		        client);
		struct mm_latest *latest = mm_table_put(&l->latest, &key.key, NULL);
		if (latest != NULL) {
			latest->fp = cred->fp;
			latest->issued_ns = row->issued_ns;
		}
	}
	/* What an orphan bought is no sign that its holder draws tickets in view. */
	bool vouched = row->flags & MM_ROW_ISSUED;
	if (host != NULL && network != NULL && vouched &&
	        !mm_fp_is_set(&mm_ledger_lineage(l, row)->root)) {
		host->n_obtained++;
		network->n_obtained += cred->kind == MM_CRED_ACCESS_TOKEN; /* one an exchange */
		struct mm_str who = cred->principal;
		if (cred->kind == MM_CRED_TGT && who.len > 1 && who.p[who.len - 1] == '$')
			host->machine = party->principal;
	}
}

/* Its issuance became known a moment after its first use: it was never missing. */
static void take_back_miss(struct mm_ledger *l, struct mm_row *row, struct mm_issuer *issuer)
{
	const struct mm_addr host = mm_ledger_party(l, row)->host;
	struct mm_cell *cells[2] = { put_cell(l, issuer->name, &host, false),
		put_cell(l, issuer->name, &host, true) };
	double missed = (double)row->missed;
	if (!(missed > 0))
		return;
	row->missed = 0;
	issuer->misses = fmax(0, issuer->misses - missed);
	issuer->hits++;
	if (cells[1] != NULL && cells[1]->hits == 0 && cells[1]->misses <= missed) {
		issuer->new_misses = fmax(0, issuer->new_misses - missed);
		issuer->new_hits++;
	}
	for (size_t i = 0; i < 2; i++) {
		if (cells[i] == NULL)
			continue;
		cells[i]->misses = fmax(0, cells[i]->misses - missed);
		cells[i]->hits++;
	}
}

static void issue(struct mm_ledger *l, const struct mm_look *look, const struct mm_cred *cred,
        struct mm_issuer *issuer)
{
	const struct mm_event *ev = look->ev;
	bool fresh;
	int64_t at = ev->request_ns != 0 ? ev->request_ns : ev->time_ns;
	struct mm_row *row = put_row(l, &cred->fp, at, &fresh);
	if (row == NULL)
		return;
	size_t kdc = note_kdc(issuer, &ev->dst.addr, mm_event_client(ev));
	if (row->flags & (MM_ROW_ISSUED | MM_ROW_CLAIMED)) {
		l->n_reissued++;
		/* Another leg of the same answer, nearer to who gets it. */
		struct mm_party party = *mm_ledger_party(l, row);
		if (mm_cred_is_token(cred->kind) && mm_addr_eq(&party.host, &ev->dst.addr)) {
			party.host = *mm_event_client(ev);
			set_party(l, row, &party);
		}
		return;
	}
	/* Nobody presents what is issued later. */
	if (row->n_presented != 0 && ev->time_ns > row->first_ns + REORDERING_NS)
		return;
	if (row->n_presented != 0)
		take_back_miss(l, row, issuer);
	/* Whoever could sign tokens of this issuer need not stage a server that hands them out. */
	bool vouched =
	        mm_cred_is_token(cred->kind) || (kdc < MM_KDCS_MAX && issuer->kdcs[kdc].vouched);
	row->flags |= vouched ? MM_ROW_ISSUED : MM_ROW_CLAIMED;
	row->kdc = (uint8_t)kdc;
	fill_row(l, row, look, cred);
	l->n_issued++;
	issuer->n_issued++;
	note_obtained(l, look, cred, issuer, row);
}

void mm_ledger_settle(struct mm_ledger *l, const struct mm_look *look, bool trusted)
{
	const struct mm_event *ev = look->ev;
	struct mm_issuer *issuer = note_exchange(l, look);
	mm_travels_settle(l, look, trusted);
	if (trusted)
		for (size_t i = 0; i < look->n_seen; i++)
			if (look->seen[i].cred->role != MM_ROLE_EVIDENCE)
				learn_coverage(l, look, &look->seen[i]);
	if (issuer != NULL && trusted && look->proof != NULL && ev->response_ns != 0)
		mm_baseline_count(&l->baseline, MM_TRAIT_TGS_ERROR, issuer->name, 0,
		        ev->status.domain == MM_STATUS_KRB5 ? (int64_t)ev->status.code : 0);
	for (size_t i = 0; i < ev->n_creds; i++) {
		if (ev->creds[i].role != MM_ROLE_ISSUED || issuer == NULL)
			continue;
		issue(l, look, &ev->creds[i], issuer);
		if (trusted && is_kdc(issuer, &ev->dst.addr) &&
		        !mm_cred_is_token(ev->creds[i].kind))
			learn_traits(l, look, &ev->creds[i]);
	}
	mm_tokens_settle(l, look, trusted);
	mm_apps_settle(l, look, trusted);
	mm_asks_note(l, ev);
}
