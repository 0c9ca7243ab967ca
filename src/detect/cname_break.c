/* cname-break (LED-06): the KDC's reply names another client than the TGT that was presented belongs to.
 *
 * The KDC copies cname from the TGT into the ticket and the reply (RFC 4120 section 3.3.3). Lawful exceptions, all
 * silent: S4U2Self and S4U2Proxy (MS-SFU), names hidden by FAST, a service asking for a ticket to itself under
 * FAST (S4U2Self with its padata hidden), other spellings of one name (case, user@realm, machine account
 * with and without '$'). ATT&CK T1558. */
#include "detect/detect.h"

/* user, user@realm and DOMAIN-cased forms of one name compare equal up to the first '@'. */
static struct mm_str bare_name(struct mm_str s)
{
	const char *at = s.len != 0 ? memchr(s.p, '@', s.len) : NULL;
	if (at != NULL && at != s.p)
		s.len = (size_t)(at - s.p);
	if (s.len > 1 && s.p[s.len - 1] == '$')
		s.len--;
	return s;
}

static bool same_client(struct mm_str a, struct mm_str b)
{
	return mm_str_ieq(bare_name(a), bare_name(b));
}

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_event *ev = seen->ev;
	const struct mm_sighting *s = seen->proof;
	const struct mm_cred *issued = mm_event_find_cred(ev, MM_ROLE_ISSUED);
	const uint32_t lawful =
	        MM_EVF_S4U_SELF | MM_EVF_S4U_PROXY | MM_EVF_ANONYMOUS | MM_EVF_ONE_SIDED;
	if (issued == NULL || s == NULL || s->orphan || mm_cred_is_token(issued->kind) ||
	        (ev->flags & lawful) || (s->row->flags & (MM_ROW_S4U | MM_ROW_HIDDEN)) ||
	        issued->principal.len == 0)
		return;
	uint32_t principal = mm_ledger_party(d->ledger, s->row)->principal;
	struct mm_str owner = mm_names_text(&d->ledger->names, principal);
	if (owner.len == 0 || same_client(owner, issued->principal))
		return;
	/* A service that asks for a ticket to itself under FAST is S4U2Self, as far as can be seen. */
	if ((ev->flags & MM_EVF_ARMORED) && same_client(owner, issued->service))
		return;
	struct mm_finding *f = mm_detect_open(d, &mm_cname_break, seen, s);
	if (f == NULL)
		return;
	mm_name_copy(f->facts.other, owner);
	mm_name_copy(f->facts.user, issued->principal);
	f->facts.n_uses++;
	f->facts.n_accepted++;
	mm_finding_use(f, ev, s->cred, issued);
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	(void)d;
	enum mm_weight_id id =
	        f->facts.flags & MM_EVF_ARMORED ? MM_W_CNAME_BREAK_ARMORED : MM_W_CNAME_BREAK;
	mm_finding_reset(f, MM_W_PRIOR_FORGED);
	mm_finding_add(f, id, mm_weigh_p(id, mm_weight(id)->h_max),
	        "the TGT was issued to %s, but what the KDC gave for it names %s, and nothing in "
	        "the request "
	        "asked for that",
	        f->facts.other, f->facts.user);
}

static const char *const alternatives[] = {
	"an account renamed within the life of the TGT",
	"a KDC that writes another form of the name than it did in the AS-REP",
	"S4U2Self whose padata FAST hides",
	NULL,
};

const struct mm_detector mm_cname_break = {
	.name = "cname-break",
	.id = "LED-06",
	.technique = "T1558",
	.technique_name = "Steal or Forge Kerberos Tickets",
	.help = "KDC's reply names another client than the presented TGT belongs to",
	.meaning = "The client's name inside a TGT cannot change on its own: the ticket shown was "
	           "altered, or "
	           "is not the one that was issued.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
