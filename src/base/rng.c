/* xoshiro256** 1.0 (Blackman & Vigna 2018), seeded by splitmix64. Draws depend on the seed alone. */
#include "base/base.h"

#include <math.h>

static inline uint64_t rotl64(uint64_t x, int r)
{
    return (x << r) | (x >> (64 - r));
}

void fl_rng_seed(fl_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        r->s[i] = fl_mix64(seed);
    }
}

uint64_t fl_rng_u64(fl_rng *r)
{
    uint64_t *s = r->s, result = rotl64(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl64(s[3], 45);
    return result;
}

double fl_rng_double(fl_rng *r)
{
    return (double)(fl_rng_u64(r) >> 11) * 0x1p-53;
}

/* Without bias, by multiplication with rejection (Lemire 2019, arXiv:1805.10941). */
uint64_t fl_rng_below(fl_rng *r, uint64_t n)
{
    unsigned __int128 m = (unsigned __int128)fl_rng_u64(r) * n;
    if ((uint64_t)m < n) {
        uint64_t floor = (0 - n) % n;
        while ((uint64_t)m < floor) m = (unsigned __int128)fl_rng_u64(r) * n;
    }
    return (uint64_t)(m >> 64);
}

/* Polar method (Marsaglia 1962). The second deviate is thrown away: the state is the four words alone. */
double fl_rng_normal(fl_rng *r)
{
    double u, v, q;
    do {
        u = 2 * fl_rng_double(r) - 1;
        v = 2 * fl_rng_double(r) - 1;
        q = u * u + v * v;
    } while (q >= 1 || q == 0);
    return u * sqrt(-2 * log(q) / q);
}
