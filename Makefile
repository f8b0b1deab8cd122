# The two commands people need are `make run` and `make test`; the work is done by scripts in .ci/.
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: help run test site check bench packs coverage

help:
	@echo 'make run     build the page and serve it at http://127.0.0.1:8080/'
	@echo 'make test    every check and test, the browser tests included'
	@echo 'make site    build the page into target/site'
	@echo 'make check   formatting and lints only'
	@echo 'make bench   benchmarks of the search'
	@echo 'make packs   rebuild perf-data/packs from the published tables'
	@echo 'make coverage  ask again which models answer on which GPUs (part of make packs)'
	@echo 'Missing tools are installed by run, test and site, into ~/.cache/ai-configurator.'

run:
	@.ci/serve

test:
	@.ci/test

site:
	@.ci/setup build
	@.ci/site

check:
	@.ci/setup build
	@.ci/check

bench:
	@.ci/bench

packs:
	@.ci/setup native
	@.ci/packs

coverage:
	@.ci/setup native
	@.ci/coverage
