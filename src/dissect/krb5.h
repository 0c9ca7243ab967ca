/* Kerberos 5 as a mechanism: what carriers call. RFC 4120. */
#ifndef MM_DISSECT_KRB5_H
#define MM_DISSECT_KRB5_H

#include "dissect/dissect.h"

extern const struct mm_dissector mm_kerberos;

/** Read an AP-REQ (RFC 4120 section 5.5.1, from its [APPLICATION 14]) into the event: one credential in
 * this role and the AP-REQ's attributes. False when there was no ticket to read (the event is then marked
 * MM_EVF_MALFORMED). */
bool mm_krb5_ap_req(struct mm_event *ev, struct mm_slice ap_req, enum mm_cred_role role);

/** One message of an exchange that something other than TCP or UDP to a KDC carried, without record mark. */
struct mm_krb5_part {
	struct mm_slice msg; /* empty: not seen */
	struct mm_pkt first, last;
	int64_t time_ns;
};

struct mm_krb5_carried {
	const char *carrier; /* as in mintmark.kerberos.carrier */
	struct mm_addr client;
	struct mm_krb5_part request, reply;
};

/** Make the events of an AS or TGS exchange that a carrier brought: as on port 88. */
void mm_krb5_carried(struct mm_dissect *d, const struct mm_krb5_carried *c);

/** The error-code of a KRB-ERROR (section 5.9.1, from its [APPLICATION 30]); false when it cannot be read. */
bool mm_krb5_error_code(struct mm_slice krb_error, uint32_t *code);

#endif
