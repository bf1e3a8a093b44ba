//! Ctrl-C and termination: the first asks the run to stop, so that what was uploaded stays usable; a second one ends
//! the process at once.

use crate::error::Result;
use crate::report::Stop;

#[cfg(unix)]
pub fn listen(stop: &Stop) -> Result<()> {
    use crate::error::Context;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
        .context(|| "listening for signals")?;
    let stop = stop.clone();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                let number: u8 = if signal == SIGINT { 2 } else { 15 };
                if stop.requested() {
                    std::process::exit(128 + i32::from(number));
                }
                stop.request(number);
            }
        })
        .context(|| "listening for signals")?;
    Ok(())
}

#[cfg(not(unix))]
pub fn listen(_: &Stop) -> Result<()> {
    Ok(())
}
