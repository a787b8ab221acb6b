mod alertmanager;
mod board_states;
mod files;
mod generated;
mod mixin;
mod queries_end_to_end;
mod rules;
mod victoria_metrics;
