//! A program in a pseudo terminal, and someone who types.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The arrow key.
pub const DOWN: &str = "\x1b[B";
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Terminal {
    child: Child,
    keyboard: File,
    output: Receiver<Vec<u8>>,
    /// Everything that was printed.
    screen: String,
    /// Up to here `wait_for` has looked.
    seen: usize,
}

impl Terminal {
    pub fn run(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        // Wide, so that no text is wrapped.
        tcsetwinsize(
            &master,
            Winsize {
                ws_row: 50,
                ws_col: 300,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )
        .unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave: OwnedFd = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .unwrap()
            .into();
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        let child = command
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .env("TERM", "xterm")
            .spawn()
            .unwrap();

        let keyboard = File::from(master);
        let mut display = keyboard.try_clone().unwrap();
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // An error is the end: the program has closed the terminal.
            while let Ok(length @ 1..) = display.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keyboard,
            output,
            screen: String::new(),
            seen: 0,
        }
    }

    /// Waits until `text` is printed after what was waited for before.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.screen[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!(
                    "`{text}` did not come ({error}); the screen:\n{}",
                    self.screen
                ),
            }
        }
    }

    /// Types `text` and Enter.
    pub fn enter(&mut self, text: &str) {
        // Both ends of a question need a moment: the program reads keys only once it has drawn it.
        thread::sleep(Duration::from_millis(100));
        self.keyboard
            .write_all(format!("{text}\r").as_bytes())
            .unwrap();
    }

    /// Presses Ctrl-C, which a prompt reads as any other key.
    pub fn interrupt(&mut self) {
        thread::sleep(Duration::from_millis(100));
        self.keyboard.write_all(b"\x03").unwrap();
    }

    /// Waits for the end of the program.
    pub fn finish(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(
                Instant::now() < deadline,
                "the program does not end; the screen:\n{}",
                self.screen
            );
            match self.output.recv_timeout(Duration::from_millis(50)) {
                Ok(bytes) => self.screen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(Duration::from_millis(10)),
            }
        }
        (self.child.wait().unwrap(), self.screen.clone())
    }
}

/// A test that fails in the middle must not leave a program behind that waits for a key.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
