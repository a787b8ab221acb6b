mod hours;
mod ledgers;
