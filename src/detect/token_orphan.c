/* token-orphan (JWT-06): no issuance in the ledger, scaled by measured coverage of its issuer. Found by this
 * alone is a token forged with the right key. ATT&CK T1606. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .orphan = true };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_token_orphan, &rule, seen);
}

static const char *const alternatives[] = {
	"issued before the sensor began, or while it was blind",
	"issued on a leg that this sensor does not see (another replica, TLS "
	"without keys)",
	"its answer was lost on the way to the sensor",
	NULL,
};

const struct mm_detector mm_token_orphan = {
	.name = "token-orphan",
	.id = "JWT-06",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "token presented that its issuer was never seen to issue",
	.meaning = "Whoever holds the issuer's signing key can make a token for any user "
	           "without asking it; such a token is never seen issued. If this one is "
	           "forged, the key is stolen.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
