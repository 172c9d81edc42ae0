# watch --at start
break main
continue
rwatch total
continue
awatch bob.balance
continue
continue
continue
continue
info watchpoints
