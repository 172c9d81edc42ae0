-- Who waited for which futex, for how long, woken by whom; who held it, and the
-- circle of tasks that it closes: a deadlock.
select w.task, w.comm, to_hex(w.addr) as futex, w.from_seq, w.waited_ns / 1000 as waited_us, w.outcome,
	w.waker, w.woken_seq, w.holder, c.tasks as deadlock
from this.futex_wait w
left join this.wait_cycle c on w.task = any (c.tasks) and (w.to_seq is null or w.to_seq > c.from_seq) and w.holder is not null
order by w.waited_ns desc nulls first;
