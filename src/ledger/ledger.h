/* The ledger: every credential seen issued, every one seen presented, what was obtained with what, and how
 * much of an issuer's life the sensor really sees.
 *
 * For each event the engine calls mm_ledger_present(), lets the detectors look, then mm_ledger_settle().
 * Detectors read the ledger and never change it. */
#ifndef MM_LEDGER_LEDGER_H
#define MM_LEDGER_LEDGER_H

#include "base/err.h"
#include "base/files.h"
#include "event/event.h"
#include "ledger/apps.h"
#include "ledger/attempts.h"
#include "ledger/baseline.h"
#include "ledger/expiry.h"
#include "ledger/names.h"
#include "ledger/tokens.h"
#include "ledger/travel.h"

enum {
	MM_ROW_ISSUED = 1u << 0,    /* its issuance was seen */
	MM_ROW_FORWARDED = 1u << 1, /* issued to be used from another host */
	MM_ROW_S4U = 1u << 2,       /* its client was named by the requester (MS-SFU) */
	MM_ROW_HIDDEN = 1u << 3,    /* FAST hid the client's name when it was issued */
	MM_ROW_ACCEPTED = 1u << 4,  /* a verifier took it */
	MM_ROW_CLAIMED = 1u << 5,   /* issued, but by a host that is not vouched for as a KDC */
	MM_ROW_OUTLIVED =
	        1u << 6, /* accepted when no ticket should live so long: its end is not known */
};

/* Rows and what they share are stored without padding: see mm_row. */
#define MM_DENSE __attribute__((packed, aligned(4)))

/** Of which kind credentials are: those for one service are as a rule alike. */
struct MM_DENSE mm_mint {
	uint32_t issuer, service; /* numbers of names, as spelled when issued */
	int64_t kvno;
	int32_t alg;
	uint32_t kind; /* enum mm_cred_kind */
};

/** Whose they are: all that one client holds has one. */
struct mm_party {
	uint32_t principal, principal_realm; /* numbers of names, as spelled when issued */
	struct mm_addr
	        host; /* to which it was issued; which presented it first when that was not seen */
	uint8_t unused[3];
};

/** With what they were obtained. Fingerprints, not rows: they stay true when the parent's row has given way. */
struct mm_lineage {
	struct mm_fp parent; /* shown to obtain it; zero: none seen */
	struct mm_fp root;   /* the orphan its lineage begins with; zero: no orphan in it */
};

/** One credential. Found by fingerprint.
 *
 * 76 bytes, and with links and index 90: there are millions. Times are exact. What repeats from credential to credential is
 * kept once (ledger/shared.h) and named by number here: mm_ledger_mint() and its like resolve it. */
struct MM_DENSE mm_row {
	struct mm_fp fp;           /* key */
	int64_t issued_ns;         /* 0: never seen issued */
	int64_t first_ns, last_ns; /* presentations; 0: none */
	uint32_t mint, party, lineage;
	uint32_t n_presented;
	uint32_t length;
	float missed; /* what its first presentation added to the misses of its issuer */
	uint64_t issued_number : 48, /* the packet that issued it; 0: not known */
	        issued_file : 24;
	uint8_t kdc; /* of a claimed one: index in its issuer's kdcs */
	uint8_t flags;
};

/** Why an orphan can be honest: the chances that make up m (SCORING: 1 - m = (1 - a)(1 - b)(1 - c)). */
struct mm_miss {
	double a, b, c, m;
	int64_t watched_ns; /* how long this issuer has been watched */
	uint64_t
	        n_hits; /* credentials of this issuer presented with their issuance in the ledger */
	double misses;  /* credentials that are held to have been issued out of sight */
};

/** Of what a share of misses is asked. */
enum mm_miss_class {
	MM_MISS_ANY,
	MM_MISS_LOGON, /* a TGT whose user is known: hosts where users log on in view seldom obtain any elsewhere */
	MM_MISS_TOKEN, /* a token: its holders come from anywhere, so that a new host is judged by other new hosts */
};

/** Why an orphan can not be judged at all. */
enum mm_blind {
	MM_SEEING,
	MM_BLIND_ISSUER, /* this issuer was never seen to issue anything */
	MM_BLIND_LOCAL, /* presented by the issuer's own host: what it issues to itself is not on the wire */
};

/** One credential shown in an event, and what the ledger knows of it. */
struct mm_sighting {
	const struct mm_cred *cred;
	struct mm_row *row;
	bool orphan;  /* never seen issued by a KDC that is vouched for */
	bool claimed; /* an orphan that some other host issued */
	bool first;   /* this is its first presentation */
	bool copy;    /* another leg of a request that was counted */
	enum mm_blind blind;
	struct mm_token_facts *token; /* of a token; NULL of a ticket. Valid as long as the look */
	struct mm_miss miss;          /* as of now; for orphans */
};

