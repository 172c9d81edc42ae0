# crash
info registers rip
print $pc == $rip
print $sp == $rsp
print $eflags
print $mxcsr
print $cs
print $orig_rax
print $fs_base != 0
print sizeof($xmm0)
print sizeof($ymm0)
print $ftag
print $fctrl
print $st0
x/i $pc
print $_gdb_setting("sysroot")
