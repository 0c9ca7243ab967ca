/* The closing summary: what was read, what was found, how well the issuers were seen, what could not be judged and
 * what could not be seen. A count that is zero and of no news is left out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "output/words.h"

enum {
	LABEL = MM_PAGE_LABEL,
	FILES_SHOWN = 8,
	ISSUERS_SHOWN = 32,
	GROUPS_SHOWN = 16, /* of bare orphans */
	BARE_SHOWN = 8,    /* in each group */
	NAME_COLUMN = 28,
};

static void and_more(struct mm_buf *b, size_t n, size_t shown)
{
	if (n <= shown)
		return;
	mm_buf_str(b, " and ");
	mm_buf_u64(b, n - shown);
	mm_buf_str(b, " more");
}

/* "; 3 malformed", when there are any */
static void oddity(struct mm_buf *b, uint64_t n, const char *what)
{
	if (n == 0)
		return;
	mm_buf_str(b, "; ");
	mm_buf_u64(b, n);
	mm_buf_put(b, " ", 1);
	mm_buf_str(b, what);
}

static void input(struct mm_page *page)
{
	const struct mm_summary *s = page->summary;
	struct mm_buf *b = mm_page_begin(page);
	for (size_t i = 0; i < s->files->n && i < FILES_SHOWN; i++) {
		mm_buf_str(b, i == 0 ? "" : ", ");
		mm_words_name(b, s->files->names[i]);
	}
	and_more(b, s->files->n, FILES_SHOWN);
	mm_page_end(page, s->files->n == 1 ? "  Capture" : "  Captures", LABEL);
	if (s->first_ns == 0 && s->last_ns == 0)
		return;
	b = mm_page_begin(page);
	mm_words_time(b, s->first_ns);
	mm_buf_str(b, " to ");
	mm_words_time(b, s->last_ns);
	mm_buf_str(b, " (");
	mm_words_duration(b, s->last_ns - s->first_ns);
	mm_buf_put(b, ")", 1);
	mm_page_end(page, "  Time", LABEL);
}

static void packets(struct mm_page *page)
{
	const struct mm_decode_stats *d = page->summary->decode;
	struct mm_buf *b = mm_page_begin(page);
	mm_words_count(b, d->n_packets, "packet");
	mm_buf_str(b, ", ");
	mm_words_bytes(b, d->n_bytes);
	mm_buf_str(b, ", ");
	mm_buf_u64(b, d->n_segments);
	mm_buf_str(b, " TCP or UDP");
	if (d->n_fragments != 0) {
		mm_buf_str(b, "; ");
		mm_words_count(b, d->n_fragments, "IP fragment");
		mm_buf_str(b, " made ");
		mm_words_count(b, d->n_reassembled, "datagram");
	}
	oddity(b, d->n_fragments_dropped, "fragmented datagrams given up");
	oddity(b, d->n_cut, "cut by the capture");
	oddity(b, d->n_malformed, "malformed");
	oddity(b, d->n_unsupported, "of a link type that is not known");
	mm_page_end(page, "  Packets", LABEL);
}

static void flows(struct mm_page *page)
{
	const struct mm_flow_stats *f = page->summary->flow;
	struct mm_buf *b = mm_page_begin(page);
	mm_buf_u64(b, f->n_flows_tcp);
	mm_buf_str(b, " TCP, ");
	mm_buf_u64(b, f->n_flows_udp);
	mm_buf_str(b, " UDP");
	oddity(b, f->n_live, "still open");
	oddity(b, f->n_midstream, "joined after their start");
	oddity(b, f->n_one_way, "seen in one direction only");
	oddity(b, f->n_gaps, "holes");
	if (f->n_gaps != 0) {
		mm_buf_str(b, " (");
		mm_words_bytes(b, f->n_gap_bytes);
		mm_buf_str(b, " lost)");
	}
	oddity(b, f->n_copies, "datagrams shown twice");
	oddity(b, f->n_overlap_conflict, "times the same byte with another value");
	oddity(b, f->n_lost_sync, "times out of step with the protocol");
	mm_page_end(page, "  Flows", LABEL);
}

