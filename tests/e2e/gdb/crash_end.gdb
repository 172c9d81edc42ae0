# crash
bt
info threads
print counter
print p
print $_siginfo.si_signo
print $_exitcode
info inferiors
when
