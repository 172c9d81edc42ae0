-- Which process opened a path, and what it sent over sockets afterwards.
with sent as materialized (
	select * from this.transfer where direction = 'out' and kind = 'socket'
)
select o.path, o.process, p.command, o.seq as opened_at, s.seq as sent_at, s.peer, s.bytes, pastime.text(s.data) as text
from sent s
join this.call o on o.process = s.process and o.seq < s.seq
join this.process p on p.process = o.process
where o.name in ('open', 'openat', 'openat2') and o.error is null and o.path !~ '^/(etc|lib|usr|proc|sys|dev)'
order by o.seq, s.seq;
