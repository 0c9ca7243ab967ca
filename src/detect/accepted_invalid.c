/* accepted-after-invalid (JWT-16): a server that says yes to a token which is proven invalid.
 *
 * About the server, not the token: whatever is wrong with the token has a finding of its own. Seen: a signature by a key that
 * is not its issuer's, none at all, or one that does not verify, and an answer 2xx. Honest cause: a place that asks for no
 * token. ATT&CK T1606. */
#include <stdio.h>

#include "detect/detect.h"

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_event *ev = seen->ev;
	char subject[MM_SUBJECT_TEXT], addr[MM_ADDR_TEXT];
	for (size_t i = 0; i < seen->n_seen; i++) {
		const struct mm_sighting *s = &seen->seen[i];
		if (s->token == NULL || s->copy || s->token->verdict != MM_INVALID ||
		        ev->outcome != MM_SUCCESS || s->cred->role != MM_ROLE_PRESENTED)
			continue;
		struct mm_key_source at = mm_token_source(ev);
		snprintf(subject, sizeof subject, "the server %.*s at %s port %u",
		        (int)mm_first(at.host, 100).len, (const char *)at.host.p,
		        mm_addr_text(&ev->dst.addr, addr), ev->dst.port);
		struct mm_finding *f = mm_detect_open_about(d, &mm_accepted_invalid, ev, subject);
		if (f == NULL)
			continue;
		f->facts.n_uses++;
		f->facts.n_accepted++;
		mm_name_copy(f->facts.user, s->cred->principal);
		mm_finding_use(f, ev, s->cred, mm_event_find_cred(ev, MM_ROLE_ISSUED));
	}
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	(void)d;
	mm_finding_reset(f, MM_W_PRIOR_FORGED);
	mm_finding_add(f, MM_W_ACCEPTED_INVALID, mm_weigh_p(MM_W_ACCEPTED_INVALID, 0),
	        "it accepted tokens whose signature is proven invalid, %llu time%s",
	        (unsigned long long)f->facts.n_accepted, f->facts.n_accepted == 1 ? "" : "s");
}

static const char *const alternatives[] = {
	"a place that asks for no token and does not look at one",
	"a server that trusts keys which the sensor was never told of",
	NULL,
};

const struct mm_detector mm_accepted_invalid = {
	.name = "accepted-after-invalid",
	.id = "JWT-16",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "server that accepts tokens which are proven invalid",
	.meaning =
	        "The server's check of tokens is broken: whoever finds out can be anybody there.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
