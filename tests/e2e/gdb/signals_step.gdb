# signals --at start
handle SIGUSR1 nostop noprint pass
handle SIGALRM nostop noprint pass
break 26
continue
next
print handled
next
next
print handled
reverse-next
reverse-next
reverse-next
print handled
