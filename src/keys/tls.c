/* TLS record protection, by OpenSSL. */
#include "keys/tls.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum {
	AEAD_IV = 12,
	GCM_SALT = 4, /* of a nonce of TLS 1.2: RFC 5288 section 3 */
	EXPLICIT = 8, /* the rest of it, sent along */
	CBC_BLOCK = 16,
	HEAD_13 = 5,  /* what a record of TLS 1.3 authenticates besides itself: its header */
	HEAD_12 = 13, /* sequence number, type, version, length */
	RECORD_APPLICATION = 23,
};

/* clang-format off */
#define GCM(id, name, key, hash) { id, name, MM_TLS_GCM, key, 16, hash, MM_TLS_SHA256 }
#define CHA(id, name)            { id, name, MM_TLS_CHACHA, 32, 16, MM_TLS_SHA256, MM_TLS_SHA256 }
#define CCM(id, name, key, tag)  { id, name, MM_TLS_CCM, key, tag, MM_TLS_SHA256, MM_TLS_SHA256 }
#define CBC1(id, name, key)      { id, name, MM_TLS_CBC, key, 20, MM_TLS_SHA256, MM_TLS_SHA1 }
#define CBC256(id, name, key)    { id, name, MM_TLS_CBC, key, 32, MM_TLS_SHA256, MM_TLS_SHA256 }
#define CBC384(id, name, key)    { id, name, MM_TLS_CBC, key, 48, MM_TLS_SHA384, MM_TLS_SHA384 }

