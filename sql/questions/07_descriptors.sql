-- Descriptors: open at the end, inherited through exec by a program that never opened them, used after close.
select 'open at the end' as what, process, fd, kind, name, from_seq as seq
from this.open_descriptor where to_seq is null
union all
select 'leaked across exec', d.process, d.fd, d.kind, d.name, i.from_seq
from this.image i
join this.open_descriptor d on d.process = i.process and d.fd > 2 and d.opener is not null
	and d.from_seq < i.from_seq and (d.to_seq is null or d.to_seq > i.from_seq)
union all
select 'used after close', process, fd, null, name, seq
from this.failed_call where error_name = 'EBADF' and fd >= 0
order by 1, 2, 3, 6;
