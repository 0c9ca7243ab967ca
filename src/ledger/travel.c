/* Users' ways: what is too fast, and for which networks that is usual. */
#include "ledger/travel.h"

#include <stdio.h>

#include "geo/geo.h"
#include "ledger/ledger.h"

/* An airliner's speed, and how far one must be apart that the error of places and the time of a use do not matter. */
#define FAST_KM_PER_H 900.0
#define FAR_KM        500.0

void mm_travels_init(struct mm_travels *t, const struct mm_hash_key *key)
{
	*t = (struct mm_travels){ 0 };
	mm_table_init(&t->travellers, key, sizeof(uint64_t), sizeof(struct mm_traveller),
	        MM_TRAVELLERS_MAX);
	mm_table_init(&t->ways, key, sizeof(struct mm_addr), sizeof(struct mm_way), MM_WAYS_MAX);
}

void mm_travels_done(struct mm_travels *t)
{
	mm_table_done(&t->travellers);
	mm_table_done(&t->ways);
}

static uint64_t hash_of(const struct mm_ledger *l, struct mm_str s)
{
	return mm_siphash(&l->attempts.key, s.p, s.len);
}

/* Who was let in here in person: by a token of his own, or by a password. Services act for users from where they stand: what
 * they exchange or redeem says nothing of the user, nor do an application's own tokens. And servers that do not look at a token
 * take any: only one that was seen issued, or whose signature is right, says who it is. */
static bool read_user(const struct mm_look *look, struct mm_travel *travel)
{
	const struct mm_event *ev = look->ev;
	const struct mm_sighting *proof = look->proof;
	if (ev->meaning == MM_MEANING_PASSWORD_RIGHT) {
		travel->user = ev->user;
		travel->issuer = ev->user_realm;
		return travel->user.len != 0;
	}
	if (ev->kind != MM_EV_PRESENT || ev->outcome != MM_SUCCESS || proof == NULL ||
	        proof->cred->kind != MM_CRED_ACCESS_TOKEN)
		return false;
	const struct mm_cred *shown = proof->cred;
	enum mm_verdict3 verdict = proof->token != NULL ? proof->token->verdict : MM_CANNOT_TELL;
	bool vouched = verdict == MM_VALID ||
	               (verdict == MM_CANNOT_TELL && (proof->row->flags & MM_ROW_ISSUED));
	if (!vouched || mm_str_eq(shown->principal, shown->client) || mm_apps_own_token(shown))
		return false;
	travel->user = shown->principal;
	travel->issuer = shown->issuer;
	return travel->user.len != 0 && travel->issuer.len != 0;
}

static void place_text(const struct mm_geo_place *geo, char out[MM_TRAVEL_PLACE])
{
	const int city_max = 40;
	int n = (int)strnlen(geo->city, (size_t)city_max + 1);
	/* No half of a character of UTF-8 is left at the end. */
	for (n = n > city_max ? city_max : n; n > 0 && (geo->city[n] & 0xc0) == 0x80;)
		n--;
	snprintf(out, MM_TRAVEL_PLACE, "%.*s%s%s", n, geo->city,
	        geo->city[0] != '\0' && geo->country[0] != '\0' ? ", " : "", geo->country);
}

static bool knows(const struct mm_traveller *who, const struct mm_addr *network)
{
	for (uint32_t i = 0; i < who->n_networks && i < MM_TRAVEL_NETWORKS; i++)
		if (mm_addr_eq(&who->networks[i], network))
			return true;
	return false;
}

/* How usual it is to be too fast: of a network that many share, by itself. */
static void take_share(
        const struct mm_ledger *l, const struct mm_addr *network, struct mm_travel *travel)
{
	const struct mm_way *way = mm_table_find(&l->travels.ways, network);
	if (way == NULL || way->n_users < MM_WAY_USERS || way->n == 0)
		return;
	if ((double)way->n_too_fast / (double)way->n >
	        (double)travel->k / (double)(travel->n + 1)) {
		travel->k = way->n_too_fast;
		travel->n = way->n;
	}
}

void mm_travels_look(
        const struct mm_ledger *l, const struct mm_look *look, struct mm_travel *travel)
{
	const struct mm_event *ev = look->ev;
	bool copy = look->proof != NULL && look->proof->copy;
	*travel = (struct mm_travel){ .to = *mm_event_client(ev) };
	if (ev->geo == NULL || !ev->geo->located || copy || mm_tokens_by_proxy(l, ev) ||
	        !read_user(look, travel))
		return;
	place_text(ev->geo, travel->to_place);
	uint64_t ids[2] = { hash_of(l, travel->issuer), hash_of(l, travel->user) };
	travel->key = mm_siphash(&l->attempts.key, ids, sizeof ids) | 1;
	struct mm_addr to = mm_addr_network(&travel->to);
	const struct mm_way *way = mm_table_find(&l->travels.ways, &to);
	travel->new_network = way == NULL;
	const struct mm_traveller *who = mm_table_find(&l->travels.travellers, &travel->key);
	if (who == NULL || knows(who, &to) || ev->time_ns < who->last_ns)
		return;
	double km = mm_geo_km(who->lat, who->lon, ev->geo->lat, ev->geo->lon) - who->radius_km -
	            ev->geo->radius_km;
	double hours = (double)(ev->time_ns - who->last_ns) / 3.6e12;
	travel->too_fast = km > FAR_KM && km > FAST_KM_PER_H * hours;
	travel->km = km;
	travel->hours = hours;
	travel->from = who->last;
	snprintf(travel->from_place, sizeof travel->from_place, "%s", who->place);
	uint64_t agent = mm_tokens_agent(ev);
	travel->other_agent = agent != 0 && who->agent != 0 && agent != who->agent;
	travel->k = l->travels.n_too_fast;
	travel->n = l->travels.n;
	travel->n_new = l->travels.n_new;
	travel->n_all = l->travels.n;
	struct mm_addr from = mm_addr_network(&travel->from);
	take_share(l, &from, travel);
	take_share(l, &to, travel);
}

