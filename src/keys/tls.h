/* Opening TLS records with secrets that are known: cipher suites, key schedules, protection.
 *
 * RFC 5246 sections 5 and 6.2.3 (TLS 1.2), RFC 8446 sections 5 and 7 (TLS 1.3); RFC 5288 (GCM), RFC 6655 and 7251 (CCM),
 * RFC 7905 (ChaCha20-Poly1305), RFC 7366 (encrypt-then-MAC). Nothing is ever encrypted here. */
#ifndef MM_KEYS_TLS_H
#define MM_KEYS_TLS_H

#include "keys/keylog.h"

enum {
	MM_TLS_12 = 0x0303,
	MM_TLS_13 = 0x0304,
	MM_TLS_FRAGMENT_MAX =
	        16384 + 2048, /* TLSCiphertext.length; TLS 1.3 allows 256 beyond 2^14 */
	MM_TLS_KEY_MAX = 32,
	MM_TLS_IV_MAX = 16,
	MM_TLS_MAC_MAX = 48,
};

enum mm_tls_kind {
	MM_TLS_GCM,
	MM_TLS_CCM,
	MM_TLS_CHACHA,
	MM_TLS_CBC,
};

enum mm_tls_hash {
	MM_TLS_SHA1,
	MM_TLS_SHA256,
	MM_TLS_SHA384,
};

struct mm_tls_suite {
	uint16_t id;
	const char *name; /* IANA's */
	enum mm_tls_kind kind;
	uint8_t key_len, tag_len; /* tag_len: CBC's MAC */
	enum mm_tls_hash prf;     /* of the key schedule */
	enum mm_tls_hash mac;     /* CBC */
};

/** NULL: not known. */
const struct mm_tls_suite *mm_tls_suite(uint16_t id);
bool mm_tls_suite_is_13(const struct mm_tls_suite *suite);

/** What opens the records of one direction, with one key. Zeroed at the start. */
struct mm_tls_half {
	const struct mm_tls_suite *suite; /* NULL: there is no key */
	void *ctx;                        /* EVP_CIPHER_CTX */
	bool encrypt_then_mac;
	uint64_t seq; /* of the next record */
	uint8_t key[MM_TLS_KEY_MAX], iv[MM_TLS_IV_MAX], mac_key[MM_TLS_MAC_MAX];
	struct mm_secret secret; /* TLS 1.3 */
};

/** TLS 1.3, RFC 8446 section 7.3. False when the secret does not fit the suite, or memory is out; the half has then no key. */
bool mm_tls_half_13(
        struct mm_tls_half *h, const struct mm_tls_suite *suite, const struct mm_secret *secret);
/** After a KeyUpdate: the next key, RFC 8446 section 7.2. */
bool mm_tls_half_update(struct mm_tls_half *h);

struct mm_tls_randoms {
	uint8_t client[MM_TLS_RANDOM], server[MM_TLS_RANDOM];
};

/** TLS 1.2: both directions, to the server first, RFC 5246 section 6.3. */
bool mm_tls_halves_12(struct mm_tls_half h[2], const struct mm_tls_suite *suite,
        const struct mm_secret *master, const struct mm_tls_randoms *randoms,
        bool encrypt_then_mac);

/** Wipe, and free what it owns. */
void mm_tls_half_done(struct mm_tls_half *h);

/** A record as it is on the wire. */
struct mm_tls_record {
	uint8_t type;
	uint16_t version;
	struct mm_slice fragment;
};

/** Open a record as that of this number; h->seq stays as it is. out: MM_TLS_FRAGMENT_MAX bytes. *type: what it holds.
 * False when it is not authentic. */
bool mm_tls_open(const struct mm_tls_half *h, const struct mm_tls_record *r, uint64_t seq,
        uint8_t *out, size_t *len, uint8_t *type);

/** Use everything once, before a sandbox closes: libraries load late. */
void mm_tls_warm(void);

/** RFC 5246 section 5: P_hash over label and seed. For tests, too. */
bool mm_tls_prf(enum mm_tls_hash hash, struct mm_slice secret, const char *label,
        struct mm_slice seed, uint8_t *out, size_t len);
/** RFC 8446 section 7.1, with an empty context; len is at most that of the hash. */
bool mm_tls_expand_label(
        enum mm_tls_hash hash, struct mm_slice secret, const char *label, uint8_t *out, size_t len);

#endif
