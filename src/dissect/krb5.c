/* Kerberos 5: AS and TGS exchanges on port 88, and the AP-REQ for all who carry one. RFC 4120.
 *
 * One event per request and its answer. A ticket is known by its ciphertext; realm, sname, etype and kvno
 * stand outside the encryption and are taken down as they are spelled. */
#include "dissect/krb5.h"

#include <stdlib.h>

#include "base/der.h"
#include "dissect/pkinit.h"

enum msg_type { /* section 7.5.7; also the [APPLICATION n] of each message */
	KRB_TICKET = 1,
	KRB_AS_REQ = 10,
	KRB_AS_REP = 11,
	KRB_TGS_REQ = 12,
	KRB_TGS_REP = 13,
	KRB_AP_REQ = 14,
	KRB_ERROR = 30,
};

enum padata_type { /* section 7.5.2, MS-KILE 2.2, RFC 6113, RFC 4556 */
	PA_TGS_REQ = 1,
	PA_ENC_TIMESTAMP = 2,
	PA_PW_SALT = 3,
	PA_PK_AS_REQ = 16,
	PA_ETYPE_INFO = 11,
	PA_ETYPE_INFO2 = 19,
	PA_PAC_REQUEST = 128,
	PA_FOR_USER = 129,
	PA_S4U_X509_USER = 130,
	PA_FX_FAST = 136,
	PA_PAC_OPTIONS = 167,
};

enum { /* KDCOptions, section 5.4.1, bit 0 is the most significant; cname-in-addl-tkt: MS-SFU 2.2.3 */
	KDC_OPT_FORWARDED = 1u << (31 - 2),
	KDC_OPT_PROXY = 1u << (31 - 4),
	KDC_OPT_CNAME_IN_ADDL_TKT = 1u << (31 - 14),
	KDC_OPT_ENC_TKT_IN_SKEY = 1u << (31 - 28),
	KDC_OPT_RENEW = 1u << (31 - 30),
	KDC_OPT_VALIDATE = 1u << (31 - 31),
};

enum error_code { /* section 7.5.9 */
	KDC_ERR_C_PRINCIPAL_UNKNOWN = 6,
	KDC_ERR_POLICY = 12,
	KDC_ERR_CLIENT_REVOKED = 18,
	KDC_ERR_KEY_EXPIRED = 23,
	KDC_ERR_PREAUTH_FAILED = 24,
	KDC_ERR_PREAUTH_REQUIRED = 25,
	KRB_ERR_RESPONSE_TOO_BIG = 52,
	KDC_ERR_MORE_PREAUTH_DATA_REQUIRED = 91, /* RFC 6113 section 5.2 */
};

enum {
	KERB_ERR_TYPE_EXTENDED = 3,   /* MS-KILE 2.2.2 */
	FX_FAST_ARMOR_AP_REQUEST = 1, /* RFC 6113 section 5.4.1 */
	RECORD_MARK = 4,              /* TCP: length, big-endian, top bit reserved; section 7.2.2 */
	MESSAGE_MAX = 256 * 1024,
	PENDING_MAX = 4, /* requests of one flow whose answer is outstanding */
	LIST_MAX = 32,   /* etypes or padata of one message that are taken down */
	NAME_PARTS_MAX = 8,
	TICKETS_MAX = 3, /* additional-tickets taken down */
};

enum attr {
	A_REQUEST_TYPE,
	A_REPLY_TYPE,
	A_KDC_OPTIONS,
	A_REALM,
	A_CNAME,
	A_CNAME_TYPE,
	A_SNAME,
	A_SNAME_TYPE,
	A_TILL,
	A_NONCE,
	A_ETYPES,
	A_PADATA,
	A_ADDRESSES,
	A_PREAUTH_ETYPE,
	A_S4U_USER,
	A_S4U_REALM,
	A_PAC_REQUEST,
	A_PAC_OPTIONS,
	A_ARMOR_TYPE,
	A_ADDITIONAL_TICKETS,
	A_ENC_AUTHORIZATION_DATA,
	A_CERT_SUBJECT,
	A_CERT_ISSUER,
	A_CERT_UPN,
	A_CERT_NOT_BEFORE,
	A_REPLY_PADATA,
	A_REPLY_CNAME,
	A_REPLY_CREALM,
	A_REPLY_ETYPE,
	A_REPLY_KVNO,
	A_ERROR_CODE,
	A_ERROR_TEXT,
	A_ERROR_TIME,
	A_TYPED_DATA,
	A_NT_STATUS,
	A_ETYPE_INFO,
	A_ETYPE_INFO_SALT,
	A_AP_OPTIONS,
	A_AUTHENTICATOR_ETYPE,
	A_AUTHENTICATOR_LENGTH,
	A_CARRIER,
	N_ATTRS,
};

