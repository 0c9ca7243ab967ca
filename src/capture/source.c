/* Capture files as sources: open by magic, and turn away what the filter does not want. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/file.h"

/* Link types whose number in files is not libpcap's DLT_ of this system (pcap-common.c,
 * linktype_to_dlt). */
enum {
	LINKTYPE_ATM_RFC1483 = 100,
	LINKTYPE_RAW = MM_LINK_RAW,
};

const struct mm_file_format *mm_file_format(struct mm_slice magic)
{
	if (mm_format_pcap.probe(magic))
		return &mm_format_pcap;
	if (mm_format_pcapng.probe(magic))
		return &mm_format_pcapng;
	return NULL;
}

int mm_file_why(struct mm_file *f, int r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->base.why, sizeof f->base.why, fmt, ap);
	va_end(ap);
	return r;
}

int mm_file_cut(struct mm_file *f, uint64_t n, uint64_t at)
{
	if (f->in.status != MM_OK)
		return mm_file_why(f, f->in.status, "%s after packet %llu", f->in.why,
		        (unsigned long long)(n - 1));
	return mm_file_why(f, MM_ERR_TRUNCATED, "truncated in packet %llu, at byte %llu",
	        (unsigned long long)n, (unsigned long long)at);
}

static int linktype_to_dlt(uint32_t linktype)
{
	if (linktype == LINKTYPE_RAW)
		return DLT_RAW;
	if (linktype == LINKTYPE_ATM_RFC1483)
		return DLT_ATM_RFC1483;
	return (int)linktype;
}

/** Compile the filter for a link type not met before: MM_OK; MM_ERR_USAGE with its reason in
 * base.why, and a slot that turns everything away; MM_ERR_NOMEM; MM_ERR_UNSUPPORTED when there
 * are too many. */
static int filter_compile(struct mm_file *f, uint32_t linktype, struct mm_file_filter **out)
{
	if (f->n_filters == MM_CAPTURE_FILTERS)
		return mm_file_why(f, MM_ERR_UNSUPPORTED,
		        "more than %d link types to filter, after packet %llu", MM_CAPTURE_FILTERS,
		        (unsigned long long)f->base.n_packets);
	pcap_t *dead = pcap_open_dead(linktype_to_dlt(linktype), MM_CAPTURE_SNAPLEN);
	if (dead == NULL)
		return mm_file_why(f, MM_ERR_NOMEM, "out of memory");
	struct mm_file_filter *slot = &f->filters[f->n_filters++];
	*slot = (struct mm_file_filter){ .linktype = linktype };
	*out = slot;
	slot->usable = pcap_compile(dead, &slot->program, f->filter, 1, PCAP_NETMASK_UNKNOWN) == 0;
	int r = slot->usable ? MM_OK
	                     : mm_file_why(f, MM_ERR_USAGE, "filter: %s", pcap_geterr(dead));
	pcap_close(dead);
	return r;
}

/** Whether the filter wants the packet: 1 or 0; negative on an error. */
static int wanted(struct mm_file *f, const struct mm_packet *p)
{
	struct mm_file_filter *use = NULL;
	for (size_t i = 0; i < f->n_filters && use == NULL; i++) {
		if (f->filters[i].linktype == p->linktype)
			use = &f->filters[i];
	}
	if (use == NULL) {
		int r = filter_compile(f, p->linktype, &use);
		if (r != MM_OK && r != MM_ERR_USAGE)
			return r;
		/* A filter that suits the first link type need not suit this one: such packets
		 * do not match. */
		f->base.why[0] = '\0';
	}
	if (!use->usable)
		return 0;
	struct pcap_pkthdr h = { .caplen = (bpf_u_int32)p->data.len, .len = p->wire_len };
	return pcap_offline_filter(&use->program, &h, p->data.p) != 0;
}

