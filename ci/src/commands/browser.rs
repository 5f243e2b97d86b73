//! `cargo run -- browser`: the page with the last traces, in a real browser.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::page;
use crate::progress::Progress;

/// See whether a service's page with the last traces works in Chromium, which is installed where it is missing and can be.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder for pictures of it, `trace-page-light.png` and `trace-page-dark.png`.
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
}

/// # Errors
/// The service cannot be built, there is no browser, or the page is not as it should be.
pub fn run(args: Args) -> Result<ExitCode> {
    let progress = Progress::new();
    progress.step("building the default service");
    let binary = page::build(&mut |line| progress.detail(line))?;
    progress.step("looking at its page");
    let runtime = tokio::runtime::Runtime::new()?;
    let seen = runtime.block_on(page::look(&binary, args.pictures.as_deref(), &mut |step| {
        progress.detail(step);
    }))?;
    drop(progress);
    for step in seen {
        println!("✓ {step}");
    }
    Ok(ExitCode::SUCCESS)
}
