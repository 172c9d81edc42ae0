create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 30000)
insert into t select x, hex(x * 7919) from c;
create index i on t(b);
select count(*), sum(length(b)) from t where b like '3%';
