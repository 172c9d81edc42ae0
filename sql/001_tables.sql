-- The tables. Recordings are chunks and packs; everything else is derived from
-- them and can be made again. Keys begin with the recording; hot tables have
-- neither sequences nor foreign keys.

create schema pastime;
comment on schema pastime is
'Recordings of programs: every system call, signal, task and mapping of whole process trees. Tables and views here cover all recordings; schema "this" has the same ones for the recording that pastime.rec() names.';

create schema pastime_rows;
comment on schema pastime_rows is 'Partitions of pastime.event, one per recording.';

create table pastime.schema_version (
	version int primary key,
	name text not null,
	hash bigint not null,
	applied timestamptz not null default now(),
	program text not null
);
comment on table pastime.schema_version is 'Which migrations were applied, when, and by which version of pastime.';

create table pastime.setting (
	name text primary key,
	value text not null
);
comment on table pastime.setting is 'Facts about this store: hashes of the views and seeds that were loaded last.';

create table pastime.counter (
	name text primary key,
	last bigint not null
);
insert into pastime.counter values ('recording', 0);
comment on table pastime.counter is 'The last recording number given out. A row and not a sequence, so that numbers stay dense when a server is killed.';

create table pastime.recording (
	recording bigint primary key,
	uuid uuid not null unique,
	name text not null,
	command text not null,
	host text not null,
	version text not null,
	tags jsonb not null default '{}',
	started_ns bigint not null,
	duration_ns bigint not null default 0,
	events bigint not null default 0,
	tasks int not null default 0,
	bytes bigint not null default 0,
	status int,
	ended smallint not null default 0,
	removed boolean not null default false,
	rows_upto bigint not null default 0,
	intervals_upto bigint not null default 0
);
comment on table pastime.recording is 'One row per recording.';
comment on column pastime.recording.recording is 'Its number, as pastime ls shows it.';
comment on column pastime.recording.uuid is 'Its identity everywhere; commands take a unique prefix.';
comment on column pastime.recording.name is 'Its name; by default the file name of the command.';
comment on column pastime.recording.command is 'The command line as text.';
comment on column pastime.recording.host is 'The host it was recorded on.';
comment on column pastime.recording.version is 'The version of pastime that recorded it.';
comment on column pastime.recording.tags is 'What --tag and pastime tag said.';
comment on column pastime.recording.started_ns is 'When it began: nanoseconds since 1970 (UTC).';
comment on column pastime.recording.duration_ns is 'Time of the last stored event.';
comment on column pastime.recording.events is 'Number of stored events = seq of the last one.';
comment on column pastime.recording.tasks is 'Number of tasks (threads) seen so far.';
comment on column pastime.recording.bytes is 'Compressed bytes of its chunks and of the packs that it stored first.';
comment on column pastime.recording.status is 'Wait status of the command; null: it has not ended.';
comment on column pastime.recording.ended is '1: ended in order; 2: cut off (valid to its last stored event); 0: still running, or nobody has looked yet.';
comment on column pastime.recording.removed is 'pastime rm was there; pastime gc drops it.';
comment on column pastime.recording.rows_upto is 'pastime.event has rows up to this seq.';
comment on column pastime.recording.intervals_upto is 'task, process, image, descriptor and file are derived up to this seq.';

create table pastime.chunk (
	recording bigint not null,
	first_seq bigint not null,
	n int not null,
	t_min bigint not null,
	t_max bigint not null,
	n_errors int not null,
	kinds smallint[] not null,
	calls smallint[] not null,
	tasks int[] not null,
	codec smallint not null,
	raw_len int not null,
	crc bigint not null,
	data bytea not null,
	primary key (recording, first_seq)
);
alter table pastime.chunk alter column data set storage external;
comment on table pastime.chunk is 'The recording itself: up to 8,000 consecutive events, compressed. Everything else is derived from chunks and packs.';
comment on column pastime.chunk.n is 'Number of events: first_seq to first_seq + n - 1.';
comment on column pastime.chunk.t_min is 'Least time_ns in it.';
comment on column pastime.chunk.t_max is 'Greatest time_ns in it.';
comment on column pastime.chunk.n_errors is 'Number of failed calls in it.';
comment on column pastime.chunk.kinds is 'The kinds of event that occur in it.';
comment on column pastime.chunk.calls is 'The system calls that occur in it.';
comment on column pastime.chunk.tasks is 'The tasks that occur in it.';
comment on column pastime.chunk.codec is 'Version of its form.';
comment on column pastime.chunk.raw_len is 'Bytes before compression.';
comment on column pastime.chunk.crc is 'XXH3-64 of data.';

create table pastime.pack (
	pack uuid primary key,
	codec smallint not null,
	raw_len int not null,
	blobs int not null,
	stored timestamptz not null default now(),
	data bytea not null
);
alter table pastime.pack alter column data set storage external;
comment on table pastime.pack is 'Contents of files and memory, several to a pack, stored once for all recordings.';
comment on column pastime.pack.pack is 'XXH3-128 of data.';
comment on column pastime.pack.codec is '0: as it is; 1: zstd.';
comment on column pastime.pack.raw_len is 'Bytes before compression.';

