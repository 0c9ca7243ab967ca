/* TLS, RFC 8446 and RFC 5246: a carrier. What a handshake tells in clear; with the secrets of a key log, what is inside.
 *
 *	struct {
 *		ContentType type;                -- 20 .. 24
 *		ProtocolVersion legacy_version;  -- 0x03 0x01 .. 0x04
 *		uint16 length;
 *		opaque fragment[length];
 *	} TLSCiphertext;
 *
 * Handshake messages are put together from records, and what application data records hold is the inner stream. Which
 * secret a record of TLS 1.3 is under is not in the record: the one in use is tried, then those that may follow it. Where records were lost, so
 * are numbers: a few of the next ones are tried.
 *
 * Without secrets a connection is left as soon as it is known whose it was. */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "dissect/dissect.h"
#include "dissect/tls_hello.h"
#include "keys/keylog.h"
#include "keys/tls.h"

enum {
	HEADER = 5,
	MESSAGE_HEADER = 4, /* HandshakeType, uint24 length */
	MAJOR = 3,
	MINOR_MAX = 4,

	/* ContentType, RFC 8446 section 5.1 */
	CHANGE_CIPHER_SPEC = 20,
	ALERT = 21,
	HANDSHAKE = 22,
	APPLICATION_DATA = 23,
	HEARTBEAT = 24, /* RFC 6520 */

	/* HandshakeType, RFC 8446 section 4 */
	CLIENT_HELLO = 1,
	SERVER_HELLO = 2,
	END_OF_EARLY_DATA = 5,
	CERTIFICATE = 11,
	FINISHED = 20,
	KEY_UPDATE = 24,

	ALERT_FATAL = 2, /* AlertLevel, section 6 */
	CLOSE_NOTIFY = 0,

	MESSAGES_MAX = 64 * 1024, /* octets of a handshake message that is put together */
	MESSAGE_LEAST = 512,      /* room that it begins with */
	LOST_MAX = 64,            /* sequence numbers that are tried after a loss */
	FAILED_MAX = 64,          /* records that no secret opens, before the first that one does */
	FAILED_LATER = 4,         /* the same later on */
	NAME_MAX_B = 255,         /* octets of a server's name */
	PROTOCOL_MAX = 32,        /* octets of an ALPN protocol ID that is kept */
	HELD_MAX = 64 * 1024,     /* octets of a direction that are held back for secrets to come */
	HELD_LEAST = 4096,
};

/* Which secret a direction of TLS 1.3 is under. */
enum epoch {
	EPOCH_CLEAR,
	EPOCH_EARLY, /* of the client */
	EPOCH_HANDSHAKE,
	EPOCH_TRAFFIC,
};

/* What is kept of a direction that is opened. */
struct tls_half {
	struct mm_tls_half key;
	enum epoch epoch;
	bool spent;        /* TLS 1.3: the next record is under the next secret */
	bool lost;         /* records were, just before */
	unsigned n_failed; /* records in a row that could not be opened */
	bool opened;       /* one could */
	uint8_t *message;  /* a handshake message of which more is to come */
	size_t n_message, message_room;
	size_t skip; /* octets of one that is too long */
};

/* A record that is held back, before its bytes. */
struct tls_held {
	struct mm_pkt first, last;
	int64_t time_ns;
	enum mm_dir dir;
	size_t len;
};

/* What is kept beyond the hellos, once it is wanted. */
struct tls_more {
	uint8_t *held; /* records in the order in which they came */
	size_t n_held, held_room, held_of[2];
	size_t *held_b;          /* the worker's count, of messages as well */
	struct tls_half half[2]; /* by enum mm_dir */
	struct mm_tls_half next12[2];
	char common_name[NAME_MAX_B + 1];
	struct tls_names names;
};

struct tls_state {
	struct mm_tls_seen seen;
	struct tls_more *more;
	uint8_t client_random[MM_TLS_RANDOM], server_random[MM_TLS_RANDOM];
	uint8_t session_id[32];
	uint8_t n_session_id;
	bool quit;
	bool blind[2];    /* of this direction nothing more is read */
	bool ciphered[2]; /* TLS 1.2: after ChangeCipherSpec */
	bool finished[2];
	bool gapped[2];    /* bytes of this direction's handshake were lost */
	bool full;         /* the server showed a certificate: a full handshake */
	bool hello[2];     /* seen */
	bool keyed;        /* there are secrets for it */
	bool waiting;      /* for secrets: records are held back */
	struct mm_pkt now; /* the latest packet, which says what secrets hold */
	int64_t now_ns;
	bool opened; /* something was decrypted */
	bool psk, resumed, early, encrypt_then_mac, compressed, failed, told, deaf;
	uint16_t version; /* chosen; 0: not known */
	uint16_t cipher;
	int64_t hello_ns;
	struct mm_pkt hello_first, hello_last, answer_first, answer_last;
	uint8_t n_server_name, n_protocol;
	char server_name[NAME_MAX_B];
	char protocol[PROTOCOL_MAX + 1];
	char ja4[TLS_JA4_TEXT];
};

