/* Landlock: what no file system right is left of. Called by number, as no C library of Debian 12 knows it. */
#include <errno.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "priv/sandbox.h"

/* Rights by the version that brought them: Documentation/userspace-api/landlock.rst. Headers older than the kernel
 * lack the later ones, so all are counted here. */
enum {
	RIGHTS_V1 = 13, /* LANDLOCK_ACCESS_FS_EXECUTE to MAKE_SYM */
	RIGHTS_V2 = 14, /* REFER */
	RIGHTS_V3 = 15, /* TRUNCATE */
	RIGHTS_V5 = 16, /* IOCTL_DEV */
	ABI_NET = 4,    /* BIND_TCP, CONNECT_TCP */
	ABI_IOCTL_DEV = 5,
	ABI_SCOPE = 6, /* ABSTRACT_UNIX_SOCKET, SIGNAL */
	RIGHTS_NET = 2,
	RIGHTS_SCOPE = 2,
};

/* struct landlock_ruleset_attr as of version 6; an older kernel takes it when what it does not know is 0. */
struct ruleset {
	uint64_t fs, net, scoped;
};

static uint64_t bits(int n)
{
	return (UINT64_C(1) << n) - 1;
}

static uint64_t fs_rights(int abi)
{
	if (abi >= ABI_IOCTL_DEV)
		return bits(RIGHTS_V5);
	return bits(abi >= 3 ? RIGHTS_V3 : abi == 2 ? RIGHTS_V2 : RIGHTS_V1);
}

static int add_rules(int ruleset, const struct mm_landlock_rule *rules, size_t n, uint64_t handled)
{
	for (size_t i = 0; i < n; i++) {
		struct landlock_path_beneath_attr beneath = {
			.allowed_access = rules[i].rights & handled, .parent_fd = rules[i].dir
		};
		if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath,
		            0) != 0)
			return MM_ERR_IO;
	}
	return MM_OK;
}

int mm_landlock_restrict(const struct mm_landlock_rule *rules, size_t n, int *abi)
{
	long version =
	        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	*abi = version > 0 ? (int)version : 0;
	/* ENOSYS: not in this kernel; EOPNOTSUPP: switched off at boot; EPERM: by the filter of a container. */
	if (*abi == 0)
		return MM_OK;
	struct ruleset attr = { .fs = fs_rights(*abi),
		.net = *abi >= ABI_NET ? bits(RIGHTS_NET) : 0,
		.scoped = *abi >= ABI_SCOPE ? bits(RIGHTS_SCOPE) : 0 };
	size_t size = *abi >= ABI_SCOPE ? sizeof attr
	              : *abi >= ABI_NET ? 2 * sizeof attr.fs
	                                : sizeof attr.fs;
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return MM_ERR_IO;
	int r = add_rules(fd, rules, n, attr.fs);
	if (r == MM_OK && syscall(SYS_landlock_restrict_self, fd, 0) != 0)
		r = MM_ERR_IO;
	int saved = errno;
	close(fd);
	errno = saved;
	return r;
}
