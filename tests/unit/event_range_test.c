/* Ranges of representative calls against hand-made memory. */
#include "event/sys.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/unit/event_mem.h"

#define A MEM_BASE
#define B (MEM_BASE + 0x1000)
#define C (MEM_BASE + 0x2000)
#define D (MEM_BASE + 0x3000)

static struct fake f;

static void
fini(void)
{
	arena_free(&f.arena);
	memset(&f, 0, sizeof(f));
}

TestSuite(event_range, .fini = fini);

static void
iov_at(uint64_t at, uint64_t base, uint64_t len)
{
	fake_u64(&f, at, base);
	fake_u64(&f, at + 8, len);
}

Test(event_range, read_writes_as_many_bytes_as_it_returns)
{
	fake_enter(&f, SYS_read, 3, A, 100, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 40, false), 1);
	cr_assert(fake_has(&f, A, 40));
	cr_assert_eq(f.out[0].arg, 1);
	cr_assert_eq(fake_outputs(&f, 0, false), 0);
	cr_assert_eq(fake_outputs(&f, -EAGAIN, false), 0);
	cr_assert_eq(fake_outputs(&f, -512, true), 0);
	cr_assert_eq(fake_outbufs(&f), 1);
	cr_assert(fake_has(&f, A, 100));
}

Test(event_range, a_fault_may_have_written_anything)
{
	fake_enter(&f, SYS_read, 3, A, 100, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, -EFAULT, false), 1);
	cr_assert(fake_has(&f, A, 100));
	fake_enter(&f, SYS_uname, A, 0, 0, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, -EFAULT, false), 1);
	cr_assert(fake_has(&f, A, 390));
	fake_enter(&f, SYS_pipe, A, 0, 0, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, -EMFILE, false), 0);
}

Test(event_range, lengths_that_make_no_sense_are_clamped)
{
	fake_enter(&f, SYS_read, 3, A, UINT64_MAX, 0, 0, 0);
	cr_assert_eq(fake_outbufs(&f), 1);
	cr_assert(fake_has(&f, A, 0x7ffff000));
	fake_enter(&f, SYS_read, 3, UINT64_MAX - 3, 100, 0, 0, 0);
	cr_assert_eq(fake_outbufs(&f), 0);
	fake_enter(&f, SYS_getgroups, (uint64_t)-1, A, 0, 0, 0, 0);
	cr_assert_eq(fake_outbufs(&f), 0);
	/* nfds is an unsigned int: the upper half is not looked at */
	fake_enter(&f, SYS_poll, A, 0xffffffff00000002, 0, 0, 0, 0);
	cr_assert_eq(fake_outbufs(&f), 1);
	cr_assert(fake_has(&f, A, 16));
}

Test(event_range, readv_finds_its_buffers_when_they_overwrite_the_iovec)
{
	iov_at(A, A, 16); /* the first buffer is the array itself */
	iov_at(A + 16, B, 50);
	iov_at(A + 32, C, 50);
	fake_enter(&f, SYS_readv, 3, A, 3, 0, 0, 0);
	memset(fake_at(&f, A), 0xee, 16);
	cr_assert_eq(fake_outputs(&f, 60, false), 2);
	cr_assert(fake_has(&f, A, 16));
	cr_assert(fake_has(&f, B, 44));
	cr_assert_eq(fake_outbufs(&f), 3);
	cr_assert_eq(f.out[2].addr, C);
	cr_assert_eq(f.out[2].ptr_addr, A + 32);
	cr_assert_eq(fake_outputs(&f, -EFAULT, false), 3);
	cr_assert_eq(fake_outputs(&f, 0, false), 0);
}

Test(event_range, an_iovec_that_cannot_be_read_or_is_too_long_is_nothing)
{
	fake_enter(&f, SYS_readv, 3, 0x5000, 3, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, -EFAULT, false), 0);
	fake_enter(&f, SYS_readv, 3, A, 1025, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, -EINVAL, false), 0);
	/* Only two of three entries are readable. */
	iov_at(MEM_BASE + MEM_SIZE - 32, A, 8);
	iov_at(MEM_BASE + MEM_SIZE - 16, B, 8);
	fake_enter(&f, SYS_readv, 3, MEM_BASE + MEM_SIZE - 32, 3, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, -EFAULT, false), 2);
}

