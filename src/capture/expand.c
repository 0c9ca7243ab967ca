/* Which captures a command-line argument means. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/file.h"

struct list {
	char **paths;
	size_t n, room;
};

static void list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->paths[i]);
	free(l->paths);
}

/** Takes path; NULL counts as out of memory. */
static int list_add(struct list *l, char *path)
{
	if (path == NULL)
		return MM_ERR_NOMEM;
	if (l->n == l->room) {
		size_t room = l->room == 0 ? 16 : 2 * l->room;
		char **paths = reallocarray(l->paths, room, sizeof *paths);
		if (paths == NULL) {
			free(path);
			return MM_ERR_NOMEM;
		}
		l->paths = paths;
		l->room = room;
	}
	l->paths[l->n++] = path;
	return MM_OK;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/** Whether a file in a directory is to be opened: it begins like a capture, or cannot be looked
 * at. */
static bool wants(int dir, const char *name)
{
	struct stat st;
	uint8_t magic[MM_INPUT_MAGIC];
	if (fstatat(dir, name, &st, 0) != 0 || !S_ISREG(st.st_mode))
		return false;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return true;
	ssize_t n = pread(fd, magic, sizeof magic, 0);
	close(fd);
	if (n < 0)
		return true;
	struct mm_slice s = mm_slice(magic, (size_t)n);
	return mm_file_format(mm_first(s, MM_FILE_MAGIC)) != NULL ||
	       mm_input_codec(s) != MM_CODEC_NONE;
}

static int add_directory(struct list *l, DIR *dir, const char *arg)
{
	const char *slash = arg[strlen(arg) - 1] == '/' ? "" : "/";
	const struct dirent *e;
	while (errno = 0, (e = readdir(dir)) != NULL) {
		char *path = NULL;
		if (!wants(dirfd(dir), e->d_name))
			continue;
		if (asprintf(&path, "%s%s%s", arg, slash, e->d_name) < 0)
			path = NULL;
		int r = list_add(l, path);
		if (r != MM_OK)
			return r;
	}
	if (errno != 0)
		return MM_ERR_IO;
	if (l->n > 0)
		qsort(l->paths, l->n, sizeof *l->paths, by_name);
	return MM_OK;
}

int mm_capture_expand(const char *arg, char ***paths, size_t *n)
{
	struct list l = { 0 };
	struct stat st;
	int r;
	if (strcmp(arg, "-") == 0) {
		r = list_add(&l, strdup(arg));
	} else if (stat(arg, &st) != 0) {
		return MM_ERR_IO;
	} else if (!S_ISDIR(st.st_mode)) {
		r = list_add(&l, strdup(arg));
	} else {
		DIR *dir = opendir(arg);
		if (dir == NULL)
			return MM_ERR_IO;
		r = add_directory(&l, dir, arg);
		int err = errno;
		closedir(dir);
		errno = err;
	}
	if (r != MM_OK) {
		int err = errno;
		list_free(&l);
		errno = err;
		return r;
	}
	*paths = l.paths;
	*n = l.n;
	return MM_OK;
}
