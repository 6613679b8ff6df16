// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into a User Mode Linux of 6.12, so that it starts on a CPU with much register state.
 *
 * That kernel saves and restores the floating point registers of its processes with ptrace(), in
 * a buffer whose size is fixed when it is built. To read so much is fine, but the host takes them
 * back only in the size that its CPU has, and with AMX that is more. The rest, which no process
 * of the guest uses, is put back as it is. Newer kernels ask the host for the size.
 *
 * ptrace() is called by the one thread that runs the kernel, which does not come here again
 * before it returns: one buffer is enough.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char state[65536];

static long restore(pid_t pid, const struct iovec *part)
{
	struct iovec all = { .iov_base = state, .iov_len = sizeof(state) };

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all))
		return -1;
	if (part->iov_len < all.iov_len)
		memcpy(state, part->iov_base, part->iov_len);
	else
		all = *part;
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	void *addr, *data;
	va_list args;
	pid_t pid;
	long ret;

	va_start(args, request);
	pid = va_arg(args, pid_t);
	addr = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);
	if (request == PTRACE_SETREGSET && addr == (void *)NT_X86_XSTATE)
		return restore(pid, data);
	/* As the C library does it: what is read is the result, not stored by the caller. */
	if (request >= PTRACE_PEEKTEXT && request <= PTRACE_PEEKUSER) {
		long word;

		ret = syscall(SYS_ptrace, request, pid, addr, &word);
		return ret < 0 ? ret : word;
	}
	return syscall(SYS_ptrace, request, pid, addr, data);
}
