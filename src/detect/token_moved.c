/* token-moved (JWT-11): one access token from two networks: with another User-Agent, or to and fro within an
 * hour. A change of address alone is silent (mobile users), and so are exchanges by services. ATT&CK T1528. */
#include "detect/token.h"

static const struct mm_token_rule rule = { .odd = MM_TOKEN_MOVED };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_token_look(d, &mm_token_moved, &rule, seen);
}

static const char *const alternatives[] = {
	"one user's browser and another program that share a token",
	"a proxy or VPN that is not known as one (option http.proxies)",
	NULL,
};

const struct mm_detector mm_token_moved = {
	.name = "token-moved",
	.id = "JWT-11",
	.technique = "T1528",
	.technique_name = "Steal Application Access Token",
	.help = "token shown from another network by other software, or from two in "
	        "turns",
	.meaning = "A bearer token opens the door for whoever has it.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_token_weigh,
};
