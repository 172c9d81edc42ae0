# execs --at start
break first
break second
continue
next
next
continue
print stage
info inferiors
bt
next
next
continue
