/* Checkpoints: files NUMBER.state beside the journal, the scorer's state behind record NUMBER. 0 is what everything began
 * with, and stays: a replay of the whole journal starts there. */
#include "base/file.h"
#include "policy/decider_parts.h"
#include "score/state.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

/* ---- lists and velocities: NUMBER.policy ---- */

typedef struct {
    char magic[8];  /* "FLPOLIC1" */
    uint64_t lists; /* bytes; those of velocities follow, to the end */
    uint64_t hash;  /* of lists and velocities */
} policy_head;

static char *policy_path(const char *folder, uint64_t number)
{
    return fl_asprintf("%s/%020llu.policy", folder, (unsigned long long)number);
}

static florin_status write_policy(const fl_decider *d, fl_writer *w, florin_error *err)
{
    policy_head h = {.magic = "FLPOLIC"};
    fl_buf lists = {0};
    h.magic[7] = '1';
    fl_lists_store(d->lists, &lists);
    h.lists = lists.len;
    h.hash = fl_hash64(lists.data, lists.len, 0);
    florin_status st =
        lists.failed ? fl_fail(err, FLORIN_ENOMEM, "lists") : fl_writer_add(w, &h, sizeof h, err);
    if (!st) st = fl_writer_add(w, lists.data, lists.len, err);
    if (!st) st = fl_rings_save(d->rings, w, err);
    fl_buf_free(&lists);
    return st;
}

static florin_status save_policy(const fl_decider *d, uint64_t number, florin_error *err)
{
    fl_writer *w = NULL;
    if (!d->lists) return FLORIN_OK;
    char *path = policy_path(d->opt.journal.folder, number);
    florin_status st =
        path ? fl_writer_open(&w, path, 0600, err) : fl_fail(err, FLORIN_ENOMEM, "checkpoint");
    if (!st) {
        st = write_policy(d, w, err);
        if (!st) st = fl_writer_commit(w, err);
        else fl_writer_abort(w);
    }
    free(path);
    return st;
}

static florin_status read_policy(fl_decider *d, const fl_mapping *m, const char *path,
                                 florin_error *err)
{
    policy_head h;
    if (m->size < sizeof h) return fl_fail(err, FLORIN_EFORMAT, "%s: cut off", path);
    memcpy(&h, m->data, sizeof h);
    const uint8_t *lists = m->data + sizeof h;
    size_t left = m->size - sizeof h;
    if (memcmp(h.magic, "FLPOLIC1", 8) || h.lists > left || h.hash != fl_hash64(lists, h.lists, 0))
        return fl_fail(err, FLORIN_EFORMAT, "%s: damaged", path);
    florin_status st = fl_lists_restore(d->lists, lists, h.lists, err);
    if (!st) st = fl_rings_restore(d->rings, lists + h.lists, left - h.lists, err);
    if (st) fl_fail_prefix(err, "%s", path);
    return st;
}

florin_status fl_decider_restore_policy(fl_decider *d, florin_error *err)
{
    fl_mapping m;
    if (!d->opt.policy) return FLORIN_OK;
    florin_status st = fl_decider_take_policy(d, d->opt.policy, err);
    char *path = policy_path(d->opt.journal.folder, d->opt.from);
    if (!st && !path) st = fl_fail(err, FLORIN_ENOMEM, "checkpoint");
    if (!st && fl_file_exists(path)) {
        st = fl_map_file(&m, path, err);
        if (!st) {
            st = read_policy(d, &m, path, err);
            fl_unmap(&m);
        }
    }
    free(path);
    return st;
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
        char *path = state_path(folder, number), *policy = policy_path(folder, number);
        if (path) unlink(path);
        if (policy) unlink(policy);
        free(path);
        free(policy);
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
    if (!st) st = save_policy(d, *sequence, err);
    if (!st) st = save(d->opt.journal.folder, *sequence, d->scorer, d->opt.key, err);
    if (!st) remove_old(d->opt.journal.folder);
    return st;
}

/* ---- beside the decisions ---- */

static char *new_path(const char *folder, uint64_t number)
{
    return fl_asprintf("%s/%020llu.state.new", folder, (unsigned long long)number);
}

/* In the copy of the process: its memory stands still, so the state is of one moment. It ends with the program that it is a
 * copy of, and holds none of its files, locks and sockets. */
static void save_in_copy(const fl_decider *d, int parent, const char *path)
{
    florin_status st = FLORIN_OK;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) st = FLORIN_ECANCELLED;
    close_range(0, ~0u, 0);
    if (!st) st = save_policy(d, d->saving, NULL);
    if (!st) st = fl_state_save(d->scorer, path, d->opt.key, NULL);
    syscall(SYS_exit_group, (int)st); /* the copy, not the program */
}

florin_status fl_decider_state_start(fl_decider *d, florin_error *err)
{
    if (d->saver) return FLORIN_OK;
    int parent = getpid();
    d->saving = fl_journal_next(d->journal) - 1;
    char *path = new_path(d->opt.journal.folder, d->saving);
    if (!path) return fl_fail(err, FLORIN_ENOMEM, "checkpoint");
    d->saver = fork();
    if (!d->saver) save_in_copy(d, parent, path);
    free(path);
    if (d->saver > 0) return FLORIN_OK;
    d->saver = 0;
    return fl_fail(err, FLORIN_ENOMEM, "checkpoint: can't start a process: %s", strerror(errno));
}

/* It counts once the journal is on the disk as far as it goes. */
static florin_status take_up(fl_decider *d, florin_error *err)
{
    const char *folder = d->opt.journal.folder;
    char *from = new_path(folder, d->saving), *to = state_path(folder, d->saving);
    florin_status st = from && to ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "checkpoint");
    if (!st && fl_journal_synced(d->journal) < d->saving) st = fl_journal_sync(d->journal, err);
    if (!st && rename(from, to))
        st = fl_fail(err, FLORIN_EIO, "%s: can't rename: %s", from, strerror(errno));
    if (!st) st = fl_sync_dir(folder, err);
    if (!st) remove_old(folder);
    free(from);
    free(to);
    return st;
}

florin_status fl_decider_state_poll(fl_decider *d, bool *running, uint64_t *sequence,
                                    florin_error *err)
{
    int status;
    *running = d->saver != 0;
    if (!d->saver) return FLORIN_OK;
    pid_t ended = waitpid(d->saver, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) return FLORIN_OK;
    d->saver = 0;
    *running = false;
    if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
        return fl_fail(
            err, FLORIN_EIO, "%s: a checkpoint could not be written (%s): the one before it stands",
            d->opt.journal.folder,
            ended > 0 && WIFEXITED(status) ? florin_status_name((florin_status)WEXITSTATUS(status))
                                           : "killed");
    florin_status st = take_up(d, err);
    if (!st) *sequence = d->saving;
    return st;
}

void fl_decider_state_stop(fl_decider *d)
{
    if (!d->saver) return;
    kill(d->saver, SIGKILL);
    while (waitpid(d->saver, NULL, 0) < 0 && errno == EINTR) continue;
    d->saver = 0;
    fl_decider_state_clean(d->opt.journal.folder);
}

void fl_decider_state_clean(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        const char *dot = strchr(e->d_name, '.');
        if (!dot || dot - e->d_name != 20 || strspn(e->d_name, "0123456789") != 20) continue;
        if (strstr(dot, ".tmp-") || !strcmp(dot, ".state.new")) unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d) closedir(d);
}
