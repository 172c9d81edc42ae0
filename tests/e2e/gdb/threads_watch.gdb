# threads
watch waiting
reverse-continue
print number
thread
reverse-continue
print number
thread
reverse-continue
continue
continue
