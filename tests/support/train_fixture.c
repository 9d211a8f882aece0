/* See the header. */
#include "support/support.h"
#include "support/train_fixture.h"
#include "model/file.h"

void fixture_load_weights(fl_net *net, const char *path)
{
    fl_model_file *f;
    florin_error err = {0};

    if (fl_model_file_open(&f, path, &err)) fail_msg("%s", err.message);
    for (uint32_t i = 0; i < net->parameters; i++) {
        const fl_tensor *t = fl_model_file_find(f, net->list[i].name);
        assert_non_null(t);
        memcpy(net->w + net->offset[i], t->data,
               net->list[i].rows * net->list[i].cols * sizeof(float));
    }
    fl_model_file_close(f);
}
