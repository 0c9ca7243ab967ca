/* The names of captures and interfaces. */
#include "base/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *mm_files_name(const struct mm_files *files, uint32_t number)
{
	if (number < files->n)
		return files->names[number];
	if (number >= MM_FILES_EARLIER && number - MM_FILES_EARLIER < files->n_earlier)
		return files->earlier[number - MM_FILES_EARLIER];
	return "?";
}

/* A name of this run: an earlier one that is the same is marked from now on. */
static bool mark_earlier(struct mm_files *files, const char *name)
{
	for (size_t i = 0; i < files->n_earlier; i++) {
		if (strcmp(files->earlier[i], name) != 0)
			continue;
		size_t len = strlen(name), mark_len = strlen(files->mark);
		char *marked = realloc(files->earlier[i], len + mark_len + 1);
		if (marked == NULL)
			return false;
		memcpy(marked + len, files->mark, mark_len + 1);
		files->earlier[i] = marked;
	}
	return true;
}

int mm_files_add(struct mm_files *files, const char *name)
{
	char **names = realloc(files->names, (files->n + 1) * sizeof *names);
	char *copy = strdup(name);
	if (names != NULL)
		files->names = names;
	if (names == NULL || copy == NULL || files->n + 1 >= MM_FILES_EARLIER ||
	        !mark_earlier(files, name)) {
		free(copy);
		return MM_ERR_NOMEM;
	}
	names[files->n] = copy;
	return (int)files->n++;
}

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; names != NULL && i < n; i++)
		free(names[i]);
	free(names);
}

void mm_files_done(struct mm_files *files)
{
	free_names(files->names, files->n);
	free_names(files->earlier, files->n_earlier);
	*files = (struct mm_files){ 0 };
}

void mm_files_save(const struct mm_files *files, struct mm_store *out)
{
	mm_store_u32(out, (uint32_t)files->n);
	mm_store_u32(out, (uint32_t)files->n_earlier);
	for (size_t i = 0; i < files->n; i++)
		mm_store_text(out, files->names[i], strnlen(files->names[i], MM_FILE_NAME_MAX));
	for (size_t i = 0; i < files->n_earlier; i++)
		mm_store_text(out, files->earlier[i], strnlen(files->earlier[i], MM_FILE_NAME_MAX));
}

int mm_file_map_load(struct mm_file_map *map, struct mm_cursor *in)
{
	const uint32_t most = MM_FILES_EARLIER - 1;
	uint32_t n_first = mm_load_u32(in, most), n_earlier = mm_load_u32(in, most);
	size_t n = (size_t)n_first + n_earlier;
	*map = (struct mm_file_map){ .n = n, .n_first = n_first };
	if (n > in->len / sizeof(uint16_t))
		mm_fail(in);
	if (in->err)
		return MM_ERR_CORRUPT;
	map->names = calloc(n + 1, sizeof *map->names);
	map->to = calloc(n + 1, sizeof *map->to);
	map->used = calloc(n + 1, sizeof *map->used);
	if (map->names == NULL || map->to == NULL || map->used == NULL)
		return MM_ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		map->names[i] = mm_load_text(in, MM_FILE_NAME_MAX);
		if (mm_find8(map->names[i], 0, 0) != map->names[i].len)
			mm_fail(in);
	}
	return in->err ? MM_ERR_CORRUPT : MM_OK;
}

void mm_file_map_done(struct mm_file_map *map)
{
	free(map->names);
	free(map->to);
	free(map->used);
	*map = (struct mm_file_map){ 0 };
}

void mm_store_pkt(struct mm_store *out, struct mm_pkt pkt)
{
	mm_store_u64(out, pkt.number);
	mm_store_u32(out, pkt.number != 0 ? pkt.file : 0);
}

struct mm_pkt mm_file_map_pkt(struct mm_file_map *map, struct mm_cursor *in)
{
	struct mm_pkt none = { 0, 0 }, pkt = { .number = mm_le64(in) };
	uint32_t file = mm_le32(in);
	size_t i = file < MM_FILES_EARLIER ? file : map->n_first + (file - MM_FILES_EARLIER);
	if (pkt.number == 0)
		return none;
	if (i >= map->n || (file < MM_FILES_EARLIER && i >= map->n_first)) {
		mm_fail(in);
		return none;
	}
	if (map->to[i] == 0) {
		map->to[i] = MM_FILES_EARLIER + map->n_used;
		map->used[map->n_used++] = (uint32_t)i;
	}
	pkt.file = map->to[i];
	return pkt;
}

static void make_mark(struct mm_files *files, int64_t until_ns)
{
	struct tm tm;
	time_t until = (time_t)(until_ns / 1000000000);
	if (gmtime_r(&until, &tm) == NULL ||
	        strftime(files->mark, sizeof files->mark, "[until %Y-%m-%dT%H:%M:%SZ]", &tm) == 0)
		snprintf(files->mark, sizeof files->mark, "[earlier]");
}

int mm_files_adopt(struct mm_files *files, const struct mm_file_map *map, int64_t until_ns)
{
	bool done = true;
	free_names(files->earlier, files->n_earlier);
	files->n_earlier = 0;
	files->earlier = calloc((size_t)map->n_used + 1, sizeof *files->earlier);
	if (files->earlier == NULL)
		return MM_ERR_NOMEM;
	make_mark(files, until_ns);
	for (size_t i = 0; i < map->n_used && done; i++) {
		struct mm_slice name = map->names[map->used[i]];
		files->earlier[i] = strndup((const char *)name.p, name.len);
		done = files->earlier[i] != NULL;
		files->n_earlier += done;
	}
	for (size_t i = 0; i < files->n && done; i++)
		done = mark_earlier(files, files->names[i]);
	return done ? MM_OK : MM_ERR_NOMEM;
}
