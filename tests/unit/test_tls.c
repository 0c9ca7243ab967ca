/* TLS: key schedules and records against published vectors, hellos, JA4, certificates, and hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dissect/dissect.h"
#include "dissect/tls_hello.h"
#include "guard.h"
#include "keys/tls.h"

extern const struct mm_dissector mm_tls;

enum { ROOM = 4096 };

/* Hexadecimal digits and blanks. */
static struct mm_slice hex(const char *text)
{
	static uint8_t rooms[8][ROOM];
	static unsigned turn;
	uint8_t *out = rooms[turn++ % 8];
	size_t n = 0;
	for (unsigned have = 0, v = 0; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		v = v << 4 | (unsigned)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
		if (++have == 2) {
			out[n++] = (uint8_t)v;
			have = v = 0;
		}
	}
	return mm_slice(out, n);
}

static void assert_bytes(struct mm_slice got, const char *want)
{
	struct mm_slice w = hex(want);
	assert_int_equal(got.len, w.len);
	assert_memory_equal(got.p, w.p, w.len);
}

static struct mm_secret secret(const char *text)
{
	struct mm_secret s = { .len = 0 };
	struct mm_slice b = hex(text);
	memcpy(s.b, b.p, b.len);
	s.len = b.len;
	return s;
}

/* --- RFC 8448 section 3 ---------------------------------------------------------------------------- */

#define CLIENT_HANDSHAKE "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21"
#define SERVER_HANDSHAKE "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"
#define CLIENT_TRAFFIC   "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
#define SERVER_TRAFFIC   "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"
#define CLIENT_RANDOM    "cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7"

#define HELLO                                                                                      \
	"010000c00303" CLIENT_RANDOM "0000061301130313020100"                                      \
	"00910000000b0009000006736572766572ff01000100000a00140012001d0017001800190100010101020103" \
	"010400230000003300260024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e" \
	"529aaf2c002b0003020304000d0020001e040305030603020308040805080604010501060102010402050206" \
	"020202002d00020101001c00024001"
#define ANSWER                                                                                     \
	"020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e" \
	"00330024001d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b0002" \
	"0304"
#define CLIENT_FINISHED                                                                            \
	"1703030035 75ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46"  \
	"deb384bd1caeacab6867d726c40546"
#define CLIENT_DATA                                                                                \
	"1703030043 a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a"  \
	"9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4"
#define SERVER_DATA                                                                                \
	"1703030043 2e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602d"  \
	"cb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d"
#define CLIENT_ALERT "1703030013 c9872760655666b74d7ff1153efd6db6d0b0e3"
#define SERVER_ALERT "1703030013 b58fd67166ebf599d24720cfbe7efa7a8864a9"

