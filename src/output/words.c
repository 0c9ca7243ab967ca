/* Words laid out for people: wrapping, counts, times, and what codes mean. */
#include "output/words.h"

#include <string.h>

void mm_page_ink(struct mm_page *page, enum mm_ink ink)
{
	/* ISO 6429 SGR, the sixteen colours that every terminal has. */
	static const char *const inks[] = {
		[MM_INK_PLAIN] = "\033[0m",
		[MM_INK_BOLD] = "\033[1m",
		[MM_INK_DIM] = "\033[2m",
		[MM_INK_LOW] = "\033[1;36m",
		[MM_INK_MEDIUM] = "\033[1;33m",
		[MM_INK_HIGH] = "\033[1;31m",
		[MM_INK_CRITICAL] = "\033[1;97;41m",
	};
	if (page->color)
		mm_buf_str(page->out, inks[ink]);
}

struct mm_buf *mm_page_begin(struct mm_page *page)
{
	mm_buf_reset(&page->scratch);
	return &page->scratch;
}

static void spaces(struct mm_buf *out, size_t n)
{
	while (n-- > 0)
		mm_buf_put(out, " ", 1);
}

/* Columns of a terminal, one for each character. */
static size_t columns(const char *p, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)p[i] & 0xc0) != 0x80;
	return n;
}

void mm_page_end(struct mm_page *page, const char *lead, size_t indent)
{
	const struct mm_buf *text = &page->scratch;
	struct mm_buf *out = page->out;
	size_t at = columns(lead, strlen(lead));
	mm_buf_str(out, lead);
	spaces(out, at < indent ? indent - at : 0);
	at = at < indent ? indent : at;
	bool line_start = true;
	for (size_t i = 0; i < text->len;) {
		const char *word = text->p + i;
		const char *space = memchr(word, ' ', text->len - i);
		size_t len = space != NULL ? (size_t)(space - word) : text->len - i;
		size_t wide = columns(word, len);
		if (!line_start && at + 1 + wide > MM_PAGE_WIDTH) {
			mm_buf_put(out, "\n", 1);
			spaces(out, indent);
			at = indent;
		} else if (!line_start) {
			mm_buf_put(out, " ", 1);
			at++;
		}
		mm_buf_put(out, word, len);
		at += wide;
		line_start = false;
		i += len + 1;
	}
	mm_buf_put(out, "\n", 1);
	if (text->failed)
		out->failed = true;
}

void mm_page_heading(struct mm_page *page, const char *text)
{
	mm_buf_str(page->out, "\n  ");
	mm_page_ink(page, MM_INK_BOLD);
	mm_buf_str(page->out, text);
	mm_page_ink(page, MM_INK_PLAIN);
	mm_buf_put(page->out, "\n", 1);
}

void mm_words_name(struct mm_buf *b, const char *name)
{
	mm_buf_safe(b, name, strlen(name));
}

void mm_words_count(struct mm_buf *b, uint64_t n, const char *noun)
{
	mm_buf_u64(b, n);
	mm_buf_put(b, " ", 1);
	mm_buf_str(b, noun);
	if (n != 1)
		mm_buf_put(b, "s", 1);
}

void mm_words_time(struct mm_buf *b, int64_t time_ns)
{
	enum { DATE = 10, MILLIS = 23 }; /* lengths of "2026-01-31" and "2026-01-31T12:00:00.123" */
	size_t start = b->len;
	mm_buf_time(b, time_ns);
	if (b->failed)
		return;
	b->p[start + DATE] = ' ';
	b->len = start + MILLIS;
	mm_buf_str(b, " UTC");
}

void mm_words_duration(struct mm_buf *b, int64_t duration_ns)
{
	const double minute = 60, hour = 3600, day = 86400;
	double s = duration_ns > 0 ? (double)duration_ns / 1e9 : 0;
	if (s < minute) {
		mm_buf_fixed(b, s, 1);
		mm_buf_str(b, " s");
	} else if (s < hour) {
		mm_buf_fixed(b, s / minute, 1);
		mm_buf_str(b, " min");
	} else if (s < 3 * day) {
		mm_buf_fixed(b, s / hour, 1);
		mm_buf_str(b, " h");
	} else {
		mm_buf_fixed(b, s / day, 1);
		mm_buf_str(b, " d");
	}
}

