/* token-binding (JWT-13): cnf.jkt without a DPoP proof or with a wrong one (RFC 9449); cnf.x5t#S256 with another
 * certificate (RFC 8705). ATT&CK T1550.001. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .odd = MM_TOKEN_NO_PROOF | MM_TOKEN_BAD_PROOF |
	                                          MM_TOKEN_NO_CERT };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_token_binding, &rule, seen);
}

static const char *const alternatives[] = {
	"a proxy that ends TLS or strips the DPoP header",
	"a proxy that rewrites more than the front of paths",
	NULL,
};

const struct mm_detector mm_token_binding = {
	.name = "token-binding",
	.id = "JWT-13",
	.technique = "T1550.001",
	.technique_name = "Use Alternate Authentication Material: Application Access Token",
	.help = "bound token shown without the key or certificate it is bound to",
	.meaning = "The binding exists so that a stolen token is worthless. Shown without "
	           "it, it is in other hands.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