enum {
	ATTR_VERSION,
	ATTR_VERSION_PROTOCOL,
	ATTR_CIPHER,
	ATTR_NEXT_PROTOCOL,
	ATTR_SERVER_NAME,
	ATTR_JA4,
	ATTR_RESUMED,
	ATTR_ESTABLISHED,
	ATTR_COMMON_NAME,
	ATTR_ALTERNATIVES,
	ATTR_DECRYPTED,
	ATTR_CLIENT_CERT,
	N_ATTRS,
};

static const struct mm_attr attrs[N_ATTRS] = {
	[ATTR_VERSION] = { "tls.version", MM_ATTR_STR, "version in use, RFC 8446 section 4.2.1" },
	[ATTR_VERSION_PROTOCOL] = { "tls.version_protocol", MM_ATTR_STR, "tls, or ssl before it" },
	[ATTR_CIPHER] = { "tls.cipher", MM_ATTR_STR,
	        "cipher suite in use, by its name in IANA's registry; its number where that is not "
	        "known" },
	[ATTR_NEXT_PROTOCOL] = { "tls.next_protocol", MM_ATTR_STR,
	        "protocol agreed on by ALPN; where the answer is hidden, the first offered; RFC "
	        "7301" },
	[ATTR_SERVER_NAME] = { "tls.client.server_name", MM_ATTR_STR,
	        "name by which the client asked for the server, RFC 6066 section 3" },
	[ATTR_JA4] = { "tls.client.ja4", MM_ATTR_STR,
	        "JA4 fingerprint of the ClientHello: the same software, the same value" },
	[ATTR_RESUMED] = { "tls.resumed", MM_ATTR_BOOL,
	        "The connection goes on with an earlier session, RFC 8446 section 2.2, RFC 5246 "
	        "section 7.3" },
	[ATTR_ESTABLISHED] = { "tls.established", MM_ATTR_BOOL, "The handshake was completed" },
	[ATTR_COMMON_NAME] = { "tls.server.x509.subject.common_name", MM_ATTR_STR,
	        "common name of the server's certificate" },
	[ATTR_ALTERNATIVES] = { "tls.server.x509.alternative_names", MM_ATTR_STR,
	        "host names of the server's certificate, RFC 5280 section 4.2.1.6" },
	[ATTR_DECRYPTED] = { "mintmark.tls.decrypted", MM_ATTR_BOOL,
	        "The connection's content was decrypted with secrets of a key log" },
	[ATTR_CLIENT_CERT] = { "mintmark.tls.client_cert_x5t", MM_ATTR_STR,
	        "SHA-256 of the client's certificate, base64url: x5t#S256 of RFC 8705 section "
	        "3.1" },
};

static struct tls_more *more_of(struct tls_state *st)
{
	if (st->more == NULL)
		st->more = calloc(1, sizeof *st->more);
	return st->more;
}

static void drop_held(struct tls_more *more)
{
	free(more->held);
	if (more->held_b != NULL)
		*more->held_b -= more->held_room;
	more->held = NULL;
	more->n_held = more->held_room = 0;
	more->held_of[0] = more->held_of[1] = 0;
}

static void drop_message(struct tls_more *more, struct tls_half *half)
{
	if (half->message == NULL)
		return;
	explicit_bzero(half->message, half->n_message);
	free(half->message);
	*more->held_b -= half->message_room;
	half->message = NULL;
	half->n_message = half->message_room = 0;
}

static void tls_done(void *state)
{
	struct tls_state *st = state;
	if (st->more == NULL)
		return;
	drop_held(st->more);
	for (size_t i = 0; i < 2; i++) {
		mm_tls_half_done(&st->more->half[i].key);
		mm_tls_half_done(&st->more->next12[i]);
		drop_message(st->more, &st->more->half[i]);
	}
	free(st->more);
	st->more = NULL;
}

/* --- framing --------------------------------------------------------------------------------------- */

struct header {
	unsigned type, version;
	size_t length;
};

static bool read_header(struct mm_slice s, struct header *h)
{
	struct mm_cursor c = mm_cursor(s);
	h->type = mm_u8(&c);
	h->version = mm_be16(&c);
	h->length = mm_be16(&c);
	return !c.err && h->type >= CHANGE_CIPHER_SPEC && h->type <= HEARTBEAT &&
	       h->version >> 8 == MAJOR && (h->version & 0xff) <= MINOR_MAX &&
	       h->length <= MM_TLS_FRAGMENT_MAX && (h->length != 0 || h->type == APPLICATION_DATA);
}

