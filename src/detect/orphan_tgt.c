/* orphan-tgt (LED-01): a ticket-granting ticket presented that its KDC was never seen to issue.
 *
 * Golden ticket, diamond and sapphire alike: whatever the forger copies, the ciphertext is one that no KDC sent.
 * Evidence: no issuance in the ledger, scaled by measured coverage; kvno, etype, length, name-type and realm
 * against the issuer's own tickets; session-key etype of the reply; the KDC's refusal; the client's habits. ATT&CK
 * T1558.001. Known honest causes: those in alternatives below. */
#include "detect/orphan.h"

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_orphan_look(d, &mm_orphan_tgt, seen, true);
}

static const char *const alternatives[] = {
	"issued before the sensor began, or while it was blind, and kept in a cache",
	"issued by a KDC that this sensor does not see (another site, VPN, KDC proxy over HTTPS)",
	"its AS-REP or TGS-REP was lost on the way to the sensor",
	"the krbtgt key was changed within the life of the ticket (then its key version is the one "
	"before)",
	NULL,
};

const struct mm_detector mm_orphan_tgt = {
	.name = "orphan-tgt",
	.id = "LED-01",
	.technique = "T1558.001",
	.technique_name = "Steal or Forge Kerberos Tickets: Golden Ticket",
	.help = "TGT presented that no observed KDC issued (golden, diamond, sapphire ticket)",
	.meaning =
	        "Whoever holds the krbtgt key can make a TGT for any user without asking the KDC; "
	        "such a ticket is never seen issued. If this one is forged, the domain's krbtgt "
	        "key is stolen.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_orphan_weigh,
};
