# watch --at start
break pay
continue
watch -location to->balance
finish
continue
reverse-continue
reverse-continue
