# signals --at start
set print frame-arguments none
catch signal SIGALRM
handle SIGUSR1 nostop noprint
continue
print handled
catch signal SIGUSR1
reverse-continue
print handled
continue
continue
print handled
