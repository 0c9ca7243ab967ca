/* What the operator knows of issuers: key sets in files, and which issuers share keys. */
#ifndef MM_KEYS_TELL_H
#define MM_KEYS_TELL_H

#include "keys/keyring.h"

enum { MM_TELL_WHY = 512 };

/** Read the key sets of "ISSUER=FILE ISSUER=FILE ..."; NULL: none. The last '=' of each parts the two, as an issuer is a URL.
 * MM_ERR_USAGE, MM_ERR_IO, MM_ERR_FORMAT: why says what of which. */
int mm_keys_tell_sets(struct mm_keyring *k, const char *list, char why[MM_TELL_WHY]) MM_MUST_CHECK;

/** Take down "ISSUER=SCOPE ISSUER=SCOPE ...": issuers of one scope share keys. NULL: none. */
int mm_keys_tell_scopes(
        struct mm_keyring *k, const char *list, char why[MM_TELL_WHY]) MM_MUST_CHECK;

#endif
