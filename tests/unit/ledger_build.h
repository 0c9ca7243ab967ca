/* Events made by hand for the tests of the ledger and the detectors: one realm, a KDC, hosts and tickets. */
#ifndef MM_TESTS_LEDGER_BUILD_H
#define MM_TESTS_LEDGER_BUILD_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/ledger.h"

#define SECOND INT64_C(1000000000)
#define HOUR   (3600 * SECOND)

enum {
	KDC = 10, /* last byte of its address, 192.0.2.x */
	KRB5_PORT = 88,
	SMB_PORT = 445,
};

/** What makes a ticket; zero is filled as an honest TGT of LAB.TEST. */
struct made {
	const char *realm, *service, *principal;
	uint8_t id; /* tickets of one id are one ticket */
	int64_t kvno;
	int32_t alg, name_type;
	uint32_t length;
};

static inline struct mm_str text(const char *s)
{
	return (struct mm_str){ s, s == NULL ? 0 : strlen(s) };
}

static inline struct mm_addr host(uint8_t last)
{
	return (struct mm_addr){ 4, { 192, 0, 2, last } };
}

static inline struct mm_fp fp(uint8_t id)
{
	struct mm_fp f = { { id, 0xaa } };
	return f;
}

static inline void show(struct mm_event *ev, enum mm_cred_role role, struct made t)
{
	struct mm_cred *cred = mm_event_cred(ev, role);
	assert(cred != NULL);
	cred->fp = fp(t.id);
	cred->issuer = text(t.realm == NULL ? "LAB.TEST" : t.realm);
	cred->service = text(t.service == NULL ? "krbtgt/LAB.TEST" : t.service);
	cred->kind = strncmp(cred->service.p, "krbtgt/", 7) != 0 ? MM_CRED_SERVICE : MM_CRED_TGT;
	cred->kvno = t.kvno == 0 ? 5 : t.kvno;
	cred->alg = t.alg == 0 ? 18 : t.alg;
	cred->name_type = t.name_type == 0 ? 2 : t.name_type;
	cred->length = t.length == 0 ? 1000 : t.length;
	if (role == MM_ROLE_ISSUED) {
		cred->principal = text(t.principal);
		cred->principal_realm = text("LAB.TEST");
	}
}

/** ev stands in a room. */
static inline void clear(struct mm_event *ev, enum mm_event_kind kind, uint8_t from, int64_t at_ns)
{
	static uint64_t number;
	(void)mm_event_init((struct mm_event_room *)ev);
	ev->kind = kind;
	ev->protocol = ev->action = "test";
	ev->transport = "tcp";
	ev->src = (struct mm_endpoint){ host(from), 50000 };
	ev->request_ns = at_ns;
	ev->time_ns = ev->response_ns = ev->key_ns = at_ns + 1;
	ev->request_pkt = ev->response_pkt = (struct mm_pkt){ 0, ++number };
	mm_event_add_pkts(ev, ev->request_pkt, ev->response_pkt);
}

/** An AS exchange. */
static inline void make_as(struct mm_event *ev, uint8_t from, int64_t at_ns, struct made tgt)
{
	clear(ev, MM_EV_ISSUE, from, at_ns);
	ev->dst = (struct mm_endpoint){ host(KDC), KRB5_PORT };
	ev->outcome = MM_SUCCESS;
	ev->user = text(tgt.principal);
	ev->user_realm = text("LAB.TEST");
	ev->stack = 1;
	ev->reply_alg = 18;
	show(ev, MM_ROLE_ISSUED, tgt);
}

/** A TGS exchange that shows tgt and yields issued; the caller may change the rest. */
static inline void make_tgs(
        struct mm_event *ev, uint8_t from, int64_t at_ns, struct made tgt, struct made issued)
{
	clear(ev, MM_EV_ISSUE, from, at_ns);
	ev->dst = (struct mm_endpoint){ host(KDC), KRB5_PORT };
	ev->outcome = MM_SUCCESS;
	ev->user = text(issued.principal);
	ev->user_realm = text("LAB.TEST");
	ev->stack = 2;
	ev->reply_alg = 18;
	show(ev, MM_ROLE_PRESENTED, tgt);
	show(ev, MM_ROLE_ISSUED, issued);
}

/** A ticket shown to a service. */
static inline void make_ap(struct mm_event *ev, uint8_t from, uint8_t to, int64_t at_ns,
        struct made ticket, enum mm_outcome outcome)
{
	clear(ev, MM_EV_PRESENT, from, at_ns);
	ev->dst = (struct mm_endpoint){ host(to), SMB_PORT };
	ev->outcome = outcome;
	show(ev, MM_ROLE_PRESENTED, ticket);
}

#endif
