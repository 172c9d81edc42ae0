# calls --at start
tbreak main
continue
next
next
step
step
step
info frame
bt
next
next
next
next
