/* Where simulated events go: the log, CSV tables beside their schema, and the truth apart. Decides here, event by event,
 * when the world learns of a fraud: what a model may know is drawn from the truth, never the truth itself. */
#include "base/file.h"
#include "data/simulate.h"

enum { FOR_LABEL = 0x70000000, FLUSH = 1 << 20, TABLES = 7 };
enum { T_PAYMENTS, T_REFUNDS, T_LOGINS, T_SALARIES, T_DISPUTES, T_ALERTS, T_TRUTH };
enum { KIND_CARD, KIND_MERCHANT, KIND_TERMINAL, KIND_DEVICE };
enum { FIELD_CATEGORY, FIELD_COUNTRY, FIELD_ENTRY, FIELD_RESPONSE };
enum { LABEL_FRAUD, LABEL_TESTING };

typedef struct {
    fl_writer *to;
    fl_buf buf;
} table;

struct sim_writer {
    const sim_world *w;
    fl_schema *schema;
    fl_log_writer *log; /* NULL: none */
    table t[TABLES];    /* `to` NULL: not written */
    char *csv;
    uint32_t *card, *merchant, *terminal; /* code + 1, 0 = not met yet */
    uint16_t *gen;                        /* of the card whose code is cached */
    fl_map64 device;                      /* key -> code */
    uint32_t category[SIM_CATEGORIES], country[SIM_COUNTRIES], entry[SIM_ENTRIES],
        response[SIM_RESPONSES];
    uint64_t number;
    char id[24], when[32]; /* of the event being written */
    size_t id_len;
    fl_simulate_result r;
};

static const char *const table_name[TABLES] = {"payments.csv", "refunds.csv",  "logins.csv",
                                               "salaries.csv", "disputes.csv", "alerts.csv",
                                               "truth.csv"};
static const char *const table_head[TABLES] = {
    ("payment_id,time,card,merchant,terminal,device,amount,category,country,entry_mode,"
     "response_code\n"),
    "refund_id,time,card,merchant,amount,category,country\n",
    "login_id,time,card,device,country,result\n",
    "salary_id,time,card,income\n",
    "payment_id,time,fraud\n",
    "payment_id,time\n",
    "event_id,kind\n",
};

static florin_status open_table(sim_writer *x, int i, const char *path, florin_error *err)
{
    florin_status st = fl_writer_open(&x->t[i].to, path, 0644, err);
    if (!st) fl_buf_puts(&x->t[i].buf, table_head[i]);
    return st;
}

static florin_status open_tables(sim_writer *x, const fl_simulate_options *opt, florin_error *err)
{
    florin_status st = fl_make_dir(opt->csv, err);
    char *path = NULL;
    x->csv = fl_strdup(opt->csv);
    if (!st && !x->csv) st = fl_fail(err, FLORIN_ENOMEM, "simulate");
    for (int i = 0; i < T_TRUTH && !st; i++) {
        if (!(path = fl_path_join(opt->csv, table_name[i])))
            return fl_fail(err, FLORIN_ENOMEM, "simulate");
        st = open_table(x, i, path, err);
        free(path);
    }
    return st;
}

static florin_status open_truth(sim_writer *x, const fl_simulate_options *opt, florin_error *err)
{
    char *path = opt->truth ? fl_strdup(opt->truth)
                 : opt->csv ? fl_path_join(opt->csv, table_name[T_TRUTH])
                            : NULL;
    if (!path && opt->log) {
        size_t n = strlen(opt->log);
        while (n > 1 && opt->log[n - 1] == '/') n--;
        path = fl_asprintf("%.*s-truth.csv", (int)n, opt->log);
    }
    if (!path) return fl_fail(err, FLORIN_ENOMEM, "simulate: truth file");
    florin_status st = open_table(x, T_TRUTH, path, err);
    free(path);
    return st;
}

static florin_status value_codes(sim_writer *x, int field, const char *const *text, uint32_t n,
                                 uint32_t *code, florin_error *err)
{
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < n && !st; i++)
        st = fl_log_writer_value(x->log, field, text[i], strlen(text[i]), &code[i], err);
    return st;
}

