-- Views and functions: the public interface. Made again whenever this text
-- changes. Schema "pastime" covers all recordings; schema "this" has the same
-- names for the one recording that pastime.rec() gives.

create or replace function pastime.rec() returns bigint
language sql stable parallel safe as $$
	select coalesce(nullif(pg_catalog.current_setting('pastime.rec', true), '')::bigint,
		(select max(r.recording) from pastime.recording r where not r.removed))
$$;
comment on function pastime.rec() is 'The recording that schema "this" shows: the one chosen (set pastime.rec = 12), else the latest.';

create or replace function pastime.exit_code(status int) returns int
language sql immutable parallel safe as $$
	select case when status & 127 = 0 then (status >> 8) & 255 end
$$;
comment on function pastime.exit_code(int) is 'Exit code of a wait status; null when a signal ended it.';

create or replace function pastime.exit_signal(status int) returns int
language sql immutable parallel safe as $$
	select nullif(status & 127, 0)
$$;
comment on function pastime.exit_signal(int) is 'Signal that ended it; null when it exited.';

create or replace function pastime.ending(status int) returns text
language sql stable parallel safe as $$
	select case when status is null then 'running'
		when status & 127 = 0 then 'exit ' || ((status >> 8) & 255)
		else coalesce((select s.name from pastime.signal s where s.signo = status & 127),
			'signal ' || (status & 127)) end
$$;
comment on function pastime.ending(int) is 'A wait status for people: exit 1, SIGSEGV, running.';

-- Valid UTF-8 is recognised by its form: catching the error of convert_from would
-- take a subtransaction, which parallel queries cannot have.
create or replace function pastime.text(data bytea) returns text
language sql immutable parallel safe as $$
	select case when pg_catalog.encode(data, 'hex') ~ ('^(0[1-9a-f]|[1-7][0-9a-f]|(c[2-9a-f]|d[0-9a-f])[89ab][0-9a-f]'
		|| '|(e0[ab][0-9a-f]|e[1-9abcef][89ab][0-9a-f]|ed[89][0-9a-f])[89ab][0-9a-f]'
		|| '|(f0[9ab]|f[123][89ab]|f48)[0-9a-f]([89ab][0-9a-f]){2})*$')
		then pg_catalog.convert_from(data, 'UTF8')
		else pg_catalog.encode(data, 'escape') end
$$;
comment on function pastime.text(bytea) is 'Bytes as text; when they are no UTF-8, with \ooo for what is no ASCII.';

create or replace function pastime.int4_at(data bytea, at int) returns int
language sql immutable parallel safe as $$
	select case when pg_catalog.octet_length(data) >= at + 4 then (pg_catalog.get_byte(data, at)
		| (pg_catalog.get_byte(data, at + 1) << 8) | (pg_catalog.get_byte(data, at + 2) << 16)
		| (pg_catalog.get_byte(data, at + 3) << 24)) end
$$;
comment on function pastime.int4_at(bytea, int) is 'The four bytes at an offset as a little endian number; null beyond the end.';

create or replace function pastime.pos(seq bigint) returns text
language sql immutable parallel safe as $$
	select 'e' || seq
$$;
comment on function pastime.pos(bigint) is 'The position just after an event, as every command takes it.';

-- One row per system call: those that returned at once and those that had to
-- wait; the latter at their return.
create or replace view pastime.call as
select e.recording, e.seq, e.time_ns, e.dur_ns, e.task, t.process, p.pid, t.tid, t.comm,
	s.name, s.category, e.call, e.a0, e.a1, e.a2, e.a3, e.a4, e.a5, e.ret,
	e.error, n.name as error_name, e.fd, e.path, e.path2, e.addr, e.data, e.flags, e.pc, e.sp
from pastime.event e
join pastime.task t on t.recording = e.recording and t.task = e.task
join pastime.process p on p.recording = t.recording and p.process = t.process
left join pastime.syscall s on s.call = e.call
left join pastime.errno n on n.error = e.error
where e.kind in (4, 5);
comment on view pastime.call is 'System calls that returned, with names, task and process; seq is the event at which each returned.';

create or replace view pastime.failed_call as
select * from pastime.call where error is not null;
comment on view pastime.failed_call is 'System calls that failed.';

create or replace view pastime.timeline as
select e.recording, e.seq, e.time_ns, e.task, t.process, p.pid, t.tid, t.comm, k.name as kind,
	s.name as call, e.ret, n.name as error, e.fd, e.path, e.addr,
	case e.kind when 7 then g.name when 9 then pastime.ending(e.a0::int) else e.note end as note
from pastime.event e
join pastime.kind k on k.kind = e.kind
left join pastime.task t on t.recording = e.recording and t.task = e.task
left join pastime.process p on p.recording = t.recording and p.process = t.process
left join pastime.syscall s on s.call = e.call
left join pastime.errno n on n.error = e.error
left join pastime.signal g on e.kind = 7 and g.signo = e.a0;
comment on view pastime.timeline is 'All events with names, for reading.';

