/* Applications of the web: tables and what is new. */
#include "ledger/apps.h"

#include <stdio.h>
#include <strings.h>

#include "keys/jwt.h"
#include "ledger/ledger.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

enum { SILENT_DAYS = 30, ROLES_MAX = 128 };

void mm_apps_init(struct mm_apps *a, const struct mm_hash_key *key)
{
	mm_table_init(&a->apps, key, sizeof(((struct mm_app *)0)->key), sizeof(struct mm_app),
	        MM_APPS_MAX);
	mm_table_init(&a->issuers, key, 2 * sizeof(uint32_t), sizeof(struct mm_app_issuer),
	        MM_APP_ISSUERS_MAX);
	mm_table_init(&a->users, key, sizeof(((struct mm_app_user *)0)->key),
	        sizeof(struct mm_app_user), MM_APP_USERS_MAX);
	mm_table_init(
	        &a->asks, key, sizeof(struct mm_fp), sizeof(struct mm_app_ask), MM_APP_ASKS_MAX);
}

void mm_apps_done(struct mm_apps *a)
{
	mm_table_done(&a->apps);
	mm_table_done(&a->issuers);
	mm_table_done(&a->users);
	mm_table_done(&a->asks);
}

enum mm_power mm_power_of(struct mm_str role)
{
	/* Application permissions of Microsoft Graph and Exchange Online, by Microsoft's permissions reference, with which
	 * all mail is read, or roles, applications or users are changed at will. */
	static const char *const known[] = { "full_access_as_app", "Directory.ReadWrite.All",
		"RoleManagement.ReadWrite.Directory", "AppRoleAssignment.ReadWrite.All",
		"Application.ReadWrite.All", "Mail.ReadWrite", "Exchange.ManageAsApp",
		"Sites.FullControl.All", "Policy.ReadWrite.PermissionGrant", "Domain.ReadWrite.All",
		"UserAuthenticationMethod.ReadWrite.All", "PrivilegedAccess.ReadWrite.AzureAD" };
	static const char *const generic[] = { "write.all", "write:all", "full_access",
		"fullaccess", "fullcontrol", "admin", "superuser", "impersonat", "manage.all",
		"manage:all", "mail.read", "mail.send", "ews.accessasuser" };
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (role.len == strlen(known[i]) && strncasecmp(role.p, known[i], role.len) == 0)
			return MM_POWER_KNOWN;
	for (size_t i = 0; i < sizeof generic / sizeof generic[0]; i++)
		if (mm_str_iholds(role, generic[i]))
			return MM_POWER_GENERIC;
	return MM_POWER_ORDINARY;
}

static uint64_t hash_of(const struct mm_ledger *l, struct mm_str s)
{
	return mm_siphash(&l->attempts.key, s.p, s.len) | 1;
}

static bool has_power(const struct mm_app *app, uint64_t power)
{
	for (uint32_t i = 0; app != NULL && i < app->n_powers; i++)
		if (app->powers[i] == power)
			return true;
	return false;
}

/* Each word of the claims that say what a token allows: lists (roles) or texts with blanks between (scp, scope). */
typedef void each_role(void *arg, struct mm_str role);

static void each_word(struct mm_slice text, size_t *n, each_role *each, void *arg)
{
	while (text.len != 0 && *n < ROLES_MAX) {
		size_t end = mm_find8(text, 0, ' ');
		struct mm_slice word = mm_first(text, end);
		if (word.len != 0) {
			each(arg, (struct mm_str){ (const char *)word.p, word.len });
			++*n;
		}
		text = mm_after(text, end + 1);
	}
}

