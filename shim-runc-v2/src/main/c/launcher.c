/*
 * containerd-shim-runc-v2: what the daemon starts for each container. One process, a JVM, serves many containers; this
 * program finds the one of the container's group, or starts it, and prints its address. It costs a few milliseconds where a
 * JVM would cost hundreds, which is why it is not Java.
 *
 *   start    prints the group's address: a BootstrapResult if the daemon sent BootstrapParams, else the plain address
 *   delete, -info   become the JVM, which answers
 *   terminal keeps the terminal of a process, for the JVM: see terminal.c
 *   -v       prints the version
 *
 * The group is the pod that the container's annotations name, else the namespace. With LONGSHORE_SHIM_GROUP=container it
 * is the container itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "launcher.h"

#define VERSION "0.1.0"
#define MAX_INPUT (16u << 20)
#define BACKLOG 1024
/* sun_path, less a slash, 64 digits and the terminator. */
#define MAX_SOCKET_DIR (sizeof(((struct sockaddr_un *)0)->sun_path) - 66)

void fail(const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	fputs("containerd-shim-runc-v2: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

/* ---- SHA-256, FIPS 180-4 ---- */

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void sha256_block(uint32_t state[8], const uint8_t block[64]) {
	static const uint32_t k[64] = {
	    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
	    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
	    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
	    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
	uint32_t w[64], s[8];
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];
		w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
	memcpy(s, state, sizeof s);
	for (int i = 0; i < 64; i++) {
		uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
		uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
		memmove(s + 1, s, 7 * sizeof *s);
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		state[i] += s[i];
}

static void sha256_hex(const char *text, char hex[65]) {
	uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	size_t length = strlen(text), done = 0;
	uint8_t block[64];
	for (; length - done >= 64; done += 64)
		sha256_block(state, (const uint8_t *)text + done);
	size_t rest = length - done;
	memset(block, 0, sizeof block);
	memcpy(block, text + done, rest);
	block[rest] = 0x80;
	if (rest >= 56) {
		sha256_block(state, block);
		memset(block, 0, sizeof block);
	}
	for (int i = 0; i < 8; i++)
		block[63 - i] = (uint8_t)((uint64_t)length * 8 >> 8 * i);
	sha256_block(state, block);
	for (int i = 0; i < 8; i++)
		sprintf(hex + 8 * i, "%08x", state[i]);
}

/* ---- input ---- */

/* Everything that can be read, with a terminating zero behind it. */
static char *read_all(int fd, size_t *length) {
	size_t size = 0, room = 64 << 10;
	char *data = malloc(room + 1);
	while (data) {
		ssize_t count = read(fd, data + size, room - size);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			fail("read: %s", strerror(errno));
		if (count == 0) {
			data[size] = 0;
			*length = size;
			return data;
		}
		size += (size_t)count;
		if (size > MAX_INPUT)
			fail("input is larger than %u bytes", MAX_INPUT);
		if (size == room)
			data = realloc(data, (room *= 2) + 1);
	}
	fail("out of memory");
	return NULL;
}

/* A varint; -1 at the end or if it is none. */
static int64_t varint(const uint8_t **at, const uint8_t *end) {
	uint64_t value = 0;
	for (int shift = 0; *at < end && shift < 63; shift += 7) {
		uint8_t byte = *(*at)++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return (int64_t)value;
	}
	return -1;
}

/* The field of a protobuf message, which is text, as a new string; NULL if it is not there. */
static char *text_field(const char *message, size_t length, int wanted) {
	const uint8_t *at = (const uint8_t *)message, *end = at + length;
	while (at < end) {
		int64_t tag = varint(&at, end);
		if (tag < 0)
			return NULL;
		if ((tag & 7) == 0) {
			if (varint(&at, end) < 0)
				return NULL;
		} else if ((tag & 7) == 2) {
			int64_t size = varint(&at, end);
			if (size < 0 || size > end - at)
				return NULL;
			if (tag >> 3 == wanted)
				return strndup((const char *)at, (size_t)size);
			at += size;
		} else
			return NULL;
	}
	return NULL;
}

/*
 * The value of an annotation in config.json. A string is followed by a colon only where it is a key, and the quotes inside
 * of a string are escaped, so what is found is a key.
 */
static char *annotation(const char *json, const char *key) {
	char quoted[128];
	snprintf(quoted, sizeof quoted, "\"%s\"", key);
	for (const char *at = json; (at = strstr(at, quoted)); at++) {
		const char *value = at + strlen(quoted);
		value += strspn(value, " \t\r\n");
		if (*value++ != ':')
			continue;
		value += strspn(value, " \t\r\n");
		if (*value++ != '"')
			continue;
		size_t length = strcspn(value, "\"\\");
		if (length && value[length] == '"')
			return strndup(value, length);
	}
	return NULL;
}

/* ---- the group ---- */

static const char *name_space = "", *address = "", *publish_binary = "", *id = "", *bundle = ".";

static char *group(void) {
	const char *mode = getenv("LONGSHORE_SHIM_GROUP");
	if (mode && !strcmp(mode, "container"))
		return strdup(id);
	int fd = open("config.json", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return strdup(name_space);
	size_t length;
	char *json = read_all(fd, &length);
	close(fd);
	char *found = annotation(json, "io.containerd.runc.v2.group");
	if (!found)
		found = annotation(json, "io.kubernetes.cri.sandbox-id");
	free(json);
	return found ? found : strdup(name_space);
}

static int listening(const struct sockaddr_un *name) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket: %s", strerror(errno));
	int connected = connect(fd, (const struct sockaddr *)name, sizeof *name) == 0;
	close(fd);
	return connected;
}

static char *beside_us(const char *relative) {
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
	if (length < 0)
		fail("/proc/self/exe: %s", strerror(errno));
	self[length] = 0;
	*strrchr(self, '/') = 0;
	char *path;
	if (asprintf(&path, "%s/%s", self, relative) < 0)
		fail("out of memory");
	return path;
}

static void become_jvm(const char *socket_path, const char *action) {
	char *program = beside_us("../lib/containerd-shim-runc-v2"), *launcher = beside_us("containerd-shim-runc-v2");
	char *arguments[] = {program, "-launcher", launcher, "-namespace", (char *)name_space, "-address", (char *)address, "-publish-binary",
	    (char *)publish_binary, "-id", (char *)id, "-bundle", (char *)bundle, socket_path ? "-socket" : (char *)action,
	    (char *)socket_path, NULL};
	execv(program, arguments);
	fail("%s: %s", program, strerror(errno));
}

/* Starts the group's JVM in the background, with the listening socket as its standard input. */
static void spawn(int listener, const char *socket_path) {
	pid_t child = fork();
	if (child < 0)
		fail("fork: %s", strerror(errno));
	if (child > 0)
		return;
	setsid();
	char *log;
	if (asprintf(&log, "%s.log", socket_path) < 0)
		_exit(1);
	int out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	if (out < 0)
		out = open("/dev/null", O_WRONLY);
	dup2(listener, 0);
	dup2(out, 1);
	dup2(out, 2);
	/* It serves other bundles than this one, which must be removable. */
	if (chdir("/") != 0)
		_exit(1);
	close_range(3, ~0U, 0);
	become_jvm(socket_path, NULL);
}

static void put(char **at, const void *data, size_t length) {
	memcpy(*at, data, length);
	*at += length;
}

static void put_text(char **at, int field, const char *text) {
	*(*at)++ = (char)(field << 3 | 2);
	*(*at)++ = (char)strlen(text);
	put(at, text, strlen(text));
}

/* BootstrapResult: version 3, address, protocol, and the promise that containers outlive this shim. */
static void print_result(const char *socket_address) {
	static const char *const key = "dev.longshore.reattach", *const value = "true";
	char message[512], *at = message;
	put(&at, "\x08\x03", 2);
	put_text(&at, 2, socket_address);
	put_text(&at, 3, "ttrpc");
	*at++ = 5 << 3 | 2;
	*at++ = (char)(4 + strlen(key) + strlen(value));
	put_text(&at, 1, key);
	put_text(&at, 2, value);
	fwrite(message, 1, (size_t)(at - message), stdout);
}

/*
 * containerd up to 1.7 leaves it to the shim to note its address in the bundle, where it looks for it when it is started again. Newer
 * daemons note the answer themselves.
 */
static void note_address(const char *socket_address) {
	int file = open(".address", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t length = strlen(socket_address);
	if (file < 0 || write(file, socket_address, length) != (ssize_t)length || close(file) != 0 || rename(".address", "address") != 0)
		fail("cannot note the address in the bundle: %s", strerror(errno));
}

static void start(void) {
	size_t length;
	char *input = read_all(0, &length);
	char *instance = text_field(input, length, 1);
	int bootstrap = instance && !strcmp(instance, id);
	char *directory = bootstrap ? text_field(input, length, 9) : NULL;
	if (!directory || !*directory)
		directory = "/run/containerd/s";
	if (strlen(directory) > MAX_SOCKET_DIR)
		fail("socket folder %s is longer than %zu bytes", directory, MAX_SOCKET_DIR);
	if (mkdir(directory, 0700) != 0 && errno == ENOENT) {
		char *parent = strdup(directory);
		*strrchr(parent, '/') = 0;
		mkdir(parent, 0711);
		mkdir(directory, 0700);
	}
	char *seed, hash[65];
	if (asprintf(&seed, "%s/%s/%s", address, name_space, group()) < 0)
		fail("out of memory");
	sha256_hex(seed, hash);

	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path, sizeof name.sun_path, "%s/%s", directory, hash);
	char *lock_path, *socket_address;
	if (asprintf(&lock_path, "%s.lock", name.sun_path) < 0 || asprintf(&socket_address, "unix://%s", name.sun_path) < 0)
		fail("out of memory");
	/* Against another start of this group, and against its JVM ending for want of work. */
	int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (lock < 0 || fcntl(lock, F_SETLKW, &whole) != 0)
		fail("%s: %s", lock_path, strerror(errno));
	/* When a start was last answered: an idle JVM waits for the container that follows. */
	futimens(lock, NULL);
	if (!listening(&name)) {
		unlink(name.sun_path);
		umask(0177);
		int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name) != 0 || listen(listener, BACKLOG) != 0)
			fail("%s: %s", name.sun_path, strerror(errno));
		umask(0022);
		spawn(listener, name.sun_path);
	}
	if (bootstrap)
		print_result(socket_address);
	else {
		note_address(socket_address);
		fputs(socket_address, stdout);
	}
	if (fflush(stdout) != 0)
		fail("cannot answer: %s", strerror(errno));
}

int main(int count, char **arguments) {
	const char *action = "";
	if (count == 5 && !strcmp(arguments[1], "terminal"))
		return terminal_main(arguments[2], arguments[3], arguments[4]);
	for (int i = 1; i < count; i++) {
		const char *flag = arguments[i];
		if (*flag != '-') {
			action = flag;
			continue;
		}
		flag += flag[1] == '-' ? 2 : 1;
		if (!strcmp(flag, "v")) {
			puts("containerd-shim-runc-v2:\n  Version:  " VERSION "\n  Revision: longshore");
			return 0;
		}
		if (!strcmp(flag, "info"))
			become_jvm(NULL, "info");
		if (!strcmp(flag, "debug"))
			continue;
		if (i + 1 == count)
			fail("-%s needs a value", flag);
		const char *value = arguments[++i];
		if (!strcmp(flag, "namespace"))
			name_space = value;
		else if (!strcmp(flag, "address"))
			address = value;
		else if (!strcmp(flag, "publish-binary"))
			publish_binary = value;
		else if (!strcmp(flag, "id"))
			id = value;
		else if (!strcmp(flag, "bundle"))
			bundle = value;
		else
			fail("unknown flag -%s", flag);
	}
	if (!strcmp(action, "start"))
		start();
	else if (!strcmp(action, "delete"))
		become_jvm(NULL, "delete");
	else
		fail("unknown action \"%s\": start and delete are for the daemon, -v and -info for everybody", action);
	return 0;
}
