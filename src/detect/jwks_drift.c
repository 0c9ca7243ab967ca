/* jwks-drift (JWT-15): a key that stood in one answer to one client only.
 *
 * A publisher gives all who ask the same set. A set with another key between two that are alike was not the publisher's, or
 * was made for one verifier: whoever holds that key can sign for it. ATT&CK T1606. Honest cause: a roll-out taken back. */
#include <stdio.h>

#include "detect/detect.h"

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_tokens *t = &d->ledger->tokens;
	char subject[MM_SUBJECT_TEXT], addr[MM_ADDR_TEXT];
	if (seen->ev->kind != MM_EV_KEY)
		return;
	for (size_t i = 0; i < t->n_drift; i++) {
		const struct mm_key *key = mm_keyring_key(t->keys, t->drift[i]);
		if (key == NULL)
			continue;
		const char *owner = mm_keyring_owner(t->keys, t->drift[i]);
		snprintf(subject, sizeof subject, "key %.64s of %.128s", key->jwk.kid,
		        owner[0] != '\0' ? owner : "an issuer not known");
		struct mm_finding *f = mm_detect_open_about(d, &mm_jwks_drift, seen->ev, subject);
		if (f == NULL)
			continue;
		f->facts.n_uses++;
		snprintf(f->facts.other, sizeof f->facts.other, "%s",
		        mm_addr_text(&key->drifted_to, addr));
		if (f->n_pkts < MM_FINDING_PKTS && key->pkt.number != 0)
			f->pkts[f->n_pkts++] = key->pkt;
		mm_finding_use(f, seen->ev, NULL, NULL);
	}
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	(void)d;
	mm_finding_reset(f, MM_W_PRIOR_FORGED);
	mm_finding_add(f, MM_W_JWKS_DRIFT, mm_weigh_p(MM_W_JWKS_DRIFT, 0),
	        "it stood in one answer, to %s, and not in those before and after, which others "
	        "were given",
	        f->facts.other);
}

static const char *const alternatives[] = {
	"a new key that was published and taken back at once",
	"replicas of the issuer that publish different sets",
	NULL,
};

const struct mm_detector mm_jwks_drift = {
	.name = "jwks-drift",
	.id = "JWT-15",
	.technique = "T1606",
	.technique_name = "Forge Web Credentials",
	.help = "key that stood in one answer of a key set only",
	.meaning = "Whoever can put a key into what a verifier fetches can sign any token for it.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
