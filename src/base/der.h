/* ASN.1 elements over a cursor: X.690 DER, and the BER that peers accept (long forms of short lengths).
 * Indefinite lengths and tag numbers above 30 are refused: none of the protocols read here uses them. */
#ifndef MM_BASE_DER_H
#define MM_BASE_DER_H

#include "base/cursor.h"

/* Identifier octets, X.690 section 8.1.2. */
enum {
	MM_DER_BOOLEAN = 0x01,
	MM_DER_INTEGER = 0x02,
	MM_DER_BIT_STRING = 0x03,
	MM_DER_OCTET_STRING = 0x04,
	MM_DER_OID = 0x06,
	MM_DER_ENUMERATED = 0x0a,
	MM_DER_GENERALIZED_TIME = 0x18,
	MM_DER_GENERAL_STRING = 0x1b,
	MM_DER_SEQUENCE = 0x30,
	MM_DER_SET = 0x31,
};

/** Identifier octet of [n] EXPLICIT, n at most 30. */
static inline uint8_t mm_der_context(unsigned n)
{
	return (uint8_t)(0xa0u | n);
}

/** Identifier octet of [APPLICATION n] constructed, n at most 30. */
static inline uint8_t mm_der_application(unsigned n)
{
	return (uint8_t)(0x60u | n);
}

/** Read the header of the element at the front of s.
 * *tag: its identifier octet; *header: octets of identifier and length; *body: octets of contents, which
 * may reach past the end of s. Returns 1, 0 when s ends inside the header, -1 when it is no such element.
 * For framing: needs no more than the first 6 bytes. */
int mm_der_header(struct mm_slice s, uint8_t *tag, size_t *header, size_t *body);

/** Read the next element whatever it is. False at the end of c (no error) and on an error (c->err). */
bool mm_der_next(struct mm_cursor *c, uint8_t *tag, struct mm_slice *body);

/** Read the next element, which must carry this tag; its contents, or a failed cursor and c->err. */
struct mm_cursor mm_der_get(struct mm_cursor *c, uint8_t tag);

/** If the next element carries this tag, read it into *body and return true; else leave c alone. */
bool mm_der_opt(struct mm_cursor *c, uint8_t tag, struct mm_cursor *body);

/** An INTEGER of at most 8 octets, tag included; the error when it is longer or empty. */
int64_t mm_der_int(struct mm_cursor *c);

/** An OCTET STRING, GeneralString or other string of this tag: its contents, borrowed. */
struct mm_slice mm_der_string(struct mm_cursor *c, uint8_t tag);

/** A BIT STRING's first 32 bits, most significant first as KerberosFlags are numbered (RFC 4120 5.2.8);
 * missing bits read as zero. */
uint32_t mm_der_flags(struct mm_cursor *c);

/** A KerberosTime, "YYYYMMDDHHMMSSZ" (RFC 4120 5.2.3): seconds since 1970-01-01 UTC. */
int64_t mm_der_time(struct mm_cursor *c);

#endif
