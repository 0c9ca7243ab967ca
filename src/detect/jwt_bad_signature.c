/* jwt-bad-signature (JWT-02): a token that names a key of its issuer, and is not signed by it. ATT&CK T1606. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .proof = MM_PROOF_BAD };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_jwt_bad_signature, &rule, seen);
}

static const char *const alternatives[] = {
	"a token mangled by an application or cut by the capture",
	"an issuer that reuses a kid for another key (then the set changed)",
	NULL,
};

const struct mm_detector mm_jwt_bad_signature = {
	.name = "jwt-bad-signature",
	.id = "JWT-02",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "token whose signature does not verify with its issuer's key",
	.meaning = "The token was changed after it was signed, or made by somebody who has "
	           "not the key.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
