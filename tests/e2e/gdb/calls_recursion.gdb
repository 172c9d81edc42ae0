# calls --at start
break factorial if n == 1
continue
bt
up 2
print n
reverse-continue
delete
break factorial
continue
continue
print n
reverse-continue
print n
ignore 2 3
continue
print n
