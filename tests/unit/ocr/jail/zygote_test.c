/*
 * The zygote's side of the protocol, spoken to by hand: the real esteira-ocr-jail gets what no
 * worker of ours would send. It must neither die nor keep a descriptor, and serve the next one.
 */
#include "jail/zygote.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "child.h"
#include "../document_rig.h"
#include "jailer.h"

enum { FDS_MAX = 32 };

static struct jailer jailer;

static void set_up(void)
{
	struct err e = jailer_start(jail_path(), false, &jailer);

	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
}

static void tear_down(void)
{
	jailer_stop(&jailer);
}

/* bytes of a message with the same descriptor count times. */
static void send_raw(const void *bytes, size_t len, int fd, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec data = { (void *)(uintptr_t)bytes, len };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	int fds[FDS_MAX];

	for (size_t i = 0; i < count; i++)
		fds[i] = fd;
	if (count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(jailer.socket_fd, &message, MSG_NOSIGNAL), (ssize_t)len);
}

/* All copies of the other end are gone, and nothing was said there. */
static void ck_closed(int fd)
{
	struct pollfd wait = { fd, POLLIN, 0 };
	struct jail_report report;

	ck_assert_msg(poll(&wait, 1, FAR_MS) == 1, "the zygote keeps a descriptor");
	ck_assert_msg(recv(fd, &report, sizeof report, 0) == 0, "the zygote took it for a request");
}

static struct jail_request honest(void)
{
	return (struct jail_request){ .magic = JAIL_MAGIC,
		.task = JAIL_INVENTORY,
		.page_first = 1,
		.page_last = 1,
		.dpi = 100,
		.turns = JAIL_TURNS_UNKNOWN,
		.cpu_s = 10,
		.memory_bytes = 1UL << 30 };
}

static void drop(void *arg, struct str bytes)
{
	*(size_t *)arg += bytes.len;
}

/* ERR_RETRY while killed children have not been reaped yet. */
static struct err read_once(enum err_code *ret_outcome)
{
	struct jail_request request = honest();
	int64_t until_ms = clock_mono_ms() + FAR_MS;
	int pdf_fd = page_of("595 842", sentence);
	size_t said = 0;
	const struct child_wiring wiring = { pdf_fd, -1, 1 << 20, drop, &said };
	struct child child = { .busy = false };

	struct err e = child_start(&jailer, &request, &wiring, &child);
	while (e.kind == ERR_OK && child.busy && clock_mono_ms() < until_ms)
		e = child_wait((struct child *const[]){ &child }, 1, -1, until_ms);
	ck_assert_msg(e.kind == ERR_OK && !child.busy, "%s", e.msg);
	close(pdf_fd);
	e = child_outcome(&child, ret_outcome);
	ck_assert(e.kind != ERR_OK || said > 0);
	return e;
}

/* The same zygote still reads documents. */
static void ck_serves(void)
{
	int64_t until_ms = clock_mono_ms() + FAR_MS;
	enum err_code outcome = ERR_CODE_INTERNAL;
	struct err e;

	do
		e = read_once(&outcome);
	while (e.kind == ERR_RETRY && clock_mono_ms() < until_ms);
	ck_assert_msg(e.kind == ERR_OK && outcome == ERR_CODE_NONE, "%s", e.msg);
	ck_assert_int_eq((int)jailer.restarts, 0);
}

/* Four descriptors once overflowed the room for three. */
START_TEST(takes_three_descriptors_and_no_other_number)
{
	static const size_t counts[] = { 0, 1, 2, 4, 5, 8, FDS_MAX };
	struct jail_request request = honest();

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		int ends[2];
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		send_raw(&request, sizeof request, ends[1], counts[i]);
		close(ends[1]);
		ck_closed(ends[0]);
		close(ends[0]);
	}
	ck_serves();
}
END_TEST

