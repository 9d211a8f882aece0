/* The network's shape: vocabularies, tokens, number inputs, targets and the list of parameters. Owns what one
 * event becomes before any weight is applied, for training and scoring alike. Invariant: tokens are below their
 * table's rows and number inputs are finite, whatever the event holds. */
#include "model/backbone.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define INPUT_LIMIT 10.0f

/* ---- numbers ---- */

static float held(float x)
{
    return x < -INPUT_LIMIT ? -INPUT_LIMIT : x > INPUT_LIMIT ? INPUT_LIMIT : x;
}

double fl_amount_major(const fl_network *n, int64_t amount_minor)
{
    static const double unit[] = {1, 10, 100, 1000, 10000};

    return (double)amount_minor / unit[n->exponent];
}

uint32_t fl_network_numbers(const fl_network *n)
{
    return 1 + 2 * FL_PLR + 2 * n->numbers + n->features;
}

void fl_network_number_inputs(const fl_network *n, const fl_kernels *kernels, const fl_event *event,
                              const float *features, float *out)
{
    bool amount = event->amount_minor != FL_AMOUNT_NONE;
    float x = 0;

    if (amount)
        x = held((fl_squash((float)fl_amount_major(n, event->amount_minor)) - n->log_amount_mean) /
                 n->log_amount_scale);
    *out++ = x;
    /* Periodic features, Gorishniy et al. 2022, with fixed frequencies. Every second one doubles, so two sines give
     * all: sin 2a = 2 sin a cos a. Without an amount all are zero. */
    float s[2], c[2];
    for (uint32_t k = 0; k < FL_PLR; k++) {
        uint32_t i = k % 2;
        if (k < 2) {
            float angle = 6.28318531f / 16.0f * x * (k ? 1.41421356f : 1.0f);
            s[i] = sinf(angle);
            c[i] = cosf(angle);
        } else {
            float s2 = 2.0f * s[i] * c[i], c2 = c[i] * c[i] - s[i] * s[i];
            s[i] = s2;
            c[i] = c2;
        }
        *out++ = amount ? s[i] : 0;
        *out++ = amount ? c[i] : 0;
    }
    for (uint32_t k = 0; k < n->numbers; k++) {
        bool present = event->number_present >> n->number[k] & 1;
        float v = fl_squash(event->number[n->number[k]]);
        *out++ = present ? held((v - n->number_mean[k]) / n->number_scale[k]) : 0;
        *out++ = present;
    }
    kernels->squash(out, features, n->feature_mean, n->feature_scale, INPUT_LIMIT, n->features);
}

/* ---- tokens ---- */

uint32_t fl_token(const fl_vocabulary *v, uint64_t hash)
{
    if (!hash) return FL_TOKEN_MISSING;
    const uint32_t *token = fl_map64_find(&v->map, hash);
    if (token) return *token;
    if (!v->buckets) return FL_TOKEN_UNKNOWN;
    return FL_TOKEN_FIRST + v->known + (uint32_t)(fl_mix64(hash) % v->buckets);
}

uint32_t fl_amount_token(const fl_network *n, int64_t amount_minor)
{
    if (amount_minor == FL_AMOUNT_NONE) return 0;
    if (amount_minor == 0) return 1;
    double a = fl_amount_major(n, amount_minor);
    uint32_t low = 0, high = FL_AMOUNT_BINS - 1; /* count of edges <= a */
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if ((double)n->amount_edge[middle] <= a) low = middle + 1;
        else high = middle;
    }
    return 2 + low;
}

/* 2^(k/1.25) seconds: 1 s to 194 days. */
static const int64_t dt_edge[FL_DT_TOKENS - 3] = {
    1000000,        1741102,       3031434,       5278032,       9189587,       16000000,
    27857619,       48502931,      84448507,      147033390,     256000000,     445721889,
    776046883,      1351176101,    2352534232,    4096000000,    7131550215,    12416750113,
    21618817611,    37640547697,   65536000000,   114104803433,  198668001806,  345901081762,
    602248763145,   1048576000000, 1825676854918, 3178688028891, 5534417308187, 9635980210315,
    16777216000000,
};

