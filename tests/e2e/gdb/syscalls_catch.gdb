# watch --at start
break fill
continue
catch syscall pipe2 read
continue
print $rax
bt -1
continue
print $rax
reverse-continue
reverse-continue
delete
catch syscall exit_group
continue
