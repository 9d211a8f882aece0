/* florin_doctor: looks at the machine and says what to fix. Reads /proc and /sys; what is not there is left out.
 * Everything is collected into one JSON tree first; the text report is made from it. */
#include "api/doctor_bench.h"
#include "base/base.h"
#include "base/file.h"
#include "base/json.h"
#include "base/versions.h"
#include "data/duck_version.h"
#include "kernels/kernels.h"
#include "kernels/onednn_version.h"
#include "task/xgboost_version.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { PROC_FILE_MAX = 8 << 20, FILES_WANTED = 256 };
#define GIB           (1024.0 * 1024 * 1024)
#define MEMORY_WANTED (2 * GIB)
#define DISK_WANTED   (5 * GIB)

typedef struct {
    json_t *root, *fix;
    bool blocking; /* one of the findings stops Florin from working */
} report;

/* "name : value" line of a /proc file into out; false: no such line. */
static bool proc_value(const char *path, const char *name, char *out, size_t size)
{
    char *text;
    size_t n = strlen(name);
    bool found = false;

    if (fl_read_file(&text, NULL, path, PROC_FILE_MAX, NULL)) return false;
    for (char *line = text, *next; line && !found; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        if (strncmp(line, name, n)) continue;
        char *p = line + n;
        p += strspn(p, " \t");
        if (*p != ':') continue;
        p++;
        p += strspn(p, " \t");
        snprintf(out, size, "%s", p);
        found = true;
    }
    free(text);
    return found;
}

static void fix(report *r, bool blocking, const char *fmt, ...) FL_PRINTF(3, 4);
static void fix(report *r, bool blocking, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    json_array_append_new(r->fix, json_string(line));
    r->blocking |= blocking;
}

