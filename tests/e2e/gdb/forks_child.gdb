# forks --at start
set follow-fork-mode child
break in_child
continue
print pid
print count
next
next
print count
continue
reverse-continue
reverse-continue
