# signals --at start
set print frame-arguments none
continue
bt -1
print handled
continue
print last
continue
continue
reverse-continue
reverse-continue
print $_siginfo.si_signo
reverse-continue
reverse-continue
