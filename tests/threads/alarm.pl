use Time::HiRes qw(ualarm);
my ($n, $h) = (0, 1);
$SIG{ALRM} = sub { $n++; ualarm(2000) if $n < 40; };
ualarm(2000);
while ($n < 40) { $h = ($h * 31 + 7) % 1000003 }
print "alarms $n\n";
