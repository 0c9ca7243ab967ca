/* jwt-key-scope (JWT-01): a token whose signature verifies with a key that belongs to another issuer than the
 * one it names. ATT&CK T1606. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .proof = MM_PROOF_FOREIGN };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_jwt_key_scope, &rule, seen);
}

static const char *const alternatives[] = {
	"two names of one issuer that share keys, which the sensor did not "
	"learn as such (option keys.scope says so)",
	"a key set taken over from another issuer in a migration that the "
	"sensor did not see",
	NULL,
};

const struct mm_detector mm_jwt_key_scope = {
	.name = "jwt-key-scope",
	.id = "JWT-01",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "token signed with a key of another issuer",
	.meaning = "A key signs for its own issuer only. Whoever holds another issuer's "
	           "key and finds a server that trusts both can be any user of either: so "
	           "it was done to Exchange Online in 2023 (Storm-0558).",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