static void
msghdr_at(uint64_t at, uint64_t name, uint32_t namelen, uint64_t iov,
	  uint64_t iovlen, uint64_t control, uint64_t controllen)
{
	struct msghdr m = { 0 };

	memcpy(&m.msg_name, &name, 8);
	m.msg_namelen = namelen;
	memcpy(&m.msg_iov, &iov, 8);
	m.msg_iovlen = iovlen;
	memcpy(&m.msg_control, &control, 8);
	m.msg_controllen = controllen;
	memcpy(fake_at(&f, at), &m, sizeof(m));
}

Test(event_range, recvmsg_writes_name_data_control_and_three_fields)
{
	msghdr_at(A, B, 110, A + 0x100, 2, C, 200);
	iov_at(A + 0x100, D, 10);
	iov_at(A + 0x110, D + 0x100, 1000);
	fake_enter(&f, SYS_recvmsg, 3, A, 0, 0, 0, 0);
	cr_assert_eq(fake_outbufs(&f), 5);
	cr_assert(fake_has(&f, A, 56));
	cr_assert(fake_has(&f, B, 110));
	cr_assert_eq(f.out[1].ptr_addr, A);
	cr_assert(fake_has(&f, C, 200));
	cr_assert_eq(f.out[4].ptr_addr, A + 32);

	/* The kernel answers: a name of 16, control of 24 bytes, 25 bytes. */
	fake_u32(&f, A + 8, 16);
	fake_u64(&f, A + 40, 24);
	cr_assert_eq(fake_outputs(&f, 25, false), 6);
	cr_assert(fake_has(&f, A + 8, 4));
	cr_assert(fake_has(&f, A + 40, 12));
	cr_assert(fake_has(&f, B, 16));
	cr_assert(fake_has(&f, C, 24));
	cr_assert(fake_has(&f, D, 10));
	cr_assert(fake_has(&f, D + 0x100, 15));

	/* A name longer than the buffer; MSG_TRUNC: more than the buffers. */
	fake_u32(&f, A + 8, 500);
	fake_outputs(&f, 5000, false);
	cr_assert(fake_has(&f, B, 110));
	cr_assert(fake_has(&f, D + 0x100, 1000));
	cr_assert_eq(fake_outputs(&f, -EAGAIN, false), 0);
}

Test(event_range, recvmmsg_repeats_it_for_each_message)
{
	for (unsigned i = 0; i < 3; i++) {
		msghdr_at(A + i * 64, 0, 0, A + 0x100 + i * 16, 1, 0, 0);
		iov_at(A + 0x100 + i * 16, B + i * 0x100, 0x100);
	}
	fake_enter(&f, SYS_recvmmsg, 3, A, 3, 0, D, 0);
	fake_u32(&f, A + 56, 7);
	fake_u32(&f, A + 64 + 56, 9);
	fake_outputs(&f, 2, false);
	cr_assert(fake_has(&f, A + 56, 4));
	cr_assert(fake_has(&f, B, 7));
	cr_assert(fake_has(&f, B + 0x100, 9));
	cr_assert_not(fake_has(&f, A + 128 + 56, 4));
	cr_assert(fake_has(&f, D, 16)); /* the timeout, whatever happened */
	cr_assert_eq(fake_outputs(&f, -EAGAIN, false), 1);
	/* More ranges than there is room for are counted. */
	f.call.ret = 2;
	cr_assert_eq(sys_call_outputs(&f.call, &f.mem, false, f.out, 1), 9);
}

