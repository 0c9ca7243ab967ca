/* token-reuse (JWT-12): an authorization code redeemed twice, a refresh token shown after another took its place
 * (RFC 6749 section 10.5, RFC 9700 section 4.14). Retries of the same host within 10 s are silent. ATT&CK T1528. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .odd = MM_TOKEN_ROTATED | MM_TOKEN_USED_CODE };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_token_reuse, &rule, seen);
}

static const char *const alternatives[] = {
	"an application restored from a backup",
	"a client that lost the answer and asks again much later",
	NULL,
};

const struct mm_detector mm_token_reuse = {
	.name = "token-reuse",
	.id = "JWT-12",
	.technique = "T1528",
	.technique_name = "Steal Application Access Token",
	.help = "code or refresh token shown again after it had served",
	.meaning = "Each serves once. When two use it, one of them stole it.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