create table pastime.blob (
	blob uuid primary key,
	pack uuid not null,
	at int not null,
	len int not null
);
create index blob_pack on pastime.blob (pack);
comment on table pastime.blob is 'Where the bytes with a given hash are: in which pack, at which offset.';
comment on column pastime.blob.blob is 'XXH3-128 of the bytes.';

create table pastime.recording_pack (
	recording bigint not null,
	pack uuid not null,
	primary key (recording, pack)
);
create index recording_pack_pack on pastime.recording_pack (pack);
comment on table pastime.recording_pack is 'Which packs a recording needs; a pack that none needs is garbage.';

create table pastime.event (
	recording bigint not null,
	seq bigint not null,
	time_ns bigint not null,
	dur_ns bigint,
	a0 bigint,
	a1 bigint,
	a2 bigint,
	a3 bigint,
	a4 bigint,
	a5 bigint,
	ret bigint,
	pc bigint not null,
	sp bigint not null,
	task int not null,
	flags int not null,
	fd int,
	kind smallint not null,
	call smallint,
	error smallint,
	path text,
	path2 text,
	addr text,
	data bytea,
	note text
) partition by list (recording);
comment on table pastime.event is 'One row per event, derived from chunks when first asked for. Names of kinds and calls: tables kind and syscall; view call has them joined.';
comment on column pastime.event.seq is 'Its number in the recording, dense from 1; position e<seq> is the moment just after it.';
comment on column pastime.event.time_ns is 'Nanoseconds since the recording began.';
comment on column pastime.event.dur_ns is 'Calls: nanoseconds from entry to return.';
comment on column pastime.event.task is 'The task; 0 = the recording itself.';
comment on column pastime.event.kind is 'What it is; see table kind.';
comment on column pastime.event.call is 'System call number; see table syscall.';
comment on column pastime.event.flags is '1 user code ran up to it, 2 the call failed, 4 the call will be issued again, 8 its place cannot be found again, 16 pastime answered in place of the kernel, 32 before the call at pc, which did not start.';
comment on column pastime.event.error is 'Number of the error of a failed call; see table errno.';
comment on column pastime.event.fd is 'The descriptor that the call works on.';
comment on column pastime.event.a0 is 'Arguments as the program passed them; null beyond those that the call has. Other kinds: docs/EVENTS.md.';
comment on column pastime.event.ret is 'The result; null when there is none yet (kind enter).';
comment on column pastime.event.pc is 'Program counter at the event.';
comment on column pastime.event.sp is 'Stack pointer at the event.';
comment on column pastime.event.path is 'The path that the call was given, as text; bytes that are no UTF-8 as \xHH.';
comment on column pastime.event.path2 is 'The second path, of rename, link, symlink.';
comment on column pastime.event.addr is 'The socket address that the call was given or returned: 127.0.0.1:80, [::1]:80, unix:/run/x.';
comment on column pastime.event.data is 'The bytes that the call wrote or sent, up to 1 MB; of what it read or received the first 4,096 bytes.';
comment on column pastime.event.note is 'Text of a warning; command line of an exec.';

create table pastime.task (
	recording bigint not null,
	task int not null,
	process int not null,
	parent int,
	tid int not null,
	space int not null,
	share_group int not null,
	from_seq bigint not null,
	to_seq bigint,
	from_ns bigint not null,
	to_ns bigint,
	status int,
	comm text,
	primary key (recording, task)
);
comment on table pastime.task is 'Threads, from birth to death.';
comment on column pastime.task.task is 'Number in the recording, dense from 1, never reused.';
comment on column pastime.task.process is 'The process it is a thread of.';
comment on column pastime.task.parent is 'The task that made it; null for the first.';
comment on column pastime.task.tid is 'What the program saw as its thread id.';
comment on column pastime.task.space is 'Number of the address space that it was born in.';
comment on column pastime.task.share_group is 'Tasks of one share group run one at a time.';
comment on column pastime.task.to_seq is 'Its death; null: it lived at the end.';
comment on column pastime.task.status is 'Wait status.';
comment on column pastime.task.comm is 'Short name, the last one known.';

create table pastime.process (
	recording bigint not null,
	process int not null,
	parent int,
	pid int not null,
	from_seq bigint not null,
	to_seq bigint,
	from_ns bigint not null,
	to_ns bigint,
	status int,
	exe text,
	command text,
	primary key (recording, process)
);
comment on table pastime.process is 'Processes, from their first task''s birth to their last task''s death.';
comment on column pastime.process.process is 'Number in the recording, dense from 1, never reused.';
comment on column pastime.process.parent is 'The process whose task made it; null for the first.';
comment on column pastime.process.pid is 'What the program saw as its process id.';
comment on column pastime.process.status is 'Wait status; see functions exit_code and exit_signal.';
comment on column pastime.process.exe is 'The program it ran last.';
comment on column pastime.process.command is 'Its last command line.';

