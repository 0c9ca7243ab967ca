/* nDPI as a hint: what it says of first bytes, that it says it whatever it saw before, and that it opens no file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ndpi/ndpi_api.h>

#include "flow/internal.h"
#include "flow/ndpi.h"
#include "guard.h"

struct sample {
	const char *says; /* nDPI's name */
	enum mm_transport transport;
	uint16_t port; /* the server's */
	unsigned dir;
	const char *bytes;
	size_t len;
};

#define BYTES(s) s, sizeof s - 1

/* clang-format off */
static const struct sample samples[] = {
	/* RFC 4253 section 4.2 */
	{ "SSH", MM_TCP, 2222, MM_TO_CLIENT, BYTES("SSH-2.0-server_1.0\r\n") },
	/* BEP 3: handshake */
	{ "BitTorrent", MM_TCP, 50123, MM_TO_SERVER,
		BYTES("\x13" "BitTorrent protocol\0\0\0\0\0\0\0\0"
		"aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb") },
	/* MS-RDPBCGR section 4.1.1 */
	{ "RDP", MM_TCP, 13389, MM_TO_SERVER,
		BYTES("\x03\x00\x00\x2c\x27\xe0\x00\x00\x00\x00\x00" "Cookie: mstshash=eltons\r\n"
		"\x01\x00\x08\x00\x00\x00\x00\x00") },
	/* RFC 3261 section 24.1, shortened */
	{ "SIP", MM_UDP, 15060, MM_TO_SERVER,
		BYTES("REGISTER sip:registrar.biloxi.com SIP/2.0\r\n"
		"Via: SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bKnashds7\r\n\r\n") },
	/* RFC 5905 section 7.3: version 4, client */
	{ "NTP", MM_UDP, 123, MM_TO_SERVER,
		BYTES("\x23\x00\x06\xec\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xe3\x1f\x2a\x3b\x11\x22\x33\x44") },
	/* RFC 9112 section 3 */
	{ "HTTP", MM_TCP, 9999, MM_TO_SERVER, BYTES("GET /where?q=now HTTP/1.1\r\nHost: www.example.org\r\n\r\n") },
	/* RFC 4511 section 4.2: the anonymous bind. Of longer binds nDPI 4.2 says MQTT, or nothing. */
	{ "LDAP", MM_TCP, 10389, MM_TO_SERVER, BYTES("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00") },
	{ NULL, MM_UDP, 40001, MM_TO_SERVER, BYTES("nothing that anybody has ever thought of saying") },
	{ NULL, MM_TCP, 40001, MM_TO_SERVER, BYTES("nothing that anybody has ever thought of saying") },
};
/* clang-format on */

enum { N_SAMPLES = sizeof samples / sizeof samples[0] };

static struct mm_ndpi_verdict ask(struct mm_ndpi *n, const struct sample *s)
{
	struct mm_slice heads[2] = { { NULL, 0 }, { NULL, 0 } };
	const uint16_t ports[2] = { 45678, s->port };
	heads[s->dir] = mm_slice(s->bytes, s->len);
	return mm_ndpi_ask(n, s->transport, ports, heads);
}

static void test_verdicts(void **state)
{
	(void)state;
	struct mm_ndpi *n = mm_ndpi_new(mm_dissectors);
	assert_non_null(n);
	for (size_t i = 0; i < N_SAMPLES; i++) {
		struct mm_ndpi_verdict v = ask(n, &samples[i]);
		const char *expect = samples[i].says;
		assert_string_equal(mm_flow_name(v.name),
		        expect != NULL ? expect : mm_flow_name(MM_FLOW_NAME_UNKNOWN));
		bool ours = expect != NULL &&
		            (strcmp(expect, "HTTP") == 0 || strcmp(expect, "LDAP") == 0);
		assert_int_equal(v.hint != NULL, ours);
		if (ours)
			assert_int_equal(strcasecmp(v.hint->name, expect), 0);
	}
	mm_ndpi_free(n);
}

