/* Capture files under fuzzing: pcap, pcapng and what they are compressed with. An input is a file as it stands. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz_expect(fd >= 0, "memory suffices");
	fuzz_expect(write(fd, data, size) == (ssize_t)size, "memory suffices");
	fuzz_expect(lseek(fd, 0, SEEK_SET) == 0, "a file is rewound");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	struct mintmark *m = fuzz_new();
	int opened = mintmark_add_capture(m, path);
	if (opened != 0)
		fuzz_expect(mintmark_error(m)[0] != '\0', "a refused file is told why");
	fuzz_expect(mintmark_start(m) == 0, mintmark_error(m));
	if (opened == 0 && mintmark_run(m) != 0)
		fuzz_expect(mintmark_error(m)[0] != '\0', "a broken file is told why");
	fuzz_end(m);
	close(fd);
	return 0;
}
