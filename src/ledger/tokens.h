/* What the ledger knows of tokens beyond their rows: what their signatures and claims say, who shows them from where, and
 * what is ordinary for their issuers and applications.
 *
 * A token is judged once, at first sight and again only when keys were learnt since; what is repeated is looked up. */
#ifndef MM_LEDGER_TOKENS_H
#define MM_LEDGER_TOKENS_H

#include "base/store.h"
#include "base/table.h"
#include "event/event.h"
#include "keys/keyring.h"
#include "ledger/baseline.h"

enum {
	MM_TOKENS_MAX = 262144, /* default: tokens whose judgement is kept */
	MM_TOKEN_PLACES = 4,    /* places from which one token is shown, kept of each */
	MM_TOKEN_TEXT = 128,
};

/* What is odd about a token, beside its proof: bits. */
enum {
	MM_TOKEN_TEMPLATE =
	        1u << 0, /* its claims are not those that its issuer puts into tokens like it */
	MM_TOKEN_LIFETIME = 1u << 1, /* it lives longer than those */
	MM_TOKEN_TENANT = 1u << 2,   /* tid is not the tenant in iss */
	MM_TOKEN_AUDIENCE = 1u << 3, /* shown where tokens for another audience are shown */
	MM_TOKEN_ID_TOKEN = 1u << 4, /* an ID token shown as an access token */
	MM_TOKEN_EXPIRED = 1u << 5,  /* shown after exp */
	MM_TOKEN_EARLY = 1u << 6,    /* shown before nbf */
	MM_TOKEN_MOVED =
	        1u << 7, /* shown from another network by other software, or from two in turns */
	MM_TOKEN_USED_CODE = 1u << 8, /* a code that was redeemed before */
	MM_TOKEN_ROTATED = 1u << 9,   /* a refresh token in whose place another was given */
	MM_TOKEN_NO_PROOF = 1u << 10, /* bound to a key (RFC 9449), shown without a proof of it */
	MM_TOKEN_BAD_PROOF =
	        1u
	        << 11, /* or with one that is not of this key, token, method or place, or was used before */
	MM_TOKEN_NO_CERT =
	        1u << 12, /* bound to a certificate (RFC 8705), shown with another one, or none */
	MM_TOKEN_ISSUER = 1u << 13, /* iss differs from the issuer's name by its spelling alone */
	MM_TOKEN_ALG = 1u << 14,    /* its issuer was never seen to sign with this algorithm */
	MM_TOKEN_AUDIENCE_OWN = 1u << 15, /* as MM_TOKEN_AUDIENCE, by whom it was issued to */
};

/** One token as it is shown, for detectors and findings. Texts are safe to print. */
struct mm_token_facts {
	uint32_t proof; /* MM_PROOF_* */
	uint32_t odd;   /* MM_TOKEN_* */
	enum mm_verdict3 verdict;
	bool jwt, encrypted;
	char kid[MM_TOKEN_TEXT], alg[16], client[MM_TOKEN_TEXT], audience[MM_TOKEN_TEXT],
	        tenant[64];
	char signer[MM_TOKEN_TEXT];  /* whose key it is: MM_PROOF_FOREIGN */
	char form[32];               /* MM_PROOF_CONFUSED */
	char differs[MM_TOKEN_TEXT]; /* MM_TOKEN_TEMPLATE: how, from the usual form */
	char usual[MM_TOKEN_TEXT];   /* MM_TOKEN_AUDIENCE: whom tokens are for where it was shown */
	char usual_place[MM_TOKEN_TEXT]; /* the server by name: where MM_TOKEN_EXPIRED is counted */
	bool own;                        /* shown from the network to which it was issued */
	int64_t iat_s, nbf_s, exp_s;
	int64_t gone_ns, absent_ns, last_ns, set_ns;        /* struct mm_proof */
	uint64_t template_n, alg_n, audience_n, lifetime_n; /* tokens with which it was compared */
	uint32_t lifetime_max_s;                            /* the longest of them */
	/* MM_TOKEN_MOVED */
	struct mm_addr from, to;
	bool other_agent, to_and_fro;
	bool second_kind; /* in this network other software had shown it before */
	bool cert_bound;  /* cnf has x5t#S256 */
	bool cert_missing; /* MM_TOKEN_NO_CERT: none was shown, at a server that saw one with each such token */
	uint64_t moved_k, moved_n; /* of its application's tokens, how many did so */
	int64_t since_ns; /* between the two uses; of MM_TOKEN_ROTATED and _USED_CODE: since the first */
	bool same_host; /* MM_TOKEN_ROTATED, _USED_CODE: by who used it first, as far as can be told */
};

/** Where and by what software a token was shown. */
struct mm_token_place {
	struct mm_addr client;
	uint64_t agent; /* hash of the software's name without version; 0: not told */
	int64_t first_ns, last_ns;
	uint32_t n;
};

