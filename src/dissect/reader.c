/* HTTP/1 messages, read by libhtp. */
#include "dissect/reader.h"

#include <htp/htp.h>
#include <stdlib.h>

enum {
	READER_LINES = 1024, /* lines of a block that libhtp is given: 1 ms at the most */
	READER_B = 8 *
	           1024, /* octets that libhtp takes for a message, beyond its header block twice */
	VERSION_LEN = 8, /* "HTTP/1.1" */
	STATUS_LINE_MIN = 12, /* "HTTP/1.1 200" */
	PROTOCOL_1_0 = 100,   /* libhtp's number of HTTP/1.0 */
};

/* A message that libhtp reads. */
struct reader {
	htp_connp_t *connp;
	struct mm_dissect *d; /* in mm_reader_start() only */
	struct mm_web_live *live;
	enum mm_dir side;
	struct mm_slice block; /* the same */
	bool done;             /* the header block was read */
	size_t charged;        /* octets that the exchange counts for it */
};

static bool is_blank(int b)
{
	return b == ' ' || b == '\t';
}

static bool is_digit(int b)
{
	return b >= '0' && b <= '9';
}

struct mm_slice mm_reader_line(struct mm_slice s)
{
	struct mm_slice line = mm_first(s, mm_find8(s, 0, '\n'));
	if (line.len != 0 && mm_at(line, line.len - 1) == '\r')
		line = mm_first(line, line.len - 1);
	return line;
}

/* Upper-case letters, and what extensions add to them. */
size_t mm_reader_method(struct mm_slice s)
{
	size_t n = 0;
	for (int b = mm_at(s, n); n <= MM_METHOD_MAX &&
	                          ((b >= 'A' && b <= 'Z') || is_digit(b) || b == '-' || b == '_');
	        b = mm_at(s, n))
		n++;
	return n;
}

static bool read_version(struct mm_slice s, unsigned *minor)
{
	if (s.len != VERSION_LEN || !mm_slice_eq(mm_first(s, 7), mm_slice_str("HTTP/1.")) ||
	        !is_digit(mm_at(s, 7)))
		return false;
	*minor = (unsigned)mm_at(s, 7) - '0';
	return true;
}

unsigned mm_reader_status(struct mm_slice line, unsigned *minor)
{
	if (line.len < STATUS_LINE_MIN || !read_version(mm_first(line, VERSION_LEN), minor) ||
	        !is_blank(mm_at(line, VERSION_LEN)))
		return 0;
	struct mm_cursor c = mm_cursor(mm_after(line, VERSION_LEN + 1));
	unsigned status = 0;
	for (unsigned i = 0; i < 3; i++) {
		if (!is_digit(mm_peek8(&c)))
			return 0;
		status = status * 10 + mm_u8(&c) - '0';
	}
	return c.len == 0 || is_blank(mm_peek8(&c)) ? status : 0;
}

bool mm_reader_request_line(
        struct mm_slice line, struct mm_slice *method, struct mm_slice *target, unsigned *minor)
{
	size_t n = mm_reader_method(line);
	if (n == 0 || n > MM_METHOD_MAX || !is_blank(mm_at(line, n)) ||
	        line.len < n + VERSION_LEN ||
	        !read_version(mm_after(line, line.len - VERSION_LEN), minor))
		return false;
	*method = mm_first(line, n);
	*target = mm_web_trim(mm_first(mm_after(line, n), line.len - n - VERSION_LEN));
	return target->len != 0;
}

bool mm_reader_field(struct mm_cursor *c, struct mm_slice *name, struct mm_slice *value)
{
	if (c->len == 0)
		return false;
	struct mm_slice left = mm_left(c);
	size_t end = mm_find8(left, 0, '\n');
	while (end > 1 && end < left.len && is_blank(mm_at(left, end + 1)))
		end = mm_find8(left, end + 1, '\n');
	struct mm_slice field = mm_take(c, end);
	if (c->len != 0)
		mm_skip(c, 1);
	size_t colon = mm_find8(field, 0, ':');
	*name = mm_web_trim(mm_first(field, colon));
	*value = mm_web_trim(mm_after(field, colon + 1));
	return true;
}