static void test_key_schedule_13(void **state)
{
	static const struct {
		const char *secret, *key, *iv;
	} rows[] = {
		{ SERVER_HANDSHAKE, "3fce516009c21727d0f2e4e86ee403bc",
		        "5d313eb2671276ee13000b30" },
		{ CLIENT_TRAFFIC, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9" },
		{ SERVER_TRAFFIC, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mm_tls_half h = { 0 };
		struct mm_secret s = secret(rows[i].secret);
		assert_true(mm_tls_half_13(&h, mm_tls_suite(0x1301), &s));
		assert_bytes(mm_slice(h.key, 16), rows[i].key);
		assert_bytes(mm_slice(h.iv, 12), rows[i].iv);
		/* A secret of another hash's length fits not. */
		s.len = 48;
		assert_false(mm_tls_half_13(&h, mm_tls_suite(0x1301), &s));
		mm_tls_half_done(&h);
	}
}

static struct mm_tls_record record(const char *text)
{
	struct mm_slice b = hex(text);
	return (struct mm_tls_record){ b.p[0], (uint16_t)((unsigned)b.p[1] << 8 | b.p[2]),
		mm_after(b, 5) };
}

static void test_records_13(void **state)
{
	static const struct {
		const char *secret, *record;
		uint64_t seq;
		uint8_t type;
		size_t len;
	} rows[] = {
		{ CLIENT_HANDSHAKE, CLIENT_FINISHED, 0, 22, 36 },
		{ CLIENT_TRAFFIC, CLIENT_DATA, 0, 23, 50 },
		{ SERVER_TRAFFIC, SERVER_DATA, 1, 23, 50 },
		{ CLIENT_TRAFFIC, CLIENT_ALERT, 1, 21, 2 },
		{ SERVER_TRAFFIC, SERVER_ALERT, 2, 21, 2 },
	};
	uint8_t out[MM_TLS_FRAGMENT_MAX], type;
	size_t len;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mm_tls_half h = { 0 };
		struct mm_secret s = secret(rows[i].secret);
		struct mm_tls_record r = record(rows[i].record);
		assert_true(mm_tls_half_13(&h, mm_tls_suite(0x1301), &s));
		assert_true(mm_tls_open(&h, &r, rows[i].seq, out, &len, &type));
		assert_int_equal(type, rows[i].type);
		assert_int_equal(len, rows[i].len);
		for (size_t k = 0; k < len && type == 23; k++)
			assert_int_equal(out[k], k);
		assert_false(mm_tls_open(&h, &r, rows[i].seq + 1, out, &len, &type));
		r.fragment.len--;
		assert_false(mm_tls_open(&h, &r, rows[i].seq, out, &len, &type));
		r.fragment.len = 16;
		assert_false(mm_tls_open(&h, &r, rows[i].seq, out, &len, &type));
		r.fragment.len = 0;
		assert_false(mm_tls_open(&h, &r, rows[i].seq, out, &len, &type));
		mm_tls_half_done(&h);
	}
}

/* --- TLS 1.2: the vectors that implementers have shared since 2009 ---------------------------------- */

static void test_prf_12(void **state)
{
	uint8_t out[148];
	(void)state;
	assert_true(mm_tls_prf(MM_TLS_SHA256, hex("9bbe436ba940f017b17652849a71db35"), "test label",
	        hex("a0ba9f936cda311827a6f796ffd5198c"), out, 100));
	assert_bytes(mm_slice(out, 100),
	        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9"
	        "c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789ba"
	        "a48082d122ee42c5a72e5a5110fff70187347b66");
	assert_true(mm_tls_prf(MM_TLS_SHA384, hex("b80b733d6ceefcdc71566ea48e5567df"), "test label",
	        hex("cd665cf6a8447dd6ff8b27555edb7465"), out, 148));
	assert_bytes(mm_slice(out, 148),
	        "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe3"
	        "4f82b1233c9146a0e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3"
	        "d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236"
	        "a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f");
}

static void test_suites(void **state)
{
	(void)state;
	for (unsigned id = 0; id <= UINT16_MAX; id++) {
		const struct mm_tls_suite *s = mm_tls_suite((uint16_t)id);
		if (s == NULL)
			continue;
		assert_int_equal(s->id, id);
		bool large = strstr(s->name, "AES_256") != NULL || s->kind == MM_TLS_CHACHA;
		bool sha384 = strstr(s->name, "SHA384") != NULL;
		size_t n = strlen(s->name);
		assert_int_equal(s->key_len, large ? 32 : 16);
		assert_int_equal(s->prf, sha384 ? MM_TLS_SHA384 : MM_TLS_SHA256);
		assert_int_equal(s->kind == MM_TLS_GCM, strstr(s->name, "_GCM_") != NULL);
		assert_int_equal(s->kind == MM_TLS_CBC, strstr(s->name, "_CBC_") != NULL);
		assert_int_equal(s->kind == MM_TLS_CCM, strstr(s->name, "_CCM") != NULL);
		if (s->kind == MM_TLS_CCM)
			assert_int_equal(s->tag_len, strstr(s->name, "CCM_8") != NULL ? 8 : 16);
		if (s->kind == MM_TLS_CBC)
			assert_int_equal(s->tag_len, sha384                                   ? 48
			                             : strcmp(s->name + n - 6, "SHA256") == 0 ? 32
			                                                                      : 20);
	}
}

/* --- hellos ---------------------------------------------------------------------------------------- */

static void test_hellos(void **state)
{
	struct tls_hello h;
	(void)state;
	assert_true(tls_client_hello(mm_after(hex(HELLO), 4), true, &h));
	assert_int_equal(h.version, 0x0304);
	assert_bytes(h.random, CLIENT_RANDOM);
	assert_true(mm_slice_eq(h.server_name, mm_slice_str("server")));
	assert_int_equal(h.protocol.len, 0);
	/* 3 suites, 9 extensions, the highest version 1.3, a server name, no ALPN */
	assert_memory_equal(h.ja4, "t13d030900_", 11);
	assert_true(tls_server_hello(mm_after(hex(ANSWER), 4), &h));
	assert_int_equal(h.version, 0x0304);
	assert_int_equal(h.cipher, 0x1301);
	assert_false(h.retry);
	assert_false(h.psk);
}

/* The ClientHello that FoxIO's description of JA4 works out, put together from the lists in it. */
static void test_ja4(void **state)
{
	static const char ciphers[] =
	        "5a5a" /* GREASE */
	        "130113021303c02bc02fc02cc030cca9cca8c013c014009c009d002f0035";
	static const char extensions[] = "7a7a 0000" /* GREASE */
	                                 "001b 0003 020002"
	                                 "0000 000e 000c0000096c61622e6c6f63616c"
	                                 "0033 0000"
	                                 "0010 000e 000c02683208687474702f312e31"
	                                 "4469 0000"
	                                 "0017 0000"
	                                 "002d 0002 0101"
	                                 "000d 0012 0010 0403 0804 0401 0503 0805 0501 0806 0601"
	                                 "0005 0005 0100000000"
	                                 "0023 0000"
	                                 "0012 0000"
	                                 "002b 0007 06 6a6a 0304 0303"
	                                 "ff01 0001 00"
	                                 "000b 0002 0100"
	                                 "000a 0004 0002001d"
	                                 "0015 0000";
	char text[1024];
	struct tls_hello h;
	(void)state;
	size_t n_ciphers = hex(ciphers).len, n_extensions = hex(extensions).len;
	snprintf(text, sizeof text, "0303%s00%04zx%s0100%04zx%s", CLIENT_RANDOM, n_ciphers, ciphers,
	        n_extensions, extensions);
	assert_true(tls_client_hello(hex(text), true, &h));
	assert_string_equal(h.ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
	assert_true(mm_slice_eq(h.protocol, mm_slice_str("h2")));
	assert_true(mm_slice_eq(h.server_name, mm_slice_str("lab.local")));
}

/* --- a connection ---------------------------------------------------------------------------------- */

struct seen {
	char inner[2][64];
	size_t n_inner[2], n_gaps;
	struct mm_event_pool pool;
	size_t n_events, n_blind;
	enum mm_outcome outcome;
	bool decrypted;
	size_t held_b;
};

static bool take_inner(struct mm_dissect *d, struct mm_slice bytes)
{
	struct seen *s = d->layer;
	for (size_t i = 0; i < bytes.len && s->n_inner[d->dir] < sizeof s->inner[0]; i++)
		s->inner[d->dir][s->n_inner[d->dir]++] = (char)mm_at(bytes, i);
	return true;
}

static void take_gap(struct mm_dissect *d)
{
	struct seen *s = d->layer;
	s->n_gaps++;
}

static void take_name(struct mm_dissect *d, const char *name)
{
	(void)d;
	(void)name;
}

static void no_dress(struct mm_dissect *d, struct mm_event *ev)
{
	(void)d;
	(void)ev;
}

static const struct mm_inner_ops ops = { .bytes = take_inner,
	.gap = take_gap,
	.name = take_name,
	.become = take_name,
	.dress = no_dress };

static void take_event(void *sink, struct mm_event *ev)
{
	struct seen *s = sink;
	s->n_events += ev->kind != MM_EV_BLIND;
	s->n_blind += ev->kind == MM_EV_BLIND;
	s->outcome = ev->outcome;
	for (size_t i = 0; i < ev->n_attrs; i++)
		if (strcmp(ev->attrs[i].attr->name, "mintmark.tls.decrypted") == 0)
			s->decrypted = ev->attrs[i].number != 0;
	mm_event_free(&s->pool, ev);
}

static const struct mm_flow_info flow = { .transport = MM_TCP };

static struct mm_keylog *rfc_keys(void)
{
	static const struct mm_hash_key key = { 1, 2 };
	struct mm_keylog *k;
	assert_int_equal(mm_keylog_new(&key, 16, false, &k), MM_OK);
	mm_keylog_feed(k,
	        mm_slice_str(
	                "CLIENT_HANDSHAKE_TRAFFIC_SECRET " CLIENT_RANDOM " " CLIENT_HANDSHAKE "\n"
	                "SERVER_HANDSHAKE_TRAFFIC_SECRET " CLIENT_RANDOM " " SERVER_HANDSHAKE "\n"
	                "CLIENT_TRAFFIC_SECRET_0 " CLIENT_RANDOM " " CLIENT_TRAFFIC "\n"
	                "SERVER_TRAFFIC_SECRET_0 " CLIENT_RANDOM " " SERVER_TRAFFIC "\n"));
	return k;
}

static struct mm_dissect begin(struct seen *s, const struct mm_dissect_conf *conf)
{
	static const struct mm_bulk_key key;
	memset(s, 0, sizeof *s);
	mm_event_pool_init(&s->pool, 8);
	struct mm_dissect d = { .self = &mm_tls,
		.flow = &flow,
		.key = &key,
		.pool = &s->pool,
		.emit = take_event,
		.sink = s,
		.conf = conf,
		.inner = &ops,
		.layer = s,
		.held_b = &s->held_b };
	d.state = calloc(1, mm_tls.state_size);
	assert_non_null(d.state);
	return d;
}

static void end(struct mm_dissect *d)
{
	struct seen *s = d->sink;
	mm_tls.end(d);
	mm_tls.done(d->state);
	free(d->state);
	assert_int_equal(s->pool.n_live, 0);
	assert_int_equal(s->held_b, 0);
	mm_event_pool_done(&s->pool);
}

/* The record, if it is wanted. */
static void give(struct mm_dissect *d, enum mm_dir dir, struct mm_slice msg)
{
	d->dir = dir;
	d->now_ns = ++d->time_ns;
	d->first.number = ++d->last.number;
	struct mm_frame f = mm_tls.frame(d->state, dir, msg);
	if (f.verdict != MM_FRAME_DONE)
		return;
	assert_int_equal(f.n, msg.len);
	mm_tls.parse(d, msg);
}

static struct mm_slice hello_record(const char *message)
{
	char text[4096];
	snprintf(text, sizeof text, "160303%04zx%s", hex(message).len, message);
	return hex(text);
}

static void give_hellos(struct mm_dissect *d)
{
	give(d, MM_TO_SERVER, hello_record(HELLO));
	give(d, MM_TO_CLIENT, hello_record(ANSWER));
}

static void test_connection(void **state)
{
	struct seen s;
	(void)state;
	struct mm_keylog *k = rfc_keys();
	const struct mm_dissect_conf conf = { .keylog = k };
	struct mm_dissect d = begin(&s, &conf);
	give_hellos(&d);
	give(&d, MM_TO_SERVER, hex(CLIENT_FINISHED));
	give(&d, MM_TO_SERVER, hex(CLIENT_DATA));
	/* The server's own flight and its ticket are lost: its data is number 1 of its key. */
	d.dir = MM_TO_CLIENT;
	mm_tls.gap(&d);
	give(&d, MM_TO_CLIENT, hex(SERVER_DATA));
	give(&d, MM_TO_SERVER, hex(CLIENT_ALERT));
	give(&d, MM_TO_CLIENT, hex(SERVER_ALERT));
	assert_int_equal(s.n_inner[MM_TO_SERVER], 50);
	assert_int_equal(s.n_inner[MM_TO_CLIENT], 50);
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(s.inner[i % 2][i], i);
	assert_int_equal(s.n_gaps, 1);
	end(&d);
	assert_int_equal(s.n_events, 1);
	assert_int_equal(s.n_blind, 0);
	assert_int_equal(s.outcome, MM_UNKNOWN); /* one Finished was not seen */
	assert_true(s.decrypted);
	mm_keylog_free(k);
}

/* Without keys nothing is asked for after the ClientHello, and the server is told of. */
static void test_blind(void **state)
{
	struct seen s;
	(void)state;
	struct mm_dissect d = begin(&s, NULL);
	give(&d, MM_TO_SERVER, hello_record(HELLO));
	assert_int_equal(
	        mm_tls.frame(d.state, MM_TO_CLIENT, hello_record(ANSWER)).verdict, MM_FRAME_QUIT);
	end(&d);
	assert_int_equal(s.n_events, 0);
	assert_int_equal(s.n_blind, 1);

	const struct mm_dissect_conf conf = { .tls_events = MM_TLS_EVENTS_YES };
	d = begin(&s, &conf);
	give_hellos(&d);
	end(&d);
	assert_int_equal(s.n_events, 1);
	assert_int_equal(s.n_blind, 1);
	assert_false(s.decrypted);
}

/* A handshake message may come in many records. */
static void test_pieces(void **state)
{
	struct seen s;
	(void)state;
	struct mm_keylog *k = rfc_keys();
	const struct mm_dissect_conf conf = { .keylog = k };
	for (size_t n = 1; n < 60; n++) {
		struct mm_dissect d = begin(&s, &conf);
		uint8_t piece[ROOM];
		struct mm_slice whole = hex(HELLO);
		for (size_t at = 0; at < whole.len; at += n) {
			struct mm_slice p = mm_first(mm_after(whole, at), n);
			const uint8_t head[5] = { 22, 3, 1, 0, (uint8_t)p.len };
			memcpy(piece, head, sizeof head);
			memcpy(piece + 5, p.p, p.len);
			give(&d, MM_TO_SERVER, mm_slice(piece, 5 + p.len));
		}
		give(&d, MM_TO_CLIENT, hello_record(ANSWER));
		give(&d, MM_TO_SERVER, hex(CLIENT_FINISHED));
		give(&d, MM_TO_SERVER, hex(CLIENT_DATA));
		assert_int_equal(s.n_inner[MM_TO_SERVER], 50);
		end(&d);
	}
	mm_keylog_free(k);
}

/* What is sent by who has the secrets. */
struct sealer {
	struct mm_tls_half key;
	uint8_t record[ROOM];
};

/* A record of this number, AES-128-GCM, with this content. */
static struct mm_slice seal(
        struct sealer *s, uint64_t seq, uint8_t type, const void *content, size_t len)
{
	bool v13 = mm_tls_suite_is_13(s->key.suite);
	uint8_t nonce[12], head[13], *out = s->record;
	size_t text_len = v13 ? len + 1 : len, at = v13 ? 5 : 13, sealed = at - 5 + text_len + 16;
	int n = 0;
	memcpy(nonce, s->key.iv, sizeof nonce);
	memcpy(out, (uint8_t[]){ v13 ? 23 : type, 3, 3, (uint8_t)(sealed >> 8), (uint8_t)sealed },
	        5);
	for (unsigned i = 0; i < 8; i++) {
		uint8_t b = (uint8_t)(seq >> (56 - 8 * i));
		nonce[4 + i] = (uint8_t)(v13 ? nonce[4 + i] ^ b : b);
		head[i] = b;
		if (!v13)
			out[5 + i] = b;
	}
	memcpy(head + 8, (uint8_t[]){ type, 3, 3, (uint8_t)(len >> 8), (uint8_t)len }, 5);
	memcpy(out + at, content, len);
	out[at + len] = type;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, s->key.key, nonce), 1);
	assert_int_equal(EVP_EncryptUpdate(c, NULL, &n, v13 ? out : head, v13 ? 5 : 13), 1);
	assert_int_equal(EVP_EncryptUpdate(c, out + at, &n, out + at, (int)text_len), 1);
	assert_int_equal(EVP_EncryptFinal_ex(c, out + at + n, &n), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out + at + text_len), 1);
	EVP_CIPHER_CTX_free(c);
	return mm_slice(out, 5 + sealed);
}

