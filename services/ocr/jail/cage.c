#include "cage.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "request.h"

/* The kernel's landlock interface (include/uapi/linux/landlock.h), spelt out because Debian 12's
 * headers are older than the kernels it runs on. */
enum {
	LL_EXECUTE = 1 << 0,
	LL_READ_FILE = 1 << 2,
	LL_READ_DIR = 1 << 3,
	LL_NET_ALL = 3,
	LL_SCOPE_ALL = 3,
	LL_RULE_PATH_BENEATH = 1,
	LL_CREATE_RULESET_VERSION = 1,
};

struct ll_ruleset {
	uint64_t fs;
	uint64_t net;	/* since ABI 4 */
	uint64_t scope; /* since ABI 6 */
};

struct ll_path {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

static int landlock_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_RULESET_VERSION);
}

/* A fresh ruleset that handles all the kernel knows, so everything without a rule is refused. */
static int new_ruleset(void)
{
	static const uint64_t fs_by_abi[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
	int abi = landlock_abi();

	if (abi < 1)
		return -1;
	struct ll_ruleset rules = {
		.fs = fs_by_abi[abi > 5 ? 5 : abi],
		.net = abi >= 4 ? LL_NET_ALL : 0,
		.scope = abi >= 6 ? LL_SCOPE_ALL : 0,
	};
	size_t size = abi >= 6 ? sizeof rules : abi >= 4 ? 16 : 8;
	return (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
}

/* A path that does not exist needs no rule. */
static bool allow(int ruleset_fd, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR;
	struct ll_path rule = { .allowed = rights, .parent_fd = fd };
	long rc = syscall(SYS_landlock_add_rule, ruleset_fd, LL_RULE_PATH_BENEATH, &rule, 0);
	close(fd);
	return rc == 0;
}

/* The loader of this process is the loader of every program of its architecture. */
static const char *loader_path(void)
{
	const struct r_debug *debug = &_r_debug;

	for (const struct link_map *map = debug->r_map; map != NULL; map = map->l_next)
		if (strstr(map->l_name, "/ld-linux") != NULL || strstr(map->l_name, "/ld-") != NULL)
			return map->l_name;
	return "/lib64/ld-linux-x86-64.so.2";
}

static bool allow_reader(int ruleset_fd, const char *program)
{
	static const char *const trees[] = {
		"/lib",
		"/lib64",
		"/usr/lib",
		"/usr/lib64",
		"/usr/share/fonts",
		"/usr/local/share/fonts",
		"/usr/share/poppler",
		"/usr/share/fontconfig",
		"/usr/share/xml/fontconfig",
		"/usr/share/ghostscript",
		"/usr/share/color",
		"/etc/fonts",
		"/var/cache/fontconfig",
	};
	static const char *const files[] = { "/etc/ld.so.cache", "/etc/localtime",
		"/usr/share/zoneinfo/Etc/UTC" };

	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
		if (!allow(ruleset_fd, trees[i], LL_READ_FILE | LL_READ_DIR))
			return false;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (!allow(ruleset_fd, files[i], LL_READ_FILE))
			return false;
	return allow(ruleset_fd, program, LL_READ_FILE | LL_EXECUTE) &&
	       allow(ruleset_fd, loader_path(), LL_READ_FILE | LL_EXECUTE);
}

int cage_ruleset(const char *program)
{
	int fd = new_ruleset();

	if (fd >= 0 && program != NULL && !allow_reader(fd, program)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A sanitizer's shadow memory is terabytes of address space; its runtime defines one of these. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static bool set_limit(__rlimit_resource_t what, uint64_t soft, uint64_t hard)
{
	struct rlimit limit = { soft, hard };

	return setrlimit(what, &limit) == 0;
}

static bool enter_limits(enum cage_kind kind, const struct cage_limits *limits)
{
	static const __rlimit_resource_t nothing[] = { RLIMIT_FSIZE, RLIMIT_NPROC, RLIMIT_MEMLOCK,
		RLIMIT_MSGQUEUE };
	bool shadowed = __asan_init != NULL || __tsan_init != NULL;
	uint64_t files = kind == CAGE_READER ? 32 : 3;

	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
		if (!set_limit(nothing[i], 0, 0))
			return false;
	/* at the soft limit of CPU time comes SIGXCPU, which says why; at the hard one SIGKILL */
	return (shadowed || set_limit(RLIMIT_AS, limits->memory_bytes, limits->memory_bytes)) &&
	       set_limit(RLIMIT_CPU, limits->cpu_s, limits->cpu_s + 1) &&
	       set_limit(RLIMIT_NOFILE, files, files) && set_limit(RLIMIT_CORE, 1, 1);
}

/* Ends the list of numbers below; SCMP_SYS gives other negative numbers to what an architecture
 * lacks, and libseccomp skips those. */
enum { LAST = -9999 };

static const int for_both[] = { SCMP_SYS(read), SCMP_SYS(sigaltstack), SCMP_SYS(write),
	SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap),
	SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(getrandom), SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall), SCMP_SYS(fstat),
	SCMP_SYS(getrusage), LAST };

/* What the loader, libc and fontconfig need to start a program and read fonts. */
static const int for_reader[] = { SCMP_SYS(execve), SCMP_SYS(mmap), SCMP_SYS(mprotect),
	SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(lseek), SCMP_SYS(newfstatat), SCMP_SYS(stat),
	SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
	SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(getcwd), SCMP_SYS(arch_prctl),
	SCMP_SYS(set_tid_address), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(sysinfo),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(clock_getres), LAST };

/* Everything else fails with EPERM; these are never tried by an honest program. */
static const int for_nobody[] = { SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect),
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(fork),
	SCMP_SYS(vfork), SCMP_SYS(execveat), SCMP_SYS(bpf), SCMP_SYS(io_uring_setup),
	SCMP_SYS(mount), SCMP_SYS(unshare), SCMP_SYS(setns), LAST };

static bool add_rules(scmp_filter_ctx filter, uint32_t action, const int *calls)
{
	for (; *calls != LAST; calls++)
		if (seccomp_rule_add(filter, action, *calls, 0) != 0)
			return false;
	return true;
}

static bool add_reader_rules(scmp_filter_ctx filter)
{
	const unsigned write_flags = O_ACCMODE | O_CREAT | O_TRUNC;

	return add_rules(filter, SCMP_ACT_ALLOW, for_reader) &&
	       seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
		       SCMP_A2(SCMP_CMP_MASKED_EQ, write_flags, 0)) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
		       SCMP_A2(SCMP_CMP_EQ, 0)) == 0;
}

