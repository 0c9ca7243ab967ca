/* IP addresses as values. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <string.h>

/* As inet_ntop() does, which goes through printf(). */
static char *ipv4_text(const uint8_t *b, char *out)
{
	char *p = out;
	for (size_t i = 0; i < 4; i++) {
		if (i != 0)
			*p++ = '.';
		if (b[i] >= 100)
			*p++ = (char)('0' + b[i] / 100);
		if (b[i] >= 10)
			*p++ = (char)('0' + b[i] / 10 % 10);
		*p++ = (char)('0' + b[i] % 10);
	}
	*p = '\0';
	return out;
}

const char *mm_addr_text(const struct mm_addr *a, char out[MM_ADDR_TEXT])
{
	if (a->family == 4)
		return ipv4_text(a->b, out);
	if (a->family == 0 || !inet_ntop(AF_INET6, a->b, out, MM_ADDR_TEXT))
		memcpy(out, "-", 2);
	return out;
}

struct mm_addr mm_addr_network(const struct mm_addr *a)
{
	struct mm_addr net = *a;
	size_t keep = a->family == 4 ? 3 : 8;
	memset(net.b + keep, 0, sizeof net.b - keep);
	return net;
}

bool mm_addr_eq(const struct mm_addr *a, const struct mm_addr *b)
{
	return mm_addr_cmp(a, b) == 0;
}

int mm_addr_cmp(const struct mm_addr *a, const struct mm_addr *b)
{
	return a->family != b->family ? a->family - b->family : memcmp(a->b, b->b, sizeof a->b);
}
