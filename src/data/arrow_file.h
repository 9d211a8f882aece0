/* An Arrow IPC file, written batch by batch: what pyarrow, Polars and R read without copying. */
#ifndef FL_ARROW_FILE_H
#define FL_ARROW_FILE_H

#include "base/file.h"
#include "data/duck.h"

typedef struct fl_arrow_file fl_arrow_file;
/* The columns must outlive the file. */
florin_status fl_arrow_open(fl_arrow_file **out, const char *path, const fl_table_column *columns,
                            uint32_t n, florin_error *err);
/* One record batch; data as in fl_table_add. NaN and infinity become null. */
florin_status fl_arrow_add(fl_arrow_file *a, const void *const *data, uint64_t rows,
                           florin_error *err);
florin_status fl_arrow_commit(fl_arrow_file *a, florin_error *err); /* frees a, whatever happens */
void fl_arrow_abort(fl_arrow_file *a);

#endif
