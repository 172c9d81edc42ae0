-- Bytes sent to and received from each remote address; where the program never
-- asked who connected, the address that it accepted the connection on.
select coalesce(peer, 'accepted on ' || local) as peer, sum(bytes) filter (where direction = 'out') as sent,
	sum(bytes) filter (where direction = 'in') as received, count(*) as calls
from this.transfer
where kind = 'socket' and coalesce(peer, local) is not null
group by 1
order by 1;
