#include "gdb/packet.h"
#include "tests/unit/gdb_fake.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static struct fake fake;
static struct gdb_server *server;
static struct buf replies;

static void
set_up(void)
{
	fake_init(&fake);
	server = fake_server(&fake);
}

static void
tear_down(void)
{
	gdb_server_free(server);
	buf_free(&replies);
}

TestSuite(gdb_session, .init = set_up, .fini = tear_down);

/* Send packets, each a text up to a NUL, the last followed by another one; the
 * replies, one a line. */
static const char *
ask_all(const char *packets)
{
	static struct buf text;
	struct packets got = { 0 };
	struct buf wire = { 0 }, raw = { 0 }, data = { 0 };
	enum packet_kind kind;

	for (; *packets; packets += strlen(packets) + 1)
		packet_put(&wire, span_str(packets));
	fake_client(server, wire.p, wire.len, &raw);
	buf_clear(&text);
	packets_feed(&got, raw.p, raw.len);
	while ((kind = packets_next(&got, &data)) != PACKET_NONE) {
		if (kind != PACKET_DATA)
			continue;
		buf_put(&text, data.p, data.len);
		buf_str(&text, "\n");
	}
	packets_release(&got);
	buf_free(&wire);
	buf_free(&raw);
	buf_free(&data);
	return buf_cstr(&text);
}

#define FEATURES                                                               \
	"qSupported:multiprocess+;swbreak+;hwbreak+;"                          \
	"fork-events+;exec-events+\0QStartNoAckMode\0"

/* After the usual greeting: replies to what follows, one a line. */
#define ask(packets) after_two(ask_all(FEATURES packets "\0"))

static const char *
after_two(const char *text)
{
	text = strchr(text, '\n') + 1;
	return strchr(text, '\n') + 1;
}

static void
expect(const char *want, const char *got)
{
	cr_assert_str_eq(got, want, "expected: %s\nfound: %s", want, got);
}

static void
move_to(enum target_why why, uint64_t seq, uint32_t task)
{
	fake.moves[fake.n_moves++] = (struct target_stop){
		.why = why, .pos = { .seq = seq, .task = task }, .task = task
	};
}

static void
event_at(uint64_t seq, unsigned kind, uint32_t task, uint64_t a0, uint64_t a1,
	 uint64_t a2, uint64_t a3)
{
	fake.events[seq] = (struct event){ .seq = seq,
					   .kind = (uint16_t)kind,
					   .task = task,
					   .args = { a0, a1, a2, a3 } };
}

#define REGS_1 "06:0000000000000000;07:001f000000000000;10:0110400000000000;"
#define REGS_2 "06:0000000000000000;07:001f000000000000;10:0210400000000000;"
#define REGS_3 "06:0000000000000000;07:001f000000000000;10:0310400000000000;"

Test(gdb_session, greets_with_what_it_can)
{
	const char *text = ask_all("qSupported:multiprocess+\0");

	cr_assert(strstr(text, "PacketSize=20000"));
	cr_assert(strstr(text, "ReverseContinue+"));
	cr_assert(strstr(text, "ReverseStep+"));
	cr_assert_not(strstr(text, "fork-events+"), "not when not asked for");
	text = ask_all("qSupported:fork-events+;exec-events+\0");
	cr_assert(strstr(text, ";fork-events+;exec-events+\n"));
}

Test(gdb_session, acknowledges_until_it_is_told_not_to)
{
	struct buf wire = { 0 }, raw = { 0 };

	packet_put(&wire, span_str("qC"));
	packet_put(&wire, span_str("QStartNoAckMode"));
	packet_put(&wire, span_str("qC"));
	buf_str(&wire, "$bad#00");
	fake_client(server, wire.p, wire.len, &raw);
	expect("+$QC64#fe+$OK#9a$QC64#fe", buf_cstr(&raw));
	buf_free(&wire);
	buf_free(&raw);
}

Test(gdb_session, sends_again_what_did_not_arrive)
{
	struct buf wire = { 0 }, raw = { 0 };

	buf_str(&wire, "-");
	packet_put(&wire, span_str("qC"));
	buf_str(&wire, "-+$qC#00");
	fake_client(server, wire.p, wire.len, &raw);
	expect("+$QC64#fe$QC64#fe-", buf_cstr(&raw));
	buf_free(&wire);
	buf_free(&raw);
}

