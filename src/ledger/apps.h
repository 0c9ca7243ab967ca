/* Applications of the web: what each one usually does at its issuer, and what of a request is new.
 *
 * An application is known by its issuer and its client_id. What it may do stands in the access tokens that it is given
 * (roles, scp, scope), how it names itself in its requests, where it works in their addresses. */
#ifndef MM_LEDGER_APPS_H
#define MM_LEDGER_APPS_H

#include "base/store.h"
#include "base/table.h"
#include "event/event.h"
#include "ledger/attempts.h"

enum {
	MM_APPS_MAX = 16384,
	MM_APP_ISSUERS_MAX = 1024,
	MM_APP_USERS_MAX = 131072,
	MM_APP_ASKS_MAX = 32768,
	MM_APP_POWERS = 32,
	MM_APP_NETWORKS = 8,
	MM_APP_TEXT = 96,
};

/** How much a role or scope lets its holder do. */
enum mm_power {
	MM_POWER_ORDINARY,
	MM_POWER_GENERIC, /* by its words: writes all, administers */
	MM_POWER_KNOWN,   /* one of those that hand over an organisation */
	MM_POWERS,
};

struct mm_app {
	struct {
		uint32_t issuer, client; /* numbers of names in lower case */
	} key;
	int64_t first_ns, last_ns; /* tokens obtained */
	int64_t gap_ns;            /* the longest time between two */
	uint64_t n;
	uint64_t grants[MM_GRANT_N], auths[MM_CLIENT_AUTH_N];
	uint64_t n_read;                /* tokens whose claims could be read */
	uint64_t kid;                   /* hash, of the latest client assertion; 0: none */
	uint64_t powers[MM_APP_POWERS]; /* hashes of roles and scopes it had */
	uint32_t n_powers, n_networks;
	struct mm_addr networks[MM_APP_NETWORKS]; /* the latest ones */
};

/** What is usual among the applications of an issuer. Of tokens of applications that were known before. */
struct mm_app_issuer {
	uint32_t name, unused; /* key: number of the name in lower case */
	int64_t first_ns, last_ns;
	uint64_t n; /* tokens */
	uint64_t n_known, n_new_power, n_new_known_power, n_other_auth, n_other_kid, n_new_network;
	uint64_t n_kids;            /* that were shown with a client assertion */
	uint64_t n_idle, n_awaking; /* after more than a day of silence; after a month of it */
	uint64_t n_password;
	uint64_t n_device_tokens,
	        n_device_first; /* by device codes; by applications that did not do so before */
	uint64_t n_authorized, n_prompted; /* users sent back with a code */
};

/** A user of an application. */
struct mm_app_user {
	struct {
		uint32_t issuer, client;
		uint64_t user;
	} key;
	int64_t first_ns;
};

/** An authorization that is under way, found by what joins its messages (struct mm_event, authorization); or a code, which
 * leads to it. Not kept over a restart. */
struct mm_app_ask {
	struct mm_fp id;            /* key */
	struct mm_fp authorization; /* of a code: whose it is */
	struct mm_addr browser;     /* where the user sits; family 0: not seen */
	struct mm_addr device;      /* where a device code was asked for */
	char client[MM_APP_TEXT];   /* client_id; one that is longer is left out */
	uint8_t n_client;           /* its octets; 0: not told */
	bool consent, admin_consent;
};

/** What of the event is new, against what was known before it. app, issuer: NULL where there was none. */
struct mm_app_facts {
	bool obtained, authorized;
	bool consent; /* it asked for consent, or an administrator's */
	bool admin_consent;
	bool new_user; /* this user was not seen with it before */
	bool new_network, other_auth, other_kid;
	bool new_place;   /* nobody obtained or showed a token of this issuer from this network */
	uint64_t n_place; /* tokens obtained from there before */
	struct mm_addr browser; /* where its user signed in; family 0: not seen */
	enum mm_client_auth usual_auth;
	enum mm_power power;
	char role[MM_APP_TEXT]; /* the strongest that it never had; "" none */
	int64_t silent_ns;      /* since it last obtained a token */
	struct mm_str issuer_name, client;
	const struct mm_app *app;
	const struct mm_app_issuer *issuer;
	const struct mm_guesser *sweep; /* mailboxes that it read by itself, this one among them */
};

struct mm_apps {
	struct mm_table apps, issuers, users, asks;
};

struct mm_ledger;
struct mm_look;

void mm_apps_init(struct mm_apps *a, const struct mm_hash_key *key);
void mm_apps_done(struct mm_apps *a);

/** Before detectors look, and after the credentials shown were looked at: what is new. Only mailboxes read are taken down. */
void mm_apps_look(struct mm_ledger *l, const struct mm_look *look, struct mm_app_facts *facts);

/** After that, and after the tokens that were issued were judged: take it down. trusted: as mm_ledger_settle(). */
void mm_apps_settle(struct mm_ledger *l, const struct mm_look *look, bool trusted);

/* asks.c */

/** The authorization that a message is part of, or whose code it shows; NULL when it is not known. */
const struct mm_app_ask *mm_asks_find(const struct mm_ledger *l, const struct mm_event *ev);

/** The application that it is about; empty: not told. */
struct mm_str mm_asks_client(const struct mm_app_ask *ask);

/** Take down what the message says of one. What mm_asks_find() lent before is good no more. */
void mm_asks_note(struct mm_ledger *l, const struct mm_event *ev);

enum mm_power mm_power_of(struct mm_str role);

/** Is the token the application's own, with no user behind it? idtyp where there is one (Microsoft's access tokens); else the
 * subject is the client (RFC 9068 section 2.2), or there are roles without scopes. */
bool mm_apps_own_token(const struct mm_cred *token);

void mm_apps_save(const struct mm_apps *a, struct mm_store *out);
int mm_apps_load(struct mm_apps *a, struct mm_cursor *in) MM_MUST_CHECK;

#endif