static florin_status open_log(sim_writer *x, const fl_simulate_options *opt,
                              const florin_context *ctx, florin_error *err)
{
    const char *names[SIM_CATEGORIES];
    florin_status st = fl_log_writer_open(&x->log, opt->log, x->schema, true, true, ctx, err);
    if (st) return st;
    fl_log_writer_expect(x->log, opt->events);
    for (int i = 0; i < SIM_CATEGORIES; i++) names[i] = sim_categories[i].name;
    st = value_codes(x, FIELD_CATEGORY, names, SIM_CATEGORIES, x->category, err);
    if (!st) st = value_codes(x, FIELD_COUNTRY, sim_country, SIM_COUNTRIES, x->country, err);
    if (!st) st = value_codes(x, FIELD_ENTRY, sim_entry, SIM_ENTRIES, x->entry, err);
    if (!st) st = value_codes(x, FIELD_RESPONSE, sim_response, SIM_RESPONSES, x->response, err);
    x->card = fl_calloc(x->w->cards, sizeof *x->card);
    x->gen = fl_calloc(x->w->cards, sizeof *x->gen);
    x->merchant = fl_calloc(x->w->merchants, sizeof *x->merchant);
    x->terminal = fl_calloc(x->w->terminals + 1, sizeof *x->terminal);
    if (!st && (!x->card || !x->gen || !x->merchant || !x->terminal ||
                !fl_map64_init(&x->device, x->w->cards)))
        st = fl_fail(err, FLORIN_ENOMEM, "simulate: codes of %u cards", x->w->cards);
    return st;
}

florin_status sim_writer_open(sim_writer **out, const fl_simulate_options *opt, const sim_world *w,
                              const florin_context *ctx, florin_error *err)
{
    florin_status st;
    *out = NULL;
    sim_writer *x = fl_calloc(1, sizeof *x);
    if (!x) return fl_fail(err, FLORIN_ENOMEM, "simulate");
    x->w = w;
    st = fl_schema_parse(&x->schema, fl_sim_schema, strlen(fl_sim_schema), "simulated", err);
    if (!st && opt->csv) st = open_tables(x, opt, err);
    if (!st) st = open_truth(x, opt, err);
    if (!st && opt->log) st = open_log(x, opt, ctx, err);
    if (st) sim_writer_abort(x);
    else *out = x;
    return st;
}

static void free_writer(sim_writer *x)
{
    for (int i = 0; i < TABLES; i++) {
        fl_writer_abort(x->t[i].to);
        fl_buf_free(&x->t[i].buf);
    }
    fl_schema_free(x->schema);
    fl_map64_free(&x->device);
    free(x->csv);
    free(x->card);
    free(x->gen);
    free(x->merchant);
    free(x->terminal);
    free(x);
}

void sim_writer_abort(sim_writer *x)
{
    if (!x) return;
    fl_log_writer_abort(x->log);
    free_writer(x);
}

/* ---- names ---- */

/* prefix, then v in decimal with at least `width` digits (at most 20), NUL. Returns the length. */
static size_t name(char *s, char prefix, uint64_t v, int width)
{
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    while (n < width) digits[n++] = '0';
    s[0] = prefix;
    for (int i = 0; i < n; i++) s[1 + i] = digits[n - 1 - i];
    s[n + 1] = 0;
    return (size_t)n + 1;
}

static size_t card_name(const sim_writer *x, const sim_event *e, char s[24])
{
    if (e->card & SIM_GHOST) return name(s, 'c', 9000000000u + (e->card & ~SIM_GHOST), 7);
    return name(s, 'c', e->card + (uint64_t)e->gen * x->w->cards, 7);
}

static size_t merchant_name(uint32_t m, char s[24])
{
    return name(s, 'm', m, 5);
}

static size_t terminal_name(uint32_t t, char s[24])
{
    return name(s, 't', t, 6);
}

static size_t device_name(uint64_t device, char s[24])
{
    static const char hex[] = "0123456789abcdef";
    s[0] = 'd';
    for (int i = 0; i < 12; i++) s[1 + i] = hex[device >> (60 - 4 * i) & 15];
    s[13] = 0;
    return 13;
}

/* ---- the log ---- */

