# Symphony Core System. `make help` lists the targets. The machine needs Linux, Node 20 or later with npm, Python 3 with pip, and
# root for the cluster; everything else is installed where it is missing, and said so.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# A kubeconfig context, to use that cluster instead of the embedded one: make demo CONTEXT=kind-x
CONTEXT ?=

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

node_modules: package.json package-lock.json
	@echo "==> npm packages, into node_modules (about a minute the first time)" >&2
	@# Not `npm ci`: it wants a lock entry for every platform's binaries, which registries that mirror some platforms don't give.
	@npm install --no-save --no-audit --no-fund --loglevel=error
	@touch node_modules

.PHONY: demo
demo: node_modules ## The main job: a query over three Vaults on a real cluster, settled on chain
	@node test/demo/main.ts $(if $(CONTEXT),--context $(CONTEXT))

.PHONY: test
test: node_modules ## Everything CI runs: checks, unit, contracts, integration, e2e
	@node scripts/test.ts

.PHONY: verify
verify: node_modules ## Regenerate what is generated, then format, types, lint, imports, rule map
	@node scripts/test.ts checks

.PHONY: unit contracts integration e2e
unit contracts integration e2e: node_modules ## One kind of test
	@node scripts/test.ts $@

SEEDS ?= 1000
START ?= 1
.PHONY: simulate
simulate: node_modules ## Masters' agreement under SEEDS seeds of faults and lies, from START (HOSTILE=1: a liar in each); prints a failure's trace
	@node test/simulation/main.ts --seeds $(SEEDS) --start $(START) $(if $(HOSTILE),--hostile)

.PHONY: bench
bench: node_modules ## Figures beside their baselines, into docs/benchmarks.md
	@node test/bench/main.ts

.PHONY: plugin
plugin: node_modules ## The kubectl plugin as one file, in cli/build
	@node cli/build.ts

.PHONY: devnet
devnet: node_modules ## The embedded Aptos-compatible devnet alone, on 127.0.0.1:8080
	@node contracts/devnet/main.ts

.PHONY: format
format: node_modules ## Format the sources
	@prettier --write --log-level warn .

.PHONY: generate
generate: node_modules ## Regenerate protobuf code, CRDs, chart docs, vectors
	@npm run --silent generate

.PHONY: cluster-up cluster-down
cluster-up: node_modules ## The embedded cluster alone
	@node test/cluster/cluster.ts up
cluster-down: node_modules ## Stop it; it keeps its caches
	@node test/cluster/cluster.ts down

.PHONY: clean-cluster
clean-cluster: node_modules ## Remove every trace of cluster and demo (the tool cache stays: rm -r ~/.cache/symphony-scs)
	@node test/cluster/cluster.ts down --purge --all
	@node test/demo/clean.ts
