/* hostile PORT OPENAPI.json SEED COUNT NAMES: asks a server COUNT things that it may not like, made from its OpenAPI document
 * and then spoilt, and holds every answer against the document: its status is one that the operation lists, its body is
 * what the document says of it, it has a Request-Id. Bytes that are no HTTP are sent in between. Exits 1 at the first breach, with the
 * request and the answer. NAMES, "card,merchant,country": members that the model's schema knows. */
#include <arpa/inet.h>
#include <jansson.h>
#include <math.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ROOM = 1 << 18, DEPTH = 8, KINDS = 32 };

static uint64_t random_state;
static json_t *document;
static char *schema_names[16];
static int names_n, port;
static char request[ROOM], answer[ROOM], why[512];
static size_t request_n;
static unsigned seen[KINDS];

static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

static int one_in(uint64_t n)
{
    return draw(n) == 0;
}

/* --- making values --- */

static const char *const nasty[] = {"",
                                    "a",
                                    "'; DROP TABLE payments; --",
                                    "../../etc/passwd",
                                    "%00%ff",
                                    "\xE2\x80\xAE reversed",
                                    "null",
                                    "-1",
                                    "9999999999999999999999",
                                    "<script>alert(1)</script>",
                                    "\xF0\x9F\x92\xB3\xF0\x9F\x92\xB3",
                                    "dec_0000000000000",
                                    "2025-02-30T00:00:00Z",
                                    "2025-04-01T12:00:00Z",
                                    "EUR",
                                    "\x7f\x01\x02"};
enum { NASTY = sizeof nasty / sizeof nasty[0] };

static json_t *resolve(json_t *schema)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));
    if (!ref) return schema;
    const char *name = strrchr(ref, '/') + 1;
    json_t *all = json_object_get(json_object_get(document, "components"), "schemas");
    return json_object_get(all, name);
}

static json_t *make(json_t *schema, int depth);

static json_t *any_scalar(void)
{
    static const double numbers[] = {0,  -1,          1, 1e300, -1e-300, 9007199254740993.0,
                                     .1, 4294967296.0};
    switch (draw(5)) {
    case 0: return json_true();
    case 1: return json_null();
    case 2: return json_real(numbers[draw(8)]);
    case 3: return json_integer((json_int_t)(draw(1u << 31) << draw(30)));
    default: return json_string(nasty[draw(NASTY)]);
    }
}

static json_t *make_object(json_t *schema, int depth)
{
    json_t *o = json_object(), *properties = json_object_get(schema, "properties"), *p;
    json_t *required = json_object_get(schema, "required"),
           *more = json_object_get(schema, "additionalProperties");
    const char *name;
    size_t i;
    json_object_foreach(properties, name, p) if (one_in(3))
        json_object_set_new(o, name, make(p, depth + 1));
    json_array_foreach(required, i, p) if (!one_in(20))
    {
        const char *key = json_string_value(p);
        json_object_set_new(o, key, make(json_object_get(properties, key), depth + 1));
    }
    if (json_is_object(more))
        for (int k = (int)draw(4); k > 0; k--)
            json_object_set_new(
                o, one_in(8) ? nasty[draw(NASTY - 1)] : schema_names[draw((uint64_t)names_n)],
                one_in(4) ? any_scalar() : json_string(one_in(2) ? "x1" : "grocery"));
    return o;
}

static json_t *make_array(json_t *schema, int depth)
{
    json_t *a = json_array();
    uint64_t n = one_in(10) ? draw(150) : draw(4);
    for (uint64_t i = 0; i < n; i++)
        json_array_append_new(a, make(json_object_get(schema, "items"), depth + 1));
    return a;
}

static json_t *make_number(json_t *schema, int whole)
{
    json_t *least = json_object_get(schema, "minimum"), *most = json_object_get(schema, "maximum");
    double low = least ? json_number_value(least) : -1000,
           high = most ? json_number_value(most) : 1000000;
    double v =
        one_in(5) ? (one_in(2) ? low : high) : low + (high - low) * (double)draw(1000) / 1000;
    if (high - low > 1e6 && !one_in(3)) v = (double)draw(100000);
    return whole ? json_integer((json_int_t)v) : json_real(v);
}

