#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cage.h"
#include "engine.h"
#include "reader.h"
#include "recognise.h"
#include "request.h"

/* In a child: what it keeps besides its standard descriptors, until it is what it should be. */
enum { CONTROL_FD = 3, RULESET_FD = 4 };

struct child {
	pid_t pid;
	int control_fd;
	bool killed;
};

struct zygote {
	pid_t pid;
	int socket_fd;
	int signal_fd;
	int null_fd;
	int rulesets[JAIL_TASK_COUNT];
	bool required;
	struct engine *engine;
	size_t child_count;
	struct child children[JAIL_CHILDREN_MAX];
};

struct zygote *zygote_new(int socket_fd, struct engine *engine, bool required)
{
	struct zygote *zygote = calloc(1, sizeof *zygote);
	sigset_t signals;

	if (zygote == NULL)
		return NULL;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	*zygote = (struct zygote){
		.pid = getpid(),
		.socket_fd = socket_fd,
		.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK),
		.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC),
		.required = required,
		.engine = engine,
	};
	for (int task = 0; task < JAIL_TASK_COUNT; task++)
		zygote->rulesets[task] = cage_ruleset(reader_program((enum jail_task)task));
	if (zygote->signal_fd < 0 || zygote->null_fd < 0) {
		zygote_free(zygote);
		return NULL;
	}
	return zygote;
}

void zygote_free(struct zygote *zygote)
{
	if (zygote == NULL)
		return;
	for (int task = 0; task < JAIL_TASK_COUNT; task++)
		if (zygote->rulesets[task] >= 0)
			close(zygote->rulesets[task]);
	if (zygote->signal_fd >= 0)
		close(zygote->signal_fd);
	if (zygote->null_fd >= 0)
		close(zygote->null_fd);
	free(zygote);
}

/* Descriptors 0 and 1 are the child's input and output, 2 hears its complaints; all others go. */
static bool take_descriptors(const struct zygote *zygote, uint32_t task, const int *fds)
{
	int complaints_fd = task == JAIL_INVENTORY ? fds[2] : zygote->null_fd;

	return dup2(fds[1], STDIN_FILENO) >= 0 && dup2(fds[2], STDOUT_FILENO) >= 0 &&
	       dup2(complaints_fd, STDERR_FILENO) >= 0;
}

static _Noreturn void give_up(int32_t status)
{
	struct jail_report message = { .magic = JAIL_MAGIC, .status = status };

	ssize_t n = write(CONTROL_FD, &message, sizeof message);
	_exit(n == (ssize_t)sizeof message ? 0 : 1);
}

/* Closes all but 0 to 2, the control socket and the ruleset; both go at exec. The ruleset's number,
 * or -1. */
static int keep_two(int control_fd, int ruleset_fd)
{
	int control = fcntl(control_fd, F_DUPFD_CLOEXEC, RULESET_FD + 1);
	int ruleset = ruleset_fd < 0 ? -1 : fcntl(ruleset_fd, F_DUPFD_CLOEXEC, RULESET_FD + 1);

	if (control < 0 || dup3(control, CONTROL_FD, O_CLOEXEC) < 0)
		_exit(1);
	if (ruleset < 0 || dup3(ruleset, RULESET_FD, O_CLOEXEC) < 0) {
		close_range(RULESET_FD, ~0U, 0);
		return -1;
	}
	close_range(RULESET_FD + 1, ~0U, 0);
	return RULESET_FD;
}

static _Noreturn void live(
	const struct zygote *zygote, const struct jail_request *request, const int *fds)
{
	const struct cage_limits limits = { request->memory_bytes, request->cpu_s };
	bool recogniser = request->task == JAIL_RECOGNISE;
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != zygote->pid) /* it died before we could ask to die with it */
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	bool wired = take_descriptors(zygote, request->task, fds);
	int ruleset_fd = keep_two(fds[0], zygote->rulesets[request->task]);
	if (recogniser)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (!wired || !cage_enter(recogniser ? CAGE_RECOGNISER : CAGE_READER, ruleset_fd, &limits,
			      zygote->required))
		give_up(JAIL_NO_CAGE);
	if (recogniser) {
		close(CONTROL_FD);
		close(RULESET_FD);
		_exit(recognise_page(zygote->engine, request));
	}
	reader_become(request);
	give_up(JAIL_NO_PROGRAM);
}

