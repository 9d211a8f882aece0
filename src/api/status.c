/* Names of statuses and the library's version. */
#include "florin.h"

#ifndef FLORIN_VERSION
#error "the build passes FLORIN_VERSION"
#endif

const char *florin_status_name(florin_status status)
{
    switch (status) {
    case FLORIN_OK: return "ok";
    case FLORIN_EUSAGE: return "usage";
    case FLORIN_EINPUT: return "input";
    case FLORIN_EFORMAT: return "format";
    case FLORIN_ESCHEMA: return "schema";
    case FLORIN_EIO: return "io";
    case FLORIN_ENOMEM: return "memory";
    case FLORIN_ELEAK: return "leak";
    case FLORIN_ECANCELLED: return "cancelled";
    case FLORIN_EQUALITY: return "equality";
    case FLORIN_EINTERNAL: return "internal";
    }
    return "unknown";
}

const char *florin_version(void)
{
    return FLORIN_VERSION;
}
