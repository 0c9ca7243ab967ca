/* Findings for people: what was seen, why it matters, the arithmetic of its evidence, what was done with the
 * credential, what else could explain it. For a defender at night and for a report that must stand up. */
#include "output/output.h"

#include <string.h>

#include "output/words.h"

enum {
	LABEL = MM_PAGE_LABEL,
	WEIGHT_COLUMN = 14, /* at which the sentences of the evidence begin */
	TREE_FIRST = 4,     /* columns before the first level of the lineage */
	TREE_STEP = 3,
	TREE_DEPTH = 8, /* deeper levels are not indented further */
};

static void heading_line(struct mm_page *page, const struct mm_finding *f)
{
	static const char *const bands[] = { "LOW", "MEDIUM", "HIGH", "CRITICAL" };
	mm_buf_put(page->out, "\n", 1);
	mm_page_ink(page, MM_INK_LOW + (enum mm_ink)f->band);
	mm_buf_str(page->out, bands[f->band]);
	mm_page_ink(page, MM_INK_PLAIN);
	mm_buf_str(page->out, "  ");
	mm_page_ink(page, MM_INK_BOLD);
	mm_buf_str(page->out, f->detector->name);
	mm_page_ink(page, MM_INK_PLAIN);
	mm_buf_str(page->out, "  score ");
	mm_words_weight(page->out, f->score);
	mm_buf_str(page->out, " decibans, probability ");
	mm_words_percent(page->out, f->probability);
	mm_buf_put(page->out, "\n", 1);
	struct mm_buf *b = mm_page_begin(page);
	mm_buf_str(b, f->detector->help);
	mm_page_end(page, "", 2);
}

static const char *kind_words(enum mm_cred_kind kind)
{
	static const char *const words[MM_CRED_KINDS] = {
		[MM_CRED_NONE] = "a credential",
		[MM_CRED_TGT] = "a ticket-granting ticket",
		[MM_CRED_REFERRAL] = "a referral ticket",
		[MM_CRED_SERVICE] = "a service ticket",
		[MM_CRED_CODE] = "a code",
		[MM_CRED_ACCESS_TOKEN] = "an access token",
		[MM_CRED_REFRESH_TOKEN] = "a refresh token",
		[MM_CRED_ID_TOKEN] = "an ID token",
		[MM_CRED_ASSERTION] = "an assertion",
		[MM_CRED_CLIENT_ASSERTION] = "a client assertion",
	};
	return words[kind];
}

/* "It was accepted 3 times, refused once" */
static void outcome_words(struct mm_buf *b, const struct mm_facts *facts)
{
	uint64_t known = facts->n_accepted + facts->n_refused;
	if (facts->n_uses == 1) {
		mm_buf_str(b, facts->n_accepted != 0  ? "It was accepted."
		              : facts->n_refused != 0 ? "It was refused."
		                                      : "No answer was seen.");
		return;
	}
	mm_buf_str(b, "It was shown ");
	mm_words_count(b, facts->n_uses, "time");
	mm_buf_str(b, ": ");
	mm_buf_u64(b, facts->n_accepted);
	mm_buf_str(b, " accepted, ");
	mm_buf_u64(b, facts->n_refused);
	mm_buf_str(b, " refused");
	if (facts->n_uses > known) {
		mm_buf_str(b, ", ");
		mm_buf_u64(b, facts->n_uses - known);
		mm_buf_str(b, " without an answer seen");
	}
	mm_buf_put(b, ".", 1);
}

/* A finding about somebody or something that is no credential. */
static void subject(struct mm_page *page, const struct mm_finding *f)
{
	struct mm_buf *b = mm_page_begin(page);
	mm_words_name(b, f->facts.subject);
	if (f->facts.n_uses != 0) {
		mm_buf_str(b, ": ");
		mm_words_count(b, f->facts.n_uses, "event");
	}
	mm_buf_put(b, ".", 1);
	mm_page_end(page, "  What", LABEL);
}

