mod backfill;
mod files;
mod hours;
mod kill;
