-- Stored checkpoints in the code between two events, not only at events.

alter table pastime.checkpoint add column part bigint not null default 0;
alter table pastime.checkpoint drop constraint checkpoint_pkey;
alter table pastime.checkpoint add primary key (recording, seq, part);
comment on column pastime.checkpoint.part is '0: at the event; 1 and so on: in the code that runs behind it, in order.';
