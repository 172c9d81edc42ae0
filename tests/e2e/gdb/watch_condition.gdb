# watch --at start
break sum
continue
next
watch s if s > 1000
continue
print i
print s
continue
print i
disable
reverse-continue
