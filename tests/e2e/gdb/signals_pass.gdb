# signals --at start
handle SIGUSR1 nostop noprint pass
handle SIGALRM nostop noprint pass
break handler
continue
bt -1
continue
finish
print handled
delete
continue