Test(event_range, sendmmsg_writes_lengths_only)
{
	for (unsigned i = 0; i < 2; i++) {
		msghdr_at(A + i * 64, 0, 0, A + 0x100 + i * 16, 1, 0, 0);
		iov_at(A + 0x100 + i * 16, B + i * 0x100, 0x100);
	}
	fake_enter(&f, SYS_sendmmsg, 3, A, 2, 0, 0, 0);
	fake_u32(&f, A + 56, 5);
	cr_assert_eq(fake_outputs(&f, 1, false), 1);
	cr_assert(fake_has(&f, A + 56, 4));
	cr_assert_eq(fake_inputs(&f, 1), 1);
	cr_assert(fake_has(&f, B, 5));
}

Test(event_range, select_rewrites_its_sets_and_timeout_even_when_interrupted)
{
	fake_enter(&f, SYS_select, 65, A, 0, B, C, 0);
	cr_assert_eq(fake_outputs(&f, 1, false), 3);
	cr_assert(fake_has(&f, A, 16));
	cr_assert(fake_has(&f, B, 16));
	cr_assert(fake_has(&f, C, 16));
	cr_assert_eq(fake_outputs(&f, -514, true), 3);
	cr_assert_eq(fake_outputs(&f, -EINTR, false), 3);
}

Test(event_range, sleeps_write_the_rest_only_when_interrupted)
{
	fake_enter(&f, SYS_nanosleep, A, B, 0, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 0, false), 0);
	cr_assert_eq(fake_outputs(&f, -516, true), 1);
	cr_assert(fake_has(&f, B, 16));
	cr_assert_eq(fake_outputs(&f, -EINTR, false), 1);
	cr_assert_eq(fake_outputs(&f, -EINVAL, false), 0);
}

Test(event_range, value_result_lengths_are_the_smaller_of_both)
{
	fake_u32(&f, B, 16);
	fake_enter(&f, SYS_getsockname, 3, A, B, 0, 0, 0);
	fake_u32(&f, B, 110); /* the kernel had more */
	cr_assert_eq(fake_outputs(&f, 0, false), 2);
	cr_assert(fake_has(&f, A, 16));
	cr_assert(fake_has(&f, B, 4));

	fake_u32(&f, B, 64);
	fake_enter(&f, SYS_getsockopt, 3, 1, 4, A, B, 0);
	fake_u32(&f, B, 4);
	fake_outputs(&f, 0, false);
	cr_assert(fake_has(&f, A, 4));
	cr_assert_eq(fake_outputs(&f, -EBADF, false), 0);
	cr_assert_eq(fake_outbufs(&f), 2);
	cr_assert(fake_has(&f, A, 64));
}

Test(event_range, wait_writes_only_when_it_found_a_child)
{
	fake_enter(&f, SYS_wait4, -1ul, A, 0, B, 0, 0);
	cr_assert_eq(fake_outputs(&f, 0, false), 0);
	cr_assert_eq(fake_outputs(&f, 4711, false), 2);
	cr_assert(fake_has(&f, A, 4));
	cr_assert(fake_has(&f, B, 144));
	cr_assert_eq(fake_outputs(&f, -ECHILD, false), 0);
}

Test(event_range, a_size_of_zero_is_a_question_and_writes_nothing)
{
	fake_enter(&f, SYS_getgroups, 0, A, 0, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 5, false), 0);
	fake_enter(&f, SYS_getgroups, 10, A, 0, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 5, false), 1);
	cr_assert(fake_has(&f, A, 20));
	fake_enter(&f, SYS_getxattr, B, C, A, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 5, false), 0);
	/* MSG_TRUNC: the result is longer than the buffer */
	fake_enter(&f, SYS_recvfrom, 3, A, 10, 0x20, 0, 0);
	cr_assert_eq(fake_outputs(&f, 500, false), 1);
	cr_assert(fake_has(&f, A, 10));
}

Test(event_range, results_in_units)
{
	fake_enter(&f, SYS_epoll_wait, 3, A, 10, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 2, false), 1);
	cr_assert(fake_has(&f, A, 24));
	fake_enter(&f, SYS_msgrcv, 3, A, 100, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 5, false), 1);
	cr_assert(fake_has(&f, A, 13));
	cr_assert_eq(fake_outputs(&f, 0, false), 1); /* the type alone */
	fake_enter(&f, SYS_mincore, 0, 4097, A, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 0, false), 1);
	cr_assert(fake_has(&f, A, 2));
}

