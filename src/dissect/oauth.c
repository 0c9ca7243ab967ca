/* Tokens and logins in exchanges of HTTP. */
#include "dissect/web.h"

void mm_oauth_exchange(struct mm_dissect *d, struct mm_web_exchange *x)
{
	(void)d;
	(void)x;
}
