/* Secrets of TLS connections, as clients and servers log them for whoever debugs them.
 *
 *	CLIENT_RANDOM <client random> <master secret>                     TLS 1.2 and before
 *	CLIENT_HANDSHAKE_TRAFFIC_SECRET <client random> <secret>          TLS 1.3, and so on
 *
 * draft-ietf-tls-keylogfile section 2: a label, 32 bytes and a secret in hexadecimal, one of each a line. From the
 * operator's file they hold for all packets. From a capture's decryption secrets they hold for what was read after
 * them, so that it does not matter how far reading is ahead of those who look secrets up.
 *
 * Any thread may look up while one adds: a mutex is held for as long as a copy takes, a few times per connection. */
#ifndef MM_KEYS_KEYLOG_H
#define MM_KEYS_KEYLOG_H

#include "base/addr.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/hash.h"

enum {
	MM_TLS_RANDOM = 32,
	MM_TLS_SECRET_MAX = 64, /* bytes: SHA-512's; the longest in use has 48 */
};

enum mm_key_label {
	MM_KEY_MASTER,           /* CLIENT_RANDOM */
	MM_KEY_CLIENT_EARLY,     /* CLIENT_EARLY_TRAFFIC_SECRET */
	MM_KEY_CLIENT_HANDSHAKE, /* CLIENT_HANDSHAKE_TRAFFIC_SECRET */
	MM_KEY_SERVER_HANDSHAKE,
	MM_KEY_CLIENT_TRAFFIC, /* CLIENT_TRAFFIC_SECRET_0; those of later updates follow from it */
	MM_KEY_SERVER_TRAFFIC,
	MM_KEY_LABELS,
};

struct mm_secret {
	uint8_t b[MM_TLS_SECRET_MAX];
	size_t len; /* 0: none */
};

/** From when on a secret holds. */
struct mm_key_since {
	bool always;
	uint32_t
	        file; /* else for packets of this capture behind number, and of others with a later time */
	uint64_t number;
	int64_t time_ns;
};

struct mm_keylog_stats {    /* nothing but uint64_t */
	uint64_t n_keys;    /* secrets held */
	uint64_t n_added;   /* secrets read */
	uint64_t n_bad;     /* lines that are not of the format */
	uint64_t n_ignored; /* lines of labels that are of no use here */
	uint64_t n_limit;   /* secrets that there was no room for, or that gave way to newer ones */
};

struct mm_keylog;

/** room: secrets held at most. Where it is full, roll lets the oldest give way to a new one, else the new one is left
 * out. Errors: MM_ERR_NOMEM, MM_ERR_USAGE (room is 0). */
int mm_keylog_new(const struct mm_hash_key *key, size_t room, bool roll,
        struct mm_keylog **out) MM_MUST_CHECK;
/** Wipe and free; accepts NULL. */
void mm_keylog_free(struct mm_keylog *k);

/** Read a piece of a key log, which may end within a line: the rest of it is awaited. By one thread at a time. */
void mm_keylog_feed(struct mm_keylog *k, struct mm_slice text);
/** Read a whole key log, whose secrets hold since then; the last line need not have an end. */
void mm_keylog_read(struct mm_keylog *k, struct mm_slice text, const struct mm_key_since *since);

/** More may come while packets are read: what is not there now may be there later. */
void mm_keylog_expect(struct mm_keylog *k);
bool mm_keylog_is_expected(const struct mm_keylog *k);

/** Is there any secret, or may there be? */
bool mm_keylog_is_used(const struct mm_keylog *k);

/** The secret of a connection, for a packet: a copy, which the caller wipes. False when there is none for it. */
bool mm_keylog_find(const struct mm_keylog *k, enum mm_key_label label,
        struct mm_slice client_random, const struct mm_pkt *pkt, int64_t time_ns,
        struct mm_secret *out);

void mm_keylog_stats_of(const struct mm_keylog *k, struct mm_keylog_stats *out);

#endif
