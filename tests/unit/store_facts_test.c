#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "event/facts.h"
#include "event/sys.h"
#include "store/intervals.h"

static struct arena arena;
static struct buf payload;
static uint64_t last_seq;

static void
begin(void)
{
	last_seq = 0;
}

static void
end(void)
{
	arena_free(&arena);
	buf_free(&payload);
}

TestSuite(store_facts, .init = begin, .fini = end);
TestSuite(store_intervals, .init = begin, .fini = end);

/* An event of a call; items were put into payload before. */
static struct event
call(int nr, int64_t ret, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	last_seq++;
	return (struct event){ .seq = last_seq,
			       .time_ns = last_seq * 1000,
			       .task = 1,
			       .kind = EV_syscall,
			       .call = (int16_t)nr,
			       .flags = ret < 0 ? EVF_ERROR : 0,
			       .ret = ret,
			       .args = { a0, a1, a2, a3 },
			       .payload = buf_span(&payload) };
}

static struct facts
facts(struct event ev)
{
	struct facts f;

	facts_of(&ev, NULL, &arena, &f);
	return f;
}

static bool
is_text(struct span s, const char *text)
{
	return span_eq(s, span_str(text));
}

Test(store_facts, an_open_has_its_path_and_its_descriptor)
{
	struct facts f;

	item_put_bytes(&payload, ITEM_IN, 1, span_str("/etc/hosts"));
	f = facts(call(SYS_openat, 5, (uint64_t)AT_FDCWD, 0x1000, 0, 0));
	cr_assert(is_text(f.path, "/etc/hosts"));
	cr_assert_eq(f.fd, 5);
	cr_assert_eq(f.error, 0);
	cr_assert_eq(f.nargs, 4);
	f = facts(call(SYS_openat, -2, (uint64_t)AT_FDCWD, 0x1000, 0, 0));
	cr_assert_eq(f.fd, -1);
	cr_assert_eq(f.error, 2);
}

Test(store_facts, a_rename_has_two_paths)
{
	struct facts f;

	item_put_bytes(&payload, ITEM_IN, 0, span_str("/a"));
	item_put_bytes(&payload, ITEM_IN, 1, span_str("/b"));
	f = facts(call(SYS_rename, 0, 0x1000, 0x2000, 0, 0));
	cr_assert(is_text(f.path, "/a"));
	cr_assert(is_text(f.path2, "/b"));
}

Test(store_facts, written_bytes_are_whole_and_read_ones_begin)
{
	static uint8_t big[10000];
	struct facts f;

	memset(big, 'x', sizeof(big));
	item_put_bytes(&payload, ITEM_IN, 1, span_of(big, sizeof(big)));
	f = facts(call(SYS_write, sizeof(big), 1, 0x1000, sizeof(big), 0));
	cr_assert(f.has_data && f.is_output);
	cr_assert_eq(f.data.len, sizeof(big));
	cr_assert_eq(f.fd, 1);
	buf_clear(&payload);
	item_put_mem(&payload, 0x1000, span_of(big, sizeof(big)));
	f = facts(call(SYS_read, sizeof(big), 3, 0x1000, sizeof(big), 0));
	cr_assert(f.has_data && !f.is_output);
	cr_assert_eq(f.data.len, FACTS_DATA_READ);
}

Test(store_facts, a_read_of_nothing_has_empty_data_and_a_failed_one_none)
{
	struct facts f = facts(call(SYS_read, 0, 3, 0x1000, 10, 0));

	cr_assert(f.has_data);
	cr_assert_eq(f.data.len, 0);
	f = facts(call(SYS_read, -11, 3, 0x1000, 10, 0));
	cr_assert_not(f.has_data);
	cr_assert_eq(f.error, 11);
}

Test(store_facts, pieces_of_a_vector_are_put_together)
{
	struct facts f;

	item_put_bytes(&payload, ITEM_IN, 1, span_str("one "));
	item_put_bytes(&payload, ITEM_IN, 1, span_str("two"));
	f = facts(call(SYS_writev, 7, 1, 0x1000, 2, 0));
	cr_assert(is_text(f.data, "one two"));
	buf_clear(&payload);
	item_put_mem(&payload, 0x5000, span_str("ab"));
	item_put_zero(&payload, 0x6000, 3);
	f = facts(call(SYS_readv, 5, 1, 0x1000, 2, 0));
	cr_assert(span_eq(f.data, span_of("ab\0\0\0", 5)));
}

