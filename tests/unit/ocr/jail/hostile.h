/*
 * What code that a document got control of might try: each attempt once, by the bare system call,
 * so that no library stands between it and the kernel. Each answers an errno, HOSTILE_OPEN when it
 * went through, or does not come back. Included by the program that a reader becomes and by the
 * test, in which a recogniser is a fork.
 */
#ifndef ESTEIRA_TESTS_UNIT_OCR_JAIL_HOSTILE_H
#define ESTEIRA_TESTS_UNIT_OCR_JAIL_HOSTILE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HOSTILE_OPEN = 250, HOSTILE_NONE = 251 };
enum { HOSTILE_MEMORY_BYTES = 256 << 20, HOSTILE_BLOCK_BYTES = 1 << 20 };

/* A file that only the worker may read, made by the test: its descriptor's number is our input. */
#define HOSTILE_SECRET "/tmp/esteira-hostile-seal.master"
#define HOSTILE_FILE   "/tmp/esteira-hostile-new-file"

static inline int hostile_result(long rc)
{
	return rc >= 0 ? HOSTILE_OPEN : errno;
}

#define HOSTILE_CALL(name, ...)                                                                    \
	static int hostile_##name(void)                                                            \
	{                                                                                          \
		return hostile_result(syscall(__VA_ARGS__));                                       \
	}

HOSTILE_CALL(inet, SYS_socket, AF_INET, SOCK_STREAM, 0)
HOSTILE_CALL(inet6, SYS_socket, AF_INET6, SOCK_DGRAM, 0)
HOSTILE_CALL(unix, SYS_socket, AF_UNIX, SOCK_STREAM, 0)
HOSTILE_CALL(netlink, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
HOSTILE_CALL(vsock, SYS_socket, 40, SOCK_STREAM, 0)
HOSTILE_CALL(sendmsg, SYS_sendmsg, 1, NULL, 0)
HOSTILE_CALL(passwd, SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY)
HOSTILE_CALL(environ, SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY)
HOSTILE_CALL(environ_of_parent, SYS_openat, AT_FDCWD, "/proc/1/environ", O_RDONLY)
HOSTILE_CALL(memory_of_self, SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR)
HOSTILE_CALL(seal_master, SYS_openat, AT_FDCWD, HOSTILE_SECRET, O_RDONLY)
HOSTILE_CALL(old_open, SYS_open, HOSTILE_SECRET, O_RDONLY)
HOSTILE_CALL(create, SYS_openat, AT_FDCWD, HOSTILE_FILE, O_WRONLY | O_CREAT, 0600)
HOSTILE_CALL(temporary, SYS_openat, AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE, 0600)
HOSTILE_CALL(document, SYS_openat, AT_FDCWD, "/proc/self/fd/0", O_RDWR)
HOSTILE_CALL(remove, SYS_unlink, HOSTILE_SECRET)
HOSTILE_CALL(rename, SYS_rename, HOSTILE_SECRET, HOSTILE_FILE)
HOSTILE_CALL(link, SYS_link, HOSTILE_SECRET, HOSTILE_FILE)
HOSTILE_CALL(symlink, SYS_symlink, HOSTILE_SECRET, HOSTILE_FILE)
HOSTILE_CALL(mkdir, SYS_mkdir, HOSTILE_FILE, 0700)
HOSTILE_CALL(chmod, SYS_chmod, HOSTILE_SECRET, 0666)
HOSTILE_CALL(fork, SYS_fork)
HOSTILE_CALL(vfork, SYS_vfork)
HOSTILE_CALL(clone, SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)
HOSTILE_CALL(
	thread, SYS_clone, 0x10f00 /* CLONE_VM|FS|FILES|SIGHAND|THREAD */, NULL, NULL, NULL, NULL)
HOSTILE_CALL(clone3, SYS_clone3, NULL, 0)
HOSTILE_CALL(execveat, SYS_execveat, AT_FDCWD, "/bin/sh", NULL, NULL, 0)
HOSTILE_CALL(trace_parent, SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), NULL, NULL)
HOSTILE_CALL(trace_me, SYS_ptrace, 0, 0, NULL, NULL)
HOSTILE_CALL(read_parent, SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)
HOSTILE_CALL(write_parent, SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0)
HOSTILE_CALL(kill_parent, SYS_kill, getppid(), SIGKILL)
HOSTILE_CALL(kill_all, SYS_kill, -1, SIGKILL)
HOSTILE_CALL(kill_group, SYS_kill, 0, 0)
HOSTILE_CALL(tgkill_parent, SYS_tgkill, getppid(), getppid(), SIGKILL)
HOSTILE_CALL(tkill_parent, SYS_tkill, getppid(), SIGKILL)
HOSTILE_CALL(queue_parent, SYS_rt_sigqueueinfo, getppid(), SIGTERM, NULL)
HOSTILE_CALL(pidfd, SYS_pidfd_open, getppid(), 0)
HOSTILE_CALL(setsid, SYS_setsid)
HOSTILE_CALL(setpgid, SYS_setpgid, 0, getppid())
HOSTILE_CALL(keep_after_parent, SYS_prctl, 1 /* PR_SET_PDEATHSIG */, 0, 0, 0, 0)
HOSTILE_CALL(dumpable, SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0)
HOSTILE_CALL(io_uring, SYS_io_uring_setup, 8, NULL)
HOSTILE_CALL(bpf, SYS_bpf, 0, NULL, 0)
HOSTILE_CALL(userfaultfd, SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */)
HOSTILE_CALL(keyctl, SYS_keyctl, 0, -3, 0, 0, 0)
HOSTILE_CALL(add_key, SYS_add_key, "user", "k", "v", 1, -3)
HOSTILE_CALL(perf, SYS_perf_event_open, NULL, 0, -1, -1, 0)
HOSTILE_CALL(mount, SYS_mount, "none", "/tmp", "tmpfs", 0, NULL)
HOSTILE_CALL(unshare, SYS_unshare, 0x10000000 /* CLONE_NEWUSER */)
HOSTILE_CALL(setns, SYS_setns, 0, 0)
HOSTILE_CALL(chroot, SYS_chroot, "/tmp")
HOSTILE_CALL(memfd, SYS_memfd_create, "more", 0)
HOSTILE_CALL(shared_memory, SYS_shmget, 0, 4096, 01600)
HOSTILE_CALL(message_queue, SYS_mq_open, "/m", O_CREAT | O_RDWR, 0600, NULL)
HOSTILE_CALL(ioctl, SYS_ioctl, 1, 0x5412 /* TIOCSTI */, "x")
HOSTILE_CALL(dup, SYS_fcntl, 0, F_DUPFD, 100)
HOSTILE_CALL(alarm, SYS_setitimer, 0, NULL, NULL)
HOSTILE_CALL(priority, SYS_setpriority, 0, 0, -20)
HOSTILE_CALL(module, SYS_init_module, NULL, 0, "")

