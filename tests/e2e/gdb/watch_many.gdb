# watch
watch alice
watch bob
watch line
watch total
print sizeof(line)
hbreak pay
reverse-continue
delete
hbreak pay
reverse-continue
print amount
info breakpoints
