-- The process tree with command lines, lifetimes and how each ended.
select repeat('  ', depth) || coalesce(command, exe, '') as command, pid,
	from_ns / 1000000 as from_ms, to_ns / 1000000 as to_ms, ending
from this.process_tree
order by line;
