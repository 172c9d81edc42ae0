-- What pastime trace found by replaying: writes to variables, calls of functions.
-- Keys lead with the recording, as everywhere.

create table pastime.trace (
	recording bigint not null,
	trace int not null,
	kind text not null,
	subject text not null,
	len int not null,
	program text not null,
	made timestamptz not null default now(),
	primary key (recording, trace),
	unique (recording, kind, subject, len)
);
comment on table pastime.trace is 'What was traced: a variable, for its writes, or a function, for its calls.';
comment on column pastime.trace.trace is 'Number in the recording.';
comment on column pastime.trace.kind is 'writes or calls.';
comment on column pastime.trace.subject is 'The variable, address or function, as it was asked for.';
comment on column pastime.trace.len is 'Writes: how many bytes were asked for; 0 = the variable''s size. Calls: 0.';

create table pastime.coverage (
	recording bigint not null,
	trace int not null,
	from_seq bigint not null,
	to_seq bigint not null,
	primary key (recording, trace, from_seq),
	check (from_seq < to_seq)
);
comment on table pastime.coverage is 'What has been computed: all that happened after from_seq, up to to_seq and its effects. No rows of a trace in a covered range means that there was nothing; outside it is not known.';
comment on column pastime.coverage.trace is 'Which trace.';
comment on column pastime.coverage.from_seq is 'After this event.';
comment on column pastime.coverage.to_seq is 'Up to this event.';

create table pastime.traced_write (
	recording bigint not null,
	trace int not null,
	seq bigint not null,
	nth int not null,
	pc bigint,
	visit bigint,
	task int not null,
	process int not null,
	by_kernel boolean not null,
	addr bigint not null,
	len int not null,
	old bytea not null,
	new bytea not null,
	insn bigint,
	module text,
	function text,
	function_offset bigint,
	source text,
	line int,
	primary key (recording, trace, seq, nth, addr)
);
comment on table pastime.traced_write is 'Writes, as they are stored; query view write.';

create table pastime.traced_call (
	recording bigint not null,
	trace int not null,
	seq bigint not null,
	nth int not null,
	pc bigint not null,
	visit bigint not null,
	exit_seq bigint,
	exit_nth int,
	exit_visit bigint,
	task int not null,
	process int not null,
	depth int not null,
	tail boolean not null,
	ended smallint not null,
	sp bigint not null,
	caller_pc bigint not null,
	args bigint[] not null,
	arguments text not null,
	ret bigint,
	result text,
	module text,
	function text,
	source text,
	line int,
	caller_module text,
	caller text,
	caller_source text,
	caller_line int,
	primary key (recording, trace, seq, nth, task)
);
comment on table pastime.traced_call is 'Calls, as they are stored; query view function_call.';
comment on column pastime.traced_write.by_kernel is 'A system call wrote it, not an instruction of the program.';
comment on column pastime.traced_write.addr is 'The first byte.';
comment on column pastime.traced_write.old is 'The bytes before.';
comment on column pastime.traced_write.new is 'The bytes after.';
comment on column pastime.traced_write.insn is 'Address of the instruction; NULL: the kernel.';
comment on column pastime.traced_write.module is 'File that the instruction is in.';
comment on column pastime.traced_write.function is 'Function that the instruction is in.';
comment on column pastime.traced_write.function_offset is 'Of the instruction from the function''s begin.';
comment on column pastime.traced_write.source is 'Source file of the instruction, from debug information.';
comment on column pastime.traced_call.exit_seq is 'As seq, of the call''s end; NULL: not seen.';
comment on column pastime.traced_call.exit_nth is 'As nth, of the call''s end.';
comment on column pastime.traced_call.exit_visit is 'As visit, of the call''s end.';
comment on column pastime.traced_call.tail is 'It was jumped to, not called.';
comment on column pastime.traced_call.ended is 'How it ended; view function_call has words for it.';
comment on column pastime.traced_call.caller_pc is 'Where it returns to.';
comment on column pastime.traced_call.args is 'The six argument registers.';
comment on column pastime.traced_call.arguments is 'The arguments as text, by their types where there is debug information.';
comment on column pastime.traced_call.result is 'What it returned, as text.';
comment on column pastime.traced_call.module is 'File that the function is in.';
comment on column pastime.traced_call.function is 'Its name.';
comment on column pastime.traced_call.source is 'Source file of the function, from debug information.';
comment on column pastime.traced_call.caller_module is 'File that the caller is in.';
comment on column pastime.traced_call.caller is 'Function that called.';
comment on column pastime.traced_call.caller_source is 'Source file of the caller.';
comment on column pastime.traced_call.caller_line is 'Line of the caller.';
