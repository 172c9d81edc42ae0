# watch --at start
break sum
continue
monitor when
monitor checkpoint
monitor events 2
monitor events 0
monitor events many
watch s if s > 1000
continue
print i
print s
continue
reverse-continue
print s
reverse-continue
monitor seek start
monitor seek 50%
monitor seek end
reverse-continue
