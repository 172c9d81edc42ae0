-- Which process opened a path, and what it sent over a socket afterwards.
select o.path, o.process, p.command, o.seq as opened, t.seq as sent, t.peer, t.bytes, pastime.text(t.data) as text
from this.call o
join this.process p using (process)
join this.transfer t on t.process = o.process and t.seq > o.seq and t.direction = 'out' and t.kind = 'socket'
where o.name in ('open', 'openat', 'openat2') and o.error is null and o.path !~ '^/(etc|lib|usr|proc|sys|dev)'
order by o.seq, t.seq;
