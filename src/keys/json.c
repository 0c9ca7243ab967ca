/* Reading JSON within limits. */
#include "keys/json.h"

/* How deep brackets nest outside of strings. What is no JSON may give any number. */
static size_t depth_of(struct mm_slice text)
{
	struct mm_cursor c = mm_cursor(text);
	size_t depth = 0, most = 0;
	bool quoted = false;
	while (c.len != 0) {
		uint8_t b = mm_u8(&c);
		if (quoted && b == '\\' && c.len != 0)
			mm_skip(&c, 1);
		else if (b == '"')
			quoted = !quoted;
		else if (!quoted && (b == '{' || b == '['))
			depth++;
		else if (!quoted && (b == '}' || b == ']') && depth != 0)
			depth--;
		most = depth > most ? depth : most;
	}
	return most;
}

json_t *mm_json_object(struct mm_slice text, enum mm_json_fault *fault)
{
	enum mm_json_fault ignored;
	json_error_t error;
	fault = fault != NULL ? fault : &ignored;
	*fault = MM_JSON_BAD;
	if (text.len > MM_JSON_BYTES_MAX)
		*fault = MM_JSON_LONG;
	else if (depth_of(text) > MM_JSON_DEPTH_MAX)
		*fault = MM_JSON_DEEP;
	if (*fault != MM_JSON_BAD || text.len == 0)
		return NULL;
	json_t *object = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES, &error);
	if (object == NULL && json_error_code(&error) == json_error_duplicate_key)
		*fault = MM_JSON_DUPLICATE;
	if (object == NULL)
		return NULL;
	if (!json_is_object(object)) {
		json_decref(object);
		return NULL;
	}
	*fault = MM_JSON_GOOD;
	return object;
}

struct mm_slice mm_json_str(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);
	if (!json_is_string(v))
		return mm_slice(NULL, 0);
	return mm_slice(json_string_value(v), json_string_length(v));
}

int64_t mm_json_date(const json_t *object, const char *name)
{
	const int64_t year_10000 = INT64_C(253402300800);
	const json_t *v = json_object_get(object, name);
	if (json_is_integer(v) && json_integer_value(v) > 0 && json_integer_value(v) < year_10000)
		return (int64_t)json_integer_value(v);
	if (json_is_real(v) && json_real_value(v) >= 1 && json_real_value(v) < (double)year_10000)
		return (int64_t)json_real_value(v);
	return 0;
}

void mm_json_init(uint64_t seed)
{
	json_object_seed((size_t)seed | 1); /* 0 would mean: choose one */
}
