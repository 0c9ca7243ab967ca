/* Attempts to log on: sets of users that slide with time, and what of them is ordinary. */
#include "ledger/attempts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)

enum {
	MINUTE_S = 60,
	HOUR_S = 60 * MINUTE_S,
	DAY_S = 24 * HOUR_S,
	WEEK_S = 7 * DAY_S,
	SOURCE_SHARE = 3,  /* users of one source that count for a target or software in a day */
	PSEUDO_TILES = 20, /* the weight of what is assumed of windows */
	OWN_TILES = 2,     /* windows of its own after which they count for half */
	KERBEROS_PREAUTH_REQUIRED = 25, /* RFC 4120 section 7.5.9 */
};

static const struct {
	uint32_t length_s;
	const char *name;
} windows[MM_GUESS_WINDOWS] = {
	{ 10 * MINUTE_S, "10 minutes" },
	{ HOUR_S, "an hour" },
	{ DAY_S, "a day" },
	{ WEEK_S, "a week" },
};

/* FITTED on simulated days (docs/scoring.md). What is assumed before it is learnt: users failing and not let in since, for each user let in there during a week, and how
 * uneven that is (shape: of of the Gamma distribution; 1 would be exponential). k_min: fewer would make no sense to whoever
 * guesses. sharpen: own past beyond so many failing users makes nothing surer, since bad days come in bursts. */
static const struct {
	double rate[MM_GUESS_WINDOWS], shape[MM_GUESS_WINDOWS], k_min, sharpen;
} priors[MM_GUESS_KINDS] = {
	[MM_GUESS_SOURCE] = { { 0.03, 0.05, 0.12, 0.4 }, { 0.3, 0.3, 0.25, 0.12 }, 5, 4 },
	[MM_GUESS_NAMES] = { { 0.02, 0.03, 0.07, 0.3 }, { 0.3, 0.3, 0.25, 0.12 }, 8, 4 },
	[MM_GUESS_TARGET] = { { 0.02, 0.03, 0.06, 0.2 }, { 0.3, 0.3, 0.3, 0.3 }, 10, 16 },
	[MM_GUESS_SWEEP] = { { 2, 4, 10, 30 }, { 0.5, 0.5, 0.5, 0.5 }, 15, 30 },
	[MM_GUESS_SOFTWARE] = { { 0.02, 0.03, 0.06, 0.2 }, { 0.3, 0.3, 0.3, 0.3 }, 8, 8 },
};

/* Some sources are of another kind: help desks, kiosks, meeting rooms, where what others say is their password is tried. As
 * many as this, which fail so many users. */
static const struct {
	double share, shape, mean[MM_GUESS_WINDOWS];
} shared = { 0.01, 2, { 0.4, 1, 2, 8 } };

const char *mm_attempts_window(unsigned window)
{
	return windows[window < MM_GUESS_WINDOWS ? window : MM_GUESS_WINDOWS - 1].name;
}

uint32_t mm_attempts_window_s(unsigned window)
{
	return windows[window < MM_GUESS_WINDOWS ? window : MM_GUESS_WINDOWS - 1].length_s;
}

/* Ways to try a password; one event is of one. */
static const struct {
	const char *action, *protocol, *name;
} ways[] = {
	{ NULL, "kerberos", "Kerberos" },
	{ NULL, "ldap", "LDAP" },
	{ "oauth-token", NULL, "OAuth" },
	{ "http-login", NULL, "login forms" },
	{ "http-basic", NULL, "HTTP Basic" },
	{ "ws-trust", NULL, "WS-Trust" },
	{ NULL, NULL, "others" },
};

static uint32_t way_of(const struct mm_event *ev)
{
	unsigned i = 0;
	for (; ways[i].action != NULL || ways[i].protocol != NULL; i++)
		if ((ways[i].action != NULL && strcmp(ways[i].action, ev->action) == 0) ||
		        (ways[i].protocol != NULL && strcmp(ways[i].protocol, ev->protocol) == 0))
			break;
	return UINT32_C(1) << i;
}

