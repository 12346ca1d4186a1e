/* perigee: starts Node with the program beside this file. Knows how to find Node and nothing else.
 * NODE_EXTRA_CA_CERTS is handed on under another name, because Node would parse every certificate of it at every start. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char program[] = "perigee.cjs";
/* Where `npm install --global` puts node, seen from its lib/node_modules/perigee/dist. */
static const char beside_global_modules[] = "../../../../bin/node";

/* dir + "/" + name in `out`; 0 when it does not fit. */
static int join(char out[PATH_MAX], const char *dir, size_t length, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%.*s/%s", (int)length, dir, name);
    return n > 0 && n < PATH_MAX;
}

static void try_to_start(const char *node, char **argv)
{
    argv[0] = (char *)"node";
    execv(node, argv);
}

/* Relative entries of PATH are left out: a root's command must not run what stands in the current directory. */
static void try_path(char **argv)
{
    const char *path = getenv("PATH");
    char candidate[PATH_MAX];
    while (path != NULL && *path != '\0') {
        size_t length = strcspn(path, ":");
        if (*path == '/' && length < PATH_MAX && join(candidate, path, length, "node"))
            try_to_start(candidate, argv);
        path += length;
        if (*path == ':')
            path++;
    }
}

/* Below this Node does not come to where it could say why it ends, or crashes. */
enum { LEAST_FILES = 24 };

static int fail(const char *sentence, const char *hint)
{
    fprintf(stderr, "error[INTERNAL]: %s\n  cause: %s\n  try: %s\n", sentence, strerror(errno), hint);
    return 125;
}

/* Node raises the soft limit by itself. */
static int can_open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max >= LEAST_FILES)
        return 1;
    fputs("error[LIMIT_EXCEEDED]: perigee cannot start: this process may open too few files\n"
          "  cause: EMFILE: the hard limit of open files (ulimit -Hn) is below 24\n"
          "  try: ulimit -n 1024, and run it again\n",
          stderr);
    return 0;
}

/* Node would open /dev/null for a standard output that is closed, and a result written to it would be lost without a word. A descriptor
 * that is open and cannot be written answers EBADF, as the closed one would. Standard input first: the lowest free number is taken. */
static void keep_closed_output(void)
{
    static const int modes[] = {O_RDWR, O_RDONLY};
    for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) < 0)
            return;
}

/* `image diff` holds two images of any number of files, and what waits to be collected beside them must not count for as much again. For
 * the other commands V8 keeps its own choice: with an option of its own it refuses the code it compiled before. */
static const char *memory_option(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "image") == 0 && strcmp(argv[i + 1], "diff") == 0)
            return "--max-semi-space-size=4";
    return NULL;
}

int main(int argc, char **argv)
{
    char self[PATH_MAX], script[PATH_MAX], node[PATH_MAX];
    if (!can_open_files())
        return 125;
    keep_closed_output();
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return fail("perigee cannot find its own directory", "mount /proc");
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    size_t directory = slash == NULL ? 0 : (size_t)(slash - self);
    if (!join(script, self, directory, program))
        return fail("perigee is installed below too long a path", "a shorter one");

    /* The script's path is real already: Node need not look for links in it. */
    char **line = calloc((size_t)argc + 4, sizeof *line);
    if (line == NULL)
        return fail("perigee cannot start", "with more memory");
    int count = 1;
    const char *memory = memory_option(argc, argv);
    if (memory != NULL)
        line[count++] = (char *)memory;
    line[count++] = (char *)"--preserve-symlinks-main";
    line[count++] = script;
    for (int i = 1; i < argc; i++)
        line[count++] = argv[i];

    const char *authorities = getenv("NODE_EXTRA_CA_CERTS");
    if (authorities != NULL && setenv("PERIGEE_EXTRA_CA_CERTS", authorities, 1) == 0)
        unsetenv("NODE_EXTRA_CA_CERTS");

    try_path(line);
    if (join(node, self, directory, beside_global_modules))
        try_to_start(node, line);
    try_to_start("/usr/local/bin/node", line);
    try_to_start("/usr/bin/node", line);
    return fail("perigee cannot start node", "install Node 20.19 or newer, or put it in PATH");
}
