/* gen_payments ROWS: card payments in order of time as CSV on standard output: seven columns, about 55 bytes a row. The
 * same rows every time. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t state = 88172645463325252u;

/* xorshift64 (Marsaglia 2003) */
static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state % n);
}

int main(int argc, char **argv)
{
    static const char *const country[] = {"US", "GB", "DE", "FR", "CA",
                                          "BR", "IN", "JP", "NG", "CN"};
    long rows = argc > 1 ? atol(argv[1]) : 0;
    time_t now = 1700000000;
    char when[32];
    puts("card_id,ts,amount,merchant_id,mcc,country,label");
    for (long i = 0; i < rows; i++) {
        struct tm t;
        now += below(3);
        gmtime_r(&now, &t);
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &t);
        uint32_t card = below(100000), whole = below(50000) / (below(100) + 1), cents = below(100);
        uint32_t merchant = below(200000), mcc = 5000 + below(400), where = below(10);
        printf("C%08u,%s,%u.%02u,M%06u,%u,%s,%d\n", card, when, whole, cents, merchant, mcc,
               country[where], below(1000) == 0);
    }
    return fflush(stdout) || ferror(stdout);
}
