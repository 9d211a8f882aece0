/* Fuzzes what a user writes for a task: the first byte chooses a task file or a file of folds. Any bytes give a sound task
 * or one clear error; a task that is accepted keeps its promises about periods. */
#include "task/folds.h"
#include "task/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char SCHEMA[] =
    "name: fuzz\nentities: {card: payer, shop: payee}\nsources:\n  payment:\n    id: id\n    time: "
    "time\n    amount: amount\n    entities: {card: card, shop: shop}\n    categories: {mcc: mcc}\n"
    "    marks: {declined: declined}\n    labels: {fraud: {column: fraud, delay: 7d}}\n";

static void folds(const uint8_t *data, size_t size)
{
    const uint8_t key[16] = {7};
    florin_error err = {0};
    fl_map64 m = {0};
    char *text = fl_strndup((const char *)data, size);
    if (!text) return;
    florin_status st = fl_folds_read(&m, text, strlen(text), "fuzz.csv", key, "card", &err);
    if (st && !err.message[0]) abort();
    for (size_t i = 0; !st && i < m.cap; i++)
        if (m.key[i] && (m.value[i] < 1 || m.value[i] > FL_FOLDS_MAX)) abort();
    fl_map64_free(&m);
    free(text);
}

static void task(const uint8_t *data, size_t size)
{
    static fl_schema *schema;
    static fl_task t;
    florin_error err = {0};
    if (!schema && fl_schema_parse(&schema, SCHEMA, sizeof SCHEMA - 1, "schema.yaml", &err))
        abort();
    florin_status st = fl_task_parse(&t, (const char *)data, size, "fuzz.yaml", schema, &err);
    if (st) {
        if (!err.message[0]) abort();
        return;
    }
    if (!t.tests || t.tests > FL_PERIODS_MAX || t.validates > FL_PERIODS_MAX || !*t.name) abort();
    for (uint32_t j = 0; j < t.validates + t.tests; j++) {
        if (t.period[j].to_us <= t.period[j].from_us) abort();
        if (j && t.period[j].from_us < t.period[j - 1].to_us) abort();
        if (!*t.folds && fl_task_train_end(&t, j) > t.period[j].from_us) abort();
    }
    if ((t.label >= 0) + t.has_outcome + (*t.sql != 0) != 1) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    if (*data == 'f') folds(data + 1, size - 1);
    else task(data + 1, size - 1);
    return 0;
}
