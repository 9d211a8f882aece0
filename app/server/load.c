/* The job: where to, what from, the report. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

static florin_status fail(florin_error *err, florin_status st, const char *what, const char *why)
{
    err->status = st;
    snprintf(err->message, sizeof err->message, "%s: %s", what, why);
    return st;
}

/* "http://host:port" */
static florin_status split_url(const char *url, char host[256], char port[8], florin_error *err)
{
    const char *p = strncmp(url, "http://", 7) ? url : url + 7;
    if (!strncmp(url, "https://", 8))
        return fail(err, FLORIN_EUSAGE, url, "plain http alone: TLS would measure the client");
    size_t n = strcspn(p, "/");
    const char *colon = NULL;
    for (size_t i = 0; i < n; i++)
        if (p[i] == ':') colon = p + i;
    size_t host_n = colon ? (size_t)(colon - p) : n, port_n = colon ? n - host_n - 1 : 0;
    if (!host_n || host_n > 255 || port_n > 5)
        return fail(err, FLORIN_EUSAGE, url, "http://host:port is expected");
    memcpy(host, p, host_n);
    host[host_n] = 0;
    memcpy(port, port_n ? colon + 1 : "80", port_n ? port_n : 2);
    port[port_n ? port_n : 2] = 0;
    return FLORIN_OK;
}

static void report(const load_options *o, const load_result *r, text *t)
{
    static const double share[] = {.5, .9, .99, .999};
    static const char *const share_name[] = {"p50", "p90", "p99", "p99.9"};
    double rate = r->seconds > 0 ? (double)r->measured / r->seconds : 0;
    double good = r->seconds > 0 ? (double)r->measured_ok / r->seconds : 0;
    if (o->json) {
        text_printf(t,
                    "{\"rate\":%.6g,\"seconds\":%.3f,\"sent\":%llu,\"answered\":%llu,"
                    "\"broken\":%llu,\"behind\":%llu,\"requests_per_s\":%.1f,"
                    "\"accepted_per_s\":%.1f,\"payments_per_s\":%.1f,\"status\":{",
                    o->rate, r->seconds, (unsigned long long)r->sent,
                    (unsigned long long)r->answered, (unsigned long long)r->broken,
                    (unsigned long long)r->behind, rate, good, good * (double)o->per_request);
        for (int i = 1; i < 6; i++)
            text_printf(t, "%s\"%dxx\":%llu", i > 1 ? "," : "", i,
                        (unsigned long long)r->status[i]);
        text_put(t, "},\"latency_us\":{");
        for (int i = 0; i < 4; i++)
            text_printf(t, "\"%s\":%.0f,", share_name[i], load_times_at(&r->times, share[i]));
        text_printf(t, "\"max\":%.0f}}\n", r->times.most_us);
        return;
    }
    text_printf(t, "%llu sent, %llu answered in %.1f s: %.0f requests/s, %.0f accepted/s\n",
                (unsigned long long)r->sent, (unsigned long long)r->answered, r->seconds, rate,
                good);
    for (int i = 2; i < 6; i++)
        if (r->status[i]) text_printf(t, "  %dxx %llu\n", i, (unsigned long long)r->status[i]);
    if (r->broken) text_printf(t, "  broken connections %llu\n", (unsigned long long)r->broken);
    if (r->behind)
        text_printf(t, "  %llu were due while every connection was busy (their wait is counted)\n",
                    (unsigned long long)r->behind);
    text_printf(t, "%s", o->rate > 0 ? "From due to answered, us:" : "From sent to answered, us:");
    for (int i = 0; i < 4; i++)
        text_printf(t, " %s %.0f", share_name[i], load_times_at(&r->times, share[i]));
    text_printf(t, " max %.0f\n", r->times.most_us);
}

florin_status load_run(const load_options *o, const florin_context *ctx, florin_error *err)
{
    char host[256], port[8];
    text schema = {0}, out = {0};
    load_source *source = NULL;
    load_result *r = calloc(1, sizeof *r);
    if (!r) return fail(err, FLORIN_ENOMEM, "load", "out of memory");
    florin_status st = split_url(o->url, host, port, err);
    if (!st) st = load_wire_get(host, port, "/v1/schema", o->key, &schema, err);
    if (!st && (!text_room(&schema, 1) || schema.failed))
        st = fail(err, FLORIN_ENOMEM, "load", "out of memory");
    if (!st) st = load_source_open(&source, o, schema.at, schema.n, ctx, err);
    if (!st) st = load_wire_run(o, host, port, source, ctx, r, err);
    if (!st) {
        report(o, r, &out);
        if (ctx->write) ctx->write(ctx->user, out.at, out.n);
        if (!r->answered) st = fail(err, FLORIN_EIO, o->url, "no answer came");
    }
    load_source_close(source);
    text_free(&schema);
    text_free(&out);
    free(r);
    return st;
}
