/* Version of DuckDB, as loaded now. */
#ifndef FL_DUCK_VERSION_H
#define FL_DUCK_VERSION_H

const char *fl_duck_version(void);

#endif