static void roles_of(const json_t *claims, each_role *each, void *arg)
{
	static const char *const names[] = { "roles", "scp", "scope" };
	size_t n = 0;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const json_t *claim = json_object_get(claims, names[i]);
		each_word(mm_json_str(claims, names[i]), &n, each, arg);
		for (size_t k = 0; k < json_array_size(claim) && k < ROLES_MAX; k++) {
			const json_t *one = json_array_get(claim, k);
			if (json_is_string(one))
				each_word(mm_slice(json_string_value(one), json_string_length(one)),
				        &n, each, arg);
		}
	}
}

static const struct mm_cred *issued_token(const struct mm_event *ev)
{
	for (size_t i = 0; i < ev->n_creds; i++)
		if (ev->creds[i].role == MM_ROLE_ISSUED &&
		        ev->creds[i].kind == MM_CRED_ACCESS_TOKEN)
			return &ev->creds[i];
	return NULL;
}

/* The issuer that the event names: of any of its tokens. */
static struct mm_str issuer_of(const struct mm_event *ev)
{
	for (size_t i = 0; i < ev->n_creds; i++)
		if (ev->creds[i].role == MM_ROLE_ISSUED && ev->creds[i].issuer.len != 0)
			return ev->creds[i].issuer;
	return ev->user_realm;
}

static const struct mm_cred *assertion_of(const struct mm_event *ev)
{
	for (size_t i = 0; i < ev->n_creds; i++)
		if (ev->creds[i].kind == MM_CRED_CLIENT_ASSERTION)
			return &ev->creds[i];
	return NULL;
}

struct search {
	const struct mm_ledger *l;
	struct mm_app_facts *facts;
};

static void look_for_new(void *arg, struct mm_str role)
{
	const struct search *s = arg;
	struct mm_app_facts *facts = s->facts;
	enum mm_power power = mm_power_of(role);
	if (has_power(facts->app, hash_of(s->l, role)) ||
	        (facts->role[0] != '\0' && power <= facts->power))
		return;
	size_t n = role.len < MM_APP_TEXT - 1 ? role.len : MM_APP_TEXT - 1;
	for (size_t i = 0; i < n; i++)
		facts->role[i] = (char)(role.p[i] > 0x20 && role.p[i] < 0x7f ? role.p[i] : '?');
	facts->role[n] = '\0';
	facts->power = power;
}

static enum mm_client_auth usual_auth(const struct mm_app *app)
{
	unsigned best = MM_CLIENT_AUTH_UNKNOWN;
	for (unsigned i = 0; i < MM_CLIENT_AUTH_N; i++)
		if (app->auths[i] > app->auths[best])
			best = i;
	return best;
}

static bool works_in(const struct mm_app *app, const struct mm_addr *network)
{
	for (uint32_t i = 0; i < app->n_networks && i < MM_APP_NETWORKS; i++)
		if (mm_addr_eq(&app->networks[i], network))
			return true;
	return false;
}

static struct mm_app_user user_key(
        const struct mm_ledger *l, const struct mm_app *app, struct mm_str user)
{
	struct mm_app_user key;
	memset(&key, 0, sizeof key);
	key.key.issuer = app->key.issuer;
	key.key.client = app->key.client;
	key.key.user = hash_of(l, user);
	return key;
}

/* What of a token request is not as this application's were. */
static void compare(const struct mm_ledger *l, const struct mm_event *ev,
        const struct mm_cred *token, struct mm_app_facts *facts)
{
	const struct mm_app *app = facts->app;
	struct search search = { l, facts };
	struct mm_jwt jwt;
	if (token != NULL && token->raw.len != 0 && mm_jwt_parse(mm_str_slice(token->raw), &jwt)) {
		roles_of(jwt.claims, look_for_new, &search);
		mm_jwt_done(&jwt);
	}
	if (app == NULL || app->n == 0)
		return;
	struct mm_addr network = mm_addr_network(mm_event_client(ev));
	facts->new_network = !works_in(app, &network);
	facts->silent_ns = ev->time_ns > app->last_ns ? ev->time_ns - app->last_ns : 0;
	facts->usual_auth = usual_auth(app);
	bool told = ev->grant != MM_GRANT_NONE && ev->client_auth != MM_CLIENT_AUTH_UNKNOWN;
	facts->other_auth = told && app->auths[ev->client_auth] == 0;
	const struct mm_cred *assertion = assertion_of(ev);
	facts->other_kid = assertion != NULL && assertion->kid.len != 0 && app->kid != 0 &&
	                   app->kid != hash_of(l, assertion->kid);
}

