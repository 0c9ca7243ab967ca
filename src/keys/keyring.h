/* Whose keys are whose, and when they were: every key set that was published, with its time and source, and what a
 * signature says against that history.
 *
 * A publisher is one place that answers with a JWKS (RFC 7517 section 5): a server's address, port, host and path, or a file.
 * Which issuer it speaks for is learnt from discovery documents (OpenID Connect Discovery 1.0 section 3), from tokens that
 * the same server issues, from the keys' own "issuer", and from the operator. Two legs of one service are two publishers
 * of one issuer. A key belongs to each issuer for which it was published or with which its tokens are issued: what a set
 * says of a key holds for the key in that place, for anybody can repeat another's keys in a set of his own. */
#ifndef MM_KEYS_KEYRING_H
#define MM_KEYS_KEYRING_H

#include "base/addr.h"
#include "base/files.h"
#include "keys/jwk.h"

enum {
	MM_URL_TEXT = 256,         /* octets kept of an issuer's name or a place */
	MM_KEYRING_KEYS = 4096,    /* keys */
	MM_KEYRING_ISSUERS = 1024, /* issuers */
	MM_KEYRING_PLACES = 1024,  /* publishers */
	MM_KEY_USES = 6,           /* publishers of one key */
	MM_KEYSET_KEYS = 64,       /* keys read of one set */
	MM_ISSUER_PLACES = 6,      /* publishers of one issuer */
	MM_KEY_ISSUERS = 6,        /* issuers whose tokens were seen issued with one key */
	MM_KEYSET_HISTORY = 3,     /* the latest sets of one publisher */
};

/** Where a document or a token came from. */
struct mm_key_source {
	struct mm_addr addr; /* family 0: a file of the operator's */
	uint16_t port;
	struct mm_slice host, path;
};

struct mm_keyset {
	uint64_t id; /* of the thumbprints in it */
	int64_t first_ns, last_ns;
	uint32_t n_given;      /* how often it was the answer */
	struct mm_addr client; /* the first it was given to */
	bool one_client;
};

struct mm_publisher {
	struct mm_addr addr;
	uint16_t port;
	char host[MM_URL_TEXT], path[MM_URL_TEXT];
	struct mm_keyset sets[MM_KEYSET_HISTORY]; /* [0] is the latest */
	int64_t first_ns, last_ns;                /* documents */
};

struct mm_key_issuer {
	char name[MM_URL_TEXT];
	char scope[64]; /* as the operator says: issuers of one scope share keys; "": its own */
	char jwks_host[MM_URL_TEXT], jwks_path[MM_URL_TEXT]; /* of jwks_uri; "": not known */
	struct mm_addr addr; /* which served its discovery document; family 0: none seen */
	uint16_t port;
	uint32_t places[MM_ISSUER_PLACES]; /* numbers of publishers */
	size_t n_places;
	uint64_t n_issued; /* tokens seen issued whose signature verified */
	bool told;         /* by the operator */
	bool named;        /* its discovery document was asked for by the issuer's own name */
};

/** A key as one publisher has it. */
struct mm_key_use {
	uint32_t place;
	int64_t absent_ns; /* the last set of the publisher without it before first_ns; 0: none seen */
	int64_t first_ns, last_ns; /* sets with it */
	int64_t gone_ns;           /* the first set without it after that; 0: still there */
	char issuer[MM_URL_TEXT];  /* member "issuer" as it stands there; "" when it has none */
	bool drifted;              /* it stood in one answer only: MM_KEY_DRIFT */
};

struct mm_key {
	struct mm_jwk jwk;
	char *text; /* mm_jwk_text() */
	struct mm_key_use uses[MM_KEY_USES];
	size_t n_uses;
	uint32_t issuers[MM_KEY_ISSUERS]; /* numbers of issuers whose tokens were issued with it */
	size_t n_issuers;
	struct mm_addr drifted_to; /* to whom that was given; not saved: told when it is found */
	int64_t seen_ns;
	struct mm_pkt pkt; /* that first published it */
};

