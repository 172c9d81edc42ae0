# execs
info symbol main
break first
break second
reverse-continue
print stage
reverse-continue
print stage
reverse-continue