create table pastime.image (
	recording bigint not null,
	process int not null,
	from_seq bigint not null,
	to_seq bigint,
	exe text,
	argv text[],
	command text,
	primary key (recording, process, from_seq)
);
comment on table pastime.image is 'Every program that a process executed, from its exec to the next one or its end.';

create table pastime.descriptor (
	recording bigint not null,
	process int not null,
	fd int not null,
	from_seq bigint not null,
	to_seq bigint,
	file int not null,
	how text not null,
	cloexec boolean not null,
	closed_by text,
	primary key (recording, process, fd, from_seq)
);
comment on table pastime.descriptor is 'Descriptors of processes: which open file a number meant, from which event to which.';
comment on column pastime.descriptor.to_seq is 'The event that closed it; null: open at the end. Open at seq: from_seq <= seq and (to_seq is null or to_seq > seq).';
comment on column pastime.descriptor.file is 'The open file; duplicates and inherited descriptors share it.';
comment on column pastime.descriptor.how is 'How this process came to it: open, dup, recv (with a message), fork (inherited), start (there at the start).';
comment on column pastime.descriptor.cloexec is 'Closed on exec (as it was last set).';
comment on column pastime.descriptor.closed_by is 'close, dup, exec, exit; null: open at the end.';

create table pastime.open_file (
	recording bigint not null,
	file int not null,
	from_seq bigint not null,
	process int,
	kind text not null,
	name text not null,
	local text,
	peer text,
	primary key (recording, file)
);
comment on table pastime.open_file is 'Open files, pipes and sockets: what descriptors refer to.';
comment on column pastime.open_file.file is 'Number in the recording, dense from 1.';
comment on column pastime.open_file.process is 'The process that opened it; null: there at the start.';
comment on column pastime.open_file.kind is 'file, dir, pipe, socket, tty, device, anon (eventfd, epoll, ...).';
comment on column pastime.open_file.name is 'Path, or what the kernel calls it: pipe:[123].';
comment on column pastime.open_file.local is 'Sockets: the address it was bound to or accepted on.';
comment on column pastime.open_file.peer is 'Sockets: the remote address.';

create table pastime.mapping (
	recording bigint not null,
	space int not null,
	start bigint not null,
	len bigint not null,
	from_seq bigint not null,
	prot int not null,
	flags int not null,
	file bigint,
	file_offset bigint,
	shared boolean not null,
	primary key (recording, space, from_seq, start)
);
comment on table pastime.mapping is 'Mappings as mmap and exec made them.';
comment on column pastime.mapping.file is 'Number of the captured file; null: anonymous.';

create table pastime.file (
	recording bigint not null,
	file bigint not null,
	seq bigint not null,
	path text not null,
	dev bigint not null,
	ino bigint not null,
	size bigint not null,
	mtime_ns bigint not null,
	mode int not null,
	whole boolean not null,
	from_byte bigint not null,
	blobs uuid[] not null,
	primary key (recording, file)
);
comment on table pastime.file is 'Files whose contents were captured, because they were executed or mapped.';
comment on column pastime.file.whole is 'All of it was captured, not only the mapped range.';
comment on column pastime.file.blobs is 'Its contents in pieces of 256 KB, from byte from_byte on.';

create table pastime.mark (
	recording bigint not null,
	name text not null,
	pos text not null,
	seq bigint not null,
	note text,
	made timestamptz not null default now(),
	primary key (recording, name)
);
comment on table pastime.mark is 'Bookmarks; @name is a position.';

create table pastime.warning (
	recording bigint not null,
	seq bigint not null,
	task int not null,
	code int not null,
	call smallint,
	note text not null,
	primary key (recording, seq)
);
comment on table pastime.warning is 'What pastime had to tell about a recording.';

-- Names; loaded from the program's own tables.
create table pastime.kind (
	kind smallint primary key,
	name text not null unique,
	what text not null
);
comment on table pastime.kind is 'Kinds of events.';

create table pastime.syscall (
	call smallint primary key,
	name text not null unique,
	category text not null,
	args text[] not null,
	decision text not null
);
comment on table pastime.syscall is 'System calls of x86-64.';
comment on column pastime.syscall.category is 'file, net, process, signal, memory, time, ipc, sched, system.';
comment on column pastime.syscall.args is 'Names of its arguments.';
comment on column pastime.syscall.decision is 'What pastime does with it: run, refuse, emulate, special.';

create table pastime.errno (
	error smallint primary key,
	name text not null,
	what text not null
);
comment on table pastime.errno is 'Errors of system calls.';

create table pastime.signal (
	signo smallint primary key,
	name text not null,
	what text not null
);
comment on table pastime.signal is 'Signals.';