/* clang-format off */
static const struct mm_attr attrs[N_ATTRS] = {
	[A_REQUEST_TYPE] = { "mintmark.kerberos.request_type", MM_ATTR_INT, "msg-type of the request: 10 AS-REQ, 12 TGS-REQ (RFC 4120 5.4.1)" },
	[A_REPLY_TYPE] = { "mintmark.kerberos.reply_type", MM_ATTR_INT, "msg-type of the answer: 11 AS-REP, 13 TGS-REP, 30 KRB-ERROR" },
	[A_KDC_OPTIONS] = { "mintmark.kerberos.kdc_options", MM_ATTR_INT, "KDCOptions as a 32-bit number, bit 0 most significant (RFC 4120 5.4.1)" },
	[A_REALM] = { "mintmark.kerberos.realm", MM_ATTR_STR, "realm asked, as spelled in the request" },
	[A_CNAME] = { "mintmark.kerberos.cname", MM_ATTR_STR, "cname of the request" },
	[A_CNAME_TYPE] = { "mintmark.kerberos.cname_type", MM_ATTR_INT, "name-type of the request's cname (RFC 4120 6.2)" },
	[A_SNAME] = { "mintmark.kerberos.sname", MM_ATTR_STR, "service asked for" },
	[A_SNAME_TYPE] = { "mintmark.kerberos.sname_type", MM_ATTR_INT, "name-type of the service asked for" },
	[A_TILL] = { "mintmark.kerberos.till", MM_ATTR_INT, "end time asked for, seconds since 1970" },
	[A_NONCE] = { "mintmark.kerberos.nonce", MM_ATTR_INT, "nonce of the request" },
	[A_ETYPES] = { "mintmark.kerberos.etypes", MM_ATTR_INTS, "encryption types offered, in order of preference" },
	[A_PADATA] = { "mintmark.kerberos.padata", MM_ATTR_INTS, "padata types of the request, in order" },
	[A_ADDRESSES] = { "mintmark.kerberos.addresses", MM_ATTR_INT, "number of HostAddresses in the request" },
	[A_PREAUTH_ETYPE] = { "mintmark.kerberos.preauth_etype", MM_ATTR_INT, "etype of PA-ENC-TIMESTAMP" },
	[A_S4U_USER] = { "mintmark.kerberos.s4u_user", MM_ATTR_STR, "user of PA-FOR-USER or PA-S4U-X509-USER (MS-SFU 2.2)" },
	[A_S4U_REALM] = { "mintmark.kerberos.s4u_realm", MM_ATTR_STR, "realm of that user" },
	[A_PAC_REQUEST] = { "mintmark.kerberos.pac_request", MM_ATTR_BOOL, "include-pac of PA-PAC-REQUEST (MS-KILE 2.2.3)" },
	[A_PAC_OPTIONS] = { "mintmark.kerberos.pac_options", MM_ATTR_INT, "flags of PA-PAC-OPTIONS (MS-KILE 2.2.10)" },
	[A_ARMOR_TYPE] = { "mintmark.kerberos.armor_type", MM_ATTR_INT, "armor-type of PA-FX-FAST (RFC 6113 5.4.1)" },
	[A_ADDITIONAL_TICKETS] = { "mintmark.kerberos.additional_tickets", MM_ATTR_INT, "number of additional-tickets" },
	[A_ENC_AUTHORIZATION_DATA] = { "mintmark.kerberos.enc_authorization_data", MM_ATTR_INT, "bytes of enc-authorization-data" },
	[A_CERT_SUBJECT] = { "mintmark.kerberos.certificate.subject", MM_ATTR_STR, "subject of the client certificate in PA-PK-AS-REQ (RFC 4556 3.2.1)" },
	[A_CERT_ISSUER] = { "mintmark.kerberos.certificate.issuer", MM_ATTR_STR, "its issuer" },
	[A_CERT_UPN] = { "mintmark.kerberos.certificate.upn", MM_ATTR_STR, "user principal name in its subjectAltName (MS-PKCA 3.1.5.2.1.1)" },
	[A_CERT_NOT_BEFORE] = { "mintmark.kerberos.certificate.not_before", MM_ATTR_INT, "its notBefore, seconds since 1970" },
	[A_REPLY_PADATA] = { "mintmark.kerberos.reply_padata", MM_ATTR_INTS, "padata types of the answer or of its e-data" },
	[A_REPLY_CNAME] = { "mintmark.kerberos.reply_cname", MM_ATTR_STR, "cname of the answer" },
	[A_REPLY_CREALM] = { "mintmark.kerberos.reply_crealm", MM_ATTR_STR, "crealm of the answer" },
	[A_REPLY_ETYPE] = { "mintmark.kerberos.reply_etype", MM_ATTR_INT, "etype of the answer's own enc-part" },
	[A_REPLY_KVNO] = { "mintmark.kerberos.reply_kvno", MM_ATTR_INT, "kvno of the answer's own enc-part" },
	[A_ERROR_CODE] = { "mintmark.kerberos.error_code", MM_ATTR_INT, "error-code of a KRB-ERROR (RFC 4120 7.5.9)" },
	[A_ERROR_TEXT] = { "mintmark.kerberos.error_text", MM_ATTR_STR, "e-text of a KRB-ERROR" },
	[A_ERROR_TIME] = { "mintmark.kerberos.error_time", MM_ATTR_INT, "stime of a KRB-ERROR: the server's clock, seconds since 1970" },
	[A_TYPED_DATA] = { "mintmark.kerberos.typed_data", MM_ATTR_INTS, "data types of TYPED-DATA in the e-data of a KRB-ERROR (RFC 4120 5.9.1)" },
	[A_NT_STATUS] = { "mintmark.kerberos.nt_status", MM_ATTR_INT, "NTSTATUS of KERB-EXT-ERROR in the e-data of a KRB-ERROR (MS-KILE 2.2.1)" },
	[A_ETYPE_INFO] = { "mintmark.kerberos.etype_info", MM_ATTR_INTS, "etypes of ETYPE-INFO2, or of ETYPE-INFO" },
	[A_ETYPE_INFO_SALT] = { "mintmark.kerberos.etype_info_salt", MM_ATTR_STR, "first salt of ETYPE-INFO2" },
	[A_AP_OPTIONS] = { "mintmark.kerberos.ap_options", MM_ATTR_INT, "ap-options of the AP-REQ as a 32-bit number (RFC 4120 5.5.1)" },
	[A_AUTHENTICATOR_ETYPE] = { "mintmark.kerberos.authenticator_etype", MM_ATTR_INT, "etype of the AP-REQ's authenticator: that of the session key" },
	[A_AUTHENTICATOR_LENGTH] = { "mintmark.kerberos.authenticator_length", MM_ATTR_INT, "bytes of the authenticator's cipher" },
	[A_CARRIER] = { "mintmark.kerberos.carrier", MM_ATTR_STR, "what brought the exchange, when not a KDC's own port: kkdcp, a KDC proxy (MS-KKDCP)" },
};
/* clang-format on */

/* A request whose answer is outstanding, or one that was answered and may be repeated. */
struct pending {
	struct mm_event *ev;  /* NULL: free, or answered */
	struct mm_id request; /* of its bytes; nobody can make another with the same */
	struct mm_id reply;   /* of its answer's bytes; zero: none yet */
	uint64_t order;
	uint8_t msg_type;
	bool repeated; /* the same request was answered before */
};

struct state {
	struct pending pending[PENDING_MAX];
	uint64_t n_requests;
};

static void bad(struct mm_event *ev, const struct mm_cursor *c)
{
	if (c->err)
		ev->flags |= MM_EVF_MALFORMED;
}

static void put_int(
        struct mm_event *ev, const struct mm_attr *attr, int64_t v, const struct mm_cursor *field)
{
	bad(ev, field);
	if (!field->err)
		mm_event_put_int(ev, attr, v);
}

static void put_str(struct mm_event *ev, const struct mm_attr *attr, struct mm_slice s,
        const struct mm_cursor *field)
{
	bad(ev, field);
	if (!field->err)
		mm_event_put_str(ev, attr, s);
}

/* PrincipalName ::= SEQUENCE { name-type [0] Int32, name-string [1] SEQUENCE OF KerberosString } */
struct name {
	struct mm_str text; /* components joined by '/' */
	int32_t type;
	bool krbtgt;
	struct mm_str instance; /* second component, borrowed from the message */
};

static struct name principal_name(struct mm_event *ev, struct mm_cursor *outer)
{
	struct name n = { 0 };
	struct mm_cursor body, seq = mm_der_get(outer, MM_DER_SEQUENCE);
	if (mm_der_opt(&seq, mm_der_context(0), &body))
		n.type = (int32_t)mm_der_int(&body);
	struct mm_cursor parts = mm_der_get(&seq, mm_der_context(1));
	parts = mm_der_get(&parts, MM_DER_SEQUENCE);
	for (unsigned i = 0; parts.len != 0 && i < NAME_PARTS_MAX; i++) {
		struct mm_slice part = mm_der_string(&parts, MM_DER_GENERAL_STRING);
		if (parts.err)
			break;
		if (i == 0)
			n.krbtgt = part.len == 6 &&
			           mm_str_ieq((struct mm_str){ (const char *)part.p, part.len },
			                   (struct mm_str){ "krbtgt", 6 });
		n.text = i == 0 ? mm_event_str(ev, part) : mm_event_join(ev, n.text, '/', part);
		if (i == 1)
			n.instance = (struct mm_str){ (const char *)part.p, part.len };
	}
	bad(ev, &seq);
	bad(ev, &parts);
	return n;
}