/* The first message of a sample of the fuzz corpus. */
static size_t corpus(const char *name, uint8_t *buf, size_t room)
{
	const char *tree = getenv("srcdir");
	char path[4096];
	snprintf(path, sizeof path, "%s/tests/fuzz/corpus/fuzz_dissect/%s",
	        tree != NULL ? tree : ".", name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	while (fgetc(f) != '\n')
		assert_false(feof(f));
	(void)fgetc(f);
	size_t len = (size_t)fgetc(f) << 8;
	len = (len | (size_t)fgetc(f)) & 0x7fff;
	assert_true(len <= room);
	assert_int_equal(fread(buf, 1, len, f), len);
	fclose(f);
	return len;
}

static void test_our_own(void **state)
{
	(void)state;
	static const struct {
		const char *file, *dissector;
		enum mm_transport transport;
		uint16_t port;
	} ours[] = {
		{ "kerberos-tcp-as", "kerberos", MM_TCP,
		        88 }, /* nDPI wants its port: elsewhere probe() is alone */
		{ "kerberos-udp-as", "kerberos", MM_UDP, 88 },
		{ "smb2-tcp-token-0", "smb2", MM_TCP, 445 }, /* the same */
		{ "dcerpc-tcp-lab-01", "dcerpc", MM_TCP, 49153 },
		{ "http-tcp-lab-01", "http", MM_TCP, 9999 },
		{ "http-tcp-proxy", "http", MM_TCP, 9998 },
	};
	struct mm_ndpi *n = mm_ndpi_new(mm_dissectors);
	assert_non_null(n);
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
		static uint8_t buf[1 << 15];
		size_t len = corpus(ours[i].file, buf, sizeof buf);
		struct sample s = { NULL, ours[i].transport, ours[i].port, MM_TO_SERVER,
			(const char *)buf, len };
		struct mm_ndpi_verdict v = ask(n, &s);
		if (v.hint == NULL)
			print_message("# %s: %s\n", ours[i].file, mm_flow_name(v.name));
		assert_non_null(v.hint);
		assert_string_equal(v.hint->name, ours[i].dissector);
		assert_ptr_equal(v.hint, mm_dissectors[v.proto]);
	}
	mm_ndpi_free(n);
}

/* What it was asked before does not matter: a worker that saw other flows says the same. */
static void test_forgets(void **state)
{
	(void)state;
	enum { ROUNDS = 200 };
	unsigned first[N_SAMPLES], seed = 1;
	for (size_t i = 0; i < N_SAMPLES; i++) {
		struct mm_ndpi *fresh = mm_ndpi_new(mm_dissectors);
		assert_non_null(fresh);
		first[i] = ask(fresh, &samples[i]).name;
		mm_ndpi_free(fresh);
	}
	struct mm_ndpi *n = mm_ndpi_new(mm_dissectors);
	assert_non_null(n);
	for (unsigned k = 0; k < ROUNDS; k++) {
		seed = seed * 1103515245 + 12345;
		size_t i = (seed >> 16) % N_SAMPLES, j = (seed >> 20) % N_SAMPLES;
		/* On one another's ports, too. */
		struct sample s = samples[i];
		s.port = samples[j].port;
		unsigned name = ask(n, &s).name;
		struct mm_ndpi *fresh = k % 20 == 0 ? mm_ndpi_new(mm_dissectors) : NULL;
		if (fresh != NULL)
			assert_int_equal(name, ask(fresh, &s).name);
		mm_ndpi_free(fresh);
		assert_int_equal(ask(n, &samples[i]).name, first[i]);
	}
	mm_ndpi_free(n);
}

/* Every name that is counted, and every hint of a dissector, is one that nDPI knows. */
static void test_names(void **state)
{
	(void)state;
	struct ndpi_detection_module_struct *module =
	        ndpi_init_detection_module(ndpi_dont_load_tor_hosts | ndpi_dont_init_libgcrypt);
	assert_non_null(module);
	unsigned n = ndpi_get_num_supported_protocols(module), n_hints = 0;
	for (size_t i = MM_FLOW_NAME_OTHER + 1; mm_flow_name(i) != NULL; i++) {
		unsigned id = 1;
		while (id < n &&
		        strcmp(ndpi_get_proto_name(module, (uint16_t)id), mm_flow_name(i)) != 0)
			id++;
		if (id == n)
			print_message("# %s\n", mm_flow_name(i));
		assert_true(id < n);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(mm_flow_name(k), mm_flow_name(i));
	}
	for (size_t i = 0; mm_dissectors[i] != NULL; i++) {
		const char *const *h = mm_dissectors[i]->ndpi_hints;
		for (; h != NULL && *h != NULL; h++, n_hints++) {
			unsigned id = 1;
			while (id < n && strcmp(ndpi_get_proto_name(module, (uint16_t)id), *h) != 0)
				id++;
			assert_true(id < n);
		}
	}
	assert_int_equal(n_hints, 9);
	assert_null(mm_flow_name(MM_FLOW_NAMES));
	ndpi_exit_detection_module(module);
}

/* --- signatures ------------------------------------------------------------------------------------ */

static uint8_t signature(uint8_t proto, uint16_t port, const void *p, size_t len)
{
	struct mm_flow f = { .key = { .proto = proto, .port = { port, 40000 } } };
	return mm_class_signature(&f, mm_slice(p, len));
}