Test(event_range, futex_operations_that_write)
{
	/* WAKE_OP on the second word, with the private flag */
	fake_enter(&f, SYS_futex, A, 0x85, 1, 1, B, 0);
	cr_assert_eq(fake_outputs(&f, 1, false), 1);
	cr_assert(fake_has(&f, B, 4));
	cr_assert(sys_call_never_blocks(&f.call));
	/* LOCK_PI writes the owner, also when it fails */
	fake_enter(&f, SYS_futex, A, 0x86, 0, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, -EINTR, false), 1);
	cr_assert(fake_has(&f, A, 4));
	cr_assert_not(sys_call_never_blocks(&f.call));
	fake_enter(&f, SYS_futex, A, 0x80, 0, B, 0, 0);
	cr_assert_eq(fake_outputs(&f, 0, false), 0);
	cr_assert_not(sys_call_never_blocks(&f.call));
	cr_assert_eq(fake_inputs(&f, 0), 1);
	cr_assert(fake_has(&f, B, 16));
}

Test(event_range, calls_with_rules_of_their_own)
{
	fake_enter(&f, SYS_ioctl, 0, 0x5401, A, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 0, false), 1);
	cr_assert(fake_has(&f, A, 36));
	cr_assert_eq(fake_outputs(&f, -ENOTTY, false), 0);

	fake_enter(&f, SYS_clone, 0x100011, 0, A, B, 0, 0);
	cr_assert_eq(fake_outputs(&f, 99, false), 1);
	cr_assert(fake_has(&f, A, 4));
	fake_enter(&f, SYS_clone, 0x11, 0, A, B, 0, 0);
	cr_assert_eq(fake_outputs(&f, 99, false), 0);

	fake_u32(&f, A, 0x19980330);
	fake_enter(&f, SYS_capget, A, B, 0, 0, 0, 0);
	fake_outputs(&f, 0, false);
	cr_assert(fake_has(&f, A, 8));
	cr_assert(fake_has(&f, B, 12));
	fake_u32(&f, A, 0x20080522);
	fake_enter(&f, SYS_capget, A, B, 0, 0, 0, 0);
	fake_outputs(&f, 0, false);
	cr_assert(fake_has(&f, B, 24));
	cr_assert_eq(fake_outputs(&f, -EINVAL, false), 1);

	/* name_to_handle_at: 20 bytes of room; 8 were needed */
	fake_u32(&f, A, 20);
	fake_enter(&f, SYS_name_to_handle_at, 3, C, A, B, 0, 0);
	fake_u32(&f, A, 8);
	fake_outputs(&f, 0, false);
	cr_assert(fake_has(&f, A, 16));
	cr_assert(fake_has(&f, B, 4));
	fake_outputs(&f, -EOVERFLOW, false);
	cr_assert(fake_has(&f, A, 8));

	/* getxattrat: the value is behind a pointer in memory */
	fake_u64(&f, A, B);
	fake_u32(&f, A + 8, 100);
	fake_enter(&f, 464, 3, C, 0, D, A, 16);
	fake_outputs(&f, 30, false);
	cr_assert_eq(f.n, 1);
	cr_assert(fake_has(&f, B, 30));

	fake_enter(&f, SYS_prctl, 16, A, 0, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 0, false), 1);
	cr_assert(fake_has(&f, A, 16));

	/* SIOCGIFCONF: 80 bytes at B, 40 of them filled */
	fake_u32(&f, A, 80);
	fake_u64(&f, A + 8, B);
	fake_enter(&f, SYS_ioctl, 3, 0x8912, A, 0, 0, 0);
	fake_u32(&f, A, 40);
	fake_outputs(&f, 0, false);
	cr_assert(fake_has(&f, A, 16));
	cr_assert(fake_has(&f, B, 40));

	fake_enter(&f, SYS_process_vm_readv, 3, A, 0, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, 0, false), 0);
	iov_at(A, B, 100);
	fake_enter(&f, SYS_process_vm_readv, 3, A, 1, C, 1, 0);
	cr_assert_eq(fake_outputs(&f, 10, false), 1);
	cr_assert(fake_has(&f, B, 100));
}