void mm_words_bytes(struct mm_buf *b, uint64_t n)
{
	static const char *const units[] = { " kB", " MB", " GB", " TB" };
	double v = (double)n / 1000;
	size_t i = 0;
	if (n < 1000) {
		mm_words_count(b, n, "byte");
		return;
	}
	while (v >= 1000 && i + 1 < sizeof units / sizeof units[0]) {
		v /= 1000;
		i++;
	}
	mm_buf_fixed(b, v, 1);
	mm_buf_str(b, units[i]);
}

void mm_words_weight(struct mm_buf *b, double db)
{
	if (db >= 0)
		mm_buf_put(b, "+", 1);
	mm_buf_fixed(b, db, 1);
}

void mm_words_percent(struct mm_buf *b, double p)
{
	const double least = 0.0001; /* of what two decimals can tell */
	if (p < least)
		mm_buf_str(b, p > 0 ? "less than 0.01 %" : "0 %");
	else if (p > 1 - least)
		mm_buf_str(b, p < 1 ? "more than 99.99 %" : "100 %");
	else {
		mm_buf_fixed(b, 100 * p, 2);
		mm_buf_str(b, " %");
	}
}

void mm_words_addr(struct mm_buf *b, const struct mm_addr *addr)
{
	char text[MM_ADDR_TEXT];
	mm_buf_str(b, addr->family != 0 ? mm_addr_text(addr, text) : "unknown");
}

void mm_words_endpoint(struct mm_buf *b, const struct mm_addr *addr, uint16_t port)
{
	mm_words_addr(b, addr);
	mm_buf_str(b, " port ");
	mm_buf_u64(b, port);
}

void mm_words_fp(struct mm_buf *b, const struct mm_fp *fp)
{
	char text[MM_FP_TEXT];
	mm_buf_str(b, mm_fp_text(fp, text));
}

struct code {
	uint32_t code;
	const char *name;
};

static const char *code_name(const struct code *codes, size_t n, uint32_t code)
{
	for (size_t i = 0; i < n; i++)
		if (codes[i].code == code)
			return codes[i].name;
	return NULL;
}

/* IANA, Kerberos Encryption Type Numbers. */
static const struct code etypes[] = {
	{ 1, "des-cbc-crc" },
	{ 3, "des-cbc-md5" },
	{ 16, "des3-cbc-sha1-kd" },
	{ 17, "aes128-cts-hmac-sha1-96" },
	{ 18, "aes256-cts-hmac-sha1-96" },
	{ 19, "aes128-cts-hmac-sha256-128" },
	{ 20, "aes256-cts-hmac-sha384-192" },
	{ 23, "rc4-hmac" },
	{ 24, "rc4-hmac-exp" },
	{ 25, "camellia128-cts-cmac" },
	{ 26, "camellia256-cts-cmac" },
};

/* RFC 4120 section 7.5.9, MS-KILE: those met beside a ticket. */
static const struct code krb5_errors[] = {
	{ 6, "KDC_ERR_C_PRINCIPAL_UNKNOWN" },
	{ 7, "KDC_ERR_S_PRINCIPAL_UNKNOWN" },
	{ 12, "KDC_ERR_POLICY" },
	{ 13, "KDC_ERR_BADOPTION" },
	{ 14, "KDC_ERR_ETYPE_NOSUPP" },
	{ 16, "KDC_ERR_PADATA_TYPE_NOSUPP" },
	{ 18, "KDC_ERR_CLIENT_REVOKED" },
	{ 20, "KDC_ERR_TGT_REVOKED" },
	{ 23, "KDC_ERR_KEY_EXPIRED" },
	{ 24, "KDC_ERR_PREAUTH_FAILED" },
	{ 25, "KDC_ERR_PREAUTH_REQUIRED" },
	{ 31, "KRB_AP_ERR_BAD_INTEGRITY" },
	{ 32, "KRB_AP_ERR_TKT_EXPIRED" },
	{ 33, "KRB_AP_ERR_TKT_NYV" },
	{ 34, "KRB_AP_ERR_REPEAT" },
	{ 35, "KRB_AP_ERR_NOT_US" },
	{ 36, "KRB_AP_ERR_BADMATCH" },
	{ 37, "KRB_AP_ERR_SKEW" },
	{ 41, "KRB_AP_ERR_MODIFIED" },
	{ 44, "KRB_AP_ERR_BADKEYVER" },
	{ 50, "KRB_AP_ERR_INAPP_CKSUM" },
	{ 52, "KRB_ERR_RESPONSE_TOO_BIG" },
	{ 60, "KRB_ERR_GENERIC" },
	{ 68, "KDC_ERR_WRONG_REALM" },
};

