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

static bool is_action(const struct mm_event *ev, const char *action)
{
	return strcmp(ev->action, action) == 0;
}

/* What joins the messages is made up by applications, of which some always write the same: the request of another
 * application, or another browser, begins another authorization. The same one may come again when its user has signed in. */
static bool begins(const struct mm_event *ev, const struct mm_app_ask *ask)
{
	if (is_action(ev, "oauth-device-authorization"))
		return true;
	return is_action(ev, "oauth-authorization-request") &&
	       (!mm_str_eq(ev->app, mm_asks_client(ask)) ||
	               !mm_addr_eq(&ask->browser, mm_event_client(ev)));
}

/* Whoever asked for the code can type it too; what somebody elsewhere typed stays. */
static void note_typed(const struct mm_event *ev, struct mm_app_ask *ask)
{
	struct mm_addr asked = mm_addr_network(&ask->device),
	               before = mm_addr_network(&ask->browser);
	if (ask->browser.family == 0 || mm_addr_eq(&asked, &before))
		ask->browser = *mm_event_client(ev);
}

struct mm_str mm_asks_client(const struct mm_app_ask *ask)
{
	return (struct mm_str){ ask->client, ask->n_client };
}

void mm_asks_note(struct mm_ledger *l, const struct mm_event *ev)
{
	if (!mm_fp_is_set(&ev->authorization) || mm_tokens_by_proxy(l, ev))
		return;
	struct mm_app_ask *ask;
	if (is_action(ev, "oauth-device-verification")) {
		/* It says something of codes that were handed out alone. */
		if ((ask = mm_table_find(&l->apps.asks, &ev->authorization)) != NULL)
			note_typed(ev, ask);
		return;
	}
	if ((ask = mm_table_put(&l->apps.asks, &ev->authorization, NULL)) == NULL)
		return;
	if (begins(ev, ask))
		*ask = (struct mm_app_ask){ .id = ask->id, .authorization = ask->authorization };
	/* Not among the names that are kept: anybody can ask. */
	if (ev->app.len != 0 && ev->app.len <= sizeof ask->client) {
		memcpy(ask->client, ev->app.p, ev->app.len);
		ask->n_client = (uint8_t)ev->app.len;
	}
	read_prompt(ev, ask);
	if (is_action(ev, "oauth-device-authorization"))
		ask->device = *mm_event_client(ev);
	else
		ask->browser = *mm_event_client(ev);
	const struct mm_cred *code = code_of(ev, MM_ROLE_ISSUED);
	struct mm_app_ask *of = code != NULL ? mm_table_put(&l->apps.asks, &code->fp, NULL) : NULL;
	if (of != NULL)
		of->authorization = ev->authorization;
}
