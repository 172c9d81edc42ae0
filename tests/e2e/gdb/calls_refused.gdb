# calls --at start
break leaf
continue
set var b = 3
jump main
return
print a
bt