static void messages(struct mm_page *page)
{
	const struct mm_summary *s = page->summary;
	struct mm_buf *b = mm_page_begin(page);
	bool any = false;
	for (size_t i = 0; mm_dissectors[i] != NULL; i++) {
		if (s->protos[i].n_messages == 0)
			continue;
		mm_buf_str(b, any ? ", " : "");
		mm_buf_str(b, mm_dissectors[i]->name);
		mm_buf_put(b, " ", 1);
		mm_buf_u64(b, s->protos[i].n_messages);
		any = true;
	}
	mm_buf_str(b, any ? "; " : "none; ");
	mm_words_count(b, s->n_events, "authentication event");
	mm_page_end(page, "  Messages", LABEL);
	b = mm_page_begin(page);
	mm_buf_u64(b, s->ledger->n_issued);
	mm_buf_str(b, " issued; shown ");
	mm_words_count(b, s->ledger->n_presented, "time");
	oddity(b, s->ledger->n_reissued, "issued more than once");
	mm_page_end(page, "  Credentials", LABEL);
}

static void findings(struct mm_page *page, size_t n_bare)
{
	const struct mm_summary *s = page->summary;
	uint64_t n[MM_BAND_CRITICAL + 1] = { 0 }, hidden = 0;
	for (size_t i = 0; i < s->n_findings; i++) {
		const struct mm_finding *f = s->findings[i];
		if (f->bare)
			continue;
		n[f->band]++;
		hidden += f->band < s->text_band ? 1 : 0;
	}
	struct mm_buf *b = mm_page_begin(page);
	bool any = false;
	for (size_t i = MM_BAND_CRITICAL + 1; i > 0; i--) {
		if (n[i - 1] == 0)
			continue;
		mm_buf_str(b, any ? ", " : "");
		mm_buf_u64(b, n[i - 1]);
		mm_buf_put(b, " ", 1);
		mm_buf_str(b, mm_band_name((enum mm_band)(i - 1)));
		any = true;
	}
	mm_buf_str(b, any ? "" : "none");
	if (hidden != 0) {
		mm_buf_str(b, "; not shown, below ");
		mm_buf_str(b, mm_band_name(s->text_band));
		mm_buf_str(b, ": ");
		mm_buf_u64(b, hidden);
	}
	oddity(b, n_bare, n_bare == 1 ? "bare orphan left unscored" : "bare orphans left unscored");
	mm_page_end(page, "  Findings", LABEL);
}

/* Coverage. */

struct issuer_row {
	const struct mm_issuer *issuer;
	char name[MM_NAME_TEXT];
};

static int issuer_cmp(const void *a, const void *b)
{
	return strcmp(((const struct issuer_row *)a)->name, ((const struct issuer_row *)b)->name);
}

/** Text, right-aligned in a column of this width. */
static void column(struct mm_page *page, size_t width)
{
	const struct mm_buf *b = &page->scratch;
	for (size_t i = b->len; i < width; i++)
		mm_buf_put(page->out, " ", 1);
	mm_buf_put(page->out, b->p, b->len);
}

static void number_column(struct mm_page *page, uint64_t n, size_t width)
{
	mm_buf_u64(mm_page_begin(page), n);
	column(page, width);
}

static void issuer_line(struct mm_page *page, const struct issuer_row *row)
{
	const struct mm_summary *s = page->summary;
	const struct mm_addr nobody = { 0 }; /* coverage of the issuer as a whole */
	struct mm_miss miss = mm_ledger_miss(s->ledger, row->issuer->name, &nobody, MM_MISS_ANY,
	        s->last_ns - row->issuer->first_ns, 0);
	size_t len = strlen(row->name);
	mm_buf_str(page->out, "    ");
	mm_words_name(page->out, row->name);
	if (len >= NAME_COLUMN - 4) { /* the numbers go below */
		mm_buf_str(page->out, "\n    ");
		len = 0;
	}
	for (; len < NAME_COLUMN - 4; len++)
		mm_buf_put(page->out, " ", 1);
	mm_words_duration(mm_page_begin(page), miss.watched_ns);
	column(page, 9);
	number_column(page, row->issuer->n_issued, 9);
	number_column(page, row->issuer->n_presented, 11);
	number_column(page, row->issuer->n_matched, 9);
	number_column(page, row->issuer->n_orphans, 9);
	struct mm_buf *b = mm_page_begin(page);
	mm_buf_fixed(b, 100 * miss.m, 3);
	mm_buf_str(b, " %");
	column(page, 10);
	mm_words_weight(mm_page_begin(page), mm_weigh_p(MM_W_ORPHAN, miss.m));
	column(page, 9);
	mm_buf_put(page->out, "\n", 1);
}

