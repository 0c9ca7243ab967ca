/* HPACK: telling representations apart, and nghttp2's inflater behind it. */
#include "dissect/hpack.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

enum {
	INTEGER_OCTETS = 5,   /* of an integer beyond its prefix: 35 bits */
	MEMORY_HEADER_B = 16, /* before what nghttp2 allocates: its size */
};

struct mm_hpack {
	nghttp2_hd_inflater *inflater;
	nghttp2_mem mem;
	size_t *used, max;
};

/* A representation, section 6. */
enum kind {
	KIND_INDEXED,
	KIND_LITERAL_ADDED, /* with incremental indexing */
	KIND_LITERAL,       /* without, or never */
	KIND_SIZE_UPDATE,
};

struct representation {
	enum kind kind;
	uint64_t
	        index; /* of the field, or of its name (0: the name is a literal); of an update: the size */
	struct mm_slice whole;
	struct mm_slice strings; /* what follows the index */
};

/* nghttp2's memory is counted, and refused beyond the limit. The size stands before each piece. */
static void *take(size_t size, void *arg)
{
	struct mm_hpack *h = arg;
	if (size > h->max || *h->used > h->max - size)
		return NULL;
	uint8_t *p = malloc(MEMORY_HEADER_B + size);
	if (p == NULL)
		return NULL;
	memcpy(p, &size, sizeof size);
	*h->used += size;
	return p + MEMORY_HEADER_B;
}

static void give(void *ptr, void *arg)
{
	struct mm_hpack *h = arg;
	size_t size;
	if (ptr == NULL)
		return;
	uint8_t *p = (uint8_t *)ptr - MEMORY_HEADER_B;
	memcpy(&size, p, sizeof size);
	*h->used -= size;
	free(p);
}

static void *take_zeroed(size_t n, size_t size, void *arg)
{
	size_t all;
	void *p = __builtin_mul_overflow(n, size, &all) ? NULL : take(all, arg);
	if (p != NULL)
		memset(p, 0, all);
	return p;
}

static void *retake(void *ptr, size_t size, void *arg)
{
	size_t was = 0;
	void *p = take(size, arg);
	if (p == NULL || ptr == NULL)
		return p;
	memcpy(&was, (uint8_t *)ptr - MEMORY_HEADER_B, sizeof was);
	memcpy(p, ptr, was < size ? was : size);
	give(ptr, arg);
	return p;
}

struct mm_hpack *mm_hpack_new(size_t *used, size_t max)
{
	struct mm_hpack *h = calloc(1, sizeof *h);
	if (h == NULL)
		return NULL;
	h->used = used;
	h->max = max;
	h->mem = (nghttp2_mem){ h, take, give, take_zeroed, retake };
	if (nghttp2_hd_inflate_new2(&h->inflater, &h->mem) != 0 ||
	        nghttp2_hd_inflate_change_table_size(h->inflater, MM_HPACK_TABLE_MAX) != 0) {
		mm_hpack_free(h);
		return NULL;
	}
	return h;
}

void mm_hpack_free(struct mm_hpack *h)
{
	if (h == NULL)
		return;
	if (h->inflater != NULL)
		nghttp2_hd_inflate_del(h->inflater);
	free(h);
}

/* An integer with a prefix of so many bits, section 5.1. */
static uint64_t integer(struct mm_cursor *c, unsigned bits)
{
	uint64_t most = (UINT64_C(1) << bits) - 1, v = mm_u8(c) & most;
	if (v < most)
		return v;
	for (unsigned i = 0; i < INTEGER_OCTETS; i++) {
		unsigned b = mm_u8(c);
		v += (uint64_t)(b & 0x7f) << 7 * i;
		if ((b & 0x80) == 0)
			return v;
	}
	mm_fail(c);
	return 0;
}