Test(event_range, pages_that_vmsplice_lends_are_not_replaced)
{
	iov_at(A, B, 10);
	fake_enter(&f, SYS_vmsplice, 3, A, 1, 0, 0, 0);
	cr_assert_eq(fake_outbufs(&f), 0);
	cr_assert_eq(fake_outputs(&f, 7, false), 1);
	cr_assert(fake_has(&f, B, 7));
}

Test(event_range, refused_calls_write_nothing)
{
	fake_enter(&f, SYS_io_setup, 1, A, 0, 0, 0, 0);
	cr_assert_eq(fake_outputs(&f, -ENOSYS, false), 0);
	cr_assert(sys_call_never_blocks(&f.call));
}

Test(event_range, inputs_for_people)
{
	memcpy(fake_at(&f, A), "/etc/hosts", 11);
	fake_enter(&f, SYS_openat, (uint64_t)-100, A, 0, 0, 0, 0);
	cr_assert_eq(fake_inputs(&f, 3), 1);
	cr_assert(fake_has(&f, A, 10));
	cr_assert_eq(f.out[0].arg, 1);

	/* an empty path (AT_EMPTY_PATH) */
	fake_enter(&f, SYS_newfstatat, 3, B, C, 0x1000, 0, 0);
	cr_assert_eq(fake_inputs(&f, 0), 1);
	cr_assert(fake_has(&f, B, 0));

	fake_enter(&f, SYS_write, 1, A, 100, 0, 0, 0);
	cr_assert_eq(fake_inputs(&f, 60), 1);
	cr_assert(fake_has(&f, A, 60));
	cr_assert_eq(fake_inputs(&f, -EBADF), 0);

	iov_at(A, B, 10);
	iov_at(A + 16, C, 10);
	fake_enter(&f, SYS_writev, 1, A, 2, 0, 0, 0);
	cr_assert_eq(fake_inputs(&f, 15), 2);
	cr_assert(fake_has(&f, B, 10));
	cr_assert(fake_has(&f, C, 5));

	fake_enter(&f, SYS_connect, 1, A, 16, 0, 0, 0);
	cr_assert_eq(fake_inputs(&f, 0), 1);
	cr_assert(fake_has(&f, A, 16));

	msghdr_at(A, B, 16, A + 0x100, 1, C, 20);
	iov_at(A + 0x100, D, 100);
	fake_enter(&f, SYS_sendmsg, 1, A, 0, 0, 0, 0);
	cr_assert_eq(fake_inputs(&f, 40), 3);
	cr_assert(fake_has(&f, B, 16));
	cr_assert_eq(f.out[0].arg, 1 | SYS_IN_NAME);
	cr_assert(fake_has(&f, D, 40));
	cr_assert_eq(f.out[1].arg, 1);
	cr_assert(fake_has(&f, C, 20));
	cr_assert_eq(f.out[2].arg, 1 | SYS_IN_CONTROL);

	memcpy(fake_at(&f, A), "thread-name\0rest", 16);
	fake_enter(&f, SYS_prctl, 15, A, 0, 0, 0, 0);
	cr_assert_eq(fake_inputs(&f, 0), 1);
	cr_assert(fake_has(&f, A, 16));
}

Test(event_range, a_path_that_ends_at_unmapped_memory_is_cut_there)
{
	memset(fake_at(&f, MEM_BASE + MEM_SIZE - 8), 'x', 8);
	fake_enter(&f, SYS_chdir, MEM_BASE + MEM_SIZE - 8, 0, 0, 0, 0, 0);
	cr_assert_eq(fake_inputs(&f, -EFAULT), 1);
	cr_assert(fake_has(&f, MEM_BASE + MEM_SIZE - 8, 8));
}