static void look_at_cpu(report *r)
{
    static const char *const wanted[] = {"avx2",     "fma",         "f16c",    "avx512f",
                                         "avx512bw", "avx512_bf16", "amx_bf16"};
    char model[256] = "unknown", flags[8192] = "", word[32];
    json_t *cpu = json_object(), *have = json_array();
    struct utsname u;
    cpu_set_t set;

    if (!uname(&u)) json_object_set_new(cpu, "architecture", json_string(u.machine));
    proc_value("/proc/cpuinfo", "model name", model, sizeof model);
    json_object_set_new(cpu, "model", json_string(model));
    json_object_set_new(cpu, "tier", json_string(fl_kernels_best()));
    if (proc_value("/proc/cpuinfo", "flags", flags + 1, sizeof flags - 2)) {
        flags[0] = ' ';
        strcat(flags, " ");
    }
    for (size_t i = 0; i < FL_LEN(wanted); i++) {
        snprintf(word, sizeof word, " %s ", wanted[i]);
        if (strstr(flags, word)) json_array_append_new(have, json_string(wanted[i]));
    }
    json_object_set_new(cpu, "flags", have);
    json_object_set_new(cpu, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    int usable = sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
    if (usable) json_object_set_new(cpu, "cores_usable", json_integer(usable));
    json_object_set_new(r->root, "cpu", cpu);
    if (!strcmp(fl_kernels_best(), "ref"))
        fix(r, false,
            "this CPU has no faster kernels than the reference: expect several times less speed "
            "(a CPU with AVX2 helps)");
}

static double proc_kilobytes(const char *name)
{
    char value[64];
    return proc_value("/proc/meminfo", name, value, sizeof value) ? strtod(value, NULL) * 1024 : 0;
}

static void look_at_memory(report *r)
{
    json_t *m = json_object();
    double total = proc_kilobytes("MemTotal"), available = proc_kilobytes("MemAvailable");
    char *limit;

    json_object_set_new(m, "total_bytes", json_integer((json_int_t)total));
    json_object_set_new(m, "available_bytes", json_integer((json_int_t)available));
    if (!fl_read_file(&limit, NULL, "/sys/fs/cgroup/memory.max", 64, NULL)) {
        double bytes = strtod(limit, NULL);
        if (bytes > 0) {
            json_object_set_new(m, "group_limit_bytes", json_integer((json_int_t)bytes));
            if (bytes < available) available = bytes;
        }
        free(limit);
    }
    json_object_set_new(r->root, "memory", m);
    if (available > 0 && available < MEMORY_WANTED)
        fix(r, false,
            "%.1f GiB of memory are available: pass --memory %.0fM so that jobs spill to disk in "
            "time",
            available / GIB, available / GIB * 512);
}

static void look_at_libraries(report *r)
{
    json_t *l = json_object();
    int major = 0, minor = 0, patch = 0;

    json_object_set_new(l, "florin", json_string(florin_version()));
    json_object_set_new(l, "duckdb", json_string(fl_duck_version()));
    fl_onednn_version(&major, &minor, &patch);
    json_object_set_new(l, "onednn", json_sprintf("%d.%d.%d", major, minor, patch));
    fl_xgboost_version(&major, &minor, &patch);
    json_object_set_new(l, "xgboost", json_sprintf("%d.%d.%d", major, minor, patch));
    json_object_set_new(l, "jansson", json_string(fl_jansson_version()));
    json_object_set_new(l, "libyaml", json_string(fl_libyaml_version()));
    json_object_set_new(l, "sqlite", json_string(fl_sqlite_version()));
    json_object_set_new(r->root, "libraries", l);
}

static void look_at_disk(report *r, const char *folder)
{
    json_t *d = json_object();
    struct statvfs v;

    json_object_set_new(d, "folder", json_string(folder));
    if (statvfs(folder, &v)) {
        fix(r, true, "%s: no such folder (make it, or name another)", folder);
    } else {
        double free_bytes = (double)v.f_bavail * (double)v.f_frsize;
        bool writable = !access(folder, W_OK | X_OK);
        json_object_set_new(d, "free_bytes", json_integer((json_int_t)free_bytes));
        json_object_set_new(d, "writable", json_boolean(writable));
        if (!writable)
            fix(r, true, "%s: can't be written (check its permissions, or name another folder)",
                folder);
        if (free_bytes < DISK_WANTED)
            fix(r, false,
                "%s: %.1f GiB free: a log needs about as much as its table, a sort in spill twice "
                "that",
                folder, free_bytes / GIB);
    }
    json_object_set_new(r->root, "disk", d);
}

static void add_limit(json_t *limits, const char *name, int which, rlim_t *out)
{
    struct rlimit l;
    if (getrlimit(which, &l)) return;
    *out = l.rlim_cur;
    json_object_set_new(limits, name,
                        l.rlim_cur == RLIM_INFINITY ? json_null()
                                                    : json_integer((json_int_t)l.rlim_cur));
}

static void look_at_limits(report *r)
{
    json_t *limits = json_object();
    rlim_t files = RLIM_INFINITY, size = RLIM_INFINITY, space = RLIM_INFINITY;

    add_limit(limits, "open_files", RLIMIT_NOFILE, &files);
    add_limit(limits, "file_bytes", RLIMIT_FSIZE, &size);
    add_limit(limits, "address_space_bytes", RLIMIT_AS, &space);
    json_object_set_new(r->root, "limits", limits);
    if (files < FILES_WANTED)
        fix(r, true, "only %llu files may be open at once: ulimit -n %d", (unsigned long long)files,
            4 * FILES_WANTED);
    if (size != RLIM_INFINITY) fix(r, false, "files are limited in size: ulimit -f unlimited");
    if (space != RLIM_INFINITY)
        fix(r, false, "address space is limited, and logs are mapped: ulimit -v unlimited");
}

static void look_at_data(report *r, const char *folder)
{
    json_t *data = json_object();
    uint32_t files = 0;
    DIR *d = opendir(folder);

    json_object_set_new(data, "folder", json_string(folder));
    if (d) {
        for (struct dirent *e; (e = readdir(d));) files += e->d_name[0] != '.';
        closedir(d);
        json_object_set_new(data, "files", json_integer(files));
    } else {
        fix(r, false, "%s: no such data folder (docs/data.md says where to get each set)", folder);
    }
    json_object_set_new(r->root, "data", data);
}

static void write_text(const florin_context *ctx, const report *r)
{
    const json_t *cpu = json_object_get(r->root, "cpu"),
                 *memory = json_object_get(r->root, "memory");
    const json_t *disk = json_object_get(r->root, "disk"),
                 *limits = json_object_get(r->root, "limits");
    const json_t *data = json_object_get(r->root, "data"), *v;
    json_t *libraries = json_object_get(r->root, "libraries");
    const char *key;
    size_t i;

    fl_writef(ctx, "cpu        %s, kernels: %s\n", fl_json_str(cpu, "model", ""),
              fl_json_str(cpu, "tier", ""));
    fl_writef(ctx, "flags     ");
    json_array_foreach(json_object_get(cpu, "flags"), i, v)
        fl_writef(ctx, " %s", json_string_value(v));
    fl_writef(ctx, "\ncores      %lld, usable %lld\n", (long long)fl_json_int(cpu, "cores", 0),
              (long long)fl_json_int(cpu, "cores_usable", 0));
    fl_writef(ctx, "memory     %.1f GiB, available %.1f GiB\n",
              fl_json_num(memory, "total_bytes", 0) / GIB,
              fl_json_num(memory, "available_bytes", 0) / GIB);
    fl_writef(ctx, "libraries ");
    json_object_foreach(libraries, key, v) fl_writef(ctx, " %s %s", key, json_string_value(v));
    fl_writef(ctx, "\ndisk       %s: %.1f GiB free\n", fl_json_str(disk, "folder", ""),
              fl_json_num(disk, "free_bytes", 0) / GIB);
    fl_writef(ctx, "limits     open files %lld\n",
              (long long)fl_json_int(limits, "open_files", -1));
    if (data)
        fl_writef(ctx, "data       %s: %lld files\n", fl_json_str(data, "folder", ""),
                  (long long)fl_json_int(data, "files", 0));
    if (!json_array_size(r->fix)) fl_writef(ctx, "to fix     nothing\n");
    json_array_foreach(r->fix, i, v)
        fl_writef(ctx, "%s  %s\n", i ? "         " : "to fix   ", json_string_value(v));
    if (json_object_get(r->root, "bench"))
        fl_doctor_bench_text(ctx, json_object_get(r->root, "bench"));
}

florin_status florin_doctor(const florin_context *ctx, const florin_doctor_options *opt,
                            florin_error *err)
{
    report r = {json_object(), json_array(), false};
    florin_status st = FLORIN_OK;

    if (!opt || opt->size < sizeof *opt || opt->format == FLORIN_HTML) {
        st = fl_fail(err, FLORIN_EUSAGE, "the doctor's report comes as text or JSON");
        goto done;
    }
    if (!r.root || !r.fix) {
        st = fl_fail(err, FLORIN_ENOMEM, "out of memory");
        goto done;
    }
    look_at_cpu(&r);
    look_at_memory(&r);
    look_at_libraries(&r);
    look_at_disk(&r, opt->work_folder ? opt->work_folder : ".");
    look_at_limits(&r);
    if (opt->data_folder) look_at_data(&r, opt->data_folder);
    if (opt->bench) {
        json_t *bench;
        if ((st = fl_doctor_bench(&bench, ctx, err))) goto done;
        json_object_set_new(r.root, "bench", bench);
    }
    json_object_set(r.root, "fix", r.fix);
    json_object_set_new(r.root, "ok", json_boolean(!r.blocking));
    if (opt->format == FLORIN_JSON) fl_json_write(ctx, r.root);
    else write_text(ctx, &r);
    if (r.blocking)
        st = fl_fail(err, FLORIN_EIO, "something must be fixed first: see 'fix' in the report");
done:
    json_decref(r.root);
    json_decref(r.fix);
    return st;
}