unsigned mm_attempts_ways(uint32_t protocols, char out[MM_GUESS_WAYS_TEXT])
{
	unsigned n = 0;
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		if (!(protocols & UINT32_C(1) << i))
			continue;
		int r = snprintf(out + len, MM_GUESS_WAYS_TEXT - len, "%s%s", n == 0 ? "" : ", ",
		        ways[i].name);
		if (r > 0 && len + (size_t)r < MM_GUESS_WAYS_TEXT)
			len += (size_t)r;
		n++;
	}
	return n;
}

void mm_attempts_init(struct mm_attempts *a, const struct mm_hash_key *key)
{
	/* Of users' hashes: the same in every run, as what is counted by them must not differ from one to the next. */
	*a = (struct mm_attempts){ .key = { 0x6775657373656420, 0x70617373776f7264 } };
	mm_table_init(&a->guessers, key, sizeof(((struct mm_guesser *)0)->key),
	        sizeof(struct mm_guesser), MM_GUESSERS_MAX);
	mm_table_init(&a->pairs, key, sizeof(((struct mm_pair *)0)->key), sizeof(struct mm_pair),
	        MM_PAIRS_MAX);
}

void mm_attempts_done(struct mm_attempts *a)
{
	mm_table_done(&a->guessers);
	mm_table_done(&a->pairs);
}

/* Buckets whose time lies in [since, until), as the number of users that most likely touched them. */
static uint64_t touched(const uint32_t *at_s, size_t n, uint32_t since, uint32_t until)
{
	size_t n_touched = 0;
	for (size_t i = 0; i < n; i++)
		n_touched += at_s[i] != 0 && at_s[i] >= since && at_s[i] < until;
	if (n_touched == n)
		n_touched = n - 1; /* no more than that can be told */
	return (uint64_t)lround(-(double)n * log1p(-(double)n_touched / (double)n));
}

static uint32_t before(uint32_t now_s, uint32_t length_s)
{
	return now_s > length_s ? now_s - length_s : 1;
}

static uint64_t let_in(const struct mm_guesser *g, uint32_t until)
{
	uint64_t n = touched(g->right.at_s, MM_GUESS_BUCKETS, before(until, WEEK_S), until + 1);
	return n != 0 ? n : 1;
}

double mm_attempts_first_rights(const struct mm_guesser *g)
{
	double age_s = g->last_s > g->first_week_s ? (double)(g->last_s - g->first_week_s) : 0;
	return g->first_week * exp(-age_s / WEEK_S);
}

uint64_t mm_attempts_sources(const struct mm_guesser *g, unsigned window)
{
	return touched(g->sources_s, MM_GUESS_SOURCES,
	        before(g->last_s, mm_attempts_window_s(window)), UINT32_MAX);
}

/* The natural logarithm of P(k) of a Gamma-Poisson count. */
static double ln_count(double k, double shape, double mean)
{
	return lgamma(shape + k) - lgamma(shape) - lgamma(k + 1) - shape * log1p(mean / shape) -
	       k * log1p(shape / mean);
}

void mm_attempts_compare(const struct mm_attempts *a, struct mm_guess_count *count)
{
	const double k_max = 1e4, no_evidence = 1e9, shape_min = 0.05, shape_max = 50;
	const struct mm_guess_norm *norm = &a->norms[count->kind][count->window];
	double rate0 = priors[count->kind].rate[count->window],
	       shape0 = priors[count->kind].shape[count->window];
	/* Moments of all windows of this kind: E X = users rate, E X (X - 1) = (users rate)^2 (1 + 1 / shape). What is
	 * assumed weighs as much as some windows of the size that they have here. */
	double size = norm->n > 0 ? fmax(1, norm->users / norm->n) : 1;
	double size2 = norm->n > 0 ? fmax(1, norm->users2 / norm->n) : 1;
	double rate = (norm->x + PSEUDO_TILES * size * rate0) / (norm->users + PSEUDO_TILES * size);
	double excess = (norm->pairs + PSEUDO_TILES * size2 * rate0 * rate0 * (1 + 1 / shape0)) /
	                (rate * rate * (norm->users2 + PSEUDO_TILES * size2));
	double shape = excess > 1 + 1 / shape_max ? fmax(shape_min, 1 / (excess - 1)) : shape_max;
	/* Uneven are the users as well as the sources: many users together are less so. */
	double k = (double)count->k, users = (double)count->users;
	shape *= sqrt(users);
	/* Its own past: slowly at first, and no further than it makes surer. */
	double most = priors[count->kind].sharpen;
	double known = count->past_tiles / (count->past_tiles + OWN_TILES);
	known = known * count->past_x > most ? most / count->past_x : known;
	double own_shape = shape + known * count->past_x;
	double own_rate = shape / rate + known * count->past_users;
	count->mean = own_shape / own_rate * users;
	count->p = no_evidence;
	if (k < priors[count->kind].k_min || k <= count->mean)
		return;
	bool source = count->kind == MM_GUESS_SOURCE || count->kind == MM_GUESS_NAMES;
	double share = source ? shared.share : 0;
	double honest = (1 - share) * exp(ln_count(k, own_shape, count->mean)) +
	                share * exp(ln_count(k, shared.shape,
	                                fmax(count->mean, shared.mean[count->window])));
	double guessing = -log(fmin(k, k_max) * log(k_max / priors[count->kind].k_min));
	count->p = fmin(no_evidence, honest / exp(guessing) * MM_GUESS_WINDOWS);
}