static const uint8_t finished_message[36] = { 20, 0, 0, 32 };

/* RFC 8446 section 4.6.2: a client that is asked for its certificate later on ends that with a Finished, under the same keys. */
static void test_late_certificate(void **state)
{
	struct seen s;
	struct sealer sealer = { .key = { 0 } };
	(void)state;
	struct mm_secret traffic = secret(CLIENT_TRAFFIC);
	struct mm_keylog *k = rfc_keys();
	const struct mm_dissect_conf conf = { .keylog = k };
	struct mm_dissect d = begin(&s, &conf);
	assert_true(mm_tls_half_13(&sealer.key, mm_tls_suite(0x1301), &traffic));
	give_hellos(&d);
	give(&d, MM_TO_SERVER, hex(CLIENT_FINISHED));
	give(&d, MM_TO_SERVER, hex(CLIENT_DATA));
	give(&d, MM_TO_SERVER, seal(&sealer, 1, 22, finished_message, sizeof finished_message));
	give(&d, MM_TO_SERVER, seal(&sealer, 2, 23, "GET", 3));
	assert_int_equal(s.n_inner[MM_TO_SERVER], 53);
	assert_memory_equal(s.inner[MM_TO_SERVER] + 50, "GET", 3);
	assert_int_equal(s.n_gaps, 0);
	end(&d);
	mm_tls_half_done(&sealer.key);
	mm_keylog_free(k);
}