static struct mm_frame tls_frame(void *state, enum mm_dir dir, struct mm_slice avail)
{
	struct tls_state *st = state;
	struct header h;
	if (st->quit || (st->blind[0] && st->blind[1]))
		return (struct mm_frame){ MM_FRAME_QUIT, 0 };
	if (avail.len < HEADER) {
		bool may_be = mm_at(avail, 0) >= CHANGE_CIPHER_SPEC && mm_at(avail, 0) <= HEARTBEAT;
		return (struct mm_frame){ may_be ? MM_FRAME_MORE : MM_FRAME_LOST, HEADER };
	}
	if (!read_header(avail, &h))
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	size_t total = HEADER + h.length;
	bool begun = st->hello[0] || st->hello[1];
	if (!begun && h.type != HANDSHAKE && h.type != ALERT)
		return (struct mm_frame){ MM_FRAME_QUIT, 0 }; /* joined after its start */
	if (st->blind[dir])
		return (struct mm_frame){ MM_FRAME_SKIP, total };
	return (struct mm_frame){ avail.len < total ? MM_FRAME_MORE : MM_FRAME_DONE, total };
}

/* A record that begins a handshake. */
static bool tls_probe(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	struct header h;
	int message = mm_at(head, HEADER);
	return transport == MM_TCP && read_header(head, &h) && h.type == HANDSHAKE &&
	       message == (dir == MM_TO_SERVER ? CLIENT_HELLO : SERVER_HELLO);
}

static size_t tls_resync(void *state, enum mm_dir dir, struct mm_slice avail)
{
	struct header h, next;
	(void)state;
	(void)dir;
	for (size_t i = 0; i + HEADER <= avail.len; i++) {
		struct mm_slice s = mm_after(avail, i);
		if (!read_header(s, &h))
			continue;
		struct mm_slice rest = mm_after(s, HEADER + h.length);
		if (rest.len < HEADER || read_header(rest, &next))
			return i;
	}
	return avail.len;
}

/* --- events ---------------------------------------------------------------------------------------- */

static const char *version_name(unsigned version)
{
	switch (version) {
	case 0x0300:
		return "3.0";
	case 0x0301:
		return "1.0";
	case 0x0302:
		return "1.1";
	case 0x0303:
		return "1.2";
	case 0x0304:
		return "1.3";
	default:
		return "";
	}
}

static void put_text(struct mm_event *ev, unsigned attr, const char *text)
{
	if (*text != '\0')
		mm_event_put_str(ev, &attrs[attr], mm_slice_str(text));
}

/* What every event inside of the connection carries. */
static void tls_dress(const void *state, struct mm_event *ev)
{
	const struct tls_state *st = state;
	char text[48];
	const struct mm_tls_suite *suite = mm_tls_suite(st->cipher);
	if (ev->kind == MM_EV_LOSS)
		return;
	put_text(ev, ATTR_VERSION, version_name(st->version));
	if (st->version != 0) {
		put_text(ev, ATTR_VERSION_PROTOCOL, st->version > 0x0300 ? "tls" : "ssl");
		snprintf(text, sizeof text, "0x%04x", st->cipher);
		put_text(ev, ATTR_CIPHER, suite != NULL ? suite->name : text);
	}
	put_text(ev, ATTR_NEXT_PROTOCOL, st->protocol);
	if (st->n_server_name != 0)
		mm_event_put_str(ev, &attrs[ATTR_SERVER_NAME], st->seen.server_name);
	put_text(ev, ATTR_JA4, st->ja4);
	if (st->seen.has_client_cert)
		put_text(ev, ATTR_CLIENT_CERT,
		        mm_base64url_encode(
		                mm_slice(st->seen.client_cert_x5t, sizeof st->seen.client_cert_x5t),
		                text));
}

static const struct mm_tls_seen *tls_seen(const void *state)
{
	const struct tls_state *st = state;
	return &st->seen;
}

static bool wants_event(const struct mm_dissect *d, const struct tls_state *st)
{
	if (d->conf == NULL || d->conf->tls_events == MM_TLS_EVENTS_NO)
		return false;
	return d->conf->tls_events == MM_TLS_EVENTS_YES || st->opened;
}

/* Once: the handshake is over, or the connection is. */
static void tell(struct mm_dissect *d, struct tls_state *st)
{
	if (st->told || !(st->hello[0] || st->hello[1]))
		return;
	st->told = true;
	if (!wants_event(d, st))
		return;
	struct mm_event *ev = mm_dissect_event(d, MM_EV_ACTION, "tls-handshake");
	if (ev == NULL)
		return;
	bool established = st->finished[0] && st->finished[1];
	ev->outcome = st->failed ? MM_FAILURE : established ? MM_SUCCESS : MM_UNKNOWN;
	if (st->hello[MM_TO_SERVER]) {
		ev->time_ns = ev->request_ns = st->hello_ns;
		ev->request_pkt = st->hello_last;
		mm_event_add_pkts(ev, st->hello_first, st->hello_last);
	}
	if (st->hello[MM_TO_CLIENT])
		mm_event_add_pkts(ev, st->answer_first, st->answer_last);
	if (!(st->hello[0] && st->hello[1]))
		ev->flags |= MM_EVF_ONE_SIDED;
	tls_dress(st, ev);
	mm_event_put_bool(ev, &attrs[ATTR_RESUMED], st->resumed);
	if (st->failed || established)
		mm_event_put_bool(ev, &attrs[ATTR_ESTABLISHED], established);
	if (st->more != NULL) {
		put_text(ev, ATTR_COMMON_NAME, st->more->common_name);
		put_text(ev, ATTR_ALTERNATIVES, st->more->names.alternatives);
	}
	mm_event_put_bool(ev, &attrs[ATTR_DECRYPTED], st->opened);
	mm_dissect_emit(d, ev);
}

