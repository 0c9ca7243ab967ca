/* All who read exchanges of HTTP: the one line that adds one. */
#include "dissect/exchange.h"

void mm_web_exchange(struct mm_dissect *d, struct mm_web_exchange *x)
{
	mm_kkdcp_exchange(d, x);
	mm_oauth_exchange(d, x);
}