Test(gdb_session, unknown_packets_get_an_empty_answer)
{
	expect("\n\n\n\n\n\n", ask("vMustReplyEmpty\0qCRC:1000,10\0QFoo\0"
				   "vFoo;1\0~\0qXfer:foo:read::0,10"));
}

Test(gdb_session, lists_the_threads_of_the_process_that_is_shown)
{
	expect("mp64.64,p64.65\nl\nQCp64.64\n",
	       ask("qfThreadInfo\0qsThreadInfo\0qC"));
	expect("64,65\n", strstr(ask_all("qfThreadInfo\0"), "m") + 1);
	expect("OK\nOK\nE03\nE03\n", ask("Tp64.64\0Tp64.65\0Tp64.66\0Tpc8.c8"));
}

Test(gdb_session, says_what_a_thread_does)
{
	struct buf text = { 0 };
	const char *hex = ask("qThreadExtraInfo,p64.65");

	cr_assert(hex_get(span_of(hex, strlen(hex) - 1), &text));
	expect("a<&b, in read", buf_cstr(&text));
	buf_free(&text);
	cr_assert(
		strstr(ask("qXfer:threads:read::0,1000"),
		       "<thread id=\"p64.65\" name=\"a&#60;&#38;b\">in read"));
}

Test(gdb_session, info_os_lists_the_processes_that_live)
{
	struct pos p = { .seq = 25 };
	const char *text;

	gdb_server_seek(server, &p, NULL, NULL, NULL);
	text = ask("qXfer:osdata:read:processes:0,1000");
	cr_assert(strstr(text, "\"pid\">100<"));
	cr_assert(strstr(text, "\"pid\">200<"));
	cr_assert(strstr(text, "\"command\">child<"));
	cr_assert(strstr(ask("qXfer:osdata:read::0,1000"), "processes"));
	expect("E00\n", ask("qXfer:osdata:read:modules:0,1000"));
}

Test(gdb_session, another_process_is_shown_when_it_is_attached)
{
	struct pos p = { .seq = 25 };

	gdb_server_seek(server, &p, NULL, NULL, NULL);
	expect("mp64.64,p64.65\n"
	       "T00" REGS_3 "thread:pc8.c8;\n"
	       "mp64.64,p64.65,pc8.c8\nOK\nmp64.64,p64.65\n",
	       ask("qfThreadInfo\0vAttach;c8\0qfThreadInfo\0D;c8\0"
		   "qfThreadInfo"));
	cr_assert(strstr(ask("vAttach;c9"), "E.no such process"));
}

Test(gdb_session, a_thread_that_is_gone_stands_for_the_current_one)
{
	/* gdb asks about it once more after a monitor command. */
	expect("OK\n0110400000000000\n", ask("Hgp99.99\0p10"));
}

Test(gdb_session, registers_have_the_sizes_of_their_description)
{
	struct buf xml = { 0 };
	size_t bits = 0;
	const char *g, *at;

	at = ask("qXfer:features:read:target.xml:0,10000");
	cr_assert_eq(at[0], 'l');
	buf_str(&xml, at);
	for (at = buf_cstr(&xml); (at = strstr(at, "bitsize=\"")); at++)
		bits += strtoul(at + 9, NULL, 10);
	g = ask("g");
	cr_assert_eq(strlen(g) - 1, bits / 4);
	cr_assert_eq(strncmp(g, "8877665544332211", 16), 0, "rax is first");
	buf_free(&xml);
}

Test(gdb_session, registers_are_read_one_by_one)
{
	expect("0110400000000000\n46020000\n801f0000\n", ask("p10\0p11\0p38"));
	expect("OK\n0210400000000000\nE01\nE01\n",
	       ask("Hgp64.65\0p10\0pfff\0pzz"));
}

Test(gdb_session, the_tag_word_says_what_each_register_holds)
{
	/* All empty: FXSAVE abridges that to 0, gdb wants 0xffff. */
	expect("ffff0000\n", ask("p22"));
}

