# calls --at start
break factorial
continue
delete
set $at = $pc
set $top = $sp
stepi
stepi
stepi
stepi 20
nexti
set $there = $pc
reverse-nexti
reverse-stepi 20
reverse-stepi
reverse-stepi
reverse-stepi
print $pc == $at
print $sp == $top
stepi 23
nexti
print $pc == $there
