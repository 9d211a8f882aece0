/* Version of oneDNN, as loaded now. */
#ifndef FL_ONEDNN_VERSION_H
#define FL_ONEDNN_VERSION_H

void fl_onednn_version(int *major, int *minor, int *patch);

#endif
