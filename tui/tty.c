#define NCURSES_WIDECHAR 1
#include "tui/tty.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tui/draw.h"
#include "tui/keys.h"
#include "tui/terminfo.h"

#define DOUBLE_CLICK_NS 400000000ull
#define WHEEL_LINES 3

enum own_key { KEY_PASTE_BEGIN = KEY_MAX + 1, KEY_PASTE_END };

struct tty {
	bool headless;
	SCREEN *screen;
	FILE *null_in, *null_out;
	bool pasting;
	uint64_t clicked_ns;
	int clicked_y, clicked_x;
};

/*
 * What a signal handler needs; a handler has no other way to know. wake_fd is a
 * pipe: readable means that a signal came.
 */
static struct {
	volatile sig_atomic_t quit; /* the signal that ended us */
	volatile sig_atomic_t resized;
	int wake[2];
	struct termios before;
	char reset[256];
	size_t reset_len;
	bool active;
} sig = { .wake = { -1, -1 } };

static const int quit_signals[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

static void
on_signal(int signo)
{
	int keep = errno;
	ssize_t n;

	if (signo == SIGWINCH)
		sig.resized = 1;
	else
		sig.quit = signo;
	n = write(sig.wake[1], "", 1);
	(void)n; /* full: it wakes all the same */
	errno = keep;
}

/* Our own crash: the terminal first, then the default (a core). */
static void
on_fatal(int signo)
{
	ssize_t n;

	if (sig.active) {
		sig.active = false;
		n = write(STDOUT_FILENO, sig.reset, sig.reset_len);
		(void)n;
		tcsetattr(STDOUT_FILENO, TCSANOW, &sig.before);
	}
	signal(signo, SIG_DFL);
	raise(signo);
}

static void
restore(void *arg)
{
	(void)arg;
	if (!sig.active)
		return;
	sig.active = false;
	fputs("\033[?1006l\033[?2004l", stdout);
	endwin();
	fflush(stdout);
}

/* Mouse reports and bracketed paste off, colours, cursor, main screen. */
static void
make_reset(void)
{
	static const char off[] = "\033[?1000l\033[?1006l\033[?2004l";

	memcpy(sig.reset, off, sizeof(off) - 1);
	sig.reset_len = sizeof(off) - 1;
	terminfo_reset(sig.reset, sizeof(sig.reset), &sig.reset_len);
}

static void
handle(int signo, void (*fn)(int), int flags)
{
	struct sigaction sa = { .sa_flags = flags };

	sa.sa_handler = fn;
	sigemptyset(&sa.sa_mask);
	sigaction(signo, &sa, NULL);
}

static void
take_signals(void (*soft)(int), void (*hard)(int))
{
	for (size_t i = 0; i < ARRAY_LEN(quit_signals); i++)
		handle(quit_signals[i], soft, SA_RESTART);
	handle(SIGWINCH, soft, SA_RESTART);
	handle(SIGTSTP, SIG_DFL, 0);
	for (size_t i = 0; i < ARRAY_LEN(fatal_signals); i++)
		handle(fatal_signals[i], hard, 0);
}

static int
check_terminal(struct err *err)
{
	const char *name = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		err_set(err, E_USAGE,
			"the TUI needs a terminal for input and "
			"output");
		err_hint(err, "pastime show prints the events; pastime replay "
			      "--at shows a moment");
		return -E_USAGE;
	}
	if (terminfo_usable())
		return 0;
	err_set(err, E_UNSUPPORTED, "the terminal \"%s\" cannot show screens",
		name ? name : "");
	err_hint(err, "set TERM to what you really have (often "
		      "xterm-256color), or use pastime show");
	return -E_UNSUPPORTED;
}

static void
set_up(void)
{
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	mouseinterval(0);
	define_key("\033[200~", KEY_PASTE_BEGIN);
	define_key("\033[201~", KEY_PASTE_END);
}

