/* What is known of applications written down and read again. */
#include "ledger/apps.h"

static void save_counts(struct mm_store *out, const uint64_t *counts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mm_store_u64(out, counts[i]);
}

static void load_counts(struct mm_cursor *in, uint64_t *counts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		counts[i] = mm_le64(in);
}

static void save_app(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_app *app = elem;
	(void)arg;
	mm_store_u32(out, app->key.issuer);
	mm_store_u32(out, app->key.client);
	mm_store_u64(out, (uint64_t)app->first_ns);
	mm_store_u64(out, (uint64_t)app->last_ns);
	mm_store_u64(out, (uint64_t)app->gap_ns);
	mm_store_u64(out, app->n);
	save_counts(out, app->grants, MM_GRANT_N);
	save_counts(out, app->auths, MM_CLIENT_AUTH_N);
	mm_store_u64(out, app->n_read);
	mm_store_u64(out, app->kid);
	mm_store_u32(out, app->n_powers);
	save_counts(out, app->powers, app->n_powers);
	mm_store_u32(out, app->n_networks);
	for (size_t i = 0; i < MM_APP_NETWORKS; i++)
		mm_store_addr(out, &app->networks[i]);
}

static void load_app(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_app *app = elem;
	(void)arg;
	app->key.issuer = mm_le32(in);
	app->key.client = mm_le32(in);
	app->first_ns = mm_load_time(in);
	app->last_ns = mm_load_time(in);
	app->gap_ns = mm_load_time(in);
	app->n = mm_le64(in);
	load_counts(in, app->grants, MM_GRANT_N);
	load_counts(in, app->auths, MM_CLIENT_AUTH_N);
	app->n_read = mm_le64(in);
	app->kid = mm_le64(in);
	app->n_powers = mm_load_u32(in, MM_APP_POWERS);
	load_counts(in, app->powers, app->n_powers);
	app->n_networks = mm_le32(in);
	for (size_t i = 0; i < MM_APP_NETWORKS; i++)
		app->networks[i] = mm_load_addr(in);
}

/* The counts of an issuer in the order of their struct. */
enum { ISSUER_COUNTS = 15 };

static void issuer_counts(struct mm_app_issuer *issuer, uint64_t *out[ISSUER_COUNTS])
{
	uint64_t *const all[ISSUER_COUNTS] = { &issuer->n, &issuer->n_known, &issuer->n_new_power,
		&issuer->n_new_known_power, &issuer->n_other_auth, &issuer->n_other_kid,
		&issuer->n_new_network, &issuer->n_kids, &issuer->n_idle, &issuer->n_awaking,
		&issuer->n_password, &issuer->n_authorized, &issuer->n_prompted,
		&issuer->n_device_tokens, &issuer->n_device_first };
	memcpy(out, all, sizeof all);
}

static void save_issuer(void *arg, struct mm_store *out, const void *elem)
{
	struct mm_app_issuer issuer = *(const struct mm_app_issuer *)elem;
	uint64_t *counts[ISSUER_COUNTS];
	(void)arg;
	mm_store_u32(out, issuer.name);
	mm_store_u64(out, (uint64_t)issuer.first_ns);
	mm_store_u64(out, (uint64_t)issuer.last_ns);
	issuer_counts(&issuer, counts);
	for (size_t i = 0; i < ISSUER_COUNTS; i++)
		mm_store_u64(out, *counts[i]);
}

static void load_issuer(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_app_issuer *issuer = elem;
	uint64_t *counts[ISSUER_COUNTS];
	(void)arg;
	issuer->name = mm_le32(in);
	issuer->first_ns = mm_load_time(in);
	issuer->last_ns = mm_load_time(in);
	issuer_counts(issuer, counts);
	for (size_t i = 0; i < ISSUER_COUNTS; i++)
		*counts[i] = mm_le64(in);
}

static void save_user(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_app_user *user = elem;
	(void)arg;
	mm_store_u32(out, user->key.issuer);
	mm_store_u32(out, user->key.client);
	mm_store_u64(out, user->key.user);
	mm_store_u64(out, (uint64_t)user->first_ns);
}

static void load_user(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_app_user *user = elem;
	(void)arg;
	user->key.issuer = mm_le32(in);
	user->key.client = mm_le32(in);
	user->key.user = mm_le64(in);
	user->first_ns = mm_load_time(in);
}

void mm_apps_save(const struct mm_apps *a, struct mm_store *out)
{
	mm_table_save(&a->apps, out, save_app, NULL);
	mm_table_save(&a->issuers, out, save_issuer, NULL);
	mm_table_save(&a->users, out, save_user, NULL);
}

int mm_apps_load(struct mm_apps *a, struct mm_cursor *in)
{
	int r;
	if ((r = mm_table_load(&a->apps, in, load_app, NULL)) != MM_OK ||
	        (r = mm_table_load(&a->issuers, in, load_issuer, NULL)) != MM_OK ||
	        (r = mm_table_load(&a->users, in, load_user, NULL)) != MM_OK)
		return r;
	mm_table_shrink(&a->apps);
	mm_table_shrink(&a->issuers);
	mm_table_shrink(&a->users);
	return mm_end(in) ? MM_OK : MM_ERR_CORRUPT;
}
