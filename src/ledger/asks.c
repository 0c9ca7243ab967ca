/* Authorizations that are under way: from the request, over the code that it was answered with, to the tokens. */
#include "ledger/apps.h"

#include "ledger/ledger.h"

/* OpenID Connect Core 1.0 section 3.1.2.1; "admin_consent" and the path are those of Microsoft's identity platform. */
static void read_prompt(const struct mm_event *ev, struct mm_app_ask *ask)
{
	for (size_t i = 0; i < ev->n_attrs; i++) {
		const struct mm_attr_value *v = &ev->attrs[i];
		if (strcmp(v->attr->name, "mintmark.oauth.prompt") != 0)
			continue;
		ask->admin_consent |= mm_str_iholds(v->str, "admin_consent");
		ask->consent |= mm_str_iholds(v->str, "consent");
	}
	ask->admin_consent |= mm_str_iholds(ev->place, "adminconsent");
	ask->consent |= ask->admin_consent;
}

static const struct mm_cred *code_of(const struct mm_event *ev, enum mm_cred_role role)
{
	for (size_t i = 0; i < ev->n_creds; i++)
		if (ev->creds[i].role == role && ev->creds[i].kind == MM_CRED_CODE)
			return &ev->creds[i];
	return NULL;
}

const struct mm_app_ask *mm_asks_find(const struct mm_ledger *l, const struct mm_event *ev)
{
	const struct mm_cred *code = code_of(ev, MM_ROLE_PRESENTED);
	if (code == NULL)
		return mm_fp_is_set(&ev->authorization)
		               ? mm_table_find(&l->apps.asks, &ev->authorization)
		               : NULL;
	const struct mm_app_ask *of = mm_table_find(&l->apps.asks, &code->fp);
	return of != NULL ? mm_table_find(&l->apps.asks, &of->authorization) : NULL;
}

void mm_asks_note(struct mm_ledger *l, const struct mm_event *ev)
{
	bool typed = strcmp(ev->action, "oauth-device-verification") == 0;
	if (!mm_fp_is_set(&ev->authorization))
		return;
	/* What is typed says something of codes that were handed out alone. */
	struct mm_app_ask *ask = typed ? mm_table_find(&l->apps.asks, &ev->authorization)
	                               : mm_table_put(&l->apps.asks, &ev->authorization, NULL);
	if (ask == NULL)
		return;
	if (ev->app.len != 0)
		ask->client = mm_names_put(&l->names, ev->app);
	read_prompt(ev, ask);
	const struct mm_cred *code = code_of(ev, MM_ROLE_ISSUED);
	bool device = strcmp(ev->action, "oauth-device-authorization") == 0;
	if (!device)
		ask->browser = *mm_event_client(ev);
	struct mm_app_ask *of = code != NULL ? mm_table_put(&l->apps.asks, &code->fp, NULL) : NULL;
	if (of != NULL)
		of->authorization = ev->authorization;
}
