/* Model files and network descriptions from hostile bytes. The first byte picks the parser. */
#include "model/file.h"
#include "model/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void whole_file(const uint8_t *data, size_t size)
{
    fl_model_file *f;

    if (fl_model_file_parse(&f, data, size, "fuzz", NULL) == FLORIN_OK) fl_model_file_close(f);
}

static void description(const uint8_t *data, size_t size)
{
    static fl_schema schema = {
        .name = "fuzz", .currency = "EUR", .kinds = 2, .categories = 1, .numbers = 1, .sources = 1};
    json_t *j;
    fl_network *n;

    strcpy(schema.category[0].name, "mcc");
    strcpy(schema.number[0].name, "distance");
    schema.kind[0].role = FL_ROLE_PAYER;
    schema.kind[1].role = FL_ROLE_PAYEE;
    schema.source[0].label_of = -1;
    if (fl_json_parse(&j, (const char *)data, size, "fuzz", NULL)) return;
    if (fl_network_from_json(&n, &schema, j, NULL) == FLORIN_OK) fl_network_free(n);
    json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    if (data[0] & 1) description(data + 1, size - 1);
    else whole_file(data + 1, size - 1);
    return 0;
}