Test(gdb_session, memory_is_read_up_to_its_end)
{
	expect("10111213\nfeff\nE0e\nE0e\n\n",
	       ask("m1010,4\0m1ffe,8\0m2000,1\0mffffffffffffffff,1\0m1000,0"));
	expect("E01\nE01\nE01\nE01\n", ask("m\0m1000\0m1000,\0m1000,1x"));
}

Test(gdb_session, no_request_makes_a_reply_larger_than_a_packet)
{
	cr_assert_leq(strlen(ask("m1000,ffffffffffffffff")), PACKET_SIZE);
	cr_assert_leq(strlen(ask("qXfer:features:read:target.xml:0,"
				 "ffffffffffffffff")),
		      PACKET_SIZE);
}

Test(gdb_session, what_was_recorded_is_not_written)
{
	const char *text = ask("P0=efbeadde00000000\0M1000,1:00\0X1000,1:a");

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(strncmp(text, "E.what was recorded", 19), 0);
		text = strchr(text, '\n') + 1;
	}
}

Test(gdb_session, a_call_begins_with_a_question_and_a_write_below_the_stack)
{
	/* The fake has no copies; what asks for one gets that far. */
	const char *text = ask("qXfer:siginfo:read::0,80\0P0=efbeadde00000000");

	cr_assert_not_null(strstr(text, "E.nothing can be called here"));
	text = ask("qXfer:siginfo:read::0,80\0M7fffffffff00,1:00");
	cr_assert_not_null(strstr(text, "E.what was recorded"));
}

Test(gdb_session, writes_that_make_no_sense_are_refused)
{
	expect("E01\nE01\nE01\nE01\nE01\nE01\nE01\n",
	       ask("P0=00\0P0=\0Pffff=00\0G00\0G0\0M1000,2:00\0X1000,1:"));
	/* gdb asks so whether binary data may come. */
	expect("OK\n", ask("X1000,0:"));
}

Test(gdb_session, objects_are_read_in_pieces)
{
	expect("m/bin\nm/pro\nlg\nl\n",
	       ask("qXfer:exec-file:read:64:0,4\0qXfer:exec-file:read:64:4,4\0"
		   "qXfer:exec-file:read:64:8,4\0"
		   "qXfer:exec-file:read:64:99,4"));
	expect("E00\nE00\n", ask("qXfer:exec-file:read:63:0,4\0"
				 "qXfer:features:read:other.xml:0,4"));
}

Test(gdb_session, recorded_files_are_read_and_no_others)
{
	/* /bin/prog, /etc/passwd, /bin/prog for writing */
	expect("F0\nF0;\nF0\nF-1,9\nF-1,2\nF-1,1e\n",
	       ask("vFile:open:2f62696e2f70726f67,0,0\0vFile:pread:0,10,0\0"
		   "vFile:close:0\0vFile:close:0\0"
		   "vFile:open:2f6574632f706173737764,0,0\0"
		   "vFile:open:2f62696e2f70726f67,1,0"));
	expect("F-1,16\nF-1,9\nF-1,9\nF-1,1e\nF-1,1e\nF-1,16\n",
	       ask("vFile:open:2f6\0vFile:pread:7,1,1\0"
		   "vFile:fstat:ffffffffffffffff\0vFile:pwrite:0,0,x\0"
		   "vFile:unlink:2f\0vFile:readlink:2f"));
}

Test(gdb_session, tells_why_it_stands_there)
{
	expect("T00" REGS_1 "thread:p64.64;\n", ask("?"));
	event_at(10, EV_signal, 2, 11, 1, 0, 3);
	expect("T0b" REGS_2 "thread:p64.65;\n", ask("?"));
}

Test(gdb_session, continues_to_a_breakpoint)
{
	move_to(TARGET_AT_BREAK, 12, 2);
	expect("OK\nT05" REGS_2 "thread:p64.65;swbreak:;\n",
	       ask("Z0,401002,1\0vCont;c:p64.-1"));
	cr_assert_eq(fake.asked[0].motion, TARGET_CONTINUE);
	cr_assert_not(fake.asked[0].back);
	cr_assert_eq(fake.asked[0].n_breaks, 1);
	cr_assert_eq(fake.broke.addr, 0x401002);
	cr_assert_eq(fake.broke.process, 1);
}