static florin_status card_code(sim_writer *x, const sim_event *e, uint32_t *code, florin_error *err)
{
    char s[24];
    bool ghost = e->card & SIM_GHOST;
    if (!ghost && x->card[e->card] && x->gen[e->card] == e->gen) {
        *code = x->card[e->card] - 1;
        return FLORIN_OK;
    }
    florin_status st = fl_log_writer_entity(x->log, KIND_CARD, s, card_name(x, e, s), code, err);
    if (!st && !ghost) {
        x->card[e->card] = *code + 1;
        x->gen[e->card] = e->gen;
    }
    return st;
}

static florin_status cached_code(sim_writer *x, uint32_t *cache, int kind, const char *s, size_t n,
                                 uint32_t *code, florin_error *err)
{
    florin_status st = FLORIN_OK;
    if (!*cache) {
        st = fl_log_writer_entity(x->log, kind, s, n, code, err);
        if (!st) *cache = *code + 1;
    }
    if (!st) *code = *cache - 1;
    return st;
}

static florin_status log_entities(sim_writer *x, const sim_event *e, fl_log_row *row,
                                  florin_error *err)
{
    char s[24];
    florin_status st = card_code(x, e, &row->entity[KIND_CARD], err);
    if (!st && e->merchant != FL_NONE) {
        uint32_t *c = &x->merchant[e->merchant];
        st = cached_code(x, c, KIND_MERCHANT, s, *c ? 0 : merchant_name(e->merchant, s),
                         &row->entity[KIND_MERCHANT], err);
    }
    if (!st && e->terminal) {
        uint32_t t = x->w->merchant[e->merchant].terminal + e->terminal - 1u, *c = &x->terminal[t];
        st = cached_code(x, c, KIND_TERMINAL, s, *c ? 0 : terminal_name(t, s),
                         &row->entity[KIND_TERMINAL], err);
    }
    if (!st && e->device) {
        bool fresh;
        uint32_t *c = fl_map64_insert(&x->device, e->device, &fresh);
        if (!c) return fl_fail(err, FLORIN_ENOMEM, "simulate: %zu devices", x->device.count);
        if (fresh)
            st = fl_log_writer_entity(x->log, KIND_DEVICE, s, device_name(e->device, s), c, err);
        row->entity[KIND_DEVICE] = *c;
    }
    return st;
}

static florin_status to_log(sim_writer *x, const sim_event *e, int64_t time_us, florin_error *err)
{
    fl_log_row row = {.time_us = time_us,
                      .amount_minor = e->amount,
                      .type = e->type,
                      .id = x->id,
                      .id_len = x->id_len};
    for (int k = 0; k < FL_KINDS_MAX; k++) row.entity[k] = FL_NONE;
    for (int k = 0; k < FL_CATEGORIES_MAX; k++) row.category[k] = FL_NONE;
    row.id_hash = fl_event_id_hash(e->type, x->id, x->id_len);
    fl_log_writer_soon(x->log, row.id_hash);
    if (e->merchant != FL_NONE)
        row.category[FIELD_CATEGORY] = x->category[x->w->merchant[e->merchant].category];
    if (e->type != SIM_SALARY) row.category[FIELD_COUNTRY] = x->country[e->country];
    if (e->type == SIM_PAYMENT) {
        row.category[FIELD_ENTRY] = x->entry[e->entry];
        row.category[FIELD_RESPONSE] = x->response[e->response];
    }
    if (e->response != SIM_OK) row.marks = 1;
    if (e->type == SIM_SALARY) {
        row.number[0] = (float)e->amount / 100;
        row.number_present = 1;
    }
    if (e->type == SIM_SALARY || e->type == SIM_LOGIN) row.amount_minor = FL_AMOUNT_NONE;
    florin_status st = log_entities(x, e, &row, err);
    return st ? st : fl_log_writer_row(x->log, &row, err);
}

/* ---- the tables ---- */

static florin_status flush(table *t, size_t above, florin_error *err)
{
    if (!t->to || t->buf.len <= above) return FLORIN_OK;
    if (t->buf.failed) return fl_fail(err, FLORIN_ENOMEM, "simulate: table");
    florin_status st = fl_writer_add(t->to, t->buf.data, t->buf.len, err);
    t->buf.len = 0;
    return st;
}

static void cell(fl_buf *b, const char *s, size_t n, char end)
{
    fl_buf_add(b, s, n);
    fl_buf_add(b, &end, 1);
}

