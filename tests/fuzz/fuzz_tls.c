/* TLS under fuzzing, where the secrets are known: handshake messages and what is inside, sealed here as a peer would.
 *
 * An input is one byte of flags; then records: one byte (bit 7: from the server; bits 2 to 4: the content type, from 20 on;
 * bits 0 and 1: in clear, under the handshake's keys, under those of the data, or as the bytes of a record that nobody
 * sealed), two bytes of length, big-endian, and that many bytes of plaintext. The hellos go before, unless a flag leaves
 * them to the input. RFC 8446 sections 5.2, 5.3 and 7.3 for TLS 1.3; RFC 5246 section 6.3 and RFC 5288 for 1.2. */
#include "fuzz.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	FLAG_TLS12 = 1,
	FLAG_NO_HELLO = 2,
	FROM_SERVER = 0x80,
	CLEAR = 0,
	HANDSHAKE_KEYS,
	DATA_KEYS,
	RAW,
	EPOCHS = 3,
	TYPE_FIRST = 20,
	HEAD = 3,
	HEADER = 5,
	KEY = 16,
	IV = 12,
	SALT = 4, /* of TLS 1.2: the other octets of the nonce are sent */
	TAG = 16,
	RANDOM = 32,
	SECRET = 32,
	MASTER = 48,
	PLAIN_MAX = 16384,
	ROOM = PLAIN_MAX + 64,
};

struct half {
	uint8_t key[KEY], iv[IV];
	uint64_t seq;
	bool changed; /* TLS 1.2: ChangeCipherSpec was sent */
};

struct connection {
	struct mintmark *m;
	bool tls12;
	struct half half[2][EPOCHS];
};

static void derive(const char *kdf, const char *digest, OSSL_PARAM *params, uint8_t *out, size_t n)
{
	EVP_KDF *k = EVP_KDF_fetch(NULL, kdf, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(k);
	params[0] = OSSL_PARAM_construct_utf8_string(
	        OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest, 0);
	fuzz_expect(ctx != NULL && EVP_KDF_derive(ctx, out, n, params) == 1, "keys are derived");
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(k);
}

/* HKDF-Expand-Label(secret, label, "", n) */
static void expand_label(uint8_t *secret, const char *label, uint8_t *out, size_t n)
{
	uint8_t info[32] = { 0, (uint8_t)n, (uint8_t)(6 + strlen(label)) };
	size_t len = 3 + (size_t)snprintf((char *)info + 3, sizeof info - 3, "tls13 %s", label) + 1;
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = { OSSL_PARAM_END,
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, SECRET),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, len),
		OSSL_PARAM_construct_end() };
	derive("HKDF", "SHA256", params, out, n);
}

static void make_keys(struct connection *c)
{
	uint8_t block[2 * KEY + 2 * SALT], secret[MASTER], seed[13 + 2 * RANDOM];
	if (!c->tls12) {
		for (unsigned dir = 0; dir < 2; dir++)
			for (unsigned epoch = HANDSHAKE_KEYS; epoch < EPOCHS; epoch++) {
				memset(secret, (int)(16 * dir + epoch), SECRET);
				expand_label(secret, "key", c->half[dir][epoch].key, KEY);
				expand_label(secret, "iv", c->half[dir][epoch].iv, IV);
			}
		return;
	}
	memset(secret, 'M', MASTER);
	memcpy(seed, "key expansion", 13);
	memset(seed + 13, 'S', RANDOM);
	memset(seed + 13 + RANDOM, 'C', RANDOM);
	OSSL_PARAM params[] = { OSSL_PARAM_END,
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, secret, MASTER),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed),
		OSSL_PARAM_construct_end() };
	derive("TLS1-PRF", "SHA256", params, block, sizeof block);
	for (unsigned dir = 0; dir < 2; dir++) {
		memcpy(c->half[dir][DATA_KEYS].key, block + dir * KEY, KEY);
		memcpy(c->half[dir][DATA_KEYS].iv, block + 2 * KEY + dir * SALT, SALT);
	}
}

/* A key log in memory, by its path. */
static const char *key_log(void)
{
	static char path[64];
	if (path[0] != '\0')
		return path;
	int fd = memfd_create("keylog", 0);
	fuzz_expect(fd >= 0, "a file in memory");
	FILE *f = fdopen(dup(fd), "w");
	static const struct {
		const char *label;
		int byte;
		unsigned n;
	} lines[] = {
		{ "CLIENT_HANDSHAKE_TRAFFIC_SECRET", HANDSHAKE_KEYS, SECRET },
		{ "SERVER_HANDSHAKE_TRAFFIC_SECRET", 16 + HANDSHAKE_KEYS, SECRET },
		{ "CLIENT_TRAFFIC_SECRET_0", DATA_KEYS, SECRET },
		{ "SERVER_TRAFFIC_SECRET_0", 16 + DATA_KEYS, SECRET },
		{ "CLIENT_RANDOM", 'M', MASTER },
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		fprintf(f, "%s ", lines[i].label);
		for (unsigned n = 0; n < RANDOM; n++)
			fprintf(f, "%02x", 'C');
		fputc(' ', f);
		for (unsigned n = 0; n < lines[i].n; n++)
			fprintf(f, "%02x", (unsigned)lines[i].byte);
		fputc('\n', f);
	}
	fclose(f);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return path;
}

/* The bytes in memory of their own, so that a read beyond them is seen. */
static void send_bytes(struct connection *c, unsigned dir, const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n + 1);
	fuzz_expect(copy != NULL, "memory suffices");
	if (n != 0)
		memcpy(copy + 1, p, n);
	(void)mintmark_feed_stream(c->m, "tls", false, dir != 0, copy + 1, n);
	free(copy);
}

