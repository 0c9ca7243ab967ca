/* Reading what the operator knows of issuers. */
#include "keys/tell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The next of "NAME=VALUE NAME=VALUE"; false at the end. *bad: there is no '=' in it, or nothing before or behind. */
static bool next_pair(struct mm_cursor *c, struct mm_slice *name, struct mm_slice *value, bool *bad)
{
	while (mm_peek8(c) == ' ' || mm_peek8(c) == '\n' || mm_peek8(c) == '\t')
		mm_skip(c, 1);
	if (c->len == 0)
		return false;
	struct mm_slice left = mm_left(c);
	size_t end = 0, eq = SIZE_MAX;
	for (; end < left.len && mm_at(left, end) > ' '; end++)
		if (mm_at(left, end) == '=')
			eq = end;
	struct mm_slice pair = mm_take(c, end);
	*bad = eq == SIZE_MAX || eq == 0 || eq + 1 == end;
	*name = *bad ? pair : mm_first(pair, eq);
	*value = *bad ? pair : mm_after(pair, eq + 1);
	return true;
}

static int told_bad(char why[MM_TELL_WHY], struct mm_slice pair, const char *form)
{
	snprintf(why, MM_TELL_WHY, "%.*s: not %s", (int)mm_first(pair, 200).len,
	        (const char *)pair.p, form);
	return MM_ERR_USAGE;
}

/* All of a file, up to what a key set may have. */
static int read_file(const char *path, uint8_t *out, size_t room, size_t *n)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return MM_ERR_IO;
	*n = fread(out, 1, room, f);
	int r = ferror(f) ? MM_ERR_IO : *n == room ? MM_ERR_FORMAT : MM_OK;
	int keep = errno;
	fclose(f);
	errno = keep;
	return r;
}

static int tell_set(struct mm_keyring *k, struct mm_slice issuer, struct mm_slice file,
        uint8_t *room, char why[MM_TELL_WHY])
{
	char path[4096];
	size_t n = 0;
	snprintf(path, sizeof path, "%.*s", (int)mm_first(file, sizeof path - 1).len,
	        (const char *)file.p);
	int r = read_file(path, room, MM_JSON_BYTES_MAX, &n);
	if (r == MM_ERR_IO)
		snprintf(why, MM_TELL_WHY, "%.200s: %s", path, strerror(errno));
	if (r == MM_OK)
		r = mm_keyring_tell(k, issuer, mm_slice(room, n));
	if (r == MM_ERR_FORMAT)
		snprintf(why, MM_TELL_WHY, "%.200s: no key set (RFC 7517) with a key that is known",
		        path);
	explicit_bzero(room, n); /* it may hold a secret for HMAC */
	return r;
}

int mm_keys_tell_sets(struct mm_keyring *k, const char *list, char why[MM_TELL_WHY])
{
	struct mm_slice issuer, file;
	struct mm_cursor c = mm_cursor(mm_slice_str(list != NULL ? list : ""));
	bool bad;
	int r = MM_OK;
	uint8_t *room = malloc(MM_JSON_BYTES_MAX);
	why[0] = '\0';
	if (room == NULL)
		return MM_ERR_NOMEM;
	while (r == MM_OK && next_pair(&c, &issuer, &file, &bad))
		r = bad ? told_bad(why, issuer, "ISSUER=FILE")
		        : tell_set(k, issuer, file, room, why);
	free(room);
	return r;
}

int mm_keys_tell_scopes(struct mm_keyring *k, const char *list, char why[MM_TELL_WHY])
{
	struct mm_slice issuer, scope;
	struct mm_cursor c = mm_cursor(mm_slice_str(list != NULL ? list : ""));
	bool bad;
	why[0] = '\0';
	while (next_pair(&c, &issuer, &scope, &bad)) {
		if (bad)
			return told_bad(why, issuer, "ISSUER=SCOPE");
		mm_keyring_scope(k, issuer, scope);
	}
	return MM_OK;
}
