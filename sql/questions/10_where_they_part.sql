-- Where two recordings of a command part: this one and the next one of the same
-- command (or any two: first_difference(12, 14)). "pastime diff" looks closer.
select d.what, d.pos_a, d.event_a, d.pos_b, d.event_b
from pastime.first_difference(pastime.rec(), (select min(r.recording) from pastime.recording r
	where r.command = (select command from this.recording) and r.recording > pastime.rec())) d;
