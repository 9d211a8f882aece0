/* API keys: 32 random bytes, shown once; the file holds their SHA-256. Roles and rates per key. */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include "florin.h"
#include <stdbool.h>
#include <stddef.h>

/* What a caller may do; a key has one or several. */
enum { ROLE_NONE = 0, ROLE_SCORE = 1, ROLE_FEEDBACK = 2, ROLE_ANALYST = 4, ROLE_ADMIN = 8 };
enum { KEY_NAME = 64, KEY_TEXT = 48 };

typedef struct {
    char name[KEY_NAME];
    uint8_t digest[32];
    unsigned roles;
    uint32_t rate_per_s; /* 0: any */
    double tokens;       /* of the bucket */
    int64_t filled_us;
} api_key;

typedef struct {
    uint32_t n;
    api_key *key;
} keys;

/* Lines "NAME ROLE[,ROLE] SHA256 [RATE]"; # begins a comment. rate: of keys that name none. FLORIN_EINPUT names the line. */
florin_status keys_open(keys *out, const char *path, uint32_t rate, florin_error *err);
void keys_close(keys *k);
/* The key of this text; NULL: none. Takes as long whatever the text is. */
api_key *keys_find(keys *k, const char *text, size_t n);
/* Takes one request from the bucket; false: wait *wait_s seconds. */
bool keys_take(api_key *k, int64_t now_us, unsigned *wait_s);
/* "score" ...; 0: no such role. */
unsigned keys_role(const char *text, size_t n);
/* A new key's text and its line for the file. */
florin_status keys_make(const char *name, const char *roles, char text[KEY_TEXT], char *line,
                        size_t room, florin_error *err);

#endif