static const char *type_of(json_t *schema)
{
    json_t *type = json_object_get(schema, "type");
    if (json_is_array(type)) type = json_array_get(type, draw(json_array_size(type)));
    return json_is_string(type) ? json_string_value(type) : "";
}

static json_t *make(json_t *schema, int depth)
{
    schema = resolve(schema);
    json_t *some = json_object_get(schema, "oneOf"), *constant = json_object_get(schema, "const");
    if (!schema || depth > DEPTH || one_in(60)) return any_scalar();
    if (some) return make(json_array_get(some, draw(json_array_size(some))), depth);
    if (constant) return json_incref(constant);
    json_t *list = json_object_get(schema, "enum");
    if (list) return json_incref(json_array_get(list, draw(json_array_size(list))));
    const char *type = type_of(schema),
               *format = json_string_value(json_object_get(schema, "format"));
    if (!strcmp(type, "object")) return make_object(schema, depth);
    if (!strcmp(type, "array")) return make_array(schema, depth);
    if (!strcmp(type, "integer")) return make_number(schema, 1);
    if (!strcmp(type, "number")) return make_number(schema, 0);
    if (!strcmp(type, "boolean")) return json_boolean(one_in(2));
    if (!strcmp(type, "null")) return json_null();
    if (format && !one_in(4)) return json_string("2025-04-01T12:00:00.5+01:00");
    if (json_object_get(schema, "pattern") && !one_in(4)) return json_string("usd");
    return one_in(3) ? json_string(schema_names[draw((uint64_t)names_n)])
                     : json_string(nasty[draw(NASTY)]);
}

/* --- holding values against a schema --- */

static int breach(const char *where, const char *what)
{
    snprintf(why, sizeof why, "%s: %s", where, what);
    return 0;
}

static int fits(json_t *schema, json_t *v, const char *where);

static int is_type(const char *type, json_t *v)
{
    if (!strcmp(type, "object")) return json_is_object(v);
    if (!strcmp(type, "array")) return json_is_array(v);
    if (!strcmp(type, "string")) return json_is_string(v);
    if (!strcmp(type, "integer"))
        return json_is_integer(v) ||
               (json_is_real(v) && json_real_value(v) == floor(json_real_value(v)));
    if (!strcmp(type, "number")) return json_is_number(v);
    if (!strcmp(type, "boolean")) return json_is_boolean(v);
    return !strcmp(type, "null") && json_is_null(v);
}

static int type_fits(json_t *schema, json_t *v, const char *where)
{
    json_t *type = json_object_get(schema, "type"), *t;
    size_t i;
    if (!type) return 1;
    if (json_is_string(type))
        return is_type(json_string_value(type), v) ? 1 : breach(where, "another type");
    json_array_foreach(type, i, t) if (is_type(json_string_value(t), v)) return 1;
    return breach(where, "none of the types");
}

static int object_fits(json_t *schema, json_t *v, const char *where)
{
    json_t *properties = json_object_get(schema, "properties"),
           *more = json_object_get(schema, "additionalProperties"),
           *required = json_object_get(schema, "required"), *r, *member;
    const char *name;
    size_t i;
    json_array_foreach(required, i, r) if (!json_object_get(v, json_string_value(r))) return breach(
        json_string_value(r), "is required");
    json_object_foreach(v, name, member)
    {
        json_t *p = json_object_get(properties, name);
        if (p && !fits(p, member, name)) return 0;
        if (!p && json_is_false(more)) return breach(name, "is no member");
        if (!p && json_is_object(more) && !fits(more, member, name)) return 0;
    }
    (void)where;
    return 1;
}

