# forks --at start
break in_parent
continue
print count
next
next
next
print count
print status
continue
info inferiors