static void report(int control_fd, int status, const struct rusage *usage)
{
	struct jail_report message = { .magic = JAIL_MAGIC, .status = status };

	if (usage != NULL) {
		int64_t cpu_us = (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
				 usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
		message.cpu_ms = (uint32_t)(cpu_us / 1000);
		message.memory_kb = (uint32_t)usage->ru_maxrss;
	}
	send(control_fd, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void start(struct zygote *zygote, struct str bytes, const int *fds)
{
	struct jail_request request;
	pid_t pid = -1;

	if (request_take(bytes, &request) && zygote->child_count < JAIL_CHILDREN_MAX)
		pid = fork();
	if (pid == 0)
		live(zygote, &request, fds);
	close(fds[1]);
	close(fds[2]);
	if (pid < 0) {
		report(fds[0], JAIL_NO_CHILD, NULL);
		close(fds[0]);
		return;
	}
	setpgid(pid, pid);
	zygote->children[zygote->child_count++] = (struct child){ pid, fds[0], false };
}

/* One request with its descriptors. False at the end of the socket. */
static bool receive(struct zygote *zygote)
{
	struct jail_request request;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(JAIL_REQUEST_FDS * sizeof(int))];
	} control;
	struct iovec data = { &request, sizeof request };
	struct msghdr message = { .msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };

	ssize_t n = recvmsg(zygote->socket_fd, &message, MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	if (head == NULL || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
		return true;
	/* alignment leaves room for more than was asked for, and the kernel uses it */
	int fds[(sizeof control - CMSG_LEN(0)) / sizeof(int)];
	size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	bool whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
	memcpy(fds, CMSG_DATA(head), count * sizeof(int));
	if (whole && count == JAIL_REQUEST_FDS && n == (ssize_t)sizeof request) {
		start(zygote, (struct str){ (const char *)&request, sizeof request }, fds);
		return true;
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return true;
}

static void reap(struct zygote *zygote)
{
	struct signalfd_siginfo info;
	struct rusage usage;
	int status;
	pid_t pid;

	while (read(zygote->signal_fd, &info, sizeof info) > 0) {
	}
	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		for (size_t i = 0; i < zygote->child_count; i++) {
			struct child *child = &zygote->children[i];
			if (child->pid != pid)
				continue;
			report(child->control_fd, status, &usage);
			close(child->control_fd);
			*child = zygote->children[--zygote->child_count];
			break;
		}
	}
}

static void kill_child(struct child *child)
{
	if (child->killed)
		return;
	kill(-child->pid, SIGKILL);
	child->killed = true;
}

/* Fills in what to wait for; how many there are. Of a child only the hang-up counts, and of a
 * killed one not even that, as it would be told for ever. */
static size_t list_polls(const struct zygote *zygote, struct pollfd *ret_polls)
{
	ret_polls[0] = (struct pollfd){ zygote->socket_fd, POLLIN, 0 };
	ret_polls[1] = (struct pollfd){ zygote->signal_fd, POLLIN, 0 };
	for (size_t i = 0; i < zygote->child_count; i++) {
		const struct child *child = &zygote->children[i];
		ret_polls[2 + i] = (struct pollfd){ child->killed ? -1 : child->control_fd, 0, 0 };
	}
	return 2 + zygote->child_count;
}

static void kill_unwanted(struct zygote *zygote, const struct pollfd *polls)
{
	for (size_t i = 0; i < zygote->child_count; i++)
		if (polls[2 + i].revents != 0)
			kill_child(&zygote->children[i]);
}

int zygote_serve(struct zygote *zygote)
{
	struct pollfd polls[2 + JAIL_CHILDREN_MAX];
	bool open = true;

	while (open) {
		if (poll(polls, list_polls(zygote, polls), -1) < 0 && errno != EINTR)
			break;
		kill_unwanted(zygote, polls);
		if (polls[1].revents != 0)
			reap(zygote);
		if (polls[0].revents != 0)
			open = receive(zygote);
	}
	for (size_t i = 0; i < zygote->child_count; i++)
		kill_child(&zygote->children[i]);
	return open ? EXIT_FAILURE : EXIT_SUCCESS;
}
