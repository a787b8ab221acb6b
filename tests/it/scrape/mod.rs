mod comparison;
mod formats;
mod prometheus;
mod scrapes;
