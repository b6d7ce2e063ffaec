/*
 * esteira-ocr-jail: the program in which documents are opened. Started by esteira-ocr with its
 * socket as descriptor 3; of no use by hand.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cage.h"
#include "engine.h"
#include "reader.h"
#include "request.h"
#include "zygote.h"

static bool say_hello(enum jail_fault fault, uint32_t missing)
{
	struct jail_hello hello = { JAIL_MAGIC, fault, missing };

	return send(JAIL_SOCKET_FD, &hello, sizeof hello, MSG_NOSIGNAL) == (ssize_t)sizeof hello;
}

static int refuse(enum jail_fault fault, uint32_t missing)
{
	say_hello(fault, missing);
	return EXIT_FAILURE;
}

/* Nothing is inherited but the three standard descriptors and the socket; no core dumps. When the
 * worker dies its end of the socket closes, which ends us: PR_SET_PDEATHSIG would mean the thread
 * that started us. */
static void settle(void)
{
	const struct rlimit core = { 1, 1 };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &core);
	prctl(PR_SET_DUMPABLE, 0, 0, 0,
		0); /* until a reader's exec; a page was never in that memory */
	close_range(JAIL_SOCKET_FD + 1, ~0U, 0);
	setpgid(0, 0);
	/* a terminal's ^C is for the worker, which then decides */
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
}

static int serve(bool required)
{
	settle();
	if (!reader_check())
		return refuse(JAIL_FAULT_PROGRAMS, 0);
	uint32_t missing = cage_missing();
	if (required && missing != 0)
		return refuse(JAIL_FAULT_SANDBOX, missing);
	struct engine *engine = engine_new();
	if (engine == NULL)
		return refuse(JAIL_FAULT_MODELS, missing);
	struct zygote *zygote = zygote_new(JAIL_SOCKET_FD, engine, required);
	if (zygote == NULL || !say_hello(JAIL_FAULT_NONE, missing))
		return EXIT_FAILURE;
	int status = zygote_serve(zygote);
	zygote_free(zygote);
	/* the model goes with the process: Tesseract complains about its own order of freeing */
	_exit(status);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "require") == 0)
		return serve(true);
	if (argc == 2 && strcmp(argv[1], "best-effort") == 0)
		return serve(false);
	fputs("usage: esteira-ocr-jail require|best-effort (started by esteira-ocr)\n", stderr);
	return 2;
}