static void
bracketed_paste(bool on)
{
	fputs(on ? "\033[?2004h" : "\033[?2004l", stdout);
	fflush(stdout);
}

int
tty_open(struct tty **out, struct err *err)
{
	struct tty *t;
	int rc;

	setlocale(LC_CTYPE, "");
	rc = check_terminal(err);
	if (rc < 0)
		return rc;
	if (pipe2(sig.wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(err, "pipe");
	tcgetattr(STDOUT_FILENO, &sig.before);
	make_reset();
	t = mem_zalloc(sizeof(*t));
	t->screen = newterm(NULL, stdout, stdin);
	if (!t->screen) {
		mem_free(t);
		return err_set(err, E_UNSUPPORTED,
			       "curses cannot use the "
			       "terminal \"%s\"",
			       getenv("TERM"));
	}
	set_term(t->screen);
	sig.active = true;
	sig.quit = sig.resized = 0;
	die_wish(restore, NULL);
	take_signals(on_signal, on_fatal);
	set_up();
	bracketed_paste(true);
	draw_init(false);
	*out = t;
	return 0;
}

int
tty_open_headless(struct tty **out, int rows, int cols, struct err *err)
{
	struct tty *t = mem_zalloc(sizeof(*t));

	t->headless = true;
	setlocale(LC_CTYPE, "C.UTF-8");
	t->null_in = fopen("/dev/null", "re");
	t->null_out = fopen("/dev/null", "we");
	if (t->null_in && t->null_out)
		t->screen = newterm("xterm", t->null_out, t->null_in);
	if (!t->screen) {
		tty_close(t);
		return err_set(err, E_UNSUPPORTED,
			       "curses knows no terminal \"xterm\"");
	}
	set_term(t->screen);
	draw_init(true);
	tty_resize(t, rows, cols);
	*out = t;
	return 0;
}

void
tty_close(struct tty *t)
{
	if (!t)
		return;
	if (!t->headless) {
		restore(NULL);
		die_unwish(restore, NULL);
		take_signals(SIG_DFL, SIG_DFL);
		fd_close(&sig.wake[0]);
		fd_close(&sig.wake[1]);
	} else if (t->screen) {
		endwin();
	}
	if (t->screen)
		delscreen(t->screen);
	if (t->null_in)
		fclose(t->null_in);
	if (t->null_out)
		fclose(t->null_out);
	mem_free(t);
}

void
tty_wait(struct tty *t, int wake_fd, int timeout_ms)
{
	struct pollfd p[] = {
		{ t->headless ? -1 : STDIN_FILENO, POLLIN, 0 },
		{ t->headless ? -1 : sig.wake[0], POLLIN, 0 },
		{ wake_fd, POLLIN, 0 },
	};
	char drain[64];

	if (poll(p, ARRAY_LEN(p), timeout_ms) <= 0)
		return;
	/* A terminal that went away: nobody is there any more. */
	if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		sig.quit = SIGHUP;
	while (p[1].revents && read(sig.wake[0], drain, sizeof(drain)) > 0)
		;
}

static const struct {
	int code;
	uint32_t key;
} key_codes[] = {
	{ KEY_LEFT, KEYS_LEFT },    { KEY_RIGHT, KEYS_RIGHT },
	{ KEY_UP, KEYS_UP },	    { KEY_DOWN, KEYS_DOWN },
	{ KEY_HOME, KEYS_HOME },    { KEY_END, KEYS_END },
	{ KEY_FIND, KEYS_HOME },    { KEY_SELECT, KEYS_END },
	{ KEY_PPAGE, KEYS_PGUP },   { KEY_NPAGE, KEYS_PGDN },
	{ KEY_IC, KEYS_INSERT },    { KEY_DC, KEYS_DELETE },
	{ KEY_SLEFT, KEYS_SLEFT },  { KEY_SRIGHT, KEYS_SRIGHT },
	{ KEY_BTAB, KEYS_BACKTAB }, { KEY_BACKSPACE, KEYS_BACKSPACE },
	{ KEY_ENTER, KEYS_ENTER },
};

static uint32_t
special_key(int code)
{
	for (size_t i = 0; i < ARRAY_LEN(key_codes); i++)
		if (key_codes[i].code == code)
			return key_codes[i].key;
	if (code >= KEY_F(1) && code <= KEY_F(12))
		return KEYS_F1 + (uint32_t)(code - KEY_F(1));
	return 0;
}

/* A press that follows one at the same place soon is the second of two. */
static struct tty_event
press_event(struct tty *t, int y, int x)
{
	struct tty_event ev = { .kind = TTY_MOUSE, .y = y, .x = x };
	uint64_t now = clock_now_ns();

	ev.twice = now - t->clicked_ns < DOUBLE_CLICK_NS && t->clicked_y == y &&
		   t->clicked_x == x;
	t->clicked_ns = ev.twice ? 0 : now;
	t->clicked_y = y;
	t->clicked_x = x;
	return ev;
}

static struct tty_event
wheel_event(int y, int x, bool up)
{
	return (struct tty_event){ .kind = TTY_WHEEL,
				   .y = y,
				   .x = x,
				   .lines = up ? -WHEEL_LINES : WHEEL_LINES };
}

/* What curses understood of the mouse. */
static struct tty_event
mouse_event(struct tty *t)
{
	MEVENT m;

	if (getmouse(&m) != OK)
		return (struct tty_event){ TTY_NOTHING };
	if (m.bstate & (BUTTON4_PRESSED | BUTTON5_PRESSED))
		return wheel_event(m.y, m.x, m.bstate & BUTTON4_PRESSED);
	if (m.bstate & BUTTON1_PRESSED)
		return press_event(t, m.y, m.x);
	return (struct tty_event){ TTY_NOTHING };
}

/*
 * A control sequence that terminfo does not know, after its "Esc [": mouse
 * reports in the form that has no limit of 223 columns, which we ask for;
 * anything else is swallowed, lest its letters be taken for commands.
 */
static struct tty_event
sequence_event(struct tty *t)
{
	char text[32] = "";
	size_t n = 0;
	int button, x, y;
	wint_t ch = 0;

	while (get_wch(&ch) == OK && n + 1 < sizeof(text)) {
		text[n++] = (char)ch;
		if (ch >= 0x40 && ch <= 0x7e)
			break;
	}
	if (ch == 'M' && sscanf(text, "<%d;%d;%dM", &button, &x, &y) == 3) {
		if (button == 0)
			return press_event(t, y - 1, x - 1);
		if (button == 64 || button == 65)
			return wheel_event(y - 1, x - 1, button == 64);
	}
	return (struct tty_event){ TTY_NOTHING };
}

static void
follow_size(void)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row &&
	    ws.ws_col)
		resizeterm(ws.ws_row, ws.ws_col);
}

