/* Fuzzes the server's JSON scanner: it takes what jansson takes and nothing else (but for depth, and integers that jansson
 * finds too large), and a payment that was read points into its body alone. */
#include "base/json.h"
#include "payment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static names *fields(void)
{
    static names *n;
    if (n) return n;
    n = names_new();
    if (!n || !names_add(n, FLORIN_ENTITY, "card", 0) ||
        !names_add(n, FLORIN_ENTITY, "device", 1) || !names_add(n, FLORIN_CATEGORY, "country", 2) ||
        !names_add(n, FLORIN_CATEGORY, "device_country", 3) ||
        !names_add(n, FLORIN_NUMBER, "income", 4) || !names_add(n, FLORIN_MARK, "declined", 5) ||
        !names_add(n, FLORIN_TYPE, "payment", 0))
        abort();
    return n;
}

static void same_verdict(const uint8_t *data, size_t size)
{
    scan s;
    json_error_t why;
    if (memchr(data, 0, size)) return; /* jansson takes a zero byte for the end of the text */
    char *body = malloc(size + 1);
    if (!body) abort();
    memcpy(body, data, size);
    json_t *j = json_loadb(body, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    bool big = !j && (json_error_code(&why) == json_error_numeric_overflow);
    scan_begin(&s, body, size);
    if (scan_skip(&s)) scan_end(&s);
    bool deep = s.fault && !strncmp(s.fault, "nested", 6);
    if (!big && !deep && (j != NULL) != (s.fault == NULL)) abort();
    json_decref(j);
    free(body);
}

static void inside(const char *body, size_t size, const char *text, uint32_t n)
{
    if (n && (text < body || text + n > body + size) && strncmp(text, "true", n) &&
        strncmp(text, "false", n))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static payment p;
    payment_rules rules = {fields(), size % 2 != 0, 0};
    char pointer[SCAN_POINTER];
    scan s;
    same_verdict(data, size);
    char *body = malloc(size + 1);
    if (!body) abort();
    memcpy(body, data, size);
    scan_begin(&s, body, size);
    if (payment_read(&rules, &s, &p)) {
        scan_end(&s);
        if (p.event.n_values > PAYMENT_VALUES || p.metadata_n > PAYMENT_METADATA) abort();
        inside(body, size, p.event.id, p.event.id_n);
        for (uint32_t i = 0; i < p.event.n_values; i++)
            inside(body, size, p.value[i].text, p.value[i].n);
        for (uint32_t i = 0; i < p.metadata_n; i++)
            inside(body, size, p.metadata[i].value, p.metadata[i].value_n);
    } else if (!s.fault) {
        abort();
    }
    if (strlen(scan_pointer(&s, pointer, sizeof pointer)) >= sizeof pointer) abort();
    free(body);
    return 0;
}
