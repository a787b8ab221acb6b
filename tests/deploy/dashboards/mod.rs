mod alertmanager;
mod board_states;
mod files;
mod generated;
mod mixin;
mod rule_tests;
mod rules;
mod victoria_metrics;
