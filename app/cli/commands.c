/* The table of commands: name, summary, usage, example, function. Shown in this order by florin --help. */
#include "cli.h"

#include <string.h>

/* clang-format off */
const cli_command cli_commands[] = {
    {"draft", "write a first schema for an unknown table", "FILE [--out SCHEMA.yaml]",
     "florin draft payments.csv --out payments.yaml", cmd_draft},
    {"import", "read tables, or a server's journal, into an event log", "SCHEMA.yaml|JOURNAL --log LOG [FILE | SOURCE=FILE ...]",
     "florin import payments.yaml --log payments.log payments.csv", cmd_import},
    {"describe", "what is in an event log, without names; a model's card", "LOG | MODEL [--features]",
     "florin describe bank.log\n"
     "florin describe bank.log --html > bank.html\n"
     "florin describe bank.log --features   # every feature of the fold: name, unit, meaning",
     cmd_describe},
    {"simulate", "make up a world of payments to try things on", "--out LOG [--events N] [--csv DIR]",
     "florin simulate --events 400000 --seed 1 --out bank.log\n"
     "florin simulate --events 400000 --seed 1 --csv bank      # the same as CSV files, with their schema",
     cmd_simulate},
    {"features", "every event's fold features as a table",
     "LOG [--out FILE] [--from TIME] [--to TIME] [--model MODEL] [--entity KIND --at TIME]",
     "florin features bank.log --from 2025-04-01 --labels-at 2025-06-30 --out bank.parquet\n"
     "florin features bank.log --entity card --at 2025-05-01 --out cards.parquet\n"
     "florin features bank.log --list\n"
     "florin features bank.log              # computes without writing and reports the rate",
     cmd_features},
    {"pretrain", "learn a model from a log's events before a moment", "LOG --out MODEL [--until TIME]",
     "florin pretrain bank.log --until 2025-04-10 --out bank.florin\n"
     "florin pretrain bank.log --until 2025-04-10 --out bank.florin --resume  # after Ctrl-C",
     cmd_pretrain},
    {"embed", "vectors of entities at a date, or of every event", "LOG --model M --out FILE [--entity KIND] [--at TIME]",
     "florin embed bank.log --model bank.florin --entity card --at 2025-05-01 --out cards.parquet", cmd_embed},
    {"similar", "who is alike, and what they share", "LOG --model M --entity KIND --id ID | --event ID | --judge WHAT",
     "florin similar bank.log --model bank.florin --entity card --id c0000007\n"
     "florin similar bank.log --model bank.florin --entity merchant --segments 4\n"
     "florin similar bank.log --model bank.florin --entity merchant --judge category --draws 100", cmd_similar},
    {"fit", "fit a task's head and judge it", "LOG --task TASK.yaml [--model MODEL] --out MODEL",
     "florin fit bank.log --task examples/tasks/fraud.yaml --model bank.florin --out fraud.florin\n"
     "florin fit bank.log --task examples/tasks/churn_30d.yaml --out churn.florin  # on the fold alone", cmd_fit},
    {"eval", "judge a head again, on this or another log", "LOG --task TASK.yaml --model MODEL",
     "florin eval bank.log --task examples/tasks/fraud.yaml --model fraud.florin --json > fraud.json", cmd_eval},
    {"tasks", "the catalogue of tasks, with stored results", "[--folder FOLDER] [--json]",
     "florin tasks\nflorin fit bank.log --task churn_30d --out churn.florin  # a task by its name", cmd_tasks},
    {"ablate", "which choice pays: runs a plan, paired gains and costs", "PLAN.yaml [--work FOLDER] [--budget MIN] [--plot FILE.svg]",
     "florin ablate examples/ablate/simulated.yaml --work ablate --budget 1", cmd_ablate},
    {"score", "score a log with a model's heads", "LOG --model MODEL [--out FILE] [--top N] [--at TIME]",
     "florin score bank.log --model fraud.florin --from 2025-06-01 --top 10 --out scores.parquet\n"
     "florin score bank.log --model churn.florin --at 2025-06-01 --out churn.csv", cmd_score},
    {"replay", "the same event by event through the live path; or a server's journal", "LOG|JOURNAL --model MODEL [--check]",
     "florin replay bank.log --model fraud.florin --from 2025-06-01 --check", cmd_replay},
    {"serve", "answer payments over HTTP: score, decide, explain, remember", "CONFIG.yaml | --print-config | --new-key NAME [--role ROLES]",
     "florin serve --print-config > florin.yaml   # then name the model and the journal in it\n"
     "florin serve florin.yaml\n"
     "florin serve --new-key checkout --role score >> keys.txt", cmd_serve},
    {"load", "payments against a server at a rate, and how long it took", "URL [FILE.csv | FILE.jsonl] [--rate N] [--seconds S]",
     "florin load http://127.0.0.1:8080 --rate 1000 --seconds 10\n"
     "florin load http://127.0.0.1:8080 payments.csv --as payment_id=id --rate 833", cmd_load},
    {"policy", "check rules and thresholds, run their tests, keep versions", "check|test POLICY.yaml [--model MODEL] | add|activate|rollback|list|compare --store FILE",
     "florin policy check examples/simulated/policy.yaml --model fraud.florin\n"
     "florin policy check examples/simulated/policy.yaml --model fraud.florin --attributes   # what rules may name\n"
     "florin policy test examples/simulated/policy.yaml\n"
     "florin policy add examples/simulated/policy.yaml --model fraud.florin --store policies.db --who ann --note 'first'\n"
     "florin policy list --store policies.db", cmd_policy},
    {"review", "the queue of decisions that people look at", "list|show|claim|release|approve|refund|fraud|note [DECISION] --store FILE [--journal FOLDER]",
     "florin review list --store reviews.db --by-score", cmd_review},
    {"backtest", "what rules and thresholds would have done to a log", "LOG [--policy POLICY.yaml] [--model MODEL] [--rule RULE]",
     "florin backtest bank.log --policy examples/simulated/policy.yaml --model fraud.florin --from 2025-06-01\n"
     "florin backtest bank.log --model fraud.florin --rule 'Block if :risk_score: > 85 and :amount: > 100'", cmd_backtest},
    {"report", "put results, all tasks or a map of entities on one page", "[RESULT.json ...] [--tasks] [--map MODEL --log LOG --colour FIELD] --out PAGE.html",
     "florin report fraud.json --title 'My bank' --out report.html\n"
     "florin report --tasks --out tasks.html\n"
     "florin report --map bank.florin --log bank.log --entity merchant --colour category --out map.html", cmd_report},
    {"doctor", "what this machine offers, and what to fix", "[FOLDER] [--bench]",
     "florin doctor            # looks at the current folder's disk\nflorin doctor /var/lib/florin --json\nflorin doctor --bench    # what this machine reaches, and each kernel beside it", cmd_doctor},
    {NULL, NULL, NULL, NULL, NULL},
};
/* clang-format on */

const cli_command *cli_find_command(const char *name)
{
    for (const cli_command *k = cli_commands; k->name; k++)
        if (!strcmp(k->name, name)) return k;
    return NULL;
}
