# watch
watch alice.balance
reverse-continue
print alice.balance
reverse-continue
print alice.balance
reverse-continue
continue
print alice.balance
continue
print alice.balance