/* RFC 8446 section 7.2: the client goes on to its next key, and the message that says so is lost. */
static void test_lost_update(void **state)
{
	struct seen s;
	struct sealer sealer = { .key = { 0 } };
	(void)state;
	struct mm_secret traffic = secret(CLIENT_TRAFFIC);
	struct mm_keylog *k = rfc_keys();
	const struct mm_dissect_conf conf = { .keylog = k };
	struct mm_dissect d = begin(&s, &conf);
	assert_true(mm_tls_half_13(&sealer.key, mm_tls_suite(0x1301), &traffic));
	assert_true(mm_tls_half_update(&sealer.key));
	give_hellos(&d);
	give(&d, MM_TO_SERVER, hex(CLIENT_FINISHED));
	give(&d, MM_TO_SERVER, hex(CLIENT_DATA));
	mm_tls.gap(&d);
	give(&d, MM_TO_SERVER, seal(&sealer, 1, 23, "GET", 3));
	give(&d, MM_TO_SERVER, seal(&sealer, 2, 23, "PUT", 3));
	assert_int_equal(s.n_inner[MM_TO_SERVER], 56);
	assert_memory_equal(s.inner[MM_TO_SERVER] + 50, "GETPUT", 6);
	end(&d);
	mm_tls_half_done(&sealer.key);
	mm_keylog_free(k);
}

