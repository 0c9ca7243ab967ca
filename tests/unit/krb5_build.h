/* Kerberos messages for tests, built by the ASN.1 of RFC 4120. */
#ifndef MM_TESTS_KRB5_BUILD_H
#define MM_TESTS_KRB5_BUILD_H

#include "der_build.h"

/* Section 5.2.9. fill makes ciphers, and so tickets, differ. */
static inline struct mm_slice krb5_encrypted(int64_t etype, int64_t kvno, size_t len, uint8_t fill)
{
	uint8_t *cipher = der_alloc(len);
	for (size_t i = 0; i < len; i++)
		cipher[i] = (uint8_t)(fill + i);
	return SEQ(CTX(0, der_integer(etype)), kvno < 0 ? NOTHING : CTX(1, der_integer(kvno)),
	        CTX(2, der_octets(mm_slice(cipher, len))));
}

/* Section 5.2.2: one or two components. */
static inline struct mm_slice krb5_name(int64_t type, const char *first, const char *second)
{
	return SEQ(CTX(0, der_integer(type)),
	        CTX(1, SEQ(der_general(first), second == NULL ? NOTHING : der_general(second))));
}

/* Section 5.3 */
static inline struct mm_slice krb5_ticket(const char *realm, const char *first, const char *second,
        int64_t etype, int64_t kvno, uint8_t fill)
{
	return APP(1, SEQ(CTX(0, der_integer(5)), CTX(1, der_general(realm)),
	                      CTX(2, krb5_name(2, first, second)),
	                      CTX(3, krb5_encrypted(etype, kvno, 100, fill))));
}

/* Section 5.5.1 */
static inline struct mm_slice krb5_ap_req(struct mm_slice ticket, uint32_t options)
{
	return APP(
	        14, SEQ(CTX(0, der_integer(5)), CTX(1, der_integer(14)), CTX(2, der_flags(options)),
	                    CTX(3, ticket), CTX(4, krb5_encrypted(17, -1, 70, 9))));
}

/* Section 5.5.2 */
static inline struct mm_slice krb5_ap_rep(void)
{
	return APP(15, SEQ(CTX(0, der_integer(5)), CTX(1, der_integer(15)),
	                       CTX(2, krb5_encrypted(17, -1, 50, 4))));
}

/* Section 5.2.7 */
static inline struct mm_slice krb5_padata(int64_t type, struct mm_slice value)
{
	return SEQ(CTX(1, der_integer(type)), CTX(2, der_octets(value)));
}

static inline struct mm_slice krb5_time(const char *text)
{
	return der_text(MM_DER_GENERALIZED_TIME, text);
}

/* Section 5.9.1; e_data empty: none. */
static inline struct mm_slice krb5_error(int64_t code, struct mm_slice e_data)
{
	return APP(30,
	        SEQ(CTX(0, der_integer(5)), CTX(1, der_integer(30)),
	                CTX(4, krb5_time("20240102030405Z")), CTX(5, der_integer(7)),
	                CTX(6, der_integer(code)), CTX(9, der_general("LAB.TEST")),
	                CTX(10, krb5_name(2, "krbtgt", "LAB.TEST")), CTX(11, der_general("why")),
	                e_data.len == 0 ? NOTHING : CTX(12, der_octets(e_data))));
}

struct krb5_req {
	uint8_t type;           /* 10 or 12 */
	struct mm_slice padata; /* PA-DATA elements, one after the other; empty: none */
	uint32_t options;
	const char *cname; /* NULL: none */
	const char *sname[2];
	int64_t nonce;
	struct mm_slice addresses; /* contents of HostAddresses; empty: none */
	struct mm_slice tickets;   /* additional-tickets, one after the other; empty: none */
};

/* Section 5.4.1 */
static inline struct mm_slice krb5_kdc_req(const struct krb5_req *r)
{
	struct mm_slice body = SEQ(CTX(0, der_flags(r->options)),
	        r->cname == NULL ? NOTHING : CTX(1, krb5_name(1, r->cname, NULL)),
	        CTX(2, der_general("LAB.TEST")), CTX(3, krb5_name(2, r->sname[0], r->sname[1])),
	        CTX(5, krb5_time("20370913024805Z")), CTX(7, der_integer(r->nonce)),
	        CTX(8, SEQ(der_integer(18), der_integer(17), der_integer(-133))),
	        r->addresses.len == 0 ? NOTHING : CTX(9, SEQ(r->addresses)),
	        r->tickets.len == 0 ? NOTHING : CTX(11, SEQ(r->tickets)));
	return APP(r->type,
	        SEQ(CTX(1, der_integer(5)), CTX(2, der_integer(r->type)),
	                r->padata.len == 0 ? NOTHING : CTX(3, SEQ(r->padata)), CTX(4, body)));
}

/* Section 5.4.2 */
static inline struct mm_slice krb5_kdc_rep(
        uint8_t type, struct mm_slice cname, struct mm_slice ticket, int64_t etype, int64_t kvno)
{
	return APP(type, SEQ(CTX(0, der_integer(5)), CTX(1, der_integer(type)),
	                         CTX(3, der_general("LAB.TEST")), CTX(4, cname), CTX(5, ticket),
	                         CTX(6, krb5_encrypted(etype, kvno, 90, 5))));
}

#endif
