/* florin_score_log, florin_replay_log: scores of a whole log, and the words that go with them. */
#include "base/json.h"
#include <stdio.h>
#include "score/date_score.h"
#include "score/log_score.h"
#include "score/words.h"

static json_t *reasons_json(const fl_top_event *t)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < t->reasons; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:f, s:f}", "code", t->reason[i].code, "text",
                            t->reason[i].text, "normal", t->reason[i].normal, "share",
                            (double)t->reason[i].share, "value", (double)t->reason[i].value));
    return list;
}

static const char *amount_text(const fl_schema *s, const fl_event *e, char out[48])
{
    int exponent = fl_currency_exponent(s->currency);
    double unit = exponent == 0 ? 1 : exponent == 3 ? 1000 : 100;
    if (e->amount_minor == FL_AMOUNT_NONE) return "";
    snprintf(out, 48, "%.*f %s", exponent, (double)e->amount_minor / unit, s->currency);
    return out;
}

static void write_json(const florin_context *ctx, const fl_log *log, const fl_log_score_result *r,
                       bool check)
{
    json_t *heads = json_array(), *top = json_array();
    for (uint32_t i = 0; i < r->heads; i++)
        json_array_append_new(heads, json_pack("{s:s, s:I, s:I, s:I}", "name", r->head_name[i],
                                               "normal", (json_int_t)r->level[i][0], "elevated",
                                               (json_int_t)r->level[i][1], "highest",
                                               (json_int_t)r->level[i][2]));
    for (uint32_t i = 0; i < r->tops; i++) {
        const fl_top_event *t = &r->top[i];
        char time[32], amount[48], number[FL_ID_NUMBER];
        size_t len;
        const char *id = fl_log_event_id(log, t->row, number, &len);
        fl_time_format(t->event.time_us, time);
        json_array_append_new(top, json_pack("{s:s%, s:s, s:s, s:f, s:i, s:o}", "id", id, len,
                                             "time", time, "amount",
                                             amount_text(fl_log_schema(log), &t->event, amount),
                                             "probability", (double)t->score.probability, "score",
                                             (int)t->score.score, "reasons", reasons_json(t)));
    }
    json_t *j = json_pack("{s:s, s:I, s:f, s:b, s:o, s:s, s:o}", "report", "score", "events",
                          (json_int_t)r->events, "seconds", r->seconds, "checked", check, "heads",
                          heads, "top_head", r->head_name[r->top_head], "top", top);
    if (j && r->seen_us != INT64_MIN) {
        char until[32];
        fl_time_format(r->seen_us, until);
        json_object_set_new(j, "learnt_until", json_string(until));
    }
    if (j) fl_json_write(ctx, j);
    json_decref(j);
}

/* The normal of an entity stands under the first reason that is about it. */
static void write_reasons(const florin_context *ctx, const fl_top_event *t)
{
    for (uint32_t k = 0; k < t->reasons; k++) {
        const fl_reason *r = &t->reason[k];
        const char *colon = strchr(r->normal, ':');
        size_t about = colon ? (size_t)(colon - r->normal) + 1 : 0;
        bool told = about == 0;
        for (uint32_t j = 0; j < k && !told; j++)
            told = !strncmp(t->reason[j].normal, r->normal, about);
        if (r->share > 0)
            fl_writef(ctx, "       %3.0f %%  %s\n", 100.0 * (double)r->share, r->text);
        else fl_writef(ctx, "         -    %s\n", r->text);
        if (!told) fl_writef(ctx, "              (normal for this %s)\n", r->normal);
    }
}

static void write_text(const florin_context *ctx, const fl_log *log, const fl_log_score_result *r,
                       bool check, const char *out)
{
    fl_writef(ctx, "%llu events scored", (unsigned long long)r->events);
    if (r->seconds > 0) fl_writef(ctx, " in %.2f s", r->seconds);
    if (out) fl_writef(ctx, ", written to %s", out);
    fl_writef(ctx, "\n");
    for (uint32_t i = 0; i < r->heads; i++)
        fl_writef(ctx, "  %-20s %llu normal, %llu elevated (65-74), %llu highest (75-99)\n",
                  r->head_name[i], (unsigned long long)r->level[i][0],
                  (unsigned long long)r->level[i][1], (unsigned long long)r->level[i][2]);
    if (check) fl_writef(ctx, "Offline and live agree bit for bit.\n");
    if (r->tops) fl_writef(ctx, "\nMost suspicious by %s:\n", r->head_name[r->top_head]);
    for (uint32_t i = 0; i < r->tops; i++) {
        const fl_top_event *t = &r->top[i];
        char time[32], amount[48], number[FL_ID_NUMBER];
        size_t len;
        const char *id = fl_log_event_id(log, t->row, number, &len);
        fl_time_format(t->event.time_us, time);
        fl_writef(ctx, "%3u. %.*s  %s  %s  score %u (%.1f %%)\n", i + 1, (int)len, id, time,
                  amount_text(fl_log_schema(log), &t->event, amount), t->score.score,
                  100.0 * (double)t->score.probability);
        write_reasons(ctx, t);
    }
}

/* ---- entities at a date ---- */

