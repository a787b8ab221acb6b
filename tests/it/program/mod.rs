mod bad_configuration;
mod check;
mod demo;
mod handler;
mod healthcheck;
mod lifecycle;
mod shards;