uint32_t fl_dt_token(int64_t dt_us, bool first)
{
    uint32_t low = 0, high = FL_DT_TOKENS - 3;

    if (first) return 0;
    if (dt_us <= 0) return 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (dt_edge[middle] <= dt_us) low = middle + 1;
        else high = middle;
    }
    return 2 + low;
}

double fl_dt_from(uint32_t token)
{
    return token > 2 ? (double)dt_edge[token - 3] : 0;
}

double fl_dt_longer(uint32_t token, double x_us)
{
    if (token < 2) return 0;
    double from = fl_dt_from(token);
    if (x_us <= from) return 1;
    if (token + 1 == FL_DT_TOKENS) return from / x_us;
    double to = fl_dt_from(token + 1);
    return x_us >= to ? 0 : from <= 0 ? 1 - x_us / to : log(to / x_us) / log(to / from);
}

float fl_dt_number(int64_t dt_us, bool first)
{
    return first || dt_us <= 0 ? 0 : fl_squash((float)((double)dt_us * 1e-6)) * 0.1f;
}

fl_calendar fl_calendar_of(int64_t time_us)
{
    int64_t days = time_us / FL_DAY_US, left = time_us % FL_DAY_US;

    if (left < 0) {
        left += FL_DAY_US;
        days--;
    }
    /* Day of month from days since 1970: Hinnant's civil_from_days. */
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t day = doy - (153 * ((5 * doy + 2) / 153) + 2) / 5;
    int64_t weekday = (days % 7 + 7 + 3) % 7; /* 1970-01-01 was a Thursday */
    return (fl_calendar){(uint8_t)(left / FL_HOUR_US), (uint8_t)weekday, (uint8_t)day};
}

void fl_network_tokens(const fl_network *n, const fl_event *event, fl_tokens *out)
{
    for (uint32_t i = 0; i < n->categories; i++)
        out->category[i] = fl_token(&n->vocabulary[i], event->category[n->category[i]]);
    out->type = event->type < FL_SOURCES_MAX ? n->type_token[event->type] : 0;
    out->amount = fl_amount_token(n, event->amount_minor);
    out->when = fl_calendar_of(event->time_us);
}

uint32_t fl_target_token(int slot, const fl_tokens *tokens, uint32_t gap)
{
    switch (slot) {
    case -1: return tokens->type;
    case -2: return tokens->amount;
    case -3: return gap;
    default: return tokens->category[slot];
    }
}

/* ---- targets and parameters ---- */

static void add_target(fl_target *t, const fl_network *n, int slot)
{
    static const char *const special[] = {"type", "amount", "gap"};

    memset(t, 0, sizeof *t);
    t->slot = slot;
    if (slot >= 0) {
        const char *name = n->name[slot];
        bool taken = false;
        for (size_t i = 0; i < FL_LEN(special); i++) taken |= !strcmp(name, special[i]);
        snprintf(t->name, sizeof t->name, "%s%.50s", taken ? "cat." : "", name);
        if (!taken) snprintf(t->name, sizeof t->name, "%s", name);
        t->tokens = n->vocabulary[slot].tokens;
    } else {
        snprintf(t->name, sizeof t->name, "%s", special[-1 - slot]);
        t->tokens = slot == -1 ? n->types : slot == -2 ? FL_AMOUNT_TOKENS : FL_DT_TOKENS;
    }
    if (!n->dense && t->tokens > FL_FACTOR_MIN) t->group = (uint32_t)ceil(sqrt(t->tokens));
}

uint32_t fl_network_targets(const fl_network *n, fl_target out[FL_TARGETS_MAX])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < n->categories; i++) add_target(&out[count++], n, (int)i);
    if (n->types > 1) add_target(&out[count++], n, -1);
    add_target(&out[count++], n, -2);
    add_target(&out[count++], n, -3);
    return count;
}

