/* Kerberos through a KDC proxy, MS-KKDCP: AS and TGS exchanges in the bodies of POST /KdcProxy.
 *
 *	KDC-PROXY-MESSAGE ::= SEQUENCE {
 *		kerb-message           [0] OCTET STRING,     -- with the record mark of RFC 4120 section 7.2.2
 *		target-domain          [1] KERB-REALM OPTIONAL,
 *		dclocator-hint         [2] INTEGER OPTIONAL
 *	}
 *
 * Their events are those of port 88 but for mintmark.kerberos.carrier; destination is the proxy, which is what the network shows of
 * the KDC. */
#include "base/der.h"
#include "dissect/exchange.h"
#include "dissect/krb5.h"

/* The Kerberos message without its record mark; empty when there is none. */
static struct mm_slice kerb_message(struct mm_slice body)
{
	struct mm_cursor c = mm_cursor(body);
	struct mm_cursor seq = mm_der_get(&c, MM_DER_SEQUENCE);
	struct mm_cursor f = mm_der_get(&seq, mm_der_context(0));
	struct mm_cursor text = mm_cursor(mm_der_string(&f, MM_DER_OCTET_STRING));
	size_t len = mm_be32(&text);
	return text.err || len != text.len ? mm_first(body, 0) : mm_rest(&text);
}

bool mm_kkdcp_is_path(struct mm_slice path)
{
	return mm_web_is_word(path, "/KdcProxy") || mm_web_is_word(path, "/KdcProxy/");
}

void mm_kkdcp_exchange(struct mm_dissect *d, struct mm_web_exchange *x)
{
	const struct mm_web_message *q = &x->request, *r = &x->response;
	if (!mm_web_is_type(q, "application/kerberos") && !mm_kkdcp_is_path(x->path))
		return;
	struct mm_krb5_carried carried = {
		.carrier = "kkdcp",
		.client = x->client,
		.request = { kerb_message(q->body), q->first, q->last, q->time_ns },
		.reply = { kerb_message(r->body), r->first, r->last, r->time_ns },
	};
	mm_krb5_carried(d, &carried);
}