static uint64_t failing(const struct mm_guesser *g, unsigned window)
{
	uint32_t since = before(g->last_s, windows[window].length_s);
	return touched(g->failed.at_s, MM_GUESS_BUCKETS, since, UINT32_MAX);
}

/* Users that it lets in, and of a target or a kind of software those that were not seen yet, since one of theirs that always
 * fails looks new: many while few were let in anywhere, later as many as are new among those seen (Good-Turing). */
static uint64_t users_of(const struct mm_attempts *a, const struct mm_guesser *g)
{
	const double at_first = 200, later = 20, half_known = 5;
	double n = (double)a->n_right;
	double fresh = fmin(1, ((double)a->n_first_right + 0.5) / (n + 1));
	double unknown = at_first / (1 + n / half_known) + later * fresh;
	bool wide = g->key.kind == MM_GUESS_TARGET || g->key.kind == MM_GUESS_SOFTWARE;
	return let_in(g, g->last_s) + (wide ? (uint64_t)unknown : 0);
}

struct mm_guess_count mm_attempts_count(const struct mm_attempts *a, const struct mm_guesser *g)
{
	struct mm_guess_count best = { 0 };
	for (unsigned w = 0; w < MM_GUESS_WINDOWS; w++) {
		struct mm_guess_count count = { .kind = g->key.kind,
			.window = w,
			.k = failing(g, w),
			.users = users_of(a, g),
			.past_tiles = g->past[w].tiles,
			.past_x = g->past[w].x,
			.past_users = g->past[w].users };
		mm_attempts_compare(a, &count);
		if (w == 0 || count.p < best.p)
			best = count;
	}
	return best;
}

/* A tile of time is over: it is one more window from which the ordinary is learnt, unless guessing went on in it, or it was
 * seen in part. */
static void close_tile(
        struct mm_attempts *a, struct mm_guesser *g, unsigned window, const struct mm_guess_past *t)
{
	uint32_t end = t->begin_s + windows[window].length_s;
	if (g->suspect_s >= t->begin_s || g->first_s > t->begin_s + windows[window].length_s / 2)
		return;
	double x = t->peak; /* that is what was compared while it lasted */
	double users = (double)let_in(g, end);
	struct mm_guess_norm *norm = &a->norms[g->key.kind][window];
	g->past[window].tiles += 1;
	g->past[window].x += x;
	g->past[window].users += users;
	norm->n += 1;
	norm->x += x;
	norm->users += users;
	norm->users2 += users * users;
	norm->pairs += x * (x - 1);
}

static void advance(struct mm_attempts *a, struct mm_guesser *g, uint32_t now_s)
{
	if (g->first_s == 0)
		g->first_s = now_s;
	if (now_s > g->last_s)
		g->last_s = now_s;
	for (unsigned w = 0; w < MM_GUESS_WINDOWS; w++) {
		struct mm_guess_past *past = &g->past[w];
		uint32_t begin = g->last_s - g->last_s % windows[w].length_s;
		if (past->begin_s != 0 && begin > past->begin_s)
			close_tile(a, g, w, past);
		if (begin > past->begin_s) {
			past->begin_s = begin;
			past->peak = 0;
		}
	}
}

