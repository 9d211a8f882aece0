#!/usr/bin/env bash
# The network alone on Handbook protocol B, fine-tuned for each fold on the labels seen, no fold column in its head: bench/handbook.sh.
BENCH=finetune TUNE=1 exec "$(dirname "${BASH_SOURCE[0]}")/handbook.sh"
