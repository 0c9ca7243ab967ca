/* Packed events back to back: a copy holds all it points to, a batch fills, empties and serves again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "event/batch.h"

static const struct mm_attr text = { "mintmark.test.text", MM_ATTR_STR, "" };
static const struct mm_attr list = { "mintmark.test.list", MM_ATTR_INTS, "" };
static const struct mm_attr number = { "mintmark.test.number", MM_ATTR_INT, "" };

static struct mm_event_room room;
static const char filling[MM_STR_MAX];

static struct mm_event *make(unsigned n_texts)
{
	static const int64_t numbers[] = { 18, 17, -133 };
	struct mm_event *ev = mm_event_init(&room);
	ev->action = "test";
	ev->user = mm_event_str(ev, mm_slice_str("alice"));
	struct mm_cred *cred = mm_event_cred(ev, MM_ROLE_PRESENTED);
	cred->issuer = mm_event_str(ev, mm_slice_str("LAB.TEST"));
	cred->service =
	        mm_event_join(ev, mm_event_str(ev, mm_slice_str("cifs")), '/', mm_slice_str("srv"));
	cred->kvno = 7;
	mm_event_put_str(ev, &text, mm_slice_str("some text"));
	mm_event_put_ints(ev, &list, numbers, 3);
	mm_event_put_int(ev, &number, -5);
	for (unsigned i = 0; i < n_texts; i++)
		(void)mm_event_str(ev, mm_slice(filling, sizeof filling));
	return ev;
}

static void assert_text(struct mm_str s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.p, want, s.len);
}

static void test_copy_stands_alone(void **state)
{
	(void)state;
	struct mm_batch *b = mm_batch_new();
	struct mm_event *ev = mm_batch_add(b, make(0));
	assert_non_null(ev);
	assert_true(ev->packed_size >= sizeof *ev && ev->packed_size < sizeof *ev + 400);
	memset(&room, 0xee, sizeof room);
	assert_text(ev->user, "alice");
	assert_int_equal(ev->n_creds, 1);
	assert_text(ev->creds[0].issuer, "LAB.TEST");
	assert_text(ev->creds[0].service, "cifs/srv");
	assert_int_equal(ev->creds[0].kvno, 7);
	assert_int_equal(ev->n_attrs, 3);
	assert_text(mm_event_get(ev, &text)->str, "some text");
	assert_int_equal(mm_event_get(ev, &list)->n_numbers, 3);
	assert_int_equal(mm_event_get(ev, &list)->numbers[2], -133);
	assert_int_equal(mm_event_get(ev, &number)->number, -5);
	free(b);
}

static void test_fills_and_empties(void **state)
{
	(void)state;
	struct mm_batch *b = mm_batch_new();
	size_t n = 0, seen = 0;
	for (struct mm_event *ev = make(12); mm_batch_add(b, ev) != NULL; n++)
		ev->seq = n + 1;
	assert_true(n >= MM_BATCH_ROOM / sizeof(struct mm_event_room) && n < 64);
	b->closed = true;
	struct mm_event *all[64];
	for (struct mm_event *ev = mm_batch_next(b, NULL); ev != NULL; ev = mm_batch_next(b, ev)) {
		assert_int_equal(ev->seq, seen);
		all[seen++] = ev;
	}
	assert_int_equal(seen, n);
	/* In any order; the last one empties it. */
	for (size_t i = 0; i < n; i++)
		assert_ptr_equal(mm_batch_drop(all[n - 1 - i]), i + 1 == n ? b : NULL);
	mm_batch_reset(b);
	assert_null(mm_batch_next(b, NULL));
	assert_non_null(mm_batch_add(b, make(0)));
	/* One that may still be filled is nobody's to take. */
	assert_null(mm_batch_drop(mm_batch_next(b, NULL)));
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_stands_alone),
		cmocka_unit_test(test_fills_and_empties),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
