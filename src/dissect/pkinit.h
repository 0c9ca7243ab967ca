/* The client certificate inside PA-PK-AS-REQ. RFC 4556 section 3.2.1. */
#ifndef MM_DISSECT_PKINIT_H
#define MM_DISSECT_PKINIT_H

#include "base/cursor.h"

enum { MM_CERT_TEXT = 256 };

struct mm_pkinit_cert {
	char subject[MM_CERT_TEXT], issuer[MM_CERT_TEXT]; /* RFC 2253 form, cut when longer */
	char upn[MM_CERT_TEXT]; /* UPN of the subjectAltName; "" when absent */
	int64_t not_before_s;   /* since 1970; 0 when unreadable */
};

/** Read the first certificate of a PA-PK-AS-REQ; false when there is none or it cannot be read.
 * PA-PK-AS-REQ ::= SEQUENCE { signedAuthPack [0] IMPLICIT OCTET STRING -- CMS ContentInfo --, ... } */
bool mm_pkinit_read(struct mm_slice pa_pk_as_req, struct mm_pkinit_cert *out);

#endif
