/* Prints exchanges of HTTP as mintmark reads them, in place of all who read them: linked before the library.
 *
 * A line for each, fields separated by tabs and texts in hexadecimal: client, its port, server, its port, number, version,
 * method, authority, path, query, status, fields of the request, its body, fields of the answer, its body, flags of both, packet that
 * ends each. */
#include <inttypes.h>
#include <stdio.h>

#include "dissect/exchange.h"

static void put(struct mm_slice s)
{
	putchar('\t');
	for (size_t i = 0; i < s.len; i++)
		printf("%02x", (unsigned)mm_at(s, i));
}

static void put_message(const struct mm_web_message *m)
{
	putchar('\t');
	for (size_t i = 0; i < m->n_fields; i++) {
		struct mm_slice parts[2] = { m->fields[i].name, m->fields[i].value };
		for (unsigned k = 0; k < 2; k++) {
			for (size_t at = 0; at < parts[k].len; at++)
				printf("%02x", (unsigned)mm_at(parts[k], at));
			putchar(k == 0 ? ':' : ',');
		}
	}
	put(m->body);
}

void mm_web_exchange(struct mm_dissect *d, struct mm_web_exchange *x)
{
	char client[MM_ADDR_TEXT], server[MM_ADDR_TEXT];
	printf("%s\t%u\t%s\t%u\t%" PRIu64 "\t%d", mm_addr_text(&d->flow->client.addr, client),
	        d->flow->client.port, mm_addr_text(&d->flow->server.addr, server),
	        d->flow->server.port, x->number, (int)x->version);
	put(x->method);
	put(x->authority);
	put(x->path);
	put(x->query);
	printf("\t%u", x->status);
	put_message(&x->request);
	put_message(&x->response);
	printf("\t%" PRIx32 "\t%" PRIx32 "\t%" PRIu64 "\t%" PRIu64 "\n", x->request.flags,
	        x->response.flags, x->request.last.number, x->response.last.number);
}
