/* The table of commands: name, summary, usage, example, function. Shown in this order by florin --help. */
#include "cli.h"

#include <string.h>

/* clang-format off */
const cli_command cli_commands[] = {
    {"draft", "write a first schema for an unknown table", "FILE [--out SCHEMA.yaml]",
     "florin draft payments.csv --out payments.yaml", cmd_draft},
    {"import", "read tables into an event log", "SCHEMA.yaml --log LOG [FILE | SOURCE=FILE ...]",
     "florin import payments.yaml --log payments.log payments.csv", cmd_import},
    {"describe", "what is in an event log, without names", "LOG [--features]",
     "florin describe payments.log\n"
     "florin describe payments.log --html > payments.html\n"
     "florin describe payments.log --features   # every feature of the fold: name, unit, meaning",
     cmd_describe},
    {"simulate", "make up a world of payments to try things on", "--out LOG [--events N] [--csv DIR]",
     "florin simulate --events 400000 --seed 1 --out bank", cmd_simulate},
    {"features", "every event's fold features as a table",
     "LOG [--out FILE] [--from TIME] [--to TIME] [--model MODEL] [--entity KIND --at TIME]",
     "florin features bank --from 2025-04-01 --labels-at 2025-06-30 --out bank.parquet\n"
     "florin features bank --entity card --at 2025-05-01 --out cards.parquet\n"
     "florin features bank --list\n"
     "florin features bank                      # computes without writing and reports the rate",
     cmd_features},
    {"pretrain", "learn a model from a log's events before a moment", "LOG --out MODEL [--until TIME]",
     "  florin pretrain bank --out bank.florin --until 2024-06-01\n"
     "  florin pretrain bank --out bank.florin --until 2024-06-01 --resume",
     cmd_pretrain},
    {"embed", "vectors of entities at a date, or of every event", "LOG --model M --out FILE [--entity KIND] [--at TIME]",
     "florin embed shop.log --model shop.model --entity card --at 2018-08-01 --out cards.parquet", cmd_embed},
    {"fit", "fit a task's head and judge it", "LOG --task TASK.yaml [--model MODEL] --out MODEL",
     "florin fit payments.log --task fraud.yaml --model base.florin --out fraud.florin", cmd_fit},
    {"eval", "judge a head again, on this or another log", "LOG --task TASK.yaml --model MODEL",
     "florin eval payments.log --task fraud.yaml --model fraud.florin --json", cmd_eval},
    {"score", "score a log with a model's heads", "LOG --model MODEL [--out FILE] [--top N] [--at TIME]",
     "florin score payments.log --model fraud.florin --top 10 --out scores.parquet\n"
     "florin score payments.log --model churn.florin --at 2025-06-01 --out churn.csv", cmd_score},
    {"replay", "the same event by event through the live path", "LOG --model MODEL [--check]",
     "florin replay payments.log --model fraud.florin --check", cmd_replay},
    /* doctor */
    {"report", "put results of eval, pretrain and score on one page", "RESULT.json ... --out PAGE.html",
     "florin report fraud.json churn.json --title 'My bank' --out report.html", cmd_report},
    {"doctor", "what this machine offers, and what to fix", "[FOLDER]",
     "florin doctor            # looks at the current folder's disk\nflorin doctor /var/lib/florin --json", cmd_doctor},
    {NULL, NULL, NULL, NULL, NULL},
};
/* clang-format on */

const cli_command *cli_find_command(const char *name)
{
    for (const cli_command *k = cli_commands; k->name; k++)
        if (!strcmp(k->name, name)) return k;
    return NULL;
}
