/* peak_rss OUT COMMAND...: runs the command, writes "seconds KiB" (wall time, largest resident set) to OUT, and leaves with
 * the command's exit code. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct rusage use;
    int status = 0;
    if (argc < 3) return 2;
    double begin = now();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &use) < 0) return 1;
    FILE *out = fopen(argv[1], "w");
    if (!out || fprintf(out, "%.3f %ld\n", now() - begin, use.ru_maxrss) < 0 || fclose(out))
        return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
