/* Hashes of values and identifiers. An identifier leaves import only as a keyed hash: who has the log and not the key
 * cannot tell who is in it by trying card numbers. The built-in key protects nothing; it exists so that a first try
 * needs no set-up, and docs/schema.md says so. */
#include "data/log.h"
#include "base/file.h"
#include <stdio.h>

uint64_t fl_event_id_hash(uint32_t source, const char *text, size_t n)
{
    uint64_t h = fl_hash64(text, n, source);
    return h ? h : 1;
}

uint64_t fl_category_hash(const char *text, size_t n)
{
    uint64_t h = fl_hash64(text, n, 0x666c6f72696e6361u);
    return h ? h : 1;
}

/* The kind's name and a zero byte stand before the text, so card "7" and terminal "7" have unrelated hashes. */
uint64_t fl_entity_hash(const uint8_t key[16], const char *kind, const char *text, size_t n)
{
    char buf[512];
    size_t k = strlen(kind) + 1;
    if (k + n <= sizeof buf) {
        memcpy(buf, kind, k);
        memcpy(buf + k, text, n);
        uint64_t h = fl_siphash(buf, k + n, key);
        return h ? h : 1;
    }
    /* Long texts: two keyed hashes chained, so that nothing is allocated on the live path. */
    uint64_t part[2] = {fl_siphash(kind, k, key), fl_siphash(text, n, key)};
    uint64_t h = fl_siphash(part, sizeof part, key);
    return h ? h : 1;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static florin_status parse_key(const char *text, size_t n, const char *path, uint8_t key[16],
                               florin_error *err)
{
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' ')) n--;
    bool good = n == 32;
    for (size_t i = 0; good && i < 16; i++) {
        int a = hex_digit(text[2 * i]), b = hex_digit(text[2 * i + 1]);
        good = a >= 0 && b >= 0;
        if (good) key[i] = (uint8_t)(a << 4 | b);
    }
    if (good) return FLORIN_OK;
    return fl_fail(
        err, FLORIN_EINPUT,
        "%s: a hash key is one line of 32 hex digits; make one with `openssl rand -hex 16 > %s`",
        path, path);
}

florin_status fl_key_load(const char *path, uint8_t key[16], florin_error *err)
{
    char *text = NULL;
    size_t n = 0;
    florin_status st = fl_read_file(&text, &n, path, 4096, err);
    if (st == FLORIN_EIO) fl_fail_prefix(err, "hash_key of the schema");
    if (!st) st = parse_key(text, n, path, key, err);
    free(text);
    return st;
}

/* With another key no old entity would be found again. */
void fl_key_print(const uint8_t key[16], char out[17])
{
    snprintf(out, 17, "%016llx", (unsigned long long)fl_siphash("florin log", 10, key));
}

florin_status fl_schema_key(const fl_schema *s, uint8_t key[16], florin_error *err)
{
    static const uint8_t builtin[16] = "florin built-in";
    if (!s->hash_key) {
        memcpy(key, builtin, 16);
        return FLORIN_OK;
    }
    char *dir = s->path ? fl_path_dir(s->path) : fl_strdup(".");
    char *path = dir ? fl_path_join(dir, s->hash_key) : NULL;
    florin_status st =
        path ? fl_key_load(path, key, err) : fl_fail(err, FLORIN_ENOMEM, "path of the hash key");
    free(path);
    free(dir);
    return st;
}
