# crash
x/d &counter
x/x 0
x/16xb 0x10
print *(int *) 0x10
print &counter > 0
python print(gdb.execute('info auxv', to_string=True).count('AT_ENTRY'))
python import re; print(len(re.findall('r-xp.*crash', gdb.execute('info proc mappings', to_string=True))))
python print('[stack]' in gdb.execute('info proc mappings', to_string=True))
info sharedlibrary
info proc exe
find &counter, +8, 5
print $_siginfo._sifields._sigfault.si_addr
print (long) &set < (long) &main
info line main
info symbol set
list crash