/* The same request comes again when the server takes no early data; with EndOfEarlyData it does not. */
static void test_early_data(void **state)
{
	struct seen s;
	(void)state;
	struct mm_secret early = secret(SERVER_HANDSHAKE); /* any will do */
	struct mm_secret traffic = secret(CLIENT_TRAFFIC);
	struct mm_keylog *k = rfc_keys();
	mm_keylog_feed(k, mm_slice_str("CLIENT_EARLY_TRAFFIC_SECRET " CLIENT_RANDOM
	                               " " SERVER_HANDSHAKE "\n"));
	const struct mm_dissect_conf conf = { .keylog = k };
	char hello[] = HELLO "002a0000"; /* early_data */
	memcpy(strstr(hello, "010000c0"), "010000c4", 8);
	memcpy(strstr(hello, "00910000"), "00950000", 8);
	for (unsigned taken = 0; taken < 2; taken++) {
		struct sealer e = { .key = { 0 } }, t = { .key = { 0 } };
		struct mm_dissect d = begin(&s, &conf);
		assert_true(mm_tls_half_13(&e.key, mm_tls_suite(0x1301), &early));
		assert_true(mm_tls_half_13(&t.key, mm_tls_suite(0x1301), &traffic));
		give(&d, MM_TO_SERVER, hello_record(hello));
		give(&d, MM_TO_SERVER, seal(&e, 0, 23, "GET", 3));
		give(&d, MM_TO_CLIENT, hello_record(ANSWER));
		if (taken != 0)
			give(&d, MM_TO_SERVER, seal(&e, 1, 22, "\5\0\0", 4));
		give(&d, MM_TO_SERVER, hex(CLIENT_FINISHED));
		give(&d, MM_TO_SERVER, seal(&t, 0, 23, "GET", 3));
		assert_int_equal(s.n_inner[MM_TO_SERVER], 6);
		assert_int_equal(s.n_gaps, taken != 0 ? 0 : 1);
		end(&d);
		mm_tls_half_done(&e.key);
		mm_tls_half_done(&t.key);
	}
	mm_keylog_free(k);
}