/* EncryptedData ::= SEQUENCE { etype [0] Int32, kvno [1] UInt32 OPTIONAL, cipher [2] OCTET STRING } */
struct encrypted {
	int32_t etype;
	int64_t kvno;
	struct mm_slice cipher;
	bool ok; /* all of it could be read */
};

static struct encrypted encrypted_data(struct mm_event *ev, struct mm_cursor *outer)
{
	struct encrypted e = { .kvno = -1 };
	struct mm_cursor body, seq = mm_der_get(outer, MM_DER_SEQUENCE);
	body = mm_der_get(&seq, mm_der_context(0));
	e.etype = (int32_t)mm_der_int(&body);
	bool ok = !body.err;
	if (mm_der_opt(&seq, mm_der_context(1), &body)) {
		e.kvno = (uint32_t)mm_der_int(&body); /* some peers write it signed */
		ok = ok && !body.err;
	}
	body = mm_der_get(&seq, mm_der_context(2));
	e.cipher = mm_der_string(&body, MM_DER_OCTET_STRING);
	bad(ev, &seq);
	bad(ev, &body);
	e.ok = ok && !seq.err && !body.err;
	if (!e.ok)
		ev->flags |= MM_EVF_MALFORMED;
	return e;
}

/* Ticket ::= [APPLICATION 1] SEQUENCE { tkt-vno [0], realm [1], sname [2], enc-part [3] EncryptedData } */
static struct mm_cred *ticket(struct mm_event *ev, struct mm_cursor *outer, enum mm_cred_role role)
{
	struct mm_cursor seq = mm_der_get(outer, mm_der_application(KRB_TICKET));
	seq = mm_der_get(&seq, MM_DER_SEQUENCE);
	(void)mm_der_get(&seq, mm_der_context(0));
	struct mm_cursor realm = mm_der_get(&seq, mm_der_context(1));
	struct mm_slice realm_text = mm_der_string(&realm, MM_DER_GENERAL_STRING);
	struct mm_cursor sname = mm_der_get(&seq, mm_der_context(2));
	struct mm_cursor enc = mm_der_get(&seq, mm_der_context(3));
	struct encrypted e = encrypted_data(ev, &enc);
	bad(ev, &seq);
	if (e.cipher.len == 0)
		return NULL;
	struct mm_cred *cred = mm_event_cred(ev, role);
	if (cred == NULL)
		return NULL;
	struct name n = principal_name(ev, &sname);
	cred->issuer = mm_event_str(ev, realm_text);
	cred->service = n.text;
	cred->name_type = n.type;
	cred->kind = !n.krbtgt                              ? MM_CRED_SERVICE
	             : mm_str_ieq(n.instance, cred->issuer) ? MM_CRED_TGT
	                                                    : MM_CRED_REFERRAL;
	cred->alg = e.etype;
	cred->kvno = e.kvno;
	cred->length = (uint32_t)e.cipher.len;
	cred->fp = mm_fp_of(e.cipher);
	return cred;
}

/* AP-REQ ::= [APPLICATION 14] SEQUENCE { pvno [0], msg-type [1], ap-options [2] APOptions, ticket [3] Ticket,
 *                                        authenticator [4] EncryptedData } */
bool mm_krb5_ap_req(struct mm_event *ev, struct mm_slice ap_req, enum mm_cred_role role)
{
	struct mm_cursor c = mm_cursor(ap_req);
	struct mm_cursor seq = mm_der_get(&c, mm_der_application(KRB_AP_REQ));
	seq = mm_der_get(&seq, MM_DER_SEQUENCE);
	(void)mm_der_get(&seq, mm_der_context(0));
	(void)mm_der_get(&seq, mm_der_context(1));
	struct mm_cursor options = mm_der_get(&seq, mm_der_context(2));
	uint32_t ap_options = mm_der_flags(&options);
	struct mm_cursor tkt = mm_der_get(&seq, mm_der_context(3));
	struct mm_cred *cred = ticket(ev, &tkt, role);
	struct mm_cursor auth = mm_der_get(&seq, mm_der_context(4));
	if (role == MM_ROLE_PRESENTED && !auth.err) {
		struct encrypted e = encrypted_data(ev, &auth);
		put_int(ev, &attrs[A_AP_OPTIONS], ap_options, &options);
		if (e.ok) {
			mm_event_put_int(ev, &attrs[A_AUTHENTICATOR_ETYPE], e.etype);
			mm_event_put_int(ev, &attrs[A_AUTHENTICATOR_LENGTH], (int64_t)e.cipher.len);
		}
	}
	bad(ev, &seq);
	return cred != NULL;
}

/* PA-FOR-USER-ENC ::= SEQUENCE { userName [0] PrincipalName, userRealm [1] Realm, ... } (MS-SFU 2.2.1)
 * S4UUserID ::= SEQUENCE { nonce [0], cname [1] OPTIONAL, crealm [2], subject-certificate [3], ... } (2.2.2) */
static void s4u_user(struct mm_event *ev, struct mm_cursor seq, unsigned name_tag)
{
	struct mm_cursor body;
	ev->flags |= MM_EVF_S4U_SELF;
	if (mm_event_get(ev, &attrs[A_S4U_USER]) != NULL)
		return; /* both forms name the same user */
	if (mm_der_opt(&seq, mm_der_context(name_tag), &body)) {
		struct name n = principal_name(ev, &body);
		mm_event_put_str(ev, &attrs[A_S4U_USER], mm_str_slice(n.text));
	}
	if (mm_der_opt(&seq, mm_der_context(name_tag + 1), &body))
		mm_event_put_str(
		        ev, &attrs[A_S4U_REALM], mm_der_string(&body, MM_DER_GENERAL_STRING));
	bad(ev, &seq);
}

/* PA-FX-FAST-REQUEST ::= CHOICE { armored-data [0] KrbFastArmoredReq }
 * KrbFastArmoredReq ::= SEQUENCE { armor [0] KrbFastArmor OPTIONAL, req-checksum [1], enc-fast-req [2] }
 * KrbFastArmor ::= SEQUENCE { armor-type [0] Int32, armor-value [1] OCTET STRING } (RFC 6113 5.4) */
static void fast(struct mm_event *ev, struct mm_slice value)
{
	ev->flags |= MM_EVF_ARMORED;
	struct mm_cursor c = mm_cursor(value), armor;
	struct mm_cursor req = mm_der_get(&c, mm_der_context(0));
	req = mm_der_get(&req, MM_DER_SEQUENCE);
	if (mm_der_opt(&req, mm_der_context(0), &armor)) {
		struct mm_cursor seq = mm_der_get(&armor, MM_DER_SEQUENCE);
		struct mm_cursor type = mm_der_get(&seq, mm_der_context(0));
		int64_t armor_type = mm_der_int(&type);
		struct mm_cursor body = mm_der_get(&seq, mm_der_context(1));
		struct mm_slice armor_value = mm_der_string(&body, MM_DER_OCTET_STRING);
		put_int(ev, &attrs[A_ARMOR_TYPE], armor_type, &type);
		if (armor_type == FX_FAST_ARMOR_AP_REQUEST)
			(void)mm_krb5_ap_req(ev, armor_value, MM_ROLE_ARMOR);
		bad(ev, &seq);
	}
	bad(ev, &req);
}