static struct sockaddr_in
inet(const char *host, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port) };

	inet_pton(AF_INET, host, &in.sin_addr);
	return in;
}

Test(store_facts, a_received_message_has_its_sender_and_its_data)
{
	struct sockaddr_in in = inet("10.0.0.7", 53);
	uint32_t name_len = sizeof(in);
	struct facts f;

	item_put_mem(&payload, 0x1008, span_of(&name_len, 4));
	item_put_mem(&payload, 0x1028, span_of("\0\0\0\0\0\0\0\0\0\0\0\0", 12));
	item_put_mem(&payload, 0x7000, span_of(&in, sizeof(in)));
	item_put_mem(&payload, 0x8000, span_str("answer"));
	f = facts(call(SYS_recvmsg, 6, 4, 0x1000, 0, 0));
	cr_assert(is_text(f.addr, "10.0.0.7:53"));
	cr_assert(is_text(f.data, "answer"));
}

Test(store_facts, addresses_are_text)
{
	struct sockaddr_in in = inet("127.0.0.1", 80);
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(443),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/x" };
	struct sockaddr_un ab = { .sun_family = AF_UNIX,
				  .sun_path = "\0hidden" };

	cr_assert(is_text(facts_sockaddr(span_of(&in, sizeof(in)), &arena),
			  "127.0.0.1:80"));
	cr_assert(is_text(facts_sockaddr(span_of(&in6, sizeof(in6)), &arena),
			  "[::1]:443"));
	cr_assert(is_text(facts_sockaddr(span_of(&un, sizeof(un)), &arena),
			  "unix:/run/x"));
	cr_assert(is_text(facts_sockaddr(span_of(&ab, 2 + 7), &arena),
			  "unix:@hidden"));
	cr_assert_eq(facts_sockaddr(span_of("", 0), &arena).len, 0);
	cr_assert_eq(facts_sockaddr(span_of("x", 1), &arena).len, 0);
	for (size_t n = 2; n < sizeof(in6); n++) {
		facts_sockaddr(span_of(&in, n > sizeof(in) ? 2 : n), &arena);
		facts_sockaddr(span_of(&in6, n), &arena);
		facts_sockaddr(span_of(&un, n), &arena);
	}
}

Test(store_facts, damaged_items_are_left_out)
{
	struct facts f;

	item_put_bytes(&payload, ITEM_IN, 1, span_str("/etc/hosts"));
	for (size_t n = payload.len; n-- > 0;) {
		payload.len = n;
		f = facts(call(SYS_openat, 5, 0, 0x1000, 0, 0));
		cr_assert_eq(f.path.len, 0);
	}
}

/* ---- intervals */

static void
see(struct intervals *iv, struct event ev)
{
	intervals_event(iv, &ev);
	buf_clear(&payload);
}

static void
birth(struct intervals *iv, uint32_t task, uint32_t process, uint32_t parent)
{
	last_seq++;
	struct event ev = { .seq = last_seq,
			    .time_ns = last_seq * 1000,
			    .task = task,
			    .kind = EV_birth,
			    .call = -1,
			    .args = { 100 + task, process, parent, 0, 1, 1 } };

	see(iv, ev);
}

static void
of_kind(struct intervals *iv, unsigned kind, uint32_t task, uint64_t a0,
	uint64_t a1, uint64_t a2)
{
	last_seq++;
	struct event ev = { .seq = last_seq,
			    .time_ns = last_seq * 1000,
			    .task = task,
			    .kind = (uint16_t)kind,
			    .call = -1,
			    .args = { a0, a1, a2 },
			    .payload = buf_span(&payload) };

	see(iv, ev);
}

/* A recording with descriptors 0 to 2 and one process. */
static void
start(struct intervals *iv)
{
	intervals_init(iv);
	for (uint64_t fd = 0; fd < 3; fd++)
		item_put_bytes(&payload, ITEM_FD, fd, span_str("/dev/pts/1"));
	of_kind(iv, EV_header, 0, 0, 0, 0);
	birth(iv, 1, 1, 0);
}