START_TEST(takes_whole_requests_only)
{
	char bytes[2 * sizeof(struct jail_request)] = { 0 };
	const struct jail_request request = honest();
	static const size_t lens[] = { 1, 4, sizeof request - 1, sizeof request + 1,
		2 * sizeof request };

	memcpy(bytes, &request, sizeof request);
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		int ends[2];
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		send_raw(bytes, lens[i], ends[1], JAIL_REQUEST_FDS);
		close(ends[1]);
		ck_closed(ends[0]);
		close(ends[0]);
	}
	ck_serves();
}
END_TEST

#define WITH(member, value)                                                                        \
	{                                                                                          \
		offsetof(struct jail_request, member),                                             \
			sizeof((struct jail_request *)NULL)->member, value                         \
	}

/* Each is answered "no child", and nothing is run. */
START_TEST(refuses_what_no_worker_asks)
{
	static const struct {
		size_t offset, size;
		uint64_t value;
	} rows[] = {
		WITH(magic, 0),
		WITH(magic, 0x314a5345), /* the other byte order */
		WITH(task, JAIL_TASK_COUNT),
		WITH(task, UINT32_MAX),
		WITH(page_first, 0),
		WITH(page_first, 2), /* after page_last */
		WITH(page_last, JAIL_PAGE_MAX + 1),
		WITH(page_last, 0),
		WITH(dpi, 0),
		WITH(dpi, JAIL_DPI_MAX + 1),
		WITH(smooth, JAIL_SMOOTH_MAX + 1),
		WITH(turns, JAIL_TURNS_UNKNOWN + 1),
		WITH(cpu_s, 0),
		WITH(memory_bytes, 0),
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct jail_request request = honest();
		struct jail_report report = { 0 };
		int ends[2];

		memcpy((char *)&request + rows[i].offset, &rows[i].value, rows[i].size);
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		send_raw(&request, sizeof request, ends[1], JAIL_REQUEST_FDS);
		close(ends[1]);
		ck_assert_int_eq(recv(ends[0], &report, sizeof report, 0), sizeof report);
		ck_assert_msg(report.magic == JAIL_MAGIC && report.status == JAIL_NO_CHILD,
			"row %zu: %d", i, report.status);
		ck_closed(ends[0]);
		close(ends[0]);
	}
	ck_serves();
}
END_TEST

/* More than there is room for: the rest is refused, and all are killed when they are let go. */
START_TEST(has_room_for_so_many_children)
{
	struct jail_request request = honest();
	static int controls[JAIL_CHILDREN_MAX + 8];
	int silent[2], refused = 0;
	struct jail_report report;

	request.task = JAIL_RECOGNISE; /* reads its input until the end, which does not come */
	ck_assert_int_eq(pipe2(silent, O_CLOEXEC), 0);
	for (int i = 0; i < JAIL_CHILDREN_MAX + 8; i++) {
		int ends[2], fds[] = { -1, silent[0], silent[1] };
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		unsigned zygote;
		fds[0] = ends[1];
		ck_assert_int_eq(jailer_ask(&jailer, &request, fds, &zygote).kind, ERR_OK);
		close(ends[1]);
		controls[i] = ends[0];
	}
	for (int i = JAIL_CHILDREN_MAX; i < JAIL_CHILDREN_MAX + 8; i++) {
		ck_assert_int_eq(recv(controls[i], &report, sizeof report, 0), sizeof report);
		refused += report.status == JAIL_NO_CHILD;
	}
	ck_assert_int_eq(refused, 8);
	for (int i = 0; i < JAIL_CHILDREN_MAX + 8; i++)
		close(controls[i]);
	close(silent[0]);
	close(silent[1]);
	ck_serves();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ocr/jail/zygote");
	TCase *tcase = tcase_create("zygote");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, takes_three_descriptors_and_no_other_number);
	tcase_add_test(tcase, takes_whole_requests_only);
	tcase_add_test(tcase, refuses_what_no_worker_asks);
	tcase_add_test(tcase, has_room_for_so_many_children);
	tcase_set_timeout(tcase, 90);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
