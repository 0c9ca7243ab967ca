/* jwt-lifetime (JWT-08): exp - iat half as long again as that of any token like it seen issued. ATT&CK T1606. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .odd = MM_TOKEN_LIFETIME };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_jwt_lifetime, &rule, seen);
}

static const char *const alternatives[] = {
	"a policy that was changed for this application",
	"tokens of long life for continuous access evaluation",
	NULL,
};

const struct mm_detector mm_jwt_lifetime = {
	.name = "jwt-lifetime",
	.id = "JWT-08",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "token that lives longer than its issuer lets tokens live",
	.meaning = "Forgers give themselves time; issuers give all tokens of an "
	           "application the same.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