static const struct descriptor_iv *
descriptor(const struct intervals *iv, uint32_t process, int fd)
{
	const struct descriptor_iv *last = NULL;

	for (size_t i = 0; i < iv->descriptors.len; i++) {
		const struct descriptor_iv *d = iv->descriptors.v[i];

		if (d->process == process && d->fd == fd)
			last = d;
	}
	cr_assert_not_null(last, "process %u fd %d", process, fd);
	return last;
}

static const struct open_file_iv *
file(const struct intervals *iv, uint32_t process, int fd)
{
	uint32_t number = descriptor(iv, process, fd)->file;

	return map_get(&iv->by_file, number);
}

static void
open_path(struct intervals *iv, const char *path, int fd, uint64_t flags)
{
	item_put_bytes(&payload, ITEM_IN, 1, span_str(path));
	see(iv, call(SYS_openat, fd, (uint64_t)AT_FDCWD, 0x1000, flags, 0));
}

Test(store_intervals, the_first_process_has_what_it_was_started_with)
{
	struct intervals iv;

	start(&iv);
	cr_assert_str_eq(descriptor(&iv, 1, 2)->how, "start");
	cr_assert_str_eq(file(&iv, 1, 2)->name, "/dev/pts/1");
	cr_assert_str_eq(file(&iv, 1, 2)->kind, "tty");
	intervals_release(&iv);
}

Test(store_intervals, open_dup_and_close)
{
	struct intervals iv;

	start(&iv);
	open_path(&iv, "/etc/hosts", 3, 0);
	cr_assert_str_eq(file(&iv, 1, 3)->name, "/etc/hosts");
	cr_assert_eq(descriptor(&iv, 1, 3)->from_seq, last_seq);
	see(&iv, call(SYS_dup2, 1, 3, 1, 0, 0));
	cr_assert_eq(descriptor(&iv, 1, 1)->file, descriptor(&iv, 1, 3)->file);
	cr_assert_str_eq(descriptor(&iv, 1, 1)->how, "dup");
	see(&iv, call(SYS_close, 0, 3, 0, 0, 0));
	cr_assert_eq(descriptor(&iv, 1, 3)->to_seq, last_seq);
	cr_assert_str_eq(descriptor(&iv, 1, 3)->closed_by, "close");
	cr_assert_eq(descriptor(&iv, 1, 1)->to_seq, 0);
	/* A failed open makes none; a close that says EIO closes. */
	open_path(&iv, "/nowhere", -2, 0);
	cr_assert_neq(descriptor(&iv, 1, 3)->to_seq, 0);
	see(&iv, call(SYS_close, -5, 1, 0, 0, 0));
	cr_assert_eq(descriptor(&iv, 1, 1)->to_seq, last_seq);
	intervals_release(&iv);
}

Test(store_intervals, fork_inherits_exec_closes_exit_ends)
{
	struct intervals iv;

	start(&iv);
	open_path(&iv, "/kept", 3, 0);
	open_path(&iv, "/closed", 4, O_CLOEXEC);
	birth(&iv, 2, 2, 1);
	cr_assert_str_eq(descriptor(&iv, 2, 4)->how, "fork");
	item_put_kv(&payload, "exe", span_str("/bin/prog"));
	item_put_kv(&payload, "argv", span_of("prog\0-x\0", 8));
	of_kind(&iv, EV_exec, 2, 2, 2, 0);
	cr_assert_str_eq(descriptor(&iv, 2, 4)->closed_by, "exec");
	cr_assert_eq(descriptor(&iv, 2, 3)->to_seq, 0);
	cr_assert_eq(descriptor(&iv, 1, 4)->to_seq, 0);
	cr_assert_str_eq(iv.processes.v[iv.processes.len - 1]->command,
			 "prog -x");
	cr_assert_eq(iv.images.len, 1);
	of_kind(&iv, EV_death, 2, 256, 256, 1);
	cr_assert_str_eq(descriptor(&iv, 2, 3)->closed_by, "exit");
	cr_assert_eq(iv.images.v[0]->to_seq, last_seq);
	cr_assert_eq(iv.tasks.v[1]->status, 256);
	intervals_release(&iv);
}

