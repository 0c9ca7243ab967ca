/* Kerberos through a KDC proxy, MS-KKDCP. */
#include "dissect/exchange.h"

void mm_kkdcp_exchange(struct mm_dissect *d, struct mm_web_exchange *x)
{
	(void)d;
	(void)x;
}