static int fits(json_t *schema, json_t *v, const char *where)
{
    json_t *some, *s, *bound;
    size_t i;
    schema = resolve(schema);
    if (!type_fits(schema, v, where)) return 0;
    if ((some = json_object_get(schema, "oneOf"))) {
        int n = 0;
        json_array_foreach(some, i, s) n += fits(s, v, where);
        if (n != 1) return breach(where, n ? "several of oneOf" : "none of oneOf");
    }
    if ((some = json_object_get(schema, "enum"))) {
        int n = 0;
        json_array_foreach(some, i, s) n += json_equal(s, v);
        if (!n) return breach(where, "none of the values");
    }
    if ((s = json_object_get(schema, "const")) && !json_equal(s, v))
        return breach(where, "another value");
    if (json_is_number(v)) {
        if ((bound = json_object_get(schema, "minimum")) &&
            json_number_value(v) < json_number_value(bound))
            return breach(where, "below the minimum");
        if ((bound = json_object_get(schema, "maximum")) &&
            json_number_value(v) > json_number_value(bound))
            return breach(where, "above the maximum");
    }
    if (json_is_array(v) && (s = json_object_get(schema, "items")))
        json_array_foreach(v, i, bound) if (!fits(s, bound, where)) return 0;
    return json_is_object(v) ? object_fits(schema, v, where) : 1;
}

/* --- the wire --- */

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(request + request_n, sizeof request - request_n, format, list);
    va_end(list);
    request_n += (size_t)n < sizeof request - request_n ? (size_t)n : 0;
}

static int connect_to(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {20, 0};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&a, sizeof a)) {
        perror("connect: the server is gone");
        exit(1);
    }
    return fd;
}

/* Sends what was made and reads until the server closes; bytes of the answer. In pieces now and then, as slow clients do. */
static size_t talk(void)
{
    int fd = connect_to();
    size_t n = 0, sent = 0;
    while (sent < request_n) {
        size_t piece = one_in(30) ? 1 + draw(request_n - sent) : request_n - sent;
        ssize_t k = send(fd, request + sent, piece, MSG_NOSIGNAL);
        if (k <= 0) break;
        sent += (size_t)k;
    }
    shutdown(fd, SHUT_WR);
    for (;;) {
        ssize_t k = n < sizeof answer - 1 ? recv(fd, answer + n, sizeof answer - 1 - n, 0) : 0;
        if (k <= 0) break;
        n += (size_t)k;
    }
    answer[n] = 0;
    close(fd);
    return n;
}

static void fail(const char *what)
{
    fprintf(stderr, "hostile: %s (%s)\n--- request\n%.*s\n--- answer\n%.3000s\n", what, why,
            (int)(request_n < 3000 ? request_n : 3000), request, answer);
    exit(1);
}

/* --- one question --- */

static void spoil(char *body, size_t *n)
{
    static const char bits[] = "{}[]\",:\\\0\x80\xff 0-e.u";
    if (!*n) return;
    switch (draw(6)) {
    case 0: *n = draw(*n); break;
    case 1: body[draw(*n)] = bits[draw(sizeof bits - 1)]; break;
    case 2:
        for (int i = 0; i < 5; i++) body[draw(*n)] = (char)draw(256);
        break;
    case 3: memset(body, one_in(2) ? '[' : '{', *n); break;
    case 4: memmove(body + *n / 2, body, *n / 2); break;
    default: body[*n - 1] = ' ';
    }
}