static void what(struct mm_page *page, const struct mm_finding *f)
{
	const struct mm_facts *facts = &f->facts;
	if (facts->subject[0] != '\0') {
		subject(page, f);
		return;
	}
	struct mm_buf *b = mm_page_begin(page);
	mm_words_addr(b, &facts->client);
	mm_buf_str(b, facts->role == MM_ROLE_EVIDENCE ? " handed " : " presented ");
	mm_buf_str(b, kind_words(facts->kind));
	mm_buf_str(b, " of ");
	mm_words_name(b, facts->issuer[0] != '\0' ? facts->issuer : "an unknown issuer");
	if (facts->kind == MM_CRED_SERVICE ||
	        (mm_cred_is_token(facts->kind) && facts->service[0] != '\0')) {
		mm_buf_str(b, " for ");
		mm_words_name(b, facts->service);
	}
	if (facts->user[0] != '\0') {
		mm_buf_str(b, " as ");
		mm_words_name(b, facts->user);
	}
	mm_buf_str(b, " to ");
	mm_words_endpoint(b, &facts->server, facts->server_port);
	mm_buf_str(b, " (");
	mm_buf_str(b, f->protocol);
	mm_buf_str(b, "). ");
	outcome_words(b, facts);
	mm_page_end(page, "  What", LABEL);
}

static void token_date(struct mm_buf *b, const char *name, int64_t date_s)
{
	if (date_s == 0)
		return;
	mm_buf_str(b, name);
	mm_words_time(b, mm_date_ns(date_s));
}

static void token(struct mm_page *page, const struct mm_facts *facts)
{
	const struct mm_token_facts *t = &facts->token;
	struct mm_buf *b = mm_page_begin(page);
	mm_buf_str(b, t->jwt ? (t->encrypted ? "JWE, " : "JWT, ") : "opaque, ");
	mm_words_count(b, facts->length, "byte");
	if (t->alg[0] != '\0') {
		mm_buf_str(b, ", alg ");
		mm_words_name(b, t->alg);
	}
	if (t->kid[0] != '\0') {
		mm_buf_str(b, ", kid ");
		mm_words_name(b, t->kid);
	}
	if (t->client[0] != '\0') {
		mm_buf_str(b, ", client ");
		mm_words_name(b, t->client);
	}
	if (t->tenant[0] != '\0') {
		mm_buf_str(b, ", tenant ");
		mm_words_name(b, t->tenant);
	}
	token_date(b, ", issued at ", t->iat_s);
	token_date(b, ", expires ", t->exp_s);
	mm_page_end(page, "  Token", LABEL);
	b = mm_page_begin(page);
	mm_words_fp(b, &facts->fp);
	mm_page_end(page, "  Fingerprint", LABEL);
}

static void ticket(struct mm_page *page, const struct mm_facts *facts)
{
	if (facts->subject[0] != '\0')
		return;
	if (mm_cred_is_token(facts->kind)) {
		token(page, facts);
		return;
	}
	struct mm_buf *b = mm_page_begin(page);
	mm_words_name(b, facts->service);
	mm_buf_put(b, "@", 1);
	mm_words_name(b, facts->issuer);
	mm_buf_str(b, ", ");
	if (facts->kvno >= 0) {
		mm_buf_str(b, "kvno ");
		mm_buf_i64(b, facts->kvno);
	} else {
		mm_buf_str(b, "no kvno");
	}
	mm_buf_str(b, ", etype ");
	mm_words_etype(b, facts->alg);
	mm_buf_str(b, ", ");
	mm_words_count(b, facts->length, "byte");
	mm_page_end(page, "  Ticket", LABEL);
	b = mm_page_begin(page);
	mm_words_fp(b, &facts->fp);
	mm_page_end(page, "  Fingerprint", LABEL);
	if (facts->other[0] == '\0')
		return;
	b = mm_page_begin(page);
	mm_words_name(b, facts->other);
	mm_page_end(page, "  Issued as", LABEL);
}

static void who_and_when(struct mm_page *page, const struct mm_finding *f)
{
	const struct mm_facts *facts = &f->facts;
	struct mm_buf *b = mm_page_begin(page);
	if (facts->user[0] != '\0')
		mm_words_name(b, facts->user);
	else if (facts->subject[0] != '\0' || mm_cred_is_token(facts->kind))
		mm_buf_str(b, "not named");
	else
		mm_buf_str(b, "not visible: the client's name is inside the ticket's encryption");
	mm_page_end(page, "  Account", LABEL);
	if (facts->kind == MM_CRED_SERVICE) {
		b = mm_page_begin(page);
		mm_buf_str(b, "the account that runs ");
		mm_words_name(b, facts->service);
		mm_page_end(page, "  Key of", LABEL);
	}
	b = mm_page_begin(page);
	mm_buf_str(b, "from ");
	mm_words_endpoint(b, &f->src.addr, f->src.port);
	mm_buf_str(b, " to ");
	mm_words_endpoint(b, &facts->server, facts->server_port);
	mm_buf_str(b, ", Community ID ");
	mm_buf_str(b, f->community_id);
	mm_page_end(page, "  Hosts", LABEL);
	b = mm_page_begin(page);
	mm_words_time(b, facts->first_ns);
	if (facts->last_ns > facts->first_ns) {
		mm_buf_str(b, " to ");
		mm_words_time(b, facts->last_ns);
	}
	mm_page_end(page, "  When", LABEL);
}

