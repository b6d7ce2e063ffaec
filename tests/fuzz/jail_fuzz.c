/*
 * Both ends of the jail's protocol: bytes as a request to the zygote, as what a recogniser answers,
 * and as the zygote's report of a child's end. The first byte chooses. What is taken is within the
 * bounds that the code behind it relies on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "child.h"
#include "jailer.h"
#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void read_request(struct str bytes)
{
	struct jail_request request;

	if (!request_take(bytes, &request))
		return;
	must(request.task < JAIL_TASK_COUNT && request.page_first >= 1);
	must(request.page_first <= request.page_last && request.page_last <= JAIL_PAGE_MAX);
	must(request.dpi >= 1 && request.dpi <= JAIL_DPI_MAX && request.smooth <= JAIL_SMOOTH_MAX);
	must(request.turns <= JAIL_TURNS_UNKNOWN && request.cpu_s >= 1 &&
		request.memory_bytes >= 1);
}

static void read_answer(struct str bytes)
{
	struct jail_answer answer;
	struct str text;

	if (!answer_take(bytes, &answer, &text))
		return;
	must(text.ptr >= bytes.ptr && text.ptr + text.len == bytes.ptr + bytes.len);
	must(str_is_utf8(text) && answer.confidence_centi <= 10000 && answer.quarter_turns <= 3);
}

static void read_report(struct str bytes)
{
	struct jailer jailer = { .children = NULL };
	struct child child = {
		.jailer = &jailer, .control_fd = -1, .output_fd = -1, .memory_bytes = 1 << 20
	};
	enum err_code outcome = ERR_CODE_NOT_FOUND;

	if (bytes.len != sizeof child.report)
		return;
	memcpy(&child.report, bytes.ptr, sizeof child.report);
	if (child_outcome(&child, &outcome).kind == ERR_OK)
		must(outcome == ERR_CODE_NONE || outcome == ERR_CODE_BROKEN ||
			outcome == ERR_CODE_RESOURCE_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(
		struct str bytes) = { read_request, read_answer, read_report };

	if (size < 1)
		return 0;
	/* an exact copy, so that a sanitizer sees a read past the end */
	char *exact = malloc(size);
	must(exact != NULL);
	memcpy(exact, data + 1, size - 1);
	readers[data[0] % 3]((struct str){ exact, size - 1 });
	free(exact);
	return 0;
}