static struct mm_guesser *put_guesser(struct mm_attempts *a, enum mm_guess_kind kind, uint64_t id,
        const struct mm_addr *addr, uint32_t now_s)
{
	struct mm_guesser key;
	memset(&key.key, 0, sizeof key.key);
	key.key.kind = (uint8_t)kind;
	key.key.id = id;
	key.key.addr = *addr;
	struct mm_guesser *g = mm_table_put(&a->guessers, &key.key, NULL);
	if (g != NULL)
		advance(a, g, now_s);
	return g;
}

static struct mm_guesser *find_guesser(
        struct mm_attempts *a, enum mm_guess_kind kind, uint64_t id, const struct mm_addr *addr)
{
	struct mm_guesser key;
	memset(&key.key, 0, sizeof key.key);
	key.key.kind = (uint8_t)kind;
	key.key.id = id;
	key.key.addr = *addr;
	return mm_table_find(&a->guessers, &key.key);
}

static struct mm_pair pair_key(uint64_t user, const struct mm_addr *addr)
{
	return (struct mm_pair){ .key = { user, *addr, { 0 } } };
}

static size_t bucket_of(uint64_t user)
{
	return user % MM_GUESS_BUCKETS;
}

/* What of a name is the user's own, in lower case: of a distinguished name the first value, without domain and realm. */
static struct mm_str bare_name(struct mm_str s, char out[MM_STR_MAX])
{
	size_t from = 0, to = s.len < MM_STR_MAX ? s.len : MM_STR_MAX - 1, n = 0;
	const char *equals = to != 0 ? memchr(s.p, '=', to) : NULL;
	const char *slash = to != 0 ? memrchr(s.p, '\\', to) : NULL;
	if (equals != NULL)
		from = (size_t)(equals - s.p) + 1;
	else if (slash != NULL)
		from = (size_t)(slash - s.p) + 1;
	for (size_t i = from; i < to && s.p[i] != (equals != NULL ? ',' : '@'); i++)
		out[n++] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] - 'A' + 'a' : s.p[i]);
	return (struct mm_str){ out, n };
}

static void copy_name(char out[MM_GUESS_NAME], struct mm_str s)
{
	size_t n = s.len < MM_GUESS_NAME - 1 ? s.len : MM_GUESS_NAME - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(s.p[i] > 0x20 && s.p[i] < 0x7f ? s.p[i] : '?');
	out[n] = '\0';
}

static uint64_t hash_str(const struct mm_attempts *a, struct mm_str s)
{
	char text[MM_STR_MAX];
	size_t n = s.len < sizeof text ? s.len : sizeof text;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] - 'A' + 'a' : s.p[i]);
	return mm_siphash(&a->key, text, n);
}

static struct mm_guess_ids ids_of(
        const struct mm_attempts *a, const struct mm_event *ev, struct mm_str user)
{
	struct mm_guess_ids ids;
	memset(&ids, 0, sizeof ids);
	ids.user = mm_siphash(&a->key, user.p, user.len);
	ids.source = *mm_event_client(ev);
	if (ev->user_realm.len != 0) {
		ids.target = hash_str(a, ev->user_realm);
	} else {
		ids.target = ev->dst.port;
		ids.target_addr = ev->dst.addr;
	}
	if (ev->agent.len != 0)
		ids.software = hash_str(a, ev->agent) | 1;
	else if (ev->stack != 0)
		ids.software = mm_siphash(&a->key, &ev->stack, sizeof ev->stack) | 1;
	return ids;
}

/* One more user is among those that failed: in which order they come, and how regularly. */
static void note_new(struct mm_guesser *g, struct mm_str user, int64_t now_ns)
{
	char name[MM_GUESS_NAME];
	copy_name(name, user);
	if (g->new_ns != 0 && now_ns - g->new_ns > DAY_S * NS_PER_S) {
		g->n_new = g->n_ascending = g->n_gaps = 0;
		g->gap_sum = g->gap_squares = 0;
	}
	if (g->n_new != 0) {
		double gap = (double)(now_ns - g->new_ns) / (double)NS_PER_S;
		g->n_ascending += strcmp(name, g->last_name) > 0;
		g->n_gaps++;
		g->gap_sum += gap;
		g->gap_squares += gap * gap;
	}
	g->n_new++;
	g->new_ns = now_ns;
	memcpy(g->last_name, name, sizeof g->last_name);
	memcpy(g->names[g->n_names++ % MM_GUESS_NAMES_SHOWN], name, sizeof name);
}

