#!/usr/bin/env python3
"""Few labels (docs/tasks.md), over every yes-or-no task of the catalogue on real data with a clock: each data set is imported and
pretrained once a seed on events before its first test moment, and each task is judged with 50, 200 and 1,000 labelled examples, 20
draws each. A line a task and seed goes to examples/tasks/few.jsonl, which `florin tasks` reads; a line for the same model, task file
and program is not measured again, so a run that was stopped goes on. Last: means over the tasks of the paired difference in
AUC, with a bootstrap over tasks and draws.
  TASKS="retail_churn_90d ..."  only these      SEEDS="1 2"  of pretraining and draws (default 1)
  SIZES=50,200  DRAWS=10       sizes and draws of each (default 50,200,1000 and 20)
  WORK=FOLDER                   logs and models are kept there (default build/few)
  VALID=1                       validation alone: pretraining ends earlier, nothing is stored"""
import hashlib, json, os, random, re, subprocess, sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
florin = os.environ.get("FLORIN", root + "/build/florin")
work = os.environ.get("WORK", root + "/build/few")
tasks = root + "/examples/tasks"
valid = bool(os.environ.get("VALID"))
store = tasks + "/few.jsonl" if not valid else work + "/valid.jsonl"
sizes, draws = [int(n) for n in os.environ.get("SIZES", "50,200,1000").split(",")], int(os.environ.get("DRAWS", "20"))
# Pretraining ends at or before the first test moment, for choices at the last training date; its size was chosen on validation.
data = {
    "Online Retail": ("online_retail", "online_retail.csv", "2011-09-10", "2011-06-11", "--hidden 128 --width 32 --epochs 4"),
    "Complete Journey": ("completejourney", "completejourney_transactions_sample.csv", "2017-12-03", "2017-11-05",
                         "--hidden 128 --width 32 --epochs 5"),
    "CDNOW": ("cdnow", "cdnow.txt", "1997-10-01", "1997-10-01", "--hidden 64 --width 16 --epochs 5"),
    "Berka": ("berka", "berka_dev.sqlite", "1993-12-31", "1993-12-31", "--hidden 128 --width 32 --epochs 3"),
    "TabFormer": ("tabformer", "tabformer_user0.csv", "2018-01-01", "2017-01-01", "--hidden 64 --width 16 --epochs 5"),
    "Fraud Detection Handbook": ("handbook", "handbook_transactions.csv", "2018-07-04", "2018-07-04", "--hidden 64 --width 16 --epochs 1"),
}


def run(*command, **how):
    return subprocess.run(command, check=True, text=True, **how)


def quiet(*command):
    run(florin, *command, "--quiet", stdout=subprocess.DEVNULL)


def digest(*files):
    h = hashlib.sha256()
    for f in files:
        h.update(open(f, "rb").read())
    return h.hexdigest()[:16]


def the_log(name, file):
    log = f"{work}/{name}"
    if os.path.exists(log + ".made"):
        return log
    subprocess.run(["rm", "-rf", log], check=True)
    got = subprocess.run([root + "/scripts/data.sh", file], text=True, stdout=subprocess.PIPE)
    if got.returncode:
        return None
    csv = got.stdout.strip()
    schema = open(f"{root}/examples/{name}/{'bank' if name == 'berka' else 'schema'}.yaml").read()
    with open(log + ".yaml", "w") as out:
        out.write(re.sub(r"^( *)file: .*", lambda m: f'{m[1]}file: "{csv}"', schema, flags=re.M))
    quiet("import", log + ".yaml", "--log", log)
    for of, script in {"cdnow": [("cdnow", [])], "berka": [("berka_account", ["account"])]}.get(name, []):
        with open(f"{work}/{of}_folds.csv", "w") as out:
            run("python3", f"{tasks}/{name}_folds.py", csv, *script, stdout=out)
    open(log + ".made", "w").close()
    return log


def the_model(log, until, size, seed):
    path = f"{log}_{seed}{'_valid' if valid else ''}.florin"
    if not os.path.exists(path):
        quiet("pretrain", log, "--until", until, "--seed", str(seed), "--out", path, *size.split())
    return path


def lines():
    return [json.loads(s) for s in open(store)] if os.path.exists(store) else []


