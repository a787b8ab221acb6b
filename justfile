# Formatting and unit tests, for between two edits; without those that take half of the time.
fast:
    cargo fmt --check && cargo test --lib -- --skip store::tests::damage --skip store::tests::compaction \
        --skip simulator::tests::results --skip ten_thousand_targets

# All tests; those whose tools are missing are skipped with a note.
test:
    cargo test

# What must have no warnings.
lint:
    cargo fmt --check && cargo clippy --all-targets -- -D warnings

# The documentation compared with the code, and the API documentation.
docs:
    cargo test --test deploy docs && cargo doc --no-deps

# Dashboards, rules and runbooks from their source.
mixin:
    mixin/generate

# The vendor alone, with flags such as --seed=7.
simulate *flags:
    cargo run --release -- simulate {{flags}}
