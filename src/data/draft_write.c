/* The drafted schema as YAML with the reason of each guess beside its line. */
#include "data/draft.h"
#include <ctype.h>

static bool plain(const char *s)
{
    static const char *const words[] = {"yes", "no",  "true", "false", "null",
                                        "on",  "off", "y",    "n"};
    for (size_t i = 0; i < FL_LEN(words); i++)
        if (!strcasecmp(words[i], s)) return false;
    if (!isalpha((unsigned char)*s)) return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_') return false;
    return true;
}

static void scalar(fl_buf *b, const char *s)
{
    if (plain(s)) {
        fl_buf_puts(b, s);
        return;
    }
    fl_buf_puts(b, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') fl_buf_puts(b, "\\");
        if ((unsigned char)*s < 0x20) fl_buf_printf(b, "\\x%02x", (unsigned)*s);
        else fl_buf_add(b, s, 1);
    }
    fl_buf_puts(b, "\"");
}

static void sql_name(fl_buf *b, const char *s) /* inside a double-quoted YAML scalar */
{
    fl_buf_puts(b, "\\\"");
    for (; *s; s++) {
        if (*s == '"') fl_buf_puts(b, "\\\"\\\"");
        else if (*s == '\\') fl_buf_puts(b, "\\\\");
        else fl_buf_add(b, s, 1);
    }
    fl_buf_puts(b, "\\\"");
}

static void comment(fl_buf *b, size_t line, const fl_draft_column *c)
{
    size_t width = b->len - line;
    fl_buf_printf(b, "%*s# %s", width < 44 ? (int)(44 - width) : 1, "", c->why);
    if (c->distinct) fl_buf_printf(b, "; %llu different", (unsigned long long)c->distinct);
    if (c->first[0] && c->role != FL_DRAFT_ENTITY && c->role != FL_DRAFT_ID && c->length < 24) {
        fl_buf_puts(b, ", as ");
        for (const char *p = c->first; *p; p++)
            fl_buf_add(b, (unsigned char)*p < 0x20 ? " " : p, 1);
    }
    fl_buf_puts(b, "\n");
}

static void write_entities(const fl_draft *d, fl_buf *b)
{
    fl_buf_puts(b, "\nentities:\n");
    size_t before = b->len;
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        const fl_draft_column *c = &d->column[i];
        if (c->role != FL_DRAFT_ENTITY || c->part == 1) continue;
        fl_buf_puts(b, "  ");
        scalar(b, c->field);
        fl_buf_printf(b, ": {role: %s}\n",
                      c->side == FL_ROLE_PAYER   ? "payer"
                      : c->side == FL_ROLE_PAYEE ? "payee"
                                                 : "other");
    }
    if (b->len == before)
        fl_buf_printf(b, "  customer: {role: payer}                   # none was recognised: %s\n",
                      d->owner >= 0 ? "each row is taken as one" : "name its column below");
}

static const fl_draft_column *part(const fl_draft *d, fl_draft_role role, int n)
{
    for (uint32_t i = 0; i < d->relation.columns; i++)
        if (d->column[i].role == role && d->column[i].part == n) return &d->column[i];
    return NULL;
}

static void write_time(const fl_draft *d, fl_buf *b)
{
    size_t line = b->len;
    const fl_draft_column *one = part(d, FL_DRAFT_TIME, 0), *year = part(d, FL_DRAFT_TIME, 1);
    if (year) {
        const fl_draft_column *clock = part(d, FL_DRAFT_TIME, 4);
        fl_buf_puts(b, "    time: {columns: [");
        for (int p = 1; p <= 4; p++) {
            const fl_draft_column *c = part(d, FL_DRAFT_TIME, p);
            if (!c) continue;
            fl_buf_puts(b, p > 1 ? ", " : "");
            scalar(b, c->name);
        }
        fl_buf_printf(b, "], format: \"%%Y %%m %%d%s\"}",
                      !clock                                ? ""
                      : clock->clock && clock->length > 5.5 ? " %H:%M:%S"
                      : clock->clock                        ? " %H:%M"
                                                            : " %H");
        fl_buf_puts(b, "  # the date stands in several columns\n");
        return;
    }
    if (!one) {
        fl_buf_puts(
            b, "    time: \"?\"                               # which column is it? One moment "
               "for all rows: {sql: \"TIMESTAMP '2005-10-01'\"}\n");
        return;
    }
    fl_buf_puts(b, "    time: ");
    if (one->format[0] || (one->days == one->values && strcmp(one->type, "DATE") &&
                           strncmp(one->type, "TIMESTAMP", 9))) {
        fl_buf_puts(b, "{column: ");
        scalar(b, one->name);
        fl_buf_printf(b, ", format: \"%s\"}", one->format[0] ? one->format : "%Y%m%d");
    } else if (one->numbers == one->values && one->low < 6e8) {
        fl_buf_printf(b, "{sql: \"TIMESTAMP '2000-01-01' + to_%s(CAST(", d->tick);
        sql_name(b, one->name);
        fl_buf_puts(b, !strcmp(d->tick, "days") ? " AS INTEGER))\"}" : " AS BIGINT))\"}");
    } else {
        scalar(b, one->name);
    }
    comment(b, line, one);
}

