mod comparison;
mod formats;
mod prometheus;
mod quality;
mod scrapes;
