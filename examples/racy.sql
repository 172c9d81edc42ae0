-- The first payment that was lost: a teller read the balance, the other one wrote
-- another, and the first wrote its own over it.
select r.pid as teller,
	pos(r.seq) as read_at, trim(text(r.data)) as read,
	other.pid as other, pos(other.seq) as other_wrote_at,
	trim(text(other.data)) as other_wrote,
	pos(w.seq) as overwritten_at, trim(text(w.data)) as wrote
from call r
cross join lateral (select * from call where name = 'pwrite64'
	and pid = r.pid and seq > r.seq order by seq limit 1) w
cross join lateral (select * from call where name = 'pwrite64'
	and pid <> r.pid and seq > r.seq and seq < w.seq
	order by seq limit 1) other
where r.name = 'pread64'
order by r.seq
limit 1;
