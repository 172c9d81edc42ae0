# crash
x/d &counter
x/x 0
x/16xb 0x10
print *(int *) 0x10
print &counter > 0
pipe info auxv | grep -c AT_ENTRY
pipe info proc mappings | grep -c r-xp.*crash
pipe info proc mappings | grep -o .stack.
info sharedlibrary
info proc exe
find &counter, +8, 5
print $_siginfo._sifields._sigfault.si_addr
print (long) &set < (long) &main
info line main
info symbol set
list crash