static void write_amount(const fl_draft *d, fl_buf *b)
{
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        const fl_draft_column *c = &d->column[i];
        size_t line = b->len;
        if (c->role == FL_DRAFT_CURRENCY) {
            fl_buf_puts(b, "    currency: ");
            scalar(b, c->name);
            comment(b, line, c);
        }
        if (c->role != FL_DRAFT_AMOUNT || (int)i == d->quantity) continue;
        fl_buf_puts(b, "    amount: ");
        if (d->price == (int)i) {
            fl_buf_puts(b, "{sql: \"");
            sql_name(b, d->column[d->quantity].name);
            fl_buf_puts(b, " * ");
            sql_name(b, c->name);
            fl_buf_puts(b, "\"}");
        } else if (d->cents) {
            fl_buf_puts(b, "{sql: \"");
            sql_name(b, c->name);
            fl_buf_puts(b, " / 100.0\"}");
        } else if (c->comma) {
            fl_buf_puts(b, "{column: ");
            scalar(b, c->name);
            fl_buf_puts(b, c->symbol == 'E'   ? ", strip: \"\xe2\x82\xac\""
                           : c->symbol == '$' ? ", strip: \"$\""
                                              : "");
            fl_buf_puts(b, ", decimal: \",\"}");
        } else if (c->numbers < c->values) {
            fl_buf_puts(b, "{column: ");
            scalar(b, c->name);
            fl_buf_puts(b, c->symbol == '$'   ? ", strip: \"$,\"}"
                           : c->symbol == 'L' ? ", strip: \"\xc2\xa3,\"}"
                                              : ", strip: \",\"}");
        } else {
            scalar(b, c->name);
        }
        comment(b, line, c);
    }
}

static void write_group(const fl_draft *d, fl_buf *b, fl_draft_role role, const char *title)
{
    bool any = false;
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        const fl_draft_column *c = &d->column[i];
        bool owner = role == FL_DRAFT_ENTITY && (int)i == d->owner;
        if (!owner && (c->role != role || (role == FL_DRAFT_ENTITY && c->part == 1))) continue;
        if (!any) fl_buf_printf(b, "    %s:\n", title);
        any = true;
        size_t line = b->len;
        fl_buf_puts(b, "      ");
        scalar(b, owner ? "customer" : c->field);
        fl_buf_puts(b, ": ");
        if (role == FL_DRAFT_LABEL) fl_buf_puts(b, "{column: ");
        if (role == FL_DRAFT_ENTITY && c->part == 2) {
            fl_buf_puts(b, "{columns: [");
            scalar(b, part(d, FL_DRAFT_ENTITY, 1)->name);
            fl_buf_puts(b, ", ");
            scalar(b, c->name);
            fl_buf_puts(b, "]}");
        } else if (role == FL_DRAFT_ENTITY && c->whole_text) {
            fl_buf_puts(b, "{sql: \"CAST(");
            sql_name(b, c->name);
            fl_buf_puts(b, " AS BIGINT)\"}");
        } else if (role == FL_DRAFT_NUMBER && c->comma) {
            fl_buf_puts(b, "{column: ");
            scalar(b, c->name);
            fl_buf_puts(b, ", decimal: \",\"}");
        } else {
            scalar(b, c->name);
        }
        if (role == FL_DRAFT_LABEL) fl_buf_puts(b, ", delay: 7d}");
        comment(b, line, c);
    }
}

void fl_draft_write(const fl_draft *d, const char *name, const char *file, fl_buf *b)
{
    fl_buf_printf(b, "# A first schema, guessed from %llu rows%s. Correct what is wrong, then:\n",
                  (unsigned long long)d->rows, d->whole ? "" : " (the file has more)");
    fl_buf_puts(b, "#   florin import THIS_FILE --log LOG\n");
    for (const char *p = d->notes; *p;) {
        size_t n = strcspn(p, "\n");
        fl_buf_puts(b, "# LOOK: ");
        fl_buf_add(b, p, n);
        fl_buf_puts(b, "\n");
        p += n + (p[n] == '\n');
    }
    fl_buf_printf(b,
                  "florin: 1\nname: %s\ncurrency: %s\ntime_zone: UTC                              "
                  "# of times without a zone\n",
                  name, d->currency);
    if (d->card_numbers)
        fl_buf_puts(b,
                    "card_numbers: false                         # true: they are hashed and never "
                    "kept\n");
    write_entities(d, b);
    fl_buf_puts(b, "\nsources:\n  event:\n    file: ");
    scalar(b, file);
    fl_buf_puts(b, "\n");
    if (d->relation.sqlite.table) {
        fl_buf_puts(b, "    table: ");
        scalar(b, d->relation.sqlite.table);
        fl_buf_puts(b, "\n");
    }
    if (!d->relation.header)
        fl_buf_puts(b, "    header: false                           # the first line is data\n");
    const fl_draft_column *id = part(d, FL_DRAFT_ID, 0);
    if (id) {
        size_t line = b->len;
        fl_buf_puts(b, "    id: ");
        scalar(b, id->name);
        comment(b, line, id);
    }
    write_time(d, b);
    write_amount(d, b);
    write_group(d, b, FL_DRAFT_ENTITY, "entities");
    write_group(d, b, FL_DRAFT_CATEGORY, "categories");
    write_group(d, b, FL_DRAFT_NUMBER, "numbers");
    write_group(d, b, FL_DRAFT_TEXT, "texts");
    write_group(d, b, FL_DRAFT_MARK, "marks");
    write_group(d, b, FL_DRAFT_LABEL, "labels");
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        const fl_draft_column *c = &d->column[i];
        if (c->role != FL_DRAFT_IGNORE) continue;
        fl_buf_puts(b, "    # left out: ");
        scalar(b, c->name);
        fl_buf_printf(b, " (%s)\n", c->why);
    }
}