/* What a signature says: bits. */
enum {
	MM_PROOF_UNSIGNED = 1u << 0, /* alg none, or no signature at all */
	MM_PROOF_CONFUSED = 1u << 1, /* HMAC with a published public key as its secret */
	MM_PROOF_EMBEDDED =
	        1u << 2, /* verifies with the key in its own header, which nobody published */
	MM_PROOF_FOREIGN = 1u << 3,      /* verifies with a key that only other issuers have */
	MM_PROOF_BAD = 1u << 4,          /* does not verify with the key it names */
	MM_PROOF_UNKNOWN_KID = 1u << 5,  /* its issuer's keys are known, none is called so */
	MM_PROOF_SET_NEWER = 1u << 6,    /* and a set of them was seen after the token was made */
	MM_PROOF_RETIRED = 1u << 7,      /* made after its key had left the set */
	MM_PROOF_BEFORE_KEY = 1u << 8,   /* made, as it says, when its key was not yet published */
	MM_PROOF_DRIFT = 1u << 9,        /* by a key that stood in one answer only */
	MM_PROOF_SET_KNOWN = 1u << 10,   /* keys of its issuer are known */
	MM_PROOF_PUBLISHED = 1u << 11,   /* from a set, not from issued tokens alone */
	MM_PROOF_FOREIGN_URL = 1u << 12, /* jku or x5u leads elsewhere than to the issuer */
	MM_PROOF_ODD_KID =
	        1u << 13, /* kid holds what no key is called: a path, quotes, a statement */
	MM_PROOF_WEAK_KEY = 1u << 14, /* by an RSA key below 2048 bits */
};

struct mm_proof {
	enum mm_verdict3 verdict; /* is it signed by its issuer? */
	uint32_t bits;
	uint32_t key;     /* number of the key that verifies it, or that it names; 0: none */
	const char *form; /* MM_PROOF_CONFUSED: in which form */
	char signer[MM_URL_TEXT];            /* MM_PROOF_FOREIGN: whose key it is */
	int64_t gone_ns, absent_ns, last_ns; /* of its key; last_ns: the last set with it */
	int64_t set_ns;                      /* latest set of its issuer; 0: none */
};

struct mm_keyring;

/** keys_max: at most MM_KEYRING_KEYS; the one not seen for longest gives way, unless the operator told it. NULL: out of memory. */
struct mm_keyring *mm_keyring_new(size_t keys_max);
void mm_keyring_free(struct mm_keyring *k);

/** Grows whenever something was learnt that may change a verdict. */
uint32_t mm_keyring_generation(const struct mm_keyring *k);

/** How many tokens were left untold because more keys came into question than are tried. */
uint64_t mm_keyring_cut(const struct mm_keyring *k);

/** A discovery document: issuer and jwks_uri. False when it is none, or its issuer is held to be another's place. */
bool mm_keyring_discovery(
        struct mm_keyring *k, const struct mm_key_source *from, struct mm_slice doc);

/** A key set. client: to whom it was given. drift: takes the numbers of keys that by now are known to have stood in one
 * answer only; *n_drift how many. False when it is no set. */
bool mm_keyring_publish(struct mm_keyring *k, const struct mm_key_source *from,
        const struct mm_addr *client, struct mm_slice doc, int64_t time_ns, struct mm_pkt pkt,
        uint32_t drift[MM_KEYSET_KEYS], size_t *n_drift);

/** What the operator knows: the keys of this issuer. 0 or MM_ERR_FORMAT. */
int mm_keyring_tell(
        struct mm_keyring *k, struct mm_slice issuer, struct mm_slice doc) MM_MUST_CHECK;
/** And that it shares keys with all others of this scope. */
void mm_keyring_scope(struct mm_keyring *k, struct mm_slice issuer, struct mm_slice scope);

/** A token that verified with this key was issued by this server in this issuer's name. */
void mm_keyring_issued(struct mm_keyring *k, struct mm_slice issuer, const struct mm_proof *proof,
        const struct mm_key_source *from);

/** Judge a token by all keys known. now_ns: when it was shown. */
void mm_keyring_judge(
        struct mm_keyring *k, const struct mm_jwt *jwt, int64_t now_ns, struct mm_proof *out);

/** A key by its number; NULL when there is none any more. */
const struct mm_key *mm_keyring_key(const struct mm_keyring *k, uint32_t number);
/** The name of an issuer for whom the key was published; "" when that is not known. */
const char *mm_keyring_owner(const struct mm_keyring *k, uint32_t number);
/** The issuer whose documents or tokens this server gives, when it is one alone; NULL otherwise. */
const char *mm_keyring_issuer_at(const struct mm_keyring *k, const struct mm_addr *addr,
        uint16_t port, struct mm_slice host);

size_t mm_keyring_count(const struct mm_keyring *k, size_t *n_issuers);
/** How many keys gave way to others. */
uint64_t mm_keyring_evicted(const struct mm_keyring *k);

/** Write it down; read it again into an empty one. MM_ERR_CORRUPT, MM_ERR_NOMEM. */
void mm_keyring_save(const struct mm_keyring *k, struct mm_store *out);
int mm_keyring_load(
        struct mm_keyring *k, struct mm_cursor *in, struct mm_file_map *files) MM_MUST_CHECK;

#endif