static void escaped(const char *s)
{
    for (; *s; s++)
        if ((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || *s == '_') add("%c", *s);
        else add("%%%02X", (unsigned char)*s);
}

static void make_path(const char *path)
{
    const char *brace = strchr(path, '{');
    if (!brace) {
        add("%s", path);
        return;
    }
    add("%.*s", (int)(brace - path), path);
    const char *value = one_in(3)   ? nasty[1 + draw(NASTY - 1)]
                        : one_in(2) ? "fraud"
                                    : "dec_aaaaaaaaaaaaa";
    escaped(value);
    add("%s", strchr(brace, '}') + 1);
}

static void make_headers(size_t body_n, int has_body)
{
    if (has_body) {
        if (!one_in(25)) add("Content-Type: application/json\r\n");
        else add("Content-Type: text/html\r\n");
        add("Content-Length: %zu\r\n", body_n);
    }
    if (one_in(6)) add("X-Request-Id: %s\r\n", one_in(2) ? "r-1" : "<b>\"x\"");
    if (one_in(6)) add("Idempotency-Key: k%d\r\n", (int)draw(20));
    if (one_in(40)) add("Authorization: Bearer fk_nothing\r\n");
    if (one_in(60)) add("X-Long: %0*d\r\n", 3000, 7);
}

static const char *content_type(char *head, char *out, size_t room)
{
    char *at = strcasestr(head, "\r\ncontent-type:");
    if (!at) return "";
    at += 15;
    while (*at == ' ') at++;
    size_t n = strcspn(at, ";\r");
    snprintf(out, room, "%.*s", (int)n, at);
    return out;
}

static void hold(json_t *operation)
{
    char status[4] = {0}, type[80];
    size_t n = talk();
    if (n < 13 || strncmp(answer, "HTTP/1.1 ", 9)) fail("no answer");
    memcpy(status, answer + 9, 3);
    char *body = strstr(answer, "\r\n\r\n");
    if (!body) fail("an answer without an end of its head");
    *body = 0;
    const char *given = content_type(answer, type, sizeof type);
    int named = strcasestr(answer, "\r\nx-request-id:") != NULL;
    *body = '\r';
    body += 4;
    seen[status[0] - '0']++;
    json_t *documented = json_object_get(json_object_get(operation, "responses"), status);
    if (!documented) fail("a status that is not documented");
    if (!named) fail("no X-Request-Id");
    json_t *media = json_object_get(json_object_get(documented, "content"), given);
    if (!media) fail("a content type that is not documented");
    if (!strstr(given, "json")) return;
    json_error_t e;
    json_t *v = json_loads(body, 0, &e);
    if (!v) fail(e.text);
    if (!fits(json_object_get(media, "schema"), v, "body")) fail("the body is not as documented");
    json_decref(v);
}

static void ask(const char *path, const char *method, json_t *operation)
{
    static char body[ROOM / 2];
    size_t n = 0;
    json_t *schema = json_object_get(
        json_object_get(json_object_get(json_object_get(operation, "requestBody"), "content"),
                        "application/json"),
        "schema");
    if (schema) {
        json_t *v = make(schema, 0);
        n = json_dumpb(v, body, sizeof body, JSON_ENCODE_ANY | JSON_COMPACT);
        json_decref(v);
        if (n > sizeof body) n = 0;
        if (one_in(3)) spoil(body, &n);
    }
    request_n = 0;
    for (const char *m = method; *m; m++) add("%c", *m & ~32);
    add(" ");
    make_path(path);
    add(" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    make_headers(n, schema != NULL);
    add("\r\n");
    if (request_n + n < sizeof request) memcpy(request + request_n, body, n);
    request_n += n;
    hold(operation);
}

/* No HTTP, or half of it: whatever comes, the server lives on. */
static void noise(void)
{
    static const char *const starts[] = {
        "",
        "GET",
        "POST /v1/evaluations HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
        "POST /v1/evaluations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /v1/evaluations HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "\x16\x03\x01\x02",
        "GET / HTTP/9.9\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"};
    request_n = 0;
    add("%s", starts[draw(8)]);
    for (uint64_t i = draw(200); i > 0 && request_n < sizeof request - 1; i--)
        request[request_n++] = (char)draw(256);
    talk();
}

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    json_error_t e;
    port = atoi(argv[1]);
    document = json_load_file(argv[2], 0, &e);
    random_state = strtoull(argv[3], NULL, 10);
    if (!document) {
        fprintf(stderr, "hostile: %s: %s\n", argv[2], e.text);
        return 2;
    }
    for (char *p = strtok(argv[5], ","); p && names_n < 16; p = strtok(NULL, ","))
        schema_names[names_n++] = p;
    json_t *paths = json_object_get(document, "paths"), *operations, *operation;
    long count = atol(argv[4]), done = 0;
    while (done < count) {
        const char *path, *method;
        json_object_foreach(paths, path, operations)
            json_object_foreach(operations, method, operation)
        {
            int often = json_object_get(operation, "requestBody") ? 12 : 1;
            for (int i = 0; i < often && done < count; i++, done++) ask(path, method, operation);
        }
        noise();
    }
    printf("%ld asked: 2xx %u, 4xx %u, 5xx %u\n", done, seen[2], seen[4], seen[5]);
    json_decref(document);
    return seen[2] && seen[4] ? 0 : 1;
}