uint32_t fl_target_clusters(const fl_target *t)
{
    return t->group ? (t->tokens + t->group - 1) / t->group : 0;
}

void fl_parameter_add(fl_parameter *list, uint32_t *count, size_t rows, size_t cols, fl_init init,
                      bool decay, const char *format, ...)
{
    fl_parameter *p = &list[(*count)++];
    va_list arguments;

    memset(p, 0, sizeof *p);
    va_start(arguments, format);
    vsnprintf(p->name, sizeof p->name, format, arguments);
    va_end(arguments);
    p->rows = rows;
    p->cols = cols;
    p->init = init;
    p->decay = decay;
}

typedef struct {
    fl_parameter *out;
    uint32_t count;
} list;

#define add(l, ...) fl_parameter_add((l)->out, &(l)->count, __VA_ARGS__)

static void add_stream(list *l, const fl_network *n, int stream)
{
    const char *s = stream ? "payee" : "payer";
    size_t H = n->h, D = n->d;
    fl_target target[FL_TARGETS_MAX];

    add(l, FL_DT_TOKENS, D, FL_INIT_TABLE, false, "%s.dt.table", s);
    add(l, 1, D, FL_INIT_TABLE, false, "%s.dt.w", s);
    uint32_t targets = fl_network_targets(n, target);
    for (uint32_t t = 0; t < targets; t++) {
        size_t clusters = fl_target_clusters(&target[t]);
        add(l, target[t].tokens, H, FL_INIT_MATRIX, true, "%s.head.%s.w", s, target[t].name);
        add(l, 1, target[t].tokens, FL_INIT_ZERO, false, "%s.head.%s.b", s, target[t].name);
        if (n->copy) {
            add(l, 1, H, FL_INIT_ZERO, true, "%s.head.%s.gw", s, target[t].name);
            add(l, 1, 1, FL_INIT_ZERO, false, "%s.head.%s.gb", s, target[t].name);
        }
        if (!clusters) continue;
        add(l, clusters, H, FL_INIT_MATRIX, true, "%s.head.%s.cw", s, target[t].name);
        add(l, 1, clusters, FL_INIT_ZERO, false, "%s.head.%s.cb", s, target[t].name);
    }
}

uint32_t fl_network_parameters(const fl_network *n, fl_parameter out[FL_PARAMETERS_MAX])
{
    list l = {out, 0};
    size_t D = n->d;

    for (uint32_t i = 0; i < n->categories; i++)
        add(&l, n->vocabulary[i].tokens, D, FL_INIT_TABLE, false, "cat.%s.table", n->name[i]);
    add(&l, n->types, D, FL_INIT_TABLE, false, "type.table");
    add(&l, FL_AMOUNT_TOKENS, D, FL_INIT_TABLE, false, "amount.table");
    add(&l, 24, D, FL_INIT_TABLE, false, "hour.table");
    add(&l, 7, D, FL_INIT_TABLE, false, "weekday.table");
    add(&l, 31, D, FL_INIT_TABLE, false, "day.table");
    add(&l, fl_network_numbers(n), D, FL_INIT_MATRIX, true, "num.w");
    add(&l, 1, D, FL_INIT_ZERO, false, "num.b");
    add(&l, D, 2 * D, FL_INIT_MATRIX, true, "mlp.w1");
    add(&l, 1, 2 * D, FL_INIT_ZERO, false, "mlp.b1");
    add(&l, 2 * D, D, FL_INIT_MATRIX, true, "mlp.w2");
    add(&l, 1, D, FL_INIT_ZERO, false, "mlp.b2");
    n->backbone->parameters(n, out, &l.count);
    for (int s = 0; s < FL_STREAMS; s++)
        if (n->stream[s]) add_stream(&l, n, s);
    return l.count;
}

/* ---- recent tokens ---- */

