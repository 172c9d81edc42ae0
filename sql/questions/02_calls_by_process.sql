-- System calls by count, total time, median and 99th percentile, errors; per process.
select process, pid, name, count(*) as calls, sum(dur_ns) as total_ns,
	percentile_disc(0.5) within group (order by dur_ns) as p50_ns,
	percentile_disc(0.99) within group (order by dur_ns) as p99_ns,
	count(error) as errors
from this.call
group by process, pid, name
order by total_ns desc nulls last, process, name;