Test(gdb_session, a_breakpoint_is_set_twice_and_removed_once)
{
	move_to(TARGET_AT_STEP, 12, 1);
	expect("OK\nOK\nOK\nT05" REGS_1 "thread:p64.64;\n",
	       ask("Z0,401002,1\0Z0,401002,1\0z0,401002,1\0vCont;s:p64.64"));
	cr_assert_eq(fake.asked[0].n_breaks, 0);
}

Test(gdb_session, a_condition_decides_what_is_a_stop)
{
	/* Is rip 0x401002? Only of task 2. */
	move_to(TARGET_AT_BREAK, 12, 1);
	move_to(TARGET_AT_BREAK, 13, 2);
	expect("OK\nT05" REGS_2 "thread:p64.65;swbreak:;\n",
	       ask("Z0,401000,1;Xa,26001024004010021327\0vCont;c"));
	cr_assert_eq(fake.moved, 2);
	/* Two conditions: one is enough. */
	fake.moved = 0;
	cr_assert(strstr(ask("Z0,401000,1;Xa,26001024004010021327X3,220127\0"
			     "vCont;c"),
			 REGS_1));
	/* One that cannot be told is met; none any more is met. */
	fake.moved = 0;
	cr_assert(strstr(ask("Z0,401000,1;X3,220027\0Z0,401000,1;X1,02\0"
			     "vCont;c"),
			 REGS_1));
	fake.moved = 0;
	cr_assert(strstr(ask("Z0,401000,1;X3,220027\0Z0,401000,1\0vCont;c"),
			 REGS_1));
	expect("E01\nE01\nE01\n",
	       ask("Z0,401000,1;X9,00\0Z0,401000,1;Xffffffffffffffff,00\0"
		   "Z0,401000,1;X1,zz"));
}

Test(gdb_session, stops_of_processes_that_are_not_shown_are_passed_over)
{
	move_to(TARGET_AT_BREAK, 21, 3);
	move_to(TARGET_AT_BREAK, 22, 1);
	expect("OK\nT05" REGS_1 "thread:p64.64;hwbreak:;\n",
	       ask("Z1,401003,1\0vCont;c"));
	cr_assert_eq(fake.moved, 2);
}

Test(gdb_session, watches_what_debug_registers_can)
{
	move_to(TARGET_AT_WATCH, 12, 1);
	expect("OK\nT05" REGS_1 "thread:p64.64;watch:1008;\n",
	       ask("Z2,1008,8\0bc"));
	cr_assert(fake.asked[0].back);
	cr_assert(fake.asked[0].before_write);
	cr_assert_eq(fake.watched.addr, 0x1008);
	cr_assert_eq(fake.watched.len, 8);
	cr_assert(fake.watched.changed);
	cr_assert_not(fake.watched.read);
	/* 1+2+4+8 bytes are all there is. */
	expect("OK\n", ask("Z2,1001,f"));
	cr_assert(strstr(ask("Z2,1001,17"), "E.at most 4"));
	cr_assert(strstr(ask("Z2,1000,20\0Z4,1020,1") + 3, "E.at most 4"));
	expect("\n", ask("Z3,1020,1"));
	cr_assert(strstr(ask("Z2,1000,0"), "E."));
	expect("E01\n\n", ask("Z0,401000\0Z9,401000,1"));
}

Test(gdb_session, the_edges_of_history_are_told)
{
	move_to(TARGET_AT_END, FAKE_LAST, 0);
	expect("T05" REGS_1 "thread:p64.64;replaylog:end;\n", ask("vCont;c"));
	cr_assert_eq(fake.at.seq, FAKE_LAST - 1, "the last with a program");
	move_to(TARGET_AT_START, 0, 0);
	expect("T05" REGS_1 "thread:p64.64;replaylog:begin;\n", ask("bc"));
	cr_assert_eq(fake.at.seq, 5, "the first with a program");
}

Test(gdb_session, a_fork_is_told_and_the_child_may_be_left)
{
	event_at(20, EV_birth, 3, 200, 2, 1, 0);
	move_to(TARGET_AT_EVENT, 20, 3);
	expect("T05" REGS_1 "thread:p64.64;fork:pc8.c8;\n"
	       "OK\nmp64.64,p64.65\n",
	       ask("vCont;c\0D;c8\0qfThreadInfo"));
}