/* For the summary: nobody could read it. */
static void tell_blind(struct mm_dissect *d, const struct tls_state *st)
{
	struct mm_event *ev = mm_dissect_event(d, MM_EV_BLIND, "blind");
	if (ev == NULL)
		return;
	ev->user = mm_event_str(ev, st->seen.server_name);
	mm_dissect_emit(d, ev);
}

/* --- the handshake --------------------------------------------------------------------------------- */

static bool find_key(const struct mm_dissect *d, const struct tls_state *st,
        enum mm_key_label label, struct mm_secret *out)
{
	struct mm_slice random = mm_slice(st->client_random, sizeof st->client_random);
	return mm_keylog_find(d->conf->keylog, label, random, &st->now, st->now_ns, out);
}

static bool has_key(const struct mm_dissect *d, const struct tls_state *st, enum mm_key_label label)
{
	struct mm_secret secret;
	bool found = find_key(d, st, label, &secret);
	explicit_bzero(&secret, sizeof secret);
	return found;
}

/* Is any secret of this connection there? */
static void look_for_keys(struct mm_dissect *d, struct tls_state *st)
{
	bool keys = d->conf != NULL && d->conf->keylog != NULL;
	for (unsigned i = 0; i < MM_KEY_LABELS && keys && !st->keyed; i++)
		st->keyed = has_key(d, st, (enum mm_key_label)i);
}

/* Are secrets still to come without which the connection would be lost? They are logged while the handshake goes on,
 * and read some time later. */
static bool lacks_keys(const struct mm_dissect *d, const struct tls_state *st)
{
	if (d->conf == NULL || d->conf->keylog == NULL || !mm_keylog_is_expected(d->conf->keylog))
		return false;
	if (st->version >= MM_TLS_13)
		return !has_key(d, st, MM_KEY_CLIENT_TRAFFIC) ||
		       !has_key(d, st, MM_KEY_SERVER_TRAFFIC);
	return !has_key(d, st, MM_KEY_MASTER);
}

/* Is there a reason to read on after the hellos? */
static bool is_wanted(const struct mm_dissect *d, const struct tls_state *st)
{
	return st->keyed || (d->conf != NULL && d->conf->tls_events == MM_TLS_EVENTS_YES);
}

static void client_hello(struct mm_dissect *d, struct tls_state *st, struct mm_slice body)
{
	struct tls_hello h;
	const struct mm_keylog *k = d->conf != NULL ? d->conf->keylog : NULL;
	bool keys = k != NULL && mm_keylog_is_used(k);
	bool events = d->conf != NULL && d->conf->tls_events == MM_TLS_EVENTS_YES;
	bool again = st->hello[MM_TO_SERVER];
	bool ok = tls_client_hello(body, (keys || events) && !again, &h);
	if (h.random.len != MM_TLS_RANDOM)
		return;
	memcpy(st->client_random, h.random.p, MM_TLS_RANDOM);
	st->n_session_id = 0;
	if (ok && h.session_id.len != 0) {
		memcpy(st->session_id, h.session_id.p, h.session_id.len);
		st->n_session_id = (uint8_t)h.session_id.len;
	}
	if (again) /* after a HelloRetryRequest, or renegotiation */
		return;
	st->hello[MM_TO_SERVER] = true;
	st->hello_ns = d->time_ns;
	st->hello_first = d->first;
	st->hello_last = d->last;
	st->early = h.early_data;
	if (h.server_name.len != 0 && h.server_name.len <= NAME_MAX_B) {
		memcpy(st->server_name, h.server_name.p, h.server_name.len);
		st->n_server_name = (uint8_t)h.server_name.len;
		st->seen.server_name = mm_slice(st->server_name, st->n_server_name);
	}
	if (h.protocol.len != 0 && h.protocol.len <= PROTOCOL_MAX)
		memcpy(st->protocol, h.protocol.p, h.protocol.len);
	if (ok)
		memcpy(st->ja4, h.ja4, sizeof st->ja4);
	if (keys)
		look_for_keys(d, st);
	if (!keys && !events)
		st->quit = true;
}

