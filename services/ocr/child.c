#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "frame/metrics.h"

#include "jailer.h"

enum { CHILDREN_MAX = 128, READ_BYTES = 65536, WALL_PER_CPU = 3, WAIT_MAX_MS = 60000 };

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static struct err ask(struct jailer *jailer, const struct jail_request *request,
	const struct child_wiring *wiring, struct child *child)
{
	int control[2], output[2] = { -1, wiring->output_fd };
	bool piped = wiring->output_fd < 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0)
		return err_retry(ERR_CODE_TRY_AGAIN, "no descriptors for a child");
	if (piped && pipe2(output, O_CLOEXEC) != 0) {
		close(control[0]);
		close(control[1]);
		return err_retry(ERR_CODE_TRY_AGAIN, "no descriptors for a child");
	}
	child->control_fd = control[0];
	child->output_fd = output[0];
	struct err e = jailer_ask(jailer, request,
		(const int[]){ control[1], wiring->input_fd, output[1] }, &child->zygote);
	close(control[1]);
	if (piped)
		close(output[1]);
	return e;
}

struct err child_start(struct jailer *jailer, const struct jail_request *request,
	const struct child_wiring *wiring, struct child *ret_child)
{
	struct child child = {
		.busy = true,
		.jailer = jailer,
		.task = (enum jail_task)request->task,
		.until_ms = clock_mono_ms() + (int64_t)request->cpu_s * 1000 * WALL_PER_CPU,
		.memory_bytes = request->memory_bytes,
		.output_left_bytes = wiring->output_max_bytes,
		.sink = wiring->sink,
		.arg = wiring->arg,
		.control_fd = -1,
		.output_fd = -1,
	};

	struct err e = ask(jailer, request, wiring, &child);
	if (e.kind != ERR_OK) {
		close_fd(&child.control_fd);
		close_fd(&child.output_fd);
		return e;
	}
	*ret_child = child;
	return err_ok();
}

void child_stop(struct child *child)
{
	if (!child->busy)
		return;
	close_fd(&child->control_fd);
	close_fd(&child->output_fd);
	child->busy = false;
}

/* Ends a child for its own fault. */
static void cut_off(struct child *child)
{
	child->cut_off = true;
	child_stop(child);
}

static void settle(struct child *child)
{
	if (child->control_fd < 0 && child->output_fd < 0)
		child->busy = false;
}

static struct err take_report(struct child *child)
{
	struct jail_report report;

	ssize_t n = recv(child->control_fd, &report, sizeof report, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return err_ok();
	if (n != (ssize_t)sizeof report || report.magic != JAIL_MAGIC)
		return jailer_lost(child->jailer, child->zygote);
	child->report = report;
	close_fd(&child->control_fd);
	settle(child);
	return err_ok();
}

static void take_output(struct child *child)
{
	char bytes[READ_BYTES];

	ssize_t n = read(child->output_fd, bytes, sizeof bytes);
	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		close_fd(&child->output_fd);
		settle(child);
		return;
	}
	if ((uint64_t)n > child->output_left_bytes) {
		cut_off(child);
		return;
	}
	child->output_left_bytes -= (uint64_t)n;
	child->sink(child->arg, (struct str){ bytes, (size_t)n });
}

/* Two entries of polls per child; the time until which to wait at most. */
static int64_t prepare(
	struct child *const *children, size_t count, struct pollfd *polls, int64_t until_ms)
{
	for (size_t i = 0; i < count; i++) {
		const struct child *child = children[i];
		bool busy = child->busy;
		polls[2 * i] = (struct pollfd){ busy ? child->control_fd : -1, POLLIN, 0 };
		polls[2 * i + 1] = (struct pollfd){ busy ? child->output_fd : -1, POLLIN, 0 };
		if (busy && child->until_ms < until_ms)
			until_ms = child->until_ms;
	}
	return until_ms;
}

