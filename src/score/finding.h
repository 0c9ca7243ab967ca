/* A finding: one anomaly, rooted in one credential, with the evidence that makes and unmakes it.
 *
 * Facts are gathered event by event; the evidence is worked out anew from the facts and what is ordinary
 * by now, so a finding can be weighed again at any time. */
#ifndef MM_SCORE_FINDING_H
#define MM_SCORE_FINDING_H

#include "base/table.h"
#include "event/event.h"
#include "ledger/ledger.h"
#include "score/weights.h"

struct mm_detector;

enum {
	MM_FINDING_EVIDENCE = 16,
	MM_FINDING_USES = 24,
	MM_FINDING_PKTS = 12,
	MM_EVIDENCE_PKTS = 4,
	MM_EVIDENCE_TEXT = 320,
	MM_NAME_TEXT = 128,
	MM_SUBJECT_TEXT = 256,
	MM_FACT_COUNTS = 16,
};

struct mm_evidence {
	enum mm_weight_id weight_id;
	double weight; /* decibans */
	char what[MM_EVIDENCE_TEXT];
	struct mm_pkt pkts[MM_EVIDENCE_PKTS];
	size_t n_pkts;
};

/** One use of the root credential, or of one obtained with it. */
struct mm_use {
	struct mm_fp shown, obtained; /* obtained: zero when it yielded no credential */
	int64_t time_ns;
	struct mm_addr client, server;
	uint16_t server_port;
	const char *protocol, *action;
	enum mm_outcome outcome;
	struct mm_status status;
	char service[MM_NAME_TEXT]; /* of the credential shown, or obtained */
	char user[MM_NAME_TEXT];
	struct mm_pkt pkt;
	uint32_t n; /* how often the same thing was seen */
};

/** What the anomaly is about, kept as it was first seen. */
struct mm_facts {
	struct mm_fp
	        fp; /* of the credential; of a finding about somebody or something else: of its subject */
	char subject
	        [MM_SUBJECT_TEXT]; /* what it is about when that is no credential: "application x of y"; else "" */
	uint64_t counts[MM_FACT_COUNTS]; /* for the detector: what it counted */
	struct mm_token_facts token;
	enum mm_cred_kind kind;
	enum mm_cred_role role;
	char issuer[MM_NAME_TEXT], service[MM_NAME_TEXT];
	char user[MM_NAME_TEXT]; /* whom it speaks for, "" when the wire does not tell */
	char other
	        [MM_NAME_TEXT]; /* what it should have been: cname or sname recorded at issuance */
	int64_t kvno;
	int32_t alg, name_type;
	uint32_t length;
	struct mm_addr client, server;
	uint16_t server_port;
	int64_t first_ns, last_ns;
	struct mm_miss miss; /* at first sight */
	enum mm_blind blind;
	uint64_t stack;         /* of the request that carried it; 0: none */
	int32_t reply_alg;      /* etype of the first reply to it; 0: none */
	uint64_t n_versions;    /* tickets whose version was known when it was first shown */
	uint32_t kdc_error;     /* first error the KDC gave to it; 0: none */
	uint32_t service_error; /* the service could not read it: its error; 0: none */
	uint32_t flags;         /* of the first event */
	bool latest_unused;     /* its client had a TGT on that host, not used until then */
	bool claimed;           /* some host issued it that only its own client uses as a KDC */
	uint64_t n_uses, n_accepted, n_refused;
};

struct mm_finding_key {
	struct mm_fp root;
	uint32_t detector; /* its index in mm_detectors */
	uint32_t unused;
};

struct mm_finding {
	struct mm_finding_key key;
	const struct mm_detector *detector;
	struct mm_facts facts;
	char event_id[24];
	struct mm_pkt pkts[MM_FINDING_PKTS];
	size_t n_pkts;
	uint64_t n_pkts_more;
	struct mm_use uses[MM_FINDING_USES];
	size_t n_uses;
	uint64_t n_uses_more; /* that did not fit */
	char community_id[MM_CID_TEXT];
	const char *protocol, *transport;
	struct mm_endpoint src, dst;
	/* worked out by weighing: */
	double prior, score, probability;
	enum mm_band band;
	struct mm_evidence evidence[MM_FINDING_EVIDENCE];
	size_t n_evidence;
	unsigned told;        /* 1 + the band it was told in while watching; 0: not told */
	bool bare;            /* no evidence but the missing issuance: listed, not reported */
	const char *unscored; /* why a bare one says nothing yet; NULL when it is scored */
};

/** Start over: no evidence, the score at the prior. */
void mm_finding_reset(struct mm_finding *f, enum mm_weight_id prior);

/** Add a piece of evidence and its weight, rounded to 0.1 so that what is printed adds up; what is a printf format. Packets are the finding's first ones. */
void mm_finding_add(struct mm_finding *f, enum mm_weight_id id, double weight_db, const char *what,
        ...) __attribute__((format(printf, 4, 5)));

/** Sum up: score, probability, band. */
void mm_finding_sum(struct mm_finding *f);

/** Note a use and its packets. shown: NULL when the event shows no credential. */
void mm_finding_use(struct mm_finding *f, const struct mm_event *ev, const struct mm_cred *shown,
        const struct mm_cred *obtained);

/** Most serious first: by score, then time, then fingerprint. For qsort over pointers. */
int mm_finding_cmp(const void *a, const void *b);

/** Write one down, but for its detector. */
void mm_finding_save(const struct mm_finding *f, struct mm_store *out);

/** What reading findings needs. */
struct mm_finding_reader {
	/** Reads a word; what it returns must outlive the finding. */
	const char *(*word)(void *arg, struct mm_cursor *in);
	void *arg;
	struct mm_file_map *files;
};

/** Read one into a zeroed finding; the cursor is failed when that is none. It has no evidence until it is weighed. */
void mm_finding_load(struct mm_finding *f, struct mm_cursor *in, struct mm_finding_reader *r);

/** Copy a name for printing, cut where it is longer: bytes that are not printable ASCII become '?'. */
void mm_name_copy(char out[MM_NAME_TEXT], struct mm_str s);

#endif
