# threads
info threads 2-4
thread apply all -q -s frame function wait_here
thread apply all -q print mine
thread apply all -q -s print number
thread 2
frame function worker
print *(int *) arg
frame function wait_here
print text
thread 4
print mine
print $_siginfo.si_signo
print waiting
thread name other
thread find worker-2
