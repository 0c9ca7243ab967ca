/* The numbers of the house. */
#include "score/weights.h"

#include <math.h>

/* Sources. TOOLS is what forging tools write: ticketer.py (impacket) as seen in the lab; mimikatz and Rubeus as their
 * source and reports tell it, for none of their tickets was captured. RFC and MS- documents are named. "assumed" is an
 * estimate. FITTED rows were moved until the shipped captures fell into the bands they should: those captures cannot
 * test them (docs/scoring.md). P(E|H) bounds: h_max is how rare the protocol makes it before anything is learnt, h_min
 * the honest accidents that no amount of learning rules out. */
/* clang-format off */
static const struct mm_weight weights[MM_W_N] = {
	[MM_W_PRIOR_FORGED] = { "prior-forged", 1, 1, 1, -40,
		"assumed: one presented credential in 10,000 whose provenance is in question is forged" },
	[MM_W_ORPHAN] = { "never-issued", 1, 1e-5, 1, 50,
		"P(E|F) is 1 by definition; P(E|H) is the miss rate m measured by the ledger" },
	[MM_W_CLAIMED] = { "staged-kdc", 1, 0.1, 1, 10,
		"as never-issued, but one in ten such hosts is taken for a KDC that came into view (assumed)" },
	[MM_W_KVNO_2] = { "kvno-tool-2", 0.5, 1e-4, 5e-4, 35,
		"FITTED bounds; TOOLS: ticketer.py and mimikatz write kvno 2; h_max: two rekeys within one ticket's life (MS-KILE 3.1.5.8), assumed" },
	[MM_W_KVNO_3] = { "kvno-tool-3", 0.2, 1e-4, 5e-4, 35,
		"TOOLS: Rubeus writes kvno 3; h_max as for kvno-tool-2" },
	[MM_W_KVNO_OTHER] = { "kvno-other", 0.1, 1e-4, 2e-3, 30,
		"assumed: a tenth of forgers set another wrong kvno or none; h_max as for kvno-tool-2, RODCs allowed for" },
	[MM_W_KVNO_TGT_2] = { "kvno-tgt-2", 0.5, 1e-5, 5e-5, 40,
		"FITTED; TOOLS: ticketer.py and mimikatz write kvno 2; h_max: krbtgt is changed twice within ten hours only after a break-in (one realm in 100 a year, assumed)" },
	[MM_W_KVNO_TGT_3] = { "kvno-tgt-3", 0.2, 1e-5, 5e-5, 40,
		"TOOLS: Rubeus writes kvno 3; h_max as for kvno-tgt-2" },
	[MM_W_KVNO_TGT_NEIGHBOUR] = { "kvno-tgt-neighbour", 0.5, 2.5e-3, 0.02, 20,
		"as the tools' constants; h_min: krbtgt is changed twice a year at best, tickets of the key before live 10 h" },
	[MM_W_KVNO_AHEAD] = { "kvno-ahead", 0.2, 2e-5, 1e-4, 35,
		"FITTED; as kvno-tool-3; a version still to come when others were issued later: a rekey within minutes, replicated to a KDC out of view alone (assumed)" },
	[MM_W_KVNO_MACHINE] = { "kvno-machine", 0.5, 5e-3, 0.02, 15,
		"assumed: services of one machine mostly share its account, but some run under their own" },
	[MM_W_KVNO_NEIGHBOUR] = { "kvno-neighbour", 0.3, 0.014, 0.02, 14,
		"FITTED; one off the current version is what a rekey leaves: machine keys change every 30 days, tickets live 10 h" },
	[MM_W_KVNO_NEIGHBOUR_2] = { "kvno-neighbour-2", 0.5, 0.014, 0.02, 16,
		"FITTED; as kvno-neighbour, where it is the 2 that ticketer.py and mimikatz write" },
	[MM_W_ETYPE_TGT] = { "etype-tgt", 0.3, 1e-3, 0.02, 30,
		"assumed: three forgers in ten sign with the NT hash; h_max: krbtgt tickets use its strongest key (MS-KILE 3.3.5.3)" },
	[MM_W_ETYPE_SERVICE] = { "etype-service", 0.4, 2e-3, 0.5, 25,
		"assumed: four silver tickets in ten use the NT hash; honest services mix etypes, so only counting bounds it" },
	[MM_W_LENGTH] = { "length", 0.9, 1e-3, 0.5, 28,
		"FITTED; TOOLS: PACs made by ticketer.py lack buffers that KDCs put in (MS-PAC 2.4)" },
	[MM_W_LENGTH_OWN] = { "length-of-user", 0.6, 0.01, 0.5, 15,
		"FITTED; assumed: six forged TGTs in ten are not as long as the user's own; h_min: one in 100 comes after a change of the user's groups" },
	[MM_W_LENGTH_USUAL] = { "length-of-user-usual", 0.15, 0.9, 0.9, 0,
		"FITTED; the other side of length-of-user: a TGT copied whole or edited in place is as long as the user's own (assumed 0.15)" },
	[MM_W_NAME_TYPE_TGT] = { "name-type-tgt", 0.4, 2e-3, 0.05, 25,
		"TOOLS: ticketer.py writes NT-PRINCIPAL for krbtgt; KDCs copy the request's NT-SRV-INST (RFC 4120 6.2)" },
	[MM_W_NAME_TYPE_SERVICE] = { "name-type-service", 0.4, 5e-3, 0.5, 15,
		"TOOLS: as above; honest clients differ (NT-SRV-INST, NT-SRV-HST, NT-PRINCIPAL), so only counting bounds it" },
	[MM_W_REALM_FORM] = { "realm-form", 0.15, 1e-3, 0.02, 25,
		"TOOLS: the realm is typed by hand; KDCs write it in one form (RFC 4120 6.1)" },
	[MM_W_TGT_FORM] = { "krbtgt-form", 0.15, 1e-3, 0.02, 25,
		"TOOLS: Rubeus and mimikatz write krbtgt/ as the operator typed the realm; bounds as for realm-form" },
	[MM_W_SERVICE_FORM] = { "service-form", 0.3, 1e-2, 0.5, 8,
		"assumed: three forgers in ten name a service that nobody here asks for in that form" },
	[MM_W_REPLY_ETYPE] = { "reply-etype", 0.3, 1e-3, 0.05, 25,
		"the reply is sealed with the TGT's session key (RFC 4120 3.3.3): RC4 there shows how the TGT was made" },
	[MM_W_STACK_WARM_UP] = { "client-stack-warm-up", 0.7, 5e-3, 0.5, 16,
		"as client-stack, where never-issued weighs nothing yet and so nothing is counted twice" },
	[MM_W_STACK] = { "client-stack", 0.7, 5e-3, 0.5, 12,
		"FITTED; assumed: seven in ten forgers use software that no honest host here uses; capped: odd hosts are out of sight more often" },
	[MM_W_NEVER_OBTAINED] = { "never-obtained", 0.6, 0.01, 0.5, 13,
		"FITTED; assumed: six in ten forgers work from a host with no honest logon; capped: it shares its cause with never-issued" },
	[MM_W_HOST_OBTAINS] = { "host-obtains", 0.4, 0.02, 1, 0,
		"the other side of never-obtained: four in ten forgers work from a host with honest logons" },
	[MM_W_USER_FORM] = { "user-form", 0.2, 0.01, 0.5, 10,
		"FITTED; assumed: two forgers in ten type the user's name in other letters than the KDC knows it by; people do so too, which is counted" },
	[MM_W_USER_NEW] = { "user-never-seen", 0.4, 0.01, 0.5, 13,
		"assumed: four in ten forgers act as a user who never logs on in view; P(E|H): share of users seen once (Good-Turing); capped as never-obtained" },
	[MM_W_USER_NEW_HERE] = { "user-new-here", 0.8, 0.01, 0.5, 13,
		"assumed: eight in ten forgers act as a user who does not work on that host; P(E|H): share of (user, host) seen once (Good-Turing)" },
	[MM_W_USER_KNOWN_HERE] = { "user-known-here", 0.2, 0.95, 0.95, 0,
		"the other side of user-new-here" },
	[MM_W_LATEST_TGT] = { "latest-unused", 0.4, 5e-3, 0.3, 18,
		"FITTED; a TGT opened and sealed anew leaves the honest one unused; clients use the TGT they obtained last (assumed 0.3)" },
	[MM_W_KDC_REFUSED] = { "kdc-refused", 0.25, 1e-3, 3e-3, 20,
		"FITTED; assumed: a quarter of forged TGTs are refused: no such client, TGT revoked, bad integrity, modified, bad key version" },
	[MM_W_KDC_EXPIRED] = { "kdc-expired", 0.01, 0.3, 0.3, 0,
		"assumed: forged tickets are made to last, old honest ones run out and are older than what was watched" },
	[MM_W_SERVICE_REFUSED] = { "service-refused", 0.15, 0.01, 0.01, 12,
		"FITTED; assumed: three silver tickets in twenty meet no key or the wrong one; one honest ticket in 100 a service that lost its key" },
	[MM_W_SPN_SUBSTITUTION] = { "sname-changed", 1, 3e-6, 0.5, 60,
		"clients copy Ticket.sname (RFC 4120 3.3.1): no honest break seen; 3e-6: assumed, an aliasing client not yet known" },
	[MM_W_CNAME_BREAK] = { "cname-changed", 1, 3e-6, 3e-6, 60,
		"the KDC copies cname from the TGT (RFC 4120 3.3.3); 3e-6: assumed, canonicalisation not listed" },
	[MM_W_CNAME_BREAK_ARMORED] = { "cname-changed-armored", 1, 1e-4, 3e-3, 30,
		"as cname-changed, but FAST may hide the PA-FOR-USER that would explain it (RFC 6113 5.4.3)" },
	[MM_W_PRIOR_STOLEN] = { "prior-stolen", 1, 1, 1, -30,
		"assumed: one token in 1,000 whose use is in question is used by who must not have it" },
	[MM_W_KEY_SCOPE] = { "key-scope", 1, 1e-06, 1e-06, 60,
		"RFC 8725 3.8: an issuer's keys sign its tokens; 1e-6: assumed, two names of one issuer that were not learnt as such" },
	[MM_W_KEY_SCOPE_UNSURE] = { "key-scope-unsure", 1, 0.0001, 0.0001, 40,
		"as key-scope, where the issuer's own key set was not seen, only tokens it issued" },
	[MM_W_KEY_UNSCOPED] = { "key-unscoped", 0.5, 0.05, 0.05, 10,
		"assumed: where nothing is known of the issuer's own keys, one in twenty such issuers is another name of the key's owner" },
	[MM_W_BAD_SIGNATURE] = { "bad-signature", 1, 1e-05, 1e-05, 50,
		"RFC 7515 5.2; 1e-5: assumed, tokens mangled by an application or cut by the capture" },
	[MM_W_UNSIGNED] = { "unsigned", 1, 1e-05, 1e-05, 50,
		"RFC 7519 6, RFC 8725 3.2: nobody issues access tokens without a signature; 1e-5: assumed, test set-ups" },
	[MM_W_CONFUSED] = { "alg-confusion", 1, 1e-06, 1e-06, 60,
		"RFC 8725 2.1: the HMAC verifies with a published key as its secret: a proof" },
	[MM_W_EMBEDDED] = { "embedded-key", 1, 1e-05, 1e-05, 50,
		"RFC 7515 4.1.3: verified by the key it brings; proofs of possession (RFC 9449) are not looked at; 1e-5: assumed" },
	[MM_W_FOREIGN_URL] = { "foreign-key-url", 0.8, 2e-05, 2e-05, 46,
		"FITTED; RFC 8725 3.10: jku or x5u away from the issuer; 2e-5: assumed, federations" },
	[MM_W_ODD_KID] = { "odd-kid", 0.8, 0.0001, 0.0001, 40,
		"RFC 8725 3.10: kid with a path, quotes or a statement; 1e-4: assumed" },
	[MM_W_RETIRED_KEY] = { "retired-key", 1, 5e-05, 1, 43,
		"FITTED; made, as it says, after its key had left the set, which happened between two sets that were seen: P(E|H) is the share of that time which is left after it was made; 5e-5: assumed, replicas that lag" },
	[MM_W_UNKNOWN_KID] = { "unknown-kid", 0.8, 0.05, 0.05, 13,
		"rotation: a new key is used before its set was seen (assumed one in twenty)" },
	[MM_W_UNKNOWN_KID_NEWER] = { "unknown-kid-newer", 0.8, 2e-05, 2e-05, 46,
		"FITTED; the issuer's set was seen after the token was made; 2e-5: assumed, replicas that lag" },
	[MM_W_BEFORE_KEY] = { "before-key", 0.8, 1e-05, 5e-05, 43,
		"a key is published before it signs; 5e-5: assumed, keys moved from another place" },
	[MM_W_DRIFT_KEY] = { "drift-key", 0.9, 1e-05, 5e-05, 43,
		"signed by a key that stood in one answer only" },
	[MM_W_WEAK_KEY] = { "weak-key", 0.1, 0.02, 0.02, 7,
		"RFC 7518 3.3: RSA keys have 2048 bits or more; old issuers have less (assumed)" },
	[MM_W_TEMPLATE] = { "claims-template", 0.5, 1e-05, 0.02, 43,
		"assumed: half of forgers write other claims than the issuer; P(E|H): share of tokens whose claims were seen once (Good-Turing)" },
	[MM_W_TOKEN_ALG] = { "token-alg", 0.3, 0.0001, 0.02, 25,
		"RFC 8725 3.1; assumed: three forgers in ten sign with an algorithm that the issuer does not use" },
	[MM_W_TOKEN_LIFETIME] = { "token-lifetime", 0.4, 1e-05, 2e-05, 43,
		"an issuer gives its applications' tokens one lifetime; 2e-5: assumed, a policy changed between two tokens" },
	[MM_W_TENANT] = { "tenant-differs", 1, 1e-06, 1e-06, 55,
		"tid and the tenant in iss are one (Microsoft identity platform, access token claims)" },
	[MM_W_AUDIENCE] = { "audience", 0.3, 5e-06, 2e-05, 42,
		"RFC 7519 4.1.3; counted at this server; 2e-5: assumed, a service that takes a second audience, and takes one such" },
	[MM_W_ID_TOKEN] = { "id-token-as-access", 0.3, 1e-05, 2e-05, 42,
		"RFC 9068 4, RFC 8725 3.12: verifiers tell the two apart; 2e-5: assumed" },
	[MM_W_EXPIRED_ACCEPTED] = { "expired-accepted", 0.3, 1e-05, 1e-05, 44,
		"RFC 7519 4.1.4; taken more than 5 min after exp; 1e-5: assumed, connections that were opened before" },
	[MM_W_EXPIRED_OWN] = { "expired-own", 0.05, 1e-3, 1e-3, 20,
		"FITTED; as expired-accepted, by whom it was issued to: a server that keeps sessions, and an honest client" },
	[MM_W_EARLY_ACCEPTED] = { "early-accepted", 0.2, 1e-05, 1e-05, 43,
		"RFC 7519 4.1.5; as expired-accepted" },
	[MM_W_TOKEN_MOVED] = { "token-moved", 0.6, 0.0001, 0.0004, 37,
		"assumed: six thieves in ten use other software elsewhere; one honest token in 2,500 does before that is counted: by its application's tokens" },
	[MM_W_TOKEN_MOVED_SAME] = { "token-in-turns", 0.3, 0.02, 0.5, 12,
		"assumed: three thieves in ten have the owner's software, or say so; before that is counted one honest token in 50 is shown from two networks in turns: IPv4 and IPv6, Wi-Fi and cellular, with a VPN and without" },
	[MM_W_TO_AND_FRO] = { "to-and-fro", 0.5, 0.05, 0.05, 10,
		"both ends go on using it: assumed one traveller in twenty" },
	[MM_W_ROTATED_ELSEWHERE] = { "refresh-reused", 0.5, 5e-05, 0.0001, 38,
		"RFC 9700 4.14: reuse elsewhere shows that two hold it; 1e-4: assumed, a restored backup" },
	[MM_W_ROTATED_HERE] = { "refresh-reused-here", 0.3, 0.02, 0.02, 12,
		"by the same host: a retry later than 10 s, a crash (assumed)" },
	[MM_W_CODE_REUSED] = { "code-reused", 0.5, 5e-05, 0.0001, 38,
		"RFC 6749 10.5: reuse elsewhere; 1e-4: assumed" },
	[MM_W_CODE_REUSED_HERE] = { "code-reused-here", 0.3, 0.02, 0.02, 12,
		"by the same host: the back button, a retry (assumed)" },
	[MM_W_NO_PROOF] = { "binding-missing", 0.8, 0.0001, 0.0001, 40,
		"RFC 9449 7.1: a bound token is shown with a proof; 1e-4: assumed" },
	[MM_W_BAD_PROOF] = { "binding-broken", 0.6, 0.0002, 0.0002, 35,
		"RFC 9449 4.3; 2e-4: assumed, proxies that change more than the front of a path" },
	[MM_W_NO_CERT] = { "certificate-differs", 0.8, 0.0002, 0.0002, 36,
		"RFC 8705 3: the certificate is the token's; 2e-4: assumed, TLS ended at a proxy with one of its own" },
	[MM_W_ACCEPTED] = { "accepted", 0.5, 0.05, 0.05, 10,
		"assumed: verifiers take half of what forgers try, and one in twenty of what is honestly wrong" },
	[MM_W_REFUSED] = { "refused", 0.5, 0.95, 0.95, 0,
		"the other side of accepted" },
	[MM_W_ACCEPTED_INVALID] = { "accepted-invalid", 1, 1e-05, 1e-05, 50,
		"RFC 6750 3.1: a resource server refuses what does not verify; 1e-5: assumed, places that ask for no token" },
	[MM_W_JWKS_DRIFT] = { "jwks-drift", 1, 1e-05, 1e-05, 50,
		"a key set answers all the same; 1e-5: assumed, a roll-out that was taken back" },
	[MM_W_PRIOR_GUESSING] = { "prior-guessing", 1, 1, 1, -40,
		"assumed: one source, target or application in 10,000 that comes into question is in an intruder's hands" },
	[MM_W_GUESS_USERS] = { "users-failed", 1, 2e-6, 1, 57,
		"P(E|H) over P(E|F) of the count: Gamma-Poisson learnt here against log-uniform from 5 up, times the four windows; h_min: two of a million sources break in such a way (assumed)" },
	[MM_W_GUESS_NAMES] = { "users-unknown", 1, 3e-5, 1, 45,
		"as users-failed, from 8 names up; h_min: scanners and migrations are more frequent (assumed)" },
	[MM_W_GUESS_WIDE] = { "users-failed-widely", 1, 1e-5, 1, 50,
		"as users-failed, from 10 users up (8 of one software); h_min: a fault that hits all users of a target (assumed)" },
	[MM_W_GUESS_ORDER] = { "guess-order", 0.3, 1e-3, 0.5, 20,
		"assumed: three in ten work down a sorted list; P(E|H): k names in order by chance, 1/k!" },
	[MM_W_GUESS_PACE] = { "guess-pace", 0.3, 0.03, 0.03, 10,
		"assumed: three in ten keep an even pace; of other software that fails for many users three in a hundred" },
	[MM_W_GUESS_WAYS] = { "guess-protocols", 0.1, 0.02, 0.02, 7,
		"assumed: one in ten tries several protocols; a gateway's users do so as well" },
	[MM_W_GUESS_SOFTWARE] = { "guess-software", 0.6, 0.03, 0.5, 10,
		"assumed: six in ten use software of their own; P(E|H): share of users let in with it" },
	[MM_W_GUESS_RIGHT] = { "right-after-guesses", 0.3, 0.01, 0.02, 15,
		"assumed: three in ten sprays find a password; P(E|H): users let in for the first time in such a week who have nothing to do with it" },
	[MM_W_PRIOR_APP] = { "prior-application", 1, 1, 1, -37,
		"FITTED; assumed: one application in 5,000 that comes into question is in an intruder's hands" },
	[MM_W_APP_NEW_POWER] = { "app-new-power", 0.7, 3e-4, 0.05, 33,
		"assumed: seven in ten stolen applications are given more; P(E|H): share of tokens of known applications with a role they never had" },
	[MM_W_APP_POWER_KNOWN] = { "app-power-known", 0.8, 0.003, 0.003, 25,
		"FITTED; assumed: eight in ten take a role that hands over mail or the directory; P(E|H): share of such among new roles, before any one in 300 (assumed)" },
	[MM_W_APP_POWER_GENERIC] = { "app-power-words", 0.15, 0.05, 0.1, 5,
		"the rest of app-power-known: roles that administer or write all by their words" },
	[MM_W_APP_POWER_ORDINARY] = { "app-power-ordinary", 0.05, 0.7, 0.7, 0,
		"the other side of app-power-known" },
	[MM_W_APP_NEW_NETWORK] = { "app-new-network", 0.9, 0.01, 0.5, 20,
		"assumed: nine in ten work from elsewhere; P(E|H): share of tokens of known applications asked for from a new network" },
	[MM_W_APP_NEW_PLACE] = { "app-new-place", 0.7, 2e-3, 0.5, 16,
		"assumed: seven in ten work from a network where nobody here does; P(E|H): share of tokens from networks seen once (Good-Turing)" },
	[MM_W_APP_AWAKE] = { "app-awake", 0.5, 3e-4, 0.01, 30,
		"FITTED; assumed: half of them use an application that was forgotten; P(E|H): share of tokens after a month of silence" },
	[MM_W_APP_SWEEP] = { "app-sweep", 1, 1e-5, 1, 50,
		"P(E|H) over P(E|F) of the count: Gamma-Poisson of its own past against log-uniform from 15 up, times the four windows; h_min: a migration, a search for a court (assumed)" },
	[MM_W_APP_SWEEP_NEW] = { "app-sweep-first", 1, 5e-4, 1, 33,
		"as app-sweep, of an application whose own past is not known: it may be there for that" },
	[MM_W_APP_OTHER_AUTH] = { "app-other-auth", 0.6, 2e-4, 0.01, 35,
		"assumed: six in ten give a stolen application a secret of their own; P(E|H): share of tokens asked for by another method than before" },
	[MM_W_APP_WEAKER_AUTH] = { "app-weaker-auth", 0.6, 0.15, 0.15, 6,
		"assumed: a shared secret in place of a key; changes that are planned go the other way" },
	[MM_W_APP_OTHER_KEY] = { "app-other-key", 0.4, 3e-3, 0.05, 22,
		"as app-other-auth, for another kid of the assertion: keys are changed as a habit" },
	[MM_W_APP_PASSWORD] = { "app-password-grant", 0.5, 5e-3, 0.5, 20,
		"assumed: half of those who hold passwords use the grant that needs nothing else; P(E|H): share of tokens by it" },
	[MM_W_APP_PASSWORD_OWN] = { "app-password-first", 0.9, 0.2, 0.5, 7,
		"the application never used it: assumed of nine in ten" },
	[MM_W_APP_UNKNOWN] = { "app-unknown", 0.5, 3e-3, 0.5, 15,
		"assumed: half of them name an application that is not in use here; P(E|H): share of tokens of applications seen once (Good-Turing)" },
	[MM_W_APP_FIRST] = { "app-first", 0.9, 3e-3, 0.5, 25,
		"assumed: nine in ten ask for consent to an application of their own; P(E|H): share of tokens of applications seen once (Good-Turing)" },
	[MM_W_APP_DEVICE] = { "app-device", 0.5, 5e-3, 0.5, 18,
		"assumed: half of them by a device code; P(E|H): codes asked for among all tokens" },
	[MM_W_APP_DEVICE_FIRST] = { "app-device-first", 0.8, 0.1, 0.5, 9,
		"assumed: eight in ten name an application that never did so here; P(E|H): share of such among tokens by device codes" },
	[MM_W_APP_DEVICE_FAR] = { "app-device-far", 0.9, 0.4, 0.4, 4,
		"assumed: victims sit elsewhere than who talks them into it; so do users of command lines on servers" },
	[MM_W_APP_DEVICE_USERS] = { "app-device-users", 0.5, 0.1, 0.1, 7,
		"assumed: half of them go on to a second user; one honest host in ten is shared" },
	[MM_W_APP_ADMIN_CONSENT] = { "app-admin-consent", 0.3, 0.02, 0.02, 12,
		"assumed: three in ten ask for an administrator's consent; one new application in 50 does" },
	[MM_W_APP_CONSENT] = { "app-consent", 0.5, 0.05, 0.3, 10,
		"assumed: half of them ask for consent though nothing requires it; P(E|H): share of users who were asked" },
	[MM_W_APP_CONSENT_POWER] = { "app-consent-power", 0.8, 0.2, 0.2, 6,
		"assumed: eight in ten ask for mail or more; one new application in five does" },
	[MM_W_TRAVEL] = { "travel-too-fast", 0.5, 3e-4, 0.5, 32,
		"assumed: half of those who hold a user's secret use it far away while the user works; P(E|H): share of ways to networks new to their user that were too fast, of those two networks where many share them" },
	[MM_W_TRAVEL_NEW] = { "travel-new-network", 0.7, 0.02, 0.5, 12,
		"assumed: seven in ten work from a network where nobody here does; P(E|H): share of such ways that led to one" },
	[MM_W_TRAVEL_AGENT] = { "travel-software", 0.6, 0.1, 0.1, 8,
		"assumed: six in ten use other software than the user; one in ten users does who goes elsewhere" },
};
/* clang-format on */

const struct mm_weight *mm_weight(enum mm_weight_id id)
{
	return &weights[id];
}

static double weight_of(const struct mm_weight *w, double p_h)
{
	return fmin(10.0 * log10(w->p_f / p_h), w->max_db);
}

double mm_weigh_p(enum mm_weight_id id, double p_h)
{
	const struct mm_weight *w = &weights[id];
	return weight_of(w, fmax(w->h_min, fmin(w->h_max, p_h)));
}

double mm_weigh(enum mm_weight_id id, double k, double n)
{
	double p_h = (k + 0.5) / (n + 1.0);
	return k > 0 ? weight_of(&weights[id], p_h) : mm_weigh_p(id, p_h);
}

double mm_probability(double score_db)
{
	return 1.0 / (1.0 + pow(10.0, -score_db / 10.0));
}

enum mm_band mm_band_of(double score_db)
{
	if (score_db < 0)
		return MM_BAND_LOW;
	if (score_db < 10)
		return MM_BAND_MEDIUM;
	return score_db <= 20 ? MM_BAND_HIGH : MM_BAND_CRITICAL;
}

const char *mm_band_name(enum mm_band band)
{
	static const char *const names[] = { "low", "medium", "high", "critical" };
	return names[band];
}