static struct tty_event
key_event(struct tty *t, bool is_code, wint_t ch)
{
	struct tty_event ev = { .kind = TTY_KEY, .pasted = t->pasting };

	if (is_code && ch == KEY_MOUSE)
		return mouse_event(t);
	if (is_code && ch == KEY_RESIZE)
		return (struct tty_event){ TTY_RESIZED };
	if (is_code && (ch == KEY_PASTE_BEGIN || ch == KEY_PASTE_END)) {
		t->pasting = ch == KEY_PASTE_BEGIN;
		return (struct tty_event){ TTY_NOTHING };
	}
	ev.key = is_code ? special_key((int)ch) : ch;
	if (ev.key == '\n')
		ev.key = KEYS_ENTER;
	if (ev.key == 8)
		ev.key = KEYS_BACKSPACE;
	if (ev.key == KEYS_ESC && !is_code && !t->pasting) {
		/* Alt sends Esc before the key: both are there at once. */
		wint_t next;
		int rc;

		wtimeout(stdscr, 25);
		rc = get_wch(&next);
		if (rc == OK && next == '[')
			ev = sequence_event(t);
		else if (rc == OK)
			ev.key = next | KEY_IS_ALT;
		else if (rc == KEY_CODE_YES && special_key((int)next))
			ev.key = special_key((int)next) | KEY_IS_ALT;
		nodelay(stdscr, TRUE);
	}
	if (ev.kind == TTY_KEY && !ev.key)
		ev.kind = TTY_NOTHING;
	return ev;
}

