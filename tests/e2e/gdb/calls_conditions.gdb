# calls --at end
break leaf if a == 7
break factorial if n > 2 && n < 5
reverse-continue
print n
reverse-continue
reverse-continue
reverse-continue
condition 1 a != 7
continue
print a
continue
continue
disable 2
reverse-continue
reverse-continue
