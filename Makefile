# pfscope: `make demo` shows it, `make test` tests it; both first install what is missing.

CARGO ?= cargo
# A fuzz target's share of `make test`, in seconds.
FUZZ_SECONDS ?= 10
DEMO = testdata/genuine/openbsd80-pflog0.pcap
SYNC = testdata/pfsync/pair.pcap

# The BSDs whose code is type-checked, and the compiler that can: Debian's, with the sources of the
# standard library, since no Rust for these systems has to be installed then.
BSDS = x86_64-unknown-freebsd x86_64-unknown-openbsd x86_64-unknown-netbsd
BSD_CARGO = RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc /usr/bin/cargo

.PHONY: demo build test check check-bsd unit instructions test-ipsec ipsec-lab crash fuzz bench compare testdata

demo: build
	@printf '\n$$ pfscope -n -e -ttt -r $(DEMO) | head -12\n'
	@target/release/pfscope -n -e -ttt -r $(DEMO) | head -12
	@printf '\n$$ pfscope --format json -c 2 -r $(DEMO)\n'
	@target/release/pfscope --format json -c 2 -r $(DEMO)
	@printf '\n$$ pfscope summary $(DEMO)\n'
	@target/release/pfscope summary $(DEMO)
	@printf '\n$$ pfscope states -q -r $(SYNC)\n'
	@target/release/pfscope states -q -r $(SYNC)

build:
	@sh contrib/setup build
	$(CARGO) build --release --locked

# Every test there is, as CI runs them.
test:
	@sh contrib/setup test
	$(MAKE) check check-bsd unit ipsec-lab instructions fuzz

check:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --all --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --document-private-items

# The code for systems that this is not, libpcap's bindings among it; what is linked is not checked,
# nor is the feed: its TLS has C and assembly in it (ring), which would need compilers for them.
check-bsd:
	@if sh contrib/setup has-bsd; then \
		set -x; $(BSD_CARGO) check --locked --target-dir target/bsd -Zbuild-std=std,panic_abort -Zwarnings \
			--no-default-features --features live \
			--config 'build.warnings="deny"' \
			$(BSDS:%=--target %); \
	else \
		echo 'SKIPPED: check-bsd: cargo-web, rustc-web and rust-web-src are packages of Debian' >&2; \
	fi

unit:
	$(CARGO) test --locked
	$(CARGO) test --locked --no-default-features --test cli

# Instructions a packet, counted by valgrind in the release build (`build` makes it, and nothing
# else in release), against benches/instructions.txt. PFSCOPE_RENEW=1 writes the figures anew.
instructions:
	$(CARGO) build --release --locked
	$(CARGO) test --locked --test instructions -- --ignored --nocapture

# Two strongSwan daemons, and packets between them: root, on Linux; says so where it cannot be.
test-ipsec:
	@sh contrib/setup lab
	$(MAKE) ipsec-lab

ipsec-lab:
	$(CARGO) test --locked --test ipsec_lab -- --ignored

# The feed and its servers are killed fifty times over half a million events: for each of a file and
# a log that is rotated meanwhile, into _bulk and into NATS. Minutes; PFSCOPE_SEED=N for other moments.
crash:
	@sh contrib/setup test
	$(CARGO) test --locked --release --test feed_crash -- --ignored --test-threads 1 --nocapture

# Each target for a few seconds, from the captures in testdata. The fuzzer's instrumentation
# needs compiler flags that stable Rust hides behind RUSTC_BOOTSTRAP.
fuzz:
	$(CARGO) run --locked --example seeds
	@set -e; for target in $$($(CARGO) fuzz list); do \
		echo "fuzz: $$target"; \
		RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=5 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=1; \
	done

# Each stage and the whole program by themselves, then beside others.
bench:
	@sh contrib/setup bench
	$(CARGO) bench --locked
	$(CARGO) test --locked --release --test report ten_thousand -- --nocapture
	$(MAKE) compare

# pfscope beside tcpdump, tshark, zcat and a loop through libpcap, and what it is to reach.
compare:
	@sh contrib/setup bench
	benches/compare.sh

testdata:
	$(CARGO) run --locked --example testdata
