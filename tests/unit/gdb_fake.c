#include "tests/unit/gdb_fake.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

#define CHILD_FROM 20u
#define CHILD_TO 30u
#define PROGRAM_FROM 5u

static struct fake *
of(struct target *t)
{
	return (struct fake *)t;
}

static int
fake_seek(struct target *t, const struct pos *p,
	  bool (*progress)(void *, uint64_t, uint64_t), void *ctx,
	  struct err *err)
{
	(void)progress;
	(void)ctx;
	if (p->seq > FAKE_LAST)
		return err_set(err, E_POSITION, "there is no e%lu", p->seq);
	of(t)->at = *p;
	return 0;
}

static int
fake_where(struct target *t, struct pos *out)
{
	*out = of(t)->at;
	return 0;
}

static int
fake_tasks(struct target *t, struct arena *a, struct target_task **out,
	   size_t *n, struct err *err)
{
	uint64_t seq = of(t)->at.seq;
	const struct target_task all[] = {
		{ 1, 1, 1, 100, 100, true, false, -1, 0x401001, "main" },
		{ 2, 1, 1, 101, 100, true, true, SYS_read, 0x401002, "a<&b" },
		{ 3, 2, 2, 200, 200, true, false, -1, 0x401003, "child" },
	};

	(void)err;
	*out = arena_dup(a, all, sizeof(all));
	if (seq < PROGRAM_FROM || seq == FAKE_LAST)
		*n = 0;
	else
		*n = seq >= CHILD_FROM && seq < CHILD_TO ? 3 : 2;
	return 0;
}

static bool
lives(struct target *t, uint32_t task)
{
	struct arena a = { 0 };
	struct target_task *v;
	size_t n;

	fake_tasks(t, &a, &v, &n, NULL);
	arena_free(&a);
	return task >= 1 && task <= n;
}

static int
fake_regs(struct target *t, uint32_t task, struct regs *out, struct err *err)
{
	if (!lives(t, task))
		return err_set(err, E_NOT_FOUND, "no task %u", task);
	*out = (struct regs){ .rip = 0x401000 + task,
			      .rsp = 0x1f00,
			      .rax = 0x1122334455667788,
			      .eflags = 0x246,
			      .orig_rax = UINT64_MAX };
	return 0;
}

static int
fake_xstate(struct target *t, uint32_t task, struct buf *out, struct err *err)
{
	uint8_t *x;

	if (!lives(t, task))
		return err_set(err, E_NOT_FOUND, "no task %u", task);
	x = buf_grow(out, 576);
	memset(x, 0, 576);
	x[464] = 3; /* x87 and SSE */
	x[24] = 0x80;
	x[25] = 0x1f;
	return 0;
}

static int64_t
fake_read(struct target *t, uint32_t task, uint64_t addr, void *out, size_t n)
{
	uint8_t *p = out;

	(void)t;
	(void)task;
	if (addr < 0x1000 || addr >= 0x2000)
		return -EFAULT;
	if (n > 0x2000 - addr)
		n = 0x2000 - addr;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(addr + i);
	return (int64_t)n;
}

static int
fake_maps(struct target *t, uint32_t task, struct arena *a,
	  struct target_map **out, size_t *n, struct err *err)
{
	const struct target_map all[] = {
		{ 0x1000, 0x2000, PROT_READ, MAP_PRIVATE, 0, 0, "[stack]" },
		{ 0x401000, 0x402000, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, 7,
		  "/bin/prog" },
	};

	(void)t;
	(void)task;
	(void)err;
	*out = arena_dup(a, all, sizeof(all));
	*n = ARRAY_LEN(all);
	return 0;
}

static int
fake_file(struct target *t, uint64_t file, struct target_file *out,
	  struct err *err)
{
	(void)t;
	if (file != 7)
		return err_set(err, E_NOT_FOUND, "no file %lu", file);
	*out = (struct target_file){ "/bin/prog", "/dev/null" };
	return 0;
}

static int
fake_auxv(struct target *t, uint32_t task, struct buf *out, struct err *err)
{
	(void)t;
	(void)task;
	(void)err;
	buf_u64(out, 9); /* AT_ENTRY */
	buf_u64(out, 0x401000);
	buf_u64(out, 0);
	buf_u64(out, 0);
	return 0;
}

/* A breakpoint whose condition does not hold is no stop. */
static bool
is_stop(struct fake *f, const struct target_motion_req *req,
	const struct target_stop *stop)
{
	const struct target_break *b = req->breaks + stop->index;

	return stop->why != TARGET_AT_BREAK || stop->index >= req->n_breaks ||
	       !b->cond || b->cond(b->ctx, &f->target, stop->task);
}