static void coverage(struct mm_page *page)
{
	const struct mm_ledger *l = page->summary->ledger;
	struct issuer_row *rows = calloc(l->issuers.n + 1, sizeof *rows);
	size_t n = 0;
	if (rows == NULL) {
		page->out->failed = true;
		return;
	}
	for (const struct mm_issuer *i = mm_table_next(&l->issuers, NULL); i != NULL;
	        i = mm_table_next(&l->issuers, i)) {
		if (i->n_issued == 0)
			continue;
		rows[n].issuer = i;
		mm_name_copy(rows[n++].name, mm_names_text(&l->names, i->name_spelled));
	}
	qsort(rows, n, sizeof *rows, issuer_cmp);
	if (n != 0) {
		mm_page_heading(page, "Coverage: how well each issuer was seen");
		mm_buf_str(page->out, "    issuer                    watched   issued  presented"
		                      "  matched  orphans miss rate an orphan\n"
		                      "                                                       "
		                      "                               weighs\n");
	}
	for (size_t i = 0; i < n && i < ISSUERS_SHOWN; i++)
		issuer_line(page, &rows[i]);
	if (n > ISSUERS_SHOWN) {
		and_more(mm_page_begin(page), n, ISSUERS_SHOWN);
		mm_page_end(page, "   ", 3);
	}
	free(rows);
}

/* Bare orphans. */

/* Why an orphan was left unscored, the likelier to be forged first. */
static const struct {
	const char *reason, *words;
} reasons[] = {
	{ "low", "low findings: what else is odd about it weighs too little" },
	{ "no-odd-feature",
	        "nothing is odd but the missing issuance, which weighs too little here" },
	{ "warm-up",
	        "the issuer was not yet watched for a ticket's lifetime, and nothing else is odd" },
	{ "issuer-itself", "shown by a KDC, which issues to itself out of sight" },
	{ "issuer-not-in-view", "its issuer had not been seen to issue anything" },
};

enum { N_REASONS = sizeof reasons / sizeof reasons[0] };

static size_t reason_rank(const char *reason)
{
	size_t i = 0;
	while (i < N_REASONS && (reason == NULL || strcmp(reason, reasons[i].reason) != 0))
		i++;
	return i;
}

/* An orphan that is a finding, but one too low to be shown: it is listed with the bare ones. */
static bool is_low(const struct mm_summary *s, const struct mm_finding *f)
{
	bool orphan = f->detector == &mm_orphan_tgt || f->detector == &mm_orphan_service_ticket ||
	              f->detector == &mm_token_orphan;
	return orphan && !f->bare && f->band == MM_BAND_LOW && f->band < s->text_band;
}

static const char *reason_of(const struct mm_finding *f)
{
	return f->bare ? f->unscored : reasons[0].reason;
}

static int group_cmp(const struct mm_finding *x, const struct mm_finding *y)
{
	size_t i = reason_rank(reason_of(x)), j = reason_rank(reason_of(y));
	if (i != j)
		return i < j ? -1 : 1;
	return strcasecmp(x->facts.issuer, y->facts.issuer);
}

static int bare_cmp(const void *a, const void *b)
{
	const struct mm_finding *x = *(const struct mm_finding *const *)a;
	const struct mm_finding *y = *(const struct mm_finding *const *)b;
	int r = group_cmp(x, y);
	if (r != 0)
		return r;
	if (x->facts.first_ns != y->facts.first_ns)
		return x->facts.first_ns < y->facts.first_ns ? -1 : 1;
	return memcmp(&x->key, &y->key, sizeof x->key);
}

static void low_score(struct mm_buf *b, const struct mm_finding *f)
{
	char text[64];
	snprintf(text, sizeof text, "; score %.1f", f->score);
	mm_buf_str(b, text);
	for (size_t i = 0; i < f->n_evidence; i++) {
		const struct mm_evidence *e = &f->evidence[i];
		if (e->weight <= 0)
			continue;
		snprintf(text, sizeof text, ", %s %.1f", mm_weight(e->weight_id)->id, e->weight);
		mm_buf_str(b, text);
	}
}