#define MASTER                                                                                     \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b" \
	"2c2d2e2f"
#define ANSWER_12                                                                                  \
	"020000260303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800009c00"

/* TLS 1.2: the records that end the handshake are lost. */
static void test_lost_change(void **state)
{
	struct seen s;
	(void)state;
	struct mm_keylog *k = rfc_keys();
	mm_keylog_feed(k, mm_slice_str("CLIENT_RANDOM " CLIENT_RANDOM " " MASTER "\n"));
	const struct mm_dissect_conf conf = { .keylog = k };
	struct mm_secret master = secret(MASTER);
	struct mm_tls_randoms randoms;
	struct mm_tls_half keys[2] = { { 0 }, { 0 } };
	memcpy(randoms.client, hex(CLIENT_RANDOM).p, 32);
	memcpy(randoms.server, hex(ANSWER_12).p + 6, 32);
	assert_true(mm_tls_halves_12(keys, mm_tls_suite(0x009c), &master, &randoms, false));
	struct sealer to[2] = { { .key = keys[0] }, { .key = keys[1] } };
	for (unsigned lossy = 0; lossy < 2; lossy++) {
		struct mm_dissect d = begin(&s, &conf);
		give(&d, MM_TO_SERVER, hello_record(HELLO));
		give(&d, MM_TO_CLIENT, hello_record(ANSWER_12));
		for (enum mm_dir dir = MM_TO_SERVER; dir <= MM_TO_CLIENT; dir++) {
			d.dir = dir;
			if (lossy != 0) {
				mm_tls.gap(&d);
			} else {
				give(&d, dir, hex("140303000101"));
				give(&d, dir,
				        seal(&to[dir], 0, 22, finished_message,
				                sizeof finished_message));
			}
			give(&d, dir, seal(&to[dir], 1, 23, "GET", 3));
			assert_int_equal(s.n_inner[dir], 3);
		}
		end(&d);
	}
	mm_tls_half_done(&to[0].key);
	mm_tls_half_done(&to[1].key);
	mm_keylog_free(k);
}

/* Messages that never end hold no more than came of them, and no more than a worker may hold. */
static void test_held_messages(void **state)
{
	enum { PIECE = 1000, PIECES = 70 };
	struct seen s;
	uint8_t piece[5 + PIECE] = { 22, 3, 1, PIECE >> 8, PIECE & 0xff };
	(void)state;
	const struct mm_dissect_conf conf = { .tls_events = MM_TLS_EVENTS_YES };
	for (unsigned full = 0; full < 2; full++) {
		struct mm_dissect d = begin(&s, &conf);
		size_t before = full != 0 ? MM_DISSECT_HELD_MAX - 4096 : 0;
		s.held_b = before;
		memcpy(piece + 5, (uint8_t[]){ 1, 0, 0xff, 0xf0 }, 4);
		for (unsigned i = 1; i <= PIECES; i++) {
			give(&d, MM_TO_SERVER, mm_slice(piece, sizeof piece));
			memset(piece + 5, 0, 4);
			assert_true(s.held_b - before <= 2 * i * PIECE + 512);
			assert_true(s.held_b <= MM_DISSECT_HELD_MAX);
			if (i <= 4)
				assert_true(s.held_b - before >= i * PIECE);
		}
		mm_tls.end(&d);
		mm_tls.done(d.state);
		assert_int_equal(s.held_b, before);
		s.held_b = 0;
		free(d.state);
		mm_event_pool_done(&s.pool);
	}
}

