# forks --at start
set detach-on-fork off
set schedule-multiple on
catch fork
continue
delete
break in_child
break 29
continue
thread
print count
continue
print count
thread
continue
info inferiors
inferior 1
continue
print count
reverse-continue
print count
