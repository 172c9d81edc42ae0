-- What replays count: positions of execution points by their addresses.

create table pastime.arrival (
	recording bigint not null,
	seq bigint not null,
	arrivals bigint not null,
	primary key (recording, seq)
);
comment on table pastime.arrival is 'How often the instruction of an execution point was reached in the code that ends there, the point included; counted by replays. See view point.';
comment on column pastime.arrival.arrivals is 'N of the position e<seq - 1>+<pc>#N.';
