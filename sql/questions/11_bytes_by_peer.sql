-- Bytes sent to and received from each remote address.
select peer, sum(bytes) filter (where direction = 'out') as sent,
	sum(bytes) filter (where direction = 'in') as received, count(*) as calls
from this.transfer
where kind = 'socket' and peer is not null
group by peer
order by peer;
