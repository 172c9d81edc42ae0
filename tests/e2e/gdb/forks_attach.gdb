# forks --at start
break in_parent
continue
set $child = pid
add-inferior
inferior 2
eval "attach %d", $child
info inferiors
bt -1
print count
inferior 1
print count
detach inferiors 2
info threads