/* The fields of a block of this name, or all of them; how many in all. */
static size_t raw_fields(
        struct mm_slice block, const struct mm_slice *name, struct mm_web_field *fields, size_t n)
{
	struct mm_web_field f;
	struct mm_cursor c = mm_cursor(mm_after(block, mm_find8(block, 0, '\n') + 1));
	while (n <= MM_WEB_FIELDS_MAX && mm_reader_field(&c, &f.name, &f.value)) {
		bool same = name == NULL ||
		            mm_str_ieq((struct mm_str){ (const char *)f.name.p, f.name.len },
		                    (struct mm_str){ (const char *)name->p, name->len });
		if (f.name.len != 0 && same)
			fields[n++] = f;
	}
	return n;
}

static struct mm_slice text_of(bstr *s)
{
	return s == NULL ? mm_slice(NULL, 0)
	                 : mm_slice(bstr_ptr((bstr *)(uintptr_t)s), bstr_len(s));
}

static void add_fields(const struct reader *r, const htp_table_t *table)
{
	struct mm_web_field fields[MM_WEB_FIELDS_MAX + 1]; /* one more tells that there are more */
	size_t n = 0, all = htp_table_size(table);
	for (size_t i = 0; i < all && n <= MM_WEB_FIELDS_MAX; i++) {
		const htp_header_t *h = htp_table_get_index(table, i, NULL);
		struct mm_slice name = text_of(h->name);
		if (name.len == 0)
			continue;
		if ((h->flags & HTP_FIELD_REPEATED) != 0)
			n = raw_fields(r->block, &name, fields, n);
		else
			fields[n++] = (struct mm_web_field){ name, mm_web_trim(text_of(h->value)) };
	}
	mm_web_add_fields(r->live, r->side, fields, n);
}

static enum mm_web_version version_of(int protocol)
{
	return protocol == PROTOCOL_1_0 ? MM_WEB_HTTP_1_0 : MM_WEB_HTTP_1_1;
}

static int on_request(htp_tx_t *tx)
{
	struct reader *r = htp_connp_get_user_data(tx->connp);
	if (r->done || r->side != MM_TO_SERVER)
		return HTP_OK;
	r->done = true;
	r->live->x.version = version_of(tx->request_protocol_number);
	add_fields(r, tx->request_headers);
	mm_web_set_request(r->d, r->live, text_of(tx->request_method), text_of(tx->request_uri));
	return HTP_OK;
}

static int on_response(htp_tx_t *tx)
{
	struct reader *r = htp_connp_get_user_data(tx->connp);
	if (r->done || r->side != MM_TO_CLIENT)
		return HTP_OK;
	r->done = true;
	if (r->live->x.request.flags == 0)
		r->live->x.version = version_of(tx->response_protocol_number);
	add_fields(r, tx->response_headers);
	return HTP_OK;
}

static int on_body(htp_tx_data_t *data)
{
	struct reader *r = htp_connp_get_user_data(data->tx->connp);
	if (data->data != NULL && data->len != 0)
		(void)mm_web_add_body(r->live, r->side, mm_slice(data->data, data->len));
	return HTP_OK;
}

static void config_free(void *config)
{
	htp_config_destroy(config);
}

/* Bodies come as they are: content codings are undone once, for HTTP/2 as well, by coding.c. */
static htp_cfg_t *config_of(struct mm_web *w)
{
	void **slot = mm_web_reader_slot(w, config_free);
	htp_cfg_t *config = *slot;
	if (config != NULL || (config = htp_config_create()) == NULL)
		return config;
	(void)htp_config_set_server_personality(config, HTP_SERVER_GENERIC);
	htp_config_set_log_level(config, HTP_LOG_NONE);
	htp_config_set_parse_request_cookies(config, 0);
	htp_config_set_parse_request_auth(config, 0);
	htp_config_set_response_decompression(config, 0);
	htp_config_set_request_decompression(config, 0);
	htp_config_set_field_limits(config, MM_WEB_HEADERS_MAX, MM_WEB_HEADERS_MAX);
	htp_config_register_request_headers(config, on_request);
	htp_config_register_response_headers(config, on_response);
	htp_config_register_request_body_data(config, on_body);
	htp_config_register_response_body_data(config, on_body);
	*slot = config;
	return config;
}

static void reader_free(void *reader)
{
	struct reader *r = reader;
	htp_connp_destroy_all(r->connp);
	free(r);
}