static void server_hello(struct mm_dissect *d, struct tls_state *st, struct mm_slice body)
{
	struct tls_hello h;
	bool ok = tls_server_hello(body, &h);
	if (h.random.len != MM_TLS_RANDOM || h.retry)
		return;
	memcpy(st->server_random, h.random.p, MM_TLS_RANDOM);
	st->version = st->seen.version = h.version;
	st->cipher = h.cipher;
	st->encrypt_then_mac = h.encrypt_then_mac;
	st->compressed = h.compression != 0;
	bool same = h.session_id.len != 0 &&
	            mm_slice_eq(h.session_id, mm_slice(st->session_id, st->n_session_id));
	st->resumed = h.version >= MM_TLS_13 ? h.psk : same;
	if (h.protocol.len != 0 && h.protocol.len <= PROTOCOL_MAX) {
		memset(st->protocol, 0, sizeof st->protocol);
		memcpy(st->protocol, h.protocol.p, h.protocol.len);
	}
	if (!st->hello[MM_TO_CLIENT]) {
		st->answer_first = d->first;
		st->answer_last = d->last;
	}
	st->hello[MM_TO_CLIENT] = true;
	if (!st->keyed)
		look_for_keys(d, st);
	bool known = ok && !st->compressed && mm_tls_suite(st->cipher) != NULL &&
	             (h.version == MM_TLS_12 || h.version == MM_TLS_13);
	st->keyed = st->keyed && known;
	st->waiting = known && lacks_keys(d, st);
	if (st->waiting)
		return;
	if (!is_wanted(d, st) || (!st->keyed && h.version >= MM_TLS_13))
		st->quit = true;
}

/* A handshake that resumes shows none: it goes on with what the first one showed. With a ticket of TLS 1.2 only the lack of the
 * server's certificate need tell (RFC 5077 section 3.4). */
static void look_for_client(struct tls_state *st)
{
	st->seen.no_client_cert = st->finished[MM_TO_SERVER] && st->full && !st->resumed &&
	                          !st->gapped[MM_TO_SERVER] && !st->seen.has_client_cert;
}

static void certificate(struct mm_dissect *d, struct tls_state *st, struct mm_slice body)
{
	struct mm_slice der = tls_first_certificate(body, st->version >= MM_TLS_13);
	if (der.len == 0)
		return;
	if (d->dir == MM_TO_SERVER) {
		st->seen.has_client_cert = true;
		(void)SHA256(der.p, der.len, st->seen.client_cert_x5t);
		look_for_client(st);
		return;
	}
	st->full = true;
	look_for_client(st);
	struct tls_more *more = more_of(st);
	if (more == NULL || !tls_certificate_names(der, &more->names))
		return;
	struct mm_slice name = mm_first(more->names.common_name, NAME_MAX_B);
	if (name.len != 0)
		memcpy(more->common_name, name.p, name.len);
	more->common_name[name.len] = '\0';
	more->names.common_name = mm_slice(NULL, 0);
}

static void finished(struct mm_dissect *d, struct tls_state *st)
{
	struct tls_half *half = st->more != NULL ? &st->more->half[d->dir] : NULL;
	st->finished[d->dir] = true;
	look_for_client(st);
	/* That of a client which is asked for its certificate later on changes no key: RFC 8446 section 4.6.2. */
	if (half != NULL && half->epoch == EPOCH_HANDSHAKE)
		half->spent = true;
	if (st->finished[0] && st->finished[1])
		tell(d, st);
}

static void message(struct mm_dissect *d, struct tls_state *st, unsigned type, struct mm_slice body)
{
	switch (type) {
	case CLIENT_HELLO:
		if (d->dir == MM_TO_SERVER)
			client_hello(d, st, body);
		break;
	case SERVER_HELLO:
		if (d->dir == MM_TO_CLIENT)
			server_hello(d, st, body);
		break;
	case END_OF_EARLY_DATA:
		if (st->more != NULL)
			st->more->half[d->dir].spent = true;
		break;
	case CERTIFICATE:
		if (!st->quit)
			certificate(d, st, body);
		break;
	case FINISHED:
		finished(d, st);
		break;
	case KEY_UPDATE:
		if (st->more != NULL && st->version >= MM_TLS_13 && st->ciphered[d->dir] &&
		        !mm_tls_half_update(&st->more->half[d->dir].key))
			st->blind[d->dir] = true;
		break;
	default:
		break;
	}
}

/* The next whole message at the front, passed. False when it is not all there; *need is then its length. */
static bool next_message(struct mm_cursor *c, unsigned *type, struct mm_slice *body, size_t *need)
{
	struct mm_cursor look = *c;
	*type = mm_u8(&look);
	size_t len = mm_be24(&look);
	*need = look.err ? MESSAGE_HEADER : MESSAGE_HEADER + len;
	if (*need > c->len || look.err)
		return false;
	*body = mm_take(&look, len);
	*c = look;
	return true;
}

/* Room for n octets of a message. False when there is none. */
static bool message_room(
        struct mm_dissect *d, struct tls_more *more, struct tls_half *half, size_t n)
{
	size_t room = half->message_room == 0 ? MESSAGE_LEAST : half->message_room;
	while (room < n)
		room *= 2;
	size_t added = room - half->message_room;
	if (added == 0)
		return true;
	if (d->held_b == NULL || *d->held_b > MM_DISSECT_HELD_MAX - added)
		return false;
	uint8_t *bigger = realloc(half->message, room);
	if (bigger == NULL)
		return false;
	*d->held_b += added;
	more->held_b = d->held_b;
	half->message = bigger;
	half->message_room = room;
	return true;
}