static void money(fl_buf *b, int32_t minor, char end)
{
    char s[24];
    size_t n = name(s, ' ', (uint64_t)minor, 3);
    char cents[2] = {s[n - 2], s[n - 1]};
    s[n - 2] = '.';
    fl_buf_add(b, s + 1, n - 2);
    cell(b, cents, 2, end);
}

static void to_table(sim_writer *x, const sim_event *e)
{
    static const uint8_t of[SIM_TYPES] = {T_PAYMENTS, T_REFUNDS, T_LOGINS, T_SALARIES};
    fl_buf *b = &x->t[of[e->type]].buf;
    char s[24];
    cell(b, x->id, x->id_len, ',');
    cell(b, x->when, strlen(x->when), ',');
    cell(b, s, card_name(x, e, s), ',');
    if (e->type == SIM_SALARY) {
        money(b, e->amount, '\n');
        return;
    }
    if (e->type == SIM_LOGIN) {
        cell(b, s, device_name(e->device, s), ',');
        cell(b, sim_country[e->country], 2, ',');
        fl_buf_puts(b, e->response ? "failed\n" : "ok\n");
        return;
    }
    const sim_merchant *m = &x->w->merchant[e->merchant];
    const char *category = sim_categories[m->category].name;
    cell(b, s, merchant_name(e->merchant, s), ',');
    if (e->type == SIM_PAYMENT) {
        cell(b, s, e->terminal ? terminal_name(m->terminal + e->terminal - 1u, s) : 0, ',');
        cell(b, s, e->device ? device_name(e->device, s) : 0, ',');
    }
    money(b, e->amount, ',');
    cell(b, category, strlen(category), ',');
    cell(b, sim_country[e->country], 2, e->type == SIM_PAYMENT ? ',' : '\n');
    if (e->type != SIM_PAYMENT) return;
    cell(b, sim_entry[e->entry], strlen(sim_entry[e->entry]), ',');
    cell(b, sim_response[e->response], 2, '\n');
}

/* ---- what the world learns, and when ---- */

static florin_status say(sim_writer *x, int label, float value, int64_t at_us, florin_error *err)
{
    at_us -= at_us % FL_SECOND_US;
    if (label == LABEL_TESTING) x->r.testing_labels++;
    else x->r.labels++;
    table *t = &x->t[label == LABEL_TESTING ? T_ALERTS : T_DISPUTES];
    if (t->to) {
        char when[32];
        fl_time_format(at_us, when);
        cell(&t->buf, x->id, x->id_len, ',');
        cell(&t->buf, when, strlen(when), label == LABEL_TESTING ? '\n' : ',');
        if (label == LABEL_FRAUD) cell(&t->buf, value > 0 ? "1" : "0", 1, '\n');
    }
    if (!x->log) return FLORIN_OK;
    return fl_log_writer_label(x->log, fl_event_id_hash(SIM_PAYMENT, x->id, x->id_len),
                               (uint8_t)label, value, at_us, err);
}

/* Days until the holder, the bank or a statement finds a fraud out: median, spread, share that anyone finds. */
static const struct {
    float soon, soon_days, late_days, found;
} finding[FL_SIM_KINDS] = {
    [FL_SIM_STOLEN_CARD] = {.65f, 2.5f, 14, .94f},
    [FL_SIM_CARD_TESTING] = {.20f, 3, 16, .45f},
    [FL_SIM_COMPROMISED_TERMINAL] = {.45f, 4, 15, .93f},
    [FL_SIM_ACCOUNT_TAKEOVER] = {.60f, 3, 13, .95f},
    [FL_SIM_FRIENDLY_FRAUD] = {.05f, 8, 24, 1},
    [FL_SIM_BUST_OUT] = {.15f, 7, 21, .85f},
};

static int64_t after_days(sim_rng *r, float median, float sigma)
{
    float days = sim_lognormal(r, median, sigma);
    if (days > 110) days = 110;
    return (int64_t)(days * 86400) * FL_SECOND_US;
}

