//! The server that keeps chat sessions: its command line, its settings, and the wiring.

mod cli;
mod commands;
mod config;
mod database;
mod outside;
mod providers;
mod serve;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chatkeep: {error:#}");
            ExitCode::FAILURE
        }
    }
}
