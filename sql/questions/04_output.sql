-- What each process printed, as text, in order (up to a moment: add "and seq <= 1234").
select seq, process, pid, fd, text
from this.output
where fd in (1, 2)
order by seq;