static void bare_line(struct mm_page *page, const struct mm_finding *f)
{
	struct mm_buf *b = mm_page_begin(page);
	mm_words_fp(b, &f->facts.fp);
	mm_buf_put(b, " ", 1);
	mm_words_name(b, f->facts.service);
	mm_buf_str(b, ", ");
	mm_words_addr(b, &f->facts.client);
	mm_buf_str(b, " to ");
	mm_words_endpoint(b, &f->facts.server, f->facts.server_port);
	if (f->n_pkts != 0) {
		mm_buf_str(b, " [");
		mm_words_pkts(b, page->summary->files, f->pkts, 1, 0);
		mm_buf_put(b, "]", 1);
	}
	if (!f->bare || mm_cred_is_token(f->facts.kind))
		low_score(b, f);
	mm_page_end(page, "      - ", 8);
}

static void group(struct mm_page *page, const struct mm_finding **list, size_t n)
{
	struct mm_buf *b = mm_page_begin(page);
	mm_words_count(b, n, mm_cred_is_token(list[0]->facts.kind) ? "token" : "ticket");
	mm_buf_str(b, " of ");
	const char *issuer = list[0]->facts.issuer;
	mm_words_name(b, issuer[0] != '\0' ? issuer : "an issuer not known");
	mm_buf_str(b, ": ");
	size_t rank = reason_rank(reason_of(list[0]));
	mm_buf_str(b, rank < N_REASONS ? reasons[rank].words : "no odd feature");
	mm_page_end(page, "", 4);
	for (size_t i = 0; i < n && i < BARE_SHOWN; i++)
		bare_line(page, list[i]);
	if (n > BARE_SHOWN) {
		and_more(mm_page_begin(page), n, BARE_SHOWN);
		mm_page_end(page, "     ", 5);
	}
}

static void bare_orphans(struct mm_page *page, const struct mm_finding **list, size_t n)
{
	size_t n_groups = 0, n_left = 0;
	if (n == 0)
		return;
	mm_page_heading(page,
	        "Bare orphans: credentials never seen issued, with little or nothing else odd");
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && group_cmp(list[i], list[end]) == 0;)
			end++;
		if (n_groups++ < GROUPS_SHOWN)
			group(page, list + i, end - i);
		else
			n_left += end - i;
	}
	if (n_left != 0) {
		struct mm_buf *b = mm_page_begin(page);
		mm_buf_str(b, "and ");
		mm_words_count(b, n_left, "ticket");
		mm_buf_str(b, " of other issuers");
		mm_page_end(page, "", 4);
	}
}

/* What it was blind to. */

static void blind_line(struct mm_page *page, bool *any)
{
	if (!*any)
		mm_page_heading(page, "What it could not see");
	*any = true;
	mm_page_end(page, "    - ", 6);
}

/* A line for a count that is not zero: "3 holes ..." */
static void blind_count(
        struct mm_page *page, bool *any, uint64_t n, const char *noun, const char *what)
{
	if (n == 0)
		return;
	struct mm_buf *b = mm_page_begin(page);
	mm_words_count(b, n, noun);
	mm_buf_str(b, what);
	blind_line(page, any);
}

/* An issuer that came into view later is told by its coverage. */
static bool is_out_of_view(const struct mm_ledger *l, const struct mm_facts *facts)
{
	struct mm_str name = { facts->issuer, strlen(facts->issuer) };
	const struct mm_issuer *issuer = mm_ledger_issuer(l, mm_names_find_folded(&l->names, name));
	return facts->blind == MM_BLIND_ISSUER && (issuer == NULL || issuer->n_issued == 0);
}

/* Issuers of tickets, or of tokens, whose own legs are not in view. */
static void blind_issuers(
        struct mm_page *page, bool *any, const struct mm_finding **list, size_t n, bool tokens)
{
	size_t n_issuers = 0;
	const char *last = NULL;
	struct mm_buf *b = mm_page_begin(page);
	for (size_t i = 0; i < n; i++) {
		const char *name = list[i]->facts.issuer;
		if (!is_out_of_view(page->summary->ledger, &list[i]->facts) ||
		        mm_cred_is_token(list[i]->facts.kind) != tokens ||
		        (last != NULL && strcasecmp(last, name) == 0))
			continue;
		last = name;
		if (n_issuers++ >= BARE_SHOWN)
			continue;
		mm_buf_str(b, n_issuers > 1 ? ", "
		              : tokens      ? "the issuers of tokens "
		                            : "the KDCs of ");
		mm_words_name(b, name[0] != '\0' ? name : "(not known)");
	}
	if (n_issuers == 0)
		return;
	and_more(b, n_issuers, BARE_SHOWN);
	mm_buf_str(b, ": never seen to issue anything");
	blind_line(page, any);
}