/* The mailbox or user that a request is about: "graph.example/v1.0/users/anna@corp.example/messages". */
static struct mm_str mailbox_of(struct mm_str place)
{
	static const char *const marks[] = { "/users/", "/users('", "/mailboxes/" };
	for (size_t m = 0; m < sizeof marks / sizeof marks[0]; m++) {
		size_t n = strlen(marks[m]);
		for (size_t i = 0; i + n < place.len; i++) {
			if (strncasecmp(place.p + i, marks[m], n) != 0)
				continue;
			struct mm_str rest = { place.p + i + n, 0 };
			while (i + n + rest.len < place.len &&
			        strchr("/'?", rest.p[rest.len]) == NULL)
				rest.len++;
			return rest;
		}
	}
	return (struct mm_str){ NULL, 0 };
}

bool mm_apps_own_token(const struct mm_cred *token)
{
	struct mm_jwt jwt;
	if (token->raw.len == 0 || !mm_jwt_parse(mm_str_slice(token->raw), &jwt))
		return false;
	struct mm_slice type = mm_json_str(jwt.claims, "idtyp");
	bool own = type.len != 0 ? mm_slice_eq(type, mm_slice_str("app"))
	                         : mm_str_eq(token->principal, token->client) ||
	                                   (json_object_get(jwt.claims, "roles") != NULL &&
	                                           json_object_get(jwt.claims, "scp") == NULL &&
	                                           json_object_get(jwt.claims, "scope") == NULL);
	mm_jwt_done(&jwt);
	return own;
}

static void look_at_use(struct mm_ledger *l, const struct mm_event *ev, struct mm_app_facts *facts)
{
	const struct mm_cred *token = mm_event_find_cred(ev, MM_ROLE_PRESENTED);
	struct mm_str mailbox = mailbox_of(ev->place);
	if (token == NULL || token->kind != MM_CRED_ACCESS_TOKEN || mailbox.len == 0 ||
	        token->client.len == 0 || ev->outcome != MM_SUCCESS || !mm_apps_own_token(token))
		return;
	uint64_t ids[2] = { hash_of(l, token->issuer), hash_of(l, token->client) };
	facts->issuer_name = token->issuer;
	facts->client = token->client;
	struct mm_app key = { .key = { mm_names_find_folded(&l->names, token->issuer),
		                      mm_names_find_folded(&l->names, token->client) } };
	const struct mm_app *app = mm_table_find(&l->apps.apps, &key.key);
	/* The token that it is shown for is one of them. */
	uint64_t n_before = app != NULL && app->n != 0 ? app->n - 1 : 0;
	facts->sweep =
	        mm_attempts_sweep(&l->attempts, mm_siphash(&l->attempts.key, ids, sizeof ids),
	                token->client, mailbox, n_before, ev->time_ns);
}

/* What is known of the application, its issuer, its user and the network. */
static void find(const struct mm_ledger *l, const struct mm_event *ev, struct mm_app_facts *facts)
{
	struct mm_app key = { .key = { mm_names_find_folded(&l->names, facts->issuer_name),
		                      mm_names_find_folded(&l->names, facts->client) } };
	struct mm_app_issuer issuer = { .name = key.key.issuer };
	facts->app = mm_table_find(&l->apps.apps, &key.key);
	facts->issuer = mm_table_find(&l->apps.issuers, &issuer);
	struct mm_app_user user = user_key(l, &key, ev->user);
	facts->new_user = ev->user.len != 0 && mm_table_find(&l->apps.users, &user.key) == NULL;
	const struct mm_cell *network = mm_ledger_network(l, issuer.name, mm_event_client(ev));
	facts->n_place = network != NULL ? network->n_obtained : 0;
	facts->new_place = facts->n_place == 0 && (network == NULL || network->hits == 0);
}

