/* ClientHello, ServerHello and Certificate.
 *
 *	struct {
 *		ProtocolVersion legacy_version;
 *		Random random;
 *		opaque legacy_session_id<0..32>;
 *		CipherSuite cipher_suites<2..2^16-2>;
 *		opaque legacy_compression_methods<1..2^8-1>;
 *		Extension extensions<8..2^16-1>;
 *	} ClientHello;
 *
 * The JA4 fingerprint is FoxIO's: github.com/FoxIO-LLC/ja4, technical_details/JA4.md. */
#include "dissect/tls_hello.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/der.h"
#include "base/hash.h"

enum {
	RANDOM = 32,
	SESSION_ID_MAX = 32,

	/* IANA's registry of TLS ExtensionType values */
	EXT_SERVER_NAME = 0,
	EXT_SIGNATURE_ALGORITHMS = 13,
	EXT_ALPN = 16,
	EXT_ENCRYPT_THEN_MAC = 22,
	EXT_PRE_SHARED_KEY = 41,
	EXT_EARLY_DATA = 42,
	EXT_SUPPORTED_VERSIONS = 43,

	HOST_NAME = 0,     /* NameType, RFC 6066 section 3 */
	JA4_HASH_HEX = 12, /* digits of a SHA-256 that are kept */
	JA4_COUNT_MAX = 99,

	DER_UTF8_STRING = 0x0c, /* X.690 section 8.1.2, X.680 section 8.4 */
	DER_PRINTABLE_STRING = 0x13,
	DER_T61_STRING = 0x14,
	DER_IA5_STRING = 0x16,
	DNS_NAME = 0x82, /* [2] IMPLICIT IA5String, RFC 5280 section 4.2.1.6 */
	NAMES_MAX = 64,
};

/* Values of a list, as they came. */
struct list {
	uint16_t v[TLS_LIST_MAX];
	size_t n;
};

struct offer {
	struct list ciphers, extensions, signatures;
	uint16_t legacy_version;
};

/* RFC 8701 section 2: reserved, so that servers learn to pass over what they do not know. */
static bool is_grease(unsigned v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

static void add(struct list *l, unsigned v)
{
	if (!is_grease(v) && l->n < TLS_LIST_MAX)
		l->v[l->n++] = (uint16_t)v;
}

static struct mm_cursor vector8(struct mm_cursor *c)
{
	return mm_cursor(mm_take(c, mm_u8(c)));
}

static struct mm_cursor vector16(struct mm_cursor *c)
{
	return mm_cursor(mm_take(c, mm_be16(c)));
}

static void read_server_name(struct mm_cursor ext, struct tls_hello *out)
{
	struct mm_cursor list = vector16(&ext);
	while (list.len != 0 && out->server_name.len == 0) {
		unsigned type = mm_u8(&list);
		struct mm_cursor name = vector16(&list);
		if (type == HOST_NAME && !list.err)
			out->server_name = mm_left(&name);
	}
}

static void read_versions(struct mm_cursor ext, bool client, struct tls_hello *out)
{
	if (!client) {
		uint16_t chosen = mm_be16(&ext);
		out->version = ext.err ? out->version : chosen;
		return;
	}
	struct mm_cursor list = vector8(&ext);
	uint16_t best = 0;
	while (list.len >= 2) {
		uint16_t v = mm_be16(&list);
		if (!is_grease(v) && v > best)
			best = v;
	}
	out->version = best != 0 ? best : out->version;
}

static void read_extension(struct mm_cursor ext, unsigned type, bool client, struct tls_hello *out,
        struct offer *offer)
{
	struct mm_cursor list;
	switch (type) {
	case EXT_SERVER_NAME:
		if (client)
			read_server_name(ext, out);
		break;
	case EXT_ALPN:
		list = vector16(&ext);
		list = vector8(&list);
		out->protocol = mm_left(&list);
		break;
	case EXT_SIGNATURE_ALGORITHMS:
		list = vector16(&ext);
		while (list.len >= 2 && offer != NULL)
			add(&offer->signatures, mm_be16(&list));
		break;
	case EXT_ENCRYPT_THEN_MAC:
		out->encrypt_then_mac = true;
		break;
	case EXT_PRE_SHARED_KEY:
		out->psk = true;
		break;
	case EXT_EARLY_DATA:
		out->early_data = true;
		break;
	case EXT_SUPPORTED_VERSIONS:
		read_versions(ext, client, out);
		break;
	default:
		break;
	}
}

static void read_extensions(
        struct mm_cursor *c, bool client, struct tls_hello *out, struct offer *offer)
{
	if (c->len == 0)
		return; /* TLS 1.2 may have none at all */
	struct mm_cursor all = vector16(c);
	while (all.len != 0) {
		unsigned type = mm_be16(&all);
		struct mm_cursor ext = vector16(&all);
		if (all.err)
			break;
		if (offer != NULL)
			add(&offer->extensions, type);
		read_extension(ext, type, client, out, offer);
	}
	c->err |= all.err;
}

/* --- JA4 ------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
	uint16_t x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

struct words {
	char text[2 * TLS_LIST_MAX * 5 + 1];
	size_t len;
};

/* "1301,1302": four digits each */
static void put_list(struct words *w, const struct list *l)
{
	for (size_t i = 0; i < l->n && w->len + 5 < sizeof w->text; i++) {
		bool first = w->len == 0 || w->text[w->len - 1] == '_';
		w->len += (size_t)snprintf(w->text + w->len, sizeof w->text - w->len, "%s%04x",
		        first ? "" : ",", l->v[i]);
	}
}

static void put_hash(const struct words *w, char out[JA4_HASH_HEX + 1])
{
	char hex[MM_FP_TEXT];
	struct mm_fp fp = mm_fp_of(mm_slice(w->text, w->len));
	snprintf(out, JA4_HASH_HEX + 1, "%.*s", JA4_HASH_HEX,
	        w->len == 0 ? "000000000000" : mm_fp_text(&fp, hex));
}

static const char *version_digits(unsigned version)
{
	switch (version) {
	case 0x0304:
		return "13";
	case 0x0303:
		return "12";
	case 0x0302:
		return "11";
	case 0x0301:
		return "10";
	case 0x0300:
		return "s3";
	case 0x0002:
		return "s2";
	default:
		return "00";
	}
}

static bool is_alphanumeric(int b)
{
	return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');
}

/* First and last character of the first ALPN value, or of its hexadecimal form where they are none. */
static void put_protocol(struct mm_slice p, char out[3])
{
	static const char digits[] = "0123456789abcdef";
	int first = mm_at(p, 0), last = p.len == 0 ? -1 : mm_at(p, p.len - 1);
	memcpy(out, "00", 3);
	if (p.len == 0)
		return;
	bool plain = is_alphanumeric(first) && is_alphanumeric(last);
	out[0] = plain ? (char)first : digits[first >> 4];
	out[1] = plain ? (char)last : digits[last & 15];
}

static unsigned up_to_99(size_t n)
{
	return n < JA4_COUNT_MAX ? (unsigned)n : JA4_COUNT_MAX;
}

static bool offers(const struct list *l, uint16_t v)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i] == v)
			return true;
	return false;
}