def measure(task, about, seed):
    """One task and seed: its line, measured unless it is there."""
    name, file, test, validation, size = about
    log = the_log(name, file)
    if not log:
        print(f"{task['name']}: {file} is absent", file=sys.stderr)
        return None
    model = the_model(log, validation if valid else test, size, seed)
    path = f"{tasks}/{task['name']}.yaml"
    key = {"task": task["name"], "seed": seed, "model": digest(model), "file": digest(path), "data": name, "metric": "auc", "draws": draws}
    for line in lines():
        if all(line.get(k) == v for k, v in key.items()):
            return line
    if name in ("cdnow", "berka"):  # its folds lie beside it
        path = f"{work}/{task['name']}.yaml"
        run("cp", f"{tasks}/{task['name']}.yaml", path)
    report = f"{work}/{task['name']}_{seed}.json"
    try:
        quiet("fit", log, "--task", path, "--model", model, "--seed", str(seed), "--few-labels", ",".join(map(str, sizes)), "--draws",
              str(draws), "--report", report, *(["--validate-only"] if valid else []))
    except subprocess.CalledProcessError:
        print(f"{task['name']}: not measured (see above)", file=sys.stderr)
        return None
    got = json.load(open(report))
    curve = []
    for at in got["few"]:
        both = at["added_difference"]
        one = {k: at[k] for k in ("n", "ours", "baseline", "low", "high", "added", "redrawn")}
        one.update(added_low=both["low"], added_high=both["high"])
        for k, a in (("differences", "ours"), ("added_differences", "added")):
            one[k] = [round(p[a] - p["baseline"], 5) for p in at["pairs"]]
        curve.append(one)
    line = dict(key, few=curve, skipped=got["skipped"], rows=got["test"]["rows"], positives=got["test"]["positives"])
    kept = [x for x in lines() if (x["task"], x["seed"]) != (task["name"], seed)] + [line]
    with open(store + ".new", "w") as out:
        for x in sorted(kept, key=lambda x: (x["task"], x["seed"])):
            out.write(json.dumps(x, separators=(",", ":")) + "\n")
    os.replace(store + ".new", store)
    figures = "; ".join(f"{c['n']}: {c['ours']:.4f} both {c['added']:.4f} fold {c['baseline']:.4f}" for c in curve)
    if not valid:
        run(root + "/bench/look.sh", "few", hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16], f"{task['name']} seed {seed}: {figures}")
    return line


def mean_difference(curves, which):
    """Mean over tasks of the mean over draws; 95 % interval, tasks and draws of each drawn anew."""
    mean = lambda v: sum(v) / len(v)
    rng, all_draws = random.Random(1), [c[which] for c in curves]
    boot = sorted(mean([mean(rng.choices(d, k=len(d))) for d in rng.choices(all_draws, k=len(all_draws))]) for _ in range(2000))
    return mean([mean(d) for d in all_draws]), boot[50], boot[1949]


def emit(case, ours, peer, target, goal):
    show = lambda x: "null" if x is None else f"{x:.6g}"
    ratio = show(ours / peer) if peer else "null"
    met = "true" if target is None or ours >= target else "false"
    return (f'{{"bench":"few","case":"{case}","ours":{show(ours)},"peer":{show(peer)},"ratio":{ratio},"unit":"AUC",'
            f'"target":{show(target)},"goal":{show(goal)},"met":{met}}}')


def main():
    os.makedirs(work, exist_ok=True)
    listed = json.loads(run(florin, "tasks", "--folder", tasks, "--json", stdout=subprocess.PIPE).stdout)
    wanted, done = os.environ.get("TASKS", "").split(), []
    for seed in map(int, os.environ.get("SEEDS", "1").split()):
        for task in listed:
            about = next((v for k, v in data.items() if task["data"].startswith(k)), None)
            if task["kind"] != "binary" or not about or (wanted and task["name"] not in wanted):
                continue
            line = measure(task, about, seed)
            for c in line["few"] if line else []:
                print(f"{task['name']}, seed {seed}, {c['n']}: network {c['ours']:.4f}, both {c['added']:.4f}, fold {c['baseline']:.4f}; "
                      f"network - fold [{c['low']:+.4f}, {c['high']:+.4f}], both - fold [{c['added_low']:+.4f}, {c['added_high']:+.4f}]", flush=True)
            done += [line] if line else []
    out = []
    for n in sizes:
        curves = [c for line in done for c in line["few"] if c["n"] == n]
        if not curves:
            continue
        fold = sum(c["baseline"] for c in curves) / len(curves)
        for what, key, which in (("network", "ours", "differences"), ("network beside the fold", "added", "added_differences")):
            value, low, high = mean_difference(curves, which)
            print(f"{n} examples, {what} - best on the fold, mean over {len(curves)} tasks: {value:+.4f} [{low:+.4f}, {high:+.4f}]")
            out.append(emit(f"{n} examples, {what}, mean of {len(curves)} tasks", sum(c[key] for c in curves) / len(curves), fold, None, None))
            out.append(emit(f"{n} examples, {what} - best on the fold, lower end", low, None, -.01 if n == 50 else None, 0 if n <= 200 else None))
    print("\n".join(out))


main()
