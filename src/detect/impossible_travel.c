/* impossible-travel (OAU-02): one user is let in from two places between which nobody travels in that time.
 *
 * Places by the operator's database (options geo.places, geo.systems); without one nothing is said. Two accepted uses, by
 * passwords or by tokens that were seen issued or whose signature is right, 500 km apart at least beyond the radius in which
 * each address is, faster than an airliner, the second from a network that is new to the user. ATT&CK T1078.004.
 *
 * Benign: VPNs, and clouds and proxies that act for users. A network that many users share is judged by how they come and
 * go: where that is too fast as a rule, it says nothing. */
#include "detect/detect.h"

#include <stdio.h>

enum { F_K, F_N, F_NEW_NETWORK, F_NEW_N, F_WAYS, F_AGENT, F_MINUTES, F_KM };

static void place_text(const struct mm_addr *addr, const char *place, char out[MM_NAME_TEXT])
{
	char text[MM_ADDR_TEXT];
	snprintf(out, MM_NAME_TEXT, "%s%s%s%s", mm_addr_text(addr, text),
	        place[0] != '\0' ? " (" : "", place, place[0] != '\0' ? ")" : "");
}

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_travel *travel = &seen->travel;
	char subject[MM_SUBJECT_TEXT], user[MM_NAME_TEXT], issuer[MM_NAME_TEXT];
	if (travel->key == 0 || !travel->too_fast)
		return;
	mm_name_copy(user, travel->user);
	mm_name_copy(issuer, travel->issuer);
	snprintf(subject, sizeof subject, "user %.90s of %.110s", user, issuer);
	bool fresh = mm_detect_find_about(d, &mm_impossible_travel, subject) == NULL;
	struct mm_finding *f = mm_detect_open_about(d, &mm_impossible_travel, seen->ev, subject);
	if (f == NULL)
		return;
	f->facts.n_uses++;
	f->facts.n_accepted++;
	mm_finding_use(f, seen->ev, seen->proof != NULL ? seen->proof->cred : NULL, NULL);
	if (!fresh)
		return;
	uint64_t *counts = f->facts.counts;
	memcpy(f->facts.user, user, sizeof user);
	memcpy(f->facts.issuer, issuer, sizeof issuer);
	counts[F_K] = travel->k;
	counts[F_N] = travel->n;
	counts[F_NEW_NETWORK] = travel->new_network;
	counts[F_NEW_N] = travel->n_new;
	counts[F_WAYS] = travel->n_all;
	counts[F_AGENT] = travel->other_agent;
	counts[F_MINUTES] = (uint64_t)(travel->hours * 60);
	counts[F_KM] = (uint64_t)travel->km;
	place_text(&travel->from, travel->from_place, f->facts.other);
	place_text(&travel->to, travel->to_place, f->facts.service);
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	(void)d;
	mm_finding_reset(f, MM_W_PRIOR_STOLEN);
	mm_finding_add(f, MM_W_TRAVEL,
	        mm_weigh(MM_W_TRAVEL, (double)counts[F_K], (double)counts[F_N]),
	        "let in from %s, and %llu min later from %s, %llu km away; %llu of %llu ways to "
	        "networks new to their user were so fast",
	        f->facts.other, (unsigned long long)counts[F_MINUTES], f->facts.service,
	        (unsigned long long)counts[F_KM], (unsigned long long)counts[F_K],
	        (unsigned long long)counts[F_N]);
	if (counts[F_NEW_NETWORK])
		mm_finding_add(f, MM_W_TRAVEL_NEW,
		        mm_weigh(MM_W_TRAVEL_NEW, (double)counts[F_NEW_N], (double)counts[F_WAYS]),
		        "nobody was let in from that network before; %llu of %llu such ways led to "
		        "one",
		        (unsigned long long)counts[F_NEW_N], (unsigned long long)counts[F_WAYS]);
	if (counts[F_AGENT])
		mm_finding_add(f, MM_W_TRAVEL_AGENT, mm_weigh_p(MM_W_TRAVEL_AGENT, 0),
		        "with other software");
}

static const char *const alternatives[] = {
	"a VPN or proxy that was not used before, or a cloud that acts for the user",
	"an address that is elsewhere than the database says",
	NULL,
};

const struct mm_detector mm_impossible_travel = {
	.name = "impossible-travel",
	.id = "OAU-02",
	.technique = "T1078.004",
	.technique_name = "Cloud Accounts",
	.help = "a user is let in from two places between which nobody travels in that time",
	.meaning = "Somebody else has the user's password or token.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