static florin_status labels(sim_writer *x, const sim_event *e, int64_t t, florin_error *err)
{
    sim_rng r = sim_stream(x->w->seed, FOR_LABEL, x->number);
    florin_status st = FLORIN_OK;
    if (e->truth == FL_SIM_CARD_TESTING && sim_chance(&r, .92f))
        st = say(x, LABEL_TESTING, 1, t + FL_DAY_US + (int64_t)(sim_unit(&r) * 48) * FL_HOUR_US,
                 err);
    if (e->truth != FL_SIM_HONEST) {
        float found = e->response == SIM_OK             ? finding[e->truth].found
                      : e->truth == FL_SIM_CARD_TESTING ? 0
                                                        : .3f;
        if (st || !sim_chance(&r, found)) return st;
        bool soon = e->response != SIM_OK || sim_chance(&r, finding[e->truth].soon);
        int64_t wait = soon ? after_days(&r, finding[e->truth].soon_days, .6f)
                            : after_days(&r, finding[e->truth].late_days, .55f);
        return say(x, LABEL_FRAUD, 1, t + 2 * FL_HOUR_US + wait, err);
    }
    if (x->w->steady) return st;
    float u = sim_unit(&r);
    if (u < .0006f) { /* a false alarm, corrected later */
        int64_t at = t + after_days(&r, 2, .4f);
        st = say(x, LABEL_FRAUD, 1, at, err);
        if (!st) st = say(x, LABEL_FRAUD, 0, at + FL_DAY_US + after_days(&r, 8, .5f), err);
        x->r.corrections++;
    } else if (u < .02f) { /* looked at and found good */
        st = say(x, LABEL_FRAUD, 0, t + FL_HOUR_US + after_days(&r, 1.5f, .5f), err);
    }
    return st;
}

static void count(sim_writer *x, const sim_event *e, int64_t time_us)
{
    fl_simulate_result *r = &x->r;
    if (x->number == 1) r->first_us = time_us;
    r->last_us = time_us;
    if (e->type == SIM_REFUND) r->refunds++;
    if (e->type == SIM_LOGIN) r->logins++;
    if (e->type == SIM_SALARY) r->salaries++;
    if (e->type != SIM_PAYMENT) return;
    r->payments++;
    r->kind[e->truth]++;
    if (e->response != SIM_OK) r->declined++;
    if (e->card & SIM_GHOST) r->ghosts++;
}

florin_status sim_writer_event(sim_writer *x, const sim_event *e, int64_t time_us,
                               florin_error *err)
{
    static const char prefix[SIM_TYPES] = {'p', 'r', 'l', 's'};
    florin_status st = FLORIN_OK;
    x->number++;
    x->id_len = name(x->id, prefix[e->type], x->number, 9);
    count(x, e, time_us);
    if (x->csv) {
        fl_time_format(time_us, x->when);
        to_table(x, e);
    }
    if (x->log) st = to_log(x, e, time_us, err);
    if (!st && e->type == SIM_PAYMENT) st = labels(x, e, time_us, err);
    if (e->truth != FL_SIM_HONEST) {
        cell(&x->t[T_TRUTH].buf, x->id, x->id_len, ',');
        fl_buf_puts(&x->t[T_TRUTH].buf, fl_sim_kind_name[e->truth]);
        fl_buf_puts(&x->t[T_TRUTH].buf, "\n");
    }
    for (int i = 0; i < TABLES && !st && (x->number & 1023) == 0; i++)
        st = flush(&x->t[i], FLUSH, err);
    return st;
}

florin_status sim_writer_commit(sim_writer *x, fl_simulate_result *result, florin_error *err)
{
    florin_status st = FLORIN_OK;
    fl_log_written stats;
    for (int i = 0; i < TABLES && !st; i++) st = flush(&x->t[i], 0, err);
    for (int i = 0; i < TABLES && !st; i++) {
        if (!x->t[i].to) continue;
        st = fl_writer_commit(x->t[i].to, err);
        x->t[i].to = NULL;
    }
    if (!st && x->csv) {
        char *path = fl_path_join(x->csv, "schema.yaml");
        st = path ? fl_write_file(path, fl_sim_schema, strlen(fl_sim_schema), err)
                  : fl_fail(err, FLORIN_ENOMEM, "simulate");
        free(path);
    }
    if (x->log) {
        if (st) fl_log_writer_abort(x->log);
        else st = fl_log_writer_commit(x->log, &stats, err);
    }
    x->r.merchants = x->w->merchants;
    x->r.terminals = x->w->terminals;
    x->r.cards = x->w->cards;
    *result = x->r;
    free_writer(x);
    return st;
}