/* Hosts that answer as KDCs to one client alone: second ones of which little is in view, or staged. */
static void claimed_kdcs(struct mm_page *page, bool *any)
{
	const struct mm_ledger *l = page->summary->ledger;
	char addr[MM_ADDR_TEXT];
	for (const struct mm_issuer *i = mm_table_next(&l->issuers, NULL); i != NULL;
	        i = mm_table_next(&l->issuers, i)) {
		for (size_t k = 0; k < i->n_kdcs; k++) {
			const struct mm_kdc *kdc = &i->kdcs[k];
			if (kdc->vouched || kdc->n_claimed == 0)
				continue;
			struct mm_buf *b = mm_page_begin(page);
			mm_words_count(b, kdc->n_claimed, "presentation");
			mm_buf_str(b, " of tickets from ");
			mm_buf_str(b, mm_addr_text(&kdc->addr, addr));
			mm_buf_str(b, ", which was seen as a KDC by ");
			mm_buf_str(b, mm_addr_text(&kdc->client, addr));
			mm_buf_str(b, " alone: not counted as issued, nor as orphans");
			blind_line(page, any);
		}
	}
}

/* What flows that nobody read were, the most frequent first. */
static void unread(struct mm_page *page, bool *any)
{
	enum { SHOWN = 6 };
	const uint64_t *n = page->summary->flow->n_unread;
	uint64_t told[MM_FLOW_NAMES] = { 0 }, left = n[MM_FLOW_NAME_OTHER], sum = 0;
	for (size_t i = 0; i < MM_FLOW_NAMES; i++) {
		sum += n[i];
		if (i > MM_FLOW_NAME_OTHER)
			told[i] = n[i];
	}
	if (sum == 0)
		return;
	struct mm_buf *b = mm_page_begin(page);
	mm_words_count(b, sum, "flow");
	mm_buf_str(b, " not read:");
	for (size_t shown = 0; shown < SHOWN; shown++) {
		size_t most = 0;
		for (size_t i = 1; i < MM_FLOW_NAMES; i++)
			most = told[i] > told[most] ? i : most;
		if (told[most] == 0)
			break;
		mm_buf_str(b, shown == 0 ? " " : ", ");
		mm_buf_str(b, mm_flow_name(most));
		mm_buf_put(b, " ", 1);
		mm_buf_u64(b, told[most]);
		told[most] = 0;
	}
	for (size_t i = 0; i < MM_FLOW_NAMES; i++)
		left += told[i];
	bool first = sum == left + n[MM_FLOW_NAME_UNKNOWN];
	const uint64_t rest[2] = { left, n[MM_FLOW_NAME_UNKNOWN] };
	const size_t names[2] = { MM_FLOW_NAME_OTHER, MM_FLOW_NAME_UNKNOWN };
	for (size_t i = 0; i < 2; i++) {
		if (rest[i] == 0)
			continue;
		mm_buf_str(b, first ? " " : ", ");
		first = false;
		mm_buf_u64(b, rest[i]);
		mm_buf_str(b, " of ");
		mm_buf_str(b, mm_flow_name(names[i]));
	}
	blind_line(page, any);
}

/* The most frequent first. */
static int blind_cmp(const void *a, const void *b)
{
	const struct mm_blind_row *x = *(const struct mm_blind_row *const *)a;
	const struct mm_blind_row *y = *(const struct mm_blind_row *const *)b;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	int r = strcmp(x->name, y->name);
	return r != 0 ? r : memcmp(&x->key, &y->key, sizeof x->key);
}

static void blind_server(struct mm_page *page, const struct mm_blind_row *row)
{
	struct mm_buf *b = &page->scratch;
	mm_words_endpoint(b, &row->key.server, row->key.port);
	if (row->name[0] != '\0') {
		mm_buf_str(b, " (");
		mm_words_name(b, row->name);
		mm_buf_put(b, ")", 1);
	}
	mm_buf_put(b, " ", 1);
	mm_buf_u64(b, row->n);
}