static void note_peaks(struct mm_guesser *g)
{
	for (unsigned w = 0; w < MM_GUESS_WINDOWS; w++) {
		uint32_t k = (uint32_t)failing(g, w);
		g->past[w].peak = k > g->past[w].peak ? k : g->past[w].peak;
	}
}

static void count_failed(struct mm_attempts *a, struct mm_guesser *g, const struct mm_event *ev,
        const struct mm_guess_ids *ids, struct mm_str user)
{
	const double suspect = 0.01; /* 100 times likelier of one who guesses: not learnt from */
	uint32_t *at_s = &g->failed.at_s[bucket_of(ids->user)];
	uint64_t source = mm_siphash(&a->key, &ids->source, sizeof ids->source);
	g->sources_s[source % MM_GUESS_SOURCES] = g->last_s;
	g->n_failed++;
	g->protocols |= way_of(ev);
	if (*at_s == 0 || *at_s < before(g->last_s, DAY_S))
		note_new(g, user, ev->time_ns);
	*at_s = g->last_s;
	note_peaks(g);
	if (mm_attempts_count(a, g).p < suspect)
		g->suspect_s = g->last_s;
}

/* For the target and the software count new pairs of user and source. */
static bool counts_widely(const struct mm_guesser *source, const struct mm_pair *pair)
{
	uint32_t day = before(source->last_s, DAY_S);
	return pair->right_first_s == 0 && pair->failed_first_s >= day &&
	       touched(source->failed.at_s, MM_GUESS_BUCKETS, day, UINT32_MAX) <= SOURCE_SHARE;
}

static void label(struct mm_guesser *target, struct mm_guesser *software, const struct mm_event *ev)
{
	char addr[MM_ADDR_TEXT];
	if (target != NULL && target->label[0] == '\0' && ev->user_realm.len != 0)
		copy_name(target->label, ev->user_realm);
	else if (target != NULL && target->label[0] == '\0')
		snprintf(target->label, sizeof target->label, "%s",
		        mm_addr_text(&ev->dst.addr, addr));
	if (software == NULL || software->label[0] != '\0')
		return;
	if (ev->agent.len != 0)
		copy_name(software->label, ev->agent);
	else
		snprintf(software->label, sizeof software->label, "%s-%016llx", ev->protocol,
		        (unsigned long long)ev->stack);
}

static void failed(struct mm_attempts *a, const struct mm_event *ev, const struct mm_guess_ids *ids,
        struct mm_str user, struct mm_attempt *out)
{
	const struct mm_addr nowhere = { 0 };
	uint32_t now_s = (uint32_t)(ev->time_ns / NS_PER_S);
	bool no_user = ev->meaning == MM_MEANING_NO_SUCH_USER;
	struct mm_pair key = pair_key(ids->user, &ids->source);
	struct mm_pair *pair = mm_table_put(&a->pairs, &key.key, NULL);
	struct mm_guesser *source = put_guesser(a, MM_GUESS_SOURCE, 0, &ids->source, now_s);
	if (pair == NULL || source == NULL)
		return;
	pair->failed_s = now_s;
	pair->failed_first_s = pair->failed_first_s != 0 ? pair->failed_first_s : now_s;
	out->stranger = pair->right_first_s == 0;
	if (no_user) {
		struct mm_guesser *names = put_guesser(a, MM_GUESS_NAMES, 0, &ids->source, now_s);
		if (names != NULL) {
			names->right = source->right;
			count_failed(a, names, ev, ids, user);
		}
		out->names = names;
		return;
	}
	count_failed(a, source, ev, ids, user);
	out->source = source;
	if (!counts_widely(source, pair))
		return;
	struct mm_guesser *target =
	        put_guesser(a, MM_GUESS_TARGET, ids->target, &ids->target_addr, now_s);
	struct mm_guesser *software = ids->software != 0 ? put_guesser(a, MM_GUESS_SOFTWARE,
	                                                           ids->software, &nowhere, now_s)
	                                                 : NULL;
	label(target, software, ev);
	if (target != NULL)
		count_failed(a, target, ev, ids, user);
	if (software != NULL)
		count_failed(a, software, ev, ids, user);
	out->target = target;
	out->software = software;
}