static void fingerprint(struct offer *o, struct tls_hello *h)
{
	struct words ciphers = { .len = 0 }, rest = { .len = 0 };
	struct list hashed = { .n = 0 };
	char protocol[3], first[JA4_HASH_HEX + 1], second[JA4_HASH_HEX + 1];
	bool named = offers(&o->extensions, EXT_SERVER_NAME);
	for (size_t i = 0; i < o->extensions.n; i++)
		if (o->extensions.v[i] != EXT_SERVER_NAME && o->extensions.v[i] != EXT_ALPN)
			add(&hashed, o->extensions.v[i]);
	qsort(o->ciphers.v, o->ciphers.n, sizeof o->ciphers.v[0], ascending);
	qsort(hashed.v, hashed.n, sizeof hashed.v[0], ascending);
	put_list(&ciphers, &o->ciphers);
	put_list(&rest, &hashed);
	if (o->signatures.n != 0 && rest.len != 0) {
		rest.text[rest.len++] = '_';
		put_list(&rest, &o->signatures);
	}
	put_hash(&ciphers, first);
	put_hash(&rest, second);
	put_protocol(h->protocol, protocol);
	snprintf(h->ja4, sizeof h->ja4, "t%s%c%02u%02u%s_%s_%s", version_digits(h->version),
	        named ? 'd' : 'i', up_to_99(o->ciphers.n), up_to_99(o->extensions.n), protocol,
	        first, second);
}

/* --- hellos ---------------------------------------------------------------------------------------- */

bool tls_client_hello(struct mm_slice body, bool ja4, struct tls_hello *out)
{
	struct mm_cursor c = mm_cursor(body);
	struct offer offer;
	offer.ciphers.n = offer.extensions.n = offer.signatures.n = 0;
	*out = (struct tls_hello){ .version = mm_be16(&c) };
	out->random = mm_take(&c, RANDOM);
	struct mm_cursor session = vector8(&c);
	out->session_id = mm_left(&session);
	struct mm_cursor ciphers = vector16(&c);
	while (ciphers.len >= 2 && ja4)
		add(&offer.ciphers, mm_be16(&ciphers));
	(void)vector8(&c);
	read_extensions(&c, true, out, ja4 ? &offer : NULL);
	if (ja4 && !c.err)
		fingerprint(&offer, out);
	return !c.err && out->session_id.len <= SESSION_ID_MAX;
}

bool tls_server_hello(struct mm_slice body, struct tls_hello *out)
{
	/* SHA-256 of "HelloRetryRequest", RFC 8446 section 4.1.3 */
	static const uint8_t retry[RANDOM] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe,
		0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c,
		0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c };
	struct mm_cursor c = mm_cursor(body);
	*out = (struct tls_hello){ .version = mm_be16(&c) };
	out->random = mm_take(&c, RANDOM);
	struct mm_cursor session = vector8(&c);
	out->session_id = mm_left(&session);
	out->cipher = mm_be16(&c);
	out->compression = mm_u8(&c);
	read_extensions(&c, false, out, NULL);
	out->retry = mm_slice_eq(out->random, mm_slice(retry, sizeof retry));
	return !c.err && out->session_id.len <= SESSION_ID_MAX;
}

