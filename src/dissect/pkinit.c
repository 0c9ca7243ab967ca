/* The client certificate inside PA-PK-AS-REQ: our cursor finds it in the CMS, OpenSSL reads it. */
#include "dissect/pkinit.h"

#include <openssl/x509v3.h>

#include "base/der.h"

enum {
	CMS_CONTEXT_PRIMITIVE_0 = 0x80, /* [0] IMPLICIT OCTET STRING */
	CERTIFICATE_MAX = 16 * 1024,
};

/* SignedData ::= SEQUENCE { version, digestAlgorithms SET, encapContentInfo SEQUENCE,
 *                           certificates [0] IMPLICIT SET OF Certificate OPTIONAL, ... } (RFC 5652 5.1) */
static struct mm_slice first_certificate(struct mm_slice pa_pk_as_req)
{
	static const struct mm_slice none;
	struct mm_cursor c = mm_cursor(pa_pk_as_req);
	struct mm_cursor seq = mm_der_get(&c, MM_DER_SEQUENCE);
	struct mm_cursor cms = mm_der_get(&seq, CMS_CONTEXT_PRIMITIVE_0);
	cms = mm_der_get(&cms, MM_DER_SEQUENCE);
	(void)mm_der_get(&cms, MM_DER_OID);
	struct mm_cursor signed_data = mm_der_get(&cms, mm_der_context(0));
	signed_data = mm_der_get(&signed_data, MM_DER_SEQUENCE);
	(void)mm_der_get(&signed_data, MM_DER_INTEGER);
	(void)mm_der_get(&signed_data, MM_DER_SET);
	(void)mm_der_get(&signed_data, MM_DER_SEQUENCE);
	struct mm_cursor certs = mm_der_get(&signed_data, mm_der_context(0));
	struct mm_slice all = mm_left(&certs), cert;
	uint8_t tag;
	size_t header, body;
	if (certs.err || mm_der_header(all, &tag, &header, &body) != 1 || tag != MM_DER_SEQUENCE)
		return none;
	return mm_sub(all, 0, header + body, &cert) ? cert : none;
}

static void name_text(const X509_NAME *name, char out[MM_CERT_TEXT])
{
	out[0] = '\0';
	BIO *bio = BIO_new(BIO_s_mem());
	if (bio == NULL)
		return;
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
		int n = BIO_read(bio, out, MM_CERT_TEXT - 1);
		out[n > 0 ? n : 0] = '\0';
	}
	BIO_free(bio);
}

/* szOID_NT_PRINCIPAL_NAME 1.3.6.1.4.1.311.20.2.3, an otherName holding a UTF8String. */
static void upn_text(X509 *cert, char out[MM_CERT_TEXT])
{
	out[0] = '\0';
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *gn = sk_GENERAL_NAME_value(names, i);
		if (gn->type != GEN_OTHERNAME ||
		        OBJ_obj2nid(gn->d.otherName->type_id) != NID_ms_upn ||
		        gn->d.otherName->value->type != V_ASN1_UTF8STRING)
			continue;
		const ASN1_STRING *s = gn->d.otherName->value->value.utf8string;
		int len = ASN1_STRING_length(s);
		if (len <= 0 || len >= MM_CERT_TEXT)
			continue;
		/* A NUL inside would make the name read as a shorter one. */
		const unsigned char *from = ASN1_STRING_get0_data(s);
		for (int k = 0; k < len; k++)
			out[k] = from[k] != '\0' ? (char)from[k] : '?';
		out[len] = '\0';
		break;
	}
	GENERAL_NAMES_free(names);
}

static int64_t time_s(const ASN1_TIME *t)
{
	int days = 0, seconds = 0;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int ok = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1;
	ASN1_TIME_free(epoch);
	return ok ? (int64_t)days * 86400 + seconds : 0;
}

bool mm_pkinit_read(struct mm_slice pa_pk_as_req, struct mm_pkinit_cert *out)
{
	struct mm_slice der = first_certificate(pa_pk_as_req);
	if (der.len == 0 || der.len > CERTIFICATE_MAX)
		return false;
	const unsigned char *p = der.p;
	X509 *cert = d2i_X509(NULL, &p, (long)der.len);
	if (cert == NULL)
		return false;
	name_text(X509_get_subject_name(cert), out->subject);
	name_text(X509_get_issuer_name(cert), out->issuer);
	upn_text(cert, out->upn);
	out->not_before_s = time_s(X509_get0_notBefore(cert));
	X509_free(cert);
	return true;
}
