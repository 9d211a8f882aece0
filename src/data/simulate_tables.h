/* Tables of the simulated world, filled once. */
#ifndef FL_SIMULATE_TABLES_H
#define FL_SIMULATE_TABLES_H

#include "data/simulate.h"

void sim_tables_fill(sim_world *w);

#endif
