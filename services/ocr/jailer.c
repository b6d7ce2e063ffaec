#include "jailer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#include "jail/request.h"

enum { START_TIMEOUT_MS = 30000, ENVIRONMENT_MAX = 8, RESTARTS_WITHIN_MS = 60000 };

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

/* Descriptors 0 to 2 must be taken, or a document's would get their numbers. */
static bool plan_descriptors(posix_spawn_file_actions_t *actions, int socket_fd)
{
	bool has_stderr = fcntl(STDERR_FILENO, F_GETFD) >= 0;

	for (int fd = STDIN_FILENO; fd <= (has_stderr ? STDOUT_FILENO : STDERR_FILENO); fd++)
		if (posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0) != 0)
			return false;
	return posix_spawn_file_actions_adddup2(actions, socket_fd, JAIL_SOCKET_FD) == 0 &&
	       posix_spawn_file_actions_addclosefrom_np(actions, JAIL_SOCKET_FD + 1) == 0;
}

/* socket_fd is above JAIL_SOCKET_FD. An errno. */
static int spawn(const struct jailer *jailer, int socket_fd, int *ret_pid)
{
	char *environment[ENVIRONMENT_MAX + 5];
	char *argv[] = { "esteira-ocr-jail", jailer->required ? "require" : "best-effort", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	pick_environment(environment);
	int rc = ENOMEM;
	if (plan_descriptors(&actions, socket_fd))
		rc = posix_spawn(ret_pid, jailer->path, &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

static struct err gone(void)
{
	return err_retry(ERR_CODE_INTERNAL, "the zygote of the jail is gone");
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
		return gone();
	TRY(hello_error(&hello));
	*ret_missing = hello.missing;
	return err_ok();
}

/* Ends a zygote and with it all its children. */
static void discard(struct jailer *jailer)
{
	if (jailer->socket_fd >= 0)
		close(jailer->socket_fd);
	jailer->socket_fd = -1;
	if (jailer->pid <= 0)
		return;
	kill(jailer->pid, SIGKILL);
	while (waitpid(jailer->pid, NULL, 0) < 0 && errno == EINTR) {
	}
	jailer->pid = -1;
}

static struct err start_on(struct jailer *jailer, const int *sockets)
{
	int pid, zygote_fd = fcntl(sockets[1], F_DUPFD_CLOEXEC, JAIL_SOCKET_FD + 1);

	if (zygote_fd < 0)
		return err_retry(ERR_CODE_TRY_AGAIN, "no descriptors for the zygote");
	int rc = spawn(jailer, zygote_fd, &pid);
	close(zygote_fd);
	if (rc == EAGAIN || rc == ENOMEM)
		return err_retry(ERR_CODE_TRY_AGAIN, "no process for the zygote");
	if (rc != 0)
		return err_fatal(ERR_CODE_INTERNAL, "the zygote could not be started");
	jailer->pid = pid;
	return err_ok();
}

/* A zygote that is ready, or none. */
static struct err start_zygote(struct jailer *jailer, uint32_t *ret_missing)
{
	int sockets[2];

	if (access(jailer->path, X_OK) != 0)
		return err_fatal(ERR_CODE_BAD_CONFIG, "the program esteira-ocr-jail is missing");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
		return err_retry(ERR_CODE_TRY_AGAIN, "no socket pair for the zygote");
	struct err e = start_on(jailer, sockets);
	close(sockets[1]);
	jailer->socket_fd = sockets[0];
	if (e.kind == ERR_OK)
		e = await_hello(sockets[0], ret_missing);
	if (e.kind != ERR_OK)
		discard(jailer);
	return e;
}

struct err jailer_start(const char *path, bool required, struct jailer *ret_jailer)
{
	struct jailer jailer = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.path = strdup(path),
		.required = required,
		.socket_fd = -1,
		.pid = -1 };

	if (jailer.path == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the jail");
	struct err e = start_zygote(&jailer, &jailer.missing);
	if (e.kind != ERR_OK) {
		free(jailer.path);
		return e.kind == ERR_FATAL ? e : err_fatal(ERR_CODE_INTERNAL, e.msg);
	}
	*ret_jailer = jailer;
	return err_ok();
}

void jailer_stop(struct jailer *jailer)
{
	discard(jailer);
	pthread_mutex_destroy(&jailer->lock);
	free(jailer->path);
	jailer->path = NULL;
}

/* In place of one that is gone. What the first one found missing of the kernel stays true. */
static struct err restart(struct jailer *jailer)
{
	int64_t now_ms = clock_mono_ms();
	int64_t *slot = &jailer->restarted_ms[jailer->restarts % JAILER_RESTARTS_MAX];
	uint32_t missing;

	if (*slot != 0 && now_ms - *slot < RESTARTS_WITHIN_MS)
		return err_fatal(ERR_CODE_INTERNAL, "the zygote of the jail dies again and again");
	*slot = now_ms;
	jailer->restarts++;
	return start_zygote(jailer, &missing);
}

bool jailer_is_gone(struct err e)
{
	return e.kind == ERR_RETRY && e.code == ERR_CODE_INTERNAL;
}

struct err jailer_lost(struct jailer *jailer, unsigned zygote)
{
	pthread_mutex_lock(&jailer->lock);
	if (jailer->restarts == zygote)
		discard(jailer);
	pthread_mutex_unlock(&jailer->lock);
	return gone();
}

static struct err send_request(int socket_fd, const struct jail_request *request, const int *fds)
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
		if (sendmsg(socket_fd, &message, MSG_NOSIGNAL) >= 0)
			return err_ok();
		if (errno == EINTR)
			continue;
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return gone();
		return err_retry(ERR_CODE_TRY_AGAIN, "the zygote takes no request now");
	}
}

struct err jailer_ask(struct jailer *jailer, const struct jail_request *request, const int *fds,
	unsigned *ret_zygote)
{
	struct err e;

	pthread_mutex_lock(&jailer->lock);
	do {
		e = jailer->socket_fd < 0 ? restart(jailer) : err_ok();
		if (e.kind == ERR_OK)
			e = send_request(jailer->socket_fd, request, fds);
		if (jailer_is_gone(e))
			discard(jailer);
	} while (jailer_is_gone(e));
	if (e.kind == ERR_OK)
		*ret_zygote = jailer->restarts;
	pthread_mutex_unlock(&jailer->lock);
	return e;
}
