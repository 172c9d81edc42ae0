-- Memory that is writable and executable; uses of setuid, ptrace, process_vm_writev.
select seq, process, pid, name, a0, a1, a2, ret, error_name
from this.call
where (name in ('mmap', 'mprotect', 'pkey_mprotect') and a2 & 6 = 6 and error is null)
	or name in ('setuid', 'setreuid', 'setresuid', 'ptrace', 'process_vm_writev')
order by seq;
