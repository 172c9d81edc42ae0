-- Every call of a function, in order, with what it was given and returned:
-- after pastime trace --calls FUNC.
select f.pos, f.tid, repeat('  ', f.depth - 1) || f.function || '(' || f.arguments || ')' as call, f.result, f.ended, f.caller, f.caller_line
from this.function_call f
order by f.seq, f.nth;
