/* A token as it travels: what of it becomes a credential of an event. */
#include "dissect/exchange.h"
#include "dissect/oauth.h"
#include "keys/jwt.h"

static struct mm_str put(struct mm_event *ev, struct mm_slice s)
{
	return s.len != 0 ? mm_event_str(ev, s) : (struct mm_str){ NULL, 0 };
}

/* aud is a string or a list of strings (RFC 7519 section 4.1.3): joined by blanks. */
static struct mm_str put_audience(struct mm_event *ev, const json_t *claims)
{
	enum { AUDIENCES_MAX = 16 };
	struct mm_str out = { NULL, 0 };
	const json_t *aud = json_object_get(claims, "aud");
	if (json_is_string(aud))
		return put(ev, mm_json_str(claims, "aud"));
	for (size_t i = 0; i < json_array_size(aud) && i < AUDIENCES_MAX; i++) {
		const json_t *one = json_array_get(aud, i);
		if (json_is_string(one))
			out = mm_event_join(ev, out, ' ',
			        mm_slice(json_string_value(one), json_string_length(one)));
	}
	return out;
}

static void put_claims(struct mm_event *ev, struct mm_cred *cred, const struct mm_jwt *jwt)
{
	static const char *const clients[] = { "client_id", "azp", "appid", "cid" };
	const json_t *claims = jwt->claims;
	cred->kid = put(ev, mm_json_str(jwt->header, "kid"));
	cred->alg_name = put(ev, mm_json_str(jwt->header, "alg"));
	cred->issuer = put(ev, mm_json_str(claims, "iss"));
	cred->service = put_audience(ev, claims);
	cred->principal = put(ev, mm_json_str(claims, "sub"));
	cred->principal_realm = put(ev, mm_json_str(claims, "tid"));
	for (size_t i = 0; i < sizeof clients / sizeof clients[0] && cred->client.len == 0; i++)
		cred->client = put(ev, mm_json_str(claims, clients[i]));
	cred->iat_s = mm_json_date(claims, "iat");
	cred->nbf_s = mm_json_date(claims, "nbf");
	cred->exp_s = mm_json_date(claims, "exp");
}

void mm_oauth_fault(struct mm_dissect *d, enum mm_json_fault fault)
{
	struct mm_web_stats *stats = d->web != NULL ? mm_web_stats(d->web) : NULL;
	if (stats == NULL)
		return;
	stats->n_json_deep += fault == MM_JSON_DEEP;
	stats->n_json_duplicate += fault == MM_JSON_DUPLICATE;
	stats->n_json_bad += fault == MM_JSON_BAD || fault == MM_JSON_LONG;
}

/* jwt is the caller's to be done with where this is one. */
static struct mm_cred *put_token(struct mm_dissect *d, struct mm_event *ev, enum mm_cred_role role,
        enum mm_cred_kind kind, struct mm_slice token, struct mm_jwt *jwt)
{
	struct mm_cred *cred = token.len != 0 ? mm_event_cred(ev, role) : NULL;
	if (cred == NULL)
		return NULL;
	cred->kind = kind;
	cred->fp = mm_fp_of(token);
	cred->length = token.len < UINT32_MAX ? (uint32_t)token.len : UINT32_MAX;
	cred->jwt = mm_jwt_parse(token, jwt);
	if (jwt->fault != MM_JSON_GOOD) {
		ev->flags |= MM_EVF_MALFORMED;
		mm_oauth_fault(d, jwt->fault);
	}
	if (!cred->jwt)
		return cred;
	put_claims(ev, cred, jwt);
	cred->raw = mm_event_raw(ev, token, MM_RAW_MAX);
	return cred;
}

struct mm_cred *mm_oauth_cred(struct mm_dissect *d, struct mm_event *ev, enum mm_cred_role role,
        enum mm_cred_kind kind, struct mm_slice token)
{
	struct mm_jwt jwt;
	struct mm_cred *cred = put_token(d, ev, role, kind, token, &jwt);
	if (cred != NULL && cred->jwt)
		mm_jwt_done(&jwt);
	return cred;
}

struct mm_cred *mm_oauth_shown(struct mm_dissect *d, struct mm_event *ev, enum mm_cred_kind kind,
        struct mm_slice token, uint8_t room[MM_STR_MAX + 1], struct mm_slice *jti)
{
	struct mm_jwt jwt;
	struct mm_cred *cred = put_token(d, ev, MM_ROLE_PRESENTED, kind, token, &jwt);
	*jti = mm_slice(room, 0);
	if (cred == NULL || !cred->jwt)
		return cred;
	struct mm_slice text = mm_first(mm_json_str(jwt.claims, "jti"), MM_STR_MAX + 1);
	if (text.len != 0)
		memcpy(room, text.p, text.len);
	*jti = mm_slice(room, text.len);
	mm_jwt_done(&jwt);
	return cred;
}

void mm_oauth_place(struct mm_event *ev, const struct mm_web_exchange *x)
{
	struct mm_slice value;
	ev->place = put(ev, x->host);
	/* Parameters of a path may be a session. */
	struct mm_slice path = mm_first(x->path, mm_find8(x->path, 0, ';'));
	ev->place = path.len != 0 && mm_at(path, 0) == '/' && x->host.len != 0
	                    ? mm_event_join(ev, ev->place, '/', mm_after(path, 1))
	                    : ev->place;
	ev->method = put(ev, x->method);
	if (mm_web_header(&x->request, "user-agent", 0, &value))
		ev->agent = put(ev, value);
	ev->status =
	        (struct mm_status){ x->status != 0 ? MM_STATUS_HTTP : MM_STATUS_NONE, x->status };
	ev->outcome = x->status >= 200 && x->status < 300 ? MM_SUCCESS
	              : x->status == 401                  ? MM_FAILURE
	                                                  : MM_UNKNOWN;
}