/* A weight's code c stands for .9^((COPY_ONE - c) / 8), so a decay is c - 8. COPY_ONE is such that a token which comes at
 * every event, the heaviest there is (1 / (1 - .9) = 10), just fits in ten bits. Codes below 32 count as nothing: what no
 * longer comes is forgotten after 103 events, when its weight is 2e-5. */
enum { COPY_DECAY = 8, COPY_ONE = 848 };

float fl_copy_weight(fl_copy_slot slot)
{
    static const float high[32] = {0.0f,
                                   2.15147331e-05f,
                                   3.27918505e-05f,
                                   4.99799581e-05f,
                                   7.6177348e-05f,
                                   0.000116106307f,
                                   0.000176964345f,
                                   0.000269721606f,
                                   0.000411098317f,
                                   0.000626578748f,
                                   0.000955004951f,
                                   0.00145557834f,
                                   0.00221853123f,
                                   0.00338139191f,
                                   0.00515377521f,
                                   0.00785516721f,
                                   0.0119725152f,
                                   0.0182480036f,
                                   0.0278128389f,
                                   0.0423911583f,
                                   0.0646108189f,
                                   0.0984770902f,
                                   0.150094635f,
                                   0.228767925f,
                                   0.34867844f,
                                   0.531441f,
                                   0.81f,
                                   1.2345679f,
                                   1.88167642f,
                                   2.86797199f,
                                   4.37124217f,
                                   6.66246331f},
                       low[32] = {1.0f,        1.01325717f, 1.0266901f,  1.0403011f,  1.05409255f,
                                  1.06806684f, 1.08222638f, 1.09657365f, 1.11111111f, 1.1258413f,
                                  1.14076677f, 1.15589011f, 1.17121395f, 1.18674093f, 1.20247376f,
                                  1.21841516f, 1.2345679f,  1.25093478f, 1.26751864f, 1.28432235f,
                                  1.30134883f, 1.31860104f, 1.33608196f, 1.35379462f, 1.37174211f,
                                  1.38992753f, 1.40835404f, 1.42702483f, 1.44594315f, 1.46511226f,
                                  1.48453551f, 1.50421625f};
    uint32_t code = slot >> FL_COPY_TOKEN_BITS;

    return high[code / 32] * low[code % 32];
}

void fl_copy_add(fl_copy_slot slot[FL_COPY_SLOTS], uint32_t token)
{
    const float codes_per_nat = 75.9297726f; /* 8 / ln(1 / .9) */
    const fl_copy_slot decay = COPY_DECAY << FL_COPY_TOKEN_BITS;
    uint32_t least = 0, at = FL_COPY_SLOTS, code = COPY_ONE;

    for (uint32_t i = 0; i < FL_COPY_SLOTS; i++) {
        slot[i] = slot[i] >= decay ? slot[i] - decay : 0;
        if (slot[i] && fl_copy_token(slot[i]) == token) at = i;
        if (slot[i] < slot[least]) least = i;
    }
    if (at == FL_COPY_SLOTS) at = least;
    else code += (uint32_t)(fl_squash(fl_copy_weight(slot[at])) * codes_per_nat + 0.5f);
    slot[at] = code << FL_COPY_TOKEN_BITS | token; /* of the weight + 1, by ln(1 + weight) */
}

float fl_copy_share(const fl_copy_slot slot[FL_COPY_SLOTS], uint32_t token)
{
    float all = 0, mine = 0;

    for (uint32_t i = 0; i < FL_COPY_SLOTS; i++) {
        float weight = fl_copy_weight(slot[i]);
        all += weight;
        mine += weight * (float)(fl_copy_token(slot[i]) == token);
    }
    return all > 0 ? mine / all : 0;
}

/* ---- construction ---- */

static bool used_by_source(const fl_source *source)
{
    return source->label_of < 0;
}

