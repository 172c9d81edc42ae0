# watch --at start
break main
continue
watch alice.balance
continue
continue
continue
bt
info watchpoints