Test(event_range, polling_calls_never_block)
{
	fake_enter(&f, SYS_poll, A, 1, 0, 0, 0, 0);
	cr_assert(sys_call_never_blocks(&f.call));
	fake_enter(&f, SYS_poll, A, 1, (uint64_t)-1, 0, 0, 0);
	cr_assert_not(sys_call_never_blocks(&f.call));
	fake_u64(&f, B, 0);
	fake_u64(&f, B + 8, 0);
	fake_enter(&f, SYS_ppoll, A, 1, B, 0, 8, 0);
	cr_assert(sys_call_never_blocks(&f.call));
	fake_u64(&f, B + 8, 1);
	fake_enter(&f, SYS_ppoll, A, 1, B, 0, 8, 0);
	cr_assert_not(sys_call_never_blocks(&f.call));
	fake_enter(&f, SYS_ppoll, A, 1, 0, 0, 8, 0);
	cr_assert_not(sys_call_never_blocks(&f.call));
	fake_enter(&f, SYS_wait4, 1, A, 1, 0, 0, 0);
	cr_assert(sys_call_never_blocks(&f.call));
	fake_enter(&f, SYS_recvfrom, 1, A, 1, 0x40, 0, 0);
	cr_assert(sys_call_never_blocks(&f.call));
	fake_enter(&f, SYS_fcntl, 1, 3, 0, 0, 0, 0);
	cr_assert(sys_call_never_blocks(&f.call));
	fake_enter(&f, SYS_fcntl, 1, 7, A, 0, 0, 0);
	cr_assert_not(sys_call_never_blocks(&f.call));
	fake_enter(&f, SYS_getpid, 0, 0, 0, 0, 0, 0);
	cr_assert(sys_call_never_blocks(&f.call));
	fake_enter(&f, 470, 0, 0, 0, 0, 0, 0);
	cr_assert_not(sys_call_never_blocks(&f.call));
	/* two semaphore operations, the second would wait */
	memset(fake_at(&f, A), 0, 12);
	fake_u32(&f, A + 2, 0x0800 << 16);
	fake_enter(&f, SYS_semop, 1, A, 1, 0, 0, 0);
	cr_assert(sys_call_never_blocks(&f.call));
	fake_enter(&f, SYS_semop, 1, A, 2, 0, 0, 0);
	cr_assert_not(sys_call_never_blocks(&f.call));
}

/* Any call with any arguments over any memory: nothing but ranges. */
Test(event_range, hostile_arguments_only_give_ranges)
{
	uint64_t s = 1;
	static struct sys_range many[8192];

	for (int round = 0; round < 20000; round++) {
		uint64_t a[6];
		int n;

		for (int i = 0; i < 6; i++) {
			s = s * 6364136223846793005u + 1442695040888963407u;
			a[i] = s >> (s >> 58);
			if (s & 0x1000)
				a[i] = MEM_BASE + (a[i] & (MEM_SIZE - 1));
			if (s & 0x2000)
				a[i] &= 0xff;
		}
		fake_u64(&f, MEM_BASE + (a[0] & 0xfff8), a[1]);
		fake_enter(&f, (int)(s >> 40) % 480, a[0], a[1], a[2], a[3],
			   a[4], a[5]);
		f.call.ret = (int64_t)a[5] % 5000 - 2000;
		n = sys_call_outbufs(&f.call, many, 8192);
		cr_assert_geq(n, 0);
		n = sys_call_outputs(&f.call, &f.mem, s & 1, many, 8192);
		for (int i = 0; i < n && i < 8192; i++)
			cr_assert_gt(many[i].addr + many[i].len, many[i].addr);
		n = sys_call_inputs(&f.call, &f.mem, many, 8192);
		for (int i = 0; i < n && i < 8192; i++)
			cr_assert_geq(many[i].addr + many[i].len, many[i].addr);
		sys_call_never_blocks(&f.call);
		arena_clear(&f.arena);
	}
}