/* What was not measured but taken as given. */
static void assumed(struct mm_page *page, const struct mm_facts *facts)
{
	if (!(facts->miss.m > 0) || facts->token.jwt)
		return;
	struct mm_buf *b = mm_page_begin(page);
	mm_buf_str(b, "no ticket lives longer than ");
	mm_words_duration(b, page->summary->ledger->config.lifetime_ns);
	mm_buf_str(b, " (option ledger.ticket_lifetime)");
	if (page->summary->ledger->config.complete_since_ns != 0) {
		mm_buf_str(b, "; all that was issued since ");
		mm_buf_time(b, page->summary->ledger->config.complete_since_ns);
		mm_buf_str(b, " was captured (option ledger.complete_since)");
	}
	mm_page_end(page, "  Assumed", LABEL);
}

static void weight_line(struct mm_page *page, double weight)
{
	char lead[WEIGHT_COLUMN + 1];
	struct mm_buf number = { 0 };
	mm_words_weight(&number, weight);
	size_t len = number.len < WEIGHT_COLUMN - 2 ? number.len : WEIGHT_COLUMN - 2;
	memset(lead, ' ', sizeof lead);
	if (number.len != 0)
		memcpy(lead + WEIGHT_COLUMN - 2 - len, number.p, len);
	lead[WEIGHT_COLUMN] = '\0';
	page->out->failed = page->out->failed || number.failed;
	mm_buf_done(&number);
	mm_page_end(page, lead, WEIGHT_COLUMN);
}

static void evidence(struct mm_page *page, const struct mm_finding *f)
{
	mm_page_heading(page, "Evidence, in decibans: +10 makes forgery ten times as likely");
	struct mm_buf *b = mm_page_begin(page);
	mm_buf_str(b, "before any evidence: odds of 1 to ");
	mm_buf_fixed(b, 1 / mm_probability(f->prior) - 1, 0);
	weight_line(page, f->prior);
	for (size_t i = 0; i < f->n_evidence; i++) {
		const struct mm_evidence *e = &f->evidence[i];
		b = mm_page_begin(page);
		mm_words_name(b, e->what);
		mm_buf_str(b, " [");
		mm_buf_str(b, mm_weight(e->weight_id)->id);
		if (e->n_pkts != 0)
			mm_buf_str(b, ": ");
		mm_words_pkts(b, page->summary->files, e->pkts, e->n_pkts, 0);
		mm_buf_put(b, "]", 1);
		weight_line(page, e->weight);
	}
	mm_buf_str(page->out, "       -----\n");
	b = mm_page_begin(page);
	mm_buf_str(b, "score: probability ");
	mm_words_percent(b, f->probability);
	weight_line(page, f->score);
}

static void use_words(struct mm_page *page, const struct mm_use *u, size_t depth)
{
	static const char blank[TREE_FIRST + TREE_STEP * TREE_DEPTH + 3] = "";
	char lead[sizeof blank];
	size_t indent = TREE_FIRST + TREE_STEP * (depth < TREE_DEPTH ? depth : TREE_DEPTH);
	memset(lead, ' ', indent);
	memcpy(lead + indent, "- ", 3);
	struct mm_buf *b = mm_page_begin(page);
	mm_words_time(b, u->time_ns);
	mm_buf_put(b, " ", 1);
	mm_words_addr(b, &u->client);
	mm_buf_str(b, " to ");
	mm_words_endpoint(b, &u->server, u->server_port);
	mm_buf_put(b, " ", 1);
	mm_buf_str(b, u->action);
	mm_buf_str(b, ": ");
	mm_words_verdict(b, u->outcome, u->status);
	if (mm_fp_is_set(&u->obtained)) {
		mm_buf_str(b, "; obtained ");
		mm_words_name(b, u->service);
		if (u->user[0] != '\0') {
			mm_buf_str(b, " as ");
			mm_words_name(b, u->user);
		}
		mm_buf_str(b, ", fingerprint ");
		mm_words_fp(b, &u->obtained);
	} else if (u->service[0] != '\0') {
		mm_buf_str(b, "; shown: ");
		mm_words_name(b, u->service);
	}
	if (u->n > 1) {
		mm_buf_str(b, ", ");
		mm_buf_u64(b, u->n);
		mm_buf_str(b, " times");
	}
	if (u->pkt.number != 0) {
		mm_buf_str(b, " [");
		mm_words_pkts(b, page->summary->files, &u->pkt, 1, 0);
		mm_buf_put(b, "]", 1);
	}
	mm_page_end(page, lead, indent + 2);
}