/* Add bytes to the message that is not whole, up to its end. */
static void add_to_message(
        struct mm_dissect *d, struct tls_state *st, struct tls_half *half, struct mm_cursor *c)
{
	for (;;) {
		unsigned type;
		size_t need;
		struct mm_slice body;
		struct mm_cursor whole = mm_cursor(mm_slice(half->message, half->n_message));
		if (next_message(&whole, &type, &body, &need)) {
			message(d, st, type, body);
			drop_message(st->more, half);
			return;
		}
		if (c->len == 0)
			return;
		size_t n = need - half->n_message;
		n = n < c->len ? n : c->len;
		if (need > MESSAGES_MAX) {
			half->skip = need - half->n_message;
			drop_message(st->more, half);
			return;
		}
		if (!message_room(d, st->more, half, half->n_message + n)) {
			drop_message(st->more, half);
			mm_skip(c, c->len);
			st->blind[d->dir] = true;
			return;
		}
		memcpy(half->message + half->n_message, mm_take(c, n).p, n);
		half->n_message += n;
	}
}

/* Bytes of the handshake: messages that are whole are read where they are. */
static void handshake(struct mm_dissect *d, struct tls_state *st, struct mm_slice bytes)
{
	struct mm_cursor c = mm_cursor(bytes);
	unsigned type;
	size_t need;
	struct mm_slice body;
	while (c.len != 0 && !st->quit) {
		struct tls_half *half = st->more != NULL ? &st->more->half[d->dir] : NULL;
		if (half != NULL && half->skip != 0) {
			size_t n = half->skip < c.len ? half->skip : c.len;
			half->skip -= n;
			mm_skip(&c, n);
			continue;
		}
		if (half != NULL && half->n_message != 0) {
			add_to_message(d, st, half, &c);
			continue;
		}
		if (next_message(&c, &type, &body, &need)) {
			message(d, st, type, body);
			continue;
		}
		if (more_of(st) == NULL)
			return;
		add_to_message(d, st, &st->more->half[d->dir], &c);
	}
}

/* --- records --------------------------------------------------------------------------------------- */

/* Try numbers from the next one on; after a loss a few further ones. */
static bool try_numbers(const struct tls_half *half, struct mm_tls_half *key,
        const struct mm_tls_record *r, uint8_t *out, size_t *len, uint8_t *type)
{
	unsigned n = half->lost ? LOST_MAX : 1;
	for (unsigned i = 0; i < n; i++) {
		if (!mm_tls_open(key, r, key->seq + i, out, len, type))
			continue;
		key->seq += i + 1;
		return true;
	}
	return false;
}

static enum mm_key_label label_of(enum mm_dir dir, enum epoch epoch)
{
	if (epoch == EPOCH_EARLY)
		return MM_KEY_CLIENT_EARLY;
	if (epoch == EPOCH_HANDSHAKE)
		return dir == MM_TO_SERVER ? MM_KEY_CLIENT_HANDSHAKE : MM_KEY_SERVER_HANDSHAKE;
	return dir == MM_TO_SERVER ? MM_KEY_CLIENT_TRAFFIC : MM_KEY_SERVER_TRAFFIC;
}

/* The suite of early data is that of the session, which is not told: the one that the server chooses then, and until it
 * has chosen, whichever opens it. */
static bool try_epoch(struct mm_dissect *d, struct tls_state *st, struct tls_half *half,
        enum epoch epoch, const struct mm_tls_record *r, uint8_t *out, size_t *len, uint8_t *type)
{
	static const uint16_t suites[] = { 0x1301, 0x1302, 0x1303, 0x1304, 0x1305 };
	struct mm_secret secret;
	struct mm_tls_half key = { 0 };
	bool ok = false;
	if (!find_key(d, st, label_of(d->dir, epoch), &secret))
		return false;
	for (size_t i = 0; i < sizeof suites / sizeof suites[0] && !ok; i++) {
		uint16_t id = st->version != 0 ? st->cipher : suites[i];
		ok = mm_tls_half_13(&key, mm_tls_suite(id), &secret) &&
		     try_numbers(half, &key, r, out, len, type);
		if (st->version != 0)
			break;
	}
	explicit_bzero(&secret, sizeof secret);
	if (ok) {
		/* Without EndOfEarlyData the server took none (RFC 8446 section 4.2.10): the client sends it again. */
		if (half->epoch == EPOCH_EARLY && !half->spent)
			mm_dissect_inner_gap(d);
		mm_tls_half_done(&half->key);
		half->key = key;
		half->epoch = epoch;
		half->spent = false;
	} else {
		mm_tls_half_done(&key);
	}
	return ok;
}

