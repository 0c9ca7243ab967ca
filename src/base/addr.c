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

bool mm_addr_parse(const char *text, size_t len, struct mm_addr *out)
{
	char copy[MM_ADDR_TEXT];
	struct mm_addr a = { 0 };
	if (len == 0 || len >= sizeof copy || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, a.b) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, copy, a.b) == 1)
		a.family = 6;
	else
		return false;
	*out = a;
	return true;
}

bool mm_net_has(const struct mm_net *net, const struct mm_addr *a)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	if (a->family != net->addr.family || memcmp(a->b, net->addr.b, whole) != 0)
		return false;
	return rest == 0 || ((a->b[whole] ^ net->addr.b[whole]) & (0xff00u >> rest & 0xffu)) == 0;
}

/* ADDRESS[/BITS], len characters. */
static bool net_parse(const char *text, size_t len, struct mm_net *out)
{
	const char *slash = memchr(text, '/', len);
	size_t n = slash == NULL ? len : (size_t)(slash - text);
	if (!mm_addr_parse(text, n, &out->addr))
		return false;
	unsigned most = out->addr.family == 4 ? 32 : 128, bits = 0;
	for (size_t i = n + 1; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || bits > most)
			return false;
		bits = bits * 10 + (unsigned)(text[i] - '0');
	}
	out->bits = slash == NULL ? most : bits;
	return out->bits <= most && n + 1 != len;
}

bool mm_nets_parse(const char *text, struct mm_net *out, size_t max, size_t *n)
{
	static const char between[] = ", \t\n";
	*n = 0;
	for (text += strspn(text, between); *text != '\0'; text += strspn(text, between)) {
		size_t len = strcspn(text, between);
		if (*n == max || !net_parse(text, len, &out[*n]))
			return false;
		(*n)++;
		text += len;
	}
	return true;
}
