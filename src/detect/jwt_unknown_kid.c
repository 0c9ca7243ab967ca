/* jwt-unknown-kid (JWT-05): kid in no known set of the issuer; strong when a set was seen after the token was
 * made. ATT&CK T1606. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .proof = MM_PROOF_UNKNOWN_KID };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_jwt_unknown_kid, &rule, seen);
}

static const char *const alternatives[] = {
	"a rotation whose new set was not seen yet",
	"a replica that publishes another set",
	NULL,
};

const struct mm_detector mm_jwt_unknown_kid = {
	.name = "jwt-unknown-kid",
	.id = "JWT-05",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "token that names a key which its issuer never published",
	.meaning = "The verifier cannot have such a key from the issuer, unless it was "
	           "told of it elsewhere.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
