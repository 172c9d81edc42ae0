# watch --at start
break sum
continue
next
watch s if s > 5000
continue
print i
delete 1
continue
