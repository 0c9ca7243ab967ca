/* jwt-claims-mismatch (JWT-09): tid against iss; aud against what this server takes; ID tokens shown as access
 * tokens. Only where accepted, but for the tenant. ATT&CK T1550.001. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .odd = MM_TOKEN_TENANT | MM_TOKEN_AUDIENCE |
	                                          MM_TOKEN_AUDIENCE_OWN | MM_TOKEN_ID_TOKEN |
	                                          MM_TOKEN_ISSUER };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_jwt_claims, &rule, seen);
}

static const char *const alternatives[] = {
	"a gateway that passes tokens on to other services",
	"a service that has begun to take a second audience",
	NULL,
};

const struct mm_detector mm_jwt_claims = {
	.name = "jwt-claims-mismatch",
	.id = "JWT-09",
	.technique = "T1550.001",
	.technique_name = "Use Alternate Authentication Material: Application Access Token",
	.help = "token of another tenant, for another audience or of another kind than "
	        "where it is shown",
	.meaning = "A token that was made for one place and opens another gives its holder "
	           "what nobody granted.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
