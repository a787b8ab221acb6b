mod paging;
mod results;
mod upstream_client;
mod vendor_failures;
mod vendor_sample;