/* IANA's registry of TLS cipher suites, in its order. */
static const struct mm_tls_suite suites[] = {
	CBC1(0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", 16),
	CBC1(0x0032, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA", 16),
	CBC1(0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", 16),
	CBC1(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", 32),
	CBC1(0x0038, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA", 32),
	CBC1(0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", 32),
	CBC256(0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256", 16),
	CBC256(0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256", 32),
	CBC256(0x0040, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA256", 16),
	CBC256(0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", 16),
	CBC256(0x006a, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA256", 32),
	CBC256(0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", 32),
	GCM(0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", 16, MM_TLS_SHA256),
	GCM(0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", 32, MM_TLS_SHA384),
	GCM(0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", 16, MM_TLS_SHA256),
	GCM(0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", 32, MM_TLS_SHA384),
	GCM(0x00a2, "TLS_DHE_DSS_WITH_AES_128_GCM_SHA256", 16, MM_TLS_SHA256),
	GCM(0x00a3, "TLS_DHE_DSS_WITH_AES_256_GCM_SHA384", 32, MM_TLS_SHA384),
	GCM(0x00a8, "TLS_PSK_WITH_AES_128_GCM_SHA256", 16, MM_TLS_SHA256),
	GCM(0x00a9, "TLS_PSK_WITH_AES_256_GCM_SHA384", 32, MM_TLS_SHA384),
	GCM(0x1301, "TLS_AES_128_GCM_SHA256", 16, MM_TLS_SHA256),
	GCM(0x1302, "TLS_AES_256_GCM_SHA384", 32, MM_TLS_SHA384),
	CHA(0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
	CCM(0x1304, "TLS_AES_128_CCM_SHA256", 16, 16),
	CCM(0x1305, "TLS_AES_128_CCM_8_SHA256", 16, 8),
	CBC1(0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 16),
	CBC1(0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 32),
	CBC1(0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 16),
	CBC1(0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 32),
	CBC256(0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 16),
	CBC384(0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", 32),
	CBC256(0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 16),
	CBC384(0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", 32),
	GCM(0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 16, MM_TLS_SHA256),
	GCM(0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 32, MM_TLS_SHA384),
	GCM(0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 16, MM_TLS_SHA256),
	GCM(0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 32, MM_TLS_SHA384),
	CCM(0xc09c, "TLS_RSA_WITH_AES_128_CCM", 16, 16),
	CCM(0xc09d, "TLS_RSA_WITH_AES_256_CCM", 32, 16),
	CCM(0xc09e, "TLS_DHE_RSA_WITH_AES_128_CCM", 16, 16),
	CCM(0xc09f, "TLS_DHE_RSA_WITH_AES_256_CCM", 32, 16),
	CCM(0xc0a0, "TLS_RSA_WITH_AES_128_CCM_8", 16, 8),
	CCM(0xc0a1, "TLS_RSA_WITH_AES_256_CCM_8", 32, 8),
	CCM(0xc0a2, "TLS_DHE_RSA_WITH_AES_128_CCM_8", 16, 8),
	CCM(0xc0a3, "TLS_DHE_RSA_WITH_AES_256_CCM_8", 32, 8),
	CCM(0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", 16, 16),
	CCM(0xc0ad, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM", 32, 16),
	CCM(0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", 16, 8),
	CCM(0xc0af, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", 32, 8),
	CHA(0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
	CHA(0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
	CHA(0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
	CHA(0xccab, "TLS_PSK_WITH_CHACHA20_POLY1305_SHA256"),
	CHA(0xccac, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"),
	GCM(0xd001, "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256", 16, MM_TLS_SHA256),
	GCM(0xd002, "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384", 32, MM_TLS_SHA384),
};
/* clang-format on */

const struct mm_tls_suite *mm_tls_suite(uint16_t id)
{
	for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

bool mm_tls_suite_is_13(const struct mm_tls_suite *suite)
{
	return suite->id >> 8 == 0x13;
}

static const EVP_MD *md_of(enum mm_tls_hash hash)
{
	switch (hash) {
	case MM_TLS_SHA1:
		return EVP_sha1();
	case MM_TLS_SHA256:
		return EVP_sha256();
	case MM_TLS_SHA384:
		break;
	}
	return EVP_sha384();
}

static size_t hash_len(enum mm_tls_hash hash)
{
	return hash == MM_TLS_SHA1 ? 20 : hash == MM_TLS_SHA256 ? 32 : 48;
}

static const EVP_CIPHER *cipher_of(const struct mm_tls_suite *s)
{
	bool large = s->key_len == MM_TLS_KEY_MAX;
	switch (s->kind) {
	case MM_TLS_GCM:
		return large ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
	case MM_TLS_CCM:
		return large ? EVP_aes_256_ccm() : EVP_aes_128_ccm();
	case MM_TLS_CHACHA:
		return EVP_chacha20_poly1305();
	case MM_TLS_CBC:
		break;
	}
	return large ? EVP_aes_256_cbc() : EVP_aes_128_cbc();
}

/* Bytes put together for a hash. */
struct text {
	uint8_t b[192];
	size_t len;
};

static void put(struct text *t, struct mm_slice s)
{
	size_t n = s.len < sizeof t->b - t->len ? s.len : sizeof t->b - t->len;
	if (n != 0)
		memcpy(t->b + t->len, s.p, n);
	t->len += n;
}

static bool hmac(enum mm_tls_hash hash, struct mm_slice key, const struct text *t, uint8_t *out)
{
	unsigned len = 0;
	return HMAC(md_of(hash), key.p, (int)key.len, t->b, t->len, out, &len) != NULL &&
	       len == hash_len(hash);
}

bool mm_tls_prf(enum mm_tls_hash hash, struct mm_slice secret, const char *label,
        struct mm_slice seed, uint8_t *out, size_t len)
{
	uint8_t a[EVP_MAX_MD_SIZE], block[EVP_MAX_MD_SIZE];
	size_t n = hash_len(hash);
	struct text t = { .len = 0 };
	put(&t, mm_slice_str(label));
	put(&t, seed);
	bool ok = hmac(hash, secret, &t, a); /* A(1) */
	for (size_t at = 0; at < len && ok; at += n) {
		struct text next = { .len = 0 };
		put(&next, mm_slice(a, n));
		ok = hmac(hash, secret, &next, a); /* A(i + 1), kept for the next round */
		put(&next, mm_slice(t.b, t.len));
		ok = ok && hmac(hash, secret, &next, block);
		memcpy(out + at, block, n < len - at ? n : len - at);
	}
	explicit_bzero(a, sizeof a);
	explicit_bzero(block, sizeof block);
	return ok;
}

bool mm_tls_expand_label(
        enum mm_tls_hash hash, struct mm_slice secret, const char *label, uint8_t *out, size_t len)
{
	/* struct { uint16 length; opaque label<7..255>; opaque context<0..255>; } HkdfLabel, and HKDF-Expand's
	 * counter: RFC 5869 section 2.3 */
	static const char prefix[] = "tls13 ";
	uint8_t block[EVP_MAX_MD_SIZE];
	const uint8_t head[] = { 0, (uint8_t)len, (uint8_t)(sizeof prefix - 1 + strlen(label)) };
	static const uint8_t tail[] = { 0, 1 };
	struct text t = { .len = 0 };
	if (len > hash_len(hash))
		return false;
	put(&t, mm_slice(head, sizeof head));
	put(&t, mm_slice_str(prefix));
	put(&t, mm_slice_str(label));
	put(&t, mm_slice(tail, sizeof tail));
	bool ok = hmac(hash, secret, &t, block);
	if (ok)
		memcpy(out, block, len);
	explicit_bzero(block, sizeof block);
	return ok;
}

void mm_tls_half_done(struct mm_tls_half *h)
{
	EVP_CIPHER_CTX_free(h->ctx); /* wipes what it holds */
	explicit_bzero(h, sizeof *h);
}

/* A context with the half's key in it. */
static bool init_cipher(struct mm_tls_half *h, const struct mm_tls_suite *suite)
{
	EVP_CIPHER_CTX *ctx = h->ctx != NULL ? h->ctx : EVP_CIPHER_CTX_new();
	h->ctx = ctx;
	bool ok = ctx != NULL && EVP_DecryptInit_ex(ctx, cipher_of(suite), NULL, NULL, NULL) == 1;
	if (ok && suite->kind == MM_TLS_CBC)
		ok = EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;
	else if (ok)
		ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, AEAD_IV, NULL) == 1;
	if (ok && suite->kind == MM_TLS_CCM)
		ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, suite->tag_len, NULL) == 1;
	if (ok)
		ok = EVP_DecryptInit_ex(ctx, NULL, NULL, h->key, NULL) == 1;
	h->suite = ok ? suite : NULL;
	h->seq = 0;
	return ok;
}

bool mm_tls_half_13(
        struct mm_tls_half *h, const struct mm_tls_suite *suite, const struct mm_secret *secret)
{
	struct mm_slice s = mm_slice(secret->b, secret->len);
	h->suite = NULL;
	if (!mm_tls_suite_is_13(suite) || secret->len != hash_len(suite->prf))
		return false;
	if (secret != &h->secret)
		h->secret = *secret;
	return mm_tls_expand_label(suite->prf, s, "key", h->key, suite->key_len) &&
	       mm_tls_expand_label(suite->prf, s, "iv", h->iv, AEAD_IV) && init_cipher(h, suite);
}

bool mm_tls_half_update(struct mm_tls_half *h)
{
	struct mm_secret next = { .len = h->secret.len };
	bool ok = h->suite != NULL &&
	          mm_tls_expand_label(h->suite->prf, mm_slice(h->secret.b, h->secret.len),
	                  "traffic upd", next.b, next.len) &&
	          mm_tls_half_13(h, h->suite, &next);
	explicit_bzero(&next, sizeof next);
	return ok;
}

static size_t fixed_iv(const struct mm_tls_suite *suite)
{
	switch (suite->kind) {
	case MM_TLS_GCM:
	case MM_TLS_CCM:
		return GCM_SALT;
	case MM_TLS_CHACHA:
		return AEAD_IV;
	case MM_TLS_CBC:
		break;
	}
	return 0; /* TLS 1.1 and later send it along */
}

bool mm_tls_halves_12(struct mm_tls_half h[2], const struct mm_tls_suite *suite,
        const struct mm_secret *master, const struct mm_tls_randoms *randoms, bool encrypt_then_mac)
{
	enum { MASTER = 48 }; /* RFC 5246 section 8.1 */
	uint8_t block[2 * (MM_TLS_KEY_MAX + MM_TLS_IV_MAX + MM_TLS_MAC_MAX)];
	uint8_t seed[2 * MM_TLS_RANDOM];
	size_t mac_len = suite->kind == MM_TLS_CBC ? suite->tag_len : 0, iv_len = fixed_iv(suite);
	size_t len = 2 * (mac_len + suite->key_len + iv_len);
	memcpy(seed, randoms->server, MM_TLS_RANDOM);
	memcpy(seed + MM_TLS_RANDOM, randoms->client, MM_TLS_RANDOM);
	h[0].suite = h[1].suite = NULL;
	if (mm_tls_suite_is_13(suite) || master->len != MASTER)
		return false;
	bool ok = mm_tls_prf(suite->prf, mm_slice(master->b, master->len), "key expansion",
	        mm_slice(seed, sizeof seed), block, len);
	struct mm_cursor c = mm_cursor(mm_slice(block, len));
	for (size_t i = 0; i < 2 && mac_len != 0; i++)
		memcpy(h[i].mac_key, mm_take(&c, mac_len).p, mac_len);
	for (size_t i = 0; i < 2; i++)
		memcpy(h[i].key, mm_take(&c, suite->key_len).p, suite->key_len);
	for (size_t i = 0; i < 2 && iv_len != 0; i++)
		memcpy(h[i].iv, mm_take(&c, iv_len).p, iv_len);
	explicit_bzero(block, sizeof block);
	for (size_t i = 0; i < 2; i++) {
		h[i].encrypt_then_mac = encrypt_then_mac && suite->kind == MM_TLS_CBC;
		ok = ok && init_cipher(&h[i], suite);
	}
	if (!ok)
		h[0].suite = h[1].suite = NULL;
	return ok;
}

static void put_be(uint8_t *out, uint64_t v, size_t n)
{
	for (size_t i = n; i > 0; i--, v >>= 8)
		out[i - 1] = (uint8_t)v;
}

/* One use of an AEAD. */
struct sealed {
	uint8_t nonce[AEAD_IV];
	uint8_t aad[HEAD_12];
	size_t aad_len;
	struct mm_slice text, tag;
};

static bool open_aead(const struct mm_tls_half *h, const struct sealed *s, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = h->ctx;
	uint8_t tag[16];
	int n = 0;
	memcpy(tag, s->tag.p, s->tag.len);
	bool ccm = h->suite->kind == MM_TLS_CCM;
	/* CCM wants to know all lengths first, and verifies with the text itself. */
	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)s->tag.len, tag) != 1 ||
	        EVP_DecryptInit_ex(ctx, NULL, NULL, ccm ? h->key : NULL, s->nonce) != 1 ||
	        (ccm && EVP_DecryptUpdate(ctx, NULL, &n, NULL, (int)s->text.len) != 1) ||
	        EVP_DecryptUpdate(ctx, NULL, &n, s->aad, (int)s->aad_len) != 1)
		return false;
	if (EVP_DecryptUpdate(ctx, out, &n, s->text.p, (int)s->text.len) != 1 && s->text.len != 0)
		return false;
	return ccm || EVP_DecryptFinal_ex(ctx, out + s->text.len, &n) == 1;
}

static bool open_13(const struct mm_tls_half *h, const struct mm_tls_record *r, uint64_t seq,
        uint8_t *out, size_t *len, uint8_t *type)
{
	struct sealed s = { .aad_len = HEAD_13 };
	uint8_t number[AEAD_IV];
	struct mm_cursor c = mm_cursor(r->fragment);
	if (r->type != RECORD_APPLICATION || r->fragment.len <= h->suite->tag_len)
		return false;
	s.text = mm_take(&c, r->fragment.len - h->suite->tag_len);
	s.tag = mm_rest(&c);
	put_be(number, seq, sizeof number);
	for (size_t i = 0; i < AEAD_IV; i++)
		s.nonce[i] = h->iv[i] ^ number[i];
	s.aad[0] = r->type;
	put_be(s.aad + 1, r->version, 2);
	put_be(s.aad + 3, r->fragment.len, 2);
	if (!open_aead(h, &s, out))
		return false;
	/* TLSInnerPlaintext: content, type, zeros; section 5.2 */
	size_t n = s.text.len;
	while (n != 0 && out[n - 1] == 0)
		n--;
	if (n == 0)
		return false;
	*type = out[n - 1];
	*len = n - 1;
	return true;
}

/* What authenticates a record of TLS 1.2 besides its content. */
static void head_12(const struct mm_tls_record *r, uint64_t seq, size_t len, uint8_t out[HEAD_12])
{
	put_be(out, seq, 8);
	out[8] = r->type;
	put_be(out + 9, r->version, 2);
	put_be(out + 11, len, 2);
}

static bool open_12(const struct mm_tls_half *h, const struct mm_tls_record *r, uint64_t seq,
        uint8_t *out, size_t *len)
{
	struct sealed s = { .aad_len = HEAD_12 };
	struct mm_cursor c = mm_cursor(r->fragment);
	size_t sent = h->suite->kind == MM_TLS_CHACHA ? 0 : EXPLICIT;
	if (r->fragment.len < sent + h->suite->tag_len)
		return false;
	struct mm_slice explicit = mm_take(&c, sent);
	s.text = mm_take(&c, c.len - h->suite->tag_len);
	s.tag = mm_rest(&c);
	memcpy(s.nonce, h->iv, AEAD_IV);
	if (sent != 0) {
		memcpy(s.nonce + GCM_SALT, explicit.p, EXPLICIT);
	} else { /* RFC 7905 section 2 */
		uint8_t number[AEAD_IV];
		put_be(number, seq, sizeof number);
		for (size_t i = 0; i < AEAD_IV; i++)
			s.nonce[i] ^= number[i];
	}
	head_12(r, seq, s.text.len, s.aad);
	*len = s.text.len;
	return open_aead(h, &s, out);
}

/* The MAC of a CBC suite over this. */
static bool is_authentic(const struct mm_tls_half *h, const struct mm_tls_record *r, uint64_t seq,
        struct mm_slice content, const uint8_t *mac)
{
	static const char *const digests[] = { "SHA1", "SHA256", "SHA384" };
	uint8_t head[HEAD_12], own[EVP_MAX_MD_SIZE];
	size_t mac_len = h->suite->tag_len, n = 0;
	char digest[8];
	memcpy(digest, digests[h->suite->mac], strlen(digests[h->suite->mac]) + 1);
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", digest, 0),
		OSSL_PARAM_construct_end() };
	head_12(r, seq, content.len, head);
	EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = algorithm != NULL ? EVP_MAC_CTX_new(algorithm) : NULL;
	bool ok = ctx != NULL && EVP_MAC_init(ctx, h->mac_key, mac_len, params) == 1 &&
	          EVP_MAC_update(ctx, head, sizeof head) == 1 &&
	          EVP_MAC_update(ctx, content.p, content.len) == 1 &&
	          EVP_MAC_final(ctx, own, &n, sizeof own) == 1 && n == mac_len &&
	          CRYPTO_memcmp(own, mac, mac_len) == 0;
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(algorithm);
	return ok;
}

static bool open_cbc(const struct mm_tls_half *h, const struct mm_tls_record *r, uint64_t seq,
        uint8_t *out, size_t *len)
{
	struct mm_cursor c = mm_cursor(r->fragment);
	size_t mac_len = h->suite->tag_len;
	int n = 0;
	if (h->encrypt_then_mac) {
		if (c.len < mac_len)
			return false;
		struct mm_slice sealed = mm_take(&c, c.len - mac_len);
		if (!is_authentic(h, r, seq, sealed, c.p))
			return false;
		c = mm_cursor(sealed);
	}
	struct mm_slice iv = mm_take(&c, CBC_BLOCK);
	if (c.err || c.len == 0 || c.len % CBC_BLOCK != 0)
		return false;
	if (EVP_DecryptInit_ex(h->ctx, NULL, NULL, NULL, iv.p) != 1 ||
	        EVP_DecryptUpdate(h->ctx, out, &n, c.p, (int)c.len) != 1 || (size_t)n != c.len)
		return false;
	size_t padding = (size_t)out[c.len - 1] + 1, rest = h->encrypt_then_mac ? 0 : mac_len;
	if (padding + rest > c.len)
		return false;
	*len = c.len - padding - rest;
	return h->encrypt_then_mac || is_authentic(h, r, seq, mm_slice(out, *len), out + *len);
}

bool mm_tls_open(const struct mm_tls_half *h, const struct mm_tls_record *r, uint64_t seq,
        uint8_t *out, size_t *len, uint8_t *type)
{
	if (h->suite == NULL || r->fragment.len > MM_TLS_FRAGMENT_MAX)
		return false;
	if (mm_tls_suite_is_13(h->suite))
		return open_13(h, r, seq, out, len, type);
	*type = r->type;
	return h->suite->kind == MM_TLS_CBC ? open_cbc(h, r, seq, out, len)
	                                    : open_12(h, r, seq, out, len);
}

void mm_tls_warm(void)
{
	static const uint16_t each[] = { 0x1301, 0x1302, 0x1303, 0x1304, 0x002f, 0x003d, 0xc028,
		0xc02f, 0xc030, 0xc0ad };
	uint8_t bytes[64] = { 0 }, out[sizeof bytes], type;
	size_t len;
	const struct mm_tls_record r = { RECORD_APPLICATION, MM_TLS_12,
		mm_slice(bytes, sizeof bytes) };
	for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
		const struct mm_tls_suite *suite = mm_tls_suite(each[i]);
		struct mm_tls_half h[2] = { { 0 }, { 0 } };
		struct mm_tls_randoms randoms = { { 0 }, { 0 } };
		struct mm_secret secret = { .len = 48 };
		if (mm_tls_suite_is_13(suite)) {
			secret.len = hash_len(suite->prf);
			(void)!mm_tls_half_13(&h[0], suite, &secret);
		} else {
			(void)!mm_tls_halves_12(h, suite, &secret, &randoms, false);
		}
		(void)!mm_tls_open(&h[0], &r, 0, out, &len, &type);
		mm_tls_half_done(&h[0]);
		mm_tls_half_done(&h[1]);
	}
}
