//! Running a command of the user's that prints something secret, within limits of time and length.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// What `command` prints on standard output when run by the shell (`sh -c`; on Windows `cmd /C`). The error says what the
/// command did wrong, to be put after its name; it never holds output.
pub fn output(
    command: &OsStr,
    stdin: Stdio,
    limit: u64,
    time: Duration,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let end = Instant::now() + time;
    let mut child = shell(command)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("could not be started: {e}"))?;
    let result =
        read(&mut child, limit, end).and_then(|bytes| wait(&mut child, end).map(|()| bytes));
    if result.is_err() {
        // The command may have ended by itself by now; then there is nothing to kill.
        let _ = child.kill();
        let _ = child.wait();
    }
    result.map_err(|why| match why {
        Wrong::Late => format!("did not end within {} seconds", time.as_secs()),
        Wrong::Long => format!("printed more than {} KiB", limit >> 10),
        Wrong::Other(why) => why,
    })
}

enum Wrong {
    Late,
    Long,
    Other(String),
}

/// All output, read by a thread of its own: a pipe has no time limit.
fn read(child: &mut Child, limit: u64, end: Instant) -> Result<Zeroizing<Vec<u8>>, Wrong> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut bytes = Zeroizing::new(Vec::with_capacity(limit as usize + 1));
            let read = output.take(limit + 1).read_to_end(&mut bytes);
            // Nobody listens any more once the time is over.
            let _ = sender.send(read.map(|_| bytes));
        });
    }
    match receiver.recv_deadline(end) {
        Ok(Ok(bytes)) if bytes.len() as u64 > limit => Err(Wrong::Long),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(e)) => Err(Wrong::Other(format!("could not be read: {e}"))),
        Err(_) => Err(Wrong::Late),
    }
}

fn wait(child: &mut Child, end: Instant) -> Result<(), Wrong> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(Wrong::Other(format!("failed ({status})"))),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => return Err(Wrong::Late),
            Err(e) => return Err(Wrong::Other(format!("could not be waited for: {e}"))),
        }
    }
}

#[cfg(unix)]
fn shell(command: &OsStr) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell
}

#[cfg(windows)]
fn shell(command: &OsStr) -> Command {
    use std::os::windows::process::CommandExt;
    let mut shell = Command::new("cmd.exe");
    let mut line = std::ffi::OsString::from("/C ");
    line.push(command);
    shell.raw_arg(line);
    shell
}