/* A recogniser's code is all there: it maps memory, but never as code. */
static bool add_recogniser_rules(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

	return seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execve), 0) == 0 &&
	       seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_code) == 0 &&
	       seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_code) == 0;
}

static bool enter_seccomp(enum cage_kind kind)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (filter == NULL)
		return false;
	/* abort() needs to signal, but only itself */
	bool ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())) == 0 &&
		  add_rules(filter, SCMP_ACT_ALLOW, for_both) &&
		  add_rules(filter, SCMP_ACT_KILL_PROCESS, for_nobody) &&
		  (kind == CAGE_READER ? add_reader_rules(filter) : add_recogniser_rules(filter)) &&
		  seccomp_load(filter) == 0;
	seccomp_release(filter);
	return ok;
}

bool cage_enter(
	enum cage_kind kind, int ruleset_fd, const struct cage_limits *limits, bool required)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !enter_limits(kind, limits))
		return false;
	bool landlocked =
		ruleset_fd >= 0 && syscall(SYS_landlock_restrict_self, ruleset_fd, 0) == 0;
	if (required && !landlocked)
		return false;
	return enter_seccomp(kind) || !required;
}

uint32_t cage_missing(void)
{
	uint32_t missing = 0;
	int status, ruleset_fd = cage_ruleset(NULL);

	if (ruleset_fd < 0)
		missing |= JAIL_NO_LANDLOCK;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		bool locked =
			ruleset_fd < 0 || syscall(SYS_landlock_restrict_self, ruleset_fd, 0) == 0;
		bool filtered = enter_seccomp(CAGE_RECOGNISER);
		_exit((locked ? 0 : JAIL_NO_LANDLOCK) | (filtered ? 0 : JAIL_NO_SECCOMP));
	}
	if (ruleset_fd >= 0)
		close(ruleset_fd);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return JAIL_NO_LANDLOCK | JAIL_NO_SECCOMP;
	return missing | (uint32_t)WEXITSTATUS(status);
}
