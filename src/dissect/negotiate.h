/* The Negotiate scheme of RFC 4559 in an exchange, whichever version of HTTP carries it: a ticket shown to a web server or
 * proxy (WinRM among them), and what it says of it. */
#ifndef MM_DISSECT_NEGOTIATE_H
#define MM_DISSECT_NEGOTIATE_H

#include "dissect/exchange.h"
#include "dissect/gss.h"

enum { MM_SHOWN_MAX = 4 }; /* presentations without a verdict on one connection */

struct mm_shown {
	struct mm_presentation shown;
	uint32_t request; /* which request carried it, or its last leg */
	bool proxy;       /* in Proxy-Authorization */
	bool carried;     /* answered by another token: the next request goes on with it */
};

/** What a connection has shown; zero is nothing. */
struct mm_negotiate {
	struct mm_shown shown[MM_SHOWN_MAX];
	bool answers; /* the server was heard */
};

/** The request was read; order: which of the connection. answered: its answer was seen before. */
void mm_negotiate_request(struct mm_dissect *d, struct mm_negotiate *n,
        const struct mm_web_exchange *x, uint32_t order, bool answered);
/** The answer to it was read. */
void mm_negotiate_response(struct mm_dissect *d, struct mm_negotiate *n,
        const struct mm_web_exchange *x, uint32_t order);
/** No answer will come to any, or to the request of this order. */
void mm_negotiate_end(struct mm_dissect *d, struct mm_negotiate *n);
void mm_negotiate_end_one(struct mm_dissect *d, struct mm_negotiate *n, uint32_t order);

#endif
