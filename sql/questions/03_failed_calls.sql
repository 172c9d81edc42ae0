-- Every failed call by error and path; opens of missing files that were repeated come first.
select error_name, name, path, count(*) as times, min(seq) as first_seq, max(seq) as last_seq
from this.failed_call
group by error_name, name, path
order by times desc, error_name, name, path;
