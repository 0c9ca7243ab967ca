/* jwt-outside-validity (JWT-10): exp or nbf missed by more than 5 min, and the server said yes. ATT&CK
 * T1550.001. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .odd = MM_TOKEN_EXPIRED | MM_TOKEN_EARLY };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_jwt_outside_validity, &rule, seen);
}

static const char *const alternatives[] = {
	"a server whose clock is wrong",
	"a stream that was opened while the token was valid",
	NULL,
};

const struct mm_detector mm_jwt_outside_validity = {
	.name = "jwt-outside-validity",
	.id = "JWT-10",
	.technique = "T1550.001",
	.technique_name = "Use Alternate Authentication Material: Application Access Token",
	.help = "token accepted after it expired or before it is valid",
	.meaning = "The server does not look at dates: a token once stolen opens it for "
	           "ever.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
