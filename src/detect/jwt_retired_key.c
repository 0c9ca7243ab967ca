/* jwt-retired-key (JWT-04): a token made after its key had left the published set, or shown long after. ATT&CK
 * T1606. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .proof = MM_PROOF_RETIRED };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_jwt_retired_key, &rule, seen);
}

static const char *const alternatives[] = {
	"a replica of the issuer that lags behind in a rotation",
	"a set that was published without the key for a while by mistake",
	NULL,
};

const struct mm_detector mm_jwt_retired_key = {
	.name = "jwt-retired-key",
	.id = "JWT-04",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "token made with a key that its issuer had withdrawn",
	.meaning = "A key that is no longer published signs no new tokens: somebody kept "
	           "it. The key of Storm-0558 had been out of use for two years.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
