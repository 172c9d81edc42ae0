# execs --at start
catch exec
continue
break second
continue
print stage
delete
seek start
print stage
break first
continue
seek end
print stage
info breakpoints