static void send_record(
        struct connection *c, unsigned dir, unsigned type, const uint8_t *p, size_t n)
{
	uint8_t record[HEADER + ROOM] = { (uint8_t)type, 3, 3, (uint8_t)(n >> 8), (uint8_t)n };
	memcpy(record + HEADER, p, n);
	send_bytes(c, dir, record, HEADER + n);
}

static size_t seal(const struct half *h, const uint8_t nonce[IV], const uint8_t *aad, size_t n_aad,
        const uint8_t *plain, size_t n, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len = 0;
	fuzz_expect(ctx != NULL &&
	                    EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, h->key, nonce) == 1 &&
	                    EVP_EncryptUpdate(ctx, NULL, &len, aad, (int)n_aad) == 1 &&
	                    EVP_EncryptUpdate(ctx, out, &len, plain, (int)n) == 1 &&
	                    EVP_EncryptFinal_ex(ctx, out + n, &len) == 1 &&
	                    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, out + n) == 1,
	        "a record is sealed");
	EVP_CIPHER_CTX_free(ctx);
	return n + TAG;
}

static void send_sealed(struct connection *c, unsigned dir, unsigned epoch, unsigned type,
        const uint8_t *p, size_t n)
{
	struct half *h = &c->half[dir][c->tls12 ? DATA_KEYS : epoch];
	uint8_t nonce[IV], out[ROOM], plain[PLAIN_MAX + 1], seq[8];
	memcpy(nonce, h->iv, IV);
	for (unsigned i = 0; i < sizeof seq; i++)
		seq[i] = (uint8_t)(h->seq >> (56 - 8 * i));
	h->seq++;
	if (c->tls12) {
		uint8_t aad[13] = { [8] = (uint8_t)type, 3, 3, (uint8_t)(n >> 8), (uint8_t)n };
		memcpy(aad, seq, sizeof seq);
		memcpy(nonce + SALT, seq, sizeof seq);
		memcpy(out, seq, sizeof seq);
		if (!h->changed)
			send_record(c, dir, TYPE_FIRST, (const uint8_t[]){ 1 }, 1);
		h->changed = true;
		send_record(c, dir, type, out, 8 + seal(h, nonce, aad, sizeof aad, p, n, out + 8));
		return;
	}
	size_t len = n + 1 + TAG;
	const uint8_t aad[HEADER] = { 23, 3, 3, (uint8_t)(len >> 8), (uint8_t)len };
	for (unsigned i = 0; i < sizeof seq; i++)
		nonce[IV - sizeof seq + i] ^= seq[i];
	memcpy(plain, p, n);
	plain[n] = (uint8_t)type;
	send_record(c, dir, 23, out, seal(h, nonce, aad, sizeof aad, plain, n + 1, out));
}

/* RFC 8446 sections 4.1.2 and 4.1.3: randoms, one suite, the version and a name. */
static void send_hellos(struct connection *c)
{
	const uint8_t suite[2] = { c->tls12 ? 0xc0 : 0x13, c->tls12 ? 0x2f : 0x01 };
	const uint8_t client_end[] = { 0, 0, 2, suite[0], suite[1], 1, 0, 0, 20,
		/* supported_versions */ 0, 43, 0, 3, 2, 3, c->tls12 ? 3 : 4,
		/* server_name "abcd" */ 0, 0, 0, 9, 0, 7, 0, 0, 4, 'a', 'b', 'c', 'd' };
	const uint8_t server_end[] = { 0, suite[0], suite[1], 0, 0, 6, 0, 43, 0, 2, 3, 4 };
	uint8_t hello[128] = { 1, 0, 0, 2 + RANDOM + sizeof client_end, 3, 3 };
	memset(hello + 6, 'C', RANDOM);
	memcpy(hello + 6 + RANDOM, client_end, sizeof client_end);
	send_record(c, 0, 22, hello, 6 + RANDOM + sizeof client_end);
	size_t n = c->tls12 ? 4 : sizeof server_end;
	memset(hello, 0, sizeof hello);
	hello[0] = 2;
	hello[3] = (uint8_t)(2 + RANDOM + n);
	hello[4] = hello[5] = 3;
	memset(hello + 6, 'S', RANDOM);
	memcpy(hello + 6 + RANDOM, server_end, n);
	send_record(c, 1, 22, hello, 6 + RANDOM + n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct connection c = { .m = fuzz_new(), .tls12 = data[0] & FLAG_TLS12 };
	bool hellos = (data[0] & FLAG_NO_HELLO) == 0;
	fuzz_expect(mintmark_set(c.m, "keys.keylog", key_log()) == 0, mintmark_error(c.m));
	fuzz_expect(mintmark_add_source(c.m, "fuzz") >= 0, mintmark_error(c.m));
	fuzz_expect(mintmark_start(c.m) == 0, mintmark_error(c.m));
	make_keys(&c);
	if (hellos)
		send_hellos(&c);
	for (data++, size--; size >= HEAD;) {
		unsigned head = data[0], dir = (head & FROM_SERVER) != 0, epoch = head & 3,
		         type = TYPE_FIRST + (head >> 2 & 7);
		size_t n = (size_t)data[1] << 8 | data[2];
		n = n < size - HEAD ? n : size - HEAD;
		n = n < PLAIN_MAX ? n : PLAIN_MAX;
		if (epoch == RAW)
			send_bytes(&c, dir, data + HEAD, n);
		else if (epoch == CLEAR)
			send_record(&c, dir, type, data + HEAD, n);
		else
			send_sealed(&c, dir, epoch, type, data + HEAD, n);
		data += HEAD + n;
		size -= HEAD + n;
	}
	fuzz_end(c.m);
	return 0;
}