static int hostile_shell(void)
{
	char *const argv[] = { "sh", NULL }, *const none[] = { NULL };

	return hostile_result(syscall(SYS_execve, "/bin/sh", argv, none));
}

static int hostile_limit(void)
{
	static const unsigned long more[2] = { 1UL << 40, 1UL << 40 };

	return hostile_result(syscall(SYS_prlimit64, 0, 9 /* RLIMIT_AS */, more, NULL));
}

static int hostile_limit_of_parent(void)
{
	static const unsigned long less[2] = { 0, 0 };

	return hostile_result(syscall(SYS_prlimit64, getppid(), 7 /* RLIMIT_NOFILE */, less, NULL));
}

static int hostile_core(void)
{
	static const unsigned long more[2] = { 1UL << 30, 1UL << 30 };

	return hostile_result(syscall(SYS_prlimit64, 0, 4 /* RLIMIT_CORE */, more, NULL));
}

/* Pages that are written to, until there are no more: ENOMEM at the limit. */
static int hostile_mmap(void)
{
	for (size_t got = 0; got <= 2UL * HOSTILE_MEMORY_BYTES; got += HOSTILE_BLOCK_BYTES) {
		char *block = mmap(NULL, HOSTILE_BLOCK_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (block == MAP_FAILED)
			return errno;
		for (size_t i = 0; i < HOSTILE_BLOCK_BYTES; i += 4096)
			block[i] = 1;
	}
	return HOSTILE_OPEN;
}

static int hostile_brk(void)
{
	long end = syscall(SYS_brk, 0);
	long more = end + 2L * HOSTILE_MEMORY_BYTES;

	return syscall(SYS_brk, more) == more ? HOSTILE_OPEN : ENOMEM;
}

static int hostile_mremap(void)
{
	char *block = mmap(NULL, HOSTILE_BLOCK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		return HOSTILE_NONE;
	block = mremap(block, HOSTILE_BLOCK_BYTES, 2UL * HOSTILE_MEMORY_BYTES, MREMAP_MAYMOVE);
	return block == MAP_FAILED ? errno : HOSTILE_OPEN;
}

__attribute__((noinline)) static int hostile_deeper(unsigned depth)
{
	volatile char frame[65536];

	/* whole, and in every call: clang keeps the one byte that is used, and no stack is left */
	__asm__ volatile("" : : "r"(frame) : "memory");
	frame[0] = (char)depth;
	return depth > (2U * HOSTILE_MEMORY_BYTES) / sizeof frame
		       ? frame[0]
		       : hostile_deeper(depth + 1) + frame[0];
}

static int hostile_stack(void)
{
	signal(SIGSEGV, SIG_DFL);
	return hostile_deeper(1) == INT32_MIN ? HOSTILE_NONE : HOSTILE_OPEN;
}

/* Ignores all that can be ignored, and sleeps. */
static int hostile_sleep(void)
{
	static volatile uint32_t word = 1;

	for (int number = 1; number < 32; number++)
		signal(number, SIG_IGN);
	while (word == 1)
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	return HOSTILE_OPEN;
}

/* The same, and spins: the soft limit of CPU time is ignored, the hard one is not asked. */
static int hostile_spin(void)
{
	for (int number = 1; number < 32; number++)
		signal(number, SIG_IGN);
	for (volatile unsigned i = 1; i != 0;)
		i = i | 1;
	return HOSTILE_OPEN;
}

/* Says more than anybody asked for. */
static int hostile_talk(void)
{
	static char words[65536];

	while (syscall(SYS_write, 1, words, sizeof words) > 0) {
	}
	return errno;
}

/* Writes to its input, the document that others read as well. */
static int hostile_forge(void)
{
	return hostile_result(syscall(SYS_write, 0, "%PDF", 4));
}

#ifdef __x86_64__
/* By the doors of other architectures, which a filter that looks at numbers alone leaves open. */
static int hostile_i386(void)
{
	int rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20 /* getpid */) : "memory");
	return rc >= 0 ? HOSTILE_OPEN : -rc;
}

HOSTILE_CALL(x32, 0x40000000 + SYS_getpid)
#endif

#endif
