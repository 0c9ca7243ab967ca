/* What is ordinary here: counts of what issuers put into credentials and how clients ask for them.
 *
 * Learnt from issued credentials only, so that what a forger presents never becomes the norm. A count stands
 * for distinct credentials. */
#ifndef MM_LEDGER_BASELINE_H
#define MM_LEDGER_BASELINE_H

#include "base/table.h"

enum mm_trait {
	MM_TRAIT_KVNO,
	MM_TRAIT_ETYPE,
	MM_TRAIT_NAME_TYPE,
	MM_TRAIT_REALM_FORM,   /* the issuer's name as spelled */
	MM_TRAIT_REPLY_ETYPE,  /* etype of the reply's own enc-part */
	MM_TRAIT_STACK,        /* habits of the client in TGS-REQs */
	MM_TRAIT_SERVICE_FORM, /* a host's services as spelled */
	MM_TRAIT_TGS_ERROR,    /* code of a KDC's error to a TGS-REQ; 0: none */
	MM_TRAIT_HOST_OBTAINS, /* of credentials presented: 1 those whose host obtains in view, 0 the others */
	MM_TRAIT_LATEST_TGT, /* of TGTs presented: 1 those their client obtained last, 0 the others */
	MM_TRAIT_TGT_FORM,   /* the service of TGTs as spelled */
	MM_TRAIT_TGT_LENGTH,   /* of one user's TGTs: lengths of what is encrypted */
	MM_TRAIT_TGT_STEP,     /* how much longer a TGT is than the one its user obtained before */
	MM_TRAIT_TGT_STEP_OWN, /* the same, without those that were forwarded to another host */
	MM_TRAIT_USER_SPELLED, /* of one user's TGTs: the user's name as spelled */
	MM_TRAIT_USER_FORM, /* of TGTs issued: 1 those whose user's name was spelled otherwise before, 0 the others */
	MM_TRAIT_FORWARDED_NTH, /* of forwarded TGTs shown: which of its host it is, 1, 2, or 3 for more */
	MM_TRAIT_TGT_HERE, /* TGTs of one user obtained by one host */
	MM_TRAIT_USER_NTH, /* of TGTs issued: which of its user it is, 1, 2 or 3 for all later ones */
	MM_TRAIT_HERE_NTH,   /* the same, of its user on that host */
	MM_TRAIT_CLAIMS,     /* of an application's tokens: names and types of claims, in order */
	MM_TRAIT_CLAIMS_NTH, /* of tokens issued: which with its claims it is, 1, 2, or 3 for more */
	MM_TRAIT_ALG,        /* of an issuer's tokens: alg */
	MM_TRAIT_AUD_AT,     /* of tokens accepted by a server: aud */
	MM_TRAIT_MOVED, /* of an application's tokens shown: 1 those that moved to other software elsewhere, 2 those shown in turns by the same, 3 those shown by several kinds in one network, 0 all */
	MM_TRAIT_EXPIRED_AT, /* of tokens accepted by a server from whom they were issued to: 1 those that had expired, 0 all */
	MM_TRAIT_CERT, /* of uses of certificate-bound tokens that a server accepted: 1 with the certificate, 0 without */
	MM_TRAIT_APP_NTH, /* of tokens obtained: which of its application it is, 1, 2, or 3 for more */
	MM_TRAIT_PLACE_NTH, /* the same, of the network it was obtained from */
	MM_TRAIT_N,
};

/** Where in the tables what was counted lately is. */
struct mm_baseline_near {
	uint32_t total, count; /* numbers; 0: not known */
};

enum {
	MM_BASELINE_NEAR = 32768, /* powers of two */
	MM_BASELINE_NEAR_LENGTHS = 4096,
};

struct mm_baseline {
	struct mm_table totals;  /* (trait, issuer, scope), and the value of it seen first */
	struct mm_table counts;  /* (trait, issuer, scope, value) of the other values */
	struct mm_table lengths; /* (issuer, scope) */
	/* One ticket is counted some twenty times, and the next one much like it: found without a search. */
	struct mm_baseline_near near[MM_BASELINE_NEAR];
	uint32_t near_lengths[MM_BASELINE_NEAR_LENGTHS];
};

/** How often a value was seen, out of how many. */
struct mm_share {
	uint64_t k, n;
	int64_t latest; /* the value seen last; 0 when n is 0 */
};

enum { MM_LENGTH_SAMPLES = 64 };

/** Where a length lies among those seen. */
struct mm_length_rank {
	uint64_t n;        /* lengths seen */
	uint32_t min, max; /* of them */
	uint32_t margin;   /* how far outside [min, max] is still ordinary, from their spread */
	uint32_t n_beyond; /* of the kept samples: as far out on the same side */
	uint32_t n_samples;
	double margins; /* how far beyond min or max, in margins; 0 inside */
};

void mm_baseline_init(struct mm_baseline *b, const struct mm_hash_key *key, size_t max);
void mm_baseline_done(struct mm_baseline *b);

/** Count one more value. issuer: number of its name; scope: what the trait belongs to (a name's number, a class). */
void mm_baseline_count(
        struct mm_baseline *b, enum mm_trait trait, uint32_t issuer, uint32_t scope, int64_t value);
/** The chance that the next one is of a kind not seen before, where value 1 counts the first of each kind and value
 * 2 the second: those seen once, among all (Good-Turing). k: seen once, n: all. */
struct mm_share mm_baseline_once(
        const struct mm_baseline *b, enum mm_trait trait, uint32_t issuer, uint32_t scope);

struct mm_share mm_baseline_share(const struct mm_baseline *b, enum mm_trait trait, uint32_t issuer,
        uint32_t scope, int64_t value);

void mm_baseline_length(struct mm_baseline *b, uint32_t issuer, uint32_t scope, uint32_t length);
struct mm_length_rank mm_baseline_length_rank(
        const struct mm_baseline *b, uint32_t issuer, uint32_t scope, uint32_t length);

/** Write it down; read it again into an empty one. MM_ERR_CORRUPT, MM_ERR_NOMEM. */
void mm_baseline_save(const struct mm_baseline *b, struct mm_store *out);
int mm_baseline_load(struct mm_baseline *b, struct mm_cursor *in) MM_MUST_CHECK;

/** From one value to another; what has no place in 64 bits, which a made-up snapshot can bring about, is the farthest there is. */
static inline int64_t mm_step(int64_t from, int64_t to)
{
	int64_t step;
	if (!__builtin_sub_overflow(to, from, &step))
		return step;
	return to > from ? INT64_MAX : INT64_MIN;
}

#endif