/** The first use not yet told that showed this credential; n_uses when there is none. */
static size_t next_use(const struct mm_finding *f, const bool *told, const struct mm_fp *shown)
{
	size_t i = 0;
	while (i < f->n_uses && (told[i] || (shown != NULL && !mm_fp_eq(&f->uses[i].shown, shown))))
		i++;
	return i;
}

/* A tree over what was shown and what was obtained with it. Each use is told once, so a credential that claims to be
 * its own ancestor ends the branch; what hangs on nothing that is listed begins a branch of its own. */
static void lineage(struct mm_page *page, const struct mm_finding *f)
{
	bool told[MM_FINDING_USES] = { false };
	struct mm_fp path[MM_FINDING_USES + 1]; /* credentials from the root to where we are */
	size_t n_told = 0, depth = 0;
	mm_page_heading(page, "What was done with it");
	path[0] = f->facts.fp;
	while (n_told < f->n_uses) {
		size_t i = next_use(f, told, &path[depth]);
		if (i == f->n_uses && depth != 0) {
			depth--;
			continue;
		}
		if (i == f->n_uses) {
			i = next_use(f, told, NULL);
			path[0] = f->uses[i].shown;
		}
		told[i] = true;
		n_told++;
		use_words(page, &f->uses[i], depth);
		if (mm_fp_is_set(&f->uses[i].obtained))
			path[++depth] = f->uses[i].obtained;
	}
	if (f->n_uses_more != 0) {
		struct mm_buf *b = mm_page_begin(page);
		mm_buf_str(b, "and ");
		mm_words_count(b, f->n_uses_more, "further use");
		mm_page_end(page, "    - ", TREE_FIRST + 2);
	}
}

static void alternatives(struct mm_page *page, const struct mm_detector *detector)
{
	if (detector->alternatives[0] == NULL)
		return;
	mm_page_heading(page, "What else could explain it");
	for (size_t i = 0; detector->alternatives[i] != NULL; i++) {
		struct mm_buf *b = mm_page_begin(page);
		mm_buf_str(b, detector->alternatives[i]);
		mm_page_end(page, "    - ", TREE_FIRST + 2);
	}
}

static void finding(struct mm_page *page, const struct mm_finding *f)
{
	heading_line(page, f);
	mm_buf_put(page->out, "\n", 1);
	what(page, f);
	ticket(page, &f->facts);
	who_and_when(page, f);
	struct mm_buf *b = mm_page_begin(page);
	mm_words_pkts(b, page->summary->files, f->pkts, f->n_pkts, f->n_pkts_more);
	mm_page_end(page, "  Packets", LABEL);
	b = mm_page_begin(page);
	mm_buf_str(b, f->detector->technique);
	mm_buf_put(b, " ", 1);
	mm_buf_str(b, f->detector->technique_name);
	mm_page_end(page, "  ATT&CK", LABEL);
	assumed(page, &f->facts);
	mm_page_heading(page, "Why it matters");
	b = mm_page_begin(page);
	mm_buf_str(b, f->detector->meaning);
	mm_page_end(page, "", TREE_FIRST);
	evidence(page, f);
	lineage(page, f);
	alternatives(page, f->detector);
}

void mm_text_finding(struct mm_buf *out, const struct mm_summary *summary,
        const struct mm_finding *f, bool color)
{
	struct mm_page page = { .out = out, .summary = summary, .color = color };
	finding(&page, f);
	mm_buf_done(&page.scratch);
}

void mm_text_report(struct mm_buf *out, const struct mm_summary *summary, bool color)
{
	struct mm_page page = { .out = out, .summary = summary, .color = color };
	for (size_t i = 0; i < summary->n_findings; i++) {
		const struct mm_finding *f = summary->findings[i];
		bool told = f->told > (unsigned)f->band; /* while watching */
		if (!f->bare && !told && f->band >= summary->text_band)
			finding(&page, f);
	}
	mm_page_summary(&page);
	mm_buf_done(&page.scratch);
}
