mod backfill;
mod hours;
mod kill;
mod ledgers;