/* A user that failed from there is in: nobody is guessing any more, as far as this user goes. */
static void cure(struct mm_attempts *a, const struct mm_guess_ids *ids, struct mm_pair *pair)
{
	const struct mm_addr nowhere = { 0 };
	struct mm_guesser *source = find_guesser(a, MM_GUESS_SOURCE, 0, &ids->source);
	struct mm_guesser *wide[] = { find_guesser(
		                              a, MM_GUESS_TARGET, ids->target, &ids->target_addr),
		find_guesser(a, MM_GUESS_SOFTWARE, ids->software, &nowhere) };
	size_t b = bucket_of(ids->user);
	if (source != NULL)
		source->failed.at_s[b] = 0;
	for (size_t i = 0; i < 2; i++)
		if (wide[i] != NULL && wide[i]->failed.at_s[b] == pair->failed_s)
			wide[i]->failed.at_s[b] = 0;
	pair->failed_s = pair->failed_first_s = 0;
}

static void count_right(struct mm_guesser *g, const struct mm_guess_ids *ids, bool stranger)
{
	if (g == NULL)
		return;
	g->right.at_s[bucket_of(ids->user)] = g->last_s;
	g->n_right++;
	g->n_first_right += stranger;
	/* Those that come while guessing goes on are no measure of what is usual. */
	if (stranger && (g->suspect_s == 0 || g->last_s - g->suspect_s > WEEK_S)) {
		g->first_week = mm_attempts_first_rights(g) + 1;
		g->first_week_s = g->last_s;
	}
}

static void note_hit(struct mm_guesser *source, const struct mm_event *ev, struct mm_str user)
{
	if (source == NULL || source->n_failed == 0)
		return;
	size_t i = source->n_hits++ % MM_GUESS_HITS;
	copy_name(source->hits[i].name, user);
	source->hits[i].from = *mm_event_client(ev);
	source->hits[i].at_ns = ev->time_ns;
	source->hits[i].but = ev->meaning == MM_MEANING_RIGHT_BUT;
}

static void right(struct mm_attempts *a, const struct mm_event *ev, const struct mm_guess_ids *ids,
        struct mm_str user, struct mm_attempt *out)
{
	const struct mm_addr nowhere = { 0 };
	uint32_t now_s = (uint32_t)(ev->time_ns / NS_PER_S);
	struct mm_pair key = pair_key(ids->user, &ids->source);
	struct mm_pair *pair = mm_table_put(&a->pairs, &key.key, NULL);
	struct mm_guesser *source = put_guesser(a, MM_GUESS_SOURCE, 0, &ids->source, now_s);
	if (pair == NULL || source == NULL)
		return;
	out->stranger = pair->right_first_s == 0;
	struct mm_guesser *target =
	        put_guesser(a, MM_GUESS_TARGET, ids->target, &ids->target_addr, now_s);
	struct mm_guesser *software = ids->software != 0 ? put_guesser(a, MM_GUESS_SOFTWARE,
	                                                           ids->software, &nowhere, now_s)
	                                                 : NULL;
	label(target, software, ev);
	if (pair->failed_s != 0)
		cure(a, ids, pair);
	if (out->stranger) {
		note_hit(source, ev, user);
		note_hit(software, ev, user);
	}
	a->n_right++;
	a->n_first_right += out->stranger;
	count_right(source, ids, out->stranger);
	count_right(target, ids, out->stranger);
	count_right(software, ids, out->stranger);
	pair->right_first_s = pair->right_first_s != 0 ? pair->right_first_s : now_s;
	pair->right_s = now_s;
	out->source = source;
	out->target = target;
	out->software = software;
}

