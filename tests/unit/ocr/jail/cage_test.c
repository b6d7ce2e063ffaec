/*
 * Every way out of the cage that is closed, tried from inside: the real kernel, the real filters.
 * Where the kernel has no landlock, the rows that need it prove that a required cage is refused.
 */
#include "cage.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "request.h"

enum { NOT_CAGED = 99, OPEN = 98 };

static const char program[] = "/usr/bin/pdfinfo";

/* An errno, or OPEN when the call went through. */
static int refusal(long rc)
{
	return rc >= 0 ? OPEN : errno;
}

static int try_socket(void)
{
	return refusal(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_ptrace(void)
{
	return refusal(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_fork(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return refusal(pid);
}

static int try_vfork(void)
{
	return refusal(syscall(SYS_vfork));
}

static int try_open_secret(void)
{
	return refusal(open("/etc/passwd", O_RDONLY));
}

static int try_open_library(void)
{
	return refusal(open("/usr/lib", O_RDONLY | O_DIRECTORY));
}

static int try_create(void)
{
	return refusal(open("/tmp/cage-test-file", O_WRONLY | O_CREAT, 0600));
}

static int try_truncate_library(void)
{
	return refusal(open(program, O_RDONLY | O_TRUNC));
}

static int try_shell(void)
{
	return refusal(execve("/bin/sh", (char *[]){ "sh", NULL }, (char *[]){ NULL }));
}

static int try_program(void)
{
	return refusal(execve(program, (char *[]){ "pdfinfo", "-v", NULL }, (char *[]){ NULL }));
}

static int try_kill_parent(void)
{
	return refusal(kill(getppid(), 0));
}

static int try_signal_parent(void)
{
	return refusal(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int try_abort(void)
{
	signal(SIGABRT, SIG_DFL);
	abort();
}

static int try_memory(void)
{
	void *memory =
		mmap(NULL, 2UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? errno : OPEN;
}

static int try_code(void)
{
	void *memory = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? errno : OPEN;
}

static int try_code_later(void)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return refusal(mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}

static int try_spinning(void)
{
	signal(SIGXCPU, SIG_DFL);
	for (volatile unsigned i = 1; i != 0;)
		i = i | 1;
	return OPEN;
}

static int try_raising_a_limit(void)
{
	static const unsigned long limit[2] = { 1UL << 40, 1UL << 40 };

	return refusal(syscall(SYS_prlimit64, 0, 9 /* RLIMIT_AS */, limit, NULL));
}

/* expected: an exit status or, negative, a signal. */
static const struct {
	const char *name;
	enum cage_kind kind;
	int (*attempt)(void);
	int expected;
	bool by_landlock;
} rows[] = {
	{ "reader: socket", CAGE_READER, try_socket, -SIGSYS, false },
	{ "reader: ptrace", CAGE_READER, try_ptrace, -SIGSYS, false },
	{ "reader: fork", CAGE_READER, try_fork, EPERM, false },
	{ "reader: vfork", CAGE_READER, try_vfork, -SIGSYS, false },
	{ "reader: a secret", CAGE_READER, try_open_secret, EACCES, true },
	{ "reader: a library", CAGE_READER, try_open_library, OPEN, false },
	{ "reader: create a file", CAGE_READER, try_create, EPERM, false },
	{ "reader: truncate a file", CAGE_READER, try_truncate_library, EPERM, false },
	{ "reader: a shell", CAGE_READER, try_shell, EACCES, true },
	{ "reader: its program", CAGE_READER, try_program, 0, false },
	{ "reader: kill", CAGE_READER, try_kill_parent, EPERM, false },
	{ "reader: tgkill", CAGE_READER, try_signal_parent, EPERM, false },
	{ "reader: abort", CAGE_READER, try_abort, -SIGABRT, false },
	{ "reader: 2 GB", CAGE_READER, try_memory, ENOMEM, false },
	{ "reader: endless", CAGE_READER, try_spinning, -SIGXCPU, false },
	{ "reader: raise a limit", CAGE_READER, try_raising_a_limit, EPERM, false },
	{ "recogniser: socket", CAGE_RECOGNISER, try_socket, -SIGSYS, false },
	{ "recogniser: ptrace", CAGE_RECOGNISER, try_ptrace, -SIGSYS, false },
	{ "recogniser: fork", CAGE_RECOGNISER, try_fork, EPERM, false },
	{ "recogniser: a secret", CAGE_RECOGNISER, try_open_secret, EPERM, false },
	{ "recogniser: a library", CAGE_RECOGNISER, try_open_library, EPERM, false },
	{ "recogniser: a shell", CAGE_RECOGNISER, try_shell, -SIGSYS, false },
	{ "recogniser: a program", CAGE_RECOGNISER, try_program, -SIGSYS, false },
	{ "recogniser: kill", CAGE_RECOGNISER, try_kill_parent, EPERM, false },
	{ "recogniser: abort", CAGE_RECOGNISER, try_abort, -SIGABRT, false },
	{ "recogniser: code", CAGE_RECOGNISER, try_code, EPERM, false },
	{ "recogniser: code later", CAGE_RECOGNISER, try_code_later, EPERM, false },
	{ "recogniser: endless", CAGE_RECOGNISER, try_spinning, -SIGXCPU, false },
	{ "recogniser: raise a limit", CAGE_RECOGNISER, try_raising_a_limit, EPERM, false },
};

/* Under a sanitizer, whose runtime needs terabytes of address space, only that limit is left out.
 */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static bool sanitized(void)
{
	return __asan_init != NULL || __tsan_init != NULL;
}

static int caged(enum cage_kind kind, int (*attempt)(void), bool required)
{
	const struct cage_limits limits = { sanitized() ? UINT64_MAX : 1UL << 30, 1 };
	int status;

	pid_t pid = fork();
	if (pid == 0) {
		int ruleset_fd = cage_ruleset(kind == CAGE_READER ? program : NULL);
		close(STDERR_FILENO);
		if (!cage_enter(kind, ruleset_fd, &limits, required))
			_exit(NOT_CAGED);
		_exit(attempt());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

START_TEST(test_way_out)
{
	bool landlock = (cage_missing() & JAIL_NO_LANDLOCK) == 0;
	int expected = rows[_i].expected;

	if (sanitized() && rows[_i].attempt == try_memory)
		expected = OPEN;

	if (!landlock && rows[_i].by_landlock)
		ck_assert_int_eq(caged(rows[_i].kind, rows[_i].attempt, true), NOT_CAGED);
	else
		ck_assert_msg(caged(rows[_i].kind, rows[_i].attempt, landlock) == expected, "%s",
			rows[_i].name);
}
END_TEST

static int just_go(void)
{
	return 0;
}

/* Without a ruleset a required cage is refused, and the other kind is still filtered. */
START_TEST(test_required)
{
	static const struct cage_limits limits = { 1UL << 30, 1 };
	int status;

	pid_t pid = fork();
	if (pid == 0)
		_exit(cage_enter(CAGE_RECOGNISER, -1, &limits, true) ? OPEN : NOT_CAGED);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), NOT_CAGED);
	ck_assert_int_eq(caged(CAGE_RECOGNISER, just_go, false), 0);
	ck_assert_int_eq(caged(CAGE_RECOGNISER, try_socket, false), -SIGSYS);
}
END_TEST

START_TEST(test_seccomp_is_here)
{
	ck_assert_int_eq(cage_missing() & JAIL_NO_SECCOMP, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ocr/jail/cage");
	TCase *tcase = tcase_create("cage");

	tcase_add_loop_test(tcase, test_way_out, 0, sizeof rows / sizeof *rows);
	tcase_add_test(tcase, test_required);
	tcase_add_test(tcase, test_seccomp_is_here);
	tcase_set_timeout(tcase, 20);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