static struct err take(struct child *child, const struct pollfd *polls)
{
	/* output first: after the report only what is left of it is to come */
	if (polls[1].revents != 0)
		take_output(child);
	if (child->busy && child->control_fd >= 0 && polls[0].revents != 0)
		TRY(take_report(child));
	if (child->busy && clock_mono_ms() >= child->until_ms)
		cut_off(child);
	return err_ok();
}

struct err child_wait(struct child *const *children, size_t count, int wake_fd, int64_t until_ms)
{
	struct pollfd polls[2 * CHILDREN_MAX + 1];

	if (count > CHILDREN_MAX)
		return err_fatal(ERR_CODE_INTERNAL, "more children than one call may wait for");
	int64_t left_ms = prepare(children, count, polls, until_ms) - clock_mono_ms();
	left_ms = left_ms < 0 ? 0 : left_ms > WAIT_MAX_MS ? WAIT_MAX_MS : left_ms;
	polls[2 * count] = (struct pollfd){ wake_fd, POLLIN, 0 };
	if (poll(polls, 2 * count + 1, (int)left_ms) < 0 && errno != EINTR)
		return err_retry(ERR_CODE_TRY_AGAIN, "children cannot be waited for");
	for (size_t i = 0; i < count; i++)
		if (children[i]->busy)
			TRY(take(children[i], &polls[2 * i]));
	return err_ok();
}

/* A program that died with much of its memory used did so for want of more. */
static bool was_large(const struct child *child)
{
	return (uint64_t)child->report.memory_kb * 1024 >= child->memory_bytes / 2;
}

static enum err_code signal_outcome(const struct child *child, int number)
{
	/* SIGABRT is how C++ and poppler answer a refused allocation */
	bool limit =
		number == SIGXCPU || number == SIGKILL || number == SIGABRT || was_large(child);

	return limit ? ERR_CODE_RESOURCE_LIMIT : ERR_CODE_BROKEN;
}

/* More than the outcome says: whether we ended it, and whether it did what its cage forbids. */
static const char *word_of(const struct child *child)
{
	int status = child->report.status;

	if (child->cut_off)
		return "cut-off";
	if (status == JAIL_NO_CHILD || status == JAIL_NO_CAGE || status == JAIL_NO_PROGRAM)
		return "not-started";
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return "forbidden";
	if (WIFSIGNALED(status))
		return signal_outcome(child, WTERMSIG(status)) == ERR_CODE_RESOURCE_LIMIT
			       ? "limit"
			       : "killed";
	if (WEXITSTATUS(status) == 0)
		return "done";
	return was_large(child) ? "limit" : "failed";
}

static void count(const struct child *child)
{
	static const char *const tasks[JAIL_TASK_COUNT] = { "inventory", "text-layer", "pictures",
		"render", "recognise" };
	const char *const labels[] = { tasks[child->task], word_of(child) };

	metrics_add(child->jailer->children, labels, 1);
}

struct err child_outcome(const struct child *child, enum err_code *ret_outcome)
{
	int status = child->report.status;

	count(child);
	if (child->cut_off) {
		*ret_outcome = ERR_CODE_RESOURCE_LIMIT;
		return err_ok();
	}
	if (status == JAIL_NO_CHILD)
		return err_retry(ERR_CODE_TRY_AGAIN, "no process for a child");
	if (status == JAIL_NO_CAGE)
		return err_fatal(ERR_CODE_NO_SANDBOX, "a child could not be caged");
	if (status == JAIL_NO_PROGRAM)
		return err_fatal(ERR_CODE_INTERNAL, "a program of poppler could not be run");
	if (WIFSIGNALED(status)) {
		*ret_outcome = signal_outcome(child, WTERMSIG(status));
		return err_ok();
	}
	if (WEXITSTATUS(status) == 0)
		*ret_outcome = ERR_CODE_NONE;
	else
		*ret_outcome = was_large(child) ? ERR_CODE_RESOURCE_LIMIT : ERR_CODE_BROKEN;
	return err_ok();
}