Test(gdb_session, going_back_over_a_fork_ends_the_child)
{
	struct pos p = { .seq = 25 };

	gdb_server_seek(server, &p, NULL, NULL, NULL);
	event_at(20, EV_birth, 3, 200, 2, 1, 0);
	move_to(TARGET_AT_EVENT, 20, 3);
	cr_assert(strstr(ask("vAttach;c8\0bc"), "\nW00;process:c8\n"));
}

Test(gdb_session, a_lonely_child_begins_where_it_is_born)
{
	struct pos p = { .seq = 25 };

	gdb_server_seek(server, &p, NULL, NULL, NULL);
	event_at(20, EV_birth, 3, 200, 2, 1, 0);
	move_to(TARGET_AT_EVENT, 20, 3);
	cr_assert(strstr(ask("vAttach;c8\0D;64\0bc"),
			 "thread:pc8.c8;replaylog:begin;\n"));
}

Test(gdb_session, the_end_of_a_process_is_told_when_others_live)
{
	struct pos p = { .seq = 25 };

	gdb_server_seek(server, &p, NULL, NULL, NULL);
	event_at(30, EV_death, 3, 0x300, 0x300, 1, 0);
	move_to(TARGET_AT_EVENT, 30, 3);
	cr_assert(strstr(ask("vAttach;c8\0vCont;c"), "\nW03;process:c8\n"));
	event_at(30, EV_death, 3, 11, 11, 1, 0);
	gdb_server_seek(server, &p, NULL, NULL, NULL);
	fake.moved = 0;
	cr_assert(strstr(ask("vAttach;c8\0vCont;c"), "X0b;process:c8\n"));
}

/* gdb fails when it is told something else while it steps over a breakpoint. */
Test(gdb_session, a_step_of_one_thread_alone_ends_in_that_thread)
{
	event_at(15, EV_signal, 2, 10, 0, 0, 1);
	move_to(TARGET_AT_EVENT, 15, 2);
	expect("T05" REGS_1 "thread:p64.64;\nT1e" REGS_2 "thread:p64.65;\n",
	       ask("vCont;s:p64.64\0vCont;c:p64.-1"));
	cr_assert_eq(fake.moved, 1);
}

/* A step of one process goes over what others do. */
Test(gdb_session, an_end_that_no_stop_told_is_told_before_the_stop)
{
	struct pos p = { .seq = 25 };

	gdb_server_seek(server, &p, NULL, NULL, NULL);
	move_to(TARGET_AT_BREAK, 31, 1);
	cr_assert(strstr(ask("vAttach;c8\0Z0,401001,1\0vCont;s:p64.64\0"
			     "vCont;c:p64.-1\0"),
			 "OK\nW00;process:c8\n"
			 "T05" REGS_1 "thread:p64.64;swbreak:;\n"));
}

Test(gdb_session, the_last_process_does_not_end_but_history)
{
	event_at(40, EV_death, 1, 0, 0, 1, 0);
	move_to(TARGET_AT_EVENT, 40, 1);
	expect("T05" REGS_1 "thread:p64.64;replaylog:end;\n", ask("vCont;c"));
	cr_assert_eq(fake.at.seq, 39);
}

Test(gdb_session, an_exec_is_told_in_both_directions)
{
	event_at(15, EV_exec, 1, 1, 1, 0, 0);
	move_to(TARGET_AT_EVENT, 15, 1);
	expect("T05" REGS_1 "thread:p64.64;exec:2f62696e2f70726f67;\n",
	       ask("vCont;c"));
	cr_assert_eq(fake.at.seq, 15);
	fake.moved = 0;
	expect("T05" REGS_1 "thread:p64.64;exec:2f62696e2f70726f67;\n",
	       ask("bc"));
	cr_assert_eq(fake.at.seq, 14, "in the program before");
}

Test(gdb_session, the_first_exec_is_the_beginning)
{
	event_at(5, EV_exec, 1, 1, 1, 0, 0);
	move_to(TARGET_AT_EVENT, 5, 1);
	expect("T05" REGS_1 "thread:p64.64;replaylog:begin;\n", ask("bc"));
	cr_assert_eq(fake.at.seq, 5);
}