/* A KeyUpdate may be among what was lost. */
static bool try_update(struct tls_half *half, const struct mm_tls_record *r, uint8_t *out,
        size_t *len, uint8_t *type)
{
	struct mm_tls_half key = { 0 };
	bool ok = mm_tls_half_13(&key, half->key.suite, &half->key.secret) &&
	          mm_tls_half_update(&key) && try_numbers(half, &key, r, out, len, type);
	struct mm_tls_half *spent = ok ? &half->key : &key;
	mm_tls_half_done(spent);
	if (ok)
		half->key = key;
	return ok;
}

static bool open_13(struct mm_dissect *d, struct tls_state *st, struct tls_half *half,
        const struct mm_tls_record *r, uint8_t *out, size_t *len, uint8_t *type)
{
	if (half->key.suite != NULL && !half->spent &&
	        try_numbers(half, &half->key, r, out, len, type))
		return true;
	if (half->epoch == EPOCH_TRAFFIC)
		return half->lost && try_update(half, r, out, len, type);
	unsigned first = half->epoch + 1;
	if (first == EPOCH_EARLY && (d->dir == MM_TO_CLIENT || !st->early))
		first = EPOCH_HANDSHAKE;
	unsigned last = st->hello[MM_TO_CLIENT] ? EPOCH_TRAFFIC : EPOCH_EARLY;
	for (unsigned i = first; i <= last; i++)
		if (try_epoch(d, st, half, (enum epoch)i, r, out, len, type))
			return true;
	return false;
}

/* Nothing of this direction can be read from here on. */
static void go_blind(struct mm_dissect *d, struct tls_state *st)
{
	st->blind[d->dir] = true;
	if (st->opened)
		mm_dissect_inner_gap(d);
	if (st->blind[0] && st->blind[1])
		st->quit = true;
}

static void opened(struct mm_dissect *d, struct tls_state *st, struct mm_slice bytes, unsigned type)
{
	struct mm_cursor c = mm_cursor(bytes);
	switch (type) {
	case HANDSHAKE:
		handshake(d, st, bytes);
		break;
	case ALERT: {
		unsigned level = mm_u8(&c), what = mm_u8(&c);
		if (level == ALERT_FATAL && what != CLOSE_NOTIFY && !st->told)
			st->failed = true;
		break;
	}
	case APPLICATION_DATA:
		if (!mm_dissect_inner(d, bytes))
			st->quit = true;
		break;
	default:
		break;
	}
}

static void sealed_record(struct mm_dissect *d, struct tls_state *st, const struct mm_tls_record *r)
{
	uint8_t out[MM_TLS_FRAGMENT_MAX];
	uint8_t type = 0;
	size_t len = 0;
	struct tls_more *more = st->keyed ? more_of(st) : NULL;
	if (more == NULL) {
		go_blind(d, st);
		return;
	}
	struct tls_half *half = &more->half[d->dir];
	bool v13 = st->version >= MM_TLS_13 || st->version == 0;
	bool ok = v13 ? open_13(d, st, half, r, out, &len, &type)
	              : try_numbers(half, &half->key, r, out, &len, &type);
	if (!ok) {
		unsigned most = half->opened ? FAILED_LATER : FAILED_MAX;
		if (++half->n_failed >= most || (half->opened && !half->lost))
			go_blind(d, st);
		return;
	}
	if (!half->opened && st->protocol[0] != '\0' && !st->opened)
		mm_dissect_inner_name(d, st->protocol);
	half->opened = st->opened = true;
	half->lost = false;
	half->n_failed = 0;
	opened(d, st, mm_slice(out, len), type);
	explicit_bzero(out, len);
}

/* TLS 1.2: from now on this direction is under the keys agreed on. */
static void change_cipher(struct mm_dissect *d, struct tls_state *st)
{
	struct mm_secret master;
	struct tls_more *more;
	const struct mm_tls_suite *suite = mm_tls_suite(st->cipher);
	st->ciphered[d->dir] = true;
	if (!st->keyed || suite == NULL || (more = more_of(st)) == NULL)
		return;
	if (more->next12[d->dir].suite == NULL) {
		struct mm_tls_randoms randoms;
		memcpy(randoms.client, st->client_random, MM_TLS_RANDOM);
		memcpy(randoms.server, st->server_random, MM_TLS_RANDOM);
		if (!find_key(d, st, MM_KEY_MASTER, &master) ||
		        !mm_tls_halves_12(
		                more->next12, suite, &master, &randoms, st->encrypt_then_mac))
			st->keyed = false;
		explicit_bzero(&master, sizeof master);
	}
	mm_tls_half_done(&more->half[d->dir].key);
	more->half[d->dir].key = more->next12[d->dir];
	more->next12[d->dir] = (struct mm_tls_half){ 0 };
}

