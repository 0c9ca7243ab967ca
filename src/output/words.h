/* Words laid out for people: what findings and the closing summary share. */
#ifndef MM_OUTPUT_WORDS_H
#define MM_OUTPUT_WORDS_H

#include "output/output.h"

enum {
	MM_PAGE_WIDTH = 96,
	MM_PAGE_LABEL = 15, /* column at which what follows a label begins */
};

/** A report in the making. */
struct mm_page {
	struct mm_buf *out;
	struct mm_buf scratch; /* a paragraph before it is wrapped; owned */
	const struct mm_summary *summary;
	bool color;
};

enum mm_ink {
	MM_INK_PLAIN,
	MM_INK_BOLD,
	MM_INK_DIM,
	MM_INK_LOW,
	MM_INK_MEDIUM,
	MM_INK_HIGH,
	MM_INK_CRITICAL,
};

/** What follows is written in this ink, when the page has colour. */
void mm_page_ink(struct mm_page *page, enum mm_ink ink);

/** Begin a paragraph: an empty scratch buffer to compose it in. */
struct mm_buf *mm_page_begin(struct mm_page *page);

/** Write the paragraph composed since mm_page_begin(), broken at spaces: lead, padded to column indent, goes before
 * the first line, indent spaces before the others. */
void mm_page_end(struct mm_page *page, const char *lead, size_t indent);

/** A heading on a line of its own, an empty line before it. */
void mm_page_heading(struct mm_page *page, const char *text);

/** The closing summary, in summary.c. */
void mm_page_summary(struct mm_page *page);

/* Pieces of a paragraph. */
void mm_words_name(struct mm_buf *b, const char *name);
/** "1 flow", "2 flows" */
void mm_words_count(struct mm_buf *b, uint64_t n, const char *noun);
/** "2026-01-31 12:00:00.123 UTC" */
void mm_words_time(struct mm_buf *b, int64_t time_ns);
/** "12 h 5 min", "3.2 s" */
void mm_words_duration(struct mm_buf *b, int64_t duration_ns);
/** "98.7 MB" */
void mm_words_bytes(struct mm_buf *b, uint64_t n);
/** "+12.3", "-40.0": decibans */
void mm_words_weight(struct mm_buf *b, double db);
/** "99.63 %"; never rounded to 0 or 100 */
void mm_words_percent(struct mm_buf *b, double p);
void mm_words_addr(struct mm_buf *b, const struct mm_addr *addr);
/** "10.0.0.1 port 88" */
void mm_words_endpoint(struct mm_buf *b, const struct mm_addr *addr, uint16_t port);
void mm_words_fp(struct mm_buf *b, const struct mm_fp *fp);
/** "18 (aes256-cts-hmac-sha1-96)" */
void mm_words_etype(struct mm_buf *b, int64_t etype);
/** "accepted", "refused (Kerberos error 44, KRB_AP_ERR_BADKEYVER)", "no answer seen" */
void mm_words_verdict(struct mm_buf *b, enum mm_outcome outcome, struct mm_status status);
/** "lab.pcap#12, #14 and 3 more": the file is named where it changes */
void mm_words_pkts(struct mm_buf *b, const struct mm_files *files, const struct mm_pkt *pkts,
        size_t n, uint64_t more);

#endif
