/* All dissectors: the one line that adds one. Order decides between probes that both say yes. */
#include "dissect/dissect.h"

#include "dissect/krb5.h"
#include "dissect/oauth.h"

extern const struct mm_dissector mm_dcerpc, mm_http, mm_http2, mm_kpasswd, mm_ldap, mm_smb2, mm_tls;

const struct mm_dissector *const mm_dissectors[] = {
	&mm_kerberos,
	&mm_kpasswd,
	&mm_smb2,
	&mm_ldap,
	&mm_http,
	&mm_http2,
	&mm_dcerpc,
	&mm_tls,
	&mm_oauth,
	NULL,
};
