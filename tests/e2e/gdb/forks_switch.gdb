# forks --at start
break in_parent
continue
eval "process %d", pid
bt -1
print count
break 21
continue
print count
next
next
print count
help process
process 1
