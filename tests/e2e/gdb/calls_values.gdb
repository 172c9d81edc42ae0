# calls --at start
break 55
continue
print m
print n
print third > 0.33 && third < 0.34
print half
print half * 2
print corner
print &corner.x == (int *) &corner
ptype corner
whatis f
print *f
info locals
print $_
print sizeof(struct point)
output m
display corner.x
next
next
undisplay 1
