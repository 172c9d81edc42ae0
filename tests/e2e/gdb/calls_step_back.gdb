# calls --at start
break move
continue
reverse-next
reverse-next
reverse-step
reverse-step
bt
reverse-step
reverse-next
next
