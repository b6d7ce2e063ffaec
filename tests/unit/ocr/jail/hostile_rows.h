/* The attempts, and how each ends: an errno, or a signal below 0. */
#ifndef ESTEIRA_TESTS_UNIT_OCR_JAIL_HOSTILE_ROWS_H
#define ESTEIRA_TESTS_UNIT_OCR_JAIL_HOSTILE_ROWS_H

#include "hostile.h"

/* By whom it is ended: where time is short the worker may come first. */
static const struct {
	const char *name;
	int (*attempt)(void);
	int reader, recogniser;
	enum { BY_KERNEL, BY_WORKER, BY_EITHER } by;
} hostile_rows[] = {
	/* sockets */
	{ "inet", hostile_inet, -SIGSYS, -SIGSYS, 0 },
	{ "inet6", hostile_inet6, -SIGSYS, -SIGSYS, 0 },
	{ "unix", hostile_unix, -SIGSYS, -SIGSYS, 0 },
	{ "netlink", hostile_netlink, -SIGSYS, -SIGSYS, 0 },
	{ "vsock", hostile_vsock, -SIGSYS, -SIGSYS, 0 },
	{ "sendmsg", hostile_sendmsg, EPERM, EPERM, 0 },
	/* files */
	{ "passwd", hostile_passwd, EACCES, EPERM, 0 },
	{ "environ", hostile_environ, EACCES, EPERM, 0 },
	{ "environ of another", hostile_environ_of_parent, EACCES, EPERM, 0 },
	{ "own memory", hostile_memory_of_self, EPERM, EPERM, 0 },
	{ "seal master", hostile_seal_master, EACCES, EPERM, 0 },
	{ "seal master, old call", hostile_old_open, EPERM, EPERM, 0 },
	{ "create", hostile_create, EPERM, EPERM, 0 },
	{ "temporary", hostile_temporary, EPERM, EPERM, 0 },
	{ "its document for writing", hostile_document, EPERM, EPERM, 0 },
	{ "remove", hostile_remove, EPERM, EPERM, 0 },
	{ "rename", hostile_rename, EPERM, EPERM, 0 },
	{ "link", hostile_link, EPERM, EPERM, 0 },
	{ "symlink", hostile_symlink, EPERM, EPERM, 0 },
	{ "mkdir", hostile_mkdir, EPERM, EPERM, 0 },
	{ "chmod", hostile_chmod, EPERM, EPERM, 0 },
	/* processes */
	{ "fork", hostile_fork, -SIGSYS, -SIGSYS, 0 },
	{ "vfork", hostile_vfork, -SIGSYS, -SIGSYS, 0 },
	{ "clone", hostile_clone, EPERM, EPERM, 0 },
	{ "thread", hostile_thread, EPERM, EPERM, 0 },
	{ "clone3", hostile_clone3, EPERM, EPERM, 0 },
	{ "a shell", hostile_shell, EACCES, -SIGSYS, 0 },
	{ "execveat", hostile_execveat, -SIGSYS, -SIGSYS, 0 },
	{ "trace the zygote", hostile_trace_parent, -SIGSYS, -SIGSYS, 0 },
	{ "be traced", hostile_trace_me, -SIGSYS, -SIGSYS, 0 },
	{ "read the zygote", hostile_read_parent, -SIGSYS, -SIGSYS, 0 },
	{ "write the zygote", hostile_write_parent, -SIGSYS, -SIGSYS, 0 },
	/* signals */
	{ "kill the zygote", hostile_kill_parent, EPERM, EPERM, 0 },
	{ "kill all", hostile_kill_all, EPERM, EPERM, 0 },
	{ "kill the group", hostile_kill_group, EPERM, EPERM, 0 },
	{ "tgkill", hostile_tgkill_parent, EPERM, EPERM, 0 },
	{ "tkill", hostile_tkill_parent, EPERM, EPERM, 0 },
	{ "sigqueue", hostile_queue_parent, EPERM, EPERM, 0 },
	{ "pidfd", hostile_pidfd, EPERM, EPERM, 0 },
	/* leaving */
	{ "setsid", hostile_setsid, EPERM, EPERM, 0 },
	{ "setpgid", hostile_setpgid, EPERM, EPERM, 0 },
	{ "outlive the zygote", hostile_keep_after_parent, EPERM, EPERM, 0 },
	{ "be dumpable", hostile_dumpable, EPERM, EPERM, 0 },
	{ "a higher limit", hostile_limit, EPERM, EPERM, 0 },
	{ "a core", hostile_core, EPERM, EPERM, 0 },
	{ "limits of the zygote", hostile_limit_of_parent, EPERM, EPERM, 0 },
	{ "setns", hostile_setns, -SIGSYS, -SIGSYS, 0 },
	{ "unshare", hostile_unshare, -SIGSYS, -SIGSYS, 0 },
	{ "mount", hostile_mount, -SIGSYS, -SIGSYS, 0 },
	{ "chroot", hostile_chroot, EPERM, EPERM, 0 },
	/* the kernel's wide surfaces */
	{ "io_uring", hostile_io_uring, -SIGSYS, -SIGSYS, 0 },
	{ "bpf", hostile_bpf, -SIGSYS, -SIGSYS, 0 },
	{ "userfaultfd", hostile_userfaultfd, EPERM, EPERM, 0 },
	{ "keyctl", hostile_keyctl, EPERM, EPERM, 0 },
	{ "add_key", hostile_add_key, EPERM, EPERM, 0 },
	{ "perf", hostile_perf, EPERM, EPERM, 0 },
	{ "ioctl", hostile_ioctl, EPERM, EPERM, 0 },
	{ "dup", hostile_dup, EPERM, EPERM, 0 },
	{ "timer", hostile_alarm, EPERM, EPERM, 0 },
	{ "priority", hostile_priority, EPERM, EPERM, 0 },
	{ "module", hostile_module, EPERM, EPERM, 0 },
	/* memory */
	{ "memfd", hostile_memfd, EPERM, EPERM, 0 },
	{ "shared memory", hostile_shared_memory, EPERM, EPERM, 0 },
	{ "message queue", hostile_message_queue, EPERM, EPERM, 0 },
	{ "forge its document", hostile_forge, -SIGXFSZ, -SIGXFSZ, 0 },
	/* time */
	{ "sleep", hostile_sleep, 0, 0, BY_WORKER },
	{ "spin", hostile_spin, -SIGKILL, -SIGKILL, BY_EITHER },
	{ "talk", hostile_talk, 0, 0, BY_WORKER },
	/* the last HOSTILE_PLAIN: under a sanitizer the cage leaves the limit of memory out, and
	 * some runtimes keep SIGSYS to themselves */
	{ "mmap", hostile_mmap, ENOMEM, ENOMEM, 0 },
	{ "brk", hostile_brk, ENOMEM, ENOMEM, 0 },
	{ "mremap", hostile_mremap, ENOMEM, ENOMEM, 0 },
	{ "stack", hostile_stack, -SIGSEGV, -SIGSEGV, 0 },
#ifdef __x86_64__
	{ "i386", hostile_i386, -SIGSYS, -SIGSYS, 0 },
	{ "x32", hostile_x32, -SIGSYS, -SIGSYS, 0 },
#endif
};

#ifdef __x86_64__
enum { HOSTILE_PLAIN = 6 };
#else
enum { HOSTILE_PLAIN = 4 };
#endif
enum { HOSTILE_ROWS = sizeof hostile_rows / sizeof *hostile_rows };

#endif
