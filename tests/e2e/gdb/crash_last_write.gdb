# crash
watch counter
reverse-continue
bt
reverse-continue
info locals
up
print n