static void certificate(struct mm_event *ev, struct mm_slice value)
{
	struct mm_pkinit_cert cert;
	if (!mm_pkinit_read(value, &cert))
		return;
	mm_event_put_str(ev, &attrs[A_CERT_SUBJECT], mm_slice_str(cert.subject));
	mm_event_put_str(ev, &attrs[A_CERT_ISSUER], mm_slice_str(cert.issuer));
	if (cert.upn[0] != '\0')
		mm_event_put_str(ev, &attrs[A_CERT_UPN], mm_slice_str(cert.upn));
	mm_event_put_int(ev, &attrs[A_CERT_NOT_BEFORE], cert.not_before_s);
}

/* ETYPE-INFO2 ::= SEQUENCE OF SEQUENCE { etype [0] Int32, salt [1] KerberosString OPTIONAL, s2kparams [2] }
 * ETYPE-INFO has the salt as OCTET STRING (section 5.2.7.4, 5.2.7.5). */
static void etype_info(struct mm_event *ev, struct mm_slice value, uint8_t salt_tag)
{
	int64_t etypes[LIST_MAX];
	size_t n = 0;
	struct mm_slice salt = { 0 };
	struct mm_cursor c = mm_cursor(value);
	struct mm_cursor list = mm_der_get(&c, MM_DER_SEQUENCE);
	while (list.len != 0 && n < LIST_MAX) {
		struct mm_cursor body, entry = mm_der_get(&list, MM_DER_SEQUENCE);
		body = mm_der_get(&entry, mm_der_context(0));
		etypes[n++] = mm_der_int(&body);
		if (mm_der_opt(&entry, mm_der_context(1), &body) && salt.len == 0)
			salt = mm_der_string(&body, salt_tag);
		bad(ev, &entry);
	}
	bad(ev, &list);
	if (mm_event_get(ev, &attrs[A_ETYPE_INFO]) != NULL)
		return; /* ETYPE-INFO2 and ETYPE-INFO say the same */
	mm_event_put_ints(ev, &attrs[A_ETYPE_INFO], etypes, n);
	if (salt.len != 0)
		mm_event_put_str(ev, &attrs[A_ETYPE_INFO_SALT], salt);
}

static void request_padata(struct mm_event *ev, int64_t type, struct mm_slice value)
{
	struct mm_cursor c = mm_cursor(value), body;
	switch (type) {
	case PA_ENC_TIMESTAMP: {
		struct encrypted e = encrypted_data(ev, &c);
		if (e.ok)
			mm_event_put_int(ev, &attrs[A_PREAUTH_ETYPE], e.etype);
		break;
	}
	case PA_PK_AS_REQ:
		certificate(ev, value);
		break;
	case PA_PAC_REQUEST: /* KERB-PA-PAC-REQUEST ::= SEQUENCE { include-pac [0] BOOLEAN } */
		c = mm_der_get(&c, MM_DER_SEQUENCE);
		body = mm_der_get(&c, mm_der_context(0));
		body = mm_der_get(&body, MM_DER_BOOLEAN);
		put_int(ev, &attrs[A_PAC_REQUEST], mm_u8(&body) != 0, &body);
		break;
	case PA_FOR_USER:
		s4u_user(ev, mm_der_get(&c, MM_DER_SEQUENCE), 0);
		break;
	case PA_S4U_X509_USER: /* PA-S4U-X509-USER ::= SEQUENCE { user-id [0] S4UUserID, checksum [1] } */
		c = mm_der_get(&c, MM_DER_SEQUENCE);
		body = mm_der_get(&c, mm_der_context(0));
		body = mm_der_get(&body, MM_DER_SEQUENCE);
		(void)mm_der_opt(&body, mm_der_context(0), &c); /* nonce */
		s4u_user(ev, body, 1);
		break;
	case PA_FX_FAST:
		fast(ev, value);
		break;
	case PA_PAC_OPTIONS: /* PA-PAC-OPTIONS ::= SEQUENCE { flags [0] KerberosFlags } */
		c = mm_der_get(&c, MM_DER_SEQUENCE);
		body = mm_der_get(&c, mm_der_context(0));
		put_int(ev, &attrs[A_PAC_OPTIONS], mm_der_flags(&body), &body);
		break;
	default:
		break;
	}
}

/* KERB-EXT-ERROR: status (4, little-endian), reserved (4), flags (4). MS-KILE 2.2.1 */
static void nt_status(struct mm_event *ev, struct mm_slice value)
{
	enum { EXT_ERROR_LEN = 12 };
	struct mm_cursor c = mm_cursor(value);
	if (value.len == EXT_ERROR_LEN)
		mm_event_put_int(ev, &attrs[A_NT_STATUS], mm_le32(&c));
}

static void reply_padata(struct mm_event *ev, int64_t type, struct mm_slice value)
{
	if (type == PA_PW_SALT)
		nt_status(ev, value); /* in errors Windows puts it there */
	else if (type == PA_ETYPE_INFO2)
		etype_info(ev, value, MM_DER_GENERAL_STRING);
	else if (type == PA_ETYPE_INFO)
		etype_info(ev, value, MM_DER_OCTET_STRING);
	else if (type == PA_FX_FAST)
		ev->flags |= MM_EVF_ARMORED;
}

/* The next of a SEQUENCE OF PA-DATA; false at its end, or where it cannot be read.
 * PA-DATA ::= SEQUENCE { padata-type [1] Int32, padata-value [2] OCTET STRING } */
static bool next_padata(
        struct mm_event *ev, struct mm_cursor *list, int64_t *type, struct mm_slice *value)
{
	if (list->len == 0)
		return false;
	struct mm_cursor seq = mm_der_get(list, MM_DER_SEQUENCE);
	struct mm_cursor body = mm_der_get(&seq, mm_der_context(1));
	struct mm_cursor octets = mm_der_get(&seq, mm_der_context(2));
	*type = mm_der_int(&body);
	*value = mm_der_string(&octets, MM_DER_OCTET_STRING);
	bad(ev, &seq);
	bad(ev, &body);
	bad(ev, &octets);
	return !seq.err && !body.err && !octets.err;
}

static void padata(struct mm_event *ev, struct mm_cursor *outer, const struct mm_attr *types_attr,
        void (*each)(struct mm_event *ev, int64_t type, struct mm_slice value))
{
	int64_t type, types[LIST_MAX];
	size_t n = 0;
	struct mm_slice value;
	struct mm_cursor list = mm_der_get(outer, MM_DER_SEQUENCE);
	while (next_padata(ev, &list, &type, &value)) {
		each(ev, type, value);
		if (n < LIST_MAX)
			types[n++] = type;
		else
			ev->flags |= MM_EVF_TRUNCATED;
	}
	bad(ev, &list);
	mm_event_put_ints(ev, types_attr, types, n);
}

/* The ticket of a TGS-REQ, read before all else: whatever else the client sends, there is room for its names. */
static void tgs_req_padata(struct mm_event *ev, struct mm_cursor outer)
{
	int64_t type;
	struct mm_slice value;
	struct mm_cursor list = mm_der_get(&outer, MM_DER_SEQUENCE);
	while (next_padata(ev, &list, &type, &value))
		if (type == PA_TGS_REQ)
			(void)mm_krb5_ap_req(ev, value, MM_ROLE_PRESENTED);
}