/* A string literal, section 5.2: left as it is. */
static void string(struct mm_cursor *c)
{
	uint64_t n = integer(c, 7);
	mm_skip(c, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
}

static bool next(struct mm_cursor *c, struct representation *r)
{
	struct mm_slice before = mm_left(c);
	int first = mm_peek8(c);
	if ((first & 0x80) != 0) {
		r->kind = KIND_INDEXED;
		r->index = integer(c, 7);
	} else if ((first & 0x40) != 0) {
		r->kind = KIND_LITERAL_ADDED;
		r->index = integer(c, 6);
	} else if ((first & 0x20) != 0) {
		r->kind = KIND_SIZE_UPDATE;
		r->index = integer(c, 5);
	} else {
		r->kind = KIND_LITERAL;
		r->index = integer(c, 4);
	}
	struct mm_slice rest = mm_left(c);
	if (r->kind == KIND_LITERAL || r->kind == KIND_LITERAL_ADDED) {
		if (r->index == 0)
			string(c);
		string(c);
	}
	r->strings = mm_first(rest, rest.len - c->len);
	r->whole = mm_first(before, before.len - c->len);
	return !c->err;
}

static struct mm_slice keep(struct mm_hpack_block *out, const uint8_t *p, size_t len)
{
	uint8_t *to = out->text + out->text_b;
	if (len != 0)
		memcpy(to, p, len);
	out->text_b += len;
	return mm_slice(to, len);
}

static void emit(struct mm_hpack_block *out, const nghttp2_nv *nv)
{
	if (nv->namelen == 1 && *nv->name == MM_HPACK_NAMELESS) {
		out->n_lost++;
		return;
	}
	if (out->n > MM_WEB_FIELDS_MAX || nv->namelen > MM_WEB_HEADERS_MAX - out->text_b ||
	        nv->valuelen > MM_WEB_HEADERS_MAX - out->text_b - nv->namelen) {
		out->cut = true;
		return;
	}
	struct mm_web_field *f = &out->fields[out->n++];
	f->name = keep(out, nv->name, nv->namelen);
	f->value = keep(out, nv->value, nv->valuelen);
}

/* Give nghttp2 bytes of a block. */
static bool inflate_some(struct mm_hpack *h, struct mm_slice part, struct mm_hpack_block *out)
{
	struct mm_cursor c = mm_cursor(part);
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		struct mm_slice left = mm_left(&c);
		ssize_t n = nghttp2_hd_inflate_hd2(h->inflater, &nv, &flags, left.p, left.len, 0);
		if (n < 0 || (size_t)n > left.len)
			return false;
		mm_skip(&c, (size_t)n);
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
			emit(out, &nv);
		else if (n == 0 || c.len == 0)
			return c.len == 0;
		if (c.len == 0)
			return true;
	}
}

/* A literal whose name is in a part of the table that is not known is added without its name. */
static bool add_nameless(
        struct mm_hpack *h, const struct representation *r, struct mm_hpack_block *out)
{
	static const uint8_t head[] = { 0x40, 0x01, MM_HPACK_NAMELESS };
	return inflate_some(h, mm_slice(head, sizeof head), out) &&
	       inflate_some(h, r->strings, out);
}

/* More than is kept here; the encoder may well have been allowed it. */
static bool limit_table(
        struct mm_hpack *h, const struct representation *r, struct mm_hpack_block *out)
{
	static const uint8_t most[] = { 0x3f, 0xe1, 0xff, 0x03 }; /* 65536 = 31 + 65505 */
	if (r->index <= MM_HPACK_TABLE_MAX)
		return inflate_some(h, r->whole, out);
	return inflate_some(h, mm_slice(most, sizeof most), out);
}

static bool represent(
        struct mm_hpack *h, const struct representation *r, struct mm_hpack_block *out)
{
	bool known = r->index <= nghttp2_hd_inflate_get_num_table_entries(h->inflater);
	switch (r->kind) {
	case KIND_SIZE_UPDATE:
		return limit_table(h, r, out);
	case KIND_LITERAL_ADDED:
		return known ? inflate_some(h, r->whole, out) : add_nameless(h, r, out);
	case KIND_INDEXED:
	case KIND_LITERAL:
		if (known)
			return r->index != 0 || r->kind == KIND_LITERAL
			               ? inflate_some(h, r->whole, out)
			               : false; /* section 6.1: an error */
		out->n_lost++;
		return true;
	}
	return false;
}

bool mm_hpack_read(struct mm_hpack *h, struct mm_slice block, struct mm_hpack_block *out)
{
	struct mm_cursor c = mm_cursor(block);
	struct representation r;
	out->n = out->text_b = 0;
	out->n_lost = 0;
	out->cut = false;
	while (c.len != 0)
		if (!next(&c, &r) || !represent(h, &r, out))
			return false;
	nghttp2_nv nv;
	int flags = 0;
	ssize_t n = nghttp2_hd_inflate_hd2(h->inflater, &nv, &flags, block.p, 0, 1);
	return n == 0 && nghttp2_hd_inflate_end_headers(h->inflater) == 0;
}
