# calls --at start
break leaf
continue
bt
continue
print a
info breakpoints
reverse-continue
print a
reverse-continue