struct mm_slice tls_first_certificate(struct mm_slice body, bool v13)
{
	struct mm_cursor c = mm_cursor(body);
	if (v13)
		(void)vector8(&c); /* certificate_request_context */
	struct mm_cursor list = mm_cursor(mm_take(&c, mm_be24(&c)));
	return mm_take(&list, mm_be24(&list));
}

/* --- certificates ---------------------------------------------------------------------------------- */

static const uint8_t oid_common_name[] = { 0x55, 0x04, 0x03 };  /* 2.5.4.3 */
static const uint8_t oid_alternatives[] = { 0x55, 0x1d, 0x11 }; /* 2.5.29.17 */

/* Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY } */
static void read_subject(struct mm_cursor name, struct tls_names *out)
{
	uint8_t tag;
	struct mm_slice value;
	for (size_t n = 0; name.len != 0 && n < NAMES_MAX; n++) {
		struct mm_cursor set = mm_der_get(&name, MM_DER_SET);
		struct mm_cursor pair = mm_der_get(&set, MM_DER_SEQUENCE);
		struct mm_slice type = mm_der_string(&pair, MM_DER_OID);
		if (!mm_slice_eq(type, mm_slice(oid_common_name, sizeof oid_common_name)) ||
		        !mm_der_next(&pair, &tag, &value))
			continue;
		if (tag == DER_UTF8_STRING || tag == DER_PRINTABLE_STRING ||
		        tag == DER_T61_STRING || tag == DER_IA5_STRING)
			out->common_name = value;
	}
}

static void read_alternatives(struct mm_slice der, struct tls_names *out)
{
	struct mm_cursor c = mm_cursor(der);
	struct mm_cursor names = mm_der_get(&c, MM_DER_SEQUENCE);
	uint8_t tag;
	struct mm_slice value;
	size_t len = 0;
	for (size_t n = 0; n < NAMES_MAX && mm_der_next(&names, &tag, &value); n++) {
		size_t gap = len == 0 ? 0 : 2;
		if (tag != DNS_NAME || value.len == 0)
			continue;
		if (value.len + gap >= sizeof out->alternatives - len)
			return;
		memcpy(out->alternatives + len, ", ", gap);
		memcpy(out->alternatives + len + gap, value.p, value.len);
		len += gap + value.len;
		out->alternatives[len] = '\0';
	}
}

/* Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
static void read_certificate_extensions(struct mm_cursor c, struct tls_names *out)
{
	struct mm_cursor list = mm_der_get(&c, MM_DER_SEQUENCE);
	for (size_t n = 0; list.len != 0 && n < NAMES_MAX; n++) {
		struct mm_cursor ext = mm_der_get(&list, MM_DER_SEQUENCE), critical;
		struct mm_slice id = mm_der_string(&ext, MM_DER_OID);
		(void)mm_der_opt(&ext, MM_DER_BOOLEAN, &critical);
		struct mm_slice value = mm_der_string(&ext, MM_DER_OCTET_STRING);
		if (!ext.err &&
		        mm_slice_eq(id, mm_slice(oid_alternatives, sizeof oid_alternatives)))
			read_alternatives(value, out);
	}
}

bool tls_certificate_names(struct mm_slice der, struct tls_names *out)
{
	struct mm_cursor c = mm_cursor(der), ignored;
	out->common_name = mm_slice(NULL, 0);
	out->alternatives[0] = '\0';
	struct mm_cursor certificate = mm_der_get(&c, MM_DER_SEQUENCE);
	struct mm_cursor tbs = mm_der_get(&certificate, MM_DER_SEQUENCE);
	(void)mm_der_opt(&tbs, mm_der_context(0), &ignored); /* version */
	(void)mm_der_get(&tbs, MM_DER_INTEGER);              /* serialNumber */
	(void)mm_der_get(&tbs, MM_DER_SEQUENCE);             /* signature */
	(void)mm_der_get(&tbs, MM_DER_SEQUENCE);             /* issuer */
	(void)mm_der_get(&tbs, MM_DER_SEQUENCE);             /* validity */
	struct mm_cursor subject = mm_der_get(&tbs, MM_DER_SEQUENCE);
	(void)mm_der_get(&tbs, MM_DER_SEQUENCE); /* subjectPublicKeyInfo */
	if (tbs.err)
		return false;
	read_subject(subject, out);
	struct mm_cursor extensions;
	uint8_t tag;
	struct mm_slice value;
	while (!mm_der_opt(&tbs, mm_der_context(3), &extensions))
		if (!mm_der_next(&tbs, &tag, &value)) /* unique identifiers */
			return !tbs.err;
	read_certificate_extensions(extensions, out);
	return true;
}