Test(store_intervals, threads_share_their_process)
{
	struct intervals iv;

	start(&iv);
	birth(&iv, 2, 1, 1);
	cr_assert_eq(iv.tasks.len, 2);
	cr_assert_eq(iv.processes.len, 2); /* with number 0, which is none */
	of_kind(&iv, EV_death, 2, 0, 0, 0);
	cr_assert_eq(descriptor(&iv, 1, 1)->to_seq, 0);
	intervals_release(&iv);
}

Test(store_intervals, cloexec_is_set_and_cleared)
{
	struct intervals iv;

	start(&iv);
	open_path(&iv, "/a", 3, 0);
	see(&iv, call(SYS_fcntl, 0, 3, F_SETFD, FD_CLOEXEC, 0));
	cr_assert(descriptor(&iv, 1, 3)->cloexec);
	see(&iv, call(SYS_fcntl, 7, 3, F_DUPFD, 7, 0));
	cr_assert_not(descriptor(&iv, 1, 7)->cloexec);
	see(&iv, call(SYS_fcntl, 8, 3, F_DUPFD_CLOEXEC, 7, 0));
	cr_assert(descriptor(&iv, 1, 8)->cloexec);
	see(&iv, call(SYS_close_range, 0, 7, ~0u, 4, 0));
	cr_assert(descriptor(&iv, 1, 7)->cloexec);
	see(&iv, call(SYS_close_range, 0, 3, ~0u, 0, 0));
	cr_assert_neq(descriptor(&iv, 1, 8)->to_seq, 0);
	cr_assert_eq(descriptor(&iv, 1, 2)->to_seq, 0);
	intervals_release(&iv);
}

Test(store_intervals, pipes_and_sockets)
{
	struct sockaddr_in here = inet("0.0.0.0", 80);
	struct sockaddr_in there = inet("10.1.2.3", 999);
	int pair[2] = { 3, 4 };
	struct intervals iv;

	start(&iv);
	item_put_mem(&payload, 0x1000, span_of(pair, sizeof(pair)));
	see(&iv, call(SYS_pipe2, 0, 0x1000, O_CLOEXEC, 0, 0));
	cr_assert_str_eq(file(&iv, 1, 3)->kind, "pipe");
	cr_assert_neq(file(&iv, 1, 3), file(&iv, 1, 4));
	cr_assert(descriptor(&iv, 1, 4)->cloexec);
	see(&iv, call(SYS_socket, 5, AF_INET, SOCK_STREAM, 0, 0));
	item_put_bytes(&payload, ITEM_IN, 1, span_of(&here, sizeof(here)));
	see(&iv, call(SYS_bind, 0, 5, 0x1000, sizeof(here), 0));
	cr_assert_str_eq(file(&iv, 1, 5)->local, "0.0.0.0:80");
	item_put_mem(&payload, 0x2000, span_of(&there, sizeof(there)));
	see(&iv, call(SYS_accept4, 6, 5, 0x2000, 0x3000, SOCK_CLOEXEC));
	cr_assert_str_eq(file(&iv, 1, 6)->peer, "10.1.2.3:999");
	cr_assert_str_eq(file(&iv, 1, 6)->local, "0.0.0.0:80");
	cr_assert(descriptor(&iv, 1, 6)->cloexec);
	see(&iv, call(SYS_socket, 7, AF_INET, SOCK_STREAM, 0, 0));
	item_put_bytes(&payload, ITEM_IN, 1, span_of(&there, sizeof(there)));
	see(&iv, call(SYS_connect, -115, 7, 0x1000, sizeof(there), 0));
	cr_assert_str_eq(file(&iv, 1, 7)->peer, "10.1.2.3:999");
	intervals_release(&iv);
}

Test(store_intervals, what_is_closed_can_be_dropped_and_the_rest_goes_on)
{
	struct intervals iv;

	start(&iv);
	for (int i = 0; i < 100; i++) {
		open_path(&iv, "/x", 3, 0);
		see(&iv, call(SYS_close, 0, 3, 0, 0, 0));
		birth(&iv, 2 + (uint32_t)i, 2 + (uint32_t)i, 1);
		of_kind(&iv, EV_death, 2 + (uint32_t)i, 0, 0, 1);
		intervals_drop_closed(&iv);
		cr_assert_eq(iv.tasks.len, 1);
		cr_assert_leq(iv.descriptors.len, 6);
		cr_assert_eq(iv.open_files.len, 3);
	}
	open_path(&iv, "/y", 3, 0);
	cr_assert_str_eq(file(&iv, 1, 3)->name, "/y");
	intervals_release(&iv);
}