/* MS-ERREF section 2.3.1 */
static const struct code nt_errors[] = {
	{ 0xc000000d, "STATUS_INVALID_PARAMETER" },
	{ 0xc0000016, "STATUS_MORE_PROCESSING_REQUIRED" },
	{ 0xc0000022, "STATUS_ACCESS_DENIED" },
	{ 0xc0000064, "STATUS_NO_SUCH_USER" },
	{ 0xc000006a, "STATUS_WRONG_PASSWORD" },
	{ 0xc000006d, "STATUS_LOGON_FAILURE" },
	{ 0xc000006e, "STATUS_ACCOUNT_RESTRICTION" },
	{ 0xc0000071, "STATUS_PASSWORD_EXPIRED" },
	{ 0xc0000072, "STATUS_ACCOUNT_DISABLED" },
	{ 0xc0000133, "STATUS_TIME_DIFFERENCE_AT_DC" },
	{ 0xc000015b, "STATUS_LOGON_TYPE_NOT_GRANTED" },
	{ 0xc0000193, "STATUS_ACCOUNT_EXPIRED" },
	{ 0xc0000234, "STATUS_ACCOUNT_LOCKED_OUT" },
};

#define N(table) (sizeof(table) / sizeof(table)[0])

void mm_words_etype(struct mm_buf *b, int64_t etype)
{
	const char *name = etype >= 0 && etype <= UINT32_MAX
	                           ? code_name(etypes, N(etypes), (uint32_t)etype)
	                           : NULL;
	mm_buf_i64(b, etype);
	if (name != NULL) {
		mm_buf_str(b, " (");
		mm_buf_str(b, name);
		mm_buf_put(b, ")", 1);
	}
}

static void status_words(struct mm_buf *b, struct mm_status status)
{
	const char *name = NULL;
	switch (status.domain) {
	case MM_STATUS_NONE:
		return;
	case MM_STATUS_KRB5:
		mm_buf_str(b, "Kerberos error ");
		name = code_name(krb5_errors, N(krb5_errors), status.code);
		break;
	case MM_STATUS_NT:
		mm_buf_printf(b, "status 0x%08x", status.code);
		name = code_name(nt_errors, N(nt_errors), status.code);
		break;
	case MM_STATUS_LDAP:
		mm_buf_str(b, "LDAP result ");
		break;
	case MM_STATUS_HTTP:
		mm_buf_str(b, "HTTP status ");
		break;
	case MM_STATUS_DCERPC:
		mm_buf_printf(b, "DCE/RPC status 0x%08x", status.code);
		break;
	case MM_STATUS_GSS:
		mm_buf_str(b, "SPNEGO state ");
		break;
	}
	if (status.domain != MM_STATUS_NT && status.domain != MM_STATUS_DCERPC)
		mm_buf_u64(b, status.code);
	if (name != NULL) {
		mm_buf_str(b, ", ");
		mm_buf_str(b, name);
	}
}

void mm_words_verdict(struct mm_buf *b, enum mm_outcome outcome, struct mm_status status)
{
	switch (outcome) {
	case MM_UNKNOWN:
		mm_buf_str(b, "no answer seen");
		return;
	case MM_SUCCESS:
		mm_buf_str(b, "accepted");
		return;
	case MM_FAILURE:
		mm_buf_str(b, "refused");
		break;
	}
	if (status.domain == MM_STATUS_NONE)
		return;
	mm_buf_str(b, " (");
	status_words(b, status);
	mm_buf_put(b, ")", 1);
}

void mm_words_pkts(struct mm_buf *b, const struct mm_files *files, const struct mm_pkt *pkts,
        size_t n, uint64_t more)
{
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			mm_buf_str(b, ", ");
		if (i == 0 || pkts[i].file != pkts[i - 1].file)
			mm_words_name(b, mm_files_name(files, pkts[i].file));
		mm_buf_put(b, "#", 1);
		mm_buf_u64(b, pkts[i].number);
	}
	if (more != 0) {
		mm_buf_str(b, " and ");
		mm_buf_u64(b, more);
		mm_buf_str(b, " more");
	}
}
