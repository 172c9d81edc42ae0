# forks --at start
break in_parent
continue
monitor processes
pipe info os processes | grep -c forks
next
next
next
monitor processes
print status