/* Connections whose content was hidden, by server. */
static void hidden(struct mm_page *page, bool *any)
{
	enum { SHOWN = 8 };
	const struct mm_blind_table *blind = page->summary->blind;
	if (blind == NULL || blind->n == 0)
		return;
	const struct mm_blind_row **rows = calloc(blind->rows.n + 1, sizeof *rows);
	size_t n = 0;
	if (rows == NULL) {
		page->out->failed = true;
		return;
	}
	for (const struct mm_blind_row *r = mm_table_next(&blind->rows, NULL); r != NULL;
	        r = mm_table_next(&blind->rows, r))
		rows[n++] = r;
	qsort(rows, n, sizeof *rows, blind_cmp);
	struct mm_buf *b = mm_page_begin(page);
	mm_buf_str(b, "TLS without keys: ");
	mm_words_count(b, blind->n, "connection");
	mm_buf_str(b, ", to ");
	for (size_t i = 0; i < n && i < SHOWN; i++) {
		mm_buf_str(b, i == 0 ? "" : ", ");
		blind_server(page, rows[i]);
	}
	if (n > SHOWN) {
		and_more(b, n, SHOWN);
		mm_buf_str(b, " servers");
	}
	free(rows);
	blind_line(page, any);
}

static void blindness(struct mm_page *page, const struct mm_finding **list, size_t n)
{
	const struct mm_summary *s = page->summary;
	const struct mm_flow_stats *f = s->flow;
	bool any = false;
	uint64_t local = 0;
	for (size_t i = 0; i < n; i++)
		local += list[i]->facts.blind == MM_BLIND_LOCAL ? 1 : 0;
	blind_issuers(page, &any, list, n, false);
	blind_issuers(page, &any, list, n, true);
	claimed_kdcs(page, &any);
	blind_count(page, &any, local, "ticket",
	        " shown by a KDC's own host: what a KDC issues to itself is not on the wire");
	blind_count(page, &any, s->n_sensor_lost, "packet",
	        " lost by this sensor: it did not keep up (option capture.ring)");
	hidden(page, &any);
	unread(page, &any);
	blind_count(page, &any, f->n_one_way, "flow", " of which only one direction was captured");
	blind_count(
	        page, &any, f->n_gaps, "hole", " in connections: what was in them is not known");
	blind_count(
	        page, &any, s->decode->n_cut, "packet", " cut by the capture's snapshot length");
	blind_count(page, &any, s->decode->n_unsupported, "packet",
	        " of a link type that is not known");
	blind_count(page, &any, s->decode->n_fragment_limit, "time",
	        " a limit on IP fragments was hit");
	blind_count(
	        page, &any, f->n_evicted, "flow", " ended early to make room (option flow.max)");
	blind_count(page, &any, f->n_buffer_limit, "time",
	        " the room for stream data was full (options flow.buffer, flow.buffer_total)");
	blind_count(page, &any, f->n_probe_limit, "flow",
	        " left before it was known what they are: too many at a time");
	blind_count(page, &any, f->n_oversized, "message", " too long to be read");
	blind_count(page, &any, s->n_events_refused, "event",
	        " lost for want of room (option engine.events)");
	blind_count(page, &any, s->ledger->rows.n_evicted, "credential",
	        " forgotten to make room (option ledger.rows)");
	blind_count(page, &any, s->ledger->names.n_refused, "name", " not kept for want of room");
	blind_count(page, &any, s->n_findings_evicted, "finding", " dropped to make room");
}

/** All bare findings and, among orphans, low ones, grouped by reason and issuer; NULL when memory is out. */
static const struct mm_finding **bare_list(const struct mm_summary *s, size_t *n, size_t *n_bare)
{
	*n_bare = 0;
	const struct mm_finding **list = calloc(s->n_findings + 1, sizeof *list);
	*n = 0;
	for (size_t i = 0; list != NULL && i < s->n_findings; i++)
		if (s->findings[i]->bare || is_low(s, s->findings[i])) {
			*n_bare += s->findings[i]->bare ? 1 : 0;
			list[(*n)++] = s->findings[i];
		}
	if (list != NULL)
		qsort(list, *n, sizeof *list, bare_cmp);
	return list;
}

void mm_page_summary(struct mm_page *page)
{
	size_t n, n_bare;
	const struct mm_finding **bare = bare_list(page->summary, &n, &n_bare);
	if (bare == NULL) {
		page->out->failed = true;
		return;
	}
	mm_buf_put(page->out, "\n", page->out->len != 0);
	mm_page_ink(page, MM_INK_BOLD);
	mm_buf_str(page->out, "Summary");
	mm_page_ink(page, MM_INK_PLAIN);
	mm_buf_put(page->out, "\n", 1);
	input(page);
	packets(page);
	flows(page);
	messages(page);
	findings(page, n_bare);
	coverage(page);
	bare_orphans(page, bare, n);
	blindness(page, bare, n);
	free(bare);
}
