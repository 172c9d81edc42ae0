# crash --at start
info symbol $pc
print $rdx
seek end
bt
print counter
monitor seek e999999
monitor seek nonsense
monitor seek
monitor nothing
monitor when now
monitor help
monitor checkpoint
seek 0%
print counter
help seek
seek