static void count_user(struct mm_way *way, uint64_t user)
{
	for (uint32_t i = 0; i < way->n_users; i++)
		if (way->users[i] == user)
			return;
	if (way->n_users < MM_WAY_USERS)
		way->users[way->n_users++] = user;
}

void mm_travels_settle(struct mm_ledger *l, const struct mm_look *look, bool trusted)
{
	const struct mm_event *ev = look->ev;
	const struct mm_travel *travel = &look->travel;
	struct mm_travels *t = &l->travels;
	bool fresh;
	if (travel->key == 0 || !trusted)
		return;
	struct mm_addr to = mm_addr_network(&travel->to), from = mm_addr_network(&travel->from);
	struct mm_way *way = mm_table_put(&t->ways, &to, NULL);
	if (way == NULL)
		return;
	count_user(way, travel->key);
	struct mm_traveller *who = mm_table_put(&t->travellers, &travel->key, &fresh);
	if (who == NULL || ev->time_ns < who->last_ns)
		return;
	if (!fresh && !knows(who, &to)) {
		struct mm_way *left = mm_table_find(&t->ways, &from);
		t->n++;
		t->n_too_fast += travel->too_fast;
		t->n_new += travel->new_network;
		way->n++;
		way->n_too_fast += travel->too_fast;
		if (left != NULL) {
			left->n++;
			left->n_too_fast += travel->too_fast;
		}
	}
	if (!knows(who, &to))
		who->networks[who->n_networks++ % MM_TRAVEL_NETWORKS] = to;
	who->last_ns = ev->time_ns;
	who->last = travel->to;
	who->lat = ev->geo->lat;
	who->lon = ev->geo->lon;
	who->radius_km = ev->geo->radius_km;
	place_text(ev->geo, who->place);
	uint64_t agent = mm_tokens_agent(ev);
	who->agent = agent != 0 ? agent : who->agent;
}

/* --- state ----------------------------------------------------------------------------------------- */

static void save_traveller(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_traveller *who = elem;
	(void)arg;
	mm_store_u64(out, who->key);
	mm_store_u64(out, (uint64_t)who->last_ns);
	mm_store_double(out, who->lat);
	mm_store_double(out, who->lon);
	mm_store_double(out, who->radius_km);
	mm_store_text(out, who->place, strlen(who->place));
	mm_store_addr(out, &who->last);
	mm_store_u64(out, who->agent);
	mm_store_u32(out, who->n_networks);
	for (size_t i = 0; i < MM_TRAVEL_NETWORKS; i++)
		mm_store_addr(out, &who->networks[i]);
}

static void load_traveller(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_traveller *who = elem;
	(void)arg;
	who->key = mm_le64(in);
	who->last_ns = mm_load_time(in);
	who->lat = mm_load_double(in, -90, 90);
	who->lon = mm_load_double(in, -180, 180);
	who->radius_km = mm_load_double(in, 0, 1e5);
	struct mm_slice place = mm_load_text(in, sizeof who->place - 1);
	if (place.len != 0)
		memcpy(who->place, place.p, place.len);
	who->last = mm_load_addr(in);
	who->agent = mm_le64(in);
	who->n_networks = mm_le32(in);
	for (size_t i = 0; i < MM_TRAVEL_NETWORKS; i++)
		who->networks[i] = mm_load_addr(in);
}

static void save_way(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_way *way = elem;
	(void)arg;
	mm_store_addr(out, &way->network);
	mm_store_u32(out, way->n_users);
	for (size_t i = 0; i < MM_WAY_USERS; i++)
		mm_store_u64(out, way->users[i]);
	mm_store_u64(out, way->n);
	mm_store_u64(out, way->n_too_fast);
}

static void load_way(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_way *way = elem;
	(void)arg;
	way->network = mm_load_addr(in);
	way->n_users = mm_load_u32(in, MM_WAY_USERS);
	for (size_t i = 0; i < MM_WAY_USERS; i++)
		way->users[i] = mm_le64(in);
	way->n = mm_le64(in);
	way->n_too_fast = mm_le64(in);
}

void mm_travels_save(const struct mm_travels *t, struct mm_store *out)
{
	mm_store_u64(out, t->n);
	mm_store_u64(out, t->n_too_fast);
	mm_store_u64(out, t->n_new);
	mm_table_save(&t->travellers, out, save_traveller, NULL);
	mm_table_save(&t->ways, out, save_way, NULL);
}

int mm_travels_load(struct mm_travels *t, struct mm_cursor *in)
{
	int r;
	t->n = mm_le64(in);
	t->n_too_fast = mm_le64(in);
	t->n_new = mm_le64(in);
	if ((r = mm_table_load(&t->travellers, in, load_traveller, NULL)) != MM_OK ||
	        (r = mm_table_load(&t->ways, in, load_way, NULL)) != MM_OK)
		return r;
	mm_table_shrink(&t->travellers);
	mm_table_shrink(&t->ways);
	return mm_end(in) ? MM_OK : MM_ERR_CORRUPT;
}
