# threads --at start
break wait_here
continue
print number
thread
continue
print number
info threads
next
next
print mine
reverse-continue
reverse-continue
print number
