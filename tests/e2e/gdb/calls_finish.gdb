# calls --at start
break leaf
continue
finish
print r
reverse-finish
bt
continue
reverse-finish
bt
delete
step
step
finish
finish
step
step
