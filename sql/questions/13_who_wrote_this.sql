-- Who wrote this, last of all and before: after pastime trace --writes VAR.
select w.pos, w.tid, w.comm, case when w.by_kernel then 'kernel' else w.function end as writer, w.source, w.line,
	coalesce(w.old_value::text, pastime.text(w.old)) as old, coalesce(w.new_value::text, pastime.text(w.new)) as new
from this.write w
order by w.seq desc, w.nth desc;