/** What detectors are shown of one event. */
struct mm_look {
	const struct mm_event *ev;
	struct mm_sighting
	        seen[MM_EVENT_CREDS]; /* one per credential shown, in the event's order */
	size_t n_seen;
	const struct mm_sighting
	        *proof; /* the one the client proved to hold (presented); NULL: none */
	struct mm_token_facts tokens[MM_EVENT_CREDS]; /* what the sightings point to */
	struct mm_app_facts app;                      /* of the application that acts */
	struct mm_attempt attempt;                    /* to log on with a password */
	struct mm_travel travel;                      /* of its user */
};

/** A host that answers as a KDC of a realm. Vouched for: the first one seen, and those from which more than
 * one host obtained something. An intruder's own staged KDC is not: what it issues is claimed, not issued, and
 * teaches nothing; nothing that is asked of it counts as lost; its host is not excused as a KDC. */
struct mm_kdc {
	struct mm_addr addr;
	struct mm_addr client; /* the first to obtain something from it */
	uint64_t n_claimed;    /* presentations of what it issued while it was not vouched for */
	bool vouched;
};

enum { MM_KDCS_MAX = 32 };

/** One issuer: a Kerberos realm. */
struct mm_issuer {
	uint32_t name;         /* key: number of its name in lower case */
	uint32_t name_spelled; /* as first seen on an issued credential */
	int64_t first_ns, last_ns;
	uint64_t n_exchanges, n_unanswered, n_issued, n_presented, n_matched, n_orphans;
	uint64_t hits;
	double misses;
	uint64_t new_hits; /* hosts whose first credential shown was matched */
	double new_misses;
	struct mm_kdc kdcs[MM_KDCS_MAX];
	size_t n_kdcs;
};

/** Coverage of one issuer towards one network or one host. */
struct mm_cell {
	struct {
		uint32_t issuer;
		uint32_t host; /* 1: addr is a host, 0: a network */
		struct mm_addr addr;
		uint8_t unused[3];
	} key;
	uint64_t hits, n_obtained;
	uint64_t n_exchanges, n_unanswered; /* of a host's cell: with known KDCs */
	double misses;
	uint32_t
	        machine; /* number of the name of the machine account that obtained a TGT from here */
};

/** The TGT that a client on a host obtained last: the one its software goes on to use. */
struct mm_latest {
	struct {
		uint32_t issuer, principal; /* numbers of names in lower case */
		struct mm_addr host;
		uint8_t unused[3];
	} key;
	struct mm_fp fp;
	int64_t issued_ns;
};

/** How much of what a host sends and is sent was lost to the sensor. */
struct mm_loss {
	struct mm_addr host; /* key */
	uint64_t n_seen;     /* events with it as their server; of the sensor: packets */
	uint64_t n_lost;     /* holes in its flows; packets */
};

/** A credential presented without issuance and too bare to be judged: kept to be told at the end. */
struct mm_ledger_config {
	struct mm_hash_key key;
	/** Default 1,000,000. A new one takes the place of the one that ended longest ago, else of the one that was not
	 * seen for longest. */
	size_t rows_max;
	size_t names_max;    /* default 1,000,000 */
	size_t baseline_max; /* default 262,144 values */
	size_t keys_max;     /* default MM_KEYRING_KEYS */
	size_t learnt_b_max; /* bytes of all that is learnt beside rows and names; default 0: no limit but the tables' own */
	int64_t lifetime_ns;       /* longest life of a ticket: default 10 h */
	int64_t complete_since_ns; /* all that was issued from then on is held to be seen; 0: not known */
};

struct mm_ledger {
	struct mm_ledger_config config;
	struct mm_table rows, issuers, cells, latest, losses;
	struct mm_loss sensor; /* packets that the sensor itself lost, of any host */
	struct mm_table mints, parties, lineages; /* shared by rows */
	struct mm_expiry expiry;                  /* of rows */
	struct mm_names names;
	struct mm_baseline baseline;
	struct mm_tokens tokens;
	struct mm_attempts attempts;
	struct mm_apps apps;
	struct mm_travels travels;
	uint64_t n_issued, n_presented, n_reissued;
	uint64_t n_expired; /* rows that gave way after their end */
};

