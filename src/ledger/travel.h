/* Where users are: from which places each was let in, and whether anybody could have gone from one to the next.
 *
 * Two uses by one user, each accepted, of which the second comes sooner than an airliner could have brought him: one of the
 * two is not he, or one of the two networks is not where its users are, as behind a VPN. Which networks those are shows in
 * how their users come and go, which is counted. Nothing is known of places without a database of them (geo/geo.h). */
#ifndef MM_LEDGER_TRAVEL_H
#define MM_LEDGER_TRAVEL_H

#include "base/store.h"
#include "base/table.h"
#include "event/event.h"

enum {
	MM_TRAVELLERS_MAX = 65536,
	MM_WAYS_MAX = 32768,
	MM_TRAVEL_NETWORKS = 6, /* kept of each user, the latest */
	MM_TRAVEL_PLACE = 48,
	MM_WAY_USERS = 3, /* so many users make a network a shared one */
};

/** A user, as far as places are known. */
struct mm_traveller {
	uint64_t key; /* hash of issuer or realm, and name */
	int64_t last_ns;
	double lat, lon, radius_km;
	struct mm_addr last; /* the address */
	char place[MM_TRAVEL_PLACE];
	uint64_t agent; /* hash of the software seen there; 0: none */
	uint32_t n_networks;
	struct mm_addr networks[MM_TRAVEL_NETWORKS];
};

/** A network, by how users leave it for others, and come. */
struct mm_way {
	struct mm_addr network; /* key */
	uint32_t n_users;
	uint64_t users[MM_WAY_USERS];
	uint64_t n, n_too_fast;
};

/** What an event says of its user's way. */
struct mm_travel {
	bool too_fast; /* and to a network that is new to him */
	bool other_agent;
	bool new_network; /* that nobody used before */
	double km, hours; /* between the circles in which the two are, at least */
	struct mm_addr from, to;
	char from_place[MM_TRAVEL_PLACE],
	        to_place[MM_TRAVEL_PLACE]; /* as they are called; "" not known */
	struct mm_str user, issuer;
	uint64_t k,
	        n; /* ways to networks that are new to their user, and how many of them were too fast: here or, where one of
	                  the two networks is a shared one, there, whichever is more */
	uint64_t n_new,
	        n_all; /* of all such ways: those to networks that nobody used before; all */
	uint64_t key;
};

struct mm_travels {
	struct mm_table travellers, ways;
	uint64_t n, n_too_fast, n_new; /* ways to networks that were new to their user */
};

struct mm_ledger;
struct mm_look;

void mm_travels_init(struct mm_travels *t, const struct mm_hash_key *key);
void mm_travels_done(struct mm_travels *t);

/** Before detectors look, and after the credentials shown were looked at. travel->key is 0 where the event says nothing. */
void mm_travels_look(
        const struct mm_ledger *l, const struct mm_look *look, struct mm_travel *travel);

/** After that: take it down. trusted: as mm_ledger_settle(); what is not says nothing of where users are. */
void mm_travels_settle(struct mm_ledger *l, const struct mm_look *look, bool trusted);

void mm_travels_save(const struct mm_travels *t, struct mm_store *out);
int mm_travels_load(struct mm_travels *t, struct mm_cursor *in) MM_MUST_CHECK;

#endif
