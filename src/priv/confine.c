/* The main process gives up what it does not need: user, groups, capabilities, files, system calls. */
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "priv/priv.h"
#include "priv/sandbox.h"

static const char *const default_users[] = { "mintmark", "nobody" };

int mm_priv_why(char *why, size_t why_len, int r, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, why_len, fmt, ap);
	va_end(ap);
	errno = saved;
	return r;
}

int mm_caps_keep(uint64_t keep)
{
	if (capng_get_caps_process() != 0)
		return MM_ERR_IO;
	bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
	uint64_t had = 0;
	for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
		if (capng_have_capability(CAPNG_PERMITTED, c) != 0)
			had |= UINT64_C(1) << c;
	capng_clear(CAPNG_SELECT_ALL);
	for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
		if ((had & keep & UINT64_C(1) << c) != 0)
			(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, c);
	/* The bounding set first, as narrowing it takes a capability; without that one it stays, and no_new_privs makes
	 * it idle. */
	if (may_bound && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
		return MM_ERR_IO;
	return capng_apply(CAPNG_SELECT_CAPS) != 0 ? MM_ERR_IO : MM_OK;
}

static bool has_no_caps(void)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE;
}

/* Named by the user: a name or a number. */
static const struct passwd *find_user(const char *name)
{
	char *end;
	const struct passwd *pw = getpwnam(name);
	if (pw != NULL || *name < '0' || *name > '9')
		return pw;
	errno = 0;
	unsigned long uid = strtoul(name, &end, 10);
	return errno == 0 && *end == '\0' && uid < UINT_MAX ? getpwuid((uid_t)uid) : NULL;
}

/* In a user namespace that its maker alone is mapped in there is nobody else to become (user_namespaces(7)). */
static bool is_alone(void)
{
	char word[8] = "";
	FILE *f = fopen("/proc/self/setgroups", "re");
	bool denied =
	        f != NULL && fgets(word, sizeof word, f) != NULL && strncmp(word, "deny", 4) == 0;
	if (f != NULL)
		fclose(f);
	return denied;
}

static bool may_change_user(void)
{
	return !is_alone() && capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) != 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID) != 0;
}

/* Who to become; *to is NULL to stay. */
static int choose_user(const char *name, const struct passwd **to, char *why, size_t why_len)
{
	*to = NULL;
	if (name != NULL) {
		const struct passwd *pw = find_user(name);
		if (pw == NULL)
			return mm_priv_why(
			        why, why_len, MM_ERR_USAGE, "process.user: no user %s", name);
		if (pw->pw_uid == geteuid() && pw->pw_uid == getuid())
			return MM_OK;
		if (!may_change_user())
			return mm_priv_why(why, why_len, MM_ERR_USAGE,
			        "process.user: only root can become %s", name);
		*to = pw;
		return MM_OK;
	}
	if (geteuid() != 0 || !may_change_user())
		return MM_OK;
	for (size_t i = 0; i < sizeof default_users / sizeof default_users[0] && *to == NULL; i++)
		*to = getpwnam(default_users[i]);
	if (*to == NULL)
		return mm_priv_why(why, why_len, MM_ERR_USAGE,
		        "neither a user mintmark nor a user nobody to become; process.user names "
		        "another");
	return MM_OK;
}

static int change_user(const struct passwd *pw, char *why, size_t why_len)
{
	uid_t uid = pw->pw_uid;
	gid_t gid = pw->pw_gid;
	/* As root the bounding set can still be narrowed, too. */
	if (mm_caps_keep(UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID) != MM_OK ||
	        setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
	        setresuid(uid, uid, uid) != 0)
		return mm_priv_why(why, why_len, MM_ERR_IO,
		        "cannot become user %s: %s; process.user names another", pw->pw_name,
		        strerror(errno));
	return MM_OK;
}

/* The way back is closed: after all was dropped, becoming root must fail. */
static int check_user(const struct passwd *pw, char *why, size_t why_len)
{
	if (pw->pw_uid == 0 || setresuid(0, 0, 0) != 0)
		return MM_OK;
	errno = EPERM;
	return mm_priv_why(why, why_len, MM_ERR_IO, "user %s can become root again", pw->pw_name);
}

static void tell_user(struct mm_confine_status *status)
{
	const struct passwd *pw = getpwuid(geteuid());
	status->uid = geteuid();
	status->gid = getegid();
	if (pw != NULL)
		snprintf(status->user, sizeof status->user, "%s", pw->pw_name);
	else
		snprintf(status->user, sizeof status->user, "%lu", (unsigned long)status->uid);
}

