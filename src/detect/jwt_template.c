/* jwt-template (JWT-07): names, types or order of claims, typ or alg differ from those of 20 or more tokens like
 * it. ATT&CK T1606. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .odd = MM_TOKEN_TEMPLATE | MM_TOKEN_ALG };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_jwt_template, &rule, seen);
}

static const char *const alternatives[] = {
	"a new version of the issuer, or a new policy (then other tokens "
	"follow)",
	"an application that asked for claims nobody asked for before",
	NULL,
};

const struct mm_detector mm_jwt_template = {
	.name = "jwt-template",
	.id = "JWT-07",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "token whose claims are not those its issuer writes",
	.meaning = "An issuer writes its tokens by one program. Who writes them by another "
	           "gets details wrong.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
