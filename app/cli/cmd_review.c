/* florin review: the queue of decisions that people look at. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *store, *journal;
    florin_signature by;
    florin_queue_options o;
} asked;

enum { MINUTES = 30 };
static const char *const outcomes[] = {"approve", "refund", "fraud"};

static florin_status act(cli *c, florin_queue *q, const char *action, const char *decision,
                         asked *a, int64_t minutes, florin_error *err)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(action, outcomes[i]))
            return florin_queue_decide(q, decision, (florin_outcome)i, &a->by, err);
    if (!strcmp(action, "claim"))
        return florin_queue_claim(q, decision, &a->by, minutes * 60000000, err);
    if (!strcmp(action, "release")) return florin_queue_release(q, decision, &a->by, err);
    if (!strcmp(action, "note")) return florin_queue_note(q, decision, &a->by, err);
    if (!strcmp(action, "show")) return florin_queue_get(q, decision, &a->o, &c->context, err);
    return florin_queue_list(q, &a->o, &c->context, err);
}

static florin_status usage(const char *action, int given, const asked *a, int64_t minutes,
                           int64_t most, florin_error *err)
{
    static const char *const actions[] = {"list",    "show",   "claim", "release",
                                          "approve", "refund", "fraud", "note"};
    const size_t n = sizeof actions / sizeof actions[0];
    size_t i = 0;
    while (i < n && strcmp(actions[i], action)) i++;
    err->status = FLORIN_EUSAGE;
    if (i == n)
        snprintf(err->message, sizeof err->message,
                 "no action '%.40s': list, show, claim, release, approve, refund, fraud or note",
                 action);
    else if (given != (i > 0))
        snprintf(err->message, sizeof err->message,
                 i ? "%s takes one decision" : "%s takes no decision", action);
    else if (!a->store) snprintf(err->message, sizeof err->message, "needs --store FILE");
    else if (minutes < 1 || minutes > 100000 || most < 0 || most > 1000)
        snprintf(err->message, sizeof err->message, "--minutes is from 1, --most at most 1000");
    else return FLORIN_OK;
    return FLORIN_EUSAGE;
}

int cmd_review(cli *c, int argc, char **argv)
{
    asked a = {.by = {getenv("USER"), NULL, 0}, .o = FLORIN_QUEUE_INIT};
    const char *args[2] = {0};
    bool by_score = false;
    int64_t minutes = MINUTES, most = 0;
    int n = 0, code = 0;
    florin_error err = {0};
    florin_queue *q = NULL;
    const cli_option options[] = {
        {"--store", CLI_TEXT, &a.store, "FILE", "the queue (made when missing)"},
        {"--journal", CLI_TEXT, &a.journal, "FOLDER",
         "first take in what a journal has that is new"},
        {"--state", CLI_TEXT, &a.o.state, "STATE", "list: open, claimed or done (default: all)"},
        {"--by-score", CLI_FLAG, &by_score, NULL, "list: highest score first (default: oldest)"},
        {"--most", CLI_INT, &most, "N", "list: so many (default 1000)"},
        {"--cursor", CLI_TEXT, &a.o.cursor, "CURSOR", "list: go on after the page that gave it"},
        {"--minutes", CLI_INT, &minutes, "N", "claim: for so long (default 30)"},
        {"--who", CLI_TEXT, &a.by.who, "NAME", "who does it (default $USER)"},
        {"--note", CLI_TEXT, &a.by.note, "TEXT", "kept with it"},
        {0},
    };

    if (!cli_parse(c, argc, argv, options, args, 2, 1, &n, &code)) return code;
    a.o.format = c->format;
    a.o.by_score = by_score;
    a.o.most = (uint32_t)most;
    a.by.now_us = a.o.now_us = c->context.now_us ? c->context.now_us(c->context.user) : 0;
    florin_status st = usage(args[0], n - 1, &a, minutes, most, &err);
    if (!st) st = florin_queue_open(&q, a.store, &err);
    if (!st && a.journal) st = florin_queue_fill(q, a.journal, 0, NULL, &err);
    if (!st) st = act(c, q, args[0], args[1], &a, minutes, &err);
    florin_queue_close(q);
    return st ? cli_fail(c, &err) : FLORIN_OK;
}