Test(gdb_session, signals_are_told_unless_they_are_to_pass)
{
	event_at(15, EV_signal, 1, 10, 0, 0, 1); /* SIGUSR1, handled */
	event_at(16, EV_signal, 1, 17, 0, 0, 2); /* SIGCHLD, ignored */
	event_at(17, EV_signal, 2, 14, 0, 0, 1); /* SIGALRM, handled */
	move_to(TARGET_AT_EVENT, 15, 1);
	move_to(TARGET_AT_EVENT, 16, 1);
	move_to(TARGET_AT_EVENT, 17, 2);
	expect("T1e" REGS_1 "thread:p64.64;\n"
	       "OK\nT0e" REGS_2 "thread:p64.65;\n",
	       ask("vCont;c\0QPassSignals:14;1e\0vCont;C1e:p64.64"));
	fake.moved = 0;
	move_to(TARGET_AT_END, FAKE_LAST, 0);
	cr_assert(strstr(ask("QPassSignals:e;1e\0vCont;c"), "replaylog:end"));
}

Test(gdb_session, system_calls_are_caught_when_asked_for)
{
	event_at(15, EV_enter, 1, 0, 0, 0, 0);
	event_at(16, EV_exit, 1, 0, 0, 0, 0);
	event_at(17, EV_syscall, 2, 0, 0, 0, 0);
	fake.events[15].call = fake.events[16].call = 61;
	fake.events[17].call = 1;
	for (uint64_t seq = 15; seq <= 17; seq++)
		move_to(TARGET_AT_EVENT, seq, seq == 17 ? 2 : 1);
	expect("OK\nT05" REGS_1 "thread:p64.64;syscall_entry:3d;\n"
	       "T05" REGS_1 "thread:p64.64;syscall_return:3d;\n"
	       "T05" REGS_2 "thread:p64.65;syscall_return:1;\n",
	       ask("QCatchSyscalls:1\0vCont;c\0vCont;c\0vCont;c"));
	fake.moved = 0;
	cr_assert(strstr(ask("QCatchSyscalls:1;0;1\0vCont;c"),
			 "syscall_return:1;"));
	fake.moved = 0;
	move_to(TARGET_AT_END, FAKE_LAST, 0);
	cr_assert(strstr(ask("QCatchSyscalls:1\0QCatchSyscalls:0\0vCont;c"),
			 "replaylog:end"));
	expect("E01\nE01\n", ask("QCatchSyscalls:2\0QCatchSyscalls:1;zz"));
}

Test(gdb_session, a_range_is_stepped_through_in_one_request)
{
	move_to(TARGET_AT_STEP, 12, 1);
	move_to(TARGET_AT_STEP, 13, 1);
	move_to(TARGET_AT_BREAK, 14, 1);
	expect("OK\nT05" REGS_1 "thread:p64.64;swbreak:;\n",
	       ask("Z0,401001,1\0vCont;r401000,401010:p64.64;c:p64.-1"));
	cr_assert_eq(fake.moved, 3);
	fake.moved = 0;
	expect("T05" REGS_1 "thread:p64.64;\n",
	       ask("vCont;r401002,401010:p64.64;c:p64.-1"));
	cr_assert_eq(fake.moved, 1, "it has left the range");
}

Test(gdb_session, steps_are_those_of_the_chosen_thread)
{
	move_to(TARGET_AT_STEP, 12, 2);
	expect("OK\nT05" REGS_2 "thread:p64.65;\n", ask("Hcp64.65\0bs"));
	cr_assert_eq(fake.asked[0].motion, TARGET_STEP);
	cr_assert(fake.asked[0].back);
	cr_assert_eq(fake.asked[0].task, 2);
}

Test(gdb_session, what_cannot_be_resumed_so_is_refused)
{
	expect("E01\nE01\nE01\nE01\n",
	       ask("vCont;x\0vCont;c:p64.77\0vCont;r1\0vContfoo"));
	cr_assert_eq(fake.moved, 0);
}

Test(gdb_session, an_interrupted_motion_is_a_stop_by_sigint)
{
	fake.n_moves = 1; /* cancelled */
	expect("T02" REGS_1 "thread:p64.64;\n", ask("vCont;c"));
}

