-- Mappings end. What is derived from chunks is derived anew.

alter table pastime.mapping add column to_seq bigint;
comment on table pastime.mapping is 'Mappings of address spaces, from the event that made each to the one that changed or ended it; a part that was unmapped or protected otherwise splits its mapping.';
comment on column pastime.mapping.to_seq is 'The event that ended it; null: there at the end. There at seq: from_seq <= seq and (to_seq is null or to_seq > seq).';
comment on column pastime.event.data is 'The bytes that the call wrote or sent, up to 1 MB; of what it read or received the first 4,096 bytes; of a futex wait (kind enter) the word and the 8 bytes behind it.';

truncate pastime.task, pastime.process, pastime.image, pastime.descriptor, pastime.open_file, pastime.mapping,
	pastime.file, pastime.warning;
update pastime.recording set intervals_upto = 0;
