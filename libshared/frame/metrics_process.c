#include "frame/metrics_process.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void *arg)
{
	(void)arg;
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* The first line of a file of /proc; false when there is none. */
static bool read_line(const char *path, char *ret_line, int size_bytes)
{
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return false;
	bool good = fgets(ret_line, size_bytes, file) != NULL;
	fclose(file);
	return good;
}

/* Field 2 of /proc/self/statm, in pages (proc(5)). */
static double resident_bytes(void *arg)
{
	char line[256];
	unsigned long pages;

	(void)arg;
	if (!read_line("/proc/self/statm", line, sizeof line) ||
		sscanf(line, "%*u %lu", &pages) != 1)
		return NAN;
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double open_fds(void *arg)
{
	DIR *dir = opendir("/proc/self/fd");
	double count = -1; /* the one of dir */

	(void)arg;
	if (dir == NULL)
		return NAN;
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* Field 22 of /proc/self/stat, in ticks since boot (proc(5)); the name in field 2 may hold
 * anything, so the fields are counted from its closing bracket. */
static double start_seconds(void)
{
	char line[1024];
	unsigned long long ticks;

	if (!read_line("/proc/self/stat", line, sizeof line))
		return NAN;
	const char *rest = strrchr(line, ')');
	if (rest == NULL || sscanf(rest + 1,
				    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
				    " %*d %*d %*d %*d %llu",
				    &ticks) != 1)
		return NAN;
	double boot = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME);
	return boot + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void metrics_process_register(struct metrics *metrics, const char *version, const char *service)
{
	static const struct metrics_spec info = { METRICS_GAUGE, "esteira_build_info",
		"What is running: always 1.", { "version", "service" } };
	static const struct metrics_spec cpu = { METRICS_COUNTER, "process_cpu_seconds_total",
		"User and system CPU time in seconds." };
	static const struct metrics_spec resident = { METRICS_GAUGE,
		"process_resident_memory_bytes", "Resident memory in bytes." };
	static const struct metrics_spec fds = { METRICS_GAUGE, "process_open_fds",
		"Open file descriptors." };
	static const struct metrics_spec start = { METRICS_GAUGE, "process_start_time_seconds",
		"When the process started, in seconds since 1970." };

	metrics_set(metrics_register(metrics, &info), (const char *const[]){ version, service }, 1);
	metrics_watch(metrics_register(metrics, &cpu), NULL, cpu_seconds, NULL);
	metrics_watch(metrics_register(metrics, &resident), NULL, resident_bytes, NULL);
	metrics_watch(metrics_register(metrics, &fds), NULL, open_fds, NULL);
	metrics_set(metrics_register(metrics, &start), NULL, start_seconds());
}
