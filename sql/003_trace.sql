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
