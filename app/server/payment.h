/* A payment as a request writes it, read into an event of the model's schema. Nothing is copied: texts of the event
 * point into the request's body. */
#ifndef SERVER_PAYMENT_H
#define SERVER_PAYMENT_H

#include "florin.h"
#include "names.h"
#include "scan.h"

enum { PAYMENT_VALUES = 64, PAYMENT_METADATA = 50, DEADLINE_MS_MOST = 60000 };

typedef struct {
    florin_event event; /* values: the array below */
    florin_value value[PAYMENT_VALUES];
    florin_metadata metadata[PAYMENT_METADATA];
    uint32_t metadata_n;
    uint32_t deadline_ms; /* 0: the server's own */
    uint32_t ignored;     /* members that no field of the schema stands for */
    bool has_time, has_amount, dry_run;
} payment;

typedef struct {
    const names *names;
    bool ignore_unknown; /* members the schema does not know: ignored; else refused */
    uint32_t type;       /* of a payment that names none */
} payment_rules;

/* One evaluation request, an object the scan is about to enter. false: s->fault says why, scan_pointer where. */
bool payment_read(const payment_rules *rules, scan *s, payment *out);
/* An empty payment; and one member of it, as of "payment": its own, or a field of the schema, whose value is at the scan. */
void payment_begin(const payment_rules *rules, payment *p);
bool payment_member(const payment_rules *rules, scan *s, payment *p, const char *key, uint32_t n);
/* {"declined": true, ..}: fields of the schema by their names, into value [PAYMENT_VALUES]. */
bool payment_fields(const payment_rules *rules, scan *s, florin_value *value, uint32_t *n);
/* A time as text or seconds, at the scan. */
bool payment_read_time(scan *s, int64_t *time_us);
/* RFC 3339, "2025-06-01T12:00:00.25+02:00". */
bool payment_time(const char *text, uint32_t n, int64_t *time_us);

#endif
