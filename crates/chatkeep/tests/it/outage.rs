//! What is promised while the database, or the bus, is gone: each proof counts what it has seen. They
//! are over PostgreSQL whatever the others are over.

mod line;
mod load;
mod postgres;

mod away;
mod bus;
mod failover;
mod frozen;
mod restart;
