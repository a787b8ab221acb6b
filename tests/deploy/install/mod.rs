mod compose;
mod container;
mod helm;
mod release;
mod systemd;
