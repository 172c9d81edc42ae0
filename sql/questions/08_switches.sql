-- Who had the CPU from when to when, and why each turn ended (between two
-- positions: add "and s.from_seq between 100 and 200"). Groups run side by side.
select s.share_group, s.task, s.comm, s.from_seq, s.to_seq, s.from_ns / 1000 as from_us,
	(s.to_ns - s.from_ns) / 1000 as us, s.events, s.why, s.next_task
from this.slice s
where s.next_task is not null
order by s.from_seq;