static florin_status date_json(const florin_context *ctx, const fl_log *log,
                               const fl_date_score_result *r, florin_error *err)
{
    json_t *top = json_array();
    char at[32];
    fl_time_format(r->at_us, at);
    for (uint32_t i = 0; i < r->tops; i++) {
        const fl_top_entity *t = &r->top[i];
        char *id = fl_entity_text(log, r->kind, t->entity);
        json_array_append_new(top,
                              json_pack("{s:s*, s:f, s:i, s:f}", "id", id, "probability",
                                        (double)t->score.probability, "score", (int)t->score.score,
                                        "days_since_last_event", (double)t->idle_days));
        free(id);
    }
    json_t *j =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "report", "score_at", "head",
                  r->head, "entity", fl_log_schema(log)->kind[r->kind].name, "at", at, "entities",
                  (json_int_t)r->entities, "normal", (json_int_t)r->level[0], "elevated",
                  (json_int_t)r->level[1], "highest", (json_int_t)r->level[2], "top", top);
    if (!j) return fl_fail(err, FLORIN_ENOMEM, "scoring at a date");
    fl_json_write(ctx, j);
    json_decref(j);
    return FLORIN_OK;
}

static florin_status date_text(const florin_context *ctx, const fl_log *log,
                               const fl_date_score_result *r, const char *out, florin_error *err)
{
    const char *kind = fl_log_schema(log)->kind[r->kind].name;
    char at[32], idle[48];
    fl_time_format(r->at_us, at);
    fl_writef(ctx, "%llu entities (%s) judged by %s at %s%s%s\n", (unsigned long long)r->entities,
              kind, r->head, at, out ? ", written to " : "", out ? out : "");
    fl_writef(ctx, "  %llu normal, %llu elevated (65-74), %llu highest (75-99)\n",
              (unsigned long long)r->level[0], (unsigned long long)r->level[1],
              (unsigned long long)r->level[2]);
    for (uint32_t i = 0; i < r->tops; i++) {
        const fl_top_entity *t = &r->top[i];
        char *id = fl_entity_text(log, r->kind, t->entity);
        if (!id) return fl_fail(err, FLORIN_ENOMEM, "scoring at a date");
        fl_writef(ctx, "%3u. %s  score %u (%.1f %%)  last event %s before\n", i + 1, id,
                  t->score.score, 100.0 * (double)t->score.probability,
                  fl_words_days((double)t->idle_days, idle));
        free(id);
    }
    return FLORIN_OK;
}

static florin_status score_at(const florin_context *ctx, const florin_score_options *opt,
                              const fl_model *m, const fl_log *log, florin_error *err)
{
    fl_date_score_result r;
    fl_date_score_options o = {
        .out = opt->out, .head = opt->head, .at_us = INT64_MAX, .top = opt->top};
    if (opt->from || opt->to)
        return fl_fail(err, FLORIN_EUSAGE,
                       "--at judges entities at one moment: leave out --from "
                       "and --to");
    if (strcmp(opt->at, "end") && !fl_time_parse(opt->at, &o.at_us))
        return fl_fail(err, FLORIN_EUSAGE,
                       "--at %s: not a time, write 2018-08-01, 2018-08-01 12:30 or end", opt->at);
    florin_status st = fl_date_score(m, log, &o, &r, ctx, err);
    if (st) return st;
    st = opt->format == FLORIN_JSON ? date_json(ctx, log, &r, err)
                                    : date_text(ctx, log, &r, opt->out, err);
    free(r.top);
    return st;
}

static florin_status score(const florin_context *ctx, const florin_score_options *opt, bool live,
                           florin_error *err)
{
    if (!opt || opt->size != sizeof *opt || !opt->log || !opt->model)
        return fl_fail(err, FLORIN_EUSAGE, "scoring needs a log and a model");
    if (live && opt->at)
        return fl_fail(err, FLORIN_EUSAGE, "replay goes through events: use score for --at");
    fl_model *m = NULL;
    fl_log *log = NULL;
    fl_log_score_result r = {0};
    fl_log_score_options o = {.out = opt->out,
                              .head = opt->head,
                              .from_us = INT64_MIN,
                              .to_us = INT64_MAX,
                              .top = opt->top,
                              .live = live,
                              .check = live && opt->check};
    florin_status st = FLORIN_OK;
    if (opt->from && !fl_time_parse(opt->from, &o.from_us))
        st = fl_fail(err, FLORIN_EUSAGE,
                     "--from %s: not a time, write 2018-08-01 or 2018-08-01 12:30", opt->from);
    if (!st && opt->to && !fl_time_parse(opt->to, &o.to_us))
        st = fl_fail(err, FLORIN_EUSAGE,
                     "--to %s: not a time, write 2018-08-01 or 2018-08-01 12:30", opt->to);
    if (!st) st = fl_model_open(&m, opt->model, opt->tier, err);
    if (!st) st = fl_log_open(&log, opt->log, err);
    if (!st && opt->at) {
        st = score_at(ctx, opt, m, log, err);
        goto done;
    }
    if (!st) st = fl_log_score(m, log, &o, &r, ctx, err);
    if (!st) {
        if (opt->format == FLORIN_JSON) write_json(ctx, log, &r, o.check);
        else write_text(ctx, log, &r, o.check, opt->out);
        fl_log_score_free(&r);
    }
done:
    fl_log_close(log);
    fl_model_close(m);
    return st;
}

florin_status florin_score_log(const florin_context *ctx, const florin_score_options *opt,
                               florin_error *err)
{
    return score(ctx, opt, false, err);
}

florin_status florin_replay_log(const florin_context *ctx, const florin_score_options *opt,
                                florin_error *err)
{
    return score(ctx, opt, true, err);
}
