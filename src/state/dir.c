/* The directory that holds a snapshot. */
#include "state/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_NAME MM_STATE_NAME ".new"

/* Close and keep errno. */
static int give_up(int fd)
{
	int why = errno;
	close(fd);
	errno = why;
	return MM_ERR_IO;
}

int mm_state_dir_open(const char *path)
{
	if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
		return MM_ERR_IO;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return MM_ERR_IO;
	if (flock(dir, LOCK_EX | LOCK_NB) == 0)
		return dir;
	if (errno == EWOULDBLOCK)
		errno = EBUSY;
	return give_up(dir);
}

static int read_all(int fd, size_t size, struct mm_store *out)
{
	if (!mm_store_reserve(out, size))
		return MM_ERR_NOMEM;
	while (out->len < size) {
		ssize_t n = read(fd, out->p + out->len, size - out->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return MM_ERR_IO;
		if (n == 0)
			return 1; /* cut short just now: its digest will tell */
		out->len += (size_t)n;
	}
	return 1;
}

int mm_state_dir_read(int dir, size_t max, struct mm_store *out)
{
	struct stat st;
	out->len = 0;
	int fd = openat(dir, MM_STATE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : MM_ERR_IO;
	if (fstat(fd, &st) != 0)
		return give_up(fd);
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uintmax_t)st.st_size > max) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		return give_up(fd);
	}
	int r = read_all(fd, (size_t)st.st_size, out);
	(void)give_up(fd);
	return r;
}

int mm_state_dir_begin(int dir)
{
	(void)unlinkat(dir, NEW_NAME, 0); /* of a run that was killed while it wrote */
	int fd = openat(dir, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	        S_IRUSR | S_IWUSR);
	return fd < 0 ? MM_ERR_IO : fd;
}

int mm_state_dir_commit(int dir)
{
	if (renameat(dir, NEW_NAME, dir, MM_STATE_NAME) != 0 || fsync(dir) != 0)
		return MM_ERR_IO;
	return MM_OK;
}

void mm_state_dir_abandon(int dir)
{
	int why = errno;
	(void)unlinkat(dir, NEW_NAME, 0);
	errno = why;
}

int mm_state_dir_set_aside(int dir, const char *what, int64_t time_s)
{
	char name[128];
	snprintf(name, sizeof name, "%s.%s-%" PRId64, MM_STATE_NAME, what, time_s);
	return renameat(dir, MM_STATE_NAME, dir, name) == 0 ? MM_OK : MM_ERR_IO;
}
