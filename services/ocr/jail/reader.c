#include "reader.h"

#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

/* The document, wherever it is: a fresh open file of the memfd behind standard input. */
#define DOCUMENT "/proc/self/fd/0"

static const char *const programs[JAIL_TASK_COUNT] = {
	[JAIL_INVENTORY] = "/usr/bin/pdfinfo",
	[JAIL_TEXT_LAYER] = "/usr/bin/pdftotext",
	[JAIL_PICTURES] = "/usr/bin/pdfimages",
	[JAIL_RENDER] = "/usr/bin/pdftoppm",
};

const char *reader_program(enum jail_task task)
{
	return programs[task];
}

bool reader_check(void)
{
	for (int task = 0; task < JAIL_TASK_COUNT; task++)
		if (programs[task] != NULL && access(programs[task], X_OK) != 0)
			return false;
	return true;
}

void reader_become(const struct jail_request *request)
{
	char first[16], last[16], dpi[16];
	char *const environment[] = { "LC_ALL=C.UTF-8", "HOME=/nonexistent", NULL };
	char *const *const argvs[JAIL_TASK_COUNT] = {
		[JAIL_INVENTORY] = (char *[]){ "pdfinfo", "-f", first, "-l", last, "-enc", "UTF-8",
			DOCUMENT, NULL },
		[JAIL_TEXT_LAYER] = (char *[]){ "pdftotext", "-f", first, "-l", last,
			"-bbox-layout", "-cropbox", "-enc", "UTF-8", DOCUMENT, "-", NULL },
		[JAIL_PICTURES] =
			(char *[]){ "pdfimages", "-list", "-f", first, "-l", last, DOCUMENT, NULL },
		[JAIL_RENDER] = (char *[]){ "pdftoppm", "-gray", "-cropbox", "-singlefile", "-f",
			first, "-l", last, "-r", dpi, DOCUMENT, NULL },
	};

	snprintf(first, sizeof first, "%u", request->page_first);
	snprintf(last, sizeof last, "%u", request->page_last);
	snprintf(dpi, sizeof dpi, "%u", request->dpi);
	execve(programs[request->task], argvs[request->task], environment);
}
