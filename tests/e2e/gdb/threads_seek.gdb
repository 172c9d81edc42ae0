# threads --at start
info threads
seek end
print mine
info inferiors
seek start
info threads
print waiting