static void etype_list(struct mm_event *ev, struct mm_cursor *outer)
{
	int64_t etypes[LIST_MAX];
	size_t n = 0;
	struct mm_cursor list = mm_der_get(outer, MM_DER_SEQUENCE);
	while (list.len != 0 && n < LIST_MAX)
		etypes[n++] = mm_der_int(&list);
	bad(ev, &list);
	if (list.len != 0)
		ev->flags |= MM_EVF_TRUNCATED;
	mm_event_put_ints(ev, &attrs[A_ETYPES], etypes, n);
}

static void count_elements(struct mm_event *ev, struct mm_cursor *outer, const struct mm_attr *attr)
{
	uint8_t tag;
	struct mm_slice body;
	int64_t n = 0;
	struct mm_cursor list = mm_der_get(outer, MM_DER_SEQUENCE);
	while (mm_der_next(&list, &tag, &body))
		n++;
	bad(ev, &list);
	mm_event_put_int(ev, attr, n);
}

static void additional_tickets(struct mm_event *ev, struct mm_cursor *outer)
{
	int64_t n = 0;
	struct mm_cursor list = mm_der_get(outer, MM_DER_SEQUENCE);
	while (list.len != 0 && n < TICKETS_MAX) {
		(void)ticket(ev, &list, MM_ROLE_EVIDENCE);
		n++;
	}
	bad(ev, &list);
	if (list.len != 0)
		ev->flags |= MM_EVF_TRUNCATED;
	mm_event_put_int(ev, &attrs[A_ADDITIONAL_TICKETS], n);
}

static void kdc_options(struct mm_event *ev, uint32_t options)
{
	static const struct {
		uint32_t option, flag;
	} map[] = {
		{ KDC_OPT_FORWARDED, MM_EVF_FORWARDED },
		{ KDC_OPT_PROXY, MM_EVF_FORWARDED },
		{ KDC_OPT_CNAME_IN_ADDL_TKT, MM_EVF_S4U_PROXY },
		{ KDC_OPT_ENC_TKT_IN_SKEY, MM_EVF_U2U },
		{ KDC_OPT_RENEW, MM_EVF_RENEWAL },
		{ KDC_OPT_VALIDATE, MM_EVF_RENEWAL },
	};
	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
		if (options & map[i].option)
			ev->flags |= map[i].flag;
	mm_event_put_int(ev, &attrs[A_KDC_OPTIONS], options);
}

/* KDC-REQ-BODY, section 5.4.1: kdc-options [0], cname [1] OPTIONAL, realm [2], sname [3] OPTIONAL, from [4]
 * OPTIONAL, till [5], rtime [6] OPTIONAL, nonce [7], etype [8], addresses [9] OPTIONAL,
 * enc-authorization-data [10] OPTIONAL, additional-tickets [11] OPTIONAL */
static void req_body(struct mm_event *ev, struct mm_cursor *outer, bool *has_rtime)
{
	struct mm_cursor f, body = mm_der_get(outer, MM_DER_SEQUENCE);
	f = mm_der_get(&body, mm_der_context(0));
	kdc_options(ev, mm_der_flags(&f));
	if (mm_der_opt(&body, mm_der_context(1), &f)) {
		struct name cname = principal_name(ev, &f);
		mm_event_put_str(ev, &attrs[A_CNAME], mm_str_slice(cname.text));
		mm_event_put_int(ev, &attrs[A_CNAME_TYPE], cname.type);
		ev->user = cname.text;
	}
	f = mm_der_get(&body, mm_der_context(2));
	struct mm_slice realm = mm_der_string(&f, MM_DER_GENERAL_STRING);
	ev->user_realm = mm_event_str(ev, realm);
	put_str(ev, &attrs[A_REALM], realm, &f);
	if (mm_der_opt(&body, mm_der_context(3), &f)) {
		struct name sname = principal_name(ev, &f);
		mm_event_put_str(ev, &attrs[A_SNAME], mm_str_slice(sname.text));
		mm_event_put_int(ev, &attrs[A_SNAME_TYPE], sname.type);
	}
	(void)mm_der_opt(&body, mm_der_context(4), &f);
	f = mm_der_get(&body, mm_der_context(5));
	put_int(ev, &attrs[A_TILL], mm_der_time(&f), &f);
	*has_rtime = mm_der_opt(&body, mm_der_context(6), &f);
	f = mm_der_get(&body, mm_der_context(7));
	put_int(ev, &attrs[A_NONCE], mm_der_int(&f), &f);
	f = mm_der_get(&body, mm_der_context(8));
	etype_list(ev, &f);
	if (mm_der_opt(&body, mm_der_context(9), &f))
		count_elements(ev, &f, &attrs[A_ADDRESSES]);
	if (mm_der_opt(&body, mm_der_context(10), &f)) {
		struct encrypted e = encrypted_data(ev, &f);
		if (e.ok)
			mm_event_put_int(
			        ev, &attrs[A_ENC_AUTHORIZATION_DATA], (int64_t)e.cipher.len);
	}
	if (mm_der_opt(&body, mm_der_context(11), &f))
		additional_tickets(ev, &f);
	bad(ev, &body);
}

/* The client software's habits in this kind of request: what it offers and how it asks, without what the
 * occasion asks for (renewal, delegation, the service). */
static uint64_t stack(const struct mm_event *ev, uint8_t msg_type, bool has_rtime)
{
	static const struct mm_hash_key key = { 1, 1 };
	static const uint32_t occasion = KDC_OPT_FORWARDED | KDC_OPT_PROXY | KDC_OPT_RENEW |
	                                 KDC_OPT_VALIDATE | KDC_OPT_CNAME_IN_ADDL_TKT |
	                                 KDC_OPT_ENC_TKT_IN_SKEY;
	const struct mm_attr_value *options = mm_event_get(ev, &attrs[A_KDC_OPTIONS]);
	const struct mm_attr_value *etypes = mm_event_get(ev, &attrs[A_ETYPES]);
	int64_t habit[LIST_MAX + 4] = { msg_type, has_rtime,
		options != NULL ? (int64_t)((uint64_t)options->number & ~(uint64_t)occasion) : 0,
		mm_event_get(ev, &attrs[A_ADDRESSES]) != NULL };
	size_t n = 4;
	for (size_t i = 0; etypes != NULL && i < etypes->n_numbers && n < LIST_MAX + 4; i++)
		habit[n++] = etypes->numbers[i];
	return mm_siphash(&key, habit, n * sizeof habit[0]) | 1;
}

/* KDC-REQ ::= SEQUENCE { pvno [1], msg-type [2], padata [3] OPTIONAL, req-body [4] } */
static void kdc_req(struct mm_event *ev, uint8_t msg_type, struct mm_cursor seq)
{
	bool has_rtime = false;
	struct mm_cursor f, padata_field = { 0 };
	(void)mm_der_get(&seq, mm_der_context(1));
	(void)mm_der_get(&seq, mm_der_context(2));
	mm_event_put_int(ev, &attrs[A_REQUEST_TYPE], msg_type);
	bool has_padata = mm_der_opt(&seq, mm_der_context(3), &padata_field);
	if (has_padata) {
		tgs_req_padata(ev, padata_field);
		padata(ev, &padata_field, &attrs[A_PADATA], request_padata);
	}
	f = mm_der_get(&seq, mm_der_context(4));
	req_body(ev, &f, &has_rtime);
	bad(ev, &seq);
	ev->stack = stack(ev, msg_type, has_rtime);
}

