/* What the hellos and certificates of a TLS handshake say. */
#ifndef MM_DISSECT_TLS_HELLO_H
#define MM_DISSECT_TLS_HELLO_H

#include "base/cursor.h"

enum {
	TLS_JA4_TEXT = 37,  /* 10 + 1 + 12 + 1 + 12, and NUL */
	TLS_LIST_MAX = 256, /* cipher suites, extensions or signature schemes that are looked at */
};

/* A ClientHello or ServerHello; the slices are borrowed from it. */
struct tls_hello {
	uint16_t version; /* the highest offered; the one chosen */
	uint16_t cipher;  /* ServerHello */
	uint8_t compression;
	struct mm_slice random, session_id;
	struct mm_slice server_name; /* host_name, RFC 6066 section 3 */
	struct mm_slice protocol;    /* ALPN: the first offered; the one chosen */
	bool retry;                  /* HelloRetryRequest, RFC 8446 section 4.1.4 */
	bool psk;                    /* pre_shared_key */
	bool early_data;
	bool encrypt_then_mac;
	char ja4[TLS_JA4_TEXT]; /* ClientHello, when asked for */
};

/** Read the body of a ClientHello, RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2. ja4: whether to make its fingerprint.
 * False when it is malformed; what was read before that is there. */
bool tls_client_hello(struct mm_slice body, bool ja4, struct tls_hello *out);

/** Read the body of a ServerHello. */
bool tls_server_hello(struct mm_slice body, struct tls_hello *out);

/** The first certificate of a Certificate message: its DER, borrowed; empty: none. v13: as TLS 1.3 has it. */
struct mm_slice tls_first_certificate(struct mm_slice body, bool v13);

/** Names of an X.509 certificate, RFC 5280 section 4.1. */
struct tls_names {
	struct mm_slice common_name; /* the last in its subject; borrowed */
	char alternatives[512];      /* dNSName of subjectAltName, ", " between them; cut */
};

/** False when it is malformed. */
bool tls_certificate_names(struct mm_slice der, struct tls_names *out);

#endif