/* What is dropped here is dropped by thread. A thread of a sanitizer's own does no harm. */
static bool single_threaded(void)
{
	struct stat st;
	enum { LINKS_OF_ONE = 3 }; /* a directory's two, and one for each in it */
	return !mm_sandbox_possible || stat("/proc/self/task", &st) != 0 ||
	       st.st_nlink <= LINKS_OF_ONE;
}

/* Free enough in a thread's own heap that malloc gives pages back: glibc reads overcommit_memory when it first does
 * (check_may_shrink_heap() in its malloc-sysdep.h). More than its M_TRIM_THRESHOLD and M_TOP_PAD, in pieces below its
 * M_MMAP_THRESHOLD: mallopt(3). */
static void *shrink_heap(void *arg)
{
	enum { PIECES = 16, PIECE_B = 65536 };
	void *volatile pieces[PIECES];
	for (size_t i = 0; i < PIECES; i++)
		pieces[i] = malloc(PIECE_B);
	for (size_t i = PIECES; i > 0; i--)
		free(pieces[i - 1]);
	return arg;
}

/* What the C library would open when it needs it, opened now. False with errno when that can not be done. */
static bool load_late(void)
{
	enum { HEAPS_PER_PROCESSOR = 8 }; /* glibc's own default: mallopt(3), M_ARENA_MAX */
	pthread_t thread;
	tzset(); /* gmtime_r(), too, reads the time zone at its first call */
	/* The ninth thread's malloc would count the processors, in /sys. */
	if (getenv("MALLOC_ARENA_MAX") == NULL)
		mallopt(M_ARENA_MAX, HEAPS_PER_PROCESSOR * (int)sysconf(_SC_NPROCESSORS_ONLN));
	errno = pthread_create(&thread, NULL, shrink_heap, NULL);
	return errno == 0 && pthread_join(thread, NULL) == 0;
}

int mm_confine_drop(const struct mm_confine_config *config, struct mm_confine_status *status,
        char *why, size_t why_len)
{
	struct mm_confine_status done = { .changed = false };
	const struct passwd *pw;
	bool sandbox = config->sandbox && mm_sandbox_possible;
	if (!single_threaded())
		return mm_priv_why(
		        why, why_len, MM_ERR_USAGE, "confined after threads were started");
	if (!load_late())
		return mm_priv_why(why, why_len, MM_ERR_IO, "pthread_create: %s", strerror(errno));
	int r = choose_user(config->user, &pw, why, why_len);
	if (r == MM_OK && pw != NULL) {
		done.changed = true;
		r = change_user(pw, why, why_len);
	}
	if (r != MM_OK)
		return r;
	if (mm_caps_keep(0) != MM_OK || !has_no_caps())
		return mm_priv_why(
		        why, why_len, MM_ERR_IO, "cannot drop capabilities: %s", strerror(errno));
	if (pw != NULL && (r = check_user(pw, why, why_len)) != MM_OK)
		return r;
	tell_user(&done);
	/* A change of user makes a process undumpable, too, which a debugger and a sanitizer can not live with. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	        prctl(PR_SET_DUMPABLE, sandbox ? 0 : 1, 0, 0, 0) != 0)
		return mm_priv_why(why, why_len, MM_ERR_IO, "prctl: %s", strerror(errno));
	if (sandbox && mm_landlock_restrict(NULL, 0, &done.landlock_abi) != MM_OK)
		return mm_priv_why(why, why_len, MM_ERR_IO, "Landlock: %s", strerror(errno));
	done.landlock = sandbox && done.landlock_abi > 0;
	*status = done;
	return MM_OK;
}

int mm_confine_filter(const struct mm_confine_config *config, struct mm_confine_status *status,
        char *why, size_t why_len)
{
	if (!config->sandbox || !mm_sandbox_possible)
		return MM_OK;
	int r = mm_filter_main(mm_monitor_peer(config->monitor));
	if (r != MM_OK)
		return mm_priv_why(why, why_len, r, "seccomp: %s; process.sandbox=no runs without",
		        r == MM_ERR_NOMEM ? "out of memory" : strerror(errno));
	status->seccomp = true;
	return MM_OK;
}

int mm_confine(const struct mm_confine_config *config, struct mm_confine_status *status, char *why,
        size_t why_len)
{
	int r = mm_confine_drop(config, status, why, why_len);
	return r == MM_OK ? mm_confine_filter(config, status, why, why_len) : r;
}

const char *mm_confine_words(const struct mm_confine_status *status, char out[MM_CONFINE_WORDS])
{
	snprintf(out, MM_CONFINE_WORDS, "user %s, no capabilities, %sLandlock, %sseccomp",
	        status->user, status->landlock ? "" : "no ", status->seccomp ? "" : "no ");
	return out;
}
