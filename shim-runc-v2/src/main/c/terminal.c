/*
 * containerd-shim-runc-v2 terminal NAME STDIN STDOUT: keeps the controlling side of one process' terminal, and copies between it
 * and the client's files. It is a process of its own so that the terminal, and with it the container, outlives the shim.
 *
 * It runs in the container's bundle and makes two files there: NAME.sock, on which runc hands the terminal over, and NAME.ctl, a
 * fifo from which it takes commands of four bytes: columns and rows, big-endian, or zeros, which say that the process has ended.
 * It writes a byte to its standard output when they are there. It ends when the last process has left the terminal; told of the
 * end, also when some have not.
 *
 * STDIN and STDOUT are paths of fifos, or of a file for STDOUT; "-" is none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "launcher.h"

#define BUFFER (32u << 10)
#define HANDOVER_MILLIS 60000
/* How long a client that does not read holds the end of a process up. */
#define DRAIN_MILLIS 2000

/* Bytes on their way from one descriptor to another; neither blocks. */
struct copy {
	int from, to;
	size_t begin, end;
	char data[BUFFER];
};

static int64_t now_millis(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What is ready to be read, if there is room. Returns 0 at the end: of a terminal that is EIO. */
static int fill(struct copy *copy) {
	if (copy->begin < copy->end)
		return 1;
	ssize_t count = read(copy->from, copy->data, BUFFER);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR;
	copy->begin = 0;
	copy->end = (size_t)count;
	return count > 0;
}

/* Writes what it can. What nobody takes any more is dropped. */
static void drain(struct copy *copy) {
	while (copy->begin < copy->end) {
		ssize_t count = copy->to < 0 ? (ssize_t)(copy->end - copy->begin)
					     : write(copy->to, copy->data + copy->begin, copy->end - copy->begin);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && errno == EAGAIN)
			return;
		copy->begin += count < 0 ? copy->end - copy->begin : (size_t)count;
	}
}

/* The controlling side, from the one message that runc sends. */
static int take_terminal(int listener) {
	struct pollfd waiting = {.fd = listener, .events = POLLIN};
	if (poll(&waiting, 1, HANDOVER_MILLIS) <= 0)
		fail("no terminal was handed over in time");
	int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection < 0)
		fail("accept: %s", strerror(errno));
	char name[4096];
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec data = {.iov_base = name, .iov_len = sizeof name};
	struct msghdr message = {
	    .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
	if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) < 0)
		fail("recvmsg: %s", strerror(errno));
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		fail("what was handed over is not one terminal");
	int terminal;
	memcpy(&terminal, CMSG_DATA(header), sizeof terminal);
	close(connection);
	return terminal;
}

/* Opened for both directions: nobody is waited for, and a client that leaves ends nothing. */
static int open_client(const char *path, int flags) {
	if (!strcmp(path, "-"))
		return -1;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | flags, 0644);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	return fd;
}

static int listen_at(const char *path) {
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof name.sun_path)
		fail("%s is too long for a socket", path);
	strcpy(name.sun_path, path);
	unlink(path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name) != 0 || listen(listener, 1) != 0)
		fail("%s: %s", path, strerror(errno));
	return listener;
}

/* Returns whether the process has ended. */
static int obey(int control, int terminal) {
	unsigned char command[4];
	int ended = 0;
	while (read(control, command, sizeof command) == (ssize_t)sizeof command) {
		struct winsize size = {.ws_col = (unsigned short)(command[0] << 8 | command[1]),
				       .ws_row = (unsigned short)(command[2] << 8 | command[3])};
		if (size.ws_col == 0 && size.ws_row == 0)
			ended = 1;
		else
			ioctl(terminal, TIOCSWINSZ, &size);
	}
	return ended;
}

static void copy_until_the_end(int terminal, int control, int in, int out) {
	static struct copy input, output;
	input.from = in;
	input.to = output.from = terminal;
	output.to = out;
	/* hung: the last process has left, but what it has printed is not all read. */
	int open = 1, hung = 0, ended = 0;
	int64_t deadline = 0;
	while (open || output.begin < output.end) {
		int input_waits = input.begin < input.end, output_waits = output.begin < output.end;
		/* The commands come last: a client that resizes and then types finds its terminal resized. */
		struct pollfd fds[] = {
		    {.fd = input_waits || !open ? -1 : in, .events = POLLIN},
		    {.fd = output_waits ? out : -1, .events = POLLOUT},
		    {.fd = !open || (output_waits && (hung || !input_waits)) ? -1 : terminal,
		     .events = (short)((output_waits ? 0 : POLLIN) | (input_waits ? POLLOUT : 0))},
		    {.fd = control, .events = POLLIN}};
		int timeout = -1;
		if (ended || !open) {
			int64_t left = deadline - now_millis();
			if (left <= 0)
				return;
			/* Told of the end: what is not there now is not waited for. */
			timeout = ended && !output_waits ? 0 : (int)left;
		}
		int ready = poll(fds, 4, timeout);
		if (ready < 0 && errno != EINTR)
			fail("poll: %s", strerror(errno));
		if (ready == 0 && ended && !output_waits)
			return;
		if (fds[3].revents && obey(control, terminal) && !ended) {
			ended = 1;
			deadline = now_millis() + DRAIN_MILLIS;
		}
		if (fds[0].revents)
			fill(&input);
		hung |= (fds[2].revents & POLLHUP) != 0;
		if (open && fds[2].revents & (POLLIN | POLLHUP | POLLERR) && !output_waits && !fill(&output)) {
			open = 0;
			deadline = now_millis() + DRAIN_MILLIS;
		}
		drain(&input);
		size_t before = output.begin;
		drain(&output);
		if (!open && output.begin != before)
			deadline = now_millis() + DRAIN_MILLIS;
	}
}

int terminal_main(const char *name, const char *in_path, const char *out_path) {
	char *socket_path, *control_path;
	if (asprintf(&socket_path, "%s.sock", name) < 0 || asprintf(&control_path, "%s.ctl", name) < 0)
		fail("out of memory");
	setsid();
	umask(0077);
	int in = open_client(in_path, 0), out = open_client(out_path, O_APPEND | O_CREAT);
	int listener = listen_at(socket_path);
	unlink(control_path);
	if (mkfifo(control_path, 0600) != 0)
		fail("%s: %s", control_path, strerror(errno));
	int control = open(control_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (control < 0)
		fail("%s: %s", control_path, strerror(errno));
	if (write(1, "\n", 1) != 1)
		fail("cannot say that it is ready: %s", strerror(errno));
	/* Whoever has started it may be gone when it ends. */
	dup2(0, 1);
	int terminal = take_terminal(listener);
	close(listener);
	unlink(socket_path);
	fcntl(terminal, F_SETFL, fcntl(terminal, F_GETFL) | O_NONBLOCK);
	copy_until_the_end(terminal, control, in, out);
	unlink(control_path);
	return 0;
}
