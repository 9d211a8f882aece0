/* florin pretrain: a log's events before a moment to a model. */
#include "cli.h"

int cmd_pretrain(cli *c, int argc, char **argv)
{
    const char *args[1] = {0};
    int n = 0, code = 0;
    bool resume = false, dense = false, bf16 = false, post_norm = false, no_bias = false,
         no_history = false;
    int64_t hidden = 0, width = 0, lanes = 0, window = 0, parts = 0, vocabulary = 0, steps = 0,
            seed = 0, ahead = 0, layers = 0, heads = 0, context = 0, block_width = 0;
    florin_pretrain_options o = FLORIN_PRETRAIN_INIT;
    const cli_option options[] = {
        {"--out", CLI_TEXT, &o.out, "MODEL", "model file to write"},
        {"--until", CLI_TEXT, &o.until, "TIME",
         "use no event or label at or after it (default: use all)"},
        {"--valid-from", CLI_TEXT, &o.valid_from, "TIME",
         "validate on events from it on (default: last tenth of the time)"},
        {"--unseen-share", CLI_NUMBER, &o.unseen_share, "X",
         "entities kept out of training (default 0.05; -1: none)"},
        {"--size", CLI_TEXT, &o.scale, "NAME",
         "nano, small or base: widths 64/32, 128/64, 256/128 (default base)"},
        {"--hidden", CLI_INT, &hidden, "N", "width of an entity's state (default: by --size)"},
        {"--width", CLI_INT, &width, "N", "width of the event encoder (default: by --size)"},
        {"--silence", CLI_NUMBER, &o.silence, "W",
         "weight of how long entities stay away, also where histories end (default 1; -1: off)"},
        {"--contrast", CLI_NUMBER, &o.contrast, "W",
         "weight of a loss that draws slices of one history together (default 0: off)"},
        {"--ahead", CLI_INT, &ahead, "K",
         "also predict what the next K events hold together, 1 to 64 (default 0: off)"},
        {"--ahead-weight", CLI_NUMBER, &o.ahead_weight, "W", "of that loss (default 0.2)"},
        {"--backbone", CLI_TEXT, &o.backbone, "NAME",
         "what carries a history: gru or transformer (default gru)"},
        {"--layers", CLI_INT, &layers, "N", "of a transformer (default 2)"},
        {"--heads", CLI_INT, &heads, "N", "of a transformer's attention (default 4)"},
        {"--context", CLI_INT, &context, "N",
         "last events that a transformer's layer sees (default 64)"},
        {"--block-width", CLI_INT, &block_width, "N",
         "width of a transformer's layers (default: as many parameters as a GRU of --hidden)"},
        {"--positions", CLI_TEXT, &o.positions, "NAME",
         "of a transformer: rotary, learned or none (default rotary)"},
        {"--post-norm", CLI_FLAG, &post_norm, NULL, "of a transformer: norms after each part"},
        {"--no-bias", CLI_FLAG, &no_bias, NULL, "of a transformer: no biases"},
        {"--no-history", CLI_FLAG, &no_history, NULL,
         "of a transformer: no token for what is older than its context"},
        {"--tasks", CLI_TEXT, &o.tasks, "A,B",
         "task files, learnt together at the end on labels known at --until"},
        {"--task-weight", CLI_NUMBER, &o.task_weight, "W",
         "of their losses beside the next event's (default 1)"},
        {"--task-epochs", CLI_NUMBER, &o.task_epochs, "X", "of learning them (default 1)"},
        {"--epochs", CLI_NUMBER, &o.epochs, "X", "passes over the events (default 3)"},
        {"--steps", CLI_INT, &steps, "N", "at most so many steps"},
        {"--minutes", CLI_NUMBER, &o.minutes, "X", "stop training after so many minutes"},
        {"--seed", CLI_INT, &seed, "N", "seed of all draws (default 1)"},
        {"--rate", CLI_NUMBER, &o.rate, "X", "highest learning rate (default 0.002)"},
        {"--lanes", CLI_INT, &lanes, "N",
         "sequences side by side in a step (default: by size of the data)"},
        {"--window", CLI_INT, &window, "N",
         "events of each sequence in a step (default: by size of the data)"},
        {"--parts", CLI_INT, &parts, "N", "shares of a step, at most one thread each (default 2)"},
        {"--vocabulary", CLI_INT, &vocabulary, "N", "most known values per field (default 16384)"},
        {"--patience", CLI_INT, &o.patience, "N",
         "validations without gain before stopping (default 3; -1: never)"},
        {"--dense", CLI_FLAG, &dense, NULL,
         "no two-step heads for large vocabularies: slower, to compare with"},
        {"--precision", CLI_TEXT, &o.precision, "NAME",
         "of the model's products in scoring: int8 or fp32 (default int8)"},
        {"--bf16", CLI_FLAG, &bf16, NULL,
         "train with products in bf16: faster where the processor has them"},
        {"--resume", CLI_FLAG, &resume, NULL, "go on from MODEL.checkpoint"},
        {"--checkpoint", CLI_NUMBER, &o.checkpoint_s, "S",
         "seconds between checkpoints (default 60)"},
        {"--log", CLI_TEXT, &o.journal, "FILE", "append the progress as JSON lines"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, args, 1, 1, &n, &code)) return code;
    const int64_t numbers[] = {hidden, width,  lanes, window,  parts,      vocabulary,
                               ahead,  layers, heads, context, block_width};
    florin_error err = {0};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i] < 0 || numbers[i] > UINT32_MAX || steps < 0 || seed < 0) {
            err.status = FLORIN_EUSAGE;
            snprintf(err.message, sizeof err.message,
                     "sizes, steps and seed can't be below 0 or that large");
            return cli_fail(c, &err);
        }
    o.log = args[0];
    o.hidden = (uint32_t)hidden;
    o.width = (uint32_t)width;
    o.lanes = (uint32_t)lanes;
    o.window = (uint32_t)window;
    o.parts = (uint32_t)parts;
    o.vocabulary = (uint32_t)vocabulary;
    o.ahead = (uint32_t)ahead;
    o.steps = (uint64_t)steps;
    o.seed = (uint64_t)seed;
    o.resume = resume;
    o.dense = dense;
    o.bf16 = bf16;
    o.layers = (uint32_t)layers;
    o.heads = (uint32_t)heads;
    o.context = (uint32_t)context;
    o.block_width = (uint32_t)block_width;
    o.post_norm = post_norm;
    o.no_bias = no_bias;
    o.no_history = no_history;
    o.format = c->format;
    return florin_pretrain(&c->context, &o, &err) ? cli_fail(c, &err) : 0;
}
