# diverts --at start
break here
continue
set unwindonsignal on
print crash(0)
print add(3)
print counter
monitor seek end
print counter
print add(4)
reverse-continue
print counter
print add(5)
watch counter
print add(6)
continue
print counter
thread 2
print add(1)
thread 1
print counter
call (int)printf("%s\n", "two strings")
print (int)strcmp("one", "two") != 0
return
jump main
set var $rax = 1