static int
fake_move(struct target *t, const struct target_motion_req *req,
	  struct target_stop *out, struct err *err)
{
	struct fake *f = of(t);
	const struct target_stop *stop;

	f->broke = req->n_breaks ? req->breaks[0] : (struct target_break){ 0 };
	f->watched =
		req->n_watches ? req->watches[0] : (struct target_watch){ 0 };
	do {
		if (f->moved >= f->n_moves)
			return err_set(err, E_UNSUPPORTED,
				       "no motion is in line");
		f->asked[f->moved % FAKE_MOVES] = *req;
		stop = &f->moves[f->moved++ % FAKE_MOVES];
		if (stop->why == 0)
			return err_set(err, E_CANCELLED, "cancelled");
		f->at = stop->pos;
	} while (!is_stop(f, req, stop));
	*out = *stop;
	return 0;
}

static int
fake_compare(struct target *t, const struct pos *a, const struct pos *b,
	     int *out, struct err *err)
{
	(void)t;
	(void)err;
	*out = (a->seq > b->seq) - (a->seq < b->seq);
	return 0;
}

static int
fake_event(struct target *t, uint64_t seq, struct event *out, struct err *err)
{
	if (seq == 0 || seq > FAKE_LAST)
		return err_set(err, E_POSITION, "there is no e%lu", seq);
	*out = of(t)->events[seq];
	return 0;
}

static uint64_t
fake_last(struct target *t)
{
	(void)t;
	return FAKE_LAST;
}

static int
fake_divert(struct target *t, struct diversion **out, struct err *err)
{
	(void)t;
	(void)out;
	return err_set(err, E_UNSUPPORTED, "nothing can be called here");
}

static int
fake_checkpoint(struct target *t, struct err *err)
{
	(void)err;
	of(t)->checkpoints++;
	return 0;
}

static void
fake_close(struct target *t)
{
	(void)t;
}

static const struct target_ops fake_ops = {
	.seek = fake_seek,
	.where = fake_where,
	.tasks = fake_tasks,
	.regs = fake_regs,
	.xstate = fake_xstate,
	.read = fake_read,
	.maps = fake_maps,
	.file = fake_file,
	.auxv = fake_auxv,
	.move = fake_move,
	.compare = fake_compare,
	.event = fake_event,
	.last = fake_last,
	.divert = fake_divert,
	.checkpoint = fake_checkpoint,
	.close = fake_close,
};

void
fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	f->target.ops = &fake_ops;
	for (uint64_t i = 1; i <= FAKE_LAST; i++)
		f->events[i] = (struct event){
			.seq = i, .task = 1, .kind = EV_syscall, .call = 0
		};
}

static int
position(void *ctx, const char *text, struct pos *out, struct err *err)
{
	struct pos_spec spec;
	int ret = pos_parse(text, &spec, err);

	(void)ctx;
	if (ret == 0)
		*out = spec.pos;
	return ret;
}

static int
events(void *ctx, uint64_t seq, uint64_t n, struct buf *out, struct err *err)
{
	(void)ctx;
	(void)err;
	buf_printf(out, "%lu events up to e%lu\n", n, seq);
	return 0;
}

struct gdb_server *
fake_server(struct fake *f)
{
	const struct gdb_host host = { .ctx = f,
				       .position = position,
				       .events = events };
	struct gdb_server *g = gdb_server_new(&f->target, &host);
	struct pos p = { .seq = 10 };

	ASSERT(gdb_server_seek(g, &p, NULL, NULL, NULL) == 0);
	return g;
}

struct sending {
	int fd;
	const void *bytes;
	size_t n;
};

static void *
send_all(void *arg)
{
	struct sending *s = arg;

	fd_write_all(s->fd, s->bytes, s->n);
	shutdown(s->fd, SHUT_WR);
	return NULL;
}

static void *
read_all(void *arg)
{
	struct sending *s = arg;
	struct buf *out = mem_zalloc(sizeof(*out));

	fd_read_all(s->fd, out);
	return out;
}

void
fake_client(struct gdb_server *g, const void *bytes, size_t n, struct buf *out)
{
	struct sending s = { .bytes = bytes, .n = n };
	pthread_t writer, reader;
	struct buf *got;
	int fds[2];

	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	s.fd = fds[0];
	pthread_create(&writer, NULL, send_all, &s);
	pthread_create(&reader, NULL, read_all, &s);
	gdb_server_client(g, fds[1], fds[1], -1, NULL);
	close(fds[1]);
	pthread_join(writer, NULL);
	pthread_join(reader, (void **)&got);
	close(fds[0]);
	buf_put(out, got->p, got->len);
	buf_free(got);
	mem_free(got);
}
