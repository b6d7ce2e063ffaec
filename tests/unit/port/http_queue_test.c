#include "port/http_queue.h"

#include <check.h>
#include <string.h>

#include "http_rig.h"

START_TEST(queues)
{
	struct http_queue queue = { 0 };
	char out[8];

	ck_assert_uint_eq(http_queue_take(&queue, sizeof out, out), 0);
	ck_assert(http_queue_add(&queue, STR("abc")));
	ck_assert(http_queue_add(&queue, STR("")));
	ck_assert(http_queue_add(&queue, STR("defgh")));
	ck_assert_uint_eq(queue.pending_bytes, 8);
	ck_assert_uint_eq(http_queue_take(&queue, 2, out), 2);
	ck_assert_uint_eq(http_queue_take(&queue, 4, out + 2), 4);
	ck_assert_uint_eq(http_queue_take(&queue, 100, out + 6), 2);
	ck_assert(memcmp(out, "abcdefgh", 8) == 0);
	ck_assert(queue.first == NULL && queue.pending_bytes == 0);
	ck_assert(http_queue_add(&queue, STR("left")));
	http_queue_done(&queue);
	ck_assert(queue.first == NULL && queue.pending_bytes == 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { queues };

	return http_rig_main("http_queue", tests, 1);
}