struct tty_event
tty_next(struct tty *t)
{
	wint_t ch;
	int rc;

	if (sig.quit)
		return (struct tty_event){ TTY_QUIT, .signo = sig.quit };
	if (sig.resized) {
		sig.resized = 0;
		follow_size();
		return (struct tty_event){ TTY_RESIZED };
	}
	rc = get_wch(&ch);
	while (rc != ERR) {
		struct tty_event ev = key_event(t, rc == KEY_CODE_YES, ch);

		if (ev.kind != TTY_NOTHING)
			return ev;
		rc = get_wch(&ch);
	}
	return (struct tty_event){ TTY_NOTHING };
}

void
tty_mouse(struct tty *t, bool on)
{
	if (t->headless)
		return;
	mousemask(on ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0,
		  NULL);
	fputs(on ? "\033[?1006h" : "\033[?1006l", stdout);
	fflush(stdout);
}

void
tty_resize(struct tty *t, int rows, int cols)
{
	ASSERT(t->headless);
	resizeterm(rows, cols);
}

void
tty_redraw(struct tty *t)
{
	(void)t;
	clearok(curscr, TRUE);
}

void
tty_leave(struct tty *t)
{
	if (t->headless)
		return;
	bracketed_paste(false);
	endwin();
}

void
tty_return(struct tty *t)
{
	if (t->headless)
		return;
	/* The size may have changed meanwhile. */
	follow_size();
	bracketed_paste(true);
	clearok(curscr, TRUE);
	refresh();
}

void
tty_suspend(struct tty *t)
{
	if (t->headless)
		return;
	tty_leave(t);
	raise(SIGTSTP);
	tty_return(t);
}

static void
base64(const char *text, struct buf *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(text);
	const uint8_t *p = (const uint8_t *)text;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < len)
			v |= p[i + 2];
		buf_u8(out, (uint8_t)digits[v >> 18]);
		buf_u8(out, (uint8_t)digits[v >> 12 & 63]);
		buf_u8(out, i + 1 < len ? (uint8_t)digits[v >> 6 & 63] : '=');
		buf_u8(out, i + 2 < len ? (uint8_t)digits[v & 63] : '=');
	}
}

void
tty_copy(struct tty *t, const char *text)
{
	struct buf b = { 0 };

	if (t->headless)
		return;
	base64(text, &b);
	fprintf(stdout, "\033]52;c;%s\a", buf_cstr(&b));
	fflush(stdout);
	buf_free(&b);
}

void
tty_dump(struct tty *t, struct buf *out)
{
	int rows, cols;

	(void)t;
	getmaxyx(stdscr, rows, cols);
	for (int y = 0; y < rows; y++) {
		struct buf line = { 0 };

		for (int x = 0; x < cols; x++) {
			cchar_t cc;
			wchar_t text[CCHARW_MAX + 1] = { 0 };
			attr_t attr;
			short pair;

			if (mvin_wch(y, x, &cc) != OK)
				continue;
			getcchar(&cc, text, &attr, &pair, NULL);
			buf_printf(&line, "%ls", text);
			/* A wide character fills the next column too. */
			if (wcwidth(text[0]) > 1)
				x++;
		}
		while (line.len && line.p[line.len - 1] == ' ')
			line.len--;
		buf_printf(out, "%s\n", buf_cstr(&line));
		buf_free(&line);
	}
}