static void test_framing(void **state)
{
	struct seen s;
	(void)state;
	struct mm_dissect d = begin(&s, NULL);
	assert_int_equal(mm_tls.frame(d.state, 0, hex("16")).verdict, MM_FRAME_MORE);
	assert_int_equal(mm_tls.frame(d.state, 0, hex("47")).verdict, MM_FRAME_LOST);
	assert_int_equal(mm_tls.frame(d.state, 0, hex("1603010000")).verdict, MM_FRAME_LOST);
	assert_int_equal(mm_tls.frame(d.state, 0, hex("160301ffff")).verdict, MM_FRAME_LOST);
	assert_int_equal(mm_tls.frame(d.state, 0, hex("1604010010")).verdict, MM_FRAME_LOST);
	assert_int_equal(mm_tls.frame(d.state, 0, hex("1603010010")).n, 21);
	/* Joined after its start. */
	assert_int_equal(mm_tls.frame(d.state, 0, hex("1703030010")).verdict, MM_FRAME_QUIT);
	assert_true(mm_tls.probe(hello_record(HELLO), MM_TO_SERVER, MM_TCP));
	assert_false(mm_tls.probe(hello_record(HELLO), MM_TO_CLIENT, MM_TCP));
	assert_false(mm_tls.probe(hello_record(HELLO), MM_TO_SERVER, MM_UDP));
	assert_false(mm_tls.probe(mm_slice_str("GET / HTTP/1.1\r\n"), MM_TO_SERVER, MM_TCP));
	assert_int_equal(mm_tls.resync(d.state, 0, hex("0000 1703030002 aaaa 1703030001")), 2);
	end(&d);
	assert_int_equal(s.n_blind, 0);
}

/* --- hostile bytes --------------------------------------------------------------------------------- */

static void read_hello(void *arg, struct mm_slice s)
{
	struct tls_hello h;
	struct tls_names names;
	(void)arg;
	(void)tls_client_hello(s, true, &h);
	(void)tls_server_hello(s, &h);
	(void)tls_certificate_names(tls_first_certificate(s, true), &names);
	(void)tls_certificate_names(s, &names);
}

/* A self-signed certificate of CN=www.lab.example, with that name and alias.lab.example: made by openssl req. */
static const char certificate[] =
        "308201d63082017ca003020102021421f08388e065236d3b000cc43beb2d34a0ee00eb300a06082a8648ce3d"
        "0403023028310c300a060355040a0c034c61623118301606035504030c0f7777772e6c61622e6578616d706c"
        "65301e170d3236313132393034333230345a170d3336313132363034333230345a3028310c300a060355040a"
        "0c034c61623118301606035504030c0f7777772e6c61622e6578616d706c653059301306072a8648ce3d0201"
        "06082a8648ce3d03010703420004c8ded37d8ebc7aa8f3c58d76e02706171e70b1c765e034427a6c8557f93e"
        "5e19e0734d757daaa15d7422c424040e0ff9465d5528cc709abff355ae5a3d30dcc7a38183308180301d0603"
        "551d0e041604148311d0cab1ebc254de993da8aaf979aaaf787c38301f0603551d230418301680148311d0ca"
        "b1ebc254de993da8aaf979aaaf787c38300f0603551d130101ff040530030101ff302d0603551d1104263024"
        "820f7777772e6c61622e6578616d706c658211616c6961732e6c61622e6578616d706c65300a06082a8648ce"
        "3d0403020348003045022100b4d79485f396ba11d699037afc83e28e5baf62eedeba970204269866cda00489"
        "02202e1138d8a480502da7443b92f4b96416d5e93ef3ba2cd743ed0c25b5e9bc3ce6";

static void test_certificate(void **state)
{
	struct tls_names names;
	(void)state;
	assert_true(tls_certificate_names(hex(certificate), &names));
	assert_true(mm_slice_eq(names.common_name, mm_slice_str("www.lab.example")));
	assert_string_equal(names.alternatives, "www.lab.example, alias.lab.example");
}

/* A ServerHello of TLS 1.2 that echoes no session id. */
#define ANSWER_12_PLAIN "0200002a 0303" CLIENT_RANDOM "00 c02f 00 0002 0000"
#define FINISHED        "1400000c 000000000000000000000000"

