-- The last 50 events before the failing signal, all tasks interleaved.
select seq, task, comm, kind, call, ret, error, path, note
from this.timeline
where seq <= (select max(seq) from this.failing_signal)
order by seq desc
limit 50;
