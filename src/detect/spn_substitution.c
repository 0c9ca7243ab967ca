/* spn-substitution (LED-05): a ticket presented under another service name than it was issued for.
 *
 * Realm and sname stand outside the encryption, so the holder of a ticket for one service can show it to another
 * one that runs under the same account (T1558, "altservice"). Silent where only case or the domain suffix differs. */
#include "detect/detect.h"

/* "cifs/ws1" and "cifs/ws1.corp.example" are one service: the short and the full name of one machine. */
static struct mm_str short_name(struct mm_str s)
{
	const char *slash = memchr(s.p, '/', s.len);
	size_t head = slash != NULL ? (size_t)(slash - s.p) : 0;
	const char *dot = memchr(s.p + head, '.', s.len - head);
	if (slash != NULL && dot != NULL)
		s.len = (size_t)(dot - s.p);
	return s;
}

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	for (size_t i = 0; i < seen->n_seen; i++) {
		const struct mm_sighting *s = &seen->seen[i];
		const struct mm_names *names = &d->ledger->names;
		const struct mm_mint *mint = mm_ledger_mint(d->ledger, s->row);
		struct mm_str issued = mm_names_text(names, mint->service);
		struct mm_str realm = mm_names_text(names, mint->issuer);
		if (s->orphan || mm_cred_is_token(s->cred->kind) || issued.len == 0 ||
		        s->cred->service.len == 0 ||
		        (mm_str_ieq(short_name(issued), short_name(s->cred->service)) &&
		                mm_str_ieq(realm, s->cred->issuer)))
			continue;
		struct mm_finding *f = mm_detect_open(d, &mm_spn_substitution, seen, s);
		if (f == NULL)
			continue;
		mm_name_copy(f->facts.other, issued);
		mm_name_copy(f->facts.user,
		        mm_names_text(names, mm_ledger_party(d->ledger, s->row)->principal));
		f->facts.n_uses++;
		f->facts.n_accepted += seen->ev->outcome == MM_SUCCESS ? 1 : 0;
		f->facts.n_refused += seen->ev->outcome == MM_FAILURE ? 1 : 0;
		mm_finding_use(f, seen->ev, s->cred, mm_event_find_cred(seen->ev, MM_ROLE_ISSUED));
	}
}

/* Clients that rewrite names do it again and again: what several hosts here do is ordinary here. */
static double share_of_hosts(const struct mm_detect *d, const struct mm_finding *f)
{
	double others = 0;
	for (const struct mm_finding *g = mm_table_next(&d->findings, NULL); g != NULL;
	        g = mm_table_next(&d->findings, g))
		if (g->detector == f->detector && !mm_addr_eq(&g->facts.client, &f->facts.client))
			others++;
	const struct mm_issuer *issuer = mm_ledger_issuer(
	        d->ledger, mm_names_find_folded(&d->ledger->names,
	                           (struct mm_str){ f->facts.issuer, strlen(f->facts.issuer) }));
	double n = issuer != NULL ? (double)issuer->n_matched : 0;
	return others / (n + 1);
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	mm_finding_reset(f, MM_W_PRIOR_FORGED);
	mm_finding_add(f, MM_W_SPN_SUBSTITUTION,
	        mm_weigh_p(MM_W_SPN_SUBSTITUTION, share_of_hosts(d, f)),
	        "it was issued for %s and is presented as %s: the name was changed on the way, "
	        "outside the "
	        "encryption",
	        f->facts.other, f->facts.service);
}

static const char *const alternatives[] = {
	"a client that rewrites service names by an alias of its own (then it does so for all "
	"tickets alike)",
	NULL,
};

const struct mm_detector mm_spn_substitution = {
	.name = "spn-substitution",
	.id = "LED-05",
	.technique = "T1558.002",
	.technique_name = "Steal or Forge Kerberos Tickets: Silver Ticket",
	.help = "ticket presented under another service name than it was issued for",
	.meaning = "A ticket's service name is not protected. Changing it turns a ticket for a "
	           "harmless "
	           "service into one for another service of the same account.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