/* KDC-REP ::= SEQUENCE { pvno [0], msg-type [1], padata [2] OPTIONAL, crealm [3], cname [4], ticket [5],
 *                        enc-part [6] EncryptedData } (section 5.4.2) */
static void kdc_rep(struct mm_event *ev, uint8_t msg_type, struct mm_cursor seq)
{
	/* RFC 8062 section 3, also sent when FAST hides the client's name: it names nobody. */
	static const char anonymous[] = "WELLKNOWN/ANONYMOUS";
	struct mm_cursor f;
	(void)mm_der_get(&seq, mm_der_context(0));
	(void)mm_der_get(&seq, mm_der_context(1));
	mm_event_put_int(ev, &attrs[A_REPLY_TYPE], msg_type);
	if (mm_der_opt(&seq, mm_der_context(2), &f))
		padata(ev, &f, &attrs[A_REPLY_PADATA], reply_padata);
	f = mm_der_get(&seq, mm_der_context(3));
	struct mm_str crealm = mm_event_str(ev, mm_der_string(&f, MM_DER_GENERAL_STRING));
	f = mm_der_get(&seq, mm_der_context(4));
	struct name cname = principal_name(ev, &f);
	mm_event_put_str(ev, &attrs[A_REPLY_CREALM], mm_str_slice(crealm));
	mm_event_put_str(ev, &attrs[A_REPLY_CNAME], mm_str_slice(cname.text));
	bool hidden = mm_str_ieq(cname.text, (struct mm_str){ anonymous, sizeof anonymous - 1 });
	f = mm_der_get(&seq, mm_der_context(5));
	struct mm_cred *cred = ticket(ev, &f, MM_ROLE_ISSUED);
	f = mm_der_get(&seq, mm_der_context(6));
	struct encrypted e = encrypted_data(ev, &f);
	bad(ev, &seq);
	ev->reply_alg = e.etype;
	ev->reply_kvno = e.kvno;
	if (e.ok)
		mm_event_put_int(ev, &attrs[A_REPLY_ETYPE], e.etype);
	if (e.ok && e.kvno >= 0)
		mm_event_put_int(ev, &attrs[A_REPLY_KVNO], e.kvno);
	if (hidden) {
		ev->flags |= MM_EVF_ANONYMOUS;
	} else if (!seq.err) {
		ev->user = cname.text;
		ev->user_realm = crealm;
	}
	if (cred != NULL && !hidden) {
		cred->principal = cname.text;
		cred->principal_realm = crealm;
	}
	if (cred != NULL) {
		ev->kind = MM_EV_ISSUE;
		ev->outcome = MM_SUCCESS;
	}
}

/* KRB-ERROR ::= [APPLICATION 30] SEQUENCE { pvno [0], msg-type [1], ctime [2], cusec [3], stime [4], susec [5],
 * error-code [6], crealm [7], cname [8], realm [9], sname [10], e-text [11], e-data [12] } (section 5.9.1);
 * all of ctime, cusec, crealm, cname, e-text, e-data are OPTIONAL. */
static struct mm_cursor error_fields(struct mm_slice msg, int64_t *stime, uint32_t *code)
{
	struct mm_cursor f, c = mm_cursor(msg);
	struct mm_cursor seq = mm_der_get(&c, mm_der_application(KRB_ERROR));
	seq = mm_der_get(&seq, MM_DER_SEQUENCE);
	(void)mm_der_get(&seq, mm_der_context(0));
	(void)mm_der_get(&seq, mm_der_context(1));
	(void)mm_der_opt(&seq, mm_der_context(2), &f);
	(void)mm_der_opt(&seq, mm_der_context(3), &f);
	f = mm_der_get(&seq, mm_der_context(4));
	*stime = mm_der_time(&f);
	(void)mm_der_get(&seq, mm_der_context(5));
	f = mm_der_get(&seq, mm_der_context(6));
	*code = (uint32_t)mm_der_int(&f);
	if (f.err)
		mm_fail(&seq);
	return seq;
}

bool mm_krb5_error_code(struct mm_slice krb_error, uint32_t *code)
{
	int64_t stime;
	return !error_fields(krb_error, &stime, code).err;
}

/* TYPED-DATA ::= SEQUENCE OF SEQUENCE { data-type [0] Int32, data-value [1] OCTET STRING } (section 5.9.1) */
static void typed_data(struct mm_event *ev, struct mm_cursor list)
{
	int64_t types[LIST_MAX];
	size_t n = 0;
	while (list.len != 0 && n < LIST_MAX) {
		struct mm_cursor seq = mm_der_get(&list, MM_DER_SEQUENCE);
		struct mm_cursor body = mm_der_get(&seq, mm_der_context(0));
		types[n] = mm_der_int(&body);
		bad(ev, &seq);
		bad(ev, &body);
		if (body.err)
			break;
		n++;
	}
	bad(ev, &list);
	mm_event_put_ints(ev, &attrs[A_TYPED_DATA], types, n);
}

/* What e-data holds shows in its shape: METHOD-DATA (a list of PA-DATA, whose fields are [1] and [2]), TYPED-DATA (a
 * list of [0] and [1]), or Microsoft's KERB-ERROR-DATA ::= SEQUENCE { data-type [1] INTEGER, data-value [2] OCTET
 * STRING } (MS-KILE 2.2.2). Others put what they like there (section 5.9.1). */
static void error_data(struct mm_event *ev, struct mm_cursor data)
{
	struct mm_cursor whole = data;
	if (mm_peek8(&data) != MM_DER_SEQUENCE)
		return;
	struct mm_cursor seq = mm_der_get(&data, MM_DER_SEQUENCE), first = seq;
	if (mm_peek8(&seq) == mm_der_context(1)) {
		struct mm_cursor f = mm_der_get(&seq, mm_der_context(1));
		int64_t type = mm_der_int(&f);
		f = mm_der_get(&seq, mm_der_context(2));
		struct mm_slice value = mm_der_string(&f, MM_DER_OCTET_STRING);
		bad(ev, &f);
		if (type == KERB_ERR_TYPE_EXTENDED)
			nt_status(ev, value);
	} else if (mm_peek8(&seq) == MM_DER_SEQUENCE) {
		first = mm_der_get(&first, MM_DER_SEQUENCE);
		if (mm_peek8(&first) == mm_der_context(0))
			typed_data(ev, seq);
		else
			padata(ev, &whole, &attrs[A_REPLY_PADATA], reply_padata);
	}
}

