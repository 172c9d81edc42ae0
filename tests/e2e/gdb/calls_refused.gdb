# calls --at start
break leaf
continue
print factorial(3)
call middle(1)
set var b = 3
jump main
return
print a
bt
