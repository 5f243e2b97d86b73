//! `spans CASE FORM COUNT`: does that work, says how much memory it took, and ends when its standard input does.
//! Until then it exports, as fast as it can: whoever counts the spans knows when all have come.

use std::io::Read as _;
use std::{env, fs, io};

use spans::{Form, Result, Work};

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [case, form, count] = arguments.as_slice() else {
        return Err("wanted: CASE FORM COUNT".into());
    };
    let work = Work {
        form: Form::parse(form)?,
        count: count.parse()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let telemetry = telemetry::init(telemetry::Service {
            name: "spans",
            version: "0",
            environment: "bench",
        })?;
        spans::run(case, work).await?;
        println!("peak {}", peak()?);
        io::stdin().read_to_end(&mut Vec::new())?;
        telemetry.shutdown().await;
        Ok(())
    })
}

/// The most memory that this process had, in kilobytes.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kilobytes.ok_or_else(|| "a status without VmHWM".into())
}
