# diverts --at start
break here
continue
print crash(0)
bt
print counter
reverse-stepi
bt
continue
call take_lock()
frame function take_lock
reverse-stepi
continue
call leave()
frame function leave
reverse-stepi
continue
break add
print add(7)
bt
print counter
next
print counter
finish
print counter
continue
bt
print counter
