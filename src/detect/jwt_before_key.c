/* jwt-before-key (JWT-14): iat earlier than the first publication of its key, or a key that stood in one answer
 * only. ATT&CK T1606. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .proof = MM_PROOF_BEFORE_KEY | MM_PROOF_DRIFT };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_jwt_before_key, &rule, seen);
}

static const char *const alternatives[] = {
	"a key moved here from another place of publication",
	"clocks that differ by more than 5 min",
	NULL,
};

const struct mm_detector mm_jwt_before_key = {
	.name = "jwt-before-key",
	.id = "JWT-14",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "token that says it was made before its key was published",
	.meaning = "An issuer publishes a key before it signs with it. A date before that "
	           "was written by whoever made the token.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
