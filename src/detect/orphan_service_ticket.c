/* orphan-service-ticket (LED-02): a service ticket presented that no KDC was seen to issue.
 *
 * Silver ticket: made with the service's own key, so that no KDC is asked at all. Evidence as for orphan-tgt, the
 * key version and etype against those of the same service or machine. Also a ticket shown as S4U2Proxy evidence
 * that was never issued. ATT&CK T1558.002. */
#include "detect/orphan.h"

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	mm_orphan_look(d, &mm_orphan_service_ticket, seen, false);
}

static const char *const alternatives[] = {
	"issued before the sensor began, or while it was blind, and kept in a cache",
	"issued by a KDC that this sensor does not see (another site, VPN, KDC proxy over HTTPS)",
	"its TGS-REP was lost on the way to the sensor",
	"the service was rekeyed within the life of the ticket (then its key version is the one "
	"before)",
	NULL,
};

const struct mm_detector mm_orphan_service_ticket = {
	.name = "orphan-service-ticket",
	.id = "LED-02",
	.technique = "T1558.002",
	.technique_name = "Steal or Forge Kerberos Tickets: Silver Ticket",
	.help = "service ticket presented that no observed KDC issued (silver ticket)",
	.meaning =
	        "Whoever holds a service's key can make tickets for it in any user's name without "
	        "asking the KDC. If this one is forged, the key of the account behind the service "
	        "is stolen.",
	.alternatives = alternatives,
	.look = look,
	.weigh = mm_orphan_weigh,
};
