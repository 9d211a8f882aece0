/* Checkpoints: files NUMBER.state beside the journal, the scorer's state behind record NUMBER. 0 is what everything began
 * with, and stays: a replay of the whole journal starts there. */
#include "base/file.h"
#include "policy/decider_parts.h"
#include "score/state.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { KEPT = 2 };

static bool is_state(const char *name, uint64_t *number)
{
    if (strlen(name) != 26 || strspn(name, "0123456789") != 20 || strcmp(name + 20, ".state"))
        return false;
    *number = strtoull(name, NULL, 10);
    return true;
}

static char *state_path(const char *folder, uint64_t number)
{
    return fl_asprintf("%s/%020llu.state", folder, (unsigned long long)number);
}

/* The largest numbers, the largest first; returns how many of them there are. */
static florin_status newest(const char *folder, uint64_t most[KEPT], uint32_t *n, florin_error *err)
{
    uint64_t number;
    *n = 0;
    DIR *d = opendir(folder);
    if (!d)
        return errno == ENOENT ? FLORIN_OK
                               : fl_fail(err, FLORIN_EIO, "%s: %s", folder, strerror(errno));
    for (struct dirent *e; (e = readdir(d));) {
        if (!is_state(e->d_name, &number)) continue;
        uint32_t i = 0;
        while (i < *n && most[i] > number) i++;
        if (i == KEPT) continue;
        if (*n < KEPT) ++*n;
        for (uint32_t k = *n - 1; k > i; k--) most[k] = most[k - 1];
        most[i] = number;
    }
    closedir(d);
    return FLORIN_OK;
}

florin_status fl_decider_state_find(const char *folder, char **path, uint64_t *sequence,
                                    florin_error *err)
{
    uint64_t most[KEPT];
    uint32_t n;
    *path = NULL;
    *sequence = 0;
    florin_status st = newest(folder, most, &n, err);
    if (st || !n) return st;
    *sequence = most[0];
    *path = state_path(folder, most[0]);
    return *path ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s", folder);
}

florin_status fl_decider_state_oldest(const char *folder, uint64_t least, char **path,
                                      uint64_t *sequence, florin_error *err)
{
    uint64_t number, best = UINT64_MAX;
    *path = NULL;
    *sequence = 0;
    DIR *d = opendir(folder);
    if (!d) return fl_fail(err, FLORIN_EIO, "%s: %s", folder, strerror(errno));
    for (struct dirent *e; (e = readdir(d));)
        if (is_state(e->d_name, &number) && number >= least && number < best) best = number;
    closedir(d);
    if (best == UINT64_MAX) return FLORIN_OK;
    *sequence = best;
    *path = state_path(folder, best);
    return *path ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s", folder);
}

static void remove_old(const char *folder)
{
    uint64_t most[KEPT], number;
    uint32_t n;
    if (newest(folder, most, &n, NULL) || n < KEPT) return;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!is_state(e->d_name, &number) || !number || number >= most[KEPT - 1]) continue;
        char *path = state_path(folder, number);
        if (path) unlink(path);
        free(path);
    }
    if (d) closedir(d);
}

static florin_status save(const char *folder, uint64_t number, const fl_scorer *s, const char *key,
                          florin_error *err)
{
    char *path = state_path(folder, number);
    if (!path) return fl_fail(err, FLORIN_ENOMEM, "%s", folder);
    florin_status st = fl_state_save(s, path, key, err);
    free(path);
    return st;
}

florin_status fl_decider_state_begin(const char *folder, const fl_scorer *s, const char *key,
                                     florin_error *err)
{
    florin_status st = fl_make_dir(folder, err);
    return st ? st : save(folder, 0, s, key, err);
}

florin_status fl_decider_state_save(fl_decider *d, uint64_t *sequence, florin_error *err)
{
    /* A checkpoint must not know records that the disk may still lose. */
    florin_status st = fl_journal_sync(d->journal, err);
    *sequence = fl_journal_next(d->journal) - 1;
    if (!st) st = save(d->opt.journal.folder, *sequence, d->scorer, d->opt.key, err);
    if (!st) remove_old(d->opt.journal.folder);
    return st;
}
