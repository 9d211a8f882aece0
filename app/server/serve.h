/* florin serve: opens everything, runs until SIGTERM, closes everything. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "florin.h"

/* path: the settings. ctx: progress of a recovery. Returns once the server has drained. */
florin_status serve_run(const char *path, const florin_context *ctx, florin_error *err);
/* The commented file of settings. */
const char *serve_settings_text(void);
/* A new API key: its text (shown once, at least 48 bytes) and the line of the file. */
florin_status serve_new_key(const char *name, const char *roles, char *secret, char *line,
                            size_t room, florin_error *err);

#endif