static void test_signatures(void **state)
{
	(void)state;
	/* RFC 8448 section 3: the ClientHello's record */
	static const char tls[] = "\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03";
	assert_int_equal(signature(MM_TCP, 9999, BYTES(tls)), MM_FLOW_NAME_TLS);
	assert_int_equal(signature(MM_UDP, 9999, BYTES(tls)), MM_FLOW_NAME_UNKNOWN);
	assert_int_equal(signature(MM_TCP, 443, tls, 5), MM_FLOW_NAME_UNKNOWN);
	assert_int_equal(signature(MM_TCP, 443, BYTES("\x17\x03\x03\x00\xc4\x01")),
	        MM_FLOW_NAME_UNKNOWN); /* application data */
	assert_int_equal(signature(MM_TCP, 443, BYTES("\x16\x03\x01\xff\xc4\x01")),
	        MM_FLOW_NAME_UNKNOWN); /* longer than a record may be */
	assert_int_equal(signature(MM_TCP, 443, BYTES("\x16\x03\x01\x00\xc4\x10")),
	        MM_FLOW_NAME_UNKNOWN); /* no hello */

	/* RFC 9001 appendix A.2: the protected header of the client's Initial */
	static const char quic[] = "\xc0\x00\x00\x00\x01\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08"
	                           "\x00\x00\x44\x9e\x7b\x9a\xec\x34";
	assert_int_equal(signature(MM_UDP, 4433, BYTES(quic)), MM_FLOW_NAME_QUIC);
	assert_int_equal(signature(MM_TCP, 443, BYTES(quic)), MM_FLOW_NAME_UNKNOWN);
	assert_int_equal(signature(MM_UDP, 443, quic, 6 + 8), MM_FLOW_NAME_UNKNOWN);
	assert_int_equal(signature(MM_UDP, 443,
	                         BYTES("\xc0\x00\x00\x00\x01\x15"
	                               "0123456789012345678901")),
	        MM_FLOW_NAME_UNKNOWN); /* connection IDs are at most 20 bytes */
	assert_int_equal(signature(MM_UDP, 443,
	                         BYTES("\x40\x00\x00\x00\x01\x00"
	                               "0123")),
	        MM_FLOW_NAME_UNKNOWN); /* short header */

	/* RFC 1035 section 4.1: a query for the address of F.ISI.ARPA */
	static const char dns[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	                          "\x01"
	                          "F\x03ISI\x04"
	                          "ARPA\x00\x00\x01\x00\x01";
	assert_int_equal(signature(MM_UDP, 53, BYTES(dns)), MM_FLOW_NAME_DNS);
	assert_int_equal(signature(MM_UDP, 54, BYTES(dns)), MM_FLOW_NAME_UNKNOWN);
	assert_int_equal(signature(MM_UDP, 53, dns, 12), MM_FLOW_NAME_UNKNOWN);
	/* Kerberos from port 53 is still Kerberos. */
	static uint8_t krb[1 << 15];
	size_t len = corpus("kerberos-udp-as", krb, sizeof krb);
	assert_int_equal(signature(MM_UDP, 53, krb, len), MM_FLOW_NAME_UNKNOWN);
}

/* --- what it must not do --------------------------------------------------------------------------- */

/* From here on the process dies when it opens anything. */
static void forbid_opening(void)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_open
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 3, 0),
#else
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 3, 0),
#endif
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_filter copy[sizeof code / sizeof code[0]];
	memcpy(copy, code, sizeof code);
	struct sock_fprog program = { sizeof code / sizeof code[0], copy };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		_exit(77);
}

/* All in the sandbox: from the module's making on. */
static void sandboxed(void)
{
	/* A whole client Initial, padded to 1200 bytes, as far as nDPI would take it. */
	static uint8_t initial[1200] = { 0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44,
		0x9e };
	const struct sample quic = { NULL, MM_UDP, 443, MM_TO_SERVER, (const char *)initial,
		sizeof initial };
	forbid_opening();
	struct mm_ndpi *n = mm_ndpi_new(mm_dissectors);
	if (n == NULL)
		_exit(1);
	for (size_t i = 0; i < N_SAMPLES; i++)
		(void)ask(n, &samples[i]);
	(void)ask(n, &quic);
	mm_ndpi_free(n);
	_exit(0);
}

static void test_opens_nothing(void **state)
{
	(void)state;
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		sandboxed();
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Bytes of all kinds, which end where memory ends; longer than is looked at, too. */
static void test_hostile(void **state)
{
	(void)state;
	enum { ROUNDS = 20000, LONGEST = 2 * MM_NDPI_HEAD };
	static uint8_t noise[LONGEST];
	struct mm_ndpi *n = mm_ndpi_new(mm_dissectors);
	assert_non_null(n);
	struct guard g = guard_new(LONGEST);
	unsigned seed = 7;
	for (unsigned k = 0; k < ROUNDS; k++) {
		seed = seed * 1103515245 + 12345;
		const struct sample *like = &samples[(seed >> 16) % N_SAMPLES];
		for (size_t i = 0; i < LONGEST; i += 1 + (seed & 63))
			noise[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
		memcpy(noise, like->bytes, like->len);
		noise[(seed >> 8) % like->len] ^= (uint8_t)(1u << (seed >> 24 & 7));
		size_t len = k % 100 == 0 ? LONGEST : (seed >> 10) % (like->len + 100);
		struct sample s = *like;
		s.bytes = (const char *)guard_put(&g, noise, len);
		s.len = len;
		s.dir = k & 1;
		struct mm_ndpi_verdict v = ask(n, &s);
		assert_non_null(mm_flow_name(v.name));
	}
	guard_free(&g);
	mm_ndpi_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_our_own),
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_opens_nothing),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
