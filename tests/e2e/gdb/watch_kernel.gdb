# watch --at start
break fill
continue
watch *(long *) line
continue
bt -1
delete
next
seek end
watch line[0]
reverse-continue
frame function main
reverse-continue
frame function fill
print line
reverse-continue
