/* Versions of the foreign libraries that live in base/, as loaded now. */
#ifndef FL_VERSIONS_H
#define FL_VERSIONS_H

const char *fl_jansson_version(void);
const char *fl_libyaml_version(void);
const char *fl_sqlite_version(void);

#endif