/* A handshake in which each side shows a certificate or none; gap: bytes of the client's are lost. What is known in the end. */
static struct mm_tls_seen shake(bool server, bool client, bool gap)
{
	struct seen s;
	struct mm_tls_seen seen;
	char shown[2048];
	size_t n = hex(certificate).len;
	const struct mm_dissect_conf conf = { .tls_events = MM_TLS_EVENTS_YES };
	struct mm_dissect d = begin(&s, &conf);
	snprintf(shown, sizeof shown, "0b%06zx%06zx%06zx%s", n + 6, n + 3, n, certificate);
	give(&d, MM_TO_SERVER, hello_record(HELLO));
	give(&d, MM_TO_CLIENT, hello_record(ANSWER_12_PLAIN));
	if (server)
		give(&d, MM_TO_CLIENT, hello_record(shown));
	if (client)
		give(&d, MM_TO_SERVER, hello_record(shown));
	if (gap) {
		d.dir = MM_TO_SERVER;
		mm_tls.gap(&d);
	}
	give(&d, MM_TO_SERVER, hello_record(FINISHED));
	memcpy(&seen, d.state, sizeof seen); /* its state begins with it */
	end(&d);
	return seen;
}

/* Without a certificate: where the client showed none in a full handshake that was read. A ticket of TLS 1.2 shows in the server's
 * sending none (RFC 5077 figure 2). */
static void test_client_certificate(void **state)
{
	(void)state;
	struct mm_tls_seen seen = shake(true, false, false);
	assert_true(seen.no_client_cert && !seen.has_client_cert);
	seen = shake(true, true, false);
	assert_true(!seen.no_client_cert && seen.has_client_cert);
	assert_false(shake(false, false, false).no_client_cert);
	assert_false(shake(true, false, true).no_client_cert);
}

static void test_hostile_messages(void **state)
{
	static const char *const samples[] = { HELLO, ANSWER, certificate };
	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		struct mm_slice s = mm_after(hex(samples[i]), i < 2 ? 4 : 0);
		guard_every_prefix(s.p, s.len, read_hello, NULL);
		guard_every_bitflip(s.p, s.len, read_hello, NULL);
	}
}

struct mutant {
	const struct mm_dissect_conf *conf;
	enum mm_dir dir;
	size_t which;
};

/* The handshake of RFC 8448 with one of its records changed. */
static void run_mutant(void *arg, struct mm_slice changed)
{
	const struct mutant *m = arg;
	struct seen s;
	struct mm_dissect d = begin(&s, m->conf);
	const struct {
		enum mm_dir dir;
		struct mm_slice bytes;
	} all[] = { { MM_TO_SERVER, hello_record(HELLO) }, { MM_TO_CLIENT, hello_record(ANSWER) },
		{ MM_TO_SERVER, hex(CLIENT_FINISHED) }, { MM_TO_SERVER, hex(CLIENT_DATA) } };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct mm_slice b = i == m->which ? changed : all[i].bytes;
		if (b.len == 0)
			continue;
		d.dir = all[i].dir;
		struct mm_frame f = mm_tls.frame(d.state, d.dir, b);
		if (f.verdict == MM_FRAME_DONE) {
			assert_true(f.n != 0 && f.n <= b.len);
			mm_tls.parse(&d, mm_first(b, f.n));
		}
		(void)mm_tls.resync(d.state, d.dir, b);
	}
	/* What was changed on the way does not come out. */
	if (m->which == 3)
		assert_true(s.n_inner[0] == 0 || s.n_inner[0] == 50);
	end(&d);
}

static void test_hostile_records(void **state)
{
	(void)state;
	struct mm_keylog *k = rfc_keys();
	const struct mm_dissect_conf conf = { .keylog = k, .tls_events = MM_TLS_EVENTS_YES };
	for (size_t i = 0; i < 4; i++) {
		struct mutant m = { &conf, MM_TO_SERVER, i };
		uint8_t copy[ROOM];
		struct mm_slice s = i == 0   ? hello_record(HELLO)
		                    : i == 1 ? hello_record(ANSWER)
		                    : i == 2 ? hex(CLIENT_FINISHED)
		                             : hex(CLIENT_DATA);
		memcpy(copy, s.p, s.len);
		guard_every_prefix(copy, s.len, run_mutant, &m);
		guard_every_bitflip(copy, s.len, run_mutant, &m);
	}
	mm_keylog_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_schedule_13),
		cmocka_unit_test(test_records_13),
		cmocka_unit_test(test_prf_12),
		cmocka_unit_test(test_suites),
		cmocka_unit_test(test_hellos),
		cmocka_unit_test(test_ja4),
		cmocka_unit_test(test_connection),
		cmocka_unit_test(test_blind),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_late_certificate),
		cmocka_unit_test(test_lost_update),
		cmocka_unit_test(test_early_data),
		cmocka_unit_test(test_lost_change),
		cmocka_unit_test(test_held_messages),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_client_certificate),
		cmocka_unit_test(test_hostile_messages),
		cmocka_unit_test(test_hostile_records),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
