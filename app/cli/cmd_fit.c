/* florin fit: a task's head. florin eval: a head judged again. */
#include "cli.h"

static int run(cli *c, int argc, char **argv, bool fit)
{
    const char *args[2] = {0};
    int n = 0, code = 0;
    bool explain = false, valid = false, later = false, refit = false, choose = false;
    int64_t seed = 0, draws = 0, rounds = 0, rank = 0;
    double budget = 10;
    florin_fit_options o = FLORIN_FIT_INIT;
    const cli_option options[] = {
        {"--task", CLI_TEXT, &o.task, "TASK",
         "a task file, or the name of one that florin tasks lists"},
        {"--model", CLI_TEXT, &o.model, "MODEL",
         fit ? "pretrained model; without it the head stands on the fold alone"
             : "model with the task's head"},
        {"--report", CLI_TEXT, &o.report, "FILE.json", "figures and curves, for florin report"},
        {"--seed", CLI_INT, &seed, "N", "of sampling, trees and bootstrap"},
        {"--draws", CLI_INT, &draws, "N", "of the bootstrap (default 300)"},
        {"--tier", CLI_TEXT, &o.tier, "NAME",
         "kernels: ref, avx2 or avx512 (default: the best of this CPU)"},
        {"--scores", CLI_TEXT, &o.scores, "FILE", "per-row scores of the test, .csv or .parquet"},
        {fit ? "--out" : NULL, CLI_TEXT, &o.out, "MODEL",
         "model file to write, with the head in it"},
        {"--rounds", CLI_INT, &rounds, "N", "most trees (default 300)"},
        {"--validate-only", CLI_FLAG, &valid, NULL,
         "judge on the validation period; the test stays unseen"},
        {"--refit", CLI_FLAG, &refit, NULL,
         "move the task's dates to the log's end: the same head on new data"},
        {"--later-rows", CLI_FLAG, &later, NULL,
         "learn only from rows later than those that pretraining saw"},
        {"--finetune", CLI_TEXT, &o.finetune, "HOW",
         "the network itself learns the task: full, or low-rank"},
        {"--rank", CLI_INT, &rank, "N", "of low-rank (default 8)"},
        {"--rate", CLI_NUMBER, &o.rate, "X", "of fine-tuning (default 0.003)"},
        {"--epochs", CLI_NUMBER, &o.epochs, "X", "of fine-tuning (default 3)"},
        {"--keep", CLI_NUMBER, &o.keep, "X",
         "weight of the next-event loss while fine-tuning (default 0)"},
        {fit ? "--auto" : NULL, CLI_FLAG, &choose, NULL,
         "try heads and inputs on validation data, keep the best and say why"},
        {fit ? "--few-labels" : NULL, CLI_TEXT, &o.few_labels, "N,N",
         "judge what is learnt from so few labelled examples, e.g. 50,200,1000; --draws times"},
        {"--budget", CLI_NUMBER, &budget, "MIN", "minutes for --auto (default 10)"},
        {"--explain-inputs", CLI_FLAG, &explain, NULL,
         "list every input with its time lag, and stop"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, args, 1, 1, &n, &code)) return code;
    florin_error err = {0};
    o.folders = cli_task_folders();
    o.log = args[0];
    o.seed = (uint64_t)seed;
    o.draws = (uint32_t)(draws > 0 ? draws : 0);
    o.rank = (uint32_t)(rank > 0 ? rank : 0);
    o.rounds = (uint32_t)(rounds > 0 ? rounds : 0);
    o.validate_only = valid;
    o.explain_inputs = explain;
    o.refit = refit;
    o.auto_minutes = choose ? budget > 0 ? budget : 1e-9 : 0;
    o.later_rows = later;
    o.format = c->format;
    florin_status st = fit ? florin_fit(&c->context, &o, &err) : florin_eval(&c->context, &o, &err);
    return st ? cli_fail(c, &err) : 0;
}

int cmd_fit(cli *c, int argc, char **argv)
{
    return run(c, argc, argv, true);
}

int cmd_eval(cli *c, int argc, char **argv)
{
    return run(c, argc, argv, false);
}
