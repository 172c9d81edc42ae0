-- Checkpoints that pastime index stores, to go to without a replay from the start.

create table pastime.checkpoint (
	recording bigint not null,
	seq bigint not null,
	version int not null,
	work_ns bigint not null,
	state uuid[] not null,
	state_len bigint not null,
	bytes bigint not null,
	made timestamptz not null default now(),
	primary key (recording, seq)
);
comment on table pastime.checkpoint is 'Stored checkpoints of recordings, made by pastime index: a replay can begin at any of them.';
comment on column pastime.checkpoint.version is 'Of its form; others than the program''s own are not used.';
comment on column pastime.checkpoint.work_ns is 'How long a replay from the start to there took.';
comment on column pastime.checkpoint.state is 'The blobs that it is made of; they name further ones, which hold memory.';
comment on column pastime.checkpoint.state_len is 'Bytes of state.';
comment on column pastime.checkpoint.bytes is 'Compressed bytes that were stored for it, what earlier ones had not been counted.';

alter table pastime.recording_pack add column indexed boolean not null default false;
comment on column pastime.recording_pack.indexed is 'It is needed by stored checkpoints alone.';