florin_status fl_network_new(fl_network **out, const fl_schema *s, uint32_t h, uint32_t d,
                             uint32_t features, florin_error *err)
{
    fl_network *n;

    *out = NULL;
    if (!h || h > FL_H_MAX || !d || d > FL_D_MAX || features > FL_NETWORK_FEATURES_MAX)
        return fl_fail(err, FLORIN_EINPUT, "network: h %u, d %u, features %u out of range", h, d,
                       features);
    n = fl_calloc(1, sizeof *n);
    if (n) {
        n->feature_mean = fl_calloc((size_t)features + 1, sizeof *n->feature_mean);
        n->feature_scale = fl_calloc((size_t)features + 1, sizeof *n->feature_scale);
    }
    if (!n || !n->feature_mean || !n->feature_scale) {
        fl_network_free(n);
        return fl_fail(err, FLORIN_ENOMEM, "network: out of memory");
    }
    n->h = h;
    n->d = d;
    n->backbone = &fl_backbone_gru;
    n->features = features;
    n->stream[0] = fl_schema_role(s, FL_ROLE_PAYER) >= 0;
    n->stream[1] = fl_schema_role(s, FL_ROLE_PAYEE) >= 0;
    for (uint32_t i = 0; i < s->categories; i++) {
        if (s->category[i].after) continue;
        snprintf(n->name[n->categories], FL_NAME_MAX, "%s", s->category[i].name);
        n->vocabulary[n->categories].tokens = FL_TOKEN_FIRST;
        n->category[n->categories++] = (int)i;
    }
    for (uint32_t i = 0; i < s->numbers; i++) {
        if (s->number[i].after) continue;
        n->number_scale[n->numbers] = 1;
        n->number[n->numbers++] = (int)i;
    }
    for (uint32_t i = 0; i < s->sources; i++)
        if (used_by_source(&s->source[i])) n->type_token[i] = (uint8_t)n->types++;
    if (!n->types) n->types = 1;
    n->exponent = fl_currency_exponent(s->currency);
    n->log_amount_scale = 1;
    for (uint32_t i = 0; i < features; i++) n->feature_scale[i] = 1;
    for (uint32_t i = 0; i < FL_AMOUNT_BINS - 1; i++) n->amount_edge[i] = (float)(i + 1);
    *out = n;
    return FLORIN_OK;
}

florin_status fl_vocabulary_set(fl_vocabulary *v, const uint64_t *hash, uint32_t known,
                                uint32_t buckets, florin_error *err)
{
    fl_vocabulary made = {
        .known = known, .buckets = buckets, .tokens = FL_TOKEN_FIRST + known + buckets};
    florin_status st = FLORIN_OK;

    if (known > FL_VOCABULARY_MAX || buckets > FL_VOCABULARY_MAX)
        return fl_fail(err, FLORIN_EINPUT, "vocabulary: %u values and %u buckets", known, buckets);
    made.hash = fl_calloc((size_t)known + 1, sizeof *made.hash);
    if (!made.hash || !fl_map64_init(&made.map, known)) {
        st = fl_fail(err, FLORIN_ENOMEM, "vocabulary: %u values", known);
        goto done;
    }
    for (uint32_t i = 0; i < known; i++) {
        bool inserted = false;
        uint32_t *token = hash[i] ? fl_map64_insert(&made.map, hash[i], &inserted) : NULL;
        if (!token || !inserted) {
            st = fl_fail(err, hash[i] && !token ? FLORIN_ENOMEM : FLORIN_EINPUT,
                         "vocabulary: value %u is empty, twice, or out of memory", i);
            goto done;
        }
        *token = FL_TOKEN_FIRST + i;
        made.hash[i] = hash[i];
    }
done:
    if (st) {
        free(made.hash);
        fl_map64_free(&made.map);
        return st;
    }
    free(v->hash);
    fl_map64_free(&v->map);
    *v = made;
    return FLORIN_OK;
}

void fl_network_free(fl_network *n)
{
    if (!n) return;
    for (uint32_t i = 0; i < FL_CATEGORIES_MAX; i++) {
        free(n->vocabulary[i].hash);
        fl_map64_free(&n->vocabulary[i].map);
    }
    free(n->feature_mean);
    free(n->feature_scale);
    free(n);
}