static void take_record(struct mm_dissect *d, struct tls_state *st, struct mm_slice msg)
{
	struct header h;
	if (!read_header(msg, &h) || st->quit || st->blind[d->dir])
		return;
	const struct mm_tls_record r = { (uint8_t)h.type, (uint16_t)h.version,
		mm_after(msg, HEADER) };
	bool v13 = st->version >= MM_TLS_13;
	if (h.type == CHANGE_CIPHER_SPEC && !v13 && st->version != 0) {
		change_cipher(d, st);
		if (!is_wanted(d, st))
			st->quit = true;
	} else if (h.type == APPLICATION_DATA || (st->ciphered[d->dir] && !v13)) {
		if (h.type == APPLICATION_DATA && v13)
			st->ciphered[d->dir] = true;
		else if (st->version != 0 && !st->ciphered[d->dir])
			change_cipher(d, st); /* the record that said so was lost */
		sealed_record(d, st, &r);
	} else if (h.type != CHANGE_CIPHER_SPEC) {
		opened(d, st, r.fragment, h.type);
	}
}

/* Keep the record until there are secrets. False when there is no room for it. */
static bool hold(struct mm_dissect *d, struct tls_state *st, struct mm_slice msg)
{
	struct tls_more *more = more_of(st);
	const struct tls_held head = { d->first, d->last, d->time_ns, d->dir, msg.len };
	if (more == NULL || d->held_b == NULL || more->held_of[d->dir] + msg.len > HELD_MAX)
		return false;
	size_t need = more->n_held + sizeof head + msg.len, room = more->held_room;
	while (room < need)
		room = room == 0 ? HELD_LEAST : 2 * room;
	if (room != more->held_room) {
		size_t added = room - more->held_room;
		if (*d->held_b > MM_DISSECT_HELD_MAX - added)
			return false;
		uint8_t *bigger = realloc(more->held, room);
		if (bigger == NULL)
			return false;
		*d->held_b += added;
		more->held_b = d->held_b;
		more->held = bigger;
		more->held_room = room;
	}
	memcpy(more->held + more->n_held, &head, sizeof head);
	memcpy(more->held + more->n_held + sizeof head, msg.p, msg.len);
	more->n_held = need;
	more->held_of[d->dir] += msg.len;
	return true;
}

/* Read what was held back, each record as of its own packets. */
static void release(struct mm_dissect *d, struct tls_state *st)
{
	struct tls_more *more = st->more;
	struct mm_dissect as_then = *d;
	st->waiting = false;
	look_for_keys(d, st);
	if (!is_wanted(d, st))
		st->quit = true;
	for (size_t at = 0; more != NULL && at < more->n_held && !st->quit;) {
		struct tls_held head;
		memcpy(&head, more->held + at, sizeof head);
		at += sizeof head;
		as_then.dir = head.dir;
		as_then.time_ns = head.time_ns;
		as_then.first = head.first;
		as_then.last = head.last;
		take_record(&as_then, st, mm_slice(more->held + at, head.len));
		at += head.len;
	}
	if (more != NULL)
		drop_held(more);
}

static void tls_parse(struct mm_dissect *d, struct mm_slice msg)
{
	struct tls_state *st = d->state;
	st->now = d->last;
	st->now_ns = d->time_ns;
	if (st->waiting && !lacks_keys(d, st))
		release(d, st);
	if (st->waiting && hold(d, st, msg))
		return;
	if (st->waiting)
		release(d, st);
	take_record(d, st, msg);
}

static void tls_gap(struct mm_dissect *d)
{
	struct tls_state *st = d->state;
	struct tls_more *more = st->keyed ? more_of(st) : st->more;
	st->gapped[d->dir] = st->gapped[d->dir] || !st->finished[d->dir];
	if (more == NULL)
		return;
	struct tls_half *half = &more->half[d->dir];
	half->lost = true;
	half->n_failed = 0;
	half->skip = 0;
	drop_message(more, half);
	if (st->waiting) /* what is held back would be read as if nothing lacked */
		release(d, st);
	half->lost = true;
	mm_dissect_inner_gap(d);
}

static void tls_end(struct mm_dissect *d)
{
	struct tls_state *st = d->state;
	if (st->waiting)
		release(d, st);
	tell(d, st);
	if ((st->hello[0] || st->hello[1]) && !st->opened && !st->failed)
		tell_blind(d, st);
}

/* HTTPS, LDAPS, and others of IANA's registry of service names that are TLS from the first byte on. */
static const uint16_t tcp_ports[] = { 443, 8443, 636, 3269, 993, 465, 995, 5986, 0 };

static const char *const ndpi_hints[] = { "TLS", NULL };

const struct mm_dissector mm_tls = {
	.name = "tls",
	.spec = "RFC 8446",
	.help = "TLS: who connects to whom, and with a key log what is inside",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = tcp_ports,
	.ndpi_hints = ndpi_hints,
	.attrs = attrs,
	.n_attrs = N_ATTRS,
	.state_size = sizeof(struct tls_state),
	.message_max = HEADER + MM_TLS_FRAGMENT_MAX,
	.probe = tls_probe,
	.frame = tls_frame,
	.resync = tls_resync,
	.parse = tls_parse,
	.gap = tls_gap,
	.end = tls_end,
	.done = tls_done,
	.dress = tls_dress,
	.seen = tls_seen,
};
