# forks --at start
break in_parent
continue
monitor processes
python print(gdb.execute('info os processes', to_string=True).count('forks'))
next
next
next
next
monitor processes
print status