static void krb_error(struct mm_event *ev, struct mm_slice msg)
{
	int64_t stime = 0;
	uint32_t code = 0;
	struct mm_cursor f, seq = error_fields(msg, &stime, &code);
	mm_event_put_int(ev, &attrs[A_REPLY_TYPE], KRB_ERROR);
	bad(ev, &seq);
	if (seq.err)
		return;
	mm_event_put_int(ev, &attrs[A_ERROR_CODE], code);
	mm_event_put_int(ev, &attrs[A_ERROR_TIME], stime);
	ev->status = (struct mm_status){ MM_STATUS_KRB5, code };
	for (unsigned tag = 7; tag <= 10; tag++)
		(void)mm_der_opt(&seq, mm_der_context(tag), &f);
	if (mm_der_opt(&seq, mm_der_context(11), &f))
		mm_event_put_str(
		        ev, &attrs[A_ERROR_TEXT], mm_der_string(&f, MM_DER_GENERAL_STRING));
	if (mm_der_opt(&seq, mm_der_context(12), &f))
		error_data(ev, mm_cursor(mm_der_string(&f, MM_DER_OCTET_STRING)));
	if (code == KDC_ERR_PREAUTH_REQUIRED || code == KDC_ERR_MORE_PREAUTH_DATA_REQUIRED)
		ev->kind = MM_EV_CHALLENGE;
	else if (code != KRB_ERR_RESPONSE_TOO_BIG)
		ev->outcome = MM_FAILURE;
}

/* Did the client send a proof that it knows the password? Under FAST it is hidden. */
static bool proves_password(const struct mm_event *ev)
{
	const struct mm_attr_value *types = mm_event_get(ev, &attrs[A_PADATA]);
	for (size_t i = 0; types != NULL && i < types->n_numbers; i++)
		if (types->numbers[i] == PA_ENC_TIMESTAMP || types->numbers[i] == PA_FX_FAST)
			return true;
	return false;
}

/* What an AS exchange says of the client's password. 12 and 23 say that it is right where the KDC looks at it first:
 * others refuse before (MIT's validate_as_request()), so they say it only where a proof was sent. */
static enum mm_meaning meaning(const struct mm_event *ev)
{
	bool proof = proves_password(ev);
	if (ev->outcome == MM_SUCCESS)
		return proof ? MM_MEANING_PASSWORD_RIGHT : MM_MEANING_NONE;
	if (ev->status.domain != MM_STATUS_KRB5)
		return MM_MEANING_NONE;
	switch (ev->status.code) {
	case KDC_ERR_C_PRINCIPAL_UNKNOWN:
		return MM_MEANING_NO_SUCH_USER;
	case KDC_ERR_CLIENT_REVOKED:
		return MM_MEANING_LOCKED;
	case KDC_ERR_PREAUTH_FAILED:
		return proof ? MM_MEANING_BAD_PASSWORD : MM_MEANING_NONE;
	case KDC_ERR_POLICY:
	case KDC_ERR_KEY_EXPIRED:
		return proof ? MM_MEANING_RIGHT_BUT : MM_MEANING_NONE;
	default:
		return MM_MEANING_NONE;
	}
}

/* What the event is when no ticket came back: a TGS-REQ still showed a TGT. */
static enum mm_event_kind request_kind(uint8_t msg_type)
{
	return msg_type == KRB_TGS_REQ ? MM_EV_PRESENT : MM_EV_REQUEST;
}

static const char *action(uint8_t msg_type)
{
	switch (msg_type) {
	case KRB_AS_REQ:
	case KRB_AS_REP:
		return "as-exchange";
	case KRB_TGS_REQ:
	case KRB_TGS_REP:
		return "tgs-exchange";
	default:
		return "kdc-error";
	}
}

/* A repetition that was never answered anew is no exchange of its own. */
static void finish(struct mm_dissect *d, struct pending *p)
{
	if (p->ev == NULL)
		return;
	if (p->repeated)
		mm_dissect_drop(d, p->ev);
	else
		mm_dissect_emit(d, p->ev);
	p->ev = NULL;
}

static void request(
        struct mm_dissect *d, uint8_t msg_type, struct mm_slice msg, struct mm_cursor seq)
{
	struct state *st = d->state;
	struct mm_id id = mm_dissect_id(d, msg);
	struct pending *slot = &st->pending[0];
	bool repeated = false;
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &st->pending[i];
		if (mm_id_eq(&p->request, &id)) {
			if (p->ev != NULL)
				return; /* repeated while its answer is outstanding */
			repeated = true;
			slot = p;
			break;
		}
		if (p->order < slot->order)
			slot = p;
	}
	finish(d, slot);
	struct mm_event *ev = mm_dissect_event(d, request_kind(msg_type), action(msg_type));
	if (ev == NULL)
		return;
	struct mm_id reply = repeated ? slot->reply : (struct mm_id){ 0 };
	*slot = (struct pending){ ev, id, reply, ++st->n_requests, msg_type, repeated };
	kdc_req(ev, msg_type, seq);
}

static bool answers(uint8_t reply_type, uint8_t request_type)
{
	return reply_type == KRB_ERROR || reply_type == request_type + 1;
}

/* The service of an answer, as A_SNAME has it: Ticket.sname, or the sname of a KRB-ERROR. Empty when it has none. */
static struct mm_str answered_service(
        uint8_t msg_type, struct mm_slice msg, struct mm_cursor seq, char out[MM_STR_MAX])
{
	struct mm_cursor f;
	if (msg_type == KRB_ERROR) {
		int64_t stime;
		uint32_t code;
		seq = error_fields(msg, &stime, &code);
		for (unsigned tag = 7; tag <= 9; tag++)
			(void)mm_der_opt(&seq, mm_der_context(tag), &f);
		f = mm_der_get(&seq, mm_der_context(10));
	} else {
		for (unsigned tag = 0; tag <= 4; tag++)
			(void)mm_der_opt(&seq, mm_der_context(tag), &f);
		f = mm_der_get(&seq, mm_der_context(5));
		f = mm_der_get(&f, mm_der_application(KRB_TICKET));
		f = mm_der_get(&f, MM_DER_SEQUENCE);
		(void)mm_der_get(&f, mm_der_context(0));
		(void)mm_der_get(&f, mm_der_context(1));
		f = mm_der_get(&f, mm_der_context(2));
	}
	f = mm_der_get(&f, MM_DER_SEQUENCE);
	(void)mm_der_get(&f, mm_der_context(0));
	f = mm_der_get(&f, mm_der_context(1));
	f = mm_der_get(&f, MM_DER_SEQUENCE);
	size_t n = 0;
	while (f.len != 0) {
		struct mm_slice part = mm_der_string(&f, MM_DER_GENERAL_STRING);
		if (f.err || part.len + 1 > MM_STR_MAX - n)
			break;
		if (n != 0)
			out[n++] = '/';
		memcpy(out + n, part.p, part.len);
		n += part.len;
	}
	return (struct mm_str){ out, n };
}

/* The request that this message answers: one for the service that the answer names before others; then a datagram
 * answers the newest (a client that asks anew has given up on the older ones), a stream answers in order. */
static struct pending *find_request(struct mm_dissect *d, uint8_t reply_type, struct mm_str service)
{
	struct state *st = d->state;
	struct pending *best = NULL;
	bool best_named = false;
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &st->pending[i];
		if (p->ev == NULL || !answers(reply_type, p->msg_type))
			continue;
		const struct mm_attr_value *asked = mm_event_get(p->ev, &attrs[A_SNAME]);
		bool named = asked != NULL && mm_str_ieq(asked->str, service);
		bool later = best != NULL && p->order > best->order;
		if (best == NULL || (named && !best_named) ||
		        (named == best_named && (d->flow->transport == MM_UDP) == later)) {
			best = p;
			best_named = named;
		}
	}
	return best;
}

