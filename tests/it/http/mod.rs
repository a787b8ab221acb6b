mod browser;
mod flood;
mod server;
mod web_config;
