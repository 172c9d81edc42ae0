-- pastime-schema.7 from the catalog of a database: psql -qAt -f. The result is
-- kept in man/; tests/e2e/schema.sh says when it must be made again.
create function pg_temp.roff(text) returns text language sql immutable as $$
	select regexp_replace(replace(coalesce($1, ''), '\', '\e'),
		'^([.''])', '\&\1')
$$;

create view pg_temp.shown as
select c.oid, c.relname as name, c.relkind = 'v' as is_view,
	obj_description(c.oid, 'pg_class') as what
from pg_class c
where c.relnamespace = 'pastime'::regnamespace
	and c.relkind in ('r', 'p', 'v', 'f')
	and (c.relname in ('kind', 'syscall', 'errno', 'signal')
		or exists (select from pg_class v
			where v.relnamespace = 'this'::regnamespace
			and v.relname = c.relname));

with line(part, name, n, text) as (
	select 1, '', 0, $$.TH PASTIME\-SCHEMA 7 "" pastime "pastime manual"
.SH NAME
pastime\-schema \- what a recording looks like in SQL
.SH SYNOPSIS
.B pastime sql
[\fIREC\fR] [\fIQUERY\fR]
.SH DESCRIPTION
In
.B pastime sql
the names below stand for one recording: the one that
.B rec()
and
.B :rec
name. Qualified with the schema
.RI ( pastime.call )
they stand for all recordings, told apart by the column
.IR recording .
.PP
Views are made for people and stay compatible; tables may change with the version of
the schema. Times are nanoseconds since the recording began. A
.I seq
is the number of an event, and
.B pos(seq)
the position just after it, which every command takes.$$
	union all
	select 2, '', 0, '.SH VIEWS'
	union all
	select 4, '', 0, '.SH TABLES'
	union all
	select case when is_view then 3 else 5 end, name, 0,
		'.SS ' || name || e'\n' || pg_temp.roff(what)
	from pg_temp.shown
	union all
	select case when s.is_view then 3 else 5 end, s.name, 1,
		e'.PP\n' || string_agg('\fB' || a.attname || '\fR ' ||
			format_type(a.atttypid, a.atttypmod), ', '
			order by a.attnum)
	from pg_temp.shown s
	join pg_attribute a on a.attrelid = s.oid
	where a.attnum > 0 and not a.attisdropped
	group by s.is_view, s.name
	union all
	select case when s.is_view then 3 else 5 end, s.name, a.attnum + 1,
		e'.TP\n.B ' || a.attname || e'\n' ||
		pg_temp.roff(col_description(s.oid, a.attnum))
	from pg_temp.shown s
	join pg_attribute a on a.attrelid = s.oid
	where a.attnum > 0 and not a.attisdropped
		and col_description(s.oid, a.attnum) is not null
	union all
	select 6, '', 0, '.SH FUNCTIONS'
	union all
	select 7, p.proname, 0, e'.TP\n.BR ' || p.proname || ' "(' ||
		pg_get_function_arguments(p.oid) || ') ' ||
		regexp_replace(pg_get_function_result(p.oid), '^TABLE\((.*)\)$',
			e'table"\nColumns: \\1.\n.br') ||
		case when p.proretset then e'\n' else e'"\n' end ||
		pg_temp.roff(obj_description(p.oid, 'pg_proc'))
	from pg_proc p
	where p.pronamespace = 'pastime'::regnamespace
	union all
	select 8, '', 0, $$.SH SEE ALSO
.BR pastime\-sql (1),
.BR pastime (1)$$
)
select text from line order by part, name collate "C", n;
