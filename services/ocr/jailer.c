#include "jailer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jail/request.h"

enum { START_TIMEOUT_MS = 30000, ENVIRONMENT_MAX = 8 };

struct err jailer_gone(void)
{
	return err_fatal(ERR_CODE_INTERNAL, "the zygote of the jail is gone");
}

/* What Tesseract and a sanitizer look at; nothing of ours, which holds secrets. */
static void pick_environment(char **ret_environment)
{
	static char *const fixed[] = { "OMP_THREAD_LIMIT=1", "LC_ALL=C.UTF-8" };
	static const char *const passed[] = { "TESSDATA_PREFIX=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
		"TSAN_OPTIONS=", "LSAN_OPTIONS=" };
	size_t count = 0;

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		ret_environment[count++] = fixed[i];
	for (char **entry = environ; *entry != NULL && count < ENVIRONMENT_MAX - 1; entry++)
		for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
			if (strncmp(*entry, passed[i], strlen(passed[i])) == 0)
				ret_environment[count++] = *entry;
	ret_environment[count < ENVIRONMENT_MAX ? count : ENVIRONMENT_MAX - 1] = NULL;
}

static _Noreturn void become_zygote(const char *path, bool required, int socket_fd)
{
	char *environment[ENVIRONMENT_MAX + 5];
	char *argv[] = { "esteira-ocr-jail", required ? "require" : "best-effort", NULL };
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* descriptors 0 to 2 must be taken, or a document's would get their numbers */
	int null_fd = open("/dev/null", O_RDWR);
	int moved_fd = fcntl(socket_fd, F_DUPFD, JAIL_SOCKET_FD + 1);
	if (null_fd < 0 || moved_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
		dup2(null_fd, STDOUT_FILENO) < 0)
		_exit(1);
	if (fcntl(STDERR_FILENO, F_GETFD) < 0)
		dup2(null_fd, STDERR_FILENO);
	if (dup2(moved_fd, JAIL_SOCKET_FD) < 0)
		_exit(1);
	pick_environment(environment);
	execve(path, argv, environment);
	_exit(127);
}

static struct err hello_error(const struct jail_hello *hello)
{
	switch (hello->fault) {
	case JAIL_FAULT_NONE:
		return err_ok();
	case JAIL_FAULT_SANDBOX:
		if (hello->missing == JAIL_NO_LANDLOCK)
			return err_fatal(ERR_CODE_NO_SANDBOX, "the kernel refuses landlock");
		if (hello->missing == JAIL_NO_SECCOMP)
			return err_fatal(ERR_CODE_NO_SANDBOX, "the kernel refuses seccomp");
		return err_fatal(ERR_CODE_NO_SANDBOX, "the kernel refuses landlock and seccomp");
	case JAIL_FAULT_PROGRAMS:
		return err_fatal(ERR_CODE_BAD_CONFIG, "poppler-utils is not installed");
	case JAIL_FAULT_MODELS:
		return err_fatal(ERR_CODE_BAD_CONFIG, "tesseract-ocr-por is not installed");
	default:
		return err_fatal(ERR_CODE_INTERNAL, "the zygote is of another build");
	}
}

static struct err await_hello(int socket_fd, uint32_t *ret_missing)
{
	struct pollfd wait = { socket_fd, POLLIN, 0 };
	struct jail_hello hello;
	int ready;

	do
		ready = poll(&wait, 1, START_TIMEOUT_MS);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return err_fatal(ERR_CODE_INTERNAL, "the zygote did not get ready in time");
	ssize_t n = recv(socket_fd, &hello, sizeof hello, 0);
	if (n != (ssize_t)sizeof hello || hello.magic != JAIL_MAGIC)
		return err_fatal(ERR_CODE_INTERNAL, "the zygote could not be started");
	TRY(hello_error(&hello));
	*ret_missing = hello.missing;
	return err_ok();
}

struct err jailer_start(const char *path, bool required, struct jailer *ret_jailer)
{
	int sockets[2];

	if (access(path, X_OK) != 0)
		return err_fatal(ERR_CODE_BAD_CONFIG, "the program esteira-ocr-jail is missing");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
		return err_fatal(ERR_CODE_INTERNAL, "no socket pair for the zygote");
	pid_t pid = fork();
	if (pid == 0)
		become_zygote(path, required, sockets[1]);
	close(sockets[1]);
	struct jailer jailer = { sockets[0], pid, 0 };
	struct err e = pid < 0 ? err_fatal(ERR_CODE_INTERNAL, "no process for the zygote")
			       : await_hello(sockets[0], &jailer.missing);
	if (e.kind != ERR_OK) {
		jailer_stop(&jailer);
		return e;
	}
	*ret_jailer = jailer;
	return err_ok();
}

void jailer_stop(struct jailer *jailer)
{
	close(jailer->socket_fd);
	jailer->socket_fd = -1;
	if (jailer->pid <= 0)
		return;
	kill(jailer->pid, SIGKILL);
	while (waitpid(jailer->pid, NULL, 0) < 0 && errno == EINTR) {
	}
	jailer->pid = -1;
}

struct err jailer_ask(
	const struct jailer *jailer, const struct jail_request *request, const int *fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(JAIL_REQUEST_FDS * sizeof(int))];
	} control = { 0 };
	struct jail_request copy = *request;
	struct iovec data = { &copy, sizeof copy };
	struct msghdr message = { .msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };

	copy.magic = JAIL_MAGIC;
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(JAIL_REQUEST_FDS * sizeof(int));
	memcpy(CMSG_DATA(head), fds, JAIL_REQUEST_FDS * sizeof(int));
	for (;;) {
		if (sendmsg(jailer->socket_fd, &message, MSG_NOSIGNAL) >= 0)
			return err_ok();
		if (errno == EINTR)
			continue;
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return jailer_gone();
		return err_retry(ERR_CODE_TRY_AGAIN, "the zygote takes no request now");
	}
}