static bool answered_before(const struct state *st, const struct mm_id *reply)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (mm_id_eq(&st->pending[i].reply, reply))
			return true;
	return false;
}

static void reply(struct mm_dissect *d, uint8_t msg_type, struct mm_slice msg, struct mm_cursor seq)
{
	struct mm_id id = mm_dissect_id(d, msg);
	if (answered_before(d->state, &id))
		return;
	char service[MM_STR_MAX];
	struct pending *p =
	        find_request(d, msg_type, answered_service(msg_type, msg, seq, service));
	struct mm_event *ev = p != NULL ? p->ev : NULL;
	if (ev == NULL) {
		ev = mm_dissect_event(d, MM_EV_RESULT, action(msg_type));
		if (ev == NULL)
			return;
		ev->flags |= MM_EVF_ONE_SIDED;
		ev->request_ns = 0;
		ev->request_pkt = (struct mm_pkt){ 0 };
		/* Remembered, so that a repetition of it is known. */
		struct state *st = d->state;
		struct pending *slot = &st->pending[0];
		for (size_t i = 1; i < PENDING_MAX; i++)
			if (st->pending[i].order < slot->order)
				slot = &st->pending[i];
		finish(d, slot);
		*slot = (struct pending){ .reply = id, .order = ++st->n_requests };
	} else {
		p->ev = NULL;
		p->reply = id;
	}
	mm_dissect_response(d, ev);
	if (msg_type == KRB_ERROR)
		krb_error(ev, msg);
	else
		kdc_rep(ev, msg_type, seq);
	const struct mm_attr_value *asked = mm_event_get(ev, &attrs[A_REQUEST_TYPE]);
	if (asked != NULL && asked->number == KRB_AS_REQ)
		ev->meaning = meaning(ev);
	mm_dissect_emit(d, ev);
}

static bool known_tag(int tag)
{
	return tag == mm_der_application(KRB_AS_REQ) || tag == mm_der_application(KRB_AS_REP) ||
	       tag == mm_der_application(KRB_TGS_REQ) || tag == mm_der_application(KRB_TGS_REP) ||
	       tag == mm_der_application(KRB_ERROR);
}

static void message(struct mm_dissect *d, struct mm_slice msg)
{
	struct mm_cursor c = mm_cursor(msg);
	int tag = mm_peek8(&c);
	if (!known_tag(tag))
		return;
	struct mm_cursor seq = mm_der_get(&c, (uint8_t)tag);
	seq = mm_der_get(&seq, MM_DER_SEQUENCE);
	uint8_t msg_type = (uint8_t)(tag & 0x1f);
	bool asks = msg_type == KRB_AS_REQ || msg_type == KRB_TGS_REQ;
	/* What a client sends in the shape of an answer issues nothing: it would write into the ledger. */
	if (asks && d->dir == MM_TO_SERVER)
		request(d, msg_type, msg, seq);
	else if (!asks && d->dir == MM_TO_CLIENT)
		reply(d, msg_type, msg, seq);
}

static void parse(struct mm_dissect *d, struct mm_slice msg)
{
	message(d, d->flow->transport == MM_TCP ? mm_after(msg, RECORD_MARK) : msg);
}

static struct mm_frame frame(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	(void)dir;
	struct mm_cursor c = mm_cursor(avail);
	if (avail.len < RECORD_MARK + 1)
		return (struct mm_frame){ MM_FRAME_MORE, RECORD_MARK + 1 };
	uint32_t len = mm_be32(&c);
	if (len < 2 || len > MESSAGE_MAX || !known_tag(mm_peek8(&c)))
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	size_t whole = RECORD_MARK + (size_t)len;
	return (struct mm_frame){ whole > avail.len ? MM_FRAME_MORE : MM_FRAME_DONE, whole };
}

/* A message whose own length agrees with what holds it. */
static bool plausible(struct mm_slice s, size_t len)
{
	uint8_t tag;
	size_t header, body;
	return known_tag(mm_at(s, 0)) && mm_der_header(s, &tag, &header, &body) == 1 &&
	       header + body == len;
}

static bool probe(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	(void)dir;
	struct mm_cursor c = mm_cursor(head);
	if (transport == MM_UDP)
		return plausible(head, head.len);
	size_t len = mm_be32(&c);
	return !c.err && plausible(mm_left(&c), len);
}

static size_t resync(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	for (size_t i = 0; i + RECORD_MARK < avail.len; i++)
		if (known_tag(mm_at(avail, i + RECORD_MARK)) &&
		        probe(mm_after(avail, i), dir, MM_TCP))
			return i;
	return avail.len;
}

static void end(struct mm_dissect *d)
{
	struct state *st = d->state;
	for (;;) { /* oldest first */
		struct pending *oldest = NULL;
		for (size_t i = 0; i < PENDING_MAX; i++)
			if (st->pending[i].ev != NULL &&
			        (oldest == NULL || st->pending[i].order < oldest->order))
				oldest = &st->pending[i];
		if (oldest == NULL)
			return;
		finish(d, oldest);
	}
}

/* Where the events of a carried exchange go: on, with what the carrier knows. */
struct carrier_sink {
	const struct mm_dissect *d;
	const struct mm_krb5_carried *carried;
};

static void emit_carried(void *sink, struct mm_event *ev)
{
	const struct carrier_sink *s = sink;
	if (!mm_addr_eq(&ev->src.addr, &s->carried->client))
		ev->src = (struct mm_endpoint){ .addr = s->carried->client };
	mm_event_put_str(ev, &attrs[A_CARRIER], mm_slice_str(s->carried->carrier));
	s->d->emit(s->d->sink, ev);
}

static void carried_part(struct mm_dissect *k, enum mm_dir dir, const struct mm_krb5_part *part)
{
	if (part->msg.len == 0)
		return;
	k->dir = dir;
	k->time_ns = part->time_ns;
	k->first = part->first;
	k->last = part->last;
	message(k, part->msg);
}

void mm_krb5_carried(struct mm_dissect *d, const struct mm_krb5_carried *c)
{
	struct state st = { 0 };
	struct carrier_sink sink = { d, c };
	struct mm_dissect k = *d;
	k.self = &mm_kerberos;
	k.state = &st;
	k.id = (struct mm_id){ 0 };
	k.emit = emit_carried;
	k.sink = &sink;
	carried_part(&k, MM_TO_SERVER, &c->request);
	carried_part(&k, MM_TO_CLIENT, &c->reply);
	end(&k);
}

static const uint16_t ports[] = { 88, 0 };

static const char *const ndpi_hints[] = { "Kerberos", NULL };

const struct mm_dissector mm_kerberos = {
	.name = "kerberos",
	.spec = "RFC 4120, RFC 6113, MS-KILE, MS-SFU",
	.help = "AS and TGS exchanges with the KDC, and AP-REQ inside every carrier",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = ports,
	.udp_ports = ports,
	.ndpi_hints = ndpi_hints,
	.attrs = attrs,
	.n_attrs = N_ATTRS,
	.state_size = sizeof(struct state),
	.message_max = MESSAGE_MAX + RECORD_MARK,
	.probe = probe,
	.frame = frame,
	.resync = resync,
	.parse = parse,
	.gap = end,
	.end = end,
};