Test(store_intervals, events_of_unknown_tasks_do_no_harm)
{
	struct intervals iv;

	intervals_init(&iv);
	of_kind(&iv, EV_death, 7, 0, 0, 1);
	of_kind(&iv, EV_exec, 7, 0, 0, 0);
	see(&iv, call(SYS_close, 0, 3, 0, 0, 0));
	birth(&iv, 9, 9, 8);
	see(&iv, call(SYS_dup2, 1 << 30, 3, 1u << 30, 0, 0));
	intervals_release(&iv);
}

/* ---- mappings: "start+pages prot" of what is there, sorted */

static int
by_start(const void *a, const void *b)
{
	const struct mapping_iv *x = *(const struct mapping_iv *const *)a,
				*y = *(const struct mapping_iv *const *)b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static const char *
there(struct intervals *iv, uint32_t space)
{
	static struct buf text;

	buf_clear(&text);
	if (iv->mappings.len)
		qsort(iv->mappings.v, iv->mappings.len, sizeof(*iv->mappings.v),
		      by_start);
	for (size_t i = 0; i < iv->mappings.len; i++) {
		const struct mapping_iv *m = iv->mappings.v[i];

		if (m->space == space && !m->to_seq)
			buf_printf(&text, "%lx+%lx/%u@%lx ", m->start >> 12,
				   m->len >> 12, m->prot, m->offset >> 12);
	}
	return buf_cstr(&text);
}

static void
map_file(struct intervals *iv, uint64_t page, uint64_t pages, uint32_t prot)
{
	item_put_map(&payload, &(struct map_rec){ .start = page << 12,
						  .len = pages << 12,
						  .prot = prot,
						  .file = 7 });
	see(iv, call(SYS_mmap, (int64_t)(page << 12), 0, pages << 12, prot, 2));
}

Test(store_intervals, mappings_split_and_end)
{
	struct intervals iv;

	start(&iv);
	map_file(&iv, 0x100, 16, 3);
	cr_assert_str_eq(there(&iv, 1), "100+10/3@0 ");
	see(&iv, call(SYS_mprotect, 0, 0x104000, 0x2000, 1, 0));
	cr_assert_str_eq(there(&iv, 1), "100+4/3@0 104+2/1@4 106+a/3@6 ");
	see(&iv, call(SYS_munmap, 0, 0x102000, 0x3000, 0, 0));
	cr_assert_str_eq(there(&iv, 1), "100+2/3@0 105+1/1@5 106+a/3@6 ");
	map_file(&iv, 0x101, 1, 5); /* over what is there */
	cr_assert_str_eq(there(&iv, 1),
			 "100+1/3@0 101+1/5@0 105+1/1@5 106+a/3@6 ");
	see(&iv, call(SYS_mremap, 0x200000, 0x106000, 0xa000, 0x4000, 1));
	cr_assert_str_eq(there(&iv, 1),
			 "100+1/3@0 101+1/5@0 105+1/1@5 200+4/3@6 ");
	see(&iv, call(SYS_brk, 0x301000, 0, 0, 0, 0));
	see(&iv, call(SYS_brk, 0x303800, 0x303800, 0, 0, 0));
	see(&iv, call(SYS_brk, 0x302000, 0x302000, 0, 0, 0));
	cr_assert_str_eq(there(&iv, 1), "100+1/3@0 101+1/5@0 105+1/1@5 "
					"200+4/3@6 301+1/3@0 ");
	intervals_release(&iv);
}

Test(store_intervals, a_space_ends_with_its_last_task)
{
	struct intervals iv;

	start(&iv);
	map_file(&iv, 0x100, 1, 3);
	birth(&iv, 2, 1, 1); /* a thread: the same space */
	of_kind(&iv, EV_death, 1, 0, 0, 0);
	intervals_drop_closed(&iv);
	cr_assert_str_eq(there(&iv, 1), "100+1/3@0 ");
	of_kind(&iv, EV_exec, 2, 5, 5, 0);
	cr_assert_str_eq(there(&iv, 1), "");
	cr_assert_eq(iv.mappings.v[0]->to_seq, last_seq);
	intervals_release(&iv);
}
