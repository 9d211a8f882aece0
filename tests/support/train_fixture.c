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

fl_train_config small_train_config(void)
{
    fl_train_config c = fl_train_defaults();

    c.hidden = 12;
    c.width = 8;
    c.lanes = 8;
    c.window = 8;
    c.epochs = 3;
    c.until_us = TRAIN_UNTIL;
    c.valid_share = 0.2;
    c.unseen_share = 0.2;
    return c;
}

void fixture_rows(const fl_train_config *c, fl_rows **rows, fl_network **n, fl_fold_plan **plan,
                  fl_log **log, const char *name)
{
    florin_error err = {0};

    *log = fixture_log(name, 1);
    if (fl_rows_build(rows, n, plan, *log, c, scratch_folder(), NULL, &err))
        fail_msg("%s", err.message);
}

void fixture_rows_free(fl_rows *rows, fl_network *n, fl_fold_plan *plan, fl_log *log)
{
    fl_network_free(n);
    fl_fold_plan_free(plan);
    fl_rows_free(rows);
    fl_log_close(log);
}
