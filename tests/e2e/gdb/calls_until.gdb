# calls --at start
break main
continue
advance factorial
bt
until 16
print n
advance 54
print m
tbreak move
continue
info breakpoints
