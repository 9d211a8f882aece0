/* Scratch folder, guarded memory, and files that are damaged on purpose. */
#include "support/support.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[PATH_MAX / 2];

/* Depth-first with a worklist of paths; folders are removed on the way back by repeated passes. */
static void remove_tree(const char *path)
{
    char child[PATH_MAX];
    struct dirent *e;
    DIR *d = opendir(path);

    if (!d) return;
    while ((e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        if (unlink(child)) remove_tree(child);
    }
    closedir(d);
    rmdir(path);
}

static void remove_folder(void)
{
    remove_tree(folder);
}

const char *scratch_folder(void)
{
    if (folder[0]) return folder;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/florin-test-XXXXXX", base && base[0] ? base : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        abort();
    }
    atexit(remove_folder);
    return folder;
}

const char *scratch_path(const char *name)
{
    static char ring[16][PATH_MAX];
    static unsigned next;
    char *p = ring[next++ % 16];
    snprintf(p, PATH_MAX, "%s/%s", scratch_folder(), name);
    return p;
}

const char *scratch_file(const char *name, const void *bytes, size_t n)
{
    const char *path = scratch_path(name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) {
        perror(path);
        abort();
    }
    return path;
}

enum { GUARDED_MAX = 4096 };
static struct {
    void *at;
    size_t size;
} pages[GUARDED_MAX];
static size_t page_count;

void *guarded(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (n + page - 1) / page * page;
    uint8_t *p =
        mmap(NULL, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED || page_count == GUARDED_MAX || mprotect(p + body, page, PROT_NONE)) {
        perror("guarded");
        abort();
    }
    pages[page_count].at = p;
    pages[page_count++].size = body + page;
    return p + body - n;
}

float *guarded_floats(size_t n)
{
    return guarded(n * sizeof(float));
}

void guarded_free_all(void)
{
    while (page_count) {
        page_count--;
        munmap(pages[page_count].at, pages[page_count].size);
    }
}

void flip_bit(const char *path, size_t byte, int bit)
{
    FILE *f = fopen(path, "r+b");
    int c;
    if (!f || fseek(f, (long)byte, SEEK_SET) || (c = fgetc(f)) == EOF ||
        fseek(f, (long)byte, SEEK_SET) || fputc(c ^ (1 << bit), f) == EOF || fclose(f)) {
        perror(path);
        abort();
    }
}

void cut_file(const char *path, size_t n)
{
    if (truncate(path, (off_t)n)) {
        perror(path);
        abort();
    }
}