create or replace view pastime.delivery as
select e.recording, e.seq, e.time_ns, e.task, t.process, p.pid, t.tid,
	e.a0::int as signo, g.name, e.a1::int as code,
	case when e.a1 > 0 and e.a0 in (4, 5, 7, 8, 11) then null else e.a2::int end as sender_pid,
	case when e.a1 > 0 and e.a0 in (4, 5, 7, 8, 11) then e.a2 end as address,
	case e.a3 when 1 then 'handler' when 2 then 'ignored' when 3 then 'fatal'
		when 4 then 'stop' when 5 then 'continue' end as outcome,
	case when e.a3 = 1 then e.a4 end as handler, e.pc, e.sp
from pastime.event e
join pastime.task t on t.recording = e.recording and t.task = e.task
join pastime.process p on p.recording = t.recording and p.process = t.process
left join pastime.signal g on g.signo = e.a0
where e.kind = 7;
comment on view pastime.delivery is 'Signals as they were delivered.';

create or replace view pastime.failing_signal as
select d.* from pastime.delivery d where d.outcome = 'fatal';
comment on view pastime.failing_signal is 'Signals that ended a process.';

create or replace view pastime.open_descriptor as
select d.recording, d.process, p.pid, d.fd, d.from_seq, d.to_seq, d.file, f.kind, f.name,
	f.local, f.peer, d.how, d.cloexec, d.closed_by, f.process as opener
from pastime.descriptor d
join pastime.process p on p.recording = d.recording and p.process = d.process
join pastime.open_file f on f.recording = d.recording and f.file = d.file;
comment on view pastime.open_descriptor is 'Descriptors with what they refer to. Open at seq: from_seq <= seq and (to_seq is null or to_seq > seq).';

-- Bytes that went through a descriptor, with what it referred to at that moment.
create or replace view pastime.transfer as
select c.recording, c.seq, c.time_ns, c.task, c.process, c.pid, c.name as call, c.fd,
	d.file, f.kind, f.name, f.local, coalesce(f.peer, c.addr) as peer,
	case when c.name in ('write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'sendto', 'sendmsg', 'sendmmsg', 'sendfile',
		'splice', 'tee', 'copy_file_range', 'vmsplice') then 'out' else 'in' end as direction,
	case c.name when 'sendmmsg' then octet_length(c.data) else c.ret end as bytes, c.data
