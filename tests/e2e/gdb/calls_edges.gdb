# calls
continue
reverse-stepi
reverse-continue
reverse-stepi
reverse-continue
stepi
continue
stepi
when
