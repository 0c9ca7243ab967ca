/* What the files of the keyring share. */
#ifndef MM_KEYS_RING_H
#define MM_KEYS_RING_H

#include "keys/keyring.h"

struct mm_keyring {
	struct mm_key *keys;
	struct mm_key_issuer *issuers;
	struct mm_publisher *places;
	size_t n_keys, n_issuers, n_places;
	uint32_t generation;
	size_t keys_max;
	uint64_t n_evicted;
	uint64_t n_cut; /* tokens for which not all keys could be tried */
};

/* Numbers count from 1; 0: none. */
uint32_t mm_ring_find_issuer(const struct mm_keyring *k, struct mm_slice name);
uint32_t mm_ring_put_issuer(struct mm_keyring *k, struct mm_slice name);
bool mm_ring_has_place(const struct mm_key_issuer *issuer, uint32_t place);

/** Room for one more; NULL when there is none. */
struct mm_publisher *mm_ring_grow_places(struct mm_keyring *k);
struct mm_key_issuer *mm_ring_grow_issuers(struct mm_keyring *k);
/** A new key read from its JSON; NULL when it is none, or memory is out. */
struct mm_key *mm_ring_new_key(struct mm_keyring *k, const json_t *json);

/** Is it a key of this issuer, or of one of its scope? iss: as the token has it. */
bool mm_ring_belongs(
        const struct mm_keyring *k, const struct mm_key *key, uint32_t issuer, struct mm_slice iss);

/** Does an issuer's name with braces stand for this one, too? */
bool mm_ring_matches(const char *pattern, struct mm_slice iss);

/** The host of a URL, without port. */
struct mm_slice mm_ring_host(struct mm_slice url);

#endif