Test(gdb_session, a_failed_motion_says_why)
{
	struct buf text = { 0 };
	const char *got = ask("vCont;c");
	size_t n = strcspn(got, "\n");

	cr_assert_eq(got[0], 'O');
	cr_assert(hex_get(span_of(got + 1, n - 1), &text));
	expect("pastime: no motion is in line\n", buf_cstr(&text));
	expect("T00" REGS_1 "thread:p64.64;\n", got + n + 1);
	buf_free(&text);
}

/* The reply of a monitor command, in words. */
static const char *
monitor(const char *command)
{
	static struct buf text;
	struct buf packet = { 0 };
	const char *got, *end;

	buf_str(&packet, "qRcmd,");
	hex_put(&packet, command, strlen(command));
	buf_u8(&packet, 0);
	buf_u8(&packet, 0);
	got = strchr(ask_all((const char *)packet.p), 'O');
	buf_clear(&text);
	end = strchr(got, '\n');
	cr_assert(hex_get(span_of(got + 1, (size_t)(end - got - 1)), &text));
	buf_free(&packet);
	return buf_cstr(&text);
}

Test(gdb_session, monitor_commands_answer_in_words)
{
	expect("e10 of 40\n", monitor("when"));
	expect("e10 of 40\n", monitor("  when "));
	expect("at e12\n", monitor("seek e12"));
	expect("5 events up to e12\n", monitor("events 5"));
	expect("checkpoint at e12: monitor seek e12\n", monitor("checkpoint"));
	cr_assert_eq(fake.checkpoints, 1);
	expect("at e25\n", monitor("seek e25"));
	expect("*     100  main\n      200  child\n", monitor("processes"));
	cr_assert(strstr(monitor("seek e41"), "there is no e41"));
	cr_assert(strstr(monitor("events -1"), "number from 1"));
	cr_assert(strstr(monitor("nothing"), "no such command: 'nothing'"));
	cr_assert(strstr(monitor("help"), "monitor seek POS"));
	expect("E01\n", ask("qRcmd,7"));
}

Test(gdb_session, a_client_that_was_moved_is_told_at_its_next_resumption)
{
	/* "seek e12" */
	const char *text = ask("mfffffffffffff000,1\0qRcmd,7365656b20653132\0"
			       "mfffffffffffff000,1\0vCont;s:p64.64\0"
			       "mfffffffffffff000,1");

	cr_assert_eq(strncmp(text, "00\nO6174206531320a\nOK\n01\n", 25), 0);
	expect("T00" REGS_1 "thread:p64.64;\n00\n", text + 25);
	cr_assert_eq(fake.moved, 0, "nothing ran");
}

Test(gdb_session, a_client_learns_when_its_process_does_not_live_there)
{
	struct pos p = { .seq = 25 };

	gdb_server_seek(server, &p, NULL, NULL, NULL);
	/* It sees the child only; "seek e12" is before that. */
	expect("OK\nT00" REGS_3 "thread:pc8.c8;\nO6174206531320a\nOK\n"
	       "0100010064000000\nOK\nT00" REGS_1 "thread:p64.64;\n"
	       "00\nmp64.64,p64.65\n",
	       ask("D;64\0vAttach;c8\0qRcmd,7365656b20653132\0"
		   "mfffffffffffff000,8\0D;c8\0vAttach;64\0"
		   "mfffffffffffff000,1\0qfThreadInfo"));
}

Test(gdb_session, a_next_client_finds_the_moment_but_no_breakpoints)
{
	ask("Z0,401002,1\0qRcmd,7365656b20653132\0D");
	move_to(TARGET_AT_STEP, 13, 1);
	ask("vCont;s:p64.64");
	cr_assert_eq(fake.asked[0].n_breaks, 0);
	expect("e13 of 40\n", monitor("when"));
}

Test(gdb_session, run_begins_anew)
{
	expect("OK\nT05" REGS_1 "thread:p64.64;\n", ask("vKill;64\0vRun;"));
	cr_assert_eq(fake.at.seq, 5);
}

Test(gdb_session, lldb_learns_where_memory_ends)
{
	expect("start:1000;size:1000;permissions:r;name:5b737461636b5d;\n"
	       "start:2000;size:3ff000;\nstart:402000;size:ffffffffffbfdfff;\n",
	       ask("qMemoryRegionInfo:1234\0qMemoryRegionInfo:2abc\0"
		   "qMemoryRegionInfo:402fff"));
}
