/* Names of numbers that are the same for every call. */
#include <stdio.h>

#include "base/mem.h"
#include "event/format.h"
#include "event/format_priv.h"

#define SIGNAL_RT 32 /* the kernel's first real-time signal */
#define SIGNAL_LAST 64

/* clang-format off */
static const char *const signals[] = {
	[1] = "SIGHUP", [2] = "SIGINT", [3] = "SIGQUIT", [4] = "SIGILL",
	[5] = "SIGTRAP", [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE",
	[9] = "SIGKILL", [10] = "SIGUSR1", [11] = "SIGSEGV", [12] = "SIGUSR2",
	[13] = "SIGPIPE", [14] = "SIGALRM", [15] = "SIGTERM",
	[16] = "SIGSTKFLT", [17] = "SIGCHLD", [18] = "SIGCONT",
	[19] = "SIGSTOP", [20] = "SIGTSTP", [21] = "SIGTTIN",
	[22] = "SIGTTOU", [23] = "SIGURG", [24] = "SIGXCPU", [25] = "SIGXFSZ",
	[26] = "SIGVTALRM", [27] = "SIGPROF", [28] = "SIGWINCH",
	[29] = "SIGIO", [30] = "SIGPWR", [31] = "SIGSYS",
};

static const char *const errors[] = {
	[1] = "EPERM", [2] = "ENOENT", [3] = "ESRCH", [4] = "EINTR",
	[5] = "EIO", [6] = "ENXIO", [7] = "E2BIG", [8] = "ENOEXEC",
	[9] = "EBADF", [10] = "ECHILD", [11] = "EAGAIN", [12] = "ENOMEM",
	[13] = "EACCES", [14] = "EFAULT", [15] = "ENOTBLK", [16] = "EBUSY",
	[17] = "EEXIST", [18] = "EXDEV", [19] = "ENODEV", [20] = "ENOTDIR",
	[21] = "EISDIR", [22] = "EINVAL", [23] = "ENFILE", [24] = "EMFILE",
	[25] = "ENOTTY", [26] = "ETXTBSY", [27] = "EFBIG", [28] = "ENOSPC",
	[29] = "ESPIPE", [30] = "EROFS", [31] = "EMLINK", [32] = "EPIPE",
	[33] = "EDOM", [34] = "ERANGE", [35] = "EDEADLK",
	[36] = "ENAMETOOLONG", [37] = "ENOLCK", [38] = "ENOSYS",
	[39] = "ENOTEMPTY", [40] = "ELOOP", [42] = "ENOMSG", [43] = "EIDRM",
	[44] = "ECHRNG", [45] = "EL2NSYNC", [46] = "EL3HLT", [47] = "EL3RST",
	[48] = "ELNRNG", [49] = "EUNATCH", [50] = "ENOCSI", [51] = "EL2HLT",
	[52] = "EBADE", [53] = "EBADR", [54] = "EXFULL", [55] = "ENOANO",
	[56] = "EBADRQC", [57] = "EBADSLT", [59] = "EBFONT", [60] = "ENOSTR",
	[61] = "ENODATA", [62] = "ETIME", [63] = "ENOSR", [64] = "ENONET",
	[65] = "ENOPKG", [66] = "EREMOTE", [67] = "ENOLINK", [68] = "EADV",
	[69] = "ESRMNT", [70] = "ECOMM", [71] = "EPROTO", [72] = "EMULTIHOP",
	[73] = "EDOTDOT", [74] = "EBADMSG", [75] = "EOVERFLOW",
	[76] = "ENOTUNIQ", [77] = "EBADFD", [78] = "EREMCHG",
	[79] = "ELIBACC", [80] = "ELIBBAD", [81] = "ELIBSCN",
	[82] = "ELIBMAX", [83] = "ELIBEXEC", [84] = "EILSEQ",
	[85] = "ERESTART", [86] = "ESTRPIPE", [87] = "EUSERS",
	[88] = "ENOTSOCK", [89] = "EDESTADDRREQ", [90] = "EMSGSIZE",
	[91] = "EPROTOTYPE", [92] = "ENOPROTOOPT", [93] = "EPROTONOSUPPORT",
	[94] = "ESOCKTNOSUPPORT", [95] = "EOPNOTSUPP", [96] = "EPFNOSUPPORT",
	[97] = "EAFNOSUPPORT", [98] = "EADDRINUSE", [99] = "EADDRNOTAVAIL",
	[100] = "ENETDOWN", [101] = "ENETUNREACH", [102] = "ENETRESET",
	[103] = "ECONNABORTED", [104] = "ECONNRESET", [105] = "ENOBUFS",
	[106] = "EISCONN", [107] = "ENOTCONN", [108] = "ESHUTDOWN",
	[109] = "ETOOMANYREFS", [110] = "ETIMEDOUT", [111] = "ECONNREFUSED",
	[112] = "EHOSTDOWN", [113] = "EHOSTUNREACH", [114] = "EALREADY",
	[115] = "EINPROGRESS", [116] = "ESTALE", [117] = "EUCLEAN",
	[118] = "ENOTNAM", [119] = "ENAVAIL", [120] = "EISNAM",
	[121] = "EREMOTEIO", [122] = "EDQUOT", [123] = "ENOMEDIUM",
	[124] = "EMEDIUMTYPE", [125] = "ECANCELED", [126] = "ENOKEY",
	[127] = "EKEYEXPIRED", [128] = "EKEYREVOKED", [129] = "EKEYREJECTED",
	[130] = "EOWNERDEAD", [131] = "ENOTRECOVERABLE", [132] = "ERFKILL",
	[133] = "EHWPOISON",
};
/* clang-format on */

const char *
signal_name(int signo)
{
	static _Thread_local char text[24];

	if (signo > 0 && signo < SIGNAL_RT)
		return signals[signo];
	if (signo >= SIGNAL_RT && signo <= SIGNAL_LAST)
		snprintf(text, sizeof(text), "SIGRT%d", signo - SIGNAL_RT);
	else
		snprintf(text, sizeof(text), "signal %d", signo);
	return text;
}

const char *
errno_name(int err)
{
	static _Thread_local char text[24];

	if (err > 0 && (size_t)err < ARRAY_LEN(errors) && errors[err])
		return errors[err];
	snprintf(text, sizeof(text), "errno %d", err);
	return text;
}

const char *
si_code_name(int signo, int code)
{
	static const char *const chld[] = { "CLD_EXITED",  "CLD_KILLED",
					    "CLD_DUMPED",  "CLD_TRAPPED",
					    "CLD_STOPPED", "CLD_CONTINUED" };
	static const char *const segv[] = { "SEGV_MAPERR", "SEGV_ACCERR",
					    "SEGV_BNDERR", "SEGV_PKUERR" };
	static const char *const bus[] = { "BUS_ADRALN", "BUS_ADRERR",
					   "BUS_OBJERR" };
	static const char *const fpe[] = { "FPE_INTDIV", "FPE_INTOVF",
					   "FPE_FLTDIV", "FPE_FLTOVF",
					   "FPE_FLTUND", "FPE_FLTRES",
					   "FPE_FLTINV", "FPE_FLTSUB" };
	static const char *const ill[] = { "ILL_ILLOPC", "ILL_ILLOPN",
					   "ILL_ILLADR", "ILL_ILLTRP",
					   "ILL_PRVOPC", "ILL_PRVREG",
					   "ILL_COPROC", "ILL_BADSTK" };
	static const char *const trap[] = { "TRAP_BRKPT", "TRAP_TRACE",
					    "TRAP_BRANCH", "TRAP_HWBKPT" };
	static const char *const sys[] = { "SYS_SECCOMP" };
	static const struct {
		int signo;
		const char *const *names;
		size_t n;
	} codes[] = {
		{ 17, chld, ARRAY_LEN(chld) }, { 11, segv, ARRAY_LEN(segv) },
		{ 7, bus, ARRAY_LEN(bus) },    { 8, fpe, ARRAY_LEN(fpe) },
		{ 4, ill, ARRAY_LEN(ill) },    { 5, trap, ARRAY_LEN(trap) },
		{ 31, sys, ARRAY_LEN(sys) },
	};
	const struct flag_name *f;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].signo == signo && code > 0 &&
		    (size_t)code <= codes[i].n)
			return codes[i].names[code - 1];
	for (f = flags_si_code; f->name; f++)
		if ((uint32_t)f->value == (uint32_t)code)
			return f->name;
	return NULL;
}
