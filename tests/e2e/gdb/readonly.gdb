# crash
print counter = 7
print counter
print $rax = 1
print $rax != 1
kill