void mm_apps_look(struct mm_ledger *l, const struct mm_look *look, struct mm_app_facts *facts)
{
	const struct mm_event *ev = look->ev;
	*facts = (struct mm_app_facts){ 0 };
	if (look->proof != NULL && look->proof->copy)
		return;
	if (ev->kind == MM_EV_PRESENT) {
		look_at_use(l, ev, facts);
		return;
	}
	const struct mm_cred *token = issued_token(ev);
	bool authorizes = strcmp(ev->action, "oauth-authorize") == 0;
	const struct mm_app_ask *ask = mm_asks_find(l, ev);
	facts->issuer_name = issuer_of(ev);
	facts->client = ev->app.len != 0                    ? ev->app
	                : ask != NULL && ask->n_client != 0 ? mm_asks_client(ask)
	                : token != NULL                     ? token->client
	                                                    : (struct mm_str){ NULL, 0 };
	if (ev->kind != MM_EV_ISSUE || facts->client.len == 0 || facts->issuer_name.len == 0)
		return;
	facts->authorized = authorizes;
	facts->obtained = token != NULL; /* by the implicit grant from the authorization itself */
	if (ask != NULL) {
		facts->consent = ask->consent;
		facts->admin_consent = ask->admin_consent;
		facts->browser = ask->browser;
	}
	find(l, ev, facts);
	if (facts->obtained)
		compare(l, ev, token, facts);
}

struct learn {
	const struct mm_ledger *l;
	struct mm_app *app;
};

static void learn_power(void *arg, struct mm_str role)
{
	struct learn *learn = arg;
	struct mm_app *app = learn->app;
	uint64_t hash = hash_of(learn->l, role);
	if (!has_power(app, hash) && app->n_powers < MM_APP_POWERS)
		app->powers[app->n_powers++] = hash;
}

/* What is usual among the issuer's applications: asked of those that were known. */
static void learn_usual(
        struct mm_app_issuer *issuer, const struct mm_event *ev, const struct mm_app_facts *facts)
{
	issuer->n_known++;
	issuer->n_new_power += facts->role[0] != '\0';
	issuer->n_new_known_power += facts->role[0] != '\0' && facts->power == MM_POWER_KNOWN;
	issuer->n_other_auth += facts->other_auth;
	issuer->n_kids += assertion_of(ev) != NULL;
	issuer->n_other_kid += facts->other_kid;
	issuer->n_new_network += facts->new_network;
	issuer->n_idle += facts->silent_ns > DAY_NS;
	issuer->n_awaking += facts->silent_ns > SILENT_DAYS * DAY_NS;
}

static int64_t nth(uint64_t before)
{
	return before < 2 ? (int64_t)before + 1 : 3;
}

/* How often applications and networks turn up that were not known. */
static void learn_new(
        struct mm_ledger *l, const struct mm_app *app, const struct mm_app_facts *facts)
{
	uint32_t issuer = app->key.issuer;
	mm_baseline_count(&l->baseline, MM_TRAIT_APP_NTH, issuer, 0, nth(app->n));
	mm_baseline_count(&l->baseline, MM_TRAIT_PLACE_NTH, issuer, 0, nth(facts->n_place));
}

/* Is one of its tokens not by the issuer that it names, as far as that one's keys are known? Any server can hand out such, and
 * would make applications known that are not. */
