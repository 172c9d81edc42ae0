# forks --at start
set follow-fork-mode child
break in_child
continue
seek start
print count
info inferiors
delete
break in_parent
continue
seek end
print count
