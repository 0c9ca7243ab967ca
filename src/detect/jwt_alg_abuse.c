/* jwt-alg-abuse (JWT-03): alg none, a public key taken for an HMAC secret, a key in the token's own header, a
 * key URL or kid that leads elsewhere (RFC 8725 sections 2.1, 3.1, 3.10). ATT&CK T1606. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .proof = MM_PROOF_UNSIGNED | MM_PROOF_CONFUSED |
	                                            MM_PROOF_EMBEDDED | MM_PROOF_FOREIGN_URL |
	                                            MM_PROOF_ODD_KID };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_jwt_alg_abuse, &rule, seen);
}

static const char *const alternatives[] = {
	"a test set-up whose tokens are unsigned on purpose",
	"a federation whose keys are published at another host (jku, x5u)",
	NULL,
};

const struct mm_detector mm_jwt_alg_abuse = {
	.name = "jwt-alg-abuse",
	.id = "JWT-03",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "token without a signature, or verified by what its maker chose",
	.meaning = "These tokens need no stolen key: they lead a careless verifier to "
	           "check them with what their maker chose.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