struct mm_token {
	struct mm_fp fp; /* key */
	uint32_t generation, proof, odd;
	uint32_t key; /* number in the keyring; 0: none */
	uint8_t verdict, n_places;
	bool judged, counted, moved, bound, late, kinds;
	bool looked; /* all that can be odd about it was looked at, as it was shown */
	struct mm_token_place places[MM_TOKEN_PLACES];
	int64_t used_ns; /* a code: when it was redeemed; a refresh token: when another took its place; 0: not yet */
	struct mm_addr used_by;
	uint64_t used_agent;
	/* The latest use, to know its other leg. */
	struct mm_addr leg_src, leg_dst;
	int64_t leg_request_ns, leg_response_ns;
};

struct mm_ledger;
struct mm_look;
struct mm_sighting;

/** Whose tokens a server issues. */
struct mm_token_server {
	struct {
		struct mm_addr addr;
		uint8_t unused;
		uint16_t port;
		uint32_t host; /* number of its name in lower case */
	} key;
	uint32_t issuer; /* number of its name as spelled */
};

struct mm_tokens {
	struct mm_keyring *keys;
	struct mm_table tokens;
	struct mm_table servers;
	struct mm_table proxies; /* struct mm_addr: hosts seen to pass requests on */
	struct mm_table proofs;  /* struct mm_fp: DPoP proofs shown */
	uint32_t drift
	        [MM_KEYSET_KEYS]; /* keys that the event looked at shows to have stood in one answer only */
	size_t n_drift;
	uint64_t n_copies, n_verified, n_invalid, n_documents;
};

struct mm_ledger;
struct mm_look;
struct mm_sighting;

int mm_tokens_init(struct mm_tokens *t, const struct mm_hash_key *key, size_t max,
        size_t keys_max) MM_MUST_CHECK;
void mm_tokens_done(struct mm_tokens *t);

/** Before the ledger looks at the event: take in the documents it published, and name the issuers of opaque tokens. */
void mm_tokens_prepare(struct mm_ledger *l, struct mm_event *ev);

/** Is this use another leg of one that was counted, before or behind a proxy? The token's place is then that of the leg
 * nearer to its user. */
bool mm_tokens_copy(struct mm_ledger *l, const struct mm_event *ev, const struct mm_cred *cred);

/** How many of an application's tokens are shown by several kinds of software in one network. kind, client: as the tokens
 * have them. */
struct mm_share mm_tokens_of_kinds(const struct mm_ledger *l, struct mm_str issuer,
        enum mm_cred_kind kind, struct mm_str client);

/** What is to be said of a token shown; and where it was shown is taken down. */
void mm_tokens_look(struct mm_ledger *l, const struct mm_event *ev, const struct mm_cred *cred,
        struct mm_token_facts *facts);

/** Take down what was issued, and learn from it and from what was shown. trusted: as mm_ledger_settle(). */
void mm_tokens_settle(struct mm_ledger *l, const struct mm_look *look, bool trusted);

/** The software that acts, by its name without version: a hash, the same in every run; 0: not told. */
uint64_t mm_tokens_agent(const struct mm_event *ev);

/** Does it come from a proxy that passes others' requests on? */
bool mm_tokens_by_proxy(const struct mm_ledger *l, const struct mm_event *ev);

/** The server of an event that speaks HTTP, by the name it was asked for. */
struct mm_key_source mm_token_source(const struct mm_event *ev);

/** Write it down; read it again into an empty one. MM_ERR_CORRUPT, MM_ERR_NOMEM. */
void mm_tokens_save(const struct mm_tokens *t, struct mm_store *out);
int mm_tokens_load(
        struct mm_tokens *t, struct mm_cursor *in, struct mm_file_map *files) MM_MUST_CHECK;

/* claims.c */

/** A token taken apart for comparison with others. */
struct mm_claims {
	struct mm_jwt jwt;
	struct mm_slice iss, client, kid, alg, tid;
	char aud[MM_TOKEN_TEXT]; /* all audiences, joined by blanks */
	char form[512];          /* typ, and names and types of claims in order */
	int64_t iat_s, nbf_s, exp_s;
};

/** False when it is no JWT whose claims can be read. Freed by mm_jwt_done(&c->jwt) when true. */
bool mm_claims_read(struct mm_slice token, struct mm_claims *c);

/** The tenant in an issuer's URL is not the one in tid: two UUIDs that differ. */
bool mm_claims_tenant_differs(const struct mm_claims *c);

/** What of this form is otherwise in the usual one: "lacks x; adds y". */
void mm_claims_differ(const char *form, struct mm_str usual, char out[MM_TOKEN_TEXT]);

/** Is the proof (RFC 9449 section 4.3) one of this key for this token and request? jkt: the thumbprint in the token.
 * token: NULL in a request that carries none, as one for a token. */
bool mm_proof_good(struct mm_slice proof, struct mm_slice jkt, const struct mm_fp *token,
        struct mm_str method, struct mm_str place, struct mm_fp *id);

#endif