from pastime.call c
left join lateral (
	-- the newest meaning of the number: one step in the primary key
	select i.recording, i.file, i.to_seq from pastime.descriptor i
	where i.recording = c.recording and i.process = c.process and i.fd = c.fd and i.from_seq <= c.seq
	order by i.from_seq desc limit 1
) d on d.to_seq is null or d.to_seq >= c.seq
left join pastime.open_file f on f.recording = d.recording and f.file = d.file
where c.ret > 0 and (c.name in ('read', 'pread64', 'readv', 'preadv', 'preadv2', 'recvfrom', 'recvmsg', 'recvmmsg',
	'write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'sendto', 'sendmsg', 'sendmmsg', 'sendfile', 'vmsplice')
	or c.name in ('splice', 'tee', 'copy_file_range') and c.data is not null);
comment on view pastime.transfer is 'Reads and writes that moved bytes, with the file, pipe or socket behind the descriptor.';

create or replace view pastime.output as
select t.recording, t.seq, t.time_ns, t.task, t.process, t.pid, t.fd, pastime.text(t.data) as text, t.data
from pastime.transfer t
where t.direction = 'out' and (t.fd in (1, 2) or t.kind = 'tty');
comment on view pastime.output is 'What processes wrote to their standard output, standard error and terminals.';

create or replace view pastime.process_tree as
with recursive tree as (
	select p.recording, p.process, 0 as depth, array[p.process] as line
	from pastime.process p where p.parent is null
	union all
	select p.recording, p.process, t.depth + 1, t.line || p.process
	from tree t join pastime.process p on p.recording = t.recording and p.parent = t.process
)
select t.recording, t.line, t.depth, p.process, p.pid, p.parent, p.from_seq, p.to_seq, p.from_ns, p.to_ns,
	p.status, pastime.ending(p.status) as ending, p.exe, p.command
from tree t join pastime.process p on p.recording = t.recording and p.process = t.process;
comment on view pastime.process_tree is 'Processes below their parents: order by line, indent by depth.';

create or replace view pastime.task_group as
select e.recording, e.task, (case e.kind when 2 then e.a5 else e.a1 end)::int as share_group, e.seq as from_seq,
	lead(e.seq) over (partition by e.recording, e.task order by e.seq) as to_seq
from pastime.event e
where e.kind in (2, 8);
comment on view pastime.task_group is 'Which share group a task belonged to when: from its birth, and from each exec on. One task of a group runs at a time; groups run side by side.';

-- Turns: events of a group in a row that are one task's. Of each only the first
-- and the last event are kept; what the last one was says why the turn ended.
create or replace view pastime.slice as
with turn as (
	select e.recording, g.share_group, e.task, e.seq, e.time_ns, e.kind, e.call, e.a0,
		row_number() over w as nth,
		lag(e.task) over w is distinct from e.task as begins,
		lead(e.task) over w is distinct from e.task as ends
	from pastime.event e
	join pastime.task_group g on g.recording = e.recording and g.task = e.task
		and g.from_seq <= e.seq and (g.to_seq is null or g.to_seq > e.seq)
	where e.kind in (3, 4, 5, 6, 7, 8, 13)
	window w as (partition by e.recording, g.share_group order by e.seq)
), edge as (
	select *, case when begins then seq else lag(seq) over w end as from_seq,
		case when begins then kind else lag(kind) over w end as first_kind,
		case when begins then time_ns else lag(time_ns) over w end as first_ns,
		-- the edge before its first one: where the turn before it ended
		case when begins then lag(time_ns) over w else lag(time_ns, 2) over w end as before_ns,
		case when begins then 1 else nth - lag(nth) over w + 1 end as events,
		lead(task) over w as next_task
	from turn
	where begins or ends
	window w as (partition by recording, share_group order by seq)
)
select s.recording, s.share_group, s.task, t.process, t.comm, s.from_seq, s.seq as to_seq,
	-- A call that waited returns when its task has its turn again; others had
	-- theirs from where the one before ended.
	case when s.first_kind = 4 then s.first_ns else coalesce(s.before_ns, s.first_ns) end as from_ns,
	s.time_ns as to_ns, s.events,
	case when s.kind = 3 and s.call in (60, 231) then 'ended'
		when s.kind = 3 and s.call in (59, 322) and t.to_seq is distinct from s.seq and s.next_task is null then 'executes another program'
		when s.kind = 3 then 'waits in ' || coalesce(c.name, 'a call')
		when s.kind = 13 and s.a0 = 1 then 'computed, stopped by the clock'
		when s.kind = 13 then 'computed while others waited'
		when s.next_task is null and t.to_seq is null then 'lasts to the end'
		when s.next_task is null then 'killed'
		when s.call = 24 then 'gave way'
		when t.to_seq is not null and not exists (select from pastime.event e where e.recording = s.recording
			and e.task = s.task and e.seq > s.seq and e.kind <> 9 and e.seq <= t.to_seq) then 'killed'
		else 'turn over after ' || coalesce(c.name, k.name) end as why,
	s.next_task
from edge s
join pastime.task t on t.recording = s.recording and t.task = s.task
join pastime.kind k on k.kind = s.kind
left join pastime.syscall c on c.call = s.call
where s.ends;
comment on view pastime.slice is 'Turns: which task of a share group had the CPU, from which event to which, why its turn ended and who came next. What another thread of the process did meanwhile, it did inside calls.';

create or replace view pastime.point as
select e.recording, e.seq, e.time_ns, e.task, e.pc, e.sp, a.arrivals,
	'e' || e.seq - 1 || '+0x' || to_hex(e.pc) || '#' || a.arrivals as position
from pastime.event e
left join pastime.arrival a on a.recording = e.recording and a.seq = e.seq
where e.kind = 13 and e.a0 = 2;
comment on view pastime.point is 'Execution points: where tasks were stopped in the midst of computation. Position e<seq> is the moment; by its address it is position, null until a replay has counted (pastime replay --positions).';

-- A wait is the enter event of a futex call and what its task did next: return,
-- or die. Wakes and waits on one word are paired in order, as the kernel's queue
-- is one; what does not fit (requeued, timed out at the same moment) gets the
-- last wake before its return.
create or replace view pastime.futex_wait as
with futex as not materialized (
	select e.recording, e.seq, e.time_ns, e.kind, e.task, t.process, t.comm, (e.a1 & 127)::int as op,
		e.a0 as addr, e.a2::int as val, e.a1 & 128 = 0 as shared, e.ret, e.error, e.data,
		case when e.a1 & 128 = 0 then -g.share_group else t.process end as scope,
		lead(e.seq) over w as end_seq, lead(e.time_ns) over w as end_ns, lead(e.kind) over w as end_kind,
		lead(e.ret) over w as end_ret, lead(e.error) over w as end_error
	from pastime.event e
	join pastime.task t on t.recording = e.recording and t.task = e.task
	join pastime.task_group g on g.recording = e.recording and g.task = e.task
		and g.from_seq <= e.seq and (g.to_seq is null or g.to_seq > e.seq)
	where e.kind in (3, 4, 5) and e.call = 202 or e.kind = 9
	window w as (partition by e.recording, e.task order by e.seq)
), wait as (
	select f.*, case when f.end_kind = 4 and f.end_ret = 0 then
			count(*) filter (where f.end_kind = 4 and f.end_ret = 0)
				over (partition by f.recording, f.scope, f.addr order by f.seq) end as nth,
		case when f.op in (6, 13) then pastime.int4_at(f.data, 0) & x'3fffffff'::int
			when f.val = 2 then pastime.int4_at(f.data, 8)
			when f.shared then f.val end as holder_tid
	from futex f
	where f.kind = 3 and f.op in (0, 6, 9, 11, 13)
), wake as (
	select recording, scope, addr, seq, task, n
	from (
		select f.*, sum(f.ret) over (partition by f.recording, f.scope, f.addr order by f.seq) as upto
		from futex f
		where f.kind in (4, 5) and f.op in (1, 3, 4, 5, 7, 10) and f.ret > 0
	) f, generate_series(f.upto - f.ret + 1, f.upto) n
)
select w.recording, w.task, w.process, w.comm, w.addr,
	case w.op when 0 then 'WAIT' when 6 then 'LOCK_PI' when 9 then 'WAIT_BITSET' when 11 then 'WAIT_REQUEUE_PI' else 'LOCK_PI2' end as op,
	w.seq as from_seq, w.end_seq as to_seq, w.time_ns as from_ns, w.end_ns as to_ns, w.end_ns - w.time_ns as waited_ns,
	case when w.end_seq is null then 'waits at the end' when w.end_kind = 9 then 'killed'
		when w.end_error is null then 'woken' when w.end_error = 110 then 'timed out'
		when w.end_error = 11 then 'value had changed' when w.end_error = 4 then 'interrupted'
		else coalesce(n.name, 'ended') end as outcome,
	k.task as waker, k.seq as woken_seq, h.task as holder
from wait w
left join pastime.errno n on n.error = w.end_error
left join lateral (
	select h.task, h.from_seq, h.to_seq from pastime.task h
	where h.recording = w.recording and h.process = w.process and h.tid = w.holder_tid and h.task <> w.task
		and h.from_seq < w.seq and (h.to_seq is null or h.to_seq > w.seq)
	limit 1
) h on true
left join wake p on p.recording = w.recording and p.scope = w.scope and p.addr = w.addr and p.n = w.nth
	and p.seq between w.seq and w.end_seq and p.task <> w.task
left join lateral (
	-- the thread that is joined wakes by its end
	select h.task, h.to_seq as seq where w.shared and w.nth is not null and h.to_seq between w.seq and w.end_seq
	union all
	select p.task, p.seq where p.seq is not null
	union all
	(select e.task, e.seq from pastime.event e
	where e.recording = w.recording and e.seq > w.seq and e.seq < w.end_seq and e.call = 202 and e.a0 = w.addr
		and e.kind in (4, 5) and e.ret > 0 and (e.a1 & 127) in (1, 3, 4, 5, 7, 10) and e.task <> w.task
		and w.nth is not null and p.seq is null
	order by e.seq desc limit 1)
	limit 1
) k on true;
comment on view pastime.futex_wait is 'Waits in futex calls: for how long, how each ended, who woke it, and who held what it waited for (the owner of a glibc or PI mutex; the thread that is joined).';

create or replace view pastime.wait_cycle as
with recursive edge as materialized (
	select w.recording, w.task, w.holder, w.from_seq, coalesce(w.woken_seq, w.to_seq) as to_seq
	from pastime.futex_wait w where w.holder is not null
), walk as (
	select e.recording, e.holder, array[e.task] as tasks, e.from_seq, e.to_seq from edge e
	union all
	select w.recording, e.holder, w.tasks || e.task, greatest(w.from_seq, e.from_seq), least(w.to_seq, e.to_seq)
	from walk w
	join edge e on e.recording = w.recording and e.task = w.holder
		and e.from_seq < coalesce(w.to_seq, e.from_seq + 1) and w.from_seq < coalesce(e.to_seq, w.from_seq + 1)
	-- each cycle once: from its first task on
	where e.task > w.tasks[1] and e.task <> all (w.tasks)
)
select recording, tasks, from_seq, to_seq from walk where holder = tasks[1];
comment on view pastime.wait_cycle is 'Tasks that wait for each other in a circle: a deadlock, from the event that closed it to the one that ended it.';

-- What pastime trace found.
create or replace function pastime.task_place(rec bigint) returns table (task int, place text)
language sql stable parallel safe as $$
	with recursive numbered as (
		select t.task, t.parent, case when t.process = p.process then 'thread ' else 'child ' end
			|| row_number() over (partition by t.parent, t.process = p.process order by t.task) as step
		from pastime.task t left join pastime.task p on p.recording = t.recording and p.task = t.parent
		where t.recording = rec
	), placed as (
		select n.task, '' as place from numbered n where n.parent is null
		union all
		select n.task, p.place || '/' || n.step from placed p join numbered n on n.parent = p.task
	)
	select p.task, p.place from placed p
$$;
comment on function pastime.task_place(bigint) is 'Where the tasks of a recording stand in its tree: "/child 1/thread 2". The same place is the same task in recordings of one command, whatever the pids.';

create or replace function pastime.plain_text(t text) returns text
language sql immutable parallel safe as $$
	select pg_catalog.regexp_replace(t, '0x[0-9a-f]+|[0-9]{4,}|[0-9]{2}:[0-9]{2}:[0-9]{2}|/tmp/[^/ "]+', '#', 'g')
$$;
comment on function pastime.plain_text(text) is 'Text with # for what often differs from run to run: addresses, long numbers, times of the day, names in /tmp.';

create or replace function pastime.path_of_calls(rec bigint) returns table (place text, n bigint, task int, seq bigint, what text, path text, error text, ret bigint, data text, event text)
language sql stable parallel safe as $$
	select p.place, row_number() over (partition by e.task order by e.seq), e.task, e.seq,
		coalesce(s.name, k.name), pastime.plain_text(e.path), n.name,
		case when e.data is not null and s.category <> 'ipc'
			and pastime.text(e.data) = pastime.plain_text(pastime.text(e.data)) then e.ret end,
		pastime.plain_text(pastime.text(e.data)),
		pg_catalog.concat_ws(' ', coalesce(s.name, k.name), coalesce(e.path, 'fd ' || e.fd, e.note), n.name,
			pg_catalog.left(pastime.text(e.data), 60))
	from pastime.event e
	join pastime.task_place(rec) p on p.task = e.task
	join pastime.kind k on k.kind = e.kind
	left join pastime.syscall s on s.call = e.call
	left join pastime.errno n on n.error = e.error
	where e.recording = rec and e.flags & 4 = 0 and e.kind in (4, 5, 8)
		and (e.kind = 8 or s.category not in ('time', 'memory') and s.name not in ('futex', 'sched_yield', 'restart_syscall',
			'rt_sigreturn', 'getrandom', 'wait4', 'waitid'))
$$;
comment on function pastime.path_of_calls(bigint) is 'Calls of a recording as they are compared with those of another one: the n-th of the task at a place, without what differs from run to run.';

create or replace function pastime.first_difference(a bigint, b bigint)
returns table (what text, place text, seq_a bigint, pos_a text, event_a text, seq_b bigint, pos_b text, event_b text)
language sql stable parallel safe as $$
	select case when x.what is null or y.what is null then 'calls' when x.what <> y.what then 'call'
			when x.path is distinct from y.path then 'path' when x.error is distinct from y.error then 'error'
			when x.data is distinct from y.data then 'data' else 'result' end,
		coalesce(x.place, y.place), x.seq, pastime.pos(x.seq), x.event, y.seq, pastime.pos(y.seq), y.event
	from pastime.path_of_calls(a) x full join pastime.path_of_calls(b) y on x.place = y.place and x.n = y.n
	where (x.what, x.path, x.error, x.ret, x.data) is distinct from (y.what, y.path, y.error, y.ret, y.data)
	order by x.seq nulls last, y.seq
	limit 1
$$;
comment on function pastime.first_difference(bigint, bigint) is 'The first call at which two recordings of one command part: tasks paired by place, their calls one by one, pids, times and addresses left out. No row: they do not. pastime diff compares more, and is quicker.';

create or replace function pastime.pos(seq bigint, pc bigint, visit bigint) returns text
language sql immutable parallel safe as $$
	select case when pc is null then 'e' || seq
		else 'e' || seq || '+0x' || pg_catalog.to_hex(pc) || '#' || visit end
$$;
comment on function pastime.pos(bigint, bigint, bigint) is 'The position at the visit-th arrival at an address after an event, as every command takes it.';

create or replace function pastime.number(data bytea) returns bigint
language sql immutable parallel safe as $$
	select case pg_catalog.octet_length(data)
		when 1 then (pg_catalog.get_byte(data, 0) # 128) - 128
		when 2 then (((pg_catalog.get_byte(data, 1) << 8) | pg_catalog.get_byte(data, 0)) # 32768) - 32768
		when 4 then pastime.int4_at(data, 0)
		when 8 then (pastime.int4_at(data, 4)::bigint << 32) | (pastime.int4_at(data, 0)::bigint & 4294967295)
		end
$$;
comment on function pastime.number(bytea) is 'Bytes of a signed integer in memory, 1, 2, 4 or 8 of them, as a number; null for other lengths.';

create or replace view pastime.write as
select w.recording, w.trace, c.subject as variable, pastime.pos(w.seq, w.pc, w.visit) as pos, w.seq, w.nth,
	w.pc, w.visit, w.task, t.tid, t.comm, w.process, w.by_kernel, w.addr, w.len, w.old, w.new,
	pastime.number(w.old) as old_value, pastime.number(w.new) as new_value, w.old <> w.new as changed,
	w.insn, w.module, w.function, w.function_offset, w.source, w.line
from pastime.traced_write w
join pastime.trace c on c.recording = w.recording and c.trace = w.trace
left join pastime.task t on t.recording = w.recording and t.task = w.task;
comment on view pastime.write is 'Every write to what pastime trace --writes was asked for, as far as table coverage says; those that changed nothing, too. Order by seq, nth.';
comment on column pastime.write.variable is 'What was asked for.';
comment on column pastime.write.pos is 'The moment just after the write.';
comment on column pastime.write.nth is 'Order within the interval after event seq; 0 = at the event itself: the kernel wrote. Of variables of more than 24 bytes only within 24 of them.';
comment on column pastime.write.visit is 'Arrivals at pc since event seq.';
comment on column pastime.write.by_kernel is 'Written by event seq: a system call, a signal.';
comment on column pastime.write.addr is 'First address of the watched pieces that were written to.';
comment on column pastime.write.old is 'The bytes before.';
comment on column pastime.write.new is 'The bytes after.';
comment on column pastime.write.old_value is 'The bytes before as a signed integer.';
comment on column pastime.write.new_value is 'The bytes after as a signed integer.';
comment on column pastime.write.changed is 'They differ.';
comment on column pastime.write.insn is 'Address of the instruction that wrote; of the system call''s.';
comment on column pastime.write.module is 'The file that it is in.';
comment on column pastime.write.function is 'The function that it is in.';
comment on column pastime.write.function_offset is 'Bytes from the function''s start.';
comment on column pastime.write.source is 'Source file of the instruction.';
comment on column pastime.write.line is 'Line in the source file.';

create or replace view pastime.function_call as
select k.recording, k.trace, c.subject, pastime.pos(k.seq, k.pc, k.visit) as pos, k.seq, k.nth,
	case when k.exit_seq is not null then pastime.pos(k.exit_seq, k.caller_pc, k.exit_visit) end as exit_pos,
	k.exit_seq, k.exit_nth, k.task, t.tid, t.comm, k.process, k.depth, k.tail,
	case k.ended when 0 then 'open' when 1 then 'returned' when 2 then 'unwound' when 3 then 'died'
		when 4 then 'executed' end as ended,
	k.function, k.arguments, k.args, k.result, k.ret, k.module, k.source, k.line,
	k.caller, k.caller_source, k.caller_line, k.caller_module, k.pc, k.visit, k.sp, k.caller_pc
from pastime.traced_call k
join pastime.trace c on c.recording = k.recording and c.trace = k.trace
left join pastime.task t on t.recording = k.recording and t.task = k.task;
comment on view pastime.function_call is 'Every call of the functions that pastime trace --calls was asked for, as far as table coverage says. Order by seq, nth. System calls are in view call.';
comment on column pastime.function_call.subject is 'The function as it was asked for.';
comment on column pastime.function_call.pos is 'The moment before its first instruction.';
comment on column pastime.function_call.nth is 'Order within the interval after event seq.';
comment on column pastime.function_call.exit_pos is 'The moment after its return; null: it did not return.';
comment on column pastime.function_call.exit_seq is 'The event before its return.';
comment on column pastime.function_call.exit_nth is 'Order within the interval after event exit_seq; in one interval comparable with nth.';
comment on column pastime.function_call.depth is 'Calls that the task was in, this one included; of those functions that were traced together.';
comment on column pastime.function_call.tail is 'Begun by a jump from the call before it, which returns when this one does.';
comment on column pastime.function_call.ended is 'returned; unwound: left by longjmp or an exception; died: its task ended in it; executed: an exec did; open: not up to where it is covered.';
comment on column pastime.function_call.function is 'Its name.';
comment on column pastime.function_call.arguments is 'Arguments by the types of the debug information; without it the six registers, and strings that they point to.';
comment on column pastime.function_call.args is 'The registers rdi, rsi, rdx, rcx, r8, r9 at its entry.';
comment on column pastime.function_call.result is 'What it returned, by its type; null: nothing, or nothing is known.';
comment on column pastime.function_call.ret is 'Register rax at its return.';
comment on column pastime.function_call.module is 'The file that it is in.';
comment on column pastime.function_call.source is 'Its source file.';
comment on column pastime.function_call.line is 'Line in the source file.';
comment on column pastime.function_call.caller is 'The function that called it.';
comment on column pastime.function_call.caller_source is 'Source file of the call.';
comment on column pastime.function_call.caller_line is 'Line of the call.';
comment on column pastime.function_call.caller_module is 'The file that the call is in.';
comment on column pastime.function_call.pc is 'Address of its first instruction.';
comment on column pastime.function_call.visit is 'Arrivals at pc since event seq.';
comment on column pastime.function_call.sp is 'Stack pointer at its entry.';
comment on column pastime.function_call.caller_pc is 'Where it returns to.';

-- The same for one recording.
create schema if not exists this;
comment on schema this is 'The tables and views of schema pastime for the recording that pastime.rec() gives.';

create or replace view this.recording as select * from pastime.recording where recording = pastime.rec();
create or replace view this.event as select * from pastime.event where recording = pastime.rec();
create or replace view this.task as select * from pastime.task where recording = pastime.rec();
create or replace view this.process as select * from pastime.process where recording = pastime.rec();
create or replace view this.image as select * from pastime.image where recording = pastime.rec();
create or replace view this.descriptor as select * from pastime.descriptor where recording = pastime.rec();
create or replace view this.open_file as select * from pastime.open_file where recording = pastime.rec();
create or replace view this.mapping as select * from pastime.mapping where recording = pastime.rec();
create or replace view this.file as select * from pastime.file where recording = pastime.rec();
create or replace view this.mark as select * from pastime.mark where recording = pastime.rec();
create or replace view this.warning as select * from pastime.warning where recording = pastime.rec();
create or replace view this.call as select * from pastime.call where recording = pastime.rec();
create or replace view this.failed_call as select * from pastime.failed_call where recording = pastime.rec();
create or replace view this.timeline as select * from pastime.timeline where recording = pastime.rec();
create or replace view this.delivery as select * from pastime.delivery where recording = pastime.rec();
create or replace view this.failing_signal as select * from pastime.failing_signal where recording = pastime.rec();
create or replace view this.open_descriptor as select * from pastime.open_descriptor where recording = pastime.rec();
create or replace view this.transfer as select * from pastime.transfer where recording = pastime.rec();
create or replace view this.task_group as select * from pastime.task_group where recording = pastime.rec();
create or replace view this.slice as select * from pastime.slice where recording = pastime.rec();
create or replace view this.point as select * from pastime.point where recording = pastime.rec();
create or replace view this.futex_wait as select * from pastime.futex_wait where recording = pastime.rec();
create or replace view this.trace as select * from pastime.trace where recording = pastime.rec();
create or replace view this.coverage as select * from pastime.coverage where recording = pastime.rec();
create or replace view this.write as select * from pastime.write where recording = pastime.rec();
create or replace view this.function_call as select * from pastime.function_call where recording = pastime.rec();
create or replace view this.output as select * from pastime.output where recording = pastime.rec();
-- Not from pastime.process_tree: no condition gets into a recursion, so that it
-- would walk the trees of all recordings.
create or replace view this.process_tree as
with recursive tree as (
	select p.process, 0 as depth, array[p.process] as line
	from this.process p where p.parent is null
	union all
	select p.process, t.depth + 1, t.line || p.process
	from tree t join this.process p on p.parent = t.process
)
select p.recording, t.line, t.depth, p.process, p.pid, p.parent, p.from_seq, p.to_seq, p.from_ns, p.to_ns,
	p.status, pastime.ending(p.status) as ending, p.exe, p.command
from tree t join this.process p on p.process = t.process;

create or replace view this.wait_cycle as
with recursive edge as materialized (
	select w.recording, w.task, w.holder, w.from_seq, coalesce(w.woken_seq, w.to_seq) as to_seq
	from this.futex_wait w where w.holder is not null
), walk as (
	select e.recording, e.holder, array[e.task] as tasks, e.from_seq, e.to_seq from edge e
	union all
	select w.recording, e.holder, w.tasks || e.task, greatest(w.from_seq, e.from_seq), least(w.to_seq, e.to_seq)
	from walk w
	join edge e on e.task = w.holder
		and e.from_seq < coalesce(w.to_seq, e.from_seq + 1) and w.from_seq < coalesce(e.to_seq, w.from_seq + 1)
	where e.task > w.tasks[1] and e.task <> all (w.tasks)
)
select recording, tasks, from_seq, to_seq from walk where holder = tasks[1];

-- What columns mean that occur in many places, and those that views bring. A
-- column of schema "this" means what it does in schema "pastime"; others of a
-- view what the only described column of that name means.
do $$
declare c record; s text;
begin
foreach s in array array['pastime', 'this'] loop
	for c in
		with same as (
			select t.relname, a.attname, pg_catalog.col_description(t.oid, a.attnum) as description
			from pg_catalog.pg_class t
			join pg_catalog.pg_namespace n on n.oid = t.relnamespace and n.nspname = 'pastime'
			join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum > 0
			where s = 'this'
		), said as (
			select a.attname, min(d.description) as description
			from pg_catalog.pg_attribute a
			join pg_catalog.pg_class t on t.oid = a.attrelid and t.relkind in ('r', 'p')
				and t.relname not in ('traced_write', 'traced_call')
			join pg_catalog.pg_namespace n on n.oid = t.relnamespace and n.nspname = 'pastime'
			join pg_catalog.pg_description d on d.objoid = t.oid and d.objsubid = a.attnum
			group by a.attname
			having count(distinct d.description) = 1
		), common (attname, description) as (values
			('recording', 'Number of the recording.'),
			('seq', 'Number of the event; position e<seq> is the moment just after it.'),
			('time_ns', 'Nanoseconds since the recording began.'),
			('dur_ns', 'Nanoseconds from entry to return.'),
			('task', 'Number of the task (thread).'),
			('process', 'Number of the process.'),
			('parent', 'Number of the parent process.'),
			('pid', 'What the program saw as its process id.'),
			('tid', 'What the program saw as its thread id.'),
			('comm', 'Short name of the task.'),
			('from_seq', 'The event that began it.'),
			('to_seq', 'The event that ended it; null: it lasted to the end.'),
			('from_ns', 'When it began, nanoseconds since the recording began.'),
			('to_ns', 'When it ended; null: it lasted to the end.'),
			('status', 'Wait status; null: none yet. See function ending.'),
			('ending', 'How it ended, for people: exit 1, SIGSEGV.'),
			('exe', 'Path of the program.'),
			('argv', 'Its arguments.'),
			('command', 'Command line.'),
			('fd', 'Number of the descriptor.'),
			('file', 'Number of the open file, or of the captured one.'),
			('kind', 'Kind, by number or by name.'),
			('name', 'Name.'),
			('what', 'What it is, in words.'),
			('call', 'System call, by number or by name.'),
			('category', 'Category of the call: file, net, process, ...'),
			('a0', 'Argument 0 as the program passed it.'),
			('a1', 'Argument 1.'), ('a2', 'Argument 2.'), ('a3', 'Argument 3.'),
			('a4', 'Argument 4.'), ('a5', 'Argument 5.'),
			('ret', 'Result; null when there is none yet.'),
			('error', 'Error of a failed call, by number or by name.'),
			('error_name', 'Name of the error of a failed call.'),
			('path', 'Path.'), ('pc', 'Program counter at the event.'),
			('sp', 'Stack pointer at the event.'),
			('note', 'Text: of a warning, a command line, a signal''s name, how a task ended.'),
			('signo', 'Number of the signal.'), ('code', 'Its si_code, or a warning''s code.'),
			('sender_pid', 'Who sent it, as the program saw it.'),
			('address', 'The address of the access that failed.'),
			('position', 'The same moment by an address, e<seq - 1>+<pc>#<arrivals>; null: not counted.'),
			('outcome', 'handler, ignored, fatal, stop, continue.'),
			('handler', 'Address of the handler that ran.'),
			('direction', 'out: from the program; in: to it.'),
			('bytes', 'Bytes that were moved, or stored.'),
			('text', 'The bytes as text.'),
			('local', 'Sockets: the local address.'), ('peer', 'Sockets: the remote address.'),
			('opener', 'The process that opened it; null: it was there at the start.'),
			('line', 'Processes from the first one down to this: order by it.'),
			('depth', 'Distance from the first process.'),
			('space', 'Number of the address space.'),
			('start', 'First address.'), ('len', 'Bytes.'), ('prot', 'PROT_ bits.'), ('flags', 'MAP_ bits; of events see pastime.event.'),
			('size', 'Bytes.'), ('mtime_ns', 'Time of the last change, nanoseconds since 1970.'),
			('mode', 'Type and permissions.'), ('dev', 'Device.'), ('ino', 'Inode.'),
			('from_byte', 'The first captured byte.'),
			('file_offset', 'Offset in the file, bytes.'),
			('shared', 'Several spaces see the same memory.'),
			('share_group', 'Tasks of one share group run one at a time.'),
			('events', 'Number of events.'), ('why', 'Why it ended.'),
			('next_task', 'The task that ran next; null: none did.'),
			('op', 'What was done: WAIT, LOCK_PI.'), ('waited_ns', 'For how long, nanoseconds.'),
			('waker', 'The task that woke it, as far as it can be told.'), ('woken_seq', 'The event by which it was woken.'),
			('holder', 'The task that held what it waited for; null: not known.'),
			('tasks', 'Each waits for the next, the last for the first.'),
			('pos', 'Position.'), ('nth', 'Order within the interval after event seq.'), ('visit', 'Arrivals at pc since event seq.'),
			('trace', 'Number of the trace.'), ('made', 'When it was made.'),
			('version', 'Version.'), ('hash', 'XXH3-64 of the text.'),
			('applied', 'When.'), ('program', 'Version of pastime.'),
			('value', 'Value.'), ('last', 'The last one given out.'),
			('first_seq', 'Its first event.'), ('data', 'Bytes.'),
			('pack', 'Which pack.'), ('blobs', 'Number, or ids, of the blobs.'),
			('stored', 'When.'), ('at', 'Offset in the pack, bytes.')
		)
		select t.oid, n.nspname, t.relname, t.relkind, a.attname,
			coalesce(m.description, o.description, d.description) as description
		from pg_catalog.pg_class t
		join pg_catalog.pg_namespace n on n.oid = t.relnamespace
		join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
		left join same m on m.relname = t.relname and m.attname = a.attname
		left join common o on o.attname = a.attname
		left join said d on d.attname = a.attname and t.relkind = 'v'
		where n.nspname = s and t.relkind in ('r', 'p', 'v')
			and pg_catalog.col_description(t.oid, a.attnum) is null
			and coalesce(m.description, o.description, d.description) is not null
	loop
		execute pg_catalog.format('comment on column %I.%I.%I is %L', c.nspname, c.relname, c.attname, c.description);
	end loop;
end loop;
	for c in
		select v.relname, pg_catalog.obj_description(t.oid, 'pg_class') as description
		from pg_catalog.pg_class v
		join pg_catalog.pg_namespace n on n.oid = v.relnamespace and n.nspname = 'this'
		join pg_catalog.pg_class t on t.relname = v.relname
		join pg_catalog.pg_namespace m on m.oid = t.relnamespace and m.nspname = 'pastime'
		where v.relkind = 'v'
	loop
		execute pg_catalog.format('comment on view this.%I is %L', c.relname, c.description);
	end loop;
end
$$;
