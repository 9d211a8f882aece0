/* Tokens of the rule language, as Radar writes them: and, or, not in any case or as &&, ||, !. */
#include "policy/lex.h"
#include <math.h>

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
static bool digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool fl_lexeme_is(const fl_lexeme *t, const char *w)
{
    if (t->kind != TOKEN_WORD && t->kind != TOKEN_SPAN) return false;
    size_t i = 0;
    for (; i < t->n && w[i]; i++)
        if (lower(t->text[i]) != w[i]) return false;
    return i == t->n && !w[i];
}

static fl_lexeme bad(fl_lexeme t, size_t width, const char *why)
{
    t.kind = TOKEN_BAD;
    t.width = width ? width : 1;
    t.why = why;
    return t;
}

static fl_lexeme quoted(const char *s, fl_lexeme t)
{
    size_t i = 1;
    while (s[i] && s[i] != s[0] && s[i] != '\n') i++;
    if (s[i] != s[0]) return bad(t, i, "this text has no closing quote");
    t.kind = TOKEN_TEXT;
    t.text = s + 1;
    t.n = i - 1;
    t.width = i + 1;
    return t;
}

/* :name: or ::key::; a key may hold single colons (::customer:trusted::). */
static fl_lexeme attribute(const char *s, fl_lexeme t)
{
    bool metadata = s[1] == ':';
    size_t from = metadata ? 2 : 1, i = from;
    for (; s[i]; i++) {
        if (s[i] == ':' && (!metadata || s[i + 1] == ':')) break;
        if (s[i] == '\n' || (space(s[i]) && !metadata)) break;
    }
    if (s[i] != ':')
        return bad(t, i,
                   metadata ? "metadata is written ::key::, with two colons on both sides"
                            : "an attribute is written :name:, with a colon on both sides");
    if (i == from) return bad(t, from + 1, "a name is missing between the colons");
    t.kind = metadata ? TOKEN_METADATA : TOKEN_ATTRIBUTE;
    t.text = s + from;
    t.n = i - from;
    t.width = i + from;
    return t;
}

/* Digits with a fraction; letters behind them make it a span of time. Read by hand, so that no locale matters. */
static fl_lexeme number(const char *s, fl_lexeme t)
{
    size_t i = 0, places = 0, digits = 0;
    double value = 0;
    for (; digit(s[i]); i++, digits++) value = value * 10 + (s[i] - '0');
    if (s[i] == '.' && digit(s[i + 1]))
        for (i++; digit(s[i]); i++, digits++, places++) value = value * 10 + (s[i] - '0');
    if (digits > 300) return bad(t, i, "too many digits");
    t.kind = TOKEN_NUMBER;
    t.number = places ? value / pow(10, (double)places) : value;
    if (letter(s[i])) {
        t.kind = TOKEN_SPAN;
        while (letter(s[i]) || digit(s[i])) i++;
    }
    t.text = s;
    t.n = t.width = i;
    return t;
}

static fl_lexeme word(const char *s, fl_lexeme t, size_t from)
{
    size_t i = from;
    while (letter(s[i]) || digit(s[i]) || (s[i] == '-' && from && letter(s[i + 1])) ||
           (s[i] == '.' && letter(s[i + 1])))
        i++;
    t.text = s + from;
    t.n = i - from;
    t.width = i;
    if (from) {
        t.kind = TOKEN_LIST;
        return t.n ? t : bad(t, 1, "the name of a list is missing after '@'");
    }
    t.kind = TOKEN_WORD;
    if (fl_lexeme_is(&t, "and")) t.kind = TOKEN_AND;
    else if (fl_lexeme_is(&t, "or")) t.kind = TOKEN_OR;
    else if (fl_lexeme_is(&t, "not")) t.kind = TOKEN_NOT;
    return t;
}

static fl_lexeme sign(const char *s, fl_lexeme t)
{
    static const struct {
        const char *text;
        fl_lexeme_kind kind;
    } signs[] = {{"<=", TOKEN_LE},   {">=", TOKEN_GE},   {"!=", TOKEN_NE},  {"<>", TOKEN_NE},
                 {"==", TOKEN_EQ},   {"&&", TOKEN_AND},  {"||", TOKEN_OR},  {"<", TOKEN_LT},
                 {">", TOKEN_GT},    {"=", TOKEN_EQ},    {"!", TOKEN_NOT},  {"(", TOKEN_OPEN},
                 {")", TOKEN_CLOSE}, {",", TOKEN_COMMA}, {"+", TOKEN_PLUS}, {"-", TOKEN_MINUS},
                 {"*", TOKEN_TIMES}, {"/", TOKEN_DIVIDE}};
    for (size_t i = 0; i < FL_LEN(signs); i++) {
        size_t n = strlen(signs[i].text);
        if (strncmp(s, signs[i].text, n)) continue;
        t.kind = signs[i].kind;
        t.text = s;
        t.n = t.width = n;
        return t;
    }
    return bad(t, 1, "this character has no meaning in a rule");
}

fl_lexeme fl_lex(const char *text, size_t at)
{
    while (space(text[at]) || text[at] == '#') /* a comment ends with its line */
        at += text[at] == '#' ? strcspn(text + at, "\n") : 1;
    const char *s = text + at;
    fl_lexeme t = {.kind = TOKEN_END, .at = at, .width = 1, .text = s};
    if (!*s) return t;
    if (*s == '\'' || *s == '"') return quoted(s, t);
    if (*s == ':') return attribute(s, t);
    if (digit(*s)) return number(s, t);
    if (letter(*s)) return word(s, t, 0);
    if (*s == '@') return word(s, t, 1);
    return sign(s, t);
}