static struct reader *reader_new(struct mm_web_live *l, enum mm_dir side)
{
	htp_cfg_t *config = config_of(l->web);
	struct reader *r = config == NULL ? NULL : calloc(1, sizeof *r);
	if (r == NULL)
		return NULL;
	r->connp = htp_connp_create(config);
	if (r->connp == NULL) {
		free(r);
		return NULL;
	}
	r->live = l;
	r->side = side;
	htp_connp_set_user_data(r->connp, r);
	htp_connp_open(r->connp, NULL, 0, NULL, 0, NULL);
	l->reader[side] = r;
	l->reader_free = reader_free;
	return r;
}

static void feed(struct reader *r, struct mm_slice part)
{
	if (part.len == 0)
		return;
	if (r->side == MM_TO_SERVER)
		(void)htp_connp_req_data(r->connp, NULL, part.p, part.len);
	else
		(void)htp_connp_res_data(r->connp, NULL, part.p, part.len);
}

static bool is_long(struct mm_slice block)
{
	size_t n = 0;
	for (size_t at = mm_find8(block, 0, '\n'); at < block.len;
	        at = mm_find8(block, at + 1, '\n'))
		n++;
	return n > READER_LINES;
}

/* Fields that bear credentials, or challenge for them. */
static bool bears(const struct mm_web_message *m, enum mm_dir side)
{
	static const char *const names[2][5] = {
		{ "authorization", "proxy-authorization", "dpop", NULL },
		{ "www-authenticate", "proxy-authenticate", "location", "authentication-info",
		        NULL },
	};
	struct mm_slice value;
	for (size_t i = 0; names[side][i] != NULL; i++)
		if (mm_web_header(m, names[side][i], 0, &value))
			return true;
	return false;
}

/* What libhtp is not given, or does not take. */
static void read_raw(struct mm_dissect *d, struct mm_web_live *l, enum mm_dir side,
        struct mm_slice block, const struct mm_web_message *m)
{
	struct mm_slice line = mm_reader_line(block), method, target;
	unsigned minor = 1;
	mm_web_add_fields(l, side, m->fields, m->n_fields);
	if (side == MM_TO_SERVER) {
		if (mm_reader_request_line(line, &method, &target, &minor))
			mm_web_set_request(d, l, method, target);
	} else if (l->x.request.flags != 0) {
		return;
	} else {
		(void)mm_reader_status(line, &minor);
	}
	l->x.version = minor == 0 ? MM_WEB_HTTP_1_0 : MM_WEB_HTTP_1_1;
}

void mm_reader_start(
        struct mm_dissect *d, struct mm_web_live *l, enum mm_dir side, struct mm_slice block)
{
	struct mm_web_field fields[MM_WEB_FIELDS_MAX + 1];
	struct mm_web_message m = { .fields = fields };
	unsigned minor;
	m.n_fields = raw_fields(block, NULL, fields, 0);
	for (size_t i = 0; i < m.n_fields; i++)
		m.names |= mm_web_name_bit(fields[i].name);
	if (side == MM_TO_CLIENT)
		l->x.status = mm_reader_status(mm_reader_line(block), &minor);
	if (!bears(&m, side) && mm_web_keep_up_to(&l->x, &m, side) == 0) {
		read_raw(d, l, side, block, &m);
		return;
	}
	struct reader *r = is_long(block) ? NULL : reader_new(l, side);
	if (r != NULL) {
		r->charged = READER_B + 2 * block.len;
		mm_web_charge(l, r->charged);
		r->d = d;
		r->block = block;
		feed(r, block);
		r->d = NULL;
		r->block = mm_first(block, 0);
	}
	if (r != NULL && r->done)
		return;
	mm_web_stats(l->web)->n_limit_headers++;
	mm_reader_end(l, side);
	read_raw(d, l, side, block, &m);
}

void mm_reader_body(
        struct mm_web_live *l, enum mm_dir side, struct mm_slice part, struct mm_slice data)
{
	if (l->reader[side] == NULL)
		(void)mm_web_add_body(l, side, data);
	else if (l->keep[side])
		feed(l->reader[side], part);
}

void mm_reader_end(struct mm_web_live *l, enum mm_dir side)
{
	struct reader *r = l->reader[side];
	if (r == NULL)
		return;
	mm_web_charge(l, 0 - r->charged);
	l->reader_free(r);
	l->reader[side] = NULL;
}
