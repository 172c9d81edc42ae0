# threads
break wait_here
reverse-continue
print number
thread name
thread
reverse-continue
print number
thread
delete
break 26 thread 2
continue
print number
