# calls
break leaf
run
continue
print a
kill
run
continue
print a