/* This is the front leg of an attempt that was counted where it was passed on to: it counts here and not there. */
static void merge_legs(
        struct mm_attempts *a, const struct mm_event *ev, const struct mm_guess_ids *ids)
{
	for (size_t i = 0; i < MM_RECENT_MAX; i++) {
		struct mm_recent *r = &a->recent[i];
		if (r->response_ns == 0 || r->ids.user != ids->user ||
		        !mm_addr_eq(&r->ids.source, &ev->dst.addr) ||
		        r->request_ns < ev->request_ns || r->response_ns > ev->response_ns)
			continue;
		struct mm_pair key = pair_key(ids->user, &r->ids.source);
		struct mm_pair *pair = mm_table_find(&a->pairs, &key.key);
		if (pair != NULL)
			cure(a, &r->ids, pair);
		*r = (struct mm_recent){ 0 };
	}
}

/* Has the KDC lately asked this user, there, for a proof? Then it looks at the password before it refuses for other
 * reasons. */
static bool was_asked(
        const struct mm_attempts *a, const struct mm_event *ev, const struct mm_guess_ids *ids)
{
	struct mm_pair key = pair_key(ids->user, &ids->source);
	const struct mm_pair *pair = mm_table_find(&a->pairs, &key.key);
	uint32_t now_s = (uint32_t)(ev->time_ns / NS_PER_S);
	return pair != NULL && pair->asked_s != 0 && pair->asked_s >= before(now_s, HOUR_S);
}

const struct mm_guesser *mm_attempts_sweep(struct mm_attempts *a, uint64_t application,
        struct mm_str name, struct mm_str mailbox, uint64_t n_before, int64_t at_ns)
{
	const unsigned short_windows = 2; /* no longer than a token lives */
	const struct mm_addr nowhere = { 0 };
	if (at_ns <= 0 || at_ns / NS_PER_S >= UINT32_MAX)
		return NULL;
	struct mm_guesser *g =
	        put_guesser(a, MM_GUESS_SWEEP, application, &nowhere, (uint32_t)(at_ns / NS_PER_S));
	if (g == NULL)
		return NULL;
	if (g->label[0] == '\0')
		copy_name(g->label, name);
	for (unsigned w = 0; w < short_windows && g->n_failed == 0; w++)
		g->past[w].tiles = g->past[w].users = (double)n_before;
	uint32_t *at_s = &g->failed.at_s[bucket_of(hash_str(a, mailbox))];
	if (*at_s == 0 || *at_s < before(g->last_s, DAY_S))
		note_new(g, mailbox, at_ns);
	*at_s = g->last_s;
	g->n_failed++;
	note_peaks(g);
	return g;
}

void mm_attempts_note(struct mm_attempts *a, const struct mm_event *ev, struct mm_attempt *out)
{
	char text[MM_STR_MAX];
	*out = (struct mm_attempt){ 0 };
	bool kerberos = ev->status.domain == MM_STATUS_KRB5;
	bool asks = kerberos && ev->status.code == KERBEROS_PREAUTH_REQUIRED;
	if ((ev->flags & MM_EVF_COPY) || ev->user.len == 0 || ev->time_ns <= 0 ||
	        ev->time_ns / NS_PER_S >= UINT32_MAX || (ev->meaning == MM_MEANING_NONE && !asks))
		return;
	struct mm_str user = bare_name(ev->user, text);
	struct mm_guess_ids ids = ids_of(a, ev, user);
	if (asks) {
		struct mm_pair key = pair_key(ids.user, &ids.source);
		struct mm_pair *pair = mm_table_put(&a->pairs, &key.key, NULL);
		if (pair != NULL)
			pair->asked_s = (uint32_t)(ev->time_ns / NS_PER_S);
		return;
	}
	a->n_attempts++;
	out->right = ev->meaning == MM_MEANING_PASSWORD_RIGHT ||
	             (ev->meaning == MM_MEANING_RIGHT_BUT && (!kerberos || was_asked(a, ev, &ids)));
	out->failed = !out->right;
	merge_legs(a, ev, &ids);
	if (out->right) {
		right(a, ev, &ids, user, out);
		return;
	}
	failed(a, ev, &ids, user, out);
	a->recent[a->n_recent++ % MM_RECENT_MAX] =
	        (struct mm_recent){ ids, ev->request_ns, ev->response_ns };
}