int mm_file_next(struct mm_source *s, struct mm_packet *out)
{
	struct mm_file *f = (struct mm_file *)s;
	if (f->status <= 0)
		return f->status;
	int r;
	while ((r = f->format->read(f, out)) > 0 && f->filter != NULL) {
		if ((r = wanted(f, out)) != 0)
			break;
		s->n_filtered++;
	}
	s->offset = mm_input_offset(&f->in);
	f->status = r;
	if (r <= 0) {
		int err = f->in.error;
		mm_input_done(&f->in);
		errno = err;
	}
	return r;
}

void mm_file_close(struct mm_source *s)
{
	struct mm_file *f = (struct mm_file *)s;
	mm_input_done(&f->in);
	for (size_t i = 0; i < f->n_filters; i++) {
		if (f->filters[i].usable)
			pcap_freecode(&f->filters[i].program);
	}
	free(f->filter);
	free(f->interfaces);
	free(s->path);
	free(f);
}

/** No capture: the bytes it begins with, for the reader to recognise. */
static int not_a_capture(struct mm_file *f, struct mm_slice magic)
{
	char hex[3 * MM_FILE_MAGIC + 1] = "";
	size_t n = 0;
	for (int b; n < MM_FILE_MAGIC && (b = mm_at(magic, n)) >= 0; n++)
		snprintf(hex + 3 * n, sizeof hex - 3 * n, " %02x", (unsigned)b);
	return mm_file_why(f, MM_ERR_FORMAT, "no capture file (begins with%s)", hex);
}

/** Tell the format and read up to the first packet. */
static int file_start(struct mm_file *f)
{
	struct mm_slice magic = { 0 };
	int r = mm_input_peek(&f->in, MM_FILE_MAGIC, &magic);
	if (r < 0 && f->in.status != MM_OK)
		return mm_file_why(f, r, "%s", f->in.why);
	if (r == 0)
		return mm_file_why(f, MM_ERR_FORMAT, "empty file");
	if (r < 0) {
		struct mm_slice few = mm_slice(f->in.buf + f->in.start, f->in.end - f->in.start);
		return not_a_capture(f, few);
	}
	f->format = mm_file_format(magic);
	if (f->format == NULL)
		return not_a_capture(f, magic);
	f->base.ops = &f->format->ops;
	if ((r = f->format->open(f)) != MM_OK)
		return r;
	if (f->filter != NULL) {
		struct mm_file_filter *first;
		r = filter_compile(f, f->has_linktype ? f->linktype : MM_LINK_ETHERNET, &first);
	}
	return r;
}

int mm_source_open_file(const char *path, uint32_t file, const char *filter,
        const atomic_bool *stop, struct mm_spares *spares, struct mm_source **out, char *why,
        size_t why_len)
{
	struct mm_file *f = calloc(1, sizeof *f);
	if (f == NULL) {
		snprintf(why, why_len, "out of memory");
		return MM_ERR_NOMEM;
	}
	f->in.fd = -1;
	f->status = 1;
	f->base.file = file;
	f->base.path = strdup(path);
	f->filter = filter == NULL ? NULL : strdup(filter);
	int r;
	if (f->base.path == NULL || (filter != NULL && f->filter == NULL))
		r = mm_file_why(f, MM_ERR_NOMEM, "out of memory");
	else if ((r = mm_input_open(&f->in, path, stop, spares)) != MM_OK)
		(void)mm_file_why(f, r, "%s", f->in.why);
	else
		r = file_start(f);
	if (r == MM_OK) {
		f->base.size = f->in.size;
		*out = &f->base;
		return MM_OK;
	}
	snprintf(why, why_len, "%s", f->base.why);
	int err = f->in.error;
	mm_file_close(&f->base);
	errno = err;
	/* A file broken before its first packet is no capture that could be read on. */
	return r == MM_ERR_TRUNCATED || r == MM_ERR_CORRUPT || r == MM_ERR_UNSUPPORTED
	               ? MM_ERR_FORMAT
	               : r;
}

void mm_source_close(struct mm_source *s)
{
	if (s != NULL)
		s->ops->close(s);
}

void mm_source_on_secrets(struct mm_source *s, mm_secrets_fn *fn, void *arg)
{
	s->on_secrets = fn;
	s->secrets_arg = arg;
}