void mm_ledger_config_default(struct mm_ledger_config *config);
int mm_ledger_new(const struct mm_ledger_config *config, struct mm_ledger **out) MM_MUST_CHECK;
void mm_ledger_free(struct mm_ledger *l);

/** Take down what the event shows; *look is valid until the next call that changes the ledger. */
void mm_ledger_present(struct mm_ledger *l, const struct mm_event *ev, struct mm_look *look);

/** Take down what the event issues, and learn from it. trusted: no finding stands against the credential it
 * was obtained with; only then does it change what is ordinary and what coverage is. */
void mm_ledger_settle(struct mm_ledger *l, const struct mm_look *look, bool trusted);

/** Coverage towards this client by all that is known now, as of watched_ns after the issuer was first seen.
 * client: family 0 for the issuer as a whole. of: of what kind of credential.
 * own: what the credential in question itself added to the misses, taken out again. */
struct mm_miss mm_ledger_miss(const struct mm_ledger *l, uint32_t issuer_folded,
        const struct mm_addr *client, enum mm_miss_class of, int64_t watched_ns, double own);

/** The TGT last obtained by this principal on this host; NULL when none was seen. */
const struct mm_latest *mm_ledger_latest(const struct mm_ledger *l, uint32_t issuer_folded,
        struct mm_str principal, const struct mm_addr *host);

/** Note the packet that issued it; none when its number does not fit. */
void mm_row_set_packet(struct mm_row *row, struct mm_pkt pkt);

const struct mm_row *mm_ledger_find(const struct mm_ledger *l, const struct mm_fp *fp);

/** What a row shares with others; never NULL: all zero where nothing is known. Valid as long as the row. */
const struct mm_mint *mm_ledger_mint(const struct mm_ledger *l, const struct mm_row *row);
const struct mm_party *mm_ledger_party(const struct mm_ledger *l, const struct mm_row *row);
const struct mm_lineage *mm_ledger_lineage(const struct mm_ledger *l, const struct mm_row *row);

/** Was its issuance seen, by a KDC that is vouched for by now? */
bool mm_ledger_issued(const struct mm_ledger *l, const struct mm_row *row);
const struct mm_issuer *mm_ledger_issuer(const struct mm_ledger *l, uint32_t issuer_folded);
/** Coverage cell of one host; NULL when it never presented or obtained anything of this issuer. */
const struct mm_cell *mm_ledger_host(
        const struct mm_ledger *l, uint32_t issuer_folded, const struct mm_addr *host);

/** The same of the network that an address is in (mm_addr_network()). */
const struct mm_cell *mm_ledger_network(
        const struct mm_ledger *l, uint32_t issuer_folded, const struct mm_addr *addr);

/** Bytes of memory that its tables hold; names are not counted. */
size_t mm_ledger_bytes(const struct mm_ledger *l);

/** Write down all that the ledger knows. */
void mm_ledger_save(const struct mm_ledger *l, struct mm_store *out);

/** Read it again into a new ledger. Rows beyond its own rows_max give way. MM_ERR_CORRUPT, MM_ERR_NOMEM: the ledger is good
 * for nothing but mm_ledger_free(). */
int mm_ledger_load(
        struct mm_ledger *l, struct mm_cursor *in, struct mm_file_map *files) MM_MUST_CHECK;

/** When a row is of no use any more; MM_EXPIRY_NEVER when that is not known or it is not in use. For mm_expiry. */
int64_t mm_ledger_row_end(const void *ledger, uint32_t number);

/** The scopes of traits: the service itself, the machine it names ("cifs/ws1.corp.test" and "HOST/WS1": "ws1"),
 * and all credentials of a kind. Numbers that name the same scope in learning and in judging; 0: none. */
uint32_t mm_scope_service(const struct mm_ledger *l, const struct mm_cred *cred);
uint32_t mm_scope_machine(const struct mm_ledger *l, const struct mm_cred *cred);
uint32_t mm_scope_kind(const struct mm_cred *cred);

/** The scope of lengths among tickets of a kind: machine accounts' PACs are smaller than users'. */
uint32_t mm_scope_owner(const struct mm_cred *cred, struct mm_str principal);

/** The scope of what one host does. */
uint32_t mm_scope_host(const struct mm_ledger *l, const struct mm_addr *host);

/** The scope of what one user does on one host: 0 when it was never learnt. */
uint32_t mm_scope_here(
        const struct mm_ledger *l, struct mm_str principal, const struct mm_addr *host);

/** Length of what is encrypted: cipher less the overhead of its etype (RFC 3961, 3962, 4757, 8009). */
uint32_t mm_plain_length(const struct mm_cred *cred);

#endif
