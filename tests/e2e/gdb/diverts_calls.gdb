# diverts --at start
break here
continue
print add(5)
print add(5)
print counter
print scale(1.5, 2)
print (long)strlen(name)
print (int)strcmp("same", "same")
call say("said in a call\n")
call (int)puts("printed in a call")
call (int)printf("%d and %s\n", counter, name)
print outside()
print grow(5000000) != 0
up
print add(1)
down
finish
print heap
print add(100)
next
print counter
reverse-continue
print add(2)
print heap
print $_siginfo.si_signo
set var counter = 99
print counter
