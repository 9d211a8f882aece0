/* The file of keys, the look-up by digest, the token buckets. */
#include "keys.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MOST = 512, SECRET = 20, KEYS_MOST = 10000 };
static const char prefix[] = "fk_"; /* so that scanners of leaked secrets can know one */

static florin_status fail(florin_error *err, florin_status st, const char *path, unsigned line,
                          const char *what)
{
    if (err) {
        err->status = st;
        snprintf(err->message, sizeof err->message, "%s:%u: %s", path, line, what);
    }
    return st;
}

unsigned keys_role(const char *text, size_t n)
{
    static const struct {
        const char *name;
        unsigned role;
    } roles[] = {{"score", ROLE_SCORE},
                 {"feedback", ROLE_FEEDBACK},
                 {"analyst", ROLE_ANALYST},
                 {"admin", ROLE_SCORE | ROLE_FEEDBACK | ROLE_ANALYST | ROLE_ADMIN}};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strlen(roles[i].name) == n && !memcmp(roles[i].name, text, n)) return roles[i].role;
    return ROLE_NONE;
}

/* "score,feedback"; 0: one of them is no role. */
static unsigned roles_of(const char *text)
{
    unsigned all = 0;
    for (;;) {
        size_t n = strcspn(text, ",");
        unsigned role = keys_role(text, n);
        if (!role) return 0;
        all |= role;
        if (!text[n]) return all;
        text += n + 1;
    }
}

static bool unhex(const char *text, uint8_t *out, size_t n)
{
    if (strlen(text) != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        char two[3] = {text[2 * i], text[2 * i + 1], 0};
        if (strspn(two, "0123456789abcdefABCDEF") != 2 || sscanf(two, "%x", &v) != 1) return false;
        out[i] = (uint8_t)v;
    }
    return true;
}

static const char *read_line(char *line, uint32_t rate, api_key *k)
{
    char roles[64], digest[80], more[8];
    unsigned own = rate;
    int n = sscanf(line, "%63s %63s %79s %u %7s", k->name, roles, digest, &own, more);
    if (n < 3 || n > 4) return "NAME ROLES SHA256 [RATE] is expected";
    k->roles = roles_of(roles);
    if (!k->roles) return "the roles are score, feedback, analyst and admin, joined by commas";
    if (!unhex(digest, k->digest, sizeof k->digest))
        return "64 hexadecimal digits are expected as the key's SHA-256";
    k->rate_per_s = own;
    k->tokens = own;
    k->filled_us = 0;
    return NULL;
}

florin_status keys_open(keys *out, const char *path, uint32_t rate, florin_error *err)
{
    char line[LINE_MOST];
    florin_status st = FLORIN_OK;
    unsigned number = 0;
    memset(out, 0, sizeof *out);
    FILE *f = fopen(path, "re");
    if (!f) return fail(err, FLORIN_EIO, path, 0, strerror(errno));
    while (!st && fgets(line, sizeof line, f)) {
        number++;
        if (!strchr(line, '\n') && !feof(f))
            st = fail(err, FLORIN_EINPUT, path, number, "too long");
        line[strcspn(line, "#\r\n")] = 0;
        if (st || !line[strspn(line, " \t")]) continue;
        api_key *more =
            out->n < KEYS_MOST ? realloc(out->key, (out->n + 1) * sizeof *out->key) : NULL;
        if (!more) {
            st = fail(err, FLORIN_ENOMEM, path, number, "no memory, or more than 10000 keys");
            break;
        }
        out->key = more;
        const char *wrong = read_line(line, rate, &out->key[out->n]);
        if (wrong) st = fail(err, FLORIN_EINPUT, path, number, wrong);
        else out->n++;
    }
    if (!st && ferror(f)) st = fail(err, FLORIN_EIO, path, number, strerror(errno));
    if (!st && !out->n) st = fail(err, FLORIN_EINPUT, path, number, "the file holds no key");
    fclose(f);
    if (st) keys_close(out);
    return st;
}

void keys_close(keys *k)
{
    free(k->key);
    memset(k, 0, sizeof *k);
}

api_key *keys_find(keys *k, const char *text, size_t n)
{
    uint8_t digest[32];
    if (n > 256 || gnutls_hash_fast(GNUTLS_DIG_SHA256, text, n, digest)) return NULL;
    /* Digests are compared, not keys: what the time of a comparison tells is of no use. */
    for (uint32_t i = 0; i < k->n; i++)
        if (!memcmp(k->key[i].digest, digest, sizeof digest)) return &k->key[i];
    return NULL;
}

bool keys_take(api_key *k, int64_t now_us, unsigned *wait_s)
{
    if (!k->rate_per_s) return true;
    double more = k->filled_us ? (double)(now_us - k->filled_us) * 1e-6 * k->rate_per_s : 0;
    k->filled_us = now_us;
    k->tokens += more;
    if (k->tokens > k->rate_per_s) k->tokens = k->rate_per_s; /* a second's worth at once */
    if (k->tokens < 1) {
        *wait_s = 1;
        return false;
    }
    k->tokens -= 1;
    return true;
}

florin_status keys_make(const char *name, const char *roles, char text[KEY_TEXT], char *line,
                        size_t room, florin_error *err)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t secret[SECRET], digest[32];
    char hex[65] = {0};
    bool named = name[0] && strlen(name) < KEY_NAME && !strpbrk(name, " \t#\n\r");
    if (!named || !roles_of(roles)) {
        if (err) {
            err->status = FLORIN_EUSAGE;
            snprintf(err->message, sizeof err->message, "%s",
                     named ? "--role: score, feedback, analyst, admin, or several joined by commas"
                           : "--new-key: a name without spaces, of at most 63 bytes");
        }
        return FLORIN_EUSAGE;
    }
    if (gnutls_rnd(GNUTLS_RND_KEY, secret, sizeof secret))
        return fail(err, FLORIN_EIO, "random numbers", 0, "the system gives none");
    size_t n = sizeof prefix - 1;
    memcpy(text, prefix, n);
    for (size_t i = 0; i < sizeof secret; i++) {
        text[n++] = digits[secret[i] >> 4];
        text[n++] = digits[secret[i] & 15];
    }
    text[n] = 0;
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text, n, digest))
        return fail(err, FLORIN_EINTERNAL, "SHA-256", 0, "not offered");
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    snprintf(line, room, "%s %s %s", name, roles, hex);
    return FLORIN_OK;
}