static bool is_refuted(const struct mm_ledger *l, const struct mm_event *ev)
{
	for (size_t i = 0; i < ev->n_creds; i++) {
		const struct mm_token *token =
		        ev->creds[i].role == MM_ROLE_ISSUED
		                ? mm_table_find(&l->tokens.tokens, &ev->creds[i].fp)
		                : NULL;
		if (token != NULL &&
		        (token->verdict == MM_INVALID || (token->proof & MM_PROOF_UNKNOWN_KID)))
			return true;
	}
	return false;
}

static void settle_token(struct mm_ledger *l, const struct mm_event *ev, struct mm_app *app,
        const struct mm_app_facts *facts)
{
	const struct mm_cred *token = issued_token(ev), *assertion = assertion_of(ev);
	struct learn learn = { l, app };
	struct mm_jwt jwt;
	if (token != NULL && token->raw.len != 0 && mm_jwt_parse(mm_str_slice(token->raw), &jwt)) {
		app->n_read++;
		roles_of(jwt.claims, learn_power, &learn);
		mm_jwt_done(&jwt);
	}
	struct mm_addr network = mm_addr_network(mm_event_client(ev));
	if (!works_in(app, &network))
		app->networks[app->n_networks++ % MM_APP_NETWORKS] = network;
	if (app->n != 0 && facts->silent_ns > app->gap_ns)
		app->gap_ns = facts->silent_ns;
	if (assertion != NULL && assertion->kid.len != 0)
		app->kid = hash_of(l, assertion->kid);
	app->n++;
	app->grants[ev->grant]++;
	if (ev->grant != MM_GRANT_NONE)
		app->auths[ev->client_auth]++;
	if (ev->time_ns > app->last_ns)
		app->last_ns = ev->time_ns;
}

void mm_apps_settle(struct mm_ledger *l, const struct mm_look *look, bool trusted)
{
	const struct mm_event *ev = look->ev;
	struct mm_app_facts facts = look->app; /* its pointers do not outlive what follows */
	bool fresh_issuer;
	if ((!facts.obtained && !facts.authorized) || is_refuted(l, ev))
		return;
	struct mm_app key = { .key = { mm_names_put_folded(&l->names, facts.issuer_name),
		                      mm_names_put_folded(&l->names, facts.client) } };
	struct mm_app_issuer issuer_key = { .name = key.key.issuer };
	if (key.key.issuer == 0 || key.key.client == 0)
		return;
	struct mm_app *app = mm_table_put(&l->apps.apps, &key.key, NULL);
	struct mm_app_issuer *issuer = mm_table_put(&l->apps.issuers, &issuer_key, &fresh_issuer);
	if (app == NULL || issuer == NULL)
		return;
	app->first_ns = facts.obtained && app->n == 0 ? ev->time_ns : app->first_ns;
	issuer->first_ns = fresh_issuer ? ev->time_ns : issuer->first_ns;
	issuer->last_ns = ev->time_ns > issuer->last_ns ? ev->time_ns : issuer->last_ns;
	if (facts.obtained && trusted)
		learn_new(l, app, &facts);
	if (facts.obtained && trusted && app->n != 0)
		learn_usual(issuer, ev, &facts);
	if (facts.obtained) {
		issuer->n++;
		issuer->n_password += ev->grant == MM_GRANT_PASSWORD;
		issuer->n_device_tokens += ev->grant == MM_GRANT_DEVICE;
		issuer->n_device_first +=
		        ev->grant == MM_GRANT_DEVICE && app->grants[MM_GRANT_DEVICE] == 0;
		settle_token(l, ev, app, &facts);
	}
	issuer->n_authorized += facts.authorized;
	issuer->n_prompted += facts.authorized && facts.consent;
	/* Who was sent back with a code has granted it nothing yet. */
	if (!facts.obtained || ev->user.len == 0)
		return;
	struct mm_app_user user = user_key(l, app, ev->user);
	bool fresh_user;
	struct mm_app_user *u = mm_table_put(&l->apps.users, &user.key, &fresh_user);
	if (u != NULL && fresh_user)
		u->first_ns = ev->time_ns;
}
