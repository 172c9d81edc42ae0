-- The first payment that was lost: the last balance that was written before a
-- teller wrote was the other one's, and not the one that the teller had read.
select r.pid as teller,
	pos(r.seq) as read_at, trim(text(r.data)) as read,
	other.pid as other, pos(other.seq) as other_wrote_at,
	trim(text(other.data)) as other_wrote,
	pos(w.seq) as overwritten_at, trim(text(w.data)) as wrote
from call r
cross join lateral (select * from call where name = 'pwrite64'
	and pid = r.pid and seq > r.seq order by seq limit 1) w
cross join lateral (select * from call where name = 'pwrite64'
	and seq < w.seq order by seq desc limit 1) other
where r.name = 'pread64' and other.pid <> r.pid
	and trim(text(other.data)) <> trim(text(r.data))
order by r.seq
limit 1;
